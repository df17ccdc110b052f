//! Connect: from a profile to a connection.

use codeout_protocol::address::Address;
use codeout_protocol::handshake::{self, DeviceCredentials, DeviceEphemeral};

use crate::backoff::{Attempt, Backoff, retry};
use crate::connection::Connection;
use crate::error::ConnectError;
use crate::profiles::{Profile, State};
use crate::transport::{self, ANSWER_TIME};

/// Connects to a known daemon, once.
///
/// The connection is made when the daemon has proved its key and said that it knows this
/// device. For a [`State::Pending`] profile that means that its pairing succeeded;
/// [`pair`](crate::pair) with the same link or address finishes it.
///
/// # Errors
/// [`ConnectError::Refused`] with `NotPaired` is the daemon's own word. Everything else says
/// nothing about the pairing; [`ConnectError::may_pass`] says whether to try again. A profile
/// whose fingerprint nobody confirmed is not connected: [`ConnectError::Unconfirmed`].
pub async fn connect(profile: &Profile) -> Result<Connection, ConnectError> {
    if profile.state == State::Unconfirmed {
        return Err(ConnectError::Unconfirmed { name: profile.name.clone() });
    }
    attempt(&profile.address, &profile.credentials).await
}

/// Connects to a known daemon, trying again while the failure is one that may pass, with waits
/// as `backoff` says. `on_attempt` hears of each failure that will be followed by another try.
///
/// Drop the future to stop.
///
/// # Errors
/// As [`connect`]: the first failure that will not pass by itself, or the last one when
/// [`Backoff::patience`] is over.
pub async fn connect_with_backoff(
    profile: &Profile,
    backoff: Backoff,
    on_attempt: impl FnMut(Attempt<'_>),
) -> Result<Connection, ConnectError> {
    retry(backoff, || connect(profile), on_attempt).await
}

/// One Connect handshake.
pub(crate) async fn attempt(
    address: &Address,
    credentials: &DeviceCredentials,
) -> Result<Connection, ConnectError> {
    let mut socket = transport::dial(address).await?;
    let wrong = |first| move |error| ConnectError::from_handshake(error, address, first);
    let silent = |first| move |error: transport::NoMessage| error.into_error(address, first);

    let (state, m1) = handshake::connect(credentials.clone(), DeviceEphemeral::generate())
        .map_err(wrong(false))?;
    socket.send(m1).await.map_err(silent(true))?;
    let m2 = socket.receive(ANSWER_TIME).await.map_err(silent(true))?;
    let (state, m3) = state.read_m2(&m2).map_err(wrong(true))?;
    socket.send(m3).await.map_err(silent(false))?;
    let m4 = socket.receive(ANSWER_TIME).await.map_err(silent(false))?;
    let (channel, first) = state.read_m4(&m4).map_err(wrong(false))?;
    Connection::start(socket, channel, &first)
}
