//! Attachments that outlive links: how they come back, and when they do not.

#![allow(clippy::unwrap_used, reason = "a test that fails")]

mod daemon;

use std::time::Duration;

use codeout_device::{
    Backoff, Closed, ConnectError, Daemon, InputError, Lasted, LastingEnd, LastingOptions,
    LinkError, SessionOutput, attach_lasting,
};
use codeout_protocol::error::Refusal;
use codeout_protocol::message::{ClosingReason, ErrorCode, RequestError};
use daemon::lasting::{
    BACKOFF, attach, attached, by_hand, bytes, down, options, over, served, up, whole_snapshot,
};
use daemon::{Behaviour, Said, Session, TestDaemon};
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn links_go_and_come() {
    let (daemon, _control, _input, mut reader, peer) = by_hand(options()).await;
    let answers = [Behaviour::CutAtFirst, Behaviour::First(vec![0]), Behaviour::Honest];
    daemon.behave(answers);
    drop(peer);
    let (error, wait, attempt) = down(&mut reader).await;
    assert!(matches!(error, LinkError::Closed(Closed::Cut)), "{error:?}");
    assert!(attempt == 1 && wait <= Duration::from_millis(100), "{attempt} {wait:?}");
    for (wanted, longest) in [(2, BACKOFF.first), (3, BACKOFF.first * 2)] {
        let begun = Instant::now();
        let (error, wait, attempt) = down(&mut reader).await;
        assert!(matches!(error, LinkError::Connect(ConnectError::Cut)), "{error:?}");
        assert!(attempt == wanted && wait >= longest / 2 && wait <= longest, "{wait:?}");
        assert!(begun.elapsed() <= BACKOFF.first);
    }
    up(&mut reader).await;
    let attaches = daemon.session(1, |session| session.attaches.clone());
    assert_eq!(attaches.len(), 1);
    assert_eq!((attaches[0].after, attaches[0].history), (Some(0), Some(0)));
}

#[tokio::test(start_paused = true)]
async fn a_link_that_comes_and_goes_is_not_hurried_after() {
    let (daemon, _control, _input, mut reader, peer) = by_hand(options()).await;
    daemon.behave([Behaviour::CutAfter(3), Behaviour::CutAfter(3), Behaviour::Honest]);
    drop(peer);
    assert!(down(&mut reader).await.1 <= Duration::from_millis(100));
    up(&mut reader).await;
    for longest in [BACKOFF.first, BACKOFF.first * 2] {
        let (error, wait, attempt) = down(&mut reader).await;
        assert!(matches!(error, LinkError::Closed(Closed::Cut)), "{error:?}");
        assert!(attempt == 1 && wait >= longest / 2, "{wait:?}");
        up(&mut reader).await;
    }
}

