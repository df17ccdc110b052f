//! `kill -9` at every system call by which a running daemon pairs, renames, revokes and stops:
//! between check, spend, commit and reply.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use codeout_protocol::code::Code;
use codeout_protocol::message::{Answer, Outcome, Request};
use codeout_protocol::name::Name;
use futures_util::StreamExt;
use tempfile::TempDir;

use crate::scene::{Template, Told, lets_in};
use crate::support::device::Device;
use crate::support::pair_named;
use crate::support::process::{DaemonProcess, control, offer};
use crate::tracer::{self, Point, Tracer};
use crate::{report, some_of};

/// What a running daemon is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    Pair,
    Rename,
    /// By a device.
    Revoke,
    /// At the daemon's own machine.
    RevokeHere,
    Stop,
}

impl Task {
    pub(crate) const ALL: [Task; 5] =
        [Task::Pair, Task::Rename, Task::Revoke, Task::RevokeHere, Task::Stop];

    pub(crate) fn words(self) -> &'static str {
        match self {
            Task::Pair => "pairing",
            Task::Rename => "renaming",
            Task::Revoke => "revoking, by a device",
            Task::RevokeHere => "revoking, at the daemon's machine",
            Task::Stop => "stopping",
        }
    }
}

/// A daemon that runs, with both its devices connected and an offer open.
pub(crate) struct Scene {
    pub(crate) home: TempDir,
    pub(crate) daemon: DaemonProcess,
    pub(crate) process: u32,
    pub(crate) kept: Device,
    _other: Device,
    pub(crate) code: Code,
}

impl Scene {
    pub(crate) async fn begin(template: &Template) -> Self {
        let home = template.copy();
        let daemon = DaemonProcess::start(home.path()).await;
        let kept = Device::connect(daemon.port, &template.kept.credentials).await.unwrap();
        let other = Device::connect(daemon.port, &template.other.credentials).await.unwrap();
        let process = control(home.path()).await.status().await.unwrap().pid;
        let code = offer(home.path()).await;
        Scene { home, daemon, process, kept, _other: other, code }
    }

    /// Asks for it; what is acknowledged is in `told`, also when the daemon is gone in between.
    pub(crate) async fn perform(&mut self, task: Task, template: &Template, told: &mut Told) {
        let other = &template.other.id;
        match task {
            Task::Pair => {
                let name = Name::clean("fresh").unwrap();
                let mut kept = None;
                let paired = pair_named(self.daemon.port, &self.code, &name, &mut kept).await;
                if let (Ok(mut line), Some(credentials)) = (paired, &kept) {
                    told.paired = true;
                    let _ = line.ping().await;
                    assert!(!lets_in(self.daemon.port, &self.code).await, "a second device");
                    assert_eq!(credentials.daemon_key, template.kept.credentials.daemon_key);
                }
                told.fresh = kept;
            }
            Task::Rename => {
                let Some(client) = connected(self.home.path()).await else { return };
                told.renamed = client.rename(other, "renamed").await.is_ok();
            }
            Task::Revoke => {
                told.may_be_revoked = true;
                let revoke = Request::Revoke { device: other.clone() };
                let outcome = self.kept.ask(revoke).await;
                told.revoked = matches!(outcome, Ok(Outcome::Ok(Answer::Done {})));
            }
            Task::RevokeHere => {
                told.may_be_revoked = true;
                let Some(client) = connected(self.home.path()).await else { return };
                told.revoked = client.revoke(other).await.is_ok();
            }
            Task::Stop => {
                let Some(client) = connected(self.home.path()).await else { return };
                let _ = client.stop(true).await;
            }
        }
    }
}

async fn connected(home: &Path) -> Option<codeout_daemon::control::Client> {
    codeout_daemon::control::Client::connect(&home.join("daemon")).await
}

/// The points at which a daemon makes its calls while it does this.
pub(crate) async fn census(template: &Template, task: Task) -> Vec<Point> {
    let mut scene = Scene::begin(template).await;
    let file = scene.home.path().join("calls");
    let threads = tracer::threads(scene.process);
    let tracer = Tracer::watch(scene.process, &file).await;
    let mut told = Told::default();
    scene.perform(task, template, &mut told).await;
    let done = match task {
        Task::Pair => told.paired,
        Task::Rename => told.renamed,
        Task::Revoke | Task::RevokeHere => told.revoked,
        Task::Stop => true,
    };
    assert!(done, "{task:?}");
    scene.daemon.kill().await;
    tracer.ended().await;
    tracer::points(&file, &threads)
}

/// What became of one kill.
struct Killed {
    struck: bool,
    acknowledged: bool,
}

/// Kills a daemon there while it does this, and looks what it says when it runs again.
async fn kill_at(template: &Template, task: Task, point: &Point) -> Killed {
    let mut scene = Scene::begin(template).await;
    let tracer = Tracer::strike(scene.process, point, "signal=SIGKILL", false).await;
    let mut told = Told::default();
    scene.perform(task, template, &mut told).await;
    let Scene { home, daemon, code, .. } = scene;
    let struck = if task == Task::Stop {
        daemon.ended().await.signal() == Some(9)
    } else {
        let answers = match connected(home.path()).await {
            Some(client) => client.status().await.is_ok(),
            None => false,
        };
        daemon.kill().await;
        !answers
    };
    tracer.ended().await;
    let daemon = DaemonProcess::start(home.path()).await;
    template.holds(home.path(), &daemon, &told).await;
    assert!(!lets_in(daemon.port, &code).await, "an offer outlived its daemon");
    daemon.kill().await;
    Killed { struck, acknowledged: told.paired || told.renamed || told.revoked }
}

/// The same, again where another thread did the work and the daemon was not killed.
async fn surely_kill_at(template: &Template, task: Task, point: &Point) -> Killed {
    let killed = kill_at(template, task, point).await;
    if killed.struck {
        return killed;
    }
    let point = Point { thread: None, ..point.clone() };
    kill_at(template, task, &point).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_is_killed_at_every_call_of_what_it_does() {
    if !tracer::is_possible("a running daemon, killed at each system call", true) {
        return;
    }
    let template = &Template::new().await;
    for task in Task::ALL {
        let points = some_of(census(template, task).await, 4);
        let killed = futures_util::stream::iter(&points)
            .map(|point| surely_kill_at(template, task, point))
            .buffer_unordered(2)
            .collect::<Vec<_>>()
            .await;
        let struck = killed.iter().filter(|killed| killed.struck).count();
        let told = killed.iter().filter(|killed| killed.struck && killed.acknowledged).count();
        assert!(struck > 0, "{task:?}: never killed");
        report(&format!(
            "{}: {} points, killed at {struck}, {told} of them acknowledged, 0 of these lost",
            task.words(),
            points.len()
        ));
    }
}
