//! `kill -9` at random moments, while several devices pair, rename and revoke from more than one
//! place, and sessions print.

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use codeout_daemon::OfferLimits;
use codeout_daemon::control::Client;
use codeout_protocol::code::Code;
use codeout_protocol::handshake::DeviceCredentials;
use codeout_protocol::message::{Answer, DeviceEntry, Open, Outcome, Request};
use codeout_protocol::name::Name;
use tempfile::TempDir;
use tokio::sync::Mutex;

use crate::scene::{identity, is_in, is_out};
use crate::support::device::{Device, SIZE, typing};
use crate::support::pair_named;
use crate::support::process::{DaemonProcess, control, offer};
use crate::{long_form, report};

/// Who load the daemon: each has a device of his own that is never revoked.
const WORKERS: usize = 3;
/// Devices that one of them has at most: the allow-list holds 128.
const MOST: usize = 12;
/// The latest moment of a kill, after the daemon runs, in microseconds.
const LATEST: u64 = 800_000;
/// Rounds of the short form.
const FEW: usize = 10;
/// How many times as many more there are on a machine too slow to get to everything, with more time
/// each time.
const SLOWEST: usize = 10;

/// Numbers that look random, and are the same for the same seed.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }
}

struct Known {
    credentials: DeviceCredentials,
    id: String,
    name: String,
}

/// What was asked and is not acknowledged.
enum Pending {
    Pair { name: String, credentials: Option<DeviceCredentials> },
    Revoke(usize),
    Rename(usize, String),
}

/// What a worker knows of his devices.
struct Worker {
    place: usize,
    own: DeviceCredentials,
    devices: Vec<Known>,
    /// Since the daemon was started.
    revoked: Vec<DeviceCredentials>,
    pending: Option<Pending>,
    made: usize,
    numbers: Numbers,
}

/// What all workers share in one round.
struct Round<'a> {
    home: &'a Path,
    port: u16,
    /// A fresh offer ends the one before: one at a time.
    offers: &'a Mutex<()>,
    counts: &'a Counts,
}

#[derive(Default)]
struct Counts {
    paired: AtomicUsize,
    revoked: AtomicUsize,
    renamed: AtomicUsize,
}

impl Counts {
    fn all(&self) -> [usize; 3] {
        [&self.paired, &self.revoked, &self.renamed].map(|count| count.load(Ordering::SeqCst))
    }
}

impl Worker {
    /// Does one thing after another until the daemon is gone.
    async fn run(&mut self, round: &Round<'_>) {
        let Ok(mut device) = Device::connect(round.port, &self.own).await else { return };
        while self.step(&mut device, round).await.is_some() {
            self.pending = None;
        }
    }

    async fn step(&mut self, device: &mut Device, round: &Round<'_>) -> Option<()> {
        let choice = match self.devices.len() {
            0 => 0,
            MOST => 3,
            _ => self.numbers.below(5),
        };
        let by_device = self.numbers.below(2) == 0;
        let counts = round.counts;
        match choice {
            0 | 1 => {
                self.pair(device, round, by_device).await?;
                counts.paired.fetch_add(1, Ordering::SeqCst);
            }
            2 => {
                self.rename(device, round, by_device).await?;
                counts.renamed.fetch_add(1, Ordering::SeqCst);
            }
            _ => {
                self.revoke(device, round, by_device).await?;
                counts.revoked.fetch_add(1, Ordering::SeqCst);
            }
        }
        Some(())
    }

    fn fresh_name(&mut self) -> String {
        self.made += 1;
        format!("w{}-{}", self.place, self.made)
    }

