//! A computer of its own for a test: a home, the commands on it, and its daemon.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use tempfile::TempDir;

const CODEOUT: &str = env!("CARGO_BIN_EXE_codeout");

/// A machine of its own: a home that nobody else has.
pub(crate) struct Machine {
    pub(crate) home: TempDir,
}

impl Machine {
    pub(crate) fn new() -> Self {
        Machine { home: TempDir::new().unwrap() }
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(CODEOUT);
        command.args(arguments).env("CODEOUT_HOME", self.home.path()).env("SHELL", "/bin/sh");
        for name in ["PORT", "BIND", "ADVERTISE", "NAME", "CONFIRM", "FINGERPRINT", "LOG"] {
            command.env_remove(format!("CODEOUT_{name}"));
        }
        command
    }

    /// Runs a command to its end, with `input` piped in.
    pub(crate) fn run_with(&self, arguments: &[&str], input: &str) -> Ran {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that reads nothing may have gone already.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        Ran::of(&child.wait_with_output().unwrap())
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, "")
    }

    pub(crate) fn file(&self, path: &str) -> PathBuf {
        self.home.path().join(path)
    }

    /// Starts a daemon on this machine.
    pub(crate) fn daemon(&self, port: u16) -> RunningDaemon {
        let port = port.to_string();
        let arguments = ["--port", &port, "--bind", "127.0.0.1", "--name", "desk"];
        let mut child =
            self.command(&arguments).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut daemon = RunningDaemon { child, lines, head: Vec::new() };
        daemon.head = (0..4).map(|_| daemon.line()).collect();
        daemon
    }
}

/// What came of a command.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn of(output: &Output) -> Self {
        let ran = Ran {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout.clone()).unwrap(),
            err: String::from_utf8(output.stderr.clone()).unwrap(),
        };
        assert!(!ran.err.contains('\x1b'), "escape codes where there is no terminal: {ran:?}");
        ran
    }

    /// Asserts the exit code and a part of what standard error says.
    pub(crate) fn fails(&self, code: i32, says: &str) {
        assert_eq!(self.code, code, "{self:?}");
        assert!(self.err.contains(says), "{says:?} is not in {self:?}");
        assert!(self.err.starts_with("codeout: ") || code == 2, "{self:?}");
    }

    pub(crate) fn succeeds(&self) -> &Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.succeeds().out).unwrap()
    }
}

pub(crate) struct RunningDaemon {
    child: Child,
    lines: BufReader<ChildStdout>,
    pub(crate) head: Vec<String>,
}

impl RunningDaemon {
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "the daemon ended behind {line:?}");
        line.trim_end_matches('\n').to_owned()
    }

    pub(crate) fn address(&self) -> String {
        self.head[0].strip_prefix("codeout -> ").unwrap().to_owned()
    }

    pub(crate) fn port(&self) -> u16 {
        self.address().rsplit_once(':').unwrap().1.parse().unwrap()
    }

    pub(crate) fn code(&self) -> String {
        self.head[2].trim().to_owned()
    }

    /// Stops it well; returns what it still said.
    pub(crate) fn stop(mut self) -> String {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).unwrap();
        assert!(self.child.wait().unwrap().success());
        rest
    }
}

impl Drop for RunningDaemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A device that joined by code, its daemon, and the daemon's machine.
pub(crate) fn joined() -> (Machine, RunningDaemon, Machine) {
    let desk = Machine::new();
    let daemon = desk.daemon(0);
    let laptop = Machine::new();
    let print = desk.run(&["fingerprint"]).succeeds().out.trim().to_owned();
    let address = daemon.address();
    let join = ["join", &address, &daemon.code(), "--name", "work-laptop", "--fingerprint", &print];
    let told = laptop.run(&join).succeeds().err.clone();
    assert!(told.contains("`codeout open --on desk` opens a session there"), "{told}");
    (desk, daemon, laptop)
}
