use serde_json::Value;

use super::*;
use crate::channel::{Opened, Opener, Sealer};
use crate::error::Alert;
use crate::schedule::{TAG_ALERT, TAG_REFUSAL};
use crate::sodium::{KemKeyPair, Key};
use zeroize::Zeroizing;

#[path = "../tests/common/mod.rs"]
#[allow(clippy::duplicate_mod)] // private to each module, like the tests
mod common;
#[path = "../tests/common/steps.rs"]
#[allow(clippy::duplicate_mod)] // private to each module, like the tests
mod steps;
use common::{array, hex, vectors};
use steps::*;

/// A daemon and a device that are paired.
struct Paired {
    daemon: KeyPair,
    device: KeyPair,
    token: Token,
}

impl Paired {
    fn new() -> Self {
        let mut token = [0; 32];
        sodium::random_bytes(&mut token);
        Paired {
            daemon: KeyPair::generate(),
            device: KeyPair::generate(),
            token: Token::from_bytes(&token),
        }
    }

    fn credentials(&self) -> DeviceCredentials {
        DeviceCredentials {
            daemon_key: self.daemon.public,
            device: self.device.clone(),
            token: self.token.clone(),
        }
    }

    fn connect(&self) -> (AwaitM2, Vec<u8>) {
        connect(self.credentials(), DeviceEphemeral::generate()).unwrap()
    }

    fn read_m1(&self, m1: &[u8]) -> Result<(AwaitM3, Vec<u8>), Error> {
        read_m1(&self.daemon, m1, DaemonEphemeral::generate())
    }

    /// Up to M2, not yet read.
    fn to_m2(&self) -> (AwaitM2, AwaitM3, Vec<u8>) {
        let (device, m1) = self.connect();
        let (daemon, m2) = self.read_m1(&m1).unwrap();
        (device, daemon, m2)
    }

    /// Up to M3, not yet read.
    fn to_m3(&self) -> (AwaitM4, AwaitM3, Vec<u8>) {
        let (device, daemon, m2) = self.to_m2();
        let (device, m3) = device.read_m2(&m2).unwrap();
        (device, daemon, m3)
    }

    /// Up to the daemon's decision.
    fn to_claim(&self) -> (AwaitM4, Claim) {
        let (device, daemon, m3) = self.to_m3();
        (device, daemon.read_m3(&m3).unwrap())
    }

    /// Up to M4 that accepts, not yet read.
    fn to_m4(&self) -> (AwaitM4, Channel, Vec<u8>) {
        let (device, claim) = self.to_claim();
        let accepted = claim.verify(Some(&self.token.psk())).unwrap();
        let (channel, m4) = accepted.accept(NOW, b"welcome").unwrap();
        (device, channel, m4)
    }

    /// Up to M4 that refuses, not yet read.
    fn to_refusal(&self) -> (AwaitM4, Vec<u8>) {
        let (device, claim) = self.to_claim();
        (device, claim.verify(None).unwrap_err())
    }

    fn channels(&self) -> (Channel, Channel) {
        let (device, daemon, m4) = self.to_m4();
        (device.read_m4(&m4).unwrap().0, daemon)
    }
}

