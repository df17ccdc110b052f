//! The daemon's part of the handshakes, as each behaviour has it.

use std::time::Duration;

use codeout_protocol::channel::Channel;
use codeout_protocol::error::{Alert, Error};
use codeout_protocol::handshake::{self, DaemonEphemeral};
use codeout_protocol::pairing::{self, DaemonPairing};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;

use super::{Behaviour, Inner, receive, send, welcome};

async fn last(
    socket: &mut WebSocketStream<TcpStream>,
    behaviour: &Behaviour,
    mut message: Vec<u8>,
) {
    match behaviour {
        Behaviour::TamperLast => *message.last_mut().unwrap() ^= 1,
        Behaviour::AlertLast(alert) => message = alert.message().to_vec(),
        _ => {}
    }
    send(socket, message).await;
}

pub async fn connect(
    socket: &mut WebSocketStream<TcpStream>,
    inner: &Inner,
    behaviour: &Behaviour,
    m1: &[u8],
) -> Result<Option<Channel>, Error> {
    let (state, m2) = handshake::read_m1(&inner.identity, m1, DaemonEphemeral::generate())?;
    send(socket, m2).await;
    let Some(m3) = receive(socket).await else { return Ok(None) };
    let claim = state.read_m3(&m3)?;
    let known = inner.book.lock().unwrap().devices.get(&claim.device_key()).cloned();
    match claim.verify(known.as_ref().map(|(psk, _)| psk)) {
        Ok(accepted) => {
            let (_, name) = known.unwrap();
            let (channel, m4) = accepted.accept(Duration::ZERO, &welcome(&name))?;
            last(socket, behaviour, m4).await;
            Ok(Some(channel))
        }
        Err(refusal) => {
            last(socket, behaviour, refusal).await;
            inner.holding.notify_one();
            Ok(None)
        }
    }
}

pub async fn pair(
    socket: &mut WebSocketStream<TcpStream>,
    inner: &Inner,
    behaviour: &Behaviour,
    p1: &[u8],
) -> Result<Option<Channel>, Error> {
    let code = inner.book.lock().unwrap().code.clone();
    let Some(code) = code else {
        send(socket, Alert::NoOffer.message().to_vec()).await;
        return Ok(None);
    };
    let (state, p2) = pairing::read_p1(&code, &inner.identity, p1, DaemonPairing::generate())?;
    send(socket, p2).await;
    let Some(p3) = receive(socket).await else { return Ok(None) };
    let proved = state.read_p3(&p3)?;
    let name = proved.proposed_name().unwrap().clone();
    let admit = || {
        let device = (proved.psk().clone(), name.clone());
        let mut book = inner.book.lock().unwrap();
        book.devices.insert(proved.device_key(), device);
        // Single use.
        book.code = None;
    };
    match behaviour {
        Behaviour::CutAtP3 { landed } => {
            if *landed {
                admit();
            }
            return Ok(None);
        }
        Behaviour::LateP3 => {
            let _ = socket.close(None).await;
            inner.holding.notified().await;
            admit();
            inner.book.lock().unwrap().code = Some(code);
            return Ok(None);
        }
        Behaviour::HoldAtP3 { landed } => {
            if *landed {
                admit();
            }
            inner.holding.notify_one();
            inner.go_on.notified().await;
        }
        Behaviour::Refuse(why) => {
            last(socket, behaviour, proved.refuse(*why)).await;
            return Ok(None);
        }
        _ => {}
    }
    admit();
    let (channel, p4) = proved.accept(Duration::ZERO, &welcome(&name))?;
    last(socket, behaviour, p4).await;
    Ok(Some(channel))
}
