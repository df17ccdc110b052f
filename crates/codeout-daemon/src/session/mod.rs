//! Sessions: one program in one pseudo-terminal in one directory. The daemon owns them; devices
//! are windows, which come and go.

mod attention;
mod ending;
mod flow;
mod input;
mod keeper;
pub(crate) mod keyboards;
mod log;
mod pty;
mod saved;
pub(crate) mod viewer;
mod watchers;

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use codeout_protocol::message::{
    Attention, Ended, MAX_TERMINAL_CELLS, MAX_TERMINAL_SIDE, MAX_WATCHERS, SessionEntry, SessionId,
    TerminalSize,
};
use codeout_protocol::name::Name;
use codeout_screen::Screen;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, mpsc, watch};

use self::attention::Noticing;
use self::ending::Processes;
use self::input::Reading;
use self::keyboards::{Keyboards, Turn};
use self::log::Log;
use self::viewer::Phase;
use crate::outbox::Outbox;

pub(crate) use self::keeper::keep;
pub(crate) use self::pty::{Launch, Pty, spawn};
pub(crate) use self::saved::{Facts, Saved};
pub(crate) use self::viewer::Viewer;
pub(crate) use self::watchers::cry;

/// What can be put on the screen at once, in bytes: some milliseconds at worst.
const SOON_SEEN: u64 = 1 << 16;

/// A terminal's size, if it is one that a terminal can have.
pub(crate) fn checked(size: TerminalSize) -> Option<TerminalSize> {
    let sides = 1..=MAX_TERMINAL_SIDE;
    let cells = u32::from(size.columns) * u32::from(size.rows);
    let fits = cells <= MAX_TERMINAL_CELLS;
    (sides.contains(&size.columns) && sides.contains(&size.rows) && fits).then_some(size)
}

/// The device sent what it must not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Violation;

/// What a session has to tell. It goes to whoever keeps all sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum News {
    /// Something of its entry has changed.
    Changed,
    /// It wants somebody to look.
    Attention(Attention),
    /// Its program has ended.
    Ended,
}

/// Where news goes.
pub(crate) type Reports = mpsc::UnboundedSender<(SessionId, News)>;

/// A program and its arguments, word by word as they were asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Command {
    /// A name or a path; `None`: a login shell.
    pub(crate) program: Option<String>,
    pub(crate) arguments: Vec<String>,
}

/// What of a session never changes.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) id: SessionId,
    /// The program, as it was asked for, in one text that is safe to show.
    pub(crate) program: String,
    /// `None` where an earlier version opened it.
    pub(crate) command: Option<Arc<Command>>,
    pub(crate) directory: String,
    /// In seconds since 1970.
    pub(crate) opened_at: u64,
}

/// How much a session keeps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keeping {
    pub(crate) history: codeout_screen::HistoryLimits,
    /// The output that is kept for devices that come back, in bytes.
    pub(crate) output: u64,
    /// The silence after activity that is worth a look.
    pub(crate) quiet_after: Option<Duration>,
}

/// A session, from its opening until it is dismissed.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) origin: Origin,
    keeping: Keeping,
    /// `None` when the program has ended.
    pty: Mutex<Option<Arc<Pty>>>,
    processes: Processes,
    /// Before `log`, where both are taken.
    reading: Reading,
    /// Somebody else than its keeper has read the terminal.
    echoed: Notify,
    /// Before `log`, where both are taken.
    screen: Mutex<Shown>,
    /// Held by whoever holds `screen` for long, and before it: it can be waited for without holding
    /// up a thread.
    screen_turn: Arc<tokio::sync::Mutex<()>>,
    /// What `screen` has seen, for whoever does not hold it.
    seen: AtomicU64,
    log: Mutex<Log>,
    keyboards: Mutex<Keyboards>,
    more_input: Notify,
    about: Mutex<About>,
    noticing: Mutex<Noticing>,
    /// Counts the sizes that the terminal had.
    generation: AtomicU64,
    /// The end of the output when the size changed last.
    resized_at: AtomicU64,
    viewers: Mutex<Vec<Arc<Viewer>>>,
    /// Wakes those viewers that are too many to be sent output at once.
    crier: Notify,
    ended: watch::Sender<Option<Ended>>,
    reports: Reports,
    /// Whether a change was reported and not yet told.
    changed: AtomicBool,
    end_told: AtomicBool,
}

