//! The sentence, the next step and the exit code for every error of the libraries.

use std::io;

use codeout_daemon::control::{ClientError, ControlError};
use codeout_daemon::devices::DevicesError;
use codeout_daemon::identity::{IdentityError, UnsafeFile};
use codeout_daemon::stopped::StoppedError;
use codeout_daemon::{OpenError, TlsError};

use crate::failure::{Code, Failure};
use crate::ui;

/// A daemon that does not start.
pub(crate) fn open_error(error: &OpenError) -> Failure {
    let text = error.to_string();
    match error {
        OpenError::AlreadyRunning => Failure::new(Code::Taken, text)
            .hint("`codeout pair` shows a fresh pairing code from it"),
        OpenError::PortTaken { port } => {
            let other = port.checked_add(1).unwrap_or(8400);
            Failure::new(Code::Taken, text)
                .hint(format!("stop that program, or choose another port: codeout --port {other}"))
        }
        OpenError::Listen { .. } => Failure::new(Code::Other, text)
            .hint("--bind takes an address of this computer; without it codeout listens on all"),
        // The system's own words are about SUN_LEN, some 100 bytes.
        OpenError::Control { path, reason } if reason.kind() == io::ErrorKind::InvalidInput => {
            let text = format!("too long a path for the control socket: {}", path.display());
            Failure::new(Code::BrokenFile, text)
                .hint("set CODEOUT_HOME to a directory with a shorter path")
        }
        OpenError::Home { reason, .. } | OpenError::Control { reason, .. } => {
            Failure::new(Code::BrokenFile, text).hint(place_hint(reason))
        }
        OpenError::Identity(error) => identity_error(error),
        OpenError::Devices(error) => devices_error(error),
        OpenError::Tls(error) => tls_error(error),
        _ => Failure::new(Code::Other, text),
    }
}

/// The files of a daemon that does not run, in no state to be used.
pub(crate) fn stopped_error(error: &StoppedError) -> Failure {
    match error {
        StoppedError::Identity(error) => identity_error(error),
        StoppedError::Devices(error) => devices_error(error),
        StoppedError::Home { reason, .. } => {
            Failure::new(Code::BrokenFile, error.to_string()).hint(place_hint(reason))
        }
        other => Failure::new(Code::Other, other.to_string()),
    }
}

/// What to do about a place where nothing can be made or written.
pub(crate) fn place_hint(reason: &io::Error) -> &'static str {
    match reason.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space and try again"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "its disk is mounted read-only: mount it writable, or set CODEOUT_HOME to another \
             directory"
        }
        io::ErrorKind::PermissionDenied => {
            "make it writable for you, or set CODEOUT_HOME to another directory"
        }
        _ => "set CODEOUT_HOME to a directory that only you can use",
    }
}

/// Who else may open a file, and what to do about it.
fn unsafe_file(failure: Failure, file: &UnsafeFile) -> Failure {
    match file {
        UnsafeFile::Exposed { command, .. } => failure.hint(format!(
            "run `{command}`\nothers may have read it by now: if they had access to this \
             computer, move it away and pair your devices again"
        )),
        _ => failure.hint("move it away, or set CODEOUT_HOME to another directory"),
    }
}

fn identity_error(error: &IdentityError) -> Failure {
    let failure = Failure::new(Code::BrokenFile, error.to_string());
    match error {
        IdentityError::Unsafe(file) => unsafe_file(failure, file),
        IdentityError::Newer { .. } => failure.hint("run the newer version"),
        IdentityError::Create { reason, .. } => failure.hint(place_hint(reason)),
        IdentityError::Read { reason, .. } if reason.kind() == std::io::ErrorKind::NotFound => {
            failure.hint(
                "there are paired devices that know it: restore it from a backup, or move \
                 devices.db away too, to start anew (all devices must then be paired again)",
            )
        }
        IdentityError::Read { .. } | IdentityError::Damaged { .. } => failure.hint(
            "it was left as it is: restore it from a backup, or move it away to start with a \
             new key (all devices must then be paired again)",
        ),
    }
}

