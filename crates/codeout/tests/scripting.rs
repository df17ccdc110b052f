//! What a script is told, and what it may say: `--json`, names, exit codes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod machine;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use machine::joined;
use serde_json::Value;

/// How long a test waits for what must come: a bound for a hanging test, never a measure.
const PATIENCE: Duration = Duration::from_secs(60);

/// A command that prints a line of JSON whenever something happens.
struct Telling {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Telling {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Telling { child, lines }
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_link_that_broke_is_a_reason_too() {
    let (desk, _daemon, laptop) = joined();
    let mut pair = Telling::start(laptop.command(&["pair", "--json", "--on", "desk"]));
    pair.line();
    pair.child.kill().unwrap();
    let until = Instant::now() + PATIENCE;
    let broke = |line: &Value| line["reason"] == "link_broke";
    loop {
        let log = desk.run(&["log", "--json"]);
        let lines = log.succeeds().out.lines().map(|line| serde_json::from_str(line).unwrap());
        let mut lines: Vec<Value> = lines.collect();
        lines.retain(|line| line["event"] == "disconnected");
        assert!(lines.iter().all(|line| line["reason"].is_string()), "{lines:?}");
        if lines.iter().any(broke) {
            return;
        }
        assert!(Instant::now() < until, "no link broke: {lines:?}");
    }
}
