//! An attacker in the middle of every message: he reads, changes, drops, repeats, reorders,
//! reflects, replays, and answers himself. Each attempt ends in a refusal that names no secret and
//! leaves no device half in, and behind it everything works as before.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod proxy;
mod support;

#[path = "attacker/command_line.rs"]
mod command_line;
#[path = "attacker/eavesdropping.rs"]
mod eavesdropping;
#[path = "attacker/flips.rs"]
mod flips;
#[path = "attacker/handshakes.rs"]
mod handshakes;
#[path = "attacker/impostors.rs"]
mod impostors;
#[path = "attacker/records.rs"]
mod records;
#[path = "attacker/replays.rs"]
mod replays;
#[path = "attacker/secrets.rs"]
mod secrets;
#[path = "attacker/strangers.rs"]
mod strangers;

use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use codeout_device::{How as ByWhat, PairError, PairOutcome, PairRequest, Profile, Profiles};
use codeout_protocol::code::Code;
use codeout_protocol::handshake::DeviceCredentials;
use codeout_protocol::message::DeviceEntry;
use codeout_protocol::name::Name;
use tempfile::TempDir;

use proxy::{Plan, Proxy};
use secrets::Secrets;
use support::{TestDaemon, WireError, connect_on_wire, pair_on_wire};

/// Two attempts to pair are so far apart on the daemon's clock that there are never too many.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(20);

/// Panics outside of the tests themselves.
static PANICS: AtomicUsize = AtomicUsize::new(0);

/// A daemon, and a proxy before it. From here on nothing in the daemon may panic.
async fn stage() -> (TestDaemon, Proxy) {
    static WATCHED: Once = Once::new();
    WATCHED.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if panic.location().is_none_or(|place| !place.file().contains("/tests/")) {
                PANICS.fetch_add(1, Ordering::SeqCst);
            }
            before(panic);
        }));
    });
    let daemon = TestDaemon::start().await;
    let proxy = Proxy::before(daemon.port()).await;
    (daemon, proxy)
}

/// Pairs through the proxy and has a `ping` answered. The credentials are there as soon as P3 is
/// made.
async fn pair(
    daemon: &TestDaemon,
    proxy: &Proxy,
    code: &Code,
) -> (Result<(), WireError>, Option<DeviceCredentials>) {
    daemon.clock.advance(BETWEEN_ATTEMPTS);
    let mut kept = None;
    let outcome = match pair_on_wire(proxy.port(), code, &mut kept).await {
        Ok(mut established) => established.ping().await,
        Err(error) => Err(error),
    };
    (outcome, kept)
}

/// Connects through the proxy and has a `ping` answered.
async fn connect(proxy: &Proxy, credentials: &DeviceCredentials) -> Result<(), WireError> {
    connect_on_wire(proxy.port(), credentials).await?.ping().await
}

/// Everything works through the proxy when it relays: pairing, connecting, revoking.
async fn works(daemon: &TestDaemon, proxy: &Proxy) {
    proxy.plan(Plan::Relay);
    let before = daemon.count().await;
    let code = daemon.offer();
    let (outcome, kept) = pair(daemon, proxy, &code).await;
    outcome.unwrap();
    connect(proxy, &kept.unwrap()).await.unwrap();
    let newest = entries(daemon).await.pop().unwrap();
    assert!(!newest.unfinished);
    revoke(daemon, &newest).await;
    assert_eq!(daemon.count().await, before);
    assert_eq!(PANICS.load(Ordering::SeqCst), 0, "something has panicked");
}

async fn entries(daemon: &TestDaemon) -> Vec<DeviceEntry> {
    daemon.daemon.devices().await.unwrap()
}

async fn revoke(daemon: &TestDaemon, entry: &DeviceEntry) {
    let revoked = daemon.daemon.revoke(entry.id.parse().unwrap()).await.unwrap();
    assert!(revoked.is_some());
}

/// What the error says of the secrets of this attempt: nothing.
fn names_no_secret(error: &WireError, code: &Code, kept: Option<&DeviceCredentials>) {
    let mut secrets = Secrets::of_code(code);
    if let Some(kept) = kept {
        secrets.add_credentials(kept);
    }
    let mut text = format!("{error:?}");
    if let WireError::Protocol(error) = error {
        text += &error.to_string();
    }
    secrets.absent_from("an error", text.as_bytes());
}

/// The known daemons of a device that uses the library, in a directory of its own.
struct Device {
    profiles: Profiles,
    _home: TempDir,
}

impl Device {
    fn new() -> Self {
        let home = TempDir::new().unwrap();
        let profiles = Profiles::open(&home.path().join("device/daemons.json")).unwrap();
        Device { profiles, _home: home }
    }

    async fn pair(&self, request: PairRequest) -> Result<PairOutcome, PairError> {
        codeout_device::pair(request, &self.profiles, &mut |_| {}).await
    }

    /// Pairs by a link to the proxy, which relays. The profile.
    async fn paired(daemon: &TestDaemon, proxy: &Proxy) -> (Self, Profile) {
        let device = Device::new();
        let link = daemon.link(&daemon.offer(), proxy.port());
        match device.pair(request(ByWhat::Link(link))).await.unwrap() {
            PairOutcome::Paired(paired) => {
                paired.connection.close().await;
                (device, paired.profile)
            }
            PairOutcome::Confirm(_) => panic!("a link needs no confirmation"),
        }
    }
}

/// A request to pair the device of the tests.
fn request(how: ByWhat) -> PairRequest {
    let device_name = Name::clean("Name of the device").unwrap();
    PairRequest { how, device_name, expected: None, again: false }
}
