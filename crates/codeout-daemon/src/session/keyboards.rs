//! What devices type into one session: each keyboard's bytes once and in order, whatever becomes
//! of the links in between.

use std::collections::{HashMap, VecDeque};

use codeout_protocol::message::{INPUT_WINDOW, MAX_CHUNK};
use zeroize::Zeroizing;

use super::Violation;
use crate::devices::DeviceId;

/// Keyboards that a session remembers; the one unused for longest gives way.
const MAX_KEYBOARDS: usize = 64;

/// One device's input to one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Keyboard {
    pub(crate) device: DeviceId,
    pub(crate) number: u64,
}

/// All input of a session that is not yet written, and how far each keyboard is.
#[derive(Debug, Default)]
pub(crate) struct Keyboards {
    known: HashMap<Keyboard, Progress>,
    queue: VecDeque<(Keyboard, Zeroizing<Vec<u8>>)>,
    uses: u64,
}

#[derive(Debug, Default, Clone, Copy)]
struct Progress {
    received: u64,
    written: u64,
    reported: u64,
    used: u64,
}

impl Keyboards {
    /// A device attaches with this keyboard; the bytes of it that are here. They need no report.
    pub(crate) fn attach(&mut self, keyboard: Keyboard) -> u64 {
        if !self.known.contains_key(&keyboard) && self.known.len() >= MAX_KEYBOARDS {
            let idle = self.known.iter().filter(|(_, at)| at.received == at.written);
            if let Some(oldest) = idle.min_by_key(|(_, at)| at.used).map(|(known, _)| *known) {
                self.known.remove(&oldest);
            }
        }
        self.uses += 1;
        let progress = self.known.entry(keyboard).or_default();
        progress.used = self.uses;
        progress.received
    }

    /// Takes the next bytes of a keyboard. What `write` does not take at once is queued; says
    /// whether that is some.
    ///
    /// # Errors
    /// [`Violation`]: the bytes are not the next ones, or more than the window allows.
    pub(crate) fn take(
        &mut self,
        keyboard: Keyboard,
        offset: u64,
        bytes: &[u8],
        write: impl FnOnce(&[u8]) -> usize,
    ) -> Result<bool, Violation> {
        let progress = self.known.get_mut(&keyboard).ok_or(Violation)?;
        let in_flight = progress.received - progress.written + bytes.len() as u64;
        if offset != progress.received || in_flight > INPUT_WINDOW {
            return Err(Violation);
        }
        progress.received += bytes.len() as u64;
        // The common case, a key on a terminal that takes it, needs no other task.
        let written = if self.queue.is_empty() { write(bytes) } else { 0 };
        progress.written += written as u64;
        if written == bytes.len() {
            return Ok(false);
        }
        self.queue.push_back((keyboard, Zeroizing::new(bytes[written..].to_vec())));
        Ok(true)
    }

    /// The bytes that are to be written next, at most a chunk.
    pub(crate) fn next(&self) -> Option<Zeroizing<Vec<u8>>> {
        let (_, bytes) = self.queue.front()?;
        Some(Zeroizing::new(bytes[..bytes.len().min(MAX_CHUNK)].to_vec()))
    }

    /// Takes note that the first `count` bytes of the queue are written; says whose they were.
    pub(crate) fn wrote(&mut self, count: usize) -> Option<Keyboard> {
        let (keyboard, bytes) = self.queue.front_mut()?;
        let keyboard = *keyboard;
        bytes.drain(..count);
        if bytes.is_empty() {
            self.queue.pop_front();
        }
        if let Some(progress) = self.known.get_mut(&keyboard) {
            progress.written += count as u64;
        }
        Some(keyboard)
    }

    /// The bytes of this keyboard that are written, and not reported.
    pub(crate) fn unreported(&self, keyboard: Keyboard) -> u64 {
        self.known.get(&keyboard).map_or(0, |at| at.written.saturating_sub(at.reported))
    }

    /// How far this keyboard is written, if that was not reported. It must be now.
    pub(crate) fn news(&mut self, keyboard: Keyboard) -> Option<u64> {
        let progress = self.known.get_mut(&keyboard)?;
        let written = progress.written;
        (written > std::mem::replace(&mut progress.reported, written)).then_some(written)
    }
}