#[derive(Debug)]
struct Shown {
    screen: Screen,
    /// How much of the log the screen has seen.
    seen: u64,
}

/// What of a session's entry changes.
#[derive(Debug, Clone)]
struct About {
    name: Name,
    size: TerminalSize,
    size_by: Option<String>,
    last_output_at: Option<u64>,
    /// What the screen showed when it was looked at last: within 100 ms while the program prints
    /// much, now when it does not.
    title: String,
    last_line: String,
    attention: Option<Attention>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How a device attaches.
#[derive(Debug)]
pub(crate) struct Attaching {
    pub(crate) outbox: Outbox,
    /// What the device is called.
    pub(crate) device: String,
    /// Its right to type, and what it typed that is written; `None`: it only looks.
    pub(crate) typing: Option<(Turn, u64)>,
    /// It has the output before this offset.
    pub(crate) after: Option<u64>,
    /// The lines of history that it wants.
    pub(crate) history: usize,
}

impl Session {
    pub(crate) fn id(&self) -> SessionId {
        self.origin.id
    }

    pub(crate) fn name(&self) -> Name {
        locked(&self.about).name.clone()
    }

    pub(crate) fn rename(&self, name: Name) {
        locked(&self.about).name = name;
        self.change();
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        locked(&self.log)
    }

    pub(crate) fn keyboards(&self) -> MutexGuard<'_, Keyboards> {
        locked(&self.keyboards)
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    fn size(&self) -> (TerminalSize, Option<String>) {
        let about = locked(&self.about);
        (about.size, about.size_by.clone())
    }

    /// Whether that device gave it that size already.
    pub(crate) fn has_size(&self, size: TerminalSize, by: &str) -> bool {
        let about = locked(&self.about);
        about.size == size && about.size_by.as_deref() == Some(by)
    }

    /// The right to hold the screen for long.
    pub(crate) async fn screen_turn(&self) -> tokio::sync::OwnedMutexGuard<()> {
        Arc::clone(&self.screen_turn).lock_owned().await
    }

    fn pty(&self) -> Option<Arc<Pty>> {
        locked(&self.pty).clone()
    }

    /// How the program ended, if it has.
    pub(crate) fn ended(&self) -> Option<Ended> {
        *self.ended.borrow()
    }

    /// Something of the entry has changed. Many changes in a row are told as one.
    fn change(&self) {
        if !self.changed.swap(true, Ordering::AcqRel) {
            self.report(News::Changed);
        }
    }

    /// The changes so far are about to be told.
    pub(crate) fn take_change(&self) {
        self.changed.store(false, Ordering::Release);
    }

    /// Every device was told that the program has ended.
    pub(crate) fn note_end_told(&self) {
        self.end_told.store(true, Ordering::Release);
    }

    pub(crate) fn is_end_told(&self) -> bool {
        self.end_told.load(Ordering::Acquire)
    }

    fn report(&self, news: News) {
        // A daemon that stops no longer listens.
        let _ = self.reports.send((self.id(), news));
    }

    /// Shows the screen as it is now, with the offset of the output that follows.
    fn with_screen<T>(&self, show: impl FnOnce(&Screen, u64) -> T) -> T {
        let mut shown = locked(&self.screen);
        self.settle(&mut shown);
        let seen = shown.seen;
        show(&shown.screen, seen)
    }

    /// Keeps what is listed of the screen, for those who may not wait for it.
    fn note_screen(&self, screen: &Screen) {
        let (title, last_line) = (screen.title().to_owned(), screen.last_line());
        let mut about = locked(&self.about);
        (about.title, about.last_line) = (title, last_line);
    }

    /// Lets the screen see what it has not seen.
    fn settle(&self, shown: &mut Shown) {
        loop {
            self.skip(shown);
            let pending = self.pending(shown);
            if pending.is_empty() {
                return;
            }
            for piece in pending {
                shown.screen.feed(&piece);
                shown.seen += piece.len() as u64;
            }
            self.seen.store(shown.seen, Ordering::Release);
        }
    }

    /// What the screen has not seen.
    fn pending(&self, shown: &mut Shown) -> Vec<Bytes> {
        let log = self.log();
        shown.seen = shown.seen.max(log.range().start);
        log.pieces(shown.seen)
    }

