//! Why something did not work, and who erred. One sentence each; what to do about it is for
//! whoever talks to the human.

use std::io;
use std::path::PathBuf;

use codeout_protocol::address::Address;
use codeout_protocol::error::{Alert, Error as ProtocolError, Misbehaviour, Refusal};
use codeout_protocol::message::{ClosingReason, RequestError};

/// Why there is no connection to a daemon.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nothing answers at the address, or not in time, or its certificate is not valid.
    #[error("{address} cannot be reached: {source}")]
    Unreachable {
        /// Where nothing answers.
        address: Address,
        /// What the operating system, TLS or a proxy on the way says.
        source: io::Error,
    },
    /// Nothing listens at the control socket of this computer's daemon.
    #[error("no daemon answers at {}: {source}", .socket.display())]
    NoDaemon {
        /// Where nothing listens.
        socket: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// Something answers at the address, and it is no codeout daemon.
    #[error("what answers at {address} is not a codeout daemon: {reason}")]
    NotCodeout {
        /// Where it answers.
        address: Address,
        /// What it did that a daemon does not do.
        reason: String,
    },
    /// Daemon and device have no version of the protocol in common. (Said in the clear: anyone
    /// on the way can have said it.)
    #[error("the daemon does not speak this version of the protocol")]
    Incompatible,
    /// The daemon says that there were too many attempts. (In the clear.)
    #[error("the daemon answers that there were too many attempts")]
    TooManyAttempts,
    /// The daemon says that its key is not the one this device knows. (In the clear: never
    /// forget a daemon because of it.)
    #[error("the daemon has another key than the one this device is paired with")]
    WrongDaemonKey,
    /// The daemon refused inside the handshake's encryption. [`Refusal::NotPaired`] is the only
    /// thing on which one may offer a person to forget the daemon.
    #[error("the daemon refused: {0}")]
    Refused(Refusal),
    /// The daemon's answer was changed on the way.
    #[error("the daemon's answer was tampered with on the way")]
    Tampered,
    /// The other side broke the protocol.
    #[error("the daemon broke the protocol: {0}")]
    Protocol(Broken),
    /// The link ended before there was a connection.
    #[error("the link was cut before the connection was made")]
    Cut,
    /// The daemon did not answer in time.
    #[error("the daemon did not answer in time")]
    TimedOut,
    /// Its user has not said that the daemon's fingerprint is right: pair again.
    #[error("the fingerprint of {name} was never confirmed")]
    Unconfirmed {
        /// The profile's nickname.
        name: String,
    },
}

/// How a daemon broke the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Broken {
    /// A message that has no place there.
    #[error("it sent something that has no place there")]
    Unexpected,
    /// It says that this device sent something malformed.
    #[error("it says that it was sent something malformed")]
    SaysMalformed,
    /// Its handshake is not well-formed.
    #[error("{0}")]
    Misbehaved(Misbehaviour),
}

impl ConnectError {
    /// Whether the same attempt may work a little later, so that it is worth repeating.
    pub fn may_pass(&self) -> bool {
        match self {
            ConnectError::Unreachable { .. }
            | ConnectError::NoDaemon { .. }
            | ConnectError::TooManyAttempts
            | ConnectError::Tampered
            | ConnectError::Cut
            | ConnectError::TimedOut => true,
            ConnectError::NotCodeout { .. }
            | ConnectError::Incompatible
            | ConnectError::WrongDaemonKey
            | ConnectError::Refused(_)
            | ConnectError::Protocol(_)
            | ConnectError::Unconfirmed { .. } => false,
        }
    }

    /// What a handshake's error means when the daemon's first message (`first`) or a later one
    /// led to it.
    pub(crate) fn from_handshake(error: ProtocolError, address: &Address, first: bool) -> Self {
        match error {
            ProtocolError::Alert(Alert::Version) | ProtocolError::Incompatible => {
                ConnectError::Incompatible
            }
            ProtocolError::Alert(Alert::TooManyAttempts) => ConnectError::TooManyAttempts,
            ProtocolError::Alert(Alert::WrongKey) | ProtocolError::WrongDaemonKey => {
                ConnectError::WrongDaemonKey
            }
            ProtocolError::Alert(Alert::Malformed) => ConnectError::Protocol(Broken::SaysMalformed),
            ProtocolError::Refused(refusal) => ConnectError::Refused(refusal),
            // A daemon's own keys and seals are right: these were changed on the way.
            ProtocolError::Misbehaved(Misbehaviour::Key | Misbehaviour::Seal)
            | ProtocolError::Tampered
            | ProtocolError::Record => ConnectError::Tampered,
            ProtocolError::Misbehaved(_) if first => ConnectError::NotCodeout {
                address: address.clone(),
                reason: "its first message is none of the protocol's".to_owned(),
            },
            ProtocolError::Misbehaved(how) => ConnectError::Protocol(Broken::Misbehaved(how)),
            _ => ConnectError::Protocol(Broken::Unexpected),
        }
    }
}

