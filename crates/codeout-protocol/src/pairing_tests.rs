use serde_json::Value;
use zeroize::Zeroizing;

use super::*;
use crate::channel::{Opened, Opener, Sealer};
use crate::error::Alert;
use crate::handshake::{MAX_MESSAGE, connect, read_m1};
use crate::schedule::{TAG_ALERT, TAG_REFUSAL};
use crate::sodium::{KemKeyPair, Key, SecretKey};

#[path = "../tests/common/mod.rs"]
#[allow(clippy::duplicate_mod)] // private to each module, like the tests
mod common;
#[path = "../tests/common/steps.rs"]
#[allow(clippy::duplicate_mod)] // private to each module, like the tests
mod steps;
use common::{array, hex, text, vectors};
use steps::*;

const SECOND_REASON: u8 = PairRefusal::Expired as u8;

/// What a device draws, the same at each call, so that one P2 fits many devices.
fn fixed_pairing() -> DevicePairing {
    let mut scalar = [0; 32];
    scalar[..16].fill(5);
    DevicePairing {
        sid: [1; SID],
        scalar: Scalar::from_bytes(&scalar),
        ephemeral: DeviceEphemeral {
            kx: KeyPair::from_seed(&[2; 32]),
            kem: KemKeyPair::from_seed(&[3; 64]),
        },
    }
}

/// A daemon that offers a pairing code, and a device that wants in.
struct Offer {
    code: Code,
    daemon: KeyPair,
    device: KeyPair,
}

impl Offer {
    fn new() -> Self {
        let code = Code::random();
        Offer { code, daemon: KeyPair::generate(), device: KeyPair::generate() }
    }

    fn pair(&self) -> (AwaitP2, Vec<u8>) {
        pair(&self.code, DevicePairing::generate())
    }

    fn read_p1(&self, p1: &[u8]) -> Result<(AwaitP3, Vec<u8>), Error> {
        read_p1(&self.code, &self.daemon, p1, DaemonPairing::generate())
    }

    /// Up to P2, not yet read.
    fn to_p2(&self) -> (AwaitP2, AwaitP3, Vec<u8>) {
        let (device, p1) = self.pair();
        let (daemon, p2) = self.read_p1(&p1).unwrap();
        (device, daemon, p2)
    }

    /// Up to P2, read.
    fn to_daemon_proved(&self) -> (DaemonProved, AwaitP3) {
        let (device, daemon, p2) = self.to_p2();
        (device.read_p2(&p2).unwrap(), daemon)
    }

    /// Up to P3, not yet read.
    fn to_p3(&self) -> (AwaitP4, AwaitP3, Vec<u8>) {
        let (device, daemon) = self.to_daemon_proved();
        let name = Name::clean("Pixel 9").unwrap();
        let (device, p3) = device.present(self.device.clone(), &name).unwrap();
        (device, daemon, p3)
    }

    /// Up to the daemon's decision.
    fn to_proved(&self) -> (AwaitP4, Proved) {
        let (device, daemon, p3) = self.to_p3();
        (device, daemon.read_p3(&p3).unwrap())
    }

    /// Up to P4 that accepts, not yet read.
    fn to_p4(&self) -> (AwaitP4, Channel, Vec<u8>) {
        let (device, proved) = self.to_proved();
        let (channel, p4) = proved.accept(NOW, b"welcome").unwrap();
        (device, channel, p4)
    }

    /// Up to P4 that refuses, not yet read.
    fn to_refusal(&self) -> (AwaitP4, Vec<u8>) {
        let (device, proved) = self.to_proved();
        (device, proved.refuse(PairRefusal::Expired))
    }

    fn channels(&self) -> (Channel, Channel) {
        let (device, daemon, p4) = self.to_p4();
        (device.read_p4(&p4).unwrap().0, daemon)
    }
}

fn vector() -> Value {
    vectors(include_str!("../../../vectors/pair.json"))
}

/// Device and daemon of `pair.json` up to the daemon's decision; every byte is compared.
fn run_vector(file: &Value) -> (AwaitP4, Proved, [u8; STREAM_HEADER]) {
    let code: Code = text(&file["code"]).parse().unwrap();
    assert_eq!(code.canonical(), text(&file["code"]).as_bytes());
    let daemon = static_key_pair(&file["daemon_static"]);
    let keys = &file["device"];
    let kem = KemKeyPair::from_seed(&array(&keys["kem_seed"]));
    assert_eq!(kem.public.as_slice(), hex(&keys["kem_pk"]));
    let device_pairing = DevicePairing {
        sid: array(&keys["sid"]),
        scalar: Scalar::from_bytes(&array(&keys["scalar"])),
        ephemeral: DeviceEphemeral { kx: key_pair_of_seed(keys), kem },
    };
    let keys = &file["daemon"];
    let daemon_pairing = DaemonPairing {
        scalar: Scalar::from_bytes(&array(&keys["scalar"])),
        ephemeral: DaemonEphemeral {
            kx: key_pair_of_seed(keys),
            kem_seed: Some(Zeroizing::new(array(&keys["kem_enc_seed"]))),
        },
    };

    let (device_state, p1) = pair(&code, device_pairing);
    assert_eq!(p1, hex(&file["p1"]));
    assert_eq!(session_identifier(&p1), Ok(array(&file["device"]["sid"])));
    let (daemon_state, p2) = read_p1(&code, &daemon, &p1, daemon_pairing).unwrap();
    assert_eq!(p2, [vec![TAG_NEXT], hex(&file["p2"])].concat());
    let proved = device_state.read_p2(&p2).unwrap();
    assert_eq!(proved.daemon_key(), daemon.public);
    let name = Name::clean(text(&file["name"])).unwrap();
    let (device_state, p3) =
        proved.present(static_key_pair(&file["device_static"]), &name).unwrap();
    let (body, header) = p3.split_last_chunk().unwrap();
    assert_eq!(body, hex(&file["p3"]));
    let proved = daemon_state.read_p3(&p3).unwrap();
    assert_eq!(proved.device_key().0, array(&file["device_static"]["pk"]));
    assert_eq!(proved.proposed_name(), Some(&name));
    (device_state, proved, *header)
}

