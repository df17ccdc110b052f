//! The daemon's end of the control socket.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use codeout_protocol::name::Name;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{broadcast, watch};
use zeroize::Zeroizing;

use super::{ControlError, ControlReply, ControlRequest, MAX_LINE, OfferEnd, Status, shown};
use crate::config::Paths;
use crate::connection;
use crate::devices::{Device, DevicesError, SelectError};
use crate::event::Event;
use crate::fingerprint::OwnFingerprint;
use crate::offer::{OfferLimits, OfferNumber};
use crate::requests::{self, seconds_up};
use crate::sessions::LostSession;
use crate::startup::key_can_be_opened_again;
use crate::state::{Asked, Shared};
use crate::trail::{Query, Who};

/// How often an offer that somebody waits for is looked at, to see that its time is over; and the
/// audit trail, for new lines.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// Lines of the audit trail in one answer, which together are shorter than [`MAX_LINE`].
const ENTRIES_TOGETHER: usize = 100;

/// The lost sessions in one answer take no more than this, in bytes.
const MAX_LOST: usize = 1 << 19;

/// Binds the socket. The caller holds the daemon's lock, so that a socket that lies there is a
/// dead daemon's.
pub(crate) fn bind(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // The directory's mode keeps others out until the socket has its own.
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Answers until `stop` says so.
pub(crate) async fn serve(
    listener: UnixListener,
    shared: Arc<Shared>,
    fingerprint: OwnFingerprint,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        if !same_user(&stream) {
            continue;
        }
        let (shared, fingerprint) = (Arc::clone(&shared), fingerprint.clone());
        tokio::spawn(async move {
            if let Err(error) = answer(stream, shared, fingerprint).await {
                tracing::debug!(%error, "the other end of the control socket went away");
            }
        });
    }
}

/// Answers the one request that comes through `stream`.
pub(crate) async fn answer(
    stream: UnixStream,
    shared: Arc<Shared>,
    fingerprint: OwnFingerprint,
) -> io::Result<()> {
    Visit { stream: BufReader::new(stream), shared, fingerprint }.run().await
}

/// Whether the daemon can go on as that program.
fn restartable(executable: &Path, handover: u32) -> Result<(), String> {
    if handover != crate::handover::VERSION {
        return Err("that version cannot take over the sessions of this one".to_owned());
    }
    let program = executable.display();
    let runs = rustix::fs::access(executable, rustix::fs::Access::EXEC_OK);
    if !executable.is_absolute() || !executable.is_file() || runs.is_err() {
        return Err(shown(&format!("{program} is no program that can be run")));
    }
    Ok(())
}

fn same_user(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|credentials| credentials.uid() == own)
}

struct Visit {
    stream: BufReader<UnixStream>,
    shared: Arc<Shared>,
    fingerprint: OwnFingerprint,
}

impl Visit {
    async fn run(mut self) -> io::Result<()> {
        let mut line = Vec::new();
        (&mut self.stream).take(MAX_LINE).read_until(b'\n', &mut line).await?;
        let Ok(request) = serde_json::from_slice(&line) else {
            return self.write(&ControlReply::Error(ControlError::Unknown)).await;
        };
        match request {
            ControlRequest::Connect => {
                connection::serve_local(self.stream, self.shared).await;
                Ok(())
            }
            ControlRequest::Stop { force } => {
                let running = self.running();
                if !running.is_empty() && !force {
                    return self.refuse(ControlError::SessionsRun { names: running }).await;
                }
                self.obey(Asked::Stop).await
            }
            ControlRequest::Restart { executable, handover } => {
                let may = match restartable(&executable, handover) {
                    Ok(()) => self.can_be_taken_over().await,
                    no => no,
                };
                match may {
                    Ok(()) => self.obey(Asked::Restart { executable }).await,
                    Err(why) => self.refuse(ControlError::CannotRestart(why)).await,
                }
            }
            ControlRequest::Offer { watch_only, for_seconds } => {
                self.offer(OfferLimits { watch_only, for_seconds }).await
            }
            ControlRequest::Status => {
                let status = self.status().await.map(ControlReply::Status);
                self.answer(status).await
            }
            ControlRequest::Devices => {
                let devices = self.shared.entries(None).await.map_err(store_error);
                self.answer(devices.map(ControlReply::Devices)).await
            }
            ControlRequest::Trail { query, follow } => self.trail(query, follow).await,
            ControlRequest::Revoke { device } => {
                let revoked = self.revoke(&device).await;
                self.answer(revoked.map(|device| ControlReply::Device(device.entry()))).await
            }
            ControlRequest::Rename { device, name } => {
                let renamed = self.rename(&device, &name).await;
                self.answer(renamed.map(|device| ControlReply::Device(device.entry()))).await
            }
        }
    }

