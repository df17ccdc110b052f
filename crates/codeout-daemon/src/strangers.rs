//! The thread that serves those who have proved nothing: apart from those that serve devices, and
//! behind them, so that no number of strangers and no handshake delays a device that is in.

use std::io;

use rustix::process::nice;
use tokio::runtime::{Builder, EnterGuard, Handle, Runtime};

/// How much this thread steps back, in steps of `nice(1)`: with the processors busy it has a third
/// of the time of one that does not.
const BEHIND: i32 = 5;

#[derive(Debug)]
pub(crate) struct Strangers {
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
}

impl Strangers {
    /// Starts the thread.
    pub(crate) fn start() -> io::Result<Self> {
        let behind = own_niceness().saturating_add(BEHIND);
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("strangers")
            .on_thread_start(move || step_back(behind))
            .enable_all()
            .build()?;
        Ok(Strangers { runtime: Some(runtime) })
    }

    pub(crate) fn handle(&self) -> &Handle {
        self.runtime.as_ref().expect("there until it is dropped").handle()
    }

    /// Sockets that are made until this is dropped are watched by that thread.
    pub(crate) fn enter(&self) -> EnterGuard<'_> {
        self.handle().enter()
    }
}

impl Drop for Strangers {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // It may be dropped where nobody may block.
            runtime.shutdown_background();
        }
    }
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
        let strangers = Strangers::start().unwrap();
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
