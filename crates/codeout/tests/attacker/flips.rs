//! One flipped bit in each byte of each handshake message, one at a time.

use std::sync::Arc;

use codeout_daemon::Event;
use codeout_protocol::error::{Alert, Error, Misbehaviour};
use codeout_protocol::pairing::P1_LENGTH;
use tokio::task::JoinSet;

use crate::proxy::{FIRST, FOURTH, HANDSHAKE, How, Place, Plan, Proxy, SECOND, THIRD};
use crate::support::{WireError, event};
use crate::{connect, entries, names_no_secret, pair, revoke, stage, works};

/// Attempts at once.
const WORKERS: usize = 4;
const STREAM_HEADER: usize = 24;

#[derive(Clone, Copy, Debug)]
struct Flip {
    place: Place,
    byte: usize,
    mask: u8,
}

impl Flip {
    fn plan(self) -> Plan {
        Plan::Change(self.place, How::Flip { byte: self.byte, mask: self.mask })
    }
}

/// Another bit in each byte; and the highest bit of each of `keys`, given by its last byte, which
/// X25519 would ignore.
fn flips(place: Place, bytes: impl Iterator<Item = usize>, keys: &[usize]) -> Vec<Flip> {
    let each = bytes.map(|byte| Flip { place, byte, mask: 1 << (byte % 8) });
    let highest = keys.iter().map(|&byte| Flip { place, byte, mask: 0x80 });
    each.chain(highest).collect()
}