#[test]
fn both_ends_pair_as_in_the_vectors() {
    let file = vector();
    let (device, proved, device_header) = run_vector(&file);
    assert_eq!(device.credentials().token.expose(), &array(&file["token"]));
    assert_eq!(device.credentials().daemon_key.0, array(&file["daemon_static"]["pk"]));
    assert_eq!(device.credentials().device.public.0, array(&file["device_static"]["pk"]));
    assert_eq!(proved.psk().expose(), &array(&file["psk"]));

    // The vector's keys open what each end sealed…
    let (mut daemon, p4) = proved.accept(NOW, b"welcome").unwrap();
    let up = Key::from_bytes(&array(&file["device_to_daemon"]));
    let down = Key::from_bytes(&array(&file["daemon_to_device"]));
    assert_eq!(p4[0], TAG_NEXT);
    let (daemon_header, first) = p4[1..].split_first_chunk().unwrap();
    let opened = Opener::new(&down, daemon_header).open(first);
    assert_eq!(opened, Ok(Opened::Message(b"welcome".to_vec())));
    let (mut device, first) = device.read_p4(&p4).unwrap();
    assert_eq!(first, b"welcome");
    let record = device.sealer.seal(NOW, b"ping").unwrap();
    let opened = Opener::new(&up, &device_header).open(&record);
    assert_eq!(opened, Ok(Opened::Message(b"ping".to_vec())));
    // …and so does the other end.
    assert_eq!(daemon.opener.open(&record), Ok(Opened::Message(b"ping".to_vec())));
    assert_connected(&mut device, &mut daemon);
}

#[test]
fn both_ends_agree_on_the_vectors_cpace_key() {
    let file = vector();
    let (p1, p2) = (hex(&file["p1"]), hex(&file["p2"]));
    let header = Mode::Pair.header();
    let (mut p1, mut p2) = (&p1[HEADER..], p2.as_slice());
    let sid = take(&mut p1).unwrap();
    let device_element = take(&mut p1).unwrap();
    let (de, ek) = p1.split_at(KX_PUBLIC);
    let daemon_element = take(&mut p2).unwrap();
    let se = take::<KX_PUBLIC>(&mut p2).unwrap();
    let ct = take::<KEM_CIPHERTEXT>(&mut p2).unwrap();
    let exchange = Exchange {
        sid,
        device_element,
        device_data: [&header, de, ek],
        daemon_element,
        daemon_data: [&header, se, ct],
    };
    for (role, end) in [(Role::Device, "device"), (Role::Daemon, "daemon")] {
        let scalar = Scalar::from_bytes(&array(&file[end]["scalar"]));
        let (isk, tags) = exchange.agree(role, &scalar).unwrap();
        assert_eq!(isk.bytes(), hex(&file["isk"]), "{end}");
        assert_eq!(tags.responder, p2[..MAC], "{end}");
        assert_eq!(tags.initiator, hex(&file["p3"])[..MAC], "{end}");
    }
}

#[test]
fn the_refusals_are_the_vectors() {
    let file = vector();
    assert_eq!(file["refusals"].as_object().unwrap().len(), 3);
    for (reason, why, refused) in [
        ("1", PairRefusal::AlreadyUsed, Refusal::AlreadyUsed),
        ("2", PairRefusal::Expired, Refusal::Expired),
        ("3", PairRefusal::Declined, Refusal::Declined),
    ] {
        let (device, proved, _) = run_vector(&file);
        let refusal = proved.refuse(why);
        assert_eq!(refusal, [vec![TAG_REFUSAL], hex(&file["refusals"][reason])].concat());
        assert_eq!(error(device.read_p4(&refusal)), Error::Refused(refused));
    }
}

#[test]
fn a_device_that_holds_the_code_is_paired() {
    let offer = Offer::new();
    let (mut device, mut daemon) = offer.channels();
    assert_connected(&mut device, &mut daemon);
}

