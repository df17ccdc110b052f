//! `codeout log`: what is told of what happened, and what is left of it when the daemon is killed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::path::Path;
use std::process::{Output, Stdio};

use codeout_protocol::code::Code;
use codeout_protocol::message::Request;
use serde_json::Value;
use support::device::{Device, shell};
use support::process::{DaemonProcess, codeout, offer};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout};

async fn run(home: &Path, arguments: &[&str]) -> Output {
    codeout(home).args(arguments).output().await.unwrap()
}

/// Standard output of a command that succeeds.
async fn said(home: &Path, arguments: &[&str]) -> String {
    let output = run(home, arguments).await;
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The trail, a value for each line.
async fn trail(home: &Path, arguments: &[&str]) -> Vec<Value> {
    let all = [&["log", "--json"], arguments].concat();
    let text = said(home, &all).await;
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What happened, in words of one line each: event, device or session, by whom.
fn told(lines: &[Value]) -> Vec<String> {
    let tell = |line: &Value| {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let whom = text(&line["device"]["name"]) + &text(&line["name"]);
        let by = text(&line["by"]["name"]);
        [text(&line["event"]), whom, by].join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
    };
    lines.iter().map(tell).collect()
}

async fn pair(home: &Path, daemon: &DaemonProcess, name: &str) -> Device {
    let code = offer(home).await;
    Device::pair(daemon.port, &code, name).await.unwrap()
}

/// `codeout log --follow`, and its lines.
struct Follower {
    child: Child,
    lines: tokio::io::Lines<BufReader<ChildStdout>>,
}

impl Follower {
    fn start(home: &Path, arguments: &[&str]) -> Self {
        let mut command = codeout(home);
        command.args(["log", "--follow"]).args(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Follower { child, lines }
    }

    /// Waits for a line with this in it.
    async fn until(&mut self, text: &str) -> String {
        let find = async {
            loop {
                let line = self.lines.next_line().await.unwrap();
                let line = line.unwrap_or_else(|| panic!("the trail ended before {text:?}"));
                if line.contains(text) {
                    return line;
                }
            }
        };
        tokio::time::timeout(support::PATIENCE, find).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_life_of_a_device_is_told_while_the_daemon_runs_and_when_it_does_not() {
    let home = TempDir::new().unwrap();
    let home = home.path();
    let daemon = DaemonProcess::start(home).await;
    let mut laptop = pair(home, &daemon, "laptop").await;
    let phone = pair(home, &daemon, "phone").await;
    let session = laptop.open_with(shell()).await;
    let name = session.name.clone();
    let rename = Request::RenameSession { session: session.session, name: "work".into() };
    laptop.ask(rename).await.unwrap();
    laptop.done(Request::End { session: session.session }).await;
    Follower::start(home, &["--json"]).until("session_ended").await;
    said(home, &["devices", "rename", "phone", "old phone"]).await;
    said(home, &["devices", "revoke", "old phone"]).await;
    assert!(Device::connect(daemon.port, &phone.credentials).await.is_err());
    Follower::start(home, &["--json"]).until("disconnected").await;

    let lines = trail(home, &[]).await;
    let expected = [
        "daemon_started",
        "offer_opened this computer",
        "offer_opened this computer",
        "paired laptop",
        "connected laptop",
        "offer_opened this computer",
        "paired phone",
        "connected phone",
        &format!("session_opened {name} laptop"),
        "session_renamed work laptop",
        "session_end_asked work laptop",
        "session_ended work",
        "renamed old phone this computer",
        "revoked old phone this computer",
    ];
    let order = told(&lines);
    assert_eq!(order[..expected.len()], expected, "{lines:#?}");
    let after: Vec<_> = order[expected.len()..].iter().map(String::as_str).collect();
    assert!(after.contains(&"disconnected phone"), "{after:?}");
    let numbers: Vec<_> = lines.iter().map(|line| line["number"].as_u64().unwrap()).collect();
    assert!(numbers.is_sorted());
    let gone = lines.iter().find(|line| line["event"] == "disconnected").unwrap();
    assert_eq!(gone["reason"], "revoked");
    let refused = lines.iter().find(|line| line["event"] == "refused").unwrap();
    assert_eq!(
        (&refused["reason"], &refused["source"]),
        (&"not_paired".into(), &"127.0.0.1".into())
    );

    drop(laptop);
    assert!(daemon.terminate().await.success());
    let later = told(&trail(home, &[]).await);
    assert_eq!(later[..expected.len()], expected);
    assert_eq!(later.last().unwrap(), "daemon_stopped");
    let of_phone = told(&trail(home, &["--device", "OLD PHONE"]).await);
    assert_eq!(
        of_phone,
        [
            "paired phone",
            "connected phone",
            "renamed old phone this computer",
            "revoked old phone this computer",
            "disconnected phone",
        ]
    );
    assert_eq!(told(&trail(home, &["-n", "1"]).await), ["daemon_stopped"]);
    assert_eq!(trail(home, &["--since", "1h", "-n", "2"]).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_for_people_are_plain_words() {
    let home = TempDir::new().unwrap();
    let home = home.path();
    let daemon = DaemonProcess::start(home).await;
    let _phone = pair(home, &daemon, "phone").await;
    let text = said(home, &["log"]).await;
    let paired = text.lines().find(|line| line.contains(" paired ")).unwrap();
    let (date, rest) = paired.split_at(20);
    assert!(date.ends_with('Z') && date.starts_with("20") && date.as_bytes()[10] == b' ', "{date}");
    assert_eq!(rest, "   paired             phone          from 127.0.0.1");
    assert!(!text.contains('\x1b'), "no colours where there is no terminal");

    let output = run(home, &["log", "--device", "tablet"]).await;
    assert_eq!(output.status.code(), Some(15));
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(error, "codeout: no device is called tablet\n  paired devices: phone\n");
    assert_eq!(run(home, &["log", "--since", "yesterday"]).await.status.code(), Some(2));

    let nowhere = TempDir::new().unwrap();
    for arguments in [&["log"][..], &["log", "--follow"]] {
        assert_eq!(run(nowhere.path(), arguments).await.status.code(), Some(10));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_follows_hears_of_everything_through_a_restart_to_the_end() {
    let home = TempDir::new().unwrap();
    let home = home.path();
    let daemon = DaemonProcess::start(home).await;
    let mut follower = Follower::start(home, &["-n", "1"]);
    follower.until("code shown").await;
    let _phone = pair(home, &daemon, "phone").await;
    follower.until(" paired             phone").await;
    said(home, &["restart"]).await;
    follower.until("daemon restarted").await;
    let _tablet = pair(home, &daemon, "tablet").await;
    follower.until(" paired             tablet").await;
    said(home, &["stop"]).await;
    follower.until("daemon stopped").await;
    let output = follower.child.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(output.stderr, b"the daemon does not run any more\n", "{output:?}");
    let refused = run(home, &["log", "--follow"]).await;
    assert_eq!(refused.status.code(), Some(10), "{refused:?}");
}

/// Whatever else the end of the daemon's process cuts short.
#[tokio::test(flavor = "multi_thread")]
async fn each_restart_tells_that_devices_were_disconnected() {
    const RESTARTS: usize = 5;
    let home = TempDir::new().unwrap();
    let home = home.path();
    let daemon = DaemonProcess::start(home).await;
    let phone = pair(home, &daemon, "phone").await;
    let credentials = phone.credentials.clone();
    let mut connected = phone;
    for _ in 0..RESTARTS {
        said(home, &["restart"]).await;
        connected.last_word().await.unwrap();
        connected = Device::connect(daemon.port, &credentials).await.unwrap();
    }
    let lines = trail(home, &[]).await;
    let because = |line: &&Value| line["event"] == "disconnected" && line["reason"] == "restarting";
    assert_eq!(lines.iter().filter(because).count(), RESTARTS, "{lines:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_speaks_as_no_device_does_is_told_of() {
    let home = TempDir::new().unwrap();
    let daemon = DaemonProcess::start(home.path()).await;
    let laptop = pair(home.path(), &daemon, "laptop").await;
    let mut wrong = laptop.credentials.clone();
    wrong.daemon_key = wrong.device.public;
    assert!(Device::connect(daemon.port, &wrong).await.is_err());
    let lines = trail(home.path(), &[]).await;
    let reasons: Vec<_> = lines.iter().map(|line| &line["reason"]).collect();
    assert!(reasons.contains(&&Value::from("malformed")), "{lines:#?}");
    assert!(daemon.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_codes_without_end_are_one_line_with_a_count() {
    let home = TempDir::new().unwrap();
    let home = home.path();
    let daemon = DaemonProcess::start(home).await;
    let _offered = offer(home).await;
    let wrong: Code = "0000-0000-0000".parse().unwrap();
    let mut tries = 0;
    for _ in 0..30 {
        assert!(Device::pair(daemon.port, &wrong, "thief").await.is_err());
        tries += 1;
        if tries == 10 {
            // Written once already: the count goes on.
            are_counted(home, "wrong_code", 10).await;
        }
    }
    are_counted(home, "wrong_code", 30).await;
    let text = said(home, &["log"]).await;
    assert!(text.contains("127.0.0.1      wrong pairing code, 30 times since 20"), "{text}");
}

/// Waits until so many are counted, in one line all the while: a device finds out by itself that its
/// code is wrong, and the daemon by the connection that ends.
async fn are_counted(home: &Path, reason: &str, count: u64) {
    let counted = async {
        loop {
            let lines = refusals(&trail(home, &[]).await, reason);
            assert!(matches!(lines[..], [] | [_]), "{lines:?}");
            if lines == [count] {
                return;
            }
        }
    };
    tokio::time::timeout(support::PATIENCE, counted).await.expect("not all are counted");
}

/// How often somebody was turned away for this reason, a number for each line.
fn refusals(lines: &[Value], reason: &str) -> Vec<u64> {
    let lines = lines.iter().filter(|line| line["reason"] == reason);
    lines.map(|line| line["times"].as_u64().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_when_the_daemon_is_killed_right_after() {
    let home = TempDir::new().unwrap();
    let home = home.path();
    for round in 1..=3 {
        let daemon = DaemonProcess::start(home).await;
        let _phone = pair(home, &daemon, "phone").await;
        said(home, &["devices", "rename", "phone", "lost"]).await;
        said(home, &["devices", "revoke", "lost"]).await;
        daemon.kill().await;
        let order = told(&trail(home, &[]).await);
        let count = |line: &str| order.iter().filter(|told| *told == line).count();
        for line in ["paired phone", "renamed lost this computer", "revoked lost this computer"] {
            assert_eq!(count(line), round, "{line}: {order:?}");
        }
        assert_eq!(count("connected phone"), round, "what came before stands before: {order:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_names_move_no_cursor_and_no_secret_is_told() {
    let home = TempDir::new().unwrap();
    let home = home.path();
    let directory = TempDir::new().unwrap();
    let hostile = directory.path().join("\u{1b}[2J\n\u{202e}x");
    std::fs::create_dir(&hostile).unwrap();
    let daemon = DaemonProcess::start(home).await;
    let code = offer(home).await;
    let mut phone = Device::pair(daemon.port, &code, "ph\u{1b}]0;x\u{7}one").await.unwrap();
    let open = codeout_protocol::message::Open {
        program: Some("sh".into()),
        arguments: vec!["-c".into(), "read hunter2".into()],
        directory: Some(hostile.to_str().unwrap().into()),
        name: Some("a\u{1b}[31mb\u{202e}c".into()),
        ..shell()
    };
    let session = phone.open_with(open).await;
    phone.done(Request::End { session: session.session }).await;
    Follower::start(home, &["--json"]).until("session_ended").await;

    for arguments in [&["log"][..], &["log", "--json"]] {
        let text = said(home, arguments).await;
        let acts = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!text.chars().any(acts), "{text:?}");
        assert!(text.contains("ph]0;xone"), "{text}");
        assert!(!text.contains("hunter2"), "arguments are not told: {text}");
        assert!(!text.contains(&*code.printed()), "{text}");
        assert!(!text.contains(&code.printed().replace('-', "")), "{text}");
    }
    let files = ["devices.db", "devices.db-wal"].map(|name| home.join("daemon").join(name));
    let held = files.into_iter().flat_map(|file| std::fs::read(file).unwrap()).collect::<Vec<_>>();
    let holds = |text: &str| held.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(holds("session_opened"));
    assert!(!holds("hunter2"));
    assert!(!holds(&code.printed()));
}