/// How long each message of the last connection was.
async fn lengths(proxy: &Proxy) -> [usize; 4] {
    let seen = proxy.over().await;
    HANDSHAKE.map(|place| seen.message(place).unwrap().len())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_of_a_pairing_lets_nobody_in() {
    let (daemon, proxy) = stage().await;
    let daemon = Arc::new(daemon);
    let code = daemon.offer();
    let (outcome, _) = pair(&daemon, &proxy, &code).await;
    outcome.unwrap();
    let [p1, p2, p3, _] = lengths(&proxy).await;
    assert_eq!((p1, p2, p3), (P1_LENGTH, 1233, 120 + "phone".len()));
    revoke(&daemon, &entries(&daemon).await[0]).await;

    let mut all = flips(FIRST, 0..p1, &[50, 82]);
    all.extend(flips(SECOND, 0..p2, &[32, 64]));
    all.extend(flips(THIRD, 0..p3 - STREAM_HEADER, &[]));
    // A P1 that is none begins no attempt.
    let attempts = all.iter().filter(|flip| flip.place != FIRST || flip.byte > 2).count();
    let all = Arc::new(all);
    let code = daemon.offer();
    let mut events = daemon.daemon.events();
    let wrong_codes = tokio::spawn(async move {
        for _ in 0..attempts {
            let wrong = |event| matches!(event, Event::WrongCode { .. }).then_some(());
            event(&mut events, wrong).await;
        }
        events
    });
    let mut workers = JoinSet::new();
    for worker in 0..WORKERS {
        let (daemon, all, code) = (Arc::clone(&daemon), Arc::clone(&all), code.clone());
        workers.spawn(async move {
            let proxy = Proxy::before(daemon.port()).await;
            for flip in all.iter().skip(worker).step_by(WORKERS) {
                proxy.plan(flip.plan());
                let (outcome, kept) = pair(&daemon, &proxy, &code).await;
                let error = outcome.expect_err("both sides are established");
                assert!(as_expected_in_pairing(flip, &error), "{flip:?}: {error:?}");
                assert_eq!(daemon.count().await, 0, "{flip:?} got in");
                // A device that is not sure of the code shows nothing of itself.
                assert_eq!(kept.is_some(), flip.place == THIRD);
                names_no_secret(&error, &code, kept.as_ref());
            }
        });
    }
    while let Some(worker) = workers.join_next().await {
        worker.unwrap();
    }
    // Each was shown to the daemon's user, and nothing else was.
    let mut events = wrong_codes.await.unwrap();
    assert!(events.try_recv().is_err());

    // All that burnt nothing: the offer is as good as before.
    proxy.plan(Plan::Relay);
    let (outcome, _) = pair(&daemon, &proxy, &code).await;
    outcome.unwrap();
    works(&daemon, &proxy).await;
}

fn as_expected_in_pairing(flip: &Flip, error: &WireError) -> bool {
    let WireError::Protocol(error) = error else { return false };
    let malformed = *error == Error::Alert(Alert::Malformed);
    match (flip.place, flip.byte) {
        (FIRST, 0..2) => *error == Error::Alert(Alert::Version),
        (FIRST, 2) => malformed,
        // sid, De
        (FIRST, 3..19 | 51..83) => *error == Error::WrongCode,
        // Ya and ek, which may be none at all
        (FIRST, _) => malformed || *error == Error::WrongCode,
        (SECOND, 0) => *error == Misbehaviour::Tag.into(),
        // Yb
        (SECOND, 1..33) => *error == Error::WrongCode || *error == Misbehaviour::Key.into(),
        (SECOND, 33..1185) => *error == Error::WrongCode,
        (SECOND, _) => *error == Misbehaviour::Seal.into(),
        (THIRD, _) => malformed,
        _ => false,
    }
}

/// From here on the device is in the allow-list and does not know it: it finds out by connecting.
#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_behind_a_pairing_only_costs_the_link() {
    let mut workers = JoinSet::new();
    for worker in 0..WORKERS {
        workers.spawn(async move {
            let (daemon, proxy) = stage().await;
            pair(&daemon, &proxy, &daemon.offer()).await.0.unwrap();
            let [_, _, p3, p4] = lengths(&proxy).await;
            revoke(&daemon, &entries(&daemon).await[0]).await;
            let mut all = flips(THIRD, p3 - STREAM_HEADER..p3, &[]);
            all.extend(flips(FOURTH, 0..p4, &[]));
            for flip in all.iter().skip(worker).step_by(WORKERS) {
                let code = daemon.offer();
                proxy.once(flip.plan());
                let (outcome, kept) = pair(&daemon, &proxy, &code).await;
                let error = outcome.expect_err("both sides are established");
                assert!(as_expected_behind(flip, &error), "{flip:?}: {error:?}");
                names_no_secret(&error, &code, kept.as_ref());
                let [half] = &entries(&daemon).await[..] else { panic!("one device, half in") };
                assert!(half.unfinished);
                connect(&proxy, &kept.unwrap()).await.unwrap();
                let [whole] = &entries(&daemon).await[..] else { panic!("one device") };
                assert_eq!((&whole.id, whole.unfinished), (&half.id, false));
                revoke(&daemon, whole).await;
            }
            works(&daemon, &proxy).await;
        });
    }
    while let Some(worker) = workers.join_next().await {
        worker.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_of_a_connect_ends_it() {
    let (daemon, proxy) = stage().await;
    let daemon = Arc::new(daemon);
    let code = daemon.offer();
    let (outcome, kept) = pair(&daemon, &proxy, &code).await;
    outcome.unwrap();
    let credentials = kept.unwrap();
    proxy.plan(Plan::Relay);
    connect(&proxy, &credentials).await.unwrap();
    let [m1, m2, m3, m4] = lengths(&proxy).await;
    assert_eq!((m1, m2, m3), (1235, 1137, 88));
    let list = entries(&daemon).await;

    let mut all = flips(FIRST, 0..m1, &[34]);
    all.extend(flips(SECOND, 0..m2, &[32]));
    all.extend(flips(THIRD, 0..m3, &[]));
    all.extend(flips(FOURTH, 0..m4, &[]));
    let all = Arc::new(all);
    let mut workers = JoinSet::new();
    for worker in 0..WORKERS {
        let (daemon, all) = (Arc::clone(&daemon), Arc::clone(&all));
        let (code, credentials) = (code.clone(), credentials.clone());
        workers.spawn(async move {
            let proxy = Proxy::before(daemon.port()).await;
            for flip in all.iter().skip(worker).step_by(WORKERS) {
                proxy.plan(flip.plan());
                let outcome = connect(&proxy, &credentials).await;
                let error = outcome.expect_err("both sides are established");
                assert!(as_expected_in_connect(flip, &error), "{flip:?}: {error:?}");
                names_no_secret(&error, &code, Some(&credentials));
                // What the daemon holds of it is gone, too.
                proxy.over().await;
            }
        });
    }
    while let Some(worker) = workers.join_next().await {
        worker.unwrap();
    }
    assert_eq!(list.len(), 1);
    let after = entries(&daemon).await;
    assert_eq!((after.len(), &after[0].id), (1, &list[0].id));
    proxy.plan(Plan::Relay);
    connect(&proxy, &credentials).await.unwrap();
    works(&daemon, &proxy).await;
}

fn as_expected_in_connect(flip: &Flip, error: &WireError) -> bool {
    if flip.place == FOURTH || (flip.place == THIRD && flip.byte >= 64) {
        return as_expected_behind(flip, error);
    }
    let WireError::Protocol(error) = error else { return false };
    *error
        == match (flip.place, flip.byte) {
            (FIRST, 0..2) => Error::Alert(Alert::Version),
            (FIRST, 2) => Error::Alert(Alert::Malformed),
            (FIRST, _) => Error::Alert(Alert::WrongKey),
            (SECOND, 0) => Misbehaviour::Tag.into(),
            (SECOND, _) => Misbehaviour::Seal.into(),
            (THIRD, 0..48) => Error::Alert(Alert::Malformed),
            // The refusal is bound to the proof as it arrived: it is not believed.
            _ => Error::Tampered,
        }
}

/// Of the last two messages' secretstream headers, and of the daemon's first record.
fn as_expected_behind(flip: &Flip, error: &WireError) -> bool {
    match (flip.place, error) {
        // The daemon cannot open the first record, and says nothing.
        (THIRD, error) => matches!(error, WireError::Ended),
        // The tag turns into that of a refusal, which does not open.
        (FOURTH, WireError::Protocol(error)) => *error == Error::Tampered,
        _ => false,
    }
}
