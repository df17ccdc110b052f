//! A connected device that keeps account of what it is sent.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use codeout_protocol::channel::Opened;
use codeout_protocol::code::Code;
use codeout_protocol::handshake::DeviceCredentials;
use codeout_protocol::message::{
    Answer, Attach, Attached, Chunk, ClosingReason, DeviceEntry, ErrorCode, Event, ExitStatus,
    FromDaemon, FromDevice, MAX_CHUNK, Open, Outcome, Progress, Reply, Request, SessionEntry,
    SessionId, TerminalSize,
};
use codeout_protocol::name::Name;

use super::screen::{Screen, Snapshot};
use super::{Established, TestDaemon, WireError, connect_on_wire, pair_named};

/// What is acknowledged at once: the least that must be, when nothing else waits.
const ACKNOWLEDGE: u64 = 4096;

/// A connected device. It fails the test when the daemon breaks a rule of the message layer.
pub struct Device {
    pub line: Established,
    pub credentials: DeviceCredentials,
    /// The device's own entry, as the daemon said it first.
    pub entry: DeviceEntry,
    /// Whether output is acknowledged by itself.
    pub acks: bool,
    /// Events, oldest first.
    pub news: Vec<Event>,
    /// The sessions that it was attached to.
    pub screens: HashMap<SessionId, Screen>,
    last_id: u32,
    /// Requests to attach that have no reply yet.
    attaching: HashMap<u32, Attach>,
    /// Requests to detach that have no reply yet.
    detaching: HashMap<u32, SessionId>,
}

/// A message of the daemon.
#[derive(Debug)]
pub enum Heard {
    Reply(Reply),
    News(Event),
    Output(SessionId),
    Snapshot(SessionId),
    Written(SessionId),
    Closing(ClosingReason),
}

/// The size of the sessions that tests open.
pub const SIZE: TerminalSize = TerminalSize { columns: 80, rows: 24 };

/// A session that is opened with a shell.
pub fn shell() -> Open {
    Open { columns: SIZE.columns, rows: SIZE.rows, ..Open::default() }
}

/// A number that no other keyboard has.
pub fn keyboard() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed)
}

/// Attaches to a session with a keyboard of its own.
pub fn typing(session: SessionId) -> Attach {
    Attach { session, keyboard: Some(keyboard()), ..Attach::default() }
}

/// Attaches to a session to look.
pub fn watching(session: SessionId) -> Attach {
    Attach { session, ..Attach::default() }
}

impl Device {
    pub fn new(line: Established, credentials: DeviceCredentials) -> Self {
        let FromDaemon::Event(Event::Welcome(welcome)) = FromDaemon::read(&line.first).unwrap()
        else {
            panic!("the first record is not the welcome")
        };
        Device {
            line,
            credentials,
            entry: welcome.device,
            acks: true,
            news: Vec::new(),
            screens: HashMap::new(),
            last_id: 0,
            attaching: HashMap::new(),
            detaching: HashMap::new(),
        }
    }

    /// Pairs with a code, and finishes the pairing.
    pub async fn pair(port: u16, code: &Code, name: &str) -> Result<Self, WireError> {
        let mut kept = None;
        let name = Name::clean(name).unwrap();
        let line = pair_named(port, code, &name, &mut kept).await?;
        let mut device = Device::new(line, kept.unwrap());
        device.ask(Request::Ping).await?;
        Ok(device)
    }

    /// Pairs under a fresh offer.
    pub async fn of(daemon: &TestDaemon, name: &str) -> Self {
        Self::pair(daemon.port(), &daemon.offer(), name).await.unwrap()
    }

    /// Connects.
    pub async fn connect(port: u16, credentials: &DeviceCredentials) -> Result<Self, WireError> {
        let line = connect_on_wire(port, credentials).await?;
        Ok(Device::new(line, credentials.clone()))
    }

    pub fn screen(&mut self, session: SessionId) -> &mut Screen {
        self.screens.get_mut(&session).expect("a session that was attached to")
    }

