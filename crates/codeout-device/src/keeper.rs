//! What keeps a connection: it listens whether the daemon is there, and does what others left
//! to do.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

use crate::error::{Closed, RequestFailed};
use crate::line::Chore;
use crate::shared::Shared;

/// How often is checked whether the daemon was heard…
pub(crate) const LISTEN_EVERY: Duration = Duration::from_secs(15);
/// …after how many of these it is asked whether it is there, so that it has something to say…
const PING_AFTER: u32 = 2;
/// …and after how many silent ones the link is dead.
const DEAD_AFTER: u32 = 4;

/// Keeps a connection until it has ended.
pub(crate) async fn keep(shared: Arc<Shared>, chores: mpsc::UnboundedReceiver<Chore>) {
    tokio::select! {
        _ = shared.line.closed() => {}
        () = listen(&shared) => {}
        () = work(&shared, chores) => {}
    }
}

async fn listen(shared: &Shared) {
    if shared.line.is_local() {
        // The kernel tells when the other end is gone.
        return std::future::pending().await;
    }
    let mut look = tokio::time::interval(LISTEN_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    look.reset();
    let mut looked = Instant::now();
    let mut silent = 0;
    for count in 1u32.. {
        look.tick().await;
        // Counted, since the clock may have leapt while this computer slept.
        silent = if shared.silence() <= looked.elapsed() { 0 } else { silent + 1 };
        looked = Instant::now();
        if silent >= DEAD_AFTER {
            shared.line.end(Closed::Cut);
            return;
        }
        if count % PING_AFTER == 0 {
            // A socket that takes nothing must not keep this from listening.
            let _ = tokio::time::timeout(LISTEN_EVERY / 3, shared.line.ping()).await;
        }
    }
}

async fn work(shared: &Shared, mut chores: mpsc::UnboundedReceiver<Chore>) {
    while let Some(chore) = chores.recv().await {
        // An error means that the connection has ended, and with it this task.
        let _ = match chore {
            Chore::Flush => shared.line.flush_rest().await,
            Chore::Fail => Err(shared.line.verdict().await),
            Chore::Acknowledge(track) => shared.line.send(|| (track.acknowledgement(), ())).await,
            // Nobody waits for the answer.
            Chore::Detach(track) => match shared.detach(&track, None).await {
                Err(RequestFailed::Closed(closed)) => Err(closed),
                _ => Ok(()),
            },
        };
    }
}
