//! What one connection sends: records sealed in the order in which they leave.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use codeout_protocol::channel::Sealer;
use codeout_protocol::message::{Chunk, FromDaemon, Progress, SessionId};
use futures_util::stream::SplitSink;
use futures_util::{FutureExt, SinkExt};
use tokio::sync::Mutex;

use crate::clock::Clock;
use crate::session::Viewer;

/// A device that takes nothing for this long is gone.
const STUCK: Duration = Duration::from_secs(90);

/// The sending half of a connection, shared by everything that sends on it.
#[derive(Clone)]
pub(crate) struct Outbox(Arc<Mutex<Line>>);

struct Line {
    sink: SplitSink<WebSocket, Message>,
    sealer: Option<Sealer>,
    clock: Arc<dyn Clock>,
}

/// Waits for `sending`, which is nearly always done at once. Then it leaves no waker behind: one
/// that sent is otherwise woken by whatever the socket receives next.
async fn quietly<T>(sending: impl Future<Output = T>) -> T {
    let mut sending = std::pin::pin!(sending);
    match sending.as_mut().now_or_never() {
        Some(sent) => sent,
        None => sending.await,
    }
}

impl Line {
    async fn send(&mut self, message: Message) -> io::Result<()> {
        match tokio::time::timeout(STUCK, self.sink.send(message)).await {
            Ok(sent) => sent.map_err(io::Error::other),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Waits until a record can leave at once: one that was sealed and then dropped, because
    /// its sender was cancelled, would leave a gap that ends the connection.
    async fn ready(&mut self) -> io::Result<()> {
        let ready = std::future::poll_fn(|context| self.sink.poll_ready_unpin(context));
        match quietly(tokio::time::timeout(STUCK, ready)).await {
            Ok(ready) => ready.map_err(io::Error::other),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Puts one record into the buffer.
    async fn put(&mut self, plaintext: &[u8]) -> io::Result<()> {
        self.ready().await?;
        let now = self.clock.since_boot();
        let sealer = self.sealer.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        let record = sealer.seal(now, plaintext).map_err(io::Error::other)?;
        self.sink.start_send_unpin(Message::Binary(record.into())).map_err(io::Error::other)
    }

    async fn flush(&mut self) -> io::Result<()> {
        match quietly(tokio::time::timeout(STUCK, self.sink.flush())).await {
            Ok(flushed) => flushed.map_err(io::Error::other),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

impl Outbox {
    pub(crate) fn new(
        sink: SplitSink<WebSocket, Message>,
        sealer: Sealer,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Outbox(Arc::new(Mutex::new(Line { sink, sealer: Some(sealer), clock })))
    }

    /// Sends one message in one record. Cancelled, it has sent all of it or nothing.
    pub(crate) async fn send(&self, message: &FromDaemon<'_>) -> io::Result<()> {
        self.send_two(message, None).await
    }

    /// As [`send`](Self::send), with another record behind it, on one errand to the socket.
    async fn send_two(
        &self,
        first: &FromDaemon<'_>,
        second: Option<&FromDaemon<'_>>,
    ) -> io::Result<()> {
        let mut line = self.0.lock().await;
        for message in [Some(first), second].into_iter().flatten() {
            line.put(&message.write()).await?;
        }
        line.flush().await
    }

    /// Sends a WebSocket ping.
    pub(crate) async fn ping(&self) -> io::Result<()> {
        self.0.lock().await.send(Message::Ping(Default::default())).await
    }

    /// Sends the last record, and the WebSocket's close.
    pub(crate) async fn finish(&self, message: &FromDaemon<'_>) -> io::Result<()> {
        let plaintext = message.write();
        let mut line = self.0.lock().await;
        line.ready().await?;
        let sealer = line.sealer.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let record = sealer.finish(&plaintext).map_err(io::Error::other)?;
        line.sink.start_send_unpin(Message::Binary(record.into())).map_err(io::Error::other)?;
        line.flush().await?;
        line.send(Message::Close(None)).await
    }
}

/// A device that watches one session through its connection.
pub(crate) struct RemoteViewer {
    pub(crate) outbox: Outbox,
    pub(crate) session: SessionId,
}

impl Viewer for RemoteViewer {
    async fn output(&self, offset: u64, bytes: &[u8], written: Option<u64>) -> io::Result<()> {
        let output = FromDaemon::Output(Chunk { session: self.session, offset, bytes });
        let written = written.map(|offset| self.written(offset));
        self.outbox.send_two(&output, written.as_ref()).await
    }

    async fn input_written(&self, offset: u64) -> io::Result<()> {
        self.outbox.send(&self.written(offset)).await
    }
}

impl RemoteViewer {
    fn written(&self, offset: u64) -> FromDaemon<'static> {
        FromDaemon::InputWritten(Progress { session: self.session, offset })
    }
}