#[test]
fn both_ends_derive_one_token_and_it_never_travels() {
    let offer = Offer::new();
    let (device, p1) = offer.pair();
    let (daemon, p2) = offer.read_p1(&p1).unwrap();
    let name = Name::clean("Pixel 9").unwrap();
    let proved = device.read_p2(&p2).unwrap();
    let (device, p3) = proved.present(offer.device.clone(), &name).unwrap();
    let proved = daemon.read_p3(&p3).unwrap();
    let token = *device.credentials().token.expose();
    assert_eq!(device.credentials().token.psk().expose(), proved.psk().expose());

    let (_, p4) = proved.accept(NOW, b"welcome").unwrap();
    let sent = [p1, p2, p3, p4].concat();
    let shows = |secret: &[u8]| sent.windows(secret.len()).any(|window| window == secret);
    for secret in [&token, &offer.device.public.0, &offer.daemon.public.0] {
        assert!(!shows(secret));
    }
    assert!(!shows(offer.code.canonical()));
    assert!(!shows(b"Pixel 9"));
}

#[test]
fn the_other_version_suite_or_mode_is_refused() {
    let offer = Offer::new();
    let (_, p1) = offer.pair();
    for value in (0..=255).filter(|value| *value != 1) {
        for index in [0, 1] {
            let mut changed = p1.clone();
            changed[index] = value;
            let refused = error(offer.read_p1(&changed));
            assert_eq!((refused.alert(), refused), (Alert::Version, Error::Incompatible));
            assert_eq!(session_identifier(&changed), Err(Error::Incompatible));
        }
    }
    for mode in (0..=255).filter(|mode| *mode != 2) {
        let mut changed = p1.clone();
        changed[2] = mode;
        let what = if mode == 1 { Misbehaviour::Length } else { Misbehaviour::Tag };
        assert_eq!(error(offer.read_p1(&changed)), misbehaved(what));
    }
}

#[test]
fn p1_of_a_wrong_length_is_refused() {
    let offer = Offer::new();
    let (_, p1) = offer.pair();
    assert_eq!(p1.len(), 1267);
    for wrong in other_lengths(&p1) {
        let refused = error(offer.read_p1(&wrong));
        assert_eq!(refused, misbehaved(Misbehaviour::Length), "{} bytes", wrong.len());
        assert_eq!(refused.alert(), Alert::Malformed);
        assert_eq!(session_identifier(&wrong), Err(misbehaved(Misbehaviour::Length)));
    }
}

/// The daemon cannot know that P1 was changed; its answer then does not fit the device.
#[test]
fn p1_flipped_at_any_byte_is_refused_by_one_end_or_the_other() {
    let offer = Offer::new();
    let (_, p1) = pair(&offer.code, fixed_pairing());
    for (index, changed) in flips(&p1) {
        let refused = offer.read_p1(&changed).and_then(|(_, p2)| {
            let (device, _) = pair(&offer.code, fixed_pairing());
            device.read_p2(&p2)
        });
        let refused = error(refused);
        match index {
            0 | 1 => assert_eq!(refused, Error::Incompatible),
            2 => assert!(matches!(refused, Error::Misbehaved(_))),
            // sid and De
            3..19 | 51..83 => assert_eq!(refused, Error::WrongCode, "byte {index}"),
            // Ya and ek, which may not be valid any more
            _ => assert!(
                refused == Error::WrongCode || refused == misbehaved(Misbehaviour::Key),
                "byte {index}: {refused:?}"
            ),
        }
    }
}

#[test]
fn a_session_identifier_is_seen_again_in_a_repeated_p1() {
    let offer = Offer::new();
    let (_, p1) = offer.pair();
    let (_, other) = offer.pair();
    assert_eq!(session_identifier(&p1).unwrap(), p1[3..19]);
    assert_ne!(session_identifier(&p1), session_identifier(&other));
    assert_eq!(misbehaved(Misbehaviour::Replay).alert(), Alert::Malformed);
}

#[test]
fn p2_of_a_wrong_length_is_refused() {
    let offer = Offer::new();
    let (_, _, p2) = offer.to_p2();
    assert_eq!(p2.len(), 1233);
    for wrong in other_lengths(&p2) {
        let (device, _) = pair(&offer.code, fixed_pairing());
        let refused = error(device.read_p2(&wrong));
        assert_eq!(refused, misbehaved(Misbehaviour::Length), "{} bytes", wrong.len());
    }
}

#[test]
fn p2_flipped_at_any_byte_is_refused() {
    let offer = Offer::new();
    let (device, p1) = pair(&offer.code, fixed_pairing());
    let (_, p2) = offer.read_p1(&p1).unwrap();
    assert!(device.read_p2(&p2).is_ok());
    for (index, changed) in flips(&p2) {
        let (device, _) = pair(&offer.code, fixed_pairing());
        let refused = error(device.read_p2(&changed));
        match index {
            0 => assert_eq!(refused, misbehaved(Misbehaviour::Tag)),
            // Yb, which may not be valid any more
            1..33 => assert!(
                refused == Error::WrongCode || refused == misbehaved(Misbehaviour::Key),
                "byte {index}: {refused:?}"
            ),
            // Se, ct and Tb
            33..1185 => assert_eq!(refused, Error::WrongCode, "byte {index}"),
            _ => assert_eq!(refused, misbehaved(Misbehaviour::Seal), "byte {index}"),
        }
    }
}

