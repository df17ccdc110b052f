//! Threads of one kind, with a runtime of their own.

use std::io;

use tokio::runtime::{Builder, EnterGuard, Handle, Runtime};

/// Threads that serve what is spawned on them. Dropped, they end by themselves.
#[derive(Debug)]
pub(crate) struct Threads {
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
}

impl Threads {
    /// Starts `count` threads of that name. Each does `first` before anything else, and so do those
    /// that they make for what blocks.
    pub(crate) fn start(
        name: &str,
        count: usize,
        first: impl Fn() + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(count)
            .thread_name(name)
            .on_thread_start(first)
            .enable_all()
            .build()?;
        Ok(Threads { runtime: Some(runtime) })
    }

    pub(crate) fn handle(&self) -> &Handle {
        self.runtime.as_ref().expect("there until it is dropped").handle()
    }

    /// What is registered until this is dropped is watched by these threads.
    pub(crate) fn enter(&self) -> EnterGuard<'_> {
        self.handle().enter()
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // It may be dropped where nobody may block.
            runtime.shutdown_background();
        }
    }
}
