//! Where this user's keys, lists and settings are, and what this machine is called.

use std::path::{Path, PathBuf};

use codeout_protocol::name::Name;
use etcetera::BaseStrategy;

use crate::failure::{Code, Failure};

/// The directories of everything that codeout keeps for this user.
#[derive(Debug, Clone)]
pub(crate) struct Home {
    directory: PathBuf,
    is_named: bool,
    settings: PathBuf,
}

impl Home {
    /// The directory named, or `codeout` in the XDG data and config directories.
    pub(crate) fn find(named: Option<PathBuf>) -> Result<Self, Failure> {
        if let Some(named) = named {
            let directory = std::path::absolute(named)?;
            let settings = directory.join("config.toml");
            return Ok(Home { directory, is_named: true, settings });
        }
        let strategy = etcetera::choose_base_strategy().map_err(|_| {
            Failure::new(Code::Usage, "this user has no home directory")
                .hint("name a directory with --home or CODEOUT_HOME")
        })?;
        Ok(Home {
            directory: strategy.data_dir().join("codeout"),
            is_named: false,
            settings: strategy.config_dir().join("codeout/config.toml"),
        })
    }

    /// The directory, where it is not the usual one.
    pub(crate) fn named(&self) -> Option<&Path> {
        self.is_named.then_some(&*self.directory)
    }

    /// What this machine keeps as a daemon.
    pub(crate) fn daemon(&self) -> PathBuf {
        self.directory.join("daemon")
    }

    /// What this machine keeps as a device.
    pub(crate) fn device(&self) -> PathBuf {
        self.directory.join("device")
    }

    /// The file of settings, which need not be there.
    pub(crate) fn settings(&self) -> &Path {
        &self.settings
    }
}

/// What this machine is called: its host name up to the first dot.
pub(crate) fn machine_name() -> Name {
    let uname = rustix::system::uname();
    let full = uname.nodename().to_string_lossy();
    let short = full.split('.').next().unwrap_or_default();
    Name::clean(short).unwrap_or_else(|| Name::clean("computer").expect("a name"))
}

/// The user's home directory.
pub(crate) fn user_directory() -> Option<PathBuf> {
    std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute())
}

/// The user's shell, or `/bin/sh`.
pub(crate) fn shell() -> PathBuf {
    let named = std::env::var_os("SHELL").map(PathBuf::from);
    named
        .filter(|shell| shell.is_absolute() && shell.is_file())
        .unwrap_or_else(|| Path::new("/bin/sh").to_owned())
}
