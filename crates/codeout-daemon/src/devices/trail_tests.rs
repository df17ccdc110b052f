use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;

use codeout_protocol::message::Limits;
use codeout_protocol::sodium::Psk;
use rusqlite::Connection;

use super::super::tests::{crash, fresh, key, list_in, name, pair};
use super::*;
use crate::trail::{Refusal, Who};

const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

fn all(devices: &Devices) -> Vec<Entry> {
    devices.trail(&Query::default()).unwrap()
}

fn happenings(devices: &Devices) -> Vec<Happening> {
    all(devices).into_iter().map(|entry| entry.happening).collect()
}

fn refused(times: u64) -> Happening {
    let (reason, source) = (Refusal::WrongCode, Some(SOURCE));
    Happening::Refused { reason, source, times, since: 5 }
}

fn note(happening: Happening) -> Note {
    Note { at: 5, happening, replaces: None }
}

#[test]
fn changes_of_the_list_are_told_with_them_and_survive_with_them() {
    let (home, devices) = fresh();
    let limits = Limits { watch_only: true, expires_at: None };
    let psk = Psk::random();
    let phone =
        devices.insert_from(SOURCE, &key(1), &psk, Some(&name("phone")), limits, 1000).unwrap();
    let laptop = Who { id: "k3f9a2c1".to_owned(), name: "laptop".to_owned() };
    let (before, renamed) =
        devices.rename_by(&laptop, phone.id, &name("old phone"), 1001).unwrap().unwrap();
    assert_eq!((before, &renamed.name), (phone.name.clone(), &name("old phone")));
    devices.revoke_by(&Who::computer(), phone.id, 1002).unwrap().unwrap();
    assert!(devices.revoke_by(&laptop, phone.id, 1003).unwrap().is_none());

    let left = crash(&home);
    fs::set_permissions(list_in(&left), fs::Permissions::from_mode(0o600)).unwrap();
    let devices = Devices::open(&list_in(&left)).unwrap();
    let told = all(&devices);
    assert_eq!(told.iter().map(|entry| entry.at).collect::<Vec<_>>(), [1000, 1001, 1002]);
    let now = Who::from(&renamed);
    assert_eq!(
        happenings(&devices),
        [
            Happening::Paired { device: Who::from(&phone), source: SOURCE, limits },
            Happening::Renamed { device: now.clone(), before: "phone".to_owned(), by: laptop },
            Happening::Revoked { device: now, by: Who::computer() },
        ]
    );
}

#[test]
fn a_change_that_fails_tells_nothing() {
    let (_home, devices) = fresh();
    let phone = pair(&devices, 1, "phone");
    devices.lock().pragma_update(None, "query_only", true).unwrap();
    assert!(devices.revoke_by(&Who::computer(), phone.id, 1).is_err());
    devices.lock().pragma_update(None, "query_only", false).unwrap();
    assert_eq!(all(&devices), []);
    assert!(devices.get(phone.id).unwrap().is_some());
}

#[test]
fn a_flood_pushes_out_lines_of_its_own_class_alone() {
    let (_home, devices) = fresh();
    let phone = Who { id: "k3f9a2c1".to_owned(), name: "phone".to_owned() };
    let paired =
        Happening::Paired { device: phone.clone(), source: SOURCE, limits: Limits::default() };
    let connected = Happening::Connected { device: phone.clone(), source: SOURCE };
    let first = [note(paired.clone()), note(connected.clone())];
    devices.write_trail(first.iter()).unwrap();
    for round in 0..5 {
        let flood: Vec<_> = (0..700).map(|number| note(refused(round * 700 + number))).collect();
        devices.write_trail(flood.iter()).unwrap();
    }
    let told = happenings(&devices);
    assert_eq!(told.len(), 2 + Class::Strangers.most() as usize);
    assert_eq!(told[..3], [paired.clone(), connected, refused(1500)]);
    assert_eq!(told.last(), Some(&refused(3499)));

    let flood: Vec<_> = (0..6000)
        .map(|_| note(Happening::Disconnected { device: phone.clone(), reason: None }))
        .collect();
    devices.write_trail(flood.iter()).unwrap();
    for _ in 0..Class::Matters.most() {
        let mut connection = devices.lock();
        let transaction = connection.transaction().unwrap();
        append(&transaction, 9, &paired).unwrap();
        transaction.commit().unwrap();
    }
    let most: u32 = Class::ALL.into_iter().map(Class::most).sum();
    assert_eq!(most, 10_000);
    assert_eq!(all(&devices).len(), 10_000);
}

#[test]
fn a_count_takes_the_place_of_the_one_before_and_has_a_higher_number() {
    let (_home, devices) = fresh();
    let first = devices.write_trail([note(refused(1))].iter()).unwrap();
    let again = Note { at: 10, happening: refused(2), replaces: Some(first[0]) };
    let second = devices.write_trail([again].iter()).unwrap();
    assert!(second[0] > first[0]);
    let told = all(&devices);
    assert_eq!((told.len(), &told[0].happening), (1, &refused(2)));
    // Whoever has seen the first is told of the second.
    let behind = Query { behind: Some(first[0]), ..Query::default() };
    assert_eq!(devices.trail(&behind).unwrap(), told);
    let behind = Query { behind: Some(second[0]), ..Query::default() };
    assert_eq!(devices.trail(&behind).unwrap(), []);
}

