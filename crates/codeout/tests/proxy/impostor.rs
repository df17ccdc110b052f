//! An attacker that answers in the daemon's place.

use std::time::Duration;

use codeout_protocol::code::Code;
use codeout_protocol::error::Error;
use codeout_protocol::handshake::{self, DaemonEphemeral, Mode};
use codeout_protocol::message::{self, DeviceEntry, FromDaemon, Limits, Welcome};
use codeout_protocol::pairing::{self, DaemonPairing};
use codeout_protocol::sodium::KeyPair;
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

use super::{Link, Log, Side};

/// Who passes for a daemon: with a key of its own, and a pairing code that it has seen or guessed.
#[derive(Debug)]
pub(crate) struct Impostor {
    pub(crate) key: KeyPair,
    pub(crate) code: Code,
}

impl Impostor {
    /// Speaks the daemon's part as far as the device lets it.
    pub(super) async fn serve(&self, device: &mut Link, log: &Log) -> Result<(), WsError> {
        match self.answer(device, log).await {
            Ok(()) => {}
            Err(Stopped::Link(error)) => return Err(error),
            Err(Stopped::Protocol(error)) => {
                say(device, log, error.alert().message().to_vec()).await?;
                device.close(None).await?;
            }
        }
        // Whatever the device still says.
        while hear(device, log).await.is_some() {}
        Ok(())
    }

    async fn answer(&self, device: &mut Link, log: &Log) -> Result<(), Stopped> {
        let Some(first) = hear(device, log).await else { return Ok(()) };
        if Mode::of(&first)? == Mode::Connect {
            // It is made for the daemon's key: nothing can be said to it.
            handshake::read_m1(&self.key, &first, DaemonEphemeral::generate())?;
            unreachable!("it opens with another key");
        }
        let fresh = DaemonPairing::generate();
        let (state, p2) = pairing::read_p1(&self.code, &self.key, &first, fresh)?;
        say(device, log, p2).await?;
        let Some(p3) = hear(device, log).await else { return Ok(()) };
        let (_, p4) = state.read_p3(&p3)?.accept(Duration::ZERO, &welcome())?;
        Ok(say(device, log, p4).await?)
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