/// Device and daemon of `connect.json` up to the daemon's decision; every byte is compared.
fn run_vector(file: &Value) -> (AwaitM4, Claim, [u8; STREAM_HEADER]) {
    let daemon = static_key_pair(&file["daemon_static"]);
    let credentials = DeviceCredentials {
        daemon_key: daemon.public,
        device: static_key_pair(&file["device_static"]),
        token: Token::from_bytes(&array(&file["token"])),
    };
    let device_keys = &file["device"];
    let kem = KemKeyPair::from_seed(&array(&device_keys["kem_seed"]));
    assert_eq!(kem.public.as_slice(), hex(&device_keys["kem_pk"]));
    let device_ephemeral = DeviceEphemeral { kx: key_pair_of_seed(device_keys), kem };
    let daemon_ephemeral = DaemonEphemeral {
        kx: key_pair_of_seed(&file["daemon"]),
        kem_seed: Some(Zeroizing::new(array(&file["daemon"]["kem_enc_seed"]))),
    };

    let (device_state, m1) = connect(credentials, device_ephemeral).unwrap();
    assert_eq!(m1, hex(&file["m1"]));
    let (daemon_state, m2) = read_m1(&daemon, &m1, daemon_ephemeral).unwrap();
    assert_eq!(m2, [vec![TAG_NEXT], hex(&file["m2"])].concat());
    let (device_state, m3) = device_state.read_m2(&m2).unwrap();
    let (body, header) = m3.split_last_chunk().unwrap();
    assert_eq!(body, hex(&file["m3"]));
    let claim = daemon_state.read_m3(&m3).unwrap();
    assert_eq!(claim.device_key().0, array(&file["device_static"]["pk"]));
    (device_state, claim, *header)
}

fn vector() -> Value {
    vectors(include_str!("../../../vectors/connect.json"))
}

#[test]
fn both_ends_connect_as_in_the_vectors() {
    let file = vector();
    let (device, claim, device_header) = run_vector(&file);
    let psk = Psk::from_bytes(&array(&file["psk"]));
    assert_eq!(Token::from_bytes(&array(&file["token"])).psk().expose(), psk.expose());
    let (mut daemon, m4) = claim.verify(Some(&psk)).unwrap().accept(NOW, b"welcome").unwrap();

    // The vector's keys open what each end sealed…
    let up = Key::from_bytes(&array(&file["device_to_daemon"]));
    let down = Key::from_bytes(&array(&file["daemon_to_device"]));
    assert_eq!(m4[0], TAG_NEXT);
    let (daemon_header, first) = m4[1..].split_first_chunk().unwrap();
    let opened = Opener::new(&down, daemon_header).open(first);
    assert_eq!(opened, Ok(Opened::Message(b"welcome".to_vec())));
    let (mut device, first) = device.read_m4(&m4).unwrap();
    assert_eq!(first, b"welcome");
    let record = device.sealer.seal(NOW, b"ping").unwrap();
    let opened = Opener::new(&up, &device_header).open(&record);
    assert_eq!(opened, Ok(Opened::Message(b"ping".to_vec())));
    // …and so does the other end.
    assert_eq!(daemon.opener.open(&record), Ok(Opened::Message(b"ping".to_vec())));
    assert_connected(&mut device, &mut daemon);
}

#[test]
fn the_refusal_is_the_vectors() {
    let file = vector();
    let refusal = [vec![TAG_REFUSAL], hex(&file["refusal_1"])].concat();
    let (device, claim, _) = run_vector(&file);
    assert_eq!(claim.verify(None).unwrap_err(), refusal);
    assert_eq!(error(device.read_m4(&refusal)), Error::Refused(Refusal::NotPaired));

    // A device that is revoked between its proof and the answer gets the same bytes.
    let (_, claim, _) = run_vector(&file);
    let accepted = claim.verify(Some(&Psk::from_bytes(&array(&file["psk"])))).unwrap();
    assert_eq!(accepted.refuse(), refusal);
}

#[test]
fn a_paired_device_connects() {
    let paired = Paired::new();
    let (mut device, mut daemon) = paired.channels();
    assert_connected(&mut device, &mut daemon);
}

#[test]
fn no_two_handshakes_send_the_same_keys() {
    let paired = Paired::new();
    let ((_, _, m2), (_, _, again)) = (paired.to_m2(), paired.to_m2());
    assert_ne!(paired.connect().1[3..35], paired.connect().1[3..35]);
    assert_ne!(m2[1..33], again[1..33]);
}

