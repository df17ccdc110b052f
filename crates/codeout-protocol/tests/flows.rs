//! Whole pairings and connections, as a daemon and a device use this crate.

#![allow(clippy::unwrap_used)] // a step that fails is a test that fails

use std::time::Duration;

use codeout_protocol::channel::{Channel, Opened};
use codeout_protocol::code::Code;
use codeout_protocol::error::{Alert, Error, Refusal};
use codeout_protocol::handshake::{
    self, AwaitM4, DaemonEphemeral, DeviceCredentials, DeviceEphemeral, Mode,
};
use codeout_protocol::name::Name;
use codeout_protocol::pairing::{self, AwaitP4, DaemonPairing, DevicePairing, PairRefusal, Proved};
use codeout_protocol::sodium::{KeyPair, Psk, PublicKey};
use codeout_protocol::{SUBPROTOCOL, WEBSOCKET_PATH};
use proptest::prelude::*;

const NOW: Duration = Duration::from_secs(5);

/// A daemon with its allow-list and its one offer.
struct Daemon {
    keys: KeyPair,
    code: Code,
    used: bool,
    devices: Vec<(PublicKey, Psk)>,
}

impl Daemon {
    fn new() -> Self {
        let (keys, code) = (KeyPair::generate(), Code::random());
        Daemon { keys, code, used: false, devices: Vec::new() }
    }

    /// A pairing up to the daemon's decision.
    fn pair(&self) -> (AwaitP4, Proved) {
        let (device, p1) = pairing::pair(&self.code, DevicePairing::generate());
        assert_eq!(Mode::of(&p1), Ok(Mode::Pair));
        let (daemon, p2) =
            pairing::read_p1(&self.code, &self.keys, &p1, DaemonPairing::generate()).unwrap();
        let proved = device.read_p2(&p2).unwrap().expect_key(&self.keys.public).unwrap();
        let name = Name::clean("Pixel 9").unwrap();
        let (device, p3) = proved.present(KeyPair::generate(), &name).unwrap();
        (device, daemon.read_p3(&p3).unwrap())
    }

    /// The daemon's decision: the first device gets in.
    fn decide(&mut self, proved: Proved) -> (Option<Channel>, Vec<u8>) {
        if self.used {
            return (None, proved.refuse(PairRefusal::AlreadyUsed));
        }
        self.used = true;
        self.devices.push((proved.device_key(), proved.psk().clone()));
        let (channel, p4) = proved.accept(NOW, b"welcome").unwrap();
        (Some(channel), p4)
    }

    /// A connection up to M4.
    fn connect(&self, credentials: &DeviceCredentials) -> (AwaitM4, Option<Channel>, Vec<u8>) {
        let (device, m1) =
            handshake::connect(credentials.clone(), DeviceEphemeral::generate()).unwrap();
        assert_eq!(Mode::of(&m1), Ok(Mode::Connect));
        let (daemon, m2) =
            handshake::read_m1(&self.keys, &m1, DaemonEphemeral::generate()).unwrap();
        let (device, m3) = device.read_m2(&m2).unwrap();
        let claim = daemon.read_m3(&m3).unwrap();
        let key = claim.device_key();
        let known = self.devices.iter().find(|(device, _)| *device == key);
        match claim.verify(known.map(|(_, psk)| psk)) {
            Ok(accepted) => {
                let (channel, m4) = accepted.accept(NOW, b"welcome").unwrap();
                (device, Some(channel), m4)
            }
            Err(m4) => (device, None, m4),
        }
    }
}

#[test]
fn a_paired_device_connects_and_a_revoked_one_does_not() {
    let mut daemon = Daemon::new();
    let (device, proved) = daemon.pair();
    let credentials = device.credentials().clone();
    let (_, p4) = daemon.decide(proved);
    assert_eq!(device.read_p4(&p4).unwrap().1, b"welcome");

    let (device, channel, m4) = daemon.connect(&credentials);
    let (mut device, first) = device.read_m4(&m4).unwrap();
    let mut channel = channel.unwrap();
    assert_eq!(first, b"welcome");
    let record = device.sealer.seal(NOW, b"hello").unwrap();
    assert_eq!(channel.opener.open(&record), Ok(Opened::Message(b"hello".to_vec())));

    daemon.devices.clear();
    let (device, channel, m4) = daemon.connect(&credentials);
    assert!(channel.is_none());
    assert_eq!(device.read_m4(&m4).unwrap_err(), Error::Refused(Refusal::NotPaired));
}

#[test]
fn two_devices_may_try_and_one_gets_in() {
    let mut daemon = Daemon::new();
    let ((first, first_proved), (second, second_proved)) = (daemon.pair(), daemon.pair());
    let (_, p4) = daemon.decide(second_proved);
    assert!(second.read_p4(&p4).is_ok());
    let (_, p4) = daemon.decide(first_proved);
    assert_eq!(first.read_p4(&p4).unwrap_err(), Error::Refused(Refusal::AlreadyUsed));
    assert_eq!(daemon.devices.len(), 1);
}

