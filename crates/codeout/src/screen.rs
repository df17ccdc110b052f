//! Standard output as the screen of a session: bytes as they are and at once. It may take nothing
//! for a long time; nothing else waits for it.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, retry_on_intr, write};
use rustix::stdio::stdout;
use rustix::termios::ttyname;
use tokio::sync::Mutex;

use crate::failure::{Code, Failure};

/// More than this is the output of a program that has much to say, in bytes: its terminal is
/// full most of the time.
const MUCH: usize = 1024;
/// What is written before looking whether it is still wanted, in bytes.
const SLICE: usize = 16 * 1024;
/// How long a write that is under way may take when nobody wants it any more.
const PATIENCE: Duration = Duration::from_millis(200);

/// Where a session's output goes: standard output, and if that is a terminal, also its terminal
/// opened anew, so that not to block is this description's alone.
pub(crate) struct Screen {
    terminal: Option<OwnedFd>,
    /// Nothing is to be written any more.
    closed: Arc<AtomicBool>,
    /// Held by the thread that writes.
    writing: Arc<Mutex<()>>,
}

/// The terminal that standard output is, opened so that writing to it never waits.
pub(crate) fn terminal_anew() -> Option<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let path = ttyname(stdout(), Vec::new());
    path.and_then(|path| open(path, flags, Mode::empty())).ok()
}

impl Screen {
    pub(crate) fn open() -> Self {
        Screen { terminal: terminal_anew(), closed: Arc::default(), writing: Arc::default() }
    }

    /// Shows an echo or the like without waking another thread. Returns how much was shown.
    pub(crate) fn show_at_once(&self, bytes: &[u8]) -> usize {
        match &self.terminal {
            // What is wrong with the terminal, the next write finds out.
            Some(terminal) if bytes.len() <= MUCH => write(terminal, bytes).unwrap_or(0),
            _ => 0,
        }
    }

    /// Shows pieces of output, except the first `shown` bytes of the first one. Cancelled, it has
    /// shown some part of them, or goes on to.
    pub(crate) async fn show<P>(&self, pieces: Vec<P>, shown: usize) -> Result<(), Failure>
    where
        P: AsRef<[u8]> + Send + 'static,
    {
        let (closed, writing) = (Arc::clone(&self.closed), Arc::clone(&self.writing));
        let written = tokio::task::spawn_blocking(move || {
            let _writing = writing.blocking_lock();
            let mut skip = shown;
            for piece in &pieces {
                write_all(&piece.as_ref()[std::mem::take(&mut skip)..], &closed)?;
            }
            Ok::<(), io::Error>(())
        });
        let written = written.await;
        let written = written.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
        written.map_err(|error| {
            Failure::new(Code::Other, format!("cannot write to standard output: {error}"))
        })
    }

    /// Shows bytes made here, as one piece.
    pub(crate) async fn paint(&self, bytes: Vec<u8>) -> Result<(), Failure> {
        match self.show_at_once(&bytes) {
            shown if shown == bytes.len() => Ok(()),
            shown => self.show(vec![bytes], shown).await,
        }
    }

    /// Lets nothing more be written, and waits a little until nothing is.
    pub(crate) async fn close(&self) {
        self.closed.store(true, Ordering::Release);
        let _ = tokio::time::timeout(PATIENCE, self.writing.lock()).await;
    }
}

fn write_all(bytes: &[u8], closed: &AtomicBool) -> io::Result<()> {
    let stdout = stdout();
    for mut slice in bytes.chunks(SLICE) {
        while !slice.is_empty() {
            if closed.load(Ordering::Acquire) {
                return Ok(());
            }
            match retry_on_intr(|| write(stdout, slice)) {
                Ok(written) => slice = &slice[written..],
                Err(Errno::AGAIN) => {
                    retry_on_intr(|| poll(&mut [PollFd::new(&stdout, PollFlags::OUT)], None))?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}
