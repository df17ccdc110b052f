//! Programs that the daemon runs for itself, and that must not outlive their use.

use std::io;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, ChildStdout, Command};

use crate::inheritance;

/// A running program and all that it has started, unless that made a group of its own. Dropping
/// this kills them.
#[derive(Debug)]
pub(crate) struct ProcessGroup {
    child: Child,
    /// The group, as long as its number can be nobody else's.
    group: Option<Pid>,
}

impl ProcessGroup {
    /// Starts a program in a group of its own, with nothing on its standard input and its errors
    /// dropped.
    ///
    /// # Errors
    /// The program cannot be started.
    pub(crate) fn spawn(command: &mut Command) -> io::Result<Self> {
        command.stdin(Stdio::null()).stderr(Stdio::null()).process_group(0);
        inheritance::for_command(command);
        let turn = inheritance::one_at_a_time();
        let child = command.spawn()?;
        drop(turn);
        let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        Ok(ProcessGroup { child, group })
    }

    /// The program's output, when it was piped, once.
    pub(crate) fn output(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Waits until the program has ended. What it leaves behind runs on; when this future is
    /// dropped before, everything is killed.
    pub(crate) async fn wait(mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await?;
        self.group = None;
        Ok(status)
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        // The program was not waited for, so that its number is still the group's.
        if let Some(group) = self.group {
            kill_process_group(group, Signal::KILL).ok();
        }
    }
}
