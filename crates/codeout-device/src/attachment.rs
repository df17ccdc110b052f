//! Attachments: a device looks at a session, and types into it, over one connection.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use codeout_protocol::message::{
    Chunk, ErrorCode, Event, FromDevice, MAX_CHUNK, Request, SessionId, TerminalSize,
};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use crate::error::{InputError, RequestFailed};
use crate::line::Chore;
use crate::output::{Item, SessionOutput};
use crate::shared::{Shared, Waiter};
use crate::track::Track;

/// What both halves of an attachment share; dropped, it detaches.
struct Handle {
    track: Arc<Track>,
    shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.track.forsaken.store(true, Ordering::Release);
        if self.track.over().is_none() {
            self.shared.line.leave(Chore::Detach(Arc::clone(&self.track)));
        }
    }
}

/// A connection's attachment to a session. Dropped, it is detached; the session runs on.
///
/// It ends with the session, with the connection, when it is detached, and when the same
/// connection attaches to the same session again. Keep reading while you write, from another
/// task if need be ([`split`](Self::split)): a program that cannot print stops reading too.
pub struct Attachment {
    input: AttachmentInput,
    reader: AttachmentReader,
}

/// The half of an attachment that takes input. See [`Attachment`].
pub struct AttachmentInput(Arc<Handle>);

/// The half of an attachment that gives output. See [`Attachment`].
pub struct AttachmentReader {
    handle: Arc<Handle>,
    /// The output offset behind what was read.
    offset: Option<u64>,
}

impl Attachment {
    pub(crate) fn new(shared: Arc<Shared>, track: Arc<Track>) -> Self {
        let offset = track.received_to();
        let handle = Arc::new(Handle { track, shared });
        let input = AttachmentInput(Arc::clone(&handle));
        Attachment { input, reader: AttachmentReader { handle, offset } }
    }

    pub(crate) fn track(&self) -> &Arc<Track> {
        &self.input.0.track
    }

    /// The session's number at the daemon.
    pub fn session(&self) -> SessionId {
        self.input.session()
    }

    /// As [`AttachmentReader::read`].
    pub async fn read(&mut self) -> Option<SessionOutput> {
        self.reader.read().await
    }

    /// As [`AttachmentInput::write_input`].
    ///
    /// # Errors
    /// As there.
    pub async fn write_input(&mut self, bytes: &[u8]) -> Result<(), InputError> {
        self.input.write_input(bytes).await
    }

    /// As [`AttachmentInput::resize`].
    ///
    /// # Errors
    /// As there.
    pub async fn resize(&self, size: TerminalSize) -> Result<(), RequestFailed> {
        self.input.resize(size).await
    }

    /// As [`AttachmentInput::detach`].
    ///
    /// # Errors
    /// As there.
    pub async fn detach(self) -> Result<(), RequestFailed> {
        self.input.detach().await
    }

    /// Both halves, for two tasks. It is detached when both are dropped.
    pub fn split(self) -> (AttachmentInput, AttachmentReader) {
        (self.input, self.reader)
    }
}

impl AttachmentInput {
    /// The session's number at the daemon.
    pub fn session(&self) -> SessionId {
        self.0.track.session
    }

    /// Sends input, which counts from [`Attached::input`](codeout_protocol::message::Attached).
    /// Returns when all of it is on its way; waits while the program takes none (64 KiB may be
    /// on their way).
    ///
    /// Cancelled, it has sent some first part of `bytes`, which nobody can tell.
    ///
    /// # Errors
    /// [`InputError::NotTyping`]: it was attached without a keyboard, nothing was sent. Else the
    /// session, the attachment or the connection has ended, and some of `bytes` may have arrived.
    pub async fn write_input(&mut self, mut bytes: &[u8]) -> Result<(), InputError> {
        let Handle { track, shared } = &*self.0;
        if !track.typing {
            return Err(InputError::NotTyping);
        }
        while !bytes.is_empty() {
            if let Some(over) = track.over() {
                return Err(over.into());
            }
            let count = bytes.len().min(MAX_CHUNK).min(track.input_credit());
            if count == 0 {
                tokio::select! {
                    () = track.credit.notified() => {}
                    over = track.finished() => return Err(over.into()),
                }
                continue;
            }
            let (now, later) = bytes.split_at(count);
            // Nobody else takes credit meanwhile, and the bytes count as sent in the same breath
            // in which they are put into the socket's buffer.
            let compose = || {
                let input = Chunk { session: track.session, offset: track.send(count), bytes: now };
                (Some(Zeroizing::new(FromDevice::Input(input).write())), ())
            };
            shared.line.send(compose).await?;
            bytes = later;
        }
        Ok(())
    }

