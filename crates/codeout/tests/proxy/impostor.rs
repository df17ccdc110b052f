//! An attacker that answers in the daemon's place.

use codeout_protocol::channel::{Channel, Opened};
use codeout_protocol::code::Code;
use codeout_protocol::error::Error;
use codeout_protocol::handshake::{self, DaemonEphemeral, Mode};
use codeout_protocol::message::{self, DeviceEntry, FromDaemon, Limits, Welcome};
use codeout_protocol::pairing::{self, DaemonPairing};
use codeout_protocol::sodium::KeyPair;
use futures_util::{SinkExt, StreamExt};
use std::time::Duration;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

use super::{Link, Log, Side};

/// Who passes for a daemon: with a key of its own, and a pairing code that it has seen or guessed.
#[derive(Debug)]
pub struct Impostor {
    pub key: KeyPair,
    pub code: Code,
}

impl Impostor {
    /// Speaks the daemon's part as far as the device lets it.
    pub(super) async fn serve(&self, device: &mut Link, log: &Log) -> Result<(), WsError> {
        let spoken = match self.answer(device, log).await {
            Ok(spoken) => spoken,
            Err(Stopped::Link(error)) => return Err(error),
            Err(Stopped::Protocol(error)) => {
                say(device, log, error.alert().message().to_vec()).await?;
                None
            }
        };
        if let Some(mut channel) = spoken {
            while let Some(record) = hear(device, log).await {
                if let Ok(Opened::Message(plaintext)) = channel.opener.open(&record) {
                    log.tell(|seen| seen.opened.push(plaintext));
                }
            }
        }
        device.close(None).await?;
        while hear(device, log).await.is_some() {}
        Ok(())
    }

    async fn answer(&self, device: &mut Link, log: &Log) -> Result<Option<Channel>, Stopped> {
        let Some(first) = hear(device, log).await else { return Ok(None) };
        let welcome = welcome();
        let (channel, fourth) = match Mode::of(&first)? {
            Mode::Connect => {
                let fresh = DaemonEphemeral::generate();
                // The device's message is for another key: there is nothing that it could answer.
                let (_, m2) = handshake::read_m1(&self.key, &first, fresh)?;
                say(device, log, m2).await?;
                return Ok(None);
            }
            Mode::Pair => {
                let fresh = DaemonPairing::generate();
                let (state, p2) = pairing::read_p1(&self.code, &self.key, &first, fresh)?;
                say(device, log, p2).await?;
                let Some(p3) = hear(device, log).await else { return Ok(None) };
                state.read_p3(&p3)?.accept(Duration::ZERO, &welcome)?
            }
        };
        say(device, log, fourth).await?;
        Ok(Some(channel))
    }
}

enum Stopped {
    Link(WsError),
    Protocol(Error),
}

impl From<WsError> for Stopped {
    fn from(error: WsError) -> Self {
        Stopped::Link(error)
    }
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Stopped::Protocol(error)
    }
}

fn welcome() -> Vec<u8> {
    let device = DeviceEntry {
        id: "3m9k7qaz".to_owned(),
        name: "phone".to_owned(),
        paired_at: 1_700_000_000,
        last_seen: None,
        connected: true,
        unfinished: true,
        limits: Limits::default(),
        this: true,
    };
    let welcome = Welcome { protocol: message::VERSION, daemon: "desk".to_owned(), device };
    FromDaemon::Event(message::Event::Welcome(welcome)).write()
}

async fn hear(device: &mut Link, log: &Log) -> Option<Vec<u8>> {
    loop {
        match device.next().await {
            Some(Ok(Message::Binary(bytes))) => {
                let bytes = Vec::from(bytes);
                log.tell(|seen| seen.messages.push((Side::Device, bytes.clone())));
                return Some(bytes);
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            _ => return None,
        }
    }
}

async fn say(device: &mut Link, log: &Log, message: Vec<u8>) -> Result<(), WsError> {
    log.tell(|seen| seen.messages.push((Side::Daemon, message.clone())));
    device.send(Message::Binary(message.into())).await
}
