//! What one connection sends: records sealed in the order in which they leave, each from the
//! task that has something to say.

use std::sync::Arc;
use std::time::Duration;

use codeout_protocol::channel::Sealer;
use futures_util::{FutureExt, SinkExt};
use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use zeroize::Zeroizing;

use crate::error::Closed;
use crate::session::Track;
use crate::transport::Outgoing;

/// How long the reader may take, after sending has failed, to find out why.
const VERDICT_TIME: Duration = Duration::from_secs(1);

/// Small things that are sent when nobody can wait for them.
#[derive(Debug)]
pub(crate) enum Chore {
    /// What was put into the socket's buffer must leave it.
    Flush,
    /// Nobody reads this session's output any more: acknowledge what came.
    Discard(Arc<Track>),
    /// Nobody holds this session any more: end it.
    End(Arc<Track>),
}

/// The sending side of a connection, and whether the connection has ended.
pub(crate) struct Line {
    wire: Mutex<Option<Wire>>,
    closed: watch::Sender<Option<Closed>>,
    chores: mpsc::UnboundedSender<Chore>,
    opened: Instant,
}

struct Wire {
    outgoing: Outgoing,
    /// `None` behind the last record.
    sealer: Option<Sealer>,
}

/// A record could not be sent.
#[derive(Debug)]
struct Failed;

impl From<WsError> for Failed {
    fn from(error: WsError) -> Self {
        tracing::debug!(%error, "sending failed");
        Failed
    }
}

impl Wire {
    /// Waits until a record can be put into the buffer at once: one that was sealed and then
    /// dropped, because its sender was cancelled, would leave a gap that ends the connection.
    async fn ready(&mut self) -> Result<(), WsError> {
        std::future::poll_fn(|context| self.outgoing.poll_ready_unpin(context)).await
    }

    fn put(&mut self, now: Duration, plaintext: &[u8]) -> Result<(), Failed> {
        let sealer = self.sealer.as_mut().ok_or(Failed)?;
        let record = sealer.seal(now, plaintext).map_err(|_| Failed)?;
        Ok(self.outgoing.start_send_unpin(Message::Binary(record.into()))?)
    }
}

impl Line {
    /// The sending side, and the chores that its keeper is to do.
    pub(crate) fn new(
        outgoing: Outgoing,
        sealer: Sealer,
    ) -> (Self, mpsc::UnboundedReceiver<Chore>) {
        let (chores, to_do) = mpsc::unbounded_channel();
        let wire = Wire { outgoing, sealer: Some(sealer) };
        let line = Line {
            wire: Mutex::new(Some(wire)),
            closed: watch::Sender::new(None),
            chores,
            opened: Instant::now(),
        };
        (line, to_do)
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
        let flushed = wire.outgoing.flush().await;
        later.0 = None;
        Ok(flushed?)
    }

    /// Flushes what another task has put into the buffer.
    pub(crate) async fn flush_rest(&self) -> Result<(), Closed> {
        let flushing = async {
            let mut wire = self.wire.lock().await;
            Ok(wire.as_mut().ok_or(Failed)?.outgoing.flush().await?)
        };
        self.finished(flushing).await
    }

    /// Sends a WebSocket ping, unless something else is being sent just now.
    pub(crate) async fn ping(&self) {
        let Ok(mut wire) = self.wire.try_lock() else { return };
        if let Some(wire) = wire.as_mut() {
            // What goes wrong here, the reader hears of, or silence tells.
            let _ = wire.outgoing.send(Message::Ping(Default::default())).await;
        }
    }

    /// Sends the last record of this direction, an empty one.
    pub(crate) async fn finish(&self) {
        let finishing = async {
            let mut wire = self.wire.lock().await;
            let wire = wire.as_mut().ok_or(Failed)?;
            wire.ready().await?;
            let sealer = wire.sealer.take().ok_or(Failed)?;
            let record = sealer.finish(&[]).map_err(|_| Failed)?;
            Ok(wire.outgoing.send(Message::Binary(record.into())).await?)
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
    async fn verdict(&self) -> Closed {
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