    async fn pair(
        &mut self,
        device: &mut Device,
        round: &Round<'_>,
        by_device: bool,
    ) -> Option<()> {
        let name = self.fresh_name();
        let _turn = round.offers.lock().await;
        let code: Code = if by_device {
            let asked = Request::Offer { watch_only: false, for_seconds: None };
            let Outcome::Ok(Answer::Offer(offer)) = device.ask(asked).await.ok()? else {
                panic!("no offer")
            };
            offer.code.parse().unwrap()
        } else {
            let client = Client::connect(&round.home.join("daemon")).await?;
            client.offer(OfferLimits::default()).await.ok()?.offer.code.parse().unwrap()
        };
        let wanted = Name::clean(&name).unwrap();
        let mut kept = None;
        let paired = pair_named(round.port, &code, &wanted, &mut kept).await;
        self.pending = Some(Pending::Pair { name: name.clone(), credentials: kept.clone() });
        let device = Device::new(paired.ok()?, kept?);
        // From here on it is paired, whatever becomes of its first record.
        let Device { credentials, entry, .. } = device;
        self.devices.push(Known { credentials, id: entry.id, name });
        Some(())
    }

    async fn rename(
        &mut self,
        device: &mut Device,
        round: &Round<'_>,
        by_device: bool,
    ) -> Option<()> {
        let place = self.numbers.below(self.devices.len());
        let (id, name) = (self.devices[place].id.clone(), self.fresh_name());
        self.pending = Some(Pending::Rename(place, name.clone()));
        if by_device {
            let asked = Request::Rename { device: id, name: name.clone() };
            let outcome = device.ask(asked).await.ok()?;
            assert!(matches!(outcome, Outcome::Ok(_)), "{outcome:?}");
        } else {
            let client = Client::connect(&round.home.join("daemon")).await?;
            client.rename(&id, &name).await.ok()?;
        }
        self.devices[place].name = name;
        Some(())
    }

    async fn revoke(
        &mut self,
        device: &mut Device,
        round: &Round<'_>,
        by_device: bool,
    ) -> Option<()> {
        let place = self.numbers.below(self.devices.len());
        let id = self.devices[place].id.clone();
        self.pending = Some(Pending::Revoke(place));
        if by_device {
            let outcome = device.ask(Request::Revoke { device: id }).await.ok()?;
            assert!(matches!(outcome, Outcome::Ok(_)), "{outcome:?}");
        } else {
            let client = Client::connect(&round.home.join("daemon")).await?;
            client.revoke(&id).await.ok()?;
        }
        self.revoked.push(self.devices.remove(place).credentials);
        Some(())
    }

    /// Finds out what became of what was not acknowledged: either is right, nothing else is.
    fn settle(&mut self, list: &[DeviceEntry]) -> bool {
        let Some(pending) = self.pending.take() else { return false };
        match pending {
            Pending::Pair { name, credentials } => {
                if let Some(entry) = list.iter().find(|entry| entry.name == name) {
                    let credentials = credentials.expect("in the list without its proof");
                    self.devices.push(Known { credentials, id: entry.id.clone(), name });
                } else {
                    self.revoked.extend(credentials);
                }
            }
            Pending::Revoke(place) => {
                let id = &self.devices[place].id;
                if !list.iter().any(|entry| entry.id == *id) {
                    self.revoked.push(self.devices.remove(place).credentials);
                }
            }
            Pending::Rename(place, name) => {
                let known = &mut self.devices[place];
                if list.iter().any(|entry| entry.id == known.id && entry.name == name) {
                    known.name = name;
                }
            }
        }
        true
    }
}

/// A device that reads a program which prints without end. Returns what it has read.
async fn watch(port: u16, credentials: &DeviceCredentials) -> u64 {
    let Ok(mut device) = Device::connect(port, credentials).await else { return 0 };
    let open = Open { columns: SIZE.columns, rows: SIZE.rows, ..Open::default() };
    let Ok(Outcome::Ok(Answer::Opened { opened })) = device.ask(Request::Open(open)).await else {
        return 0;
    };
    let session = opened.session;
    if !matches!(device.ask(Request::Attach(typing(session))).await, Ok(Outcome::Ok(_))) {
        return 0;
    }
    let endless = b"while :; do seq 1 999; done\n";
    if device.type_in(session, endless).await.is_err() {
        return 0;
    }
    while device.hear().await.is_ok() {
        device.screen(session).text.clear();
    }
    device.screen(session).received
}

