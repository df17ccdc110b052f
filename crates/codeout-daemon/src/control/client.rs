//! The CLI's end of the control socket.

use std::io;
use std::path::Path;
use std::time::Duration;

use codeout_protocol::message::{DeviceEntry, OfferEntry};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use zeroize::Zeroizing;

use super::{ControlError, ControlReply, ControlRequest, MAX_LINE, OfferEnd, Status};
use crate::config::Paths;
use crate::offer::OfferLimits;
use crate::trail::{Entry, Query};

/// How long the daemon may take to answer. A slow disk takes less, and so does a fingerprint on a
/// slow computer; one that was suspended answers never.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection to the daemon that runs for the same user. It serves one request.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
}

/// A request to the running daemon failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The daemon said no.
    #[error(transparent)]
    Daemon(#[from] ControlError),
    /// The daemon went away in the middle.
    #[error("the daemon ended in the middle of its answer")]
    Gone(#[source] io::Error),
    /// The daemon runs and says nothing.
    #[error("the daemon does not answer")]
    Silent,
    /// The daemon answered with something else: it is of another version.
    #[error("the running daemon is of another version")]
    Version,
}

impl From<io::Error> for ClientError {
    fn from(error: io::Error) -> Self {
        ClientError::Gone(error)
    }
}

impl Client {
    /// Connects to the daemon whose directory is `home`; `None` when none runs there.
    pub async fn connect(home: &Path) -> Option<Client> {
        let stream = UnixStream::connect(Paths::new(home).socket()).await.ok()?;
        Some(Client { stream: BufReader::new(stream) })
    }

    /// A client of whoever is at the other end of `stream`.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn of(stream: UnixStream) -> Client {
        Client { stream: BufReader::new(stream) }
    }

    /// How the daemon is.
    ///
    /// # Errors
    /// As every request: [`ClientError`].
    pub async fn status(mut self) -> Result<Status, ClientError> {
        match self.ask(&ControlRequest::Status).await? {
            ControlReply::Status(status) => Ok(status),
            _ => Err(ClientError::Version),
        }
    }

    /// The allow-list, oldest first.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn devices(mut self) -> Result<Vec<DeviceEntry>, ClientError> {
        match self.ask(&ControlRequest::Devices).await? {
            ControlReply::Devices(devices) => Ok(devices),
            _ => Err(ClientError::Version),
        }
    }

    /// Revokes the device with this name or id prefix; returns it when it is out.
    ///
    /// # Errors
    /// [`ControlError::NoDevice`], [`ControlError::Ambiguous`], [`ControlError::Store`].
    pub async fn revoke(self, device: &str) -> Result<DeviceEntry, ClientError> {
        self.device(ControlRequest::Revoke { device: device.to_owned() }).await
    }

    /// Renames the device with this name or id prefix; returns it with the name it got.
    ///
    /// # Errors
    /// As [`revoke`](Self::revoke), and [`ControlError::BadName`].
    pub async fn rename(self, device: &str, name: &str) -> Result<DeviceEntry, ClientError> {
        let (device, name) = (device.to_owned(), name.to_owned());
        self.device(ControlRequest::Rename { device, name }).await
    }

    /// The lines of the audit trail that are asked for, oldest first; what comes behind them with
    /// `follow`.
    ///
    /// # Errors
    /// [`ControlError::NoDevice`], [`ControlError::Store`].
    pub async fn trail(mut self, query: Query, follow: bool) -> Result<TrailLines, ClientError> {
        let first = self.ask(&ControlRequest::Trail { query, follow }).await?;
        Ok(TrailLines { client: self, first: Some(first) })
    }

    /// Asks the daemon to end, and waits until it has.
    ///
    /// # Errors
    /// [`ControlError::SessionsRun`] without `force`.
    pub async fn stop(mut self, force: bool) -> Result<(), ClientError> {
        self.taken(&ControlRequest::Stop { force }).await?;
        self.gone().await;
        Ok(())
    }

    /// Asks the daemon to go on as the program `executable`, which must be of this version, with
    /// every session. Returns when the new process answers.
    ///
    /// # Errors
    /// [`ControlError::CannotRestart`]: the daemon goes on as it was.
    pub async fn restart(mut self, home: &Path, executable: &Path) -> Result<Status, ClientError> {
        let before = Client::fresh(home).await?.status().await?;
        let (executable, handover) = (executable.to_owned(), crate::handover::VERSION);
        self.taken(&ControlRequest::Restart { executable, handover }).await?;
        self.gone().await;
        let after = Client::fresh(home).await?.status().await?;
        if after.restarts == before.restarts {
            let text = "the new program could not be started".to_owned();
            return Err(ControlError::CannotRestart(text).into());
        }
        Ok(after)
    }

    async fn fresh(home: &Path) -> Result<Client, ClientError> {
        let gone = || ClientError::Gone(io::ErrorKind::ConnectionRefused.into());
        Client::connect(home).await.ok_or_else(gone)
    }

    async fn taken(&mut self, request: &ControlRequest) -> Result<(), ClientError> {
        match self.ask(request).await? {
            ControlReply::Taken => Ok(()),
            _ => Err(ClientError::Version),
        }
    }

    /// Waits until the daemon's process has let go of this connection.
    async fn gone(&mut self) {
        let mut ignored = [0; 16];
        while let Ok(1..) = self.stream.read(&mut ignored).await {}
    }

    async fn device(mut self, request: ControlRequest) -> Result<DeviceEntry, ClientError> {
        match self.ask(&request).await? {
            ControlReply::Device(device) => Ok(device),
            _ => Err(ClientError::Version),
        }
    }

    /// Opens a fresh offer, which ends the one before.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn offer(mut self, limits: OfferLimits) -> Result<RemoteOffer, ClientError> {
        let OfferLimits { watch_only, for_seconds } = limits;
        match self.ask(&ControlRequest::Offer { watch_only, for_seconds }).await? {
            ControlReply::Offer { offer, fingerprint, kinds } => {
                Ok(RemoteOffer { offer, fingerprint, kinds, client: self })
            }
            _ => Err(ClientError::Version),
        }
    }

    async fn ask(&mut self, request: &ControlRequest) -> Result<ControlReply, ClientError> {
        let mut line = serde_json::to_vec(request).map_err(io::Error::from)?;
        line.push(b'\n');
        let answered = async {
            self.stream.get_mut().write_all(&line).await?;
            self.read().await
        };
        tokio::time::timeout(PATIENCE, answered).await.unwrap_or(Err(ClientError::Silent))
    }

    async fn read(&mut self) -> Result<ControlReply, ClientError> {
        // The answer may hold a pairing code.
        let mut line = Zeroizing::new(Vec::new());
        (&mut self.stream).take(MAX_LINE).read_until(b'\n', &mut line).await?;
        if !line.ends_with(b"\n") {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        match serde_json::from_slice(&line) {
            Ok(ControlReply::Error(error)) => Err(error.shown().into()),
            Ok(reply) => Ok(reply),
            Err(_) => Err(ClientError::Version),
        }
    }
}

