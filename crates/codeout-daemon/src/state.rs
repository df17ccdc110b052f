//! What all parts of a running daemon share, and what the daemon's user and its devices may do
//! to it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use codeout_protocol::code::Code;
use codeout_protocol::message::{ClosingReason, DeviceEntry, Limits};
use codeout_protocol::name::Name;
use codeout_protocol::sodium::KeyPair;
use tokio::runtime::Handle;
use tokio::sync::{broadcast, watch};

use crate::allowance::Allowances;
use crate::config::Config;
use crate::decisions::Decisions;
use crate::devices::{Device, DeviceId, Devices, DevicesError, THIS_COMPUTER};
use crate::event::Event;
use crate::offer::{LIFETIME, OfferLimits, OfferView, Offers};
use crate::registry::Registry;
use crate::sessions::Sessions;
use crate::tls::Tls;
use crate::trail::{self, Happening, Refusal, Trail, Who};

/// Events that a slow listener may lag behind before it misses some.
const EVENT_BACKLOG: usize = 256;
/// How long a revocation waits for what was noted before it.
const TRAIL_FIRST: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    /// The port that it listens on.
    pub(crate) port: u16,
    pub(crate) identity: KeyPair,
    /// The certificate, when it serves HTTPS.
    pub(crate) tls: Option<Arc<Tls>>,
    /// Where devices are served.
    pub(crate) serving: Handle,
    pub(crate) registry: Arc<Registry>,
    pub(crate) allowances: Allowances,
    devices: Devices,
    offers: Mutex<Offers>,
    events: broadcast::Sender<Event>,
    pub(crate) decisions: Decisions,
    pub(crate) sessions: Sessions,
    pub(crate) trail: Trail,
    asked: Asking,
    /// When this process began with the daemon, in seconds since 1970.
    pub(crate) started_at: u64,
    /// How many processes this daemon was before.
    pub(crate) restarts: u32,
    /// When devices were connected last, not yet written down.
    seen: Mutex<HashMap<DeviceId, u64>>,
}

/// What a daemon is asked to do with itself, through its control socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// To end.
    Stop,
    /// To go on as another process of this program, with every session.
    Restart {
        /// The program.
        executable: PathBuf,
    },
}

#[derive(Debug)]
struct Asking {
    sender: watch::Sender<Option<Asked>>,
}

impl Default for Asking {
    fn default() -> Self {
        Asking { sender: watch::Sender::new(None) }
    }
}

impl Device {
    /// The device for showing it; whether it is connected is not known here.
    pub fn entry(&self) -> DeviceEntry {
        DeviceEntry {
            id: self.id.to_string(),
            name: self.name.to_string(),
            paired_at: self.paired_at,
            last_seen: self.last_seen,
            connected: false,
            unfinished: self.unfinished,
            limits: self.limits,
            this: false,
        }
    }
}

impl Shared {
    /// To be called where devices are to be served.
    pub(crate) fn new(
        config: Config,
        port: u16,
        identity: KeyPair,
        tls: Option<Arc<Tls>>,
        devices: Devices,
        sessions: Sessions,
        restarts: u32,
    ) -> Self {
        let (now, started_at) = (config.clock.since_boot(), config.clock.unix());
        Shared {
            config,
            port,
            identity,
            tls,
            serving: Handle::current(),
            registry: Arc::default(),
            allowances: Allowances::default(),
            devices,
            offers: Mutex::new(Offers::new(now)),
            events: broadcast::Sender::new(EVENT_BACKLOG),
            decisions: Decisions::default(),
            sessions,
            trail: Trail::default(),
            asked: Asking::default(),
            started_at,
            restarts,
            seen: Mutex::default(),
        }
    }

    pub(crate) fn now(&self) -> Duration {
        self.config.clock.since_boot()
    }

    pub(crate) fn unix(&self) -> u64 {
        self.config.clock.unix()
    }

