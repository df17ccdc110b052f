//! Sessions: a program in a terminal at the daemon's end, as two byte streams.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use codeout_protocol::message::{
    Chunk, ExitStatus, FromDevice, INPUT_WINDOW, MAX_CHUNK, OUTPUT_WINDOW, Progress, Request,
    SessionId,
};
use tokio::sync::{Notify, mpsc};
use zeroize::Zeroizing;

use crate::connection::Shared;
use crate::error::{InputError, RequestFailed};
use crate::line::Chore;

/// Output is acknowledged when this many bytes were read since the last time: often enough that
/// the daemon never waits for a device that keeps up, seldom enough to cost nothing.
const ACKNOWLEDGE: u64 = OUTPUT_WINDOW / 8;

/// How far both byte streams of a session are, in bytes since its start.
#[derive(Debug)]
pub(crate) struct Track {
    pub(crate) id: SessionId,
    /// Input sent.
    sent: AtomicU64,
    /// Input that the daemon says is written.
    written: AtomicU64,
    /// Output that came.
    received: AtomicU64,
    /// Output that the daemon was told is read.
    acknowledged: AtomicU64,
    ended: AtomicBool,
    /// Whether somebody was told to acknowledge what nobody reads.
    discarding: AtomicBool,
    more_credit: Notify,
}

/// The daemon counts wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Miscounted;

impl Track {
    pub(crate) fn new(id: SessionId) -> Self {
        Track {
            id,
            sent: AtomicU64::new(0),
            written: AtomicU64::new(0),
            received: AtomicU64::new(0),
            acknowledged: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            discarding: AtomicBool::new(false),
            more_credit: Notify::new(),
        }
    }

    /// Takes note of output: the bytes must be the next ones, and no more than the window
    /// allows.
    pub(crate) fn receive(&self, offset: u64, length: u64) -> Result<(), Miscounted> {
        let received = self.received.load(Ordering::Acquire);
        let acknowledged = self.acknowledged.load(Ordering::Acquire);
        let after = offset.checked_add(length).ok_or(Miscounted)?;
        if offset != received || after - acknowledged > OUTPUT_WINDOW {
            return Err(Miscounted);
        }
        self.received.store(after, Ordering::Release);
        Ok(())
    }

    /// Takes note of how far input is written: never backwards, never beyond what was sent.
    pub(crate) fn input_written(&self, offset: u64) -> Result<(), Miscounted> {
        let written = self.written.load(Ordering::Acquire);
        if offset < written || offset > self.sent.load(Ordering::Acquire) {
            return Err(Miscounted);
        }
        self.written.store(offset, Ordering::Release);
        self.more_credit.notify_one();
        Ok(())
    }

    /// The session has ended.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.more_credit.notify_one();
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Nobody reads the output any more. Whether it is time to acknowledge it all the same, so
    /// that the program does not wait for ever, and nobody was told to yet.
    pub(crate) fn is_to_be_discarded(&self) -> bool {
        let received = self.received.load(Ordering::Acquire);
        let unread = received - self.acknowledged.load(Ordering::Acquire).min(received);
        unread >= OUTPUT_WINDOW / 4 && !self.discarding.swap(true, Ordering::AcqRel)
    }

    /// The bytes of input that may be sent now.
    fn credit(&self) -> usize {
        let sent = self.sent.load(Ordering::Acquire);
        let in_flight = sent - self.written.load(Ordering::Acquire).min(sent);
        usize::try_from(INPUT_WINDOW.saturating_sub(in_flight)).unwrap_or(0)
    }

    /// The record that says that output before `offset` is read, if that is news. It must be
    /// sent.
    pub(crate) fn acknowledge(&self, offset: u64) -> Option<Zeroizing<Vec<u8>>> {
        let before = self.acknowledged.fetch_max(offset, Ordering::AcqRel);
        let progress = Progress { session: self.id, offset };
        (before < offset && !self.has_ended())
            .then(|| Zeroizing::new(FromDevice::OutputRead(progress).write()))
    }

