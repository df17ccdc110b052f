//! Standard output as the screen of a session: bytes as they are and at once. It may take nothing
//! for a long time; nothing else waits for it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use codeout_device::OutputBytes;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, retry_on_intr, write};
use rustix::stdio::stdout;
use rustix::termios::ttyname;

use crate::failure::{Code, Failure};

/// Where a session's output goes: a terminal, opened anew, so that not to block is this
/// description's alone; or else standard output itself.
pub(crate) struct Screen(Option<Arc<OwnedFd>>);

impl Screen {
    pub(crate) fn open() -> Self {
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let path = ttyname(stdout(), Vec::new());
        let terminal = path.and_then(|path| open(path, flags, Mode::empty()));
        Screen(terminal.ok().map(Arc::new))
    }

    /// Shows output.
    pub(crate) async fn show(&self, bytes: OutputBytes) -> Result<(), Failure> {
        // Nearly always the terminal takes all of it.
        let at_once = self.0.as_ref().map(|terminal| write(terminal, &bytes));
        let shown = match at_once {
            Some(Ok(count)) if count == bytes.len() => return Ok(()),
            Some(Err(error)) if ![Errno::AGAIN, Errno::INTR].contains(&error) => Err(error.into()),
            other => self.show_slowly(bytes, other.and_then(Result::ok).unwrap_or(0)).await,
        };
        shown.map_err(|error| {
            Failure::new(Code::Other, format!("cannot write to standard output: {error}"))
        })
    }

    /// Shows what is left of `bytes` from a thread that may wait.
    async fn show_slowly(&self, bytes: OutputBytes, from: usize) -> io::Result<()> {
        let terminal = self.0.clone();
        let writing = tokio::task::spawn_blocking(move || match terminal {
            Some(terminal) => write_all(&terminal, &bytes[from..]),
            None => write_all(stdout(), &bytes[from..]),
        });
        writing.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }
}

fn write_all(to: impl AsFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match retry_on_intr(|| write(&to, bytes)) {
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::AGAIN) => {
                retry_on_intr(|| poll(&mut [PollFd::new(&to, PollFlags::OUT)], None))?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
