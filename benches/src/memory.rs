//! The daemon's resident memory: of itself, of a session that is idle, of a device that is
//! attached.

use std::path::Path;
use std::time::Duration;

use codeout_device::{Connection, connect};

use crate::measure::{Report, resident};
use crate::processes::{Daemon, World, join, runtime};
use crate::sessions::{self, Printer, Watcher};
use crate::text;
use crate::watchers::raise_descriptors;

const SESSIONS: usize = 20;
/// As much as the history keeps.
const LINES: usize = 10_000;
/// As much as fills what is kept for devices that come back, too.
const MANY_LINES: usize = 60_000;
const DEVICES: usize = 100;
/// Connections that a daemon takes from one device.
const CONNECTIONS: usize = 16;
const BUSY: usize = 32 << 20;
/// Behind that much silence a session packs what it keeps.
const SILENCE: Duration = Duration::from_secs(8);

pub(crate) fn run(report: &mut Report, world: &World) {
    report.heading("memory: the daemon's resident memory, KiB");
    raise_descriptors();
    let runtime = runtime(2);
    runtime.block_on(async {
        if !idle(report, world).await {
            report.line("without memory: there is no /proc here");
            return;
        }
        for lines in [LINES, MANY_LINES] {
            per_session(report, world, lines).await;
        }
        for kind in ["local", "paired"] {
            per_device(report, world, kind).await;
        }
    });
}

fn memory(daemon: &Daemon) -> f64 {
    resident(daemon.pid()).unwrap_or(f64::NAN)
}

async fn idle(report: &mut Report, world: &World) -> bool {
    let daemon = Daemon::start(world, &world.directory("memory-idle")).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let Some(kib) = resident(daemon.pid()) else { return false };
    report.line(&format!("{kib:>8.0}  a daemon without sessions"));
    report.goal("idle daemon", kib / 1024.0, "MiB", 20.0);
    true
}

async fn per_session(report: &mut Report, world: &World, lines: usize) {
    let file = text::words(world, lines);
    let daemon = Daemon::start(world, &world.directory(&format!("memory-{lines}"))).await;
    let connection = daemon.connect().await;
    let before = memory(&daemon);
    for number in 0..SESSIONS {
        print_and_idle(&connection, &format!("session-{number}"), &file, lines).await;
    }
    let busy = (memory(&daemon) - before) / SESSIONS as f64;
    tokio::time::sleep(SILENCE).await;
    let each = (memory(&daemon) - before) / SESSIONS as f64;
    report.line(&format!(
        "{each:>8.0}  a session behind {lines} lines of 80 columns, idle ({busy:.0} before it is)"
    ));
    report.goal(&format!("session behind {lines} lines, idle"), each / 1024.0, "MiB", 4.0);
}

async fn print_and_idle(connection: &Connection, name: &str, file: &Path, lines: usize) {
    let script = format!("cat {}; exec cat", file.display());
    let session = sessions::open(connection, name, &script).await;
    let mut attachment = sessions::attach(connection, session, None).await.split().1;
    // The terminal makes two bytes of a line feed.
    let printed = std::fs::metadata(file).expect("it was written").len() + lines as u64;
    while attachment.offset().is_none_or(|offset| offset < printed) {
        attachment.read().await.expect("the session runs");
    }
}

async fn per_device(report: &mut Report, world: &World, kind: &str) {
    let daemon = Daemon::start(world, &world.directory(&format!("memory-{kind}"))).await;
    let own = daemon.connect().await;
    let file = text::lines(world, BUSY);
    let mut printer = Printer::open(&own, world, &format!("memory-{kind}"), &file).await;
    let mut profiles = Vec::new();
    if kind == "paired" {
        for number in 0..DEVICES.div_ceil(CONNECTIONS) {
            let name = format!("memory-device-{number}");
            let joined = join(daemon.offer().await, &world.directory(&name), &name).await;
            joined.0.close().await;
            profiles.push(joined.1);
        }
    }
    let mut watchers = Vec::new();
    let mut before = f64::NAN;
    // What the first of anything takes is not a device's, and what output fills is the session's.
    for number in 0..=DEVICES {
        let connection = match profiles.get(number / CONNECTIONS) {
            Some(profile) => connect(profile).await.expect("the daemon knows this device"),
            None => daemon.connect().await,
        };
        let watcher = Watcher::start(connection, printer.session, None).await;
        watcher.shown(1).await;
        watchers.push(watcher);
        if number == 0 {
            printer = print(printer).await;
            before = memory(&daemon);
        }
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let idle = (memory(&daemon) - before) / DEVICES as f64;
    print(printer).await;
    let busy = (memory(&daemon) - before) / DEVICES as f64;
    tokio::time::sleep(SILENCE).await;
    let after = (memory(&daemon) - before) / DEVICES as f64;
    report.line(&format!(
        "{idle:>8.0}  a {kind} device that is attached ({busy:.0} right behind 32 MiB of output \
         to all {DEVICES}, {after:.0} later)"
    ));
    report.goal(&format!("{kind} device that is attached"), idle, "KiB", 100.0);
    report.goal(&format!("{kind} device that was shown much output"), after, "KiB", 100.0);
}

async fn print(mut printer: Printer) -> Printer {
    let printing = tokio::task::spawn_blocking(move || {
        printer.print();
        printer
    });
    printing.await.expect("the session prints")
}
