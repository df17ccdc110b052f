//! The thread that serves those who have proved nothing: apart from those that serve devices, and
//! behind them, so that no number of strangers and no handshake delays a device that is in.

use std::io;

use rustix::process::nice;

use crate::threads::Threads;

/// How much this thread steps back, in steps of `nice(1)`: with the processors busy it has a third
/// of the time of one that does not.
const BEHIND: i32 = 5;

/// Starts the thread.
pub(crate) fn start() -> io::Result<Threads> {
    let behind = own_niceness().saturating_add(BEHIND);
    Threads::start("strangers", 1, move || step_back(behind))
}

fn own_niceness() -> i32 {
    nice(0).unwrap_or(0)
}

/// Steps back to that niceness; a thread begins with that of the one that made it. Linux has it for
/// each thread; elsewhere it would be the whole process.
fn step_back(behind: i32) {
    let more = behind.saturating_sub(own_niceness());
    if cfg!(target_os = "linux")
        && more > 0
        && let Err(error) = nice(more)
    {
        tracing::debug!(%error, "strangers are served as devices are");
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn it_steps_back_and_the_others_do_not() {
        let before = own_niceness();
        let behind = (before + BEHIND).min(19);
        let strangers = start().unwrap();
        let there = strangers.handle().spawn(async {
            // A thread that this one makes is as far behind, and no further.
            let blocking = tokio::task::spawn_blocking(own_niceness).await.unwrap();
            (own_niceness(), blocking)
        });
        let waiting = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert_eq!(waiting.block_on(there).unwrap(), (behind, behind));
        assert_eq!(own_niceness(), before);
    }
}
