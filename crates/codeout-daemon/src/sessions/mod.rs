//! All sessions of the daemon: their numbers and names, and how they are opened and ended.

mod journal;
mod opening;
mod terminals;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use codeout_protocol::message::{
    self, ErrorCode, ProgramEntry, RequestError, SessionEntry, SessionId, TerminalSize,
};
use codeout_protocol::name::{Name, NameError};
use codeout_screen::HistoryLimits;
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::config::Config;
use crate::devices::DeviceId;
use crate::hooks::{HookEvent, Hooks};
use crate::naming::folded;
use crate::programs::Programs;
use crate::session::{self, Keeping, News, Reports, Saved, Session};

use self::journal::Journal;
pub use self::journal::LostSession;
use self::terminals::Terminals;

/// Sessions that may run at once.
pub(crate) const MAX_RUNNING: usize = 1_000;
/// Sessions that have ended and are kept until they are dismissed; the oldest give way.
const MAX_ENDED: usize = 100;
/// The entries of one reply take no more than this, in bytes.
const MAX_LIST: usize = 48 * 1024;
/// News that a slow connection may lag behind before it misses some.
const NEWS_BACKLOG: usize = 256;

/// Every session, running or ended, by its number.
#[derive(Debug)]
pub(crate) struct Sessions {
    all: Mutex<All>,
    /// Held while a session is opened: one at a time gets a number and a name. True when none is
    /// opened any more.
    opening: tokio::sync::Mutex<bool>,
    /// Held while a session gets another size: to wrap a long history anew takes a processor for
    /// some milliseconds, and no more than one.
    resizing: Arc<tokio::sync::Mutex<()>>,
    terminals: Terminals,
    keeping: Keeping,
    programs: Programs,
    hooks: Hooks,
    clock: Arc<dyn Clock>,
    reports: Reports,
    heard: Mutex<Option<mpsc::UnboundedReceiver<(SessionId, News)>>>,
    news: broadcast::Sender<Arc<message::Event>>,
    journal: Journal,
    lost: OnceLock<Vec<LostSession>>,
}

#[derive(Debug, Default)]
struct All {
    last: SessionId,
    sessions: BTreeMap<SessionId, Arc<Session>>,
    /// Those that were dismissed before their end was told.
    leaving: BTreeMap<SessionId, Arc<Session>>,
}

/// All sessions as a restarted daemon takes them over.
#[derive(Debug)]
pub(crate) struct SavedSessions {
    pub(crate) last: SessionId,
    pub(crate) sessions: Vec<Saved>,
}

fn error(code: ErrorCode, text: impl AsRef<str>) -> RequestError {
    RequestError::new(code, text)
}

impl Sessions {
    /// No sessions yet. `journal` is the file that tells the next start which ones a daemon had
    /// that ended without a word.
    pub(crate) fn new(config: &Config, journal: PathBuf) -> io::Result<Self> {
        let settings = &config.sessions;
        let programs = Programs::new(settings, &config.shell, &config.directory);
        let (reports, heard) = mpsc::unbounded_channel();
        Ok(Sessions {
            all: Mutex::default(),
            opening: tokio::sync::Mutex::default(),
            resizing: Arc::default(),
            terminals: Terminals::start()?,
            keeping: Keeping {
                history: HistoryLimits {
                    lines: settings.history_lines,
                    bytes: settings.history_bytes,
                },
                output: settings.output_bytes,
                quiet_after: settings.quiet_after,
            },
            hooks: Hooks::new(&settings.hooks, programs.environment().clone()),
            programs,
            clock: Arc::clone(&config.clock),
            reports,
            heard: Mutex::new(Some(heard)),
            news: broadcast::Sender::new(NEWS_BACKLOG),
            journal: Journal::new(journal),
            lost: OnceLock::new(),
        })
    }

    /// Finds out which sessions an earlier daemon had when it ended without a word.
    pub(crate) fn find_lost(&self) {
        self.lost.get_or_init(|| self.journal.take_lost());
    }

    /// Those sessions.
    pub(crate) fn lost(&self) -> &[LostSession] {
        self.lost.get().map_or(&[], Vec::as_slice)
    }

