//! A lock that serves in order: whoever came first is next, however fast another comes back. That of
//! the standard library goes to whoever is running.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Turns that are taken one after the other.
#[derive(Debug, Default)]
pub(super) struct Turns {
    numbers: Mutex<Numbers>,
    next: Condvar,
}

#[derive(Debug, Default)]
struct Numbers {
    /// What the next one who comes gets…
    free: u64,
    /// …and whose turn it is.
    served: u64,
}

/// The right to go on, until it is dropped.
pub(super) struct Turn<'a>(&'a Turns);

impl Turns {
    /// Waits for one's turn.
    pub(super) fn take(&self) -> Turn<'_> {
        let mut numbers = self.numbers();
        let own = numbers.free;
        numbers.free += 1;
        while numbers.served != own {
            numbers = self.next.wait(numbers).unwrap_or_else(PoisonError::into_inner);
        }
        Turn(self)
    }

    fn numbers(&self) -> MutexGuard<'_, Numbers> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.numbers().served += 1;
        self.0.next.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One comes back in the moment in which it has let go, a hundred times.
    #[test]
    fn who_waits_is_served_before_who_comes_back() {
        let (turns, served) = (Turns::default(), Mutex::new(Vec::new()));
        let note = |who| served.lock().unwrap().push(who);
        std::thread::scope(|scope| {
            let held = turns.take();
            let wait = || {
                let _turn = turns.take();
                note("waits");
            };
            scope.spawn(wait);
            while turns.numbers().free < 2 {
                std::thread::yield_now();
            }
            drop(held);
            for _ in 0..100 {
                let _turn = turns.take();
                note("comes back");
            }
        });
        assert_eq!(served.into_inner().unwrap()[0], "waits");
    }
}
