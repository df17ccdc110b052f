//! What was acknowledged is so when the daemon is killed at any moment.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use codeout_daemon::OfferLimits;
use codeout_daemon::control::Client;
use codeout_protocol::code::Code;
use codeout_protocol::handshake::DeviceCredentials;
use codeout_protocol::message::{DeviceEntry, Request};
use codeout_protocol::name::Name;
use tempfile::TempDir;

use super::support::device::Device;
use super::support::pair_named;
use super::support::process::{DaemonProcess, codeout, control, offer};
use super::{is_in, is_out};

/// The daemon that runs in `home`, as a process.
pub(crate) struct Running {
    pub(crate) home: TempDir,
    pub(crate) process: DaemonProcess,
}

impl Running {
    pub(crate) async fn start() -> Self {
        let home = TempDir::new().unwrap();
        let process = DaemonProcess::start(home.path()).await;
        Running { home, process }
    }

    pub(crate) async fn pair(&self, name: &str) -> Device {
        let code = offer(self.home.path()).await;
        Device::pair(self.process.port, &code, name).await.unwrap()
    }

    /// Kills it, and starts it again.
    async fn killed(self) -> Self {
        let Running { home, process } = self;
        process.kill().await;
        let process = DaemonProcess::start(home.path()).await;
        Running { home, process }
    }

    async fn devices(&self, arguments: &[&str]) -> String {
        let mut command = codeout(self.home.path());
        let output = command.arg("devices").args(arguments).output().await.unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

#[tokio::test]
async fn a_device_stays_revoked_when_the_daemon_is_killed_right_after() {
    let mut daemon = Running::start().await;
    let stays = daemon.pair("stays").await;
    for _ in 0..3 {
        let phone = daemon.pair("phone").await;
        daemon.devices(&["revoke", "phone"]).await;
        daemon = daemon.killed().await;
        is_out(daemon.process.port, &phone.credentials).await;
        is_in(daemon.process.port, &stays.credentials).await;
    }
    // While no daemon runs, its files are changed.
    let phone = daemon.pair("phone").await;
    let Running { home, process } = daemon;
    process.kill().await;
    let output = codeout(home.path()).args(["devices", "revoke", "phone"]).output().await;
    assert!(output.unwrap().status.success());
    let process = DaemonProcess::start(home.path()).await;
    is_out(process.port, &phone.credentials).await;
    is_in(process.port, &stays.credentials).await;
    let list = control(home.path()).await.devices().await.unwrap();
    assert_eq!(list.len(), 1);
}

/// What one of those who load the daemon knows of its devices.
#[derive(Default)]
struct Ledger {
    devices: Vec<Known>,
    revoked: Vec<DeviceCredentials>,
    /// What was asked and not acknowledged.
    pending: Option<Pending>,
    made: usize,
}

struct Known {
    credentials: DeviceCredentials,
    id: String,
    name: String,
}

enum Pending {
    Pair { name: String, credentials: Option<DeviceCredentials> },
    Revoke(usize),
    Rename(usize, String),
}

/// Numbers that look random and are the same every time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

/// Pairs, renames and revokes until the daemon is gone.
struct Load<'a> {
    home: &'a Path,
    port: u16,
    /// One offer at a time.
    offers: &'a tokio::sync::Mutex<()>,
    /// What has been acknowledged, of all together.
    acknowledged: &'a AtomicUsize,
    kill_at: usize,
    process: &'a DaemonProcess,
}

impl Load<'_> {
    async fn run(&self, who: usize, ledger: &mut Ledger, numbers: &mut Numbers) {
        while self.step(who, ledger, numbers).await.is_some() {
            ledger.pending = None;
            if self.acknowledged.fetch_add(1, Ordering::SeqCst) + 1 == self.kill_at {
                self.process.kill_now();
            }
        }
    }

