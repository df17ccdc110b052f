//! Records: what both directions of an established connection carry.
//!
//! One record is one WebSocket message. Its plaintext is padded to a multiple of 64 bytes; its
//! tag says whether more follow. The first record that does not open ends the connection.

use std::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::error::Error;
use crate::sodium::{self, Key, Pull, Push, STREAM_HEADER, STREAM_OVERHEAD, Tag};

/// The most plaintext that a record holds, in bytes, before padding.
pub const MAX_PLAINTEXT: usize = 65_536;
/// The longest record, in bytes.
pub const MAX_RECORD: usize = MAX_PLAINTEXT + BLOCK + STREAM_OVERHEAD;
/// Plaintexts are padded to a multiple of this many bytes.
const BLOCK: usize = 64;

/// The length of the record that holds so much plaintext, in bytes.
pub const fn record_length(plaintext: usize) -> usize {
    (plaintext / BLOCK + 1) * BLOCK + STREAM_OVERHEAD
}

/// A direction's key is changed after this many records…
const REKEY_RECORDS: u32 = 1 << 20;
/// …and after this long, whichever is first. The change travels with the next record.
const REKEY_AFTER: Duration = Duration::from_secs(3600);

/// Both directions of an established connection, seen from one end.
#[derive(Debug)]
#[cfg_attr(feature = "model", derive(Clone))]
pub struct Channel {
    /// What this end sends.
    pub sealer: Sealer,
    /// What it receives.
    pub opener: Opener,
}

/// The sending direction.
#[cfg_attr(feature = "model", derive(Clone))]
pub struct Sealer {
    stream: Push,
    records: u32,
    keyed_at: Option<Duration>,
    padded: Zeroizing<Vec<u8>>,
}

impl Sealer {
    /// The direction under `key`, and the header that the other end needs to open it.
    pub(crate) fn new(key: &Key) -> (Self, [u8; STREAM_HEADER]) {
        let (stream, header) = Push::new(key);
        let sealer =
            Sealer { stream, records: 0, keyed_at: None, padded: Zeroizing::new(Vec::new()) };
        (sealer, header)
    }

    /// The next record. `now` is any clock that does not go backwards, counted from any start:
    /// it decides when the key changes.
    ///
    /// # Errors
    /// [`Error::TooLong`] for more than [`MAX_PLAINTEXT`] bytes; the sealer stays usable.
    pub fn seal(&mut self, now: Duration, plaintext: &[u8]) -> Result<Vec<u8>, Error> {
        let mut record = Vec::new();
        self.seal_behind(now, plaintext, &mut record)?;
        Ok(record)
    }

    /// As [`seal`](Self::seal), behind the bytes that `out` holds already: [`record_length`] more.
    ///
    /// # Errors
    /// As there; `out` is as it was.
    pub fn seal_behind(
        &mut self,
        now: Duration,
        plaintext: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let keyed_at = *self.keyed_at.get_or_insert(now);
        let records = self.records + 1;
        let due = records >= REKEY_RECORDS || now.saturating_sub(keyed_at) >= REKEY_AFTER;
        self.push(plaintext, if due { Tag::Rekey } else { Tag::Message }, out)?;
        self.records = if due { 0 } else { records };
        if due {
            self.keyed_at = Some(now);
        }
        Ok(())
    }

    /// The last record of this direction; its plaintext may be empty.
    ///
    /// # Errors
    /// [`Error::TooLong`] for more than [`MAX_PLAINTEXT`] bytes.
    pub fn finish(mut self, plaintext: &[u8]) -> Result<Vec<u8>, Error> {
        let mut record = Vec::new();
        self.push(plaintext, Tag::Final, &mut record)?;
        Ok(record)
    }

    fn push(&mut self, plaintext: &[u8], tag: Tag, out: &mut Vec<u8>) -> Result<(), Error> {
        if plaintext.len() > MAX_PLAINTEXT {
            return Err(Error::TooLong);
        }
        // Before anything is in it: one that grew later would leave a copy behind.
        self.padded.reserve(plaintext.len() + BLOCK);
        self.padded.extend_from_slice(plaintext);
        sodium::pad(&mut self.padded, BLOCK);
        out.reserve_exact(self.padded.len() + STREAM_OVERHEAD);
        self.stream.push(&self.padded, tag, out);
        // The next one may be long in coming.
        sodium::wipe(&mut self.padded);
        self.padded.clear();
        Ok(())
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("records", &self.records).finish_non_exhaustive()
    }
}

/// What a record held. `Debug` shows its length alone.
#[derive(PartialEq, Eq)]
pub enum Opened {
    /// A message; more may follow.
    Message(Vec<u8>),
    /// The last message of this direction.
    Final(Vec<u8>),
}

impl Opened {
    /// The plaintext, whichever it is.
    pub fn into_bytes(self) -> Vec<u8> {
        match self {
            Opened::Message(bytes) | Opened::Final(bytes) => bytes,
        }
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Opened::Message(bytes) => write!(f, "Message({} bytes)", bytes.len()),
            Opened::Final(bytes) => write!(f, "Final({} bytes)", bytes.len()),
        }
    }
}

/// The receiving direction.
#[cfg_attr(feature = "model", derive(Clone))]
pub struct Opener {
    state: OpenerState,
}

#[cfg_attr(feature = "model", derive(Clone))]
enum OpenerState {
    Open(Pull),
    Ended,
    Broken,
}

impl Opener {
    pub(crate) fn new(key: &Key, header: &[u8; STREAM_HEADER]) -> Self {
        Opener { state: OpenerState::Open(Pull::new(key, header)) }
    }

    /// Opens the next record.
    ///
    /// # Errors
    /// [`Error::Record`] when it is not the record that the other end sealed next, or its
    /// padding is wrong, and for every record after that; [`Error::Ended`] behind a final
    /// record. Either way the caller closes the connection.
    pub fn open(&mut self, record: &[u8]) -> Result<Opened, Error> {
        match &mut self.state {
            OpenerState::Ended => return Err(Error::Ended),
            OpenerState::Broken => return Err(Error::Record),
            OpenerState::Open(pull) if record.len() <= MAX_RECORD => {
                if let Some((mut plaintext, tag)) = pull.pull(record)
                    && let Some(length) = sodium::unpadded_length(&plaintext, BLOCK)
                    && length <= MAX_PLAINTEXT
                {
                    plaintext.truncate(length);
                    if tag == Tag::Final {
                        self.state = OpenerState::Ended;
                        return Ok(Opened::Final(plaintext));
                    }
                    return Ok(Opened::Message(plaintext));
                }
            }
            OpenerState::Open(_) => {}
        }
        self.state = OpenerState::Broken;
        Err(Error::Record)
    }

    /// Whether the other end has said its last word. A connection that ends before was cut.
    pub fn has_ended(&self) -> bool {
        matches!(self.state, OpenerState::Ended)
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener").field("ended", &self.has_ended()).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "channel_tests.rs"]
mod tests;
