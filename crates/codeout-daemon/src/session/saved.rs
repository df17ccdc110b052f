//! A session from its parts: a new one, or one that another process of this daemon kept before.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use codeout_protocol::message::{Attention, Ended, ExitStatus, SessionId, TerminalSize};
use codeout_protocol::name::Name;
use codeout_screen::Screen;
use rustix::process::Pid;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};
use zeroize::Zeroizing;

use super::input::Reading;
use super::keyboards::{Keyboards, SavedKeyboards};
use super::log::Log;
use super::pty::Pty;
use super::{
    About, Command, Keeping, Noticing, Origin, Processes, Reports, Session, Shown, locked,
};

/// Everything that a session is, but for its programs.
#[derive(Debug)]
pub(crate) struct Saved {
    pub(crate) facts: Facts,
    /// The output that is kept.
    pub(crate) output: Vec<u8>,
    /// What brings an empty screen of the session's size to what it shows.
    pub(crate) snapshot: Vec<u8>,
    /// Input that waits to be written.
    pub(crate) typed: Zeroizing<Vec<u8>>,
    /// The daemon's side of the pseudo-terminal; `None` when the program has ended.
    pub(crate) terminal: Option<OwnedFd>,
}

/// The small parts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Facts {
    id: SessionId,
    program: String,
    #[serde(default)]
    command: Option<Command>,
    directory: String,
    opened_at: u64,
    name: String,
    size: TerminalSize,
    size_by: Option<String>,
    last_output_at: Option<u64>,
    attention: Option<Attention>,
    ended: Option<Ended>,
    leader: i32,
    /// How the leader ended, when its terminal was still listened to.
    #[serde(default)]
    exit: Option<ExitStatus>,
    /// The offset of the first byte of `output`.
    output_from: u64,
    generation: u64,
    resized_at: u64,
    busy: u32,
    keyboards: SavedKeyboards,
}

impl Facts {
    pub(crate) fn id(&self) -> SessionId {
        self.id
    }
}

impl Session {
    /// A session that runs from now on. Its keeper is to be started.
    #[allow(clippy::too_many_arguments, reason = "each is one part of a session")]
    pub(crate) fn new(
        origin: Origin,
        keeping: Keeping,
        reports: Reports,
        pty: Pty,
        leader: Pid,
        name: Name,
        size: TerminalSize,
        by: &str,
    ) -> Self {
        let size_by = Some(by.to_owned());
        let about = About {
            name,
            size,
            size_by,
            last_output_at: None,
            title: String::new(),
            last_line: String::new(),
            attention: None,
        };
        let screen = Screen::new(size.columns, size.rows, keeping.history);
        let log = Log::new(0, keeping.output);
        Self::of(
            origin,
            keeping,
            reports,
            Some(pty),
            Processes::new(leader, None),
            about,
            screen,
            log,
        )
    }

    #[allow(clippy::too_many_arguments, reason = "each is one part of a session")]
    fn of(
        origin: Origin,
        keeping: Keeping,
        reports: Reports,
        pty: Option<Pty>,
        processes: Processes,
        about: About,
        screen: Screen,
        log: Log,
    ) -> Self {
        let seen = log.range().end;
        Session {
            origin,
            keeping,
            pty: Mutex::new(pty.map(Arc::new)),
            processes,
            reading: Reading::default(),
            echoed: Notify::new(),
            screen: Mutex::new(Shown { screen, seen }),
            screen_turn: Arc::default(),
            seen: AtomicU64::new(seen),
            log: Mutex::new(log),
            keyboards: Mutex::default(),
            more_input: Notify::new(),
            about: Mutex::new(about),
            noticing: Mutex::new(Noticing::default()),
            generation: AtomicU64::new(0),
            resized_at: AtomicU64::new(0),
            viewers: Mutex::default(),
            crier: Notify::new(),
            ended: watch::Sender::new(None),
            reports,
            changed: AtomicBool::new(false),
            end_told: AtomicBool::new(false),
        }
    }

