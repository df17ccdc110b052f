//! What one connection sends: records in the order in which they leave, sealed over a network.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use codeout_protocol::channel::Sealer;
use codeout_protocol::message::FromDaemon;
use futures_util::stream::SplitSink;
use futures_util::{FutureExt, SinkExt};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};

use crate::clock::Clock;
use crate::local_link::FrameWriter;

/// A device that takes nothing for this long is gone.
const STUCK: Duration = Duration::from_secs(90);

/// The sending half of a connection, shared by everything that sends on it.
#[derive(Clone)]
pub(crate) struct Outbox {
    line: Arc<Mutex<Line>>,
    /// Held by the attachment whose snapshot is on its way: what waits for one device is one
    /// screen at most.
    snapshots: Arc<Semaphore>,
}

enum Line {
    Remote {
        sink: SplitSink<WebSocket, Message>,
        /// `None` behind the last record.
        sealer: Option<Sealer>,
        clock: Arc<dyn Clock>,
    },
    Local(FrameWriter),
}

/// Waits for `sending`, which is nearly always done at once. Then it leaves no waker behind: one
/// that sent is otherwise woken by whatever the socket receives next. `STUCK` is the most.
async fn in_time(sending: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    let mut sending = std::pin::pin!(sending);
    if let Some(sent) = sending.as_mut().now_or_never() {
        return sent;
    }
    match tokio::time::timeout(STUCK, sending).await {
        Ok(sent) => sent,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

impl Line {
    /// Waits until a record can leave at once: one that was sealed and then dropped, because
    /// its sender was cancelled, would leave a gap that ends the connection.
    async fn ready(&mut self) -> io::Result<()> {
        match self {
            Line::Remote { sink, .. } => {
                let ready = std::future::poll_fn(|context| sink.poll_ready_unpin(context));
                in_time(async { ready.await.map_err(io::Error::other) }).await
            }
            Line::Local(writer) if writer.has_room() => Ok(()),
            Line::Local(writer) => in_time(writer.flush()).await,
        }
    }

    /// Puts one record into the buffer, behind [`ready`](Self::ready).
    fn put(&mut self, plaintext: &[u8]) -> io::Result<()> {
        match self {
            Line::Remote { sink, sealer, clock } => {
                let sealer = sealer.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
                let record =
                    sealer.seal(clock.since_boot(), plaintext).map_err(io::Error::other)?;
                sink.start_send_unpin(Message::Binary(record.into())).map_err(io::Error::other)
            }
            Line::Local(writer) => writer.put(plaintext),
        }
    }

    /// As [`put`](Self::put), the last one.
    fn put_last(&mut self, plaintext: &[u8]) -> io::Result<()> {
        match self {
            Line::Remote { sink, sealer, .. } => {
                let sealer = sealer.take().ok_or(io::ErrorKind::BrokenPipe)?;
                let record = sealer.finish(plaintext).map_err(io::Error::other)?;
                sink.start_send_unpin(Message::Binary(record.into())).map_err(io::Error::other)
            }
            Line::Local(writer) => writer.put(plaintext),
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        match self {
            Line::Remote { sink, .. } => {
                in_time(async { sink.flush().await.map_err(io::Error::other) }).await
            }
            Line::Local(writer) => in_time(writer.flush()).await,
        }
    }

    /// Sends what a WebSocket has beside records.
    async fn control(&mut self, message: Message) -> io::Result<()> {
        match self {
            Line::Remote { sink, .. } => {
                in_time(async { sink.send(message).await.map_err(io::Error::other) }).await
            }
            Line::Local(_) => Ok(()),
        }
    }
}

impl Outbox {
    /// Over a network.
    pub(crate) fn remote(
        sink: SplitSink<WebSocket, Message>,
        sealer: Sealer,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self::of(Line::Remote { sink, sealer: Some(sealer), clock })
    }

    /// Inside this computer.
    pub(crate) fn local(writer: FrameWriter) -> Self {
        Self::of(Line::Local(writer))
    }

    fn of(line: Line) -> Self {
        Outbox { line: Arc::new(Mutex::new(line)), snapshots: Arc::new(Semaphore::new(1)) }
    }

    /// Waits until a snapshot may be made for this connection.
    pub(crate) async fn snapshot_turn(&self) -> io::Result<OwnedSemaphorePermit> {
        let turn = Arc::clone(&self.snapshots).acquire_owned().await;
        turn.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    /// Sends one message in one record. Cancelled, it has sent all of it or nothing.
    pub(crate) async fn send(&self, message: &FromDaemon<'_>) -> io::Result<()> {
        self.send_more(Some(message), || None).await
    }

    /// As [`send`](Self::send), and on the same errand to the socket what `more` gives. It is asked
    /// last, and nobody can send anything before what it gives.
    pub(crate) async fn send_more(
        &self,
        first: Option<&FromDaemon<'_>>,
        more: impl FnOnce() -> Option<FromDaemon<'static>>,
    ) -> io::Result<()> {
        let mut line = self.line.lock().await;
        line.ready().await?;
        if let Some(first) = first {
            line.put(&first.write())?;
            line.ready().await?;
        }
        if let Some(second) = more() {
            line.put(&second.write())?;
        }
        line.flush().await
    }

    /// Sends a message now, without waiting for anything, and behind it what `more` gives, which
    /// is asked only when the first is on its way. False when nothing was sent. What the socket
    /// does not take at once leaves it with what is sent next, or with [`flush`](Self::flush).
    pub(crate) fn try_send(
        &self,
        first: &FromDaemon<'_>,
        more: impl FnOnce() -> Option<FromDaemon<'static>>,
    ) -> Sent {
        let Ok(mut line) = self.line.try_lock() else { return Sent::Nothing };
        if !matches!(line.ready().now_or_never(), Some(Ok(()))) || line.put(&first.write()).is_err()
        {
            return Sent::Nothing;
        }
        // The socket takes one at a time: a second one would take the place of the first.
        if matches!(line.ready().now_or_never(), Some(Ok(())))
            && let Some(second) = more()
        {
            let _ = line.put(&second.write());
        }
        match line.flush().now_or_never() {
            Some(_) => Sent::All,
            None => Sent::Buffered,
        }
    }

    /// Sends what is still in the buffer.
    pub(crate) async fn flush(&self) -> io::Result<()> {
        self.line.lock().await.flush().await
    }

    /// Makes the device say something.
    pub(crate) async fn ping(&self) -> io::Result<()> {
        self.line.lock().await.control(Message::Ping(Default::default())).await
    }

    /// Sends the last record, and the WebSocket's close.
    pub(crate) async fn finish(&self, message: &FromDaemon<'_>) -> io::Result<()> {
        let plaintext = message.write();
        let mut line = self.line.lock().await;
        line.ready().await?;
        line.put_last(&plaintext)?;
        line.flush().await?;
        line.control(Message::Close(None)).await
    }
}

/// What became of a message that was to leave at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    /// It left.
    All,
    /// It is in the buffer, which somebody must flush.
    Buffered,
    /// Nothing was done.
    Nothing,
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outbox")
    }
}
