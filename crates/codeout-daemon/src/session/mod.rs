//! Sessions: one program in one pseudo-terminal in one directory.
//!
//! A session belongs to the connection that opened it and ends with it: its programs get
//! SIGHUP, as when a terminal window is closed.

mod pty;

use std::collections::VecDeque;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use codeout_protocol::message::{
    ExitStatus, INPUT_WINDOW, MAX_CHUNK, MAX_TERMINAL_SIDE, OUTPUT_WINDOW, SessionId,
};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Child;
use tokio::sync::Notify;
use tokio::time::Instant;

use pty::{Keyboard, Output};

/// The silence after which a session whose program has ended is over, while another program
/// holds its terminal open.
const LAST_OUTPUT: Duration = Duration::from_millis(100);
/// Written input is reported with the next output, which is mostly its echo; after this time
/// without any…
const REPORT_AFTER: Duration = Duration::from_millis(20);
/// …or after this many bytes, by itself.
const REPORT_BYTES: u64 = INPUT_WINDOW / 4;

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

/// Whoever watches a session.
pub(crate) trait Viewer {
    /// Takes output; `offset` counts the bytes before it. Waiting here holds the program back.
    /// Hears by the way that the input before `written` was written, if that is news.
    fn output(
        &self,
        offset: u64,
        bytes: &[u8],
        written: Option<u64>,
    ) -> impl Future<Output = io::Result<()>> + Send;
    /// Hears that the input before `offset` was written.
    fn input_written(&self, offset: u64) -> impl Future<Output = io::Result<()>> + Send;
}

/// A running session: what its connection does to it.
#[derive(Debug)]
pub(crate) struct Session {
    keyboard: Keyboard,
    /// The programs' process group, as long as its leader has not ended.
    group: Mutex<Option<Pid>>,
    input: Mutex<Input>,
    more_input: Notify,
    /// Output read from the terminal, handed to the viewer, and shown by the device.
    sent: AtomicU64,
    shown: AtomicU64,
    read: AtomicU64,
    more_room: Notify,
}

#[derive(Debug, Default)]
struct Input {
    received: u64,
    /// How far the device was told that it is written.
    reported: u64,
    queued: VecDeque<u8>,
}

/// The device sent what it must not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Violation;

