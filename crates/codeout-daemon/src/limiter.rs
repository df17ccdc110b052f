//! How fast pairing attempts may come: two token buckets, one for all, one for each source.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

const ALL: Rate = Rate { per_second: 100, burst: 128 };
const EACH: Rate = Rate { per_second: 2, burst: 16 };
/// Sources remembered at once; a bucket that is full again needs no memory.
const MAX_SOURCES: usize = 4096;

#[derive(Clone, Copy)]
struct Rate {
    per_second: u64,
    burst: u64,
}

/// Tokens in nanotokens, so that refilling is exact.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    nano: u64,
    at: Duration,
}

const NANO: u64 = 1_000_000_000;

impl Bucket {
    fn full(rate: Rate, now: Duration) -> Self {
        Bucket { nano: rate.burst * NANO, at: now }
    }

    fn refill(&mut self, rate: Rate, now: Duration) {
        let passed = u64::try_from(now.saturating_sub(self.at).as_nanos()).unwrap_or(u64::MAX);
        let gained = passed.saturating_mul(rate.per_second);
        self.nano = self.nano.saturating_add(gained).min(rate.burst * NANO);
        self.at = self.at.max(now);
    }

    fn take(&mut self) -> bool {
        let enough = self.nano >= NANO;
        if enough {
            self.nano -= NANO;
        }
        enough
    }
}

/// The limiter of pairing attempts.
#[derive(Debug)]
#[cfg_attr(feature = "model", derive(Clone))]
pub(crate) struct Limiter {
    all: Bucket,
    each: HashMap<IpAddr, Bucket>,
}

impl Limiter {
    pub(crate) fn new(now: Duration) -> Self {
        Limiter { all: Bucket::full(ALL, now), each: HashMap::new() }
    }

    /// Whether one more attempt from `source` may run now. Loopback counts only in all.
    pub(crate) fn admit(&mut self, source: IpAddr, now: Duration) -> bool {
        // The source's own bucket first: a flood from one place takes nothing from the others.
        let source = source_key(source);
        if !source.is_loopback() && !self.admit_source(source, now) {
            return false;
        }
        self.all.refill(ALL, now);
        self.all.take()
    }

    fn admit_source(&mut self, key: IpAddr, now: Duration) -> bool {
        if self.each.len() >= MAX_SOURCES && !self.each.contains_key(&key) {
            self.each.retain(|_, bucket| {
                bucket.refill(EACH, now);
                bucket.nano < EACH.burst * NANO
            });
            if self.each.len() >= MAX_SOURCES {
                return false;
            }
        }
        let bucket = self.each.entry(key).or_insert_with(|| Bucket::full(EACH, now));
        bucket.refill(EACH, now);
        bucket.take()
    }
}

/// What counts as one source: an IPv4 address, or an IPv6 /64; all of loopback is one.
pub(crate) fn source_key(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        home if home.is_loopback() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(limiter: &mut Limiter, source: &str, tries: usize, now: Duration) -> usize {
        let source = source.parse().unwrap();
        (0..tries).filter(|_| limiter.admit(source, now)).count()
    }

    #[test]
    fn one_source_gets_its_burst_and_then_two_a_second() {
        let mut limiter = Limiter::new(Duration::ZERO);
        assert_eq!(admitted(&mut limiter, "192.0.2.1", 1000, Duration::ZERO), 16);
        assert_eq!(admitted(&mut limiter, "192.0.2.1", 1000, Duration::from_secs(3)), 6);
        assert_eq!(admitted(&mut limiter, "192.0.2.2", 10, Duration::from_secs(3)), 10);
    }

    #[test]
    fn an_ipv6_network_is_one_source_and_mapped_ipv4_is_ipv4() {
        let mut limiter = Limiter::new(Duration::ZERO);
        assert_eq!(admitted(&mut limiter, "2001:db8::1", 100, Duration::ZERO), 16);
        assert_eq!(admitted(&mut limiter, "2001:db8::2:1", 100, Duration::ZERO), 0);
        assert_eq!(admitted(&mut limiter, "2001:db8:0:1::1", 5, Duration::ZERO), 5);
        assert_eq!(admitted(&mut limiter, "::ffff:192.0.2.9", 100, Duration::ZERO), 16);
        assert_eq!(admitted(&mut limiter, "192.0.2.9", 100, Duration::ZERO), 0);
    }

    #[test]
    fn all_together_get_128_and_then_a_hundred_a_second() {
        let mut limiter = Limiter::new(Duration::ZERO);
        assert_eq!(admitted(&mut limiter, "::1", 1000, Duration::ZERO), 128);
        assert_eq!(admitted(&mut limiter, "127.0.0.1", 1000, Duration::from_secs(1)), 100);
        let five_minutes: usize = (2..=300)
            .map(|second| admitted(&mut limiter, "127.0.0.1", 1000, Duration::from_secs(second)))
            .sum();
        assert_eq!(128 + 100 + five_minutes, 30_128);
    }

    #[test]
    fn a_flood_from_one_source_leaves_the_others_theirs() {
        let mut limiter = Limiter::new(Duration::ZERO);
        admitted(&mut limiter, "192.0.2.1", 100_000, Duration::ZERO);
        assert_eq!(admitted(&mut limiter, "192.0.2.2", 3, Duration::ZERO), 3);
    }

    #[test]
    fn memory_is_bounded() {
        let mut limiter = Limiter::new(Duration::ZERO);
        for n in 0..20_000u32 {
            limiter.admit(IpAddr::V4((n + 0x0a00_0000).into()), Duration::from_secs(u64::from(n)));
        }
        assert!(limiter.each.len() <= MAX_SOURCES);
    }
}
