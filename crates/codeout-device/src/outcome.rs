//! The end of a pairing: what is left to do when the daemon may have accepted this device.

use std::time::Duration;

use codeout_protocol::error::Refusal;
use codeout_protocol::fingerprint::Fingerprint;
use codeout_protocol::message::Request;
use codeout_protocol::name::Name;

use crate::backoff::Backoff;
use crate::blocking::{Print, on_disk};
use crate::connect;
use crate::connection::Connection;
use crate::error::{Broken, ConnectError, PairError, RequestFailed, StoreError};
use crate::profiles::{Profile, Profiles, State};
use crate::transport::ANSWER_TIME;

/// When it is to be found out whether the pairing succeeded.
const RECOVERY: Backoff = Backoff {
    first: Duration::from_millis(600),
    longest: Duration::from_secs(2),
    patience: Some(Duration::from_secs(5)),
};

/// What came of a pairing.
#[derive(Debug)]
pub enum PairOutcome {
    /// Both ends know each other.
    Paired(Paired),
    /// The user is to compare the fingerprints.
    Confirm(Unconfirmed),
}

/// A finished pairing.
#[derive(Debug)]
pub struct Paired {
    /// The connection to the daemon.
    pub connection: Connection,
    /// What is now stored of it.
    pub profile: Profile,
}

/// What became of a pairing whose last message was sent.
pub(crate) enum Landed {
    /// It arrived.
    Yes(PairOutcome),
    /// The daemon says that it never did.
    No(Profile),
}

/// Finishes a pairing as far as it can be without the user: over `connection`, or else, and when
/// that breaks, over a new one. `print` is the daemon's fingerprint.
pub(crate) async fn finish(
    profiles: &Profiles,
    mut profile: Profile,
    print: Print,
    mut connection: Option<Connection>,
) -> Result<Landed, PairError> {
    let mut delays = RECOVERY.delays();
    loop {
        let attempt = match connection.take() {
            Some(connection) => Ok(connection),
            None => connect::attempt(&profile.address, &profile.credentials).await,
        };
        let error = match attempt {
            Ok(connection) if profile.state == State::Unconfirmed => {
                let profiles = profiles.clone();
                let fingerprint = print.known().await?;
                profile.fingerprint = Some(fingerprint);
                let unconfirmed = Unconfirmed { profiles, profile, fingerprint, connection };
                return Ok(Landed::Yes(PairOutcome::Confirm(unconfirmed)));
            }
            Ok(connection) => match ping(&connection).await {
                Ok(()) => {
                    // Nobody has to compare it: it is only shown.
                    profile.fingerprint = print.known().await.ok();
                    let welcome = connection.welcome();
                    let name = welcome.daemon.clone();
                    // The one that was asked for may have been another device's.
                    if let Some(given) = Name::clean(&welcome.device.name) {
                        profile.device_name = given;
                    }
                    let finished = move |profiles: &Profiles| profiles.finish(profile, &name);
                    let profile = on_disk(profiles, finished).await?;
                    let paired = Paired { connection, profile };
                    return Ok(Landed::Yes(PairOutcome::Paired(paired)));
                }
                Err(error) => error,
            },
            Err(ConnectError::Refused(Refusal::NotPaired)) => return Ok(Landed::No(profile)),
            Err(error) => error,
        };
        let Some(wait) = error.may_pass().then(|| delays.next()).flatten() else {
            return Err(error.into());
        };
        tokio::time::sleep(wait).await;
    }
}

/// The first record of this device, which tells the daemon that the pairing is finished.
async fn ping(connection: &Connection) -> Result<(), ConnectError> {
    match tokio::time::timeout(ANSWER_TIME, connection.request(Request::Ping)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(RequestFailed::Closed(_))) => Err(ConnectError::Cut),
        Ok(Err(_)) => Err(ConnectError::Protocol(Broken::Unexpected)),
        Err(_) => Err(ConnectError::TimedOut),
    }
}

/// A pairing by a typed code that the daemon accepted, and whose fingerprint the user is to
/// compare. Nothing of the daemon's is shown before that, and nothing is sent to it.
///
/// Dropped, it stays unfinished: [`pair`](crate::pair) with the same address takes it up.
#[derive(Debug)]
pub struct Unconfirmed {
    profiles: Profiles,
    profile: Profile,
    fingerprint: Fingerprint,
    connection: Connection,
}

impl Unconfirmed {
    /// What the daemon must show too.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The user says that the fingerprints match.
    ///
    /// # Errors
    /// [`PairError::Refused`] with `NotPaired` when the daemon no longer knows this device (it
    /// took longer than the offer lived): nothing is kept. Anything else leaves a pairing that
    /// [`pair`](crate::pair) takes up, without asking for the fingerprint again.
    pub async fn confirm(self) -> Result<Paired, PairError> {
        let Unconfirmed { profiles, profile, fingerprint, connection } = self;
        // Whatever breaks from here on, the user is not asked again.
        let confirmed = Profile { state: State::Pending, ..profile };
        let profile = on_disk(&profiles, move |profiles| profiles.put(confirmed)).await?;
        match finish(&profiles, profile, Print::Known(fingerprint), Some(connection)).await? {
            Landed::Yes(PairOutcome::Paired(paired)) => Ok(paired),
            // Cannot be: the profile is no longer unconfirmed.
            Landed::Yes(PairOutcome::Confirm(_)) => {
                Err(ConnectError::Protocol(Broken::Unexpected).into())
            }
            Landed::No(profile) => {
                discard(&profiles, &profile).await?;
                Err(PairError::Refused(Refusal::NotPaired))
            }
        }
    }

    /// The user says that the fingerprints differ: someone else answers at that address.
    /// Forgets everything of this pairing and hangs up without having sent a record.
    ///
    /// # Errors
    /// The profile could not be removed.
    pub async fn differ(self) -> Result<(), StoreError> {
        let Unconfirmed { profiles, profile, connection, .. } = self;
        drop(connection);
        discard(&profiles, &profile).await
    }
}

/// Forgets a pairing.
pub(crate) async fn discard(profiles: &Profiles, profile: &Profile) -> Result<(), StoreError> {
    let key = profile.credentials.device.public;
    on_disk(profiles, move |profiles| profiles.discard(&key)).await
}
