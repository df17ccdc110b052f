//! What devices type into one session: each keyboard's bytes once and in order, whatever becomes
//! of the links in between.

use std::collections::{HashMap, VecDeque};

use codeout_protocol::message::INPUT_WINDOW;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Violation;
use crate::devices::DeviceId;

/// Keyboards that a session remembers when nobody is attached with them; the one unused for
/// longest gives way.
const MAX_KEYBOARDS: usize = 64;
/// Keyboards whose input waits: with more, nobody else may type.
const MAX_WAITING: usize = 64;

/// One device's input to one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Keyboard {
    pub(crate) device: DeviceId,
    pub(crate) number: u64,
}

/// An attachment's right to type. A later attachment with the same keyboard ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) keyboard: Keyboard,
    number: u64,
}

/// Too many keyboards have input that no program reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMany;

/// All input of a session that is not yet written, and how far each keyboard is.
#[derive(Debug, Default)]
pub(crate) struct Keyboards {
    known: HashMap<Keyboard, Progress>,
    queue: VecDeque<(Keyboard, Zeroizing<Vec<u8>>)>,
    turns: u64,
}

/// How far every keyboard is, and whose the bytes of the queue are, in order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SavedKeyboards {
    known: Vec<(String, u64, Progress)>,
    queue: Vec<(String, u64, usize)>,
    turns: u64,
}

#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize)]
struct Progress {
    received: u64,
    written: u64,
    /// The number of the last turn.
    turn: u64,
    /// Whether somebody is attached, and types in that turn.
    #[serde(skip)]
    attached: bool,
}

impl Progress {
    fn waits(&self) -> bool {
        self.received > self.written
    }
}

impl Keyboards {
    /// A device attaches with this keyboard; its turn, and how many bytes of it are written. The
    /// device goes on behind them: what was not written yet is dropped here, and comes again.
    ///
    /// # Errors
    /// [`TooMany`].
    pub(crate) fn attach(&mut self, keyboard: Keyboard) -> Result<(Turn, u64), TooMany> {
        let others = self.known.iter().filter(|(other, at)| **other != keyboard && at.waits());
        if others.count() >= MAX_WAITING {
            return Err(TooMany);
        }
        self.make_room(keyboard);
        self.queue.retain(|(whose, _)| *whose != keyboard);
        self.turns += 1;
        let progress = self.known.entry(keyboard).or_default();
        progress.received = progress.written;
        progress.turn = self.turns;
        progress.attached = true;
        Ok((Turn { keyboard, number: self.turns }, progress.written))
    }

    /// That device is no longer attached.
    pub(crate) fn detach(&mut self, turn: Turn) {
        if let Some(progress) = self.known.get_mut(&turn.keyboard)
            && progress.turn == turn.number
        {
            progress.attached = false;
        }
    }

    /// Drops what a device has typed that is not written, and what is known of its keyboards.
    pub(crate) fn forget(&mut self, device: DeviceId) {
        self.queue.retain(|(keyboard, _)| keyboard.device != device);
        self.known.retain(|keyboard, _| keyboard.device != device);
    }

    /// The program has ended: what was typed and not written goes nowhere.
    pub(crate) fn drop_waiting(&mut self) {
        self.queue.clear();
        for progress in self.known.values_mut() {
            progress.received = progress.written;
        }
    }

    /// Forgets the keyboards unused for longest, but for `keyboard`.
    fn make_room(&mut self, keyboard: Keyboard) {
        let idle = |(known, at): &(&Keyboard, &Progress)| {
            **known != keyboard && !at.attached && !at.waits()
        };
        let idle = self.known.iter().filter(idle);
        let mut idle: Vec<_> = idle.map(|(known, at)| (at.turn, *known)).collect();
        idle.sort_unstable_by_key(|(turn, _)| *turn);
        for (_, oldest) in idle.iter().take(idle.len().saturating_sub(MAX_KEYBOARDS)) {
            self.known.remove(oldest);
        }
    }

