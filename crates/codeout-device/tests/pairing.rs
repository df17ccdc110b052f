//! Pairing with a daemon over real sockets: both ways in, and everything that may go wrong.

#![allow(clippy::unwrap_used, reason = "a test that fails")]

mod daemon;

use codeout_device::{
    Broken, ConnectError, How, PairError, PairOutcome, PairProgress, PairRequest, Paired, Profile,
    Profiles, State, Unconfirmed, connect,
};
use codeout_protocol::error::{Alert, Refusal};
use codeout_protocol::fingerprint::Fingerprint;
use codeout_protocol::link::Link;
use codeout_protocol::message::{ClosingReason, Request};
use codeout_protocol::pairing::PairRefusal;
use codeout_protocol::sodium::KeyPair;
use daemon::{Behaviour, TestDaemon, name, request, store};

async fn pair(request: PairRequest, profiles: &Profiles) -> Result<PairOutcome, PairError> {
    codeout_device::pair(request, profiles, &mut |_| {}).await
}

async fn paired(request: PairRequest, profiles: &Profiles) -> Paired {
    match pair(request, profiles).await.unwrap() {
        PairOutcome::Paired(paired) => paired,
        PairOutcome::Confirm(_) => panic!("nothing is to be confirmed"),
    }
}

async fn unconfirmed(request: PairRequest, profiles: &Profiles) -> Unconfirmed {
    match pair(request, profiles).await.unwrap() {
        PairOutcome::Confirm(unconfirmed) => unconfirmed,
        PairOutcome::Paired(_) => panic!("the fingerprint is to be confirmed"),
    }
}

fn only(profiles: &Profiles) -> Profile {
    let mut list = profiles.list().unwrap();
    assert_eq!(list.len(), 1, "{list:?}");
    list.remove(0)
}

fn nothing(profiles: &Profiles) -> bool {
    profiles.list().unwrap().is_empty()
}

/// That the pairing is whole: what is stored connects, and so does what was returned.
async fn check(paired: Paired, profiles: &Profiles) {
    paired.connection.request(Request::Ping).await.unwrap();
    let closed = paired.connection.close().await;
    assert_eq!(closed, codeout_device::Closed::ByDaemon(ClosingReason::Goodbye));
    let profile = only(profiles);
    assert_eq!(profile.state, State::Paired);
    assert_eq!(profile.name, "Work desk[31m");
    assert_eq!(profile.credentials.device.public, paired.profile.credentials.device.public);
    let connection = connect(&profile).await.unwrap();
    assert_eq!(connection.welcome().daemon, "Work desk[31m");
    assert_eq!(connection.welcome().device.name, "laptop");
}

#[tokio::test]
async fn by_link() {
    let daemon = TestDaemon::start().await;
    let (_directory, profiles) = store();
    let paired = paired(request(daemon.link()), &profiles).await;
    let fingerprint = Fingerprint::of(&daemon.identity.public).unwrap();
    assert_eq!(paired.profile.fingerprint, Some(fingerprint));
    assert_eq!(paired.profile.address, daemon.address);
    assert_eq!(daemon.seen().records, 1);
    check(paired, &profiles).await;
}

#[tokio::test]
async fn by_code_and_confirmed() {
    let daemon = TestDaemon::start().await;
    let (_directory, profiles) = store();
    let unconfirmed = unconfirmed(request(daemon.typed()), &profiles).await;
    assert_eq!(unconfirmed.fingerprint(), Fingerprint::of(&daemon.identity.public).unwrap());
    let profile = only(&profiles);
    assert_eq!((profile.state, profile.name.as_str()), (State::Unconfirmed, "127.0.0.1"));
    assert_eq!(daemon.seen().records, 0);
    let refused = connect(&profile).await.unwrap_err();
    assert!(matches!(refused, ConnectError::Unconfirmed { .. }));
    check(unconfirmed.confirm().await.unwrap(), &profiles).await;
}

