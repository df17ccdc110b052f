//! What is decided at the door between two waits: the steps of which `admission.rs` makes a
//! handshake. Each is over before anything else happens to what it was given.

#![cfg_attr(not(feature = "model"), allow(unreachable_pub))] // what it is public for

use std::net::IpAddr;
use std::time::Duration;

use codeout_protocol::message::Limits;
use codeout_protocol::name::Name;
use codeout_protocol::pairing::PairRefusal;
use codeout_protocol::sodium::{Psk, PublicKey};

use crate::devices::{Device, DeviceId, Devices, DevicesError};
use crate::offer::{OfferLimits, OfferNumber, Offers};

/// Devices that the allow-list holds at most: as many as one reply can list.
pub(crate) const MAX_DEVICES: usize = 128;

/// Takes the answer of the daemon's user about the device that claimed `offer`; `admitted` is
/// false also when there was none. A device that is declined uses the offer up.
///
/// # Errors
/// What the device is to be told.
pub fn answer(
    offers: &mut Offers,
    now: Duration,
    offer: OfferNumber,
    admitted: bool,
) -> Result<(), PairRefusal> {
    if !offers.still_claimed(now, offer) {
        // Nobody has used it: whoever comes now hears that it is over, and not that another was faster.
        offers.give_back(offer);
        return Err(PairRefusal::Expired);
    }
    if !admitted {
        offers.spend(offer);
        return Err(PairRefusal::Declined);
    }
    Ok(())
}

/// Writes a device that claimed an offer into the list, its pairing unfinished, and with it into the
/// audit trail that it came from `source`; `unix` is the time in seconds since 1970. `Ok(None)`: the
/// list is full. Next comes [`end_claim`].
///
/// # Errors
/// Those of the list. Nothing was changed.
pub fn write_down(
    devices: &Devices,
    source: IpAddr,
    key: &PublicKey,
    psk: &Psk,
    proposed: Option<&Name>,
    limits: OfferLimits,
    unix: u64,
) -> Result<Option<Device>, DevicesError> {
    if devices.list()?.len() >= MAX_DEVICES {
        return Ok(None);
    }
    let limits = Limits {
        watch_only: limits.watch_only,
        expires_at: limits.for_seconds.map(|seconds| unix.saturating_add(seconds)),
    };
    devices.insert_from(source, key, psk, proposed, limits, unix).map(Some)
}

/// Ends the claim on an offer, by what [`write_down`] said.
pub fn end_claim<E>(offers: &mut Offers, offer: OfferNumber, written: &Result<Option<Device>, E>) {
    match written {
        Ok(Some(_)) => offers.spend(offer),
        Ok(None) | Err(_) => offers.give_back(offer),
    }
}

/// The device that holds `key`, as far as it may come in at the time `unix`, and what it is to
/// prove.
///
/// # Errors
/// Those of the list.
pub fn look_up(
    devices: &Devices,
    key: &PublicKey,
    unix: u64,
) -> Result<Option<(Device, Psk)>, DevicesError> {
    Ok(devices.find(key)?.filter(|(device, _)| !device.limits.expired(unix)))
}

