//! An attachment that outlives links: it connects again for as long as that may help, goes on
//! where the output stopped, and sends every key once.
//!
//! A task of its own holds the link ([`driver`]); what is typed waits in [`typed`] until the
//! daemon has written it. The reader reads each link's attachment to its end before it goes on
//! to the next, so that nothing is lost or doubled and the windows bound what waits.

mod control;
mod driver;
mod reconnect;
mod sending;
mod serve;
mod typed;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use codeout_protocol::message::{
    Answer, ExitStatus, Request, RequestError, SessionEntry, SessionId, TerminalSize,
};
use tokio::sync::mpsc;

use crate::attachment::AttachmentReader;
use crate::backoff::Backoff;
use crate::connect::connect;
use crate::connection::Connection;
use crate::error::{Closed, ConnectError, InputError, RequestFailed};
use crate::local::connect_local;
use crate::output::SessionOutput;
use crate::profiles::Profile;
use control::{Control, Step};

/// A daemon, and how to get to it.
#[derive(Clone, Debug)]
pub enum Daemon {
    /// One that this device is paired with.
    Paired(Box<Profile>),
    /// The one of this user on this computer, by its control socket.
    Local(PathBuf),
}

impl Daemon {
    /// What to call it: the profile's nickname, or `this computer`.
    pub fn name(&self) -> &str {
        match self {
            Daemon::Paired(profile) => &profile.name,
            Daemon::Local(_) => "this computer",
        }
    }

    /// Connects, once.
    ///
    /// # Errors
    /// As [`connect()`] and [`connect_local`].
    pub async fn connect(&self) -> Result<Connection, ConnectError> {
        match self {
            Daemon::Paired(profile) => connect(profile).await,
            Daemon::Local(socket) => connect_local(socket).await,
        }
    }
}

/// What a lasting attachment is.
#[derive(Clone, Debug)]
pub struct LastingOptions {
    /// Which session.
    pub session: SessionId,
    /// The lines of history wanted in the first snapshot, at most; `None`: all that there are.
    pub history: Option<u32>,
    /// Whether this device types, or only looks.
    pub typing: bool,
    /// The size that this device gives the terminal, if it takes the size over.
    pub size: Option<TerminalSize>,
    /// How to wait between attempts to connect again. Its patience, if it has one, counts for
    /// every lost link anew.
    pub backoff: Backoff,
}

/// What a lasting attachment has to say.
#[derive(Debug)]
pub enum Lasted {
    /// The session's output: everything but [`SessionOutput::Ended`]. Behind a lost link it goes
    /// on where it stopped, or with a snapshot.
    Output(SessionOutput),
    /// There is no link. Comes again for every attempt that fails; nothing comes in between.
    LinkDown {
        /// Why.
        error: LinkError,
        /// How long until the next attempt.
        retry_in: Duration,
        /// Which attempt that will be, from 1.
        attempt: u32,
    },
    /// The link is back. Comes once behind one or more [`LinkDown`](Self::LinkDown).
    LinkUp,
    /// It is over; nothing follows.
    Over(LastingEnd),
}

/// Why there is no link, for the time being.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// It ended.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// It could not be made.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// It was made, and the daemon does not let it attach just now.
    #[error("{}", .0.message)]
    Refused(RequestError),
}

/// Why a lasting attachment is over.
#[derive(Debug)]
#[non_exhaustive]
pub enum LastingEnd {
    /// The session's program has ended, like this.
    Session(ExitStatus),
    /// The link ended for good: the device was revoked or its time is over, somebody broke the
    /// protocol, or [`LastingInput::close`] was called.
    Closed(Closed),
    /// The daemon does not let this device in any more, or it is another daemon.
    Connect(ConnectError),
    /// The daemon no longer has the session, or this device may no longer attach to it.
    Gone(RequestError),
}

impl fmt::Display for LastingEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LastingEnd::Session(ExitStatus::Exit(status)) => {
                write!(f, "the session has ended with status {status}")
            }
            LastingEnd::Session(ExitStatus::Signal(signal)) => {
                write!(f, "the session was ended by signal {signal}")
            }
            LastingEnd::Closed(closed) => closed.fmt(f),
            LastingEnd::Connect(error) => error.fmt(f),
            LastingEnd::Gone(error) => f.write_str(&error.message),
        }
    }
}

impl LastingEnd {
    /// What whoever types is told.
    fn input_error(&self) -> InputError {
        match self {
            LastingEnd::Session(_) | LastingEnd::Gone(_) => InputError::SessionEnded,
            LastingEnd::Closed(closed) => InputError::Closed(*closed),
            LastingEnd::Connect(_) => InputError::Closed(Closed::Cut),
        }
    }
}

