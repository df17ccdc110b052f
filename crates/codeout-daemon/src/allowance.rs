//! How much of the daemon's time each device may take with what it asks, and with what it tells.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::devices::DeviceId;
use crate::registry::MAX_PER_DEVICE;

/// The part of one processor's time that a device may take for long: a fifth…
const SHARE: u32 = 5;
/// …and what it may take at once: as much as coming back to every session that it may be attached to.
const BURST: Duration = Duration::from_millis(400);
/// What counts for a request at least: passing on its news, and answering it, take time too…
const LEAST: Duration = Duration::from_micros(500);
/// …and at most: a disk that hangs is not the device's fault.
const MOST: Duration = Duration::from_millis(20);
/// What counts for an attachment: the snapshot is made behind the answer.
const ATTACHMENT: Duration = Duration::from_millis(5);
/// What counts for whatever comes, request or not…
const WORD: Duration = Duration::from_micros(5);
/// …and for each byte of it, unless reading it took longer…
const BYTE: Duration = Duration::from_nanos(2);
/// …and for what sets something in motion, unless that took longer: a key is written, and echoed.
const MOVED: Duration = Duration::from_micros(15);
/// …but no more than this: it waits for nothing, and that its thread had no turn is not the device's
/// fault.
const MOST_MOVED: Duration = Duration::from_millis(1);

/// What a device can owe: what all of its connections ask before they are made to wait. More would keep
/// one that only comes back from what it asks for the first time.
const MOST_OWED: Duration = BURST.saturating_add(MOST.saturating_mul(MAX_PER_DEVICE as u32));

/// What a device asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Demand {
    /// An attachment to a session.
    Attachment,
    /// Anything else.
    Other,
}

/// The allowances of all devices that have asked lately.
#[derive(Debug, Default)]
pub(crate) struct Allowances(Mutex<HashMap<DeviceId, Arc<Allowance>>>);

impl Allowances {
    /// The allowance of a device, for all of its connections.
    pub(crate) fn of(&self, device: DeviceId, now: Instant) -> Arc<Allowance> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // One that nobody uses, and that owes nothing, is as good as a new one.
        all.retain(|_, allowance| Arc::strong_count(allowance) > 1 || !allowance.is_full(now));
        Arc::clone(all.entry(device).or_insert_with(|| Arc::new(Allowance::new(now))))
    }
}

/// What one device may still take. What it asks and what it tells are apart: keys are not to wait
/// because much was asked.
#[derive(Debug)]
pub(crate) struct Allowance {
    asked: Mutex<Taken>,
    told: Mutex<Taken>,
}

#[derive(Debug, Clone, Copy)]
struct Taken {
    /// What was taken, less what has come back since.
    owed: Duration,
    at: Instant,
}

impl Allowance {
    fn new(now: Instant) -> Self {
        let nothing = Taken { owed: Duration::ZERO, at: now };
        Allowance { asked: Mutex::new(nothing), told: Mutex::new(nothing) }
    }

    /// Counts a request that took `time`. Until when the device is to wait with the next one, if
    /// it is; to be asked again then, for its other connections ask too.
    pub(crate) fn charge(&self, demand: Demand, time: Duration, now: Instant) -> Option<Instant> {
        let least = match demand {
            Demand::Attachment => ATTACHMENT,
            Demand::Other => LEAST,
        };
        settled(&self.asked, now).take(time.clamp(least, MOST), now)
    }

    /// Until when the device is to wait with what it asks, if it is.
    pub(crate) fn rest(&self, now: Instant) -> Option<Instant> {
        settled(&self.asked, now).rest(now)
    }

