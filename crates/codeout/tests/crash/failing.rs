//! A disk that fails at every system call by which a running daemon pairs, renames and revokes,
//! once or from there on: what fails is said to have failed, and the daemon goes on.

use std::collections::BTreeSet;

use futures_util::StreamExt;

use crate::points::{Scene, Task, census};
use crate::scene::{Template, Told, lets_in};
use crate::support::device::Device;
use crate::support::process::{DaemonProcess, control};
use crate::tracer::{self, Point, Tracer};
use crate::{report, some_of};

/// The calls that a disk can fail, and how.
const FAILURES: [(&str, &str); 8] = [
    ("fdatasync", "EIO"),
    ("fsync", "EIO"),
    ("ftruncate", "EIO"),
    ("openat", "EROFS"),
    ("pwrite64", "EIO"),
    ("pwrite64", "ENOSPC"),
    ("pwrite64", "EROFS"),
    ("unlink", "EIO"),
];

/// A call that fails.
struct Failure {
    point: Point,
    error: &'static str,
    /// And all after it.
    on: bool,
}

fn failures(points: &[Point]) -> Vec<Failure> {
    let mut all = Vec::new();
    for (call, error) in FAILURES {
        // Whichever thread it is: which of them works changes from time to time.
        let turns: BTreeSet<usize> =
            points.iter().filter(|point| point.call == call).map(|point| point.turn).collect();
        for turn in turns {
            let point = Point { thread: None, call: call.to_owned(), turn };
            all.extend([false, true].map(|on| Failure { point: point.clone(), error, on }));
        }
    }
    all
}

/// Lets the daemon do this while its disk fails, and again when it does not. Whether it was
/// acknowledged at first.
async fn fail_at(template: &Template, task: Task, failure: &Failure) -> bool {
    let mut scene = Scene::begin(template).await;
    let strike = format!("error={}", failure.error);
    let tracer = Tracer::strike(scene.process, &failure.point, &strike, failure.on).await;
    let mut told = Told::default();
    scene.perform(task, template, &mut told).await;
    tracer.detach().await;
    // It runs on, and what it says of its list is right.
    template.holds(scene.home.path(), &scene.daemon, &told).await;
    let acknowledged = told.paired || told.renamed || told.revoked;
    if acknowledged {
        // The code is spent.
        assert!(task != Task::Pair || !lets_in(scene.daemon.port, &scene.code).await);
    } else {
        // The same can be done now, with the same code. What did not succeed may come back when
        // the daemon is killed now; once it is done again, it may not.
        let mut again = Told::default();
        scene.kept = Device::connect(scene.daemon.port, &template.kept.credentials).await.unwrap();
        scene.perform(task, template, &mut again).await;
        let list = control(scene.home.path()).await.devices().await.unwrap();
        let is_out = !list.iter().any(|entry| entry.id == template.other.id);
        let is_revoked = matches!(task, Task::Revoke | Task::RevokeHere) && is_out;
        assert!(again.paired || again.renamed || again.revoked || is_revoked, "{task:?}");
        again.may_be_revoked |= told.may_be_revoked;
        told = again;
    }
    let Scene { home, daemon, .. } = scene;
    daemon.kill().await;
    let daemon = DaemonProcess::start(home.path()).await;
    template.holds(home.path(), &daemon, &told).await;
    daemon.kill().await;
    acknowledged
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_fails_at_every_call_of_what_a_daemon_does() {
    if !tracer::is_possible("a running daemon whose disk fails at each system call", true) {
        return;
    }
    let template = &Template::new().await;
    for task in [Task::Pair, Task::Rename, Task::Revoke, Task::RevokeHere] {
        let failures = some_of(failures(&census(template, task).await), 5);
        let acknowledged = futures_util::stream::iter(&failures)
            .map(|failure| fail_at(template, task, failure))
            .buffer_unordered(2)
            .collect::<Vec<_>>()
            .await;
        let done = acknowledged.iter().filter(|acknowledged| **acknowledged).count();
        report(&format!(
            "{}, with a disk that fails: {} failures, done all the same {done}, said to have \
             failed {}, 0 lost, 0 half done",
            task.words(),
            failures.len(),
            failures.len() - done
        ));
    }
}
