//! The bytes of messages: one kind byte and a body, JSON or binary.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Misbehaviour};
use crate::message::{
    Chunk, ErrorCode, FromDaemon, FromDevice, MAX_CHUNK, NumberedRequest, Progress, RequestError,
};

mod kind {
    pub(super) const REQUEST: u8 = 0x01;
    pub(super) const REPLY: u8 = 0x02;
    pub(super) const EVENT: u8 = 0x03;
    pub(super) const OUTPUT: u8 = 0x10;
    pub(super) const OUTPUT_READ: u8 = 0x11;
    pub(super) const INPUT: u8 = 0x12;
    pub(super) const INPUT_WRITTEN: u8 = 0x13;
    pub(super) const SNAPSHOT: u8 = 0x14;
}

/// The requests that this version knows: one that it cannot read is a bad one.
const REQUESTS: [&str; 15] = [
    "ping",
    "sessions",
    "open",
    "open_again",
    "attach",
    "detach",
    "resize",
    "end",
    "rename_session",
    "dismiss",
    "programs",
    "devices",
    "revoke",
    "rename",
    "offer",
];

/// The events that this version knows; others are dropped.
const EVENTS: [&str; 12] = [
    "welcome",
    "session_opened",
    "session_changed",
    "session_attention",
    "session_ended",
    "session_dismissed",
    "snapshot",
    "snapshot_end",
    "device_paired",
    "device_revoked",
    "device_renamed",
    "closing",
];

impl<'a> FromDevice<'a> {
    /// Reads a record's plaintext.
    ///
    /// # Errors
    /// [`Misbehaviour::Message`]: the daemon ends the connection with
    /// `closing` and its reason `protocol`.
    pub fn read(plaintext: &'a [u8]) -> Result<Self, Error> {
        let (&kind, body) = plaintext.split_first().ok_or(Misbehaviour::Message)?;
        match kind {
            kind::REQUEST => read_request(body),
            kind::INPUT => Ok(FromDevice::Input(read_chunk(body)?)),
            kind::OUTPUT_READ => Ok(FromDevice::OutputRead(read_progress(body)?)),
            _ => Err(Misbehaviour::Message.into()),
        }
    }

    /// Writes the plaintext of a record.
    ///
    /// # Panics
    /// For [`FromDevice::Unreadable`], which nobody sends.
    pub fn write(&self) -> Vec<u8> {
        match self {
            FromDevice::Request(request) => write_json(kind::REQUEST, request),
            FromDevice::Input(chunk) => write_chunk(kind::INPUT, *chunk),
            FromDevice::OutputRead(progress) => write_progress(kind::OUTPUT_READ, *progress),
            FromDevice::Unreadable { .. } => unreachable!("only ever read"),
        }
    }
}

fn read_request(body: &[u8]) -> Result<FromDevice<'_>, Error> {
    #[derive(Deserialize)]
    struct Head {
        id: u32,
        request: String,
    }
    let Head { id, request: name } = read_json(body)?;
    match read_json(body) {
        Ok(request) => Ok(FromDevice::Request(NumberedRequest { id, request })),
        Err(_) => Ok(FromDevice::Unreadable { id, error: unreadable(&name) }),
    }
}

/// Why a request with a number and a name is none that this daemon can act on.
fn unreadable(name: &str) -> RequestError {
    if REQUESTS.contains(&name) {
        let text = format!("a member of {name:?} is missing, of the wrong type or out of range");
        RequestError::new(ErrorCode::BadRequest, text)
    } else {
        RequestError::new(ErrorCode::UnknownRequest, "this daemon does not know that request")
    }
}