    pub(crate) fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Reports an event. What strangers and devices can cause as often as they like is dropped
    /// when the listeners lag, so that it never pushes out what matters.
    pub(crate) fn emit(&self, event: Event) {
        if !event.matters() && self.events.len() >= EVENT_BACKLOG / 2 {
            return;
        }
        // Nobody may be listening.
        let _ = self.events.send(event);
    }

    /// Notes for the audit trail what has happened now.
    pub(crate) fn note(&self, happening: Happening) {
        self.trail.note(self.unix(), happening);
    }

    /// Notes for the audit trail that somebody was turned away.
    pub(crate) fn note_refusal(&self, why: Refusal, source: IpAddr) {
        self.trail.note_refusal(self.unix(), self.now(), why, source);
    }

    /// Writes down what was noted, so that what comes next stands behind it.
    pub(crate) async fn write_trail(self: &Arc<Self>) {
        if let Err(error) = trail::write(self, true).await {
            tracing::warn!(%error, "the audit trail cannot be written");
        }
    }

    /// As [`write_trail`](Self::write_trail), for what cannot wait: a disk that is slow changes the
    /// order of two lines, and no more.
    async fn write_trail_soon(self: &Arc<Self>) {
        let shared = Arc::clone(self);
        let written = tokio::spawn(async move { shared.write_trail().await });
        let _ = tokio::time::timeout(TRAIL_FIRST, written).await;
    }

    pub(crate) fn offers(&self) -> MutexGuard<'_, Offers> {
        self.offers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What speaks for the user of this computer, who needs no pairing.
    pub(crate) fn local_device(&self) -> Device {
        let name = Name::clean(THIS_COMPUTER).expect("it can be shown");
        Device {
            id: DeviceId::LOCAL,
            key: self.identity.public,
            name,
            paired_at: self.started_at,
            last_seen: None,
            unfinished: false,
            limits: Limits::default(),
        }
    }

    /// Passes on what the daemon is asked to do with itself.
    pub(crate) fn ask_daemon(&self, asked: Asked) {
        self.asked.sender.send_replace(Some(asked));
    }

    /// Waits until the daemon is asked to do something with itself.
    pub(crate) async fn asked(&self) -> Asked {
        let mut asked = self.asked.sender.subscribe();
        loop {
            if let Ok(Some(asked)) = asked.wait_for(Option::is_some).await.as_deref() {
                return asked.clone();
            }
        }
    }

