//! What became of what the attackers did.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Counts by what they count.
#[derive(Clone, Default)]
pub(crate) struct Tally(Arc<Mutex<Counts>>);

#[derive(Default)]
struct Counts {
    counts: BTreeMap<String, u64>,
    longest: BTreeMap<String, Duration>,
}

impl Tally {
    pub(crate) fn count(&self, what: &str) {
        let mut inside = self.inside();
        match inside.counts.get_mut(what) {
            Some(count) => *count += 1,
            None => drop(inside.counts.insert(what.to_owned(), 1)),
        }
    }

    /// Counts it, and keeps the longest time that it took.
    pub(crate) fn took(&self, what: &str, time: Duration) {
        self.count(what);
        let mut inside = self.inside();
        let longest = inside.longest.entry(what.to_owned()).or_default();
        *longest = time.max(*longest);
    }

    pub(crate) fn get(&self, what: &str) -> u64 {
        self.inside().counts.get(what).copied().unwrap_or(0)
    }

    /// All counts in words.
    pub(crate) fn words(&self) -> String {
        let inside = self.inside();
        let word = |(what, count): (&String, &u64)| match inside.longest.get(what) {
            Some(longest) => format!("{what} {count} (longest {:.1} s)", longest.as_secs_f64()),
            None => format!("{what} {count}"),
        };
        inside.counts.iter().map(word).collect::<Vec<_>>().join(", ")
    }

    fn inside(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
