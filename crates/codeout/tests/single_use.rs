//! One offer, one device: who gets in with a code, until when, and after how many guesses.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use codeout_daemon::devices::Devices;
use codeout_daemon::{Clock, Event, LIFETIME, OfferLimits, SystemClock};
use codeout_device::{How, PairOutcome, PairProgress, PairRequest, Profiles};
use codeout_protocol::code::Code;
use codeout_protocol::error::{Alert, Error, Refusal};
use codeout_protocol::handshake::DeviceCredentials;
use codeout_protocol::message::{
    Answer, ClosingReason, ErrorCode, Event as News, Limits, Outcome, Request,
};
use codeout_protocol::name::Name;
use codeout_protocol::pairing::{self, AwaitP4, DevicePairing};
use codeout_protocol::sodium::{KeyPair, Psk};
use support::device::{Device, SIZE, shell};
use support::process::control;
use support::{
    Established, TestClock, TestDaemon, Wire, WireError, connect_on_wire, event, pair_named,
    pair_on_wire,
};
use tempfile::TempDir;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const TOO_MANY: [u8; 2] = [0xff, 2];

fn refusal(result: Result<Established, WireError>) -> Refusal {
    match result.map(|_| ()) {
        Err(WireError::Protocol(Error::Refused(refusal))) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

async fn try_code(daemon: &TestDaemon, code: &Code) -> Result<Established, WireError> {
    pair_on_wire(daemon.port(), code, &mut None).await
}

/// Goes as far as P2, and makes P3.
async fn proved(port: u16, code: &Code) -> (Wire, AwaitP4, Vec<u8>) {
    let mut wire = Wire::dial(port).await.unwrap();
    let (state, p1) = pairing::pair(code, DevicePairing::generate());
    wire.send(p1).await.unwrap();
    let state = state.read_p2(&wire.receive().await.unwrap()).unwrap();
    let name = Name::clean("phone").unwrap();
    let (state, p3) = state.present(KeyPair::generate(), &name).unwrap();
    (wire, state, p3)
}

/// Sends P3 and reads what comes back.
async fn present(
    (mut wire, state, p3): (Wire, AwaitP4, Vec<u8>),
) -> Result<Established, WireError> {
    wire.send(p3).await?;
    let (channel, first) = state.read_p4(&wire.receive().await?)?;
    Ok(Established { wire, channel, first })
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_devices_with_the_right_code_one_is_paired() {
    let daemon = TestDaemon::start().await;
    let code = daemon.offer();
    let port = daemon.port();
    let attempts: Vec<_> = (0..100)
        .map(|_| {
            let code = code.clone();
            tokio::spawn(async move { pair_on_wire(port, &code, &mut None).await.map(|_| ()) })
        })
        .collect();
    let (mut paired, mut used) = (0, 0);
    for attempt in attempts {
        match attempt.await.unwrap() {
            Ok(()) => paired += 1,
            Err(WireError::Protocol(Error::Refused(Refusal::AlreadyUsed))) => used += 1,
            Err(other) => panic!("unexpected: {other:?}"),
        }
    }
    assert_eq!((paired, used), (1, 99));
    assert_eq!(daemon.count().await, 1);
}

/// Guesses at a code until it is told to stop, but so many at least.
struct Flood {
    port: u16,
    clock: Arc<TestClock>,
    /// Whether each guess turns the clock.
    turns: AtomicBool,
    stop: AtomicBool,
    made: AtomicUsize,
    answered: AtomicUsize,
    turned_away: AtomicUsize,
}

impl Flood {
    const GUESSES: usize = 3_000;
    /// The burst that the daemon answers, and what it answers in a second.
    const BURST: usize = 128;
    const PER_SECOND: usize = 100;
    /// By how much a guess turns the clock: seven of ten are answered.
    const STEP: Duration = Duration::from_millis(7);

    async fn guess(&self) {
        if self.turns.load(Ordering::SeqCst) {
            self.clock.advance(Self::STEP);
        }
        let mut wire = Wire::dial(self.port).await.unwrap();
        let (state, p1) = pairing::pair(&Code::random(), DevicePairing::generate());
        wire.send(p1).await.unwrap();
        let p2 = wire.receive().await.unwrap();
        if p2 == TOO_MANY {
            self.turned_away.fetch_add(1, Ordering::SeqCst);
            wire.ended().await;
        } else {
            assert!(matches!(state.read_p2(&p2), Err(Error::WrongCode)));
            self.answered.fetch_add(1, Ordering::SeqCst);
        }
        self.made.fetch_add(1, Ordering::SeqCst);
    }

    async fn run(self: Arc<Self>) {
        while !self.stop.load(Ordering::SeqCst) || self.made.load(Ordering::SeqCst) < Self::GUESSES
        {
            self.guess().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_guesses_is_slowed_and_keeps_nobody_with_the_code_out() {
    let daemon = TestDaemon::start().await;
    let code = daemon.offer();
    let flood = Arc::new(Flood {
        port: daemon.port(),
        clock: Arc::clone(&daemon.clock),
        turns: AtomicBool::new(false),
        stop: AtomicBool::new(false),
        made: AtomicUsize::new(0),
        answered: AtomicUsize::new(0),
        turned_away: AtomicUsize::new(0),
    });
    // The clock stands: the burst is answered, and then nothing more.
    for _ in 0..Flood::BURST + 10 {
        flood.guess().await;
    }
    assert_eq!(flood.answered.load(Ordering::SeqCst), Flood::BURST);
    assert_eq!(flood.turned_away.load(Ordering::SeqCst), 10);
    let guessers: Vec<_> = (0..64).map(|_| tokio::spawn(Arc::clone(&flood).run())).collect();

    // What comes now is turned away too, and has to try again while the guesses go on.
    let home = TempDir::new().unwrap();
    let profiles = Profiles::open(&home.path().join("device/daemons.json")).unwrap();
    let request = PairRequest {
        how: How::Link(daemon.link(&code, daemon.port())),
        device_name: Name::clean("honest").unwrap(),
        expected: None,
        again: false,
    };
    let mut waits = 0;
    let turns = Arc::clone(&flood);
    let mut on_progress = |progress| {
        assert!(matches!(progress, PairProgress::Busy { .. }), "{progress:?}");
        waits += 1;
        turns.turns.store(true, Ordering::SeqCst);
    };
    let outcome = codeout_device::pair(request, &profiles, &mut on_progress).await.unwrap();
    assert!(matches!(outcome, PairOutcome::Paired(_)));
    assert!(waits > 0, "it was never turned away");

    flood.stop.store(true, Ordering::SeqCst);
    for guesser in guessers {
        guesser.await.unwrap();
    }
    let answered = flood.answered.load(Ordering::SeqCst) + 1;
    let allowed = daemon.clock.since_boot().as_millis() as usize * Flood::PER_SECOND / 1000;
    assert!(answered <= Flood::BURST + allowed, "{answered} of {allowed} more than the burst");
    assert!(answered > Flood::BURST, "the clock gave nothing back");
    assert!(flood.turned_away.load(Ordering::SeqCst) > 10);

    let devices = daemon.daemon.devices().await.unwrap();
    assert_eq!(devices.len(), 1);
    assert_eq!(devices[0].name, "honest");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_attempt_is_told_with_its_source() {
    let daemon = TestDaemon::start().await;
    let code = daemon.offer();
    let mut events = daemon.daemon.events();
    let wrong = async |events: &mut broadcast::Receiver<Event>| {
        let next = event(events, |event| match event {
            Event::WrongCode { source } => Some(source),
            other => panic!("unexpected: {other:?}"),
        });
        assert_eq!(next.await, HOME);
    };
    // A guess.
    for _ in 0..20 {
        let result = try_code(&daemon, &Code::random()).await.map(|_| ());
        assert!(matches!(result, Err(WireError::Protocol(Error::WrongCode))), "{result:?}");
        wrong(&mut events).await;
    }
    // One that goes away in the middle.
    drop(proved(daemon.port(), &code).await);
    wrong(&mut events).await;
    // One with a wrong proof, or none, or half of one.
    for spoil in [0, 31, 32, 79, 80, 120] {
        let (mut wire, state, mut p3) = proved(daemon.port(), &code).await;
        p3[spoil] ^= 1;
        // The last field alone is no part of the proof.
        if spoil >= p3.len() - 24 {
            continue;
        }
        wire.send(p3).await.unwrap();
        let answer = wire.receive().await.unwrap();
        let error = state.read_p4(&answer).map(|_| ()).unwrap_err();
        assert_eq!(error, Error::Alert(Alert::Malformed), "byte {spoil}");
        wire.ended().await;
        wrong(&mut events).await;
    }
    for length in [0, 1, 120, 185, 2000] {
        let (mut wire, state, _) = proved(daemon.port(), &code).await;
        wire.send(vec![7; length]).await.unwrap();
        let answer = wire.receive().await.unwrap();
        let error = state.read_p4(&answer).map(|_| ()).unwrap_err();
        assert_eq!(error, Error::Alert(Alert::Malformed), "length {length}");
        wrong(&mut events).await;
    }
    assert_eq!(daemon.count().await, 0);
    assert!(!daemon.daemon.current_offer().unwrap().spent);
    try_code(&daemon, &code).await.unwrap();
}

#[tokio::test]
async fn an_offer_is_good_until_five_minutes_have_passed() {
    let daemon = TestDaemon::start().await;
    let last = LIFETIME - Duration::from_millis(1);
    let code = daemon.offer();
    let early = proved(daemon.port(), &code).await;
    daemon.clock.advance(last);
    present(early).await.unwrap();
    assert_eq!(daemon.count().await, 1);

    // The same, a millisecond later: begun in time is not enough.
    let code = daemon.offer();
    let early = proved(daemon.port(), &code).await;
    daemon.clock.advance(last);
    let late = proved(daemon.port(), &code).await;
    daemon.clock.advance(Duration::from_millis(1));
    let mut events = daemon.daemon.events();
    assert_eq!(refusal(present(early).await), Refusal::Expired);
    assert_eq!(refusal(present(late).await), Refusal::Expired);
    assert_eq!(refusal(try_code(&daemon, &code).await), Refusal::Expired);
    for _ in 0..3 {
        let used = event(&mut events, |event| match event {
            Event::StaleCode { used, source: HOME } => Some(used),
            _ => None,
        });
        assert!(!used.await);
    }
    assert_eq!(daemon.count().await, 1);
    assert_eq!(daemon.daemon.current_offer().unwrap().expires_in, Duration::ZERO);
}

#[tokio::test]
async fn a_machine_that_slept_does_not_keep_its_offer() {
    let daemon = TestDaemon::start().await;
    let code = daemon.offer();
    let before_sleep = proved(daemon.port(), &code).await;
    daemon.clock.advance(Duration::from_secs(8 * 3600));
    assert_eq!(refusal(present(before_sleep).await), Refusal::Expired);
    assert_eq!(refusal(try_code(&daemon, &code).await), Refusal::Expired);
    assert_eq!(daemon.count().await, 0);
    // The next offer has its whole time.
    try_code(&daemon, &daemon.offer()).await.unwrap();
}

/// `/proc/uptime` counts the time that the machine has slept.
#[cfg(target_os = "linux")]
#[test]
fn the_machines_own_clock_counts_sleep() {
    let uptime = || {
        let text = std::fs::read_to_string("/proc/uptime").unwrap();
        let seconds: f64 = text.split(' ').next().unwrap().parse().unwrap();
        Duration::from_secs_f64(seconds)
    };
    let before = uptime();
    let clock = SystemClock.since_boot();
    let after = uptime();
    // It has two decimals, cut off.
    let cut = Duration::from_millis(11);
    assert!(before <= clock + cut && clock <= after + cut, "{before:?} {clock:?} {after:?}");
}

#[tokio::test]
async fn a_fresh_offer_ends_the_one_before() {
    let daemon = TestDaemon::start().await;
    let old = daemon.offer();
    let begun = proved(daemon.port(), &old).await;
    let fresh = daemon.offer();
    // Who proved the old code hears that its time is over, others that it is wrong.
    assert_eq!(refusal(present(begun).await), Refusal::Expired);
    let result = try_code(&daemon, &old).await.map(|_| ());
    assert!(matches!(result, Err(WireError::Protocol(Error::WrongCode))), "{result:?}");
    assert_eq!(daemon.count().await, 0);
    try_code(&daemon, &fresh).await.unwrap();
    assert_eq!(refusal(try_code(&daemon, &fresh).await), Refusal::AlreadyUsed);
}

#[tokio::test]
async fn who_comes_second_is_told_with_his_source() {
    let daemon = TestDaemon::start().await;
    let code = daemon.offer();
    try_code(&daemon, &code).await.unwrap();
    let mut events = daemon.daemon.events();
    assert_eq!(refusal(try_code(&daemon, &code).await), Refusal::AlreadyUsed);
    let used = event(&mut events, |event| match event {
        Event::StaleCode { used, source: HOME } => Some(used),
        _ => None,
    });
    assert!(used.await);
    assert_eq!(daemon.count().await, 1);
}

#[tokio::test]
async fn before_the_first_offer_nobody_gets_an_answer() {
    let daemon = TestDaemon::start().await;
    let result = try_code(&daemon, &Code::random()).await.map(|_| ());
    let no_offer = Error::Alert(Alert::NoOffer);
    assert!(matches!(&result, Err(WireError::Protocol(error)) if *error == no_offer), "{result:?}");
}

#[tokio::test]
async fn a_first_message_is_answered_once() {
    let daemon = TestDaemon::start().await;
    let code = daemon.offer();
    let (state, p1) = pairing::pair(&code, DevicePairing::generate());
    let mut first = Wire::dial(daemon.port()).await.unwrap();
    first.send(p1.clone()).await.unwrap();
    let p2 = first.receive().await.unwrap();

    // The same again, and another one with the same session identifier.
    let (_, mut other) = pairing::pair(&code, DevicePairing::generate());
    other[3..19].copy_from_slice(&p1[3..19]);
    for repeated in [p1.clone(), other] {
        let mut wire = Wire::dial(daemon.port()).await.unwrap();
        wire.send(repeated).await.unwrap();
        assert_eq!(wire.receive().await.unwrap(), Alert::Malformed.message());
        wire.ended().await;
    }

    // The first one goes on all the same.
    let state = state.read_p2(&p2).unwrap();
    let name = Name::clean("phone").unwrap();
    let (state, p3) = state.present(KeyPair::generate(), &name).unwrap();
    present((first, state, p3)).await.unwrap();

    // Under the next offer it is a guess like any other.
    daemon.offer();
    let mut wire = Wire::dial(daemon.port()).await.unwrap();
    wire.send(p1).await.unwrap();
    assert_eq!(wire.receive().await.unwrap().len(), p2.len());
}

/// A daemon that asks before a device gets in.
async fn asking() -> (TestDaemon, broadcast::Receiver<Event>) {
    let daemon = TestDaemon::start_with(|config| config.confirm = true).await;
    let events = daemon.daemon.events();
    (daemon, events)
}

/// A device that proves a code and waits.
fn proposing(daemon: &TestDaemon, code: &Code) -> JoinHandle<Result<Established, WireError>> {
    let (port, code) = (daemon.port(), code.clone());
    tokio::spawn(async move { pair_on_wire(port, &code, &mut None).await })
}

async fn question(events: &mut broadcast::Receiver<Event>) -> u64 {
    event(events, |event| match event {
        Event::ConfirmationNeeded { request, name, source } => {
            assert_eq!(name.as_ref().map(Name::as_str), Some("phone"));
            assert_eq!(source, HOME);
            Some(request)
        }
        _ => None,
    })
    .await
}

async fn question_over(events: &mut broadcast::Receiver<Event>, wanted: u64) {
    let over = |event| matches!(event, Event::ConfirmationOver { request } if request == wanted);
    event(events, |event| over(event).then_some(())).await;
}

#[tokio::test]
async fn a_device_that_is_let_in_by_hand_is_not_in_before() {
    let (daemon, mut events) = asking().await;
    let code = daemon.offer();
    let device = proposing(&daemon, &code);
    let request = question(&mut events).await;
    // Meanwhile nothing is written, and the offer is nobody else's.
    assert_eq!(daemon.count().await, 0);
    assert!(daemon.daemon.current_offer().unwrap().spent);
    for _ in 0..3 {
        assert_eq!(refusal(try_code(&daemon, &code).await), Refusal::AlreadyUsed);
    }
    assert!(!device.is_finished());
    assert!(!daemon.daemon.decide(request + 1, true), "a question that nobody asked");
    assert_eq!(daemon.count().await, 0);

    assert!(daemon.daemon.decide(request, true));
    device.await.unwrap().unwrap().ping().await.unwrap();
    question_over(&mut events, request).await;
    assert_eq!(daemon.count().await, 1);
    assert!(!daemon.daemon.decide(request, false), "it was answered already");
    assert_eq!(daemon.count().await, 1);
}

#[tokio::test]
async fn a_device_that_is_declined_used_the_offer_up() {
    let (daemon, mut events) = asking().await;
    let code = daemon.offer();
    let number = daemon.daemon.current_offer().unwrap().number;
    let device = proposing(&daemon, &code);
    let request = question(&mut events).await;
    assert!(daemon.daemon.decide(request, false));
    assert_eq!(refusal(device.await.unwrap()), Refusal::Declined);
    let declined = event(&mut events, |event| match event {
        Event::Declined { offer } => Some(offer),
        _ => None,
    });
    assert_eq!(declined.await, number);
    assert_eq!(refusal(try_code(&daemon, &code).await), Refusal::AlreadyUsed);
    assert_eq!(daemon.count().await, 0);
}

#[tokio::test]
async fn a_question_ends_with_its_offer_when_that_is_replaced() {
    let (daemon, mut events) = asking().await;
    let device = proposing(&daemon, &daemon.offer());
    let old = question(&mut events).await;
    let fresh = daemon.offer();
    // Nobody has to answer any more.
    question_over(&mut events, old).await;
    assert_eq!(refusal(device.await.unwrap()), Refusal::Expired);
    assert!(!daemon.daemon.decide(old, true));
    assert_eq!(daemon.count().await, 0);

    // The fresh offer is not touched by it.
    assert!(!daemon.daemon.current_offer().unwrap().spent);
    let device = proposing(&daemon, &fresh);
    let request = question(&mut events).await;
    assert!(daemon.daemon.decide(request, true));
    device.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_yes_that_comes_after_the_offers_time_is_too_late() {
    let (daemon, mut events) = asking().await;
    let code = daemon.offer();
    let device = proposing(&daemon, &code);
    let request = question(&mut events).await;
    daemon.clock.advance(LIFETIME);
    daemon.daemon.decide(request, true);
    assert_eq!(refusal(device.await.unwrap()), Refusal::Expired);
    assert_eq!(daemon.count().await, 0);
    // Nobody got in with it.
    assert_eq!(refusal(try_code(&daemon, &code).await), Refusal::Expired);
}

#[tokio::test]
async fn a_question_ends_with_its_offers_time() {
    let (daemon, mut events) = asking().await;
    let device = proposing(&daemon, &daemon.offer());
    let request = question(&mut events).await;
    // As after a sleep of the machine.
    daemon.clock.advance(LIFETIME);
    daemon.daemon.housekeep().await.unwrap();
    question_over(&mut events, request).await;
    assert_eq!(refusal(device.await.unwrap()), Refusal::Expired);
    assert!(!daemon.daemon.decide(request, true));
    assert_eq!(daemon.count().await, 0);
}

async fn pair_with(daemon: &TestDaemon, limits: OfferLimits) -> Device {
    let code = daemon.daemon.offer(limits).code;
    Device::pair(daemon.port(), &code, "guest").await.unwrap()
}

#[tokio::test]
async fn a_device_that_may_watch_may_do_nothing_else() {
    let daemon = TestDaemon::start().await;
    let limits = OfferLimits { watch_only: true, for_seconds: None };
    let mut device = pair_with(&daemon, limits).await;
    assert_eq!(device.entry.limits, Limits { watch_only: true, expires_at: None });
    let id = device.entry.id.clone();
    for request in [
        Request::Open(shell()),
        Request::Resize { session: 1, size: SIZE },
        Request::End { session: 1 },
        Request::Offer { watch_only: true, for_seconds: Some(1) },
        Request::Revoke { device: id.clone() },
        Request::Rename { device: id, name: "boss".to_owned() },
    ] {
        assert_eq!(device.refused(request.clone()).await, ErrorCode::NotAllowed, "{request:?}");
    }
    let outcome = device.ask(Request::Devices).await.unwrap();
    let Outcome::Ok(Answer::Devices { devices }) = outcome else { panic!("{outcome:?}") };
    assert_eq!(devices.len(), 1);
    assert_eq!(devices[0].name, "guest");
    // Nothing of what it asked was done, also after a new connection.
    assert!(daemon.daemon.current_offer().unwrap().spent);
    let mut device = Device::connect(daemon.port(), &device.credentials).await.unwrap();
    assert_eq!(device.refused(Request::Open(shell())).await, ErrorCode::NotAllowed);
    assert_eq!(daemon.daemon.sessions(), []);
}

#[tokio::test]
async fn a_device_with_a_limited_time_is_out_when_it_is_over() {
    let daemon = TestDaemon::start().await;
    let limits = OfferLimits { watch_only: false, for_seconds: Some(7200) };
    let begun = daemon.clock.unix();
    let mut device = pair_with(&daemon, limits).await;
    let limits = Limits { watch_only: false, expires_at: Some(begun + 7200) };
    assert_eq!(device.entry.limits, limits);
    let id = device.entry.id.clone();
    // It has no say over others, but it may work.
    for request in [
        Request::Offer { watch_only: false, for_seconds: None },
        Request::Revoke { device: id.clone() },
        Request::Rename { device: id, name: "boss".to_owned() },
    ] {
        assert_eq!(device.refused(request.clone()).await, ErrorCode::NotAllowed, "{request:?}");
    }
    device.open().await;

    daemon.clock.advance(Duration::from_secs(7199));
    daemon.daemon.housekeep().await.unwrap();
    device.ask(Request::Ping).await.unwrap();
    connect_on_wire(daemon.port(), &device.credentials).await.unwrap().ping().await.unwrap();

    daemon.clock.advance(Duration::from_secs(1));
    let refused = connect_on_wire(daemon.port(), &device.credentials).await;
    assert_eq!(refusal(refused), Refusal::NotPaired);
    daemon.daemon.housekeep().await.unwrap();
    assert_eq!(device.last_word().await.unwrap(), ClosingReason::Expired);
    let refused = connect_on_wire(daemon.port(), &device.credentials).await;
    assert_eq!(refusal(refused), Refusal::NotPaired);
}

async fn pair_as(daemon: &TestDaemon, name: &str) -> String {
    let name = Name::clean(name).unwrap();
    let code = daemon.offer();
    let paired = pair_named(daemon.port(), &code, &name, &mut None).await.unwrap();
    let credentials = DeviceCredentials {
        daemon_key: daemon.link(&code, 1).daemon_key,
        device: KeyPair::generate(),
        token: codeout_protocol::sodium::Token::from_bytes(&[0; 32]),
    };
    Device::new(paired, credentials).entry.name
}

#[tokio::test]
async fn names_are_unlike_each_other() {
    let daemon = TestDaemon::start().await;
    let long = "x".repeat(64);
    for (proposed, given) in [
        ("phone", "phone".to_owned()),
        ("phone", "phone-2".to_owned()),
        ("Phone", "Phone-3".to_owned()),
        ("phone-2", "phone-2-2".to_owned()),
        (&long, long.clone()),
        (&long, format!("{}-2", &long[..62])),
    ] {
        assert_eq!(pair_as(&daemon, proposed).await, given);
    }
}

#[tokio::test]
async fn a_new_name_is_cleaned_and_unlike_the_others() {
    let daemon = TestDaemon::start().await;
    let mut device = Device::of(&daemon, "phone").await;
    let other = Device::of(&daemon, "tablet").await;
    let (own, others) = (device.entry.id.clone(), other.entry.id.clone());
    for (wanted, given) in [
        ("\u{1b}[2J\u{202e}evil\r\n  name\u{0}\u{7}", "[2Jevil name"),
        (" \u{feff}Tablet\u{200b} ", "Tablet-2"),
        (others.as_str(), &format!("{others}-2")),
    ] {
        let request = Request::Rename { device: own.clone(), name: wanted.to_owned() };
        let outcome = device.ask(request).await.unwrap();
        assert_eq!(outcome, Outcome::Ok(Answer::Renamed { name: given.to_owned() }));
    }
    for nothing in ["", " \t", "\u{1b}\u{202e}"] {
        let request = Request::Rename { device: own.clone(), name: nothing.to_owned() };
        assert_eq!(device.refused(request).await, ErrorCode::BadRequest);
    }
    let unknown = Request::Rename { device: "zzzzzzzz".to_owned(), name: "x".to_owned() };
    assert_eq!(device.refused(unknown).await, ErrorCode::NotFound);

    // The same at the daemon's own socket.
    let client = control(daemon.home.path()).await;
    let renamed = client.rename("tablet", "a\u{9b}\n b").await.unwrap();
    assert_eq!((renamed.id, renamed.name.as_str()), (others, "a b"));
    let client = control(daemon.home.path()).await;
    let error = client.rename("a b", "\u{7f}").await.unwrap_err();
    assert!(error.to_string().starts_with("a name has 1 to 64 bytes, no control or "), "{error}");
}

#[tokio::test]
async fn the_other_devices_are_told_of_a_new_one() {
    let daemon = TestDaemon::start().await;
    let mut first = Device::of(&daemon, "first").await;
    let mut second = Device::of(&daemon, "second").await;
    let told = |expected: &str, device: &Device| match device.news.as_slice() {
        [News::DevicePaired { device }] => {
            assert_eq!(device.name, expected);
            assert!(!device.this);
        }
        other => panic!("{other:?}"),
    };
    first.ask(Request::Ping).await.unwrap();
    told("second", &first);
    first.news.clear();

    let mut third = Device::of(&daemon, "third").await;
    first.until(|device, _| (!device.news.is_empty()).then_some(())).await.unwrap();
    second.until(|device, _| (!device.news.is_empty()).then_some(())).await.unwrap();
    third.ask(Request::Ping).await.unwrap();
    told("third", &first);
    told("third", &second);
    assert_eq!(third.news, []);
}

#[tokio::test]
async fn there_is_room_for_128_devices_and_no_more() {
    let daemon = TestDaemon::start().await;
    let list = Devices::open(&daemon.home.path().join("daemon/devices.db")).unwrap();
    let limits = Limits { watch_only: false, expires_at: None };
    for _ in 0..127 {
        let key = KeyPair::generate().public;
        list.insert(&key, &Psk::random(), None, limits, daemon.clock.unix()).unwrap();
    }
    let last = Device::of(&daemon, "last").await;
    assert_eq!(daemon.count().await, 128);

    // The one too many hears nothing, and is not in; the offer is as before.
    let code = daemon.offer();
    let mut events = daemon.daemon.events();
    let mut kept = None;
    let result = pair_on_wire(daemon.port(), &code, &mut kept).await.map(|_| ());
    assert!(matches!(result, Err(WireError::Ended)), "{result:?}");
    let reason = event(&mut events, |event| match event {
        Event::StoreFailed { reason } => Some(reason),
        _ => None,
    });
    assert!(reason.await.contains("128"));
    assert_eq!(daemon.count().await, 128);
    assert!(!daemon.daemon.current_offer().unwrap().spent);
    let refused = connect_on_wire(daemon.port(), &kept.unwrap()).await;
    assert_eq!(refusal(refused), Refusal::NotPaired);

    // As soon as there is room, the same code pairs.
    let id = last.entry.id.parse().unwrap();
    daemon.daemon.revoke(id).await.unwrap().unwrap();
    try_code(&daemon, &code).await.unwrap();
    assert_eq!(daemon.count().await, 128);
}
