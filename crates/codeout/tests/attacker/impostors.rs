//! Someone answers in the daemon's place, or puts words into its mouth.

use std::sync::Arc;

use codeout_device::{Broken, ConnectError, How as ByWhat, PairError, PairOutcome, State};
use codeout_protocol::code::Code;
use codeout_protocol::error::{Error, Refusal};
use codeout_protocol::sodium::{KeyPair, random_bytes};

use crate::proxy::{FOURTH, How, Impostor, Plan, Proxy, SECOND, Side};
use crate::secrets::Secrets;
use crate::support::{TestDaemon, WireError};
use crate::{Device, connect, entries, pair, request, revoke, stage, works};

/// The plan of someone with his own key, who holds `code`.
fn impersonate(code: &Code) -> Plan {
    let impostor = Impostor { key: KeyPair::generate(), code: code.clone() };
    Plan::Impersonate(Arc::new(impostor))
}

/// By a link, and by a typed code.
fn both_ways(daemon: &TestDaemon, proxy: &Proxy, code: &Code) -> [ByWhat; 2] {
    let typed = ByWhat::Code { address: proxy.address(), code: code.clone() };
    [ByWhat::Link(daemon.link(code, proxy.port())), typed]
}

/// The honest daemon behind the proxy pairs this device by the same offer.
async fn pairs_after_all(daemon: &TestDaemon, proxy: &Proxy, device: &Device, how: ByWhat) {
    proxy.plan(Plan::Relay);
    let paired = match device.pair(request(how)).await.unwrap() {
        PairOutcome::Paired(paired) => paired,
        PairOutcome::Confirm(unconfirmed) => {
            let shown = daemon.daemon.fingerprint().await.unwrap();
            assert_eq!(unconfirmed.fingerprint(), shown);
            unconfirmed.confirm().await.unwrap()
        }
    };
    paired.connection.close().await;
    let [entry] = &entries(daemon).await[..] else { panic!("one device") };
    assert!(!entry.unfinished);
    revoke(daemon, entry).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_know_the_code_is_found_out() {
    let (daemon, proxy) = stage().await;
    for way in 0..2 {
        let code = daemon.offer();
        let device = Device::new();
        proxy.plan(impersonate(&Code::random()));
        let how = both_ways(&daemon, &proxy, &code)[way].clone();
        let error = device.pair(request(how.clone())).await.unwrap_err();
        assert!(matches!(error, PairError::WrongCode), "{error:?}");
        Secrets::of_code(&code).absent_from("the error", format!("{error:?} {error}").as_bytes());
        // The device has proved nothing, and keeps nothing.
        let seen = proxy.over().await;
        assert_eq!(seen.from(Side::Device).count(), 1);
        assert!(device.profiles.list().unwrap().is_empty());
        pairs_after_all(&daemon, &proxy, &device, how).await;
    }
    works(&daemon, &proxy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_knows_the_code_is_betrayed_by_his_key() {
    let (daemon, proxy) = stage().await;
    let code = daemon.offer();
    let [by_link, typed] = both_ways(&daemon, &proxy, &code);
    let device = Device::new();

    // A link pins the key.
    proxy.plan(impersonate(&code));
    let error = device.pair(request(by_link.clone())).await.unwrap_err();
    assert!(matches!(error, PairError::WrongDaemonKey), "{error:?}");
    assert_eq!(proxy.over().await.from(Side::Device).count(), 1);
    assert!(device.profiles.list().unwrap().is_empty());

    // So does a fingerprint that was typed beforehand.
    let mut expecting = request(typed.clone());
    expecting.expected = Some(daemon.daemon.fingerprint().await.unwrap());
    proxy.plan(impersonate(&code));
    let error = device.pair(expecting.clone()).await.unwrap_err();
    assert!(matches!(error, PairError::FingerprintDiffers), "{error:?}");
    assert_eq!(proxy.over().await.from(Side::Device).count(), 1);
    assert!(device.profiles.list().unwrap().is_empty());

    // Else a person compares it, and hears nothing of the impostor before that.
    proxy.plan(impersonate(&code));
    let unconfirmed = match device.pair(request(typed.clone())).await.unwrap() {
        PairOutcome::Confirm(unconfirmed) => unconfirmed,
        PairOutcome::Paired(_) => panic!("nobody compared the fingerprint"),
    };
    assert_ne!(unconfirmed.fingerprint(), daemon.daemon.fingerprint().await.unwrap());
    assert_eq!(device.profiles.list().unwrap()[0].state, State::Unconfirmed);
    let profile = device.profiles.find(None).unwrap();
    let error = codeout_device::connect(&profile).await.unwrap_err();
    assert!(matches!(error, ConnectError::Unconfirmed { .. }), "{error:?}");
    unconfirmed.differ().await.unwrap();
    assert!(device.profiles.list().unwrap().is_empty());
    // P1 and P3, and no record: neither a ping nor a goodbye.
    let seen = proxy.over().await;
    assert_eq!(seen.from(Side::Device).count(), 2);
    let mut secrets = Secrets::default();
    secrets.add_credentials(&profile.credentials);
    let file = std::fs::read(device.profiles.path()).unwrap();
    secrets.absent_from("the file of known daemons", &file);

    assert_eq!(daemon.count().await, 0);
    pairs_after_all(&daemon, &proxy, &device, typed).await;
    // Likewise for one that gave up instead of answering: what it keeps does not stand in the way.
    let code = daemon.offer();
    let [_, typed] = both_ways(&daemon, &proxy, &code);
    let device = Device::new();
    proxy.plan(impersonate(&code));
    drop(device.pair(request(typed.clone())).await.unwrap());
    assert_eq!(proxy.over().await.from(Side::Device).count(), 2);
    pairs_after_all(&daemon, &proxy, &device, typed).await;
    works(&daemon, &proxy).await;
}

/// What a device keeps of a daemon stays as it is, byte by byte, and it is not told that it is
/// not paired.
async fn connects_in_vain(device: &Device, plan: Plan, proxy: &Proxy) -> ConnectError {
    let before = std::fs::read(device.profiles.path()).unwrap();
    let profile = device.profiles.find(None).unwrap();
    proxy.plan(plan);
    let error = codeout_device::connect(&profile).await.unwrap_err();
    assert!(!matches!(error, ConnectError::Refused(_)), "{error:?}");
    let mut secrets = Secrets::default();
    secrets.add_credentials(&profile.credentials);
    secrets.absent_from("the error", format!("{error:?} {error}").as_bytes());
    proxy.over().await;
    assert!(
        std::fs::read(device.profiles.path()).unwrap() == before,
        "the known daemons have changed"
    );
    error
}

#[tokio::test(flavor = "multi_thread")]
async fn another_key_at_the_address_is_no_reason_to_forget() {
    let (daemon, proxy) = stage().await;
    let (device, profile) = Device::paired(&daemon, &proxy).await;

    let error = connects_in_vain(&device, impersonate(&Code::random()), &proxy).await;
    assert!(matches!(error, ConnectError::WrongDaemonKey), "{error:?}");
    assert_eq!(proxy.over().await.from(Side::Device).count(), 1);

    // He makes up an answer that he has no key for.
    let mut m2 = vec![0; 1137];
    random_bytes(&mut m2[1..]);
    let error = connects_in_vain(&device, Plan::Change(SECOND, How::Replace(m2)), &proxy).await;
    assert!(matches!(error, ConnectError::Tampered), "{error:?}");
    // The device shows nothing of itself to him.
    assert_eq!(proxy.over().await.from(Side::Device).count(), 1);

    proxy.plan(Plan::Relay);
    codeout_device::connect(&profile).await.unwrap().close().await;
    works(&daemon, &proxy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_alert_changes_nothing() {
    let (daemon, proxy) = stage().await;
    let (device, profile) = Device::paired(&daemon, &proxy).await;
    for place in [SECOND, FOURTH] {
        for alert in [0, 1, 2, 3, 4, 5, 6, 0xff] {
            let plan = Plan::Change(place, How::Replace(vec![0xff, alert]));
            let error = connects_in_vain(&device, plan, &proxy).await;
            let expected = match alert {
                1 => matches!(error, ConnectError::Incompatible),
                2 => matches!(error, ConnectError::TooManyAttempts),
                4 => matches!(error, ConnectError::Protocol(Broken::SaysMalformed)),
                5 => matches!(error, ConnectError::WrongDaemonKey),
                _ => matches!(error, ConnectError::Protocol(_) | ConnectError::NotCodeout { .. }),
            };
            assert!(expected, "{alert}: {error:?}");
            proxy.plan(Plan::Relay);
            codeout_device::connect(&profile).await.unwrap().close().await;
        }
    }
    works(&daemon, &proxy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_refusal_is_not_believed() {
    let (daemon, proxy) = stage().await;
    let (device, profile) = Device::paired(&daemon, &proxy).await;

    // A real one, that another device got.
    let (outcome, kept) = pair(&daemon, &proxy, &daemon.offer()).await;
    outcome.unwrap();
    revoke(&daemon, &entries(&daemon).await[1]).await;
    proxy.plan(Plan::Relay);
    let outcome = connect(&proxy, &kept.unwrap()).await;
    let not_paired = Error::Refused(Refusal::NotPaired);
    assert!(matches!(outcome, Err(WireError::Protocol(error)) if error == not_paired));
    let real = proxy.over().await.message(FOURTH).unwrap().to_vec();
    assert_eq!((real.len(), real[0]), (18, 1));

    let mut made_up = vec![1; 18];
    random_bytes(&mut made_up[1..]);
    for refusal in [real, made_up, vec![1; 18], vec![1; 17], vec![1; 19], vec![1]] {
        let plan = Plan::Change(FOURTH, How::Replace(refusal));
        let error = connects_in_vain(&device, plan, &proxy).await;
        assert!(matches!(error, ConnectError::Tampered), "{error:?}");
    }
    // In the second message's place it has no place at all.
    let plan = Plan::Change(SECOND, How::Replace(vec![1; 18]));
    let error = connects_in_vain(&device, plan, &proxy).await;
    assert!(matches!(error, ConnectError::NotCodeout { .. }), "{error:?}");

    proxy.plan(Plan::Relay);
    codeout_device::connect(&profile).await.unwrap().close().await;
    works(&daemon, &proxy).await;
}

/// In a pairing it makes the device look again, and find that it is paired.
#[tokio::test(flavor = "multi_thread")]
async fn a_forged_end_of_a_pairing_is_not_believed_either() {
    let (daemon, proxy) = stage().await;
    for forged in [vec![1; 18], vec![0xff, 2], vec![0xff, 3], vec![0xff, 4], vec![0xff, 5]] {
        let device = Device::new();
        let link = daemon.link(&daemon.offer(), proxy.port());
        proxy.once(Plan::Change(FOURTH, How::Replace(forged)));
        match device.pair(request(ByWhat::Link(link))).await.unwrap() {
            PairOutcome::Paired(paired) => {
                paired.connection.close().await;
            }
            PairOutcome::Confirm(_) => panic!("a link needs no confirmation"),
        }
        assert!(proxy.seen().len() > 1, "it did not look again");
        assert_eq!(device.profiles.find(None).unwrap().state, State::Paired);
        let [entry] = &entries(&daemon).await[..] else { panic!("one device") };
        assert!(!entry.unfinished);
        revoke(&daemon, entry).await;
    }
    works(&daemon, &proxy).await;
}
