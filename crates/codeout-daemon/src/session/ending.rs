//! How a session's programs are told to end, and made to.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use codeout_protocol::message::ExitStatus;
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitOptions, WaitStatus, kill_process_group, test_kill_process_group, waitpid,
};
use tokio::time::Instant;

use super::Session;

/// How long programs have to end by themselves.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often is looked whether they have.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The programs of a session: the one that was started leads a process group.
#[derive(Debug)]
pub(crate) struct Processes {
    leader: Pid,
    /// How the leader ended, once it was waited for. From then on its number is its group's
    /// alone, as long as that has members.
    exit: Mutex<Option<ExitStatus>>,
}

impl Processes {
    /// `exit`: how the leader ended, when it was waited for already.
    pub(crate) fn new(leader: Pid, exit: Option<ExitStatus>) -> Self {
        Processes { leader, exit: Mutex::new(exit) }
    }

    pub(super) fn leader(&self) -> Pid {
        self.leader
    }

    fn lock(&self) -> MutexGuard<'_, Option<ExitStatus>> {
        self.exit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the leader ended, if it was waited for.
    pub(super) fn exit(&self) -> Option<ExitStatus> {
        *self.lock()
    }

    /// Waits for the leader, if it has ended; says how.
    pub(super) fn try_wait(&self) -> io::Result<Option<ExitStatus>> {
        let mut exit = self.lock();
        if exit.is_some() {
            return Ok(*exit);
        }
        let ended = match waitpid(Some(self.leader), WaitOptions::NOHANG) {
            Ok(ended) => ended.map(|(_, status)| exit_status(status)),
            // Nobody can tell any more how it ended.
            Err(Errno::CHILD) => Some(ExitStatus::Signal(0)),
            Err(error) => return Err(error.into()),
        };
        *exit = ended;
        Ok(ended)
    }

    /// Signals the leader's group and `foreground`, while the leader's number is its own.
    fn signal(&self, signal: Signal, foreground: Option<Pid>) {
        let exit = self.lock();
        let own = exit.is_none().then_some(self.leader);
        let other = foreground.filter(|group| Some(*group) != own);
        for group in [own, other].into_iter().flatten() {
            // A group that is gone needs telling no more.
            let _ = kill_process_group(group, signal);
        }
    }
}

/// Whether anybody is left in a group.
fn is_left(group: &Pid) -> bool {
    test_kill_process_group(*group).is_ok()
}

fn exit_status(status: WaitStatus) -> ExitStatus {
    let byte = |number: i32| u8::try_from(number).unwrap_or(u8::MAX);
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => ExitStatus::Exit(byte(code)),
        (None, signal) => ExitStatus::Signal(signal.map_or(0, byte)),
    }
}

impl Session {
    fn signal(&self, signal: Signal) {
        let foreground = self.pty().and_then(|pty| pty.foreground());
        self.processes.signal(signal, foreground);
    }

    /// Tells the programs that their terminal is gone.
    pub(crate) fn hang_up(&self) {
        self.signal(Signal::HUP);
        // A stopped one must run to hear it.
        self.signal(Signal::CONT);
    }

    /// Ends the programs: a hang-up, and for those that do not heed it, the end. Returns when
    /// none is left, or all were killed.
    pub(crate) async fn end(&self) {
        // A job in the foreground may outlive the shell that started it.
        let foreground = self.pty().and_then(|pty| pty.foreground());
        let mut groups = vec![self.processes.leader()];
        groups.extend(foreground.filter(|group| *group != self.processes.leader()));
        self.hang_up();
        let until = Instant::now() + PATIENCE;
        loop {
            // A number is a group's own for as long as anybody is in it.
            groups.retain(is_left);
            if groups.is_empty() {
                return;
            }
            if Instant::now() >= until {
                break;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        for group in groups {
            // It was there a moment ago.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}
