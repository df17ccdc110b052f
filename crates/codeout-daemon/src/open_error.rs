//! Why a daemon could not be started.

use std::io;
use std::path::PathBuf;

use crate::config::Config;
use crate::devices::DevicesError;
use crate::identity::IdentityError;
use crate::lock::LockError;
use crate::tls::TlsError;

/// A daemon could not be started. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// One runs already for this user.
    #[error("codeout is already running")]
    AlreadyRunning,
    /// The daemon's directory cannot be made or is open to others.
    #[error("cannot use the directory {}: {reason}", .path.display())]
    Home {
        /// The directory.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// The key file.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The allow-list.
    #[error(transparent)]
    Devices(#[from] DevicesError),
    /// Another program listens on the port.
    #[error("port {port} is already taken by another program")]
    PortTaken {
        /// The port.
        port: u16,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// The address.
        address: String,
        /// Why.
        reason: io::Error,
    },
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Sessions cannot be kept.
    #[error("cannot keep sessions: {0}")]
    Sessions(#[source] io::Error),
    /// There can be no thread for strangers.
    #[error("cannot serve strangers: {0}")]
    Strangers(#[source] io::Error),
    /// The control socket cannot be made.
    #[error("cannot make the control socket {}: {reason}", .path.display())]
    Control {
        /// The socket.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
}

impl From<LockError> for OpenError {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Held => OpenError::AlreadyRunning,
            LockError::Home { path, reason } => OpenError::Home { path, reason },
        }
    }
}

impl OpenError {
    /// What keeps the daemon from listening.
    pub(crate) fn listening(config: &Config, reason: io::Error) -> Self {
        if reason.kind() == io::ErrorKind::AddrInUse {
            return OpenError::PortTaken { port: config.port };
        }
        let host = config.bind.map_or_else(|| "all addresses".to_owned(), |bind| bind.to_string());
        OpenError::Listen { address: format!("{host}, port {}", config.port), reason }
    }
}
