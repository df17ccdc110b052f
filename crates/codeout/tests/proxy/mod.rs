//! An attacker in the middle: a TCP proxy on loopback that speaks WebSocket to both sides, writes
//! down all that passes, and changes what its plan says.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use codeout_protocol::address::Address;
use codeout_protocol::{SUBPROTOCOL, WEBSOCKET_PATH};
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

use crate::support::PATIENCE;

mod impostor;
mod tap;
pub(crate) use impostor::Impostor;
use tap::Tap;

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Device,
    Daemon,
}

/// Which message of a connection: its sender, and how many of the same sender come before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(pub(crate) Side, pub(crate) usize);

/// P1 or M1.
pub(crate) const FIRST: Place = Place(Side::Device, 0);
/// P2 or M2.
pub(crate) const SECOND: Place = Place(Side::Daemon, 0);
/// P3 or M3.
pub(crate) const THIRD: Place = Place(Side::Device, 1);
/// P4 or M4, with the daemon's first record.
pub(crate) const FOURTH: Place = Place(Side::Daemon, 1);
pub(crate) const HANDSHAKE: [Place; 4] = [FIRST, SECOND, THIRD, FOURTH];

impl Place {
    /// The `n`th record behind the handshake, from 0.
    pub(crate) fn record(from: Side, n: usize) -> Self {
        Place(from, 2 + n)
    }
}

/// What the attacker does to one message.
#[derive(Clone, Debug)]
pub(crate) enum How {
    Flip {
        byte: usize,
        mask: u8,
    },
    Truncate(usize),
    Extend(Vec<u8>),
    /// Sends it twice.
    Repeat,
    /// Sends it behind the next one of the same sender.
    Later,
    /// Sends it back instead of on.
    Reflect,
    Drop,
    Replace(Vec<u8>),
    /// Cuts both links instead.
    Cut,
}

/// What the attacker does to a connection.
#[derive(Clone, Debug)]
pub(crate) enum Plan {
    Relay,
    Change(Place, How),
    /// Answers in the daemon's place.
    Impersonate(Arc<Impostor>),
}

/// What passed on one connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Every message as its sender sent it.
    pub(crate) messages: Vec<(Side, Vec<u8>)>,
    /// The bytes on both links, in both directions: HTTP, and WebSocket with its masks.
    pub(crate) raw: [Vec<u8>; 4],
    /// Who ended it.
    pub(crate) ended_by: Option<Side>,
    /// Both links are gone.
    pub(crate) over: bool,
}

impl Seen {
    pub(crate) fn message(&self, Place(from, index): Place) -> Option<&[u8]> {
        self.from(from).nth(index)
    }

    pub(crate) fn from(&self, side: Side) -> impl Iterator<Item = &[u8]> {
        let messages = self.messages.iter();
        messages.filter(move |(from, _)| *from == side).map(|(_, bytes)| bytes.as_slice())
    }
}

pub(crate) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    accepting: AbortHandle,
}

struct Shared {
    daemon: u16,
    plans: Mutex<Plans>,
    book: Mutex<Book>,
    changed: watch::Sender<()>,
}

struct Plans {
    /// For the next connection…
    once: Option<Plan>,
    /// …and for those that follow.
    then: Plan,
}

#[derive(Default)]
struct Book {
    /// The number of the first connection that is not forgotten.
    first: usize,
    seen: VecDeque<Seen>,
}

