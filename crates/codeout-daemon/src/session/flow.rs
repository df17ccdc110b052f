//! How much one attachment may be sent: what it acknowledges, and how fast.

use std::collections::VecDeque;
use std::time::Duration;

use codeout_protocol::message::{ACKNOWLEDGE_AFTER, MAX_CHUNK, OUTPUT_WINDOW};
use tokio::time::Instant;

use super::Violation;

/// What a device may have on its way when nothing is known of its link…
const FIRST_WINDOW: u64 = 1 << 16;
/// …and when the link is as slow as can be.
const LEAST_WINDOW: u64 = 1 << 13;
/// Acknowledged faster than this, the window grows…
const FAST: Duration = Duration::from_millis(250);
/// …and slower than this, it shrinks to what may take this time.
const SLOW: Duration = Duration::from_millis(700);
const GOOD: Duration = Duration::from_millis(400);
/// A device that is behind for a shorter time is not slow.
const PATIENCE: Duration = Duration::from_millis(250);
/// A device that is busy with what it has waits so long for the next bytes, that they may become
/// more: it handles a large record in much less time than many small ones.
const GATHERING: Duration = Duration::from_millis(4);
/// The time over which a device's rate is measured, and twice that.
const OF_LATE: Duration = Duration::from_secs(1);
/// The moments of sending that are remembered.
const MOMENTS: usize = 64;

/// Counts the bytes of output and snapshots that an attachment was sent and has acknowledged,
/// and learns from the time between how much may be on its way: a device sees what is on the
/// screen now, and not what filled the path to it.
#[derive(Debug)]
pub(crate) struct Flow {
    sent: u64,
    acknowledged: u64,
    window: u64,
    /// Whether the window kept something back since it changed last.
    limited: bool,
    /// Since when bytes are kept back that they may become more.
    gathering: Option<Instant>,
    /// When what was sent up to here left.
    moments: VecDeque<(u64, Instant)>,
    /// Moments since when the device is behind, and what it had acknowledged then: one of a while
    /// ago, and one to take its place. A link's rate is that of late.
    behind: Option<[(Instant, u64); 2]>,
}

impl Flow {
    pub(crate) fn new() -> Self {
        Flow {
            sent: 0,
            acknowledged: 0,
            window: FIRST_WINDOW,
            limited: false,
            gathering: None,
            moments: VecDeque::new(),
            behind: None,
        }
    }

    /// The bytes that may be sent now.
    pub(crate) fn room(&mut self) -> usize {
        let room = self.window.saturating_sub(self.sent - self.acknowledged);
        self.limited |= room == 0;
        usize::try_from(room).unwrap_or(usize::MAX)
    }

    /// Until when `count` bytes, or what will have come by then, had better wait. An
    /// acknowledgement that leaves little on its way ends that at once.
    pub(crate) fn gather(&mut self, count: usize, now: Instant) -> Option<Instant> {
        let is_busy = self.sent - self.acknowledged >= ACKNOWLEDGE_AFTER;
        let until = *self.gathering.get_or_insert(now) + GATHERING;
        if count >= MAX_CHUNK || !is_busy || now >= until {
            self.gathering = None;
            return None;
        }
        Some(until)
    }

    /// Takes note of what was sent.
    pub(crate) fn sent(&mut self, count: usize, now: Instant) {
        self.sent += count as u64;
        self.gathering = None;
        let apart = self.window / 16;
        let far = self.moments.back().is_none_or(|(at, _)| self.sent - at >= apart);
        if far && self.moments.len() < MOMENTS {
            self.moments.push_back((self.sent, now));
        }
    }

    /// Hears that the device has dealt with everything before `offset`.
    ///
    /// # Errors
    /// [`Violation`]: so much was never sent.
    pub(crate) fn acknowledge(&mut self, offset: u64, now: Instant) -> Result<(), Violation> {
        if offset > self.sent {
            return Err(Violation);
        }
        self.acknowledged = self.acknowledged.max(offset);
        let mut took = None;
        while let Some((_, at)) = self.moments.front().filter(|(sent, _)| *sent <= offset) {
            took = Some(now.saturating_duration_since(*at));
            self.moments.pop_front();
        }
        match took {
            Some(took) if took >= SLOW => {
                let share = GOOD.as_secs_f64() / took.as_secs_f64();
                self.set_window((self.window as f64 * share) as u64);
            }
            Some(took) if took <= FAST && self.limited => self.set_window(self.window * 2),
            _ => {}
        }
        Ok(())
    }

    fn set_window(&mut self, window: u64) {
        self.window = window.clamp(LEAST_WINDOW, OUTPUT_WINDOW);
        self.limited = false;
        // What was sent before tells nothing of this window.
        self.moments.clear();
    }

    /// Whether a device that is `lag` bytes behind does better with a snapshot of now: at the
    /// rate that it takes what it is sent, it would need more than a second to catch up.
    pub(crate) fn is_too_far_behind(&mut self, lag: u64, now: Instant) -> bool {
        if lag == 0 {
            self.behind = None;
            return false;
        }
        let here = (now, self.acknowledged);
        let behind = self.behind.get_or_insert([here; 2]);
        if now.saturating_duration_since(behind[1].0) >= OF_LATE {
            *behind = [behind[1], here];
        }
        let (since, before) = behind[0];
        let passed = now.saturating_duration_since(since);
        let taken = (self.acknowledged - before) as f64;
        let slow = lag as f64 * passed.as_secs_f64() > taken;
        passed >= PATIENCE && lag > LEAST_WINDOW && slow
    }

    /// A snapshot begins: what the device was behind is void.
    pub(crate) fn start_anew(&mut self) {
        self.behind = None;
    }
}

#[cfg(test)]
#[path = "flow_tests.rs"]
mod tests;