    /// Counts that something came, of so many bytes, and that reading it took `time`. Until when
    /// nothing is to be read from the device, if that is so; to be asked again then.
    pub(crate) fn told(&self, bytes: usize, time: Duration, now: Instant) -> Option<Instant> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let least = WORD + BYTE * bytes;
        settled(&self.told, now).take(time.min(MOST).max(least), now)
    }

    /// As [`told`](Self::told), behind it: what came has set something in motion, which took `time`.
    pub(crate) fn moved(&self, time: Duration, now: Instant) -> Option<Instant> {
        settled(&self.told, now).take(time.clamp(MOVED, MOST_MOVED), now)
    }

    /// Until when nothing is to be read from the device, if that is so.
    pub(crate) fn pause(&self, now: Instant) -> Option<Instant> {
        settled(&self.told, now).rest(now)
    }

    fn is_full(&self, now: Instant) -> bool {
        [&self.asked, &self.told].iter().all(|taken| settled(taken, now).owed.is_zero())
    }
}

fn settled(taken: &Mutex<Taken>, now: Instant) -> MutexGuard<'_, Taken> {
    let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
    taken.settle(now);
    taken
}

impl Taken {
    fn take(&mut self, time: Duration, now: Instant) -> Option<Instant> {
        self.owed = (self.owed + time).min(MOST_OWED);
        self.rest(now)
    }

    fn rest(&self, now: Instant) -> Option<Instant> {
        let over = self.owed.saturating_sub(BURST);
        (!over.is_zero()).then(|| now + over * SHARE)
    }

    /// Gives back what has come back.
    fn settle(&mut self, now: Instant) {
        let back = now.saturating_duration_since(self.at) / SHARE;
        self.owed = self.owed.saturating_sub(back);
        self.at = now;
    }
}

#[cfg(test)]
mod tests {
    use codeout_protocol::message::MAX_ATTACHED;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn device(number: u32) -> DeviceId {
        format!("{number:08}").parse().unwrap()
    }

    /// How many requests that take `time` each a device gets answered in a minute, in one line.
    fn in_a_minute(allowance: &Allowance, demand: Demand, time: Duration, mut now: Instant) -> u32 {
        let end = now + MINUTE;
        let mut answered = 0;
        while now < end {
            answered += 1;
            now = allowance.charge(demand, time, now).unwrap_or(now) + time;
        }
        answered
    }

    #[test]
    fn a_device_that_asks_without_end_gets_a_fifth_of_a_processor() {
        let now = Instant::now();
        let time = Duration::from_millis(10);
        let answered = in_a_minute(&Allowance::new(now), Demand::Other, time, now);
        let fair = MINUTE / SHARE;
        assert!((fair..=fair + 2 * BURST).contains(&(time * answered)), "{answered}");
    }

    #[test]
    fn what_costs_nothing_counts_all_the_same() {
        let now = Instant::now();
        for (demand, least) in [(Demand::Other, LEAST), (Demand::Attachment, ATTACHMENT)] {
            let allowance = Allowance::new(now);
            let answered = in_a_minute(&allowance, demand, Duration::from_nanos(1), now);
            assert!(least * answered <= MINUTE / SHARE + 2 * BURST, "{answered}");
        }
    }

    #[test]
    fn who_tells_without_end_gets_a_fifth_of_a_processor() {
        let begun = Instant::now();
        let (allowance, end) = (Allowance::new(begun), begun + MINUTE);
        let (mut now, mut told) = (begun, 0);
        while now < end {
            told += 1;
            now = allowance.told(0, Duration::ZERO, now).unwrap_or(now) + WORD;
        }
        let fair = MINUTE / SHARE;
        assert!((fair..=fair + 2 * BURST).contains(&(WORD * told)), "{told}");
    }

    #[test]
    fn what_a_key_takes_counts() {
        let begun = Instant::now();
        let (allowance, end) = (Allowance::new(begun), begun + MINUTE);
        let (mut now, mut keys) = (begun, 0);
        let time = MOVED * 5;
        while now < end {
            keys += 1;
            now = allowance.moved(time, now).unwrap_or(now) + time;
        }
        let fair = MINUTE / SHARE;
        assert!((fair..=fair + 2 * BURST).contains(&(time * keys)), "{keys}");
    }

