//! A link whose bytes are written down.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::Log;

/// A link whose bytes are written down.
pub(super) struct Tap {
    stream: TcpStream,
    log: Log,
    /// Where in [`Seen::raw`](super::Seen::raw) what is read goes; what is written goes behind it.
    place: usize,
}

impl Tap {
    pub(super) fn new(stream: TcpStream, log: &Log, place: usize) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Tap { stream, log: log.clone(), place })
    }
}

impl AsyncRead for Tap {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        let new = &buffer.filled()[before..];
        self.log.note(|seen| seen.raw[self.place].extend(new));
        read
    }
}

impl AsyncWrite for Tap {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if let Poll::Ready(Ok(count)) = written {
            self.log.note(|seen| seen.raw[self.place + 1].extend(&bytes[..count]));
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
