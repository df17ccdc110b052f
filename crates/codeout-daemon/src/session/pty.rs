//! One pseudo-terminal and the program in it.

use std::future::poll_fn;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use pty_process::{OwnedReadPty, OwnedWritePty};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::process::Child;

use super::Size;

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

const EIO: i32 = rustix::io::Errno::IO.raw_os_error();

/// The daemon's side of a pseudo-terminal: what is read from it. It never blocks.
#[derive(Debug)]
pub(super) struct Output(OwnedReadPty);

/// The daemon's side of a pseudo-terminal: what is written to it, and its size. It never blocks.
#[derive(Debug)]
pub(super) struct Keyboard(Mutex<OwnedWritePty>);

/// Starts `shell` as a login shell in `directory`, in a pseudo-terminal of its own.
pub(super) fn spawn(
    shell: &Path,
    directory: &Path,
    session: u32,
    size: Size,
) -> io::Result<(Output, Keyboard, Child)> {
    // The descriptor becomes close-on-exec only after it was opened: no other session's program
    // may start in between and inherit it.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);

    let (pty, pts) = pty_process::open().map_err(io_error)?;
    pty.resize(pty_process::Size::new(size.rows, size.columns)).map_err(io_error)?;
    let mut command = pty_process::Command::new(shell)
        .arg("-l")
        .current_dir(directory)
        .env("TERM", "xterm-256color")
        .env("COLORTERM", "truecolor")
        .env("CODEOUT_SESSION", session.to_string());
    for name in FOREIGN {
        command = command.env_remove(name);
    }
    let child = command.spawn(pts).map_err(io_error)?;
    let (output, keyboard) = pty.into_split();
    Ok((Output(output), Keyboard(Mutex::new(keyboard)), child))
}

impl Output {
    /// Reads what the program printed, as much as is there and fits; 0 when no program holds
    /// the terminal any more.
    pub(super) async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(buffer);
        poll_fn(|context| {
            // A terminal hands out 4 KiB at a time; records are cheaper when they are larger.
            while buffer.remaining() > 0 {
                let before = buffer.filled().len();
                match Pin::new(&mut self.0).poll_read(context, &mut buffer) {
                    Poll::Ready(Ok(())) if buffer.filled().len() > before => {}
                    Poll::Ready(Ok(())) => break,
                    // Linux says EIO for a terminal that everybody closed.
                    Poll::Ready(Err(error)) if error.raw_os_error() == Some(EIO) => break,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending if buffer.filled().is_empty() => return Poll::Pending,
                    Poll::Pending => break,
                }
            }
            Poll::Ready(Ok(()))
        })
        .await?;
        Ok(buffer.filled().len())
    }
}

impl Keyboard {
    /// Writes as much as the terminal takes at once, perhaps nothing. Not while
    /// [`write`](Self::write) waits: that would miss its turn.
    pub(super) fn try_write(&self, bytes: &[u8]) -> usize {
        let mut context = Context::from_waker(Waker::noop());
        match Pin::new(&mut *self.lock()).poll_write(&mut context, bytes) {
            Poll::Ready(Ok(written)) => written,
            // A terminal that is gone takes nothing: its session is about to end.
            Poll::Ready(Err(_)) | Poll::Pending => 0,
        }
    }

    /// Writes some of `bytes`, once the terminal takes any.
    pub(super) async fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        poll_fn(|context| Pin::new(&mut *self.lock()).poll_write(context, bytes)).await
    }

    /// Gives the terminal another size; the program gets SIGWINCH.
    pub(super) fn resize(&self, size: Size) -> io::Result<()> {
        let size = pty_process::Size::new(size.rows, size.columns);
        self.lock().resize(size).map_err(io_error)
    }

    fn lock(&self) -> MutexGuard<'_, OwnedWritePty> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn io_error(error: pty_process::Error) -> io::Error {
    match error {
        pty_process::Error::Io(error) => error,
        other => io::Error::other(other.to_string()),
    }
}
