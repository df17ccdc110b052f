//! One attachment: what of a session a device is sent, and when.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use codeout_protocol::message::{
    Chunk, Ended, Event, FromDaemon, INPUT_WINDOW, MAX_CHUNK, Progress, SessionId,
};
use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio::time::Instant;

use super::flow::Flow;
use super::keyboards::Turn;
use super::watchers::MUCH;
use super::{Attaching, Session, Violation};
use crate::outbox::{Outbox, Sent};

/// Written input is reported with the next output, which is mostly its echo; after this time
/// without any…
pub(crate) const REPORT_AFTER: Duration = Duration::from_millis(20);
/// …or after this many bytes, by itself.
pub(crate) const REPORT_BYTES: u64 = INPUT_WINDOW / 4;
/// The history of a snapshot is cut short when it took longer: the screen is what matters.
const HISTORY_TIME: Duration = Duration::from_secs(1);
/// The history that is put into words at a time, in bytes.
const HISTORY_PIECE: usize = MAX_CHUNK;

/// A device that is attached to a session.
#[derive(Debug)]
pub(crate) struct Viewer {
    /// What the device is called.
    pub(crate) device: String,
    /// Its right to type; `None`: it only looks.
    pub(crate) turn: Option<Turn>,
    /// How much of what it typed it knows to be written.
    reported: AtomicU64,
    session: Arc<Session>,
    outbox: Outbox,
    flow: Mutex<Flow>,
    /// Held by whoever sends.
    cursor: tokio::sync::Mutex<Cursor>,
    wake: Notify,
}

/// What the device gets next.
#[derive(Debug)]
struct Cursor {
    phase: Phase,
    /// The size of the terminal that the device knows, by its number.
    generation: u64,
    /// Whether something waits in the connection's buffer.
    buffered: bool,
    /// Whether the viewer's own task waits that output becomes more.
    gathering: bool,
}

#[derive(Debug)]
pub(super) enum Phase {
    /// The output from this offset on.
    Stream(u64),
    /// A snapshot is due, with that many lines of history.
    Due(usize),
    /// A snapshot is on its way.
    Snapshot(Snapshot),
}

#[derive(Debug)]
pub(super) struct Snapshot {
    /// What announces it, as long as that was not sent.
    event: Option<Box<Event>>,
    /// What is ready to be sent, from `at` on.
    ready: Vec<u8>,
    at: usize,
    /// The bytes of this snapshot that were sent.
    sent: u64,
    /// The next line of history; none once the screen is in `ready`.
    next_line: Option<u64>,
    /// The offset that output goes on with.
    offset: u64,
    /// The lines of history that were asked for.
    lines: usize,
    began: Instant,
    _turn: OwnedSemaphorePermit,
}

/// What a step has come to.
enum Step {
    Sent,
    /// So much output, or a screen so far behind it, that a crowd of viewers takes its time.
    SentMuch,
    /// Nothing can be sent now.
    Idle,
    /// What can be sent may become more until then.
    Gathering(Instant),
    /// The session has ended, and the device knows all of it.
    Over,
}

impl Viewer {
    pub(super) fn new(
        session: Arc<Session>,
        attaching: Attaching,
        phase: Phase,
        generation: u64,
    ) -> Self {
        let Attaching { outbox, device, typing, .. } = attaching;
        Viewer {
            device,
            turn: typing.map(|(turn, _)| turn),
            reported: AtomicU64::new(typing.map_or(0, |(_, input)| input)),
            session,
            outbox,
            flow: Mutex::new(Flow::new()),
            cursor: tokio::sync::Mutex::new(Cursor {
                phase,
                generation,
                buffered: false,
                gathering: false,
            }),
            wake: Notify::new(),
        }
    }

    pub(crate) fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// Hears that the device has dealt with so much.
    ///
    /// # Errors
    /// [`Violation`]: so much was never sent.
    pub(crate) fn acknowledge(&self, offset: u64) -> Result<(), Violation> {
        self.flow().acknowledge(offset, Instant::now())?;
        self.wake.notify_one();
        Ok(())
    }

    /// There is news: output, another size, the end, written input.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Sends until the session has ended, which it says last, or the connection has.
    pub(crate) async fn run(&self) -> io::Result<()> {
        let mut due = None;
        loop {
            let mut cursor = self.cursor.lock().await;
            if std::mem::take(&mut cursor.buffered) {
                self.outbox.flush().await?;
            }
            let step = self.step(&mut cursor).await?;
            cursor.gathering = matches!(step, Step::Gathering(_));
            drop(cursor);
            let gathered = match step {
                Step::Sent => continue,
                Step::SentMuch => {
                    let rest = self.session.rest();
                    if !rest.is_zero() {
                        tokio::time::sleep(rest).await;
                    }
                    continue;
                }
                Step::Over => return self.say_end().await,
                Step::Idle => None,
                Step::Gathering(until) => Some(until),
            };
            if self.unreported() == 0 {
                due = None;
            } else {
                due.get_or_insert_with(|| Instant::now() + REPORT_AFTER);
            }
            let Some(until) = due.into_iter().chain(gathered).min() else {
                self.wake.notified().await;
                continue;
            };
            let woken = tokio::time::timeout_at(until, self.wake.notified()).await;
            let is_due = due.is_some_and(|due| woken.is_err() && due <= until);
            if is_due || self.unreported() >= REPORT_BYTES {
                due = None;
                self.report().await?;
            }
        }
    }

