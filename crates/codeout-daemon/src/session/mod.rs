//! Sessions: one program in one pseudo-terminal in one directory. The daemon owns them; devices
//! are windows, which come and go.

mod flow;
mod keeper;
pub(crate) mod keyboards;
mod log;
mod pty;
mod viewer;

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use codeout_protocol::message::{
    Attention, Ended, ExitStatus, MAX_TERMINAL_SIDE, MAX_WATCHERS, SessionEntry, SessionId,
};
use codeout_protocol::name::Name;
use codeout_screen::Screen;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::sync::{Notify, watch};

use self::keyboards::{Keyboard, Keyboards};
use self::log::Log;
use self::pty::Pty;
use self::viewer::Phase;
use crate::outbox::Outbox;

pub(crate) use self::pty::Launch;
pub(crate) use self::viewer::Viewer;

/// Viewers that are sent output by the task that reads it; more are woken instead.
const AT_ONCE: usize = 4;

/// A terminal's size in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) columns: u16,
    pub(crate) rows: u16,
}

impl Size {
    /// The size, if it is one that a terminal can have.
    pub(crate) fn new(columns: u16, rows: u16) -> Option<Self> {
        let sides = 1..=MAX_TERMINAL_SIDE;
        (sides.contains(&columns) && sides.contains(&rows)).then_some(Size { columns, rows })
    }
}

/// The device sent what it must not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Violation;

