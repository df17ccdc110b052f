//! The bytes of a connection, by either way to a daemon: sealed records in a WebSocket, or
//! frames through the control socket of a daemon on the same computer.

use std::time::Duration;

use codeout_protocol::channel::{Opened, Opener, Sealer};
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

use crate::error::Closed;
use crate::local::{FrameReader, FrameWriter};
use crate::transport::{Incoming, NoMessage, Outgoing};

/// How long the daemon may take to close the WebSocket behind its last record.
const PARTING_TIME: Duration = Duration::from_secs(1);

/// The sending side.
pub(crate) enum Wire {
    /// A WebSocket.
    Remote {
        outgoing: Outgoing,
        /// `None` behind the last record.
        sealer: Option<Sealer>,
    },
    /// A control socket.
    Local(FrameWriter),
}

/// A record could not be sent.
#[derive(Debug)]
pub(crate) struct Failed;

impl From<WsError> for Failed {
    fn from(error: WsError) -> Self {
        tracing::debug!(%error, "sending failed");
        Failed
    }
}

impl From<std::io::Error> for Failed {
    fn from(error: std::io::Error) -> Self {
        tracing::debug!(%error, "sending failed");
        Failed
    }
}

impl Wire {
    /// Waits until a record can be put into the buffer at once: one that was sealed and then
    /// dropped, because its sender was cancelled, would leave a gap that ends the connection.
    pub(crate) async fn ready(&mut self) -> Result<(), Failed> {
        match self {
            Wire::Remote { outgoing, .. } => {
                Ok(std::future::poll_fn(|context| outgoing.poll_ready_unpin(context)).await?)
            }
            Wire::Local(writer) => Ok(writer.flush().await?),
        }
    }

    /// Puts a record into the buffer, behind [`ready`](Self::ready). `now` is the connection's
    /// age.
    pub(crate) fn put(&mut self, now: Duration, plaintext: &[u8]) -> Result<(), Failed> {
        match self {
            Wire::Remote { outgoing, sealer } => {
                let sealer = sealer.as_mut().ok_or(Failed)?;
                let record = sealer.seal(now, plaintext).map_err(|_| Failed)?;
                Ok(outgoing.start_send_unpin(Message::Binary(record.into()))?)
            }
            Wire::Local(writer) => writer.put(plaintext).then_some(()).ok_or(Failed),
        }
    }

    /// Puts the last record of this direction, an empty one, into the buffer.
    pub(crate) fn put_last(&mut self) -> Result<(), Failed> {
        match self {
            Wire::Remote { outgoing, sealer } => {
                let record = sealer.take().ok_or(Failed)?.finish(&[]).map_err(|_| Failed)?;
                Ok(outgoing.start_send_unpin(Message::Binary(record.into()))?)
            }
            Wire::Local(writer) => writer.put_last().then_some(()).ok_or(Failed),
        }
    }

    /// Sends what is in the buffer.
    pub(crate) async fn flush(&mut self) -> Result<(), Failed> {
        match self {
            Wire::Remote { outgoing, .. } => Ok(outgoing.flush().await?),
            Wire::Local(writer) => Ok(writer.flush().await?),
        }
    }

    /// Makes the daemon say something.
    pub(crate) async fn ping(&mut self) {
        if let Wire::Remote { outgoing, .. } = self {
            // What goes wrong here, the reader hears of, or silence tells.
            let _ = outgoing.send(Message::Ping(Default::default())).await;
        }
    }

    pub(crate) fn is_local(&self) -> bool {
        matches!(self, Wire::Local(_))
    }
}

/// The receiving side.
pub(crate) enum Source {
    /// A WebSocket.
    Remote { incoming: Incoming, opener: Box<Opener> },
    /// A control socket.
    Local(FrameReader),
}

/// What came.
pub(crate) enum Came {
    /// A record's plaintext.
    Message(Vec<u8>),
    /// The last record's plaintext.
    Last(Vec<u8>),
    /// A sign of life.
    Nothing,
}

impl Source {
    /// What comes next. It must not be cancelled before the connection's end.
    pub(crate) async fn next(&mut self) -> Result<Came, Closed> {
        let (incoming, opener) = match self {
            Source::Local(reader) => return reader.next().await.map(Came::Message),
            Source::Remote { incoming, opener } => (incoming, opener),
        };
        let record = match incoming.next().await {
            Some(Ok(Message::Binary(record))) => record,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => return Ok(Came::Nothing),
            Some(Ok(Message::Text(_) | Message::Frame(_))) => return Err(Closed::Protocol),
            Some(Ok(Message::Close(_))) | None => return Err(Closed::Cut),
            Some(Err(error)) => return Err(broken(error)),
        };
        match opener.open(&record) {
            Ok(Opened::Message(plaintext)) => Ok(Came::Message(plaintext)),
            Ok(Opened::Final(plaintext)) => Ok(Came::Last(plaintext)),
            Err(_) => Err(Closed::Protocol),
        }
    }

    /// Lets the daemon see that its last word was taken, instead of a reset.
    pub(crate) async fn part(&mut self) {
        if let Source::Remote { incoming, .. } = self {
            let rest = async { while let Some(Ok(_)) = incoming.next().await {} };
            let _ = tokio::time::timeout(PARTING_TIME, rest).await;
        }
    }

    /// Whether an ordinary record may be the daemon's last.
    pub(crate) fn is_local(&self) -> bool {
        matches!(self, Source::Local(_))
    }
}

fn broken(error: WsError) -> Closed {
    match NoMessage::from(error) {
        NoMessage::Invalid => Closed::Protocol,
        NoMessage::Cut | NoMessage::TimedOut => Closed::Cut,
    }
}