    /// As [`acknowledge`](Self::acknowledge), for everything that came.
    pub(crate) fn acknowledge_all(&self) -> Option<Zeroizing<Vec<u8>>> {
        self.discarding.store(false, Ordering::Release);
        self.acknowledge(self.received.load(Ordering::Acquire))
    }
}

/// What the reader puts into a session's queue.
pub(crate) type Queue = mpsc::UnboundedSender<SessionOutput>;

/// What comes out of a session.
#[derive(Debug)]
pub enum SessionOutput {
    /// What its program printed.
    Bytes(OutputBytes),
    /// The program has ended; nothing follows.
    Ended(ExitStatus),
}

/// A piece of output, 1 to 32,768 bytes, exactly as the program printed it: not safe for a
/// terminal that is not meant to obey it. `Debug` shows its length alone.
pub struct OutputBytes {
    plaintext: Vec<u8>,
    start: usize,
}

impl OutputBytes {
    /// The last `length` bytes of a record's plaintext.
    pub(crate) fn tail(plaintext: Vec<u8>, length: usize) -> Self {
        OutputBytes { start: plaintext.len().saturating_sub(length), plaintext }
    }
}

impl Deref for OutputBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.plaintext[self.start..]
    }
}

impl AsRef<[u8]> for OutputBytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for OutputBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OutputBytes({} bytes)", self.len())
    }
}

/// What both halves of a session share; the session is ended when it is dropped.
struct Handle {
    track: Arc<Track>,
    shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        if !self.track.has_ended() {
            self.shared.line.leave(Chore::End(Arc::clone(&self.track)));
        }
    }
}

/// A session that this device opened. Dropped, it is ended: its programs get SIGHUP.
///
/// Keep reading while you write, from another task if need be ([`split`](Self::split)): a
/// program that cannot print stops reading too.
pub struct Session {
    input: SessionInput,
    reader: SessionReader,
}

/// The half of a session that takes input. See [`Session`].
pub struct SessionInput(Arc<Handle>);

/// The half of a session that gives output. See [`Session`].
pub struct SessionReader {
    handle: Arc<Handle>,
    queue: mpsc::UnboundedReceiver<SessionOutput>,
    /// Output handed to the caller, in bytes.
    taken: u64,
    over: bool,
}

impl Session {
    pub(crate) fn new(
        shared: Arc<Shared>,
        track: Arc<Track>,
        queue: mpsc::UnboundedReceiver<SessionOutput>,
    ) -> Self {
        let handle = Arc::new(Handle { track, shared });
        Session {
            input: SessionInput(Arc::clone(&handle)),
            reader: SessionReader { handle, queue, taken: 0, over: false },
        }
    }

    /// The session's number at the daemon.
    pub fn id(&self) -> SessionId {
        self.input.id()
    }

    /// As [`SessionReader::read`].
    pub async fn read(&mut self) -> Option<SessionOutput> {
        self.reader.read().await
    }

    /// As [`SessionInput::write_input`].
    ///
    /// # Errors
    /// As there.
    pub async fn write_input(&mut self, bytes: &[u8]) -> Result<(), InputError> {
        self.input.write_input(bytes).await
    }

    /// As [`SessionInput::resize`].
    ///
    /// # Errors
    /// As there.
    pub async fn resize(&self, columns: u16, rows: u16) -> Result<(), RequestFailed> {
        self.input.resize(columns, rows).await
    }

    /// As [`SessionInput::end`].
    ///
    /// # Errors
    /// As there.
    pub async fn end(&self) -> Result<(), RequestFailed> {
        self.input.end().await
    }

    /// Both halves, for two tasks. The session is ended when both are dropped.
    pub fn split(self) -> (SessionInput, SessionReader) {
        (self.input, self.reader)
    }
}

impl SessionInput {
    /// The session's number at the daemon.
    pub fn id(&self) -> SessionId {
        self.0.track.id
    }

