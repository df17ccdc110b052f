//! Standard output as the screen of a session: bytes as they are and at once. It may take nothing
//! for a long time; nothing else waits for it.

use std::io;
use std::os::fd::OwnedFd;

use codeout_device::{OutputBytes, SessionOutput, SessionReader};
use codeout_protocol::message::ExitStatus;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, retry_on_intr, write};
use rustix::stdio::stdout;
use rustix::termios::ttyname;

use crate::failure::{Code, Failure};

/// More than this is the output of a program that has much to say, in bytes: its terminal is
/// full most of the time.
const MUCH: usize = 1024;
/// Pieces that another thread writes before it reports back.
const AT_A_TIME: usize = 4;

/// Where a session's output goes: standard output, and if that is a terminal, also its terminal
/// opened anew, so that not to block is this description's alone.
pub(crate) struct Screen(Option<OwnedFd>);

impl Screen {
    pub(crate) fn open() -> Self {
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let path = ttyname(stdout(), Vec::new());
        Screen(path.and_then(|path| open(path, flags, Mode::empty())).ok())
    }

    /// Shows output, and what else has come of it. Returns how the session ended, if it did.
    pub(crate) async fn show(
        &self,
        bytes: OutputBytes,
        reader: &mut SessionReader,
    ) -> Result<Option<ExitStatus>, Failure> {
        let shown = self.show_at_once(&bytes);
        if shown == bytes.len() {
            return Ok(None);
        }
        let (mut pieces, mut ended) = (vec![bytes], None);
        while ended.is_none()
            && pieces.len() < AT_A_TIME
            && let Some(output) = reader.try_read()
        {
            match output {
                SessionOutput::Bytes(bytes) => pieces.push(bytes),
                SessionOutput::Ended(status) => ended = Some(status),
            }
        }
        let writing = tokio::task::spawn_blocking(move || {
            write_all(&pieces[0][shown..])?;
            pieces[1..].iter().try_for_each(|piece| write_all(piece))
        });
        let written = writing.await;
        let written = written.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
        written.map(|()| ended).map_err(|error| {
            Failure::new(Code::Other, format!("cannot write to standard output: {error}"))
        })
    }

    /// Shows an echo or the like without waking another thread. Returns how much was shown.
    fn show_at_once(&self, bytes: &[u8]) -> usize {
        match &self.0 {
            // What is wrong with the terminal, the next write finds out.
            Some(terminal) if bytes.len() <= MUCH => write(terminal, bytes).unwrap_or(0),
            _ => 0,
        }
    }
}

fn write_all(mut bytes: &[u8]) -> io::Result<()> {
    let stdout = stdout();
    while !bytes.is_empty() {
        match retry_on_intr(|| write(stdout, bytes)) {
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::AGAIN) => {
                retry_on_intr(|| poll(&mut [PollFd::new(&stdout, PollFlags::OUT)], None))?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
