//! The one live pairing offer: single use, expiry, attempts.

#![cfg_attr(not(feature = "model"), allow(unreachable_pub))] // what it is public for

use std::collections::HashSet;
use std::net::IpAddr;
use std::time::Duration;

use codeout_protocol::code::Code;
use codeout_protocol::error::Alert;
use codeout_protocol::pairing::PairRefusal;
use serde::{Deserialize, Serialize};

use crate::limiter::Limiter;

/// How long an offer can be used.
pub const LIFETIME: Duration = Duration::from_secs(300);

/// The limits that the device to be paired will have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferLimits {
    /// It may watch and not type.
    pub watch_only: bool,
    /// It is let in for this many seconds from its pairing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub for_seconds: Option<u64>,
}

/// Which offer: offers are numbered from 1 while the daemon runs.
pub type OfferNumber = u64;

#[derive(Debug)]
#[cfg_attr(feature = "model", derive(Clone))]
struct Offer {
    number: OfferNumber,
    code: Code,
    limits: OfferLimits,
    expires_at: Duration,
    state: State,
    seen: HashSet<[u8; 16]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// A device has proved the code; the daemon's user is asked.
    Deciding,
    Spent,
}

/// What is offered, for showing it.
#[derive(Debug, Clone)]
pub struct OfferView {
    /// Its number.
    pub number: OfferNumber,
    /// Its code.
    pub code: Code,
    /// How long it can still be used; zero when it has expired.
    pub expires_in: Duration,
    /// How long ago it expired; zero while it can be used.
    pub expired_for: Duration,
    /// Whether a device has used it.
    pub spent: bool,
    /// What the device that it pairs will be limited to.
    pub limits: OfferLimits,
}

/// The place where the one offer lies. A fresh offer ends the one before.
///
/// A spent or expired offer stays until it is replaced, so that who proves its code hears what
/// became of it; nobody else learns anything.
#[derive(Debug)]
#[cfg_attr(feature = "model", derive(Clone))]
pub struct Offers {
    current: Option<Offer>,
    last_number: OfferNumber,
    limiter: Limiter,
}

impl Offers {
    /// None is open. `now`, here and below, is a clock that runs through suspend.
    pub fn new(now: Duration) -> Self {
        Offers { current: None, last_number: 0, limiter: Limiter::new(now) }
    }

    /// Opens a fresh offer under `code`.
    pub fn open(&mut self, now: Duration, code: Code, limits: OfferLimits) -> OfferView {
        self.last_number += 1;
        let offer = Offer {
            number: self.last_number,
            code,
            limits,
            expires_at: now + LIFETIME,
            state: State::Open,
            seen: HashSet::new(),
        };
        let view = offer.view(now);
        self.current = Some(offer);
        view
    }

    /// The current offer, used up or not.
    pub fn view(&self, now: Duration) -> Option<OfferView> {
        self.current.as_ref().map(|offer| offer.view(now))
    }

    /// Admits an attempt (a P1) from `source` with the session identifier `sid`. Returns the
    /// code to run it under, and the number to claim with.
    pub fn begin(
        &mut self,
        now: Duration,
        source: IpAddr,
        sid: [u8; 16],
    ) -> Result<(OfferNumber, Code), Alert> {
        let offer = self.current.as_mut().ok_or(Alert::NoOffer)?;
        if !self.limiter.admit(source, now) {
            return Err(Alert::TooManyAttempts);
        }
        // The limiter bounds this set: 100 a second for as long as the offer lies here. What
        // comes behind its end proves nothing that could be replayed.
        if now < offer.expires_at && !offer.seen.insert(sid) {
            return Err(Alert::Malformed);
        }
        Ok((offer.number, offer.code.clone()))
    }

    /// Takes the offer for a device that has proved its code. Whoever gets `Ok` is the only
    /// one, and ends with [`spend`](Self::spend) or [`give_back`](Self::give_back).
    pub fn claim(
        &mut self,
        now: Duration,
        number: OfferNumber,
    ) -> Result<OfferLimits, PairRefusal> {
        let offer = self.current.as_mut().filter(|offer| offer.number == number);
        // Replaced since the attempt began: a fresh offer ends the old one.
        let offer = offer.ok_or(PairRefusal::Expired)?;
        match offer.state {
            State::Open if now < offer.expires_at => {
                offer.state = State::Deciding;
                Ok(offer.limits)
            }
            State::Open => Err(PairRefusal::Expired),
            State::Deciding | State::Spent => Err(PairRefusal::AlreadyUsed),
        }
    }

    /// Whether a claimed offer may still be spent: it was neither replaced nor has it expired.
    pub fn still_claimed(&self, now: Duration, number: OfferNumber) -> bool {
        self.current.as_ref().is_some_and(|offer| {
            offer.number == number && offer.state == State::Deciding && now < offer.expires_at
        })
    }

    /// Whether a claimed offer waits for the daemon's user.
    pub fn is_deciding(&self, now: Duration) -> bool {
        self.current.as_ref().is_some_and(|offer| self.still_claimed(now, offer.number))
    }