    /// Lets the screen pass over what only rushed by, of what it has not seen.
    fn skip(&self, shown: &mut Shown) {
        let pending = self.pending(shown);
        let parts: Vec<&[u8]> = pending.iter().map(|piece| &**piece).collect();
        shown.seen += shown.screen.skip(&parts) as u64;
        self.seen.store(shown.seen, Ordering::Release);
    }

    /// Whether the output before `offset` is all that there will ever be.
    fn is_over(&self, offset: u64) -> bool {
        self.ended.borrow().is_some() && self.log().range().end == offset
    }

    /// A window for a device, which goes on behind `after` when that can be; says whether it can.
    /// Nothing is sent before [`add`](Self::add).
    pub(crate) fn attach(self: &Arc<Self>, attaching: Attaching) -> (Arc<Viewer>, bool) {
        let log = self.log();
        let kept = log.range();
        let known = attaching.after.filter(|after| {
            (kept.start..=kept.end).contains(after)
                && (self.generation() == 0 || *after > self.resized_at.load(Ordering::Acquire))
        });
        let generation = self.generation();
        drop(log);
        let phase = known.map_or(Phase::Due(attaching.history), Phase::Stream);
        let viewer = Viewer::new(Arc::clone(self), attaching, phase, generation);
        (Arc::new(viewer), known.is_some())
    }

    /// From here on the viewer hears what there is to show. Its [`run`](Viewer::run) sends it.
    pub(crate) fn add(&self, viewer: &Arc<Viewer>) {
        locked(&self.viewers).push(Arc::clone(viewer));
        // It may have looked already, and has heard nothing since.
        viewer.wake();
        if viewer.turn.is_some() {
            locked(&self.about).attention = None;
        }
        self.change();
    }

    /// A device is no longer attached. When this returns, nobody but the viewer's own task sends
    /// for it.
    pub(crate) fn detach(&self, viewer: &Arc<Viewer>) {
        locked(&self.viewers).retain(|other| !Arc::ptr_eq(other, viewer));
        if let Some(turn) = viewer.turn {
            self.keyboards().detach(turn);
        }
        self.change();
    }

    /// Gives the terminal another size, in the name of a device. Whoever watches gets a snapshot.
    pub(crate) fn resize(&self, size: TerminalSize, by: &str) -> io::Result<()> {
        let mut shown = locked(&self.screen);
        {
            let mut about = locked(&self.about);
            let by = Some(by.to_owned());
            if about.size_by != by || about.size != size {
                self.change();
            }
            about.size_by = by;
            if about.size == size {
                return Ok(());
            }
            about.size = size;
        }
        if let Some(pty) = self.pty() {
            pty.resize(size)?;
        }
        let log = loop {
            self.settle(&mut shown);
            // What comes from here on belongs to the new size.
            let log = self.log();
            if log.range().end == shown.seen {
                break log;
            }
        };
        self.resized_at.store(shown.seen, Ordering::Release);
        self.generation.fetch_add(1, Ordering::AcqRel);
        // The program is read on while a long history is wrapped anew.
        drop(log);
        shown.screen.resize(size.columns, size.rows);
        drop(shown);
        self.wake_all();
        Ok(())
    }

    /// Sees what is on the screen now, where that takes no time.
    fn look(&self) {
        if let Ok(mut shown) = self.screen.try_lock()
            && self.unseen() <= SOON_SEEN
        {
            self.settle(&mut shown);
            self.note_screen(&shown.screen);
        }
    }

    /// As it is listed.
    pub(crate) fn entry(&self) -> SessionEntry {
        self.look();
        let about = locked(&self.about).clone();
        let viewers = locked(&self.viewers);
        let mut watchers: Vec<String> =
            viewers.iter().map(|viewer| viewer.device.clone()).collect();
        let watching = u32::try_from(watchers.len()).unwrap_or(u32::MAX);
        drop(viewers);
        watchers.sort_unstable();
        watchers.dedup();
        watchers.truncate(MAX_WATCHERS);
        let Origin { id, program, directory, opened_at, .. } = self.origin.clone();
        SessionEntry {
            session: id,
            name: about.name.to_string(),
            program,
            directory,
            columns: about.size.columns,
            rows: about.size.rows,
            size_by: about.size_by,
            opened_at,
            last_output_at: about.last_output_at,
            title: Some(about.title).filter(|title| !title.is_empty()),
            last_line: Some(about.last_line).filter(|line| !line.is_empty()),
            watching,
            watchers,
            attention: about.attention,
            ended: self.ended(),
        }
    }
}

#[cfg(test)]
mod tests;
