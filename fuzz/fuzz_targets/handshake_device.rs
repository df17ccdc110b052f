//! What a device reads in both handshakes. No changed message leads on, and none is taken for
//! the daemon's own refusal.

#![no_main]

use arbitrary::Arbitrary;
use codeout_fuzz::{NOW, PAIRED, Transit};
use codeout_protocol::error::Error;
use codeout_protocol::pairing::PairRefusal;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Step<'a> {
    M2(Transit<'a>),
    M4(Transit<'a>, Verdict<'a>),
    P2(Transit<'a>),
    P4(Transit<'a>, Verdict<'a>),
}

#[derive(Arbitrary, Debug)]
enum Verdict<'a> {
    Accept(&'a [u8]),
    Refuse(u8),
}

fuzz_target!(|step: Step<'_>| match step {
    Step::M2(transit) => {
        let (device, _, sent) = PAIRED.to_m2();
        let m2 = transit.of(&sent);
        match device.read_m2(&m2) {
            Ok((_, m3)) => assert!(m2 == sent && m3.len() == 88),
            Err(error) => check_refused(&error, m2 != sent),
        }
    }
    Step::P2(transit) => {
        let (device, _, sent) = PAIRED.to_p2();
        let p2 = transit.of(&sent);
        match device.read_p2(&p2) {
            Ok(proved) => assert!(p2 == sent && proved.daemon_key() == PAIRED.daemon.public),
            Err(error) => check_refused(&error, p2 != sent),
        }
    }
    Step::M4(transit, verdict) => {
        let (device, claim) = PAIRED.to_claim();
        let accepted = claim.verify(Some(&PAIRED.psk)).expect("the device is paired");
        let (sent, welcome) = match verdict {
            Verdict::Accept(first) => {
                let (_, m4) = accepted.accept(NOW, first).expect("an input is short");
                (m4, Some(first))
            }
            Verdict::Refuse(_) => (accepted.refuse(), None),
        };
        let m4 = transit.of(&sent);
        match device.read_m4(&m4) {
            Ok((_, first)) => assert!(m4 == sent && Some(first.as_slice()) == welcome),
            Err(error) => check_verdict(&error, m4 != sent, welcome.is_none()),
        }
    }
    Step::P4(transit, verdict) => {
        let (device, proved) = PAIRED.to_proved();
        let (sent, welcome) = match verdict {
            Verdict::Accept(first) => {
                let (_, p4) = proved.accept(NOW, first).expect("an input is short");
                (p4, Some(first))
            }
            Verdict::Refuse(reason) => {
                let reasons =
                    [PairRefusal::AlreadyUsed, PairRefusal::Expired, PairRefusal::Declined];
                (proved.refuse(reasons[usize::from(reason % 3)]), None)
            }
        };
        let p4 = transit.of(&sent);
        match device.read_p4(&p4) {
            Ok((_, first)) => assert!(p4 == sent && Some(first.as_slice()) == welcome),
            Err(error) => check_verdict(&error, p4 != sent, welcome.is_none()),
        }
    }
});

/// No verdict is due yet, so nothing may look like one.
fn check_refused(error: &Error, changed: bool) {
    assert!(changed, "{error}");
    assert!(!matches!(error, Error::Refused(_) | Error::Tampered), "{error}");
}

fn check_verdict(error: &Error, changed: bool, refused: bool) {
    assert!(changed || refused, "{error}");
    assert_eq!(matches!(error, Error::Refused(_)), !changed, "{error}");
}