#[test]
fn the_devices_key_does_not_show() {
    let paired = Paired::new();
    let (device, m1) = paired.connect();
    let (_, m2) = paired.read_m1(&m1).unwrap();
    let (_, m3) = device.read_m2(&m2).unwrap();
    let sent = [m1, m2, m3].concat();
    let key = paired.device.public.0;
    assert!(!sent.windows(32).any(|window| window == key));
}

#[test]
fn an_unknown_version_or_suite_is_incompatible() {
    let (_, m1) = Paired::new().connect();
    let daemon = KeyPair::generate();
    for value in (0..=255).filter(|value| *value != 1) {
        for index in [0, 1] {
            let mut changed = m1.clone();
            changed[index] = value;
            let refused = error(read_m1(&daemon, &changed, DaemonEphemeral::generate()));
            assert_eq!(refused, Error::Incompatible);
            assert_eq!(refused.alert(), Alert::Version);
            // Another version may have another length, and must still be told.
            assert_eq!(Mode::of(&changed[..3]), Err(Error::Incompatible));
        }
    }
}

#[test]
fn an_unknown_mode_is_malformed() {
    let paired = Paired::new();
    let (_, mut m1) = paired.connect();
    for mode in (0..=255).filter(|mode| !matches!(mode, 1 | 2)) {
        m1[2] = mode;
        assert_eq!(Mode::of(&m1), Err(misbehaved(Misbehaviour::Tag)));
        let refused = error(paired.read_m1(&m1));
        assert_eq!(refused, misbehaved(Misbehaviour::Tag));
        assert_eq!(refused.alert(), Alert::Malformed);
    }
}

#[test]
fn the_first_message_says_which_handshake_it_begins() {
    assert_eq!(Mode::of(&[1, 1, 1]), Ok(Mode::Connect));
    assert_eq!(Mode::of(&[1, 1, 2, 3]), Ok(Mode::Pair));
    for short in [[].as_slice(), &[1], &[1, 1], &[9, 9]] {
        assert_eq!(Mode::of(short), Err(misbehaved(Misbehaviour::Length)));
    }
}

#[test]
fn m1_of_a_wrong_length_is_refused() {
    let paired = Paired::new();
    let (_, m1) = paired.connect();
    assert_eq!(m1.len(), 1235);
    for wrong in other_lengths(&m1) {
        let refused = error(paired.read_m1(&wrong));
        assert_eq!(refused, misbehaved(Misbehaviour::Length), "{} bytes", wrong.len());
        assert_eq!(refused.alert(), Alert::Malformed);
    }
}

#[test]
fn m1_flipped_at_any_byte_is_refused() {
    let paired = Paired::new();
    let (_, m1) = paired.connect();
    for (index, changed) in flips(&m1) {
        let refused = error(paired.read_m1(&changed));
        match index {
            0 | 1 => assert_eq!(refused, Error::Incompatible),
            2 => assert!(matches!(refused, Error::Misbehaved(_))),
            _ => {
                assert_eq!(refused, Error::WrongDaemonKey, "byte {index}");
                assert_eq!(refused.alert(), Alert::WrongKey);
            }
        }
    }
}

#[test]
fn m1_for_another_daemons_key_is_refused() {
    let (paired, other) = (Paired::new(), Paired::new());
    let refused = error(other.read_m1(&paired.connect().1));
    assert_eq!(refused, Error::WrongDaemonKey);
    assert_eq!(refused.alert(), Alert::WrongKey);
}

#[test]
fn m2_of_a_wrong_length_is_refused() {
    let paired = Paired::new();
    let (_, _, m2) = paired.to_m2();
    assert_eq!(m2.len(), 1137);
    for wrong in other_lengths(&m2) {
        let refused = error(paired.connect().0.read_m2(&wrong));
        assert_eq!(refused, misbehaved(Misbehaviour::Length), "{} bytes", wrong.len());
    }
}

