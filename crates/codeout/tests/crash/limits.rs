//! A daemon that gets no more descriptors, or no more memory.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use codeout_protocol::message::{Answer, Open, Outcome, Request};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpStream, UnixStream};
use tokio::process::Command;

use crate::report;
use crate::scene::{Template, Told, identity, is_in};
use crate::support::PATIENCE;
use crate::support::device::{Device, SIZE};
use crate::support::process::{DaemonProcess, codeout, control};

/// Makes a daemon's command one under a limit of the shell's.
fn limited(command: &mut Command, limit: &str) {
    let program = command.as_std().get_program().to_owned();
    let arguments: Vec<_> = command.as_std().get_args().map(ToOwned::to_owned).collect();
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("{limit} && exec \"$0\" \"$@\"")).arg(program).args(arguments);
    for (name, value) in command.as_std().get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    *command = shell;
}

async fn start(home: &Path, limit: &str) -> DaemonProcess {
    DaemonProcess::start_with(home, |command| limited(command, limit)).await
}

fn descriptors(process: u32) -> usize {
    fs::read_dir(format!("/proc/{process}/fd")).unwrap().count()
}

/// Waits until it is so.
async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let mut look = tokio::time::interval(Duration::from_millis(10));
    let looked = async {
        while !is_so() {
            look.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, looked).await.unwrap_or_else(|_| panic!("not {what}"));
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn descriptors_run_out() {
    const MOST: usize = 64;
    const PASTE: usize = 40_000;
    let template = Template::new().await;
    let home = template.copy();
    let home = home.path();
    let daemon = start(home, &format!("ulimit -n {MOST}")).await;
    let process = control(home).await.status().await.unwrap().pid;
    let mut kept = Device::connect(daemon.port, &template.kept.credentials).await.unwrap();
    let session = kept.open().await;
    // A terminal that nobody reads, until the gate opens.
    let gate = home.join("gate");
    assert!(Command::new("mkfifo").arg(&gate).status().await.unwrap().success());
    let full = kept.open_raw().await;
    let script = format!("read -r _ < {}; head -c {PASTE} | wc -c\n", gate.display());
    kept.type_in(full, script.as_bytes()).await.unwrap();
    kept.see_written(full).await;

    // Strangers: more than there are descriptors.
    let mut strangers = Vec::new();
    for _ in 0..2 * MOST {
        strangers.push(TcpStream::connect(("127.0.0.1", daemon.port)).await.unwrap());
    }
    // Most are turned away at once: they take no descriptor from whoever may come in.
    let mut turned_away = 0;
    for stranger in &mut strangers {
        let mut answer = [0; 12];
        if turned_away < MOST && stranger.read_exact(&mut answer).await.is_ok() {
            turned_away += usize::from(&answer == b"HTTP/1.1 503");
        }
    }
    assert!(turned_away >= MOST, "{turned_away} turned away");
    let before = descriptors(process);
    // The daemon's own user is heard all the same, and so is who is paired.
    let renamed = control(home).await.rename("other", "renamed").await.unwrap();
    assert_eq!(renamed.name, "renamed");
    is_in(daemon.port, &template.other.credentials).await;
    kept.type_in(session, b"echo $((6 * 7))\n").await.unwrap();
    kept.see(session, "42").await;

    // Sessions take the rest: one after the other, until one is refused in words.
    let mut opened = 0;
    let refused = loop {
        let open = Open { columns: SIZE.columns, rows: SIZE.rows, ..Open::default() };
        match kept.ask(Request::Open(open)).await.unwrap() {
            Outcome::Ok(Answer::Opened { .. }) => opened += 1,
            Outcome::Error(error) => break error,
            other => panic!("{other:?}"),
        }
        assert!(opened < MOST, "descriptors never run out");
    };
    assert!(!refused.message.is_empty());
    // The last ones, taken by visits that say nothing.
    let mut visits = Vec::new();
    for _ in 0..MOST {
        visits.push(UnixStream::connect(home.join("daemon/control.sock")).await.unwrap());
    }
    until("none is left", || descriptors(process) >= MOST).await;
    // More than a terminal takes at once arrives, although there is no descriptor to wait with.
    kept.type_in(full, &[b'x'; PASTE]).await.unwrap();
    fs::OpenOptions::new().write(true).open(&gate).unwrap().write_all(b"go\n").unwrap();
    kept.see(full, &PASTE.to_string()).await;
    drop(visits);
    // What there is goes on, and a device is put out.
    kept.type_in(session, b"echo $((6 * 9))\n").await.unwrap();
    kept.see(session, "54").await;
    let revoke = Request::Revoke { device: template.other.id.clone() };
    assert!(matches!(kept.ask(revoke).await.unwrap(), Outcome::Ok(Answer::Done {})));

    // With descriptors again, everybody comes in.
    let told = Told { revoked: true, may_be_revoked: true, renamed: true, ..Told::default() };
    drop(strangers);
    until("free again", || descriptors(process) < before + opened * 2).await;
    template.holds(home, &daemon, &told).await;
    daemon.kill().await;
    let daemon = DaemonProcess::start(home).await;
    template.holds(home, &daemon, &told).await;
    daemon.kill().await;
    report(&format!(
        "{MOST} descriptors, {} strangers and {opened} sessions: whoever was connected went on, \
         the next session was refused in words, one device was revoked, 0 lost",
        2 * MOST
    ));
}

/// How a start under a limit of memory ended.
#[derive(Debug, PartialEq, Eq)]
enum Start {
    Ran,
    /// With words and an exit status.
    Refused,
    /// By the system's loader, or an abort.
    Ended,
}

async fn start_with(home: &Path, kilobytes: u64) -> Start {
    let mut command = codeout(home);
    command.args(["start", "--port", "0", "--bind", "127.0.0.1"]);
    // Words about a panic take memory, too.
    command.env("RUST_BACKTRACE", "1");
    limited(&mut command, &format!("ulimit -v {kilobytes}"));
    command.stderr(Stdio::piped());
    let output = tokio::time::timeout(PATIENCE, command.output()).await;
    let output = output.expect("it neither starts nor ends").unwrap();
    if output.status.success() {
        control(home).await.stop(true).await.unwrap();
        return Start::Ran;
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let in_order = said.starts_with("codeout: ") && !said.contains("a fault of its own");
    if in_order { Start::Refused } else { Start::Ended }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_runs_out() {
    let template = Template::new().await;
    let home = template.copy();
    let home = home.path();
    let step = if crate::long_form().is_some() { 1 } else { 6 };
    let mut ends = Vec::new();
    for megabytes in (16_u64..64).step_by(step) {
        ends.push(start_with(home, megabytes << 10).await);
        assert_eq!(fs::read(identity(home)).unwrap(), template.identity(), "another key");
    }
    let count = |end| ends.iter().filter(|other| **other == end).count();
    assert!(count(Start::Ran) > 0, "{ends:?}");

    // Sessions until there is no room for more: it says so, or it is gone.
    let daemon = start(home, "ulimit -v 57344").await;
    let mut kept = Device::connect(daemon.port, &template.kept.credentials).await.unwrap();
    let mut told = Told { may_be_revoked: true, ..Told::default() };
    let revoke = Request::Revoke { device: template.other.id.clone() };
    let mut opened = 0;
    let last = loop {
        let open = Open { columns: SIZE.columns, rows: SIZE.rows, ..Open::default() };
        match kept.ask(Request::Open(open)).await {
            Ok(Outcome::Ok(Answer::Opened { .. })) => opened += 1,
            other => break other.map(|_| ()),
        }
    };
    if last.is_ok() {
        let outcome = kept.ask(revoke).await;
        told.revoked = matches!(outcome, Ok(Outcome::Ok(Answer::Done {})));
    }
    let goes_on = last.is_ok();
    daemon.kill().await;
    let daemon = DaemonProcess::start(home).await;
    template.holds(home, &daemon, &told).await;
    daemon.kill().await;
    report(&format!(
        "memory: {} starts with 16 to 64 MiB, {} of them ran, {} were refused in words, {} could \
         not be loaded or were ended, same key; with 56 MiB and {opened} sessions the next was {}, \
         0 lost",
        ends.len(),
        count(Start::Ran),
        count(Start::Refused),
        count(Start::Ended),
        if goes_on { "refused in words" } else { "the end of the daemon" }
    ));
}
