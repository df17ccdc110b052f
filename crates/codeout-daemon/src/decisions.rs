//! Questions to the daemon's user: whether a device may be paired.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::event::Event;
use crate::state::Shared;

/// The questions that wait for an answer.
#[derive(Debug, Default)]
pub(crate) struct Decisions(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    last: u64,
    open: HashMap<u64, oneshot::Sender<bool>>,
}

impl Decisions {
    /// Nobody need answer any more.
    pub(crate) fn withdraw_all(&self) {
        self.waiting().open.clear();
    }

    /// A question's number, and its answer when there is one.
    fn open(&self) -> (u64, oneshot::Receiver<bool>) {
        let (answer, answered) = oneshot::channel();
        let mut waiting = self.waiting();
        waiting.last += 1;
        let request = waiting.last;
        waiting.open.insert(request, answer);
        (request, answered)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A question that waits for its answer; dropping it withdraws it.
struct Question<'a> {
    shared: &'a Shared,
    request: u64,
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        self.shared.decisions.waiting().open.remove(&self.request);
        self.shared.emit(Event::ConfirmationOver { request: self.request });
    }
}

impl Shared {
    /// Asks the daemon's user whether a device may be paired; false when nobody answers within
    /// `patience`.
    pub(crate) async fn ask(
        &self,
        question: impl FnOnce(u64) -> Event,
        patience: Duration,
    ) -> bool {
        let (request, answered) = self.decisions.open();
        let _open = Question { shared: self, request };
        self.emit(question(request));
        matches!(tokio::time::timeout(patience, answered).await, Ok(Ok(true)))
    }

    /// Answers a question. False when nobody waits for this answer any more.
    pub(crate) fn decide(&self, request: u64, admit: bool) -> bool {
        let waiting = self.decisions.waiting().open.remove(&request);
        waiting.is_some_and(|answer| answer.send(admit).is_ok())
    }

    /// Ends the questions whose offer is over: its time runs while the machine sleeps.
    pub(crate) fn end_questions(&self) {
        let offers = self.offers();
        if !offers.is_deciding(self.now()) {
            self.decisions.withdraw_all();
        }
    }
}
