//! How many connections that have proved nothing are held at once, and which of them gives way
//! where all places are taken.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::limiter::source_key;
use crate::shared_stream::SharedStream;

/// Unproven connections in all.
const MAX_ALL: usize = 1024;
/// Unproven connections of one source.
const MAX_EACH: usize = 64;
/// Unproven connections from loopback: a proxy or tunnel on this machine speaks for many, yet
/// is to leave room for the others.
const MAX_LOOPBACK: usize = 768;
/// How long a place is safe: longer than a handshake takes, also over a slow link. So a flood takes
/// nobody's place in the middle of one.
const SAFE: Duration = Duration::from_secs(2);

/// The connections that have not finished a handshake; `T` is what ends one.
#[derive(Debug)]
pub(crate) struct Doorway<T = SharedStream> {
    inside: Mutex<Inside<T>>,
}

/// How many are let in.
#[derive(Debug)]
struct Most {
    all: usize,
    each: usize,
    loopback: usize,
    /// Connections that gave way and have not ended yet, beside the others.
    leaving: usize,
}

#[derive(Debug)]
struct Inside<T> {
    most: Most,
    last: u64,
    all: usize,
    leaving: usize,
    /// Of each source, the oldest first.
    each: HashMap<IpAddr, BTreeMap<u64, Place<T>>>,
}

#[derive(Debug)]
struct Place<T> {
    since: Instant,
    /// What ends the connection; `None`: it gives way to nobody.
    end: Option<T>,
}

/// One unproven connection; dropping it makes room.
#[derive(Debug)]
pub(crate) struct Unproven<T = SharedStream> {
    doorway: Arc<Doorway<T>>,
    source: IpAddr,
    number: AtomicU64,
}

/// A connection that was let in.
#[derive(Debug)]
pub(crate) struct Entered<T = SharedStream> {
    /// Its place.
    pub(crate) place: Unproven<T>,
    /// Where another gave way to it: that one's source, and what ends it.
    pub(crate) gave_way: Option<(IpAddr, T)>,
}

impl<T> Doorway<T> {
    /// One for a process that may have so many descriptors, of which strangers get half: the rest
    /// is for devices, sessions and the daemon's own user. `None`: as many as it likes.
    pub(crate) fn new(descriptors: Option<u64>) -> Self {
        let half = descriptors.and_then(|most| usize::try_from(most / 2).ok());
        let all = half.map_or(MAX_ALL, |half| half.min(MAX_ALL));
        let loopback = MAX_LOOPBACK.min(all / 4 * 3);
        let most = Most { all, each: MAX_EACH.min(all), loopback, leaving: all / 8 };
        let inside = Inside { most, last: 0, all: 0, leaving: 0, each: HashMap::new() };
        Doorway { inside: Mutex::new(inside) }
    }

    /// Lets a connection in; `None` when there are too many. Another may have to be ended for it.
    pub(crate) fn enter(self: &Arc<Self>, source: IpAddr, end: T) -> Option<Entered<T>> {
        let (source, since) = (source_key(source), Instant::now());
        let mut inside = self.lock();
        let is_full =
            inside.all >= inside.most.all || inside.count(source) >= inside.most.of(source);
        let gave_way = match is_full {
            true => Some(inside.make_room(source, since)?),
            false => None,
        };
        inside.last += 1;
        inside.all += 1;
        let number = inside.last;
        inside.each.entry(source).or_default().insert(number, Place { since, end: Some(end) });
        let place = Unproven { doorway: Arc::clone(self), source, number: number.into() };
        Some(Entered { place, gave_way })
    }

    fn lock(&self) -> MutexGuard<'_, Inside<T>> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Unproven<T> {
    /// From here on it gives way to nobody: it has proved the code, and waits for a person.
    pub(crate) fn stay(&self) {
        let mut inside = self.doorway.lock();
        if let Some(place) = inside.place(self.source, self.number.load(Relaxed)) {
            place.end = None;
        }
    }

    /// It begins its handshake, after other requests: its place is as safe as a newcomer's. For once
    /// in a connection.
    pub(crate) fn begin(&self) {
        let mut inside = self.doorway.lock();
        let Some(mut place) = inside.remove(self.source, self.number.load(Relaxed)) else {
            return;
        };
        place.since = Instant::now();
        inside.last += 1;
        inside.all += 1;
        let number = inside.last;
        inside.each.entry(self.source).or_default().insert(number, place);
        self.number.store(number, Relaxed);
    }
}

impl<T> Inside<T> {
    fn count(&self, source: IpAddr) -> usize {
        self.each.get(&source).map_or(0, BTreeMap::len)
    }

    fn place(&mut self, source: IpAddr, number: u64) -> Option<&mut Place<T>> {
        self.each.get_mut(&source)?.get_mut(&number)
    }

