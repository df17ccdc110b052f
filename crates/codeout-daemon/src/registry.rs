//! Which connections are open, so that they can be closed.

#![cfg_attr(not(feature = "model"), allow(unreachable_pub))] // what it is public for

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use codeout_protocol::message::ClosingReason;
use tokio::sync::{Notify, watch};

use crate::devices::DeviceId;

/// Connections that one device may have at once.
pub(crate) const MAX_PER_DEVICE: usize = 16;

/// All open connections of paired devices.
#[derive(Debug, Default)]
pub struct Registry {
    open: Mutex<Open>,
    left: Notify,
}

#[derive(Debug, Default)]
struct Open {
    last: u64,
    closed: bool,
    entries: HashMap<u64, Entry>,
}

#[derive(Debug)]
struct Entry {
    device: DeviceId,
    end: watch::Sender<Option<ClosingReason>>,
}

/// A connection's place in the registry; dropping it leaves.
#[derive(Debug)]
pub struct Presence {
    registry: Arc<Registry>,
    number: u64,
    end: watch::Receiver<Option<ClosingReason>>,
}

impl Registry {
    /// Enters a connection of `device`. `None` when it has too many, or the daemon stops.
    pub fn enter(self: &Arc<Self>, device: &DeviceId) -> Option<Presence> {
        self.enter_up_to(device, MAX_PER_DEVICE)
    }

    /// As [`enter`](Self::enter), for this computer: its user may have any number.
    pub(crate) fn enter_local(self: &Arc<Self>, device: &DeviceId) -> Option<Presence> {
        self.enter_up_to(device, usize::MAX)
    }

    fn enter_up_to(self: &Arc<Self>, device: &DeviceId, most: usize) -> Option<Presence> {
        let mut open = self.lock();
        let already = open.entries.values().filter(|entry| entry.device == *device).count();
        if open.closed || already >= most {
            return None;
        }
        open.last += 1;
        let number = open.last;
        let (sender, end) = watch::channel(None);
        open.entries.insert(number, Entry { device: *device, end: sender });
        Some(Presence { registry: Arc::clone(self), number, end })
    }

    /// Ends every connection of `device`, and returns when they are closed.
    pub(crate) async fn close(&self, device: &DeviceId, reason: ClosingReason) {
        self.wait_for(self.tell_device(device, reason)).await;
    }

    /// Ends every connection, lets none in any more, and returns when they are closed.
    pub(crate) async fn close_all(&self, reason: ClosingReason) {
        self.lock().closed = true;
        self.wait_for(self.tell(|_| true, reason)).await;
    }

    /// Tells every connection to end, and lets none in any more.
    pub(crate) fn shut(&self, reason: ClosingReason) {
        self.lock().closed = true;
        self.tell(|_| true, reason);
    }

    /// Tells every connection of `device` to end; says which these are.
    pub fn tell_device(&self, device: &DeviceId, reason: ClosingReason) -> Vec<u64> {
        self.tell(|entry| entry.device == *device, reason)
    }

    /// Whether none of these connections is there any more.
    pub fn have_left(&self, numbers: &[u64]) -> bool {
        let open = self.lock();
        !numbers.iter().any(|number| open.entries.contains_key(number))
    }

    fn tell(&self, which: impl Fn(&Entry) -> bool, reason: ClosingReason) -> Vec<u64> {
        let open = self.lock();
        let chosen = open.entries.iter().filter(|(_, entry)| which(entry));
        let told = chosen.map(|(number, entry)| {
            entry.end.send_if_modified(|end| end.is_none() && end.replace(reason).is_none());
            *number
        });
        told.collect()
    }

    async fn wait_for(&self, ending: Vec<u64>) {
        loop {
            // Listen before looking, so that no departure is missed.
            let left = self.left.notified();
            tokio::pin!(left);
            left.as_mut().enable();
            if self.have_left(&ending) {
                return;
            }
            left.await;
        }
    }

    /// The devices that are connected.
    pub fn connected(&self) -> Vec<DeviceId> {
        let mut devices: Vec<_> = self.lock().entries.values().map(|entry| entry.device).collect();
        devices.sort_unstable();
        devices.dedup();
        devices
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Presence {
    /// Waits until the connection is to end; says why.
    pub(crate) async fn ended(&mut self) -> ClosingReason {
        match self.end.wait_for(Option::is_some).await.map(|reason| *reason) {
            Ok(Some(reason)) => reason,
            // The registry keeps the sender as long as this presence lives.
            _ => std::future::pending().await,
        }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.registry.lock().entries.remove(&self.number);
        self.registry.left.notify_waiters();
    }
}

#[cfg(feature = "model")]
impl Registry {
    /// A registry with the same connections, and their places in it, in the order of `places`.
    pub fn fork(&self, places: &[&Presence]) -> (Arc<Registry>, Vec<Presence>) {
        let open = self.lock();
        let mut entries = HashMap::new();
        let mut ends = HashMap::new();
        for (&number, entry) in &open.entries {
            let (sender, end) = watch::channel(*entry.end.borrow());
            entries.insert(number, Entry { device: entry.device, end: sender });
            ends.insert(number, end);
        }
        let fork = Open { last: open.last, closed: open.closed, entries };
        let registry = Arc::new(Registry { open: Mutex::new(fork), left: Notify::new() });
        let place = |presence: &&Presence| Presence {
            registry: Arc::clone(&registry),
            number: presence.number,
            end: ends.remove(&presence.number).expect("a presence is in its registry"),
        };
        let places = places.iter().map(place).collect();
        (registry, places)
    }
}

#[cfg(feature = "model")]
impl Presence {
    /// Which connection of the registry it is.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Whether the connection has been told to end.
    pub fn is_to_end(&self) -> bool {
        self.end.borrow().is_some()
    }
}
