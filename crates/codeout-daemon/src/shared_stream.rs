//! A TCP stream that a server owns and a connection can still cut.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use rustix::io::{fcntl_dupfd_cloexec, retry_on_intr};
use rustix::net::sockopt::set_socket_linger;
use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

/// How often it is read before others have their turn: whoever reads frames goes on as long as there
/// are more.
const AT_ONCE: u32 = 16;
/// How long a stream that ended well is still listened to.
const PARTING: Duration = Duration::from_millis(40);

/// One descriptor, two owners: a second descriptor for each connection would halve how many
/// there can be.
#[derive(Debug, Clone)]
pub(crate) struct SharedStream(Arc<Below>);

#[derive(Debug)]
struct Below {
    /// Replaced when another runtime takes over.
    tcp: RwLock<Arc<TcpStream>>,
    /// The bytes that went through it, either way.
    moved: AtomicU64,
    /// Whether a [`Writing`] has taken writing over.
    taken: AtomicBool,
    /// How often it was read without a rest.
    read: AtomicU32,
}

/// The right to write to a stream whose server only reads any more.
#[derive(Debug)]
pub(crate) struct Writing(SharedStream);

impl Writing {
    /// Writes as much as the stream takes at once.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.0.tcp().try_write(bytes);
        self.0.count(&written);
        written
    }

    /// Waits until the stream may take something.
    pub(crate) async fn writable(&self) -> io::Result<()> {
        self.0.tcp().writable().await
    }
}

impl SharedStream {
    pub(crate) fn new(tcp: TcpStream) -> Self {
        let (moved, taken, read) = Default::default();
        let tcp = RwLock::new(Arc::new(tcp));
        SharedStream(Arc::new(Below { tcp, moved, taken, read }))
    }

    fn tcp(&self) -> Arc<TcpStream> {
        Arc::clone(&self.0.tcp.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on this runtime watches the stream, in place of the one that did. Nobody may be
    /// waiting for it.
    ///
    /// # Errors
    /// There is no descriptor free, of which it takes one for this moment; then all is as before.
    pub(crate) fn move_here(&self) -> io::Result<()> {
        let descriptor = fcntl_dupfd_cloexec(&*self.tcp(), 0)?;
        let here = TcpStream::from_std(std::net::TcpStream::from(descriptor))?;
        *self.0.tcp.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(here);
        Ok(())
    }

    /// Takes writing over from the server, all of whose answers have been written: what it still
    /// writes, such as an answer to a ping, goes nowhere.
    pub(crate) fn take_writing(&self) -> Writing {
        self.0.taken.store(true, Ordering::Release);
        Writing(self.clone())
    }

    /// Sends what is written at once, and does not wait for more.
    pub(crate) fn set_nodelay(&self) -> io::Result<()> {
        self.tcp().set_nodelay(true)
    }

    /// How many bytes went through it so far, either way.
    pub(crate) fn moved(&self) -> u64 {
        self.0.moved.load(Ordering::Relaxed)
    }

    /// Looks at what comes next, and leaves it there. `None`: nothing comes any more.
    pub(crate) async fn peek(&self) -> io::Result<Option<u8>> {
        let mut first = [0];
        let count = self.tcp().peek(&mut first).await?;
        Ok((count > 0).then_some(first[0]))
    }

    fn count(&self, moved: &io::Result<usize>) {
        if let Ok(count) = moved {
            self.0.moved.fetch_add(*count as u64, Ordering::Relaxed);
        }
    }

    /// Writes `length` bytes, or what the stream takes of them, as soon as it takes something.
    fn poll_write_with(
        &self,
        context: &mut Context<'_>,
        length: usize,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        if self.0.taken.load(Ordering::Acquire) {
            return Poll::Ready(Ok(length));
        }
        let tcp = self.tcp();
        loop {
            ready!(tcp.poll_write_ready(context))?;
            match write(&tcp) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => {
                    self.count(&written);
                    return Poll::Ready(written);
                }
            }
        }
    }

    /// Ends the stream at once; what is still on its way in a buffer goes no further.
    pub(crate) fn cut(&self) {
        let tcp = self.tcp();
        let reset = set_socket_linger(&*tcp, Some(Duration::ZERO));
        let ended = rustix::net::shutdown(&*tcp, rustix::net::Shutdown::Both);
        tracing::debug!(?reset, ?ended, "cut a stream");
    }

    /// Ends a stream whose last word was written, so that the other side can read it: whatever
    /// it still sends is taken and dropped for a moment. To close with bytes unread would reset
    /// the stream, and take the last word along.
    pub(crate) async fn let_go<M>(&self, messages: &mut (impl Stream<Item = M> + Unpin)) {
        if rustix::net::shutdown(&*self.tcp(), rustix::net::Shutdown::Write).is_err() {
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
        if self.0.read.fetch_add(1, Ordering::Relaxed) >= AT_ONCE {
            self.0.read.store(0, Ordering::Relaxed);
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let tcp = self.tcp();
        loop {
            if tcp.poll_read_ready(context)?.is_pending() {
                self.0.read.store(0, Ordering::Relaxed);
                return Poll::Pending;
            }
            let mut all = None;
            let read = tcp.try_io(Interest::READABLE, || {
                let room = buffer.initialize_unfilled();
                let (count, _) = retry_on_intr(|| recv(&*tcp, &mut *room, RecvFlags::empty()))?;
                if (1..room.len()).contains(&count) {
                    // That was all. More makes the stream readable again.
                    all = Some(count);
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                Ok(count)
            });
            let read = all.map_or(read, Ok);
            self.count(&read);
            match read {
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
        self.poll_write_with(context, bytes.len(), |tcp| tcp.try_write(bytes))
    }

    // Without it hyper would copy each file of the app into a buffer of the connection.
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = slices.iter().map(|slice| slice.len()).sum();
        self.poll_write_with(context, length, |tcp| tcp.try_write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(
            rustix::net::shutdown(&*self.tcp(), rustix::net::Shutdown::Write).map_err(Into::into),
        )
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::runtime::{Builder, Runtime};

    use super::*;

    fn runtime() -> Runtime {
        Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
    }

    /// With the runtime gone that watched it first, only the other one can tell that something came.
    #[test]
    fn a_stream_that_moved_is_watched_by_its_new_runtime_alone() {
        let (first, second) = (runtime(), runtime());
        let (mut near, far) = first.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let far = std::net::TcpStream::connect(address).unwrap();
            let mut near = SharedStream::new(listener.accept().await.unwrap().0);
            far.set_nonblocking(true).unwrap();
            std::io::Write::write_all(&mut &far, b"one").unwrap();
            near.read_exact(&mut [0; 3]).await.unwrap();
            (near, far)
        });
        {
            let _here = second.enter();
            near.move_here().unwrap();
        }
        first.shutdown_background();
        second.block_on(async {
            let mut far = TcpStream::from_std(far).unwrap();
            let mut heard = [0; 3];
            let talking = async {
                let (read, _) = tokio::join!(near.read_exact(&mut heard), async {
                    tokio::task::yield_now().await;
                    far.write_all(b"two").await.unwrap();
                });
                read.unwrap();
                near.write_all(b"three").await.unwrap();
                far.read_exact(&mut [0; 5]).await.unwrap();
            };
            tokio::time::timeout(Duration::from_secs(20), talking).await.unwrap();
            assert_eq!(&heard, b"two");
        });
        assert_eq!(near.moved(), 11);
    }
}
