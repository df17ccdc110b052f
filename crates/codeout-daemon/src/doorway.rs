//! How many connections that have proved nothing are held at once.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::limiter::source_key;

/// Unproven connections in all.
const MAX_ALL: usize = 1024;
/// Unproven connections of one source.
const MAX_EACH: usize = 64;
/// Unproven connections from loopback: a proxy or tunnel on this machine speaks for many, yet
/// is to leave room for the others.
const MAX_LOOPBACK: usize = 768;

/// Counts the connections that have not finished a handshake.
#[derive(Debug)]
pub(crate) struct Doorway {
    most: Most,
    inside: Mutex<Inside>,
}

/// How many are let in.
#[derive(Debug)]
struct Most {
    all: usize,
    each: usize,
    loopback: usize,
}

#[derive(Debug, Default)]
struct Inside {
    all: usize,
    each: HashMap<IpAddr, usize>,
}

/// One unproven connection; dropping it makes room.
#[derive(Debug)]
pub(crate) struct Unproven {
    doorway: Arc<Doorway>,
    source: IpAddr,
}

impl Doorway {
    /// One for a process that may have so many descriptors, of which strangers get half: the rest
    /// is for devices, sessions and the daemon's own user. `None`: as many as it likes.
    pub(crate) fn new(descriptors: Option<u64>) -> Self {
        let half = descriptors.and_then(|most| usize::try_from(most / 2).ok());
        let all = half.map_or(MAX_ALL, |half| half.min(MAX_ALL));
        let most = Most { all, each: MAX_EACH.min(all), loopback: MAX_LOOPBACK.min(all / 4 * 3) };
        Doorway { most, inside: Mutex::default() }
    }

    /// Lets a connection in; `None` when there are too many.
    pub(crate) fn enter(self: &Arc<Self>, source: IpAddr) -> Option<Unproven> {
        let source = source_key(source);
        let mut inside = self.lock();
        let same = inside.each.get(&source).copied().unwrap_or(0);
        let most = if source.is_loopback() { self.most.loopback } else { self.most.each };
        if inside.all >= self.most.all || same >= most {
            return None;
        }
        inside.all += 1;
        inside.each.insert(source, same + 1);
        Some(Unproven { doorway: Arc::clone(self), source })
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Unproven {
    fn drop(&mut self) {
        let mut inside = self.doorway.lock();
        inside.all -= 1;
        if let Some(count) = inside.each.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                inside.each.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_source_cannot_fill_the_doorway() {
        let doorway = Arc::new(Doorway::new(None));
        let greedy: IpAddr = "192.0.2.1".parse().unwrap();
        let held: Vec<_> = std::iter::from_fn(|| doorway.enter(greedy)).collect();
        assert_eq!(held.len(), MAX_EACH);
        let other = doorway.enter("192.0.2.2".parse().unwrap());
        assert!(other.is_some());
        drop(held);
        assert!(doorway.enter(greedy).is_some());
    }

    #[test]
    fn loopback_leaves_room_for_the_others() {
        let doorway = Arc::new(Doorway::new(None));
        let local: IpAddr = "::1".parse().unwrap();
        let held: Vec<_> = std::iter::from_fn(|| doorway.enter(local)).collect();
        assert_eq!(held.len(), MAX_LOOPBACK);
        assert!(doorway.enter("127.0.0.2".parse().unwrap()).is_none());
        assert!(doorway.enter("192.0.2.1".parse().unwrap()).is_some());
    }

    #[test]
    fn strangers_leave_half_of_the_descriptors() {
        let doorway = Arc::new(Doorway::new(Some(64)));
        let local: IpAddr = "::1".parse().unwrap();
        let held: Vec<_> = std::iter::from_fn(|| doorway.enter(local)).collect();
        assert_eq!(held.len(), 24);
        let greedy: IpAddr = "192.0.2.1".parse().unwrap();
        let others: Vec<_> = std::iter::from_fn(|| doorway.enter(greedy)).collect();
        assert_eq!(held.len() + others.len(), 32);
        for plenty in [Some(2 * MAX_ALL as u64), Some(u64::MAX), None] {
            assert_eq!(Doorway::new(plenty).most.all, MAX_ALL);
        }
    }

    #[test]
    fn there_is_an_end_to_all_of_them_and_room_again() {
        let doorway = Arc::new(Doorway::new(None));
        let held: Vec<_> = (0..2000u32)
            .map(|n| IpAddr::V4((0x0a00_0000 + n).into()))
            .filter_map(|source| doorway.enter(source))
            .collect();
        assert_eq!(held.len(), MAX_ALL);
        drop(held);
        assert_eq!(doorway.lock().all, 0);
        assert!(doorway.lock().each.is_empty());
    }
}