#[test]
fn a_wrong_code_is_refused_by_the_device() {
    let offer = Offer::new();
    for index in 0..Code::LENGTH {
        let mut text = *offer.code.canonical();
        text[index] = if text[index] == b'0' { b'1' } else { b'0' };
        let wrong: Code = std::str::from_utf8(&text).unwrap().parse().unwrap();
        let (device, p1) = pair(&wrong, DevicePairing::generate());
        let (_, p2) = offer.read_p1(&p1).unwrap();
        assert_eq!(error(device.read_p2(&p2)), Error::WrongCode);
    }
}

/// An impostor that guesses a code, gets P2, and proves what it guessed.
#[test]
fn a_wrong_code_is_refused_by_the_daemon() {
    let offer = Offer::new();
    let header = Mode::Pair.header();
    for (guess, expected) in [
        (Code::random(), Error::WrongCode),
        // The right guess comes past the proof, and fails at the empty rest.
        (offer.code.clone(), misbehaved(Misbehaviour::Seal)),
    ] {
        let (AwaitP2 { pairing, element }, p1) = pair(&guess, DevicePairing::generate());
        let (daemon, p2) = offer.read_p1(&p1).unwrap();
        let mut rest = &p2[1..];
        let daemon_element = take(&mut rest).unwrap();
        let (daemon_data, _) = rest.split_at(KX_PUBLIC + KEM_CIPHERTEXT);
        let exchange = Exchange {
            sid: &pairing.sid,
            device_element: &element,
            device_data: [&header, &p1[HEADER + SID + ELEMENT..], b""],
            daemon_element,
            daemon_data: [&header, daemon_data, b""],
        };
        let (_, tags) = exchange.agree(Role::Device, &pairing.scalar).unwrap();
        let p3 = [tags.initiator.as_slice(), &[0; P3_FIXED + 7 - MAC]].concat();
        assert_eq!(error(daemon.read_p3(&p3)), expected);
    }
}

#[test]
fn another_daemon_than_the_links_is_refused() {
    let offer = Offer::new();
    let (proved, _) = offer.to_daemon_proved();
    assert!(proved.expect_key(&offer.daemon.public).is_ok());
    for index in 0..32 {
        let mut other = offer.daemon.public;
        other.0[index] ^= 1 << (index % 8);
        let (proved, _) = offer.to_daemon_proved();
        assert_eq!(error(proved.expect_key(&other)), Error::WrongDaemonKey);
    }
}

#[test]
fn p3_of_a_wrong_length_is_refused() {
    let offer = Offer::new();
    let right = offer.to_p3().2.len();
    assert_eq!(right, 120 + "Pixel 9".len());
    for wrong in (0..=P3_MAX_LENGTH + 2).filter(|length| *length != right) {
        let (_, daemon, mut p3) = offer.to_p3();
        p3.resize(wrong, 0);
        let refused = error(daemon.read_p3(&p3));
        // Within what a name may take, it is the name's seal that gives it away.
        let in_range = (P3_FIXED + 1..=P3_FIXED + 64).contains(&wrong);
        let what = if in_range { Misbehaviour::Seal } else { Misbehaviour::Length };
        assert_eq!(refused, misbehaved(what), "{wrong} bytes");
        assert_eq!(refused.alert(), Alert::Malformed);
    }
}

#[test]
fn p3_flipped_at_any_byte_is_refused() {
    let offer = Offer::new();
    let (_, _, p3) = offer.to_p3();
    let stream_header = p3.len() - STREAM_HEADER;
    for index in 0..p3.len() {
        for mask in masks(index) {
            let (device, daemon, mut p3) = offer.to_p3();
            p3[index] ^= mask;
            let proved = daemon.read_p3(&p3);
            if index < MAC {
                assert_eq!(error(proved), Error::WrongCode, "byte {index}");
            } else if index < stream_header {
                assert_eq!(error(proved), misbehaved(Misbehaviour::Seal), "byte {index}");
            } else {
                // It is part of no transcript: the first record is refused.
                let (mut daemon, p4) = proved.unwrap().accept(NOW, b"welcome").unwrap();
                let (mut device, _) = device.read_p4(&p4).unwrap();
                let record = device.sealer.seal(NOW, b"ping").unwrap();
                assert_eq!(daemon.opener.open(&record), Err(Error::Record), "byte {index}");
            }
        }
    }
}

/// P3 with any bytes for a name, by a device that otherwise keeps to the protocol.
fn p3_with_name(offer: &Offer, name: &[u8]) -> (AwaitP3, Vec<u8>) {
    let (proved, daemon) = offer.to_daemon_proved();
    let DaemonProved { mut schedule, ephemeral, se, device_tag, daemon_key } = proved;
    schedule.mix_kx(Role::Device, &ephemeral.kx, &daemon_key).unwrap();
    let c3 = schedule.seal(b'3', &offer.device.public.0);
    schedule.absorb(&[&device_tag, &c3]);
    schedule.mix_kx(Role::Device, &offer.device, &se).unwrap();
    let c4 = schedule.seal(b'4', name);
    (daemon, [device_tag.as_slice(), &c3, &c4, &[0; STREAM_HEADER]].concat())
}

