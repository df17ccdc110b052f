//! The codeout daemon: it owns the key, the allow-list, the pairing offer and the sessions, and
//! serves paired devices.
//!
//! It prints nothing and parses no arguments: it reports [`Event`]s, and the CLI words them. It
//! decides nothing of cryptography: `codeout-protocol` does. Within, `server` uses `connection`,
//! which uses `session`, `devices` and `offer`, and never the other way.
//!
//! ```no_run
//! use codeout_daemon::{Config, Daemon, OfferLimits};
//! use codeout_protocol::name::Name;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let name = Name::clean("desk").ok_or("no name")?;
//! let config = Config::new("codeout-home".into(), ".".into(), name);
//! let daemon = Daemon::open(config).await?;
//! let mut events = daemon.events();
//! let offer = daemon.offer(OfferLimits::default());
//! println!("type {} on the device", *offer.code.printed());
//! while let Ok(event) = events.recv().await {
//!     println!("{event:?}");
//! }
//! daemon.stop().await;
//! # Ok(())
//! # }
//! ```

pub mod address;
mod admission;
mod clock;
mod config;
mod connection;
pub mod control;
pub mod devices;
mod doorway;
mod event;
mod files;
mod fingerprint;
pub mod identity;
mod limiter;
mod lock;
mod offer;
mod outbox;
mod registry;
mod requests;
mod server;
mod session;
mod shared_stream;
mod state;
pub mod stopped;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use codeout_protocol::code::Code;
use codeout_protocol::fingerprint::{Fingerprint, OutOfMemory};
use codeout_protocol::message::{ClosingReason, DeviceEntry};
use codeout_protocol::name::Name;
use codeout_protocol::sodium::KeyPair;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;

pub use clock::{Clock, SystemClock};
pub use config::Config;
pub use event::Event;
pub use offer::{LIFETIME, OfferLimits, OfferNumber, OfferView};
pub use state::OfferLink;

use config::Paths;
use devices::{Device, DeviceId, Devices, DevicesError};
use fingerprint::OwnFingerprint;
use identity::{Identity, IdentityError};
use lock::{Lock, LockError};
use state::Shared;

/// How often the daemon looks at what time has changed.
const HOUSEKEEPING: Duration = Duration::from_secs(1);
/// How often, and how long apart, a starting daemon tries to get its lock.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(50);
/// How long a stopping daemon waits for its connections.
const STOPPING: Duration = Duration::from_secs(2);

/// A running daemon. [`stop`](Self::stop) ends it and waits until everything is closed; dropping
/// it ends it without waiting.
#[derive(Debug)]
pub struct Daemon {
    shared: Arc<Shared>,
    fingerprint: OwnFingerprint,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
    socket: PathBuf,
    // Let go last: the next daemon may start when this one has ended.
    _lock: Lock,
}

/// A daemon could not be started. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// One runs already for this user.
    #[error("codeout is already running")]
    AlreadyRunning,
    /// The daemon's directory cannot be made or is open to others.
    #[error("cannot use the directory {}: {reason}", .path.display())]
    Home {
        /// The directory.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The key file.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The allow-list.
    #[error(transparent)]
    Devices(#[from] DevicesError),
    /// Another program listens on the port.
    #[error("port {port} is already taken by another program")]
    PortTaken {
        /// The port.
        port: u16,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// The address.
        address: String,
        /// Why.
        reason: io::Error,
    },
    /// The control socket cannot be made.
    #[error("cannot make the control socket {}: {reason}", .path.display())]
    Control {
        /// The socket.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
}

impl From<LockError> for OpenError {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Held => OpenError::AlreadyRunning,
            LockError::Home { path, reason } => OpenError::Home { path, reason },
        }
    }
}

impl Daemon {
    /// Starts a daemon: takes the lock, reads or makes the key, opens the allow-list, listens.
    /// It serves from here on; no offer is open yet.
    ///
    /// # Errors
    /// [`OpenError`] names what is in the way.
    pub async fn open(config: Config) -> Result<Daemon, OpenError> {
        let paths = Paths::new(&config.home);
        let lock = take_lock(&paths).await?;
        let identity = identity(&paths)?;
        let devices = Devices::open(&paths.devices())?;
        let listener = listen(&config)?;
        let port = listener.local_addr().map_err(|error| listen_error(&config, error))?.port();
        let socket = paths.socket();
        let control = control::bind(&socket)
            .map_err(|reason| OpenError::Control { path: socket.clone(), reason })?;

        let fingerprint = OwnFingerprint::of(identity.public);
        let shared = Arc::new(Shared::new(config, port, identity, devices));
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        tasks.spawn(server::serve(listener, Arc::clone(&shared), stopped.clone()));
        let for_control = fingerprint.clone();
        tasks.spawn(control::serve(control, Arc::clone(&shared), for_control, stopped.clone()));
        tasks.spawn(keep_house(Arc::clone(&shared), stopped));
        Ok(Daemon { shared, fingerprint, stop, tasks, socket, _lock: lock })
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.shared.port
    }

