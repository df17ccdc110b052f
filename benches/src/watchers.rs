//! Many devices that watch one busy session: what they cost its program. All of them are in this
//! process, which takes its own share of the cores.

use std::path::Path;

use codeout_device::{Profile, connect};

use crate::measure::{Report, median, millis, quantile};
use crate::processes::{Daemon, World, join, runtime};
use crate::sessions::{Printer, Watcher};
use crate::text;

const BYTES: usize = 64 << 20;
const ROUNDS: usize = 7;
/// Connections that a daemon takes from one device.
const CONNECTIONS: usize = 16;

pub(crate) fn run(report: &mut Report, world: &World) {
    report.heading(
        "watchers: time in which a session's program prints 64 MiB, beside one that none watches",
    );
    raise_descriptors();
    let file = text::lines(world, BYTES);
    for (kind, count) in [("local", 1), ("local", 10), ("local", 100), ("local", 1_000)] {
        round(report, world, &file, kind, count);
    }
    for count in [1, 10, 100] {
        round(report, world, &file, "paired", count);
    }
}

/// A fresh daemon for each count, so that none has the memory of another.
fn round(report: &mut Report, world: &World, file: &Path, kind: &str, count: usize) {
    let runtime = runtime(2);
    let home = world.directory(&format!("watchers-{kind}-{count}"));
    let name = |what| format!("{what}-{kind}-{count}");
    let (daemon, mut alone, mut watched, watchers) = runtime.block_on(async {
        let daemon = Daemon::start(world, &home).await;
        let own = daemon.connect().await;
        let alone = Printer::open(&own, world, &name("alone"), file).await;
        let watched = Printer::open(&own, world, &name("watched"), file).await;
        let profiles = if kind == "paired" { devices(world, &daemon, count).await } else { vec![] };
        let mut watchers = Vec::with_capacity(count);
        for number in 0..count {
            let connection = match profiles.get(number / CONNECTIONS) {
                Some(profile) => connect(profile).await.expect("the daemon knows this device"),
                None => daemon.connect().await,
            };
            watchers.push(Watcher::start(connection, watched.session, None).await);
        }
        for watcher in &watchers {
            watcher.shown(1).await;
        }
        own.close().await;
        (daemon, alone, watched, watchers)
    });
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        without.push(millis(alone.print()));
        with.push(millis(watched.print()));
        // What is still on its way is not to weigh on the session that none watches.
        runtime.block_on(settled(&watchers));
    }
    let ratio = median(&mut without) / median(&mut with);
    tell(report, &format!("{kind:<7}{count:>5}"), &mut without, &mut with, &watchers);
    report.goal_at_least(&format!("{count} {kind} watchers, speed of the session"), ratio, 0.9);
    drop(watchers);
    drop(daemon);
}

/// Waits until the devices have seen all that they will.
async fn settled(watchers: &[Watcher]) {
    let seen = || watchers.iter().map(|watcher| watcher.output() + watcher.snapshots()).sum();
    let mut before: u64 = seen();
    loop {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        let now = seen();
        if now == before {
            return;
        }
        before = now;
    }
}

fn tell(
    report: &mut Report,
    what: &str,
    without: &mut [f64],
    with: &mut [f64],
    watchers: &[Watcher],
) {
    let (without, most, with) = (median(without), quantile(with, 1.0), median(with));
    report.line(&format!(
        "{what} watching: {with:>6.0} ms (max {most:.0})    none: {without:>6.0} ms    ratio {:.2}",
        without / with
    ));
    let printed = (ROUNDS * BYTES) as f64;
    let mut parts: Vec<f64> =
        watchers.iter().map(|watcher| watcher.output() as f64 / printed).collect();
    let skipped = watchers.iter().filter(|watcher| watcher.snapshots() > 1).count();
    let snapshots: u64 = watchers.iter().map(|watcher| watcher.snapshots() - 1).sum();
    report.line(&format!(
        "    of the output a device got {:.3} (median; least {:.3}); {skipped} got {snapshots} \
         snapshots in its place",
        median(&mut parts),
        quantile(&mut parts, 0.0)
    ));
}

/// Pairs as many devices as that many connections need.
async fn devices(world: &World, daemon: &Daemon, connections: usize) -> Vec<Profile> {
    let mut profiles = Vec::new();
    for number in 0..connections.div_ceil(CONNECTIONS) {
        let name = format!("watching-{connections}-{number}");
        let (connection, profile) =
            join(daemon.offer().await, &world.directory(&name), &name).await;
        connection.close().await;
        profiles.push(profile);
    }
    profiles
}

/// A connection takes one, and a thousand are to be open.
pub(crate) fn raise_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let wanted = maximum.unwrap_or(10_240).min(10_240);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum });
    raised.expect("a process may open what it may");
}