#[test]
fn a_name_of_1_to_64_bytes_is_read() {
    let longest = "é".repeat(32);
    for name in ["x", "Pixel 9", &longest] {
        let (daemon, p3) = p3_with_name(&Offer::new(), name.as_bytes());
        let proved = daemon.read_p3(&p3).unwrap();
        assert_eq!(proved.proposed_name().map(Name::as_str), Some(name));
    }
}

#[test]
fn an_empty_or_too_long_name_is_refused() {
    for length in [0, 65, 66, 1_000] {
        let (daemon, p3) = p3_with_name(&Offer::new(), &vec![b'x'; length]);
        let refused = error(daemon.read_p3(&p3));
        assert_eq!(refused, misbehaved(Misbehaviour::Length), "{length} bytes");
    }
}

#[test]
fn a_name_that_is_not_utf_8_is_refused() {
    for name in [b"\xff".as_slice(), b"Pixel \xc3", b"\xed\xa0\x80", b"\xc0\x80"] {
        let (daemon, p3) = p3_with_name(&Offer::new(), name);
        assert_eq!(error(daemon.read_p3(&p3)), misbehaved(Misbehaviour::Name));
    }
}

#[test]
fn a_name_with_control_characters_is_cleaned() {
    for (name, clean) in
        [("\x1b[31mPixel\u{202e} 9\r\n", Some("[31mPixel 9")), ("\x07\u{200b}", None)]
    {
        let (daemon, p3) = p3_with_name(&Offer::new(), name.as_bytes());
        let proved = daemon.read_p3(&p3).unwrap();
        assert_eq!(proved.proposed_name().map(Name::as_str), clean);
    }
}

#[test]
fn p4_of_a_wrong_length_is_refused() {
    let offer = Offer::new();
    let length = offer.to_p4().2.len();
    for wrong in (0..length).chain([length + 1, length + 2]) {
        let (device, _, mut p4) = offer.to_p4();
        p4.resize(wrong, 0);
        let expected = if wrong < 1 + STREAM_HEADER {
            misbehaved(Misbehaviour::Length)
        } else {
            Error::Tampered
        };
        assert_eq!(error(device.read_p4(&p4)), expected, "{wrong} bytes");
    }
}

#[test]
fn p4_flipped_at_any_byte_is_refused() {
    let offer = Offer::new();
    let length = offer.to_p4().2.len();
    for index in 1..length {
        for mask in masks(index) {
            let (device, _, mut p4) = offer.to_p4();
            p4[index] ^= mask;
            assert_eq!(error(device.read_p4(&p4)), Error::Tampered, "byte {index}");
        }
    }
}

#[test]
fn a_message_of_the_daemon_with_a_wrong_tag_is_refused() {
    let offer = Offer::new();
    let (_, _, mut p2) = offer.to_p2();
    for tag in 1..=255 {
        let (device, _) = pair(&offer.code, fixed_pairing());
        p2[0] = tag;
        assert_eq!(error(device.read_p2(&p2)), misbehaved(Misbehaviour::Tag), "tag {tag}");
    }
    for tag in [1, 2, 3, 0x10, 0x7f, 0x80, 0xfe, 0xff] {
        let (device, _, mut p4) = offer.to_p4();
        p4[0] = tag;
        let expected =
            if tag == TAG_REFUSAL { Error::Tampered } else { misbehaved(Misbehaviour::Tag) };
        assert_eq!(error(device.read_p4(&p4)), expected, "tag {tag}");
    }
}

#[test]
fn p4_that_ends_the_direction_is_refused() {
    let (device, Proved { verdict, .. }) = Offer::new().to_proved();
    let (sealer, header) = Sealer::new(&verdict.schedule.sub(b's'));
    let record = sealer.finish(b"welcome").unwrap();
    let p4 = [[TAG_NEXT].as_slice(), &header, &record].concat();
    assert_eq!(error(device.read_p4(&p4)), misbehaved(Misbehaviour::Tag));
}

#[test]
fn every_alert_is_read_wherever_the_device_waits() {
    let offer = Offer::new();
    for byte in 0..=255 {
        let expected = match byte {
            1 => Error::Alert(Alert::Version),
            2 => Error::Alert(Alert::TooManyAttempts),
            3 => Error::Alert(Alert::NoOffer),
            4 => Error::Alert(Alert::Malformed),
            5 => Error::Alert(Alert::WrongKey),
            _ => misbehaved(Misbehaviour::Tag),
        };
        let (device, _) = pair(&offer.code, fixed_pairing());
        assert_eq!(error(device.read_p2(&[TAG_ALERT, byte])), expected);
        if (10..250).contains(&byte) {
            continue; // both states read alerts alike; the known ones and the ends suffice
        }
        let (device, _, _) = offer.to_p3();
        assert_eq!(error(device.read_p4(&[TAG_ALERT, byte])), expected);
    }
    for wrong in [[TAG_ALERT].as_slice(), &[TAG_ALERT, 1, 0]] {
        let (device, _) = offer.pair();
        assert_eq!(error(device.read_p2(wrong)), misbehaved(Misbehaviour::Tag));
        let (device, _, _) = offer.to_p3();
        assert_eq!(error(device.read_p4(wrong)), misbehaved(Misbehaviour::Tag));
    }
}

