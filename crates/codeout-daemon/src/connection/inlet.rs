//! What comes by one connection: records, opened.

use axum::extract::ws::{Message, WebSocket};
use bytes::Bytes;
use codeout_protocol::channel::{Opened, Opener};
use codeout_protocol::message::ClosingReason;
use futures_util::StreamExt;
use futures_util::stream::SplitStream;
use zeroize::Zeroizing;

use super::Over;
use crate::local_link::FrameReader;

/// Where records come from.
pub(super) enum Inlet {
    Remote { stream: SplitStream<WebSocket>, opener: Box<Opener> },
    Local(FrameReader),
}

/// What came.
pub(super) enum Came {
    Plaintext(Zeroizing<Vec<u8>>),
    Goodbye,
    /// The device wants to hear something.
    Ping(Bytes),
    /// A sign of life.
    Nothing,
}

impl Came {
    /// How much it is, in bytes.
    pub(super) fn length(&self) -> usize {
        match self {
            Came::Plaintext(plaintext) => plaintext.len(),
            Came::Ping(asked) => asked.len(),
            Came::Goodbye | Came::Nothing => 0,
        }
    }
}

impl Inlet {
    /// What comes next. Cancelled, nothing is lost.
    pub(super) async fn next(&mut self) -> Result<Came, Over> {
        let (stream, opener) = match self {
            Inlet::Local(reader) => {
                let plaintext = reader.next().await?;
                let goodbye = plaintext.is_empty();
                return Ok(if goodbye { Came::Goodbye } else { Came::Plaintext(plaintext) });
            }
            Inlet::Remote { stream, opener } => (stream, opener),
        };
        let record = match stream.next().await {
            Some(Ok(Message::Binary(record))) => record,
            Some(Ok(Message::Ping(asked))) => return Ok(Came::Ping(asked)),
            Some(Ok(Message::Pong(_))) => return Ok(Came::Nothing),
            Some(Ok(Message::Text(_))) => return Err(Over(Some(ClosingReason::Protocol))),
            Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(Over(None)),
        };
        // A record that does not open ends the connection at once and silently.
        match opener.open(&record).map_err(|_| Over(None))? {
            Opened::Final(_) => Ok(Came::Goodbye),
            Opened::Message(plaintext) => Ok(Came::Plaintext(Zeroizing::new(plaintext))),
        }
    }
}
