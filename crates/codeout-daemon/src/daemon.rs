//! A daemon from its start to its end, as the program sees it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use codeout_protocol::code::Code;
use codeout_protocol::fingerprint::{Fingerprint, OutOfMemory};
use codeout_protocol::message::{ClosingReason, DeviceEntry, SessionEntry};
use codeout_protocol::name::Name;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;

use crate::config::{Config, Paths};
use crate::devices::{Device, DeviceId, DevicesError};
use crate::event::Event;
use crate::fingerprint::OwnFingerprint;
use crate::handover::Inherited;
use crate::lock::Lock;
use crate::offer::{OfferLimits, OfferView};
use crate::offer_links::OfferLink;
use crate::open_error::OpenError;
use crate::sessions::{LostSession, Sessions};
use crate::startup::{Store, listen, take_lock};
use crate::state::{Asked, Shared};
use crate::threads::Threads;
use crate::tls::Tls;
use crate::trail::{self, Happening, Who};
use crate::{control, crier, files, server, strangers};

/// How often the daemon looks at what time has changed.
const HOUSEKEEPING: Duration = Duration::from_secs(1);
/// How long a stopping daemon waits for its connections.
const STOPPING: Duration = Duration::from_secs(2);

/// A running daemon. [`stop`](Self::stop) ends it and waits until everything is closed; dropping
/// it ends it without waiting.
#[derive(Debug)]
pub struct Daemon {
    pub(crate) shared: Arc<Shared>,
    pub(crate) fingerprint: OwnFingerprint,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
    /// Kept until the daemon goes.
    _strangers: Threads,
    socket: PathBuf,
    /// For the process after this one.
    doors: Doors,
    abandoned: Abandoned,
    // Let go last: the next daemon may start when this one has ended.
    lock: Lock,
}

/// Ends what goes on by itself, when a daemon is dropped and nothing comes after it.
#[derive(Debug)]
struct Abandoned {
    shared: Arc<Shared>,
    for_nothing: bool,
}

impl Drop for Abandoned {
    fn drop(&mut self) {
        if self.for_nothing {
            self.shared.registry.shut(ClosingReason::Stopping);
            self.shared.sessions.hang_up_all();
        }
    }
}

