//! Attachments that outlive links: what is typed, sizes, links that die or grow old, the end.

#![allow(clippy::unwrap_used, reason = "a test that fails")]

mod daemon;

use std::time::Duration;

use codeout_device::{
    Closed, InputError, LastingEnd, LastingOptions, LinkError, RequestFailed, attach_lasting,
};
use codeout_protocol::message::{
    Answer, Attach, Attached, ClosingReason, ErrorCode, Event, INPUT_WINDOW, Request, RequestError,
    SessionEntry, TerminalSize,
};
use daemon::lasting::{attach, attached, by_hand, bytes, down, options, over, served, up};
use daemon::{Behaviour, Peer, Said, entry};
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn what_is_typed_without_a_link_is_kept() {
    let (mut daemon, _control, input, mut reader, peer) = by_hand(options()).await;
    daemon.behave([Behaviour::CutAtFirst, Behaviour::CutAtFirst, Behaviour::ByHand]);
    drop(peer);
    down(&mut reader).await;
    let window = usize::try_from(INPUT_WINDOW).unwrap();
    let typed: Vec<u8> = (0..window + 5).map(|n| n as u8).collect();
    let mut writing = std::pin::pin!(input.write(&typed));
    let daemon = async {
        let mut peer = daemon.by_hand.recv().await.unwrap();
        attached(&mut peer, 0).await;
        let mut got = Vec::new();
        while got.len() < typed.len() {
            let Said::Input { offset, bytes, .. } = peer.next().await else { panic!() };
            assert_eq!(offset, got.len() as u64);
            got.extend_from_slice(&bytes);
            peer.input_written(1, got.len() as u64).await;
        }
        assert!(got == typed);
        peer.output(1, 0, b"done").await;
        peer
    };
    // The reader is not held up, nor is the way back.
    let reading = async {
        for attempt in 2..=3 {
            assert_eq!(down(&mut reader).await.2, attempt);
        }
        up(&mut reader).await;
        bytes(&mut reader).await
    };
    let (written, _peer, shown) = tokio::join!(&mut writing, daemon, reading);
    written.unwrap();
    assert_eq!(shown, b"done");
}

#[tokio::test(start_paused = true)]
async fn only_looking() {
    let options = LastingOptions { typing: false, ..options() };
    let (daemon, _control, input, mut reader, peer) = by_hand(options).await;
    assert_eq!(input.write(b"x").await, Err(InputError::NotTyping));
    drop(peer);
    down(&mut reader).await;
    up(&mut reader).await;
    assert!(daemon.session(1, |session| session.attaches[0].keyboard.is_none()));
}

#[tokio::test(start_paused = true)]
async fn closing_sends_what_was_typed_and_says_goodbye() {
    let (daemon, _control, how) = served().await;
    let (input, mut reader) = attach(&how).await;
    input.write(b"last words").await.unwrap();
    let (end, ()) = tokio::join!(over(&mut reader), input.close());
    assert!(matches!(end, LastingEnd::Closed(Closed::ByDaemon(ClosingReason::Goodbye))), "{end:?}");
    daemon.session(1, |session| {
        assert!(session.typed.values().all(|typed| typed == b"last words"));
    });
    assert!(input.write(b"x").await.is_err());
}

