//! A small daemon made of the protocol crate, that behaves as each test wants it to.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test that fails")]

mod handshakes;
pub mod lasting;
pub mod local;
mod peer;
mod talk;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use codeout_device::{Attachment, How, PairRequest, Profile, Profiles, SessionOutput, State};
use codeout_protocol::code::Code;
use codeout_protocol::error::Alert;
use codeout_protocol::handshake::{DeviceCredentials, Mode};
use codeout_protocol::link::Link;
use codeout_protocol::message::{
    Attach, ClosingReason, DeviceEntry, Event, FromDaemon, Limits, VERSION, Welcome,
};
use codeout_protocol::name::Name;
use codeout_protocol::pairing::PairRefusal;
use codeout_protocol::sodium::{KeyPair, Psk, PublicKey, Token};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request as Http, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

pub use peer::{Peer, Said};
#[allow(unused_imports, reason = "each test file uses its part")]
pub use talk::{Session, entry};

/// What the daemon does with one connection.
#[derive(Clone, Debug, PartialEq)]
pub enum Behaviour {
    /// What the protocol says.
    Honest,
    /// Hands the established connection to the test.
    ByHand,
    /// Answers in plain HTTP.
    Http(&'static str),
    /// Accepts the WebSocket without its subprotocol.
    NoSubprotocol,
    /// Answers the first message with this one.
    First(Vec<u8>),
    /// Answers the first message with text.
    Text,
    /// Ends the link behind the first message.
    CutAtFirst,
    /// At the control socket: says nothing behind the first message, until the test lets it go
    /// on.
    HoldAtFirst,
    /// Changes the last handshake message on the way.
    TamperLast,
    /// Answers the device's last handshake message with this alert.
    AlertLast(Alert),
    /// Refuses the device that proved the code.
    Refuse(PairRefusal),
    /// Ends the link behind P3, which arrived or did not.
    CutAtP3 { landed: bool },
    /// Says nothing more behind P3, which arrived or did not, until the test lets it go on.
    HoldAtP3 { landed: bool },
    /// Holds P3 back, refuses the next Connect, and only then takes P3.
    LateP3,
    /// Ends the link behind P4.
    CutAtP4,
    /// Ends the link behind the device's first record.
    CutAtPing,
    /// Is honest, and ends the link behind so many messages of both ends together.
    CutAfter(usize),
    /// Says farewell at once.
    Close(ClosingReason),
}

/// What the daemon has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub pairs: usize,
    pub connects: usize,
    pub records: usize,
}

#[derive(Default)]
struct Book {
    code: Option<Code>,
    devices: HashMap<PublicKey, (Psk, Name)>,
    /// What it calls whoever comes by its control socket, if not "laptop".
    local_name: Option<Name>,
    behaviours: VecDeque<Behaviour>,
    seen: Seen,
    sessions: BTreeMap<u32, Session>,
}

pub struct TestDaemon {
    pub identity: KeyPair,
    pub address: codeout_protocol::address::Address,
    pub by_hand: mpsc::UnboundedReceiver<Peer>,
    inner: Arc<Inner>,
    task: JoinHandle<()>,
}

struct Inner {
    identity: KeyPair,
    book: Mutex<Book>,
    by_hand: mpsc::UnboundedSender<Peer>,
    /// Somebody was put on hold; may go on.
    holding: Notify,
    go_on: Notify,
}

impl Drop for TestDaemon {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl TestDaemon {
    pub async fn start() -> Self {
        Self::with_identity(KeyPair::generate()).await
    }

