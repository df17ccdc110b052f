//! A TCP stream that a server owns and a connection can still cut.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use rustix::net::sockopt::set_socket_linger;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// How long a stream that ended well is still listened to.
const PARTING: Duration = Duration::from_millis(40);

/// One descriptor, two owners: a second descriptor for each connection would halve how many
/// there can be.
#[derive(Debug, Clone)]
pub(crate) struct SharedStream(Arc<TcpStream>);

impl SharedStream {
    pub(crate) fn new(stream: TcpStream) -> Self {
        SharedStream(Arc::new(stream))
    }

    /// Ends the stream at once; what is still on its way in a buffer goes no further.
    pub(crate) fn cut(&self) {
        let reset = set_socket_linger(&*self.0, Some(Duration::ZERO));
        let ended = rustix::net::shutdown(&*self.0, rustix::net::Shutdown::Both);
        tracing::debug!(?reset, ?ended, "cut a stream");
    }

    /// Ends a stream whose last word was written, so that the other side can read it: whatever
    /// it still sends is taken and dropped for a moment. To close with bytes unread would reset
    /// the stream, and take the last word along.
    pub(crate) async fn let_go<M>(&self, messages: &mut (impl Stream<Item = M> + Unpin)) {
        if rustix::net::shutdown(&*self.0, rustix::net::Shutdown::Write).is_err() {
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
            ready!(self.0.poll_read_ready(context))?;
            match self.0.try_read(buffer.initialize_unfilled()) {
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
        loop {
            ready!(self.0.poll_write_ready(context))?;
            match self.0.try_write(bytes) {
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
            rustix::net::shutdown(&*self.0, rustix::net::Shutdown::Write).map_err(Into::into),
        )
    }
}
