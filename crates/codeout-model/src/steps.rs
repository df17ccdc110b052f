//! The daemon's steps: its own code. A test replaces one of them by something wrong, and expects
//! the checker to find it.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use codeout_daemon::devices::{Device, DeviceId, Devices, DevicesError};
use codeout_daemon::model::{self, Offers};
use codeout_daemon::{OfferLimits, OfferNumber};
use codeout_protocol::code::Code;
use codeout_protocol::error::Error;
use codeout_protocol::handshake::{Accepted, Claim};
use codeout_protocol::pairing::{PairRefusal, Proved};
use codeout_protocol::sodium::{Psk, PublicKey};

/// Where every device comes from: by that nothing is decided here.
const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// What the daemon does at each step; everything that is not replaced is the daemon's code.
pub trait Steps: Clone + Copy + Default + Send + Sync + 'static {
    /// Whether a connection enters the registry before it looks at the list again.
    const ENTERS_FIRST: bool = true;
    /// Whether a revocation closes the connections of its device before it returns.
    const CLOSES: bool = true;

    /// The code under which an attempt runs.
    fn code(self, offered: Code) -> Code {
        offered
    }

    /// A message was refused.
    fn refused(self, error: &Error) {
        let _ = error;
    }

    /// A device has proved the code.
    ///
    /// # Errors
    /// What it is told.
    fn claim(
        self,
        offers: &mut Offers,
        now: Duration,
        offer: OfferNumber,
    ) -> Result<OfferLimits, PairRefusal> {
        offers.claim(now, offer)
    }

    /// It is written down.
    ///
    /// # Errors
    /// Those of the list.
    fn write_down(
        self,
        devices: &Devices,
        proved: &Proved,
        limits: OfferLimits,
        unix: u64,
    ) -> Result<Option<Device>, DevicesError> {
        let (key, name) = (proved.device_key(), proved.proposed_name());
        model::write_down(devices, SOURCE, &key, proved.psk(), name, limits, unix)
    }

    /// The claim on its offer ends.
    fn end_claim(
        self,
        offers: &mut Offers,
        offer: OfferNumber,
        written: &Result<Option<Device>, DevicesError>,
    ) {
        model::end_claim(offers, offer, written);
    }

    /// A device says who it is.
    ///
    /// # Errors
    /// Those of the list.
    fn look_up(
        self,
        devices: &Devices,
        key: &PublicKey,
        unix: u64,
    ) -> Result<Option<(Device, Psk)>, DevicesError> {
        model::look_up(devices, key, unix)
    }

    /// A device says that it is paired. `Ok(None)`: nobody looked whether that is so.
    ///
    /// # Errors
    /// The refusal.
    fn verify(self, claim: Claim, psk: Option<&Psk>) -> Result<Option<Accepted>, Vec<u8>> {
        claim.verify(psk).map(Some)
    }

    /// Whether it is in the list, when its connection is in the registry.
    ///
    /// # Errors
    /// Those of the list.
    fn still_listed(self, devices: &Devices, id: DeviceId) -> Result<bool, DevicesError> {
        model::still_listed(devices, id)
    }
}

/// The daemon as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct AsItIs;

impl Steps for AsItIs {}
