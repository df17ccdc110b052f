//! One pseudo-terminal and the program in it.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use pty_process::blocking::{self, Command};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::Pid;
use rustix::termios::{Winsize, tcgetpgrp, tcsetwinsize};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use codeout_protocol::message::TerminalSize;

use crate::inheritance;

/// What of the daemon's environment names the terminal that the daemon itself runs in.
const FOREIGN: [&str; 10] = [
    "TMUX",
    "TMUX_PANE",
    "STY",
    "WINDOWID",
    "COLUMNS",
    "LINES",
    "TERM_PROGRAM",
    "TERM_PROGRAM_VERSION",
    "VTE_VERSION",
    "TERM_SESSION_ID",
];

/// A terminal that hands out less at a time, in bytes, has no more for now: an echo need not wait
/// for hearing that.
const FEW: usize = 1024;

/// What is started in a pseudo-terminal.
#[derive(Debug)]
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) directory: PathBuf,
    /// The whole environment, but for what names the terminal.
    pub(crate) environment: Vec<(OsString, OsString)>,
    /// What `CODEOUT_SESSION` is to say.
    pub(crate) session: u32,
    pub(crate) size: TerminalSize,
}

/// Starts a program that leads a session and a process group of its own. Blocks for the time of
/// a fork.
pub(crate) fn spawn(launch: &Launch) -> io::Result<(OwnedFd, Pid)> {
    let _turn = inheritance::one_at_a_time();

    let (pty, pts) = blocking::open().map_err(io_error)?;
    let TerminalSize { columns, rows } = launch.size;
    pty.resize(pty_process::Size::new(rows, columns)).map_err(io_error)?;
    let mut command = Command::new(&launch.program)
        .args(&launch.arguments)
        .current_dir(&launch.directory)
        .env_clear()
        .envs(launch.environment.iter().map(|(name, value)| (name, value)))
        .env("TERM", "xterm-256color")
        .env("COLORTERM", "truecolor")
        .env("CODEOUT_SESSION", launch.session.to_string());
    for name in FOREIGN {
        command = command.env_remove(name);
    }
    // Waited for by its number, since it may outlive this process's image.
    let child = inheritance::for_terminal(command).spawn(pts).map_err(io_error)?;
    let pid = Pid::from_raw(child.id().cast_signed()).ok_or(io::ErrorKind::InvalidData)?;
    Ok((pty.into(), pid))
}

/// The daemon's side of a pseudo-terminal. It never blocks.
#[derive(Debug)]
pub(crate) struct Pty(AsyncFd<OwnedFd>);

impl Pty {
    /// Takes over a pseudo-terminal's descriptor; called on the runtime that is to read it.
    pub(crate) fn new(descriptor: OwnedFd) -> io::Result<Self> {
        let flags = fcntl_getfl(&descriptor)?;
        fcntl_setfl(&descriptor, flags | OFlags::NONBLOCK)?;
        Ok(Pty(register(descriptor, Interest::READABLE)?))
    }

    /// Waits until there is output, or nothing will come any more.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.0.readable().await?.retain_ready();
        Ok(())
    }

    /// Reads what the program printed, as much as is there and fits: `Some(0)` when no program
    /// holds the terminal any more, `None` when nothing is there now.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let mut filled = 0;
        // A terminal hands out 4 KiB at a time; records are cheaper when they are larger.
        while filled < buffer.len() {
            let mut few = 0;
            match self.0.try_io(Interest::READABLE, |fd| {
                let count = retry_on_intr(|| rustix::io::read(fd, &mut buffer[filled..]))?;
                if (1..FEW).contains(&count) {
                    few = count;
                    // Whatever comes behind them makes it readable again.
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                Ok(count)
            }) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(_) if few > 0 => return Ok(Some(filled + few)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok((filled > 0).then_some(filled));
                }
                // Linux says so of a terminal that everybody closed.
                Err(error) if error.raw_os_error() == Some(Errno::IO.raw_os_error()) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(Some(filled))
    }

    /// Reads what is there now, as [`read`](Self::read) does, and lets whoever waits for
    /// [`readable`](Self::readable) wait on; `None` when that is nothing.
    pub(crate) fn read_now(&self, buffer: &mut [u8]) -> Option<usize> {
        // What is wrong is found out by whoever waits.
        let read = retry_on_intr(|| rustix::io::read(self.0.get_ref(), &mut *buffer));
        read.ok().filter(|count| *count > 0)
    }

    /// Waits until the terminal, which took nothing, may take something. True when it was let go by
    /// every program once: from then on there is no waiting.
    pub(crate) async fn writable(&self) -> io::Result<bool> {
        // Watched so for this wait alone: else whoever reads would wake whenever a key is written,
        // right before its echo comes.
        let again = register(self.0.get_ref().try_clone()?, Interest::WRITABLE)?;
        let guard = again.writable().await?;
        Ok(guard.ready().is_write_closed())
    }

    /// Writes as much as the terminal takes at once, perhaps nothing.
    ///
    /// # Errors
    /// No program holds the terminal.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match retry_on_intr(|| rustix::io::write(self.0.get_ref(), bytes)) {
            Err(Errno::AGAIN) => Ok(0),
            written => Ok(written?),
        }
    }

    /// Gives the terminal another size; the program gets SIGWINCH.
    pub(crate) fn resize(&self, TerminalSize { columns, rows }: TerminalSize) -> io::Result<()> {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        Ok(tcsetwinsize(self.0.get_ref(), size)?)
    }

    /// The process group that the terminal's keys go to.
    pub(crate) fn foreground(&self) -> Option<Pid> {
        tcgetpgrp(self.0.get_ref()).ok()
    }
}

fn register(descriptor: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the descriptor is owned, and stays open until what it is registered with goes.
    #[allow(unsafe_code, reason = "tokio takes a descriptor of the system's in no other way")]
    let registered = unsafe { AsyncFd::register_with_interest(descriptor, interest) };
    Ok(registered?)
}

impl From<Pty> for OwnedFd {
    fn from(pty: Pty) -> Self {
        pty.0.into_inner()
    }
}

impl AsFd for Pty {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.get_ref().as_fd()
    }
}

fn io_error(error: pty_process::Error) -> io::Error {
    match error {
        pty_process::Error::Io(error) => error,
        other => io::Error::other(other.to_string()),
    }
}