    /// Without its key and its list the next process could not go on, and the sessions would end.
    async fn can_be_taken_over(&self) -> Result<(), String> {
        let paths = Paths::new(&self.shared.config.home);
        key_can_be_opened_again(&paths, &self.shared.identity.public).map_err(|why| shown(&why))?;
        let list = self.shared.store(|devices| devices.can_be_opened_again()).await;
        list.map_err(|error| shown(&error.to_string()))
    }

    /// Passes on what was asked, and holds the socket open for as long as this process lives: its
    /// end tells whoever asked.
    async fn obey(&mut self, asked: Asked) -> io::Result<()> {
        self.write(&ControlReply::Taken).await?;
        self.shared.ask_daemon(asked);
        std::future::pending().await
    }

    async fn refuse(&mut self, error: ControlError) -> io::Result<()> {
        self.write(&ControlReply::Error(error)).await
    }

    /// The names of the sessions that run.
    fn running(&self) -> Vec<String> {
        self.shared.sessions.running().iter().map(|session| session.name().to_string()).collect()
    }

    async fn answer(&mut self, reply: Result<ControlReply, ControlError>) -> io::Result<()> {
        self.write(&reply.unwrap_or_else(ControlReply::Error)).await
    }

    async fn write(&mut self, reply: &ControlReply) -> io::Result<()> {
        let mut line = Zeroizing::new(serde_json::to_vec(reply)?);
        line.push(b'\n');
        self.stream.get_mut().write_all(&line).await
    }

    async fn status(&self) -> Result<Status, ControlError> {
        let shared = &self.shared;
        let devices = shared.entries(None).await.map_err(store_error)?;
        let offer = shared.offers().view(shared.now());
        let usable = offer.filter(|offer| !offer.spent && !offer.expires_in.is_zero());
        let addresses = match &shared.config.advertise {
            Some(address) => vec![address.to_string()],
            None => shared.candidates().iter().map(|c| c.address.to_string()).collect(),
        };
        Ok(Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            name: shared.config.name.to_string(),
            port: shared.port,
            here: shared.here(),
            addresses,
            fingerprint: self.fingerprint.text().await,
            connected: devices.iter().filter(|device| device.connected).count(),
            devices: devices.len(),
            started_at: shared.started_at,
            restarts: shared.restarts,
            sessions: shared.sessions.running().len(),
            settings: shared.config.settings.clone(),
            lost: in_a_line(shared.sessions.lost()),
            offer_expires_in: usable.as_ref().map(|offer| seconds_up(offer.expires_in)),
            offer_limits: usable.map(|offer| offer.limits),
        })
    }

    async fn select(&self, wanted: &str) -> Result<Device, ControlError> {
        let text = wanted.to_owned();
        let selected = self.shared.store(move |devices| Ok(devices.select(&text))).await;
        selected.map_err(store_error)?.map_err(|error| select_error(wanted, error))
    }

    async fn revoke(&self, wanted: &str) -> Result<Device, ControlError> {
        let device = self.select(wanted).await?;
        let revoked = self.shared.revoke(device.id, Who::computer()).await.map_err(store_error)?;
        revoked.ok_or_else(|| gone(wanted))
    }

    async fn rename(&self, wanted: &str, name: &str) -> Result<Device, ControlError> {
        let name = Name::clean(name).ok_or(ControlError::BadName)?;
        let device = self.select(wanted).await?;
        let renamed =
            self.shared.rename(device.id, name, Who::computer()).await.map_err(store_error)?;
        renamed.ok_or_else(|| gone(wanted))
    }

    /// Sends the lines that are asked for, then an empty word; with `follow`, what comes behind
    /// them, until whoever asked has gone.
    async fn trail(&mut self, mut query: Query, follow: bool) -> io::Result<()> {
        self.shared.write_trail().await;
        let mut ignored = [0];
        let mut most = query.last.unwrap_or(usize::MAX);
        // One at least: what comes is behind it.
        query.last = query.last.map(|last| last.max(1));
        loop {
            let wanted = query.device.clone().unwrap_or_default();
            let asked = query.clone();
            let read = self.shared.store(move |devices| Ok(devices.trail(&asked))).await;
            let entries = match read.map_err(store_error) {
                Ok(Ok(entries)) => entries,
                Ok(Err(error)) => return self.refuse(select_error(&wanted, error)).await,
                Err(error) => return self.refuse(error).await,
            };
            query.behind = entries.last().map(|entry| entry.number).or(query.behind);
            let asked = &entries[entries.len().saturating_sub(most)..];
            (most, query.last) = (usize::MAX, None);
            for some in asked.chunks(ENTRIES_TOGETHER) {
                self.write(&ControlReply::Trail(some.to_vec())).await?;
            }
            if !follow {
                return self.write(&ControlReply::Trail(Vec::new())).await;
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_AGAIN) => {}
                _ = self.stream.read(&mut ignored) => return Ok(()),
            }
        }
    }

    async fn offer(mut self, limits: OfferLimits) -> io::Result<()> {
        let events = self.shared.events();
        let (number, offer) = requests::offer(&self.shared, limits, Who::computer());
        let kinds = match offer.code.parse() {
            Ok(code) => {
                self.shared.links(&code).iter().map(|link| link.kind_word().to_owned()).collect()
            }
            Err(_) => Vec::new(),
        };
        let fingerprint = self.fingerprint.text().await;
        self.write(&ControlReply::Offer { offer, fingerprint, kinds }).await?;
        // Whoever asked may lose interest: a line or an end on the socket.
        let mut ignored = [0];
        let shared = Arc::clone(&self.shared);
        tokio::select! {
            end = offer_end(&shared, number, events) => {
                self.write(&ControlReply::OfferOver(end)).await
            }
            _ = self.stream.read(&mut ignored) => Ok(()),
        }
    }
}