    /// Sends output that has just come, from the task that read it, if that can be done at once.
    /// Else the viewer's own task does it.
    pub(super) fn nudge(&self, offset: u64, bytes: &[u8]) {
        if !self.send_at_once(offset, bytes) {
            self.wake.notify_one();
        }
    }

    /// Whether all of it has left, or will without a further word.
    fn send_at_once(&self, offset: u64, bytes: &[u8]) -> bool {
        let Ok(mut cursor) = self.cursor.try_lock() else { return false };
        let Phase::Stream(at) = cursor.phase else { return false };
        let mut flow = self.flow();
        let end = offset + bytes.len() as u64;
        if cursor.gathering && end - at < MAX_CHUNK as u64 {
            // The viewer's own task sends it in time.
            return true;
        }
        let caught_up = at == offset;
        let is_current = caught_up && cursor.generation == self.session.generation();
        if !is_current
            || flow.room() < bytes.len()
            || flow.gather(bytes.len(), Instant::now()).is_some()
        {
            return false;
        }
        let output = FromDaemon::Output(Chunk { session: self.session.id(), offset, bytes });
        let sent = self.outbox.try_send(&output, || self.news());
        if sent != Sent::Nothing {
            cursor.phase = Phase::Stream(end);
            flow.sent(bytes.len(), Instant::now());
        }
        cursor.buffered |= sent == Sent::Buffered;
        sent == Sent::All
    }

    /// Behind the last output: the session has ended.
    async fn say_end(&self) -> io::Result<()> {
        self.report().await?;
        let Some(Ended { status, .. }) = self.session.ended() else { return Ok(()) };
        let ended = Event::SessionEnded { session: self.session.id(), status };
        self.outbox.send(&FromDaemon::Event(ended)).await
    }

    async fn step(&self, cursor: &mut Cursor) -> io::Result<Step> {
        let generation = self.session.generation();
        if cursor.generation != generation {
            cursor.generation = generation;
            cursor.phase = Phase::Due(match &cursor.phase {
                // The history that is still to come stays due.
                Phase::Due(lines) => *lines,
                Phase::Snapshot(snapshot) if snapshot.event.is_some() => snapshot.lines,
                _ => 0,
            });
        }
        if self.flow().room() == 0 {
            return Ok(Step::Idle);
        }
        match &mut cursor.phase {
            Phase::Stream(offset) => {
                let offset = *offset;
                self.stream(cursor, offset).await
            }
            Phase::Due(lines) => {
                let lines = *lines;
                let turn = self.outbox.snapshot_turn().await?;
                // A screen that waits for the line to be free is an old one.
                self.outbox.flush().await?;
                let (snapshot, generation) = self.begin(lines, turn).await;
                (cursor.phase, cursor.generation) = (Phase::Snapshot(snapshot), generation);
                Ok(Step::Sent)
            }
            Phase::Snapshot(snapshot) => {
                if !self.go_on(snapshot).await? {
                    return Ok(Step::Sent);
                }
                let offset = snapshot.offset;
                cursor.phase = Phase::Stream(offset);
                // Much has come meanwhile: a viewer of a crowd shows this, and the next one later.
                let lag = self.session.log().range().end.saturating_sub(offset);
                Ok(if lag > MUCH as u64 { Step::SentMuch } else { Step::Sent })
            }
        }
    }

    async fn stream(&self, cursor: &mut Cursor, offset: u64) -> io::Result<Step> {
        let room = self.flow().room().min(MAX_CHUNK);
        let (end, bytes) = {
            let log = self.session.log();
            // A size is changed under this lock: what is read here belongs to the one known.
            if self.session.generation() != cursor.generation {
                return Ok(Step::Sent);
            }
            (log.range().end, log.read(offset, room))
        };
        let lag = end.saturating_sub(offset);
        let too_far = self.flow().is_too_far_behind(lag, Instant::now());
        let Some(bytes) = bytes.filter(|_| !too_far) else {
            cursor.phase = Phase::Due(0);
            return Ok(Step::Sent);
        };
        if bytes.is_empty() {
            return Ok(if self.session.is_over(offset) { Step::Over } else { Step::Idle });
        }
        let is_all = bytes.len() as u64 == lag;
        if is_all && let Some(until) = self.flow().gather(bytes.len(), Instant::now()) {
            return Ok(Step::Gathering(until));
        }
        let output =
            FromDaemon::Output(Chunk { session: self.session.id(), offset, bytes: &bytes });
        // Counted first: the device may acknowledge before this task goes on.
        self.flow().sent(bytes.len(), Instant::now());
        self.outbox.send_more(Some(&output), || self.news()).await?;
        cursor.phase = Phase::Stream(offset + bytes.len() as u64);
        Ok(if bytes.len() > MUCH { Step::SentMuch } else { Step::Sent })
    }

