//! The sentence, the next step and the exit code for the errors of the device library.

use codeout_device::{Closed, ConnectError, FindError, PairError, RequestFailed, StoreError};
use codeout_protocol::error::Refusal;
use codeout_protocol::message::{ClosingReason, ErrorCode, RequestError};

use crate::command::words;
use crate::failure::{Code, Failure};
use crate::ui;

/// A pairing that failed.
pub(crate) fn pair_error(error: PairError) -> Failure {
    let text = error.to_string();
    let code_failed = |hint: &str| Failure::new(Code::Pairing, text.clone()).hint(hint);
    match error {
        PairError::Connect(error) => connect_error(&error, None),
        PairError::NoOffer => code_failed("run `codeout pair` on the daemon's machine for a code"),
        PairError::WrongCode => code_failed(
            "check the code and the address; a wrong code does not use up the right one",
        ),
        PairError::WrongDaemonKey => Failure::new(Code::WrongKey, text).hint(
            "something else answers at that address: nothing was stored, do not type the code",
        ),
        PairError::FingerprintDiffers => Failure::new(Code::WrongKey, text).hint(differ_hint()),
        PairError::Refused(refusal) => pair_refused(refusal),
        PairError::AlreadyPaired { ref name } => Failure::new(Code::Taken, text).hint(format!(
            "`codeout attach --on {0}` uses it; `codeout forget {0}` ends it",
            ui::quoted(name)
        )),
        PairError::Store(error) => store_error(&error),
        _ => Failure::new(Code::Other, text),
    }
}

/// What to do when fingerprints differ.
pub(crate) fn differ_hint() -> &'static str {
    "something in the path pretends to be your daemon, or the address was another's\n\
     everything of this pairing is forgotten here; if the daemon's terminal says that a device\n\
     was paired, revoke it there: codeout devices revoke NAME"
}

fn pair_refused(refusal: Refusal) -> Failure {
    let (text, hint) = match refusal {
        Refusal::AlreadyUsed => (
            "this pairing code was already used: it pairs exactly one device",
            "was that not you? look at `codeout devices` there; `codeout pair` gives a new code",
        ),
        Refusal::Expired => (
            "this pairing code has expired",
            "run `codeout pair` on the daemon's machine for a new one",
        ),
        Refusal::Declined => (
            "the pairing was declined at the daemon",
            "run `codeout pair` on the daemon's machine for a new code",
        ),
        Refusal::NotPaired => return not_paired(None),
    };
    Failure::new(Code::Pairing, text).hint(hint)
}

fn not_paired(name: Option<&str>) -> Failure {
    let failure = Failure::new(Code::NotPaired, "this device is not, or no longer, paired");
    match name {
        Some(name) => failure.hint(format!(
            "if that is right, `codeout forget {}` and pair again with `codeout join`",
            ui::quoted(name)
        )),
        None => failure.hint("pair it with `codeout join`"),
    }
}

/// A connection that could not be made, to the daemon known as `name`.
pub(crate) fn connect_error(error: &ConnectError, name: Option<&str>) -> Failure {
    let text = error.to_string();
    match error {
        ConnectError::NoDaemon { .. } => {
            Failure::new(Code::Unreachable, text).hint("start it with `codeout start`")
        }
        ConnectError::Unreachable { .. } => Failure::new(Code::Unreachable, text)
            .hint("does codeout run there, is the address right, do both use the same network?"),
        ConnectError::TimedOut => Failure::new(Code::Unreachable, text)
            .hint("try again; if that does not help, look at the daemon's terminal"),
        ConnectError::NotCodeout { .. } => Failure::new(Code::NotCodeout, text)
            .hint("check the address and the port: the daemon's terminal shows them"),
        ConnectError::Incompatible => Failure::new(Code::NotCodeout, text)
            .hint("install the same version of codeout on both machines"),
        ConnectError::TooManyAttempts => Failure::new(Code::TooManyAttempts, text)
            .hint("wait a minute and try again; the code is still good while it counts down"),
        ConnectError::WrongDaemonKey => key_changed(name),
        ConnectError::Refused(Refusal::NotPaired) => not_paired(name),
        ConnectError::Refused(refusal) => pair_refused(*refusal),
        ConnectError::Tampered => Failure::new(Code::WrongKey, text)
            .hint("someone on the way changes what passes: use another network, or try again"),
        ConnectError::Unconfirmed { .. } => Failure::new(Code::NotPaired, text)
            .hint("run `codeout join` with the same address and code to confirm it"),
        ConnectError::Cut => Failure::new(Code::Cut, text).hint("try again"),
        _ => Failure::new(Code::NotCodeout, text),
    }
}

