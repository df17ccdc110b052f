//! An established connection: requests, events, sessions, and its end.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use codeout_protocol::channel::{Channel, MAX_PLAINTEXT};
use codeout_protocol::message::{
    self, Answer, Event, FromDaemon, FromDevice, NumberedRequest, Request, RequestError, Welcome,
};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::MissedTickBehavior;
use zeroize::Zeroizing;

use crate::error::{Broken, Closed, ConnectError, RequestFailed};
use crate::line::{Chore, Line};
use crate::reader::Reader;
use crate::session::Session;
use crate::text;
use crate::transport::Socket;

/// A connection is to be replaced by a new one after this time.
const OLD_AFTER: Duration = Duration::from_secs(24 * 3600);
/// How long a goodbye may take, and its answer.
const GOODBYE_TIME: Duration = Duration::from_secs(1);
/// Events that wait for [`Connection::next_event`] at most; the oldest give way.
const MAX_EVENTS: usize = 256;
/// How often is checked whether the daemon was heard…
const LISTEN_EVERY: Duration = Duration::from_secs(15);
/// …after how many of these it is asked whether it is there, so that it has something to say…
const PING_AFTER: u32 = 2;
/// …and after how many silent ones the link is dead.
const DEAD_AFTER: u32 = 4;

/// An encrypted link to a daemon that knows this device.
///
/// Everything on it may be used from several tasks at once. Dropped, it is cut without a word,
/// and its [`Session`]s with it; [`close`](Self::close) says goodbye.
///
/// A dead link is noticed within 75 s, while nothing is sent too.
pub struct Connection {
    shared: Arc<Shared>,
    welcome: Box<Welcome>,
}

/// What the tasks of a connection and its sessions share.
pub(crate) struct Shared {
    pub(crate) line: Line,
    waiting: Mutex<Waiting>,
    events: Mutex<VecDeque<Event>>,
    more_events: Notify,
    /// Whether anything came since the last look.
    heard: AtomicBool,
}

/// Who waits for which reply.
#[derive(Default)]
struct Waiting {
    last_id: u32,
    waiters: HashMap<u32, Waiter>,
}

/// Who waits for a reply.
pub(crate) enum Waiter {
    Answer(oneshot::Sender<Result<Answer, RequestError>>),
    Session(oneshot::Sender<Result<Session, RequestError>>),
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) async fn request(&self, request: Request) -> Result<Answer, RequestFailed> {
        let (waiter, answer) = oneshot::channel();
        self.ask(request, Waiter::Answer(waiter)).await?;
        self.answer(answer).await
    }

    /// Sends a request whose reply goes to `waiter`.
    async fn ask(&self, request: Request, waiter: Waiter) -> Result<(), RequestFailed> {
        let id = self.enlist(waiter);
        let plaintext = FromDevice::Request(NumberedRequest { id, request }).write();
        if plaintext.len() > MAX_PLAINTEXT {
            self.answered(id);
            return Err(RequestFailed::TooLong);
        }
        self.line.send(|| (Some(Zeroizing::new(plaintext)), ())).await?;
        Ok(())
    }

    async fn answer<T>(
        &self,
        answer: oneshot::Receiver<Result<T, RequestError>>,
    ) -> Result<T, RequestFailed> {
        match answer.await {
            Ok(answer) => answer.map_err(RequestFailed::Refused),
            // The reader drops those who wait when the connection has ended.
            Err(_) => Err(self.line.closed().await.into()),
        }
    }

    fn enlist(&self, waiter: Waiter) -> u32 {
        let mut waiting = locked(&self.waiting);
        let mut id = waiting.last_id;
        loop {
            id = id.wrapping_add(1);
            if !waiting.waiters.contains_key(&id) {
                break;
            }
        }
        waiting.last_id = id;
        waiting.waiters.insert(id, waiter);
        id
    }

    /// Who waits for the reply with this number.
    pub(crate) fn answered(&self, id: u32) -> Option<Waiter> {
        locked(&self.waiting).waiters.remove(&id)
    }

    /// The connection has ended: nobody needs to wait any more.
    pub(crate) fn abandon(&self) {
        // A session among them would take the lock when it is dropped.
        let waiters = std::mem::take(&mut locked(&self.waiting).waiters);
        drop(waiters);
        self.more_events.notify_waiters();
    }

    pub(crate) fn tell(&self, event: Event) {
        let mut events = locked(&self.events);
        if events.len() == MAX_EVENTS {
            events.pop_front();
        }
        events.push_back(event);
        drop(events);
        self.more_events.notify_one();
    }

    /// Something came from the daemon.
    pub(crate) fn hear(&self) {
        self.heard.store(true, Ordering::Relaxed);
    }
}

