//! What a paired device may ask of the daemon as a whole, and what it is told unasked.

use std::sync::Arc;
use std::time::Duration;

use codeout_protocol::message::{self, Answer, ErrorCode, OfferEntry, Open, Request, RequestError};
use codeout_protocol::name::{Name, NameError, clean_text};

use crate::crier;
use crate::devices::{Device, DeviceId};
use crate::event::Event;
use crate::offer::{LIFETIME, OfferLimits, OfferNumber};
use crate::session::Session;
use crate::sessions;
use crate::state::Shared;
use crate::trail::{Happening, MAX_TEXT, Who};

/// The longest time that a device can be let in for: ten years.
const MAX_FOR_SECONDS: u64 = 315_360_000;

/// Answers a request that concerns no attachment of the connection.
pub(crate) async fn answer(
    shared: &Arc<Shared>,
    device: &Device,
    request: Request,
) -> Result<Answer, RequestError> {
    match request {
        Request::Ping => Ok(Answer::Done {}),
        Request::Devices => {
            let devices = shared.entries(Some(&device.id)).await.map_err(|e| failed(&e))?;
            Ok(Answer::Devices { devices })
        }
        Request::Revoke { device: id } => {
            may_manage(device)?;
            let id = id.parse::<DeviceId>().map_err(|_| no_device())?;
            let revoked = shared.revoke(id, device.into()).await.map_err(|e| failed(&e))?;
            revoked.map(|_| Answer::Done {}).ok_or_else(no_device)
        }
        Request::Rename { device: id, name } => {
            may_manage(device)?;
            let id = id.parse::<DeviceId>().map_err(|_| no_device())?;
            let name = Name::clean(&name)
                .ok_or_else(|| RequestError::new(ErrorCode::BadRequest, NameError.to_string()))?;
            let renamed = shared.rename(id, name, device.into()).await.map_err(|e| failed(&e))?;
            let renamed = renamed.ok_or_else(no_device)?;
            Ok(Answer::Renamed { name: renamed.name.to_string() })
        }
        Request::Offer { watch_only, for_seconds } => {
            may_manage(device)?;
            if for_seconds.is_some_and(|seconds| !(1..=MAX_FOR_SECONDS).contains(&seconds)) {
                let text = format!("for_seconds is 1 to {MAX_FOR_SECONDS}");
                return Err(RequestError::new(ErrorCode::BadRequest, text));
            }
            let limits = OfferLimits { watch_only, for_seconds };
            Ok(Answer::Offer(offer(shared, limits, device.into()).1))
        }
        Request::Sessions { after } => {
            let (sessions, more) = shared.sessions.list(after);
            Ok(Answer::Sessions { sessions, more })
        }
        other => {
            may_type(device)?;
            act_on_session(shared, device, other).await
        }
    }
}

/// What only a device may ask that does more than watch.
async fn act_on_session(
    shared: &Arc<Shared>,
    device: &Device,
    request: Request,
) -> Result<Answer, RequestError> {
    match request {
        Request::Open(wanted) => open(shared, device, wanted).await,
        Request::OpenAgain { session, size } => {
            let wanted = shared.sessions.like(session, size)?;
            open(shared, device, wanted).await
        }
        Request::Resize { session, size } => {
            let size = sessions::checked(size)?;
            let session = running(shared, session)?;
            let resized = shared.sessions.resize(&session, size, device.name.as_str()).await;
            resized.map_err(|error| failed(&error))?;
            Ok(Answer::Done {})
        }
        Request::End { session } => {
            let session = running(shared, session)?;
            let (number, name) = (session.id(), session.name().to_string());
            let by = Who::from(device);
            shared.note(Happening::SessionEndAsked { session: number, name, by });
            // Whether they heed it or not shows in time.
            tokio::spawn(async move { session.end().await });
            Ok(Answer::Done {})
        }
        Request::RenameSession { session, name } => {
            let before = shared.sessions.find(session)?.name().to_string();
            let name = shared.sessions.rename(session, &name).await?;
            let (now, by) = (name.to_string(), Who::from(device));
            shared.note(Happening::SessionRenamed { session, name: now, before, by });
            Ok(Answer::Renamed { name: name.to_string() })
        }
        Request::Dismiss { session } => {
            shared.sessions.dismiss(session)?;
            Ok(Answer::Done {})
        }
        Request::Programs => Ok(Answer::Programs { programs: shared.sessions.programs().await }),
        _ => Err(RequestError::new(ErrorCode::UnknownRequest, "not known here")),
    }
}

