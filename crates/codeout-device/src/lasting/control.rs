//! What the halves of a lasting attachment and its driver tell each other.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use codeout_protocol::message::TerminalSize;
use tokio::sync::{Mutex as Turn, Notify, watch};

use super::sending::Route;
use super::typed::Typed;
use super::{LastingEnd, LinkError};
use crate::attachment::AttachmentReader;
use crate::error::InputError;
use crate::shared::Shared;

/// How long [`close`](super::LastingInput::close) may take.
const CLOSE_TIME: Duration = Duration::from_secs(3);

/// What the driver tells the reader.
pub(crate) enum Step {
    Down {
        error: LinkError,
        retry_in: Duration,
        attempt: u32,
    },
    Up {
        reader: AttachmentReader,
        /// Whether the reader was told that there was no link.
        told: bool,
    },
    Over(LastingEnd),
}

/// The size that this device gives the terminal, if it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) size: Option<TerminalSize>,
    /// How many times it took the size over.
    pub(crate) taken: u64,
}

/// What the daemon knows of the size that this device gives.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    /// As in [`Wanted`].
    pub(crate) taken: u64,
    /// The one that the daemon took, and one behind it that it may have taken.
    pub(crate) sizes: [TerminalSize; 2],
    /// The name of this device at that time, by which the daemon knows whose it is.
    pub(crate) device: String,
}

impl Told {
    /// The daemon took `size`.
    pub(crate) fn new(taken: u64, size: TerminalSize, device: &str) -> Self {
        Told { taken, sizes: [size; 2], device: device.to_owned() }
    }
}

pub(crate) struct Control {
    /// `None`: it only looks.
    pub(crate) typed: Option<Typed>,
    /// Who types, one after the other.
    turn: Turn<()>,
    pub(crate) size: watch::Sender<Wanted>,
    told: Mutex<Option<Told>>,
    pub(crate) retry: Notify,
    closing: watch::Sender<bool>,
    over: watch::Sender<Option<InputError>>,
    /// Held while somebody sends by it, who does not wait: when it is taken away, the link's
    /// count of what was sent is final.
    link: Mutex<Option<Route>>,
}

impl Control {
    pub(crate) fn new(typed: Option<Typed>, size: Option<TerminalSize>) -> Self {
        Control {
            typed,
            turn: Turn::new(()),
            size: watch::Sender::new(Wanted { size, taken: 0 }),
            told: Mutex::default(),
            retry: Notify::new(),
            closing: watch::Sender::new(false),
            over: watch::Sender::new(None),
            link: Mutex::new(None),
        }
    }

    pub(crate) async fn write(&self, mut bytes: &[u8]) -> Result<(), InputError> {
        let typed = self.typed.as_ref().ok_or(InputError::NotTyping)?;
        let mut over = self.over.subscribe();
        let _turn = self.turn.lock().await;
        loop {
            if let Some(error) = *over.borrow() {
                return Err(error);
            }
            let count = typed.keep(bytes);
            bytes = &bytes[count..];
            if count > 0 && !self.send_now(typed) {
                typed.more.notify_one();
            }
            if bytes.is_empty() {
                return Ok(());
            }
            tokio::select! {
                () = typed.room.notified() => {}
                // Seen above.
                _ = over.changed() => {}
            }
        }
    }

    pub(crate) fn resize(&self, size: TerminalSize) -> bool {
        let mut owned = false;
        self.size.send_if_modified(|wanted| {
            owned = wanted.size.is_some();
            let news = owned && wanted.size != Some(size);
            if news {
                wanted.size = Some(size);
            }
            news
        });
        owned
    }

    pub(crate) fn take_size(&self, size: TerminalSize) {
        self.size.send_modify(|wanted| {
            *wanted = Wanted { size: Some(size), taken: wanted.taken + 1 };
        });
    }

    /// The daemon has this size of this device.
    pub(crate) fn set_told(&self, told: Told) {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = Some(told);
    }

    /// What the daemon was told since this device took the size over for the `taken`th time.
    pub(crate) fn told(&self, taken: u64) -> Option<Told> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.clone().filter(|told| told.taken == taken)
    }

    pub(crate) fn release_size(&self) {
        self.size.send_modify(|wanted| wanted.size = None);
    }

    pub(crate) fn owns_size(&self) -> bool {
        self.size.borrow().size.is_some()
    }

    /// Another device has taken the size over since it was taken for the `taken`th time.
    pub(crate) fn lose_size(&self, taken: u64) {
        self.size.send_if_modified(|wanted| {
            let lost = wanted.taken == taken && wanted.size.is_some();
            if lost {
                wanted.size = None;
            }
            lost
        });
    }

    fn route(&self) -> MutexGuard<'_, Option<Route>> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends what is kept from this thread, which spares a key the way through another. Returns
    /// whether all of it is sent.
    fn send_now(&self, typed: &Typed) -> bool {
        self.route().as_ref().is_some_and(|route| route.send_now(typed))
    }

    /// From now on there is this link. Behind `None` nobody sends by the one before.
    pub(crate) fn set_link(&self, link: Option<Route>) {
        *self.route() = link;
    }

    pub(crate) fn link(&self) -> Option<Arc<Shared>> {
        self.route().as_ref().map(|route| Arc::clone(&route.shared))
    }

    pub(crate) async fn close(&self) {
        self.closing.send_replace(true);
        let mut over = self.over.subscribe();
        let _ = tokio::time::timeout(CLOSE_TIME, over.wait_for(Option::is_some)).await;
    }

    /// Waits until [`close`](Self::close) is called.
    pub(crate) async fn closing(&self) {
        let mut closing = self.closing.subscribe();
        // An error cannot be: this end of the channel lives as long as `self`.
        let _ = closing.wait_for(|closing| *closing).await;
    }

    /// It is over: nobody can type any more.
    pub(crate) fn finish(&self, how: InputError) {
        self.over.send_replace(Some(how));
    }
}