    /// What happens from now on. A listener that lags misses the oldest events.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.shared.events()
    }

    /// The daemon's fingerprint; there some 0.2 s after the start.
    ///
    /// # Errors
    /// [`OutOfMemory`] when the machine has not got 64 MiB.
    pub async fn fingerprint(&self) -> Result<Fingerprint, OutOfMemory> {
        self.fingerprint.get().await
    }

    /// Opens a fresh offer, which ends the one before.
    pub fn offer(&self, limits: OfferLimits) -> OfferView {
        self.shared.open_offer(limits)
    }

    /// The current offer, used up or not.
    pub fn current_offer(&self) -> Option<OfferView> {
        self.shared.offers().view(self.shared.now())
    }

    /// The pairing links of a code, the one most likely to be reached first.
    pub fn links(&self, code: &Code) -> Vec<OfferLink> {
        self.shared.links(code)
    }

    /// The allow-list, oldest first.
    ///
    /// # Errors
    /// Those of the allow-list.
    pub async fn devices(&self) -> Result<Vec<DeviceEntry>, DevicesError> {
        self.shared.entries(None).await
    }

    /// Revokes a device. When this returns it is out: off the list on disk, and its connections
    /// are closed. `None` when it was not in the list.
    ///
    /// # Errors
    /// Those of the allow-list; then nothing was changed.
    pub async fn revoke(&self, id: DeviceId) -> Result<Option<Device>, DevicesError> {
        self.shared.revoke(id).await
    }

    /// Renames a device; the name is made unique. `None` when it is not in the list.
    ///
    /// # Errors
    /// Those of the allow-list; then nothing was changed.
    pub async fn rename(&self, id: DeviceId, name: Name) -> Result<Option<Device>, DevicesError> {
        self.shared.rename(id, name).await
    }

    /// Answers [`Event::ConfirmationNeeded`]. False when nobody waits for the answer any more.
    pub fn decide(&self, request: u64, admit: bool) -> bool {
        self.shared.decide(request, admit)
    }

    /// Puts in order what time has changed. The daemon does so every second by itself; a test
    /// that turns the clock calls it.
    ///
    /// # Errors
    /// Those of the allow-list.
    pub async fn housekeep(&self) -> Result<(), DevicesError> {
        self.shared.housekeep().await
    }

    /// Ends the daemon: lets nobody in any more, tells every device, hangs up every session.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        let closing = self.shared.registry.close_all(ClosingReason::Stopping);
        if tokio::time::timeout(STOPPING, closing).await.is_err() {
            tracing::warn!("some connections did not end in time");
        }
        while self.tasks.join_next().await.is_some() {}
        // A socket that stays behind is a dead daemon's; the next one removes it.
        let _ = std::fs::remove_file(&self.socket);
    }
}

/// Takes the daemon's lock. A command that looks at the files of a daemon at rest holds it for a
/// moment; a daemon that runs answers on its socket.
async fn take_lock(paths: &Paths) -> Result<Lock, LockError> {
    for _ in 0..LOCK_TRIES {
        match Lock::take(paths) {
            Err(LockError::Held)
                if tokio::net::UnixStream::connect(paths.socket()).await.is_err() =>
            {
                tokio::time::sleep(LOCK_PAUSE).await;
            }
            taken => return taken,
        }
    }
    Lock::take(paths)
}

/// The daemon's key; made only where there is no list of devices that know another.
fn identity(paths: &Paths) -> Result<KeyPair, IdentityError> {
    if files::exists(&paths.devices()).unwrap_or(true) {
        return Identity::load(&paths.identity());
    }
    Identity::load_or_create(&paths.identity()).map(|(pair, _)| pair)
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        self.shared.registry.shut(ClosingReason::Stopping);
    }
}

fn listen(config: &Config) -> Result<tokio::net::TcpListener, OpenError> {
    server::listen(config.bind, config.port).map_err(|error| listen_error(config, error))
}

fn listen_error(config: &Config, reason: io::Error) -> OpenError {
    if reason.kind() == io::ErrorKind::AddrInUse {
        return OpenError::PortTaken { port: config.port };
    }
    let host = config.bind.map_or_else(|| "all addresses".to_owned(), |bind| bind.to_string());
    OpenError::Listen { address: format!("{host}, port {}", config.port), reason }
}

async fn keep_house(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let mut tick = tokio::time::interval(HOUSEKEEPING);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        if let Err(error) = shared.housekeep().await {
            tracing::warn!(%error, "housekeeping failed");
        }
    }
}