#[test]
fn m2_flipped_at_any_byte_is_refused() {
    let paired = Paired::new();
    let length = paired.to_m2().2.len();
    for index in 0..length {
        for mask in masks(index) {
            let (device, _, mut m2) = paired.to_m2();
            m2[index] ^= mask;
            let what = if index == 0 { Misbehaviour::Tag } else { Misbehaviour::Seal };
            assert_eq!(error(device.read_m2(&m2)), misbehaved(what), "byte {index}");
        }
    }
}

#[test]
fn m2_from_another_daemon_is_refused() {
    let (paired, impostor) = (Paired::new(), Paired::new());
    let (device, _) = paired.connect();
    let (_, _, m2) = impostor.to_m2();
    assert_eq!(error(device.read_m2(&m2)), misbehaved(Misbehaviour::Seal));
}

#[test]
fn m3_of_a_wrong_length_is_refused() {
    let paired = Paired::new();
    let length = paired.to_m3().2.len();
    assert_eq!(length, 88);
    for wrong in (0..length).chain([length + 1, length + 2]) {
        let (_, daemon, mut m3) = paired.to_m3();
        m3.resize(wrong, 0);
        let refused = error(daemon.read_m3(&m3));
        assert_eq!(refused, misbehaved(Misbehaviour::Length), "{wrong} bytes");
        assert_eq!(refused.alert(), Alert::Malformed);
    }
}

#[test]
fn m3_flipped_at_any_byte_is_refused() {
    let paired = Paired::new();
    let psk = paired.token.psk();
    for index in 0..88 {
        for mask in masks(index) {
            let (device, daemon, mut m3) = paired.to_m3();
            m3[index] ^= mask;
            let claim = daemon.read_m3(&m3);
            if index < 48 {
                assert_eq!(error(claim), misbehaved(Misbehaviour::Seal), "byte {index}");
                continue;
            }
            let verdict = claim.unwrap().verify(Some(&psk));
            if index < 64 {
                // The proof is refused; the refusal covers it as received, so that the device
                // sees that it was not the daemon that broke with it.
                let refusal = verdict.unwrap_err();
                assert_eq!(error(device.read_m4(&refusal)), Error::Tampered, "byte {index}");
                continue;
            }
            // The stream's header is part of no transcript: the first record is refused.
            let (mut daemon, m4) = verdict.unwrap().accept(NOW, b"welcome").unwrap();
            let (mut device, _) = device.read_m4(&m4).unwrap();
            let record = device.sealer.seal(NOW, b"ping").unwrap();
            assert_eq!(daemon.opener.open(&record), Err(Error::Record), "byte {index}");
        }
    }
}

#[test]
fn m4_of_a_wrong_length_is_refused() {
    let paired = Paired::new();
    let length = paired.to_m4().2.len();
    for wrong in (0..length).chain([length + 1, length + 2]) {
        let (device, _, mut m4) = paired.to_m4();
        m4.resize(wrong, 0);
        let expected = if wrong < 1 + STREAM_HEADER {
            misbehaved(Misbehaviour::Length)
        } else {
            Error::Tampered
        };
        assert_eq!(error(device.read_m4(&m4)), expected, "{wrong} bytes");
    }
}

#[test]
fn m4_flipped_at_any_byte_is_refused() {
    let paired = Paired::new();
    let length = paired.to_m4().2.len();
    for index in 1..length {
        for mask in masks(index) {
            let (device, _, mut m4) = paired.to_m4();
            m4[index] ^= mask;
            assert_eq!(error(device.read_m4(&m4)), Error::Tampered, "byte {index}");
        }
    }
}

#[test]
fn a_message_of_the_daemon_with_a_wrong_tag_is_refused() {
    let paired = Paired::new();
    for tag in 1..=255 {
        let (device, _, mut m2) = paired.to_m2();
        m2[0] = tag;
        assert_eq!(error(device.read_m2(&m2)), misbehaved(Misbehaviour::Tag), "tag {tag}");

        let (device, _, mut m4) = paired.to_m4();
        m4[0] = tag;
        let expected =
            if tag == TAG_REFUSAL { Error::Tampered } else { misbehaved(Misbehaviour::Tag) };
        assert_eq!(error(device.read_m4(&m4)), expected, "tag {tag}");
    }
}

