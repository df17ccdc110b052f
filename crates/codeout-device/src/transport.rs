//! The WebSocket to a daemon's address, as a pipe of binary messages.

use std::io;
use std::pin::Pin;
use std::time::Duration;

use codeout_protocol::address::Address;
use codeout_protocol::handshake::MAX_MESSAGE;
use codeout_protocol::message::MAX_TEXT;
use codeout_protocol::name::clean_text;
use codeout_protocol::{SUBPROTOCOL, WEBSOCKET_PATH};
use futures_util::stream::FuturesUnordered;
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite, BufReader};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::TlsError;
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Bytes, Error as WsError, Message};
use tokio_tungstenite::{WebSocketStream, client_async_tls_with_config};

use crate::error::{Broken, ConnectError};

/// Name, TCP, TLS and WebSocket together are to be through in this time.
const DIAL_TIME: Duration = Duration::from_secs(10);
/// Each answer of a handshake is to be there in this time.
pub(crate) const ANSWER_TIME: Duration = Duration::from_secs(10);
/// Of a host with several addresses the next one is tried when this time brought no connection.
const NEXT_ADDRESS: Duration = Duration::from_millis(250);
/// The memory that is read ahead into, in bytes: a record of output and more.
const READ_AHEAD: usize = 64 * 1024;
/// What the WebSocket takes of that at a time, in bytes. It clears so much for every read.
const AT_A_TIME: usize = 4 * 1024;

pub(crate) type Outgoing = Pin<Box<dyn Sink<Message, Error = WsError> + Send>>;
pub(crate) type Incoming = Pin<Box<dyn Stream<Item = Result<Message, WsError>> + Send>>;

/// A WebSocket in its two halves.
pub(crate) struct Socket {
    pub(crate) outgoing: Outgoing,
    pub(crate) incoming: Incoming,
}

/// Why no message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoMessage {
    /// The link ended.
    Cut,
    /// None came in time.
    TimedOut,
    /// What came is none of the protocol's.
    Invalid,
}

impl NoMessage {
    /// What it means while the daemon's first message is awaited, or a later one.
    pub(crate) fn into_error(self, address: &Address, first: bool) -> ConnectError {
        match self {
            NoMessage::Cut => ConnectError::Cut,
            NoMessage::TimedOut => ConnectError::TimedOut,
            NoMessage::Invalid if first => {
                not_codeout(address, "its first message is none of the protocol's")
            }
            NoMessage::Invalid => ConnectError::Protocol(Broken::Unexpected),
        }
    }
}

impl From<WsError> for NoMessage {
    fn from(error: WsError) -> Self {
        match error {
            WsError::Capacity(_) | WsError::Utf8(_) | WsError::AttackAttempt => NoMessage::Invalid,
            WsError::Protocol(error) => {
                use tokio_tungstenite::tungstenite::error::ProtocolError;
                if error == ProtocolError::ResetWithoutClosingHandshake {
                    NoMessage::Cut
                } else {
                    NoMessage::Invalid
                }
            }
            _ => NoMessage::Cut,
        }
    }
}

impl Socket {
    pub(crate) fn new<S>(websocket: WebSocketStream<S>) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (outgoing, incoming) = websocket.split();
        Socket { outgoing: Box::pin(outgoing), incoming: Box::pin(incoming) }
    }

    /// Sends one message.
    pub(crate) async fn send(&mut self, message: Vec<u8>) -> Result<(), NoMessage> {
        let sent = self.outgoing.send(Message::Binary(message.into()));
        match tokio::time::timeout(ANSWER_TIME, sent).await {
            Ok(sent) => Ok(sent?),
            Err(_) => Err(NoMessage::TimedOut),
        }
    }

    /// The next message, if it comes in `time`.
    pub(crate) async fn receive(&mut self, time: Duration) -> Result<Bytes, NoMessage> {
        receive(&mut self.incoming, time).await
    }
}

/// The next message, if it comes in `time`.
pub(crate) async fn receive(incoming: &mut Incoming, time: Duration) -> Result<Bytes, NoMessage> {
    let deadline = Instant::now() + time;
    loop {
        let next = tokio::time::timeout_at(deadline, incoming.next()).await;
        match next.map_err(|_| NoMessage::TimedOut)? {
            Some(Ok(Message::Binary(message))) => return Ok(message),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Text(_) | Message::Frame(_))) => return Err(NoMessage::Invalid),
            Some(Err(error)) => return Err(error.into()),
            Some(Ok(Message::Close(_))) | None => return Err(NoMessage::Cut),
        }
    }
}

