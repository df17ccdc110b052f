//! HTTP: a page that says what this is, and the WebSocket as a pipe of bytes.
//!
//! Nothing here acts on a cookie, an address or a header: who is let in is decided by the
//! handshake alone. The one header that is looked at, `Origin`, can only turn a browser away.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use codeout_protocol::{SUBPROTOCOL, WEBSOCKET_PATH, channel};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::admission::HANDSHAKE_TIME;
use crate::connection;
use crate::doorway::{Doorway, Unproven};
use crate::shared_stream::SharedStream;
use crate::state::Shared;

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
    let doorway = Arc::new(Doorway::default());
    let app = Router::new()
        .route("/", get(page))
        .route(WEBSOCKET_PATH, get(websocket))
        .with_state(shared)
        .layer(map_response(one_request_each));
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
        match doorway.enter(source) {
            Some(unproven) => {
                tokio::spawn(converse(stream, source, unproven, app.clone()));
            }
            None => turn_away(&stream),
        }
    }
}

/// Ends the connection behind an answer: who has proved nothing holds a place for a moment.
async fn one_request_each(mut response: Response) -> Response {
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Says that there are too many, without waiting for whoever asks.
fn turn_away(stream: &TcpStream) {
    let answer =
        b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let _ = stream.try_write(answer);
}

/// What a request needs to know of the connection that it came on.
#[derive(Clone)]
struct Origin {
    source: IpAddr,
    socket: SharedStream,
    unproven: Arc<Unproven>,
    accepted: Instant,
}

async fn converse(stream: TcpStream, source: IpAddr, unproven: Unproven, app: Router) {
    let accepted = Instant::now();
    // Keys are small and must not wait for more.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection went away at once");
        return;
    }
    let stream = SharedStream::new(stream);
    let origin = Origin { source, socket: stream.clone(), unproven: Arc::new(unproven), accepted };
    let service = TowerToHyperService::new(app.layer(Extension(origin)));
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HANDSHAKE_TIME)
        .max_buf_size(HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    if let Err(error) = served.await {
        tracing::debug!(%source, %error, "HTTP ended");
    }
}

async fn page(State(shared): State<Arc<Shared>>) -> Response {
    let name = escape(shared.config.name.as_str());
    let html = include_str!("page.html").replace("{{daemon}}", &name);
    let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; \
                  base-uri 'none'; form-action 'none'";
    let headers = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, Html(html)).into_response()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

async fn websocket(
    State(shared): State<Arc<Shared>>,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if !same_origin(&headers) {
        return (StatusCode::FORBIDDEN, "this page does not belong to this daemon\n")
            .into_response();
    }
    let upgrade = upgrade.protocols([SUBPROTOCOL]);
    if upgrade.selected_protocol() != Some(&HeaderValue::from_static(SUBPROTOCOL)) {
        let text = format!("the WebSocket subprotocol must be {SUBPROTOCOL}\n");
        return (StatusCode::BAD_REQUEST, text).into_response();
    }
    // The longest that a device sends is a record.
    upgrade
        .read_buffer_size(READ_AHEAD)
        .max_message_size(channel::MAX_RECORD)
        .max_frame_size(channel::MAX_RECORD)
        .on_upgrade(async move |socket| {
            let Origin { source, socket: stream, unproven, accepted } = origin;
            let deadline = accepted + HANDSHAKE_TIME;
            connection::serve(socket, shared, source, stream, true, unproven, deadline).await;
        })
}

/// A browser says from which page a WebSocket is opened: it must be one that this daemon served
/// under the very name that it is now spoken to. Programs say nothing.
fn same_origin(headers: &HeaderMap) -> bool {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let Some(origin) = origins.next() else { return true };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let authority = origin.to_str().ok().and_then(|origin| {
        origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"))
    });
    match (authority, host, origins.next()) {
        (Some(authority), Some(host), None) => authority.eq_ignore_ascii_case(host),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(header::HeaderName, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(name, HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn only_the_daemons_own_pages_may_open_a_websocket() {
        use header::{HOST, ORIGIN};
        let own = [(HOST, "desk:8400"), (ORIGIN, "http://desk:8400")];
        assert!(same_origin(&headers(&own)));
        assert!(same_origin(&headers(&[(HOST, "desk:8400")])));
        assert!(same_origin(&headers(&[(HOST, "desk"), (ORIGIN, "https://DESK")])));
        for foreign in [
            vec![(HOST, "desk:8400"), (ORIGIN, "http://evil.example")],
            vec![(HOST, "desk:8400"), (ORIGIN, "http://desk:8401")],
            vec![(HOST, "desk:8400"), (ORIGIN, "http://desk:8400.evil.example")],
            vec![(HOST, "desk:8400"), (ORIGIN, "null")],
            vec![(HOST, "desk:8400"), (ORIGIN, "file://desk:8400")],
            vec![(HOST, "desk:8400"), (ORIGIN, "")],
            vec![(ORIGIN, "http://desk:8400")],
            vec![(HOST, "desk"), (ORIGIN, "http://desk"), (ORIGIN, "http://evil.example")],
        ] {
            assert!(!same_origin(&headers(&foreign)), "{foreign:?}");
        }
    }

    #[test]
    fn a_name_cannot_break_out_of_the_page() {
        assert_eq!(escape("<b>&\"x"), "&lt;b&gt;&amp;&quot;x");
    }
}
