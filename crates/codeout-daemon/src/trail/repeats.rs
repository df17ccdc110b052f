//! Refusals, counted: however often one source is turned away, it is one line.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use super::{Happening, Note, Refusal};
use crate::limiter::source_key;

/// How often a count is written.
pub(super) const WRITE_AGAIN: Duration = Duration::from_secs(5);
/// A source that was quiet for so long begins a new line…
const QUIET: Duration = Duration::from_secs(600);
/// …and so does one whose line is so old.
const LONG: Duration = Duration::from_secs(3_600);
/// Lines that are counted at once; more sources share one.
const MAX_LINES: usize = 256;

/// Which line a refusal is counted in; without a source, the one that the others share.
type Key = (Option<IpAddr>, Refusal);

/// All lines that are counted.
#[derive(Debug, Default)]
pub(super) struct Repeats(HashMap<Key, Repeat>);

#[derive(Debug)]
struct Repeat {
    source: Option<IpAddr>,
    times: u64,
    /// In seconds since 1970.
    since: u64,
    last: u64,
    begun: Duration,
    heard: Duration,
    written: Option<Written>,
    changed: bool,
}

#[derive(Debug, Clone, Copy)]
struct Written {
    number: u64,
    when: Duration,
}

/// A line that is to be written.
#[derive(Debug)]
pub(super) struct Due {
    key: Key,
    when: Duration,
    pub(super) note: Note,
}

impl Repeats {
    /// Counts a refusal at `at` (seconds since 1970) and `now` (since some start).
    pub(super) fn note(&mut self, at: u64, now: Duration, why: Refusal, source: IpAddr) {
        let own = (Some(source_key(source)), why);
        let full = self.0.len() >= MAX_LINES && !self.0.contains_key(&own);
        // A reason has one shared line besides.
        let (key, source) = if full { ((None, why), None) } else { (own, Some(source)) };
        let fresh = || Repeat {
            source,
            times: 0,
            since: at,
            last: at,
            begun: now,
            heard: now,
            written: None,
            changed: false,
        };
        let repeat = self.0.entry(key).or_insert_with(fresh);
        if repeat.is_over(now) && !repeat.changed {
            *repeat = fresh();
        }
        repeat.times += 1;
        (repeat.source, repeat.last, repeat.heard, repeat.changed) = (source, at, now, true);
    }

    /// Whether counts have changed and are not written.
    pub(super) fn count_waiting(&self) -> bool {
        self.0.values().any(|repeat| repeat.changed)
    }

    /// The lines that are to be written now; with `all`, those too that were written lately. What
    /// is over is forgotten.
    pub(super) fn take_due(&mut self, now: Duration, all: bool) -> Vec<Due> {
        self.0.retain(|_, repeat| repeat.changed || !repeat.is_over(now));
        let mut due = Vec::new();
        for (key, repeat) in &mut self.0 {
            let rested = |written: Written| now.saturating_sub(written.when) >= WRITE_AGAIN;
            if repeat.changed && (all || repeat.written.is_none_or(rested)) {
                repeat.changed = false;
                due.push(Due { key: *key, when: now, note: repeat.note(key.1) });
            }
        }
        due.sort_by_key(|due| due.note.at);
        due
    }

    /// A line was written under this number.
    pub(super) fn written(&mut self, due: &Due, number: u64) {
        if let Some(repeat) = self.0.get_mut(&due.key) {
            repeat.written = Some(Written { number, when: due.when });
        }
    }

    /// Lines could not be written.
    pub(super) fn put_back(&mut self, due: Vec<Due>) {
        for due in due {
            if let Some(repeat) = self.0.get_mut(&due.key) {
                repeat.changed = true;
            }
        }
    }
}

impl Repeat {
    fn is_over(&self, now: Duration) -> bool {
        now.saturating_sub(self.heard) >= QUIET || now.saturating_sub(self.begun) >= LONG
    }

    fn note(&self, reason: Refusal) -> Note {
        let Repeat { source, times, since, .. } = *self;
        let happening = Happening::Refused { reason, source, times, since };
        Note { at: self.last, happening, replaces: self.written.map(|written| written.number) }
    }
}

#[cfg(test)]
#[path = "repeats_tests.rs"]
mod tests;
