//! What a daemon reads in both handshakes. Every change to an honest message is noticed by the
//! daemon or, where it cannot know, by the device one step later.

#![no_main]

use std::sync::LazyLock;

use arbitrary::Arbitrary;
use codeout_fuzz::{NOW, PAIRED, Transit};
use codeout_protocol::error::Error;
use codeout_protocol::handshake::{self, DaemonEphemeral, Mode};
use codeout_protocol::name::Name;
use codeout_protocol::pairing::{self, DaemonPairing};
use codeout_protocol::sodium::Psk;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Step<'a> {
    M1(Transit<'a>),
    M3(Transit<'a>, Known),
    P1(Transit<'a>),
    P3(Transit<'a>, &'a str),
}

/// What the allow-list says of the device.
#[derive(Arbitrary, Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    Yes,
    No,
    WithAnotherToken,
}

/// M1 says nothing of the session, so one serves for the whole run.
static M1: LazyLock<Vec<u8>> = LazyLock::new(|| PAIRED.connect().1);

fuzz_target!(|step: Step<'_>| match step {
    Step::M1(transit) => read_m1(&transit),
    Step::M3(transit, known) => read_m3(&transit, known),
    Step::P1(transit) => read_p1(&transit),
    Step::P3(transit, name) => read_p3(&transit, name),
});

fn read_m1(transit: &Transit<'_>) {
    let m1 = transit.of(&M1);
    let _ = Mode::of(&m1);
    match handshake::read_m1(&PAIRED.daemon, &m1, DaemonEphemeral::generate()) {
        Ok((_, m2)) => assert!(m1 == *M1 && m2.len() == 1137),
        Err(error) => {
            assert_ne!(m1, *M1);
            let _ = error.alert();
        }
    }
}

fn read_m3(transit: &Transit<'_>, known: Known) {
    let (device, daemon, sent) = PAIRED.to_m3();
    let m3 = transit.of(&sent);
    let Ok(claim) = daemon.read_m3(&m3) else {
        assert!(m3.len() != sent.len() || m3[..48] != sent[..48]);
        return;
    };
    assert!(m3.len() == sent.len() && m3[..48] == sent[..48]);
    assert_eq!(claim.device_key(), PAIRED.credentials.device.public);
    let other = Psk::random();
    let psk = match known {
        Known::Yes => Some(&PAIRED.psk),
        Known::No => None,
        Known::WithAnotherToken => Some(&other),
    };
    let honest_proof = m3[48..64] == sent[48..64];
    match claim.verify(psk) {
        Ok(accepted) => {
            assert!(known == Known::Yes && honest_proof);
            let (mut daemon, m4) = accepted.accept(NOW, b"welcome").expect("it is short");
            let (mut device, _) = device.read_m4(&m4).expect("an honest M4");
            let record = device.sealer.seal(NOW, b"ping").expect("it is short");
            assert_eq!(daemon.opener.open(&record).is_ok(), m3 == sent);
        }
        Err(refusal) => {
            assert!(known != Known::Yes || !honest_proof);
            let told = device.read_m4(&refusal).expect_err("a refusal");
            assert_eq!(matches!(told, Error::Refused(_)), honest_proof);
        }
    }
}

fn read_p1(transit: &Transit<'_>) {
    let (device, sent) = PAIRED.pair();
    let p1 = transit.of(&sent);
    let read = pairing::read_p1(&PAIRED.code, &PAIRED.daemon, &p1, DaemonPairing::generate());
    match read {
        Ok((_, p2)) => {
            assert_eq!(p2.len(), 1233);
            assert_eq!(pairing::session_identifier(&p1).expect("it was read")[..], p1[3..19]);
            assert_eq!(device.read_p2(&p2).is_ok(), p1 == sent);
        }
        Err(_) => assert_ne!(p1, sent),
    }
}

fn read_p3(transit: &Transit<'_>, name: &str) {
    let Some(name) = Name::clean(name) else {
        return;
    };
    let (device, daemon, sent) = PAIRED.to_p3(&name);
    let p3 = transit.of(&sent);
    let Ok(proved) = daemon.read_p3(&p3) else {
        assert_ne!(p3, sent);
        return;
    };
    let transcript = sent.len() - 24;
    assert!(p3.len() == sent.len() && p3[..transcript] == sent[..transcript]);
    assert_eq!(proved.device_key(), PAIRED.credentials.device.public);
    assert_eq!(proved.proposed_name(), Some(&name));
    let (mut daemon, p4) = proved.accept(NOW, b"welcome").expect("it is short");
    let (mut device, _) = device.read_p4(&p4).expect("an honest P4");
    let record = device.sealer.seal(NOW, b"ping").expect("it is short");
    assert_eq!(daemon.opener.open(&record).is_ok(), p3 == sent);
}