    async fn step(&self, who: usize, ledger: &mut Ledger, numbers: &mut Numbers) -> Option<()> {
        ledger.made += 1;
        let name = format!("w{who}-{}", ledger.made);
        match (numbers.below(4), ledger.devices.len()) {
            (0 | 1, _) | (_, 0) => {
                let _turn = self.offers.lock().await;
                let client = Client::connect(&self.home.join("daemon")).await?;
                let offer = client.offer(OfferLimits::default()).await.ok()?;
                let code: Code = offer.offer.code.parse().unwrap();
                let wanted = Name::clean(&name).unwrap();
                let mut credentials = None;
                let paired = pair_named(self.port, &code, &wanted, &mut credentials).await;
                let pending =
                    Pending::Pair { name: name.clone(), credentials: credentials.clone() };
                ledger.pending = Some(pending);
                let mut device = Device::new(paired.ok()?, credentials?);
                device.ask(Request::Ping).await.ok()?;
                let Device { credentials, entry, .. } = device;
                ledger.devices.push(Known { credentials, id: entry.id, name });
            }
            (2, count) => {
                let place = numbers.below(count);
                let client = Client::connect(&self.home.join("daemon")).await?;
                ledger.pending = Some(Pending::Revoke(place));
                client.revoke(&ledger.devices[place].id).await.ok()?;
                let known = ledger.devices.remove(place);
                ledger.revoked.push(known.credentials);
            }
            (_, count) => {
                let place = numbers.below(count);
                let client = Client::connect(&self.home.join("daemon")).await?;
                ledger.pending = Some(Pending::Rename(place, name.clone()));
                let renamed = client.rename(&ledger.devices[place].id, &name).await.ok()?;
                assert_eq!(renamed.name, name);
                ledger.devices[place].name = name;
            }
        }
        Some(())
    }
}

impl Ledger {
    /// Finds out what became of what was not acknowledged. Either is right, nothing else is.
    fn settle(&mut self, list: &[DeviceEntry]) {
        match self.pending.take() {
            None => {}
            Some(Pending::Pair { name, credentials }) => {
                if let Some(entry) = list.iter().find(|entry| entry.name == name) {
                    let credentials = credentials.expect("in the list without its P3");
                    self.devices.push(Known { credentials, id: entry.id.clone(), name });
                } else {
                    self.revoked.extend(credentials);
                }
            }
            Some(Pending::Revoke(place)) => {
                let id = &self.devices[place].id;
                let is_done = !list.iter().any(|entry| entry.id == *id);
                let known = is_done.then(|| self.devices.remove(place));
                self.revoked.extend(known.map(|known| known.credentials));
            }
            Some(Pending::Rename(place, name)) => {
                let known = &mut self.devices[place];
                let renamed = list.iter().find(|entry| entry.id == known.id && entry.name == name);
                renamed.into_iter().for_each(|entry| known.name.clone_from(&entry.name));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_whenever_the_daemon_is_killed() {
    const WORKERS: usize = 3;
    let home = TempDir::new().unwrap();
    let mut ledgers: [Ledger; WORKERS] = Default::default();
    let mut numbers: [Numbers; WORKERS] = std::array::from_fn(|who| Numbers(who as u64));
    let mut process = DaemonProcess::start(home.path()).await;
    let mut unacknowledged = 0;
    for kill_at in [1, 23, 40, 11, 32, 5] {
        let (offers, acknowledged) = (tokio::sync::Mutex::new(()), AtomicUsize::new(0));
        let load = Load {
            home: home.path(),
            port: process.port,
            offers: &offers,
            acknowledged: &acknowledged,
            kill_at,
            process: &process,
        };
        let load = &load;
        let all = ledgers.iter_mut().zip(&mut numbers).enumerate();
        let all = all.map(|(who, (ledger, numbers))| load.run(who, ledger, numbers));
        futures_util::future::join_all(all).await;
        assert!(acknowledged.load(Ordering::SeqCst) >= kill_at);
        process.kill().await;
        unacknowledged += ledgers.iter().filter(|ledger| ledger.pending.is_some()).count();

        process = DaemonProcess::start(home.path()).await;
        let list = control(home.path()).await.devices().await.unwrap();
        for ledger in &mut ledgers {
            ledger.settle(&list);
        }
        let known = ledgers.iter().flat_map(|ledger| &ledger.devices);
        let mut known: Vec<_> =
            known.map(|known| (known.id.as_str(), known.name.as_str())).collect();
        let mut listed: Vec<_> =
            list.iter().map(|entry| (entry.id.as_str(), entry.name.as_str())).collect();
        known.sort_unstable();
        listed.sort_unstable();
        assert_eq!(listed, known);
        for ledger in &mut ledgers {
            for credentials in ledger.revoked.drain(..) {
                is_out(process.port, &credentials).await;
            }
            for known in &ledger.devices {
                is_in(process.port, &known.credentials).await;
            }
        }
    }
    // It was in the middle of something, too.
    assert!(unacknowledged > 0);
}