    /// What the session is made of. Nobody may keep it going or be attached to it meanwhile, nor
    /// later: its terminal goes along.
    pub(crate) fn save(&self) -> Saved {
        // The descriptor itself, where that can be: there may be none left for a second one.
        let taken = locked(&self.pty).take().map(Arc::try_unwrap);
        let terminal = taken.and_then(|pty| match pty {
            Ok(pty) => Some(pty.into()),
            Err(shared) => {
                let duplicate = shared.as_fd().try_clone_to_owned();
                duplicate.inspect_err(|error| tracing::error!(%error, "a terminal is lost")).ok()
            }
        });
        let mut snapshot = Vec::new();
        self.with_screen(|screen, _| {
            screen.write_prologue(&mut snapshot);
            screen.write_history(0, usize::MAX, &mut snapshot);
            screen.write_screen(&mut snapshot);
        });
        let (keyboards, typed) = self.keyboards().save();
        let about = locked(&self.about).clone();
        let log = self.log();
        let Origin { id, program, command, directory, opened_at } = self.origin.clone();
        let facts = Facts {
            id,
            program,
            command: command.map(Arc::unwrap_or_clone),
            directory,
            opened_at,
            name: about.name.to_string(),
            size: about.size,
            size_by: about.size_by,
            last_output_at: about.last_output_at,
            attention: about.attention,
            ended: self.ended(),
            leader: self.processes.leader().as_raw_nonzero().get(),
            exit: self.processes.exit(),
            output_from: log.range().start,
            generation: self.generation(),
            resized_at: self.resized_at.load(Ordering::Acquire),
            busy: locked(&self.noticing).busy(),
            keyboards,
        };
        let output = log.pieces(0).concat();
        Saved { facts, output, snapshot, typed, terminal }
    }

    /// The session that was saved. `take` takes over its pseudo-terminal.
    pub(crate) fn restore(
        saved: Saved,
        keeping: Keeping,
        reports: Reports,
        take: impl FnOnce(OwnedFd) -> io::Result<Pty>,
    ) -> io::Result<Self> {
        let Saved { facts, output, snapshot, typed, terminal } = saved;
        let Facts { id, program, command, directory, opened_at, size, .. } = facts;
        let wrong = || io::Error::from(io::ErrorKind::InvalidData);
        let command = command.map(Arc::new);
        let origin = Origin { id, program, command, directory, opened_at };
        let about = About {
            name: Name::clean(&facts.name).ok_or_else(wrong)?,
            size: super::checked(size).ok_or_else(wrong)?,
            size_by: facts.size_by,
            last_output_at: facts.last_output_at,
            title: String::new(),
            last_line: String::new(),
            attention: facts.attention,
        };
        // A negative number would be a group of others.
        let leader = Some(facts.leader).filter(|leader| *leader > 0);
        let leader = leader.and_then(Pid::from_raw).ok_or_else(wrong)?;
        let processes = Processes::new(leader, facts.exit);
        facts.output_from.checked_add(output.len() as u64).ok_or_else(wrong)?;
        let mut screen = Screen::new(size.columns, size.rows, keeping.history);
        screen.feed(&snapshot);
        // What it printed to be noticed was noticed.
        screen.take_signals();
        let mut log = Log::new(facts.output_from, keeping.output);
        log.append(&output);
        let pty = terminal.map(take).transpose()?;
        let session = Self::of(origin, keeping, reports, pty, processes, about, screen, log);
        *session.keyboards() = Keyboards::restore(facts.keyboards, &typed).ok_or_else(wrong)?;
        *locked(&session.noticing) = Noticing::busy_for(facts.busy);
        session.generation.store(facts.generation, Ordering::Release);
        session.resized_at.store(facts.resized_at, Ordering::Release);
        session.note_screen(&locked(&session.screen).screen);
        session.ended.send_replace(facts.ended);
        session.end_told.store(facts.ended.is_some(), Ordering::Release);
        session.more_input.notify_one();
        Ok(session)
    }
}
