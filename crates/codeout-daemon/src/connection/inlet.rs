//! What comes by one connection: records, opened.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use bytes::Bytes;
use codeout_protocol::channel::{Opened, Opener};
use codeout_protocol::message::ClosingReason;
use futures_util::StreamExt;
use futures_util::stream::SplitStream;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::Over;
use crate::local_link::FrameReader;

/// A message that has not come whole when reading it has taken so long is a part so far.
const PART: Duration = Duration::from_millis(1);

/// Where records come from.
pub(super) enum Inlet {
    Remote(Remote),
    Local(FrameReader),
}

/// Records over a network.
pub(super) struct Remote {
    pub(super) stream: SplitStream<WebSocket>,
    opener: Box<Opener>,
    /// What reading has taken since it was asked last. A message may come in as many fragments as
    /// the device likes, empty ones too, and all of them are read in one go.
    spent: Duration,
}

/// What came.
pub(super) enum Came {
    Plaintext(Zeroizing<Vec<u8>>),
    Goodbye,
    /// The device wants to hear something.
    Ping(Bytes),
    /// A sign of life.
    Nothing,
    /// Not all of a message yet.
    Part,
}

impl Came {
    /// How much it is, in bytes.
    pub(super) fn length(&self) -> usize {
        match self {
            Came::Plaintext(plaintext) => plaintext.len(),
            Came::Ping(asked) => asked.len(),
            Came::Goodbye | Came::Nothing | Came::Part => 0,
        }
    }
}

impl Inlet {
    pub(super) fn remote(stream: SplitStream<WebSocket>, opener: Opener) -> Self {
        Inlet::Remote(Remote { stream, opener: Box::new(opener), spent: Duration::ZERO })
    }

    /// How much time reading has taken since this was asked last.
    pub(super) fn take_spent(&mut self) -> Duration {
        match self {
            Inlet::Remote(remote) => std::mem::take(&mut remote.spent),
            Inlet::Local(_) => Duration::ZERO,
        }
    }

    /// What comes next. Cancelled, nothing is lost.
    pub(super) async fn next(&mut self) -> Result<Came, Over> {
        match self {
            Inlet::Local(reader) => {
                let plaintext = reader.next().await?;
                Ok(if plaintext.is_empty() { Came::Goodbye } else { Came::Plaintext(plaintext) })
            }
            Inlet::Remote(remote) => remote.next().await,
        }
    }
}

impl Remote {
    async fn next(&mut self) -> Result<Came, Over> {
        let message = poll_fn(|context| {
            let begun = Instant::now();
            let polled = self.stream.poll_next_unpin(context);
            self.spent += begun.elapsed();
            match polled {
                Poll::Ready(message) => Poll::Ready(Some(message)),
                Poll::Pending if self.spent >= PART => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        });
        let Some(message) = message.await else { return Ok(Came::Part) };
        let record = match message {
            Some(Ok(Message::Binary(record))) => record,
            Some(Ok(Message::Ping(asked))) => return Ok(Came::Ping(asked)),
            Some(Ok(Message::Pong(_))) => return Ok(Came::Nothing),
            Some(Ok(Message::Text(_))) => return Err(Over(Some(ClosingReason::Protocol))),
            Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(Over(None)),
        };
        // A record that does not open ends the connection at once and silently.
        match self.opener.open(&record).map_err(|_| Over(None))? {
            Opened::Final(_) => Ok(Came::Goodbye),
            Opened::Message(plaintext) => Ok(Came::Plaintext(Zeroizing::new(plaintext))),
        }
    }
}
