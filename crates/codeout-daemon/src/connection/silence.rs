//! When a device that says nothing is asked whether it is there, and when it is given up.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// How often a device is asked whether it is there…
const ASK_AFTER: Duration = Duration::from_secs(30);
/// …and after which silence it is gone.
const GONE_AFTER: Duration = Duration::from_secs(90);

/// How long nothing has come from a device.
#[derive(Debug)]
pub(super) struct Silence {
    heard: Instant,
    /// One for the whole connection: hearing from the device sets no timer.
    due: Pin<Box<Sleep>>,
}

/// What a silence calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Called {
    /// To ask the device whether it is there.
    Ask,
    /// To give it up.
    Gone,
}

impl Silence {
    /// One that begins now.
    pub(super) fn new() -> Self {
        Silence { heard: Instant::now(), due: Box::pin(tokio::time::sleep(ASK_AFTER)) }
    }

    /// Something came.
    pub(super) fn broken(&mut self) {
        self.heard = Instant::now();
    }

    /// Waits until something is called for. Cancelled, it has lost nothing.
    pub(super) async fn call(&mut self) -> Called {
        self.due.as_mut().await;
        let (now, gone) = (Instant::now(), self.heard + GONE_AFTER);
        if now >= gone {
            return Called::Gone;
        }
        self.due.as_mut().reset(gone.min(now + ASK_AFTER));
        Called::Ask
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every call until the device is given up, each with its time since `begun`.
    async fn calls(silence: &mut Silence, begun: Instant) -> Vec<(Called, f64)> {
        let mut calls = Vec::new();
        loop {
            let called = silence.call().await;
            calls.push((called, begun.elapsed().as_secs_f64()));
            if called == Called::Gone {
                return calls;
            }
        }
    }

    /// A timer of tokio's has milliseconds.
    fn rounded(calls: Vec<(Called, f64)>) -> Vec<(Called, u64)> {
        calls.into_iter().map(|(called, at)| (called, at.floor() as u64)).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_is_asked_and_given_up_after_ninety_seconds() {
        let begun = Instant::now();
        let calls = rounded(calls(&mut Silence::new(), begun).await);
        assert_eq!(calls, [(Called::Ask, 30), (Called::Ask, 60), (Called::Gone, 90)]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_ninety_seconds_begin_with_the_last_that_came() {
        let begun = Instant::now();
        let mut silence = Silence::new();
        assert_eq!(silence.call().await, Called::Ask);
        tokio::time::advance(Duration::from_secs(10)).await;
        silence.broken();
        let calls = rounded(calls(&mut silence, begun).await);
        let asked = [60, 90, 120].map(|at| (Called::Ask, at));
        assert_eq!(calls, [&asked[..], &[(Called::Gone, 130)]].concat());
    }

    #[tokio::test(start_paused = true)]
    async fn who_answers_stays() {
        let mut silence = Silence::new();
        for _ in 0..1000 {
            assert_eq!(silence.call().await, Called::Ask);
            silence.broken();
        }
    }
}
