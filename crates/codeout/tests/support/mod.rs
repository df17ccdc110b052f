//! A real daemon on loopback, a clock turned by hand, and a device that speaks the protocol
//! message by message.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

pub mod certificate;
pub mod device;
pub mod http;
pub mod process;
pub mod relay;
pub mod screen;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use codeout_daemon::{Clock, Config, Daemon, Event, OfferLimits, OpenError};
use codeout_protocol::address::Address;
use codeout_protocol::channel::{Channel, Opened};
use codeout_protocol::code::Code;
use codeout_protocol::error::Error;
use codeout_protocol::handshake::{self, DeviceCredentials, DeviceEphemeral};
use codeout_protocol::link::Link;
use codeout_protocol::message::{ClosingReason, FromDaemon, FromDevice, NumberedRequest, Request};
use codeout_protocol::name::Name;
use codeout_protocol::pairing::{self, DevicePairing};
use codeout_protocol::sodium::KeyPair;
use futures_util::{SinkExt, StreamExt};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::sync::broadcast;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

/// A clock that stands still until it is turned.
#[derive(Debug)]
pub struct TestClock {
    nanos: AtomicU64,
    unix: AtomicU64,
}

impl TestClock {
    pub fn new() -> Arc<Self> {
        Arc::new(TestClock { nanos: AtomicU64::new(0), unix: AtomicU64::new(1_700_000_000) })
    }

    /// Turns both clocks forward.
    pub fn advance(&self, by: Duration) {
        let nanos = u64::try_from(by.as_nanos()).unwrap();
        let before = self.nanos.fetch_add(nanos, Ordering::SeqCst);
        let seconds = (before + nanos) / 1_000_000_000 - before / 1_000_000_000;
        self.unix.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn since_boot(&self) -> Duration {
        Duration::from_nanos(self.nanos.load(Ordering::SeqCst))
    }

    fn unix(&self) -> u64 {
        self.unix.load(Ordering::SeqCst)
    }
}

/// A real daemon on a free port of loopback, with a directory of its own.
pub struct TestDaemon {
    pub daemon: Daemon,
    pub clock: Arc<TestClock>,
    pub home: TempDir,
}

impl TestDaemon {
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Starts one whose configuration `change` has changed.
    pub async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let clock = TestClock::new();
        let home = TempDir::new().unwrap();
        let daemon = open(&home, &clock, change).await;
        TestDaemon { daemon, clock, home }
    }

    /// Stops it and starts it again from the same files.
    pub async fn restart(self) -> Self {
        let TestDaemon { daemon, clock, home } = self;
        daemon.stop().await;
        let daemon = open(&home, &clock, |_| {}).await;
        TestDaemon { daemon, clock, home }
    }

    /// Drops it without stopping it, and starts another one from the same files.
    pub async fn crash(self) -> Self {
        let TestDaemon { daemon, clock, home } = self;
        drop(daemon);
        let daemon = open(&home, &clock, |_| {}).await;
        TestDaemon { daemon, clock, home }
    }

    pub fn port(&self) -> u16 {
        self.daemon.port()
    }

    pub fn address(&self) -> Address {
        Address::new(false, "127.0.0.1", Some(self.port())).unwrap()
    }

    /// Opens a fresh offer; returns its code.
    pub fn offer(&self) -> Code {
        self.daemon.offer(OfferLimits::default()).code
    }

    /// The link of a code, at this daemon's loopback address or at `port` before it.
    pub fn link(&self, code: &Code, port: u16) -> Link {
        let daemon_key = self.daemon.links(code)[0].link.daemon_key;
        let address = Address::new(false, "127.0.0.1", Some(port)).unwrap();
        Link { address, code: code.clone(), daemon_key }
    }

    /// How many devices are in the allow-list.
    pub async fn count(&self) -> usize {
        self.daemon.devices().await.unwrap().len()
    }
}

async fn open(home: &TempDir, clock: &Arc<TestClock>, change: impl FnOnce(&mut Config)) -> Daemon {
    try_open(home.path(), clock, change).await.unwrap()
}

/// Opens the daemon of the directory `home`, on a free port of loopback.
pub async fn try_open(
    home: &Path,
    clock: &Arc<TestClock>,
    change: impl FnOnce(&mut Config),
) -> Result<Daemon, OpenError> {
    let name = Name::clean("desk").unwrap();
    let mut config = Config::new(home.join("daemon"), PathBuf::from("/tmp"), name);
    config.bind = Some(std::net::Ipv4Addr::LOCALHOST.into());
    config.port = 0;
    config.clock = Arc::clone(clock) as Arc<dyn Clock>;
    change(&mut config);
    Daemon::open(config).await
}