    /// Takes the place of the oldest whose place is not safe any more, of the source that holds most
    /// of what it may. No source gets more at the cost of one that holds less.
    fn make_room(&mut self, newcomer: IpAddr, now: Instant) -> Option<(IpAddr, T)> {
        if self.leaving >= self.most.leaving {
            return None;
        }
        let own = self.count(newcomer);
        let (has_all_it_may, own) = (own >= self.most.of(newcomer), self.most.share(newcomer, own));
        let (_, Reverse(number), source) = self
            .each
            .iter()
            .map(|(source, places)| (*source, self.most.share(*source, places.len()), places))
            .filter(|(source, share, _)| *source == newcomer || (!has_all_it_may && *share > own))
            .filter_map(|(source, share, places)| {
                let (number, oldest) = places.iter().find(|(_, place)| place.end.is_some())?;
                let is_safe = now.duration_since(oldest.since) < SAFE;
                (!is_safe).then_some((share, Reverse(*number), source))
            })
            .max()?;
        let end = self.remove(source, number)?.end?;
        self.leaving += 1;
        Some((source, end))
    }

    fn remove(&mut self, source: IpAddr, number: u64) -> Option<Place<T>> {
        let places = self.each.get_mut(&source)?;
        let place = places.remove(&number)?;
        if places.is_empty() {
            self.each.remove(&source);
        }
        self.all -= 1;
        Some(place)
    }
}

impl Most {
    /// How many one source may have.
    fn of(&self, source: IpAddr) -> usize {
        if source.is_loopback() { self.loopback } else { self.each }
    }

    /// How much that many are of what a source may have, in parts of 65,536.
    fn share(&self, source: IpAddr, count: usize) -> usize {
        (count << 16) / self.of(source).max(1)
    }
}