    /// Notes that a device is connected now. Housekeeping writes it down: a connect is not to
    /// wait for the disk.
    pub(crate) fn note_seen(&self, id: DeviceId) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert(id, self.unix());
    }

    async fn write_seen(self: &Arc<Self>) -> Result<(), DevicesError> {
        let seen = std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        if seen.is_empty() {
            return Ok(());
        }
        self.store(move |devices| {
            for (id, at) in seen {
                devices.seen(id, at)?;
            }
            Ok(())
        })
        .await
    }

    /// Runs one call on the allow-list, off the threads that serve: it may wait for the disk.
    pub(crate) async fn store<T: Send + 'static>(
        self: &Arc<Self>,
        call: impl FnOnce(&Devices) -> Result<T, DevicesError> + Send + 'static,
    ) -> Result<T, DevicesError> {
        let shared = Arc::clone(self);
        // From where devices are served, also for strangers: a thread that theirs makes steps back
        // as it does, and would hold the list for as long.
        let called = self
            .serving
            .spawn(async move { tokio::task::spawn_blocking(move || call(&shared.devices)).await });
        match called.await.and_then(|called| called) {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The daemon goes, and whoever waits goes with it.
                Err(_) => std::future::pending().await,
            },
        }
    }

    /// Opens a fresh offer, at `by`'s word.
    pub(crate) fn open_offer(&self, limits: OfferLimits, by: Who) -> OfferView {
        let mut offers = self.offers();
        let view = offers.open(self.now(), Code::random(), limits);
        // Whoever is asked about the offer before need not answer any more.
        self.decisions.withdraw_all();
        drop(offers);
        self.note(Happening::offer(by, limits));
        self.emit(Event::OfferOpened { number: view.number });
        view
    }

    /// Takes another certificate, if there is one; tells what became of it.
    async fn refresh_certificate(&self) {
        let Some(tls) = self.tls.clone() else { return };
        match tokio::task::spawn_blocking(move || (tls.refresh(), tls.is_ready())).await {
            Ok((Ok(false), _)) => {}
            Ok((Ok(true), _)) => self.emit(Event::CertificateRenewed),
            Ok((Err(error), has_former)) => {
                self.emit(Event::CertificateFailed { reason: error.to_string(), has_former });
            }
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }

    /// Revokes a device, at `by`'s word: out of the allow-list on disk, then its connections closed. `None` when
    /// it is not in the list. Once begun it runs to its end, whoever asked.
    pub(crate) async fn revoke(
        self: &Arc<Self>,
        id: DeviceId,
        by: Who,
    ) -> Result<Option<Device>, DevicesError> {
        let shared = Arc::clone(self);
        let task = tokio::spawn(async move {
            shared.write_trail_soon().await;
            let now = shared.unix();
            let revoked = shared.store(move |devices| devices.revoke_by(&by, id, now)).await?;
            let Some(device) = revoked else { return Ok(None) };
            shared.emit(Event::Revoked { device: device.clone() });
            shared.registry.close(&id, ClosingReason::Revoked).await;
            shared.sessions.forget_device(id);
            let wiped = |devices: &Devices| {
                devices.wipe_removed();
                Ok(())
            };
            shared.store(wiped).await?;
            Ok(Some(device))
        });
        match task.await {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }

    /// Renames a device, at `by`'s word; the name is made unique. `None` when it is not in the list.
    pub(crate) async fn rename(
        self: &Arc<Self>,
        id: DeviceId,
        name: Name,
        by: Who,
    ) -> Result<Option<Device>, DevicesError> {
        self.write_trail().await;
        let now = self.unix();
        let renamed = self.store(move |devices| devices.rename_by(&by, id, &name, now)).await?;
        let Some((before, device)) = renamed else { return Ok(None) };
        self.emit(Event::Renamed { device: device.clone(), before });
        Ok(Some(device))
    }

    /// The allow-list for showing it; `this` marks the device that asks.
    pub(crate) async fn entries(
        self: &Arc<Self>,
        this: Option<&DeviceId>,
    ) -> Result<Vec<DeviceEntry>, DevicesError> {
        let connected = self.registry.connected();
        let devices = self.store(Devices::list).await?;
        let entry = |device: &Device| DeviceEntry {
            connected: connected.contains(&device.id),
            this: this == Some(&device.id),
            ..device.entry()
        };
        Ok(devices.iter().map(entry).collect())
    }

    /// Puts in order what time has changed: ends questions that nobody need answer any more and
    /// the connections of devices whose time is over, and removes devices that never finished
    /// their pairing.
    pub(crate) async fn housekeep(self: &Arc<Self>) -> Result<(), DevicesError> {
        self.end_questions();
        self.refresh_certificate().await;
        let now = self.unix();
        let connected = self.registry.connected();
        if !connected.is_empty() {
            let devices = self.store(Devices::list).await?;
            let over = |device: &&Device| device.limits.expired(now);
            for device in devices.iter().filter(over).filter(|d| connected.contains(&d.id)) {
                self.note(Happening::Expired { device: device.into() });
                self.registry.close(&device.id, ClosingReason::Expired).await;
                self.sessions.forget_device(device.id);
            }
        }
        let before = now.saturating_sub(LIFETIME.as_secs());
        let purged =
            self.store(move |devices| devices.purge_unfinished(before, &connected)).await?;
        for device in purged {
            // It may have connected in this very moment.
            self.registry.close(&device.id, ClosingReason::Expired).await;
            self.note(Happening::Unfinished { device: (&device).into() });
            self.emit(Event::Unfinished { device });
        }
        // Last: when it is only a date that cannot be written, all else was done.
        self.write_seen().await
    }
}
