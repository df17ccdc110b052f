//! The link of a device on the same computer: frames in the clear through the control socket,
//! each a length of four bytes, big-endian, and a record's plaintext. A length of 0 is the
//! device's goodbye.

use std::io;

use codeout_protocol::channel::MAX_PLAINTEXT;
use tokio::io::{AsyncReadExt, BufReader, Chain};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use zeroize::{Zeroize, Zeroizing};

use crate::outflow::Outflow;

const HEAD: usize = 4;

/// Frames that come.
pub(crate) struct FrameReader {
    stream: BufReader<Chain<io::Cursor<Vec<u8>>, OwnedReadHalf>>,
    /// What of the next frame is here. It never grows: that would leave copies of what was
    /// typed behind.
    frame: Zeroizing<Vec<u8>>,
}

impl FrameReader {
    /// Frames from `stream`, of which `ahead` was read already.
    pub(crate) fn new(ahead: &[u8], stream: OwnedReadHalf) -> Self {
        let ahead = io::Cursor::new(ahead.to_vec());
        let frame = Zeroizing::new(Vec::with_capacity(HEAD + MAX_PLAINTEXT));
        FrameReader { stream: BufReader::new(ahead.chain(stream)), frame }
    }

    /// The next frame's content; empty for a goodbye. Cancelled, the next call goes on.
    pub(crate) async fn next(&mut self) -> io::Result<Zeroizing<Vec<u8>>> {
        self.fill(HEAD).await?;
        let mut head = [0; HEAD];
        head.copy_from_slice(&self.frame[..HEAD]);
        let length = u32::from_be_bytes(head) as usize;
        if length > MAX_PLAINTEXT {
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.fill(HEAD + length).await?;
        let content = Zeroizing::new(self.frame[HEAD..].to_vec());
        self.frame.as_mut_slice().zeroize();
        self.frame.clear();
        Ok(content)
    }

    async fn fill(&mut self, length: usize) -> io::Result<()> {
        while self.frame.len() < length {
            let missing = (length - self.frame.len()) as u64;
            let frame: &mut Vec<u8> = &mut self.frame;
            if (&mut self.stream).take(missing).read_buf(frame).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }
}

/// Frames that go.
pub(crate) struct FrameWriter(Outflow<OwnedWriteHalf>);

impl FrameWriter {
    pub(crate) fn new(stream: OwnedWriteHalf) -> Self {
        FrameWriter(Outflow::new(stream))
    }

    /// Whether another frame may be put.
    pub(crate) fn has_room(&self) -> bool {
        self.0.has_room()
    }

    /// Takes a frame to be flushed.
    ///
    /// # Errors
    /// It is empty or too long.
    pub(crate) fn put(&mut self, plaintext: &[u8]) -> io::Result<()> {
        if !(1..=MAX_PLAINTEXT).contains(&plaintext.len()) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let length = u32::try_from(plaintext.len()).unwrap_or(0);
        let waiting = self.0.end();
        waiting.extend_from_slice(&length.to_be_bytes());
        waiting.extend_from_slice(plaintext);
        Ok(())
    }

    /// Writes what was put. Cancelled, the next call goes on.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        self.0.flush().await
    }
}