#[test]
fn a_device_that_saw_no_p4_finds_out_by_connecting() {
    let mut daemon = Daemon::new();
    let (device, proved) = daemon.pair();
    let credentials = device.credentials().clone();

    // P3 has not landed.
    let (lost, channel, m4) = daemon.connect(&credentials);
    assert!(channel.is_none());
    assert_eq!(lost.read_m4(&m4).unwrap_err(), Error::Refused(Refusal::NotPaired));

    // P3 has landed, and P4 was lost.
    daemon.decide(proved);
    let (device, channel, m4) = daemon.connect(&credentials);
    assert!(channel.is_some());
    assert!(device.read_m4(&m4).is_ok());
}

#[test]
fn a_device_says_whom_it_expects_and_notices_another() {
    let daemon = Daemon::new();
    let (device, p1) = pairing::pair(&daemon.code, DevicePairing::generate());
    let (_, p2) =
        pairing::read_p1(&daemon.code, &daemon.keys, &p1, DaemonPairing::generate()).unwrap();
    let proved = device.read_p2(&p2).unwrap();
    let other = KeyPair::generate().public;
    assert_eq!(proved.expect_key(&other).unwrap_err(), Error::WrongDaemonKey);

    let credentials = Daemon::new().pair().0.credentials().clone();
    let (device, m1) = handshake::connect(credentials, DeviceEphemeral::generate()).unwrap();
    let refused = handshake::read_m1(&daemon.keys, &m1, DaemonEphemeral::generate()).unwrap_err();
    let told = device.read_m2(&refused.alert().message()).unwrap_err();
    assert_eq!(told, Error::Alert(Alert::WrongKey));
}

#[test]
fn credentials_print_nothing_secret() {
    let (device, proved) = Daemon::new().pair();
    let credentials = device.credentials();
    let printed = format!("{credentials:?} {device:?} {proved:?} {:?}", proved.psk());
    let psk = proved.psk().expose();
    for secret in [credentials.device.secret.expose(), credentials.token.expose(), psk] {
        for window in secret.windows(4) {
            let hex: String = window.iter().map(|byte| format!("{byte:02x}")).collect();
            let decimal = format!("{window:?}");
            let decimal = decimal.trim_matches(['[', ']']);
            // Four bytes of a public key are in there, and may by chance be these.
            let public = format!("{:?}", credentials.daemon_key)
                + &format!("{:?}", credentials.device.public);
            assert!(!printed.contains(&hex) || public.contains(&hex));
            assert!(!printed.contains(decimal));
        }
    }
}

#[test]
fn the_transports_names_are_the_protocols() {
    assert_eq!((SUBPROTOCOL, WEBSOCKET_PATH), ("codeout.1", "/ws"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Both directions at once, each with plaintexts of any size, each to its own end.
    #[test]
    fn a_connection_carries_anything_both_ways(
        sent in prop::collection::vec((any::<bool>(), 0..3_000_usize, any::<u8>()), 0..30),
    ) {
        let mut daemon = Daemon::new();
        let (device, proved) = daemon.pair();
        let (channel, p4) = daemon.decide(proved);
        let mut device = device.read_p4(&p4).unwrap().0;
        let mut channel = channel.unwrap();
        for (up, length, byte) in sent {
            let plaintext = vec![byte; length];
            let opened = if up {
                channel.opener.open(&device.sealer.seal(NOW, &plaintext).unwrap())
            } else {
                device.opener.open(&channel.sealer.seal(NOW, &plaintext).unwrap())
            };
            prop_assert_eq!(opened, Ok(Opened::Message(plaintext)));
        }
        let bye = device.sealer.finish(b"bye").unwrap();
        prop_assert_eq!(channel.opener.open(&bye), Ok(Opened::Final(b"bye".to_vec())));
        prop_assert!(channel.opener.has_ended() && !device.opener.has_ended());
    }

    #[test]
    fn arbitrary_bytes_are_refused_at_each_step(
        bytes in prop::collection::vec(any::<u8>(), 0..1_400),
    ) {
        let mut daemon = Daemon::new();
        let (keys, code) = (daemon.keys.clone(), daemon.code.clone());
        let at_m1 = handshake::read_m1(&keys, &bytes, DaemonEphemeral::generate());
        prop_assert!(at_m1.is_err());
        prop_assert!(pairing::read_p1(&code, &keys, &bytes, DaemonPairing::generate()).is_err());
        prop_assert!(pairing::pair(&code, DevicePairing::generate()).0.read_p2(&bytes).is_err());
        let (device, proved) = daemon.pair();
        let credentials = device.credentials().clone();
        prop_assert!(device.read_p4(&bytes).is_err());
        daemon.decide(proved);
        let (device, _, _) = daemon.connect(&credentials);
        prop_assert!(device.read_m4(&bytes).is_err());
        let (device, _) = handshake::connect(credentials, DeviceEphemeral::generate()).unwrap();
        prop_assert!(device.read_m2(&bytes).is_err());
    }
}
