//! More strangers at once than a daemon holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::support::PATIENCE;
use super::support::device::Device;
use super::{Stage, until};

const CROWD: usize = 2_000;
/// What a daemon holds of those that come from loopback, and what is on its way out beside them.
const HELD: usize = 768;
const LEAVING: usize = 128;
/// The most memory that one of them takes, in KiB.
const EACH: u64 = 100;

#[derive(Default)]
struct Seen {
    came: AtomicUsize,
    let_go: AtomicUsize,
}

/// Connects and says nothing, until it is let go; and again, if that is wished.
async fn sit(port: u16, seen: Arc<Seen>, again: bool) {
    loop {
        // A full backlog may refuse it, too.
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await {
            seen.came.fetch_add(1, Ordering::SeqCst);
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            let is_stated = answer.is_empty() || answer.starts_with(b"HTTP/1.1 503 ");
            assert!(is_stated, "{}", String::from_utf8_lossy(&answer));
            seen.let_go.fetch_add(1, Ordering::SeqCst);
            if !again {
                return;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_crowd_that_says_nothing_so_many_are_held_and_the_others_let_go() {
    let mut stage = Stage::set().await;
    let (before, seen) = (stage.daemon.memory(), Arc::new(Seen::default()));
    let mut crowd = JoinSet::new();
    for _ in 0..CROWD {
        crowd.spawn(sit(stage.daemon.port, Arc::clone(&seen), false));
    }
    let let_go = || seen.let_go.load(Ordering::SeqCst);
    until("too many are held", || {
        seen.came.load(Ordering::SeqCst) == CROWD && let_go() >= CROWD - HELD
    })
    .await;
    stage.has_grown_less(before, (HELD + LEAVING) as u64 * EACH);
    stage.types("established connections stay").await;
    // In the end all are, since none of them proves anything.
    let all = async { while crowd.join_next().await.is_some() {} };
    tokio::time::timeout(PATIENCE, all).await.expect("one is held for ever");
    assert_eq!(let_go(), CROWD);
    stage.types("and so they do afterwards").await;
}

/// All places are taken, and whoever is let go comes again at once. A device that is paired gets in
/// all the same: who has lingered gives way.
#[tokio::test(flavor = "multi_thread")]
async fn a_paired_device_gets_in_where_strangers_besiege_the_daemon() {
    let mut stage = Stage::set().await;
    let (port, seen) = (stage.daemon.port, Arc::new(Seen::default()));
    let before = stage.daemon.memory();
    let mut crowd = JoinSet::new();
    for _ in 0..HELD + 32 {
        crowd.spawn(sit(port, Arc::clone(&seen), true));
    }
    until("not even one is turned away", || seen.let_go.load(Ordering::SeqCst) > 0).await;
    let credentials = stage.honest.credentials.clone();
    let in_time = async {
        loop {
            if let Ok(device) = Device::connect(port, &credentials).await {
                return device;
            }
        }
    };
    let device = tokio::time::timeout(PATIENCE, in_time).await.expect("it does not get in");
    stage.has_grown_less(before, (HELD + LEAVING) as u64 * EACH);
    // It is in, and stays.
    stage.honest = device;
    let attach = super::support::device::typing(stage.session);
    stage.honest.attach(attach).await;
    stage.types("in").await;
    crowd.shutdown().await;
}
