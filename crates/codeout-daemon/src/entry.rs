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
/// false also when there was none. A device that is not let in uses the offer up.
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
        offers.spend(offer);
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
