//! What the tasks of a connection and its attachments share: the line, who waits for which
//! reply, and the events.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use codeout_protocol::channel::MAX_PLAINTEXT;
use codeout_protocol::message::{
    Answer, Attach, Attached, Event, FromDevice, NumberedRequest, Request, RequestError, SessionId,
};
use tokio::sync::{Notify, oneshot};
use zeroize::Zeroizing;

use crate::attachment::Attachment;
use crate::error::RequestFailed;
use crate::line::Line;
use crate::track::Track;

/// Events that wait for [`Connection::next_event`](crate::Connection::next_event) at most; the
/// oldest give way.
const MAX_EVENTS: usize = 256;

pub(crate) struct Shared {
    pub(crate) line: Line,
    waiting: Mutex<Waiting>,
    /// The request that attached, or is about to attach, to each session.
    attaching: Mutex<HashMap<SessionId, u32>>,
    events: Mutex<VecDeque<Event>>,
    more_events: Notify,
    /// When something came last, in nanoseconds of the connection's age.
    heard_at: AtomicU64,
}

/// Who waits for which reply.
#[derive(Default)]
struct Waiting {
    last_id: u32,
    waiters: HashMap<u32, Waiter>,
}

impl Waiting {
    fn next_id(&mut self) -> u32 {
        loop {
            self.last_id = self.last_id.wrapping_add(1);
            if !self.waiters.contains_key(&self.last_id) {
                return self.last_id;
            }
        }
    }
}

type Promise<T> = oneshot::Sender<Result<T, RequestError>>;

/// Who waits for a reply.
pub(crate) enum Waiter {
    Answer(Promise<Answer>),
    Attach(Attach, Promise<(Attached, Attachment)>),
    Detach(Arc<Track>, Option<Promise<()>>),
    Resize(Arc<Track>, Promise<()>),
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn new(line: Line) -> Self {
        Shared {
            line,
            waiting: Mutex::default(),
            attaching: Mutex::default(),
            events: Mutex::default(),
            more_events: Notify::new(),
            heard_at: AtomicU64::new(0),
        }
    }

    pub(crate) async fn request(&self, request: Request) -> Result<Answer, RequestFailed> {
        let (waiter, answer) = oneshot::channel();
        self.ask(request, Waiter::Answer(waiter)).await?;
        self.answer(answer).await
    }

    pub(crate) async fn attach(
        &self,
        attach: Attach,
    ) -> Result<(Attached, Attachment), RequestFailed> {
        let session = attach.session;
        let (waiter, answer) = oneshot::channel();
        let waiter = Waiter::Attach(attach.clone(), waiter);
        let note = |id| {
            locked(&self.attaching).insert(session, id);
            true
        };
        self.ask_if(Request::Attach(attach), waiter, note).await?;
        self.answer(answer).await
    }

    /// Asks to detach, unless the attachment is over or about to be replaced. Returns whether an
    /// answer will come.
    pub(crate) async fn detach(
        &self,
        track: &Arc<Track>,
        waiter: Option<Promise<()>>,
    ) -> Result<bool, RequestFailed> {
        let session = track.session;
        let waiter = Waiter::Detach(Arc::clone(track), waiter);
        let still = |_| {
            let latest = locked(&self.attaching).get(&session) == Some(&track.request);
            let still = latest && track.over().is_none();
            still && !track.leaving.swap(true, Ordering::AcqRel)
        };
        self.ask_if(Request::Detach { session }, waiter, still).await
    }

    /// Sends a request whose reply goes to `waiter`.
    pub(crate) async fn ask(&self, request: Request, waiter: Waiter) -> Result<(), RequestFailed> {
        self.ask_if(request, waiter, |_| true).await?;
        Ok(())
    }

    /// As [`ask`](Self::ask), if `wanted` says yes to the request's number when its turn to be
    /// sent has come. Returns whether it did.
    async fn ask_if(
        &self,
        request: Request,
        waiter: Waiter,
        wanted: impl FnOnce(u32) -> bool,
    ) -> Result<bool, RequestFailed> {
        let compose = || {
            let mut waiting = locked(&self.waiting);
            let id = waiting.next_id();
            let plaintext = FromDevice::Request(NumberedRequest { id, request }).write();
            let plaintext = Zeroizing::new(plaintext);
            if plaintext.len() > MAX_PLAINTEXT {
                return (None, Err(RequestFailed::TooLong));
            }
            if !wanted(id) {
                return (None, Ok(false));
            }
            waiting.waiters.insert(id, waiter);
            (Some(plaintext), Ok(true))
        };
        self.line.send(compose).await?
    }

    pub(crate) async fn answer<T>(
        &self,
        mut answer: oneshot::Receiver<Result<T, RequestError>>,
    ) -> Result<T, RequestFailed> {
        let closed = tokio::select! {
            biased;
            answer = &mut answer => match answer {
                Ok(answer) => return answer.map_err(RequestFailed::Refused),
                // The reader drops those who wait when the connection has ended.
                Err(_) => self.line.closed().await,
            },
            closed = self.line.closed() => closed,
        };
        Err(closed.into())
    }

    /// Who waits for the reply with this number.
    pub(crate) fn answered(&self, id: u32) -> Option<Waiter> {
        locked(&self.waiting).waiters.remove(&id)
    }

    /// The daemon refused to attach by the request `refused`: the attachment `before` stays.
    /// Returns whether it is one that nobody holds any more.
    pub(crate) fn attach_refused(
        &self,
        session: SessionId,
        refused: u32,
        before: Option<&Arc<Track>>,
    ) -> bool {
        let mut attaching = locked(&self.attaching);
        if attaching.get(&session) == Some(&refused) {
            match before {
                Some(before) => attaching.insert(session, before.request),
                None => attaching.remove(&session),
            };
        }
        before.is_some_and(|before| before.forsaken.load(Ordering::Acquire))
    }

    /// An attachment is over.
    pub(crate) fn forget_attachment(&self, track: &Track) {
        let mut attaching = locked(&self.attaching);
        if attaching.get(&track.session) == Some(&track.request) {
            attaching.remove(&track.session);
        }
    }

    /// The connection has ended: nobody needs to wait any more.
    pub(crate) fn abandon(&self) {
        // An attachment among them would take the lock when it is dropped.
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

    pub(crate) async fn next_event(&self) -> Option<Event> {
        loop {
            let mut more = std::pin::pin!(self.more_events.notified());
            more.as_mut().enable();
            let event = locked(&self.events).pop_front();
            if event.is_some() {
                return event;
            }
            if self.line.ended().is_some() {
                return None;
            }
            more.await;
        }
    }

    /// How many wait for a reply.
    #[cfg(test)]
    pub(crate) fn waiters(&self) -> usize {
        locked(&self.waiting).waiters.len()
    }

    /// Something came from the daemon.
    pub(crate) fn hear(&self) {
        let now = u64::try_from(self.line.age().as_nanos()).unwrap_or(u64::MAX);
        self.heard_at.store(now, Ordering::Relaxed);
    }

    /// How long nothing has come from the daemon.
    pub(crate) fn silence(&self) -> Duration {
        let heard_at = Duration::from_nanos(self.heard_at.load(Ordering::Relaxed));
        self.line.age().saturating_sub(heard_at)
    }
}