impl Connection {
    /// Takes over a channel that was just made. `first` is the plaintext of the daemon's first
    /// record.
    pub(crate) fn start(
        socket: Socket,
        channel: Channel,
        first: &[u8],
    ) -> Result<Self, ConnectError> {
        let Ok(FromDaemon::Event(Event::Welcome(welcome))) = FromDaemon::read(first) else {
            return Err(ConnectError::Protocol(Broken::Unexpected));
        };
        if welcome.protocol != message::VERSION {
            return Err(ConnectError::Incompatible);
        }
        let (line, chores) = Line::new(socket.outgoing, channel.sealer);
        let shared = Arc::new(Shared {
            line,
            waiting: Mutex::default(),
            events: Mutex::default(),
            more_events: Notify::new(),
            heard: AtomicBool::new(true),
        });
        let reader = Reader::new(Arc::clone(&shared), socket.incoming, channel.opener);
        tokio::spawn(reader.run());
        tokio::spawn(keep(Arc::clone(&shared), chores));
        Ok(Connection { shared, welcome: Box::new(text::clean_welcome(welcome)) })
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
    pub async fn request(&self, request: Request) -> Result<Answer, RequestFailed> {
        if let Request::Open { .. } = request {
            return Err(RequestFailed::UseOpenSession);
        }
        self.shared.request(request).await
    }

    /// Opens a session in a terminal of this size, each side 1 to 2,000: a shell in the daemon's
    /// directory.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn open_session(&self, columns: u16, rows: u16) -> Result<Session, RequestFailed> {
        let (waiter, session) = oneshot::channel();
        self.shared.ask(Request::Open { columns, rows }, Waiter::Session(waiter)).await?;
        self.shared.answer(session).await
    }

    /// What happened at the daemon, in order, its texts safe to show; `None` when the connection
    /// has ended. The end of a session comes to its [`Session`] alone.
    ///
    /// Up to 256 events wait to be taken; the oldest give way. Cancelling loses nothing. Two
    /// tasks that take events get some each.
    pub async fn next_event(&self) -> Option<Event> {
        loop {
            let mut more = std::pin::pin!(self.shared.more_events.notified());
            more.as_mut().enable();
            let event = locked(&self.shared.events).pop_front();
            if event.is_some() {
                return event;
            }
            if self.shared.line.ended().is_some() {
                return None;
            }
            more.await;
        }
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

/// Keeps a connection until it has ended: listens whether the daemon is there, and does what
/// others left to do.
async fn keep(shared: Arc<Shared>, chores: mpsc::UnboundedReceiver<Chore>) {
    tokio::select! {
        _ = shared.line.closed() => {}
        () = listen(&shared) => {}
        () = work(&shared, chores) => {}
    }
}

async fn listen(shared: &Shared) {
    let mut look = tokio::time::interval(LISTEN_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    look.reset();
    let mut silent = 0;
    for count in 1u32.. {
        look.tick().await;
        silent = if shared.heard.swap(false, Ordering::Relaxed) { 0 } else { silent + 1 };
        if silent >= DEAD_AFTER {
            shared.line.end(Closed::Cut);
            return;
        }
        if count % PING_AFTER == 0 {
            // A socket that takes nothing must not keep this from listening.
            let _ = tokio::time::timeout(LISTEN_EVERY / 3, shared.line.ping()).await;
        }
    }
}

async fn work(shared: &Shared, mut chores: mpsc::UnboundedReceiver<Chore>) {
    while let Some(chore) = chores.recv().await {
        // An error means that the connection has ended, and with it this task.
        let _ = match chore {
            Chore::Flush => shared.line.flush_rest().await,
            Chore::Discard(track) => shared.line.send(|| (track.acknowledge_all(), ())).await,
            Chore::End(track) => {
                // Nobody waits for the answer.
                let (waiter, _) = oneshot::channel();
                let request = Request::End { session: track.id };
                match shared.ask(request, Waiter::Answer(waiter)).await {
                    Err(RequestFailed::Closed(closed)) => Err(closed),
                    _ => Ok(()),
                }
            }
        };
    }
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