#[test]
fn m4_that_ends_the_direction_is_refused() {
    let paired = Paired::new();
    let (device, claim) = paired.to_claim();
    let Accepted { verdict } = claim.verify(Some(&paired.token.psk())).unwrap();
    let (sealer, header) = Sealer::new(&verdict.schedule.direction(Role::Daemon));
    let record = sealer.finish(b"welcome").unwrap();
    let m4 = [[TAG_NEXT].as_slice(), &header, &record].concat();
    assert_eq!(error(device.read_m4(&m4)), misbehaved(Misbehaviour::Tag));
}

#[test]
fn every_alert_is_read_wherever_the_device_waits() {
    let paired = Paired::new();
    let known = [
        (1, Alert::Version),
        (2, Alert::TooManyAttempts),
        (3, Alert::NoOffer),
        (4, Alert::Malformed),
        (5, Alert::WrongKey),
    ];
    for (byte, alert) in known {
        assert_eq!(alert.message(), [0xff, byte]);
        let (device, _) = paired.connect();
        assert_eq!(error(device.read_m2(&[0xff, byte])), Error::Alert(alert));
        let (device, _, _) = paired.to_m3();
        assert_eq!(error(device.read_m4(&[0xff, byte])), Error::Alert(alert));
    }
}

#[test]
fn an_unknown_or_wrongly_long_alert_is_no_alert() {
    let paired = Paired::new();
    for byte in (0..=255).filter(|byte| !(1..=5).contains(byte)) {
        let (device, _) = paired.connect();
        assert_eq!(error(device.read_m2(&[0xff, byte])), misbehaved(Misbehaviour::Tag));
        let (device, _, _) = paired.to_m3();
        assert_eq!(error(device.read_m4(&[0xff, byte])), misbehaved(Misbehaviour::Tag));
    }
    for wrong in [[0xff].as_slice(), &[0xff, 1, 0], &[0xff, 1, 1, 1]] {
        let (device, _) = paired.connect();
        assert_eq!(error(device.read_m2(wrong)), misbehaved(Misbehaviour::Tag));
        let (device, _, _) = paired.to_m3();
        assert_eq!(error(device.read_m4(wrong)), misbehaved(Misbehaviour::Tag));
    }
}

#[test]
fn the_daemon_tells_each_error_as_one_alert() {
    for (error, alert) in [
        (Error::Incompatible, Alert::Version),
        (Error::WrongDaemonKey, Alert::WrongKey),
        (misbehaved(Misbehaviour::Key), Alert::Malformed),
        (misbehaved(Misbehaviour::Seal), Alert::Malformed),
        (Error::WrongCode, Alert::Malformed),
    ] {
        assert_eq!(error.alert(), alert);
    }
}

#[test]
fn unknown_revoked_and_wrong_keys_get_the_same_refusal() {
    let paired = Paired::new();
    let wrong = Psk::random();
    for psk in [None, Some(&wrong)] {
        let (device, claim) = paired.to_claim();
        assert_eq!(claim.device_key(), paired.device.public);
        let refusal = claim.verify(psk).unwrap_err();
        assert_eq!((refusal.len(), refusal[0]), (18, TAG_REFUSAL));
        assert_eq!(error(device.read_m4(&refusal)), Error::Refused(Refusal::NotPaired));
    }
    let (device, claim) = paired.to_claim();
    let refusal = claim.verify(Some(&paired.token.psk())).unwrap().refuse();
    assert_eq!((refusal.len(), refusal[0]), (18, TAG_REFUSAL));
    assert_eq!(error(device.read_m4(&refusal)), Error::Refused(Refusal::NotPaired));
}

