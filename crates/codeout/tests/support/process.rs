//! The daemon as a process of its own, to be killed.

use std::path::Path;
use std::process::{ExitStatus, Stdio};

use codeout_daemon::OfferLimits;
use codeout_daemon::control::Client;
use codeout_protocol::code::Code;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};

use super::PATIENCE;

/// The program, with `home` as its directory and nothing of this environment's own settings.
pub fn codeout(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_codeout"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CODEOUT_") {
            command.env_remove(name);
        }
    }
    command.env("CODEOUT_HOME", home).env("SHELL", "/bin/sh").stdin(Stdio::null());
    command.kill_on_drop(true);
    command
}

/// A daemon in a process of its own, on a free port of loopback.
pub struct DaemonProcess {
    child: Child,
    pub port: u16,
}

impl DaemonProcess {
    pub async fn start(home: &Path) -> Self {
        Self::start_with(home, |_| {}).await
    }

    /// Starts one whose command `change` has changed.
    pub async fn start_with(home: &Path, change: impl FnOnce(&mut Command)) -> Self {
        let mut command = codeout(home);
        command.args(["--port", "0", "--bind", "127.0.0.1"]).stdout(Stdio::piped());
        change(&mut command);
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let port = tokio::time::timeout(PATIENCE, port_in(&mut output)).await;
        let port = port.expect("the daemon says nothing");
        // It must not wait for a reader.
        tokio::spawn(async move {
            let mut rest = Vec::new();
            let _ = output.read_to_end(&mut rest).await;
        });
        DaemonProcess { child, port }
    }

    /// What the system calls it.
    pub fn id(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// Its resident memory, in KiB; `None` where there is no `/proc`.
    pub fn memory(&self) -> Option<u64> {
        let id = self.id();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.id().cast_signed()).unwrap(), signal).unwrap();
    }

    /// Sends SIGKILL, and returns at once.
    pub fn kill_now(&self) {
        self.signal(Signal::KILL);
    }

    /// Kills it, and waits for its end.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Waits for the end that something else brings it.
    pub async fn ended(mut self) -> ExitStatus {
        let ended = tokio::time::timeout(PATIENCE, self.child.wait());
        ended.await.expect("the daemon does not end").unwrap()
    }

    /// Asks it to stop, and waits for its end.
    pub async fn terminate(self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.ended().await
    }
}

/// The control socket of the daemon that runs in `home`.
pub async fn control(home: &Path) -> Client {
    Client::connect(&home.join("daemon")).await.expect("a daemon runs")
}

/// A fresh offer of the daemon that runs in `home`.
pub async fn offer(home: &Path) -> Code {
    let offer = control(home).await.offer(OfferLimits::default()).await.unwrap();
    offer.offer.code.parse().unwrap()
}

/// The port that a daemon says; before it, it tells of what it has lost.
async fn port_in(output: &mut BufReader<ChildStdout>) -> u16 {
    let mut said = String::new();
    loop {
        let length = output.read_line(&mut said).await.unwrap();
        let last = &said[said.len() - length..];
        if last.starts_with("codeout ->") {
            let port = last.trim().rsplit(':').next().and_then(|port| port.parse().ok());
            return port.unwrap_or_else(|| panic!("no port in {last:?}"));
        }
        assert!(length > 0, "no port in {said:?}");
    }
}
