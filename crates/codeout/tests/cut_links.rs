//! A link that breaks during pairing, at every point: never is a device half in, and the same
//! device always finishes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::net::TcpListener;
use std::time::Duration;

use codeout_daemon::{Event, LIFETIME};
use codeout_device::{
    ConnectError, How, PairError, PairOutcome, PairProgress, PairRequest, Profiles, State,
};
use codeout_protocol::code::Code;
use codeout_protocol::error::{Error, Refusal};
use codeout_protocol::handshake::{self, DeviceCredentials, DeviceEphemeral};
use codeout_protocol::message::{DeviceEntry, Request};
use codeout_protocol::name::Name;
use codeout_protocol::pairing::{self, AwaitP4, DevicePairing};
use codeout_protocol::sodium::KeyPair;
use support::device::Device;
use support::relay::{Lost, Relay, Then, relay_bytes};
use support::{
    Established, PATIENCE, TestDaemon, Wire, WireError, connect_on_wire, event, pair_on_wire,
};
use tempfile::TempDir;

fn refusal<T>(result: Result<T, WireError>) -> Refusal {
    match result.map(|_| ()) {
        Err(WireError::Protocol(Error::Refused(refusal))) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

/// A device in the middle of its pairing: P3 is made and not yet sent.
struct Midway {
    wire: Wire,
    state: AwaitP4,
    p3: Vec<u8>,
    credentials: DeviceCredentials,
}

async fn midway(port: u16, code: &Code) -> Midway {
    let mut wire = Wire::dial(port).await.unwrap();
    let (state, p1) = pairing::pair(code, DevicePairing::generate());
    wire.send(p1).await.unwrap();
    let state = state.read_p2(&wire.receive().await.unwrap()).unwrap();
    let name = Name::clean("phone").unwrap();
    let (state, p3) = state.present(KeyPair::generate(), &name).unwrap();
    let credentials = state.credentials().clone();
    Midway { wire, state, p3, credentials }
}

/// The device that has just been written to the list.
async fn landed(events: &mut tokio::sync::broadcast::Receiver<Event>) {
    event(events, |event| matches!(event, Event::Paired { .. }).then_some(())).await;
}

async fn disconnected(events: &mut tokio::sync::broadcast::Receiver<Event>) {
    event(events, |event| matches!(event, Event::Disconnected { .. }).then_some(())).await;
}

async fn list(daemon: &TestDaemon) -> Vec<DeviceEntry> {
    daemon.daemon.devices().await.unwrap()
}

/// The only device in the list.
async fn only(daemon: &TestDaemon) -> DeviceEntry {
    let mut list = list(daemon).await;
    assert_eq!(list.len(), 1, "{list:?}");
    list.remove(0)
}

/// Revokes every device.
async fn clear(daemon: &TestDaemon) {
    for device in list(daemon).await {
        daemon.daemon.revoke(device.id.parse().unwrap()).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn before_the_third_message_arrives_nothing_has_happened() {
    let daemon = TestDaemon::start().await;
    let code = daemon.offer();
    let port = daemon.port();
    let mut events = daemon.daemon.events();

    // Cut with nothing said, after P1, after P2, and with P3 made but lost.
    drop(Wire::dial(port).await.unwrap());
    let mut wire = Wire::dial(port).await.unwrap();
    wire.send(pairing::pair(&code, DevicePairing::generate()).1).await.unwrap();
    drop(wire);
    let mut wire = Wire::dial(port).await.unwrap();
    wire.send(pairing::pair(&code, DevicePairing::generate()).1).await.unwrap();
    wire.receive().await.unwrap();
    drop(wire);
    let Midway { wire, credentials, .. } = midway(port, &code).await;
    drop(wire);
    // The daemon has noticed all three.
    for _ in 0..3 {
        event(&mut events, |event| matches!(event, Event::WrongCode { .. }).then_some(())).await;
    }
    assert_eq!(daemon.count().await, 0);
    assert!(!daemon.daemon.current_offer().unwrap().spent);

    // What the device kept is of no use, and the daemon says so; the same code pairs.
    assert_eq!(refusal(connect_on_wire(port, &credentials).await), Refusal::NotPaired);
    let device = Device::pair(port, &code, "phone").await.unwrap();
    assert!(device.entry.unfinished, "it was not finished before its first record");
    assert!(!only(&daemon).await.unfinished);
    assert_eq!(refusal(connect_on_wire(port, &credentials).await), Refusal::NotPaired);
}

/// Whether what a relay let through of a device's P3 was enough to land it.
#[tokio::test]
async fn a_part_of_the_third_message_is_none() {
    let daemon = TestDaemon::start().await;
    // How many bytes a device sends until P4 is there.
    let (relay, passed) = relay_bytes(daemon.port(), usize::MAX).await;
    let whole = midway(relay, &daemon.offer()).await;
    let before_p3 = *passed.borrow();
    let mut established = finish(whole).await.unwrap();
    let with_p3 = *passed.borrow();
    established.ping().await.unwrap();
    assert!(with_p3 - before_p3 > 120);
    assert_eq!(daemon.count().await, 1);

    let code = daemon.offer();
    for limit in (before_p3 + 1..with_p3).step_by(12).chain([with_p3 - 1]) {
        // A port has as many digits, and the messages are as long as before.
        let (relay, mut passed) = relay_bytes(daemon.port(), limit).await;
        assert_eq!(relay.to_string().len(), daemon.port().to_string().len());
        let attempt = midway(relay, &code).await;
        let credentials = attempt.credentials.clone();
        assert!(matches!(finish(attempt).await, Err(WireError::Ended)), "{limit} bytes");
        passed.wait_for(|passed| *passed >= limit).await.unwrap();
        let refused = connect_on_wire(daemon.port(), &credentials).await;
        assert_eq!(refusal(refused), Refusal::NotPaired, "{limit} bytes");
        assert_eq!(daemon.count().await, 1, "{limit} bytes");
    }
    pair_on_wire(daemon.port(), &code, &mut None).await.unwrap();
    assert_eq!(daemon.count().await, 2);
}

/// Sends P3, and reads P4.
async fn finish(midway: Midway) -> Result<Established, WireError> {
    let Midway { mut wire, state, p3, .. } = midway;
    wire.send(p3).await?;
    let (channel, first) = state.read_p4(&wire.receive().await?)?;
    Ok(Established { wire, channel, first })
}

#[tokio::test]
async fn once_the_third_message_has_landed_the_same_device_finishes() {
    let daemon = TestDaemon::start().await;
    let port = daemon.port();
    let code = daemon.offer();
    let mut events = daemon.daemon.events();
    // It sends P3 and is gone.
    let Midway { mut wire, p3, credentials, .. } = midway(port, &code).await;
    wire.send(p3).await.unwrap();
    drop(wire);
    landed(&mut events).await;
    assert!(only(&daemon).await.unfinished);

    // No other device gets anywhere with the code, nor the same one as a new one.
    let other = pair_on_wire(port, &code, &mut None).await;
    assert_eq!(refusal(other), Refusal::AlreadyUsed);

    // The same device connects. That alone finishes nothing: its first record does.
    let mut device = connect_on_wire(port, &credentials).await.unwrap();
    assert!(only(&daemon).await.unfinished);
    device.ping().await.unwrap();
    assert!(!only(&daemon).await.unfinished);
    drop(device);

    // And so it stays.
    let daemon = daemon.restart().await;
    assert!(!only(&daemon).await.unfinished);
    let mut device = connect_on_wire(daemon.port(), &credentials).await.unwrap();
    device.ping().await.unwrap();
}

#[tokio::test]
async fn a_cut_behind_the_fourth_message_is_no_other_case() {
    let daemon = TestDaemon::start().await;
    let port = daemon.port();
    let mut events = daemon.daemon.events();
    // P4 arrives, and no record is sent.
    let mut kept = None;
    drop(pair_on_wire(port, &daemon.offer(), &mut kept).await.unwrap());
    disconnected(&mut events).await;
    assert!(only(&daemon).await.unfinished);
    let mut device = connect_on_wire(port, &kept.unwrap()).await.unwrap();
    device.ping().await.unwrap();
    assert!(!only(&daemon).await.unfinished);
    let id = only(&daemon).await.id.parse().unwrap();
    daemon.daemon.revoke(id).await.unwrap();

    // A record is sent, and its reply never read: that was the first record.
    let mut kept = None;
    let mut established = pair_on_wire(port, &daemon.offer(), &mut kept).await.unwrap();
    established.request(1, Request::Ping).await.unwrap();
    let mut events = daemon.daemon.events();
    drop(established);
    disconnected(&mut events).await;
    assert!(!only(&daemon).await.unfinished);
    connect_on_wire(port, &kept.unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_connect_that_is_cut_changes_nothing() {
    let daemon = TestDaemon::start().await;
    let port = daemon.port();
    let mut events = daemon.daemon.events();
    let Midway { mut wire, p3, credentials, .. } = midway(port, &daemon.offer()).await;
    wire.send(p3).await.unwrap();
    drop(wire);
    landed(&mut events).await;

    let connecting = || handshake::connect(credentials.clone(), DeviceEphemeral::generate());
    // After M1, after M2, after M3, after M4.
    let mut wire = Wire::dial(port).await.unwrap();
    wire.send(connecting().unwrap().1).await.unwrap();
    drop(wire);
    let mut wire = Wire::dial(port).await.unwrap();
    let (state, m1) = connecting().unwrap();
    wire.send(m1).await.unwrap();
    let (_, m3) = state.read_m2(&wire.receive().await.unwrap()).unwrap();
    drop(wire);
    let mut wire = Wire::dial(port).await.unwrap();
    let (state, m1) = connecting().unwrap();
    wire.send(m1).await.unwrap();
    // Of another handshake: it opens in no other.
    let foreign = m3;
    let (_, m3) = state.read_m2(&wire.receive().await.unwrap()).unwrap();
    wire.send(m3).await.unwrap();
    drop(wire);
    drop(connect_on_wire(port, &credentials).await.unwrap());
    let mut wire = Wire::dial(port).await.unwrap();
    wire.send(connecting().unwrap().1).await.unwrap();
    wire.receive().await.unwrap();
    wire.send(foreign).await.unwrap();
    assert_eq!(wire.receive().await.unwrap(), [0xff, 4]);

    assert!(only(&daemon).await.unfinished);
    connect_on_wire(port, &credentials).await.unwrap().ping().await.unwrap();
    assert!(!only(&daemon).await.unfinished);
}

#[tokio::test]
async fn who_never_finishes_is_removed_when_the_time_is_over() {
    let daemon = TestDaemon::start().await;
    let port = daemon.port();
    let mut events = daemon.daemon.events();
    let finished = Device::of(&daemon, "finished").await;
    let mut cut = None;
    drop(pair_on_wire(port, &daemon.offer(), &mut cut).await.unwrap());
    disconnected(&mut events).await;
    let mut open = None;
    let mut connected = pair_on_wire(port, &daemon.offer(), &mut open).await.unwrap();
    let names = |list: Vec<DeviceEntry>| -> Vec<_> {
        list.into_iter().map(|device| (device.name, device.unfinished)).collect()
    };
    let all = [("finished", false), ("phone", true), ("phone-2", true)];
    let all = all.map(|(name, unfinished)| (name.to_owned(), unfinished));

    // Until five minutes have passed, all is as it was.
    daemon.clock.advance(LIFETIME);
    daemon.daemon.housekeep().await.unwrap();
    assert_eq!(names(list(&daemon).await), all);
    connect_on_wire(port, cut.as_ref().unwrap()).await.unwrap();
    disconnected(&mut events).await;

    daemon.clock.advance(Duration::from_secs(1));
    daemon.daemon.housekeep().await.unwrap();
    let gone = event(&mut events, |event| match event {
        Event::Unfinished { device } => Some(device.name.to_string()),
        _ => None,
    });
    assert_eq!(gone.await, "phone");
    assert_eq!(names(list(&daemon).await), [all[0].clone(), all[2].clone()]);
    assert_eq!(refusal(connect_on_wire(port, &cut.unwrap()).await), Refusal::NotPaired);

    // The one that is connected still may finish, an hour later too.
    daemon.clock.advance(Duration::from_secs(3600));
    daemon.daemon.housekeep().await.unwrap();
    assert_eq!(daemon.count().await, 2);
    connected.ping().await.unwrap();
    drop(connected);
    disconnected(&mut events).await;
    daemon.daemon.housekeep().await.unwrap();
    assert_eq!(daemon.count().await, 2);
    for credentials in [finished.credentials, open.unwrap()] {
        connect_on_wire(port, &credentials).await.unwrap().ping().await.unwrap();
    }
}

#[tokio::test]
async fn the_time_to_finish_runs_while_the_daemon_does_not() {
    let daemon = TestDaemon::start().await;
    let finished = Device::of(&daemon, "finished").await.credentials;
    let mut kept = Vec::new();
    for _ in 0..2 {
        let mut events = daemon.daemon.events();
        let mut credentials = None;
        drop(pair_on_wire(daemon.port(), &daemon.offer(), &mut credentials).await.unwrap());
        disconnected(&mut events).await;
        kept.push(credentials.unwrap());
    }
    // A restart alone takes nothing from a device.
    let daemon = daemon.restart().await;
    daemon.daemon.housekeep().await.unwrap();
    assert_eq!(daemon.count().await, 3);
    connect_on_wire(daemon.port(), &kept[0]).await.unwrap().ping().await.unwrap();

    daemon.clock.advance(LIFETIME + Duration::from_secs(1));
    let daemon = daemon.restart().await;
    daemon.daemon.housekeep().await.unwrap();
    assert_eq!(daemon.count().await, 2);
    let refused = connect_on_wire(daemon.port(), &kept[1]).await;
    assert_eq!(refusal(refused), Refusal::NotPaired);
    for credentials in [&finished, &kept[0]] {
        connect_on_wire(daemon.port(), credentials).await.unwrap().ping().await.unwrap();
    }
}

/// A device that connects in the very moment in which it is removed is either in the list or
/// soon without a connection.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_stays_connected_who_was_removed() {
    let daemon = TestDaemon::start().await;
    let port = daemon.port();
    let (mut removed, mut kept) = (0, 0);
    for _ in 0..40 {
        let mut events = daemon.daemon.events();
        let mut credentials = None;
        drop(pair_on_wire(port, &daemon.offer(), &mut credentials).await.unwrap());
        disconnected(&mut events).await;
        daemon.clock.advance(LIFETIME + Duration::from_secs(1));
        let credentials = credentials.unwrap();
        let connecting = tokio::spawn({
            let credentials = credentials.clone();
            async move { connect_on_wire(port, &credentials).await }
        });
        daemon.daemon.housekeep().await.unwrap();
        let connected = connecting.await.unwrap();
        daemon.daemon.housekeep().await.unwrap();
        if let Some(device) = list(&daemon).await.pop() {
            kept += 1;
            connected.unwrap().ping().await.unwrap();
            daemon.daemon.revoke(device.id.parse().unwrap()).await.unwrap();
        } else {
            removed += 1;
            if let Ok(Established { mut wire, .. }) = connected {
                wire.ended().await;
            }
            assert_eq!(refusal(connect_on_wire(port, &credentials).await), Refusal::NotPaired);
        }
    }
    assert_eq!(removed + kept, 40);
}

/// A device as users have it.
struct User {
    home: TempDir,
    profiles: Profiles,
}

impl User {
    fn new() -> Self {
        let home = TempDir::new().unwrap();
        let profiles = Profiles::open(&home.path().join("device/daemons.json")).unwrap();
        User { home, profiles }
    }

    /// The same device after its program has died.
    fn again(self) -> Self {
        let profiles = Profiles::open(&self.home.path().join("device/daemons.json")).unwrap();
        User { home: self.home, profiles }
    }

    fn request(how: How) -> PairRequest {
        let device_name = Name::clean("phone").unwrap();
        PairRequest { how, device_name, expected: None, again: false }
    }

    async fn pair(&self, how: How) -> (Result<PairOutcome, PairError>, Vec<PairProgress>) {
        let mut progress = Vec::new();
        let mut on_progress = |step| progress.push(step);
        let pair = codeout_device::pair(Self::request(how), &self.profiles, &mut on_progress);
        let outcome = tokio::time::timeout(PATIENCE, pair).await.expect("it does not end");
        (outcome, progress)
    }

    /// One daemon is known, and it knows this one device.
    async fn is_paired(&self, daemon: &TestDaemon, what: &str) {
        let profiles = self.profiles.list().unwrap();
        assert_eq!(profiles.len(), 1, "{what}: {profiles:?}");
        assert_eq!(profiles[0].state, State::Paired, "{what}");
        let entry = only(daemon).await;
        assert!(!entry.unfinished, "{what}");
        assert_eq!(entry.name, "phone", "{what}");
        let direct = connect_on_wire(daemon.port(), &profiles[0].credentials).await;
        direct.unwrap().ping().await.unwrap();
    }
}

fn paired(outcome: Result<PairOutcome, PairError>, what: &str) -> codeout_device::Paired {
    match outcome {
        Ok(PairOutcome::Paired(paired)) => paired,
        other => panic!("{what}: {other:?}"),
    }
}

/// What can be lost once P3 is made, link by link.
fn losses() -> Vec<Vec<Lost>> {
    // A link that loses nothing.
    let none = Lost::FromDaemon(usize::MAX);
    vec![
        vec![none],
        vec![Lost::P3],
        vec![Lost::P4],
        vec![Lost::FIRST_RECORD],
        vec![Lost::FIRST_REPLY],
        // M4 tells that P3 was lost; then the next one is.
        vec![Lost::P3, none, Lost::P3],
        // The connection that is to find out loses M2, or M4.
        vec![Lost::P4, Lost::FromDaemon(0)],
        vec![Lost::P4, Lost::FromDaemon(1)],
        vec![Lost::P3, Lost::FromDaemon(1)],
    ]
}

#[tokio::test]
async fn a_loss_before_the_third_message_leaves_nothing_behind() {
    let daemon = TestDaemon::start().await;
    for lost in [Lost::P1, Lost::P2] {
        let code = daemon.offer();
        let relay = Relay::start(daemon.port(), vec![lost], Then::Cut).await;
        let user = User::new();
        let link = daemon.link(&code, relay.port);
        let (outcome, _) = user.pair(How::Link(link.clone())).await;
        assert!(matches!(outcome, Err(PairError::Connect(ConnectError::Cut))), "{outcome:?}");
        assert!(user.profiles.list().unwrap().is_empty());
        assert_eq!(daemon.count().await, 0);
        // The same again works.
        let (outcome, _) = user.pair(How::Link(link)).await;
        paired(outcome, "again");
        user.is_paired(&daemon, "again").await;
        clear(&daemon).await;
    }
}

#[tokio::test]
async fn the_device_library_recovers_by_itself_by_link() {
    let daemon = TestDaemon::start().await;
    for losses in losses() {
        let what = format!("{losses:?}");
        let recovers = losses.iter().any(|lost| [Lost::P3, Lost::P4].contains(lost));
        let code = daemon.offer();
        let relay = Relay::start(daemon.port(), losses, Then::Cut).await;
        let user = User::new();
        let (outcome, progress) = user.pair(How::Link(daemon.link(&code, relay.port))).await;
        let paired = paired(outcome, &what);
        assert_eq!(progress.contains(&PairProgress::Recovering), recovers, "{what}");
        paired.connection.request(Request::Ping).await.unwrap();
        user.is_paired(&daemon, &what).await;
        // The code is used up.
        let other = pair_on_wire(daemon.port(), &code, &mut None).await;
        assert_eq!(refusal(other), Refusal::AlreadyUsed, "{what}");
        clear(&daemon).await;
    }
}

#[tokio::test]
async fn the_device_library_recovers_by_itself_by_code() {
    let daemon = TestDaemon::start().await;
    let fingerprint = daemon.daemon.fingerprint().await.unwrap();
    for lost in [Lost::P3, Lost::P4, Lost::FIRST_RECORD, Lost::FIRST_REPLY] {
        let what = format!("{lost:?}");
        let code = daemon.offer();
        let relay = Relay::start(daemon.port(), vec![lost], Then::Cut).await;
        let user = User::new();
        let address = daemon.link(&code, relay.port).address;
        let (outcome, _) = user.pair(How::Code { address, code }).await;
        let Ok(PairOutcome::Confirm(unconfirmed)) = outcome else { panic!("{what}: {outcome:?}") };
        assert_eq!(unconfirmed.fingerprint().to_string(), fingerprint.to_string());
        // Nothing was sent before the user has compared it.
        assert!(only(&daemon).await.unfinished, "{what}");
        unconfirmed.confirm().await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        user.is_paired(&daemon, &what).await;
        clear(&daemon).await;
    }
}

#[tokio::test]
async fn a_program_that_dies_in_its_pairing_takes_it_up_again() {
    let daemon = TestDaemon::start().await;
    for lost in [Lost::P2, Lost::P3, Lost::P4, Lost::FIRST_RECORD, Lost::FIRST_REPLY] {
        let what = format!("{lost:?}");
        let code = daemon.offer();
        let mut relay = Relay::start(daemon.port(), vec![lost], Then::Hold).await;
        let link = daemon.link(&code, relay.port);
        let user = User::new();
        tokio::select! {
            (outcome, _) = user.pair(How::Link(link.clone())) => panic!("{what}: {outcome:?}"),
            () = relay.lost(1) => {}
        }

        let user = user.again();
        let (outcome, _) = user.pair(How::Link(link)).await;
        paired(outcome, &what);
        user.is_paired(&daemon, &what).await;
        clear(&daemon).await;
    }
}

#[tokio::test]
async fn a_link_that_stays_broken_is_taken_up_when_it_works() {
    let daemon = TestDaemon::start().await;
    let code = daemon.offer();
    // P4 is lost, and so is every answer behind it.
    let losses = [&[Lost::P4][..], &[Lost::FromDaemon(0); 50]].concat();
    let relay = Relay::start(daemon.port(), losses, Then::Cut).await;
    let user = User::new();
    let (outcome, _) = user.pair(How::Link(daemon.link(&code, relay.port))).await;
    assert!(matches!(outcome, Err(PairError::Connect(ConnectError::Cut))), "{outcome:?}");
    let profiles = user.profiles.list().unwrap();
    assert_eq!(profiles.len(), 1);
    assert_eq!(profiles[0].state, State::Pending);
    assert!(only(&daemon).await.unfinished);

    let user = user.again();
    let (outcome, _) = user.pair(How::Link(daemon.link(&code, daemon.port()))).await;
    paired(outcome, "later");
    user.is_paired(&daemon, "later").await;
}

#[tokio::test]
async fn who_says_that_the_fingerprints_differ_is_forgotten_by_both() {
    let daemon = TestDaemon::start().await;
    let code = daemon.offer();
    let mut events = daemon.daemon.events();
    let user = User::new();
    let address = daemon.address();
    let (outcome, _) = user.pair(How::Code { address, code }).await;
    let Ok(PairOutcome::Confirm(unconfirmed)) = outcome else { panic!("{outcome:?}") };
    let credentials = user.profiles.list().unwrap().remove(0).credentials;
    unconfirmed.differ().await.unwrap();
    assert!(user.profiles.list().unwrap().is_empty());
    disconnected(&mut events).await;
    assert!(only(&daemon).await.unfinished);
    daemon.clock.advance(LIFETIME + Duration::from_secs(1));
    daemon.daemon.housekeep().await.unwrap();
    assert_eq!(daemon.count().await, 0);
    assert_eq!(refusal(connect_on_wire(daemon.port(), &credentials).await), Refusal::NotPaired);
}

#[tokio::test]
async fn a_daemon_that_dies_in_a_pairing_is_found_again() {
    let daemon = TestDaemon::start().await;
    let code = daemon.offer();
    let port = daemon.port();
    let mut events = daemon.daemon.events();
    let Midway { mut wire, p3, credentials, .. } = midway(port, &code).await;
    wire.send(p3).await.unwrap();
    landed(&mut events).await;
    // Whatever of P4 was sent is not read any more.
    let daemon = daemon.restart().await;
    connect_on_wire(daemon.port(), &credentials).await.unwrap().ping().await.unwrap();
    assert!(!only(&daemon).await.unfinished);
    // The old daemon's port is free again.
    TcpListener::bind(("127.0.0.1", port)).unwrap();
}