    #[test]
    fn a_held_key_never_waits_however_busy_the_computer_is() {
        let mut now = Instant::now();
        let allowance = Allowance::new(now);
        for _ in 0..1_000 {
            assert_eq!(allowance.told(35, Duration::from_micros(9), now), None);
            assert_eq!(allowance.moved(MINUTE, now), None);
            now += Duration::from_millis(10);
        }
    }

    #[test]
    fn what_is_told_and_what_is_asked_are_apart() {
        let now = Instant::now();
        let allowance = Allowance::new(now);
        while allowance.told(0, MOST, now).is_none() {}
        assert_eq!(allowance.rest(now), None);
        while allowance.charge(Demand::Other, MOST, now).is_none() {}
        let later = now + BURST * SHARE;
        assert_eq!(allowance.pause(later), None);
    }

    #[test]
    fn who_types_fast_and_reads_much_never_waits() {
        let mut now = Instant::now();
        let allowance = Allowance::new(now);
        let (second, read) = (Duration::from_secs(1), Duration::from_micros(4));
        // Acknowledgements of 500 MiB of output a second, 64 KiB each, and of 100 MiB, as small as
        // they come…
        for (mebibytes, kibibytes) in [(500, 64), (100, 4)] {
            let times = mebibytes * 1024 / kibibytes;
            for _ in 0..10 * times {
                assert_eq!(allowance.told(17, read, now), None);
                now += second / times;
            }
        }
        // …and 50 MiB of input.
        for _ in 0..16_000 {
            assert_eq!(allowance.told(32_768, read, now), None);
            assert_eq!(allowance.moved(read, now), None);
            now += second / 1_600;
        }
    }

    #[test]
    fn who_asks_now_and_then_never_waits() {
        let mut now = Instant::now();
        let allowance = Allowance::new(now);
        for _ in 0..100 {
            // As an app does that was just opened.
            for _ in 0..8 {
                assert_eq!(allowance.charge(Demand::Other, LEAST, now), None);
                assert_eq!(allowance.charge(Demand::Attachment, LEAST, now), None);
            }
            now += Duration::from_secs(1);
        }
    }

    #[test]
    fn a_disk_that_hangs_is_not_the_devices_fault() {
        let now = Instant::now();
        assert_eq!(Allowance::new(now).charge(Demand::Other, MINUTE, now), None);
    }

    #[test]
    fn all_connections_of_a_device_share_one_also_those_to_come() {
        let (all, now) = (Allowances::default(), Instant::now());
        let (device, other) = (device(1), device(2));
        let first = all.of(device, now);
        while first.charge(Demand::Other, MOST, now).is_none() {}
        drop(first);
        let _other = all.of(other, now);
        // Also before it asks anything.
        assert!(all.of(device, now).rest(now).is_some());
        assert_eq!(all.of(other, now).charge(Demand::Other, MOST, now), None);
    }

    #[test]
    fn nobody_owes_so_much_that_he_is_given_up() {
        let now = Instant::now();
        let allowance = Allowance::new(now);
        for _ in 0..100_000 {
            allowance.charge(Demand::Attachment, MINUTE, now);
        }
        assert!(allowance.rest(now).unwrap() <= now + Duration::from_secs(2));
        assert_eq!(allowance.rest(now + Duration::from_secs(2)), None);
    }

    #[test]
    fn coming_back_to_every_session_is_no_flood() {
        let now = Instant::now();
        let allowance = Allowance::new(now);
        for _ in 0..MAX_ATTACHED {
            assert_eq!(allowance.charge(Demand::Attachment, MOST, now), None);
        }
    }

    #[test]
    fn those_that_owe_nothing_are_forgotten() {
        let (all, now) = (Allowances::default(), Instant::now());
        for number in 0..10 {
            all.of(device(number), now).charge(Demand::Other, MOST, now);
        }
        let _one = all.of(device(10), now + MINUTE);
        assert_eq!(all.0.lock().unwrap().len(), 1);
    }
}
