//! The audit trail: what happened at this daemon, by which device, and when. Never what a terminal
//! showed, and never a secret.
//!
//! Whatever happens is noted without waiting, and one task writes it down: neither a connection nor
//! a session waits for the disk. Only what changes the allow-list is written in the transaction
//! that changes it.

mod happening;
mod repeats;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};

pub(crate) use self::happening::{Class, MAX_TEXT};
pub use self::happening::{Happening, Refusal, Who};

use self::repeats::{Due, Repeats};
use crate::devices::DevicesError;
use crate::state::Shared;

/// What happens in this time is written together.
const TOGETHER: Duration = Duration::from_millis(200);
/// Happenings that wait for the disk at most.
const MAX_WAITING: usize = 4_096;

/// A line of the trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number: later lines have higher ones.
    pub number: u64,
    /// When it happened, in seconds since 1970.
    pub at: u64,
    /// What happened.
    #[serde(flatten)]
    pub happening: Happening,
}

/// Which lines are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// The newest so many; `None` for all.
    pub last: Option<usize>,
    /// Those from this time on, in seconds since 1970.
    pub since: Option<u64>,
    /// Those behind this number.
    pub behind: Option<u64>,
    /// Those about the devices that have or had this name, or whose id begins so.
    pub device: Option<String>,
}

/// What is about to be written.
#[derive(Debug)]
pub(crate) struct Note {
    /// In seconds since 1970.
    pub(crate) at: u64,
    pub(crate) happening: Happening,
    /// The number of the line that this one takes the place of.
    pub(crate) replaces: Option<u64>,
}

/// What has happened and is not written down yet.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    waiting: Mutex<Waiting>,
    something: Notify,
    /// Held by whoever writes.
    writing: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Waiting {
    notes: Vec<Note>,
    repeats: Repeats,
    /// Since something was written last.
    missed: u64,
}

/// What one writing takes along.
struct Batch {
    notes: Vec<Note>,
    due: Vec<Due>,
    missed: u64,
}

impl Waiting {
    fn take(&mut self, now: Duration, all: bool) -> Batch {
        Batch {
            notes: std::mem::take(&mut self.notes),
            due: self.repeats.take_due(now, all),
            missed: std::mem::take(&mut self.missed),
        }
    }

    /// What could not be written waits again; the oldest is missed where it is too much.
    fn put_back(&mut self, mut batch: Batch) {
        batch.notes.append(&mut self.notes);
        let too_many = batch.notes.len().saturating_sub(MAX_WAITING);
        batch.notes.drain(..too_many);
        self.notes = batch.notes;
        self.missed += batch.missed + too_many as u64;
        self.repeats.put_back(batch.due);
    }
}

impl Trail {
    /// Notes what has happened at `at`, in seconds since 1970.
    pub(crate) fn note(&self, at: u64, happening: Happening) {
        let mut waiting = self.lock();
        if waiting.notes.len() < MAX_WAITING {
            waiting.notes.push(Note { at, happening, replaces: None });
        } else {
            waiting.missed += 1;
        }
        drop(waiting);
        self.something.notify_one();
    }

    /// Notes that somebody was turned away. Repeats are counted.
    pub(crate) fn note_refusal(&self, at: u64, now: Duration, why: Refusal, source: IpAddr) {
        self.lock().repeats.note(at, now, why, source);
        self.something.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes the trail until `stop` says so.
pub(crate) async fn serve(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let mut failed = false;
    loop {
        let counts = shared.trail.lock().repeats.count_waiting();
        tokio::select! {
            () = shared.trail.something.notified() => {}
            () = tokio::time::sleep(repeats::WRITE_AGAIN), if counts => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        tokio::select! {
            () = tokio::time::sleep(TOGETHER) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let written = write(&shared, false).await;
        if let Err(error) = &written
            && !failed
        {
            tracing::warn!(%error, "the audit trail cannot be written");
        }
        failed = written.is_err();
    }
}

/// Writes down what has happened; with `all`, also counts that have just been written.
///
/// # Errors
/// Those of the allow-list's file. What could not be written waits.
pub(crate) async fn write(shared: &Arc<Shared>, all: bool) -> Result<(), DevicesError> {
    let _turn = shared.trail.writing.lock().await;
    let mut batch = shared.trail.lock().take(shared.now(), all);
    if batch.missed > 0 {
        let happening = Happening::Missed { happenings: batch.missed };
        batch.notes.insert(0, Note { at: shared.unix(), happening, replaces: None });
        batch.missed = 0;
    }
    if batch.notes.is_empty() && batch.due.is_empty() {
        return Ok(());
    }
    let keeper = Arc::clone(shared);
    // The call ends, and puts back or not, whoever still waits for it.
    shared
        .store(move |devices| {
            let notes = batch.notes.iter().chain(batch.due.iter().map(|due| &due.note));
            match devices.write_trail(notes) {
                Ok(numbers) => {
                    let counted = numbers.into_iter().skip(batch.notes.len());
                    let mut waiting = keeper.trail.lock();
                    for (due, number) in batch.due.iter().zip(counted) {
                        waiting.repeats.written(due, number);
                    }
                    Ok(())
                }
                Err(error) => {
                    keeper.trail.lock().put_back(batch);
                    Err(error)
                }
            }
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_disk_does_not_take_waits_within_bounds_and_is_counted() {
        let trail = Trail::default();
        for _ in 0..MAX_WAITING + 10 {
            trail.note(1, Happening::DaemonStopped {});
        }
        let mut waiting = trail.lock();
        let batch = waiting.take(Duration::ZERO, false);
        assert_eq!((batch.notes.len(), batch.missed), (MAX_WAITING, 10));
        drop(waiting);
        trail.note(2, Happening::DaemonStopped {});
        let mut waiting = trail.lock();
        waiting.put_back(batch);
        assert_eq!((waiting.notes.len(), waiting.missed), (MAX_WAITING, 11));
        assert_eq!(waiting.notes.last().map(|note| note.at), Some(2), "the oldest is missed");
    }

    #[test]
    fn a_line_is_flat_json() {
        let device = Who { id: "k3f9a2c1".to_owned(), name: "phone".to_owned() };
        let source = "192.0.2.7".parse().unwrap();
        let entry = Entry { number: 7, at: 9, happening: Happening::Connected { device, source } };
        let json = serde_json::to_value(&entry).unwrap();
        let expected = serde_json::json!({
            "number": 7, "at": 9, "event": "connected", "source": "192.0.2.7",
            "device": {"id": "k3f9a2c1", "name": "phone"},
        });
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_value::<Entry>(json).unwrap(), entry);
        let later = serde_json::json!({"number": 1, "at": 2, "event": "flown", "to": "the moon"});
        let read = serde_json::from_value::<Entry>(later).unwrap();
        assert_eq!(read.happening, Happening::Unknown);
    }
}
