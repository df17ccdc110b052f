//! What a device was sent of a session, and whether it shows what another saw from the start.
//! xterm.js is the judge.

use codeout_device::{AttachmentReader, Lasted, LastingEnd, LastingReader, SessionOutput};
use codeout_xterm::{Terminal, Xterm};
use tokio::task::JoinHandle;

/// The size of every terminal here.
pub(crate) const COLUMNS: u16 = 80;
pub(crate) const ROWS: u16 = 24;
/// The lines above the screen that terminals keep here, as many as the daemon.
const SCROLLBACK: usize = 10_000;

pub(crate) fn terminal(xterm: &Xterm) -> Terminal {
    xterm.terminal(COLUMNS, ROWS, SCROLLBACK)
}

/// A part of what a device was sent: bytes from this offset on. A snapshot has the offset of the
/// output that follows it.
#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Snapshot { bytes: Vec<u8>, offset: u64 },
    Output { bytes: Vec<u8>, offset: u64 },
}

/// What a device was sent, whole.
#[derive(Default)]
pub(crate) struct Recording {
    pieces: Vec<Piece>,
    /// The snapshot that has begun.
    snapshot: Option<Vec<u8>>,
}

impl Recording {
    /// Takes what came; `offset` is the output's offset behind it.
    pub(crate) fn take(&mut self, output: &SessionOutput, offset: Option<u64>) {
        match (output, &mut self.snapshot) {
            (SessionOutput::Snapshot { .. }, _) => self.snapshot = Some(Vec::new()),
            (SessionOutput::Bytes(bytes), Some(snapshot)) => snapshot.extend_from_slice(bytes),
            (SessionOutput::Bytes(bytes), None) => {
                let offset = offset.unwrap() - bytes.len() as u64;
                self.pieces.push(Piece::Output { bytes: bytes.to_vec(), offset });
            }
            (SessionOutput::SnapshotEnd, snapshot) => {
                let (bytes, offset) = (snapshot.take().unwrap(), offset.unwrap());
                self.pieces.push(Piece::Snapshot { bytes, offset });
            }
            (SessionOutput::Ended(_), _) => {}
        }
    }
}

/// Records in a task of its own until the program has ended.
pub(crate) fn record(mut reader: AttachmentReader) -> JoinHandle<Recording> {
    tokio::spawn(async move {
        let mut recording = Recording::default();
        loop {
            let output = reader.read().await.expect("the session says its end");
            recording.take(&output, reader.offset());
            if let SessionOutput::Ended(_) = output {
                return recording;
            }
        }
    })
}

/// As [`record`], over many links.
pub(crate) fn record_for_long(mut reader: LastingReader) -> JoinHandle<Recording> {
    tokio::spawn(async move {
        let mut recording = Recording::default();
        loop {
            match reader.next().await.unwrap() {
                Lasted::Output(output) => recording.take(&output, reader.offset()),
                Lasted::LinkDown { .. } | Lasted::LinkUp => {}
                Lasted::Over(LastingEnd::Session(_)) => return recording,
                Lasted::Over(end) => panic!("{end}"),
            }
        }
    })
}

/// A terminal that saw everything from the start, up to an offset that only grows.
struct Whole<'a> {
    terminal: Terminal,
    rest: &'a [Piece],
    at: u64,
}

impl<'a> Whole<'a> {
    fn new(xterm: &Xterm, recording: &'a Recording) -> Self {
        let [Piece::Snapshot { bytes, offset }, rest @ ..] = &recording.pieces[..] else {
            panic!("no snapshot first")
        };
        let terminal = terminal(xterm);
        terminal.write(bytes);
        Whole { terminal, rest, at: *offset }
    }

    /// Shows the output up to `offset`.
    fn show_to(&mut self, to: u64) -> &Terminal {
        while let [Piece::Output { bytes, offset }, rest @ ..] = self.rest
            && *offset < to
        {
            let end = offset + bytes.len() as u64;
            let from = usize::try_from(self.at - offset).unwrap();
            let upto = usize::try_from(end.min(to) - offset).unwrap();
            self.terminal.write(&bytes[from..upto]);
            self.at = end.min(to);
            if end > to {
                break;
            }
            self.rest = rest;
        }
        assert_eq!(self.at, to, "a snapshot in the place of bytes");
        &self.terminal
    }
}

/// Whether somebody who came later saw the same, at every snapshot and at the end.
pub(crate) fn judge(xterm: &Xterm, name: &str, first: &Recording, later: &Recording) {
    let mut whole = Whole::new(xterm, first);
    let mut attached = None;
    let mut at = 0;
    for piece in &later.pieces {
        match piece {
            Piece::Snapshot { bytes, offset } => {
                let fresh = terminal(xterm);
                fresh.write(bytes);
                at = *offset;
                same(whole.show_to(at), &fresh, &format!("{name}, snapshot at byte {at}"));
                attached = Some(fresh);
            }
            Piece::Output { bytes, offset } => {
                assert_eq!(*offset, at, "{name}: a gap");
                at += bytes.len() as u64;
                attached.as_ref().unwrap().write(bytes);
            }
        }
    }
    same(whole.show_to(at), &attached.unwrap(), &format!("{name}, at the end, byte {at}"));
}

#[track_caller]
fn same(whole: &Terminal, other: &Terminal, place: &str) {
    let differences = whole.dump().differences(&other.dump());
    assert!(differences.is_empty(), "{place}: {differences:#?}");
}