/// The daemon says, in the clear, that its key is another: perhaps not the daemon says it.
fn key_changed(name: Option<&str>) -> Failure {
    let text = "what answers there says that the daemon's key has changed: refused";
    let forget = name.map_or_else(String::new, |name| {
        let name = ui::quoted(name);
        format!("\nonly if you know why its key changed: codeout forget {name}, and pair again")
    });
    Failure::new(Code::WrongKey, text).hint(format!(
        "another machine may have its address, or someone on the way says so\n\
         try another network, and look at `codeout fingerprint` on the daemon's machine{forget}"
    ))
}

/// A connection that ended.
pub(crate) fn closed(closed: Closed, name: &str) -> Failure {
    match closed {
        Closed::ByDaemon(ClosingReason::Revoked) => Failure::new(
            Code::NotPaired,
            format!("this device was revoked, and can no longer connect to {name}"),
        ),
        Closed::ByDaemon(ClosingReason::Expired) => Failure::new(
            Code::NotPaired,
            format!("the time for which this device was paired with {name} is over"),
        )
        .hint("pair it again with `codeout join`"),
        Closed::ByDaemon(ClosingReason::Stopping) => {
            Failure::new(Code::Cut, format!("codeout on {name} stops"))
        }
        Closed::ByDaemon(ClosingReason::Restarting) => {
            Failure::new(Code::Cut, format!("codeout on {name} restarts"))
                .hint("its sessions run on: try again")
        }
        Closed::Cut => Failure::new(Code::Cut, format!("the connection to {name} was cut"))
            .hint("its sessions run on: try again"),
        other => Failure::new(Code::Cut, other.to_string()),
    }
}

/// A request that the daemon did not do.
pub(crate) fn request_failed(error: RequestFailed, name: &str) -> Failure {
    match error {
        RequestFailed::Closed(ended) => closed(ended, name),
        RequestFailed::Refused(error) => refused(error),
        other => Failure::new(Code::Other, other.to_string()),
    }
}

/// What the daemon said no to.
fn refused(error: RequestError) -> Failure {
    let (code, hint) = match error.code {
        ErrorCode::UnknownRequest => {
            (Code::NotCodeout, Some("install the same version of codeout on both machines"))
        }
        ErrorCode::NotAllowed => (
            Code::Other,
            Some("what a device may is set when it is paired: revoke it and pair it anew"),
        ),
        ErrorCode::Ended => (Code::NoSession, Some("how it ended is on the list of sessions")),
        ErrorCode::Limit => {
            (Code::Other, Some("end or dismiss some of what there is, and try again"))
        }
        ErrorCode::Taken => (Code::Taken, Some("choose another name")),
        _ => (Code::Other, None),
    };
    Failure { error: error.message, hint: hint.map(str::to_owned), code }
}

/// An answer that does not belong to its request.
pub(crate) fn odd_answer() -> Failure {
    Failure::new(Code::NotCodeout, "the daemon's answer makes no sense to this version")
        .hint("install the same version of codeout on both machines")
}

/// No one daemon is meant.
pub(crate) fn find_error(error: FindError) -> Failure {
    let text = error.to_string();
    match error {
        FindError::NoneKnown => {
            Failure::new(Code::NotFound, "this machine is paired with no daemon").hint(
                "pair it with `codeout join`, with the link or the code that the daemon shows",
            )
        }
        FindError::Several { .. } => Failure::new(Code::NotFound, text).hint("name one with --on"),
        FindError::Unknown { known, .. } => {
            let hint = match known.as_slice() {
                [] => "none is known: pair with one by `codeout join`".to_owned(),
                known => format!("known daemons: {}", known.join(", ")),
            };
            Failure::new(Code::NotFound, text).hint(hint)
        }
        FindError::Store(error) => store_error(&error),
        _ => Failure::new(Code::Other, text),
    }
}

/// The file of known daemons.
pub(crate) fn store_error(error: &StoreError) -> Failure {
    let failure = Failure::new(Code::BrokenFile, error.to_string());
    match error {
        StoreError::Broken { .. } => failure
            .hint("it was left as it is: restore it from a backup, or move it away and pair again"),
        StoreError::Newer { .. } => failure.hint("run the newer version"),
        StoreError::Exposed { path, .. } => {
            let mode = if path.is_dir() { "700" } else { "600" };
            failure.hint(format!("run `chmod {mode} {}`", path.display()))
        }
        StoreError::Unreadable { source, .. } | StoreError::Unwritable { source, .. } => {
            failure.hint(words::place_hint(source))
        }
        StoreError::Foreign { .. } => {
            failure.hint("set CODEOUT_HOME to a directory that only you can use")
        }
        _ => failure,
    }
}
