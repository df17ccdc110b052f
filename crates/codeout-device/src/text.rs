//! Whatever text comes from a daemon is made safe to show before anyone sees it.

use codeout_protocol::message::{
    Answer, Attached, Attention, DeviceEntry, Event, MAX_TEXT, MAX_WATCHERS, OfferEntry, Outcome,
    ProgramEntry, RequestError, SessionEntry, Welcome,
};
use codeout_protocol::name::{Name, clean_text};

/// The most bytes of an identifier, a code or a name.
const SHORT: usize = Name::MAX_BYTES;
/// The most bytes of a line that a program shows or says.
const LINE: usize = 256;
/// The most bytes of a notification's text.
const MAX_NOTIFICATION: usize = 1024;
/// The most bytes of a directory.
const PATH: usize = 1024;

fn clean_name(name: &str) -> String {
    Name::clean(name).map(|name| name.to_string()).unwrap_or_default()
}

fn clean_id(id: &str) -> String {
    clean_text(id, SHORT)
}

/// A line, if there is anything left of it.
fn clean_line(line: Option<String>) -> Option<String> {
    line.map(|line| clean_text(&line, LINE)).filter(|line| !line.trim().is_empty())
}

fn clean_names(names: Vec<String>, most: usize) -> Vec<String> {
    let names = names.iter().take(most).map(|name| clean_name(name));
    names.filter(|name| !name.is_empty()).collect()
}

fn clean_entry(entry: DeviceEntry) -> DeviceEntry {
    DeviceEntry { id: clean_id(&entry.id), name: clean_name(&entry.name), ..entry }
}

fn clean_session(entry: SessionEntry) -> SessionEntry {
    SessionEntry {
        name: clean_name(&entry.name),
        program: clean_text(&entry.program, MAX_TEXT),
        directory: clean_text(&entry.directory, PATH),
        size_by: entry.size_by.map(|name| clean_name(&name)),
        title: clean_line(entry.title),
        last_line: clean_line(entry.last_line),
        watchers: clean_names(entry.watchers, MAX_WATCHERS),
        attention: entry.attention.map(clean_attention),
        ..entry
    }
}

fn clean_attention(attention: Attention) -> Attention {
    let text = attention.text.map(|text| clean_text(&text, MAX_NOTIFICATION));
    Attention { title: clean_line(attention.title), text, ..attention }
}

fn clean_program(program: ProgramEntry) -> ProgramEntry {
    ProgramEntry {
        name: clean_name(&program.name),
        command: clean_text(&program.command, MAX_TEXT),
    }
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
        Event::SessionOpened { session } => {
            Event::SessionOpened { session: clean_session(session) }
        }
        Event::SessionChanged { session } => {
            Event::SessionChanged { session: clean_session(session) }
        }
        Event::SessionAttention { session, name, attention } => Event::SessionAttention {
            session,
            name: clean_name(&name),
            attention: clean_attention(attention),
        },
        Event::Snapshot { session, size, size_by, history } => Event::Snapshot {
            session,
            size,
            size_by: size_by.map(|name| clean_name(&name)),
            history,
        },
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

fn clean_error(error: RequestError) -> RequestError {
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
        Answer::Sessions { sessions, more } => {
            Answer::Sessions { sessions: sessions.into_iter().map(clean_session).collect(), more }
        }
        Answer::Opened { opened } => Answer::Opened { opened: clean_session(opened) },
        Answer::Attached(attached) => Answer::Attached(Box::new(Attached {
            attached: clean_session(attached.attached),
            ..*attached
        })),
        Answer::Programs { programs } => {
            Answer::Programs { programs: programs.into_iter().map(clean_program).collect() }
        }
        Answer::Renamed { name } => Answer::Renamed { name: clean_name(&name) },
        // These have no text.
        other => other,
    }
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