#[tokio::test(start_paused = true)]
async fn closing_without_a_link() {
    let (_daemon, control, input, mut reader, peer) = by_hand(options()).await;
    drop(control);
    drop(peer);
    down(&mut reader).await;
    let begun = Instant::now();
    let (end, ()) = tokio::join!(over(&mut reader), input.close());
    assert!(matches!(end, LastingEnd::Closed(Closed::Cut)), "{end:?}");
    assert!(begun.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_reader_ends_it() {
    let (_daemon, _control, input, reader, mut peer) = by_hand(options()).await;
    drop(reader);
    assert_eq!(peer.next().await, Said::Final);
    peer.close(ClosingReason::Goodbye).await;
    input.close().await;
    assert!(input.write(b"x").await.is_err());
}

#[tokio::test(start_paused = true)]
async fn requests_go_over_the_present_link() {
    let (_daemon, control, input, mut reader, peer) = by_hand(options()).await;
    drop(control);
    drop(peer);
    down(&mut reader).await;
    let failed = input.request(Request::Ping).await;
    assert_eq!(failed, Err(RequestFailed::Closed(Closed::Cut)));

    let (_daemon, _control, how) = served().await;
    let (input, _reader) = attach(&how).await;
    assert_eq!(input.request(Request::Ping).await, Ok(Answer::Done {}));
    let attach = Request::Attach(Attach::default());
    assert_eq!(input.request(attach).await, Err(RequestFailed::UseAttach));
}

#[tokio::test(start_paused = true)]
async fn the_first_attach_may_be_refused() {
    let (daemon, _control, how) = served().await;
    daemon.drop_session(1);
    let connection = how.connect().await.unwrap();
    let failed = attach_lasting(how, connection, options()).await.unwrap_err();
    let RequestFailed::Refused(error) = failed else { panic!("{failed:?}") };
    assert_eq!(error.code, ErrorCode::NotFound);
}

const SMALL: TerminalSize = TerminalSize { columns: 80, rows: 24 };
const LARGE: TerminalSize = TerminalSize { columns: 200, rows: 60 };
const LARGEST: TerminalSize = TerminalSize { columns: 300, rows: 90 };
/// What the daemon calls this device.
const OWN_NAME: &str = "laptop";

/// Takes a request for this size, and answers it.
async fn resized(peer: &mut Peer, wanted: TerminalSize) {
    let (id, request) = peer.request().await;
    assert_eq!(request, Request::Resize { session: 1, size: wanted });
    peer.reply(id, Answer::Done {}).await;
}

/// Takes a request to attach, and answers who gave the terminal its size.
async fn attached_by(peer: &mut Peer, size_by: Option<&str>) -> Attach {
    attached_at(peer, SMALL, size_by).await
}

/// As [`attached_by`], with the size that the terminal has.
async fn attached_at(peer: &mut Peer, size: TerminalSize, size_by: Option<&str>) -> Attach {
    let TerminalSize { columns, rows } = size;
    let (id, request) = peer.request().await;
    let Request::Attach(attach) = request else { panic!("{request:?}") };
    let size_by = size_by.map(str::to_owned);
    let entry = SessionEntry { columns, rows, size_by, ..entry(attach.session) };
    let attached = Attached { attached: entry, resumed: attach.after.is_some(), input: 0 };
    peer.reply(id, Answer::Attached(Box::new(attached))).await;
    attach
}

#[tokio::test(start_paused = true)]
async fn a_size_that_another_took_while_there_was_no_link_is_left_to_it() {
    let sized = LastingOptions { size: Some(SMALL), ..options() };
    let (mut daemon, _control, input, mut reader, peer) = by_hand(sized).await;
    daemon.behave([Behaviour::ByHand, Behaviour::ByHand, Behaviour::ByHand]);
    drop(peer);
    down(&mut reader).await;
    assert!(input.resize(LARGE).await);
    let mut peer = daemon.by_hand.recv().await.unwrap();
    assert_eq!(attached_by(&mut peer, Some("tablet")).await.size, None);
    up(&mut reader).await;
    assert!(!input.owns_size());
    assert!(!input.resize(SMALL).await);

    // Taken over without a link, it is this device's by the next one.
    drop(peer);
    down(&mut reader).await;
    input.take_size(LARGE);
    let mut peer = daemon.by_hand.recv().await.unwrap();
    assert_eq!(attached_by(&mut peer, Some("tablet")).await.size, Some(LARGE));
    up(&mut reader).await;
    assert!(input.owns_size());
    drop(peer);
    down(&mut reader).await;
    let mut peer = daemon.by_hand.recv().await.unwrap();
    assert_eq!(attached_at(&mut peer, LARGE, None).await.size, None);
    up(&mut reader).await;
    assert!(input.owns_size());
}

#[tokio::test(start_paused = true)]
async fn a_size_that_another_terminal_of_the_same_device_took_is_left_to_it() {
    let sized = LastingOptions { size: Some(SMALL), ..options() };
    let (mut daemon, _control, input, mut reader, peer) = by_hand(sized).await;
    daemon.behave([Behaviour::ByHand]);
    drop(peer);
    down(&mut reader).await;
    let mut peer = daemon.by_hand.recv().await.unwrap();
    assert_eq!(attached_at(&mut peer, LARGE, Some(OWN_NAME)).await.size, None);
    up(&mut reader).await;
    assert!(!input.owns_size());
}

#[tokio::test(start_paused = true)]
async fn a_device_that_is_renamed_keeps_its_size() {
    for size_by in [OWN_NAME, "renamed"] {
        let sized = LastingOptions { size: Some(SMALL), ..options() };
        let (mut daemon, _control, input, mut reader, peer) = by_hand(sized).await;
        daemon.behave([Behaviour::ByHand]);
        daemon.rename_local(daemon::name("renamed"));
        drop(peer);
        down(&mut reader).await;
        let mut peer = daemon.by_hand.recv().await.unwrap();
        assert_eq!(attached_by(&mut peer, Some(size_by)).await.size, None);
        up(&mut reader).await;
        assert!(input.owns_size(), "{size_by}");
    }
}

/// Whatever the daemon did with it, it is this device's.
#[tokio::test(start_paused = true)]
async fn a_size_of_which_no_answer_came_is_kept() {
    for at in [SMALL, LARGE] {
        // Another size of a terminal that is its own.
        let sized = LastingOptions { size: Some(SMALL), ..options() };
        let (mut daemon, _control, input, mut reader, mut peer) = by_hand(sized).await;
        daemon.behave([Behaviour::ByHand]);
        assert!(input.resize(LARGE).await);
        let _unanswered = peer.request().await;
        drop(peer);
        down(&mut reader).await;
        let mut peer = daemon.by_hand.recv().await.unwrap();
        assert_eq!(attached_at(&mut peer, at, Some(OWN_NAME)).await.size, None);
        if at == SMALL {
            resized(&mut peer, LARGE).await;
        }
        up(&mut reader).await;
        assert!(input.owns_size());
    }
    // One that it takes over.
    let (mut daemon, _control, input, mut reader, mut peer) = by_hand(options()).await;
    daemon.behave([Behaviour::ByHand]);
    input.take_size(LARGE);
    let _unanswered = peer.request().await;
    drop(peer);
    down(&mut reader).await;
    let mut peer = daemon.by_hand.recv().await.unwrap();
    assert_eq!(attached_by(&mut peer, Some("tablet")).await.size, Some(LARGE));
    up(&mut reader).await;
    assert!(input.owns_size());
}

/// Another device gives the terminal its size.
async fn taken_over(peer: &mut Peer) {
    let size_by = Some("tablet".to_owned());
    let (session, size) = (1, SMALL);
    peer.event(Event::Snapshot { session, size, size_by, history: false }).await;
    peer.snapshot_end(1, 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_size_is_given_until_another_device_gives_one() {
    let sized = LastingOptions { size: Some(SMALL), ..options() };
    let (mut daemon, _control, input, mut reader, mut peer) = by_hand(sized).await;
    assert!(input.owns_size());
    assert!(input.resize(LARGE).await);
    resized(&mut peer, LARGE).await;
    taken_over(&mut peer).await;
    daemon::lasting::whole_snapshot(&mut reader).await;
    // The driver hears of it in its own time.
    daemon::lasting::turn_clock(Duration::from_millis(1)).await;
    assert!(!input.owns_size());
    assert!(!input.resize(SMALL).await);
    input.take_size(LARGE);
    resized(&mut peer, LARGE).await;
    assert!(input.owns_size());

    // By the next link it is still this device's; what changed meanwhile is told.
    daemon.behave([Behaviour::ByHand, Behaviour::ByHand]);
    drop(peer);
    down(&mut reader).await;
    assert!(input.resize(LARGEST).await);
    let mut peer = daemon.by_hand.recv().await.unwrap();
    assert_eq!(attached_at(&mut peer, LARGE, Some(OWN_NAME)).await.size, None);
    resized(&mut peer, LARGEST).await;
    up(&mut reader).await;
    assert!(input.owns_size());
    input.release_size();
    assert!(!input.owns_size());
    drop(peer);
    down(&mut reader).await;
    let mut peer = daemon.by_hand.recv().await.unwrap();
    assert_eq!(attached(&mut peer, 0).await.size, None);
}

#[tokio::test(start_paused = true)]
async fn a_size_taken_while_another_devices_is_on_its_way_is_kept() {
    let (_daemon, _control, input, mut reader, mut peer) = by_hand(options()).await;
    assert!(!input.owns_size());
    input.take_size(LARGE);
    let (id, _) = peer.request().await;
    taken_over(&mut peer).await;
    peer.reply(id, Answer::Done {}).await;
    daemon::lasting::whole_snapshot(&mut reader).await;
    daemon::lasting::turn_clock(Duration::from_millis(1)).await;
    assert!(input.owns_size());
    // The list of sessions says it too.
    let size_by = Some("tablet".to_owned());
    let session = SessionEntry { size_by, ..entry(1) };
    peer.event(Event::SessionChanged { session }).await;
    daemon::lasting::turn_clock(Duration::from_millis(1)).await;
    assert!(!input.owns_size());
}

#[tokio::test(start_paused = true)]
async fn a_size_that_is_refused_is_not_given() {
    let (_daemon, _control, input, _reader, mut peer) = by_hand(options()).await;
    input.take_size(LARGE);
    let (id, _) = peer.request().await;
    peer.refuse(id, RequestError::new(ErrorCode::NotAllowed, "no")).await;
    daemon::lasting::turn_clock(Duration::from_millis(1)).await;
    assert!(!input.owns_size());
}

#[tokio::test(start_paused = true)]
async fn a_dead_link_is_noticed_while_typing() {
    let (daemon, _control, input, mut reader, mut peer) = by_hand(options()).await;
    // Nothing is typed: nothing is asked.
    daemon::lasting::turn_clock(Duration::from_secs(3600)).await;
    input.write(b"x").await.unwrap();
    let begun = Instant::now();
    assert!(matches!(peer.next().await, Said::Input { .. }));
    let (_, request) = peer.request().await;
    assert_eq!((request, begun.elapsed().as_secs()), (Request::Ping, 10));
    let (error, ..) = down(&mut reader).await;
    assert!(matches!(error, LinkError::Closed(Closed::Cut)), "{error:?}");
    assert_eq!(begun.elapsed().as_secs(), 20);
    up(&mut reader).await;
    // What was typed into the dead link comes by the new one.
    assert_eq!(bytes(&mut reader).await, b"x");
    assert!(daemon.session(1, |session| session.typed.values().all(|typed| typed == b"x")));
}

#[tokio::test(start_paused = true)]
async fn a_program_that_takes_no_input_is_no_dead_link() {
    let (_daemon, _control, input, mut reader, mut peer) = by_hand(options()).await;
    input.write(b"x").await.unwrap();
    assert!(matches!(peer.next().await, Said::Input { .. }));
    let daemon = async {
        for _ in 0..50 {
            let (id, request) = peer.request().await;
            assert_eq!(request, Request::Ping);
            peer.reply(id, Answer::Done {}).await;
        }
        peer.input_written(1, 1).await;
        peer.output(1, 0, b"x").await;
    };
    let (shown, ()) = tokio::join!(bytes(&mut reader), daemon);
    assert_eq!(shown, b"x");
}

#[tokio::test(start_paused = true)]
async fn an_old_link_is_renewed_without_a_word() {
    let (daemon, _control, how) = served().await;
    let (input, mut reader) = attach(&how).await;
    daemon::lasting::whole_snapshot(&mut reader).await;
    for round in 1..=3 {
        let day = Duration::from_secs(24 * 3600 + 2);
        let quiet = tokio::time::timeout(day, reader.next()).await;
        assert!(quiet.is_err(), "{quiet:?}");
        assert_eq!(daemon.seen().connects, 1 + round);
        input.write(b"x").await.unwrap();
        assert_eq!(bytes(&mut reader).await, b"x");
    }
    let attaches = daemon.session(1, |session| session.attaches.clone());
    let after: Vec<_> = attaches.iter().map(|attach| attach.after).collect();
    assert_eq!(after, [None, Some(0), Some(1), Some(2)]);
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_takes_long_is_said() {
    let (daemon, _control, how) = served().await;
    let (_input, mut reader) = attach(&how).await;
    daemon::lasting::whole_snapshot(&mut reader).await;
    daemon.behave([Behaviour::HoldAtFirst]);
    let begun = Instant::now();
    let (error, wait, attempt) = down(&mut reader).await;
    assert!(matches!(error, LinkError::Closed(Closed::Cut)), "{error:?}");
    assert_eq!((wait, attempt), (Duration::ZERO, 1));
    assert_eq!(begun.elapsed().as_secs(), 24 * 3600 + 1);
    daemon.go_on();
    up(&mut reader).await;
}

#[tokio::test(start_paused = true)]
async fn an_old_link_stays_while_something_is_unread() {
    let (mut daemon, _control, input, mut reader, mut peer) = by_hand(options()).await;
    peer.output(1, 0, b"x").await;
    daemon::lasting::turn_clock(Duration::from_secs(25 * 3600)).await;
    assert_eq!(daemon.seen().connects, 1);
    input.write(b"y").await.unwrap();
    assert!(matches!(peer.next().await, Said::Input { .. }));
    daemon.behave([Behaviour::ByHand]);
    assert_eq!(bytes(&mut reader).await, b"x");
    peer.input_written(1, 1).await;
    assert_eq!(peer.next().await, Said::Final);
    // Until the very end it is one stream.
    peer.output(1, 1, b"z").await;
    peer.close(ClosingReason::Goodbye).await;
    let mut peer = daemon.by_hand.recv().await.unwrap();
    assert_eq!(attached(&mut peer, 1).await.after, Some(2));
    assert_eq!(bytes(&mut reader).await, b"z");
}
