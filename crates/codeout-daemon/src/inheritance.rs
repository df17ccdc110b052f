//! What the programs that a daemon starts get from its process: nothing of its own, and what it
//! was started with where it has changed that for itself.
//!
//! The daemon raises its limit of descriptors and writes no core dumps; both are put back between
//! a fork and the program. Descriptors that it was started with are closed there, and signals that
//! whoever started it has ignored are at their default again.

#![allow(unsafe_code, reason = "the only place before a program is behind a fork")]

use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

/// The most descriptors that a daemon takes.
const MOST_DESCRIPTORS: u64 = 65_536;
/// macOS says "unlimited" and means this.
const UNLIMITED: u64 = 10_240;

/// What this process was started with; set once, by [`prepare`].
static STARTED_WITH: OnceLock<StartedWith> = OnceLock::new();

#[derive(Debug)]
struct StartedWith {
    descriptors: Rlimit,
    core: Rlimit,
}

/// Makes this process one that may hold keys and start programs for others: raises its limit of
/// descriptors as far as the system lets it, forbids core dumps, and keeps what it has inherited
/// from its children. To be called once, on the runtime, before anything else is opened; a second
/// call does nothing.
pub fn prepare() {
    let started =
        StartedWith { descriptors: getrlimit(Resource::Nofile), core: getrlimit(Resource::Core) };
    if STARTED_WITH.set(started).is_err() {
        return;
    }
    close_inherited_on_exec();
    let ignored = std::fs::read_to_string("/proc/self/status").map(|status| ignored(&status));
    for number in ignored.unwrap_or_default() {
        // A signal that is handled is at its default in the next program. Those that cannot be
        // handled cannot be ignored either.
        let handled = signal(SignalKind::from_raw(number));
        tracing::debug!(number, ok = handled.is_ok(), "a signal was ignored");
    }
    take();
}

/// Takes the limits that a daemon has for itself.
pub(crate) fn take() {
    let Some(StartedWith { descriptors, core }) = STARTED_WITH.get() else { return };
    let wanted = descriptors.maximum.unwrap_or(UNLIMITED).min(MOST_DESCRIPTORS);
    if descriptors.current.is_some_and(|current| current < wanted) {
        let raised = Rlimit { current: Some(wanted), maximum: descriptors.maximum };
        let raised = setrlimit(Resource::Nofile, raised);
        tracing::debug!(?raised, wanted, "raised the descriptor limit");
    }
    // The keys are in this process's memory. No other of the same user may look into it either.
    let none = Rlimit { current: Some(0), maximum: core.maximum };
    let forbidden = setrlimit(Resource::Core, none);
    #[cfg(target_os = "linux")]
    let forbidden = forbidden.and(rustix::process::set_dumpable_behavior(
        rustix::process::DumpableBehavior::NotDumpable,
    ));
    if let Err(error) = forbidden {
        tracing::warn!(%error, "core dumps cannot be forbidden");
    }
}

/// Puts the limits back that this process was started with: for whatever comes after it, or in its
/// child. Nothing that is not safe between fork and exec: two system calls.
///
/// # Errors
/// The system's.
pub(crate) fn give_back() -> io::Result<()> {
    if let Some(StartedWith { descriptors, core }) = STARTED_WITH.get() {
        setrlimit(Resource::Nofile, *descriptors)?;
        setrlimit(Resource::Core, *core)?;
    }
    Ok(())
}

/// A program in a pseudo-terminal that gets the limits of whoever started the daemon.
pub(crate) fn for_terminal(
    command: pty_process::blocking::Command,
) -> pty_process::blocking::Command {
    // SAFETY: `give_back` allocates nothing, takes no lock, and makes only system calls.
    unsafe { command.pre_exec(give_back) }
}

/// Another program that gets them.
pub(crate) fn for_command(command: &mut tokio::process::Command) {
    // SAFETY: as above.
    unsafe { command.pre_exec(give_back) };
}

/// Held while a program is started: a terminal's descriptors become close-on-exec only after they
/// were opened, and no other program may start in between and inherit them.
pub(crate) fn one_at_a_time() -> MutexGuard<'static, ()> {
    static STARTING: Mutex<()> = Mutex::new(());
    STARTING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes whatever this process was started with, beyond input, output and errors, its own alone.
fn close_inherited_on_exec() {
    let Ok(names) = std::fs::read_dir("/dev/fd") else { return };
    let numbers = names.filter_map(|name| name.ok()?.file_name().to_str()?.parse::<RawFd>().ok());
    for number in numbers.filter(|number| *number > 2) {
        // SAFETY: it was open a moment ago. Where another took its number since, that one is to be
        // closed in other programs as well; where none has, the call fails.
        let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
        let flags = fcntl_getfd(descriptor).unwrap_or(FdFlags::CLOEXEC);
        if !flags.contains(FdFlags::CLOEXEC) {
            let _ = fcntl_setfd(descriptor, flags | FdFlags::CLOEXEC);
        }
    }
}

/// The signals that a process ignores, from what Linux says of it. SIGPIPE (13) is left out: a
/// Rust program ignores it, and its children do not.
fn ignored(status: &str) -> Vec<i32> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    (1..=64).filter(|number| mask & (1 << (number - 1)) != 0 && *number != 13).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_their_mask() {
        let status = "Name:\tcodeout\nSigBlk:\tffff\nSigIgn:\t8000000000001205\nSigCgt:\t00\n";
        assert_eq!(ignored(status), [1, 3, 10, 64]);
        assert!(ignored("SigIgn:\tnothing").is_empty());
        assert!(ignored("").is_empty());
    }
}