#[test]
fn a_refusal_changed_on_the_way_is_tampered_with() {
    let offer = Offer::new();
    for index in 1..18 {
        for bit in 0..8 {
            let (device, mut refusal) = offer.to_refusal();
            refusal[index] ^= 1 << bit;
            assert_eq!(error(device.read_p4(&refusal)), Error::Tampered, "byte {index}");
        }
    }
    for length in (1..18).chain([19, 20]) {
        let (device, mut refusal) = offer.to_refusal();
        refusal.resize(length, 0);
        assert_eq!(error(device.read_p4(&refusal)), Error::Tampered, "{length} bytes");
    }
}

#[test]
fn a_forged_refusal_is_tampered_with() {
    let offer = Offer::new();
    let (device, _, _) = offer.to_p3();
    assert_eq!(error(device.read_p4(&[TAG_REFUSAL; 18])), Error::Tampered);
    let (device, _, _) = offer.to_p3();
    let (_, of_another_session) = offer.to_refusal();
    assert_eq!(error(device.read_p4(&of_another_session)), Error::Tampered);
}

#[test]
fn a_refusal_instead_of_p2_is_refused() {
    let offer = Offer::new();
    let (_, refusal) = offer.to_refusal();
    assert_eq!(error(offer.pair().0.read_p2(&refusal)), misbehaved(Misbehaviour::Tag));
}

#[test]
fn a_refusal_with_an_unknown_reason_is_refused() {
    let offer = Offer::new();
    for reason in [0, 4, 5, 0x7f, 0x80, 0xff] {
        let (device, Proved { verdict, .. }) = offer.to_proved();
        let refused = error(device.read_p4(&verdict.refuse(reason)));
        assert_eq!(refused, misbehaved(Misbehaviour::Tag), "reason {reason}");
    }
}

#[test]
fn a_refusal_with_no_or_two_reasons_is_refused() {
    for reasons in [[].as_slice(), &[SECOND_REASON; 2]] {
        let (device, Proved { verdict, .. }) = Offer::new().to_proved();
        let sealed = verdict.schedule.seal(b'r', reasons);
        let refusal = [vec![TAG_REFUSAL], sealed].concat();
        assert_eq!(error(device.read_p4(&refusal)), misbehaved(Misbehaviour::Length));
    }
}

#[test]
fn low_order_keys_are_refused() {
    for point in LOW_ORDER {
        let bad = PublicKey(point);
        let refused = misbehaved(Misbehaviour::Key);
        let offer = Offer::new();

        // De
        let (_, mut p1) = offer.pair();
        let at = HEADER + SID + ELEMENT;
        p1[at..at + KX_PUBLIC].copy_from_slice(&point);
        let answer = error(offer.read_p1(&p1));
        assert_eq!((answer.alert(), answer), (Alert::Malformed, refused.clone()));

        // Se, of a daemon that holds the code but not to the rules
        let (device, p1) = offer.pair();
        let mut pairing = DaemonPairing::generate();
        pairing.ephemeral.kx.public = bad;
        let (_, p2) = read_p1(&offer.code, &offer.daemon, &p1, pairing).unwrap();
        assert_eq!(error(device.read_p2(&p2)), refused);

        // spk
        let daemon = KeyPair { public: bad, ..offer.daemon.clone() };
        let (device, p1) = offer.pair();
        let (_, p2) = read_p1(&offer.code, &daemon, &p1, DaemonPairing::generate()).unwrap();
        let proved = device.read_p2(&p2).unwrap();
        let name = Name::clean("Pixel 9").unwrap();
        assert_eq!(error(proved.present(offer.device.clone(), &name)), refused);

        // dpk
        let device = KeyPair { public: bad, ..offer.device.clone() };
        let (_, daemon, p3) = Offer { device, ..offer }.to_p3();
        assert_eq!(error(daemon.read_p3(&p3)), refused);
    }
}

/// The identity, an encoding that is not canonical, a negative one, one with a bit too many.
const NO_ELEMENTS: [[u8; 32]; 4] = {
    let mut elements = [[0; 32], [0xff; 32], [0; 32], [0; 32]];
    elements[2][0] = 1;
    elements[3][0] = 2;
    elements[3][31] = 0x80;
    elements
};

