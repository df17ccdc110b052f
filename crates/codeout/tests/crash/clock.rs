//! A clock that is set back and forward, under a daemon that is killed in between.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use codeout_daemon::{Clock, Daemon, OfferLimits, OpenError};
use codeout_protocol::handshake::DeviceCredentials;
use tempfile::TempDir;

use crate::report;
use crate::scene::{is_in, is_out};
use crate::support::device::Device;
use crate::support::{TestClock, connect_on_wire, pair_on_wire, try_open};

/// Clocks of which the one that people see can be set, while the other runs on.
#[derive(Debug)]
struct SetClock {
    nanos: AtomicU64,
    unix: AtomicU64,
}

impl Clock for SetClock {
    fn since_boot(&self) -> Duration {
        Duration::from_nanos(self.nanos.load(Ordering::SeqCst))
    }

    fn unix(&self) -> u64 {
        self.unix.load(Ordering::SeqCst)
    }
}

const NOW: u64 = 1_795_500_000;
const YEAR: u64 = 365 * 86_400;

/// A daemon with such a clock.
struct Desk {
    home: TempDir,
    clock: Arc<SetClock>,
    daemon: Daemon,
}

impl Desk {
    async fn start() -> Self {
        let home = TempDir::new().unwrap();
        let clock = SetClock { nanos: AtomicU64::new(0), unix: AtomicU64::new(NOW) };
        let clock = Arc::new(clock);
        let daemon = Self::open(&home, &clock).await;
        Desk { home, clock, daemon }
    }

    async fn open(home: &TempDir, clock: &Arc<SetClock>) -> Daemon {
        loop {
            let set = Arc::clone(clock) as Arc<dyn Clock>;
            let change = |config: &mut codeout_daemon::Config| config.clock = set;
            match try_open(home.path(), &TestClock::new(), change).await {
                // One that was dropped ends by itself.
                Err(OpenError::AlreadyRunning) => tokio::task::yield_now().await,
                opened => return opened.unwrap(),
            }
        }
    }

    /// Ends it without a word, and starts it again.
    async fn crash(self) -> Self {
        let Desk { home, clock, daemon } = self;
        drop(daemon);
        let daemon = Self::open(&home, &clock).await;
        Desk { home, clock, daemon }
    }

    /// Sets the clock that people see, and lets the daemon look at it.
    async fn set(&self, unix: u64) {
        self.clock.unix.store(unix, Ordering::SeqCst);
        self.daemon.housekeep().await.unwrap();
    }

    async fn pair(&self, name: &str, for_seconds: Option<u64>) -> Device {
        let limits = OfferLimits { for_seconds, ..OfferLimits::default() };
        let code = self.daemon.offer(limits).code;
        Device::pair(self.daemon.port(), &code, name).await.unwrap()
    }

    async fn is_in(&self, credentials: &DeviceCredentials) {
        is_in(self.daemon.port(), credentials).await;
    }

    async fn is_out(&self, credentials: &DeviceCredentials) {
        is_out(self.daemon.port(), credentials).await;
    }
}

/// The times that the clock is set to, one after the other.
const TIMES: [u64; 8] =
    [NOW - YEAR, NOW + 10 * YEAR, 0, NOW, u64::MAX, 1, i64::MAX as u64, NOW + 60];

#[tokio::test]
async fn a_clock_that_is_set_loses_no_device_and_brings_none_back() {
    let mut desk = Desk::start().await;
    let kept = desk.pair("kept", None).await.credentials;
    let mut gone = Vec::new();
    for time in TIMES {
        desk.set(time).await;
        let phone = desk.pair("phone", None).await;
        let id = phone.entry.id.parse().unwrap();
        desk.is_in(&kept).await;
        desk.daemon.revoke(id).await.unwrap().unwrap();
        gone.push(phone.credentials);
        desk = desk.crash().await;
        desk.is_in(&kept).await;
        for credentials in &gone {
            desk.is_out(credentials).await;
        }
        assert_eq!(desk.daemon.devices().await.unwrap().len(), 1, "{time}");
    }
    report(&format!(
        "a clock that is set: {} times, from 0 to the last there is, each with a crash; 0 lost, 0 \
         back",
        TIMES.len()
    ));
}

#[tokio::test]
async fn an_offer_does_not_heed_the_clock_that_people_set() {
    let desk = Desk::start().await;
    let code = desk.daemon.offer(OfferLimits::default()).code;
    // A year on by people's clock, and no time at all.
    desk.set(NOW + YEAR).await;
    assert!(pair_on_wire(desk.daemon.port(), &code, &mut None).await.is_ok());
    // And back: five minutes are five minutes.
    let code = desk.daemon.offer(OfferLimits::default()).code;
    desk.set(NOW - YEAR).await;
    let over = u64::try_from(codeout_daemon::LIFETIME.as_nanos()).unwrap();
    desk.clock.nanos.fetch_add(over, Ordering::SeqCst);
    assert!(pair_on_wire(desk.daemon.port(), &code, &mut None).await.is_err());
    // The device that has not said a word is not purged while its connection stands.
    assert!(desk.daemon.devices().await.unwrap().len() <= 1);
}

#[tokio::test]
async fn a_time_limit_is_by_the_clock_that_people_set() {
    let desk = Desk::start().await;
    let mut guest = desk.pair("guest", Some(3600)).await;
    let credentials = guest.credentials.clone();
    // Set forward: out, though it was connected; and out after a crash too.
    desk.set(NOW + 3600).await;
    while guest.hear().await.is_ok() {}
    desk.is_out(&credentials).await;
    let desk = desk.crash().await;
    desk.is_out(&credentials).await;
    // Set back, its time has not come. Revoked, it is out whatever the clock says.
    desk.set(NOW).await;
    desk.is_in(&credentials).await;
    desk.daemon.revoke(guest.entry.id.parse().unwrap()).await.unwrap().unwrap();
    let desk = desk.crash().await;
    for time in TIMES {
        desk.set(time).await;
        desk.is_out(&credentials).await;
    }
}

#[tokio::test]
async fn a_pairing_that_waits_for_its_end_survives_a_clock_set_back() {
    let desk = Desk::start().await;
    let code = desk.daemon.offer(OfferLimits::default()).code;
    let mut kept = None;
    let line = pair_on_wire(desk.daemon.port(), &code, &mut kept).await.unwrap();
    drop(line);
    let credentials = kept.unwrap();
    desk.set(NOW - YEAR).await;
    let desk = desk.crash().await;
    connect_on_wire(desk.daemon.port(), &credentials).await.unwrap().ping().await.unwrap();
    // It is finished: no clock takes it away any more.
    for time in TIMES {
        desk.set(time).await;
        desk.is_in(&credentials).await;
    }
}
