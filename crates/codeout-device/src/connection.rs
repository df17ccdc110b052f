//! An established connection: requests, events, attachments, and its end.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use codeout_protocol::channel::Channel;
use codeout_protocol::message::{
    self, Answer, Attach, Attached, Event, FromDaemon, Request, SessionEntry, Welcome,
};

use crate::attachment::Attachment;
use crate::error::{Broken, Closed, ConnectError, RequestFailed};
use crate::keeper::keep;
use crate::line::Line;
use crate::reader::Reader;
use crate::shared::Shared;
use crate::text;
use crate::transport::Socket;
use crate::wire::{Source, Wire};

/// A connection is to be replaced by a new one after this time.
pub(crate) const OLD_AFTER: Duration = Duration::from_secs(24 * 3600);
/// How long a goodbye may take, and its answer.
const GOODBYE_TIME: Duration = Duration::from_secs(1);
/// The sessions that a daemon is believed to have at most.
const MAX_SESSIONS: usize = 10_000;

/// A link to a daemon that knows this device: encrypted, or inside one computer.
///
/// Everything on it may be used from several tasks at once. Dropped, it is cut without a word,
/// and its [`Attachment`]s with it; [`close`](Self::close) says goodbye. Sessions outlive it.
///
/// A dead link over a network is noticed within 75 s, while nothing is sent too.
pub struct Connection {
    shared: Arc<Shared>,
    welcome: Box<Welcome>,
}

impl Connection {
    /// Takes over a channel that was just made. `first` is the plaintext of the daemon's first
    /// record.
    pub(crate) fn start(
        socket: Socket,
        channel: Channel,
        first: &[u8],
    ) -> Result<Self, ConnectError> {
        let Channel { sealer, opener } = channel;
        let wire = Wire::Remote { outgoing: socket.outgoing, sealer: Some(sealer) };
        let source = Source::Remote { incoming: socket.incoming, opener: Box::new(opener) };
        Self::open(wire, source, first)
    }

    /// As [`start`](Self::start), over any wire.
    pub(crate) fn open(wire: Wire, source: Source, first: &[u8]) -> Result<Self, ConnectError> {
        let Ok(FromDaemon::Event(Event::Welcome(welcome))) = FromDaemon::read(first) else {
            return Err(ConnectError::Protocol(Broken::Unexpected));
        };
        if welcome.protocol != message::VERSION {
            return Err(ConnectError::Incompatible);
        }
        let (line, chores) = Line::new(wire);
        let shared = Arc::new(Shared::new(line));
        tokio::spawn(Reader::new(Arc::clone(&shared), source).run());
        tokio::spawn(keep(Arc::clone(&shared), chores));
        Ok(Connection { shared, welcome: Box::new(text::clean_welcome(welcome)) })
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// What the daemon said first: its name, and what it knows of this device. Its texts are
    /// safe to show; a name of which nothing safe was left is empty.
    pub fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    /// Asks the daemon and waits for its answer, whose texts are safe to show. Any number of
    /// requests may be on their way. Cancelled, the request may be done all the same.
    ///
    /// # Errors
    /// [`RequestFailed::Refused`] is the daemon's answer; the connection stays usable.
    /// [`RequestFailed::UseAttach`] for [`Request::Attach`].
    pub async fn request(&self, request: Request) -> Result<Answer, RequestFailed> {
        if let Request::Attach(_) = request {
            return Err(RequestFailed::UseAttach);
        }
        self.shared.request(request).await
    }

    /// The daemon's sessions, oldest first, their texts safe to show: 10,000 at most.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn sessions(&self) -> Result<Vec<SessionEntry>, RequestFailed> {
        let mut all: Vec<SessionEntry> = Vec::new();
        loop {
            let after = all.last().map(|entry| entry.session);
            let answer = self.shared.request(Request::Sessions { after }).await?;
            let Answer::Sessions { sessions, more } = answer else { return Err(self.fault()) };
            let mut last = after;
            for entry in &sessions {
                // A list that does not go on would never end.
                if last.is_some_and(|last| entry.session <= last) {
                    return Err(self.fault());
                }
                last = Some(entry.session);
            }
            let go_on = more && !sessions.is_empty();
            all.extend(sessions);
            all.truncate(MAX_SESSIONS);
            if !go_on || all.len() == MAX_SESSIONS {
                return Ok(all);
            }
        }
    }

    /// Attaches to a session; the texts of the answer are safe to show. A connection has one
    /// attachment to a session at most: a second one takes the place of the first, which ends.
    ///
    /// Cancelled, it attaches all the same and detaches then.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn attach(&self, attach: Attach) -> Result<(Attached, Attachment), RequestFailed> {
        self.shared.attach(attach).await
    }

    /// The daemon's answer is none to what was asked.
    fn fault(&self) -> RequestFailed {
        self.shared.line.end(Closed::Protocol).into()
    }

    /// What happened at the daemon, in order, its texts safe to show; `None` when the connection
    /// has ended. What belongs to a session to which this connection is attached (its snapshots,
    /// its end) comes to the [`Attachment`] alone; an end that was not read there comes here when
    /// nobody can read it any more, perhaps behind later news of that session.
    ///
    /// Up to 256 events wait to be taken; the oldest give way. Cancelling loses nothing. Two
    /// tasks that take events get some each.
    pub async fn next_event(&self) -> Option<Event> {
        self.shared.next_event().await
    }

    /// Waits until the connection has ended. Says how.
    pub async fn closed(&self) -> Closed {
        self.shared.line.closed().await
    }

    /// Whether it is more than 24 hours old: time to connect anew and close this one.
    pub fn is_old(&self) -> bool {
        self.shared.line.age() >= OLD_AFTER
    }

    /// Ends the connection: says goodbye and waits, 2 s at most, for the daemon to do the same.
    /// Says how it ended; [`ClosingReason::Goodbye`](message::ClosingReason::Goodbye) when all
    /// is well.
    pub async fn close(self) -> Closed {
        let line = &self.shared.line;
        // If it cannot be sent, the daemon does not answer either.
        let _ = tokio::time::timeout(GOODBYE_TIME, line.finish()).await;
        match tokio::time::timeout(GOODBYE_TIME, line.closed()).await {
            Ok(closed) => closed,
            Err(_) => line.end(Closed::Cut),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.shared.line.end(Closed::Cut);
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("daemon", &self.welcome.daemon)
            .field("ended", &self.shared.line.ended())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
