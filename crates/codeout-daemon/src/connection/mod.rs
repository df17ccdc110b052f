//! One device: its records, what it may do, and how it ends.

mod inlet;
mod silence;
mod windows;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::WebSocket;
use codeout_protocol::message::{
    self, Answer, ClosingReason, FromDaemon, FromDevice, NumberedRequest, Outcome, Reply, Request,
    RequestError,
};
use futures_util::StreamExt;
use tokio::io::BufReader;
use tokio::net::UnixStream;
use tokio::sync::broadcast;
use tokio::time::Instant;
use zeroize::Zeroizing;

use self::inlet::{Came, Inlet};
use self::silence::{Called, Silence};
use self::windows::{Due, Held, Windows};
use crate::admission::{self, Admitted};
use crate::allowance::{Allowance, Demand};
use crate::devices::Device;
use crate::doorway::Unproven;
use crate::event::Event;
use crate::local_link::{FrameReader, FrameWriter};
use crate::outbox::Outbox;
use crate::outflow::Outflow;
use crate::record_writer::{RecordWriter, Way};
use crate::registry::Presence;
use crate::requests;
use crate::session::Violation;
use crate::shared_stream::SharedStream;
use crate::state::Shared;
use crate::trail::Happening;

/// How long the last record may take when a connection is ended from this side. A revoked
/// device is to be out within 100 ms.
const LAST_WORD: Duration = Duration::from_millis(40);

/// Serves one WebSocket from its first byte on, as a stranger, until it is a device's, which is
/// served elsewhere. `stream_below` is what it runs over, to be cut when the device does not take the
/// last word, and to be written to past the WebSocket's library where `is_plain` says that nothing is
/// in between; `unproven` counts it among the connections that have proved nothing yet, and is dropped
/// when it has.
pub(crate) async fn serve(
    mut socket: WebSocket,
    shared: Arc<Shared>,
    source: IpAddr,
    stream_below: SharedStream,
    is_plain: bool,
    unproven: Arc<Unproven>,
    deadline: Instant,
) {
    let Some(admitted) = admission::admit(&mut socket, &shared, source, deadline, &unproven).await
    else {
        return stream_below.let_go(&mut socket).await;
    };
    drop(unproven);
    let serving = shared.serving.clone();
    {
        let _there = serving.enter();
        if let Err(error) = stream_below.move_here() {
            tracing::warn!(%error, "a device is served where strangers are");
        }
    }
    serving.spawn(serve_device(socket, shared, source, stream_below, is_plain, admitted));
}

/// Serves a device to its last byte.
async fn serve_device(
    socket: WebSocket,
    shared: Arc<Shared>,
    source: IpAddr,
    stream_below: SharedStream,
    is_plain: bool,
    admitted: Admitted,
) {
    let Admitted { device, channel, mut presence } = admitted;
    shared.note_seen(device.id);
    shared.note(Happening::Connected { device: (&device).into(), source });
    shared.emit(Event::Connected { device: device.clone(), source });

    let (sink, stream) = socket.split();
    let way = match is_plain {
        true => Way::Direct(Outflow::new(stream_below.take_writing())),
        false => Way::Through(sink),
    };
    let clock = Arc::clone(&shared.config.clock);
    let outbox = Outbox::remote(RecordWriter::new(way, channel.sealer, clock));
    let inlet = Inlet::remote(stream, channel.opener);
    let connection = Connection::new(&shared, device.clone(), outbox, inlet);
    let Ended { inlet, said, reason } = connection.serve(&mut presence).await;
    // Before it counts as gone: a daemon that ends writes the trail when nobody is there any more.
    shared.note(Happening::Disconnected { device: (&device).into(), reason });
    // The device may take its time to let go of the link.
    drop(presence);
    if let Inlet::Remote(mut remote) = inlet {
        match said {
            Some(true) => stream_below.let_go(&mut remote.stream).await,
            Some(false) => stream_below.cut(),
            None => {}
        }
    }
    shared.note_seen(device.id);
    shared.emit(Event::Disconnected { device });
}

/// Serves a device on the same computer, whose user the operating system has told.
pub(crate) async fn serve_local(stream: BufReader<UnixStream>, shared: Arc<Shared>) {
    let device = shared.local_device();
    let Some(mut presence) = shared.registry.enter_local(&device.id) else { return };
    // What was read ahead of the line that asked for this stays in the buffer.
    let ahead = Zeroizing::new(stream.buffer().to_vec());
    let (reading, writing) = stream.into_inner().into_split();
    let outbox = Outbox::local(FrameWriter::new(writing));
    let welcome = FromDaemon::Event(admission::welcome(&shared, &device));
    if outbox.send(&welcome).await.is_err() {
        return;
    }
    let inlet = Inlet::Local(FrameReader::new(&ahead, reading));
    Connection::new(&shared, device, outbox, inlet).serve(&mut presence).await;
}