#[test]
fn a_device_with_a_wrong_token_is_refused() {
    let paired = Paired::new();
    let stolen = Paired {
        daemon: paired.daemon.clone(),
        device: paired.device.clone(),
        token: Token::from_bytes(&[0; 32]),
    };
    let (device, claim) = stolen.to_claim();
    let refusal = claim.verify(Some(&paired.token.psk())).unwrap_err();
    assert_eq!(error(device.read_m4(&refusal)), Error::Refused(Refusal::NotPaired));
}

#[test]
fn a_device_with_a_wrong_secret_key_is_refused() {
    let paired = Paired::new();
    let secret = KeyPair::generate().secret;
    let thief = Paired {
        daemon: paired.daemon.clone(),
        device: KeyPair { public: paired.device.public, secret },
        token: paired.token.clone(),
    };
    let (device, claim) = thief.to_claim();
    let refusal = claim.verify(Some(&paired.token.psk())).unwrap_err();
    assert_eq!(error(device.read_m4(&refusal)), Error::Refused(Refusal::NotPaired));
}

/// Who has the daemon's key and nothing else learns who comes, and is not taken for the daemon.
#[test]
fn the_daemons_key_without_the_token_is_not_believed() {
    let paired = Paired::new();
    let (device, claim) = paired.to_claim();
    assert_eq!(claim.device_key(), paired.device.public);
    let Claim { mut schedule, chain2, c4, device_header, .. } = claim;
    schedule.mix(Psk::random().bytes());
    schedule.absorb(&[&c4]);
    let refusal_key = schedule.sub_under(chain2, b'r');
    let (_, m4) = Verdict { schedule, refusal_key, device_header }.accept(NOW, b"welcome").unwrap();
    assert_eq!(error(device.read_m4(&m4)), Error::Tampered);
}

#[test]
fn a_refusal_changed_on_the_way_is_tampered_with() {
    let paired = Paired::new();
    for index in 1..18 {
        for bit in 0..8 {
            let (device, mut refusal) = paired.to_refusal();
            refusal[index] ^= 1 << bit;
            assert_eq!(error(device.read_m4(&refusal)), Error::Tampered, "byte {index}");
        }
    }
    for length in (1..18).chain([19, 20]) {
        let (device, mut refusal) = paired.to_refusal();
        refusal.resize(length, 0);
        assert_eq!(error(device.read_m4(&refusal)), Error::Tampered, "{length} bytes");
    }
}

#[test]
fn a_forged_refusal_is_tampered_with() {
    let paired = Paired::new();
    let (device, _, _) = paired.to_m3();
    assert_eq!(error(device.read_m4(&[[TAG_REFUSAL; 18]].concat())), Error::Tampered);
    let (device, _, _) = paired.to_m3();
    let (_, of_another_session) = paired.to_refusal();
    assert_eq!(error(device.read_m4(&of_another_session)), Error::Tampered);
}

#[test]
fn a_refusal_instead_of_m2_is_refused() {
    let paired = Paired::new();
    let (_, refusal) = paired.to_refusal();
    let refused = error(paired.connect().0.read_m2(&refusal));
    assert_eq!(refused, misbehaved(Misbehaviour::Tag));
}

#[test]
fn a_refusal_with_an_unknown_reason_is_refused() {
    let paired = Paired::new();
    for reason in [0, 2, 3, 4, 0x7f, 0x80, 0xff] {
        let (device, claim) = paired.to_claim();
        let Accepted { verdict } = claim.verify(Some(&paired.token.psk())).unwrap();
        let refusal = verdict.refuse(reason);
        assert_eq!(error(device.read_m4(&refusal)), misbehaved(Misbehaviour::Tag));
    }
}

