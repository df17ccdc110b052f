//! A device that takes 10 KiB a second of a session that prints 200 MiB.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::measure::{Report, median, millis, quantile, resident};
use crate::processes::{Daemon, World, runtime};
use crate::sessions::{Printer, Watcher};
use crate::text;

const BYTES: usize = 200 << 20;
const RATE: f64 = 10.0 * 1024.0;
const ROUNDS: usize = 5;

pub(crate) fn run(report: &mut Report, world: &World) {
    report.heading("slow device: takes 10 KiB/s while the session's program prints 200 MiB");
    let file = text::lines(world, BYTES);
    let runtime = runtime(1);
    let (daemon, mut alone, mut watched, watcher) = runtime.block_on(async {
        let daemon = Daemon::start(world, &world.directory("slow")).await;
        let own = daemon.connect().await;
        let alone = Printer::open(&own, world, "slow-alone", &file).await;
        let watched = Printer::open(&own, world, "slow-watched", &file).await;
        own.close().await;
        let connection = daemon.connect().await;
        let watcher = Watcher::start(connection, watched.session, Some(RATE)).await;
        watcher.shown(1).await;
        (daemon, alone, watched, watcher)
    });
    // What keeps output for devices that come back is filled, for both.
    alone.print();
    watched.print();
    let before = resident(daemon.pid());
    let ended = Arc::new(AtomicBool::new(false));
    let most = std::thread::spawn({
        let (ended, pid) = (Arc::clone(&ended), daemon.pid());
        move || {
            let mut most = resident(pid);
            while !ended.load(Ordering::Acquire) {
                std::thread::sleep(Duration::from_millis(20));
                most = most.zip(resident(pid)).map(|(most, now)| most.max(now));
            }
            most
        }
    });
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        without.push(millis(alone.print()));
        with.push(millis(watched.print()));
    }
    ended.store(true, Ordering::Release);
    let most = most.join().expect("it counts");
    let max = quantile(&mut with, 1.0);
    let (without, with) = (median(&mut without), median(&mut with));
    report.line(&format!(
        "with the slow device: {with:.0} ms (max {max:.0})    with none: {without:.0} ms    \
         ratio {:.2}",
        without / with
    ));
    report.line(&format!(
        "the device got {} KiB of output and {} snapshots",
        watcher.output() / 1024,
        watcher.snapshots()
    ));
    report.goal_at_least("slow device, speed of the session", without / with, 0.9);
    if let Some((before, most)) = before.zip(most) {
        let grown = (most - before) / 1024.0;
        report.line(&format!("the daemon's memory grew by {grown:.1} MiB at most"));
    }
}
