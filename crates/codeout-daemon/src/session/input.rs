//! What devices type, on its way to the terminal, and what that brings about at once. That is mostly
//! an echo: whoever wrote the key reads and sends it, and no other thread has to wake first.

use tokio::sync::Mutex;

use super::keyboards::Turn;
use super::{Pty, Session, Violation, locked};

/// More than this is no key, in bytes…
const KEY: usize = 64;
/// …and more than this no echo.
const ECHO: usize = 1024;

/// Whether a session's terminal is read. It is held by whoever reads, until what came is passed on.
/// Its keeper waits for it without holding up the thread on which others are kept; whoever types does
/// not wait.
pub(super) type Reading = Mutex<bool>;

impl Session {
    /// Takes input from a device at `now`, in seconds since 1970. Behind the program's end it goes
    /// nowhere.
    ///
    /// # Errors
    /// [`Violation`]: the bytes are not the next ones, or more than the window allows.
    pub(crate) fn take_input(
        &self,
        turn: Turn,
        offset: u64,
        bytes: &[u8],
        now: u64,
    ) -> Result<(), Violation> {
        let Some(pty) = self.pty() else { return Ok(()) };
        // What a terminal that nobody holds does not take waits: a program may come back to it.
        let write = |bytes: &[u8]| pty.try_write(bytes).unwrap_or(0);
        let is_late = self.keyboards().take(turn, offset, bytes, write)?;
        // First: what comes of it is news.
        locked(&self.noticing).typed();
        if locked(&self.about).attention.take().is_some() {
            self.change();
        }
        if is_late {
            self.more_input.notify_one();
        } else if bytes.len() <= KEY {
            self.read_echo(&pty, now);
        }
        Ok(())
    }

    /// From here on the terminal is read.
    pub(super) async fn begin_reading(&self) {
        *self.reading.lock().await = true;
    }

    /// The terminal is read no more. All that was read is passed on.
    pub(crate) async fn stop_reading(&self) {
        *self.reading.lock().await = false;
    }

    /// Reads what the terminal has, and passes it on, unless somebody is about to.
    fn read_echo(&self, pty: &Pty, now: u64) {
        let Ok(reading) = self.reading.try_lock() else { return };
        // Behind much output its keeper is at work, which waits for the screen if it must.
        if !*reading || self.unseen() > self.most_unseen() {
            return;
        }
        let mut buffer = [0; ECHO];
        let Some(count) = pty.read_now(&mut buffer) else { return };
        self.publish(&buffer[..count], now);
        drop(reading);
        // The screen is to see it, too.
        self.echoed.notify_one();
    }
}

#[cfg(test)]
#[path = "input_tests.rs"]
mod tests;
