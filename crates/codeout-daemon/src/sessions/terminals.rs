//! The threads that read terminals: apart from those that serve devices, so that no number of
//! devices delays a program.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::session::{self, Pty, Session};

/// The most threads; one for two processors.
const MOST: usize = 4;

#[derive(Debug)]
pub(super) struct Terminals {
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
    keepers: Mutex<JoinSet<()>>,
}

impl Terminals {
    pub(super) fn start() -> io::Result<Self> {
        let processors = std::thread::available_parallelism().map_or(2, |count| count.get());
        let runtime = Builder::new_multi_thread()
            .worker_threads((processors / 2).clamp(1, MOST))
            .thread_name("terminals")
            .enable_all()
            .build()?;
        Ok(Terminals { runtime: Some(runtime), keepers: Mutex::default() })
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("there until it is dropped")
    }

    /// Takes over a pseudo-terminal.
    pub(super) fn take(&self, descriptor: OwnedFd) -> io::Result<Pty> {
        let _here = self.runtime().enter();
        Pty::new(descriptor)
    }

    /// Keeps a session going until its program has ended.
    pub(super) fn keep(&self, session: Arc<Session>, clock: Arc<dyn Clock>) {
        let mut keepers = self.keepers.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that have ended need no place.
        while keepers.try_join_next().is_some() {}
        keepers.spawn_on(session::keep(session, clock), self.runtime().handle());
    }

    /// Keeps no session going any more. Nothing that was read is lost.
    pub(super) async fn pause(&self) {
        let mut keepers =
            std::mem::take(&mut *self.keepers.lock().unwrap_or_else(PoisonError::into_inner));
        keepers.shutdown().await;
    }
}

impl Drop for Terminals {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // It may be dropped where nobody may block.
            runtime.shutdown_background();
        }
    }
}
