//! Keys from a thread of their own: they leave from there, and still arrive once and in order.

#![allow(clippy::unwrap_used, reason = "a test that fails")]

mod daemon;

use std::pin::pin;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use codeout_device::{
    Backoff, Daemon, Lasted, LastingEnd, LastingInput, LastingOptions, LastingReader,
    attach_lasting,
};
use codeout_protocol::message::ExitStatus;
use daemon::lasting::{bytes, options, served, whole_snapshot};
use daemon::{Behaviour, Said, Session, TestDaemon};
use tokio::runtime::Builder;
use tokio::sync::oneshot;

const QUICK: Backoff =
    Backoff { first: Duration::from_millis(1), longest: Duration::from_millis(5), patience: None };

async fn attach(how: Daemon, options: LastingOptions) -> (LastingInput, LastingReader) {
    let connection = how.connect().await.unwrap();
    let (_, input, reader) = attach_lasting(how, connection, options).await.unwrap();
    (input, reader)
}

/// Writes from a thread that no runtime has anything to do with. Says whether that was done at
/// once.
fn written_elsewhere(input: &LastingInput, keys: &[u8]) -> bool {
    let write = || {
        let mut nobody = Context::from_waker(Waker::noop());
        match pin!(input.write(keys)).poll(&mut nobody) {
            Poll::Ready(written) => {
                written.unwrap();
                true
            }
            Poll::Pending => false,
        }
    };
    std::thread::scope(|scope| scope.spawn(write).join().unwrap())
}

/// The device's only thread is held up while keys are typed.
async fn keys_pass_a_runtime_that_is_held_up(mut daemon: TestDaemon, how: Daemon) {
    daemon.behave([Behaviour::ByHand]);
    let (held_up, is_held_up) = oneshot::channel();
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let device = std::thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (input, mut reader) = attach(how, options()).await;
            whole_snapshot(&mut reader).await;
            held_up.send(input.clone()).unwrap();
            may_go_on.recv().unwrap();
            bytes(&mut reader).await
        })
    });
    let mut peer = daemon.by_hand.recv().await.unwrap();
    peer.attach(0).await;
    let input = is_held_up.await.unwrap();
    for (offset, key) in [(0, b"a"), (1, b"b"), (2, b"c")] {
        assert!(written_elsewhere(&input, key));
        let said = tokio::time::timeout(Duration::from_secs(20), peer.next()).await.unwrap();
        assert_eq!(said, Said::Input { session: 1, offset, bytes: key.to_vec() });
    }
    peer.input_written(1, 3).await;
    peer.output(1, 0, b"abc").await;
    go_on.send(()).unwrap();
    let shown = tokio::task::spawn_blocking(|| device.join().unwrap()).await.unwrap();
    assert_eq!(shown, b"abc");
}

#[tokio::test]
async fn keys_pass_a_runtime_that_is_held_up_over_a_network() {
    let daemon = TestDaemon::start().await;
    daemon.put_session(1, Session::new());
    let how = Daemon::Paired(Box::new(daemon.profile()));
    keys_pass_a_runtime_that_is_held_up(daemon, how).await;
}

#[tokio::test]
async fn keys_pass_a_runtime_that_is_held_up_inside_one_computer() {
    let (daemon, _control, how) = served().await;
    keys_pass_a_runtime_that_is_held_up(daemon, how).await;
}

/// Types from a thread of its own, more than may be on its way at once, through links that are
/// cut.
async fn once_and_in_order(daemon: &TestDaemon, how: Daemon) {
    daemon.behave((0..40).map(|count| Behaviour::CutAfter(30 + 7 * (count % 11))));
    daemon.session(1, |session| session.chunk = 200);
    let options = LastingOptions { backoff: QUICK, ..options() };
    let (input, mut reader) = attach(how, options).await;
    let mut keys: Vec<u8> = (0..300_000u32).map(|n| 128 + (n % 101) as u8).collect();
    keys.push(b'.');
    let expected = keys.clone();
    let runtime = tokio::runtime::Handle::current();
    let typist = std::thread::spawn(move || {
        let mut rest = &keys[..];
        for size in (1..=200).cycle() {
            if rest.is_empty() {
                return;
            }
            let (piece, later) = rest.split_at(rest.len().min(size));
            // With no room left it waits, and goes on.
            runtime.block_on(input.write(piece)).unwrap();
            rest = later;
        }
    });
    let mut links = 0;
    let end = loop {
        match reader.next().await.unwrap() {
            Lasted::LinkUp => links += 1,
            Lasted::Over(end) => break end,
            _ => {}
        }
    };
    assert!(matches!(end, LastingEnd::Session(ExitStatus::Exit(7))), "{end:?}");
    tokio::task::spawn_blocking(|| typist.join().unwrap()).await.unwrap();
    assert!(links > 5, "{links} links");
    daemon.session(1, |session| {
        assert_eq!(session.typed.len(), 1, "one keyboard");
        assert!(session.typed.values().all(|typed| *typed == expected));
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_another_thread_arrive_once_over_a_network() {
    let daemon = TestDaemon::start().await;
    daemon.put_session(1, Session::new());
    let how = Daemon::Paired(Box::new(daemon.profile()));
    once_and_in_order(&daemon, how).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_another_thread_arrive_once_inside_one_computer() {
    let (daemon, _control, how) = served().await;
    once_and_in_order(&daemon, how).await;
}
