//! What a key brings about at once, which whoever wrote the key reads and sends: that is mostly its
//! echo, and need not wait for another thread to wake.

use std::sync::Mutex;

use super::{Pty, Session, locked};

/// More than this is no key, in bytes…
const KEY: usize = 64;
/// …and more than this no echo.
const ECHO: usize = 1024;

/// Whether a session's terminal is read. It is held by whoever reads, until what came is passed on.
pub(super) type Reading = Mutex<bool>;

/// The terminal is read as long as this lives, and by nobody afterwards.
pub(super) struct Open<'a>(&'a Reading);

impl<'a> Open<'a> {
    pub(super) fn new(reading: &'a Reading) -> Self {
        *locked(reading) = true;
        Open(reading)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        *locked(self.0) = false;
    }
}

impl Session {
    /// Behind `typed`, which the terminal took at `now`, in seconds since 1970.
    pub(super) fn read_echo(&self, pty: &Pty, typed: &[u8], now: u64) {
        if typed.len() > KEY {
            return;
        }
        let Ok(reading) = self.reading.try_lock() else { return };
        let mut buffer = [0; ECHO];
        let Some(count) = reading.then(|| pty.read_now(&mut buffer)).flatten() else { return };
        self.publish(&buffer[..count], now);
        drop(reading);
        // The screen is to see it, too.
        self.echoed.notify_one();
    }
}

#[cfg(test)]
#[path = "echo_tests.rs"]
mod tests;