    /// Takes the next bytes of a keyboard. What `write` does not take at once is queued; says
    /// whether that is some. In a turn that is over nothing is taken.
    ///
    /// # Errors
    /// [`Violation`]: the bytes are not the next ones, or more than the window allows.
    pub(crate) fn take(
        &mut self,
        turn: Turn,
        offset: u64,
        bytes: &[u8],
        write: impl FnOnce(&[u8]) -> usize,
    ) -> Result<bool, Violation> {
        let progress = self.known.get_mut(&turn.keyboard);
        let Some(progress) = progress.filter(|progress| progress.turn == turn.number) else {
            return Ok(false);
        };
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
        self.queue.push_back((turn.keyboard, Zeroizing::new(bytes[written..].to_vec())));
        Ok(true)
    }

    /// Whether bytes wait to be written.
    pub(crate) fn wait(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Hands the next bytes to `write`, which says how many it took; says whose they were.
    pub(crate) fn write(&mut self, write: impl FnOnce(&[u8]) -> usize) -> Option<Keyboard> {
        let (keyboard, bytes) = self.queue.front_mut()?;
        let keyboard = *keyboard;
        let count = write(bytes);
        bytes.drain(..count);
        if bytes.is_empty() {
            self.queue.pop_front();
        }
        if let Some(progress) = self.known.get_mut(&keyboard) {
            progress.written += count as u64;
        }
        Some(keyboard)
    }

    /// How many bytes are written of what is typed in this turn; `None` when it is over.
    pub(crate) fn written(&self, turn: Turn) -> Option<u64> {
        let progress = self.known.get(&turn.keyboard)?;
        (progress.turn == turn.number).then_some(progress.written)
    }

    /// Everything, and the bytes of the queue.
    pub(super) fn save(&self) -> (SavedKeyboards, Zeroizing<Vec<u8>>) {
        let name = |keyboard: &Keyboard| (keyboard.device.to_string(), keyboard.number);
        let known = self.known.iter().map(|(keyboard, progress)| {
            let (device, number) = name(keyboard);
            (device, number, *progress)
        });
        // In its final size at once: growing leaves copies behind.
        let length = self.queue.iter().map(|(_, bytes)| bytes.len()).sum();
        let mut typed = Zeroizing::new(Vec::with_capacity(length));
        let queue = self.queue.iter().map(|(keyboard, bytes)| {
            typed.extend_from_slice(bytes);
            let (device, number) = name(keyboard);
            (device, number, bytes.len())
        });
        let (known, queue) = (known.collect(), queue.collect());
        (SavedKeyboards { known, queue, turns: self.turns }, typed)
    }

    /// What was saved; `None` when it makes no sense.
    pub(super) fn restore(saved: SavedKeyboards, typed: &[u8]) -> Option<Self> {
        let keyboard = |device: &str, number| {
            device.parse().ok().map(|device: DeviceId| Keyboard { device, number })
        };
        let mut keyboards = Keyboards { turns: saved.turns, ..Keyboards::default() };
        // What each keyboard has in the queue.
        let mut waiting = HashMap::new();
        for (device, number, progress) in saved.known {
            let keyboard = keyboard(&device, number)?;
            let waits = progress.received.checked_sub(progress.written)?;
            let is_known = keyboards.known.insert(keyboard, progress).is_some();
            if is_known || waits > INPUT_WINDOW || progress.turn > saved.turns {
                return None;
            }
            waiting.insert(keyboard, waits);
        }
        let mut rest = typed;
        for (device, number, length) in saved.queue {
            let keyboard = keyboard(&device, number)?;
            let (bytes, others) = rest.split_at_checked(length)?;
            rest = others;
            let waits = waiting.get_mut(&keyboard)?;
            *waits = waits.checked_sub(length as u64)?;
            keyboards.queue.push_back((keyboard, Zeroizing::new(bytes.to_vec())));
        }
        let agree = rest.is_empty() && waiting.values().all(|waits| *waits == 0);
        agree.then_some(keyboards)
    }
}

#[cfg(test)]
#[path = "keyboards_tests.rs"]
mod tests;