    /// Sends input. Returns when all of it is on its way; waits while the program takes none
    /// (64 KiB may be on their way).
    ///
    /// Cancelled, it has sent some first part of `bytes`, which nobody can tell.
    ///
    /// # Errors
    /// [`InputError`]: the session or the connection has ended; some of `bytes` may have
    /// arrived.
    pub async fn write_input(&mut self, mut bytes: &[u8]) -> Result<(), InputError> {
        let Handle { track, shared } = &*self.0;
        while !bytes.is_empty() {
            if let Some(closed) = shared.line.ended() {
                return Err(closed.into());
            }
            if track.has_ended() {
                return Err(InputError::SessionEnded);
            }
            let count = bytes.len().min(MAX_CHUNK).min(track.credit());
            if count == 0 {
                tokio::select! {
                    () = track.more_credit.notified() => {}
                    closed = shared.line.closed() => return Err(closed.into()),
                }
                continue;
            }
            let (now, later) = bytes.split_at(count);
            // Credit is only ever given while `&mut self` is held here, and the bytes count as
            // sent in the same breath in which they are put into the socket's buffer.
            let compose = || {
                let offset = track.sent.fetch_add(count as u64, Ordering::AcqRel);
                let input = Chunk { session: track.id, offset, bytes: now };
                (Some(Zeroizing::new(FromDevice::Input(input).write())), ())
            };
            shared.line.send(compose).await?;
            bytes = later;
        }
        Ok(())
    }

    /// Gives the session's terminal another size, each side 1 to 2,000.
    ///
    /// # Errors
    /// As [`Connection::request`](crate::Connection::request).
    pub async fn resize(&self, columns: u16, rows: u16) -> Result<(), RequestFailed> {
        let session = self.id();
        self.0.shared.request(Request::Resize { session, columns, rows }).await?;
        Ok(())
    }

    /// Ends the session: its programs get SIGHUP. What they still print, and how they ended,
    /// comes as before.
    ///
    /// # Errors
    /// As [`Connection::request`](crate::Connection::request).
    pub async fn end(&self) -> Result<(), RequestFailed> {
        self.0.shared.request(Request::End { session: self.id() }).await?;
        Ok(())
    }
}

impl SessionReader {
    /// The session's number at the daemon.
    pub fn id(&self) -> SessionId {
        self.handle.track.id
    }

    /// The next output. `None` behind [`SessionOutput::Ended`], or when the connection has ended
    /// and everything that came was read.
    ///
    /// What an earlier call returned counts as shown, and is acknowledged. Cancelling loses
    /// nothing.
    pub async fn read(&mut self) -> Option<SessionOutput> {
        if self.over {
            return None;
        }
        let Handle { track, shared } = &*self.handle;
        if self.taken >= track.acknowledged.load(Ordering::Acquire) + ACKNOWLEDGE {
            // When the connection has ended, the queue still has what came before.
            let _ = shared.line.send(|| (track.acknowledge(self.taken), ())).await;
        }
        let output = self.queue.recv().await;
        self.take(output)
    }

    /// The next output, if it is there already; for gathering small pieces into one write.
    pub fn try_read(&mut self) -> Option<SessionOutput> {
        let output = self.queue.try_recv().ok();
        match output {
            Some(_) if !self.over => self.take(output),
            _ => None,
        }
    }

    fn take(&mut self, output: Option<SessionOutput>) -> Option<SessionOutput> {
        match &output {
            Some(SessionOutput::Bytes(bytes)) => self.taken += bytes.len() as u64,
            Some(SessionOutput::Ended(_)) | None => self.over = true,
        }
        output
    }
}

impl Drop for SessionReader {
    fn drop(&mut self) {
        let Handle { track, shared } = &*self.handle;
        if !track.has_ended() {
            shared.line.leave(Chore::Discard(Arc::clone(track)));
        }
    }
}

macro_rules! numbered_debug {
    ($($half:ident),*) => {$(
        impl fmt::Debug for $half {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($half)).field("id", &self.id()).finish_non_exhaustive()
            }
        }
    )*};
}
numbered_debug!(Session, SessionInput, SessionReader);
