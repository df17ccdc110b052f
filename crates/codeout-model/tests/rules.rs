//! The short searches, and for each rule a daemon that breaks it: the checker finds it.

use std::collections::BTreeSet;
use std::time::Duration;

use codeout_daemon::devices::{Device, DeviceId, Devices, DevicesError};
use codeout_daemon::model::{self, Offers};
use codeout_daemon::{OfferLimits, OfferNumber};
use codeout_model::{AsItIs, Bounds, Codeout, Rule, SHORT, Sight, Steps};
use codeout_protocol::code::Code;
use codeout_protocol::error::Error;
use codeout_protocol::handshake::{Accepted, Claim};
use codeout_protocol::pairing::{PairRefusal, Proved};
use codeout_protocol::sodium::Psk;
use stateright::{Checker, HasDiscoveries, Model};

#[test]
fn every_rule_is_kept_within_the_short_bounds() {
    let mut reached = BTreeSet::new();
    for scenario in SHORT {
        let checker = Codeout::new(scenario.bounds, AsItIs).checker().spawn_bfs().join();
        println!("{}, within {}", scenario.name, scenario.bounds);
        println!("  {} states, {} deep", checker.unique_state_count(), checker.max_depth());
        checker.assert_properties();
        reached.append(&mut checker.model().seen());
    }
    // What was never reached was not checked.
    assert_eq!(reached, BTreeSet::from(Sight::ALL));
}

/// The checker follows one of all states with one name: here they are all followed.
#[test]
fn states_with_one_name_have_one_future() {
    for name in ["race", "expire", "forge a pairing", "forge a connect"] {
        let scenario = SHORT.iter().find(|one| one.name == name).expect("a short one");
        let compared = Codeout::new(scenario.bounds, AsItIs).compare_futures().unwrap();
        assert!(compared > 100, "{name}: {compared}");
    }
}

/// Searches the short scenario of that name with a daemon that is wrong, and expects the rule.
fn breaks<S: Steps>(steps: S, scenario: &str, rule: Rule) {
    let scenario = SHORT.iter().find(|one| one.name == scenario).expect("a short one");
    breaks_within(steps, scenario.bounds, rule);
}

fn breaks_within<S: Steps>(steps: S, bounds: Bounds, rule: Rule) {
    let checker = Codeout::new(bounds, steps).checker();
    let checker = checker.finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let found: BTreeSet<_> = checker.discoveries().into_keys().collect();
    assert!(found.contains(rule.words()), "the checker found {found:?}");
}

