//! A TCP stream that a server owns and a connection can still cut.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use rustix::io::retry_on_intr;
use rustix::net::sockopt::set_socket_linger;
use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

/// How long a stream that ended well is still listened to.
const PARTING: Duration = Duration::from_millis(40);

/// One descriptor, two owners: a second descriptor for each connection would halve how many
/// there can be.
#[derive(Debug, Clone)]
pub(crate) struct SharedStream(Arc<Below>);

#[derive(Debug)]
struct Below {
    tcp: TcpStream,
    /// Whether a [`Writing`] has taken writing over.
    taken: AtomicBool,
}

/// The right to write to a stream whose server only reads any more.
#[derive(Debug)]
pub(crate) struct Writing(SharedStream);

impl Writing {
    /// Writes as much as the stream takes at once.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.0.0.tcp.try_write(bytes)
    }

    /// Waits until the stream may take something.
    pub(crate) async fn writable(&self) -> io::Result<()> {
        self.0.0.tcp.writable().await
    }
}

impl SharedStream {
    pub(crate) fn new(tcp: TcpStream) -> Self {
        SharedStream(Arc::new(Below { tcp, taken: AtomicBool::new(false) }))
    }

    /// Takes writing over from the server, all of whose answers have been written: what it still
    /// writes, such as an answer to a ping, goes nowhere.
    pub(crate) fn take_writing(&self) -> Writing {
        self.0.taken.store(true, Ordering::Release);
        Writing(self.clone())
    }

    /// Ends the stream at once; what is still on its way in a buffer goes no further.
    pub(crate) fn cut(&self) {
        let reset = set_socket_linger(&self.0.tcp, Some(Duration::ZERO));
        let ended = rustix::net::shutdown(&self.0.tcp, rustix::net::Shutdown::Both);
        tracing::debug!(?reset, ?ended, "cut a stream");
    }

    /// Ends a stream whose last word was written, so that the other side can read it: whatever
    /// it still sends is taken and dropped for a moment. To close with bytes unread would reset
    /// the stream, and take the last word along.
    pub(crate) async fn let_go<M>(&self, messages: &mut (impl Stream<Item = M> + Unpin)) {
        if rustix::net::shutdown(&self.0.tcp, rustix::net::Shutdown::Write).is_err() {
            return;
        }
        let drained = async { while messages.next().await.is_some() {} };
        let _ = tokio::time::timeout(PARTING, drained).await;
    }
}

impl AsyncRead for SharedStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.tcp.poll_read_ready(context))?;
            let mut all = None;
            let read = self.0.tcp.try_io(Interest::READABLE, || {
                let room = buffer.initialize_unfilled();
                let (count, _) =
                    retry_on_intr(|| recv(&self.0.tcp, &mut *room, RecvFlags::empty()))?;
                if (1..room.len()).contains(&count) {
                    // That was all. More makes the stream readable again.
                    all = Some(count);
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                Ok(count)
            });
            match all.map_or(read, Ok) {
                Ok(count) => {
                    buffer.advance(count);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for SharedStream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.0.taken.load(Ordering::Acquire) {
            return Poll::Ready(Ok(bytes.len()));
        }
        loop {
            ready!(self.0.tcp.poll_write_ready(context))?;
            match self.0.tcp.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(
            rustix::net::shutdown(&self.0.tcp, rustix::net::Shutdown::Write).map_err(Into::into),
        )
    }
}
