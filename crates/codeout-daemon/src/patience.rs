//! How long the daemon serves HTTP to whoever has proved nothing.
//!
//! A phone on a bad link loads the app as slowly as it must, as long as something moves. Who takes
//! a place and does not use it gives it back.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use tokio::time::{Instant, MissedTickBehavior};

use crate::admission::HANDSHAKE_TIME;
use crate::doorway::Unproven;
use crate::shared_stream::SharedStream;

/// The requests that one connection may make: more than the app has files.
const REQUESTS: u32 = 100;
/// From its first byte to its last, as long as it is HTTP.
const WHOLE: Duration = Duration::from_secs(300);
/// How often is looked whether anything moved…
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// …and how many looks may find that nothing did.
const STILL: u32 = 2;

/// One connection as its requests see it.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    /// Where it comes from.
    pub(crate) source: IpAddr,
    /// What it runs over.
    pub(crate) stream: SharedStream,
    /// Its place in the doorway.
    pub(crate) unproven: Arc<Unproven>,
    accepted: Instant,
    requests: Arc<AtomicU32>,
}

impl Visit {
    /// A connection that has just been accepted.
    pub(crate) fn new(source: IpAddr, stream: SharedStream, unproven: Unproven) -> Self {
        Visit {
            source,
            stream,
            unproven: Arc::new(unproven),
            accepted: Instant::now(),
            requests: Arc::default(),
        }
    }

    /// When the handshake must be through that its present request begins. What came before the
    /// first request counts.
    pub(crate) fn handshake_deadline(&self) -> Instant {
        let is_first = self.requests.load(Ordering::Relaxed) <= 1;
        let begin = if is_first { self.accepted } else { Instant::now() };
        begin + HANDSHAKE_TIME
    }

    /// Returns when the connection has had its time, or nothing moves on it.
    pub(crate) async fn wears_out(&self) {
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut moved, mut still) = (u64::MAX, 0);
        while still < STILL && self.accepted.elapsed() < WHOLE {
            look.tick().await;
            let before = std::mem::replace(&mut moved, self.stream.moved());
            still = if before == moved { still + 1 } else { 0 };
        }
    }
}

/// Ends the connection behind its last request, and behind one that got nothing.
pub(crate) async fn bounded(mut request: Request, next: Next) -> Response {
    let visit = request.extensions_mut().get::<Visit>();
    let number = visit.map_or(0, |visit| 1 + visit.requests.fetch_add(1, Ordering::Relaxed));
    let mut response = next.run(request).await;
    let goes_on = match response.status() {
        StatusCode::SWITCHING_PROTOCOLS => true,
        StatusCode::OK | StatusCode::NOT_MODIFIED => number < REQUESTS,
        _ => false,
    };
    if !goes_on {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doorway::Doorway;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    /// A visit, and its other end.
    async fn visit() -> (Visit, TcpStream) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let other = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, source) = listener.accept().await.unwrap();
        let stream = SharedStream::new(stream);
        let entered = Arc::new(Doorway::new(None)).enter(source.ip(), stream.clone()).unwrap();
        (Visit::new(source.ip(), stream, entered.place), other)
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_where_nothing_moves() {
        let (visit, _other) = visit().await;
        let begin = Instant::now();
        visit.wears_out().await;
        assert_eq!(begin.elapsed().as_secs(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn it_goes_on_where_something_moves_and_not_for_ever() {
        let (visit, mut other) = visit().await;
        let mut stream = visit.stream.clone();
        let begin = Instant::now();
        let mut pace = tokio::time::interval(Duration::from_secs(9));
        let moves = async {
            loop {
                pace.tick().await;
                other.write_all(b"x").await.unwrap();
                stream.read_u8().await.unwrap();
            }
        };
        tokio::select! {
            () = visit.wears_out() => {}
            () = moves => {}
        }
        assert_eq!(begin.elapsed(), WHOLE);
    }
}