    pub async fn with_identity(identity: KeyPair) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let (peers, by_hand) = mpsc::unbounded_channel();
        let inner = Arc::new(Inner {
            identity: identity.clone(),
            book: Mutex::default(),
            by_hand: peers,
            holding: Notify::new(),
            go_on: Notify::new(),
        });
        let served = Arc::clone(&inner);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let next = served.book.lock().unwrap().behaviours.pop_front();
                let behaviour = next.unwrap_or(Behaviour::Honest);
                tokio::spawn(serve(stream, Arc::clone(&served), behaviour));
            }
        });
        TestDaemon { identity, address, by_hand, inner, task }
    }

    /// Opens an offer.
    pub fn offer(&self) -> Code {
        let code = Code::random();
        self.inner.book.lock().unwrap().code = Some(code.clone());
        code
    }

    pub fn link(&self) -> How {
        How::Link(Link {
            address: self.address.clone(),
            code: self.offer(),
            daemon_key: self.identity.public,
        })
    }

    pub fn typed(&self) -> How {
        How::Code { address: self.address.clone(), code: self.offer() }
    }

    /// What the daemon does with the next connections; honest behind them.
    pub fn behave(&self, behaviours: impl IntoIterator<Item = Behaviour>) {
        self.inner.book.lock().unwrap().behaviours.extend(behaviours);
    }

    pub fn seen(&self) -> Seen {
        self.inner.book.lock().unwrap().seen
    }

    /// A session that an honest connection can attach to.
    pub fn put_session(&self, number: u32, session: Session) {
        self.inner.book.lock().unwrap().sessions.insert(number, session);
    }

    /// Looks at a session, or changes it.
    pub fn session<T>(&self, number: u32, look: impl FnOnce(&mut Session) -> T) -> T {
        look(self.inner.book.lock().unwrap().sessions.get_mut(&number).unwrap())
    }

    pub fn drop_session(&self, number: u32) {
        self.inner.book.lock().unwrap().sessions.remove(&number);
    }

    pub fn devices(&self) -> usize {
        self.inner.book.lock().unwrap().devices.len()
    }

    /// Calls whoever comes by its control socket so from now on.
    pub fn rename_local(&self, name: Name) {
        self.inner.book.lock().unwrap().local_name = Some(name);
    }

    pub fn forget_devices(&self) {
        self.inner.book.lock().unwrap().devices.clear();
    }

    /// Waits until a device is on hold.
    pub async fn holding(&self) {
        self.inner.holding.notified().await;
    }

    /// Lets it go on.
    pub fn go_on(&self) {
        self.inner.go_on.notify_one();
    }

    /// A profile that this daemon knows.
    pub fn profile(&self) -> Profile {
        let mut bytes = [0; 32];
        codeout_protocol::sodium::random_bytes(&mut bytes);
        let credentials = DeviceCredentials {
            daemon_key: self.identity.public,
            device: KeyPair::generate(),
            token: Token::from_bytes(&bytes),
        };
        let known = (credentials.token.psk(), name("laptop"));
        self.inner.book.lock().unwrap().devices.insert(credentials.device.public, known);
        Profile {
            name: "desk".to_owned(),
            address: self.address.clone(),
            credentials,
            device_name: name("laptop"),
            state: State::Paired,
            paired_at: 1,
            fingerprint: None,
        }
    }

    /// A connection whose other end the test plays.
    pub async fn linked(&mut self) -> (codeout_device::Connection, Peer) {
        let profile = self.profile();
        self.behave([Behaviour::ByHand]);
        let connection = codeout_device::connect(&profile).await.unwrap();
        (connection, self.by_hand.recv().await.unwrap())
    }
}

/// A connection that is attached to session 5 and shows nothing yet; the test plays its other
/// end.
pub async fn attached() -> (TestDaemon, codeout_device::Connection, Attachment, Peer) {
    let mut daemon = TestDaemon::start().await;
    let (connection, mut peer) = daemon.linked().await;
    let attach = Attach { session: 5, keyboard: Some(9), ..Attach::default() };
    let (attached, ()) = tokio::join!(connection.attach(attach), peer.attach(0));
    let (_, mut attachment) = attached.unwrap();
    assert!(matches!(attachment.read().await, Some(SessionOutput::Snapshot { .. })));
    assert!(matches!(attachment.read().await, Some(SessionOutput::SnapshotEnd)));
    (daemon, connection, attachment, peer)
}