impl Proxy {
    /// A proxy before the daemon on `daemon`, a port of loopback. It relays.
    pub(crate) async fn before(daemon: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            daemon,
            plans: Mutex::new(Plans { once: None, then: Plan::Relay }),
            book: Mutex::default(),
            changed: watch::Sender::new(()),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared))).abort_handle();
        Proxy { port, shared, accepting }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn address(&self) -> Address {
        Address::new(false, "127.0.0.1", Some(self.port)).unwrap()
    }

    /// Follows `plan` from the next connection on, and forgets what it has seen.
    pub(crate) fn plan(&self, plan: Plan) {
        *self.shared.plans.lock().unwrap() = Plans { once: None, then: plan };
        self.forget();
    }

    /// Follows `plan` on the next connection, relays from then on, and forgets what it has seen.
    pub(crate) fn once(&self, plan: Plan) {
        *self.shared.plans.lock().unwrap() = Plans { once: Some(plan), then: Plan::Relay };
        self.forget();
    }

    fn forget(&self) {
        let mut book = self.shared.book.lock().unwrap();
        book.first += book.seen.len();
        book.seen.clear();
    }

    /// What it has seen so far, oldest connection first.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.book.lock().unwrap().seen.iter().cloned().collect()
    }

    /// Waits until `pick` finds what it looks for in what was seen.
    pub(crate) async fn when<T>(&self, mut pick: impl FnMut(&[Seen]) -> Option<T>) -> T {
        let mut changed = self.shared.changed.subscribe();
        let found = async {
            loop {
                changed.mark_unchanged();
                if let Some(found) = pick(self.shared.book.lock().unwrap().seen.make_contiguous()) {
                    return found;
                }
                changed.changed().await.unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, found).await.expect("what was awaited did not pass")
    }

    /// Waits until every connection since the last plan is over, and there was one. The last one.
    pub(crate) async fn over(&self) -> Seen {
        self.when(|seen| match seen {
            [.., last] if seen.iter().all(|seen| seen.over) => Some(last.clone()),
            _ => None,
        })
        .await
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Where one connection is written down.
#[derive(Clone)]
struct Log {
    shared: Arc<Shared>,
    number: usize,
}

impl Log {
    fn new(shared: &Arc<Shared>) -> Self {
        let mut book = shared.book.lock().unwrap();
        book.seen.push_back(Seen::default());
        Log { shared: Arc::clone(shared), number: book.first + book.seen.len() - 1 }
    }

    /// Notes something, unless the connection was forgotten.
    fn note(&self, what: impl FnOnce(&mut Seen)) {
        let mut book = self.shared.book.lock().unwrap();
        let index = self.number.checked_sub(book.first);
        if let Some(seen) = index.and_then(|index| book.seen.get_mut(index)) {
            what(seen);
        }
    }

    fn tell(&self, what: impl FnOnce(&mut Seen)) {
        self.note(what);
        self.shared.changed.send_replace(());
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let plan = {
            let mut plans = shared.plans.lock().unwrap();
            plans.once.take().unwrap_or_else(|| plans.then.clone())
        };
        let log = Log::new(&shared);
        tokio::spawn(async move {
            // Where a link fails, both parties see it end.
            let _ = serve(stream, plan, &log).await;
            log.tell(|seen| seen.over = true);
        });
    }
}

type Link = WebSocketStream<Tap>;

async fn serve(stream: TcpStream, plan: Plan, log: &Log) -> Result<(), WsError> {
    let device = Tap::new(stream, log, 0)?;
    let mut device = tokio_tungstenite::accept_hdr_async(device, select_subprotocol).await?;
    if let Plan::Impersonate(impostor) = plan {
        return impostor.serve(&mut device, log).await;
    }
    let daemon = TcpStream::connect(("127.0.0.1", log.shared.daemon)).await?;
    let daemon = Tap::new(daemon, log, 2)?;
    let url = format!("ws://127.0.0.1:{}{WEBSOCKET_PATH}", log.shared.daemon);
    let mut request = url.into_client_request()?;
    request.headers_mut().insert("sec-websocket-protocol", SUBPROTOCOL.parse().unwrap());
    let (daemon, _) = tokio_tungstenite::client_async(request, daemon).await?;
    Relay { device, daemon, log, plan, counts: [0; 2], held: None }.run().await
}

#[allow(clippy::result_large_err, reason = "the form of the callback is given")]
fn select_subprotocol(
    request: &Request,
    mut response: Response,
) -> Result<Response, ErrorResponse> {
    assert_eq!(request.uri(), WEBSOCKET_PATH);
    assert_eq!(request.headers()["sec-websocket-protocol"], SUBPROTOCOL);
    response.headers_mut().insert("sec-websocket-protocol", SUBPROTOCOL.parse().unwrap());
    Ok(response)
}

/// One connection, with a link to either side.
struct Relay<'a> {
    device: Link,
    daemon: Link,
    log: &'a Log,
    plan: Plan,
    /// Messages that came from the device, and from the daemon.
    counts: [usize; 2],
    /// What is to go behind the next message of the same sender.
    held: Option<(Side, Vec<u8>)>,
}

impl Relay<'_> {
    async fn run(mut self) -> Result<(), WsError> {
        loop {
            let (from, came) = tokio::select! {
                came = self.device.next() => (Side::Device, came),
                came = self.daemon.next() => (Side::Daemon, came),
            };
            match came {
                Some(Ok(Message::Binary(bytes))) => {
                    if !self.take(from, bytes.into()).await {
                        return Ok(());
                    }
                }
                // Each link answers for itself.
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Text(text))) => {
                    // A link that fails here shows at its next message.
                    let _ = self.other(from).send(Message::Text(text)).await;
                }
                Some(Ok(Message::Close(_) | Message::Frame(_)) | Err(_)) | None => {
                    return self.end(from).await;
                }
            }
        }
    }

    fn other(&mut self, side: Side) -> &mut Link {
        match side {
            Side::Device => &mut self.daemon,
            Side::Daemon => &mut self.device,
        }
    }

    /// Takes a message and sends what the plan makes of it; false when it cuts the links.
    async fn take(&mut self, from: Side, message: Vec<u8>) -> bool {
        let index = self.counts[from as usize];
        self.counts[from as usize] += 1;
        self.log.tell(|seen| seen.messages.push((from, message.clone())));
        let how = match &self.plan {
            Plan::Change(place, how) if *place == Place(from, index) => Some(how.clone()),
            _ => None,
        };
        let mut on = message.clone();
        let mut back = None;
        let mut copies = 1;
        match how {
            None => {}
            Some(How::Flip { byte, mask }) => on[byte] ^= mask,
            Some(How::Truncate(length)) => {
                assert!(length < on.len(), "there is nothing to cut off");
                on.truncate(length);
            }
            Some(How::Extend(more)) => on.extend(more),
            Some(How::Repeat) => copies = 2,
            Some(How::Replace(other)) => on = other,
            Some(How::Drop) => copies = 0,
            Some(How::Reflect) => (copies, back) = (0, Some(message)),
            Some(How::Later) => {
                self.held = Some((from, message));
                return true;
            }
            Some(How::Cut) => return false,
        }
        let other = self.other(from);
        for _ in 0..copies {
            let _ = other.send(Message::Binary(on.clone().into())).await;
        }
        if let Some((_, held)) = self.held.take_if(|(side, _)| *side == from) {
            let _ = self.other(from).send(Message::Binary(held.into())).await;
        }
        if let Some(back) = back {
            let itself = if from == Side::Device { Side::Daemon } else { Side::Device };
            let _ = self.other(itself).send(Message::Binary(back.into())).await;
        }
        true
    }

    /// One side has ended it: ends it on the other side too, and waits until that is gone.
    async fn end(mut self, by: Side) -> Result<(), WsError> {
        self.log.tell(|seen| seen.ended_by = Some(by));
        let rest = if by == Side::Device { Side::Daemon } else { Side::Device };
        let _ = self.other(by).close(None).await;
        while let Some(Ok(message)) = self.other(by).next().await {
            if let Message::Binary(bytes) = message {
                self.log.tell(|seen| seen.messages.push((rest, bytes.into())));
            }
        }
        Ok(())
    }
}