/// A session, from its opening until it is dismissed.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    /// The program, as it was asked for.
    program: String,
    directory: PathBuf,
    opened_at: u64,
    pty: Pty,
    /// The programs' process group, as long as its leader has not ended.
    group: Mutex<Option<Pid>>,
    /// Before `log`, where both are taken.
    screen: Mutex<Shown>,
    log: Mutex<Log>,
    keyboards: Mutex<Keyboards>,
    more_input: Notify,
    about: Mutex<About>,
    /// Counts the sizes that the terminal had.
    generation: AtomicU64,
    /// The offset of the last output before the size changed last.
    resized_at: AtomicU64,
    viewers: Mutex<Vec<Arc<Viewer>>>,
    /// Wakes those viewers that are too many to be sent output at once.
    crier: Notify,
    ended: watch::Sender<Option<Ended>>,
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
    size: Size,
    size_by: Option<String>,
    last_output_at: Option<u64>,
    attention: Option<Attention>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Session {
    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        locked(&self.log)
    }

    pub(crate) fn keyboards(&self) -> MutexGuard<'_, Keyboards> {
        locked(&self.keyboards)
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(crate) fn size(&self) -> (Size, Option<String>) {
        let about = locked(&self.about);
        (about.size, about.size_by.clone())
    }

    /// Shows the screen as it is now, with the offset of the output that follows.
    pub(crate) fn with_screen<T>(&self, show: impl FnOnce(&Screen, u64) -> T) -> T {
        let mut shown = locked(&self.screen);
        self.settle(&mut shown);
        let seen = shown.seen;
        show(&shown.screen, seen)
    }

    /// Lets the screen see what it has not seen.
    fn settle(&self, shown: &mut Shown) {
        loop {
            // In one piece, so that what only rushes by can be skipped.
            let pending = {
                let log = self.log();
                let from = shown.seen.max(log.range().start);
                let mut pending = Vec::new();
                let mut at = from;
                while let Some(bytes) = log.read(at, usize::MAX).filter(|bytes| !bytes.is_empty()) {
                    at += bytes.len() as u64;
                    pending.extend_from_slice(&bytes);
                }
                shown.seen = at;
                pending
            };
            if pending.is_empty() {
                return;
            }
            shown.screen.feed(&pending);
        }
    }

    /// Whether the output before `offset` is all that there will ever be.
    fn is_over(&self, offset: u64) -> bool {
        self.ended.borrow().is_some() && self.log().range().end == offset
    }

    /// How the program ended, if it has.
    pub(crate) fn ended(&self) -> Option<Ended> {
        *self.ended.borrow()
    }

    /// Attaches a device. It goes on behind `after` when that can be; says whether it can.
    pub(crate) fn attach(
        self: &Arc<Self>,
        outbox: Outbox,
        name: String,
        keyboard: Option<Keyboard>,
        after: Option<u64>,
        history: usize,
    ) -> (Arc<Viewer>, bool) {
        let kept = self.log().range();
        let known = after.filter(|after| {
            (kept.start..=kept.end).contains(after)
                && (self.generation() == 0 || *after > self.resized_at.load(Ordering::Acquire))
        });
        let phase = known.map_or(Phase::Due(history), Phase::Stream);
        let viewer =
            Arc::new(Viewer::new(Arc::clone(self), outbox, name, keyboard, phase));
        locked(&self.viewers).push(Arc::clone(&viewer));
        (viewer, known.is_some())
    }

    /// A device is no longer attached.
    pub(crate) fn detach(&self, viewer: &Arc<Viewer>) {
        locked(&self.viewers).retain(|other| !Arc::ptr_eq(other, viewer));
    }

    /// Takes input from a device.
    ///
    /// # Errors
    /// [`Violation`]: the bytes are not the next ones, or more than the window allows.
    pub(crate) fn take_input(
        &self,
        keyboard: Keyboard,
        offset: u64,
        bytes: &[u8],
    ) -> Result<(), Violation> {
        let write = |bytes: &[u8]| self.pty.try_write(bytes);
        if self.keyboards().take(keyboard, offset, bytes, write)? {
            self.more_input.notify_one();
        }
        locked(&self.about).attention = None;
        Ok(())
    }

    /// Gives the terminal another size, in the name of a device. Whoever watches gets a snapshot.
    pub(crate) fn resize(&self, size: Size, by: &str) -> io::Result<bool> {
        let mut about = locked(&self.about);
        about.size_by = Some(by.to_owned());
        if about.size == size {
            return Ok(false);
        }
        about.size = size;
        drop(about);
        let mut shown = locked(&self.screen);
        self.settle(&mut shown);
        self.pty.resize(size)?;
        shown.screen.resize(size.columns, size.rows);
        self.resized_at.store(shown.seen, Ordering::Release);
        self.generation.fetch_add(1, Ordering::AcqRel);
        drop(shown);
        self.wake_all();
        Ok(true)
    }

    /// Takes what the program printed, and passes it on.
    fn publish(&self, bytes: &[u8], now: u64) {
        let offset = {
            let mut log = self.log();
            let offset = log.range().end;
            log.append(bytes);
            offset
        };
        locked(&self.about).last_output_at = Some(now);
        let viewers = locked(&self.viewers);
        if viewers.len() <= AT_ONCE {
            viewers.iter().for_each(|viewer| viewer.nudge(offset, bytes));
        } else {
            self.crier.notify_one();
        }
    }

    fn wake_all(&self) {
        locked(&self.viewers).iter().for_each(|viewer| viewer.wake());
    }

    /// Sends a signal to the programs: to the group that was started, and to the one that has
    /// the keyboard.
    fn signal(&self, signal: Signal) {
        let Some(group) = *locked(&self.group) else { return };
        let foreground = self.pty.foreground().filter(|other| *other != group);
        for group in [Some(group), foreground].into_iter().flatten() {
            // A group that is gone already needs telling no more.
            let _ = kill_process_group(group, signal);
        }
    }

    /// Tells the programs that their terminal is gone.
    pub(crate) fn hang_up(&self) {
        self.signal(Signal::HUP);
        // A stopped one must run to hear it.
        self.signal(Signal::CONT);
    }

    /// As it is listed.
    pub(crate) fn entry(&self) -> SessionEntry {
        let (title, last_line) = self.with_screen(|screen, _| {
            let title = screen.title();
            ((!title.is_empty()).then(|| title.to_owned()), screen.last_line())
        });
        let about = locked(&self.about).clone();
        let viewers = locked(&self.viewers);
        let mut watchers: Vec<String> = viewers.iter().map(|viewer| viewer.name.clone()).collect();
        watchers.sort_unstable();
        watchers.dedup();
        watchers.truncate(MAX_WATCHERS);
        SessionEntry {
            session: self.id,
            name: about.name.to_string(),
            program: self.program.clone(),
            directory: self.directory.display().to_string(),
            columns: about.size.columns,
            rows: about.size.rows,
            size_by: about.size_by,
            opened_at: self.opened_at,
            last_output_at: about.last_output_at,
            title,
            last_line: (!last_line.is_empty()).then_some(last_line),
            watching: u32::try_from(viewers.len()).unwrap_or(u32::MAX),
            watchers,
            attention: about.attention,
            ended: self.ended(),
        }
    }
}
