//! What one connection receives: one task opens the records and hands on what is in them. It
//! never waits for anyone but the daemon; the windows bound what it hands on.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use codeout_protocol::channel::{Opened, Opener};
use codeout_protocol::message::{
    Answer, Chunk, ClosingReason, Event, FromDaemon, Outcome, Reply, SessionId,
};
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

use crate::connection::{Shared, Waiter};
use crate::error::Closed;
use crate::line::Chore;
use crate::session::{OutputBytes, Queue, Session, SessionOutput, Track};
use crate::text;
use crate::transport::{Incoming, NoMessage};

/// How long the daemon may take to close the WebSocket behind its last record.
const PARTING_TIME: Duration = Duration::from_secs(1);

pub(crate) struct Reader {
    shared: Arc<Shared>,
    incoming: Incoming,
    opener: Opener,
    sessions: HashMap<SessionId, (Arc<Track>, Queue)>,
}

impl Reader {
    pub(crate) fn new(shared: Arc<Shared>, incoming: Incoming, opener: Opener) -> Self {
        Reader { shared, incoming, opener, sessions: HashMap::new() }
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
        shared.line.end(how);
        self.sessions.clear();
        shared.abandon();
        if let Closed::ByDaemon(_) = how {
            // Let the daemon see that its last word was taken, instead of a reset.
            let incoming = &mut self.incoming;
            let rest = async { while let Some(Ok(_)) = incoming.next().await {} };
            let _ = tokio::time::timeout(PARTING_TIME, rest).await;
        }
        shared.line.hang_up().await;
    }

    async fn read(&mut self) -> Closed {
        loop {
            let message = self.incoming.next().await;
            self.shared.hear();
            let record = match message {
                Some(Ok(Message::Binary(record))) => record,
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                Some(Ok(Message::Text(_) | Message::Frame(_))) => return Closed::Protocol,
                Some(Ok(Message::Close(_))) | None => return Closed::Cut,
                Some(Err(error)) => return broken(error),
            };
            match self.opener.open(&record) {
                Ok(Opened::Message(plaintext)) => {
                    if let Err(how) = self.act(plaintext) {
                        return how;
                    }
                }
                Ok(Opened::Final(plaintext)) => return last_word(&plaintext),
                Err(_) => return Closed::Protocol,
            }
        }
    }

    fn act(&mut self, plaintext: Vec<u8>) -> Result<(), Closed> {
        match FromDaemon::read(&plaintext).map_err(|_| Closed::Protocol)? {
            FromDaemon::Output(Chunk { session, offset, bytes }) => {
                let length = bytes.len();
                self.output(session, offset, OutputBytes::tail(plaintext, length))
            }
            FromDaemon::InputWritten(progress) => {
                let (track, _) = self.sessions.get(&progress.session).ok_or(Closed::Protocol)?;
                track.input_written(progress.offset).map_err(|_| Closed::Protocol)
            }
            FromDaemon::Reply(reply) => self.reply(reply),
            FromDaemon::Event(Event::SessionEnded { session, status }) => {
                let (track, queue) = self.sessions.remove(&session).ok_or(Closed::Protocol)?;
                track.end();
                // Nobody may be interested any more.
                let _ = queue.send(SessionOutput::Ended(status));
                Ok(())
            }
            // The one is the first record, the other the last.
            FromDaemon::Event(Event::Welcome(_) | Event::Closing { .. }) => Err(Closed::Protocol),
            FromDaemon::Event(event) => {
                self.shared.tell(text::clean_event(event));
                Ok(())
            }
            FromDaemon::UnknownEvent => Ok(()),
        }
    }

    fn output(
        &mut self,
        session: SessionId,
        offset: u64,
        bytes: OutputBytes,
    ) -> Result<(), Closed> {
        let (track, queue) = self.sessions.get(&session).ok_or(Closed::Protocol)?;
        track.receive(offset, bytes.len() as u64).map_err(|_| Closed::Protocol)?;
        let unread = queue.send(SessionOutput::Bytes(bytes)).is_err();
        if unread && track.is_to_be_discarded() {
            self.shared.line.leave(Chore::Discard(Arc::clone(track)));
        }
        Ok(())
    }

    fn reply(&mut self, Reply { id, outcome }: Reply) -> Result<(), Closed> {
        let waiter = self.shared.answered(id).ok_or(Closed::Protocol)?;
        // Whoever asked may have gone.
        match (waiter, outcome) {
            (Waiter::Answer(waiter), outcome) => {
                let _ = waiter.send(text::clean_outcome(outcome));
            }
            (Waiter::Session(waiter), Outcome::Ok(Answer::Opened { session })) => {
                let _ = waiter.send(Ok(self.open(session)?));
            }
            (Waiter::Session(waiter), Outcome::Error(error)) => {
                let _ = waiter.send(Err(text::clean_error(error)));
            }
            (Waiter::Session(_), Outcome::Ok(_)) => return Err(Closed::Protocol),
        }
        Ok(())
    }

    fn open(&mut self, id: SessionId) -> Result<Session, Closed> {
        let track = Arc::new(Track::new(id));
        let (queue, output) = mpsc::unbounded_channel();
        if self.sessions.insert(id, (Arc::clone(&track), queue)).is_some() {
            return Err(Closed::Protocol);
        }
        Ok(Session::new(Arc::clone(&self.shared), track, output))
    }
}

fn broken(error: WsError) -> Closed {
    match NoMessage::from(error) {
        NoMessage::Invalid => Closed::Protocol,
        NoMessage::Cut | NoMessage::TimedOut => Closed::Cut,
    }
}

/// Why the daemon ended the connection. That it did is certain, whatever the record holds.
fn last_word(plaintext: &[u8]) -> Closed {
    match FromDaemon::read(plaintext) {
        Ok(FromDaemon::Event(Event::Closing { reason })) => Closed::ByDaemon(reason),
        _ => Closed::ByDaemon(ClosingReason::Unknown),
    }
}
