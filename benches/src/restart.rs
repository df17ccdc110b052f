//! `codeout restart` under 20 sessions that print and three devices that watch.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use codeout_daemon::control;
use codeout_device::{
    Backoff, Connection, Daemon as Known, Lasted, LastingOptions, SessionOutput, attach_lasting,
};
use codeout_protocol::message::SessionId;
use tokio::task::JoinHandle;

use crate::measure::{Report, median, millis, quantile};
use crate::processes::{Daemon, World, join, runtime};
use crate::sessions;

const SESSIONS: usize = 20;
const ROUNDS: usize = 5;
/// A device comes back at once when its link has held for ten seconds; else it waits.
const STEADY: Duration = Duration::from_secs(11);
/// Behind that, all are back, or it is as good as never.
const BACK: Duration = Duration::from_secs(4);

pub(crate) fn run(report: &mut Report, world: &World) {
    report.heading("restart: `codeout restart` with 20 sessions that print and three devices, ms");
    let runtime = runtime(1);
    runtime.block_on(async {
        let home = world.directory("restart");
        let daemon = Daemon::start(world, &home).await;
        let own = daemon.connect().await;
        let mut opened = Vec::new();
        for number in 0..SESSIONS {
            let script = "while :; do n=$((n+1)); echo line $n; sleep 0.05; done";
            opened.push(sessions::open(&own, &format!("session-{number}"), script).await);
        }
        own.close().await;
        let socket = control::socket(&home.join("daemon"));
        let mut devices =
            vec![Lasting::start(Known::Local(socket), daemon.connect().await, opened[0]).await];
        for (number, session) in (1..3).zip(opened.into_iter().skip(1)) {
            let name = format!("restart-{number}");
            let joined = join(daemon.offer().await, &world.directory(&name), &name).await;
            let known = Known::Paired(Box::new(joined.1));
            devices.push(Lasting::start(known, joined.0, session).await);
        }
        restarts(report, world, &home, &devices).await;
    });
}

async fn restarts(report: &mut Report, world: &World, home: &std::path::Path, devices: &[Lasting]) {
    let (mut command, mut back, mut silent) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        tokio::time::sleep(STEADY).await;
        let begun = Instant::now();
        let mut restart = world.codeout(home);
        restart.arg("restart").stdout(std::process::Stdio::null());
        let status = tokio::process::Command::from(restart).status().await;
        assert!(status.expect("the command runs").success(), "the daemon restarts");
        command.push(millis(begun.elapsed()));
        tokio::time::sleep_until((begun + BACK).into()).await;
        let times = devices.iter().map(|device| device.back(begun).unwrap_or(BACK));
        back.push(millis(times.max().unwrap_or(BACK)));
        let gaps = devices.iter().map(|device| device.largest_gap(begun));
        silent.push(millis(gaps.max().unwrap_or(BACK)));
    }
    for (what, times) in [
        ("until the command returns", &mut command),
        ("until all three devices are shown output again", &mut back),
        ("the longest that one of them was shown nothing", &mut silent),
    ] {
        let (median, most) = (median(times), quantile(times, 1.0));
        report.line(&format!("{what:<52}median {median:>6.1}    max {most:>6.1}"));
    }
    let snapshots: u64 = devices.iter().map(Lasting::snapshots).sum();
    report.line(&format!("snapshots in place of missing output: {snapshots}"));
    report.goal("restart, until three devices are back, max", quantile(&mut back, 1.0), "ms", 1e3);
}

/// A device whose attachment outlives links.
struct Lasting {
    shown: Arc<Mutex<Shown>>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Shown {
    at: Vec<Instant>,
    /// Whether the link came back, and nothing was shown since.
    is_new: bool,
    /// When something was shown first by a link that had come back.
    back: Vec<Instant>,
    snapshots: u64,
}

impl Lasting {
    async fn start(known: Known, connection: Connection, session: SessionId) -> Lasting {
        let backoff = Backoff::default();
        let options = LastingOptions { session, history: None, typing: false, size: None, backoff };
        let attached = attach_lasting(known, connection, options).await;
        let (_, _, mut reader) = attached.expect("the session is there");
        let shown = Arc::new(Mutex::new(Shown::default()));
        let noted = Arc::clone(&shown);
        let task = tokio::spawn(async move {
            while let Some(Lasted::Output(_) | Lasted::LinkDown { .. } | Lasted::LinkUp) =
                reader.next().await.inspect(|lasted| note(&noted, lasted))
            {}
        });
        Lasting { shown, task }
    }

    /// How long it took from then on until a new link showed something; `None`: none has.
    fn back(&self, since: Instant) -> Option<Duration> {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.back.iter().find_map(|at| at.checked_duration_since(since))
    }

    /// The longest time between two pieces of output since then.
    fn largest_gap(&self, since: Instant) -> Duration {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let after = shown.at.iter().copied().filter(|at| *at >= since);
        let moments: Vec<Instant> =
            [since].into_iter().chain(after).chain([Instant::now()]).collect();
        let gaps = moments.windows(2).map(|pair| pair[1] - pair[0]);
        gaps.max().unwrap_or_default()
    }

    /// The snapshots behind the first.
    fn snapshots(&self) -> u64 {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).snapshots - 1
    }
}

impl Drop for Lasting {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn note(shown: &Mutex<Shown>, lasted: &Lasted) {
    let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
    match lasted {
        Lasted::Output(SessionOutput::Bytes(_)) => {
            let now = Instant::now();
            shown.at.push(now);
            if std::mem::take(&mut shown.is_new) {
                shown.back.push(now);
            }
        }
        Lasted::LinkUp => shown.is_new = true,
        Lasted::Output(SessionOutput::Snapshot { .. }) => shown.snapshots += 1,
        _ => {}
    }
}
