//! When to try again.

use std::time::Duration;

use codeout_protocol::sodium::random_bytes;
use tokio::time::Instant;

use crate::error::ConnectError;

/// How long to wait between attempts: from `first`, doubling, to `longest`, each shortened by a
/// random part of up to a half, so that devices that lost the same daemon do not come back all
/// at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The first wait at its longest.
    pub first: Duration,
    /// What no wait exceeds.
    pub longest: Duration,
    /// How long to go on trying, counted from the first attempt; `None` for ever.
    pub patience: Option<Duration>,
}

impl Default for Backoff {
    /// From half a second to half a minute, for ever.
    fn default() -> Self {
        Backoff {
            first: Duration::from_millis(500),
            longest: Duration::from_secs(30),
            patience: None,
        }
    }
}

impl Backoff {
    pub(crate) fn delays(self) -> Delays {
        Delays { backoff: self, next: self.first, begun: Instant::now() }
    }
}

/// The waits of one series of attempts.
#[derive(Debug)]
pub(crate) struct Delays {
    backoff: Backoff,
    next: Duration,
    begun: Instant,
}

impl Delays {
    /// How long to wait before the next attempt; `None` when there is to be none.
    pub(crate) fn next(&mut self) -> Option<Duration> {
        let wait = jittered(self.next.min(self.backoff.longest));
        self.next = self.next.saturating_mul(2).min(self.backoff.longest);
        match self.backoff.patience {
            Some(patience) if self.begun.elapsed() + wait > patience => None,
            _ => Some(wait),
        }
    }
}

/// Between a half of `wait` and the whole.
fn jittered(wait: Duration) -> Duration {
    let mut random = [0; 4];
    random_bytes(&mut random);
    let part = f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX);
    wait.mul_f64(0.5 + part / 2.0)
}

/// An attempt that failed and will be repeated.
#[derive(Debug)]
#[non_exhaustive]
pub struct Attempt<'a> {
    /// Which one, from 1.
    pub number: u32,
    /// Why it failed.
    pub error: &'a ConnectError,
    /// How long until the next one.
    pub wait: Duration,
}

/// Repeats `attempt` while it fails with what may pass.
pub(crate) async fn retry<T, F>(
    backoff: Backoff,
    mut attempt: impl FnMut() -> F,
    mut on_attempt: impl FnMut(Attempt<'_>),
) -> Result<T, ConnectError>
where
    F: Future<Output = Result<T, ConnectError>>,
{
    let mut delays = backoff.delays();
    let mut number = 0;
    loop {
        let error = match attempt().await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        number += 1;
        let Some(wait) = error.may_pass().then(|| delays.next()).flatten() else {
            return Err(error);
        };
        on_attempt(Attempt { number, error: &error, wait });
        tokio::time::sleep(wait).await;
    }
}

#[cfg(test)]
#[path = "backoff_tests.rs"]
mod tests;