async fn until(due: Option<Instant>) {
    tokio::time::sleep_until(due.unwrap_or_else(Instant::now)).await;
}

/// What an attachment came to: who holds it, and what the device is told.
type Prepared = Result<(Held, message::Attached), RequestError>;
/// A request by its number, or what is wrong with it.
type Numbered = (u32, Result<Request, RequestError>);

struct Connection {
    shared: Arc<Shared>,
    device: Device,
    /// Whether the device has still to show that it finished its pairing.
    unfinished: bool,
    outbox: Outbox,
    inlet: Inlet,
    events: broadcast::Receiver<Event>,
    news: broadcast::Receiver<Arc<message::Event>>,
    windows: Windows,
    silence: Silence,
    /// What the device may take; its own user's programs on this computer may take all.
    allowance: Option<Arc<Allowance>>,
    /// Until when no request is dealt with.
    rest: Option<Instant>,
    /// One that came meanwhile. Nothing is read behind it.
    waiting: Option<Numbered>,
    /// Until when nothing is read: the device has told so much.
    pause: Option<Instant>,
}

/// What is left of a connection.
struct Ended {
    inlet: Inlet,
    /// Whether the last word was taken; `None`: there was none.
    said: Option<bool>,
    /// Why it ended; `None`: the link broke.
    reason: Option<ClosingReason>,
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
    fn new(shared: &Arc<Shared>, device: Device, outbox: Outbox, inlet: Inlet) -> Self {
        let now = Instant::now();
        let is_remote = matches!(inlet, Inlet::Remote(_));
        let allowance = is_remote.then(|| shared.allowances.of(device.id, now));
        Connection {
            events: shared.events(),
            news: shared.sessions.news(),
            shared: Arc::clone(shared),
            unfinished: device.unfinished,
            windows: Windows::new(outbox.clone(), &device),
            rest: allowance.as_ref().and_then(|allowance| allowance.rest(now)),
            pause: allowance.as_ref().and_then(|allowance| allowance.pause(now)),
            allowance,
            waiting: None,
            device,
            outbox,
            inlet,
            silence: Silence::new(),
        }
    }

    /// Serves until the connection is over, and says the last word.
    async fn serve(mut self, presence: &mut Presence) -> Ended {
        // Ending from this side drops whatever the connection is doing, also when it waits for a
        // device that does not read.
        let reason = tokio::select! {
            biased;
            reason = presence.ended() => Some(reason),
            reason = self.run() => reason,
        };
        let Connection { outbox, windows, inlet, .. } = self;
        drop(windows);
        let mut said = None;
        if let Some(reason) = reason {
            let closing = FromDaemon::Event(message::Event::Closing { reason });
            let taken = tokio::time::timeout(LAST_WORD, outbox.finish(&closing)).await;
            said = Some(matches!(taken, Ok(Ok(()))));
        }
        Ended { inlet, said, reason }
    }

    /// Serves until the connection is over; says what the device is to be told, if anything.
    async fn run(&mut self) -> Option<ClosingReason> {
        // A device on this machine cannot be gone without its socket.
        let may_fall_silent = !matches!(self.inlet, Inlet::Local(_));
        loop {
            let (rest, pause) = (self.rest, self.pause);
            let reads = self.waiting.is_none() && pause.is_none();
            let step = tokio::select! {
                // A key first. A device that never stops sending keeps waiting what is for itself.
                biased;
                came = self.inlet.next(), if reads => match came {
                    Ok(came) => self.receive_and_rest(came).await,
                    Err(over) => Err(over),
                },
                () = until(pause), if pause.is_some() => {
                    let allowance = self.allowance.as_ref();
                    self.pause = allowance.and_then(|allowance| allowance.pause(Instant::now()));
                    Ok(())
                }
                () = until(rest), if rest.is_some() => self.wake().await,
                due = self.windows.next() => self.windows.act(due).await.map_err(Over::from),
                event = self.events.recv() => self.tell(event).await,
                news = self.news.recv() => self.tell_news(news).await,
                called = self.silence.call(), if may_fall_silent => self.answer(called).await,
            };
            if let Err(Over(reason)) = step {
                return reason;
            }
        }
    }

    async fn answer(&self, called: Called) -> Result<(), Over> {
        match called {
            Called::Ask => Ok(self.outbox.ping().await?),
            Called::Gone => Err(Over(None)),
        }
    }

    /// Deals with what came, and then gives every other device its turn, however much more has come.
    async fn receive_and_rest(&mut self, came: Came) -> Result<(), Over> {
        let dealt_with = self.receive(came).await;
        tokio::task::yield_now().await;
        dealt_with
    }

