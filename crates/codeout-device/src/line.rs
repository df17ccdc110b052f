//! What one connection sends: records sealed in the order in which they leave, each from the
//! task that has something to say.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::error::Closed;
use crate::track::Track;
use crate::wire::{Failed, Wire};

/// How long the reader may take, after sending has failed, to find out why.
const VERDICT_TIME: Duration = Duration::from_secs(1);

/// Small things that are sent when nobody can wait for them.
pub(crate) enum Chore {
    /// What was put into the socket's buffer must leave it.
    Flush,
    /// Sending has failed: find out why, and end the connection.
    Fail,
    /// The daemon is to hear how much of this attachment's output is dealt with.
    Acknowledge(Arc<Track>),
    /// Nobody holds this attachment any more: end it.
    Detach(Arc<Track>),
}

/// The sending side of a connection, and whether the connection has ended.
pub(crate) struct Line {
    wire: Mutex<Option<Wire>>,
    closed: watch::Sender<Option<Closed>>,
    chores: mpsc::UnboundedSender<Chore>,
    opened: Instant,
    local: bool,
}

impl Line {
    /// The sending side, and the chores that its keeper is to do.
    pub(crate) fn new(wire: Wire) -> (Self, mpsc::UnboundedReceiver<Chore>) {
        let (chores, to_do) = mpsc::unbounded_channel();
        let line = Line {
            local: wire.is_local(),
            wire: Mutex::new(Some(wire)),
            closed: watch::Sender::new(None),
            chores,
            opened: Instant::now(),
        };
        (line, to_do)
    }

    /// Whether the daemon is on the same computer.
    pub(crate) fn is_local(&self) -> bool {
        self.local
    }

    /// How long ago the connection was made.
    pub(crate) fn age(&self) -> Duration {
        self.opened.elapsed()
    }

    /// Leaves something to the keeper.
    pub(crate) fn leave(&self, chore: Chore) {
        // Without a keeper the connection has ended, and nothing is left to do.
        let _ = self.chores.send(chore);
    }

    /// Sends the record that `compose` makes when its turn has come, if it makes one. Cancelled,
    /// it has sent all of it or nothing.
    pub(crate) async fn send<T>(
        &self,
        compose: impl FnOnce() -> (Option<Zeroizing<Vec<u8>>>, T),
    ) -> Result<T, Closed> {
        if let Some(closed) = self.ended() {
            return Err(closed);
        }
        let sending = async {
            let mut wire = self.wire.lock().await;
            let wire = wire.as_mut().ok_or(Failed)?;
            wire.ready().await?;
            let (plaintext, value) = compose();
            if let Some(plaintext) = plaintext {
                wire.put(self.opened.elapsed(), &plaintext)?;
                self.flush(wire).await?;
            }
            Ok(value)
        };
        self.finished(sending).await
    }

    /// As [`send`](Self::send), if that can be done at once; it needs no runtime. `None`: it
    /// cannot, and nothing was composed. Whatever cannot leave the buffer at once, the keeper
    /// flushes, who also sees to a failure.
    pub(crate) fn send_now<T>(
        &self,
        compose: impl FnOnce() -> (Option<Zeroizing<Vec<u8>>>, T),
    ) -> Option<T> {
        if self.ended().is_some() {
            return None;
        }
        let mut wire = self.wire.try_lock().ok()?;
        let wire = wire.as_mut()?;
        if wire.ready().now_or_never()?.is_err() {
            self.leave(Chore::Fail);
            return None;
        }
        let (plaintext, value) = compose();
        if let Some(plaintext) = plaintext {
            let put = wire.put(self.opened.elapsed(), &plaintext);
            // Not done at once is no failure.
            let sent = put.and_then(|()| self.flush(wire).now_or_never().unwrap_or(Ok(())));
            if sent.is_err() {
                self.leave(Chore::Fail);
            }
        }
        Some(value)
    }

    /// Flushes; cancelled, leaves it to the keeper.
    async fn flush(&self, wire: &mut Wire) -> Result<(), Failed> {
        struct Later<'a>(Option<&'a Line>);
        impl Drop for Later<'_> {
            fn drop(&mut self) {
                if let Some(line) = self.0 {
                    line.leave(Chore::Flush);
                }
            }
        }
        let mut later = Later(Some(self));
        let flushed = wire.flush().await;
        later.0 = None;
        flushed
    }

    /// Flushes what another task has put into the buffer.
    pub(crate) async fn flush_rest(&self) -> Result<(), Closed> {
        let flushing = async {
            let mut wire = self.wire.lock().await;
            wire.as_mut().ok_or(Failed)?.flush().await
        };
        self.finished(flushing).await
    }

    /// Makes the daemon say something, unless something else is being sent just now.
    pub(crate) async fn ping(&self) {
        let Ok(mut wire) = self.wire.try_lock() else { return };
        if let Some(wire) = wire.as_mut() {
            wire.ping().await;
        }
    }

    /// Sends the last record of this direction, an empty one.
    pub(crate) async fn finish(&self) {
        let finishing = async {
            let mut wire = self.wire.lock().await;
            let wire = wire.as_mut().ok_or(Failed)?;
            wire.ready().await?;
            wire.put_last()?;
            wire.flush().await
        };
        // Whatever comes of it, the connection is over.
        let _: Result<(), Closed> = self.finished(finishing).await;
    }

    /// Waits for `sending`, and not beyond the connection's end.
    async fn finished<T>(
        &self,
        sending: impl Future<Output = Result<T, Failed>>,
    ) -> Result<T, Closed> {
        let mut sending = std::pin::pin!(sending);
        // Nearly always it is done at once.
        let result = match sending.as_mut().now_or_never() {
            Some(result) => result,
            None => tokio::select! {
                biased;
                result = sending => result,
                closed = self.closed() => return Err(closed),
            },
        };
        match result {
            Ok(value) => Ok(value),
            Err(Failed) => Err(self.verdict().await),
        }
    }

    /// Sending has failed: the daemon's last word may still be on its way to the reader.
    pub(crate) async fn verdict(&self) -> Closed {
        match tokio::time::timeout(VERDICT_TIME, self.closed()).await {
            Ok(closed) => closed,
            Err(_) => self.end(Closed::Cut),
        }
    }

    /// Ends the connection, if it has not ended. Returns how it did.
    pub(crate) fn end(&self, how: Closed) -> Closed {
        self.closed.send_if_modified(|closed| {
            let first = closed.is_none();
            closed.get_or_insert(how);
            first
        });
        self.ended().unwrap_or(how)
    }

    /// How the connection ended, if it has.
    pub(crate) fn ended(&self) -> Option<Closed> {
        *self.closed.borrow()
    }

    /// Waits until the connection has ended.
    pub(crate) async fn closed(&self) -> Closed {
        let mut closed = self.closed.subscribe();
        match closed.wait_for(Option::is_some).await {
            Ok(closed) => closed.unwrap_or(Closed::Cut),
            // Cannot be: this end of the channel lives as long as `self`.
            Err(_) => Closed::Cut,
        }
    }

    /// Lets go of the socket, once nobody sends any more.
    pub(crate) async fn hang_up(&self) {
        self.wire.lock().await.take();
    }
}
