//! What a device is shown of one session, held to what a daemon may send to an attachment.

use codeout_protocol::message::{
    Attach, Attached, Chunk, Event, ExitStatus, OUTPUT_WINDOW, Progress, TerminalSize,
};

/// One attachment of a device. It fails the test when the daemon breaks a rule: output that is not
/// contiguous or comes before the first snapshot, a snapshot with a gap or without an end, more
/// than the window, input written that was never sent, anything behind the end.
#[derive(Debug)]
pub struct Screen {
    pub keyboard: Option<u64>,
    /// Whether it lasts.
    pub attached: bool,
    /// The bytes of the last snapshot and of the output behind it, since this was last cleared.
    pub text: Vec<u8>,
    /// Every snapshot that has begun, oldest first.
    pub snapshots: Vec<Snapshot>,
    /// The offset of the output that comes next; none before the first snapshot and in one.
    pub offset: Option<u64>,
    /// Bytes of output and snapshots in all.
    pub received: u64,
    pub acked: u64,
    /// Bytes of the keyboard, over all its attachments.
    pub typed: u64,
    /// Those of them that the daemon says are written.
    pub written: u64,
    pub ended: Option<ExitStatus>,
}

/// A snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    pub size: TerminalSize,
    pub size_by: Option<String>,
    pub history: bool,
    pub bytes: Vec<u8>,
    /// The offset of the output that follows; none while it is incomplete.
    pub end: Option<u64>,
}

impl Screen {
    /// What the reply to `asked` begins.
    pub fn new(asked: &Attach, reply: &Attached) -> Self {
        assert_eq!(reply.attached.session, asked.session, "another session than was asked for");
        assert!(!reply.resumed || asked.after.is_some(), "resumed from nowhere");
        assert!(reply.input == 0 || asked.keyboard.is_some(), "input without a keyboard");
        Screen {
            keyboard: asked.keyboard,
            attached: true,
            text: Vec::new(),
            snapshots: Vec::new(),
            offset: asked.after.filter(|_| reply.resumed),
            received: 0,
            acked: 0,
            typed: reply.input,
            written: reply.input,
            ended: None,
        }
    }

    fn receive(&mut self, bytes: &[u8]) {
        assert!(self.attached, "bytes behind the end of an attachment");
        self.text.extend_from_slice(bytes);
        self.received += bytes.len() as u64;
        assert!(self.received - self.acked <= OUTPUT_WINDOW, "more than the window");
    }

    pub fn output(&mut self, chunk: Chunk<'_>) {
        let offset = self.offset.expect("output before a snapshot, or in one");
        assert_eq!(chunk.offset, offset, "a gap or an overlap in the output");
        self.offset = Some(offset + chunk.bytes.len() as u64);
        self.receive(chunk.bytes);
    }

    pub fn snapshot(&mut self, chunk: Chunk<'_>) {
        let last = self.snapshots.last_mut().filter(|last| last.end.is_none());
        let last = last.expect("a part of no snapshot");
        assert_eq!(chunk.offset, last.bytes.len() as u64, "a gap in a snapshot");
        last.bytes.extend_from_slice(chunk.bytes);
        self.receive(chunk.bytes);
    }

    pub fn written(&mut self, progress: Progress) {
        assert!(self.attached, "input written behind the end of an attachment");
        assert!(self.keyboard.is_some(), "input written without a keyboard");
        let possible = self.written..=self.typed;
        assert!(possible.contains(&progress.offset), "{possible:?}: {}", progress.offset);
        self.written = progress.offset;
    }

    /// Takes an event that concerns this session.
    pub fn event(&mut self, event: &Event) {
        match event {
            Event::Snapshot { size, size_by, history, .. } => {
                assert!(self.attached, "a snapshot behind the end of an attachment");
                assert!((1..=2000).contains(&size.columns) && (1..=2000).contains(&size.rows));
                let (size, size_by) = (*size, size_by.clone());
                let bytes = Vec::new();
                self.snapshots.push(Snapshot {
                    size,
                    size_by,
                    history: *history,
                    bytes,
                    end: None,
                });
                self.offset = None;
                self.text.clear();
            }
            Event::SnapshotEnd { offset, .. } => {
                assert!(self.attached, "a snapshot behind the end of an attachment");
                let last = self.snapshots.last_mut().filter(|last| last.end.is_none());
                last.expect("the end of no snapshot").end = Some(*offset);
                self.offset = Some(*offset);
            }
            Event::SessionEnded { status, .. } => {
                let ended = self.ended.replace(*status);
                assert!(ended.is_none(), "a session ended twice");
                if std::mem::take(&mut self.attached) {
                    assert!(self.offset.is_some(), "ended without a snapshot, or in one");
                }
            }
            _ => {}
        }
    }

    /// Whether `text` was printed or shown; forgets everything up to it.
    pub fn take(&mut self, text: &str) -> bool {
        let at = self.text.windows(text.len()).position(|part| part == text.as_bytes());
        at.map(|at| self.text.drain(..at + text.len())).is_some()
    }

    /// As text, for people.
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&self.text).into_owned()
    }
}