#[test]
fn an_invalid_element_or_the_identity_is_refused() {
    let offer = Offer::new();
    for element in NO_ELEMENTS {
        let (_, mut p1) = offer.pair();
        p1[HEADER + SID..][..ELEMENT].copy_from_slice(&element);
        let refused = error(offer.read_p1(&p1));
        assert_eq!((refused.alert(), refused), (Alert::Malformed, misbehaved(Misbehaviour::Key)));

        let (device, _, mut p2) = offer.to_p2();
        p2[1..1 + ELEMENT].copy_from_slice(&element);
        assert_eq!(error(device.read_p2(&p2)), misbehaved(Misbehaviour::Key));
    }
}

#[test]
fn an_ml_kem_key_that_fails_the_modulus_check_is_refused() {
    let offer = Offer::new();
    let mut pairing = DevicePairing::generate();
    pairing.ephemeral.kem.public[..2].copy_from_slice(&[0xff, 0xff]);
    let (_, p1) = pair(&offer.code, pairing);
    let refused = error(offer.read_p1(&p1));
    assert_eq!((refused.alert(), refused), (Alert::Malformed, misbehaved(Misbehaviour::Key)));
}

#[test]
fn reflected_messages_are_refused() {
    let offer = Offer::new();
    let (device, p1) = offer.pair();
    assert_eq!(error(device.read_p2(&p1)), misbehaved(Misbehaviour::Tag));

    let (_, daemon, p2) = offer.to_p2();
    assert_eq!(error(daemon.read_p3(&p2)), misbehaved(Misbehaviour::Length));
    assert_eq!(error(offer.read_p1(&p2)), Error::Incompatible);

    // P3 begins with a tag of CPace, which may look like any tag of a message.
    for tag in [TAG_NEXT, TAG_REFUSAL, TAG_ALERT] {
        let (device, _, mut p3) = offer.to_p3();
        p3[0] = tag;
        let refused = error(device.read_p4(&p3));
        assert!(matches!(refused, Error::Tampered | Error::Misbehaved(_)), "{refused:?}");
    }
}

/// The device's own element and proof, sent back as if they were the daemon's.
#[test]
fn a_daemon_that_mirrors_the_devices_element_is_refused() {
    let offer = Offer::new();
    let (device, p1) = offer.pair();
    let (_, _, mut p2) = offer.to_p2();
    p2[1..33].copy_from_slice(&p1[19..51]);
    p2[33..65].copy_from_slice(&p1[51..83]);
    assert_eq!(error(device.read_p2(&p2)), Error::WrongCode);
}

#[test]
fn reflected_records_are_refused() {
    let (mut device, mut daemon) = Offer::new().channels();
    let up = device.sealer.seal(NOW, b"up").unwrap();
    assert_eq!(device.opener.open(&up), Err(Error::Record));
    let down = daemon.sealer.seal(NOW, b"down").unwrap();
    assert_eq!(daemon.opener.open(&down), Err(Error::Record));
}

#[test]
fn messages_of_another_session_are_refused() {
    let offer = Offer::new();
    let (device, _) = offer.pair();
    let (_, _, p2) = offer.to_p2();
    assert_eq!(error(device.read_p2(&p2)), Error::WrongCode);

    let (_, daemon, _) = offer.to_p3();
    let (_, _, p3) = offer.to_p3();
    assert_eq!(error(daemon.read_p3(&p3)), Error::WrongCode);

    let (device, _, _) = offer.to_p3();
    let (_, _, p4) = offer.to_p4();
    assert_eq!(error(device.read_p4(&p4)), Error::Tampered);
}

/// An honest Ta in front of the sealed parts of another session.
#[test]
fn sealed_parts_of_another_session_are_refused() {
    let offer = Offer::new();
    let (_, _, of_another_session) = offer.to_p3();
    for part in [MAC..MAC + SEALED_KEY, MAC + SEALED_KEY..of_another_session.len()] {
        let (_, daemon, mut p3) = offer.to_p3();
        p3[part.clone()].copy_from_slice(&of_another_session[part]);
        assert_eq!(error(daemon.read_p3(&p3)), misbehaved(Misbehaviour::Seal));
    }
}

#[test]
fn a_replayed_p1_leads_nowhere() {
    let offer = Offer::new();
    let (device, p1) = offer.pair();
    let (_, p2) = offer.read_p1(&p1).unwrap();
    let name = Name::clean("Pixel 9").unwrap();
    let (_, p3) = device.read_p2(&p2).unwrap().present(offer.device.clone(), &name).unwrap();
    let (daemon, _) = offer.read_p1(&p1).unwrap();
    assert_eq!(error(daemon.read_p3(&p3)), Error::WrongCode);
}

