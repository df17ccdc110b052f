//! Who gets in: the daemon's side of both handshakes, over one WebSocket.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use codeout_protocol::channel::Channel;
use codeout_protocol::error::{Alert, Error, Misbehaviour};
use codeout_protocol::handshake::{self, DaemonEphemeral, Mode};
use codeout_protocol::message::{self, DeviceEntry, FromDaemon, Welcome};
use codeout_protocol::pairing::{self, DaemonPairing, PairRefusal, Proved};
use tokio::time::Instant;

use crate::devices::Device;
use crate::doorway::Unproven;
use crate::entry::{self, MAX_DEVICES};
use crate::event::Event;
use crate::offer::OfferNumber;
use crate::registry::Presence;
use crate::state::Shared;
use crate::trail::Refusal;

/// A device that has not finished its handshake in this time from its first byte is let go.
pub(crate) const HANDSHAKE_TIME: Duration = Duration::from_secs(10);

/// A device that is in.
pub(crate) struct Admitted {
    pub(crate) device: Device,
    pub(crate) channel: Channel,
    pub(crate) presence: Presence,
}

/// The socket during a handshake.
struct Door<'a> {
    socket: &'a mut WebSocket,
    deadline: Instant,
    /// The connection's place among those that have proved nothing.
    place: &'a Unproven,
}

/// Why nobody got in; the device has been told, if it was to be told anything.
enum Ended {
    /// The link ended, or the time was over.
    Gone,
    /// The device sent what it must not.
    Bad(Error),
    /// It does not know the code; that is noted.
    Unproved(Error),
    /// It gets this alert.
    Alert(Alert),
    /// It was refused; it has been told.
    Refused,
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Ended::Bad(error)
    }
}

impl Door<'_> {
    async fn receive(&mut self) -> Result<Vec<u8>, Ended> {
        loop {
            let next = tokio::time::timeout_at(self.deadline, self.socket.recv()).await;
            match next.map_err(|_| Ended::Gone)? {
                Some(Ok(Message::Binary(bytes))) => return Ok(bytes.into()),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Text(_))) => {
                    return Err(Error::from(Misbehaviour::Tag).into());
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(Ended::Gone),
            }
        }
    }

    /// Waits until the device is gone, or sends what it must not send now.
    async fn left(&mut self) {
        while let Some(Ok(Message::Ping(_) | Message::Pong(_))) = self.socket.recv().await {}
    }

    async fn send(&mut self, message: Vec<u8>) -> Result<(), Ended> {
        // What follows a question to the daemon's user comes later than the deadline.
        let deadline = self.deadline.max(Instant::now() + HANDSHAKE_TIME);
        let sent = self.socket.send(Message::Binary(message.into()));
        match tokio::time::timeout_at(deadline, sent).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Ended::Gone),
        }
    }
}

/// Runs the handshake that the device begins, until `deadline`; `place` is its place among those
/// that have proved nothing. `None`: it is not let in, and has heard why.
pub(crate) async fn admit(
    socket: &mut WebSocket,
    shared: &Arc<Shared>,
    source: IpAddr,
    deadline: Instant,
    place: &Unproven,
) -> Option<Admitted> {
    let mut door = Door { socket, deadline, place };
    let ended = match try_admit(&mut door, shared, source).await {
        Ok(admitted) => return Some(admitted),
        Err(ended) => ended,
    };
    let alert = match ended {
        Ended::Gone | Ended::Refused => return None,
        Ended::Bad(error) => {
            tracing::debug!(%source, %error, "handshake ended");
            shared.note_refusal(Refusal::Malformed, source);
            error.alert()
        }
        Ended::Unproved(error) => error.alert(),
        Ended::Alert(alert) => {
            match alert {
                Alert::TooManyAttempts => shared.note_refusal(Refusal::TooMany, source),
                Alert::NoOffer => shared.note_refusal(Refusal::NoOffer, source),
                _ => shared.note_refusal(Refusal::Malformed, source),
            }
            alert
        }
    };
    // It may be gone already.
    let _ = door.send(alert.message().to_vec()).await;
    None
}

