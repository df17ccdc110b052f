//! One session beside 500 that do nothing: its echo, and the daemon's time.

use std::time::{Duration, Instant};

use crate::measure::{Report, micros, millis, process_cpu, quantile};
use crate::processes::{Daemon, World, runtime};
use crate::sessions;
use crate::typist::Typist;
use crate::watchers::raise_descriptors;

const IDLE: usize = 500;
const KEYS: usize = 1_000;
const WARM_UP: usize = 50;
/// What follows an echo is not to weigh on the next key.
const PAUSE: Duration = Duration::from_millis(1);
/// How long the daemon's time is taken.
const WATCHED: Duration = Duration::from_secs(5);

pub(crate) fn run(report: &mut Report, world: &World) {
    report.heading("idle sessions: echo in one session, alone and beside 500 that do nothing");
    raise_descriptors();
    let runtime = runtime(1);
    runtime.block_on(async {
        let alone = Daemon::start(world, &world.directory("idle-one")).await;
        let many = Daemon::start(world, &world.directory("idle-many")).await;
        let mut one = Typist::start(alone.connect().await).await;
        let connection = many.connect().await;
        let begun = Instant::now();
        for number in 0..IDLE {
            sessions::open(&connection, &format!("idle-{number}"), "exec cat").await;
        }
        let each = millis(begun.elapsed()) / IDLE as f64;
        report.line(&format!("opening {IDLE} sessions: {each:.1} ms each"));
        let mut other = Typist::start(connection).await;
        echo(report, &mut one, &mut other).await;
        // What keeps a device is not the daemon's.
        drop((one, other));
        rest(report, &alone, &many).await;
    });
}

async fn echo(report: &mut Report, one: &mut Typist, other: &mut Typist) {
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for round in 0..WARM_UP + KEYS {
        let key = b'a' + u8::try_from(round % 26).unwrap_or(0);
        for (typist, times) in [(&mut *one, &mut alone), (&mut *other, &mut beside)] {
            tokio::time::sleep(PAUSE).await;
            let time = typist.key(key).await;
            if round >= WARM_UP {
                times.push(micros(time));
            }
        }
    }
    for (what, times) in [("alone", &mut alone), ("beside 500", &mut beside)] {
        let [p50, p99] = [0.5, 0.99].map(|part| quantile(times, part));
        report.line(&format!("{what:<12}p50 {p50:>6.0} µs    p99 {p99:>6.0}"));
    }
    let ratio = quantile(&mut beside, 0.5) / quantile(&mut alone, 0.5);
    report.line(&format!("beside 500 to alone {ratio:.2}"));
}

/// The daemons' CPU time while nothing happens.
async fn rest(report: &mut Report, alone: &Daemon, many: &Daemon) {
    // Until what is kept is packed, and silence is no news any more.
    tokio::time::sleep(Duration::from_secs(20)).await;
    let cpu = || process_cpu(alone.pid()).zip(process_cpu(many.pid()));
    let before = cpu();
    tokio::time::sleep(WATCHED).await;
    let Some(((one, other), (one_after, other_after))) = before.zip(cpu()) else {
        report.line("without the daemon's CPU: there is no /proc here");
        return;
    };
    let (one, other) = (millis(one_after - one), millis(other_after - other));
    report.line(&format!("the daemon's CPU in 5 s: one session {one:.0} ms, 500 {other:.0} ms"));
}