/// The sockets on which it listens; each has a second descriptor, which the serving task has.
#[derive(Debug)]
struct Doors {
    listener: OwnedFd,
    control: OwnedFd,
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
        for target in [paths.identity(), paths.devices()] {
            files::sweep(&target);
        }
        let store = Store::open(&paths)?;
        let tls = config.tls.clone().map(Tls::open).transpose()?;
        let strangers = strangers::start().map_err(OpenError::Strangers)?;
        let listener = {
            let _there = strangers.enter();
            listen(&config)?
        };
        let socket = paths.socket();
        let control = control::bind(&socket)
            .map_err(|reason| OpenError::Control { path: socket.clone(), reason })?;
        let sessions = Sessions::new(&config, paths.sessions()).map_err(OpenError::Sessions)?;
        sessions.find_lost();
        let start = Start { lock, store, tls, strangers, listener, control, sessions, restarts: 0 };
        Self::start(config, start)
    }

    /// Goes on with the daemon that was here before, with every session. Its devices come back by
    /// themselves. No offer is open.
    ///
    /// # Errors
    /// [`OpenError`] names what is in the way. The sessions have ended then.
    pub async fn take_over(config: Config, inherited: Inherited) -> Result<Daemon, OpenError> {
        let Inherited { lock, listener, control, sessions: saved, restarts } = inherited;
        let paths = Paths::new(&config.home);
        let store = Store::open(&paths)?;
        let strangers = strangers::start().map_err(OpenError::Strangers)?;
        let listener = {
            let _there = strangers.enter();
            tokio::net::TcpListener::from_std(std::net::TcpListener::from(listener))
                .map_err(|error| OpenError::listening(&config, error))?
        };
        let control = std::os::unix::net::UnixListener::from(control);
        let control = tokio::net::UnixListener::from_std(control)
            .map_err(|reason| OpenError::Control { path: paths.socket(), reason })?;
        let sessions = Sessions::new(&config, paths.sessions()).map_err(OpenError::Sessions)?;
        sessions.restore(saved).map_err(OpenError::Sessions)?;
        let lock = Lock::held(lock);
        // Sessions run: they are not to end because of a certificate.
        let tls = config.tls.clone().map(Tls::open_anyway);
        let start = Start { lock, store, tls, strangers, listener, control, sessions, restarts };
        Self::start(config, start)
    }

    fn start(config: Config, start: Start) -> Result<Daemon, OpenError> {
        let Start { lock, store, tls, strangers, listener, control, sessions, restarts } = start;
        let tls = tls.map(Arc::new);
        let port =
            listener.local_addr().map_err(|error| OpenError::listening(&config, error))?.port();
        let socket = Paths::new(&config.home).socket();
        let doors =
            Doors::of(&listener, &control).map_err(|error| OpenError::listening(&config, error))?;
        let fingerprint = OwnFingerprint::of(store.identity.public);
        let Store { identity, devices } = store;
        let shared = Shared::new(config, port, identity, tls, devices, sessions, restarts);
        let shared = Arc::new(shared);
        let version = env!("CARGO_PKG_VERSION").to_owned();
        shared.note(match restarts {
            0 => Happening::DaemonStarted { version, lost: shared.sessions.lost().len() },
            _ => Happening::DaemonRestarted { version },
        });
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let serving = server::serve(listener, Arc::clone(&shared), stopped.clone());
        tasks.spawn_on(serving, strangers.handle());
        let for_control = fingerprint.clone();
        tasks.spawn(control::serve(control, Arc::clone(&shared), for_control, stopped.clone()));
        tasks.spawn(crier::serve(Arc::clone(&shared), stopped.clone()));
        tasks.spawn(trail::serve(Arc::clone(&shared), stopped.clone()));
        tasks.spawn(keep_house(Arc::clone(&shared), stopped));
        let abandoned = Abandoned { shared: Arc::clone(&shared), for_nothing: true };
        Ok(Daemon {
            shared,
            fingerprint,
            stop,
            tasks,
            _strangers: strangers,
            socket,
            doors,
            abandoned,
            lock,
        })
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.shared.port
    }

    /// The address to type on this computer: `http://localhost:8400`, or with a certificate the
    /// best `https` address.
    pub fn here(&self) -> String {
        self.shared.here()
    }

    /// The file of the certificate's key, when every user of this computer may read it. May wait
    /// for the disk.
    pub fn exposed_key(&self) -> Option<&Path> {
        self.shared.tls.as_deref().and_then(Tls::exposed_key)
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
        self.shared.open_offer(limits, Who::computer())
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
        self.shared.revoke(id, Who::computer()).await
    }

    /// Renames a device; the name is made unique. `None` when it is not in the list.
    ///
    /// # Errors
    /// Those of the allow-list; then nothing was changed.
    pub async fn rename(&self, id: DeviceId, name: Name) -> Result<Option<Device>, DevicesError> {
        self.shared.rename(id, name, Who::computer()).await
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

    /// The sessions, oldest first: those that run, and those that ended and were not dismissed.
    pub fn sessions(&self) -> Vec<SessionEntry> {
        self.shared.sessions.all().iter().map(|session| session.entry()).collect()
    }

    /// The sessions that the daemon before this one had when it ended without a word: it was
    /// killed, or the computer went down.
    pub fn lost(&self) -> &[LostSession] {
        self.shared.sessions.lost()
    }

    /// Waits until somebody asks the daemon, through its control socket, to end or to restart.
    pub async fn asked(&self) -> Asked {
        self.shared.asked().await
    }

    /// Ends this process's part in the daemon, and leaves everything to the next: devices are told
    /// to come back at once, programs run on. [`Inherited::exec`] is to follow, or
    /// [`take_over`](Self::take_over).
    pub async fn hand_over(mut self) -> Inherited {
        self.close(ClosingReason::Restarting).await;
        self.abandoned.for_nothing = false;
        self.shared.write_trail().await;
        let sessions = self.shared.sessions.save().await;
        let Doors { listener, control } = self.doors;
        let restarts = self.shared.restarts;
        Inherited { lock: self.lock.into(), listener, control, sessions, restarts }
    }

    /// Ends the daemon: lets nobody in any more, tells every device, and ends every session: its
    /// programs have 5 s to heed a hang-up.
    pub async fn stop(mut self) {
        self.close(ClosingReason::Stopping).await;
        self.shared.sessions.end_all().await;
        self.shared.note(Happening::DaemonStopped {});
        self.shared.write_trail().await;
        // A socket that stays behind is a dead daemon's; the next one removes it.
        let _ = std::fs::remove_file(&self.socket);
    }

    async fn close(&mut self, reason: ClosingReason) {
        self.stop.send_replace(true);
        let closing = self.shared.registry.close_all(reason);
        if tokio::time::timeout(STOPPING, closing).await.is_err() {
            tracing::warn!("some connections did not end in time");
        }
        while self.tasks.join_next().await.is_some() {}
    }
}

/// What a daemon begins with.
struct Start {
    lock: Lock,
    store: Store,
    tls: Option<Tls>,
    strangers: Threads,
    listener: tokio::net::TcpListener,
    control: tokio::net::UnixListener,
    sessions: Sessions,
    restarts: u32,
}

impl Doors {
    fn of(
        listener: &tokio::net::TcpListener,
        control: &tokio::net::UnixListener,
    ) -> io::Result<Self> {
        Ok(Doors {
            listener: listener.as_fd().try_clone_to_owned()?,
            control: control.as_fd().try_clone_to_owned()?,
        })
    }
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