    /// Makes ready what a snapshot begins with: without history that is all of it. Returns also the
    /// number of the size that it has.
    async fn begin(&self, lines: usize, turn: OwnedSemaphorePermit) -> (Snapshot, u64) {
        self.flow().start_anew();
        let session = self.session.id();
        let _turn = self.session.screen_turn().await;
        let (size, size_by) = self.session.size();
        let event = Event::Snapshot { session, size, size_by, history: lines > 0 };
        let mut snapshot = Snapshot {
            event: Some(Box::new(event)),
            ready: Vec::new(),
            at: 0,
            sent: 0,
            next_line: None,
            offset: 0,
            lines,
            began: Instant::now(),
            _turn: turn,
        };
        let generation = self.session.with_screen(|screen, offset| {
            screen.write_prologue(&mut snapshot.ready);
            let kept = screen.history();
            let first = kept.start.max(kept.end.saturating_sub(lines as u64));
            if first < kept.end {
                snapshot.next_line = Some(first);
            } else {
                screen.write_screen(&mut snapshot.ready);
                snapshot.offset = offset;
            }
            // Sizes change under the lock that is held here.
            self.session.generation()
        });
        (snapshot, generation)
    }

    /// Sends the next piece of a snapshot; says whether that was the last.
    async fn go_on(&self, snapshot: &mut Snapshot) -> io::Result<bool> {
        if snapshot.at == snapshot.ready.len()
            && let Some(line) = snapshot.next_line
        {
            self.make_ready(snapshot, line).await;
            return Ok(false);
        }
        let session = self.session.id();
        let left = snapshot.ready.len() - snapshot.at;
        let count = self.flow().room().min(MAX_CHUNK).min(left);
        if count == 0 && left > 0 {
            // An acknowledgement that took long has just left no room.
            return Ok(false);
        }
        let is_last = snapshot.next_line.is_none() && count == left;
        let bytes = &snapshot.ready[snapshot.at..snapshot.at + count];
        let chunk = FromDaemon::Snapshot(Chunk { session, offset: snapshot.sent, bytes });
        let end = Event::SnapshotEnd { session, offset: snapshot.offset };
        // A small screen is one errand to the socket.
        let begin = snapshot.event.take().map(|event| FromDaemon::Event(*event));
        let end = is_last.then_some(FromDaemon::Event(end));
        let messages: Vec<_> = begin.into_iter().chain([chunk]).chain(end).collect();
        self.flow().sent(count, Instant::now());
        self.outbox.send_all(&messages).await?;
        snapshot.at += count;
        snapshot.sent += count as u64;
        Ok(is_last)
    }

    /// Makes ready what comes next: history from `line` on, or the screen.
    async fn make_ready(&self, snapshot: &mut Snapshot, line: u64) {
        snapshot.ready.clear();
        snapshot.at = 0;
        let in_time = snapshot.began.elapsed() < HISTORY_TIME;
        let _turn = self.session.screen_turn().await;
        self.session.with_screen(|screen, offset| {
            if in_time && line < screen.history().end {
                let next = screen.write_history(line, HISTORY_PIECE, &mut snapshot.ready);
                snapshot.next_line = Some(next);
            } else {
                screen.write_screen(&mut snapshot.ready);
                snapshot.next_line = None;
                snapshot.offset = offset;
            }
        });
    }

    fn input_written(&self) -> Option<u64> {
        self.session.keyboards().written(self.turn?)
    }

    /// Input that was written and not reported, in bytes.
    pub(crate) fn unreported(&self) -> u64 {
        let written = self.input_written().unwrap_or(0);
        written.saturating_sub(self.reported.load(Ordering::Acquire))
    }

    /// The report of written input that was not reported. It must be sent, and nothing of the
    /// kind before it: the device takes no step back.
    fn news(&self) -> Option<FromDaemon<'static>> {
        let written = self.input_written()?;
        let news = written > self.reported.fetch_max(written, Ordering::AcqRel);
        news.then(|| self.written(written))
    }

    /// Reports input that was written.
    pub(crate) async fn report(&self) -> io::Result<()> {
        self.outbox.send_more(None, || self.news()).await
    }

    fn written(&self, offset: u64) -> FromDaemon<'static> {
        let session: SessionId = self.session.id();
        FromDaemon::InputWritten(Progress { session, offset })
    }

    fn flow(&self) -> MutexGuard<'_, Flow> {
        self.flow.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "viewer_tests.rs"]
mod tests;
