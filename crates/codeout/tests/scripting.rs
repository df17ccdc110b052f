//! What a script is told, and what it may say: `--json`, names, exit codes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod machine;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use machine::{Machine, Ran, joined};
use serde_json::{Value, json};

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

    fn code(&mut self) -> i32 {
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn members(value: &Value) -> Vec<&String> {
    value.as_object().unwrap().keys().collect()
}

#[test]
fn an_offer_and_its_end_have_one_shape_here_and_on_another_computer() {
    let (desk, _daemon, laptop) = joined();
    let limits = ["pair", "--json", "--watch-only", "--for", "90m"];
    let here = desk.command(&limits);
    let there = laptop.command(&[&limits[..], &["--on", "desk"]].concat());
    let told = [here, there].map(|command| {
        let mut pair = Telling::start(command);
        let offer = pair.line();
        let guest = Machine::new();
        let link = offer["links"][0].as_str().unwrap();
        let welcome = guest.run(&["join", link, "--name", "guest", "--json"]).json();
        assert_eq!(welcome["fingerprint"], offer["fingerprint"]);
        assert_eq!(welcome["watch_only"], true);
        let end = pair.line();
        assert_eq!(pair.code(), 0);
        assert_eq!((&offer["watch_only"], &offer["for_seconds"]), (&json!(true), &json!(5400)));
        assert_eq!(end["end"], "paired");
        assert_eq!(end["device"]["name"], welcome["device"]);
        (offer, end)
    });
    let [(offer, end), (offer_there, end_there)] = &told;
    assert_eq!(members(offer), members(offer_there));
    assert_eq!(members(end), members(end_there));
    assert_eq!(members(&end["device"]), members(&end_there["device"]));
}

#[test]
fn an_offer_that_pairs_nobody_ends_in_an_object_too() {
    let desk = Machine::new();
    let _daemon = desk.daemon(0);
    let mut first = Telling::start(desk.command(&["pair", "--json"]));
    let offer = first.line();
    assert_eq!((&offer["watch_only"], &offer["for_seconds"]), (&json!(false), &Value::Null));
    let mut second = Telling::start(desk.command(&["pair", "--json"]));
    second.line();
    assert_eq!(first.line(), json!({"end": "replaced"}));
    assert_eq!(first.code(), 12);
}

#[test]
fn the_limits_of_an_offer_are_told_beside_its_code() {
    let (desk, _daemon, laptop) = joined();
    let limits = ["--watch-only", "--for", "90m"];
    for (machine, on) in [(&desk, &[][..]), (&laptop, &["--on", "desk"])] {
        let mut pair = machine.command(&[&["pair"], &limits[..], on].concat());
        let mut pair = pair.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(pair.stdout.take().unwrap()).lines();
        let told: Vec<_> = lines.take(4).map(Result::unwrap).collect();
        assert_eq!(told[2], "  limits: watch only, for 1h 30m", "{told:?}");
        let status = desk.run(&["status"]);
        let line = status.succeeds().out.lines().last().unwrap();
        assert!(line.ends_with("; limits: watch only, for 1h 30m"), "{line}");
        let status = desk.run(&["status", "--json"]).json();
        assert_eq!(status["offer_limits"], json!({"watch_only": true, "for_seconds": 5400}));
        pair.kill().unwrap();
        pair.wait().unwrap();
    }
    let mut pair = Telling::start(desk.command(&["pair", "--json"]));
    pair.line();
    let status = desk.run(&["status"]);
    assert!(!status.succeeds().out.contains("limits"), "{status:?}");
    let status = desk.run(&["status", "--json"]).json();
    assert_eq!(status["offer_limits"], json!({"watch_only": false}));
}

#[test]
fn who_joins_is_told_the_limits_that_it_has() {
    let (desk, _daemon, _laptop) = joined();
    let mut pair = Telling::start(desk.command(&["pair", "--json", "--watch-only", "--for", "1d"]));
    let offer = pair.line();
    let guest = Machine::new();
    let joined = guest.run(&["join", offer["links"][0].as_str().unwrap(), "--name", "guest"]);
    let first = joined.succeeds().out.lines().next().unwrap();
    assert!(first.starts_with("paired with desk as guest: watch only, "), "{first}");
    assert!(first.ends_with(" left"), "{first}");
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

#[test]
fn a_program_is_a_list_of_words() {
    let desk = Machine::new();
    let settings = r#"
        [programs]
        watch = ["sh", "-c", "make 'all' | tee log", "", "Müller"]
        long = ["echo", "LONG", "more"]
    "#;
    std::fs::write(desk.file("config.toml"), settings.replace("LONG", &"x".repeat(300))).unwrap();
    let _daemon = desk.daemon(0);
    let programs = desk.run(&["programs", "--json"]).json();
    let command = |name: &str| {
        let mut all = programs.as_array().unwrap().iter();
        all.find(|program| program["name"] == name).unwrap()["command"].clone()
    };
    assert_eq!(command("watch"), json!(["sh", "-c", "make 'all' | tee log", "", "Müller"]));
    assert_eq!(command("shell"), json!(["/bin/sh", "-l"]));
    assert_eq!(command("long"), json!(["echo", "…"]));
    let listed = desk.run(&["programs"]);
    assert!(
        listed.succeeds().out.contains(r"sh -c 'make '\''all'\'' | tee log' '' "),
        "{listed:?}"
    );
}

#[test]
fn one_rule_holds_for_every_name() {
    let (desk, _daemon, laptop) = joined();
    desk.run(&["open", "-d", "--name", "work", "--", "/bin/cat"]).succeeds();
    let other = Machine::new();
    let join = ["join", "http://127.0.0.1:1", "K7QM-3FBR-9TZX", "--fingerprint", "ZMYR-C1HG"];
    let long = "x".repeat(65);
    for bad in ["", " ", &long, " desk", "two  spaces", "a\u{1b}[2Jb", "\u{202e}drow"] {
        for (machine, words) in [
            (&other, &["--name", bad][..]),
            (&other, &["start", "--name", bad]),
            (&other, &[&join[..], &["--name", bad]].concat()),
            (&desk, &["open", "-d", "--name", bad, "--", "/bin/cat"]),
            (&desk, &["rename", "work", bad]),
            (&desk, &["devices", "rename", "work-laptop", bad]),
            (&laptop, &["open", "-d", "--on", "desk", "--name", bad, "--", "/bin/cat"]),
            (&laptop, &["rename", "--on", "desk", "work", bad]),
            (&laptop, &["devices", "--on", "desk", "rename", "work-laptop", bad]),
        ] {
            let ran = machine.run(words);
            ran.fails(2, ": a name has 1 to 64 bytes, no control or invisible characters, and ");
            assert!(!ran.err.contains('\u{202e}'), "{ran:?}");
        }
    }
    let sessions = desk.run(&["sessions", "--json"]).json();
    let names = sessions.as_array().unwrap().iter().map(|session| &session["name"]);
    assert!(names.eq([&json!("work")]), "{sessions}");
    let fitting = "x".repeat(64);
    desk.run(&["rename", "work", &fitting]).succeeds();
    laptop.run(&["devices", "--on", "desk", "rename", "work-laptop", &fitting]).succeeds();
}

#[test]
fn a_place_that_is_not_there_is_told_in_plain_words() {
    let (desk, _daemon, laptop) = joined();
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("file"), "").unwrap();
    let here = place.path().canonicalize().unwrap();
    let opens = |machine: &Machine, words: &[&str], says: &str| {
        let mut open = machine.command(&[&["open", "-d"], words].concat());
        let ran = Ran::of(&open.current_dir(&here).stdin(Stdio::null()).output().unwrap());
        ran.fails(1, &says.replace("HERE", here.to_str().unwrap()));
    };
    let no_directory = "codeout: there is no directory HERE/nodir: make it, or name another\n";
    for words in [&["nodir/"][..], &["./nodir/"], &["cat", "nodir"], &["./nodir", "--", "cat"]] {
        opens(&desk, words, no_directory);
    }
    let neither = "codeout: there is neither a directory nor a program HERE/nodir\n  make it, ";
    opens(&desk, &["./nodir"], neither);
    opens(&desk, &[&format!("{}/nodir", here.display())], neither);
    // What can be a program alone, and what is something else.
    opens(&desk, &["nodir"], "no program nodir on PATH");
    opens(&desk, &["./nodir", "."], "there is no program HERE/");
    opens(&desk, &["./file"], "/file may not be run");
    opens(&laptop, &["--on", "desk", "no such dir/"], "there is no directory ");
    assert_eq!(desk.run(&["sessions", "--json"]).json(), json!([]));
}