macro_rules! wrong {
    ($(#[$doc:meta])* $name:ident { $($step:tt)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default)]
        struct $name;
        impl Steps for $name {
            $($step)*
        }
    };
}

wrong! {
    /// The offer is open again for the next one.
    GivesTheOfferBack {
        fn end_claim(
            self,
            offers: &mut Offers,
            offer: OfferNumber,
            _: &Result<Option<Device>, DevicesError>,
        ) {
            offers.give_back(offer);
        }
    }
}

#[test]
fn an_offer_that_is_not_spent_is_found() {
    breaks(GivesTheOfferBack, "race", Rule::OneDevice);
}

wrong! {
    /// Looks whether the offer can be claimed, and does not claim it.
    ClaimsLater {
        fn claim(
            self,
            offers: &mut Offers,
            now: Duration,
            offer: OfferNumber,
        ) -> Result<OfferLimits, PairRefusal> {
            offers.clone().claim(now, offer)
        }
    }
}

#[test]
fn a_gap_between_looking_and_claiming_is_found() {
    breaks(ClaimsLater, "race", Rule::OneDevice);
}

wrong! {
    /// Forgets that time passes.
    NeverExpires {
        fn claim(
            self,
            offers: &mut Offers,
            now: Duration,
            offer: OfferNumber,
        ) -> Result<OfferLimits, PairRefusal> {
            offers.claim(now.saturating_sub(Duration::from_secs(600)), offer)
        }
    }
}

#[test]
fn an_offer_that_outlives_its_time_is_found() {
    breaks(NeverExpires, "stranger", Rule::WhileItStands);
}

wrong! {
    /// Runs every attempt under a code that everybody knows.
    OneCodeForAll {
        fn code(self, _: Code) -> Code {
            "0000-0000-0000".parse().expect("a code")
        }
    }
}

#[test]
fn a_device_without_the_code_is_found() {
    breaks(OneCodeForAll, "stranger", Rule::OwnProof);
}

wrong! {
    /// Takes a known key for a proof.
    BelievesTheKey {
        fn verify(self, claim: Claim, psk: Option<&Psk>) -> Result<Option<Accepted>, Vec<u8>> {
            let known = psk.is_some();
            match claim.verify(psk) {
                Ok(accepted) => Ok(Some(accepted)),
                Err(_) if known => Ok(None),
                Err(refusal) => Err(refusal),
            }
        }
    }
}

#[test]
fn a_device_under_anothers_key_is_found() {
    breaks(BelievesTheKey, "revoke", Rule::OwnProof);
}

wrong! {
    /// Does not look a second time.
    LooksOnce {
        fn still_listed(self, _: &Devices, _: DeviceId) -> Result<bool, DevicesError> {
            Ok(true)
        }
    }
}

#[test]
fn a_revocation_during_a_connect_is_found() {
    breaks(LooksOnce, "revoke", Rule::RevokedStaysOut);
}

wrong! {
    /// Looks a second time too early: before a revocation can see the connection.
    LooksTooEarly {
        const ENTERS_FIRST: bool = false;
    }
}

#[test]
fn a_connection_that_no_revocation_sees_is_found() {
    breaks(LooksTooEarly, "revoke", Rule::RevokedStaysOut);
}

wrong! {
    /// Leaves the connections of a revoked device open.
    ClosesNothing {
        const CLOSES: bool = false;
    }
}

#[test]
fn a_connection_that_outlives_its_revocation_is_found() {
    breaks(ClosesNothing, "revoke", Rule::RevokedStaysOut);
}

wrong! {
    /// Does not look at the clock when a device connects.
    TimeStandsStill {
        fn look_up(
            self,
            devices: &Devices,
            key: &codeout_protocol::sodium::PublicKey,
            _: u64,
        ) -> Result<Option<(Device, Psk)>, DevicesError> {
            model::look_up(devices, key, 0)
        }
    }
}

#[test]
fn a_device_whose_time_is_over_is_found() {
    breaks(TimeStandsStill, "expire", Rule::TimeIsOver);
}

wrong! {
    /// Answers before the device is on disk, and the disk refuses.
    AnswersFirst {
        fn write_down(
            self,
            devices: &Devices,
            proved: &Proved,
            limits: OfferLimits,
            unix: u64,
        ) -> Result<Option<Device>, DevicesError> {
            let before = devices.snapshot()?;
            let written = AsItIs.write_down(devices, proved, limits, unix);
            devices.restore(&before)?;
            written
        }

        fn still_listed(self, _: &Devices, _: DeviceId) -> Result<bool, DevicesError> {
            Ok(true)
        }
    }
}

#[test]
fn a_success_that_is_not_on_disk_is_found() {
    breaks(AnswersFirst, "race", Rule::SuccessIsListed);
}

wrong! {
    /// Refuses whoever connects.
    RefusesAll {
        fn verify(self, claim: Claim, _: Option<&Psk>) -> Result<Option<Accepted>, Vec<u8>> {
            claim.verify(None).map(Some)
        }
    }
}

#[test]
fn a_refusal_that_is_not_true_is_found() {
    breaks(RefusesAll, "revoke", Rule::TrueRefusal);
}

wrong! {
    /// Takes it that what arrives can be read.
    Trusts {
        fn refused(self, error: &Error) {
            panic!("a message that cannot be read: {error}");
        }
    }
}

#[test]
fn a_panic_is_found() {
    breaks(Trusts, "forge a pairing", Rule::NoPanic);
}
