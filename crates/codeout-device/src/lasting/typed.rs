//! What was typed and is not known to be written yet.

use std::sync::{Mutex, MutexGuard, PoisonError};

use codeout_protocol::message::{INPUT_WINDOW, MAX_CHUNK};
use tokio::sync::Notify;
use tokio::time::Instant;
use zeroize::{Zeroize, Zeroizing};

use crate::track::Miscounted;

/// What is kept at most: as much as may be on its way.
const CAPACITY: usize = INPUT_WINDOW as usize;

pub(crate) struct Typed {
    kept: Mutex<Kept>,
    /// There is more to send than the thread that wrote it could send.
    pub(crate) more: Notify,
    /// There is room again.
    pub(crate) room: Notify,
    /// Something is to be waited for that was not.
    pub(crate) pending: Notify,
    /// Everything typed is sent.
    pub(crate) idle: Notify,
}

struct Kept {
    /// The offset of the first byte kept; those before are written.
    first: u64,
    /// The offset behind the last byte that went out by any link.
    sent: u64,
    /// It never grows beyond its first capacity: that would leave copies behind.
    bytes: Zeroizing<Vec<u8>>,
    /// Since when nothing was written though there was something.
    since: Option<Instant>,
}

impl Kept {
    fn end(&self) -> u64 {
        self.first + self.bytes.len() as u64
    }
}

impl Typed {
    /// Of a keyboard of which the daemon has so many bytes.
    pub(crate) fn new(input: u64) -> Self {
        let bytes = Zeroizing::new(Vec::with_capacity(CAPACITY));
        let kept = Kept { first: input, sent: input, bytes, since: None };
        Typed {
            kept: Mutex::new(kept),
            more: Notify::new(),
            room: Notify::new(),
            pending: Notify::new(),
            idle: Notify::new(),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps as many of `bytes` as there is room for. Returns how many. The caller sends them, or
    /// tells [`more`](Self::more).
    pub(crate) fn keep(&self, bytes: &[u8]) -> usize {
        let mut kept = self.kept();
        let count = bytes.len().min(CAPACITY - kept.bytes.len());
        kept.bytes.extend_from_slice(&bytes[..count]);
        if count > 0 && kept.since.is_none() {
            kept.since = Some(Instant::now());
            self.pending.notify_one();
        }
        count
    }

    /// The bytes from this offset on, as many as go into one record.
    pub(crate) fn from(&self, offset: u64) -> Option<Zeroizing<Vec<u8>>> {
        let kept = self.kept();
        let skip = usize::try_from(offset.saturating_sub(kept.first)).ok()?;
        let rest = kept.bytes.get(skip..).filter(|rest| !rest.is_empty())?;
        Some(Zeroizing::new(rest[..rest.len().min(MAX_CHUNK)].to_vec()))
    }

    /// The daemon has written everything before this offset.
    pub(crate) fn written(&self, offset: u64) {
        let mut kept = self.kept();
        let count = usize::try_from(offset.saturating_sub(kept.first)).unwrap_or(usize::MAX);
        let count = count.min(kept.bytes.len());
        if count == 0 {
            return;
        }
        let left = kept.bytes.len() - count;
        kept.bytes.copy_within(count.., 0);
        kept.bytes[left..].zeroize();
        kept.bytes.truncate(left);
        kept.first += count as u64;
        kept.since = (left > 0).then(Instant::now);
        drop(kept);
        self.room.notify_one();
    }

    /// A link has ended that everything before this offset went out by.
    pub(crate) fn note_sent(&self, offset: u64) {
        let mut kept = self.kept();
        kept.sent = kept.sent.max(offset);
    }

    /// By a new link the daemon says how much of this keyboard's input it has: never less than
    /// it has said before, never more than was sent.
    pub(crate) fn resume(&self, input: u64) -> Result<(), Miscounted> {
        {
            let mut kept = self.kept();
            if input < kept.first || input > kept.sent {
                return Err(Miscounted);
            }
            // Waiting counts anew: nobody could write while there was no link.
            kept.since = (!kept.bytes.is_empty()).then(Instant::now);
        }
        self.written(input);
        Ok(())
    }

    /// The offset behind the last byte typed.
    pub(crate) fn end(&self) -> u64 {
        self.kept().end()
    }

    /// Since when nothing of what waits was written.
    pub(crate) fn waits_since(&self) -> Option<Instant> {
        self.kept().since
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn keeps_what_is_not_written() {
        let typed = Typed::new(7);
        assert_eq!(typed.keep(b"hello"), 5);
        assert_eq!(typed.from(7).unwrap().as_slice(), b"hello");
        assert_eq!(typed.from(10).unwrap().as_slice(), b"lo");
        assert!(typed.from(12).is_none());
        typed.written(9);
        typed.written(8);
        assert_eq!((typed.from(9).unwrap().as_slice(), typed.end()), (&b"llo"[..], 12));
        assert!(typed.waits_since().is_some());
        typed.written(12);
        assert!(typed.waits_since().is_none() && typed.from(12).is_none());
    }

    #[tokio::test]
    async fn its_room_is_bounded_and_stays_in_place() {
        let typed = Typed::new(0);
        assert_eq!(typed.keep(&vec![1; CAPACITY + 1]), CAPACITY);
        let place = typed.kept().bytes.as_ptr();
        assert_eq!(typed.keep(b"x"), 0);
        assert_eq!(typed.from(0).unwrap().len(), MAX_CHUNK);
        typed.written(10);
        assert_eq!(typed.keep(&[2; 100]), 10);
        assert_eq!(typed.kept().bytes.as_ptr(), place);
        assert_eq!(typed.from(CAPACITY as u64).unwrap().as_slice(), [2; 10]);
    }

    #[tokio::test]
    async fn a_daemon_that_counts_wrong_is_found_out() {
        let typed = Typed::new(0);
        typed.keep(b"0123456789");
        typed.note_sent(6);
        typed.written(2);
        assert_eq!(typed.resume(1), Err(Miscounted));
        assert_eq!(typed.resume(7), Err(Miscounted));
        assert_eq!(typed.resume(6), Ok(()));
        assert_eq!(typed.from(6).unwrap().as_slice(), b"6789");
    }
}
