//! What comes out of a session, and the queue in which it waits to be read.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Deref;

use codeout_protocol::message::{ExitStatus, TerminalSize};

/// A chunk shorter than this joins the one before it…
const SMALL: usize = 4 * 1024;
/// …while both are no longer than this.
const MERGED: usize = 64 * 1024;
/// The marks (snapshots that begin and end) that wait at most. More than that, and a snapshot
/// takes the place of everything before it.
const MAX_MARKS: usize = 256;

/// What comes out of a session.
#[derive(Debug)]
pub enum SessionOutput {
    /// What is shown of the session is void; a snapshot follows as [`Bytes`](Self::Bytes), to be
    /// written to an empty terminal of this size. It may come at any time, and in the middle of
    /// another snapshot, which it replaces.
    Snapshot {
        /// The size that the session's terminal has now.
        size: TerminalSize,
        /// The name of the device that gave it that size, safe to show.
        size_by: Option<String>,
        /// Whether lines of history come first.
        history: bool,
    },
    /// What its program printed, or a part of a snapshot.
    Bytes(OutputBytes),
    /// The snapshot is complete: from here on it is output.
    SnapshotEnd,
    /// The program has ended; nothing follows.
    Ended(ExitStatus),
}

/// A piece of output, 1 to 65,536 bytes, exactly as the daemon sent it: not safe for a terminal
/// that is not meant to obey it. `Debug` shows its length alone.
pub struct OutputBytes {
    buffer: Vec<u8>,
    start: usize,
}

impl OutputBytes {
    /// The last `length` bytes of a record's plaintext.
    pub(crate) fn tail(plaintext: Vec<u8>, length: usize) -> Self {
        OutputBytes { start: plaintext.len().saturating_sub(length), buffer: plaintext }
    }
}

impl Deref for OutputBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.buffer[self.start..]
    }
}

impl AsRef<[u8]> for OutputBytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for OutputBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OutputBytes({} bytes)", self.len())
    }
}

/// One thing that waits to be read.
pub(crate) enum Item {
    Snapshot {
        size: TerminalSize,
        size_by: Option<String>,
        history: bool,
    },
    Bytes(OutputBytes),
    /// With the offset of the output that follows.
    SnapshotEnd(u64),
    Ended(ExitStatus),
}

impl From<Item> for SessionOutput {
    fn from(item: Item) -> Self {
        match item {
            Item::Snapshot { size, size_by, history } => {
                SessionOutput::Snapshot { size, size_by, history }
            }
            Item::Bytes(bytes) => SessionOutput::Bytes(bytes),
            Item::SnapshotEnd(_) => SessionOutput::SnapshotEnd,
            Item::Ended(status) => SessionOutput::Ended(status),
        }
    }
}

/// What waits to be read. Its memory is bounded by the bytes in it, however small the chunks
/// were in which they came.
#[derive(Default)]
pub(crate) struct Queue {
    items: VecDeque<Item>,
    marks: usize,
}

impl Queue {
    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(crate) fn push_bytes(&mut self, bytes: OutputBytes) {
        if let Some(Item::Bytes(last)) = self.items.back_mut()
            && bytes.len() < SMALL
            && last.len() + bytes.len() <= MERGED
        {
            last.buffer.extend_from_slice(&bytes);
            return;
        }
        self.items.push_back(Item::Bytes(bytes));
    }

    /// Appends what is not bytes. Returns how many bytes gave way to it.
    pub(crate) fn push_mark(&mut self, mark: Item) -> u64 {
        let mut void = 0;
        if self.marks >= MAX_MARKS && matches!(mark, Item::Snapshot { .. }) {
            void = self.clear();
        }
        self.marks += 1;
        self.items.push_back(mark);
        void
    }

    pub(crate) fn pop(&mut self) -> Option<Item> {
        let item = self.items.pop_front()?;
        if !matches!(item, Item::Bytes(_)) {
            self.marks -= 1;
        }
        Some(item)
    }

    /// How the program has ended, if that waits.
    pub(crate) fn ended(&self) -> Option<ExitStatus> {
        match self.items.back() {
            Some(Item::Ended(status)) => Some(*status),
            _ => None,
        }
    }

    /// Drops everything. Returns how many bytes there were.
    pub(crate) fn clear(&mut self) -> u64 {
        let length =
            |item: &Item| if let Item::Bytes(bytes) = item { bytes.len() as u64 } else { 0 };
        let bytes = self.items.iter().map(length).sum();
        *self = Queue::default();
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot() -> Item {
        let size = TerminalSize { columns: 80, rows: 24 };
        Item::Snapshot { size, size_by: None, history: false }
    }

    fn bytes(length: usize) -> OutputBytes {
        OutputBytes::tail(vec![b'x'; length + 13], length)
    }

    #[test]
    fn small_chunks_take_little_memory() {
        let mut queue = Queue::default();
        for _ in 0..1 << 20 {
            queue.push_bytes(bytes(1));
        }
        assert!(queue.items.len() <= 17, "{}", queue.items.len());
        let capacity =
            |item: &Item| if let Item::Bytes(b) = item { b.buffer.capacity() } else { 0 };
        assert!(queue.items.iter().map(capacity).sum::<usize>() <= 4 << 20);
        assert_eq!(queue.clear(), 1 << 20);
    }

    #[test]
    fn large_chunks_are_not_copied() {
        let mut queue = Queue::default();
        for _ in 0..2 {
            queue.push_bytes(bytes(SMALL));
        }
        assert_eq!(queue.items.len(), 2);
    }

    #[test]
    fn marks_are_bounded() {
        let mut queue = Queue::default();
        for round in 0..100_000 {
            queue.push_mark(snapshot());
            queue.push_bytes(bytes(1));
            queue.push_mark(Item::SnapshotEnd(round));
        }
        assert!(queue.items.len() <= 2 * MAX_MARKS);
        // The last snapshot is whole.
        let mut last = [None, None, None];
        while let Some(item) = queue.pop() {
            last.rotate_left(1);
            last[2] = Some(item);
        }
        let [Some(Item::Snapshot { .. }), Some(Item::Bytes(_)), Some(Item::SnapshotEnd(99_999))] =
            last
        else {
            panic!()
        };
        assert_eq!(queue.marks, 0);
    }
}
