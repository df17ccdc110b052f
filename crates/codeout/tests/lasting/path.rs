//! The network between a device and a daemon: it cuts links, after so many bytes or when it is
//! told to, and lets bytes through no faster than it is told to.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What the kernel keeps for a side that does not read, in bytes, about.
const SOCKET_BUFFER: u32 = 16 << 10;
/// What a throttled link lets through at a time, in bytes.
const SIP: usize = 512;

/// A relay on a port of its own, which ends with it.
pub(crate) struct Path {
    pub(crate) port: u16,
    shared: Arc<Shared>,
    _serving: JoinSet<()>,
}

struct Shared {
    daemon: u16,
    /// The bytes that the next links let through, in both directions together.
    budgets: Mutex<VecDeque<u64>>,
    /// Links that were cut.
    cut: AtomicU64,
    /// Bytes that were read from the daemon.
    from_daemon: AtomicU64,
    /// Bytes a second from the daemon to the device.
    rate: watch::Sender<Option<u64>>,
    /// Turned to cut all links.
    scissors: watch::Sender<u64>,
}

impl Path {
    /// A path to the daemon's port that cuts nothing and lets everything through.
    pub(crate) async fn to(daemon: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            daemon,
            budgets: Mutex::default(),
            cut: AtomicU64::new(0),
            from_daemon: AtomicU64::new(0),
            rate: watch::Sender::new(None),
            scissors: watch::Sender::new(0),
        });
        let mut serving = JoinSet::new();
        let for_links = Arc::clone(&shared);
        serving.spawn(async move {
            let mut links = JoinSet::new();
            while let Ok((device, _)) = listener.accept().await {
                links.spawn(link(device, Arc::clone(&for_links)));
            }
        });
        Path { port, shared, _serving: serving }
    }

    /// The next links are cut after so many bytes each.
    pub(crate) fn cut_after(&self, bytes: impl IntoIterator<Item = u64>) {
        self.shared.budgets.lock().unwrap().extend(bytes);
    }

    /// Cuts every link that there is.
    pub(crate) fn cut_all(&self) {
        self.shared.scissors.send_modify(|turn| *turn += 1);
    }

    /// Links that were cut.
    pub(crate) fn cut(&self) -> u64 {
        self.shared.cut.load(Ordering::SeqCst)
    }

    /// Lets so many bytes a second through to the device, or all.
    pub(crate) fn throttle(&self, rate: Option<u64>) {
        self.shared.rate.send_replace(rate);
    }

    /// Bytes that the daemon sent and this side took.
    pub(crate) fn taken_from_daemon(&self) -> u64 {
        self.shared.from_daemon.load(Ordering::SeqCst)
    }
}

async fn link(mut device: TcpStream, shared: Arc<Shared>) {
    let mut scissors = shared.scissors.subscribe();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(SOCKET_BUFFER).unwrap();
    let Ok(mut daemon) = socket.connect(([127, 0, 0, 1], shared.daemon).into()).await else {
        return;
    };
    let _ = device.set_nodelay(true);
    let _ = daemon.set_nodelay(true);
    let budget = shared.budgets.lock().unwrap().pop_front();
    let left = AtomicU64::new(budget.unwrap_or(u64::MAX));
    let (from_device, to_device) = device.split();
    let (from_daemon, to_daemon) = daemon.split();
    tokio::select! {
        () = pass(from_device, to_daemon, &left) => {}
        () = pass_slowly(from_daemon, to_device, &left, &shared) => {}
        _ = scissors.changed() => {
            shared.cut.fetch_add(1, Ordering::SeqCst);
        }
    }
    if left.load(Ordering::SeqCst) == 0 {
        shared.cut.fetch_add(1, Ordering::SeqCst);
    }
}

/// Takes what may still pass of `count` bytes.
fn spend(left: &AtomicU64, count: usize) -> usize {
    let before = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
        Some(left.saturating_sub(count as u64))
    });
    count.min(usize::try_from(before.unwrap()).unwrap_or(usize::MAX))
}

async fn pass(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, left: &AtomicU64) {
    let mut buffer = [0; 16 << 10];
    while left.load(Ordering::SeqCst) > 0 {
        let count = from.read(&mut buffer).await.unwrap_or(0);
        let count = spend(left, count);
        if count == 0 || to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

async fn pass_slowly(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    left: &AtomicU64,
    shared: &Shared,
) {
    let mut buffer = [0; 16 << 10];
    let mut rate = shared.rate.subscribe();
    while left.load(Ordering::SeqCst) > 0 {
        let throttled = *rate.borrow_and_update();
        let most = if throttled.is_some() { SIP } else { buffer.len() };
        let count = from.read(&mut buffer[..most]).await.unwrap_or(0);
        shared.from_daemon.fetch_add(count as u64, Ordering::SeqCst);
        let count = spend(left, count);
        if count == 0 || to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
        if let Some(rate_now) = throttled {
            let wait = Duration::from_secs_f64(count as f64 / rate_now as f64);
            // A link that gets faster waits no longer.
            let _ = tokio::time::timeout(wait, rate.changed()).await;
        }
    }
}
