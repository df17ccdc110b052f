//! What a daemon is started with.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use codeout_protocol::address::Address;
use codeout_protocol::name::Name;

use crate::clock::{Clock, SystemClock};
use crate::settings::SessionSettings;
use crate::tls::TlsFiles;

/// What a daemon is started with.
#[derive(Debug, Clone)]
pub struct Config {
    /// The daemon's own directory (mode 0700): key, allow-list, socket, lock.
    pub home: PathBuf,
    /// The address to listen on; `None` for all, IPv4 and IPv6.
    pub bind: Option<IpAddr>,
    /// The port to listen on; 0 lets the system choose.
    pub port: u16,
    /// The address that links name, instead of those found.
    pub advertise: Option<Address>,
    /// The certificate to serve HTTPS with; `None`: plain HTTP.
    pub tls: Option<TlsFiles>,
    /// What the daemon calls itself to its devices.
    pub name: Name,
    /// Whether a person at the daemon is asked before a device gets in.
    pub confirm: bool,
    /// Where sessions start.
    pub directory: PathBuf,
    /// The program of a session.
    pub shell: PathBuf,
    /// What sessions keep and can be opened with, and what is done when one wants attention.
    pub sessions: SessionSettings,
    /// The file of settings that all this was read from, absolute, for whoever asks; `None` where
    /// that is the usual one.
    pub settings: Option<PathBuf>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Config {
    /// A configuration with everything else at its default: port 8400 on all addresses, no
    /// question asked, `/bin/sh`, the machine's own clock.
    pub fn new(home: PathBuf, directory: PathBuf, name: Name) -> Self {
        Config {
            home,
            bind: None,
            port: Address::DEFAULT_PORT,
            advertise: None,
            tls: None,
            name,
            confirm: false,
            directory,
            shell: PathBuf::from("/bin/sh"),
            sessions: SessionSettings::default(),
            settings: None,
            clock: Arc::new(SystemClock),
        }
    }
}

/// The files in a daemon's directory.
#[derive(Debug, Clone)]
pub(crate) struct Paths {
    pub(crate) home: PathBuf,
}

impl Paths {
    pub(crate) fn new(home: &Path) -> Self {
        Paths { home: home.to_owned() }
    }

    pub(crate) fn identity(&self) -> PathBuf {
        self.home.join("identity")
    }

    pub(crate) fn devices(&self) -> PathBuf {
        self.home.join("devices.db")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.home.join("lock")
    }

    pub(crate) fn sessions(&self) -> PathBuf {
        self.home.join("sessions.json")
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.home.join("control.sock")
    }
}