/// What both ends of the WebSocket are held to.
pub(crate) fn websocket_config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(AT_A_TIME)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE))
}

/// Dials the WebSocket at `address`.
pub(crate) async fn dial(address: &Address) -> Result<Socket, ConnectError> {
    let dialled = tokio::time::timeout(DIAL_TIME, open(address)).await;
    dialled.unwrap_or_else(|_| Err(unreachable(address, io::ErrorKind::TimedOut.into())))
}

async fn open(address: &Address) -> Result<Socket, ConnectError> {
    let stream = tcp(address).await.map_err(|error| unreachable(address, error))?;
    // A key that was pressed must not wait for the next one.
    stream.set_nodelay(true).map_err(|error| unreachable(address, error))?;
    if address.is_secure() {
        choose_tls();
    }
    let scheme = if address.is_secure() { "wss" } else { "ws" };
    let url = format!("{scheme}://{}{WEBSOCKET_PATH}", address.authority());
    let mut request = url.into_client_request().map_err(|error| refused(address, error))?;
    let subprotocol = HeaderValue::from_static(SUBPROTOCOL);
    request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, subprotocol);
    let stream = BufReader::with_capacity(READ_AHEAD, stream);
    let upgraded =
        client_async_tls_with_config(request, stream, Some(websocket_config()), None).await;
    let (websocket, _response) = upgraded.map_err(|error| refused(address, error))?;
    Ok(Socket::new(websocket))
}

/// Connects to the first of the host's addresses that answers. One that swallows packets, as
/// IPv6 without a route does, costs a fraction of a second.
async fn tcp(address: &Address) -> io::Result<TcpStream> {
    let host = address.host().trim_start_matches('[').trim_end_matches(']');
    let mut addresses = lookup_host((host, address.port())).await?;
    let mut attempts = FuturesUnordered::new();
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    loop {
        let next = addresses.next();
        let more = next.is_some();
        attempts.extend(next.map(TcpStream::connect));
        tokio::select! {
            finished = attempts.next() => match finished {
                Some(Ok(stream)) => return Ok(stream),
                Some(Err(error)) => failure = error,
                None if !more => return Err(failure),
                None => {}
            },
            () = tokio::time::sleep(NEXT_ADDRESS), if more => {}
        }
    }
}

/// rustls asks for one choice of cryptography per process. An application that made one keeps
/// it.
fn choose_tls() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Another thread may just have been faster.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

fn unreachable(address: &Address, source: io::Error) -> ConnectError {
    ConnectError::Unreachable { address: address.clone(), source }
}

fn not_codeout(address: &Address, reason: impl Into<String>) -> ConnectError {
    ConnectError::NotCodeout { address: address.clone(), reason: reason.into() }
}

/// What it means that there is a server and no WebSocket.
fn refused(address: &Address, error: WsError) -> ConnectError {
    match error {
        WsError::Io(error) => unreachable(address, error),
        WsError::Tls(error) => unreachable(address, tls_failure(error)),
        WsError::Http(response) => {
            let status = response.status();
            let busy = [
                StatusCode::BAD_GATEWAY,
                StatusCode::SERVICE_UNAVAILABLE,
                StatusCode::GATEWAY_TIMEOUT,
            ];
            // A daemon that is full, or a tunnel whose daemon is away.
            if busy.contains(&status) {
                let text = format!("the server there answers {status}");
                return unreachable(
                    address,
                    io::Error::new(io::ErrorKind::ConnectionRefused, text),
                );
            }
            not_codeout(address, format!("it answers {status}"))
        }
        WsError::ConnectionClosed | WsError::AlreadyClosed => {
            unreachable(address, io::ErrorKind::ConnectionReset.into())
        }
        _ => not_codeout(address, "it does not speak WebSocket with the codeout subprotocol"),
    }
}

/// What TLS says may quote the other side's certificate.
fn tls_failure(error: TlsError) -> io::Error {
    let text = clean_text(&error.to_string(), MAX_TEXT);
    io::Error::new(io::ErrorKind::InvalidData, text)
}
