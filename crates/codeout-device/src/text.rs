//! Whatever text comes from a daemon is made safe to show before anyone sees it.

use codeout_protocol::message::{
    Answer, DeviceEntry, Event, MAX_TEXT, OfferEntry, Outcome, RequestError, Welcome,
};
use codeout_protocol::name::{Name, clean_text};

/// The most bytes of an identifier, a code or a name.
const SHORT: usize = Name::MAX_BYTES;

fn clean_name(name: &str) -> String {
    Name::clean(name).map(|name| name.to_string()).unwrap_or_default()
}

fn clean_id(id: &str) -> String {
    clean_text(id, SHORT)
}

fn clean_entry(entry: DeviceEntry) -> DeviceEntry {
    DeviceEntry { id: clean_id(&entry.id), name: clean_name(&entry.name), ..entry }
}

pub(crate) fn clean_welcome(welcome: Welcome) -> Welcome {
    Welcome {
        protocol: welcome.protocol,
        daemon: clean_name(&welcome.daemon),
        device: clean_entry(welcome.device),
    }
}

pub(crate) fn clean_event(event: Event) -> Event {
    match event {
        Event::Welcome(welcome) => Event::Welcome(clean_welcome(welcome)),
        Event::DevicePaired { device } => Event::DevicePaired { device: clean_entry(device) },
        Event::DeviceRevoked { id, name } => {
            Event::DeviceRevoked { id: clean_id(&id), name: clean_name(&name) }
        }
        Event::DeviceRenamed { id, name } => {
            Event::DeviceRenamed { id: clean_id(&id), name: clean_name(&name) }
        }
        // These have no text.
        other => other,
    }
}

pub(crate) fn clean_error(error: RequestError) -> RequestError {
    RequestError::new(error.code, error.message)
}

pub(crate) fn clean_outcome(outcome: Outcome) -> Result<Answer, RequestError> {
    match outcome {
        Outcome::Ok(answer) => Ok(clean_answer(answer)),
        Outcome::Error(error) => Err(clean_error(error)),
    }
}

fn clean_answer(answer: Answer) -> Answer {
    match answer {
        Answer::Devices { devices } => {
            Answer::Devices { devices: devices.into_iter().map(clean_entry).collect() }
        }
        Answer::Offer(offer) => Answer::Offer(OfferEntry {
            code: clean_text(&offer.code, SHORT),
            links: offer.links.iter().map(|link| clean_text(link, MAX_TEXT)).collect(),
            expires_in: offer.expires_in,
        }),
        Answer::Renamed { name } => Answer::Renamed { name: clean_name(&name) },
        // These have no text.
        other => other,
    }
}