/// Lines of the audit trail, as the daemon sends them.
#[derive(Debug)]
pub struct TrailLines {
    client: Client,
    first: Option<ControlReply>,
}

impl TrailLines {
    /// The next lines; `None` behind the last.
    ///
    /// # Errors
    /// [`ClientError::Gone`] when the daemon stops.
    pub async fn next(&mut self) -> Result<Option<Vec<Entry>>, ClientError> {
        let reply = match self.first.take() {
            Some(first) => first,
            None => self.client.read().await?,
        };
        match reply {
            ControlReply::Trail(entries) => Ok((!entries.is_empty()).then_some(entries)),
            _ => Err(ClientError::Version),
        }
    }
}

/// An offer that the running daemon has opened for this process.
#[derive(Debug)]
pub struct RemoteOffer {
    /// Code, links and time.
    pub offer: OfferEntry,
    /// The daemon's fingerprint.
    pub fingerprint: String,
    /// What each link's address is: `certificate`, `tailnet`, `lan`, `public`, `loopback`, `advertised`.
    pub kinds: Vec<String>,
    client: Client,
}

impl RemoteOffer {
    /// Waits until the offer is over.
    ///
    /// # Errors
    /// [`ClientError::Gone`] when the daemon stops before.
    pub async fn over(&mut self) -> Result<OfferEnd, ClientError> {
        match self.client.read().await? {
            ControlReply::OfferOver(end) => Ok(end),
            _ => Err(ClientError::Version),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_daemon_that_says_nothing_is_not_waited_for_without_end() {
        let (near, _far) = UnixStream::pair().unwrap();
        let answer = Client::of(near).status().await;
        assert!(matches!(answer, Err(ClientError::Silent)), "{answer:?}");
    }
}
