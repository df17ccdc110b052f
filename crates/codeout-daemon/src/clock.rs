//! The time, as an argument: tests hand in a clock that they turn by hand.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

/// What the daemon asks of a clock.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Time since some start, which runs on while the machine sleeps and never goes back.
    fn since_boot(&self) -> Duration;
    /// Seconds since 1970, for dates that people see and limits that they set.
    fn unix(&self) -> u64;
}

/// The machine's own clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn since_boot(&self) -> Duration {
        // Linux's CLOCK_MONOTONIC stops in sleep, CLOCK_BOOTTIME does not; elsewhere (macOS)
        // CLOCK_MONOTONIC runs on.
        #[cfg(target_os = "linux")]
        let clock = ClockId::Boottime;
        #[cfg(not(target_os = "linux"))]
        let clock = ClockId::Monotonic;
        let time = clock_gettime(clock);
        Duration::new(
            u64::try_from(time.tv_sec).unwrap_or(0),
            u32::try_from(time.tv_nsec).unwrap_or(0),
        )
    }

    fn unix(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }
}