#[tokio::test]
async fn they_differ_forgets_everything_and_has_sent_nothing() {
    let mut daemon = TestDaemon::start().await;
    daemon.behave([Behaviour::ByHand]);
    let (directory, profiles) = store();
    let unconfirmed = unconfirmed(request(daemon.typed()), &profiles).await;
    let token = only(&profiles).credentials.token;
    unconfirmed.differ().await.unwrap();
    assert!(nothing(&profiles));
    let file = std::fs::read(directory.path().join("codeout/daemons.json")).unwrap();
    let hex: String = token.expose().iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(!file.windows(64).any(|window| window == hex.as_bytes()));
    let mut peer = daemon.by_hand.recv().await.unwrap();
    assert_eq!(peer.next().await, daemon::Said::Gone);
}

#[tokio::test]
async fn by_code_with_the_fingerprint_said_in_advance() {
    let daemon = TestDaemon::start().await;
    let (_directory, profiles) = store();
    let expected = Some(Fingerprint::of(&daemon.identity.public).unwrap());
    let paired = paired(PairRequest { expected, ..request(daemon.typed()) }, &profiles).await;
    assert_eq!(paired.profile.fingerprint, expected);
    check(paired, &profiles).await;
}

#[tokio::test]
async fn another_fingerprint_than_the_one_said_in_advance() {
    let daemon = TestDaemon::start().await;
    let (_directory, profiles) = store();
    let expected = "6N5A-N82M".parse().ok();
    for how in [TestDaemon::typed, TestDaemon::link] {
        let error =
            pair(PairRequest { expected, ..request(how(&daemon)) }, &profiles).await.unwrap_err();
        assert!(matches!(error, PairError::FingerprintDiffers));
        assert!(nothing(&profiles));
    }
    assert_eq!(daemon.devices(), 0);
}

#[tokio::test]
async fn a_wrong_code() {
    let daemon = TestDaemon::start().await;
    let (_directory, profiles) = store();
    let how = daemon.typed();
    daemon.offer();
    let error = pair(request(how), &profiles).await.unwrap_err();
    assert!(matches!(error, PairError::WrongCode));
    assert!(nothing(&profiles));
}

#[tokio::test]
async fn a_link_of_another_daemon() {
    let daemon = TestDaemon::start().await;
    let (_directory, profiles) = store();
    let link = Link {
        address: daemon.address.clone(),
        code: daemon.offer(),
        daemon_key: KeyPair::generate().public,
    };
    let error = pair(request(How::Link(link)), &profiles).await.unwrap_err();
    assert!(matches!(error, PairError::WrongDaemonKey));
    assert!(nothing(&profiles) && daemon.devices() == 0);
}

#[tokio::test]
async fn alerts() {
    let daemon = TestDaemon::start().await;
    let (_directory, profiles) = store();
    type Expected = fn(&PairError) -> bool;
    let alerts: [(&[u8], Expected); 7] = [
        (&Alert::Version.message(), |error| {
            matches!(error, PairError::Connect(ConnectError::Incompatible))
        }),
        (&Alert::NoOffer.message(), |error| matches!(error, PairError::NoOffer)),
        (&Alert::Malformed.message(), |error| {
            let says = Broken::SaysMalformed;
            matches!(error, PairError::Connect(ConnectError::Protocol(how)) if *how == says)
        }),
        (&Alert::WrongKey.message(), |error| {
            matches!(error, PairError::Connect(ConnectError::WrongDaemonKey))
        }),
        (&[0xff, 99], is_not_codeout),
        (b"\x00short", is_not_codeout),
        (b"", is_not_codeout),
    ];
    for (answer, expected) in alerts {
        daemon.behave([Behaviour::First(answer.to_vec())]);
        let error = pair(request(daemon.typed()), &profiles).await.unwrap_err();
        assert!(expected(&error), "{answer:x?}: {error:?}");
        assert!(nothing(&profiles));
    }
}

fn is_not_codeout(error: &PairError) -> bool {
    matches!(error, PairError::Connect(ConnectError::NotCodeout { .. }))
}

#[tokio::test]
async fn too_many_attempts_pass() {
    let daemon = TestDaemon::start().await;
    let (_directory, profiles) = store();
    let busy = Behaviour::First(Alert::TooManyAttempts.message().to_vec());
    daemon.behave([busy.clone(), busy]);
    let mut heard = 0;
    let mut on_progress = |progress| {
        assert!(matches!(progress, PairProgress::Busy { .. }), "{progress:?}");
        heard += 1;
    };
    let request = request(daemon.link());
    codeout_device::pair(request, &profiles, &mut on_progress).await.unwrap();
    assert_eq!((heard, daemon.seen().pairs), (2, 3));
}

