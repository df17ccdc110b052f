//! The threads that read terminals: apart from those that serve devices, so that no number of
//! devices delays a program.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::session::{self, Pty, Session};
use crate::threads::Threads;

/// The most threads; one for two processors.
const MOST: usize = 4;

#[derive(Debug)]
pub(super) struct Terminals {
    threads: Threads,
    keepers: Mutex<JoinSet<()>>,
}

impl Terminals {
    pub(super) fn start() -> io::Result<Self> {
        let processors = std::thread::available_parallelism().map_or(2, |count| count.get());
        let threads = Threads::start("terminals", (processors / 2).clamp(1, MOST), || {})?;
        Ok(Terminals { threads, keepers: Mutex::default() })
    }

    /// Takes over a pseudo-terminal.
    pub(super) fn take(&self, descriptor: OwnedFd) -> io::Result<Pty> {
        let _there = self.threads.enter();
        Pty::new(descriptor)
    }

    /// Keeps a session going until its program has ended.
    pub(super) fn keep(&self, session: Arc<Session>, clock: Arc<dyn Clock>) {
        let mut keepers = self.keepers.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that have ended need no place.
        while keepers.try_join_next().is_some() {}
        keepers.spawn_on(session::keep(session, clock), self.threads.handle());
    }

    /// Keeps no session going any more. Nothing that was read is lost.
    pub(super) async fn pause(&self) {
        let mut keepers =
            std::mem::take(&mut *self.keepers.lock().unwrap_or_else(PoisonError::into_inner));
        keepers.shutdown().await;
    }
}