#[test]
fn a_refusal_with_no_or_two_reasons_is_refused() {
    let paired = Paired::new();
    for reasons in [[].as_slice(), &[NOT_PAIRED, NOT_PAIRED]] {
        let (device, claim) = paired.to_claim();
        let Accepted { verdict } = claim.verify(Some(&paired.token.psk())).unwrap();
        let sealed = sodium::seal(verdict.refusal_key, &verdict.schedule.transcript, reasons);
        let refusal = [vec![TAG_REFUSAL], sealed].concat();
        assert_eq!(error(device.read_m4(&refusal)), misbehaved(Misbehaviour::Length));
    }
}

#[test]
fn low_order_keys_are_refused() {
    for point in LOW_ORDER {
        let bad = PublicKey(point);
        let refused = misbehaved(Misbehaviour::Key);
        let paired = Paired::new();

        // De
        let (_, mut m1) = paired.connect();
        m1[HEADER..HEADER + KX_PUBLIC].copy_from_slice(&point);
        let answer = error(paired.read_m1(&m1));
        assert_eq!((answer.alert(), answer), (Alert::Malformed, refused.clone()));

        // Se
        let (device, _, mut m2) = paired.to_m2();
        m2[1..1 + KX_PUBLIC].copy_from_slice(&point);
        assert_eq!(error(device.read_m2(&m2)), refused);

        // spk
        let credentials = DeviceCredentials { daemon_key: bad, ..paired.credentials() };
        assert_eq!(error(connect(credentials, DeviceEphemeral::generate())), refused);

        // dpk, sealed by a device that holds the code but not to the rules
        let device = KeyPair { public: bad, ..paired.device.clone() };
        let (_, daemon, m3) = Paired { device, ..paired }.to_m3();
        assert_eq!(error(daemon.read_m3(&m3)), refused);
    }
}

#[test]
fn an_ml_kem_key_that_fails_the_modulus_check_is_refused() {
    let paired = Paired::new();
    let mut ephemeral = DeviceEphemeral::generate();
    ephemeral.kem.public[..2].copy_from_slice(&[0xff, 0xff]);
    let (_, m1) = connect(paired.credentials(), ephemeral).unwrap();
    let refused = error(paired.read_m1(&m1));
    assert_eq!(refused, misbehaved(Misbehaviour::Key));
    assert_eq!(refused.alert(), Alert::Malformed);
}

#[test]
fn reflected_messages_are_refused() {
    let paired = Paired::new();
    let (device, m1) = paired.connect();
    assert_eq!(error(device.read_m2(&m1)), misbehaved(Misbehaviour::Tag));

    let (_, daemon, m2) = paired.to_m2();
    assert_eq!(error(daemon.read_m3(&m2)), misbehaved(Misbehaviour::Length));
    assert!(matches!(error(paired.read_m1(&m2)), Error::Incompatible));

    // M3 begins with sealed bytes, which may look like any tag.
    for tag in [TAG_NEXT, TAG_REFUSAL, TAG_ALERT] {
        let (device, _, mut m3) = paired.to_m3();
        m3[0] = tag;
        let refused = error(device.read_m4(&m3));
        assert!(matches!(refused, Error::Tampered | Error::Misbehaved(_)), "{refused:?}");
    }
}

#[test]
fn reflected_records_are_refused() {
    let paired = Paired::new();
    let (mut device, mut daemon) = paired.channels();
    let up = device.sealer.seal(NOW, b"up").unwrap();
    assert_eq!(device.opener.open(&up), Err(Error::Record));
    let down = daemon.sealer.seal(NOW, b"down").unwrap();
    assert_eq!(daemon.opener.open(&down), Err(Error::Record));
}