async fn try_admit(
    door: &mut Door<'_>,
    shared: &Arc<Shared>,
    source: IpAddr,
) -> Result<Admitted, Ended> {
    let first = door.receive().await?;
    match Mode::of(&first)? {
        Mode::Connect => connect(door, shared, source, &first).await,
        Mode::Pair => pair(door, shared, source, &first).await,
    }
}

async fn connect(
    door: &mut Door<'_>,
    shared: &Arc<Shared>,
    source: IpAddr,
    m1: &[u8],
) -> Result<Admitted, Ended> {
    let (state, m2) = handshake::read_m1(&shared.identity, m1, DaemonEphemeral::generate())?;
    door.send(m2).await?;
    let m3 = door.receive().await?;
    let claim = state.read_m3(&m3)?;

    let key = claim.device_key();
    let now = shared.unix();
    let found = shared.store(move |devices| entry::look_up(devices, &key, now)).await;
    let found = found.map_err(|error| store_failed(shared, &error))?;
    let accepted = match claim.verify(found.as_ref().map(|(_, psk)| psk)) {
        Ok(accepted) => accepted,
        Err(refusal) => {
            shared.note_refusal(Refusal::NotPaired, source);
            shared.emit(Event::NotPaired { source });
            door.send(refusal).await?;
            return Err(Ended::Refused);
        }
    };
    let Some((device, _)) = found else { return Err(Ended::Refused) };

    let presence = enter(shared, &device).await?;
    let Some(presence) = presence else {
        shared.note_refusal(Refusal::NotPaired, source);
        door.send(accepted.refuse()).await?;
        return Err(Ended::Refused);
    };
    let (channel, m4) = accepted.accept(shared.now(), &welcome_record(shared, &device))?;
    door.send(m4).await?;
    Ok(Admitted { device, channel, presence })
}

/// Registers the connection, and only then looks once more whether the device is still in the
/// list: a revocation either sees the connection or is seen here. `None`: it is not.
async fn enter(shared: &Arc<Shared>, device: &Device) -> Result<Option<Presence>, Ended> {
    let presence = shared.registry.enter(&device.id);
    let presence = presence.ok_or(Ended::Alert(Alert::TooManyAttempts))?;
    let id = device.id;
    let still = shared.store(move |devices| entry::still_listed(devices, id)).await;
    let still = still.map_err(|error| store_failed(shared, &error))?;
    Ok(still.then_some(presence))
}

fn store_failed(shared: &Shared, error: &crate::devices::DevicesError) -> Ended {
    shared.emit(Event::StoreFailed { reason: error.to_string() });
    Ended::Gone
}

fn welcome_record(shared: &Shared, device: &Device) -> Vec<u8> {
    FromDaemon::Event(welcome(shared, device)).write()
}

/// The first event of every connection.
pub(crate) fn welcome(shared: &Shared, device: &Device) -> message::Event {
    let entry = DeviceEntry { connected: true, this: true, ..device.entry() };
    let welcome = Welcome {
        protocol: message::VERSION,
        daemon: shared.config.name.to_string(),
        device: entry,
    };
    message::Event::Welcome(welcome)
}

async fn pair(
    door: &mut Door<'_>,
    shared: &Arc<Shared>,
    source: IpAddr,
    p1: &[u8],
) -> Result<Admitted, Ended> {
    let sid = pairing::session_identifier(p1)?;
    let begun = shared.offers().begin(shared.now(), source, sid);
    let (offer, code) = begun.map_err(Ended::Alert)?;
    let proved = prove(door, shared, p1, code).await.map_err(|ended| {
        shared.note_refusal(Refusal::WrongCode, source);
        shared.emit(Event::WrongCode { source });
        match ended {
            Ended::Bad(error) => Ended::Unproved(error),
            other => other,
        }
    })?;

    let refuse = |proved: Proved, why: PairRefusal| {
        match why {
            PairRefusal::AlreadyUsed => shared.emit(Event::StaleCode { source, used: true }),
            PairRefusal::Expired => shared.emit(Event::StaleCode { source, used: false }),
            PairRefusal::Declined => {}
        }
        shared.note_refusal(
            match why {
                PairRefusal::AlreadyUsed => Refusal::Used,
                PairRefusal::Expired => Refusal::Expired,
                PairRefusal::Declined => Refusal::Declined,
            },
            source,
        );
        proved.refuse(why)
    };
    let device = match settle(door, shared, source, offer, &proved).await {
        Ok(device) => device,
        Err(Settled::Refused(why)) => {
            door.send(refuse(proved, why)).await?;
            return Err(Ended::Refused);
        }
        Err(Settled::Failed) => return Err(Ended::Gone),
    };
    // Revoked in this very moment: Connect will tell it.
    let presence = enter(shared, &device).await?.ok_or(Ended::Gone)?;
    let (channel, p4) = proved.accept(shared.now(), &welcome_record(shared, &device))?;
    door.send(p4).await?;
    Ok(Admitted { device, channel, presence })
}

