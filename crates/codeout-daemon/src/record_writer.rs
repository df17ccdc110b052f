//! Records that go to a device over a network: each is one binary message of a WebSocket.

use std::io;
use std::sync::Arc;

use axum::extract::ws::{Message, WebSocket};
use codeout_protocol::channel::{Sealer, record_length};
use futures_util::SinkExt;
use futures_util::stream::SplitSink;

use crate::clock::Clock;
use crate::outflow::Outflow;
use crate::shared_stream::Writing;

/// The first byte of a frame that is a whole message, without its kind…
const WHOLE: u8 = 0x80;
/// …and the kinds.
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;
/// The longest that a control frame carries, in bytes.
const MAX_CONTROL: usize = 125;

/// How what is sent gets to the socket.
pub(crate) enum Way {
    /// Past the library that reads the other direction, with no lock in common.
    Direct(Outflow<Writing>),
    /// Through the library, where something is between the WebSocket and the socket.
    Through(SplitSink<WebSocket, Message>),
}

pub(crate) struct RecordWriter {
    way: Way,
    /// `None` behind the last record.
    sealer: Option<Sealer>,
    clock: Arc<dyn Clock>,
}

impl RecordWriter {
    pub(crate) fn new(way: Way, sealer: Sealer, clock: Arc<dyn Clock>) -> Self {
        RecordWriter { way, sealer: Some(sealer), clock }
    }

    /// Waits until a record can be put.
    pub(crate) async fn ready(&mut self) -> io::Result<()> {
        match &mut self.way {
            Way::Direct(outflow) if outflow.has_room() => Ok(()),
            Way::Direct(outflow) => outflow.flush().await,
            Way::Through(sink) => {
                let ready = std::future::poll_fn(|context| sink.poll_ready_unpin(context));
                ready.await.map_err(io::Error::other)
            }
        }
    }

    /// Takes a record to be flushed, behind [`ready`](Self::ready).
    ///
    /// # Errors
    /// It is too long, or the last one was put.
    pub(crate) fn put(&mut self, plaintext: &[u8]) -> io::Result<()> {
        let sealer = self.sealer.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        let now = self.clock.since_boot();
        match &mut self.way {
            Way::Direct(outflow) => {
                let out = outflow.end();
                let before = out.len();
                put_head(BINARY, record_length(plaintext.len()), out);
                let sealed = sealer.seal_behind(now, plaintext, out);
                sealed.map_err(|error| {
                    out.truncate(before);
                    io::Error::other(error)
                })
            }
            Way::Through(sink) => {
                let record = sealer.seal(now, plaintext).map_err(io::Error::other)?;
                sink.start_send_unpin(Message::Binary(record.into())).map_err(io::Error::other)
            }
        }
    }

    /// As [`put`](Self::put), the last one.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn put_last(&mut self, plaintext: &[u8]) -> io::Result<()> {
        let sealer = self.sealer.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let record = sealer.finish(plaintext).map_err(io::Error::other)?;
        match &mut self.way {
            Way::Direct(outflow) => {
                put_frame(BINARY, &record, outflow.end());
                Ok(())
            }
            Way::Through(sink) => {
                sink.start_send_unpin(Message::Binary(record.into())).map_err(io::Error::other)
            }
        }
    }

    /// Sends a question that the device answers.
    pub(crate) async fn ping(&mut self) -> io::Result<()> {
        self.control(PING, Message::Ping(Default::default())).await
    }

    /// Sends the answer to the device's question, where the library does not.
    pub(crate) async fn pong(&mut self, asked: &[u8]) -> io::Result<()> {
        if let Way::Direct(outflow) = &mut self.way {
            put_frame(PONG, &asked[..asked.len().min(MAX_CONTROL)], outflow.end());
            outflow.flush().await?;
        }
        Ok(())
    }

    /// Closes the WebSocket behind what was put.
    pub(crate) async fn close(&mut self) -> io::Result<()> {
        self.control(CLOSE, Message::Close(None)).await
    }

    /// Sends a control frame with nothing in it, by either way.
    async fn control(&mut self, kind: u8, message: Message) -> io::Result<()> {
        match &mut self.way {
            Way::Direct(outflow) => {
                put_head(kind, 0, outflow.end());
                outflow.flush().await
            }
            Way::Through(sink) => sink.send(message).await.map_err(io::Error::other),
        }
    }

    /// Writes what was put. Cancelled, the next call goes on.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        match &mut self.way {
            Way::Direct(outflow) => outflow.flush().await,
            Way::Through(sink) => sink.flush().await.map_err(io::Error::other),
        }
    }
}

fn put_frame(kind: u8, payload: &[u8], out: &mut Vec<u8>) {
    put_head(kind, payload.len(), out);
    out.extend_from_slice(payload);
}

/// What comes before the `length` bytes of a server's frame (RFC 6455, 5.2): they are not masked.
fn put_head(kind: u8, length: usize, out: &mut Vec<u8>) {
    out.push(WHOLE | kind);
    match length {
        0..=125 => out.push(length as u8),
        126..=0xffff => {
            out.push(126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_begins_with_its_length_in_its_shortest_form() {
        let head = |length| {
            let mut out = Vec::new();
            put_head(BINARY, length, &mut out);
            out
        };
        assert_eq!(head(0), [0x82, 0]);
        assert_eq!(head(125), [0x82, 125]);
        assert_eq!(head(126), [0x82, 126, 0, 126]);
        assert_eq!(head(0xffff), [0x82, 126, 0xff, 0xff]);
        assert_eq!(head(0x1_0000), [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }
}