    /// What the sessions report; for one listener, once.
    pub(crate) fn take_reports(&self) -> Option<mpsc::UnboundedReceiver<(SessionId, News)>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// What every device is told of sessions.
    pub(crate) fn news(&self) -> broadcast::Receiver<Arc<message::Event>> {
        self.news.subscribe()
    }

    /// How many connections are told.
    pub(crate) fn told(&self) -> usize {
        self.news.receiver_count()
    }

    /// Tells every connected device.
    pub(crate) fn tell(&self, event: message::Event) {
        // Nobody may be connected.
        let _ = self.news.send(Arc::new(event));
    }

    /// Runs the hook for something that happened to a session, if there is one.
    pub(crate) fn run_hook(&self, event: HookEvent) {
        self.hooks.run(event);
    }

    /// The programs known by name.
    pub(crate) async fn programs(&self) -> Vec<ProgramEntry> {
        self.programs.list().await
    }

    /// The session with this number.
    ///
    /// # Errors
    /// [`ErrorCode::NotFound`].
    pub(crate) fn find(&self, id: SessionId) -> Result<Arc<Session>, RequestError> {
        let found = self.lock().sessions.get(&id).cloned();
        found.ok_or_else(|| error(ErrorCode::NotFound, "there is no such session"))
    }

    /// The sessions with a number above `after`, as many as fit in a reply, and whether there
    /// are more.
    pub(crate) fn list(&self, after: Option<SessionId>) -> (Vec<SessionEntry>, bool) {
        let mut size = 0;
        let mut entries = Vec::new();
        for session in self.all() {
            if after.is_some_and(|after| session.id() <= after) {
                continue;
            }
            let entry = session.entry();
            size += serde_json::to_vec(&entry).map_or(0, |json| json.len());
            if size > MAX_LIST && !entries.is_empty() {
                return (entries, true);
            }
            entries.push(entry);
        }
        (entries, false)
    }

