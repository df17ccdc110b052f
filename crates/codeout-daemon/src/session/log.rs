//! What a session printed, by offset, as long as it is kept.

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};

use bytes::Bytes;
use codeout_protocol::message::MAX_CHUNK;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

/// The size of a chunk that is complete, in bytes: who is behind gets each in one record.
const CHUNK: usize = MAX_CHUNK;
/// Chunks that are compressed in one go: some milliseconds.
const PACKED_AT_ONCE: usize = 4;

/// The last bytes of a session's output. Appending never waits, and never keeps more than was
/// agreed; reading hands out what is there without copying complete chunks.
#[derive(Debug)]
pub(crate) struct Log {
    chunks: VecDeque<Chunk>,
    tail: Vec<u8>,
    /// The offset of the first byte that is kept.
    start: u64,
    /// The offset behind the last byte.
    end: u64,
    keep: u64,
}

#[derive(Debug)]
enum Chunk {
    Plain(Bytes),
    /// Does not get shorter.
    Dense(Bytes),
    /// Of a session that is idle: compressed.
    Packed(Bytes),
}

/// What was compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packed {
    Nothing,
    /// There may be more.
    Some,
    /// The last that there was.
    Rest,
}

impl Log {
    /// An empty log that begins at `start` and keeps `keep` bytes at least, once they came, and
    /// one chunk more at most.
    pub(crate) fn new(start: u64, keep: u64) -> Self {
        Log { chunks: VecDeque::new(), tail: Vec::new(), start, end: start, keep }
    }

    /// The offsets that are kept.
    pub(crate) fn range(&self) -> std::ops::Range<u64> {
        self.start..self.end
    }

    /// Takes what was printed.
    pub(crate) fn append(&mut self, mut bytes: &[u8]) {
        self.end += bytes.len() as u64;
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(CHUNK - self.tail.len()));
            self.tail.extend_from_slice(now);
            bytes = later;
            if self.tail.len() == CHUNK {
                let full = std::mem::replace(&mut self.tail, Vec::with_capacity(CHUNK));
                self.chunks.push_back(Chunk::Plain(full.into()));
            }
        }
        while !self.chunks.is_empty() && self.end - self.start > self.keep + CHUNK as u64 {
            self.chunks.pop_front();
            self.start += CHUNK as u64;
        }
    }

    /// Up to `most` bytes from `offset` on; fewer at the end of a chunk, none at the log's end.
    /// `None` when they are no longer, or not yet, there.
    pub(crate) fn read(&self, offset: u64, most: usize) -> Option<Bytes> {
        if !(self.start..=self.end).contains(&offset) {
            return None;
        }
        let at = usize::try_from(offset - self.start).ok()?;
        let (chunk, within) = (at / CHUNK, at % CHUNK);
        let bytes = match self.chunks.get(chunk) {
            Some(Chunk::Plain(bytes) | Chunk::Dense(bytes)) => bytes.clone(),
            Some(Chunk::Packed(packed)) => decompress(packed)?.into(),
            None => Bytes::copy_from_slice(
                &self.tail[within..self.tail.len().min(within.saturating_add(most))],
            ),
        };
        if chunk >= self.chunks.len() {
            return Some(bytes);
        }
        Some(bytes.slice(within..bytes.len().min(within.saturating_add(most))))
    }

    /// Everything from `offset` on, or from the first byte that is kept, in pieces.
    pub(crate) fn pieces(&self, offset: u64) -> Vec<Bytes> {
        let mut at = offset.max(self.start);
        let mut pieces = Vec::new();
        while let Some(bytes) = self.read(at, usize::MAX).filter(|bytes| !bytes.is_empty()) {
            at += bytes.len() as u64;
            pieces.push(bytes);
        }
        pieces
    }

    /// Compresses some of what is complete, since nobody is likely to ask for it.
    pub(crate) fn pack(&mut self) -> Packed {
        let plain = self.chunks.iter_mut().filter(|chunk| matches!(chunk, Chunk::Plain(_)));
        let mut packed = 0;
        for chunk in plain.take(PACKED_AT_ONCE) {
            packed += 1;
            if let Chunk::Plain(bytes) = chunk {
                let small = compress(bytes);
                *chunk = if small.len() < bytes.len() / 16 * 15 {
                    Chunk::Packed(small.into())
                } else {
                    Chunk::Dense(bytes.clone())
                };
            }
        }
        self.tail.shrink_to_fit();
        match packed {
            0 => Packed::Nothing,
            PACKED_AT_ONCE => Packed::Some,
            _ => Packed::Rest,
        }
    }
}

/// In a box: a vector may have taken twice what is in it, and keep that.
fn compress(bytes: &[u8]) -> Box<[u8]> {
    let mut packed = DeflateEncoder::new(Vec::new(), Compression::fast());
    // A vector takes everything.
    let _ = packed.write_all(bytes);
    packed.finish().unwrap_or_default().into_boxed_slice()
}

/// A chunk as it was; `None` when it is damaged.
fn decompress(packed: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(CHUNK);
    DeflateDecoder::new(packed).read_to_end(&mut bytes).ok()?;
    (bytes.len() == CHUNK).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read_all(log: &Log, mut from: u64) -> Vec<u8> {
        let mut all = Vec::new();
        while from < log.range().end {
            let bytes = log.read(from, 1000).unwrap();
            from += bytes.len() as u64;
            all.extend_from_slice(&bytes);
        }
        all
    }

    proptest! {
        #[test]
        fn what_is_kept_is_what_came(
            pieces in prop::collection::vec((any::<u8>(), 0..100_000usize), 0..20),
            pack: bool,
        ) {
            let mut log = Log::new(7, 200_000);
            let mut came = Vec::new();
            for (byte, length) in pieces {
                let piece = vec![byte; length];
                log.append(&piece);
                came.extend(piece);
                if pack {
                    while log.pack() == Packed::Some {}
                }
            }
            let kept = log.range();
            prop_assert_eq!(kept.end, 7 + came.len() as u64);
            prop_assert!(kept.end - kept.start <= 200_000 + 2 * CHUNK as u64);
            prop_assert!(kept.end - kept.start >= (came.len() as u64).min(200_000));
            let skipped = usize::try_from(kept.start - 7).unwrap();
            prop_assert_eq!(&read_all(&log, kept.start), &came[skipped..]);
            prop_assert!(log.read(kept.end + 1, 1).is_none());
        }
    }

    #[test]
    fn what_went_is_gone() {
        let mut log = Log::new(0, 0);
        log.append(&[1; 3 * CHUNK]);
        assert!(log.read(0, 1).is_none());
        assert_eq!(log.read(log.range().end, 1).unwrap().len(), 0);
    }
}