#[test]
fn messages_of_another_session_are_refused() {
    let paired = Paired::new();
    let (device, _) = paired.connect();
    let (_, _, m2) = paired.to_m2();
    assert_eq!(error(device.read_m2(&m2)), misbehaved(Misbehaviour::Seal));

    let (_, daemon, _) = paired.to_m3();
    let (_, _, m3) = paired.to_m3();
    assert_eq!(error(daemon.read_m3(&m3)), misbehaved(Misbehaviour::Seal));

    let (device, _, _) = paired.to_m3();
    let (_, _, m4) = paired.to_m4();
    assert_eq!(error(device.read_m4(&m4)), Error::Tampered);

    let ((mut device, _), (_, mut daemon)) = (paired.channels(), paired.channels());
    let record = device.sealer.seal(NOW, b"up").unwrap();
    assert_eq!(daemon.opener.open(&record), Err(Error::Record));
}

/// The device's proof of one session in another: c3 cannot be moved, nor can c4 behind an
/// honest c3.
#[test]
fn a_proof_of_another_session_is_refused() {
    let paired = Paired::new();
    let (_, _, of_another_session) = paired.to_m3();
    let (_, daemon, mut m3) = paired.to_m3();
    m3[48..64].copy_from_slice(&of_another_session[48..64]);
    assert!(daemon.read_m3(&m3).unwrap().verify(Some(&paired.token.psk())).is_err());
}

#[test]
fn a_replayed_m1_leads_nowhere() {
    let paired = Paired::new();
    let (device, m1) = paired.connect();
    let (_, m2) = paired.read_m1(&m1).unwrap();
    let (_, m3) = device.read_m2(&m2).unwrap();
    let (daemon, _) = paired.read_m1(&m1).unwrap();
    assert_eq!(error(daemon.read_m3(&m3)), misbehaved(Misbehaviour::Seal));
}

#[test]
fn a_welcome_that_is_too_long_is_the_callers_error() {
    let paired = Paired::new();
    let (_, claim) = paired.to_claim();
    let accepted = claim.verify(Some(&paired.token.psk())).unwrap();
    assert_eq!(error(accepted.accept(NOW, &vec![0; 65_537])), Error::TooLong);

    let (device, claim) = paired.to_claim();
    let accepted = claim.verify(Some(&paired.token.psk())).unwrap();
    let (_, m4) = accepted.accept(NOW, &vec![7; 65_536]).unwrap();
    assert_eq!(m4.len(), MAX_MESSAGE);
    assert_eq!(device.read_m4(&m4).unwrap().1, vec![7; 65_536]);
}

#[test]
fn states_print_nothing_of_themselves() {
    let paired = Paired::new();
    let (device, daemon, m2) = paired.to_m2();
    assert_eq!(format!("{device:?} {daemon:?}"), "AwaitM2(..) AwaitM3(..)");
    let (device, m3) = device.read_m2(&m2).unwrap();
    let claim = daemon.read_m3(&m3).unwrap();
    assert_eq!(format!("{device:?} {claim:?}"), "AwaitM4(..) Claim(..)");
    let accepted = claim.verify(Some(&paired.token.psk())).unwrap();
    assert_eq!(format!("{accepted:?}"), "Accepted(..)");
}

#[test]
fn credentials_and_ephemeral_keys_print_nothing_secret() {
    let paired = Paired::new();
    let credentials = paired.credentials();
    let pair = |public| format!("KeyPair {{ public: {public:?}, secret: SecretKey(..) }}");
    assert_eq!(
        format!("{credentials:?}"),
        format!(
            "DeviceCredentials {{ daemon_key: {:?}, device: {}, token: Token(..) }}",
            credentials.daemon_key,
            pair(credentials.device.public),
        )
    );
    let device = DeviceEphemeral::generate();
    assert_eq!(
        format!("{device:?}"),
        format!("DeviceEphemeral {{ kx: {}, kem: KemKeyPair(..) }}", pair(device.kx.public))
    );
    // 0xab = 171
    let kem_seed = Some(Zeroizing::new([0xab; 32]));
    let daemon = DaemonEphemeral { kem_seed, ..DaemonEphemeral::generate() };
    let printed = format!("{daemon:?} {daemon:x?}");
    assert!(!printed.contains("171, 171") && !printed.contains("ab, ab"), "{printed}");
}