impl<'a> FromDaemon<'a> {
    /// Reads a record's plaintext.
    ///
    /// # Errors
    /// [`Misbehaviour::Message`]: the device ends the connection.
    pub fn read(plaintext: &'a [u8]) -> Result<Self, Error> {
        let (&kind, body) = plaintext.split_first().ok_or(Misbehaviour::Message)?;
        match kind {
            kind::REPLY => read_json(body).map(FromDaemon::Reply),
            kind::EVENT => read_event(body),
            kind::OUTPUT => Ok(FromDaemon::Output(read_chunk(body)?)),
            kind::SNAPSHOT => Ok(FromDaemon::Snapshot(read_chunk(body)?)),
            kind::INPUT_WRITTEN => Ok(FromDaemon::InputWritten(read_progress(body)?)),
            _ => Err(Misbehaviour::Message.into()),
        }
    }

    /// Writes the plaintext of a record.
    ///
    /// # Panics
    /// For [`FromDaemon::UnknownEvent`], which nobody sends.
    pub fn write(&self) -> Vec<u8> {
        match self {
            FromDaemon::Reply(reply) => write_json(kind::REPLY, reply),
            FromDaemon::Event(event) => write_json(kind::EVENT, event),
            FromDaemon::Output(chunk) => write_chunk(kind::OUTPUT, *chunk),
            FromDaemon::Snapshot(chunk) => write_chunk(kind::SNAPSHOT, *chunk),
            FromDaemon::InputWritten(progress) => write_progress(kind::INPUT_WRITTEN, *progress),
            FromDaemon::UnknownEvent => unreachable!("only ever read"),
        }
    }
}

fn read_event(body: &[u8]) -> Result<FromDaemon<'_>, Error> {
    #[derive(Deserialize)]
    struct Head {
        event: String,
    }
    let Head { event: name } = read_json(body)?;
    if EVENTS.contains(&name.as_str()) {
        read_json(body).map(FromDaemon::Event)
    } else {
        Ok(FromDaemon::UnknownEvent)
    }
}

/// Reads a JSON object; serde would take an array for a struct too.
fn read_json<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Error> {
    let is_object = body.trim_ascii_start().starts_with(b"{");
    is_object
        .then(|| serde_json::from_slice(body).ok())
        .flatten()
        .ok_or_else(|| Misbehaviour::Message.into())
}

fn write_json(kind: u8, body: &impl Serialize) -> Vec<u8> {
    let mut plaintext = vec![kind];
    serde_json::to_writer(&mut plaintext, body).expect("messages have string keys only");
    plaintext
}

const CHUNK_HEAD: usize = 12;

fn read_chunk(body: &[u8]) -> Result<Chunk<'_>, Error> {
    let (head, bytes) = body.split_at_checked(CHUNK_HEAD).ok_or(Misbehaviour::Message)?;
    if bytes.is_empty() || bytes.len() > MAX_CHUNK {
        return Err(Misbehaviour::Message.into());
    }
    let Progress { session, offset } = read_progress(head)?;
    // An offset that the chunk would carry past the end of u64 is nobody's.
    offset.checked_add(bytes.len() as u64).ok_or(Misbehaviour::Message)?;
    Ok(Chunk { session, offset, bytes })
}

fn read_progress(body: &[u8]) -> Result<Progress, Error> {
    let (session, offset) = body.split_first_chunk::<4>().ok_or(Misbehaviour::Message)?;
    let offset: [u8; 8] = offset.try_into().map_err(|_| Misbehaviour::Message)?;
    Ok(Progress { session: u32::from_be_bytes(*session), offset: u64::from_be_bytes(offset) })
}

fn write_chunk(kind: u8, chunk: Chunk<'_>) -> Vec<u8> {
    let mut plaintext = Vec::with_capacity(1 + CHUNK_HEAD + chunk.bytes.len());
    plaintext.push(kind);
    plaintext.extend_from_slice(&chunk.session.to_be_bytes());
    plaintext.extend_from_slice(&chunk.offset.to_be_bytes());
    plaintext.extend_from_slice(chunk.bytes);
    plaintext
}

fn write_progress(kind: u8, progress: Progress) -> Vec<u8> {
    let Progress { session, offset } = progress;
    write_chunk(kind, Chunk { session, offset, bytes: &[] })
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
