//! A small daemon made of the protocol crate, that behaves as each test wants it to.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test that fails")]

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use codeout_device::{How, PairRequest, Profile, Profiles, State};
use codeout_protocol::channel::{Channel, Opened, Opener, Sealer};
use codeout_protocol::code::Code;
use codeout_protocol::error::{Alert, Error};
use codeout_protocol::handshake::{self, DaemonEphemeral, DeviceCredentials, Mode};
use codeout_protocol::link::Link;
use codeout_protocol::message::{
    Answer, Chunk, ClosingReason, DeviceEntry, Event, ExitStatus, FromDaemon, FromDevice, Limits,
    NumberedRequest, Outcome, Progress, Reply, Request, VERSION, Welcome,
};
use codeout_protocol::name::Name;
use codeout_protocol::pairing::{self, DaemonPairing, PairRefusal};
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
    behaviours: VecDeque<Behaviour>,
    seen: Seen,
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

    pub fn devices(&self) -> usize {
        self.inner.book.lock().unwrap().devices.len()
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

/// A daemon's end of a connection.
pub struct Peer {
    pub socket: WebSocketStream<TcpStream>,
    sealer: Option<Sealer>,
    opener: Opener,
}

/// A device's message, in its own memory.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    Request(u32, Request),
    Input {
        session: u32,
        offset: u64,
        bytes: Vec<u8>,
    },
    Read {
        session: u32,
        offset: u64,
    },
    Final,
    /// The link ended.
    Gone,
}

impl Peer {
    fn new(socket: WebSocketStream<TcpStream>, channel: Channel) -> Self {
        Peer { socket, sealer: Some(channel.sealer), opener: channel.opener }
    }

    pub async fn send(&mut self, message: &FromDaemon<'_>) {
        self.send_plaintext(&message.write()).await;
    }

    pub async fn send_plaintext(&mut self, plaintext: &[u8]) {
        let sealer = self.sealer.as_mut().unwrap();
        let record = sealer.seal(Duration::ZERO, plaintext).unwrap();
        self.send_raw(record).await;
    }

    pub async fn send_raw(&mut self, message: Vec<u8>) {
        // The device may have hung up.
        let _ = self.socket.send(Message::Binary(message.into())).await;
    }

    pub async fn output(&mut self, session: u32, offset: u64, bytes: &[u8]) {
        self.send(&FromDaemon::Output(Chunk { session, offset, bytes })).await;
    }

    pub async fn input_written(&mut self, session: u32, offset: u64) {
        self.send(&FromDaemon::InputWritten(Progress { session, offset })).await;
    }

    pub async fn event(&mut self, event: Event) {
        self.send(&FromDaemon::Event(event)).await;
    }

    pub async fn reply(&mut self, id: u32, answer: Answer) {
        let outcome = Outcome::Ok(answer);
        self.send(&FromDaemon::Reply(Reply { id, outcome })).await;
    }

    pub async fn finish(&mut self, plaintext: &[u8]) {
        let record = self.sealer.take().unwrap().finish(plaintext).unwrap();
        self.send_raw(record).await;
        let _ = self.socket.close(None).await;
    }

    pub async fn close(&mut self, reason: ClosingReason) {
        let closing = FromDaemon::Event(Event::Closing { reason });
        self.finish(&closing.write()).await;
    }

    pub async fn next(&mut self) -> Said {
        loop {
            let record = match self.socket.next().await {
                Some(Ok(Message::Binary(record))) => record,
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                _ => return Said::Gone,
            };
            let plaintext = match self.opener.open(&record).unwrap() {
                Opened::Final(_) => return Said::Final,
                Opened::Message(plaintext) => plaintext,
            };
            return match FromDevice::read(&plaintext).unwrap() {
                FromDevice::Request(NumberedRequest { id, request }) => Said::Request(id, request),
                FromDevice::Input(Chunk { session, offset, bytes }) => {
                    Said::Input { session, offset, bytes: bytes.to_vec() }
                }
                FromDevice::OutputRead(Progress { session, offset }) => {
                    Said::Read { session, offset }
                }
                FromDevice::Unreadable { error, .. } => panic!("{error:?}"),
            };
        }
    }

    /// The next request; anything else fails the test.
    pub async fn request(&mut self) -> (u32, Request) {
        match self.next().await {
            Said::Request(id, request) => (id, request),
            other => panic!("no request: {other:?}"),
        }
    }

    /// Plays the daemon's part of opening a session.
    pub async fn open(&mut self, session: u32) {
        let (id, request) = self.request().await;
        assert!(matches!(request, Request::Open { .. }), "{request:?}");
        self.reply(id, Answer::Opened { session }).await;
    }
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
        Mode::Connect => connect(&mut socket, &inner, &behaviour, &first).await,
        Mode::Pair => pair(&mut socket, &inner, &behaviour, &first).await,
    };
    match made {
        Ok(Some(_)) if behaviour == Behaviour::CutAtP4 => {}
        Ok(Some(channel)) => {
            let peer = Peer::new(socket, channel);
            if behaviour == Behaviour::ByHand {
                let _ = inner.by_hand.send(peer);
            } else {
                talk(peer, &inner, &behaviour).await;
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

async fn connect(
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

async fn pair(
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

/// The honest daemon: its one program echoes, and ends at a `.`.
async fn talk(mut peer: Peer, inner: &Inner, behaviour: &Behaviour) {
    let mut sessions = 0;
    let mut output = HashMap::new();
    loop {
        let said = peer.next().await;
        if said == Said::Gone {
            return;
        }
        inner.book.lock().unwrap().seen.records += 1;
        if *behaviour == Behaviour::CutAtPing {
            return;
        }
        match said {
            Said::Request(id, Request::Open { .. }) => {
                sessions += 1;
                output.insert(sessions, 0);
                peer.reply(id, Answer::Opened { session: sessions }).await;
            }
            Said::Request(id, _) => peer.reply(id, Answer::Done {}).await,
            Said::Input { session, offset, bytes } => {
                peer.input_written(session, offset + bytes.len() as u64).await;
                let shown = output[&session];
                output.insert(session, shown + bytes.len() as u64);
                peer.output(session, shown, &bytes).await;
                if bytes.ends_with(b".") {
                    let status = ExitStatus::Exit(7);
                    peer.event(Event::SessionEnded { session, status }).await;
                }
            }
            Said::Read { .. } => {}
            Said::Final => {
                peer.close(ClosingReason::Goodbye).await;
                return;
            }
            Said::Gone => return,
        }
    }
}