impl Session {
    /// Starts a session. The caller runs [`pump`] until it returns, and drops both to end it.
    pub(crate) fn open(
        shell: &Path,
        directory: &Path,
        id: SessionId,
        size: Size,
    ) -> io::Result<(Arc<Session>, Program)> {
        let (output, keyboard, child) = pty::spawn(shell, directory, id, size)?;
        // The program leads a session and a process group of its own, both named by its pid.
        let group = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed()));
        let session = Session {
            keyboard,
            group: Mutex::new(group),
            input: Mutex::default(),
            more_input: Notify::new(),
            sent: AtomicU64::new(0),
            shown: AtomicU64::new(0),
            read: AtomicU64::new(0),
            more_room: Notify::new(),
        };
        Ok((Arc::new(session), Program { child, output }))
    }

    /// Takes input from the device.
    ///
    /// # Errors
    /// [`Violation`]: the bytes are not the next ones, or more than the window allows.
    pub(crate) fn take_input(&self, offset: u64, bytes: &[u8]) -> Result<(), Violation> {
        let mut input = self.input();
        let in_flight = (input.queued.len() + bytes.len()) as u64;
        if offset != input.received || in_flight > INPUT_WINDOW {
            return Err(Violation);
        }
        input.received += bytes.len() as u64;
        // The common case, a key on a terminal that takes it, needs no other task.
        let written = if input.queued.is_empty() { self.keyboard.try_write(bytes) } else { 0 };
        input.queued.extend(&bytes[written..]);
        self.more_input.notify_one();
        Ok(())
    }

    /// Hears that the device has shown the output before `offset`.
    ///
    /// # Errors
    /// [`Violation`]: so much was never sent.
    pub(crate) fn output_read(&self, offset: u64) -> Result<(), Violation> {
        if offset > self.sent.load(Ordering::Acquire) {
            return Err(Violation);
        }
        self.read.fetch_max(offset, Ordering::AcqRel);
        self.more_room.notify_one();
        Ok(())
    }

    /// Gives the terminal another size.
    pub(crate) fn resize(&self, size: Size) -> io::Result<()> {
        self.keyboard.resize(size)
    }

    /// Tells the programs that their terminal is gone.
    pub(crate) fn hang_up(&self) {
        if let Some(group) = *self.group() {
            // A group that is gone already needs telling no more. A stopped one must run to
            // hear it.
            let _ = kill_process_group(group, Signal::HUP);
            let _ = kill_process_group(group, Signal::CONT);
        }
    }

    fn group(&self) -> MutexGuard<'_, Option<Pid>> {
        self.group.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn input(&self) -> MutexGuard<'_, Input> {
        self.input.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the device may be sent more; returns how much.
    async fn room(&self) -> usize {
        loop {
            let in_flight = self.sent.load(Ordering::Acquire) - self.read.load(Ordering::Acquire);
            let room = OUTPUT_WINDOW.saturating_sub(in_flight) as usize;
            if room > 0 {
                return room.min(MAX_CHUNK);
            }
            self.more_room.notified().await;
        }
    }

    /// Writes queued input, and reports what is written, until the viewer fails.
    async fn write_input(&self, viewer: &impl Viewer) -> io::Error {
        let mut due = None;
        loop {
            let (next, unreported) = {
                let input = self.input();
                let next: Vec<u8> = input.queued.iter().take(MAX_CHUNK).copied().collect();
                (next, input.written() - input.reported)
            };
            if !next.is_empty() {
                let Ok(count) = self.keyboard.write(&next).await else {
                    // Nobody reads this terminal any more; how the session ends is for others.
                    return std::future::pending().await;
                };
                self.input().queued.drain(..count);
            } else if unreported == 0 {
                due = None;
                self.more_input.notified().await;
                continue;
            } else if unreported < REPORT_BYTES {
                let due = *due.get_or_insert_with(|| Instant::now() + REPORT_AFTER);
                if tokio::time::timeout_at(due, self.more_input.notified()).await.is_ok() {
                    continue;
                }
            }
            due = None;
            if let Some(offset) = self.news_of_input()
                && let Err(error) = viewer.input_written(offset).await
            {
                return error;
            }
        }
    }

    /// How far input is written, if that was not reported. It must be now.
    fn news_of_input(&self) -> Option<u64> {
        let mut input = self.input();
        let written = input.written();
        (written > std::mem::replace(&mut input.reported, written)).then_some(written)
    }

    /// Reads output and shows it until nothing holds the terminal any more.
    async fn read_output(&self, mut output: Output, viewer: &impl Viewer) -> io::Result<()> {
        let mut buffer = vec![0; MAX_CHUNK];
        loop {
            let room = self.room().await;
            let count = output.read(&mut buffer[..room]).await?;
            if count == 0 {
                return Ok(());
            }
            let offset = self.sent.fetch_add(count as u64, Ordering::AcqRel);
            viewer.output(offset, &buffer[..count], self.news_of_input()).await?;
            self.shown.store(offset + count as u64, Ordering::Release);
        }
    }

    /// Whether output that was read waits for the device.
    fn holds_output(&self) -> bool {
        let sent = self.sent.load(Ordering::Acquire);
        sent > self.shown.load(Ordering::Acquire)
            || sent - self.read.load(Ordering::Acquire) >= OUTPUT_WINDOW
    }

    /// Shows what the program printed last, which may still be on its way through the terminal
    /// when it has ended. Another program may hold the terminal open for ever, so that only
    /// silence tells the end.
    async fn read_rest(
        &self,
        mut output: Pin<&mut impl Future<Output = io::Result<()>>>,
    ) -> io::Result<()> {
        loop {
            let before = self.sent.load(Ordering::Acquire);
            match tokio::time::timeout(LAST_OUTPUT, output.as_mut()).await {
                Ok(result) => return result,
                Err(_) if self.holds_output() => {}
                Err(_) if self.sent.load(Ordering::Acquire) != before => {}
                Err(_) => return Ok(()),
            }
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.hang_up();
    }
}

impl Input {
    fn written(&self) -> u64 {
        self.received - self.queued.len() as u64
    }
}

/// The program of a session, for [`pump`].
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    output: Output,
}

/// Moves a session's bytes until its program has ended. Returns how it ended.
///
/// # Errors
/// The viewer's own, and those of a pseudo-terminal that fails.
pub(crate) async fn pump(
    session: &Session,
    program: Program,
    viewer: &impl Viewer,
) -> io::Result<ExitStatus> {
    let Program { mut child, output } = program;
    let output = session.read_output(output, viewer);
    tokio::pin!(output);
    let mut ended = async || {
        let status = child.wait().await;
        // Its number may soon be another's.
        session.group().take();
        status
    };
    let status = tokio::select! {
        result = &mut output => {
            result?;
            ended().await?
        }
        error = session.write_input(viewer) => return Err(error),
        status = ended() => {
            session.read_rest(output.as_mut()).await?;
            status?
        }
    };
    Ok(match (status.code(), status.signal()) {
        (Some(code), _) => ExitStatus::Exit(u8::try_from(code).unwrap_or(u8::MAX)),
        (None, signal) => {
            ExitStatus::Signal(signal.and_then(|signal| u8::try_from(signal).ok()).unwrap_or(0))
        }
    })
}
