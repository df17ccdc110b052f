//! One paired device: its records, what it may do, and how it ends.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use codeout_protocol::channel::{Opened, Opener};
use codeout_protocol::message::{
    self, Answer, ClosingReason, ErrorCode, ExitStatus, FromDaemon, FromDevice, MAX_SESSIONS,
    Outcome, Reply, Request, RequestError, SessionId,
};
use futures_util::StreamExt;
use futures_util::stream::SplitStream;
use tokio::sync::broadcast;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::admission::{self, Admitted};
use crate::devices::Device;
use crate::event::Event;
use crate::outbox::{Outbox, RemoteViewer};
use crate::requests;
use crate::session::{self, Program, Session, Size, Violation};
use crate::shared_stream::SharedStream;
use crate::state::Shared;

/// How often a silent device is asked whether it is there…
const ASK_AFTER: Duration = Duration::from_secs(30);
/// …and after which silence it is gone.
const GONE_AFTER: Duration = Duration::from_secs(90);
/// How long the last record may take when a connection is ended from this side. A revoked
/// device is to be out within 100 ms.
const LAST_WORD: Duration = Duration::from_millis(40);

/// Serves one WebSocket from its first byte to its last. `stream_below` is what it runs over, to be cut
/// when the device does not take the last word; `unproven` counts it among the connections that
/// have proved nothing yet, and is dropped when it has.
pub(crate) async fn serve<P>(
    mut socket: WebSocket,
    shared: Arc<Shared>,
    source: IpAddr,
    stream_below: SharedStream,
    unproven: P,
    deadline: Instant,
) {
    let Some(admitted) = admission::admit(&mut socket, &shared, source, deadline).await else {
        return stream_below.let_go(&mut socket).await;
    };
    drop(unproven);
    let Admitted { device, channel, mut presence } = admitted;
    shared.note_seen(device.id);
    shared.emit(Event::Connected { device: device.clone(), source });

    let (sink, stream) = socket.split();
    let outbox = Outbox::new(sink, channel.sealer, Arc::clone(&shared.config.clock));
    let mut connection = Connection {
        events: shared.events(),
        shared: Arc::clone(&shared),
        unfinished: device.unfinished,
        device,
        outbox: outbox.clone(),
        opener: channel.opener,
        stream,
        sessions: HashMap::new(),
        pumps: JoinSet::new(),
        heard: Instant::now(),
    };
    // Ending from this side drops whatever the connection is doing, also when it waits for a
    // device that does not read.
    let reason = tokio::select! {
        biased;
        reason = presence.ended() => Some(reason),
        reason = connection.run() => reason,
    };
    let Connection { device, pumps, sessions, mut stream, .. } = connection;
    drop((pumps, sessions));
    if let Some(reason) = reason {
        let closing = FromDaemon::Event(message::Event::Closing { reason });
        match tokio::time::timeout(LAST_WORD, outbox.finish(&closing)).await {
            Ok(Ok(())) => stream_below.let_go(&mut stream).await,
            _ => stream_below.cut(),
        }
    }
    drop((outbox, stream, stream_below));
    drop(presence);
    shared.note_seen(device.id);
    shared.emit(Event::Disconnected { device });
}

struct Connection {
    shared: Arc<Shared>,
    device: Device,
    /// Whether the device has still to show that it finished its pairing.
    unfinished: bool,
    outbox: Outbox,
    opener: Opener,
    stream: SplitStream<WebSocket>,
    events: broadcast::Receiver<Event>,
    sessions: HashMap<SessionId, Arc<Session>>,
    pumps: JoinSet<(SessionId, io::Result<ExitStatus>)>,
    heard: Instant,
}

/// The connection is over: with a last word for the device, or without.
struct Over(Option<ClosingReason>);

impl From<io::Error> for Over {
    fn from(_: io::Error) -> Self {
        Over(None)
    }
}

impl From<Violation> for Over {
    fn from(_: Violation) -> Self {
        Over(Some(ClosingReason::Protocol))
    }
}

impl Connection {
    /// Serves until the connection is over; says what the device is to be told, if anything.
    async fn run(&mut self) -> Option<ClosingReason> {
        let mut ask = tokio::time::interval(ASK_AFTER);
        ask.reset();
        loop {
            let step = tokio::select! {
                received = self.stream.next() => match received {
                    Some(Ok(message)) => self.receive(message).await,
                    Some(Err(_)) | None => Err(Over(None)),
                },
                Some(Ok((session, status))) = self.pumps.join_next() => {
                    self.session_ended(session, status).await
                }
                event = self.events.recv() => self.tell(event).await,
                _ = ask.tick() => self.ask().await,
            };
            if let Err(Over(reason)) = step {
                return reason;
            }
        }
    }

    async fn ask(&self) -> Result<(), Over> {
        if self.heard.elapsed() >= GONE_AFTER {
            return Err(Over(None));
        }
        Ok(self.outbox.ping().await?)
    }

    async fn receive(&mut self, message: Message) -> Result<(), Over> {
        self.heard = Instant::now();
        let record = match message {
            Message::Binary(record) => record,
            Message::Ping(_) | Message::Pong(_) => return Ok(()),
            Message::Close(_) => return Err(Over(None)),
            Message::Text(_) => return Err(Over(Some(ClosingReason::Protocol))),
        };
        // A record that does not open ends the connection at once and silently.
        match self.opener.open(&record).map_err(|_| Over(None))? {
            Opened::Final(_) => Err(Over(Some(ClosingReason::Goodbye))),
            Opened::Message(plaintext) => {
                self.finish_pairing().await?;
                self.act(&plaintext).await
            }
        }
    }