    async fn receive(&mut self, came: Came) -> Result<(), Over> {
        let spent = self.inlet.take_spent();
        self.count(|allowance, now| allowance.told(came.length(), spent, now));
        if !matches!(came, Came::Part) {
            self.silence.broken();
        }
        match came {
            Came::Nothing | Came::Part => Ok(()),
            Came::Ping(asked) => {
                let begun = Instant::now();
                self.outbox.pong(&asked).await?;
                self.count(|allowance, now| allowance.told(0, now - begun, now));
                Ok(())
            }
            Came::Goodbye => Err(Over(Some(ClosingReason::Goodbye))),
            Came::Plaintext(plaintext) => {
                self.finish_pairing().await?;
                self.act(&plaintext).await
            }
        }
    }

    /// Counts what came. The daemon's own user may send as much as he likes.
    fn count(&mut self, told: impl FnOnce(&Allowance, Instant) -> Option<Instant>) {
        if let Some(allowance) = &self.allowance {
            self.pause = told(allowance, Instant::now());
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
                let begun = Instant::now();
                let is_due = self.windows.take_input(chunk, self.shared.config.clock.unix())?;
                self.count(|allowance, now| allowance.moved(now - begun, now));
                if is_due {
                    self.windows.act(Due::Report).await?;
                }
                Ok(())
            }
            FromDevice::OutputRead(progress) => Ok(self.windows.acknowledge(progress)?),
            FromDevice::Unreadable { id, error } => self.hear((id, Err(error))).await,
            FromDevice::Request(NumberedRequest { id, request }) => {
                self.hear((id, Ok(request))).await
            }
        }
    }

    /// Answers a request, now or when the device has rested. What it types behind one that waits,
    /// waits too: all that a device sends is dealt with in order.
    async fn hear(&mut self, asked: Numbered) -> Result<(), Over> {
        if self.rest.is_some() {
            self.waiting = Some(asked);
            return Ok(());
        }
        let (id, request) = asked;
        let begun = Instant::now();
        match request {
            Err(error) => {
                self.charge(Demand::Other, begun);
                self.reply(id, Err(error)).await
            }
            Ok(Request::Attach(attach)) => {
                let prepared = self.windows.prepare(&self.shared, attach).await;
                self.charge(Demand::Attachment, begun);
                self.attach(id, prepared).await
            }
            Ok(Request::Detach { session }) => {
                let detached = self.windows.close(session).await;
                self.charge(Demand::Other, begun);
                self.reply(id, detached.map(|()| Answer::Done {})).await?;
                self.say_what_is_unsaid(session).await
            }
            Ok(other) => {
                let answered = requests::answer(&self.shared, &self.device, other).await;
                self.charge(Demand::Other, begun);
                self.reply(id, answered).await
            }
        }
    }

    /// Counts what a request took since it was begun, without its answer, which may wait for the
    /// device to read.
    fn charge(&mut self, demand: Demand, begun: Instant) {
        let Some(allowance) = &self.allowance else { return };
        let now = Instant::now();
        self.rest = allowance.charge(demand, now.saturating_duration_since(begun), now);
    }

    /// The device has rested, unless its other connections have used up what came back.
    async fn wake(&mut self) -> Result<(), Over> {
        self.rest = self.allowance.as_ref().and_then(|allowance| allowance.rest(Instant::now()));
        match self.waiting.take() {
            Some(asked) => self.hear(asked).await,
            None => Ok(()),
        }
    }

    async fn attach(&mut self, id: u32, prepared: Prepared) -> Result<(), Over> {
        match prepared {
            Ok((viewer, attached)) => {
                // The reply goes before the session's first output.
                self.reply(id, Ok(Answer::Attached(Box::new(attached)))).await?;
                self.windows.open(viewer);
                Ok(())
            }
            Err(error) => self.reply(id, Err(error)).await,
        }
    }

    async fn reply(&self, id: u32, result: Result<Answer, RequestError>) -> Result<(), Over> {
        let outcome = match result {
            Ok(answer) => Outcome::Ok(answer),
            Err(error) => Outcome::Error(error),
        };
        Ok(self.outbox.send(&FromDaemon::Reply(Reply { id, outcome })).await?)
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

    /// A device that has detached hears of a session's end as everybody does.
    async fn say_what_is_unsaid(&mut self, session: message::SessionId) -> Result<(), Over> {
        let Some(status) = self.windows.take_unsaid(session) else { return Ok(()) };
        let ended = message::Event::SessionEnded { session, status };
        Ok(self.outbox.send(&FromDaemon::Event(ended)).await?)
    }

    /// Passes on what sessions report.
    async fn tell_news(
        &mut self,
        news: Result<Arc<message::Event>, broadcast::error::RecvError>,
    ) -> Result<(), Over> {
        let Ok(news) = news else { return Ok(()) };
        if let message::Event::SessionEnded { session, status } = &*news
            && self.windows.says_end(*session, *status)
        {
            // It comes behind the last output.
            return Ok(());
        }
        Ok(self.outbox.send(&FromDaemon::Event(news.as_ref().clone())).await?)
    }
}
