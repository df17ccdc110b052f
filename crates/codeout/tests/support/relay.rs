//! A relay between devices and a daemon that loses a message, and with it the link.

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};

/// Which message is lost: counted from 0, in its direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    FromDevice(usize),
    FromDaemon(usize),
}

impl Lost {
    pub const P1: Lost = Lost::FromDevice(0);
    pub const P2: Lost = Lost::FromDaemon(0);
    pub const P3: Lost = Lost::FromDevice(1);
    pub const P4: Lost = Lost::FromDaemon(1);
    pub const FIRST_RECORD: Lost = Lost::FromDevice(2);
    pub const FIRST_REPLY: Lost = Lost::FromDaemon(2);
}

/// What the relay does at the message that it loses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// It cuts the link on both sides.
    Cut,
    /// It keeps the link open and passes on nothing more.
    Hold,
}

/// A relay on a port of its own.
pub struct Relay {
    pub port: u16,
    lost: watch::Receiver<usize>,
    _serving: JoinSet<()>,
}

impl Relay {
    /// A relay to `daemon` whose n-th link loses `losses[n]`; links behind those lose nothing.
    pub async fn start(daemon: u16, losses: Vec<Lost>, then: Then) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (count, lost) = watch::channel(0);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut losses = losses.into_iter();
            let mut links = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                links.spawn(link(stream, daemon, losses.next(), then, count.clone()));
            }
        });
        Relay { port, lost, _serving: serving }
    }

    /// Waits until `number` messages were lost.
    pub async fn lost(&mut self, number: usize) {
        let lost = self.lost.wait_for(|lost| *lost >= number);
        tokio::time::timeout(super::PATIENCE, lost).await.expect("nothing was lost").unwrap();
    }
}

async fn link(
    stream: TcpStream,
    daemon: u16,
    lost: Option<Lost>,
    then: Then,
    count: watch::Sender<usize>,
) {
    // The callback's type is tungstenite's.
    #[allow(clippy::result_large_err)]
    fn choose(_: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
        let subprotocol = codeout_protocol::SUBPROTOCOL.parse().unwrap();
        response.headers_mut().insert("sec-websocket-protocol", subprotocol);
        Ok(response)
    }
    let Ok(mut device) = tokio_tungstenite::accept_hdr_async(stream, choose).await else { return };
    let Some(mut daemon) = dial(daemon).await else { return };
    let (mut from_device, mut from_daemon) = (0, 0);
    loop {
        // A side that is gone takes the other one along.
        let (message, place, onward) = tokio::select! {
            message = device.next() => {
                from_device += 1;
                (message, Lost::FromDevice(from_device - 1), &mut daemon)
            }
            message = daemon.next() => {
                from_daemon += 1;
                (message, Lost::FromDaemon(from_daemon - 1), &mut device)
            }
        };
        let Some(Ok(message @ Message::Binary(_))) = message else { return };
        if lost == Some(place) {
            count.send_modify(|count| *count += 1);
            match then {
                Then::Cut => return,
                Then::Hold => std::future::pending().await,
            }
        }
        if onward.send(message).await.is_err() {
            return;
        }
    }
}

async fn dial(port: u16) -> Option<WebSocketStream<TcpStream>> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let url = format!("ws://127.0.0.1:{port}{}", codeout_protocol::WEBSOCKET_PATH);
    let mut request = url.into_client_request().unwrap();
    let subprotocol = codeout_protocol::SUBPROTOCOL.parse().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", subprotocol);
    let upgraded = tokio_tungstenite::client_async(request, stream).await;
    Some(upgraded.ok()?.0)
}

/// A relay of bytes to `daemon` that passes on `limit` bytes of each device and then cuts its
/// link. Returns its port, and how many bytes of devices it has passed on.
pub async fn relay_bytes(daemon: u16, limit: usize) -> (u16, watch::Receiver<usize>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (count, passed) = watch::channel(0);
    tokio::spawn(async move {
        while let Ok((mut device, _)) = listener.accept().await {
            let Ok(mut daemon) = TcpStream::connect(("127.0.0.1", daemon)).await else { return };
            let count = count.clone();
            tokio::spawn(async move {
                let (mut from_device, mut to_device) = device.split();
                let (mut from_daemon, mut to_daemon) = daemon.split();
                let forward = async {
                    let mut left = limit;
                    let mut buffer = [0; 4096];
                    while left > 0 {
                        let most = left.min(buffer.len());
                        let read = from_device.read(&mut buffer[..most]).await.unwrap_or(0);
                        if read == 0 || to_daemon.write_all(&buffer[..read]).await.is_err() {
                            return;
                        }
                        left -= read;
                        count.send_modify(|count| *count += read);
                    }
                };
                let back = tokio::io::copy(&mut from_daemon, &mut to_device);
                tokio::select! {
                    () = forward => {}
                    _ = back => {}
                }
            });
        }
    });
    (port, passed)
}