fn tls_error(error: &TlsError) -> Failure {
    let failure = Failure::new(Code::BrokenFile, error.to_string());
    match error {
        TlsError::Read { reason, .. } if reason.kind() == std::io::ErrorKind::PermissionDenied => {
            failure.hint("let this user read it, or copy it to where this user can")
        }
        TlsError::Read { .. } => failure
            .hint("--tls-cert and --tls-key take files, as `tailscale cert` or certbot write them"),
        TlsError::NoCertificate { .. } | TlsError::BadCertificate { .. } => failure
            .hint("it is to be in PEM, with -----BEGIN CERTIFICATE-----, the daemon's own first"),
        TlsError::NoKey { .. } | TlsError::BadKey { .. } => failure.hint(
            "it is to be in PEM, with -----BEGIN PRIVATE KEY-----; `openssl pkey` takes a \
             passphrase off",
        ),
        TlsError::Mismatch { .. } => failure.hint(
            "name the two files that belong together; in a file with several certificates the \
             daemon's own comes first",
        ),
        _ => failure,
    }
}

fn devices_error(error: &DevicesError) -> Failure {
    let failure = Failure::new(Code::BrokenFile, error.to_string());
    match error {
        DevicesError::Newer { .. } => failure.hint("run the newer version"),
        DevicesError::Unsafe(file) => unsafe_file(failure, file),
        DevicesError::Open { .. } | DevicesError::ReadOnly { .. } => {
            failure.hint("make it writable for you, or set CODEOUT_HOME to another directory")
        }
        DevicesError::Busy { .. } => failure.hint("try again when that process has ended"),
        DevicesError::Full { .. } => failure.hint("free some space and try again"),
        DevicesError::NotDevices { .. }
        | DevicesError::Corrupt { .. }
        | DevicesError::Remnant { .. } => failure.hint(
            "it was left as it is: restore it from a backup, or move it away to start with an \
             empty list (all devices must then be paired again)",
        ),
        DevicesError::Failed { .. } => failure.hint(
            "is its disk full, or does it fail? when that is put right, try again: nothing was lost",
        ),
        _ => failure,
    }
}

/// A request to the running daemon that failed.
pub(crate) fn client_error(error: ClientError) -> Failure {
    match error {
        ClientError::Daemon(error) => control_error(error),
        ClientError::Gone(_) => Failure::new(Code::Cut, error.to_string())
            .hint("was it stopped? `codeout status` tells whether it runs"),
        ClientError::Silent => Failure::new(Code::Unreachable, error.to_string())
            .hint("it was suspended, or hangs: `fg` where it was started, or end its process"),
        ClientError::Version => {
            Failure::new(Code::NotCodeout, error.to_string()).hint("stop it and start this version")
        }
    }
}

/// What the daemon, or its files, said no to.
pub(crate) fn control_error(error: ControlError) -> Failure {
    let text = error.to_string();
    match error {
        ControlError::NoDevice { known, .. } => {
            let hint = match known.as_slice() {
                [] => "no devices are paired: `codeout pair` adds one".to_owned(),
                known => format!("paired devices: {}", known.join(", ")),
            };
            Failure::new(Code::NotFound, text).hint(hint)
        }
        ControlError::Ambiguous { candidates, .. } => Failure::new(Code::NotFound, text)
            .hint(format!("type more of the id: {}", candidates.join(", "))),
        ControlError::SessionsRun { names } => sessions_run(&names),
        ControlError::CannotRestart(_) => Failure::new(Code::Other, text)
            .hint("it runs on as it was, with every session: put that right, and try again"),
        ControlError::BadName => Failure::new(Code::Usage, text),
        ControlError::Store(_) => Failure::new(Code::BrokenFile, text)
            .hint("nothing was changed: when that is put right, try again"),
        ControlError::Unknown => {
            Failure::new(Code::NotCodeout, text).hint("stop it and start this version")
        }
    }
}

/// What would end with the daemon.
fn sessions_run(names: &[String]) -> Failure {
    let names: Vec<_> = names.iter().map(|name| ui::clean(name)).collect();
    let text = match names.as_slice() {
        [one] => format!("a session runs and would end: {one}"),
        names => format!("{} sessions run and would end: {}", names.len(), names.join(", ")),
    };
    Failure::new(Code::SessionsRun, text)
        .hint("`codeout stop --force` ends them; `codeout restart` starts anew and keeps them")
}

/// There is no daemon to ask.
pub(crate) fn not_running() -> Failure {
    Failure::new(Code::Unreachable, "codeout does not run on this machine")
        .hint("start it with `codeout start`, or name a paired daemon with --on")
}

/// There is no daemon on this machine, which alone could be meant.
pub(crate) fn does_not_run() -> Failure {
    Failure::new(Code::Unreachable, "codeout does not run on this machine")
        .hint("start it with `codeout start`")
}
