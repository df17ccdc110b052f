//! A daemon, an honest device that types into a session of it, and the threads of its attackers.

use std::cell::Cell;
use std::time::{Duration, Instant};

use codeout_daemon::OfferLimits;
use codeout_device::{Profile, State, connect};
use codeout_protocol::error::Error;
use codeout_protocol::handshake::DeviceCredentials;
use codeout_protocol::link::Link;
use codeout_protocol::message::SessionId;
use codeout_protocol::name::Name;
use rustix::process::{getpid, nice};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use super::tally::Tally;
use crate::measure::{Report, micros, process_cpu, quantile, resident, thread_cpu};
use crate::processes::{Daemon, World, runtime};
use crate::typist::Typist;
use crate::wire::{self, WireError};

/// What follows an echo is not to weigh on the next key.
const PAUSE: Duration = Duration::from_millis(2);
/// How long is typed before and after an attack…
const CALM: Duration = Duration::from_secs(2);
/// …and during it, once it has had its time to begin.
const STORM: Duration = Duration::from_secs(4);
const BEGIN: Duration = Duration::from_secs(1);
const ATTACKERS: usize = 2;

/// Where an attack takes place.
pub(crate) struct Stage {
    pub(crate) daemon: Daemon,
    pub(crate) port: u16,
    /// The honest device's.
    pub(crate) honest: DeviceCredentials,
    typist: Typist,
    /// The honest device's, on the thread that uses this.
    pub(crate) runtime: Runtime,
    pub(crate) attackers: Runtime,
}

/// What an honest device saw, and what the processors did meanwhile.
pub(crate) struct Seen {
    pub(crate) p50: f64,
    p95: f64,
    p99: f64,
    /// Parts of one processor.
    daemon: f64,
    attackers: f64,
    /// The daemon's most resident memory, in KiB.
    pub(crate) most: f64,
}

impl Stage {
    pub(crate) fn set(world: &World, name: &str) -> Stage {
        let runtime = runtime(0);
        let attackers = Builder::new_multi_thread()
            .worker_threads(ATTACKERS)
            .on_thread_start(|| {
                // The honest device and the daemon go first.
                let _ = nice(19);
            })
            .enable_all()
            .build()
            .expect("a runtime");
        let (daemon, port, honest, typist) = runtime.block_on(async {
            let daemon = Daemon::start(world, &world.directory(&format!("load-{name}"))).await;
            let (link, honest) = paired(&daemon, "honest", OfferLimits::default()).await;
            let port = wire::port(&link);
            let connection = connect(&profile(&link, &honest)).await.expect("it is paired");
            (daemon, port, honest, Typist::start(connection).await)
        });
        Stage { daemon, port, honest, typist, runtime, attackers }
    }

    /// The session that the honest device types into.
    pub(crate) fn session(&self) -> SessionId {
        self.typist.session
    }