#[tokio::test]
async fn refusals_leave_nothing() {
    let daemon = TestDaemon::start().await;
    let (_directory, profiles) = store();
    for (why, refusal) in [
        (PairRefusal::AlreadyUsed, Refusal::AlreadyUsed),
        (PairRefusal::Expired, Refusal::Expired),
        (PairRefusal::Declined, Refusal::Declined),
    ] {
        for how in [TestDaemon::typed, TestDaemon::link] {
            daemon.behave([Behaviour::Refuse(why)]);
            let error = pair(request(how(&daemon)), &profiles).await.unwrap_err();
            assert!(matches!(error, PairError::Refused(said) if said == refusal), "{error:?}");
            assert!(nothing(&profiles));
        }
    }
    assert_eq!(daemon.seen().connects, 0);
}

#[tokio::test]
async fn the_daemons_user_is_asked() {
    let daemon = TestDaemon::start().await;
    let (_directory, profiles) = store();
    daemon.behave([Behaviour::HoldAtP3 { landed: false }]);
    let mut heard = Vec::new();
    let mut on_progress = |progress| {
        heard.push(progress);
        daemon.go_on();
    };
    let outcome = codeout_device::pair(request(daemon.link()), &profiles, &mut on_progress).await;
    assert!(matches!(outcome, Ok(PairOutcome::Paired(_))));
    assert_eq!(heard, [PairProgress::WaitingForConfirmation]);
}

#[tokio::test]
async fn cut_behind_p3_that_arrived() {
    for how in [TestDaemon::link, TestDaemon::typed] {
        for cut in [Behaviour::CutAtP3 { landed: true }, Behaviour::CutAtP4] {
            let daemon = TestDaemon::start().await;
            let (_directory, profiles) = store();
            let lost_with_p4 = cut == Behaviour::CutAtP4;
            daemon.behave([cut]);
            let paired = match pair(request(how(&daemon)), &profiles).await.unwrap() {
                PairOutcome::Paired(paired) => paired,
                PairOutcome::Confirm(unconfirmed) => {
                    assert_eq!(daemon.seen().records, 0);
                    unconfirmed.confirm().await.unwrap()
                }
            };
            let seen = daemon.seen();
            assert_eq!((seen.pairs, seen.connects, daemon.devices()), (1, 1, 1), "{lost_with_p4}");
            check(paired, &profiles).await;
        }
    }
}

#[tokio::test]
async fn cut_behind_p3_that_did_not_arrive() {
    for how in [TestDaemon::link, TestDaemon::typed] {
        let daemon = TestDaemon::start().await;
        let (_directory, profiles) = store();
        daemon.behave([Behaviour::CutAtP3 { landed: false }]);
        let mut heard = Vec::new();
        let mut on_progress = |progress| heard.push(progress);
        let outcome =
            codeout_device::pair(request(how(&daemon)), &profiles, &mut on_progress).await;
        let paired = match outcome.unwrap() {
            PairOutcome::Paired(paired) => paired,
            PairOutcome::Confirm(unconfirmed) => unconfirmed.confirm().await.unwrap(),
        };
        assert_eq!(heard, [PairProgress::Recovering]);
        let seen = daemon.seen();
        assert_eq!((seen.pairs, seen.connects, daemon.devices()), (2, 1, 1));
        check(paired, &profiles).await;
    }
}

#[tokio::test]
async fn cut_again_and_again() {
    let daemon = TestDaemon::start().await;
    let (_directory, profiles) = store();
    let cut = Behaviour::CutAtP3 { landed: false };
    let refuse = Behaviour::Honest;
    daemon.behave([cut.clone(), refuse.clone(), cut.clone(), refuse.clone(), cut, refuse]);
    let error = pair(request(daemon.link()), &profiles).await.unwrap_err();
    assert!(matches!(error, PairError::Connect(ConnectError::Cut)), "{error:?}");
    let seen = daemon.seen();
    assert_eq!((seen.pairs, seen.connects), (3, 3));
    // What may still be said to have arrived is looked at again.
    check(paired(request(daemon.link()), &profiles).await, &profiles).await;
}

