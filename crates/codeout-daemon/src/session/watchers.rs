//! Those who watch a session: how they hear of output, and what keeps a crowd of them from taking
//! the processors from its program.

use std::sync::Arc;
use std::time::Duration;

use super::{Session, locked};

/// More viewers than this are a crowd: each rests for so long times their number…
const CROWD: u32 = 16;
const REST: Duration = Duration::from_millis(1);
/// …and no longer than this.
const LONGEST_REST: Duration = Duration::from_secs(1);
/// Viewers that are sent output by the task that reads it; more are woken instead…
const AT_ONCE: usize = 4;
/// …and so they are by more output than this, in bytes, which is no echo: reading goes on
/// meanwhile.
pub(super) const MUCH: usize = 8 * 1024;
/// Viewers that are woken are woken again after this time for each of them.
const CRY_AGAIN: Duration = Duration::from_micros(10);

impl Session {
    /// Takes what the program printed, and passes it on. `now` is in seconds since 1970.
    pub(super) fn publish(&self, bytes: &[u8], now: u64) {
        let offset = {
            let mut log = self.log();
            let offset = log.range().end;
            log.append(bytes);
            offset
        };
        locked(&self.about).last_output_at = Some(now);
        locked(&self.noticing).printed(now);
        let viewers = locked(&self.viewers);
        if viewers.len() > AT_ONCE {
            self.crier.notify_one();
        } else if bytes.len() > MUCH {
            viewers.iter().for_each(|viewer| viewer.wake());
        } else {
            viewers.iter().for_each(|viewer| viewer.nudge(offset, bytes));
        }
    }

    /// How long a viewer rests behind much output. A crowd of them would take the processors from
    /// the program; each shows what is there now all the same.
    pub(super) fn rest(&self) -> Duration {
        rest_of(locked(&self.viewers).len())
    }

    /// Wakes every viewer; says how many there are.
    pub(super) fn wake_all(&self) -> u32 {
        let viewers = locked(&self.viewers);
        viewers.iter().for_each(|viewer| viewer.wake());
        u32::try_from(viewers.len()).unwrap_or(u32::MAX)
    }
}

fn rest_of(viewers: usize) -> Duration {
    let count = u32::try_from(viewers).unwrap_or(u32::MAX);
    if count > CROWD { REST.saturating_mul(count).min(LONGEST_REST) } else { Duration::ZERO }
}

/// Wakes viewers whenever there is news for more of them than can be sent it at once, for as long
/// as the program runs. It has a task of its own, away from those that read terminals.
pub(crate) async fn cry(session: Arc<Session>) {
    let mut ended = session.ended.subscribe();
    let crying = async {
        loop {
            session.crier.notified().await;
            let count = session.wake_all();
            tokio::time::sleep(CRY_AGAIN * count).await;
        }
    };
    tokio::select! {
        () = crying => {}
        _ = ended.wait_for(Option::is_some) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_crowd_rests_and_none_for_longer_than_a_second() {
        let rests = [0, 1, 16, 17, 100, 1_000, 100_000, usize::MAX];
        let rests = rests.map(|viewers| rest_of(viewers).as_millis());
        assert_eq!(rests, [0, 0, 0, 17, 100, 1_000, 1_000, 1_000]);
    }
}
