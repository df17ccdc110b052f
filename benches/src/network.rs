//! Handshakes over real sockets with the real daemon in its own process, from one client that
//! uses one thread.

use std::time::Instant;

use codeout_device::{Profile, connect};
use codeout_protocol::link::Link;
use codeout_protocol::name::Name;

use crate::measure::{Report, median, millis, process_cpu, thread_cpu};
use crate::processes::{Daemon, World, join, runtime};
use crate::wire;

const CONNECTS: u32 = 500;
/// The daemon takes 128 at once and then 100 a second.
const PAIRINGS: usize = 60;
const JOINS: usize = 5;

pub(crate) fn run(report: &mut Report, world: &World) {
    report.heading("network: one client, one after the other, the daemon in its own process");
    let runtime = runtime(0);
    runtime.block_on(async {
        let home = world.directory("network");
        let daemon = Daemon::start(world, &home).await;
        connects(report, world, &daemon).await;
        pairings(report, &daemon).await;
        joins(report, world, &daemon).await;
    });
}

async fn connects(report: &mut Report, world: &World, daemon: &Daemon) {
    let (connection, profile) = join(daemon.offer().await, &world.directory("one"), "one").await;
    connection.close().await;
    connect_once(&profile).await;
    let (theirs, ours, start) = (process_cpu(daemon.pid()), thread_cpu(), Instant::now());
    for _ in 0..CONNECTS {
        connect_once(&profile).await;
    }
    let (wall, ours) = (start.elapsed() / CONNECTS, (thread_cpu() - ours) / CONNECTS);
    let a_second = 1.0 / wall.as_secs_f64();
    report.line(&format!(
        "connect, close   {a_second:>6.0} a second    {:>7.3} ms each    device's CPU {:.3} ms",
        millis(wall),
        millis(ours)
    ));
    let theirs = theirs.zip(process_cpu(daemon.pid()));
    let Some(theirs) = theirs.map(|(before, after)| (after - before) / CONNECTS) else {
        report.line("without the daemon's CPU: there is no /proc here");
        return;
    };
    report.line(&format!("{:>60}daemon's CPU {:.3} ms", "", millis(theirs)));
    report.goal("connect over sockets, CPU of both ends", millis(ours + theirs), "ms", 1.0);
}

async fn connect_once(profile: &Profile) {
    connect(profile).await.expect("the daemon knows this device").close().await;
}

/// The messages and the daemon's disk alone.
async fn pairings(report: &mut Report, daemon: &Daemon) {
    let mut times = Vec::new();
    for number in 0..PAIRINGS {
        let name = Name::clean(&format!("bench {number}")).expect("a name");
        let link = daemon.offer().await;
        let start = Instant::now();
        pair_once(&link, &name).await;
        times.push(millis(start.elapsed()));
    }
    let each = median(&mut times);
    report.line(&format!(
        "pair             {:>6.0} a second    {each:>7.3} ms each    with the daemon's disk",
        1e3 / each
    ));
}

async fn pair_once(link: &Link, name: &Name) {
    wire::pair(wire::port(link), &link.code, name).await.expect("the daemon is honest");
}

/// All that `codeout join` does: both ends' disks, and the fingerprint's 64 MiB.
async fn joins(report: &mut Report, world: &World, daemon: &Daemon) {
    let mut times = Vec::new();
    for number in 0..JOINS {
        let (link, name) = (daemon.offer().await, format!("join-{number}"));
        let home = world.directory(&name);
        let start = Instant::now();
        let (connection, _) = join(link, &home, &name).await;
        times.push(millis(start.elapsed()));
        connection.close().await;
    }
    report.line(&format!(
        "pair, confirmed  {:>24.3} ms each    with both disks and the fingerprint",
        median(&mut times)
    ));
}