    /// Gives the session's terminal this size, each side 1 to 2,000: this device takes it over.
    ///
    /// # Errors
    /// As [`Connection::request`](crate::Connection::request).
    pub async fn resize(&self, size: TerminalSize) -> Result<(), RequestFailed> {
        let Handle { track, shared } = &*self.0;
        let (waiter, answer) = oneshot::channel();
        let request = Request::Resize { session: track.session, size };
        shared.ask(request, Waiter::Resize(Arc::clone(track), waiter)).await?;
        shared.answer(answer).await
    }

    /// Ends the attachment; the session runs on. The reader ends behind what has come before
    /// the daemon's answer.
    ///
    /// # Errors
    /// As [`Connection::request`](crate::Connection::request), but for a session that ended
    /// meanwhile: that is no error. The attachment is over in any case.
    pub async fn detach(self) -> Result<(), RequestFailed> {
        let Handle { track, shared } = &*self.0;
        let (waiter, answer) = oneshot::channel();
        if !shared.detach(track, Some(waiter)).await? {
            return Ok(());
        }
        match shared.answer(answer).await {
            // `session_ended` crossed the request.
            Err(RequestFailed::Refused(error)) if error.code == ErrorCode::NotFound => Ok(()),
            answered => answered,
        }
    }
}

impl AttachmentReader {
    /// The session's number at the daemon.
    pub fn session(&self) -> SessionId {
        self.handle.track.session
    }

    /// The offset in the session's output behind everything that was read: what
    /// [`Attach::after`](codeout_protocol::message::Attach) wants. `None` before and inside a
    /// snapshot.
    pub fn offset(&self) -> Option<u64> {
        self.offset
    }

    /// The next output. `None` behind [`SessionOutput::Ended`], or when the attachment has ended
    /// in another way and everything that came was read.
    ///
    /// What earlier calls returned counts as shown, and is acknowledged. Cancelling loses
    /// nothing.
    pub async fn read(&mut self) -> Option<SessionOutput> {
        let Handle { track, shared } = &*self.handle;
        if track.deal() {
            shared.line.leave(Chore::Acknowledge(Arc::clone(track)));
        }
        loop {
            // In this order: what came before the end is in the queue when the end is seen.
            let over = track.over().is_some();
            if let Some(item) = track.pop() {
                return self.take(item);
            }
            if over {
                return None;
            }
            track.more.notified().await;
        }
    }

    /// The next output, if it is there already; for gathering small pieces into one write. What
    /// it returns counts as shown at the next [`read`](Self::read).
    pub fn try_read(&mut self) -> Option<SessionOutput> {
        let item = self.handle.track.pop()?;
        self.take(item)
    }

    fn take(&mut self, item: Item) -> Option<SessionOutput> {
        match &item {
            Item::Bytes(bytes) => {
                self.offset = self.offset.map(|offset| offset + bytes.len() as u64);
            }
            Item::Snapshot { .. } => self.offset = None,
            Item::SnapshotEnd(offset) => self.offset = Some(*offset),
            Item::Ended(_) => {}
        }
        Some(item.into())
    }
}

impl Drop for AttachmentReader {
    fn drop(&mut self) {
        let Handle { track, shared } = &*self.handle;
        let (due, ended) = track.stop_reading();
        if due {
            shared.line.leave(Chore::Acknowledge(Arc::clone(track)));
        }
        if let Some(status) = ended {
            shared.tell(Event::SessionEnded { session: track.session, status });
        }
    }
}

macro_rules! numbered_debug {
    ($($half:ident),*) => {$(
        impl fmt::Debug for $half {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($half))
                    .field("session", &self.session())
                    .finish_non_exhaustive()
            }
        }
    )*};
}
numbered_debug!(Attachment, AttachmentInput, AttachmentReader);
