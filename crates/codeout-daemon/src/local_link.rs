//! The link of a device on the same computer: frames in the clear through the control socket,
//! each a length of four bytes, big-endian, and a record's plaintext. A length of 0 is the
//! device's goodbye.

use std::io;

use codeout_protocol::channel::MAX_PLAINTEXT;
use tokio::io::AsyncReadExt;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use zeroize::{Zeroize, Zeroizing};

use crate::outflow::Outflow;

const HEAD: usize = 4;

/// Frames that come.
pub(crate) struct FrameReader {
    stream: OwnedReadHalf,
    /// What has come, up to the longest frame. It never grows: that would leave copies of what was
    /// typed behind.
    here: Zeroizing<Vec<u8>>,
    /// How much of it was taken, and is wiped.
    taken: usize,
}

impl FrameReader {
    /// Frames from `stream`, of which `ahead` was read already.
    pub(crate) fn new(ahead: &[u8], stream: OwnedReadHalf) -> Self {
        let room = ahead.len().max(HEAD + MAX_PLAINTEXT);
        let mut here = Zeroizing::new(Vec::with_capacity(room));
        here.extend_from_slice(ahead);
        FrameReader { stream, here, taken: 0 }
    }

    /// The next frame's content; empty for a goodbye. Cancelled, the next call goes on.
    pub(crate) async fn next(&mut self) -> io::Result<Zeroizing<Vec<u8>>> {
        loop {
            if let Some(content) = self.take()? {
                return Ok(content);
            }
            self.make_room();
            if self.stream.read_buf(&mut *self.here).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// The first frame's content, if all of it is here.
    fn take(&mut self) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        let rest = &mut self.here[self.taken..];
        let Some(head) = rest.first_chunk::<HEAD>() else { return Ok(None) };
        let length = u32::from_be_bytes(*head) as usize;
        if length > MAX_PLAINTEXT {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let Some(frame) = rest.get_mut(..HEAD + length) else { return Ok(None) };
        let content = Zeroizing::new(frame[HEAD..].to_vec());
        frame.zeroize();
        self.taken += frame.len();
        Ok(Some(content))
    }

    /// Moves what is here to the beginning.
    fn make_room(&mut self) {
        self.here.copy_within(self.taken.., 0);
        let left = self.here.len() - std::mem::take(&mut self.taken);
        self.here[left..].zeroize();
        self.here.truncate(left);
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::AsyncWriteExt;
    use tokio::net::UnixStream;
    use tokio::runtime::Builder;

    use super::*;

    fn frames(contents: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for content in contents {
            bytes.extend_from_slice(&(content.len() as u32).to_be_bytes());
            bytes.extend_from_slice(content);
        }
        bytes
    }

    async fn read_all(ahead: &[u8], pieces: &[&[u8]]) -> (Vec<Vec<u8>>, io::ErrorKind) {
        let (near, mut far) = UnixStream::pair().unwrap();
        let (reading, _writing) = near.into_split();
        let mut reader = FrameReader::new(ahead, reading);
        let room = reader.here.capacity();
        let read = async {
            let mut contents = Vec::new();
            loop {
                let next = reader.next().await;
                assert!(reader.here[..reader.taken].iter().all(|byte| *byte == 0), "not wiped");
                assert_eq!(reader.here.capacity(), room, "it has grown");
                match next {
                    Ok(content) => contents.push(content.to_vec()),
                    Err(error) => return (contents, error.kind()),
                }
            }
        };
        let write = async {
            for piece in pieces {
                // A reader that has refused the stream takes no more of it.
                let _ = far.write_all(piece).await;
                tokio::task::yield_now().await;
            }
            drop(far);
        };
        tokio::join!(read, write).0
    }

    fn run<T>(doing: impl Future<Output = T>) -> T {
        Builder::new_current_thread().enable_all().build().unwrap().block_on(doing)
    }

    proptest! {
        #[test]
        fn frames_come_whole_however_they_are_cut(
            contents in prop::collection::vec(prop::collection::vec(1_u8.., 0..3_000), 0..20),
            (ahead, cut) in (0..4_000_usize, 1..5_000_usize),
        ) {
            let bytes = frames(&contents);
            let (ahead, rest) = bytes.split_at(ahead.min(bytes.len()));
            let pieces: Vec<_> = rest.chunks(cut).collect();
            let (came, end) = run(read_all(ahead, &pieces));
            prop_assert_eq!(came, contents);
            prop_assert_eq!(end, io::ErrorKind::UnexpectedEof);
        }
    }

    #[test]
    fn the_longest_frame_comes_and_a_longer_one_is_refused() {
        let longest = vec![7; MAX_PLAINTEXT];
        let mut bytes = frames(&[vec![1], longest.clone(), vec![2]]);
        bytes.extend_from_slice(&(MAX_PLAINTEXT as u32 + 1).to_be_bytes());
        bytes.extend_from_slice(&[0; 100]);
        let (came, end) = run(read_all(&[], &[&bytes]));
        assert_eq!(came, [vec![1], longest, vec![2]]);
        assert_eq!(end, io::ErrorKind::InvalidData);
    }
}
