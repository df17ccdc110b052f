//! Handshake messages truncated, extended, repeated, dropped, reflected, cut off, and replaced by
//! those of another run.

use std::time::Duration;

use codeout_protocol::code::Code;
use codeout_protocol::error::{Error, Refusal};

use crate::proxy::{FIRST, FOURTH, HANDSHAKE, How, Place, Plan, Proxy, SECOND, Seen, Side, THIRD};
use crate::support::WireError;
use crate::{connect, entries, names_no_secret, pair, revoke, stage, works};

/// What can be done to the message at `place`, given a whole earlier run.
fn hows(place: Place, earlier: &Seen) -> Vec<How> {
    let same = earlier.message(place).unwrap();
    let length = same.len();
    let mut lengths = vec![0, 1, 2, 3, 17, 18, length / 2, length - 24, length - 16, length - 1];
    lengths.retain(|&shorter| shorter < length);
    let Place(side, index) = place;
    let after_next = earlier.message(Place(side, index + 1)).unwrap();
    let mut hows: Vec<How> = lengths.into_iter().map(How::Truncate).collect();
    hows.extend([
        How::Extend(vec![0]),
        How::Extend(vec![0xa5; 64]),
        How::Extend(vec![0; 66_000]),
        How::Repeat,
        How::Drop,
        How::Reflect,
        How::Cut,
        How::Replace(same.to_vec()),
        How::Replace(after_next.to_vec()),
    ]);
    hows
}

/// As `attempt`; it is given up when its message was dropped, since nothing will come of it.
async fn unless_dropped<T>(
    proxy: &Proxy,
    place: Place,
    how: &How,
    attempt: impl Future<Output = Result<T, WireError>>,
) -> Result<T, WireError> {
    let Place(side, index) = place;
    let passed = proxy.when(|seen| seen.last()?.from(side).nth(index).map(|_| ()));
    match how {
        How::Drop => tokio::select! {
            outcome = attempt => outcome,
            () = passed => Err(WireError::Ended),
        },
        _ => attempt.await,
    }
}

/// Whether the daemon gets a right P3 all the same, and writes the device down.
fn lands(place: Place, how: &How) -> bool {
    place == FOURTH || (matches!(how, How::Repeat) && (place == SECOND || place == THIRD))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_pairing_message_lets_nobody_in() {
    let (daemon, proxy) = stage().await;
    pair(&daemon, &proxy, &daemon.offer()).await.0.unwrap();
    let earlier = proxy.over().await;
    revoke(&daemon, &entries(&daemon).await[0]).await;

    for place in HANDSHAKE {
        for how in hows(place, &earlier) {
            let code = daemon.offer();
            proxy.once(Plan::Change(place, how.clone()));
            let mut kept = None;
            let attempt = async {
                let (outcome, credentials) = pair(&daemon, &proxy, &code).await;
                kept = credentials;
                outcome
            };
            let outcome = unless_dropped(&proxy, place, &how, attempt).await;
            let error = outcome.expect_err("both sides are established");
            names_no_secret(&error, &code, kept.as_ref());
            let refused = matches!(error, WireError::Protocol(Error::Refused(_)));
            assert!(!refused, "{place:?} {how:?}: believed {error:?}");
            proxy.over().await;

            let list = entries(&daemon).await;
            assert_eq!(list.len(), usize::from(lands(place, &how)), "{place:?} {how:?}");
            let Some(entry) = list.first() else { continue };
            if let Some(kept) = kept {
                connect(&proxy, &kept).await.unwrap();
                assert!(!entries(&daemon).await[0].unfinished);
            }
            revoke(&daemon, entry).await;
        }
    }
    works(&daemon, &proxy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_never_hears_of_its_pairing_is_taken_off_the_list() {
    let (daemon, proxy) = stage().await;
    let code = daemon.offer();
    proxy.plan(Plan::Change(FOURTH, How::Cut));
    let (outcome, kept) = pair(&daemon, &proxy, &code).await;
    assert!(matches!(outcome, Err(WireError::Ended)));
    assert!(entries(&daemon).await[0].unfinished);

    // Nobody else gets in with the code meanwhile.
    proxy.plan(Plan::Relay);
    let (outcome, _) = pair(&daemon, &proxy, &code).await;
    let used = Error::Refused(Refusal::AlreadyUsed);
    assert!(matches!(outcome, Err(WireError::Protocol(error)) if error == used));

    daemon.clock.advance(Duration::from_secs(301));
    daemon.daemon.housekeep().await.unwrap();
    assert_eq!(daemon.count().await, 0);
    let outcome = connect(&proxy, &kept.unwrap()).await;
    let not_paired = Error::Refused(Refusal::NotPaired);
    assert!(matches!(outcome, Err(WireError::Protocol(error)) if error == not_paired));
    works(&daemon, &proxy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_connect_message_ends_it() {
    let (daemon, proxy) = stage().await;
    let code: Code = daemon.offer();
    let (outcome, kept) = pair(&daemon, &proxy, &code).await;
    outcome.unwrap();
    let credentials = kept.unwrap();
    proxy.plan(Plan::Relay);
    connect(&proxy, &credentials).await.unwrap();
    let earlier = proxy.over().await;

    for place in HANDSHAKE {
        for how in hows(place, &earlier) {
            proxy.plan(Plan::Change(place, how.clone()));
            let attempt = connect(&proxy, &credentials);
            let outcome = unless_dropped(&proxy, place, &how, attempt).await;
            let error = outcome.expect_err("both sides are established");
            names_no_secret(&error, &code, Some(&credentials));
            let refused = matches!(error, WireError::Protocol(Error::Refused(_)));
            assert!(!refused, "{place:?} {how:?}: believed {error:?}");
            let seen = proxy.over().await;
            // A device whose first message was changed gets an alert or nothing.
            if place == FIRST && !matches!(how, How::Repeat | How::Reflect | How::Replace(_)) {
                assert!(seen.from(Side::Daemon).all(|answer| answer.len() == 2), "{how:?}");
            }
        }
    }
    assert_eq!(daemon.count().await, 1);
    proxy.plan(Plan::Relay);
    connect(&proxy, &credentials).await.unwrap();
    works(&daemon, &proxy).await;
}