#[tokio::test]
async fn a_p3_that_arrives_late() {
    let daemon = TestDaemon::start().await;
    let (_directory, profiles) = store();
    daemon.behave([
        Behaviour::LateP3,
        Behaviour::Honest,
        Behaviour::Refuse(PairRefusal::AlreadyUsed),
    ]);
    let paired = paired(request(daemon.link()), &profiles).await;
    let seen = daemon.seen();
    assert_eq!((seen.pairs, seen.connects, daemon.devices()), (2, 2, 1));
    check(paired, &profiles).await;
}

#[tokio::test]
async fn what_is_no_verdict_is_looked_into() {
    for answer in [Behaviour::TamperLast, Behaviour::AlertLast(Alert::Malformed)] {
        let daemon = TestDaemon::start().await;
        let (_directory, profiles) = store();
        daemon.behave([answer]);
        let paired = paired(request(daemon.link()), &profiles).await;
        assert_eq!((daemon.seen().pairs, daemon.seen().connects), (1, 1));
        check(paired, &profiles).await;
    }
}

#[tokio::test]
async fn cut_behind_the_first_record() {
    let daemon = TestDaemon::start().await;
    let (_directory, profiles) = store();
    daemon.behave([Behaviour::CutAtPing]);
    let paired = paired(request(daemon.link()), &profiles).await;
    assert_eq!((daemon.seen().pairs, daemon.seen().connects), (1, 1));
    check(paired, &profiles).await;
}

/// The process dies between the store and P4: the future is dropped and the file opened anew.
async fn die_at_p3(daemon: &TestDaemon, how: How, profiles: &Profiles, landed: bool) {
    daemon.behave([Behaviour::HoldAtP3 { landed }]);
    tokio::select! {
        _ = pair(request(how), profiles) => panic!("it was not held"),
        () = daemon.holding() => {}
    }
}

#[tokio::test]
async fn a_crash_behind_p3_that_arrived() {
    let daemon = TestDaemon::start().await;
    let (_directory, profiles) = store();
    die_at_p3(&daemon, daemon.link(), &profiles, true).await;
    assert_eq!(only(&profiles).state, State::Pending);
    let reopened = Profiles::open(profiles.path()).unwrap();
    // Nothing is asked of the offer, so that an expired one does as well.
    let paired = paired(request(daemon.link()), &reopened).await;
    assert_eq!((daemon.seen().pairs, daemon.seen().connects), (1, 1));
    check(paired, &reopened).await;
}

#[tokio::test]
async fn a_crash_behind_a_typed_p3_that_arrived() {
    let daemon = TestDaemon::start().await;
    let (_directory, profiles) = store();
    die_at_p3(&daemon, daemon.typed(), &profiles, true).await;
    assert_eq!(only(&profiles).state, State::Unconfirmed);
    let first = unconfirmed(request(daemon.typed()), &profiles).await;
    assert_eq!((daemon.seen().pairs, daemon.seen().connects), (1, 1));
    // The process dies again while the user compares.
    drop(first);
    let second = unconfirmed(request(daemon.typed()), &profiles).await;
    assert_eq!((daemon.seen().connects, daemon.seen().records), (2, 0));
    check(second.confirm().await.unwrap(), &profiles).await;
}

#[tokio::test]
async fn a_crash_behind_a_typed_p3_and_then_a_better_way() {
    let expected = |daemon: &TestDaemon| Fingerprint::of(&daemon.identity.public).ok();
    for with_link in [false, true] {
        let daemon = TestDaemon::start().await;
        let (_directory, profiles) = store();
        die_at_p3(&daemon, daemon.typed(), &profiles, true).await;
        let how = if with_link { daemon.link() } else { daemon.typed() };
        let expected = expected(&daemon).filter(|_| !with_link);
        let paired = paired(PairRequest { expected, ..request(how) }, &profiles).await;
        assert_eq!((daemon.seen().pairs, daemon.seen().connects), (1, 1));
        check(paired, &profiles).await;
    }
}