/// Waits for the event that `pick` picks.
pub async fn event<T>(
    events: &mut broadcast::Receiver<Event>,
    mut pick: impl FnMut(Event) -> Option<T>,
) -> T {
    let found = async {
        loop {
            match events.recv().await {
                Ok(event) => {
                    if let Some(found) = pick(event) {
                        return found;
                    }
                }
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => panic!("the daemon is gone"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, found).await.expect("the event did not come")
}

/// How long a test waits for what must come: a bound for a hanging test, never a measure.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A device's WebSocket to a daemon, one handshake message or record at a time.
pub struct Wire(pub WebSocketStream<TcpStream>);

/// Why a device of the tests did not get through.
#[derive(Debug)]
pub enum WireError {
    /// The link ended.
    Ended,
    /// The protocol said no.
    Protocol(Error),
    /// The daemon said its last word.
    Closed(ClosingReason),
}

impl From<Error> for WireError {
    fn from(error: Error) -> Self {
        WireError::Protocol(error)
    }
}

impl Wire {
    /// Dials a port of loopback and makes it a WebSocket.
    pub async fn dial(port: u16) -> Result<Self, WireError> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.map_err(|_| WireError::Ended)?;
        stream.set_nodelay(true).map_err(|_| WireError::Ended)?;
        let url = format!("ws://127.0.0.1:{port}{}", codeout_protocol::WEBSOCKET_PATH);
        let mut request = url.into_client_request().unwrap();
        request
            .headers_mut()
            .insert("sec-websocket-protocol", codeout_protocol::SUBPROTOCOL.parse().unwrap());
        let upgraded = tokio_tungstenite::client_async(request, stream).await;
        Ok(Wire(upgraded.map_err(|_| WireError::Ended)?.0))
    }

    /// The port at this end.
    pub fn port(&self) -> u16 {
        self.0.get_ref().local_addr().unwrap().port()
    }

    pub async fn send(&mut self, message: Vec<u8>) -> Result<(), WireError> {
        self.0.send(Message::Binary(message.into())).await.map_err(|_| WireError::Ended)
    }

    pub async fn receive(&mut self) -> Result<Vec<u8>, WireError> {
        let next = async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Binary(bytes))) => return Ok(bytes.to_vec()),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    _ => return Err(WireError::Ended),
                }
            }
        };
        tokio::time::timeout(PATIENCE, next).await.expect("the daemon neither answers nor closes")
    }

    /// Waits until the other side has ended the link; what comes before is dropped.
    pub async fn ended(&mut self) {
        while self.receive().await.is_ok() {}
    }
}

/// An established connection of a device of the tests.
pub struct Established {
    pub wire: Wire,
    pub channel: Channel,
    /// The plaintext of the daemon's first record.
    pub first: Vec<u8>,
}

impl Established {
    /// Sends a request in a record of its own.
    pub async fn request(&mut self, id: u32, request: Request) -> Result<(), WireError> {
        let plaintext = FromDevice::Request(NumberedRequest { id, request }).write();
        self.send(&plaintext).await
    }

    /// Sends a record.
    pub async fn send(&mut self, plaintext: &[u8]) -> Result<(), WireError> {
        let record = self.channel.sealer.seal(Duration::ZERO, plaintext)?;
        self.wire.send(record).await
    }

    /// The next record's plaintext.
    pub async fn receive(&mut self) -> Result<Opened, WireError> {
        let record = self.wire.receive().await?;
        Ok(self.channel.opener.open(&record)?)
    }

    /// Sends `ping` and waits for its reply; other messages before it are dropped.
    pub async fn ping(&mut self) -> Result<(), WireError> {
        self.request(u32::MAX, Request::Ping).await?;
        loop {
            let plaintext = self.receive().await?.into_bytes();
            if let FromDaemon::Reply(reply) = FromDaemon::read(&plaintext)?
                && reply.id == u32::MAX
            {
                return Ok(());
            }
        }
    }

    /// Sends a ping of the WebSocket and waits for its answer, which holds the same; records
    /// before it are opened and dropped.
    pub async fn is_answered(&mut self, asked: &[u8]) -> bool {
        let Wire(socket) = &mut self.wire;
        socket.send(Message::Ping(asked.to_vec().into())).await.unwrap();
        let answer = async {
            loop {
                match socket.next().await {
                    Some(Ok(Message::Binary(record))) => {
                        self.channel.opener.open(&record).unwrap();
                    }
                    Some(Ok(Message::Pong(answer))) => return *answer == *asked,
                    _ => return false,
                }
            }
        };
        tokio::time::timeout(PATIENCE, answer).await.expect("no answer comes")
    }
}

/// Pairs through `port`; the credentials are there as soon as P3 is made, also when it fails
/// later.
pub async fn pair_on_wire(
    port: u16,
    code: &Code,
    kept: &mut Option<DeviceCredentials>,
) -> Result<Established, WireError> {
    pair_named(port, code, &Name::clean("phone").unwrap(), kept).await
}

/// As [`pair_on_wire`], proposing `name`.
pub async fn pair_named(
    port: u16,
    code: &Code,
    name: &Name,
    kept: &mut Option<DeviceCredentials>,
) -> Result<Established, WireError> {
    let mut wire = Wire::dial(port).await?;
    let (state, p1) = pairing::pair(code, DevicePairing::generate());
    wire.send(p1).await?;
    let proved = state.read_p2(&wire.receive().await?)?;
    let (state, p3) = proved.present(KeyPair::generate(), name)?;
    *kept = Some(state.credentials().clone());
    wire.send(p3).await?;
    let (channel, first) = state.read_p4(&wire.receive().await?)?;
    Ok(Established { wire, channel, first })
}

/// Connects through `port`.
pub async fn connect_on_wire(
    port: u16,
    credentials: &DeviceCredentials,
) -> Result<Established, WireError> {
    let mut wire = Wire::dial(port).await?;
    let (state, m1) = handshake::connect(credentials.clone(), DeviceEphemeral::generate())?;
    wire.send(m1).await?;
    let (state, m3) = state.read_m2(&wire.receive().await?)?;
    wire.send(m3).await?;
    let (channel, first) = state.read_m4(&wire.receive().await?)?;
    Ok(Established { wire, channel, first })
}

/// Pairs a device that works: its credentials, after its first record was taken.
pub async fn paired(daemon: &TestDaemon) -> DeviceCredentials {
    let code = daemon.offer();
    let mut kept = None;
    let mut established = pair_on_wire(daemon.port(), &code, &mut kept).await.unwrap();
    established.ping().await.unwrap();
    kept.unwrap()
}
