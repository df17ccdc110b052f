//! From attaching to a painted screen, with 10,000 lines of history.

use std::path::Path;
use std::time::{Duration, Instant};

use codeout_device::{Connection, SessionOutput, connect};
use codeout_protocol::message::SessionId;

use crate::measure::{Report, median, millis, quantile};
use crate::processes::{Daemon, World, join, runtime};
use crate::sessions;
use crate::terminal::Terminal;
use crate::text;

const LINES: usize = 10_000;
const ROUNDS: usize = 21;
/// The last that is painted.
const LAST: &str = "PAINTED";

pub(crate) fn run(report: &mut Report, world: &World) {
    report.heading("first paint: a session with 10,000 lines of history, ms");
    let runtime = runtime(1);
    let home = world.directory("paint");
    let (daemon, session, profile) = runtime.block_on(async {
        let daemon = Daemon::start(world, &home).await;
        let (connection, profile) = join(daemon.offer().await, &home, "bench").await;
        let file = text::words(world, LINES);
        let script = format!("cat {}; printf {LAST}; exec cat", file.display());
        let session = sessions::open(&connection, "paint", &script).await;
        connection.close().await;
        (daemon, session, profile)
    });
    let (mut local, mut paired) = (Painted::default(), Painted::default());
    let (mut here, mut over_network) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        runtime.block_on(async {
            local.add(daemon.connect().await, session).await;
            paired.add(connect(&profile).await.expect("the daemon knows it"), session).await;
        });
        here.push(millis(command(world, &home, &["paint"])));
        over_network.push(millis(command(world, &home, &["paint", "--on", "bench"])));
    }
    for (what, painted) in [("local", &mut local), ("paired", &mut paired)] {
        let kib = painted.bytes / 1024;
        line(report, &format!("{what}, from attach to the snapshot's end ({kib} KiB)"), painted);
        let goal = format!("first paint, {what}, attach to the snapshot's end");
        report.goal(&goal, median(&mut painted.times), "ms", 50.0);
    }
    for (what, times) in [("local", here), ("paired", over_network)] {
        let mut painted = Painted { times, bytes: 0 };
        line(report, &format!("{what}, from exec of `codeout attach`"), &mut painted);
    }
}

fn line(report: &mut Report, what: &str, painted: &mut Painted) {
    let times = &mut painted.times;
    let (median, most) = (median(times), quantile(times, 1.0));
    report.line(&format!("{what:<60}median {median:>6.1}    max {most:>6.1}"));
}

#[derive(Default)]
struct Painted {
    /// In milliseconds.
    times: Vec<f64>,
    bytes: usize,
}

impl Painted {
    async fn add(&mut self, connection: Connection, session: SessionId) {
        let begun = Instant::now();
        let mut attachment = sessions::attach(&connection, session, None).await;
        self.bytes = 0;
        loop {
            match attachment.read().await.expect("the session runs") {
                SessionOutput::Bytes(bytes) => self.bytes += bytes.len(),
                SessionOutput::SnapshotEnd => break,
                _ => {}
            }
        }
        self.times.push(millis(begun.elapsed()));
        connection.close().await;
    }
}

/// From exec of the command until the terminal shows the last of the screen.
fn command(world: &World, home: &Path, arguments: &[&str]) -> Duration {
    let mut command = world.codeout(home);
    command.arg("attach").args(arguments);
    let begun = Instant::now();
    let mut terminal = Terminal::start("codeout", command.into());
    terminal.read_until(LAST.as_bytes());
    begun.elapsed()
}
