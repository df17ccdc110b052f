//! A paired device that asks for more than it should.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use codeout_daemon::OfferLimits;
use codeout_protocol::message::{
    Answer, Attach, ClosingReason, DeviceEntry, ErrorCode, FromDevice, NumberedRequest, Open,
    Outcome, Progress, Request, SessionId, TerminalSize,
};
use codeout_protocol::name::Name;
use futures_util::SinkExt;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use super::support::device::{Device, shell, watching};
use super::{Stage, until};

/// The requests of one flood.
const MANY: usize = 500;
/// Those that are on their way at once.
const PIPELINE: usize = 50;
/// As long a name as fits into a record.
const HUGE: usize = 60_000;
/// What no flood of requests adds to the daemon's memory, in KiB.
const MEMORY: u64 = 48 * 1024;

/// What became of a flood.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    done: usize,
    refused: usize,
}

/// Asks so often, and counts what was done and what was refused with `code`; anything else fails.
async fn flood(
    device: &mut Device,
    times: usize,
    code: ErrorCode,
    ask: impl Fn(usize) -> Request,
) -> Counts {
    let mut counts = Counts::default();
    for round in 0..times / PIPELINE {
        let mut due = Vec::new();
        for number in 0..PIPELINE {
            due.push(device.request(ask(round * PIPELINE + number)).await.unwrap());
        }
        for id in due {
            match device.reply(id).await.unwrap() {
                Outcome::Ok(_) => counts.done += 1,
                Outcome::Error(error) if error.code == code => counts.refused += 1,
                Outcome::Error(other) => panic!("refused with {other:?}"),
            }
        }
        device.news.clear();
    }
    counts
}

/// The devices, without what changes by itself.
async fn listed(device: &mut Device) -> Vec<DeviceEntry> {
    match device.ask(Request::Devices).await.unwrap() {
        Outcome::Ok(Answer::Devices { devices }) => {
            let timeless = |entry| DeviceEntry { last_seen: None, ..entry };
            devices.into_iter().map(timeless).collect()
        }
        other => panic!("no list: {other:?}"),
    }
}

