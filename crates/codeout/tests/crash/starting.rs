//! `kill -9` at every system call of a daemon that starts, and of a command that changes the files
//! of one that does not run.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use futures_util::StreamExt;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::scene::{Template, Told, identity};
use crate::support::process::{DaemonProcess, codeout, offer};
use crate::support::{PATIENCE, pair_on_wire};
use crate::tracer::{self, Point};
use crate::{report, some_of};

/// What lies in the directory before the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    /// Of a daemon that was stopped.
    Files,
    /// Of one that was killed: with a log that is not yet in the list.
    Wreck,
}

impl Before {
    async fn home(self, template: &Template) -> (TempDir, Told) {
        let mut told = Told::default();
        match self {
            Before::Nothing => return (TempDir::new().unwrap(), told),
            Before::Files => return (template.copy(), told),
            Before::Wreck => {}
        }
        let home = template.copy();
        let daemon = DaemonProcess::start(home.path()).await;
        let code = offer(home.path()).await;
        let name = codeout_protocol::name::Name::clean("fresh").unwrap();
        let paired = crate::support::pair_named(daemon.port, &code, &name, &mut told.fresh).await;
        told.paired = paired.is_ok();
        assert!(told.paired);
        daemon.kill().await;
        assert!(fs::metadata(home.path().join("daemon/devices.db-wal")).unwrap().len() > 0);
        (home, told)
    }

    fn words(self) -> &'static str {
        match self {
            Before::Nothing => "the first start",
            Before::Files => "a start after a stop",
            Before::Wreck => "a start after a kill",
        }
    }
}

fn daemon(home: &Path) -> Command {
    let mut command = codeout(home);
    command.args(["--port", "0", "--bind", "127.0.0.1"]);
    command
}

/// The only child of a process.
fn child_of(process: u32) -> Option<i32> {
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).ok()?;
    children.split_whitespace().next()?.parse().ok()
}

/// Waits until a daemon under `strace` has said that it runs, or is gone, and ends it. Whether it
/// said so.
async fn announced(mut tracer: Child) -> bool {
    let mut output = BufReader::new(tracer.stdout.take().unwrap());
    let mut line = String::new();
    let read = tokio::time::timeout(PATIENCE, output.read_line(&mut line));
    read.await.expect("it neither runs nor ends").unwrap();
    let daemon = tracer.id().and_then(child_of);
    if let Some(daemon) = daemon.and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process(daemon, rustix::process::Signal::KILL);
    }
    tracer.wait().await.unwrap();
    line.ends_with('\n')
}

async fn census(before: Before, template: &Template) -> Vec<Point> {
    let (home, _) = before.home(template).await;
    let calls = TempDir::new().unwrap();
    let file = calls.path().join("calls");
    let mut command = tracer::under(&tracer::watching(&file), &daemon(home.path()));
    let started = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    assert!(announced(started).await);
    tracer::points(&file, &[])
}

/// Starts a daemon that is killed there, and another after it. Whether the first was killed before
/// it said that it runs.
async fn kill_at(before: Before, template: &Template, point: &Point) -> bool {
    let (home, told) = before.home(template).await;
    let options = tracer::striking(point, "signal=SIGKILL");
    let mut command = tracer::under(&options, &daemon(home.path()));
    let started = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let announced = announced(started).await;

    let key = fs::read(identity(home.path()));
    let daemon = DaemonProcess::start(home.path()).await;
    let after = fs::read(identity(home.path())).unwrap();
    match key {
        Ok(key) => assert_eq!(key, after, "another key"),
        Err(_) => assert!(before == Before::Nothing && !announced),
    }
    if before == Before::Nothing {
        let code = offer(home.path()).await;
        pair_on_wire(daemon.port, &code, &mut None).await.unwrap();
    } else {
        template.holds(home.path(), &daemon, &told).await;
    }
    daemon.terminate().await;
    // No draft lies about: one of the key would be a second copy of it.
    let names = fs::read_dir(home.path().join("daemon")).unwrap();
    let mut names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(names.all(|name| !name.starts_with('.')), "{point:?}");
    !announced
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_is_killed_at_every_call_of_its_start() {
    if !tracer::is_possible("a start, killed at each system call", false) {
        return;
    }
    let template = &Template::new().await;
    for before in [Before::Nothing, Before::Files, Before::Wreck] {
        let points = some_of(census(before, template).await, 5);
        let killed = futures_util::stream::iter(&points)
            .map(|point| kill_at(before, template, point))
            .buffer_unordered(2)
            .collect::<Vec<_>>()
            .await;
        let struck = killed.iter().filter(|struck| **struck).count();
        assert!(struck > 0, "{before:?}: never killed");
        let all = points.len();
        report(&format!("{}: {all} points, killed at {struck}, same key", before.words()));
    }
}

/// Revokes a device in the files of a daemon that does not run.
fn revoke(home: &Path) -> Command {
    let mut command = codeout(home);
    command.args(["devices", "revoke", "other"]);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_killed_at_every_call_while_no_daemon_runs() {
    if !tracer::is_possible("a command on files, killed at each system call", false) {
        return;
    }
    let template = &Template::new().await;
    let (home, calls) = (template.copy(), TempDir::new().unwrap());
    let file = calls.path().join("calls");
    let output = tracer::under(&tracer::watching(&file), &revoke(home.path())).output().await;
    assert!(output.unwrap().status.success());
    let points = some_of(tracer::points(&file, &[]), 6);
    let (all, mut struck, mut acknowledged) = (points.len(), 0, 0);
    for point in points {
        let home = template.copy();
        let options = tracer::striking(&point, "signal=SIGKILL");
        let output = tracer::under(&options, &revoke(home.path())).output().await.unwrap();
        let revoked = output.stdout.starts_with(b"revoked.");
        struck += usize::from(!output.status.success());
        acknowledged += usize::from(revoked && !output.status.success());
        let told = Told { revoked, may_be_revoked: true, ..Told::default() };
        let daemon = DaemonProcess::start(home.path()).await;
        template.holds(home.path(), &daemon, &told).await;
        daemon.kill().await;
    }
    assert!(struck > 0);
    report(&format!(
        "revoking while no daemon runs: {all} points, killed at {struck}, {acknowledged} of them \
         acknowledged, 0 of these lost"
    ));
}
