//! Pair: from a link or a typed code to a connection and a profile.
//!
//! The profile is on disk before the daemon can accept this device, so that whatever happens
//! after that (a cut link, a crash), the next try finds out by connecting whether it did.

use std::time::Duration;

use codeout_protocol::address::Address;
use codeout_protocol::channel::Channel;
use codeout_protocol::code::Code;
use codeout_protocol::error::{Alert, Error as ProtocolError, Refusal};
use codeout_protocol::fingerprint::Fingerprint;
use codeout_protocol::link::Link;
use codeout_protocol::name::Name;
use codeout_protocol::pairing::{self as protocol, AwaitP4, DaemonProved, DevicePairing};
use codeout_protocol::sodium::{KeyPair, PublicKey};
use futures_util::SinkExt;
use tokio_tungstenite::tungstenite::{Bytes, Message};

use crate::backoff::Backoff;
use crate::blocking::{Print, on_disk};
use crate::connect;
use crate::connection::Connection;
use crate::error::{ConnectError, PairError, StoreError};
use crate::outcome::{Landed, PairOutcome, discard, finish};
use crate::profiles::{self, Profile, Profiles, State};
use crate::transport::{self, ANSWER_TIME, NoMessage, Socket};

/// The daemon's verdict may wait for its user as long as an offer lives, and a little.
const VERDICT_TIME: Duration = Duration::from_secs(330);
/// After this time without a verdict the daemon's user is likely being asked.
const ASKED_AFTER: Duration = Duration::from_secs(2);
/// How often something is said meanwhile, so that what is on the way keeps the path open.
const KEEP_EVERY: Duration = Duration::from_secs(30);
/// How many times a pairing is begun whose last message never arrived.
const ROUNDS: usize = 3;
/// When the daemon has had too many attempts.
const BUSY: Backoff = Backoff {
    first: Duration::from_millis(600),
    longest: Duration::from_secs(2),
    patience: Some(Duration::from_secs(30)),
};

/// What to pair with, and as whom.
#[derive(Clone, Debug)]
pub struct PairRequest {
    /// The daemon's offer.
    pub how: How,
    /// The name that this device proposes to the daemon.
    pub device_name: Name,
    /// The daemon's fingerprint, when the user has said it in advance.
    pub expected: Option<Fingerprint>,
    /// Whether to pair with the daemon of a link with which this device is paired already.
    pub again: bool,
}

/// How the offer came.
#[derive(Clone, Debug)]
pub enum How {
    /// As a link, which pins the daemon's key.
    Link(Link),
    /// As a code that the user typed, with the address.
    Code {
        /// Where the daemon is.
        address: Address,
        /// The offer's secret.
        code: Code,
    },
}

impl How {
    fn address(&self) -> &Address {
        match self {
            How::Link(link) => &link.address,
            How::Code { address, .. } => address,
        }
    }

    fn code(&self) -> &Code {
        match self {
            How::Link(link) => &link.code,
            How::Code { code, .. } => code,
        }
    }

    fn pinned_key(&self) -> Option<&PublicKey> {
        match self {
            How::Link(link) => Some(&link.daemon_key),
            How::Code { .. } => None,
        }
    }
}

/// What a pairing waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PairProgress {
    /// The daemon takes its time: its user is asked whether to let this device in.
    WaitingForConfirmation,
    /// The daemon has had too many attempts; the next one follows in this time.
    Busy {
        /// How long.
        wait: Duration,
    },
    /// The link broke; whether the daemon accepted this device is being found out.
    Recovering,
}

/// Pairs with a daemon.
///
/// A pairing that an earlier call left unfinished, because the link broke or the process died,
/// is taken up where it stopped. `on_progress` hears what is being waited for. Dropped at any
/// point, the future leaves nothing that a later call does not take up.
///
/// By a link, or with an expected fingerprint, the daemon's key is checked before it learns this
/// device's: the outcome is [`PairOutcome::Paired`]. Else it is [`PairOutcome::Confirm`].
///
/// # Errors
/// [`PairError`]. Unless it is a refusal or a fingerprint that differs, a pairing that may have
/// succeeded stays in `profiles` as an unfinished one.
pub async fn pair(
    request: PairRequest,
    profiles: &Profiles,
    on_progress: &mut (dyn FnMut(PairProgress) + Send + Sync),
) -> Result<PairOutcome, PairError> {
    let pairing = Pairing { request, profiles: profiles.clone(), on_progress };
    pairing.run().await
}

/// Its methods take `&mut self` so that their futures can be spawned: the callback is not `Sync`.
struct Pairing<'a> {
    request: PairRequest,
    profiles: Profiles,
    on_progress: &'a mut (dyn FnMut(PairProgress) + Send + Sync),
}