    /// Pairs so many devices.
    pub(crate) fn pair(&self, count: usize, limits: OfferLimits) -> Vec<DeviceCredentials> {
        self.runtime.block_on(async {
            let mut all = Vec::with_capacity(count);
            for number in 0..count {
                let name = format!("device {number}");
                all.push(paired(&self.daemon, &name, limits).await.1);
                // Pairings may come a hundred a second.
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            all
        })
    }

    /// The daemon's resident memory, in KiB.
    pub(crate) fn memory(&self) -> f64 {
        resident(self.daemon.pid()).unwrap_or(f64::NAN)
    }

    /// Types for that long.
    pub(crate) fn types(&mut self, time: Duration) -> Seen {
        self.with_typing(async move { tokio::time::sleep(time).await }).1
    }

    /// Types until something else is done; what came of that, too.
    pub(crate) fn with_typing<T>(&mut self, until: impl Future<Output = T>) -> (T, Seen) {
        let pid = self.daemon.pid();
        let cpu = || {
            let all = process_cpu(getpid()).unwrap_or_default();
            (process_cpu(pid).unwrap_or_default(), all.saturating_sub(thread_cpu()))
        };
        let (daemon, attackers) = cpu();
        let (begun, mut times) = (Instant::now(), Vec::new());
        let mut most = self.memory();
        let typist = &mut self.typist;
        let is_over = Cell::new(false);
        let (done, ()) = self.runtime.block_on(async {
            let waiting = async {
                let done = until.await;
                is_over.set(true);
                done
            };
            let typing = async {
                // A key that was typed is waited for.
                while !is_over.get() {
                    tokio::time::sleep(PAUSE).await;
                    let key = b'a' + u8::try_from(times.len() % 26).unwrap_or(0);
                    times.push(micros(typist.key(key).await));
                    if times.len() % 8 == 0 {
                        most = most.max(resident(pid).unwrap_or(f64::NAN));
                    }
                }
            };
            tokio::join!(waiting, typing)
        });
        let (daemon_after, attackers_after) = cpu();
        let part = |spent: Duration| spent.as_secs_f64() / begun.elapsed().as_secs_f64();
        let [p50, p95, p99] = [0.5, 0.95, 0.99].map(|part| quantile(&mut times, part));
        let seen = Seen {
            p50,
            p95,
            p99,
            daemon: part(daemon_after.saturating_sub(daemon)),
            attackers: part(attackers_after.saturating_sub(attackers)),
            most,
        };
        (done, seen)
    }

    /// Types before, during and after an attack, which `begin` starts in tasks of the attackers.
    pub(crate) fn siege(
        &mut self,
        report: &mut Report,
        what: &str,
        begin: impl FnOnce(&mut JoinSet<()>, &Tally),
    ) -> Tally {
        let (memory, tally) = (self.memory(), Tally::default());
        let before = self.types(CALM);
        let mut attack = JoinSet::new();
        {
            let _here = self.attackers.enter();
            begin(&mut attack, &tally);
        }
        let beginning = self.types(BEGIN);
        let during = self.types(STORM);
        let most = beginning.most.max(during.most);
        self.runtime.block_on(attack.shutdown());
        self.types(BEGIN);
        let after = self.types(CALM);
        report.line(what);
        before.line(report, "before", &before);
        during.line(report, "during", &before);
        after.line(report, "after", &before);
        let [memory, most, behind] = [memory, most, self.memory()].map(|kib| kib / 1024.0);
        report.line(&format!(
            "    the daemon's memory: {memory:.1} MiB before, {most:.1} at most, {behind:.1} after"
        ));
        report.line(&format!("    {}", tally.words()));
        report.goal(
            &format!("{what}: echo p50 to its idle value"),
            during.p50 / before.p50,
            "",
            2.0,
        );
        tally
    }
}

impl Seen {
    pub(crate) fn line(&self, report: &mut Report, when: &str, idle: &Seen) {
        report.line(&format!(
            "    {when:<7} echo p50 {:>7.0} µs  p95 {:>7.0}  p99 {:>7.0}   {:>5.2} times idle   \
             daemon {:>3.0} % of a processor, attackers {:>3.0} %",
            self.p50,
            self.p95,
            self.p99,
            self.p50 / idle.p50,
            self.daemon * 100.0,
            self.attackers * 100.0,
        ));
    }
}

/// What busy processors alone do to an echo: the attackers only count, and the daemon has no part in
/// it.
pub(crate) fn control(report: &mut Report, world: &World) {
    report.heading("for comparison: no attack at all, but processors that are busy at nice 19");
    let mut stage = Stage::set(world, "control");
    stage.siege(report, "two threads that count", |attack, _| {
        for _ in 0..ATTACKERS {
            attack.spawn(async {
                loop {
                    std::hint::black_box((0..100_000u64).sum::<u64>());
                    tokio::task::yield_now().await;
                }
            });
        }
    });
}

/// Pairs a device: a link that leads to the daemon, and what the device connects with.
async fn paired(daemon: &Daemon, name: &str, limits: OfferLimits) -> (Link, DeviceCredentials) {
    let name = Name::clean(name).expect("a name");
    loop {
        let link = daemon.offer_with(limits).await;
        match wire::pair(wire::port(&link), &link.code, &name).await {
            Ok((mut connection, credentials)) => {
                connection.ping().await.expect("the daemon is honest");
                return (link, credentials);
            }
            // A daemon that has just started makes an offer of its own, which ends this one.
            Err(WireError::Protocol(Error::WrongCode)) => {}
            Err(other) => panic!("the daemon is honest: {other:?}"),
        }
    }
}

fn profile(link: &Link, credentials: &DeviceCredentials) -> Profile {
    Profile {
        name: "bench".to_owned(),
        address: link.address.clone(),
        credentials: credentials.clone(),
        device_name: Name::clean("honest").expect("a name"),
        state: State::Paired,
        paired_at: 0,
        fingerprint: None,
    }
}
