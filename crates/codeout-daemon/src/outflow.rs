//! What waits to be written to a stream, which takes it as it likes. Nothing here locks: whoever
//! writes does not meet whoever reads from the same stream.

use std::io;

use tokio::net::unix::OwnedWriteHalf;

use crate::shared_stream::Writing;

/// The memory that stays with a device to which nothing is sent, in bytes.
const KEPT: usize = 4 * 1024;
/// What waits at most before more is put, in bytes.
const FULL: usize = 32 * 1024;

/// A stream that can be written to without waiting.
pub(crate) trait Takes {
    /// Writes as much as it takes at once.
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize>;

    /// Waits until it may take something.
    fn writable(&self) -> impl Future<Output = io::Result<()>> + Send;
}

impl Takes for OwnedWriteHalf {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        OwnedWriteHalf::try_write(self, bytes)
    }

    fn writable(&self) -> impl Future<Output = io::Result<()>> + Send {
        OwnedWriteHalf::writable(self)
    }
}

impl Takes for Writing {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        Writing::try_write(self, bytes)
    }

    fn writable(&self) -> impl Future<Output = io::Result<()>> + Send {
        Writing::writable(self)
    }
}

/// A stream, and what waits to be written to it.
pub(crate) struct Outflow<S> {
    stream: S,
    waiting: Vec<u8>,
    written: usize,
}

impl<S: Takes> Outflow<S> {
    pub(crate) fn new(stream: S) -> Self {
        Outflow { stream, waiting: Vec::new(), written: 0 }
    }

    /// Whether more may be put.
    pub(crate) fn has_room(&self) -> bool {
        self.waiting.len() - self.written < FULL
    }

    /// Where to put more, behind what is there.
    pub(crate) fn end(&mut self) -> &mut Vec<u8> {
        &mut self.waiting
    }

    /// Writes what was put. Cancelled, the next call goes on.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        while self.written < self.waiting.len() {
            // What can be written at once needs no turn of the runtime.
            match self.stream.try_write(&self.waiting[self.written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.stream.writable().await?;
                }
                Err(error) => return Err(error),
            }
        }
        self.waiting.clear();
        if self.waiting.capacity() > KEPT {
            self.waiting = Vec::new();
        }
        self.written = 0;
        Ok(())
    }
}
