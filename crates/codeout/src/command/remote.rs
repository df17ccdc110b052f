//! What this machine may do on a daemon that it is paired with: `--on`.

use std::time::Duration;

use codeout_daemon::OfferLimits;
use codeout_daemon::control::OfferEnd;
use codeout_device::{Connection, Profile, connect};
use codeout_protocol::fingerprint::Fingerprint;
use codeout_protocol::message::{Answer, DeviceEntry, Event, Limits, Request};

use crate::cli::{DevicesArgs, DevicesCommand};
use crate::command::daemons::profiles;
use crate::command::pair::Offered;
use crate::command::{device_words, devices};
use crate::failure::{Code, Failure};
use crate::home::Home;
use crate::ui;

/// A connection to a known daemon.
struct Remote {
    connection: Connection,
    profile: Profile,
}

impl Remote {
    async fn connect(home: &Home, daemon: &str) -> Result<Self, Failure> {
        let profile = profiles(home)?.find(Some(daemon)).map_err(device_words::find_error)?;
        let connection = connect(&profile)
            .await
            .map_err(|error| device_words::connect_error(&error, Some(&profile.name)))?;
        Ok(Remote { connection, profile })
    }

    async fn ask(&self, request: Request) -> Result<Answer, Failure> {
        let answered = self.connection.request(request).await;
        answered.map_err(|error| device_words::request_failed(error, &self.profile.name))
    }

    /// The daemon's fingerprint: of its key, which the connection has proved.
    fn fingerprint(&self) -> Result<Fingerprint, Failure> {
        if let Some(known) = self.profile.fingerprint {
            return Ok(known);
        }
        let print = Fingerprint::of(&self.profile.credentials.daemon_key);
        print.map_err(|error| Failure::new(Code::Other, error.to_string()))
    }

    async fn list(&self) -> Result<Vec<DeviceEntry>, Failure> {
        match self.ask(Request::Devices).await? {
            Answer::Devices { devices } => Ok(devices),
            _ => Err(device_words::odd_answer()),
        }
    }

    /// The device with this name, or the one whose id begins so.
    async fn select(&self, wanted: &str) -> Result<DeviceEntry, Failure> {
        let list = self.list().await?;
        let by_name = |device: &&DeviceEntry| device.name.to_lowercase() == wanted.to_lowercase();
        if let Some(device) = list.iter().find(by_name) {
            return Ok(device.clone());
        }
        let prefix = wanted.to_ascii_lowercase();
        let mut with_prefix =
            list.iter().filter(|d| prefix.len() >= 2 && d.id.starts_with(&prefix));
        match (with_prefix.next(), with_prefix.next()) {
            (Some(device), None) => Ok(device.clone()),
            (Some(_), Some(_)) => {
                Err(Failure::new(Code::NotFound, format!("{wanted} could mean several devices"))
                    .hint(format!(
                        "type more of the id: {} shows them",
                        ui::suggested("devices -l", Some(&self.profile.name), None)
                    )))
            }
            (None, _) => {
                let names: Vec<_> = list.iter().map(|device| device.name.as_str()).collect();
                Err(Failure::new(Code::NotFound, format!("no device is called {wanted}"))
                    .hint(format!("paired devices: {}", names.join(", "))))
            }
        }
    }
}

/// `codeout devices --on DAEMON`
pub(crate) async fn devices(home: &Home, daemon: &str, args: &DevicesArgs) -> Result<(), Failure> {
    let remote = Remote::connect(home, daemon).await?;
    match &args.command {
        None => devices::show(&remote.list().await?, args),
        Some(DevicesCommand::Revoke { device }) => {
            let device = remote.select(device).await?;
            match remote.ask(Request::Revoke { device: device.id.clone() }).await {
                // Its own revocation is the last thing that a device hears.
                Err(failure) if !(device.this && failure.code == Code::NotPaired) => {
                    return Err(failure);
                }
                _ => devices::revoked(&device),
            }
        }
        Some(DevicesCommand::Rename { device, name }) => {
            let device = remote.select(device).await?;
            let request = Request::Rename { device: device.id, name: name.to_string() };
            match remote.ask(request).await? {
                Answer::Renamed { name } => devices::renamed(&ui::clean(&name)),
                _ => return Err(device_words::odd_answer()),
            }
        }
    }
    remote.connection.close().await;
    Ok(())
}

/// `codeout pair --on DAEMON`
pub(crate) async fn offer(
    home: &Home,
    daemon: &str,
    limits: OfferLimits,
    json: bool,
) -> Result<(), Failure> {
    let remote = Remote::connect(home, daemon).await?;
    let fingerprint = remote.fingerprint()?.to_string();
    let OfferLimits { watch_only, for_seconds } = limits;
    let Answer::Offer(offer) = remote.ask(Request::Offer { watch_only, for_seconds }).await? else {
        return Err(device_words::odd_answer());
    };
    let over = over(&remote, offer.expires_in, limits);
    let offered = Offered { offer, limits, fingerprint, kinds: Vec::new() };
    let told = offered.tell(json, over).await;
    remote.connection.close().await;
    told
}

/// Waits for the device that uses the offer, as long as it lasts: `expires_in` seconds.
async fn over(remote: &Remote, expires_in: u64, limits: OfferLimits) -> Result<OfferEnd, Failure> {
    let Remote { connection, profile } = remote;
    let found = async {
        loop {
            match connection.next_event().await {
                Some(Event::DevicePaired { device }) if has(&device, limits) => {
                    return Ok(OfferEnd::Paired(device));
                }
                Some(_) => {}
                None => return Err(device_words::closed(connection.closed().await, &profile.name)),
            }
        }
    };
    let time = Duration::from_secs(expires_in);
    tokio::time::timeout(time, found).await.unwrap_or(Ok(OfferEnd::Expired))
}

/// Whether a device has the limits of an offer. No event tells which code a device was paired by: one
/// with other limits was paired by another.
fn has(device: &DeviceEntry, offered: OfferLimits) -> bool {
    let OfferLimits { watch_only, for_seconds } = offered;
    let expires_at = for_seconds.map(|seconds| device.paired_at.saturating_add(seconds));
    device.limits == Limits { watch_only, expires_at }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_with_other_limits_came_by_another_code() {
        let offers = [(false, None), (true, None), (false, Some(60)), (true, Some(7_200))];
        let offers =
            offers.map(|(watch_only, for_seconds)| OfferLimits { watch_only, for_seconds });
        let paired = |offer: OfferLimits| DeviceEntry {
            id: "k3f9a2c1".to_owned(),
            name: "guest".to_owned(),
            paired_at: 1_000,
            last_seen: None,
            connected: true,
            unfinished: false,
            limits: Limits {
                watch_only: offer.watch_only,
                expires_at: offer.for_seconds.map(|seconds| 1_000 + seconds),
            },
            this: false,
        };
        for (index, offer) in offers.into_iter().enumerate() {
            for (other, device) in offers.map(paired).iter().enumerate() {
                assert_eq!(has(device, offer), index == other);
            }
        }
    }
}