    /// Every session, oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<Session>> {
        self.lock().sessions.values().cloned().collect()
    }

    /// The sessions that run, oldest first.
    pub(crate) fn running(&self) -> Vec<Arc<Session>> {
        self.all().into_iter().filter(|session| session.ended().is_none()).collect()
    }

    /// Lets a session that runs begin, in its place on the list. The oldest ended ones give way.
    fn add(&self, session: Arc<Session>) {
        self.terminals.keep(Arc::clone(&session), Arc::clone(&self.clock));
        tokio::spawn(session::cry(Arc::clone(&session)));
        let mut all = self.lock();
        all.sessions.insert(session.id(), session);
        let ended = all.sessions.values().filter(|session| session.ended().is_some());
        let ended: Vec<_> = ended.map(|session| session.id()).collect();
        for id in ended.iter().take(ended.len().saturating_sub(MAX_ENDED)) {
            all.sessions.remove(id);
            self.tell(message::Event::SessionDismissed { session: *id });
        }
        drop(all);
        self.write_journal();
    }

    /// Gives a session another name; the name as it is now.
    ///
    /// # Errors
    /// [`ErrorCode::NotFound`], [`ErrorCode::BadRequest`], [`ErrorCode::Taken`].
    pub(crate) async fn rename(&self, id: SessionId, name: &str) -> Result<Name, RequestError> {
        let wanted = named(name)?;
        let _turn = self.opening.lock().await;
        let session = self.find(id)?;
        let same = folded(session.name().as_str()) == folded(wanted.as_str());
        let name = if same { wanted } else { self.free_name(Some(wanted.clone()), &wanted)? };
        session.rename(name.clone());
        self.write_journal();
        Ok(name)
    }

    /// Gives a session's terminal another size, in the name of a device. Away from the threads that
    /// serve devices: none is to wait for it that does not look at this session.
    ///
    /// # Errors
    /// The terminal's.
    pub(crate) async fn resize(
        &self,
        session: &Arc<Session>,
        size: TerminalSize,
        by: &str,
    ) -> io::Result<()> {
        if session.has_size(size, by) {
            return Ok(());
        }
        let turns = (Arc::clone(&self.resizing).lock_owned().await, session.screen_turn().await);
        let (session, by) = (Arc::clone(session), by.to_owned());
        // Once begun it runs to its end, and keeps its turns.
        let resizing = tokio::task::spawn_blocking(move || {
            let _turns = turns;
            session.resize(size, &by)
        });
        match resizing.await {
            Ok(resized) => resized,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }

    /// Takes a session that has ended off the list.
    ///
    /// # Errors
    /// [`ErrorCode::NotFound`]; [`ErrorCode::NotAllowed`] when it still runs.
    pub(crate) fn dismiss(&self, id: SessionId) -> Result<(), RequestError> {
        if self.find(id)?.ended().is_none() {
            return Err(error(ErrorCode::NotAllowed, "the session still runs: end it first"));
        }
        let mut all = self.lock();
        let Some(session) = all.sessions.remove(&id) else { return Ok(()) };
        if session.is_end_told() {
            drop(all);
            self.tell(message::Event::SessionDismissed { session: id });
        } else {
            all.leaving.insert(id, session);
        }
        Ok(())
    }

    /// A session whose end is to be told, also when it is off the list already.
    pub(crate) fn find_to_tell(&self, id: SessionId) -> Option<Arc<Session>> {
        let all = self.lock();
        all.sessions.get(&id).or_else(|| all.leaving.get(&id)).cloned()
    }

    /// The end of a session was told.
    pub(crate) fn note_end_told(&self, session: &Session) {
        session.note_end_told();
        if self.lock().leaving.remove(&session.id()).is_some() {
            self.tell(message::Event::SessionDismissed { session: session.id() });
        }
    }

    /// Ends every session; returns when all programs have ended or were killed.
    pub(crate) async fn end_all(&self) {
        *self.opening.lock().await = true;
        let mut ending = JoinSet::new();
        for session in self.running() {
            ending.spawn(async move { session.end().await });
        }
        while ending.join_next().await.is_some() {}
        self.journal.clear();
    }

    /// A device is out: what it typed and no program has read goes nowhere.
    pub(crate) fn forget_device(&self, device: DeviceId) {
        for session in self.running() {
            session.keyboards().forget(device);
        }
    }

    /// Hangs up every session, without waiting.
    pub(crate) fn hang_up_all(&self) {
        for session in self.running() {
            session.hang_up();
        }
    }

    /// Writes down which sessions run.
    pub(crate) fn write_journal(&self) {
        self.journal.write(|| self.running().iter().map(|one| LostSession::of(one)).collect());
    }

    /// Stops moving bytes, and gives away what every session is made of. The programs go on; what
    /// they print waits in their terminals.
    pub(crate) async fn save(&self) -> SavedSessions {
        *self.opening.lock().await = true;
        self.terminals.pause().await;
        // A device may be reading what its key brought about.
        for session in self.all() {
            session.stop_reading().await;
        }
        let _turn = self.resizing.lock().await;
        let sessions = self.all().iter().map(|session| session.save()).collect();
        SavedSessions { last: self.lock().last, sessions }
    }

    /// Goes on with the sessions of the daemon that was here before. Nobody is attached yet.
    pub(crate) fn restore(&self, saved: SavedSessions) -> io::Result<()> {
        self.lock().last = saved.last;
        for saved in saved.sessions {
            let take = |descriptor| self.terminals.take(descriptor);
            let session = Session::restore(saved, self.keeping, self.reports.clone(), take)?;
            self.add(Arc::new(session));
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn named(name: &str) -> Result<Name, RequestError> {
    Name::clean(name).ok_or_else(|| error(ErrorCode::BadRequest, NameError.to_string()))
}

/// A terminal's size, if it is one.
///
/// # Errors
/// [`ErrorCode::BadRequest`].
pub(crate) fn checked(size: TerminalSize) -> Result<TerminalSize, RequestError> {
    session::checked(size).ok_or_else(|| {
        let (side, cells) = (message::MAX_TERMINAL_SIDE, message::MAX_TERMINAL_CELLS);
        let text =
            format!("a terminal has 1 to {side} columns and rows, {cells} characters at most");
        error(ErrorCode::BadRequest, text)
    })
}
