//! What one connection receives: one task opens the records and hands on what is in them. It
//! never waits for anyone but the daemon; the windows bound what it hands on.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use codeout_protocol::message::{
    Answer, Attach, Attached, Chunk, ClosingReason, Event, ExitStatus, FromDaemon, Reply, SessionId,
};

use crate::attachment::Attachment;
use crate::error::Closed;
use crate::line::Chore;
use crate::output::OutputBytes;
use crate::shared::{Shared, Waiter};
use crate::text;
use crate::track::{Miscounted, Over, Stream, Track};
use crate::wire::{Came, Source};

pub(crate) struct Reader {
    shared: Arc<Shared>,
    source: Source,
    /// What the connection is attached to.
    attached: HashMap<SessionId, Arc<Track>>,
}

impl From<Miscounted> for Closed {
    fn from(_: Miscounted) -> Self {
        Closed::Protocol
    }
}

impl Reader {
    pub(crate) fn new(shared: Arc<Shared>, source: Source) -> Self {
        Reader { shared, source, attached: HashMap::new() }
    }

    /// Reads until the connection has ended, and clears up behind it.
    pub(crate) async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let how = tokio::select! {
            biased;
            how = self.read() => how,
            how = shared.line.closed() => how,
        };
        tracing::debug!(?how, "connection ended");
        let how = shared.line.end(how);
        for (_, track) in self.attached.drain() {
            track.finish(Over::Closed(how));
        }
        shared.abandon();
        if let Closed::ByDaemon(_) = how {
            self.source.part().await;
        }
        shared.line.hang_up().await;
    }

    async fn read(&mut self) -> Closed {
        loop {
            let came = match self.source.next().await {
                Ok(came) => came,
                Err(how) => return how,
            };
            self.shared.hear();
            match came {
                Came::Message(plaintext) => {
                    if let Err(how) = self.act(plaintext) {
                        return how;
                    }
                    // Behind an echo comes that the key was written. Whoever shows the echo is not
                    // to wait for that to be opened.
                    tokio::task::yield_now().await;
                }
                Came::Last(plaintext) => return last_word(&plaintext),
                Came::Nothing => {}
            }
        }
    }

    fn act(&mut self, plaintext: Vec<u8>) -> Result<(), Closed> {
        match FromDaemon::read(&plaintext).map_err(|_| Closed::Protocol)? {
            FromDaemon::Output(Chunk { session, offset, bytes }) => {
                let length = bytes.len();
                self.take(Stream::Output, session, offset, OutputBytes::tail(plaintext, length))
            }
            FromDaemon::Snapshot(Chunk { session, offset, bytes }) => {
                let length = bytes.len();
                self.take(Stream::Snapshot, session, offset, OutputBytes::tail(plaintext, length))
            }
            FromDaemon::InputWritten(progress) => match self.track(progress.session)? {
                Some(track) => Ok(track.input_written(progress.offset)?),
                None => Ok(()),
            },
            FromDaemon::Reply(reply) => self.reply(reply),
            FromDaemon::Event(event) => self.event(event),
            FromDaemon::UnknownEvent => Ok(()),
        }
    }

    /// The attachment to a session; `None` for one that this end has left, whose rest is still
    /// on its way.
    fn track(&self, session: SessionId) -> Result<Option<&Arc<Track>>, Closed> {
        let track = self.attached.get(&session).ok_or(Closed::Protocol)?;
        Ok(Some(track).filter(|track| !track.leaving.load(Ordering::Acquire)))
    }

    fn take(
        &mut self,
        stream: Stream,
        session: SessionId,
        offset: u64,
        bytes: OutputBytes,
    ) -> Result<(), Closed> {
        if let Some(track) = self.track(session)?
            && track.receive(stream, offset, bytes)?
        {
            self.shared.line.leave(Chore::Acknowledge(Arc::clone(track)));
        }
        Ok(())
    }

    fn event(&mut self, event: Event) -> Result<(), Closed> {
        match text::clean_event(event) {
            Event::Snapshot { session, size, size_by, history } => match self.track(session)? {
                Some(track) => Ok(track.begin_snapshot(size, size_by, history)?),
                None => Ok(()),
            },
            Event::SnapshotEnd { session, offset } => match self.track(session)? {
                Some(track) => Ok(track.end_snapshot(offset)?),
                None => Ok(()),
            },
            Event::SessionEnded { session, status } => {
                self.ended(session, status);
                Ok(())
            }
            // Here it is the last word; over a network that is a record of its own kind.
            Event::Closing { reason } if self.source.is_local() => Err(Closed::ByDaemon(reason)),
            // The one is the first record, the other the last.
            Event::Welcome(_) | Event::Closing { .. } => Err(Closed::Protocol),
            event => {
                if let Event::SessionChanged { session } = &event
                    && let Some(track) = self.attached.get(&session.session)
                {
                    track.sized_by(session.size_by.clone());
                }
                self.shared.tell(event);
                Ok(())
            }
        }
    }

    fn ended(&mut self, session: SessionId, status: ExitStatus) {
        if let Some(track) = self.attached.remove(&session) {
            self.shared.forget_attachment(&track);
            if track.finish(Over::Ended(status)) {
                return;
            }
        }
        self.shared.tell(Event::SessionEnded { session, status });
    }

    fn reply(&mut self, Reply { id, outcome }: Reply) -> Result<(), Closed> {
        let waiter = self.shared.answered(id).ok_or(Closed::Protocol)?;
        let outcome = text::clean_outcome(outcome);
        // Whoever asked may have gone.
        match (waiter, outcome) {
            (Waiter::Answer(waiter), outcome) => {
                let _ = waiter.send(outcome);
            }
            (Waiter::Attach(attach, waiter), Ok(Answer::Attached(attached))) => {
                let attachment = self.attach(id, &attach, &attached)?;
                let _ = waiter.send(Ok((*attached, attachment)));
            }
            (Waiter::Attach(attach, waiter), Err(error)) => {
                self.attach_refused(id, attach.session);
                let _ = waiter.send(Err(error));
            }
            (Waiter::Attach(..), Ok(_)) => return Err(Closed::Protocol),
            (Waiter::Detach(track, waiter), outcome) => {
                self.detached(&track);
                if let Some(waiter) = waiter {
                    let _ = waiter.send(outcome.map(|_| ()));
                }
            }
            (Waiter::Resize(track, waiter), outcome) => {
                if outcome.is_ok() {
                    track.sized_by(None);
                }
                let _ = waiter.send(outcome.map(|_| ()));
            }
        }
        Ok(())
    }

    fn attach(
        &mut self,
        id: u32,
        attach: &Attach,
        attached: &Attached,
    ) -> Result<Attachment, Closed> {
        if attached.attached.session != attach.session {
            return Err(Closed::Protocol);
        }
        let track = Arc::new(Track::new(id, attach, attached)?);
        if let Some(before) = self.attached.insert(attach.session, Arc::clone(&track)) {
            before.finish(Over::Detached);
        }
        Ok(Attachment::new(Arc::clone(&self.shared), track))
    }

    fn attach_refused(&mut self, id: u32, session: SessionId) {
        let before = self.attached.get(&session);
        let forsaken = self.shared.attach_refused(session, id, before);
        if let Some(before) = before.filter(|_| forsaken) {
            self.shared.line.leave(Chore::Detach(Arc::clone(before)));
        }
    }

    fn detached(&mut self, track: &Arc<Track>) {
        if let Entry::Occupied(entry) = self.attached.entry(track.session)
            && Arc::ptr_eq(entry.get(), track)
        {
            entry.remove();
        }
        self.shared.forget_attachment(track);
        track.finish(Over::Detached);
    }
}

/// Why the daemon ended the connection. That it did is certain, whatever the record holds.
fn last_word(plaintext: &[u8]) -> Closed {
    match FromDaemon::read(plaintext) {
        Ok(FromDaemon::Event(Event::Closing { reason })) => Closed::ByDaemon(reason),
        _ => Closed::ByDaemon(ClosingReason::Unknown),
    }
}
