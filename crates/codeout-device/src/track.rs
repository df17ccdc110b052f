//! One attachment's two byte streams: how far each is, and what waits to be read.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use codeout_protocol::message::{
    ACKNOWLEDGE_AFTER, ACKNOWLEDGE_APART, ACKNOWLEDGE_AT_LATEST, ACKNOWLEDGE_IDLE, Attach,
    Attached, ExitStatus, FromDevice, INPUT_WINDOW, MAX_TERMINAL_SIDE, OUTPUT_WINDOW, Progress,
    SessionId, TerminalSize,
};
use tokio::sync::{Notify, watch};
use zeroize::Zeroizing;

use crate::error::{Closed, InputError};
use crate::output::{Item, OutputBytes, Queue};

/// The daemon counts wrong, or sends what has no place there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Miscounted;

/// How an attachment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    /// The session's program ended.
    Ended(ExitStatus),
    /// This device detached, or attached anew.
    Detached,
    /// The connection ended.
    Closed(Closed),
}

impl From<Over> for InputError {
    fn from(over: Over) -> Self {
        match over {
            Over::Ended(_) => InputError::SessionEnded,
            Over::Detached => InputError::Detached,
            Over::Closed(closed) => InputError::Closed(closed),
        }
    }
}

/// Which of the two kinds of chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Output,
    Snapshot,
}

/// What the daemon may send next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The beginning of a snapshot alone.
    Nothing,
    /// A snapshot's chunk with this offset.
    Snapshot(u64),
    /// Output with this offset.
    Output(u64),
}

/// What the connection's reader, the attachment's halves and the keeper share of an attachment.
pub(crate) struct Track {
    pub(crate) session: SessionId,
    /// The number of the request that made it: tells apart attachments to one session.
    pub(crate) request: u32,
    pub(crate) typing: bool,
    flow: Mutex<Flow>,
    /// Something was put into the queue, or nothing more will be.
    pub(crate) more: Notify,
    /// Input sent, in bytes of this keyboard.
    sent: AtomicU64,
    /// Input that the daemon says is written.
    written: AtomicU64,
    /// More input is written.
    pub(crate) credit: Notify,
    /// Who gave the terminal its size last, when it was not this attachment.
    pub(crate) size_by: watch::Sender<Option<String>>,
    over: watch::Sender<Option<Over>>,
    /// The daemon was asked to detach: what still comes is nobody's.
    pub(crate) leaving: AtomicBool,
    /// Nobody holds the attachment any more.
    pub(crate) forsaken: AtomicBool,
}

/// The output side.
struct Flow {
    place: Place,
    queue: Queue,
    /// Output and snapshot bytes that came.
    received: u64,
    /// Those of them that left the queue.
    taken: u64,
    /// Those of them that need no more care: what the caller came back from, or nobody reads.
    dealt: u64,
    /// Those that the daemon was told of…
    acknowledged: u64,
    /// …and when, last.
    acknowledged_at: Option<Instant>,
    /// Whether somebody was told to tell it.
    acknowledging: bool,
    /// Nobody reads.
    unread: bool,
    /// Whether there was a whole snapshot, or output.
    shown: bool,
}

impl Flow {
    /// Whether the daemon is to hear how far this end is, and nobody was told to say so yet.
    fn is_due(&mut self, now: Instant) -> bool {
        let news = self.dealt - self.acknowledged;
        let idle = self.dealt == self.received;
        let apart = self.acknowledged_at.is_none_or(|at| now - at >= ACKNOWLEDGE_APART);
        let enough = match (idle, apart) {
            (true, _) => ACKNOWLEDGE_IDLE,
            (false, true) => ACKNOWLEDGE_AFTER,
            (false, false) => ACKNOWLEDGE_AT_LATEST,
        };
        let due = news >= enough;
        let first = due && !self.acknowledging;
        self.acknowledging |= due;
        first
    }
}