#[tokio::test]
async fn a_crash_behind_p3_that_did_not_arrive() {
    for how in [TestDaemon::link, TestDaemon::typed] {
        let daemon = TestDaemon::start().await;
        let (_directory, profiles) = store();
        die_at_p3(&daemon, how(&daemon), &profiles, false).await;
        // The daemon has it no more: it never arrived.
        let paired = match pair(request(how(&daemon)), &profiles).await.unwrap() {
            PairOutcome::Paired(paired) => paired,
            PairOutcome::Confirm(unconfirmed) => unconfirmed.confirm().await.unwrap(),
        };
        assert_eq!((daemon.seen().pairs, daemon.seen().connects), (2, 1));
        check(paired, &profiles).await;
    }
}

#[tokio::test]
async fn an_unfinished_pairing_outlives_a_daemon_that_is_away() {
    let daemon = TestDaemon::start().await;
    let (_directory, profiles) = store();
    die_at_p3(&daemon, daemon.link(), &profiles, true).await;
    let not_there = Behaviour::Http("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
    daemon.behave([not_there]);
    let error = pair(request(daemon.link()), &profiles).await.unwrap_err();
    assert!(is_not_codeout(&error), "{error:?}");
    assert_eq!(only(&profiles).state, State::Pending);
    let alert = Behaviour::First(Alert::Version.message().to_vec());
    daemon.behave([alert]);
    pair(request(daemon.link()), &profiles).await.unwrap_err();
    assert_eq!(only(&profiles).state, State::Pending);
    check(paired(request(daemon.link()), &profiles).await, &profiles).await;
}

#[tokio::test]
async fn an_unfinished_pairing_with_another_key_stays_and_is_passed_over() {
    let daemon = TestDaemon::start().await;
    let (_directory, profiles) = store();
    // Said in the clear: not a reason to forget.
    let mut other = daemon.profile();
    other.credentials.daemon_key = KeyPair::generate().public;
    other.state = State::Unconfirmed;
    profiles.put(other).unwrap();
    let unconfirmed = unconfirmed(request(daemon.typed()), &profiles).await;
    unconfirmed.confirm().await.unwrap();
    let states: Vec<_> = profiles.list().unwrap().iter().map(|profile| profile.state).collect();
    assert_eq!(states, [State::Unconfirmed, State::Paired]);
}

#[tokio::test]
async fn confirmed_too_late() {
    let daemon = TestDaemon::start().await;
    let (_directory, profiles) = store();
    daemon.behave([Behaviour::CutAtPing]);
    let unconfirmed = unconfirmed(request(daemon.typed()), &profiles).await;
    daemon.forget_devices();
    let error = unconfirmed.confirm().await.unwrap_err();
    assert!(matches!(error, PairError::Refused(Refusal::NotPaired)), "{error:?}");
    assert!(nothing(&profiles));
}

#[tokio::test]
async fn confirmed_while_the_daemon_is_away_is_not_asked_again() {
    let daemon = TestDaemon::start().await;
    let (_directory, profiles) = store();
    daemon.behave([Behaviour::CutAtPing, Behaviour::First(Alert::Version.message().to_vec())]);
    let unconfirmed = unconfirmed(request(daemon.typed()), &profiles).await;
    unconfirmed.confirm().await.unwrap_err();
    assert_eq!(only(&profiles).state, State::Pending);
    check(paired(request(daemon.typed()), &profiles).await, &profiles).await;
}

#[tokio::test]
async fn a_used_code_is_this_devices_own_only_while_it_is_let_in() {
    let daemon = TestDaemon::start().await;
    let (_directory, profiles) = store();
    let first = paired(request(daemon.link()), &profiles).await.profile;
    daemon.behave([Behaviour::Refuse(PairRefusal::AlreadyUsed)]);
    let error = pair(request(daemon.typed()), &profiles).await.unwrap_err();
    assert!(matches!(error, PairError::AlreadyPaired { name } if name == first.name));
    // Revoked meanwhile: then it was somebody else who used the code.
    daemon.forget_devices();
    daemon.behave([Behaviour::Refuse(PairRefusal::AlreadyUsed)]);
    let error = pair(request(daemon.typed()), &profiles).await.unwrap_err();
    assert!(matches!(error, PairError::Refused(Refusal::AlreadyUsed)), "{error:?}");
}

#[tokio::test]
async fn already_paired() {
    let daemon = TestDaemon::start().await;
    let (_directory, profiles) = store();
    let first = paired(request(daemon.link()), &profiles).await.profile;
    let error = pair(request(daemon.link()), &profiles).await.unwrap_err();
    assert!(matches!(error, PairError::AlreadyPaired { name } if name == first.name));
    assert_eq!(daemon.seen().pairs, 1);

    // A failure keeps the old one; success replaces it.
    let again = || PairRequest { again: true, ..request(daemon.link()) };
    daemon.behave([Behaviour::Refuse(PairRefusal::Expired)]);
    pair(again(), &profiles).await.unwrap_err();
    assert_eq!(only(&profiles).credentials.device.public, first.credentials.device.public);
    let second = paired(again(), &profiles).await;
    assert_ne!(second.profile.credentials.device.public, first.credentials.device.public);
    check(second, &profiles).await;
}

#[tokio::test]
async fn another_daemon_at_the_same_address_is_another_daemon() {
    let daemon = TestDaemon::start().await;
    let (_directory, profiles) = store();
    let mut other = daemon.profile();
    other.credentials.daemon_key = KeyPair::generate().public;
    other.name = "Work desk[31m".to_owned();
    profiles.put(other).unwrap();
    let unconfirmed = unconfirmed(request(daemon.typed()), &profiles).await;
    let paired = unconfirmed.confirm().await.unwrap();
    assert_eq!(paired.profile.name, "Work desk[31m-2");
    assert_eq!(profiles.list().unwrap().len(), 2);
}

#[tokio::test]
async fn a_store_that_cannot_be_written_pairs_with_nobody() {
    let daemon = TestDaemon::start().await;
    let (directory, profiles) = store();
    let path = directory.path().join("codeout/daemons.json");
    std::fs::write(&path, "{").unwrap();
    let error = pair(request(daemon.link()), &profiles).await.unwrap_err();
    assert!(matches!(error, PairError::Store(_)));
    assert_eq!((daemon.seen().pairs, daemon.devices()), (0, 0));
}

#[tokio::test]
async fn no_error_or_outcome_shows_a_secret() {
    let daemon = TestDaemon::start().await;
    let (_directory, profiles) = store();
    let how = daemon.typed();
    let How::Code { code, .. } = &how else { panic!() };
    let printed = code.printed().to_string();
    let shown = format!("{:?}", request(how.clone()));
    assert!(!shown.contains(&printed) && !shown.contains(&printed.replace('-', "")), "{shown}");
    assert!(shown.contains(name("laptop").as_str()));
    let outcome = pair(request(how), &profiles).await.unwrap();
    let shown = format!("{outcome:?}");
    let profile = only(&profiles);
    for secret in [profile.credentials.token.expose(), profile.credentials.device.secret.expose()] {
        assert!(!shown.contains(&format!("{secret:?}")));
        let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(!shown.contains(&hex));
    }
}

#[tokio::test]
async fn futures_can_be_spawned() {
    fn spawnable<T: Send>(_: &T) {}
    let daemon = TestDaemon::start().await;
    let (_directory, profiles) = store();
    let profile = daemon.profile();
    let mut on_progress = |_| {};
    spawnable(&codeout_device::pair(request(daemon.link()), &profiles, &mut on_progress));
    let backoff = codeout_device::Backoff::default();
    spawnable(&codeout_device::connect_with_backoff(&profile, backoff, |_| {}));
    let connection = connect(&profile).await.unwrap();
    daemon.put_session(1, daemon::Session::new());
    let attach = codeout_protocol::message::Attach { session: 1, ..Default::default() };
    spawnable(&connection.attach(attach.clone()));
    let (_, mut attachment) = connection.attach(attach).await.unwrap();
    spawnable(&attachment.write_input(b"x"));
    spawnable(&attachment.read());
    spawnable(&connection.sessions());
    spawnable(&connection.close());
}