    /// The next message.
    pub async fn hear(&mut self) -> Result<Heard, WireError> {
        let (plaintext, is_last) = match self.line.receive().await? {
            Opened::Message(plaintext) => (plaintext, false),
            Opened::Final(plaintext) => (plaintext, true),
        };
        let heard = match FromDaemon::read(&plaintext)? {
            FromDaemon::Reply(reply) => {
                self.replied(&reply);
                Heard::Reply(reply)
            }
            FromDaemon::Event(Event::Closing { reason }) => Heard::Closing(reason),
            FromDaemon::Event(event) => {
                self.told(&event);
                self.news.push(event.clone());
                Heard::News(event)
            }
            FromDaemon::Output(chunk) => {
                self.screen(chunk.session).output(chunk);
                self.acknowledge_by_itself(chunk.session).await?;
                Heard::Output(chunk.session)
            }
            FromDaemon::Snapshot(chunk) => {
                self.screen(chunk.session).snapshot(chunk);
                self.acknowledge_by_itself(chunk.session).await?;
                Heard::Snapshot(chunk.session)
            }
            FromDaemon::InputWritten(progress) => {
                self.screen(progress.session).written(progress);
                Heard::Written(progress.session)
            }
            FromDaemon::UnknownEvent => panic!("an event that nobody knows"),
        };
        assert_eq!(is_last, matches!(heard, Heard::Closing(_)), "{heard:?}");
        Ok(heard)
    }

    /// What begins and ends with a reply.
    fn replied(&mut self, reply: &Reply) {
        let attach = self.attaching.remove(&reply.id);
        let detach = self.detaching.remove(&reply.id);
        match (&reply.outcome, attach, detach) {
            (Outcome::Ok(Answer::Attached(attached)), Some(asked), _) => {
                self.screens.insert(asked.session, Screen::new(&asked, attached));
            }
            (Outcome::Ok(_), _, Some(session)) => self.screen(session).attached = false,
            _ => {}
        }
    }

    fn told(&mut self, event: &Event) {
        let session = match event {
            Event::Snapshot { session, .. } | Event::SnapshotEnd { session, .. } => *session,
            // Of all sessions, attached to or not.
            Event::SessionEnded { session, .. } if self.screens.contains_key(session) => *session,
            _ => return,
        };
        self.screen(session).event(event);
    }

    async fn acknowledge_by_itself(&mut self, session: SessionId) -> Result<(), WireError> {
        // Not while it attaches anew: it would count from the wrong place.
        let attaching = self.attaching.values().any(|attach| attach.session == session);
        let screen = self.screen(session);
        let due = screen.received - screen.acked >= ACKNOWLEDGE;
        if self.acks && due && !attaching {
            self.acknowledge(session).await?;
        }
        Ok(())
    }

    /// Acknowledges everything of a session.
    pub async fn acknowledge(&mut self, session: SessionId) -> Result<(), WireError> {
        let offset = self.screen(session).received;
        self.acknowledge_until(session, offset).await
    }

    /// Says that what came before `offset` was shown.
    pub async fn acknowledge_until(
        &mut self,
        session: SessionId,
        offset: u64,
    ) -> Result<(), WireError> {
        self.screen(session).acked = offset;
        self.line.send(&FromDevice::OutputRead(Progress { session, offset }).write()).await
    }

    /// Hears until `pick` picks something. The daemon's last word is an error.
    pub async fn until<T>(
        &mut self,
        mut pick: impl FnMut(&mut Self, Heard) -> Option<T>,
    ) -> Result<T, WireError> {
        loop {
            let heard = self.hear().await?;
            if let Heard::Closing(reason) = heard {
                return Err(WireError::Closed(reason));
            }
            if let Some(picked) = pick(self, heard) {
                return Ok(picked);
            }
        }
    }

    /// Sends a request; returns its number.
    pub async fn request(&mut self, request: Request) -> Result<u32, WireError> {
        self.last_id += 1;
        match &request {
            Request::Attach(attach) => {
                self.attaching.insert(self.last_id, attach.clone());
            }
            Request::Detach { session } => {
                self.detaching.insert(self.last_id, *session);
            }
            _ => {}
        }
        self.line.request(self.last_id, request).await?;
        Ok(self.last_id)
    }

    /// Sends a request and waits for its reply.
    pub async fn ask(&mut self, request: Request) -> Result<Outcome, WireError> {
        let id = self.request(request).await?;
        self.reply(id).await
    }

    /// Sends a request that must be done without more to say.
    pub async fn done(&mut self, request: Request) {
        let asked = format!("{request:?}");
        assert_eq!(self.ask(request).await.unwrap(), Outcome::Ok(Answer::Done {}), "{asked}");
    }

    /// Sends a request that must be refused; returns the code of the refusal.
    pub async fn refused(&mut self, request: Request) -> ErrorCode {
        match self.ask(request).await.unwrap() {
            Outcome::Error(error) => error.code,
            Outcome::Ok(answer) => panic!("not refused: {answer:?}"),
        }
    }