/// Why this device is not paired.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PairError {
    /// There was no way to the daemon, or none through it.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// No pairing offer is open at the daemon. (In the clear.)
    #[error("the daemon has no pairing offer open")]
    NoOffer,
    /// The daemon's offer has another code.
    #[error("wrong pairing code")]
    WrongCode,
    /// The key is not the one that the pairing link carries.
    #[error("this is not the daemon that made the QR")]
    WrongDaemonKey,
    /// The daemon's fingerprint is not the one expected. Everything of this pairing is
    /// forgotten.
    #[error("the daemon has another fingerprint than the one expected")]
    FingerprintDiffers,
    /// The daemon refused inside the handshake's encryption.
    #[error("the daemon refused: {0}")]
    Refused(Refusal),
    /// This device is paired with that daemon already.
    #[error("this device is already paired with {name}")]
    AlreadyPaired {
        /// The nickname under which the daemon is known.
        name: String,
    },
    /// The known daemons cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no memory to compute the fingerprint.
    #[error(transparent)]
    OutOfMemory(#[from] codeout_protocol::fingerprint::OutOfMemory),
}

/// Why the file of known daemons is not used. It was not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The operating system does not let this process read it.
    #[error("{} cannot be read: {source}", .path.display())]
    Unreadable {
        /// The file or directory.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The operating system does not let this process write it.
    #[error("{} cannot be written: {source}", .path.display())]
    Unwritable {
        /// The file or directory.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// It is not a file of known daemons, or a broken one.
    #[error("{} is broken: {reason}", .path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where; nothing of the file's content.
        reason: String,
    },
    /// A later version of codeout wrote it.
    #[error("{} was written by a later version of codeout (format {version})", .path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The format's version.
        version: u64,
    },
    /// Others than its owner may open it.
    #[error("{} holds secrets and others may open it (mode {mode:04o})", .path.display())]
    Exposed {
        /// The file or directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It belongs to another user.
    #[error("{} belongs to another user", .path.display())]
    Foreign {
        /// The file or directory.
        path: PathBuf,
    },
}

/// Why no known daemon was found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FindError {
    /// No daemon is known.
    #[error("no daemon is known")]
    NoneKnown,
    /// None was named, and several are known.
    #[error("several daemons are known: {}", .names.join(", "))]
    Several {
        /// Their nicknames.
        names: Vec<String>,
    },
    /// The one named is not known.
    #[error("no daemon is known as {name:?}")]
    Unknown {
        /// The nickname asked for.
        name: String,
        /// The nicknames that there are.
        known: Vec<String>,
    },
    /// The known daemons cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Closed {
    /// The daemon ended it and said why; [`ClosingReason::Goodbye`] answers this device's own
    /// goodbye.
    #[error("the daemon ended the connection: {}", reason_text(*.0))]
    ByDaemon(ClosingReason),
    /// The link ended without a last word from the daemon.
    #[error("the link was cut")]
    Cut,
    /// Something came that the daemon must not send, or that was changed on the way.
    #[error("the connection was ended because what came was not valid")]
    Protocol,
}

fn reason_text(reason: ClosingReason) -> &'static str {
    match reason {
        ClosingReason::Revoked => "this device was revoked",
        ClosingReason::Expired => "this device's time is over",
        ClosingReason::Stopping => "it stops",
        ClosingReason::Restarting => "it restarts",
        ClosingReason::Goodbye => "goodbye",
        ClosingReason::Protocol => "it says that this device broke the protocol",
        _ => "for a reason that this version does not know",
    }
}

/// Why a request was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestFailed {
    /// The daemon did not do it; its text is safe to show.
    #[error("{}", .0.message)]
    Refused(RequestError),
    /// The connection ended; whether the request was done is not known.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// The request is longer than a record holds.
    #[error("the request is too long")]
    TooLong,
    /// The caller attaches with [`request`](crate::Connection::request) instead of
    /// [`attach`](crate::Connection::attach).
    #[error("a connection is attached to a session by attach alone")]
    UseAttach,
}

/// Why input was not, or not wholly, sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// The session's program has ended.
    #[error("the session has ended")]
    SessionEnded,
    /// The attachment is one that only looks.
    #[error("this attachment only looks")]
    NotTyping,
    /// The device has detached, or attached anew.
    #[error("the attachment has ended")]
    Detached,
    /// The connection has ended.
    #[error(transparent)]
    Closed(#[from] Closed),
}