/// Everything that must hold after a start.
async fn check(home: &Path, port: u16, workers: &mut [Worker], owners: &HashSet<String>) -> usize {
    let list = control(home).await.devices().await.unwrap();
    let settled = workers.iter_mut().map(|worker| usize::from(worker.settle(&list))).sum();
    let known = workers.iter().flat_map(|worker| &worker.devices);
    let mut known: Vec<_> = known.map(|known| (known.id.as_str(), known.name.as_str())).collect();
    let listed = list.iter().filter(|entry| !owners.contains(&entry.id));
    let mut listed: Vec<_> = listed.map(|entry| (entry.id.as_str(), entry.name.as_str())).collect();
    known.sort_unstable();
    listed.sort_unstable();
    assert_eq!(listed, known);
    assert_eq!(list.len(), listed.len() + owners.len());
    for worker in workers {
        for credentials in worker.revoked.drain(..) {
            is_out(port, &credentials).await;
        }
        for known in &worker.devices {
            is_in(port, &known.credentials).await;
        }
    }
    settled
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_is_killed_at_random_under_load() {
    let rounds = long_form().unwrap_or(FEW);
    let seed = std::env::var("CODEOUT_CRASH_SEED").ok().map(|seed| seed.parse().unwrap());
    // The short form tries the same each time.
    let seed = seed.unwrap_or(if long_form().is_some() { rand_seed() } else { 1 });
    println!("CODEOUT_CRASH_SEED={seed}");
    let mut numbers = Numbers(seed);
    let home = TempDir::new().unwrap();
    let mut daemon = DaemonProcess::start(home.path()).await;
    let mut owners = HashSet::new();
    let mut owner = Vec::new();
    for place in 0..=WORKERS {
        let code = offer(home.path()).await;
        let device = Device::pair(daemon.port, &code, &format!("owner-{place}")).await.unwrap();
        owners.insert(device.entry.id);
        owner.push(device.credentials);
    }
    let watcher = owner.pop().unwrap();
    let worker = |(place, own)| Worker {
        place,
        own,
        devices: Vec::new(),
        revoked: Vec::new(),
        pending: None,
        made: 0,
        numbers: Numbers(seed ^ (place as u64 + 1)),
    };
    let mut workers: Vec<_> = owner.into_iter().enumerate().map(worker).collect();
    let key = std::fs::read(identity(home.path())).unwrap();
    let (counts, offers) = (Counts::default(), Mutex::new(()));
    let (mut under_way, mut read) = (0, 0);
    let mut kills = 0;
    let mut all = [0; 5];
    while kills < rounds || (all.contains(&0) && kills < rounds + SLOWEST * FEW) {
        let latest = LATEST * (1 + kills.saturating_sub(rounds) as u64 / FEW as u64);
        kills += 1;
        let moment = Duration::from_micros(numbers.next() % latest);
        let (home, port) = (home.path(), daemon.port);
        let round = &Round { home, port, offers: &offers, counts: &counts };
        let load = workers.iter_mut().map(|worker| worker.run(round));
        let load = futures_util::future::join_all(load);
        let kill = async {
            let never = std::future::pending::<()>();
            let _ = tokio::time::timeout(moment, never).await;
            daemon.kill_now();
        };
        // Who loads it goes on until it is gone.
        let (_, seen, ()) = tokio::join!(load, watch(port, &watcher), kill);
        read += seen;
        daemon.kill().await;

        daemon = DaemonProcess::start(home).await;
        assert_eq!(std::fs::read(identity(home)).unwrap(), key, "another key");
        under_way += check(home, daemon.port, &mut workers, &owners).await;
        let [paired, revoked, renamed] = counts.all();
        all = [paired, revoked, renamed, under_way, usize::try_from(read).unwrap()];
    }
    daemon.kill().await;
    assert!(!all.contains(&0), "it was never at that: {all:?}");
    let [paired, revoked, renamed, ..] = all;
    report(&format!(
        "at random under load, seed {seed}: {kills} kills; {paired} paired, {revoked} revoked, \
         {renamed} renamed and acknowledged, 0 of them lost; {under_way} under way, each whole or \
         not at all; {} MiB read from sessions",
        read >> 20
    ));
}

/// Another one for every run.
fn rand_seed() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    u64::try_from(since.as_nanos() & u128::from(u64::MAX)).unwrap()
}