/// As many as a line has room for.
fn in_a_line(lost: &[LostSession]) -> Vec<LostSession> {
    let mut room = MAX_LOST;
    let fits = |lost: &&LostSession| {
        let size = serde_json::to_vec(lost).map_or(0, |json| json.len() + 1);
        room.checked_sub(size).map(|left| room = left).is_some()
    };
    lost.iter().take_while(fits).cloned().collect()
}

async fn offer_end(
    shared: &Shared,
    number: OfferNumber,
    mut events: broadcast::Receiver<Event>,
) -> OfferEnd {
    let mut look = tokio::time::interval(LOOK_AGAIN);
    let mut over = 0;
    loop {
        tokio::select! {
            // What was told comes before what is seen: a spent offer's event is on its way.
            biased;
            event = events.recv() => match event {
                Ok(Event::Paired { device, offer, .. }) if offer == number => {
                    return OfferEnd::Paired(device.entry());
                }
                Ok(Event::Declined { offer }) if offer == number => return OfferEnd::Declined,
                _ => continue,
            },
            _ = look.tick() => {}
        }
        match shared.offers().view(shared.now()) {
            Some(view) if view.number != number => return OfferEnd::Replaced,
            Some(view) if view.expires_in.is_zero() => over += 1,
            _ => {}
        }
        if over == 2 {
            return OfferEnd::Expired;
        }
    }
}

/// The error for a device that went between being found and being changed.
fn gone(wanted: &str) -> ControlError {
    ControlError::NoDevice { wanted: shown(wanted), known: Vec::new() }
}

pub(crate) fn store_error(error: DevicesError) -> ControlError {
    ControlError::Store(shown(&error.to_string()))
}

pub(crate) fn select_error(wanted: &str, error: SelectError) -> ControlError {
    let wanted = shown(wanted);
    match error {
        SelectError::NotFound { known } => {
            let known = known.iter().map(ToString::to_string).collect();
            ControlError::NoDevice { wanted, known }
        }
        SelectError::Ambiguous { candidates } => {
            let describe = |device: &Device| format!("{} ({})", device.name, device.id);
            let candidates = candidates.iter().map(describe).collect();
            ControlError::Ambiguous { wanted, candidates }
        }
        SelectError::Devices(error) => store_error(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    use super::*;

    /// Names the socket that the child is to connect to.
    const SOCKET: &str = "CODEOUT_TEST_SOCKET";
    const NOBODY: u32 = 65_534;

    #[tokio::test]
    async fn only_the_daemons_user_is_answered() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = bind(&path).unwrap();
        let _own = UnixStream::connect(&path).await.unwrap();
        assert!(same_user(&listener.accept().await.unwrap().0));
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        if !rustix::process::geteuid().is_root() {
            return; // nobody but root can become another
        }
        // Past the modes, it is turned away all the same.
        for (path, mode) in [(directory.path(), 0o755), (&path, 0o666)] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let program = directory.path().join("test");
        std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        let mut other = Command::new(&program);
        other.args(["--exact", "control::server::tests::be_another_user"]).env(SOCKET, &path);
        let mut other = other.uid(NOBODY).gid(NOBODY).current_dir("/").spawn().unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        assert_eq!(stream.peer_cred().unwrap().uid(), NOBODY);
        assert!(!same_user(&stream));
        assert!(other.wait().unwrap().success());
    }

    #[test]
    fn be_another_user() {
        if let Some(path) = std::env::var_os(SOCKET) {
            std::os::unix::net::UnixStream::connect(path).unwrap();
        }
    }
}
