//! A device that speaks the protocol message by message: for what the device library does not do.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use codeout_protocol::channel::Channel;
use codeout_protocol::code::Code;
use codeout_protocol::error::Error;
use codeout_protocol::handshake::{self, DeviceCredentials, DeviceEphemeral};
use codeout_protocol::link::Link;
use codeout_protocol::message::{
    ClosingReason, Event, FromDaemon, FromDevice, NumberedRequest, Request,
};
use codeout_protocol::name::Name;
use codeout_protocol::pairing::{self, DevicePairing};
use codeout_protocol::sodium::KeyPair;
use codeout_protocol::{SUBPROTOCOL, WEBSOCKET_PATH};
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{self, Message};

/// Why a device did not get through.
#[derive(Debug)]
pub(crate) enum WireError {
    /// The link ended.
    Ended,
    /// The daemon has too many connections: 503.
    TooMany,
    /// The protocol said no.
    Protocol(Error),
}

impl From<Error> for WireError {
    fn from(error: Error) -> Self {
        WireError::Protocol(error)
    }
}

/// A WebSocket to a daemon on loopback.
pub(crate) struct Wire(pub(crate) WebSocketStream<TcpStream>);

/// A TCP connection to a port of loopback, from any of its addresses.
pub(crate) async fn dial_tcp(port: u16, source: Ipv4Addr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    // Which port it comes from is found when it connects: there are enough for each end.
    socket.set_reuseaddr(true)?;
    if source != Ipv4Addr::LOCALHOST {
        socket.bind(SocketAddr::new(source.into(), 0))?;
    }
    let stream = socket.connect((Ipv4Addr::LOCALHOST, port).into()).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Wire {
    pub(crate) async fn dial(port: u16) -> Result<Wire, WireError> {
        let stream = dial_tcp(port, Ipv4Addr::LOCALHOST).await.map_err(|_| WireError::Ended)?;
        let url = format!("ws://127.0.0.1:{port}{WEBSOCKET_PATH}");
        let mut request = url.into_client_request().expect("a URL");
        let subprotocol = HeaderValue::from_static(SUBPROTOCOL);
        request.headers_mut().insert("sec-websocket-protocol", subprotocol);
        match tokio_tungstenite::client_async(request, stream).await {
            Ok((socket, _)) => Ok(Wire(socket)),
            Err(tungstenite::Error::Http(answer)) if answer.status() == 503 => {
                Err(WireError::TooMany)
            }
            Err(_) => Err(WireError::Ended),
        }
    }

    pub(crate) async fn send(&mut self, message: Vec<u8>) -> Result<(), WireError> {
        self.0.send(Message::binary(message)).await.map_err(|_| WireError::Ended)
    }

    pub(crate) async fn receive(&mut self) -> Result<Vec<u8>, WireError> {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Binary(bytes))) => return Ok(bytes.into()),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                _ => return Err(WireError::Ended),
            }
        }
    }
}

/// An established connection.
pub(crate) struct Established {
    pub(crate) wire: Wire,
    pub(crate) channel: Channel,
}

impl Established {
    /// Sends a record.
    pub(crate) async fn send(&mut self, plaintext: &[u8]) -> Result<(), WireError> {
        let record = self.channel.sealer.seal(Duration::ZERO, plaintext)?;
        self.wire.send(record).await
    }

    /// Sends a request in a record of its own.
    pub(crate) async fn request(&mut self, id: u32, request: Request) -> Result<(), WireError> {
        let request = FromDevice::Request(NumberedRequest { id, request });
        self.send(&request.write()).await
    }

    /// The plaintext of the next record.
    pub(crate) async fn receive(&mut self) -> Result<Vec<u8>, WireError> {
        let record = self.wire.receive().await?;
        Ok(self.channel.opener.open(&record)?.into_bytes())
    }

    /// Waits for a ping's reply: the daemon has the pairing finished then.
    pub(crate) async fn ping(&mut self) -> Result<(), WireError> {
        self.request(0, Request::Ping).await?;
        loop {
            if let FromDaemon::Reply(_) = FromDaemon::read(&self.receive().await?)? {
                return Ok(());
            }
        }
    }

    /// Waits for the daemon's last word; `None`: it cut the link.
    pub(crate) async fn last_word(&mut self) -> Option<ClosingReason> {
        while let Ok(plaintext) = self.receive().await {
            if let Ok(FromDaemon::Event(Event::Closing { reason })) = FromDaemon::read(&plaintext) {
                return Some(reason);
            }
        }
        None
    }
}

/// The port that a link names.
pub(crate) fn port(link: &Link) -> u16 {
    let authority = link.address.authority();
    let port = authority.rsplit(':').next().and_then(|port| port.parse().ok());
    port.expect("a daemon of the benchmarks has a port of its own")
}

/// Pairs, and keeps nothing on disk.
pub(crate) async fn pair(
    port: u16,
    code: &Code,
    name: &Name,
) -> Result<(Established, DeviceCredentials), WireError> {
    let mut wire = Wire::dial(port).await?;
    let (state, p1) = pairing::pair(code, DevicePairing::generate());
    wire.send(p1).await?;
    let proved = state.read_p2(&wire.receive().await?)?;
    let (state, p3) = proved.present(KeyPair::generate(), name)?;
    let credentials = state.credentials().clone();
    wire.send(p3).await?;
    let (channel, _) = state.read_p4(&wire.receive().await?)?;
    Ok((Established { wire, channel }, credentials))
}

/// Connects.
pub(crate) async fn connect(
    port: u16,
    credentials: &DeviceCredentials,
) -> Result<Established, WireError> {
    let mut wire = Wire::dial(port).await?;
    let (state, m1) = handshake::connect(credentials.clone(), DeviceEphemeral::generate())?;
    wire.send(m1).await?;
    let (state, m3) = state.read_m2(&wire.receive().await?)?;
    wire.send(m3).await?;
    let (channel, _) = state.read_m4(&wire.receive().await?)?;
    Ok(Established { wire, channel })
}
