//! A connected device that keeps account of what its sessions print and take.

use std::collections::HashMap;

use codeout_protocol::channel::Opened;
use codeout_protocol::code::Code;
use codeout_protocol::handshake::DeviceCredentials;
use codeout_protocol::message::{
    Answer, Chunk, ClosingReason, DeviceEntry, ErrorCode, Event, ExitStatus, FromDaemon,
    FromDevice, MAX_CHUNK, OUTPUT_WINDOW, Outcome, Progress, Reply, Request, SessionId,
};
use codeout_protocol::name::Name;

use super::{Established, TestDaemon, WireError, connect_on_wire, pair_named};

/// A connected device. It fails the test when output is not contiguous, when a session speaks
/// before the reply that opens it, or when anything but `closing` is a last record.
pub struct Device {
    pub line: Established,
    pub credentials: DeviceCredentials,
    /// The device's own entry, as the daemon said it first.
    pub entry: DeviceEntry,
    /// Whether output is acknowledged by itself.
    pub acks: bool,
    /// Events, oldest first.
    pub news: Vec<Event>,
    pub screens: HashMap<SessionId, Screen>,
    last_id: u32,
}

/// What one session has printed and taken.
#[derive(Default)]
pub struct Screen {
    /// What it has printed, since it was last cleared.
    pub text: Vec<u8>,
    /// Bytes of output in all.
    pub received: u64,
    pub acked: u64,
    pub typed: u64,
    /// Bytes of input that the daemon says are written.
    pub written: u64,
    pub ended: Option<ExitStatus>,
}

/// A message of the daemon.
#[derive(Debug)]
pub enum Heard {
    Reply(Reply),
    News(Event),
    Output(SessionId),
    Written(SessionId),
    Closing(ClosingReason),
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
        self.screens.get_mut(&session).expect("a session that was opened")
    }

    /// The next message.
    pub async fn hear(&mut self) -> Result<Heard, WireError> {
        let (plaintext, is_last) = match self.line.receive().await? {
            Opened::Message(plaintext) => (plaintext, false),
            Opened::Final(plaintext) => (plaintext, true),
        };
        let heard = match FromDaemon::read(&plaintext)? {
            FromDaemon::Reply(reply) => {
                if let Outcome::Ok(Answer::Opened { session }) = reply.outcome {
                    self.screens.insert(session, Screen::default());
                }
                Heard::Reply(reply)
            }
            FromDaemon::Event(Event::Closing { reason }) => Heard::Closing(reason),
            FromDaemon::Event(event) => {
                if let Event::SessionEnded { session, status } = event {
                    let ended = self.screen(session).ended.replace(status);
                    assert!(ended.is_none(), "a session ended twice");
                }
                self.news.push(event.clone());
                Heard::News(event)
            }
            FromDaemon::Output(chunk) => {
                self.output(chunk).await?;
                Heard::Output(chunk.session)
            }
            FromDaemon::InputWritten(progress) => {
                let screen = self.screen(progress.session);
                assert!((screen.written..=screen.typed).contains(&progress.offset));
                screen.written = progress.offset;
                Heard::Written(progress.session)
            }
            FromDaemon::UnknownEvent => panic!("an event that nobody knows"),
        };
        assert_eq!(is_last, matches!(heard, Heard::Closing(_)), "{heard:?}");
        Ok(heard)
    }

    async fn output(&mut self, chunk: Chunk<'_>) -> Result<(), WireError> {
        let acks = self.acks;
        let screen = self.screen(chunk.session);
        assert_eq!(chunk.offset, screen.received, "a gap or an overlap in the output");
        assert!(screen.ended.is_none(), "output behind the end of its session");
        screen.text.extend_from_slice(chunk.bytes);
        screen.received += chunk.bytes.len() as u64;
        assert!(screen.received - screen.acked <= OUTPUT_WINDOW, "more than the window");
        if acks && screen.received - screen.acked >= OUTPUT_WINDOW / 8 {
            self.acknowledge(chunk.session).await?;
        }
        Ok(())
    }

    /// Acknowledges all output of a session.
    pub async fn acknowledge(&mut self, session: SessionId) -> Result<(), WireError> {
        let offset = self.screen(session).received;
        self.acknowledge_until(session, offset).await
    }

    /// Says that the output before `offset` was shown.
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
        self.line.request(self.last_id, request).await?;
        Ok(self.last_id)
    }

    /// Sends a request and waits for its reply.
    pub async fn ask(&mut self, request: Request) -> Result<Outcome, WireError> {
        let id = self.request(request).await?;
        self.reply(id).await
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

    /// Opens a session of 80 columns and 24 rows.
    pub async fn open(&mut self) -> SessionId {
        match self.ask(Request::Open { columns: 80, rows: 24 }).await.unwrap() {
            Outcome::Ok(Answer::Opened { session }) => session,
            other => panic!("no session: {other:?}"),
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
        loop {
            let printed = &mut self.screen(session).text;
            if let Some(at) = printed.windows(text.len()).position(|part| part == text.as_bytes()) {
                printed.drain(..at + text.len());
                return;
            }
            let printed = String::from_utf8_lossy(printed).into_owned();
            let ended = self.screen(session).ended;
            assert!(ended.is_none(), "ended with {ended:?} without {text:?}: {printed:?}");
            self.until(|_, heard| matches!(heard, Heard::Output(_) | Heard::News(_)).then_some(()))
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

    /// Waits until the session has printed `bytes` more bytes than it had.
    pub async fn see_more(&mut self, session: SessionId, bytes: u64) -> Result<(), WireError> {
        let target = self.screen(session).received + bytes;
        self.until(|device, _| (device.screen(session).received >= target).then_some(())).await
    }

    /// Waits for the end of a session.
    pub async fn end_of(&mut self, session: SessionId) -> ExitStatus {
        if let Some(status) = self.screen(session).ended {
            return status;
        }
        self.until(|device, _| device.screen(session).ended).await.unwrap()
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