impl Pairing<'_> {
    async fn run(mut self) -> Result<PairOutcome, PairError> {
        self.refuse_known().await?;
        for profile in self.unfinished().await? {
            if let Some(outcome) = self.resume(profile).await? {
                return Ok(outcome);
            }
        }
        let mut lost = Vec::new();
        let result = match self.rounds(&mut lost).await {
            // A message that was thought lost may have arrived late.
            Err(PairError::Refused(Refusal::AlreadyUsed)) => self.arrived_late(&lost).await,
            result => result,
        };
        match &result {
            Ok(_) => {}
            // The next call looks again.
            Err(PairError::Connect(error)) if error.may_pass() => {}
            Err(_) => {
                for profile in lost {
                    discard(&self.profiles, &profile).await?;
                }
            }
        }
        result
    }

    /// Pairs, and pairs again when the last message was lost.
    async fn rounds(&mut self, lost: &mut Vec<Profile>) -> Result<PairOutcome, PairError> {
        for _ in 0..ROUNDS {
            match self.begin().await? {
                Landed::Yes(outcome) => return Ok(outcome),
                Landed::No(profile) => lost.push(profile),
            }
        }
        Err(ConnectError::Cut.into())
    }

    async fn refuse_known(&mut self) -> Result<(), PairError> {
        let Some(key) = self.request.how.pinned_key().copied() else { return Ok(()) };
        if self.request.again {
            return Ok(());
        }
        let known = on_disk(&self.profiles, move |profiles| profiles.by_key(&key)).await?;
        match known {
            Some(Profile { name, state: State::Paired, .. }) => {
                Err(PairError::AlreadyPaired { name })
            }
            _ => Ok(()),
        }
    }

    /// Earlier pairings with this daemon that may or may not have succeeded.
    async fn unfinished(&mut self) -> Result<Vec<Profile>, StoreError> {
        let mut list = on_disk(&self.profiles, Profiles::list).await?;
        let how = &self.request.how;
        list.retain(|profile| {
            let same = match how.pinned_key() {
                Some(key) => profile.credentials.daemon_key == *key,
                None => profile.address == *how.address(),
            };
            same && profile.state != State::Paired
        });
        Ok(list)
    }

    /// Takes up an earlier pairing. `None`: there is nothing to take up.
    async fn resume(&mut self, mut profile: Profile) -> Result<Option<PairOutcome>, PairError> {
        profile.address = self.request.how.address().clone();
        if profile.state == State::Unconfirmed {
            let key = profile.credentials.daemon_key;
            profile.state = match self.check(&key).await {
                // It was never confirmed. What answers now is checked in its turn.
                Err(PairError::FingerprintDiffers) => {
                    discard(&self.profiles, &profile).await?;
                    return Ok(None);
                }
                checked => checked?,
            };
            profile.fingerprint = self.request.expected.or(profile.fingerprint);
        }
        match self.settle(profile).await {
            Ok(Landed::Yes(outcome)) => Ok(Some(outcome)),
            Ok(Landed::No(profile)) => {
                discard(&self.profiles, &profile).await?;
                Ok(None)
            }
            // Said in the clear, so the profile stays; a daemon with a new key is another one.
            Err(PairError::Connect(ConnectError::WrongDaemonKey)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Checks the daemon's key by what the user has of it, and says what is left to do.
    async fn check(&mut self, key: &PublicKey) -> Result<State, PairError> {
        let mut state = State::Unconfirmed;
        if let Some(pinned) = self.request.how.pinned_key() {
            if pinned != key {
                return Err(PairError::WrongDaemonKey);
            }
            state = State::Pending;
        }
        if let Some(expected) = self.request.expected {
            if Print::of(key, None).known().await? != expected {
                return Err(PairError::FingerprintDiffers);
            }
            state = State::Pending;
        }
        Ok(state)
    }

    /// A pairing from its first message to its last.
    async fn begin(&mut self) -> Result<Landed, PairError> {
        let (mut socket, proved) = self.prove().await?;
        let key = proved.daemon_key();
        let state = self.check(&key).await?;
        // If there is one, it has just been checked.
        let print = Print::of(&key, self.request.expected);
        let address = self.request.how.address().clone();
        let (awaiting, p3) = proved
            .present(KeyPair::generate(), &self.request.device_name)
            .map_err(|error| ConnectError::from_handshake(error, &address, true))?;
        let profile = Profile {
            name: address.host().trim_matches(['[', ']']).to_owned(),
            address,
            credentials: awaiting.credentials().clone(),
            device_name: self.request.device_name.clone(),
            state,
            paired_at: profiles::now(),
            fingerprint: self.request.expected,
        };
        let profile = on_disk(&self.profiles, move |profiles| profiles.put(profile)).await?;

        match self.present(&mut socket, p3, awaiting).await {
            Ok((channel, first)) => match Connection::start(socket, channel, &first) {
                Ok(connection) => finish(&self.profiles, profile, print, Some(connection)).await,
                Err(error) => Err(error.into()),
            },
            Err(Some(refusal)) => {
                discard(&self.profiles, &profile).await?;
                Err(PairError::Refused(refusal))
            }
            Err(None) => {
                (self.on_progress)(PairProgress::Recovering);
                drop(socket);
                finish(&self.profiles, profile, print, None).await
            }
        }
    }

    /// P1 and P2: the daemon proves the code.
    async fn prove(&mut self) -> Result<(Socket, DaemonProved), PairError> {
        let mut delays = BUSY.delays();
        loop {
            match prove(&self.request.how).await {
                Err(PairError::Connect(ConnectError::TooManyAttempts)) => {}
                other => return other,
            }
            let wait = delays.next().ok_or(ConnectError::TooManyAttempts)?;
            (self.on_progress)(PairProgress::Busy { wait });
            tokio::time::sleep(wait).await;
        }
    }

    /// P3 and P4: this device proves the code, and the daemon accepts it.
    ///
    /// # Errors
    /// The daemon's refusal; or `None`: there is no knowing whether it accepted.
    async fn present(
        &mut self,
        socket: &mut Socket,
        p3: Vec<u8>,
        awaiting: AwaitP4,
    ) -> Result<(Channel, Vec<u8>), Option<Refusal>> {
        let unknown = |_: NoMessage| None;
        socket.send(p3).await.map_err(unknown)?;
        let p4 = self.verdict(socket).await.map_err(unknown)?;
        awaiting.read_p4(&p4).map_err(|error| match error {
            ProtocolError::Refused(refusal) => Some(refusal),
            _ => None,
        })
    }

    /// Waits for P4, which may take as long as the daemon's user does.
    async fn verdict(&mut self, socket: &mut Socket) -> Result<Bytes, NoMessage> {
        let Socket { outgoing, incoming } = socket;
        let mut p4 = std::pin::pin!(transport::receive(incoming, VERDICT_TIME));
        if let Ok(p4) = tokio::time::timeout(ASKED_AFTER, p4.as_mut()).await {
            return p4;
        }
        (self.on_progress)(PairProgress::WaitingForConfirmation);
        let mut keep = tokio::time::interval(KEEP_EVERY);
        loop {
            tokio::select! {
                p4 = p4.as_mut() => return p4,
                _ = keep.tick() => outgoing.send(Message::Ping(Bytes::new())).await?,
            }
        }
    }

    /// Finds out by connecting whether a pairing succeeded, and finishes it.
    async fn settle(&mut self, profile: Profile) -> Result<Landed, PairError> {
        let print = Print::of(&profile.credentials.daemon_key, profile.fingerprint);
        finish(&self.profiles, profile, print, None).await
    }

    /// The code is used: by one of these, after all?
    async fn arrived_late(&mut self, lost: &[Profile]) -> Result<PairOutcome, PairError> {
        for profile in lost {
            if let Landed::Yes(outcome) = self.settle(profile.clone()).await? {
                return Ok(outcome);
            }
        }
        match self.just_paired().await? {
            Some(name) => Err(PairError::AlreadyPaired { name }),
            None => Err(PairError::Refused(Refusal::AlreadyUsed)),
        }
    }

    /// The daemon at this address, if this device was paired with it in the life of an offer, and is
    /// let in: then it is this device that used the code, and what was to say so was stopped before
    /// it could.
    async fn just_paired(&mut self) -> Result<Option<String>, StoreError> {
        let list = on_disk(&self.profiles, Profiles::list).await?;
        let since = profiles::now().saturating_sub(VERDICT_TIME.as_secs());
        let is_it = |profile: &Profile| {
            profile.state == State::Paired
                && profile.address == *self.request.how.address()
                && profile.paired_at >= since
        };
        let Some(profile) = list.into_iter().find(is_it) else { return Ok(None) };
        let let_in = connect::attempt(&profile.address, &profile.credentials).await.is_ok();
        Ok(let_in.then_some(profile.name))
    }
}

async fn prove(how: &How) -> Result<(Socket, DaemonProved), PairError> {
    let address = how.address();
    let silent = |error: NoMessage| error.into_error(address, true);
    let mut socket = transport::dial(address).await?;
    let (state, p1) = protocol::pair(how.code(), DevicePairing::generate());
    socket.send(p1).await.map_err(silent)?;
    let p2 = socket.receive(ANSWER_TIME).await.map_err(silent)?;
    let proved = state.read_p2(&p2).map_err(|error| match error {
        ProtocolError::WrongCode => PairError::WrongCode,
        ProtocolError::Alert(Alert::NoOffer) => PairError::NoOffer,
        error => ConnectError::from_handshake(error, address, true).into(),
    })?;
    Ok((socket, proved))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pairing_can_be_a_task_of_its_own() {
        fn is_send<T: Send>(_: &T) {}
        fn check(request: PairRequest, profiles: &Profiles) {
            is_send(&pair(request, profiles, &mut |_| {}));
        }
        let _ = check;
    }
}