impl Track {
    /// The attachment that the daemon's answer `attached` to `attach` makes.
    pub(crate) fn new(
        request: u32,
        attach: &Attach,
        attached: &Attached,
    ) -> Result<Self, Miscounted> {
        let place = match (attached.resumed, attach.after) {
            (true, Some(after)) => Place::Output(after),
            (true, None) => return Err(Miscounted),
            (false, _) => Place::Nothing,
        };
        let flow = Flow {
            place,
            queue: Queue::default(),
            received: 0,
            taken: 0,
            dealt: 0,
            acknowledged: 0,
            acknowledged_at: None,
            acknowledging: false,
            unread: false,
            shown: attached.resumed,
        };
        Ok(Track {
            session: attach.session,
            request,
            typing: attach.keyboard.is_some(),
            flow: Mutex::new(flow),
            more: Notify::new(),
            sent: AtomicU64::new(attached.input),
            written: AtomicU64::new(attached.input),
            credit: Notify::new(),
            size_by: watch::Sender::new(None),
            over: watch::Sender::new(None),
            leaving: AtomicBool::new(false),
            forsaken: AtomicBool::new(false),
        })
    }

    fn flow(&self) -> MutexGuard<'_, Flow> {
        self.flow.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a chunk: its bytes must be the next ones, and no more than the window allows.
    /// Returns whether the daemon is to hear of it at once, because nobody reads.
    pub(crate) fn receive(
        &self,
        stream: Stream,
        offset: u64,
        bytes: OutputBytes,
    ) -> Result<bool, Miscounted> {
        let mut flow = self.flow();
        let length = bytes.len() as u64;
        let after = offset.checked_add(length).ok_or(Miscounted)?;
        flow.place = match (stream, flow.place) {
            (Stream::Output, Place::Output(next)) if next == offset => Place::Output(after),
            (Stream::Snapshot, Place::Snapshot(next)) if next == offset => Place::Snapshot(after),
            _ => return Err(Miscounted),
        };
        flow.received += length;
        if flow.received - flow.acknowledged > OUTPUT_WINDOW {
            return Err(Miscounted);
        }
        if flow.unread {
            flow.dealt = flow.received;
            return Ok(flow.is_due(Instant::now()));
        }
        flow.queue.push_bytes(bytes);
        drop(flow);
        self.more.notify_one();
        Ok(false)
    }

    /// A snapshot begins.
    pub(crate) fn begin_snapshot(
        &self,
        size: TerminalSize,
        size_by: Option<String>,
        history: bool,
    ) -> Result<(), Miscounted> {
        let sides = 1..=MAX_TERMINAL_SIDE;
        if !sides.contains(&size.columns) || !sides.contains(&size.rows) {
            return Err(Miscounted);
        }
        self.sized_by(size_by.clone());
        let mut flow = self.flow();
        flow.place = Place::Snapshot(0);
        self.mark(flow, Item::Snapshot { size, size_by, history });
        Ok(())
    }

    /// The snapshot is complete; output follows with this offset.
    pub(crate) fn end_snapshot(&self, offset: u64) -> Result<(), Miscounted> {
        let mut flow = self.flow();
        let Place::Snapshot(_) = flow.place else { return Err(Miscounted) };
        flow.place = Place::Output(offset);
        flow.shown = true;
        self.mark(flow, Item::SnapshotEnd(offset));
        Ok(())
    }

    fn mark(&self, mut flow: MutexGuard<'_, Flow>, mark: Item) {
        if !flow.unread {
            let void = flow.queue.push_mark(mark);
            flow.taken += void;
        }
        drop(flow);
        self.more.notify_one();
    }

    /// Who gave the terminal its size.
    pub(crate) fn sized_by(&self, name: Option<String>) {
        self.size_by.send_if_modified(|known| {
            let news = *known != name;
            *known = name;
            news
        });
    }

    /// What was read before is dealt with. Returns whether the daemon is to hear of it now.
    pub(crate) fn deal(&self) -> bool {
        let mut flow = self.flow();
        flow.dealt = flow.taken;
        flow.is_due(Instant::now())
    }

