//! Whatever happens to a daemon and its devices, its list is what a simple model says.

use std::time::Duration;

use codeout_daemon::{Clock, Event, OfferLimits};
use codeout_protocol::handshake::DeviceCredentials;
use codeout_protocol::message::{ClosingReason, Limits, Request};
use codeout_protocol::name::Name;
use codeout_protocol::pairing::{self, DevicePairing};
use codeout_protocol::sodium::KeyPair;
use proptest::prelude::*;
use proptest::sample::Index;

use super::support::device::Device;
use super::support::{TestDaemon, Wire, event, pair_named};
use super::{is_in, is_out};

/// Something that happens to a daemon and its devices.
#[derive(Debug, Clone)]
enum Step {
    /// A device pairs, perhaps for a limited time, and stays connected or not.
    Pair {
        name: usize,
        seconds: Option<u64>,
        finishes: bool,
        stays: bool,
    },
    /// A device proves the code, and its P3 is lost.
    LoseP3,
    Revoke(Index),
    Rename(Index, usize),
    Reconnect(Index, bool),
    Disconnect(Index),
    Pass(u64),
    Restart,
    Crash,
}

/// Names that get in each other's way.
const NAMES: [&str; 4] = ["phone", "Phone", "phone-2", "tablet"];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let index = any::<Index>;
    let pair = (0..NAMES.len(), proptest::option::of(1..1000u64), any::<bool>(), any::<bool>());
    let step = prop_oneof![
        6 => pair.prop_map(|(name, seconds, finishes, stays)| {
            Step::Pair { name, seconds, finishes, stays }
        }),
        1 => Just(Step::LoseP3),
        4 => index().prop_map(Step::Revoke),
        2 => (index(), 0..NAMES.len()).prop_map(|(index, name)| Step::Rename(index, name)),
        4 => (index(), any::<bool>()).prop_map(|(index, stays)| Step::Reconnect(index, stays)),
        2 => index().prop_map(Step::Disconnect),
        3 => prop_oneof![1..200u64, Just(301u64)].prop_map(Step::Pass),
        1 => Just(Step::Restart),
        1 => Just(Step::Crash),
    ];
    proptest::collection::vec(step, 1..24)
}

/// What a device should be to the daemon.
struct Should {
    id: String,
    name: String,
    paired_at: u64,
    unfinished: bool,
    limits: Limits,
    credentials: DeviceCredentials,
    connection: Option<Device>,
}

/// A daemon and what should be in its list.
struct World {
    daemon: Option<TestDaemon>,
    devices: Vec<Should>,
    out: Vec<DeviceCredentials>,
}

impl World {
    fn daemon(&self) -> &TestDaemon {
        self.daemon.as_ref().expect("it runs")
    }

    /// The name that `wanted` becomes beside all devices, or all but one.
    fn unique(&self, wanted: &str, but: Option<usize>) -> String {
        let is_free = |name: &String| {
            let others = self.devices.iter().enumerate().filter(|(place, _)| Some(*place) != but);
            others.into_iter().all(|(_, device)| !device.name.eq_ignore_ascii_case(name))
        };
        let numbered = (2..).map(|number| format!("{wanted}-{number}"));
        std::iter::once(wanted.to_owned()).chain(numbered).find(is_free).unwrap()
    }

    /// Ends a device's connection from its side.
    async fn hang_up(&mut self, place: usize) {
        if let Some(connection) = self.devices[place].connection.take() {
            let mut events = self.daemon().daemon.events();
            drop(connection);
            let gone = |event| matches!(event, Event::Disconnected { .. }).then_some(());
            event(&mut events, gone).await;
        }
    }