    /// Waits for the reply to request `id`.
    pub async fn reply(&mut self, id: u32) -> Result<Outcome, WireError> {
        self.until(|_, heard| match heard {
            Heard::Reply(reply) if reply.id == id => Some(reply.outcome),
            _ => None,
        })
        .await
    }

    /// Opens a session. Nobody is attached to it.
    pub async fn open_with(&mut self, open: Open) -> SessionEntry {
        match self.ask(Request::Open(open)).await.unwrap() {
            Outcome::Ok(Answer::Opened { opened }) => opened,
            other => panic!("no session: {other:?}"),
        }
    }

    pub async fn attach(&mut self, attach: Attach) -> Attached {
        match self.ask(Request::Attach(attach)).await.unwrap() {
            Outcome::Ok(Answer::Attached(attached)) => *attached,
            other => panic!("not attached: {other:?}"),
        }
    }

    /// Opens a session with a shell, and attaches to it with a keyboard.
    pub async fn open(&mut self) -> SessionId {
        let session = self.open_with(shell()).await.session;
        self.attach(typing(session)).await;
        session
    }

    /// A session as it is listed.
    pub async fn listed(&mut self, session: SessionId) -> Option<SessionEntry> {
        let after = session.checked_sub(1);
        match self.ask(Request::Sessions { after }).await.unwrap() {
            Outcome::Ok(Answer::Sessions { sessions, .. }) => {
                sessions.into_iter().find(|entry| entry.session == session)
            }
            other => panic!("no list: {other:?}"),
        }
    }

    /// Types, in as many chunks as it takes, without waiting.
    pub async fn type_in(&mut self, session: SessionId, bytes: &[u8]) -> Result<(), WireError> {
        for bytes in bytes.chunks(MAX_CHUNK) {
            let offset = self.screen(session).typed;
            self.screen(session).typed += bytes.len() as u64;
            self.line.send(&FromDevice::Input(Chunk { session, offset, bytes }).write()).await?;
        }
        Ok(())
    }

    /// Waits until the session has printed `text`; forgets what it printed up to there.
    pub async fn see(&mut self, session: SessionId, text: &str) {
        while !self.screen(session).take(text) {
            let printed = self.screen(session).shown();
            let ended = self.screen(session).ended;
            assert!(ended.is_none(), "ended with {ended:?} without {text:?}: {printed:?}");
            self.until(|_, _| Some(()))
                .await
                .unwrap_or_else(|error| panic!("{error:?} before {text:?}: {printed:?}"));
        }
    }

    /// Opens a session whose terminal neither echoes nor changes what passes through it.
    pub async fn open_raw(&mut self) -> SessionId {
        let session = self.open().await;
        self.type_in(session, b"stty raw -echo; echo rea''dy\n").await.unwrap();
        self.see(session, "ready\n").await;
        session
    }

    /// Waits until what was typed into the session is written.
    pub async fn see_written(&mut self, session: SessionId) {
        while self.screen(session).written < self.screen(session).typed {
            self.until(|_, _| Some(())).await.unwrap();
        }
    }

    /// Waits until `bytes` more bytes of the session have come than had.
    pub async fn see_more(&mut self, session: SessionId, bytes: u64) -> Result<(), WireError> {
        let target = self.screen(session).received + bytes;
        while self.screen(session).received < target {
            self.until(|_, _| Some(())).await?;
        }
        Ok(())
    }

    /// Waits until the session has a complete snapshot that is not among the first `known`.
    pub async fn see_snapshot(&mut self, session: SessionId, known: usize) -> Snapshot {
        loop {
            let newest = self.screen(session).snapshots[known..].last();
            if let Some(snapshot) = newest.filter(|snapshot| snapshot.end.is_some()) {
                return snapshot.clone();
            }
            self.until(|_, _| Some(())).await.unwrap();
        }
    }

    /// Waits for the end of a session.
    pub async fn end_of(&mut self, session: SessionId) -> ExitStatus {
        loop {
            if let Some(status) = self.screen(session).ended {
                return status;
            }
            self.until(|_, _| Some(())).await.unwrap();
        }
    }

    /// Waits for the daemon's last word, and for the end of the link behind it.
    pub async fn last_word(&mut self) -> Result<ClosingReason, WireError> {
        loop {
            if let Heard::Closing(reason) = self.hear().await? {
                assert!(self.line.wire.receive().await.is_err(), "a message behind the last one");
                return Ok(reason);
            }
        }
    }
}
