//! Where this user's keys and lists are, and what this machine is called.

use std::path::{Path, PathBuf};

use codeout_protocol::name::Name;
use etcetera::BaseStrategy;

use crate::failure::{Code, Failure};

/// The directory of everything that codeout keeps for this user.
#[derive(Debug, Clone)]
pub(crate) struct Home(PathBuf);

impl Home {
    /// The directory named, or `codeout` in the XDG data directory.
    pub(crate) fn find(named: Option<PathBuf>) -> Result<Self, Failure> {
        if let Some(named) = named {
            return std::path::absolute(named).map(Home).map_err(Failure::from);
        }
        let strategy = etcetera::choose_base_strategy().map_err(|_| {
            Failure::new(Code::Usage, "this user has no home directory")
                .hint("name a directory with --home or CODEOUT_HOME")
        })?;
        Ok(Home(strategy.data_dir().join("codeout")))
    }

    /// What this machine keeps as a daemon.
    pub(crate) fn daemon(&self) -> PathBuf {
        self.0.join("daemon")
    }

    /// What this machine keeps as a device.
    pub(crate) fn device(&self) -> PathBuf {
        self.0.join("device")
    }
}

/// What this machine is called: its host name up to the first dot.
pub(crate) fn machine_name() -> Name {
    let uname = rustix::system::uname();
    let full = uname.nodename().to_string_lossy();
    let short = full.split('.').next().unwrap_or_default();
    Name::clean(short).unwrap_or_else(|| Name::clean("computer").expect("a name"))
}

/// The user's shell, or `/bin/sh`.
pub(crate) fn shell() -> PathBuf {
    let named = std::env::var_os("SHELL").map(PathBuf::from);
    named
        .filter(|shell| shell.is_absolute() && shell.is_file())
        .unwrap_or_else(|| Path::new("/bin/sh").to_owned())
}
