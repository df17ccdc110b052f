//! The daemon that `codeout start` starts: without the terminal that it came from, and not stopped
//! by mistake.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod machine;
mod terminal;

use std::io::Read as _;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use machine::Machine;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use terminal::Terminal;

const CODEOUT: &str = env!("CARGO_BIN_EXE_codeout");
/// How long a test waits for what must come: a bound for a hanging test, never a measure.
const PATIENCE: Duration = Duration::from_secs(60);
const START: [&str; 5] = ["start", "--port", "0", "--bind", "127.0.0.1"];
const CAT: [&str; 2] = ["--", "/bin/cat"];

/// Its daemon is no child of the test: it is to end with it in any case.
struct Desk(Machine);

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = self.0.command(&["stop", "--force"]).output();
    }
}

impl Desk {
    fn open(&self, name: &str, command: &[&str]) {
        self.0.run(&[&["open", "-d", "--name", name], command].concat()).succeeds();
    }

    /// The session as it is listed.
    fn session(&self, name: &str) -> Value {
        let sessions = self.0.run(&["sessions", "--json"]).json();
        let mut all = sessions.as_array().unwrap().iter();
        all.find(|session| session["name"] == name).unwrap().clone()
    }

    fn runs(&self, name: &str) -> bool {
        self.session(name)["ended"].is_null()
    }
}

/// Tells when somebody writes into the pipe, and when nobody does any more.
fn opened_and_closed(pipe: &Path) -> Receiver<()> {
    assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
    let (sender, told) = channel();
    let pipe = pipe.to_owned();
    thread::spawn(move || {
        let mut pipe = std::fs::File::open(pipe).unwrap();
        sender.send(())?;
        pipe.read_to_end(&mut Vec::new()).unwrap();
        sender.send(())
    });
    told
}

/// Starts the daemon in a terminal. One program runs there behind it, and then another; what is
/// told is that they run, and their ends.
fn start_in_a_terminal(desk: &Desk) -> (Terminal, [Receiver<()>; 2]) {
    let pipes = ["first", "second"].map(|name| desk.0.file(name));
    let told = pipes.each_ref().map(|pipe| opened_and_closed(pipe));
    let [first, second] = pipes.each_ref().map(|pipe| pipe.to_str().unwrap());
    let script = r#"
        trap : INT; first=$1 second=$2; shift 2
        "$@" && cat >"$first"; exec cat >"$second"
    "#;
    let home = desk.0.home.path().to_str().unwrap();
    let words = ["sh", "-c", script, "sh", first, second, CODEOUT];
    let terminal = Terminal::new(80, 24);
    terminal.run(words.iter().chain(&START).chain(&["--home", home]));
    terminal.wait_until("codeout runs: ");
    (terminal, told)
}

#[test]
fn a_started_daemon_outlives_its_terminal_and_writes_into_its_log() {
    let desk = Desk(Machine::new());
    let (terminal, [interrupted, hung_up]) = start_in_a_terminal(&desk);
    desk.open("before", &CAT);
    let pid = desk.0.run(&["status", "--json"]).json()["pid"].take();
    // Both end whatever belongs to the terminal. A key that came too early would be nobody's.
    interrupted.recv_timeout(PATIENCE).expect("a program runs behind the daemon's start");
    terminal.send_keys(&["C-c"]);
    interrupted.recv_timeout(PATIENCE).expect("Ctrl-C is for what runs in the terminal");
    let shown = terminal.capture().text();
    hung_up.recv_timeout(PATIENCE).expect("the other runs");
    drop(terminal);
    hung_up.recv_timeout(PATIENCE).expect("the terminal hangs up");
    // Nor does it take somebody else's word for that.
    let daemon = Pid::from_raw(pid.as_i64().unwrap().try_into().unwrap()).unwrap();
    kill_process(daemon, Signal::HUP).unwrap();

    // It still opens, shows and ends sessions.
    desk.open("behind", &["--", "sh", "-c", "read -r line; echo got $line; exit 7"]);
    let attached = desk.0.run_with(&["attach", "behind"], "a line\n");
    assert_eq!(attached.code, 7, "{attached:?}");
    assert!(attached.out.contains("got a line"), "{attached:?}");
    assert!(desk.runs("before"));
    assert_eq!(desk.0.run(&["status", "--json"]).json()["pid"], pid);
    let log = std::fs::read_to_string(desk.0.file("daemon/daemon.log")).unwrap();
    for name in ["before", "behind"] {
        assert!(log.contains(&format!("session {name} opened by ")), "{log}");
        assert!(!shown.contains(name), "{shown}");
    }
    assert!(!log.contains("stopping"), "{log}");
}

#[test]
fn a_daemon_whose_sessions_run_is_stopped_by_force_alone() {
    let desk = Desk(Machine::new());
    desk.0.run(&START).succeeds();
    let refused = |says: &str| {
        let refused = desk.0.run(&["stop"]);
        refused.fails(21, says);
        assert!(refused.err.contains("`codeout stop --force` ends them"), "{refused:?}");
        assert_eq!(refused.out, "");
    };
    desk.open("first", &CAT);
    refused("codeout: a session runs and would end: first\n");
    desk.open("second", &CAT);
    refused("codeout: 2 sessions run and would end: first, second\n");
    assert!(desk.runs("first") && desk.runs("second"));
    // What has ended already is no reason.
    desk.0.run(&["end", "first"]).succeeds();
    refused("codeout: a session runs and would end: second\n");
    assert_eq!(desk.0.run(&["stop", "--force"]).succeeds().out, "stopped\n");
    desk.0.run(&["sessions"]).fails(10, "codeout does not run on this machine");
    desk.0.run(&["stop"]).fails(10, "codeout does not run on this machine");
}
