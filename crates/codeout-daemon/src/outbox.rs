//! What one connection sends: records in the order in which they leave, sealed over a network.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use codeout_protocol::message::FromDaemon;
use futures_util::FutureExt;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};

use crate::local_link::FrameWriter;
use crate::record_writer::RecordWriter;

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
    Remote(Box<RecordWriter>),
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
    /// Waits until a record can be put: one that was sealed and then dropped, because its sender
    /// was cancelled, would leave a gap that ends the connection.
    async fn ready(&mut self) -> io::Result<()> {
        match self {
            Line::Remote(writer) => in_time(writer.ready()).await,
            Line::Local(writer) if writer.has_room() => Ok(()),
            Line::Local(writer) => in_time(writer.flush()).await,
        }
    }

    /// Puts one record into the buffer, behind [`ready`](Self::ready).
    fn put(&mut self, plaintext: &[u8]) -> io::Result<()> {
        match self {
            Line::Remote(writer) => writer.put(plaintext),
            Line::Local(writer) => writer.put(plaintext),
        }
    }

    /// As [`put`](Self::put), the last one.
    fn put_last(&mut self, plaintext: &[u8]) -> io::Result<()> {
        match self {
            Line::Remote(writer) => writer.put_last(plaintext),
            Line::Local(writer) => writer.put(plaintext),
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        match self {
            Line::Remote(writer) => in_time(writer.flush()).await,
            Line::Local(writer) => in_time(writer.flush()).await,
        }
    }
}

impl Outbox {
    /// Over a network.
    pub(crate) fn remote(writer: RecordWriter) -> Self {
        Self::of(Line::Remote(Box::new(writer)))
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

    /// Sends these one behind the other, on one errand to the socket as far as its buffer has room.
    /// Cancelled, it has sent some of the first.
    pub(crate) async fn send_all(&self, messages: &[FromDaemon<'_>]) -> io::Result<()> {
        let mut line = self.line.lock().await;
        for message in messages {
            line.ready().await?;
            line.put(&message.write())?;
        }
        line.flush().await
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

    /// Makes a device over a network say something.
    pub(crate) async fn ping(&self) -> io::Result<()> {
        match &mut *self.line.lock().await {
            Line::Remote(writer) => in_time(writer.ping()).await,
            Line::Local(_) => Ok(()),
        }
    }

    /// Answers a device over a network that wants to hear something.
    pub(crate) async fn pong(&self, asked: &[u8]) -> io::Result<()> {
        match &mut *self.line.lock().await {
            Line::Remote(writer) => in_time(writer.pong(asked)).await,
            Line::Local(_) => Ok(()),
        }
    }

    /// Sends the last record, and the WebSocket's close.
    pub(crate) async fn finish(&self, message: &FromDaemon<'_>) -> io::Result<()> {
        let plaintext = message.write();
        let mut line = self.line.lock().await;
        line.ready().await?;
        line.put_last(&plaintext)?;
        line.flush().await?;
        match &mut *line {
            Line::Remote(writer) => in_time(writer.close()).await,
            Line::Local(_) => Ok(()),
        }
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