impl<T> Drop for Unproven<T> {
    fn drop(&mut self) {
        let mut inside = self.doorway.lock();
        if inside.remove(self.source, self.number.load(Relaxed)).is_none() {
            inside.leaving -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Entries = Vec<Entered<u32>>;

    fn doorway() -> Arc<Doorway<u32>> {
        Arc::new(Doorway::new(None))
    }

    fn counts(doorway: &Doorway<u32>) -> (usize, usize) {
        let inside = doorway.lock();
        (inside.all, inside.leaving)
    }

    fn held_by(doorway: &Doorway<u32>, source: IpAddr) -> usize {
        doorway.lock().count(source)
    }

    fn v4(number: u32) -> IpAddr {
        IpAddr::V4((0x0a00_0000 + number).into())
    }

    /// Lets connections of one source in until no more are, each with the source's number.
    fn fill(doorway: &Arc<Doorway<u32>>, number: u32) -> Entries {
        std::iter::from_fn(|| doorway.enter(v4(number), number)).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn one_source_cannot_fill_the_doorway() {
        let doorway = doorway();
        let held = fill(&doorway, 1);
        assert_eq!(held.len(), MAX_EACH);
        assert!(doorway.enter(v4(2), 2).unwrap().gave_way.is_none());
        drop(held);
        assert!(doorway.enter(v4(1), 1).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn loopback_leaves_room_for_the_others() {
        let doorway = doorway();
        let local: IpAddr = "::1".parse().unwrap();
        let held: Entries = std::iter::from_fn(|| doorway.enter(local, 0)).collect();
        assert_eq!(held.len(), MAX_LOOPBACK);
        assert!(doorway.enter("127.0.0.2".parse().unwrap(), 0).is_none());
        assert!(doorway.enter(v4(1), 1).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn strangers_leave_half_of_the_descriptors() {
        let doorway: Arc<Doorway<u32>> = Arc::new(Doorway::new(Some(64)));
        let local: IpAddr = "::1".parse().unwrap();
        let held: Entries = std::iter::from_fn(|| doorway.enter(local, 0)).collect();
        assert_eq!(held.len(), 24);
        let others = fill(&doorway, 1);
        assert_eq!(held.len() + others.len(), 32);
        tokio::time::advance(SAFE).await;
        let newcomers: Entries = (2..).map_while(|n| doorway.enter(v4(n), n)).collect();
        assert!(newcomers.iter().all(|one| one.gave_way.is_some()));
        assert_eq!(counts(&doorway), (32, 4));
        for plenty in [Some(2 * MAX_ALL as u64), Some(u64::MAX), None] {
            assert_eq!(Doorway::<u32>::new(plenty).lock().most.all, MAX_ALL);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn there_is_an_end_to_all_of_them_and_room_again() {
        let doorway = doorway();
        let held: Entries = (0..2000).filter_map(|n| doorway.enter(v4(n), n)).collect();
        assert_eq!(held.len(), MAX_ALL);
        drop(held);
        assert_eq!(counts(&doorway), (0, 0));
        assert!(doorway.lock().each.is_empty());
    }

    /// Sixteen sources that hold all places, and the time after which these are not safe.
    async fn besieged() -> (Arc<Doorway<u32>>, Entries) {
        let doorway = doorway();
        let mut held = Vec::new();
        for number in 0..16 {
            held.extend(fill(&doorway, number));
        }
        assert_eq!(held.len(), MAX_ALL);
        tokio::time::advance(SAFE - Duration::from_millis(1)).await;
        assert!(doorway.enter(v4(99), 99).is_none());
        tokio::time::advance(Duration::from_millis(1)).await;
        (doorway, held)
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_linger_give_way_to_a_newcomer() {
        let (doorway, mut held) = besieged().await;
        let newcomer = doorway.enter(v4(99), 99).unwrap();
        // The oldest of all, since all sources hold as much.
        assert_eq!(newcomer.gave_way, Some((v4(0), 0)));
        assert_eq!(counts(&doorway), (MAX_ALL, 1));
        // It leaves in its own time, and makes no room twice.
        drop(held.remove(0));
        assert_eq!(counts(&doorway), (MAX_ALL, 0));
        // The next is of a source that holds most now.
        assert_eq!(doorway.enter(v4(99), 99).unwrap().gave_way, Some((v4(1), 1)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_gets_no_more_at_the_cost_of_one_that_holds_less() {
        let (doorway, mut held) = besieged().await;
        let mut newcomers: Entries = Vec::new();
        while let Some(newcomer) = doorway.enter(v4(99), 99) {
            let (source, _) = newcomer.gave_way.unwrap();
            let at = held.iter().position(|entered| entered.place.source == source).unwrap();
            drop(held.remove(at));
            newcomers.push(newcomer);
        }
        // Its own are still safe, and everybody else has as many.
        assert_eq!(newcomers.len(), MAX_ALL.div_ceil(17));
        // From here on it has to make room itself.
        tokio::time::advance(SAFE).await;
        assert_eq!(doorway.enter(v4(99), 99).unwrap().gave_way.unwrap().0, v4(99));
        let (own, others) = (held_by(&doorway, v4(99)), held_by(&doorway, v4(1)));
        assert!(own.abs_diff(others) <= 1, "{own} {others}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_has_all_it_may_makes_room_for_itself() {
        let doorway = doorway();
        let local = IpAddr::from([127, 0, 0, 1]);
        let held: Entries = (0..).map_while(|number| doorway.enter(local, number)).collect();
        let others = fill(&doorway, 1);
        tokio::time::advance(SAFE).await;
        let newcomers = [(); 2].map(|()| doorway.enter(local, 9_999).unwrap());
        assert_eq!(newcomers.map(|one| one.gave_way), [Some((local, 0)), Some((local, 1))]);
        assert_eq!(held_by(&doorway, v4(1)), others.len());
        drop(held);
    }

    #[tokio::test(start_paused = true)]
    async fn loopback_is_as_many_sources_as_it_has_places() {
        let doorway = doorway();
        let local = IpAddr::from([127, 0, 0, 1]);
        let _held: Entries = std::iter::from_fn(|| doorway.enter(local, 0)).collect();
        let _others: Vec<Entries> = (1..=4).map(|number| fill(&doorway, number)).collect();
        assert_eq!(doorway.lock().all, MAX_ALL);
        tokio::time::advance(SAFE).await;
        // All have all that they may, so a newcomer takes the place of the oldest.
        let first = doorway.enter(v4(9), 9).unwrap();
        assert_eq!(first.gave_way, Some((local, 0)));
        // One of 64 is more than one of 768: the next is of those who still have all.
        assert_eq!(doorway.enter(v4(9), 9).unwrap().gave_way, Some((v4(1), 1)));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_a_person_gives_way_to_nobody() {
        let doorway = doorway();
        let held = fill(&doorway, 1);
        held[0].place.stay();
        tokio::time::advance(SAFE).await;
        let newcomers: Entries = std::iter::from_fn(|| doorway.enter(v4(1), 2)).collect();
        assert_eq!(newcomers.len(), MAX_EACH - 1);
        assert!(newcomers.iter().all(|one| one.gave_way == Some((v4(1), 1))));
        // The first still has its place.
        let first = held[0].place.number.load(Relaxed);
        assert!(doorway.lock().place(v4(1), first).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_handshake_behind_other_requests_is_as_safe_as_any() {
        let doorway = doorway();
        let held = fill(&doorway, 1);
        tokio::time::advance(SAFE).await;
        held[0].place.begin();
        let newcomers: Entries = std::iter::from_fn(|| doorway.enter(v4(1), 2)).collect();
        assert_eq!(newcomers.len(), MAX_EACH - 1);
        let begun = held[0].place.number.load(Relaxed);
        assert!(doorway.lock().place(v4(1), begun).is_some());
        // As a newcomer's, and no longer; and it is let go once.
        tokio::time::advance(SAFE).await;
        assert!(doorway.enter(v4(1), 3).unwrap().gave_way.is_some());
        assert!(doorway.lock().place(v4(1), begun).is_none());
        held[0].place.begin();
        drop((held, newcomers));
        assert_eq!(counts(&doorway), (0, 0));
        assert!(doorway.lock().each.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_leave_are_bounded_too() {
        let (doorway, held) = besieged().await;
        let newcomers: Entries = (100..).map_while(|n| doorway.enter(v4(n), n)).collect();
        assert_eq!(newcomers.len(), MAX_ALL / 8);
        drop(held);
        assert_eq!(counts(&doorway), (MAX_ALL / 8, 0));
    }
}