/// Whether a device is still in the list. Looked for once its connection is in the registry: a
/// revocation either sees the connection or is seen here.
///
/// # Errors
/// Those of the list.
pub fn still_listed(devices: &Devices, id: DeviceId) -> Result<bool, DevicesError> {
    Ok(devices.get(id)?.is_some())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use codeout_protocol::code::Code;
    use tempfile::TempDir;

    use super::*;
    use crate::offer::LIFETIME;

    const START: Duration = Duration::ZERO;
    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    /// An offer that a device has claimed.
    fn claimed() -> (Offers, OfferNumber) {
        let mut offers = Offers::new(START);
        let number = offers.open(START, Code::random(), OfferLimits::default()).number;
        offers.claim(START, number).unwrap();
        (offers, number)
    }

    fn list() -> (TempDir, Devices) {
        let home = tempfile::tempdir().unwrap();
        let devices = Devices::open(&home.path().join("devices.db")).unwrap();
        (home, devices)
    }

    fn key(number: u8) -> PublicKey {
        PublicKey([number; 32])
    }

    fn write(devices: &Devices, number: u8, limits: OfferLimits) -> Option<Device> {
        write_down(devices, HERE, &key(number), &Psk::random(), None, limits, 1_000).unwrap()
    }

    #[test]
    fn who_is_let_in_keeps_the_claim() {
        let (mut offers, number) = claimed();
        assert_eq!(answer(&mut offers, START, number, true), Ok(()));
        assert!(offers.still_claimed(START, number));
    }

    #[test]
    fn who_is_declined_uses_the_offer_up() {
        let (mut offers, number) = claimed();
        assert_eq!(answer(&mut offers, START, number, false), Err(PairRefusal::Declined));
        assert_eq!(offers.claim(START, number), Err(PairRefusal::AlreadyUsed));
    }

    #[test]
    fn an_answer_that_comes_too_late_lets_nobody_in_and_says_that_it_is_over() {
        for admitted in [true, false] {
            let (mut offers, number) = claimed();
            let late = answer(&mut offers, LIFETIME, number, admitted);
            assert_eq!(late, Err(PairRefusal::Expired));
            // Not "already used": nobody got in.
            assert_eq!(offers.claim(LIFETIME, number), Err(PairRefusal::Expired));
            assert!(!offers.view(LIFETIME).unwrap().spent);
        }
    }

    #[test]
    fn an_answer_about_an_offer_that_was_replaced_leaves_the_new_one_open() {
        let (mut offers, old) = claimed();
        let new = offers.open(START, Code::random(), OfferLimits::default()).number;
        assert_eq!(answer(&mut offers, START, old, true), Err(PairRefusal::Expired));
        assert!(offers.claim(START, new).is_ok());
    }

    #[test]
    fn a_device_is_written_down_with_its_limits_until_the_list_is_full() {
        let (_home, devices) = list();
        let limits = OfferLimits { watch_only: true, for_seconds: Some(60) };
        let device = write(&devices, 0, limits).unwrap();
        assert_eq!(device.limits, Limits { watch_only: true, expires_at: Some(1_060) });
        for number in 1..MAX_DEVICES {
            assert!(write(&devices, number as u8, OfferLimits::default()).is_some());
        }
        assert_eq!(write(&devices, MAX_DEVICES as u8, OfferLimits::default()), None);
        assert_eq!(devices.list().unwrap().len(), MAX_DEVICES);
    }

    #[test]
    fn a_claim_ends_with_what_was_written() {
        let (_home, devices) = list();
        let device = write(&devices, 1, OfferLimits::default());
        let written = [Ok(device), Ok(None), Err(())];
        let after =
            [Err(PairRefusal::AlreadyUsed), Ok(OfferLimits::default()), Ok(OfferLimits::default())];
        for (written, after) in written.iter().zip(after) {
            let (mut offers, number) = claimed();
            end_claim(&mut offers, number, written);
            assert_eq!(offers.claim(START, number), after, "{written:?}");
        }
    }

    #[test]
    fn a_device_is_found_until_its_time_is_over_or_it_is_revoked() {
        let (_home, devices) = list();
        let limits = OfferLimits { watch_only: false, for_seconds: Some(60) };
        let device = write(&devices, 1, limits).unwrap();
        let (found, _) = look_up(&devices, &key(1), 1_059).unwrap().unwrap();
        assert_eq!(found, device);
        assert!(look_up(&devices, &key(1), 1_060).unwrap().is_none());
        assert!(look_up(&devices, &key(2), 1_000).unwrap().is_none());
        assert!(still_listed(&devices, device.id).unwrap());
        devices.revoke(device.id).unwrap();
        assert!(!still_listed(&devices, device.id).unwrap());
    }
}