pub fn name(text: &str) -> Name {
    Name::clean(text).unwrap()
}

pub fn request(how: How) -> PairRequest {
    PairRequest { how, device_name: name("laptop"), expected: None, again: false }
}

/// An empty store, gone with the directory.
pub fn store() -> (tempfile::TempDir, Profiles) {
    let directory = tempfile::tempdir().unwrap();
    let profiles = Profiles::open(&directory.path().join("codeout/daemons.json")).unwrap();
    (directory, profiles)
}

async fn serve(mut stream: TcpStream, inner: Arc<Inner>, behaviour: Behaviour) {
    if let Behaviour::Http(answer) = behaviour {
        let mut request = [0; 1024];
        let _ = stream.read(&mut request).await;
        let _ = stream.write_all(answer.as_bytes()).await;
        return;
    }
    let subprotocol = behaviour != Behaviour::NoSubprotocol;
    #[allow(clippy::result_large_err, reason = "tungstenite's own type")]
    let choose = |request: &Http, mut response: Response| -> Result<Response, ErrorResponse> {
        let asked = request.headers().get("sec-websocket-protocol");
        assert_eq!(asked, Some(&HeaderValue::from_static("codeout.1")));
        assert_eq!(request.uri().path(), "/ws");
        if subprotocol {
            response.headers_mut().insert("sec-websocket-protocol", asked.unwrap().clone());
        }
        Ok(response)
    };
    let Ok(mut socket) = accept_hdr_async(stream, choose).await else { return };
    let Some(first) = receive(&mut socket).await else { return };
    let mode = Mode::of(&first).unwrap();
    {
        let seen = &mut inner.book.lock().unwrap().seen;
        match mode {
            Mode::Connect => seen.connects += 1,
            Mode::Pair => seen.pairs += 1,
        }
    }
    match &behaviour {
        Behaviour::First(answer) => return send(&mut socket, answer.clone()).await,
        Behaviour::Text => {
            let _ = socket.send(Message::Text("hello".into())).await;
            return;
        }
        Behaviour::CutAtFirst => return,
        _ => {}
    }
    let made = match mode {
        Mode::Connect => handshakes::connect(&mut socket, &inner, &behaviour, &first).await,
        Mode::Pair => handshakes::pair(&mut socket, &inner, &behaviour, &first).await,
    };
    match made {
        Ok(Some(_)) if behaviour == Behaviour::CutAtP4 => {}
        Ok(Some(channel)) => {
            let peer = Peer::new(socket, channel);
            if behaviour == Behaviour::ByHand {
                let _ = inner.by_hand.send(peer);
            } else {
                talk::talk(peer, &inner, &behaviour).await;
            }
        }
        Ok(None) => {}
        Err(error) => send(&mut socket, error.alert().message().to_vec()).await,
    }
}

async fn receive(socket: &mut WebSocketStream<TcpStream>) -> Option<Vec<u8>> {
    match socket.next().await {
        Some(Ok(Message::Binary(bytes))) => Some(bytes.into()),
        _ => None,
    }
}

async fn send(socket: &mut WebSocketStream<TcpStream>, message: Vec<u8>) {
    let _ = socket.send(Message::Binary(message.into())).await;
}

pub fn welcome_event(device: &Name) -> Event {
    Event::Welcome(Welcome {
        protocol: VERSION,
        daemon: "Work\u{202e} desk\x1b[31m".to_owned(),
        device: DeviceEntry {
            id: "ABCDEFGH".to_owned(),
            name: device.to_string(),
            paired_at: 1,
            last_seen: None,
            connected: true,
            unfinished: false,
            limits: Limits::default(),
            this: true,
        },
    })
}

fn welcome(device: &Name) -> Vec<u8> {
    FromDaemon::Event(welcome_event(device)).write()
}
