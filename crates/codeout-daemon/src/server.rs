//! HTTP: the app, and the WebSocket as a pipe of bytes.
//!
//! Nothing here acts on a cookie, an address or a header: who is let in is decided by the
//! handshake alone. The one that is looked at, `Origin`, can only turn a browser away.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{from_fn, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use codeout_protocol::address::Address;
use codeout_protocol::{SUBPROTOCOL, WEBSOCKET_PATH, channel};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustix::process::{Resource, getrlimit};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::time::timeout_at;

use crate::admission::HANDSHAKE_TIME;
use crate::doorway::{Doorway, Entered};
use crate::origin::is_own_page;
use crate::patience::{self, Visit};
use crate::shared_stream::SharedStream;
use crate::state::Shared;
use crate::tls::{Greeted, Tls};
use crate::trail::Refusal;
use crate::{app, connection, redirect};

/// The memory for a request's headers, in bytes.
const HEADER_BYTES: usize = 16 * 1024;
/// The memory that a WebSocket reads ahead into, in bytes. All of it is cleared for every read.
const READ_AHEAD: usize = 4 * 1024;

/// Listens on `address`; an unspecified IPv6 address takes IPv4 too, and a machine without IPv6
/// falls back to IPv4.
pub(crate) fn listen(bind: Option<IpAddr>, port: u16) -> io::Result<TcpListener> {
    match bind {
        Some(address) => bind_to(SocketAddr::new(address, port)),
        None => {
            let everything = SocketAddr::new(std::net::Ipv6Addr::UNSPECIFIED.into(), port);
            match bind_to(everything) {
                Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                    bind_to(SocketAddr::new(std::net::Ipv4Addr::UNSPECIFIED.into(), port))
                }
                other => other,
            }
        }
    }
}

fn bind_to(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv6() {
        let socket = TcpSocket::new_v6()?;
        rustix::net::sockopt::set_ipv6_v6only(&socket, !address.ip().is_unspecified())?;
        socket
    } else {
        TcpSocket::new_v4()?
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(1024)
}

/// Accepts connections until `stop` says so.
pub(crate) async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    mut stop: watch::Receiver<bool>,
) {
    let doorway = Arc::new(Doorway::new(getrlimit(Resource::Nofile).current));
    let tls = shared.tls.clone();
    let router = router(&shared);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let (stream, source) = match accepted {
            Ok((stream, source)) => (stream, source.ip().to_canonical()),
            Err(error) => {
                // Out of descriptors, most likely: others must close before the next comes in.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let stream = SharedStream::new(stream);
        match doorway.enter(source, stream.clone()) {
            Some(Entered { place, gave_way }) => {
                if let Some((source, stream)) = gave_way {
                    shared.note_refusal(Refusal::TooMany, source);
                    stream.cut();
                }
                let visit = Visit::new(source, stream, place);
                tokio::spawn(converse(visit, router.clone(), tls.clone()));
            }
            None => {
                shared.note_refusal(Refusal::TooMany, source);
                // Who speaks TLS understands no other answer.
                if tls.is_none() {
                    turn_away(&stream);
                }
            }
        }
    }
}

/// What answers HTTP.
pub(crate) fn router(shared: &Arc<Shared>) -> Router {
    let advertised = shared.config.advertise.as_ref();
    let is_secure = shared.tls.is_some() || advertised.is_some_and(Address::is_secure);
    Router::new()
        .route(WEBSOCKET_PATH, get(websocket))
        .fallback(app::serve)
        .with_state(Arc::clone(shared))
        .layer(from_fn(patience::bounded))
        .layer(map_response(move |response| async move { app::guard(response, is_secure) }))
}

/// Says that there are too many, without waiting for whoever asks.
fn turn_away(stream: &SharedStream) {
    let answer =
        b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let _ = stream.take_writing().try_write(answer);
}

/// Serves one connection, until it is a device's or its time is over.
async fn converse(visit: Visit, router: Router, tls: Option<Arc<Tls>>) {
    // Keys are small and must not wait for more.
    if let Err(error) = visit.stream.set_nodelay() {
        tracing::debug!(%error, "a connection went away at once");
        return;
    }
    tokio::select! {
        () = speak(visit.clone(), router, tls) => {}
        () = visit.wears_out() => {
            tracing::debug!(source = %visit.source, "a connection took too long");
            visit.stream.cut();
        }
    }
}

/// Speaks HTTPS where there is a certificate, else HTTP.
async fn speak(visit: Visit, router: Router, tls: Option<Arc<Tls>>) {
    let stream = visit.stream.clone();
    let Some(tls) = tls else { return http(stream, visit, router).await };
    // All of it is in the time that a device has for its handshake.
    match timeout_at(visit.handshake_deadline(), tls.accept(stream)).await {
        Ok(Ok(Greeted::Secure(stream))) => http(stream, visit, router).await,
        Ok(Ok(Greeted::Plain(stream))) => http(stream, visit, redirect::router()).await,
        Ok(Err(error)) => tracing::debug!(source = %visit.source, %error, "TLS ended"),
        Err(_) => tracing::debug!(source = %visit.source, "TLS took too long"),
    }
}

/// Speaks HTTP; returns when the connection has ended, or has become a WebSocket.
pub(crate) async fn http<S>(stream: S, visit: Visit, router: Router)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let source = visit.source;
    let service = TowerToHyperService::new(router.layer(Extension(visit)));
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        // For a request that begins, and for the next one to begin.
        .header_read_timeout(HANDSHAKE_TIME)
        .max_buf_size(HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    if let Err(error) = served.await {
        tracing::debug!(%source, %error, "HTTP ended");
    }
}

async fn websocket(
    State(shared): State<Arc<Shared>>,
    Extension(visit): Extension<Visit>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if !is_own_page(&headers, shared.config.advertise.as_ref()) {
        return (StatusCode::FORBIDDEN, "this page does not belong to this daemon\n")
            .into_response();
    }
    let upgrade = upgrade.protocols([SUBPROTOCOL]);
    if upgrade.selected_protocol() != Some(&HeaderValue::from_static(SUBPROTOCOL)) {
        let text = format!("the WebSocket subprotocol must be {SUBPROTOCOL}\n");
        return (StatusCode::BAD_REQUEST, text).into_response();
    }
    let deadline = visit.handshake_deadline();
    visit.unproven.begin();
    // The longest that a device sends is a record.
    upgrade
        .read_buffer_size(READ_AHEAD)
        .max_message_size(channel::MAX_RECORD)
        .max_frame_size(channel::MAX_RECORD)
        .on_upgrade(async move |socket| {
            let Visit { source, stream, unproven, .. } = visit;
            // TLS has one state for both directions: there the library writes.
            let is_plain = shared.tls.is_none();
            connection::serve(socket, shared, source, stream, is_plain, unproven, deadline).await;
        })
}
