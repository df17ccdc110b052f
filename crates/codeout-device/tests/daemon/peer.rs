//! A daemon's end of a connection.

use std::time::Duration;

use codeout_protocol::channel::{Channel, Opened, Opener, Sealer};
use codeout_protocol::message::{
    Answer, Attached, Chunk, ClosingReason, Event, FromDaemon, FromDevice, NumberedRequest,
    Outcome, Progress, Reply, Request, RequestError, TerminalSize,
};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::talk::entry;

type WebSocket = WebSocketStream<TcpStream>;

enum Pipe {
    Remote { socket: Box<WebSocket>, sealer: Option<Sealer>, opener: Opener },
    Local(UnixStream),
}

pub struct Peer {
    pipe: Pipe,
    /// Messages, both ways.
    pub messages: usize,
}

/// A device's message, in its own memory.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    Request(u32, Request),
    Input {
        session: u32,
        offset: u64,
        bytes: Vec<u8>,
    },
    Read {
        session: u32,
        offset: u64,
    },
    Final,
    /// The link ended.
    Gone,
}

impl Peer {
    pub fn new(socket: WebSocket, channel: Channel) -> Self {
        let Channel { sealer, opener } = channel;
        let pipe = Pipe::Remote { socket: Box::new(socket), sealer: Some(sealer), opener };
        Peer { pipe, messages: 0 }
    }

    /// Over a control socket, on which `connect` was asked for.
    pub fn local(stream: UnixStream) -> Self {
        Peer { pipe: Pipe::Local(stream), messages: 0 }
    }

    pub fn websocket(&mut self) -> &mut WebSocket {
        match &mut self.pipe {
            Pipe::Remote { socket, .. } => socket,
            Pipe::Local(_) => panic!("no WebSocket"),
        }
    }

    pub async fn send(&mut self, message: &FromDaemon<'_>) {
        self.send_plaintext(&message.write()).await;
    }

    pub async fn send_plaintext(&mut self, plaintext: &[u8]) {
        self.messages += 1;
        match &mut self.pipe {
            Pipe::Remote { sealer, .. } => {
                let record = sealer.as_mut().unwrap().seal(Duration::ZERO, plaintext).unwrap();
                self.send_raw(record).await;
            }
            Pipe::Local(_) => {
                let length = u32::try_from(plaintext.len()).unwrap().to_be_bytes();
                self.send_raw([&length, plaintext].concat()).await;
            }
        }
    }

    /// Sends a WebSocket message, or bytes, as they are.
    pub async fn send_raw(&mut self, bytes: Vec<u8>) {
        // The device may have hung up.
        match &mut self.pipe {
            Pipe::Remote { socket, .. } => {
                let _ = socket.send(Message::Binary(bytes.into())).await;
            }
            Pipe::Local(stream) => {
                let _ = stream.write_all(&bytes).await;
            }
        }
    }

    pub async fn output(&mut self, session: u32, offset: u64, bytes: &[u8]) {
        self.send(&FromDaemon::Output(Chunk { session, offset, bytes })).await;
    }

    pub async fn snapshot(&mut self, session: u32) {
        let size = TerminalSize { columns: 80, rows: 24 };
        self.event(Event::Snapshot { session, size, size_by: None, history: false }).await;
    }

    pub async fn snapshot_chunk(&mut self, session: u32, offset: u64, bytes: &[u8]) {
        self.send(&FromDaemon::Snapshot(Chunk { session, offset, bytes })).await;
    }

    pub async fn snapshot_end(&mut self, session: u32, offset: u64) {
        self.event(Event::SnapshotEnd { session, offset }).await;
    }

    pub async fn input_written(&mut self, session: u32, offset: u64) {
        self.send(&FromDaemon::InputWritten(Progress { session, offset })).await;
    }

    pub async fn event(&mut self, event: Event) {
        self.send(&FromDaemon::Event(event)).await;
    }

    pub async fn reply(&mut self, id: u32, answer: Answer) {
        let outcome = Outcome::Ok(answer);
        self.send(&FromDaemon::Reply(Reply { id, outcome })).await;
    }

    pub async fn refuse(&mut self, id: u32, error: RequestError) {
        let outcome = Outcome::Error(error);
        self.send(&FromDaemon::Reply(Reply { id, outcome })).await;
    }

    pub async fn finish(&mut self, plaintext: &[u8]) {
        match &mut self.pipe {
            Pipe::Remote { sealer, .. } => {
                let record = sealer.take().unwrap().finish(plaintext).unwrap();
                self.send_raw(record).await;
                let _ = self.websocket().close(None).await;
            }
            Pipe::Local(_) => {
                self.send_plaintext(plaintext).await;
                let Pipe::Local(stream) = &mut self.pipe else { unreachable!() };
                let _ = stream.shutdown().await;
            }
        }
    }

    pub async fn close(&mut self, reason: ClosingReason) {
        let closing = FromDaemon::Event(Event::Closing { reason });
        self.finish(&closing.write()).await;
    }

    pub async fn next(&mut self) -> Said {
        self.messages += 1;
        let plaintext = match &mut self.pipe {
            Pipe::Remote { socket, opener, .. } => loop {
                let record = match socket.next().await {
                    Some(Ok(Message::Binary(record))) => record,
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                    _ => return Said::Gone,
                };
                match opener.open(&record).unwrap() {
                    Opened::Final(_) => return Said::Final,
                    Opened::Message(plaintext) => break plaintext,
                }
            },
            Pipe::Local(stream) => {
                let Ok(length) = stream.read_u32().await else { return Said::Gone };
                if length == 0 {
                    return Said::Final;
                }
                let mut plaintext = vec![0; length as usize];
                let Ok(_) = stream.read_exact(&mut plaintext).await else { return Said::Gone };
                plaintext
            }
        };
        match FromDevice::read(&plaintext).unwrap() {
            FromDevice::Request(NumberedRequest { id, request }) => Said::Request(id, request),
            FromDevice::Input(Chunk { session, offset, bytes }) => {
                Said::Input { session, offset, bytes: bytes.to_vec() }
            }
            FromDevice::OutputRead(Progress { session, offset }) => Said::Read { session, offset },
            FromDevice::Unreadable { error, .. } => panic!("{error:?}"),
        }
    }

    /// The next request; anything else fails the test.
    pub async fn request(&mut self) -> (u32, Request) {
        match self.next().await {
            Said::Request(id, request) => (id, request),
            other => panic!("no request: {other:?}"),
        }
    }

    /// Plays the daemon's part of attaching, and an empty snapshot if the device has no output.
    pub async fn attach(&mut self, input: u64) {
        let (id, request) = self.request().await;
        let Request::Attach(attach) = request else { panic!("{request:?}") };
        let (session, resumed) = (attach.session, attach.after.is_some());
        let attached = Attached { attached: entry(session), resumed, input };
        self.reply(id, Answer::Attached(Box::new(attached))).await;
        if !resumed {
            self.snapshot(session).await;
            self.snapshot_end(session, 0).await;
        }
    }
}
