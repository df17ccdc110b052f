//! A revoked device is out: at once, for good, through any crash, and without anybody else
//! noticing.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "revocation/killed.rs"]
mod killed;
#[path = "revocation/model.rs"]
mod model;
#[path = "revocation/opening.rs"]
mod opening;
#[path = "revocation/stopping.rs"]
mod stopping;
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use codeout_daemon::Event;
use codeout_daemon::control::{ClientError, ControlError};
use codeout_daemon::devices::DeviceId;
use codeout_protocol::error::{Alert, Error, Refusal};
use codeout_protocol::handshake::{self, DeviceCredentials, DeviceEphemeral};
use codeout_protocol::message::{
    Answer, ClosingReason, DeviceEntry, ErrorCode, Event as News, Outcome, Request, SessionId,
};
use support::device::{Device, Heard};
use support::process::{codeout, control};
use support::{PATIENCE, TestDaemon, Wire, WireError, connect_on_wire, event, pair_on_wire};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

fn refusal<T>(result: Result<T, WireError>) -> Refusal {
    match result.map(|_| ()) {
        Err(WireError::Protocol(Error::Refused(refusal))) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

fn id(entry: &DeviceEntry) -> DeviceId {
    entry.id.parse().unwrap()
}

async fn is_out(port: u16, credentials: &DeviceCredentials) {
    assert_eq!(refusal(connect_on_wire(port, credentials).await), Refusal::NotPaired);
}

async fn is_in(port: u16, credentials: &DeviceCredentials) {
    connect_on_wire(port, credentials).await.unwrap().ping().await.unwrap();
}

/// A device that reads the output of an endless program until its connection ends.
struct Stream {
    entry: DeviceEntry,
    session: SessionId,
    credentials: DeviceCredentials,
    received: watch::Receiver<u64>,
    reading: JoinHandle<(Result<ClosingReason, WireError>, Vec<News>)>,
}

impl Stream {
    /// Output as fast as it can be read.
    async fn flood(device: Device) -> Self {
        Self::start(device, "yes\n").await
    }

    /// Output that leaves the link room.
    async fn steady(device: Device) -> Self {
        Self::start(device, "while :; do seq 1 9999; sleep 0.01; done\n").await
    }

    async fn start(mut device: Device, program: &str) -> Self {
        let session = device.open_raw().await;
        device.type_in(session, program.as_bytes()).await.unwrap();
        let (entry, credentials) = (device.entry.clone(), device.credentials.clone());
        let (count, received) = watch::channel(0);
        let reading = tokio::spawn(async move {
            // `Device` checks that there is no gap.
            let ended = loop {
                match device.hear().await {
                    Ok(Heard::Closing(reason)) => {
                        let behind = device.line.wire.receive().await;
                        assert!(behind.is_err(), "a message behind the last one");
                        break Ok(reason);
                    }
                    Ok(_) => {}
                    Err(error) => break Err(error),
                }
                let screen = device.screen(session);
                screen.text.clear();
                count.send_replace(screen.received);
            };
            (ended, device.news)
        });
        Stream { entry, session, credentials, received, reading }
    }

    /// Waits until it has received so much more.
    async fn goes_on(&mut self, bytes: u64) {
        let target = *self.received.borrow() + bytes;
        let more = self.received.wait_for(|received| *received >= target);
        tokio::time::timeout(PATIENCE, more).await.expect("the output stopped").unwrap();
    }

    async fn end(self) -> (Result<ClosingReason, WireError>, Vec<News>) {
        tokio::time::timeout(PATIENCE, self.reading).await.expect("it goes on").unwrap()
    }
}

const MIB: u64 = 1 << 20;
/// What an attachment that acknowledges nothing is sent.
#[cfg(target_os = "linux")]
const FIRST_WINDOW: u64 = 1 << 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Daemon,
    Socket,
    Command,
    Device,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_cut_off_in_the_middle_of_its_output_and_no_other_one_is() {
    let daemon = TestDaemon::start().await;
    let home = daemon.home.path();
    let mut other = Stream::flood(Device::of(&daemon, "tablet").await).await;
    let mut boss = Device::of(&daemon, "boss").await;
    for by in [By::Daemon, By::Socket, By::Command, By::Device] {
        let mut phone = Stream::steady(Device::of(&daemon, "phone").await).await;
        // Two more connections of the same device, one of them idle.
        let again = Device::connect(daemon.port(), &phone.credentials).await.unwrap();
        let mut second = Stream::flood(again).await;
        let mut idle = Device::connect(daemon.port(), &phone.credentials).await.unwrap();
        phone.goes_on(MIB / 4).await;
        second.goes_on(MIB).await;
        other.goes_on(MIB).await;
        match by {
            By::Daemon => {
                let revoked = daemon.daemon.revoke(id(&phone.entry)).await.unwrap().unwrap();
                assert_eq!(revoked.name.as_str(), "phone");
            }
            By::Socket => {
                let revoked = control(home).await.revoke("phone").await.unwrap();
                assert_eq!(revoked.id, phone.entry.id);
            }
            By::Command => {
                let output = codeout(home).args(["devices", "revoke", "phone"]).output();
                let output = output.await.unwrap();
                assert!(output.status.success(), "{output:?}");
                let said = String::from_utf8_lossy(&output.stdout);
                assert_eq!(said, "revoked. phone can no longer connect.\n");
            }
            By::Device => {
                let request = Request::Revoke { device: phone.entry.id.clone() };
                let outcome = boss.ask(request).await.unwrap();
                assert_eq!(outcome, Outcome::Ok(Answer::Done {}));
            }
        }
        is_out(daemon.port(), &phone.credentials).await;
        assert_eq!(daemon.count().await, 2, "{by:?}");
        other.goes_on(2 * MIB).await;
        // What it has opened runs on.
        for session in [phone.session, second.session] {
            boss.done(Request::End { session }).await;
        }
        let (ended, news) = phone.end().await;
        assert_eq!(ended.unwrap(), ClosingReason::Revoked, "{by:?}");
        // Of itself it was told nothing else.
        let of_itself = |news: &News| matches!(news, News::DeviceRevoked { .. });
        assert!(!news.iter().any(of_itself), "{by:?}");
        // Where the link is full there may be no time for a last word.
        let (ended, _) = second.end().await;
        assert!(matches!(ended, Ok(ClosingReason::Revoked) | Err(WireError::Ended)), "{ended:?}");
        assert_eq!(idle.last_word().await.unwrap(), ClosingReason::Revoked);
    }
    // The other one heard of all four, and ends with the daemon.
    let TestDaemon { daemon, .. } = daemon;
    daemon.stop().await;
    let (ended, news) = other.end().await;
    assert_eq!(ended.unwrap(), ClosingReason::Stopping);
    let told = news
        .iter()
        .filter(|news| matches!(news, News::DeviceRevoked { name, .. } if name == "phone"));
    assert_eq!(told.count(), 4);
}

/// What is in the socket of the daemon on `port` for the device on port `to`, and has not gone
/// out because that does not read.
#[cfg(target_os = "linux")]
fn waiting_for(port: u16, to: u16) -> u64 {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let ends = format!("0100007F:{port:04X} 0100007F:{to:04X}");
    let line = table.lines().find(|line| line.contains(&ends)).expect("a connection");
    let queues = line.split_whitespace().nth(4).unwrap();
    u64::from_str_radix(queues.split(':').next().unwrap(), 16).unwrap()
}

/// Waits until `met`.
#[cfg(target_os = "linux")]
async fn until(mut met: impl FnMut() -> bool) {
    let mut look = tokio::time::interval(Duration::from_millis(1));
    // Looks that were missed are not made up for.
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let waiting = async {
        while !met() {
            look.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("it does not come to that");
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_reads_nothing_is_cut_off_as_fast() {
    let daemon = TestDaemon::start().await;
    let mut other = Stream::flood(Device::of(&daemon, "tablet").await).await;
    let mut boss = Device::of(&daemon, "boss").await;
    let mut fastest = Duration::MAX;
    for _ in 0..3 {
        let mut deaf = Device::of(&daemon, "deaf").await;
        deaf.acks = false;
        let sessions = open_many(&mut deaf).await;
        for session in &sessions {
            let typed = format!("head -c {} /dev/zero\n", 2 * FIRST_WINDOW);
            deaf.type_in(*session, typed.as_bytes()).await.unwrap();
        }
        let own_port = deaf.line.wire.port();
        // Each session has a window of its own, and what is asked has none: together more than
        // any socket takes. Full when it grows no more, look after look, and is not empty.
        let (mut before, mut looks) = (0, 0);
        let full = until(|| {
            let now = waiting_for(daemon.port(), own_port);
            let same = std::mem::replace(&mut before, now) == now && now > 100_000;
            looks = if same { looks + 1 } else { 0 };
            looks == 300
        });
        tokio::select! {
            () = full => {}
            () = ask_for_ever(&mut deaf, other.session) => {}
        }
        other.goes_on(MIB).await;

        let began = Instant::now();
        daemon.daemon.revoke(id(&deaf.entry)).await.unwrap().unwrap();
        let took = began.elapsed();
        fastest = fastest.min(took);
        assert!(took < Duration::from_secs(5), "it took {took:?}");
        is_out(daemon.port(), &deaf.credentials).await;
        other.goes_on(MIB).await;
        // What had reached it before can be read, and no more: no last word, no reply.
        deaf.request(Request::Ping).await.ok();
        loop {
            match deaf.hear().await {
                // Not its own revocation, nor the reply to the ping.
                Ok(Heard::Closing(reason)) => panic!("a last word: {reason:?}"),
                Ok(Heard::Reply(reply)) if reply.outcome == Outcome::Ok(Answer::Done {}) => {
                    panic!("served: {reply:?}")
                }
                Ok(_) => {}
                Err(error) => {
                    assert!(matches!(error, WireError::Ended), "{error:?}");
                    break;
                }
            }
        }
        for (session, screen) in &deaf.screens {
            assert!(screen.received <= FIRST_WINDOW, "{session} was not held back");
        }
        for session in sessions {
            boss.done(Request::End { session }).await;
        }
    }
    // A machine that is busy may be slower at times.
    assert!(fastest < Duration::from_millis(100), "the fastest took {fastest:?}");
}

/// Asks for more than is read, for as long as that is taken: for the sessions behind `after`.
#[cfg(target_os = "linux")]
async fn ask_for_ever(device: &mut Device, after: SessionId) {
    while device.request(Request::Sessions { after: Some(after) }).await.is_ok() {}
}

/// Sixteen sessions.
#[cfg(target_os = "linux")]
async fn open_many(device: &mut Device) -> Vec<SessionId> {
    let mut sessions = Vec::new();
    for _ in 0..16 {
        sessions.push(device.open_raw().await);
    }
    sessions
}

#[tokio::test]
async fn who_is_not_in_the_list_cannot_be_revoked() {
    let daemon = TestDaemon::start().await;
    let home = daemon.home.path();
    let mut boss = Device::of(&daemon, "boss").await;
    let phone = Device::of(&daemon, "phone").await;
    let phone_id = id(&phone.entry);
    assert!(daemon.daemon.revoke(phone_id).await.unwrap().is_some());
    assert!(daemon.daemon.revoke(phone_id).await.unwrap().is_none());
    assert!(daemon.daemon.revoke("00000000".parse().unwrap()).await.unwrap().is_none());
    let error = control(home).await.revoke("phone").await.unwrap_err();
    let ClientError::Daemon(ControlError::NoDevice { wanted, known }) = error else {
        panic!("{error:?}")
    };
    assert_eq!((wanted.as_str(), known.as_slice()), ("phone", &["boss".to_owned()][..]));
    for device in [phone.entry.id.as_str(), "00000000", "boss", ""] {
        let request = Request::Revoke { device: device.to_owned() };
        assert_eq!(boss.refused(request).await, ErrorCode::NotFound, "{device:?}");
    }
    // Nobody was hurt.
    boss.ask(Request::Ping).await.unwrap();
    assert_eq!(daemon.count().await, 1);

    // The same by the program, which tells what there is.
    let output = codeout(home).args(["devices", "revoke", "phone"]).output().await.unwrap();
    assert_eq!(output.status.code(), Some(15));
    assert!(String::from_utf8_lossy(&output.stderr).contains("boss"), "{output:?}");

    // Paired again it is another device.
    let again = Device::of(&daemon, "phone").await;
    assert_ne!(again.entry.id, phone.entry.id);
    is_out(daemon.port(), &phone.credentials).await;
    is_in(daemon.port(), &again.credentials).await;
}

#[tokio::test]
async fn a_device_may_revoke_itself() {
    let daemon = TestDaemon::start().await;
    let mut phone = Device::of(&daemon, "phone").await;
    let other = Device::of(&daemon, "tablet").await;
    phone.request(Request::Revoke { device: phone.entry.id.clone() }).await.unwrap();
    // No reply: the last word is the answer.
    let ended = phone.until(|_, heard| matches!(heard, Heard::Reply(_)).then_some(())).await;
    assert!(matches!(ended, Err(WireError::Closed(ClosingReason::Revoked))), "{ended:?}");
    is_out(daemon.port(), &phone.credentials).await;
    is_in(daemon.port(), &other.credentials).await;
    assert_eq!(daemon.count().await, 1);
}

#[tokio::test]
async fn two_devices_that_revoke_each_other_end_both_or_one() {
    let daemon = TestDaemon::start().await;
    let mut one = Device::of(&daemon, "one").await;
    let mut two = Device::of(&daemon, "two").await;
    one.request(Request::Revoke { device: two.entry.id.clone() }).await.unwrap();
    two.request(Request::Revoke { device: one.entry.id.clone() }).await.unwrap();
    for device in [&mut one, &mut two] {
        // It may have had its reply before it was revoked in turn.
        let _ = device.until(|_, heard| matches!(heard, Heard::Reply(_)).then_some(())).await;
    }
    let left = daemon.daemon.devices().await.unwrap();
    assert!(left.len() <= 1, "{left:?}");
    for mut device in [one, two] {
        if left.iter().any(|entry| entry.id == device.entry.id) {
            device.ask(Request::Ping).await.unwrap();
        } else {
            // Its connection is closed when it is off the list, and perhaps not yet.
            let served = async { while device.ask(Request::Ping).await.is_ok() {} };
            tokio::time::timeout(PATIENCE, served).await.expect("served for ever");
            is_out(daemon.port(), &device.credentials).await;
        }
    }
}

#[tokio::test]
async fn a_device_that_is_revoked_while_it_connects_does_not_get_in() {
    let daemon = TestDaemon::start().await;
    let phone = Device::of(&daemon, "phone").await;
    let connecting = handshake::connect(phone.credentials.clone(), DeviceEphemeral::generate());
    let (state, m1) = connecting.unwrap();
    let mut wire = Wire::dial(daemon.port()).await.unwrap();
    wire.send(m1).await.unwrap();
    let (state, m3) = state.read_m2(&wire.receive().await.unwrap()).unwrap();
    daemon.daemon.revoke(id(&phone.entry)).await.unwrap().unwrap();
    wire.send(m3).await.unwrap();
    let refused = state.read_m4(&wire.receive().await.unwrap()).map(|_| ());
    assert_eq!(refused, Err(Error::Refused(Refusal::NotPaired)));
    wire.ended().await;
}

/// Connects, and stays as long as it is served, over and over, until it is refused.
async fn insist(port: u16, credentials: DeviceCredentials, revoked: Arc<AtomicBool>) -> usize {
    let mut connections = 0;
    loop {
        let before = revoked.load(Ordering::SeqCst);
        let mut device = match connect_on_wire(port, &credentials).await {
            Ok(device) => device,
            Err(WireError::Protocol(Error::Refused(Refusal::NotPaired))) => return connections,
            // Cut between M3 and M4.
            Err(WireError::Ended) => continue,
            // The daemon has not yet missed those that were given up.
            Err(WireError::Protocol(Error::Alert(Alert::TooManyAttempts))) => continue,
            Err(other) => panic!("{other:?}"),
        };
        assert!(!before, "let in after it was revoked");
        connections += 1;
        // Some are given up at once.
        for _ in 0..connections % 4 {
            let before = revoked.load(Ordering::SeqCst);
            if device.ping().await.is_err() {
                break;
            }
            assert!(!before, "served after it was revoked");
        }
    }
}

// More threads than processors: they get in each other's way at every point.
#[tokio::test(flavor = "multi_thread", worker_threads = 16)]
async fn no_connection_outlives_its_device() {
    let daemon = TestDaemon::start().await;
    let port = daemon.port();
    let bystander = Device::of(&daemon, "bystander").await;
    let mut connections = 0;
    for round in 0..80 {
        let device = Device::of(&daemon, "phone").await;
        let revoked = Arc::new(AtomicBool::new(false));
        let insisting: Vec<_> = (0..14)
            .map(|_| tokio::spawn(insist(port, device.credentials.clone(), Arc::clone(&revoked))))
            .collect();
        let mut events = daemon.daemon.events();
        // At another moment of their connects each time.
        for _ in 0..round % 7 {
            event(&mut events, |event| matches!(event, Event::Connected { .. }).then_some(()))
                .await;
        }
        // Two at once, and one of them finds it.
        let (one, two) = tokio::join!(daemon.daemon.revoke(id(&device.entry)), async {
            control(daemon.home.path()).await.revoke(&device.entry.id).await
        });
        revoked.store(true, Ordering::SeqCst);
        assert!(one.unwrap().is_some() != two.is_ok());
        for insisting in insisting {
            connections += insisting.await.unwrap();
        }
    }
    assert!(connections > 0);
    is_in(port, &bystander.credentials).await;
    assert_eq!(daemon.count().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_is_revoked_while_it_pairs_is_out() {
    let daemon = TestDaemon::start().await;
    let port = daemon.port();
    for _ in 0..40 {
        let code = daemon.offer();
        let mut events = daemon.daemon.events();
        let pairing = tokio::spawn(async move {
            let mut kept = None;
            let result = pair_on_wire(port, &code, &mut kept).await;
            (result, kept.unwrap())
        });
        // As soon as it is written down, which is before P4.
        let written = event(&mut events, |event| match event {
            Event::Paired { device, .. } => Some(device.id),
            _ => None,
        });
        let revoked = daemon.daemon.revoke(written.await).await.unwrap();
        assert!(revoked.is_some());
        let (result, credentials) = pairing.await.unwrap();
        if let Ok(mut established) = result {
            let served = established.ping().await;
            assert!(served.is_err(), "served after it was revoked");
        }
        is_out(port, &credentials).await;
        assert_eq!(daemon.count().await, 0);
    }
}