/// P1 to P3: the device proves the code.
async fn prove(
    door: &mut Door<'_>,
    shared: &Shared,
    p1: &[u8],
    code: codeout_protocol::code::Code,
) -> Result<Proved, Ended> {
    let (state, p2) = pairing::read_p1(&code, &shared.identity, p1, DaemonPairing::generate())?;
    drop(code);
    door.send(p2).await?;
    let p3 = door.receive().await?;
    Ok(state.read_p3(&p3)?)
}

/// Why a device that proved the code is not in the list.
enum Settled {
    Refused(PairRefusal),
    /// It could not be written down; the offer is open again.
    Failed,
}

/// Takes the offer, asks where that is wished, and writes the device down: when this returns
/// `Ok`, the offer is spent and the device is on disk. Whoever comes second is refused.
///
/// Only a daemon that stops drops this half-way; the offer is gone with it.
async fn settle(
    door: &mut Door<'_>,
    shared: &Arc<Shared>,
    source: IpAddr,
    offer: OfferNumber,
    proved: &Proved,
) -> Result<Device, Settled> {
    // Before the claim: from there to the list nothing waits but for a person.
    shared.write_trail().await;
    let limits = shared.offers().claim(shared.now(), offer).map_err(Settled::Refused)?;
    if shared.config.confirm {
        door.place.stay();
        tokio::select! {
            answer = confirm(shared, source, offer, proved) => answer.map_err(Settled::Refused)?,
            // Nobody waits for the answer: the same device may come again with the same code.
            () = door.left() => {
                shared.offers().give_back(offer);
                return Err(Settled::Failed);
            }
        }
    }
    let now = shared.unix();
    let (key, psk) = (proved.device_key(), proved.psk().clone());
    let name = proved.proposed_name().cloned();
    let store = Arc::clone(shared);
    let written = shared.store(move |devices| {
        let written = entry::write_down(devices, source, &key, &psk, name.as_ref(), limits, now);
        entry::end_claim(&mut store.offers(), offer, &written);
        written
    });
    let reason = match written.await {
        Ok(Some(device)) => {
            shared.emit(Event::Paired { device: device.clone(), offer, source });
            return Ok(device);
        }
        Ok(None) => format!("the device list holds {MAX_DEVICES} devices already"),
        Err(error) => error.to_string(),
    };
    shared.note_refusal(Refusal::NotStored, source);
    shared.emit(Event::StoreFailed { reason });
    Err(Settled::Failed)
}

/// Asks the daemon's user, for as long as the offer stands.
async fn confirm(
    shared: &Shared,
    source: IpAddr,
    offer: OfferNumber,
    proved: &Proved,
) -> Result<(), PairRefusal> {
    let now = shared.now();
    let patience = shared.offers().view(now).map_or(Duration::ZERO, |view| view.expires_in);
    let name = proved.proposed_name().cloned();
    let question = |request| Event::ConfirmationNeeded { request, name, source };
    let admitted = shared.ask(question, patience).await;
    let answer = entry::answer(&mut shared.offers(), shared.now(), offer, admitted);
    if answer == Err(PairRefusal::Declined) {
        shared.emit(Event::Declined { offer });
    }
    answer
}
