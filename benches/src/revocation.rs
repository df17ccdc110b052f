//! Revoking a device whose terminal prints without pause: how long until its connection is
//! closed, and what another device, whose terminal prints too, sees of it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use codeout_daemon::{Config, Daemon as OwnDaemon, OfferLimits, control};
use codeout_device::{Connection, SessionOutput, connect_local};
use codeout_protocol::message::SessionId;
use codeout_protocol::name::Name;
use tokio::task::JoinHandle;

use crate::measure::{Report, median, millis, quantile};
use crate::processes::{Daemon, PATIENCE, World, join, runtime};
use crate::sessions;

const ROUNDS: usize = 10;
/// How long both devices stream before one is revoked.
const STREAMING: Duration = Duration::from_millis(400);

pub(crate) fn run(report: &mut Report, world: &World) {
    report.heading("revocation: of a device that streams, while another streams, ms");
    let runtime = runtime(2);
    runtime.block_on(by_command(report, world));
    runtime.block_on(by_call(report, world));
}

/// Times of one kind, in milliseconds.
#[derive(Default)]
struct Times(Vec<f64>);

impl Times {
    fn most(&mut self) -> f64 {
        quantile(&mut self.0, 1.0)
    }

    fn line(&mut self, report: &mut Report, what: &str) {
        let (median, most) = (median(&mut self.0), self.most());
        report.line(&format!("{what:<56}  median {median:>6.1}    max {most:>6.1}"));
    }
}

/// `codeout devices revoke`, from another process.
async fn by_command(report: &mut Report, world: &World) {
    let home = world.directory("revocation");
    let daemon = Daemon::start(world, &home).await;
    let witness = join(daemon.offer().await, &world.directory("witness"), "witness").await.0;
    let witness = Streaming::start(witness).await;
    let own = daemon.connect().await;
    let (mut whole, mut behind) = (Times::default(), Times::default());
    let (mut before, mut around) = (Times::default(), Times::default());
    for round in 0..ROUNDS {
        let name = format!("revoked-{round}");
        let link = daemon.offer().await;
        let device = Streaming::start(join(link, &world.directory(&name), &name).await.0).await;
        let calm = Instant::now();
        tokio::time::sleep(STREAMING).await;

        let mut command = world.codeout(&home);
        command.args(["devices", "revoke", &name]).stdout(std::process::Stdio::null());
        let begun = Instant::now();
        let status = tokio::process::Command::from(command).status().await;
        assert!(status.expect("the command runs").success(), "the device is revoked");
        let returned = Instant::now();
        let session = device.session;
        let closed = device.closed().await;

        whole.0.push(millis(closed - begun));
        // It returns when the device is out; what is left is the way of the news to this test.
        behind.0.push(millis(closed.saturating_duration_since(returned)));
        tokio::time::sleep(STREAMING / 2).await;
        before.0.push(millis(witness.largest_gap(calm, begun)));
        around.0.push(millis(witness.largest_gap(begun, Instant::now())));
        sessions::end(&own, session).await;
    }
    whole.line(report, "from the start of `codeout devices revoke` to closed");
    behind.line(report, "from its return to closed");
    before.line(report, "the other device's longest wait for output, before");
    around.line(report, "    and around the revocation");
    report.goal("revoke command to closed, max", whole.most(), "ms", 100.0);
}

/// `Daemon::revoke`, in this process.
async fn by_call(report: &mut Report, world: &World) {
    let name = Name::clean("bench").expect("a name");
    let home = world.directory("call").join("daemon");
    let control = control::socket(&home);
    let mut config = Config::new(home, world.directory("call"), name);
    (config.bind, config.port) = (Some([127, 0, 0, 1].into()), 0);
    let daemon = OwnDaemon::open(config).await.expect("the daemon starts");
    let own = connect_local(&control).await.expect("the daemon lets its own user in");
    let (mut returned, mut closed) = (Times::default(), Times::default());
    for round in 0..ROUNDS {
        let offer = daemon.offer(OfferLimits::default());
        let link = daemon.links(&offer.code).swap_remove(0).link;
        let name = format!("called-{round}");
        let (connection, _) = join(link, &world.directory(&name), &name).await;
        let id = connection.welcome().device.id.parse().expect("an id");
        let device = Streaming::start(connection).await;
        tokio::time::sleep(STREAMING / 2).await;

        let (session, begun) = (device.session, Instant::now());
        daemon.revoke(id).await.expect("the disk works").expect("the device is known");
        returned.0.push(millis(begun.elapsed()));
        closed.0.push(millis(device.closed().await - begun));
        sessions::end(&own, session).await;
    }
    own.close().await;
    daemon.stop().await;
    returned.line(report, "from `revoke` to durable, and closed at the daemon");
    closed.line(report, "from `revoke` to closed at the device");
    report.goal("revoke call to closed, max", returned.most().max(closed.most()), "ms", 100.0);
}

/// A device whose session prints as fast as it can.
struct Streaming {
    session: SessionId,
    chunks: Arc<Mutex<Vec<Instant>>>,
    closed: JoinHandle<Instant>,
}

impl Streaming {
    async fn start(connection: Connection) -> Streaming {
        let script = "exec yes 'the quick brown fox jumps over the lazy dog'";
        let name = format!("streamed by {}", connection.welcome().device.name);
        let session = sessions::open(&connection, &name, script).await;
        let mut attachment = sessions::attach(&connection, session, None).await;
        let chunks = Arc::new(Mutex::new(Vec::new()));
        let taken = Arc::clone(&chunks);
        tokio::spawn(async move {
            while let Some(output) = attachment.read().await {
                if let SessionOutput::Bytes(_) = output {
                    taken.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
                }
            }
        });
        let closed = tokio::spawn(async move {
            connection.closed().await;
            Instant::now()
        });
        Streaming { session, chunks, closed }
    }

    /// When its connection was closed. Its session runs on.
    async fn closed(self) -> Instant {
        let closed = tokio::time::timeout(PATIENCE, self.closed).await;
        closed.expect("it is closed").expect("nothing panics")
    }

    /// The longest time between two pieces of output in that span.
    fn largest_gap(&self, from: Instant, to: Instant) -> Duration {
        let chunks = self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
        let within = chunks.iter().copied().filter(|at| (from..=to).contains(at));
        let moments: Vec<Instant> = [from].into_iter().chain(within).chain([to]).collect();
        moments.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
    }
}