/// Attaches to a session over `connection`, which is `daemon`'s, and stays attached over as many
/// connections as it takes. The entry's texts are safe to show.
///
/// The first snapshot comes first. Drop the reader, or [`close`](LastingInput::close), to end
/// it; the session runs on.
///
/// # Errors
/// As [`Connection::attach`]; the connection is gone then.
pub async fn attach_lasting(
    daemon: Daemon,
    connection: Connection,
    options: LastingOptions,
) -> Result<(SessionEntry, LastingInput, LastingReader), RequestFailed> {
    driver::begin(daemon, connection, options).await
}

/// The half of a lasting attachment that takes input. Its clones are the same.
#[derive(Clone)]
pub struct LastingInput {
    control: Arc<Control>,
}

impl LastingInput {
    /// Takes input. Returns when all of it is kept, to be sent once, in order, by this link or a
    /// later one. Waits while 64 KiB are kept that no daemon has written yet, which holds up
    /// neither the reader nor the way back to a link.
    ///
    /// Cancelled, it has taken some first part of `bytes`.
    ///
    /// # Errors
    /// [`InputError::NotTyping`], or the attachment is over.
    pub async fn write(&self, bytes: &[u8]) -> Result<(), InputError> {
        self.control.write(bytes).await
    }

    /// This device's own terminal has another size now. Tells the daemon, now or with the next
    /// link, if this device gives the session's terminal its size; else it does nothing. Says
    /// which.
    pub async fn resize(&self, size: TerminalSize) -> bool {
        self.control.resize(size)
    }

    /// From now on this device gives the session's terminal its size: this one. Told to the
    /// daemon now, or with the next link.
    pub fn take_size(&self, size: TerminalSize) {
        self.control.take_size(size);
    }

    /// This device no longer gives the session's terminal its size, which stays as it is.
    pub fn release_size(&self) {
        self.control.release_size();
    }

    /// Whether this device gives the session's terminal its size: it took it over, and no other
    /// has since, as far as it has heard.
    pub fn owns_size(&self) -> bool {
        self.control.owns_size()
    }

    /// Tries to connect now, if it is waiting to.
    pub fn retry_now(&self) {
        self.control.retry.notify_waiters();
    }

    /// As [`Connection::request`], over the link that there is now.
    ///
    /// # Errors
    /// As there; with [`Closed::Cut`] when there is none.
    pub async fn request(&self, request: Request) -> Result<Answer, RequestFailed> {
        if let Request::Attach(_) = request {
            return Err(RequestFailed::UseAttach);
        }
        let shared = self.control.link().ok_or(Closed::Cut)?;
        shared.request(request).await
    }

    /// Ends the attachment: sends what was typed, if there is a link, says goodbye, and waits
    /// for both, 3 s at most. The session runs on.
    pub async fn close(&self) {
        self.control.close().await;
    }
}

/// The half of a lasting attachment that gives output. Dropped, it ends the attachment.
pub struct LastingReader {
    steps: mpsc::Receiver<Step>,
    reader: Option<AttachmentReader>,
    offset: Option<u64>,
    over: bool,
}

impl LastingReader {
    /// What comes next; `None` behind [`Lasted::Over`].
    ///
    /// Output that earlier calls returned counts as shown. Cancelling loses nothing.
    pub async fn next(&mut self) -> Option<Lasted> {
        while !self.over {
            if let Some(reader) = &mut self.reader {
                match reader.read().await {
                    Some(output) => return Some(self.output(output)),
                    None => self.reader = None,
                }
            }
            let Some(step) = self.steps.recv().await else {
                // The runtime shuts down.
                self.over = true;
                return None;
            };
            if let Some(lasted) = self.step(step) {
                return Some(lasted);
            }
        }
        None
    }

    /// More output, if it is there already; for gathering small pieces into one write. What it
    /// returns counts as shown at the next [`next`](Self::next).
    pub fn try_next(&mut self) -> Option<Lasted> {
        if self.over {
            return None;
        }
        let output = self.reader.as_mut()?.try_read()?;
        Some(self.output(output))
    }

    /// The output offset behind what was read. `None` before and inside a snapshot.
    pub fn offset(&self) -> Option<u64> {
        self.offset
    }

    fn output(&mut self, output: SessionOutput) -> Lasted {
        self.offset = self.reader.as_ref().and_then(AttachmentReader::offset);
        match output {
            SessionOutput::Ended(status) => {
                self.over = true;
                Lasted::Over(LastingEnd::Session(status))
            }
            output => Lasted::Output(output),
        }
    }

    fn step(&mut self, step: Step) -> Option<Lasted> {
        match step {
            Step::Down { error, retry_in, attempt } => {
                Some(Lasted::LinkDown { error, retry_in, attempt })
            }
            Step::Up { reader, told } => {
                self.reader = Some(reader);
                told.then_some(Lasted::LinkUp)
            }
            Step::Over(end) => {
                self.over = true;
                Some(Lasted::Over(end))
            }
        }
    }
}

impl fmt::Debug for LastingInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LastingInput").finish_non_exhaustive()
    }
}

impl fmt::Debug for LastingReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LastingReader").field("over", &self.over).finish_non_exhaustive()
    }
}