    async fn step(&mut self, step: Step) {
        let place = |index: &Index| index.index(self.devices.len());
        match step {
            Step::Pair { name, seconds, finishes, stays } => {
                let limits = OfferLimits { watch_only: false, for_seconds: seconds };
                let code = self.daemon().daemon.offer(limits).code;
                let mut kept = None;
                let wanted = Name::clean(NAMES[name]).unwrap();
                let paired = pair_named(self.daemon().port(), &code, &wanted, &mut kept).await;
                let mut device = Device::new(paired.unwrap(), kept.unwrap());
                if finishes {
                    device.ask(Request::Ping).await.unwrap();
                }
                let now = self.daemon().clock.unix();
                self.devices.push(Should {
                    id: device.entry.id.clone(),
                    name: self.unique(NAMES[name], None),
                    paired_at: now,
                    unfinished: !finishes,
                    limits: Limits {
                        watch_only: false,
                        expires_at: seconds.map(|seconds| now + seconds),
                    },
                    credentials: device.credentials.clone(),
                    connection: Some(device),
                });
                if !stays {
                    self.hang_up(self.devices.len() - 1).await;
                }
            }
            Step::LoseP3 => {
                let code = self.daemon().offer();
                let mut wire = Wire::dial(self.daemon().port()).await.unwrap();
                let (state, p1) = pairing::pair(&code, DevicePairing::generate());
                wire.send(p1).await.unwrap();
                let state = state.read_p2(&wire.receive().await.unwrap()).unwrap();
                let own = KeyPair::generate();
                let (state, _) = state.present(own, &Name::clean("lost").unwrap()).unwrap();
                self.out.push(state.credentials().clone());
            }
            _ if self.devices.is_empty() => {}
            Step::Revoke(index) => {
                let gone = self.devices.remove(place(&index));
                let revoked = self.daemon().daemon.revoke(gone.id.parse().unwrap()).await.unwrap();
                assert_eq!(revoked.unwrap().name.as_str(), gone.name);
                if let Some(mut connection) = gone.connection {
                    assert_eq!(connection.last_word().await.unwrap(), ClosingReason::Revoked);
                }
                self.out.push(gone.credentials);
            }
            Step::Rename(index, name) => {
                let place = place(&index);
                let given = self.unique(NAMES[name], Some(place));
                let device = self.devices[place].id.parse().unwrap();
                let wanted = Name::clean(NAMES[name]).unwrap();
                let renamed = self.daemon().daemon.rename(device, wanted).await.unwrap().unwrap();
                assert_eq!(renamed.name.as_str(), given);
                self.devices[place].name = given;
            }
            Step::Reconnect(index, stays) => {
                let place = place(&index);
                let credentials = self.devices[place].credentials.clone();
                if self.devices[place].limits.expired(self.daemon().clock.unix()) {
                    return is_out(self.daemon().port(), &credentials).await;
                }
                self.hang_up(place).await;
                let connecting = Device::connect(self.daemon().port(), &credentials);
                let mut connection = connecting.await.unwrap();
                connection.ask(Request::Ping).await.unwrap();
                let device = &mut self.devices[place];
                assert_eq!(connection.entry.id, device.id);
                device.unfinished = false;
                device.connection = Some(connection);
                if !stays {
                    self.hang_up(place).await;
                }
            }
            Step::Disconnect(index) => self.hang_up(place(&index)).await,
            Step::Pass(seconds) => {
                self.daemon().clock.advance(Duration::from_secs(seconds));
                self.keep_house().await;
            }
            Step::Restart | Step::Crash => self.start_again(matches!(step, Step::Crash)).await,
        }
    }

    /// What the passing of time does.
    async fn keep_house(&mut self) {
        self.daemon().daemon.housekeep().await.unwrap();
        let now = self.daemon().clock.unix();
        for device in &mut self.devices {
            if device.limits.expired(now)
                && let Some(mut connection) = device.connection.take()
            {
                assert_eq!(connection.last_word().await.unwrap(), ClosingReason::Expired);
            }
        }
        // Their connections were just closed: now nothing keeps the unfinished ones.
        self.daemon().daemon.housekeep().await.unwrap();
        let over = |device: &mut Should| {
            device.unfinished && device.connection.is_none() && device.paired_at + 300 < now
        };
        self.out.extend(self.devices.extract_if(.., over).map(|device| device.credentials));
    }

    async fn start_again(&mut self, crash: bool) {
        let daemon = self.daemon.take().unwrap();
        let daemon = if crash { daemon.crash().await } else { daemon.restart().await };
        self.daemon = Some(daemon);
        for device in &mut self.devices {
            if let Some(mut connection) = device.connection.take() {
                let word = connection.last_word().await;
                assert!(crash || matches!(word, Ok(ClosingReason::Stopping)), "{word:?}");
            }
        }
        self.keep_house().await;
    }

    async fn check(&self) {
        let list = self.daemon().daemon.devices().await.unwrap();
        let listed: Vec<_> = list
            .iter()
            .map(|d| (&d.id, &d.name, d.paired_at, d.unfinished, d.limits, d.connected))
            .collect();
        let should: Vec<_> = self
            .devices
            .iter()
            .map(|d| (&d.id, &d.name, d.paired_at, d.unfinished, d.limits, d.connection.is_some()))
            .collect();
        assert_eq!(listed, should);
    }

    async fn check_all(mut self) {
        for credentials in &self.out {
            is_out(self.daemon().port(), credentials).await;
        }
        let now = self.daemon().clock.unix();
        for place in 0..self.devices.len() {
            let device = &self.devices[place];
            if device.limits.expired(now) {
                is_out(self.daemon().port(), &device.credentials).await;
            } else {
                is_in(self.daemon().port(), &device.credentials).await;
                self.hang_up(place).await;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn the_list_is_what_has_happened(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let daemon = Some(TestDaemon::start().await);
            let mut world = World { daemon, devices: Vec::new(), out: Vec::new() };
            for step in steps {
                world.step(step).await;
                world.check().await;
            }
            world.check_all().await;
        });
        // Not waiting for what computes a fingerprint.
        runtime.shutdown_background();
    }
}