fn wrong(number: usize) -> Request {
    let session = (1 << 20) + number as SessionId;
    match number % 7 {
        0 => Request::End { session },
        1 => Request::Attach(Attach { session, keyboard: Some(1), ..Attach::default() }),
        2 => Request::Detach { session },
        3 => Request::Resize { session, size: TerminalSize { columns: 80, rows: 24 } },
        4 => Request::RenameSession { session, name: "x".to_owned() },
        5 => Request::Dismiss { session },
        _ => Request::Revoke { device: format!("{number:08}") },
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_of_requests_are_answered_one_by_one_and_change_nothing() {
    let mut stage = Stage::set().await;
    let mut flooding = stage.pair("flooding", OfferLimits::default()).await;
    let list = listed(&mut stage.honest).await;
    let entry = stage.honest.listed(stage.session).await.unwrap();
    let before = stage.daemon.memory();
    let all = |refused| match refused {
        true => Counts { done: 0, refused: MANY },
        false => Counts { done: MANY, refused: 0 },
    };
    let counts = flood_of_pings(&mut flooding, MANY).await;
    assert_eq!(counts, all(false));
    let counts = flood(&mut flooding, MANY, ErrorCode::NotFound, wrong).await;
    assert_eq!(counts, all(true));
    let session = stage.session;
    let sizes = |number| {
        let size = TerminalSize { columns: 2_000, rows: 251 + (number % 1_000) as u16 };
        Request::Resize { session, size }
    };
    let counts = flood(&mut flooding, MANY, ErrorCode::BadRequest, sizes).await;
    assert_eq!(counts, all(true));
    stage.types("in between").await;
    stage.has_grown_less(before, MEMORY);
    assert_eq!(listed(&mut stage.honest).await, list);
    let after = stage.honest.listed(session).await.unwrap();
    assert_eq!((after.columns, after.rows), (entry.columns, entry.rows));
    assert_eq!((&after.name, after.watching), (&entry.name, 1));
}

/// A device has a share of the daemon's time, for all its connections together. It is made to wait
/// when that is used up, and nobody else is.
#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_much_waits_and_the_others_do_not() {
    const CONNECTIONS: usize = 4;
    let mut stage = Stage::set().await;
    let flooding = stage.pair("flooding", OfferLimits::default()).await;
    let session = stage.session;
    let answered = Arc::new(AtomicUsize::new(0));
    let mut flood = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let mut device = Device::connect(stage.daemon.port, &flooding.credentials).await.unwrap();
        let answered = Arc::clone(&answered);
        flood.spawn(async move {
            let mut due = Vec::new();
            for _ in 0..PIPELINE {
                due.push(device.request(Request::Attach(watching(session))).await.unwrap());
            }
            for id in due {
                assert!(matches!(device.reply(id).await.unwrap(), Outcome::Ok(_)));
                answered.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    until("nothing is answered", || answered.load(Ordering::SeqCst) > 0).await;
    // As many as the other's, and none of them has to wait.
    let pings = CONNECTIONS * PIPELINE;
    let counts = flood_of_pings(&mut stage.honest, pings).await;
    let before = answered.load(Ordering::SeqCst);
    assert_eq!(counts, Counts { done: pings, refused: 0 });
    assert!(before < pings, "all {before} were answered meanwhile");
    // The other gets its answers all the same.
    flood.join_all().await;
    assert_eq!(answered.load(Ordering::SeqCst), pings);
}

/// The same goes for what asks nothing: it is read no faster than a device's share of the daemon's
/// time allows, whatever it is.
#[tokio::test(flavor = "multi_thread")]
async fn who_tells_much_waits_and_the_others_do_not() {
    const WORDS: u32 = 60_000;
    // Each key counts 20 µs of that share, a fifth of a processor; 400 ms of it may be taken at once.
    const LEAST: Duration = Duration::from_micros(20).saturating_mul(WORDS);
    const WAIT: Duration = LEAST.saturating_sub(Duration::from_millis(400)).saturating_mul(5);
    let mut stage = Stage::set().await;
    let mut flooding = stage.pair("flooding", OfferLimits::default()).await;
    let session = flooding.open_raw().await;
    let begun = Instant::now();
    let flood = tokio::spawn(async move {
        for _ in 0..WORDS {
            flooding.type_in(session, b".").await.unwrap();
        }
        flooding.ask(Request::Ping).await.unwrap()
    });
    stage.types("meanwhile").await;
    assert!(matches!(flood.await.unwrap(), Outcome::Ok(_)));
    assert!(begun.elapsed() >= WAIT, "it was all read in {:?}", begun.elapsed());
}

/// A message may come in any number of fragments, all but the first and the last of them empty. They
/// are read in one go, which must not keep the others waiting.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_in_fifty_thousand_fragments_is_one_message() {
    const FRAGMENTS: usize = 50_000;
    let mut stage = Stage::set().await;
    let mut flooding = stage.pair("flooding", OfferLimits::default()).await;
    let ping = FromDevice::Request(NumberedRequest { id: 7, request: Request::Ping }).write();
    let record = flooding.line.channel.sealer.seal(Duration::ZERO, &ping).unwrap();
    let (first, last) = record.split_at(1);
    let (first, last) = (first.to_vec(), last.to_vec());
    let fragment = |bytes: Vec<u8>, kind, is_last| {
        Message::Frame(Frame::message(bytes, OpCode::Data(kind), is_last))
    };
    let flood = tokio::spawn(async move {
        let socket = &mut flooding.line.wire.0;
        socket.feed(fragment(first, Data::Binary, false)).await.unwrap();
        for _ in 0..FRAGMENTS {
            socket.feed(fragment(Vec::new(), Data::Continue, false)).await.unwrap();
        }
        socket.send(fragment(last, Data::Continue, true)).await.unwrap();
        flooding.reply(7).await.unwrap()
    });
    stage.types("meanwhile").await;
    assert!(matches!(flood.await.unwrap(), Outcome::Ok(_)));
}

async fn flood_of_pings(device: &mut Device, times: usize) -> Counts {
    flood(device, times, ErrorCode::NotFound, |_| Request::Ping).await
}

#[tokio::test(flavor = "multi_thread")]
async fn huge_names_are_cut_short_wherever_they_go() {
    let mut stage = Stage::set().await;
    let mut flooding = stage.pair("flooding", OfferLimits::default()).await;
    let id = flooding.entry.id.clone();
    let before = stage.daemon.memory();
    let huge = |number: usize| format!("{number}{}", "ü".repeat(HUGE / 2));
    let session = stage.session;
    let name = |number| Request::RenameSession { session, name: huge(number) };
    assert_eq!(flood(&mut flooding, 100, ErrorCode::Taken, name).await.done, 100);
    let device = |number| Request::Rename { device: id.clone(), name: huge(number) };
    assert_eq!(flood(&mut flooding, 100, ErrorCode::Taken, device).await.done, 100);
    let program = |number| {
        Request::Open(Open { program: Some(format!("/nowhere/{}", huge(number))), ..shell() })
    };
    assert_eq!(flood(&mut flooding, 100, ErrorCode::NotFound, program).await.refused, 100);
    for entry in listed(&mut stage.honest).await {
        assert!(entry.name.len() <= Name::MAX_BYTES, "{}", entry.name);
    }
    let entry = stage.honest.listed(session).await.unwrap();
    assert!(entry.name.len() <= Name::MAX_BYTES, "{}", entry.name);
    stage.types("all is well").await;
    stage.has_grown_less(before, MEMORY);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limited_device_that_insists_changes_no_device() {
    let mut stage = Stage::set().await;
    let limits = OfferLimits { watch_only: false, for_seconds: Some(3_600) };
    let mut limited = stage.pair("limited", limits).await;
    let (list, honest) = (listed(&mut stage.honest).await, stage.honest.entry.id.clone());
    let ask = |number: usize| match number % 3 {
        0 => Request::Revoke { device: honest.clone() },
        1 => Request::Rename { device: honest.clone(), name: "gone".to_owned() },
        _ => Request::Offer { watch_only: false, for_seconds: None },
    };
    let counts = flood(&mut limited, MANY, ErrorCode::NotAllowed, ask).await;
    assert_eq!(counts, Counts { done: 0, refused: MANY });
    assert_eq!(listed(&mut stage.honest).await, list);
    stage.types("still here").await;
}

/// Wrapping 10,000 lines anew takes its time: other sessions do not wait until all of them are.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_sizes_holds_up_no_other_session() {
    const CONNECTIONS: usize = 15;
    const EACH: usize = 8;
    let mut stage = Stage::set().await;
    let mut flooding = stage.pair("flooding", OfferLimits::default()).await;
    let script = "seq 100000 111000; echo do''ne; exec cat".to_owned();
    let open = Open {
        program: Some("sh".to_owned()),
        arguments: vec!["-c".to_owned(), script],
        ..shell()
    };
    let session = flooding.open_with(open).await.session;
    flooding.attach(watching(session)).await;
    flooding.see(session, "done").await;
    flooding.done(Request::Detach { session }).await;
    let [asked, answered] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
    let mut flood = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (asked, answered) = (Arc::clone(&asked), Arc::clone(&answered));
        let mut device = Device::connect(stage.daemon.port, &flooding.credentials).await.unwrap();
        flood.spawn(async move {
            let mut due = Vec::new();
            for number in 0..EACH {
                let size = TerminalSize { columns: 40 + number as u16, rows: 24 };
                due.push(device.request(Request::Resize { session, size }).await.unwrap());
                asked.fetch_add(1, Ordering::SeqCst);
            }
            for id in due {
                let outcome = device.reply(id).await.unwrap();
                assert_eq!(outcome, Outcome::Ok(Answer::Done {}));
                answered.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    let all = CONNECTIONS * EACH;
    until("not all is asked for", || asked.load(Ordering::SeqCst) == all).await;
    stage.types("meanwhile").await;
    let before = answered.load(Ordering::SeqCst);
    assert!(before < all, "the honest device waited for all of it");
    flood.join_all().await;
    assert_eq!(answered.load(Ordering::SeqCst), all);
}

/// What was never sent cannot have been dealt with: the end of the connection, as often as it is tried.
#[tokio::test(flavor = "multi_thread")]
async fn acknowledging_what_was_never_sent_is_the_end_each_time() {
    let mut stage = Stage::set().await;
    let flooding = stage.pair("flooding", OfferLimits::default()).await;
    let (session, before) = (stage.session, stage.daemon.memory());
    for _ in 0..100 {
        let mut device = Device::connect(stage.daemon.port, &flooding.credentials).await.unwrap();
        device.attach(watching(session)).await;
        let never = Progress { session, offset: 1 << 40 };
        device.line.send(&FromDevice::OutputRead(never).write()).await.unwrap();
        assert_eq!(device.last_word().await.unwrap(), ClosingReason::Protocol);
    }
    stage.types("unmoved").await;
    stage.has_grown_less(before, MEMORY);
}

/// Connections that ask for much and read nothing of it hold up nobody, and hold next to nothing.
#[tokio::test(flavor = "multi_thread")]
async fn who_reads_nothing_holds_nothing() {
    let mut stage = Stage::set().await;
    let flooding = stage.pair("flooding", OfferLimits::default()).await;
    let (port, session) = (stage.daemon.port, stage.session);
    let before = stage.daemon.memory();
    let mut deaf = JoinSet::new();
    for _ in 1..16 {
        let credentials = flooding.credentials.clone();
        deaf.spawn(async move {
            let mut device = Device::connect(port, &credentials).await.unwrap();
            for number in 0..20_000 {
                let request = match number % 2 {
                    0 => Request::Attach(watching(session)),
                    _ => Request::Devices,
                };
                // Sent until nobody takes any more.
                if device.request(request).await.is_err() {
                    break;
                }
            }
            device
        });
    }
    for number in 0..100 {
        stage.types(&format!("line {number} ")).await;
    }
    stage.has_grown_less(before, MEMORY);
    deaf.shutdown().await;
}