#[tokio::test(start_paused = true)]
async fn why_the_daemon_closes_says_when_to_come_back() {
    let at_once = Duration::from_millis(100);
    for (reason, soon) in [
        (ClosingReason::Restarting, true),
        (ClosingReason::Stopping, false),
        (ClosingReason::Unknown, false),
    ] {
        let (_daemon, _control, _input, mut reader, mut peer) = by_hand(options()).await;
        peer.close(reason).await;
        let (error, wait, _) = down(&mut reader).await;
        assert!(matches!(error, LinkError::Closed(Closed::ByDaemon(said)) if said == reason));
        assert_eq!(wait <= at_once, soon, "{reason:?} {wait:?}");
        up(&mut reader).await;
    }
    // As often as it says so.
    let (mut daemon, _control, _input, mut reader, mut peer) = by_hand(options()).await;
    for _ in 0..5 {
        daemon.behave([Behaviour::ByHand]);
        peer.close(ClosingReason::Restarting).await;
        let (_, wait, _) = down(&mut reader).await;
        assert!(wait <= at_once, "{wait:?}");
        peer = daemon.by_hand.recv().await.unwrap();
        attached(&mut peer, 0).await;
        up(&mut reader).await;
    }
    for reason in [ClosingReason::Revoked, ClosingReason::Expired, ClosingReason::Protocol] {
        let (_daemon, _control, input, mut reader, mut peer) = by_hand(options()).await;
        peer.close(reason).await;
        let closed = Closed::ByDaemon(reason);
        let end = over(&mut reader).await;
        assert!(matches!(end, LastingEnd::Closed(how) if how == closed), "{end:?}");
        assert_eq!(input.write(b"x").await, Err(InputError::Closed(closed)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_breaks_the_protocol_is_left() {
    let (_daemon, _control, _input, mut reader, mut peer) = by_hand(options()).await;
    peer.output(1, 9, b"x").await;
    let end = over(&mut reader).await;
    assert!(matches!(end, LastingEnd::Closed(Closed::Protocol)), "{end:?}");

    // Input that was never sent, or is written no longer.
    for input_at in [0, 4] {
        let (mut daemon, _control, input, mut reader, mut peer) = by_hand(options()).await;
        input.write(b"abc").await.unwrap();
        assert!(matches!(peer.next().await, Said::Input { .. }));
        peer.input_written(1, 1).await;
        peer.output(1, 0, b"x").await;
        bytes(&mut reader).await;
        daemon.behave([Behaviour::ByHand]);
        drop(peer);
        down(&mut reader).await;
        let mut peer = daemon.by_hand.recv().await.unwrap();
        attached(&mut peer, input_at).await;
        let end = over(&mut reader).await;
        assert!(matches!(end, LastingEnd::Closed(Closed::Protocol)), "{end:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_device_that_is_no_longer_let_in() {
    let daemon = TestDaemon::start().await;
    daemon.put_session(1, Session::new());
    let how = Daemon::Paired(Box::new(daemon.profile()));
    daemon.behave([Behaviour::CutAfter(4)]);
    let (input, mut reader) = attach(&how).await;
    daemon.forget_devices();
    // The link is cut behind the next message.
    let _ = input.write(b"x").await;
    let end = over(&mut reader).await;
    let refused = matches!(end, LastingEnd::Connect(ConnectError::Refused(Refusal::NotPaired)));
    assert!(refused, "{end:?}");
    assert_eq!(input.write(b"x").await, Err(InputError::Closed(Closed::Cut)));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_gone() {
    type Change = fn(&TestDaemon);
    let changes: [(Change, bool); 2] = [
        (|daemon| daemon.drop_session(1), false),
        // Another has its number.
        (|daemon| daemon.session(1, |session| session.opened_at += 1), true),
    ];
    for (change, another) in changes {
        let (daemon, _control, input, mut reader, peer) = by_hand(options()).await;
        change(&daemon);
        input.write(b"secret").await.unwrap();
        drop(peer);
        let end = over(&mut reader).await;
        let LastingEnd::Gone(RequestError { code: ErrorCode::NotFound, .. }) = end else {
            panic!("{end:?}")
        };
        assert_eq!(input.write(b"x").await, Err(InputError::SessionEnded));
        if another {
            assert!(daemon.session(1, |session| session.typed.values().all(Vec::is_empty)));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_is_full_is_asked_again() {
    let (mut daemon, _control, _input, mut reader, peer) = by_hand(options()).await;
    daemon.behave([Behaviour::ByHand]);
    drop(peer);
    down(&mut reader).await;
    let mut peer = daemon.by_hand.recv().await.unwrap();
    let (id, _) = peer.request().await;
    peer.refuse(id, RequestError::new(ErrorCode::Limit, "too many")).await;
    let (error, _, attempt) = down(&mut reader).await;
    assert!(matches!(error, LinkError::Refused(_)), "{error:?}");
    assert_eq!((error.to_string().as_str(), attempt), ("too many", 2));
    up(&mut reader).await;
}

#[tokio::test(start_paused = true)]
async fn it_goes_on_where_it_stopped() {
    let (mut daemon, _control, _input, mut reader, mut peer) = by_hand(options()).await;
    daemon.behave([Behaviour::ByHand, Behaviour::ByHand, Behaviour::ByHand]);
    // What lies in the queue was received: it is asked for no second time.
    peer.output(1, 0, b"one").await;
    drop(peer);
    let mut peer = daemon.by_hand.recv().await.unwrap();
    let first = attached(&mut peer, 0).await;
    assert_eq!((first.after, first.history), (Some(3), Some(0)));
    peer.output(1, 3, b"two").await;
    // Cut inside a snapshot: there is nothing to go on from.
    peer.snapshot(1).await;
    peer.snapshot_chunk(1, 0, b"half").await;
    drop(peer);
    let mut peer = daemon.by_hand.recv().await.unwrap();
    let second = attached(&mut peer, 0).await;
    assert_eq!((second.after, second.history), (None, Some(0)));
    assert!(first.keyboard.is_some() && first.keyboard == second.keyboard);
    peer.snapshot(1).await;
    peer.snapshot_end(1, 90).await;

    assert_eq!(bytes(&mut reader).await, b"one");
    down(&mut reader).await;
    up(&mut reader).await;
    assert_eq!(bytes(&mut reader).await, b"two");
    assert_eq!(reader.offset(), Some(6));
    assert!(matches!(reader.next().await, Some(Lasted::Output(SessionOutput::Snapshot { .. }))));
    assert_eq!(bytes(&mut reader).await, b"half");
    down(&mut reader).await;
    up(&mut reader).await;
    whole_snapshot(&mut reader).await;
    assert_eq!(reader.offset(), Some(90));
}

#[tokio::test(start_paused = true)]
async fn the_first_snapshot_is_asked_for_with_its_history_until_it_is_whole() {
    let (mut daemon, _control, how) = served().await;
    daemon.behave([Behaviour::ByHand, Behaviour::ByHand]);
    let connection = how.connect().await.unwrap();
    let mut peer = daemon.by_hand.recv().await.unwrap();
    let lasting = attach_lasting(how, connection, options());
    let (lasting, attach) = tokio::join!(lasting, attached(&mut peer, 0));
    let (_, _input, mut reader) = lasting.unwrap();
    assert_eq!((attach.after, attach.history), (None, Some(500)));
    peer.snapshot(1).await;
    drop(peer);
    assert!(matches!(reader.next().await, Some(Lasted::Output(SessionOutput::Snapshot { .. }))));
    down(&mut reader).await;
    let mut peer = daemon.by_hand.recv().await.unwrap();
    let attach = attached(&mut peer, 0).await;
    assert_eq!((attach.after, attach.history), (None, Some(500)));
}

#[tokio::test(start_paused = true)]
async fn a_wait_can_be_cut_short() {
    let backoff = Backoff { first: Duration::from_secs(3600), longest: Duration::MAX, ..BACKOFF };
    let options = LastingOptions { backoff, ..options() };
    let (_daemon, _control, input, mut reader, mut peer) = by_hand(options).await;
    peer.close(ClosingReason::Stopping).await;
    let (_, wait, _) = down(&mut reader).await;
    assert!(wait >= Duration::from_secs(1800));
    let begun = Instant::now();
    // The driver may not have begun to wait.
    daemon::lasting::turn_clock(Duration::from_secs(1)).await;
    input.retry_now();
    up(&mut reader).await;
    assert!(begun.elapsed() <= Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn patience_has_an_end() {
    let backoff = Backoff { patience: Some(Duration::from_secs(20)), ..BACKOFF };
    let options = LastingOptions { backoff, ..options() };
    let (_daemon, control, _input, mut reader, peer) = by_hand(options).await;
    drop(control);
    drop(peer);
    let end = over(&mut reader).await;
    assert!(matches!(end, LastingEnd::Connect(ConnectError::NoDaemon { .. })), "{end:?}");
}