/// Both handshakes between the same two ends, with every key right.
#[test]
fn messages_of_one_handshake_are_refused_in_the_other() {
    let offer = Offer::new();
    let connect = || {
        let (device, _, _) = offer.to_p3();
        let credentials = device.credentials().clone();
        let psk = credentials.token.psk();
        let (device, m1) = connect(credentials, DeviceEphemeral::generate()).unwrap();
        (device, m1, psk)
    };
    let read_m1 = |m1: &[u8]| read_m1(&offer.daemon, m1, DaemonEphemeral::generate());
    let length = misbehaved(Misbehaviour::Length);

    let (device, m1, psk) = connect();
    let (_, p1) = offer.pair();
    assert_eq!(error(read_m1(&p1)), length);
    assert_eq!(error(offer.read_p1(&m1)), length);
    assert_eq!(session_identifier(&m1), Err(length.clone()));
    // Nor with the other one's mode, or with its length as well.
    let mut disguised = p1.clone();
    disguised[2] = m1[2];
    assert_eq!(error(read_m1(&disguised)), length);
    disguised.truncate(m1.len());
    assert_eq!(error(read_m1(&disguised)), Error::WrongDaemonKey);

    let (daemon, m2) = read_m1(&m1).unwrap();
    let (awaits_p2, daemon_in_pair, p2) = offer.to_p2();
    assert_eq!(error(device.read_m2(&p2)), length);
    assert_eq!(error(awaits_p2.read_p2(&m2)), length);

    let (_, _, p3) = offer.to_p3();
    assert_eq!(error(daemon.read_m3(&p3)), length);
    let (device, m1, _) = connect();
    let (daemon, m2) = read_m1(&m1).unwrap();
    let (awaits_m4, m3) = device.read_m2(&m2).unwrap();
    assert_eq!(error(daemon_in_pair.read_p3(&m3)), length);

    let (awaits_p4, _, p4) = offer.to_p4();
    assert_eq!(error(awaits_m4.read_m4(&p4)), Error::Tampered);
    let accepted = daemon.read_m3(&m3).unwrap().verify(Some(&psk));
    assert!(accepted.is_err(), "each pairing has a token of its own");
    let (device, m1, psk) = connect();
    let (daemon, m2) = read_m1(&m1).unwrap();
    let (awaits_m4, m3) = device.read_m2(&m2).unwrap();
    let accepted = daemon.read_m3(&m3).unwrap().verify(Some(&psk)).unwrap();
    let (_, m4) = accepted.accept(NOW, b"welcome").unwrap();
    assert_eq!(error(awaits_p4.read_p4(&m4)), Error::Tampered);
    let (_, refusal) = offer.to_refusal();
    assert_eq!(error(awaits_m4.read_m4(&refusal)), Error::Tampered);
}

#[test]
fn a_welcome_that_is_too_long_is_the_callers_error() {
    let offer = Offer::new();
    let (_, proved) = offer.to_proved();
    assert_eq!(error(proved.accept(NOW, &vec![0; 65_537])), Error::TooLong);
    let (device, proved) = offer.to_proved();
    let (_, p4) = proved.accept(NOW, &vec![7; 65_536]).unwrap();
    assert_eq!(p4.len(), MAX_MESSAGE);
    assert_eq!(device.read_p4(&p4).unwrap().1, vec![7; 65_536]);
}

#[test]
fn states_print_nothing_of_themselves() {
    let offer = Offer::new();
    let (device, daemon, p2) = offer.to_p2();
    assert_eq!(format!("{device:?} {daemon:?}"), "AwaitP2(..) AwaitP3(..)");
    let proved = device.read_p2(&p2).unwrap();
    assert_eq!(format!("{proved:?}"), "DaemonProved(..)");
    let name = Name::clean("Pixel 9").unwrap();
    let (device, p3) = proved.present(offer.device.clone(), &name).unwrap();
    assert_eq!(format!("{device:?}"), "AwaitP4(..)");
    assert_eq!(format!("{:?}", daemon.read_p3(&p3).unwrap()), "Proved(..)");
}

#[test]
fn what_an_end_draws_prints_nothing_secret() {
    let pair = |public| format!("KeyPair {{ public: {public:?}, secret: SecretKey(..) }}");
    let device = fixed_pairing();
    let expected = format!(
        "DevicePairing {{ sid: {:?}, scalar: Scalar(..), \
         ephemeral: DeviceEphemeral {{ kx: {}, kem: KemKeyPair(..) }} }}",
        device.sid,
        pair(device.ephemeral.kx.public)
    );
    assert_eq!(format!("{device:?}"), expected);
    let daemon = DaemonPairing::generate();
    let expected = format!(
        "DaemonPairing {{ scalar: Scalar(..), \
         ephemeral: DaemonEphemeral {{ kx: {}, kem_seed: None }} }}",
        pair(daemon.ephemeral.kx.public)
    );
    assert_eq!(format!("{daemon:?}"), expected);
}

#[test]
fn the_channel_identifier_is_the_draft_way_to_name_both_ends() {
    let named = cpace::lv_cat(&[b"codeout/1/pair", b"device", b"daemon"]);
    assert_eq!(CHANNEL_IDENTIFIER, named.as_slice());
}

/// A key pair whose secret belongs to another public key proves nothing.
#[test]
fn a_device_without_the_secret_of_its_key_is_refused() {
    let thief = Offer {
        device: KeyPair {
            public: KeyPair::generate().public,
            secret: SecretKey::from_bytes(KeyPair::generate().secret.expose()),
        },
        ..Offer::new()
    };
    let (_, daemon, p3) = thief.to_p3();
    assert_eq!(error(daemon.read_p3(&p3)), misbehaved(Misbehaviour::Seal));
}