#[test]
fn a_device_is_found_by_what_it_is_or_was_called() {
    let (_home, devices) = fresh();
    let psk = Psk::random();
    let pair = |number, at| {
        let (key, name) = (key(number), name("phone"));
        devices.insert_from(SOURCE, &key, &psk, Some(&name), Limits::default(), at).unwrap()
    };
    let old = pair(1, 10);
    devices.revoke_by(&Who::computer(), old.id, 20).unwrap();
    let new = pair(2, 30);
    devices.rename_by(&Who::computer(), new.id, &name("tablet"), 40).unwrap();
    let other = pair(3, 50);
    devices.revoke_by(&Who::from(&new), other.id, 60).unwrap();

    let times = |device: &str, last, since| {
        let query = Query { last, since, behind: None, device: Some(device.to_owned()) };
        devices.trail(&query).map(|told| told.iter().map(|entry| entry.at).collect::<Vec<_>>())
    };
    assert_eq!(times("PHONE", None, None).unwrap(), [10, 20, 30, 40, 50, 60]);
    assert_eq!(times("tablet", None, None).unwrap(), [30, 40, 60]);
    assert_eq!(times(old.id.as_str(), None, None).unwrap(), [10, 20]);
    assert_eq!(times("phone", Some(2), None).unwrap(), [50, 60]);
    assert_eq!(times("phone", None, Some(40)).unwrap(), [40, 50, 60]);
    assert_eq!(times("this computer", None, None).unwrap(), [20, 40]);
    match times("watch", None, None) {
        Err(SelectError::NotFound { known }) => assert_eq!(known, [name("tablet")]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_line_of_another_version_takes_no_other_with_it() {
    let (_home, devices) = fresh();
    devices.write_trail([note(refused(1))].iter()).unwrap();
    let insert = "INSERT INTO trail (class, at, entry) VALUES (0, -5, ?1)";
    for entry in [r#"{"event":"flown","to":"the moon"}"#, "no JSON", ""] {
        devices.lock().execute(insert, [entry]).unwrap();
    }
    let told = happenings(&devices);
    assert_eq!(told, [refused(1), Happening::Unknown, Happening::Unknown, Happening::Unknown]);
}

/// A list as the version without a trail made it.
fn without_trail() -> (tempfile::TempDir, Vec<super::super::Device>) {
    let (home, devices) = fresh();
    let known = vec![pair(&devices, 1, "phone"), pair(&devices, 2, "tablet")];
    drop(devices);
    let old = Connection::open(list_in(&home)).unwrap();
    old.execute_batch("DROP TABLE trail; PRAGMA user_version = 1").unwrap();
    (home, known)
}

#[test]
fn a_list_without_a_trail_gets_one_and_keeps_its_devices() {
    let (home, known) = without_trail();
    for _ in 0..2 {
        let devices = Devices::open(&list_in(&home)).unwrap();
        assert_eq!(devices.list().unwrap(), known);
        devices.write_trail([note(refused(1))].iter()).unwrap();
    }
    assert_eq!(all(&Devices::open(&list_in(&home)).unwrap()).len(), 2);
}

#[test]
fn several_processes_may_bring_a_list_up_to_date_at_once() {
    let (home, known) = without_trail();
    let path = list_in(&home);
    std::thread::scope(|scope| {
        let open = || Devices::open(&path).unwrap().list().unwrap();
        let all: Vec<_> = (0..4).map(|_| scope.spawn(open)).collect();
        for one in all {
            assert_eq!(one.join().unwrap(), known);
        }
    });
}

#[test]
fn a_list_whose_trail_is_gone_is_refused_and_left() {
    let (home, devices) = fresh();
    drop(devices);
    let damaged = Connection::open(list_in(&home)).unwrap();
    damaged.execute_batch("DROP TABLE trail").unwrap();
    drop(damaged);
    let before = fs::read(list_in(&home)).unwrap();
    let error = Devices::open(&list_in(&home)).unwrap_err();
    assert!(matches!(error, super::super::DevicesError::Corrupt { .. }), "{error:?}");
    assert_eq!(fs::read(list_in(&home)).unwrap(), before);
}

/// A trail that is written without a pause neither keeps the change out nor the secret in.
#[test]
fn a_device_is_revoked_and_its_secret_wiped_while_the_trail_is_written() {
    let (home, devices) = fresh();
    let psk = Psk::random();
    let limits = Limits::default();
    std::thread::scope(|scope| {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let devices = &devices;
        scope.spawn(move || {
            let notes: Vec<_> = (0..20).map(|_| note(refused(1))).collect();
            while let Err(std::sync::mpsc::TryRecvError::Empty) = stopped.try_recv() {
                devices.write_trail(notes.iter()).unwrap();
            }
        });
        for round in 0..20 {
            let device = devices.insert(&key(1), &psk, None, limits, round).unwrap();
            devices.revoke_by(&Who::computer(), device.id, round).unwrap().unwrap();
            devices.wipe_removed();
            for suffix in ["", "-wal"] {
                let file = super::super::beside(&list_in(&home), suffix);
                let bytes = fs::read(file).unwrap();
                assert!(!super::super::tests::contains(&bytes, psk.expose()), "{suffix}");
            }
        }
        drop(stop);
    });
}