    /// The first record of a device shows that it is through with its pairing.
    async fn finish_pairing(&mut self) -> Result<(), Over> {
        if !std::mem::take(&mut self.unfinished) {
            return Ok(());
        }
        let id = self.device.id;
        let known = self.shared.store(move |devices| devices.finish(id)).await;
        match known {
            Ok(true) => Ok(()),
            Ok(false) => Err(Over(Some(ClosingReason::Expired))),
            Err(error) => {
                self.shared.emit(Event::StoreFailed { reason: error.to_string() });
                Err(Over(None))
            }
        }
    }

    async fn act(&mut self, plaintext: &[u8]) -> Result<(), Over> {
        let violation = |_| Over(Some(ClosingReason::Protocol));
        match FromDevice::read(plaintext).map_err(violation)? {
            FromDevice::Input(chunk) => {
                // Of a session that has just ended, if it is not there.
                if let Some(session) = self.sessions.get(&chunk.session) {
                    session.take_input(chunk.offset, chunk.bytes)?;
                }
                Ok(())
            }
            FromDevice::OutputRead(progress) => {
                if let Some(session) = self.sessions.get(&progress.session) {
                    session.output_read(progress.offset)?;
                }
                Ok(())
            }
            FromDevice::Unreadable { id, error } => self.reply(id, Err(error)).await,
            FromDevice::Request(numbered) => {
                let outcome = self.answer(numbered.request).await;
                match outcome {
                    Ok(Done::Answer(answer)) => self.reply(numbered.id, Ok(answer)).await,
                    Ok(Done::Opened(id, session, program)) => {
                        // The reply goes before the session's first output.
                        self.reply(numbered.id, Ok(Answer::Opened { session: id })).await?;
                        self.watch(id, session, program);
                        Ok(())
                    }
                    Err(error) => self.reply(numbered.id, Err(error)).await,
                }
            }
        }
    }

    async fn reply(&self, id: u32, result: Result<Answer, RequestError>) -> Result<(), Over> {
        let outcome = match result {
            Ok(answer) => Outcome::Ok(answer),
            Err(error) => Outcome::Error(error),
        };
        Ok(self.outbox.send(&FromDaemon::Reply(Reply { id, outcome })).await?)
    }

    async fn answer(&mut self, request: Request) -> Result<Done, RequestError> {
        match request {
            Request::Open { columns, rows } => self.open(columns, rows),
            Request::Resize { session, columns, rows } => {
                requests::may_type(&self.device)?;
                let size = requests::size(columns, rows)?;
                self.session(session)?.resize(size).map_err(|error| requests::failed(&error))?;
                Ok(Done::Answer(Answer::Done {}))
            }
            Request::End { session } => {
                requests::may_type(&self.device)?;
                self.session(session)?.hang_up();
                Ok(Done::Answer(Answer::Done {}))
            }
            other => requests::answer(&self.shared, &self.device, other).await.map(Done::Answer),
        }
    }

    fn session(&self, id: SessionId) -> Result<&Arc<Session>, RequestError> {
        self.sessions
            .get(&id)
            .ok_or_else(|| RequestError::new(ErrorCode::NotFound, "there is no such session"))
    }

    fn open(&self, columns: u16, rows: u16) -> Result<Done, RequestError> {
        requests::may_type(&self.device)?;
        let size: Size = requests::size(columns, rows)?;
        if self.sessions.len() >= MAX_SESSIONS {
            let text = format!("a connection may have {MAX_SESSIONS} sessions open");
            return Err(RequestError::new(ErrorCode::Limit, text));
        }
        let id = self.shared.next_session();
        let config = &self.shared.config;
        let (session, program) = Session::open(&config.shell, &config.directory, id, size)
            .map_err(|error| {
                let (shell, directory) = (config.shell.display(), config.directory.display());
                let text = format!("cannot start {shell} in {directory}: {error}");
                RequestError::new(ErrorCode::Failed, text)
            })?;
        Ok(Done::Opened(id, session, program))
    }

    fn watch(&mut self, id: SessionId, session: Arc<Session>, program: Program) {
        self.sessions.insert(id, Arc::clone(&session));
        let viewer = RemoteViewer { outbox: self.outbox.clone(), session: id };
        self.pumps.spawn(async move { (id, session::pump(&session, program, &viewer).await) });
        let device = self.device.clone();
        self.shared.emit(Event::SessionOpened { session: id, device });
    }

    async fn session_ended(
        &mut self,
        session: SessionId,
        status: io::Result<ExitStatus>,
    ) -> Result<(), Over> {
        self.sessions.remove(&session);
        self.shared.emit(Event::SessionEnded { session });
        let status = status?;
        let ended = message::Event::SessionEnded { session, status };
        Ok(self.outbox.send(&FromDaemon::Event(ended)).await?)
    }

    /// Passes on what concerns every device.
    async fn tell(&self, event: Result<Event, broadcast::error::RecvError>) -> Result<(), Over> {
        // A device that lagged has missed news, and can ask for the list.
        let Ok(event) = event else { return Ok(()) };
        match requests::news(&event, &self.device) {
            Some(news) => Ok(self.outbox.send(&FromDaemon::Event(news)).await?),
            None => Ok(()),
        }
    }
}

/// What came of a request.
enum Done {
    Answer(Answer),
    Opened(SessionId, Arc<Session>, Program),
}