/// Opens a session, and tells of it. Once begun it runs to its end, whatever becomes of the
/// connection: a program that was started is one that somebody waits for.
async fn open(shared: &Arc<Shared>, by: &Device, wanted: Open) -> Result<Answer, RequestError> {
    let (shared, by) = (Arc::clone(shared), by.clone());
    let program = clean_text(wanted.program.as_deref().unwrap_or("shell"), MAX_TEXT);
    let opening = tokio::spawn(async move {
        let may = async || still_in(&shared, &by).await;
        let session = shared.sessions.open(wanted, by.name.as_str(), may).await?;
        note_opened(&shared, &session, program, &by);
        crier::opened(&shared, &session, by.name.as_str());
        Ok(Answer::Opened { opened: session.entry() })
    });
    match opening.await {
        Ok(answer) => answer,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

/// Refuses a device that is no longer in the list, or whose time is over: to find a program can take
/// long.
async fn still_in(shared: &Arc<Shared>, device: &Device) -> Result<(), RequestError> {
    let (id, now) = (device.id, shared.unix());
    if id == DeviceId::LOCAL {
        return Ok(());
    }
    match shared.store(move |devices| devices.get(id)).await {
        Ok(Some(device)) if !device.limits.expired(now) => Ok(()),
        Ok(_) => {
            Err(RequestError::new(ErrorCode::NotAllowed, "this device is not paired any more"))
        }
        Err(error) => Err(failed(&error)),
    }
}

/// Notes an open session for the audit trail.
fn note_opened(shared: &Shared, session: &Session, program: String, by: &Device) {
    let entry = session.entry();
    shared.note(Happening::SessionOpened {
        session: entry.session,
        name: entry.name,
        program,
        directory: clean_text(&entry.directory, MAX_TEXT),
        by: by.into(),
    });
}

/// A session whose program has not ended.
fn running(shared: &Shared, id: message::SessionId) -> Result<Arc<Session>, RequestError> {
    let session = shared.sessions.find(id)?;
    match session.ended() {
        None => Ok(session),
        Some(_) => Err(RequestError::new(ErrorCode::Ended, "the session has ended")),
    }
}

/// Opens a fresh offer at `by`'s word, for showing it; its number too.
pub(crate) fn offer(shared: &Shared, limits: OfferLimits, by: Who) -> (OfferNumber, OfferEntry) {
    let view = shared.open_offer(limits, by);
    let entry = OfferEntry {
        code: view.code.printed().to_string(),
        links: shared
            .links(&view.code)
            .iter()
            .map(|offered| offered.link.printed().to_string())
            .collect(),
        expires_in: seconds_up(view.expires_in).min(LIFETIME.as_secs()),
    };
    (view.number, entry)
}

/// Whole seconds, rounded up, so that a countdown starts at 5:00 and ends at 0:00.
pub(crate) fn seconds_up(left: Duration) -> u64 {
    left.as_secs() + u64::from(left.subsec_nanos() > 0)
}

/// What a device is told of an event, if anything.
pub(crate) fn news(event: &Event, device: &Device) -> Option<message::Event> {
    match event {
        Event::Paired { device: other, .. } if other.id != device.id => {
            Some(message::Event::DevicePaired { device: other.entry() })
        }
        Event::Revoked { device: other } if other.id != device.id => {
            let (id, name) = (other.id.to_string(), other.name.to_string());
            Some(message::Event::DeviceRevoked { id, name })
        }
        Event::Renamed { device: other, .. } => {
            let (id, name) = (other.id.to_string(), other.name.to_string());
            Some(message::Event::DeviceRenamed { id, name })
        }
        _ => None,
    }
}

/// Whether the device may do more than watch.
pub(crate) fn may_type(device: &Device) -> Result<(), RequestError> {
    if device.limits.watch_only {
        return Err(RequestError::new(ErrorCode::NotAllowed, "this device may only watch"));
    }
    Ok(())
}

/// Whether the device may add, revoke and rename devices.
fn may_manage(device: &Device) -> Result<(), RequestError> {
    if device.limits.any() {
        let text = "a device that was paired with limits may not add, revoke or rename devices";
        return Err(RequestError::new(ErrorCode::NotAllowed, text));
    }
    Ok(())
}

fn no_device() -> RequestError {
    RequestError::new(ErrorCode::NotFound, "there is no such device")
}

pub(crate) fn failed(error: &dyn std::error::Error) -> RequestError {
    RequestError::new(ErrorCode::Failed, error.to_string())
}
