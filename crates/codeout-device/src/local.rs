//! The way to a daemon of the same user on the same computer: its control socket, and frames in
//! the clear through it.

use std::io;
use std::path::Path;

use codeout_protocol::channel::MAX_PLAINTEXT;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use zeroize::{Zeroize, Zeroizing};

use crate::connection::Connection;
use crate::error::{Broken, Closed, ConnectError};
use crate::transport::ANSWER_TIME;
use crate::wire::{Source, Wire};

/// What asks the control socket for a connection.
const CONNECT: &[u8] = b"{\"request\":\"connect\"}\n";
/// How a daemon that does not know this request begins its answer.
const ERROR: &[u8] = b"{\"error\":";
/// A frame's length, big-endian.
const HEAD: usize = 4;
/// The memory that is read ahead into. What is longer goes where it belongs at once.
const READ_AHEAD: usize = 4 * 1024;

/// Connects to the daemon whose control socket this is, without pairing: the operating system
/// says whose it is. Everything else is as over a network.
///
/// # Errors
/// [`ConnectError::NoDaemon`]: nothing listens there. [`ConnectError::Incompatible`]: a daemon
/// of another version does.
pub async fn connect_local(socket: &Path) -> Result<Connection, ConnectError> {
    let no_daemon = |source| ConnectError::NoDaemon { socket: socket.to_owned(), source };
    let stream = UnixStream::connect(socket).await.map_err(no_daemon)?;
    begin(stream).await
}

pub(crate) async fn begin(stream: UnixStream) -> Result<Connection, ConnectError> {
    let (reading, mut writing) = stream.into_split();
    let mut reader = FrameReader::new(reading);
    let greeting = async {
        writing.write_all(CONNECT).await.map_err(|_| ConnectError::Cut)?;
        reader.first().await
    };
    let first = tokio::time::timeout(ANSWER_TIME, greeting).await;
    let first = first.map_err(|_| ConnectError::TimedOut)??;
    Connection::open(Wire::Local(FrameWriter::new(writing)), Source::Local(reader), &first)
}

/// Frames that come.
pub(crate) struct FrameReader(BufReader<OwnedReadHalf>);

impl FrameReader {
    fn new(reading: OwnedReadHalf) -> Self {
        FrameReader(BufReader::with_capacity(READ_AHEAD, reading))
    }

    /// The first frame, or what a daemon of another version says in its place.
    async fn first(&mut self) -> Result<Vec<u8>, ConnectError> {
        let head = self.head().await.map_err(|_| ConnectError::Cut)?;
        // No length of a frame begins like that.
        if head == ERROR[..HEAD] {
            let mut rest = [0; ERROR.len() - HEAD];
            self.0.read_exact(&mut rest).await.map_err(|_| ConnectError::Cut)?;
            if rest == ERROR[HEAD..] {
                return Err(ConnectError::Incompatible);
            }
        }
        self.body(head).await.map_err(|closed| match closed {
            Closed::Cut => ConnectError::Cut,
            _ => ConnectError::Protocol(Broken::Unexpected),
        })
    }

    /// The next frame's content.
    pub(crate) async fn next(&mut self) -> Result<Vec<u8>, Closed> {
        let head = self.head().await.map_err(|_| Closed::Cut)?;
        self.body(head).await
    }

    async fn head(&mut self) -> io::Result<[u8; HEAD]> {
        let mut head = [0; HEAD];
        self.0.read_exact(&mut head).await?;
        Ok(head)
    }

    async fn body(&mut self, head: [u8; HEAD]) -> Result<Vec<u8>, Closed> {
        let length = u32::from_be_bytes(head) as usize;
        if length == 0 || length > MAX_PLAINTEXT {
            return Err(Closed::Protocol);
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.map_err(|_| Closed::Cut)?;
        Ok(body)
    }
}

/// Frames that go.
pub(crate) struct FrameWriter {
    writing: OwnedWriteHalf,
    /// One frame at most. It never grows: that would leave copies of what was typed behind.
    frame: Zeroizing<Vec<u8>>,
    written: usize,
    finished: bool,
}

impl FrameWriter {
    fn new(writing: OwnedWriteHalf) -> Self {
        let frame = Zeroizing::new(Vec::with_capacity(HEAD + MAX_PLAINTEXT));
        FrameWriter { writing, frame, written: 0, finished: false }
    }

    /// Takes a frame to be flushed; says whether it could. The one before must have been
    /// flushed.
    pub(crate) fn put(&mut self, plaintext: &[u8]) -> bool {
        let fits = (1..=MAX_PLAINTEXT).contains(&plaintext.len());
        if self.finished || !self.frame.is_empty() || !fits {
            return false;
        }
        let length = u32::try_from(plaintext.len()).unwrap_or(0);
        self.frame.extend_from_slice(&length.to_be_bytes());
        self.frame.extend_from_slice(plaintext);
        true
    }

    /// As [`put`](Self::put), the frame that says that none follows.
    pub(crate) fn put_last(&mut self) -> bool {
        let first = !self.finished && self.frame.is_empty();
        if first {
            self.frame.extend_from_slice(&[0; HEAD]);
            self.finished = true;
        }
        first
    }

    /// Writes what was put. Cancelled, the next call goes on.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        while self.written < self.frame.len() {
            match self.writing.write(&self.frame[self.written..]).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => self.written += count,
            }
        }
        self.frame.as_mut_slice().zeroize();
        self.frame.clear();
        self.written = 0;
        Ok(())
    }
}