    /// Marks a claimed offer as used.
    pub fn spend(&mut self, number: OfferNumber) {
        self.set_claimed(number, State::Spent);
    }

    /// Reopens a claimed offer, because the device could not be written down.
    pub fn give_back(&mut self, number: OfferNumber) {
        self.set_claimed(number, State::Open);
    }

    fn set_claimed(&mut self, number: OfferNumber, state: State) {
        if let Some(offer) = &mut self.current
            && offer.number == number
            && offer.state == State::Deciding
        {
            offer.state = state;
        }
    }
}

impl Offer {
    fn view(&self, now: Duration) -> OfferView {
        OfferView {
            number: self.number,
            code: self.code.clone(),
            expires_in: self.expires_at.saturating_sub(now),
            expired_for: now.saturating_sub(self.expires_at),
            spent: self.state != State::Open,
            limits: self.limits,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn opened() -> (Offers, OfferNumber) {
        let mut offers = Offers::new(Duration::ZERO);
        let view = offers.open(Duration::ZERO, Code::random(), OfferLimits::default());
        (offers, view.number)
    }

    #[test]
    fn exactly_one_claim_wins() {
        let (mut offers, number) = opened();
        assert!(offers.claim(Duration::ZERO, number).is_ok());
        assert_eq!(offers.claim(Duration::ZERO, number), Err(PairRefusal::AlreadyUsed));
        offers.spend(number);
        assert_eq!(offers.claim(Duration::ZERO, number), Err(PairRefusal::AlreadyUsed));
        assert!(offers.view(Duration::ZERO).unwrap().spent);
    }

    #[test]
    fn it_expires_at_five_minutes_and_not_before() {
        let (mut offers, number) = opened();
        let almost = LIFETIME - Duration::from_nanos(1);
        assert!(offers.claim(almost, number).is_ok());
        assert!(offers.still_claimed(almost, number));
        assert!(!offers.still_claimed(LIFETIME, number));

        let (mut offers, number) = opened();
        assert_eq!(offers.claim(LIFETIME, number), Err(PairRefusal::Expired));
        assert_eq!(offers.view(LIFETIME).unwrap().expires_in, Duration::ZERO);
        // Behind its end nothing is remembered, and nothing taken for a repetition.
        for _ in 0..2 {
            assert!(offers.begin(LIFETIME, HOME, [1; 16]).is_ok());
        }
    }

    #[test]
    fn an_offer_is_decided_on_from_its_claim_to_its_end() {
        let (mut offers, number) = opened();
        assert!(!offers.is_deciding(Duration::ZERO));
        offers.claim(Duration::ZERO, number).unwrap();
        assert!(offers.is_deciding(Duration::ZERO));
        assert!(!offers.is_deciding(LIFETIME));
        offers.spend(number);
        assert!(!offers.is_deciding(Duration::ZERO));
        assert!(!Offers::new(Duration::ZERO).is_deciding(Duration::ZERO));
    }

    #[test]
    fn a_fresh_offer_ends_the_one_before() {
        let (mut offers, old) = opened();
        let fresh = offers.open(Duration::ZERO, Code::random(), OfferLimits::default());
        assert_eq!(offers.claim(Duration::ZERO, old), Err(PairRefusal::Expired));
        offers.spend(old);
        assert!(offers.claim(Duration::ZERO, fresh.number).is_ok());
    }

    #[test]
    fn what_could_not_be_written_down_is_open_again() {
        let (mut offers, number) = opened();
        offers.claim(Duration::ZERO, number).unwrap();
        offers.give_back(number);
        assert!(offers.claim(Duration::ZERO, number).is_ok());
        offers.spend(number);
        offers.give_back(number);
        assert_eq!(offers.claim(Duration::ZERO, number), Err(PairRefusal::AlreadyUsed));
    }

    #[test]
    fn a_session_identifier_is_admitted_once() {
        let (mut offers, number) = opened();
        assert_eq!(offers.begin(Duration::ZERO, HOME, [1; 16]).unwrap().0, number);
        assert_eq!(offers.begin(Duration::ZERO, HOME, [1; 16]).unwrap_err(), Alert::Malformed);
        assert!(offers.begin(Duration::ZERO, HOME, [2; 16]).is_ok());
    }

    #[test]
    fn without_an_offer_there_is_nothing_to_guess() {
        let mut offers = Offers::new(Duration::ZERO);
        assert_eq!(offers.begin(Duration::ZERO, HOME, [1; 16]).unwrap_err(), Alert::NoOffer);
    }

    #[test]
    fn wrong_guesses_leave_the_offer_open() {
        let (mut offers, number) = opened();
        for n in 0u128..5_000 {
            let _ = offers.begin(Duration::from_millis(n as u64), HOME, n.to_be_bytes());
        }
        assert!(offers.claim(Duration::from_secs(5), number).is_ok());
    }
}