    /// The next thing in the queue.
    pub(crate) fn pop(&self) -> Option<Item> {
        let mut flow = self.flow();
        let item = flow.queue.pop()?;
        if let Item::Bytes(bytes) = &item {
            flow.taken += bytes.len() as u64;
        }
        Some(item)
    }

    /// Whether everything that came was read.
    pub(crate) fn is_drained(&self) -> bool {
        self.flow().queue.is_empty()
    }

    /// Nobody reads any more. Returns whether the daemon is to hear of it now, and the session's
    /// end, if that came and was not read.
    pub(crate) fn stop_reading(&self) -> (bool, Option<ExitStatus>) {
        let mut flow = self.flow();
        let ended = flow.queue.ended();
        flow.unread = true;
        flow.queue.clear();
        flow.dealt = flow.received;
        (flow.is_due(Instant::now()), ended)
    }

    /// The record that says how much is dealt with, if that is news. It must be sent.
    pub(crate) fn acknowledgement(&self) -> Option<Zeroizing<Vec<u8>>> {
        let mut flow = self.flow();
        flow.acknowledging = false;
        let news = flow.dealt > flow.acknowledged;
        if !news || self.over().is_some() || self.leaving.load(Ordering::Acquire) {
            return None;
        }
        flow.acknowledged = flow.dealt;
        flow.acknowledged_at = Some(Instant::now());
        let progress = Progress { session: self.session, offset: flow.dealt };
        Some(Zeroizing::new(FromDevice::OutputRead(progress).write()))
    }

    /// The offset behind the last output that came; `None` inside a snapshot or before the first.
    pub(crate) fn received_to(&self) -> Option<u64> {
        match self.flow().place {
            Place::Output(offset) => Some(offset),
            Place::Snapshot(_) | Place::Nothing => None,
        }
    }

    /// Whether there was ever something whole to show.
    pub(crate) fn has_shown(&self) -> bool {
        self.flow().shown
    }

    /// Takes note of how far input is written: never backwards, never beyond what was sent.
    pub(crate) fn input_written(&self, offset: u64) -> Result<(), Miscounted> {
        if offset < self.written() || offset > self.sent() {
            return Err(Miscounted);
        }
        self.written.store(offset, Ordering::Release);
        self.credit.notify_one();
        Ok(())
    }

    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Acquire)
    }

    /// So many bytes of input are put into the socket's buffer. Returns their offset.
    pub(crate) fn send(&self, count: usize) -> u64 {
        self.sent.fetch_add(count as u64, Ordering::AcqRel)
    }

    /// The bytes of input that may be sent now.
    pub(crate) fn input_credit(&self) -> usize {
        let sent = self.sent();
        let in_flight = sent - self.written().min(sent);
        usize::try_from(INPUT_WINDOW.saturating_sub(in_flight)).unwrap_or(0)
    }

    /// The attachment is over, if it was not before. Returns whether the session's end waits to be
    /// read.
    pub(crate) fn finish(&self, how: Over) -> bool {
        let mut flow = self.flow();
        let mut waits = false;
        if self.over().is_none() {
            let is_read = !flow.unread && !self.leaving.load(Ordering::Acquire);
            if let Over::Ended(status) = how
                && is_read
            {
                flow.queue.push_mark(Item::Ended(status));
                waits = true;
            }
            self.over.send_replace(Some(how));
        }
        drop(flow);
        self.more.notify_one();
        waits
    }

    /// Whether and how it is over.
    pub(crate) fn over(&self) -> Option<Over> {
        *self.over.borrow()
    }

    /// Waits until it is over. From then on nothing comes.
    pub(crate) async fn finished(&self) -> Over {
        let mut over = self.over.subscribe();
        match over.wait_for(Option::is_some).await {
            Ok(over) => over.unwrap_or(Over::Detached),
            // Cannot be: this end of the channel lives as long as `self`.
            Err(_) => Over::Detached,
        }
    }
}

#[cfg(test)]
#[path = "track_tests.rs"]
mod tests;
