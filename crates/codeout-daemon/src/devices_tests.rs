use std::fs;
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::file::PATIENCE;
use super::*;

pub(super) fn name(text: &str) -> Name {
    Name::clean(text).unwrap()
}

pub(super) fn key(number: u8) -> PublicKey {
    PublicKey([number; 32])
}

pub(super) fn list_in(home: &TempDir) -> PathBuf {
    home.path().join("devices.db")
}

/// A fresh list in a directory of its own.
pub(super) fn fresh() -> (TempDir, Devices) {
    let home = tempfile::tempdir().unwrap();
    let devices = Devices::open(&list_in(&home)).unwrap();
    (home, devices)
}

/// Pairs a device with the key of that number.
pub(super) fn pair(devices: &Devices, number: u8, proposed: &str) -> Device {
    let proposed = Name::clean(proposed);
    let limits = Limits::default();
    devices.insert(&key(number), &Psk::random(), proposed.as_ref(), limits, 1000).unwrap()
}

/// The files as a crash would leave them at this moment, in a directory of their own.
pub(super) fn crash(home: &TempDir) -> TempDir {
    let left = tempfile::tempdir().unwrap();
    for suffix in ["", "-wal"] {
        let from = beside(&list_in(home), suffix);
        if from.exists() {
            fs::copy(from, beside(&list_in(&left), suffix)).unwrap();
        }
    }
    left
}

pub(super) fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

fn names(devices: &Devices) -> Vec<String> {
    devices.list().unwrap().iter().map(|device| device.name.to_string()).collect()
}

#[test]
fn an_id_is_free_that_is_no_devices_and_no_devices_name() {
    let (_home, devices) = fresh();
    let device = pair(&devices, 1, "phone");
    let id = DeviceId::random();
    assert!(is_free(id, &devices.list().unwrap()));
    assert!(!is_free(device.id, &devices.list().unwrap()));
    pair(&devices, 2, &id.as_str().to_uppercase());
    assert!(!is_free(id, &devices.list().unwrap()));
}

#[test]
fn debug_tells_which_list_it_is() {
    let (home, devices) = fresh();
    let told = format!("{devices:?}");
    assert!(told.contains(list_in(&home).to_str().unwrap()), "{told}");
}

#[test]
fn keeps_all_of_a_device_and_gives_it_back() {
    let (home, devices) = fresh();
    let psk = Psk::random();
    let limits = Limits { watch_only: true, expires_at: Some(2000) };
    let paired = devices.insert(&key(1), &psk, Some(&name("Pixel 9")), limits, 1000).unwrap();
    let expected = Device {
        id: paired.id,
        key: key(1),
        name: name("Pixel 9"),
        paired_at: 1000,
        last_seen: None,
        unfinished: true,
        limits,
    };
    assert_eq!(paired, expected);
    assert!(devices.finish(paired.id).unwrap());
    assert!(devices.seen(paired.id, 1500).unwrap());
    drop(devices);

    let devices = Devices::open(&list_in(&home)).unwrap();
    let expected = Device { last_seen: Some(1500), unfinished: false, ..expected };
    let (found, found_psk) = devices.find(&key(1)).unwrap().unwrap();
    assert_eq!(found, expected);
    assert_eq!(found_psk.expose(), psk.expose());
    assert_eq!(devices.get(paired.id).unwrap(), Some(expected.clone()));
    assert_eq!(devices.list().unwrap(), [expected]);
    assert!(devices.find(&key(2)).unwrap().is_none());
}

#[test]
fn a_device_that_is_not_there_is_no_error() {
    let (_home, devices) = fresh();
    let gone = pair(&devices, 1, "phone").id;
    assert_eq!(devices.revoke(gone).unwrap().unwrap().id, gone);
    assert_eq!(devices.revoke(gone).unwrap(), None);
    assert_eq!(devices.get(gone).unwrap(), None);
    assert_eq!(devices.rename(gone, &name("tablet")).unwrap(), None);
    assert!(!devices.finish(gone).unwrap());
    assert!(!devices.seen(gone, 1).unwrap());
    assert!(devices.find(&key(1)).unwrap().is_none());
}

#[test]
fn a_key_is_paired_once() {
    let (_home, devices) = fresh();
    let first = pair(&devices, 1, "phone");
    let again = devices.insert(&key(1), &Psk::random(), None, Limits::default(), 1);
    assert!(matches!(again, Err(DevicesError::KeyTaken { name }) if name == first.name));
    assert_eq!(devices.list().unwrap(), std::slice::from_ref(&first));
    devices.revoke(first.id).unwrap();
    let anew = pair(&devices, 1, "phone");
    assert_eq!(devices.list().unwrap(), [anew]);
}

#[test]
fn names_are_unique_whatever_their_case() {
    let (_home, devices) = fresh();
    let long = "x".repeat(64);
    let wide = "é".repeat(32);
    let spaced = format!("{} b", "a".repeat(61));
    for (number, (proposed, given)) in [
        ("phone", "phone"),
        ("Phone", "Phone-2"),
        ("PHONE", "PHONE-3"),
        ("phone-2", "phone-2-2"),
        ("", "device"),
        ("", "device-2"),
        ("Gerät", "Gerät"),
        ("GERÄT", "GERÄT-2"),
        // What the daemon's own user is called.
        ("This Computer", "This Computer-2"),
        ("the computer itself", "the computer itself-2"),
        (&long, &long),
        (&long, &format!("{}-2", "x".repeat(62))),
        (&wide, &wide),
        (&wide, &format!("{}-2", "é".repeat(31))),
        (&spaced, &spaced),
        (&spaced, &format!("{}-2", "a".repeat(61))),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(pair(&devices, number as u8, proposed).name.as_str(), given);
    }
}

#[test]
fn a_suffix_that_grows_still_fits() {
    let (_home, devices) = fresh();
    let long = "x".repeat(64);
    let last = (0..12).map(|number| pair(&devices, number, &long).name).last().unwrap();
    assert_eq!(last.as_str(), format!("{}-12", "x".repeat(61)));
}

#[test]
fn no_name_is_another_devices_id() {
    let (_home, devices) = fresh();
    let victim = pair(&devices, 1, "laptop");
    let id = victim.id.to_string();
    assert_eq!(pair(&devices, 2, &id).name.as_str(), format!("{id}-2"));
    let liar = pair(&devices, 3, "tablet");
    let upper = name(&id.to_uppercase());
    let given = devices.rename(liar.id, &upper).unwrap().unwrap();
    assert_ne!(given, upper);
    assert_eq!(devices.select(&id).unwrap(), victim);
}

#[test]
fn renaming_keeps_names_unique() {
    let (_home, devices) = fresh();
    let phone = pair(&devices, 1, "phone");
    let tablet = pair(&devices, 2, "tablet");
    let renamed = |id, wanted| devices.rename(id, &name(wanted)).unwrap().unwrap().to_string();
    assert_eq!(renamed(tablet.id, "Phone"), "Phone-2");
    assert_eq!(renamed(tablet.id, "phone-2"), "phone-2");
    assert_eq!(renamed(phone.id, "PHONE"), "PHONE");
    assert_eq!(renamed(phone.id, "PHONE"), "PHONE");
    assert_eq!(names(&devices), ["PHONE", "phone-2"]);
}

#[test]
fn only_old_unfinished_devices_are_purged() {
    let (_home, devices) = fresh();
    let insert = |number, now| {
        let psk = Psk::random();
        devices.insert(&key(number), &psk, None, Limits::default(), now).unwrap()
    };
    let old = insert(1, 99);
    let excepted = insert(2, 99);
    let finished = insert(3, 99);
    let young = insert(4, 100);
    devices.finish(finished.id).unwrap();
    assert_eq!(devices.purge_unfinished(100, &[excepted.id]).unwrap(), [old]);
    let left: Vec<_> = devices.list().unwrap().iter().map(|device| device.id).collect();
    assert_eq!(left, [excepted.id, finished.id, young.id]);
    assert_eq!(devices.purge_unfinished(100, &[excepted.id]).unwrap(), []);
}

#[test]
fn the_order_is_that_of_pairing_whatever_the_clock_did() {
    let (_home, devices) = fresh();
    for (number, now) in [(1, 500), (2, 100), (3, 300)] {
        devices.insert(&key(number), &Psk::random(), None, Limits::default(), now).unwrap();
    }
    assert_eq!(names(&devices), ["device", "device-2", "device-3"]);
}

#[test]
fn times_beyond_sqlite_are_kept_as_the_last_it_has() {
    let (_home, devices) = fresh();
    let limits = Limits { watch_only: false, expires_at: Some(u64::MAX) };
    let paired = devices.insert(&key(1), &Psk::random(), None, limits, u64::MAX).unwrap();
    assert_eq!(paired.limits.expires_at, Some(i64::MAX as u64));
    devices.seen(paired.id, u64::MAX).unwrap();
    let kept = devices.get(paired.id).unwrap().unwrap();
    assert_eq!(kept, Device { last_seen: Some(i64::MAX as u64), ..paired });
}

#[test]
fn select_finds_by_name_then_id_then_start_of_id() {
    let (_home, devices) = fresh();
    let phone = pair(&devices, 1, "Müllers Phone");
    let tablet = pair(&devices, 2, "tablet");
    let id = phone.id.to_string();
    for text in ["Müllers Phone", "müllers phone", "  MÜLLERS PHONE ", &id, &id.to_uppercase()] {
        assert_eq!(devices.select(text).unwrap(), phone, "{text:?}");
    }
    let shared = id.bytes().zip(tablet.id.to_string().bytes()).take_while(|(a, b)| a == b).count();
    for length in (shared + 1).max(2)..=DeviceId::LENGTH {
        assert_eq!(devices.select(&id[..length]).unwrap(), phone);
    }
    // A name goes before the id of another device.
    devices.rename(tablet.id, &name(&id[..4])).unwrap();
    assert_eq!(devices.select(&id[..4]).unwrap().id, tablet.id);

    for text in ["", "phone", &id[..1], &format!("{id}0"), "\u{1b}[2J", "u", "uu"] {
        match devices.select(text) {
            Err(SelectError::NotFound { known }) => {
                assert_eq!(known, [phone.name.clone(), name(&id[..4])]);
            }
            other => panic!("{text:?}: {other:?}"),
        }
    }
}

#[test]
fn select_names_all_that_may_be_meant() {
    let (_home, devices) = fresh();
    let ids = ["k7qm3fbr", "k7qm9999", "k0000000"];
    for (number, id) in ids.iter().enumerate() {
        let paired = pair(&devices, number as u8, "");
        let sql = "UPDATE device SET id = ?2 WHERE id = ?1";
        devices.lock().execute(sql, [paired.id.as_str(), id]).unwrap();
    }
    for prefix in ["k7", "K7Q", "k7qm"] {
        match devices.select(prefix) {
            Err(SelectError::Ambiguous { candidates }) => {
                let found: Vec<_> = candidates.iter().map(|device| device.id.as_str()).collect();
                assert_eq!(found, ids[..2], "{prefix}");
            }
            other => panic!("{prefix}: {other:?}"),
        }
    }
    assert_eq!(devices.select("k7qm3").unwrap().id.as_str(), ids[0]);
    assert_eq!(devices.select("kO").unwrap().id.as_str(), ids[2]);
}

#[test]
fn an_id_is_read_as_it_is_printed() {
    for _ in 0..100 {
        let id = DeviceId::random();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string().to_uppercase().parse(), Ok(id));
        assert_eq!(format!("{id:?}"), format!("DeviceId({id})"));
    }
    let id = "01abcdef".parse::<DeviceId>().unwrap();
    assert_eq!("OiABCDEF".parse(), Ok(id));
    assert_eq!("olabcdef".parse(), Ok(id));
    for text in ["", "01abcde", "01abcdef0", "01abcdeu", "01abcde ", "01abc-ef", "01abcdé"] {
        assert_eq!(text.parse::<DeviceId>(), Err(DeviceIdError), "{text:?}");
    }
}

#[test]
fn debug_shows_no_secret() {
    let (_home, devices) = fresh();
    let psk = Psk::from_bytes(&[0xa5; 32]);
    devices.insert(&key(1), &psk, None, Limits::default(), 1).unwrap();
    let shown = format!("{:?} {:?}", devices, devices.find(&key(1)).unwrap());
    assert!(!shown.contains("165") && !shown.to_lowercase().contains("a5a5"), "{shown}");
}

#[test]
fn may_be_shared_by_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Devices>();

    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("state/devices.db");
    let start = std::sync::Barrier::new(8);
    std::thread::scope(|scope| {
        for number in 0..8 {
            let (path, start) = (&path, &start);
            scope.spawn(move || {
                start.wait();
                let devices = Devices::open(path).unwrap();
                let paired = pair(&devices, number, "phone");
                assert!(devices.finish(paired.id).unwrap());
            });
        }
    });
    let devices = Devices::open(&path).unwrap();
    let mut names = names(&devices);
    names.sort();
    let expected: Vec<_> = (2..=8).map(|number| format!("phone-{number}")).collect();
    assert_eq!(names[0], "phone");
    assert_eq!(names[1..], expected);
    assert!(devices.list().unwrap().iter().all(|device| !device.unfinished));
}

#[test]
fn all_files_are_closed_to_others() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("a/b/devices.db");
    let devices = Devices::open(&path).unwrap();
    pair(&devices, 1, "phone");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    for suffix in ["", "-wal", "-shm"] {
        assert_eq!(mode(&beside(&path, suffix)), 0o600, "{suffix}");
    }
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 3, "no draft is left");
}

#[test]
fn writes_are_synced_and_removed_secrets_zeroed() {
    let (_home, devices) = fresh();
    let connection = devices.lock();
    for (pragma, value) in
        [("synchronous", "2"), ("secure_delete", "1"), ("fullfsync", "1"), ("busy_timeout", "5000")]
    {
        let found: i64 = connection.pragma_query_value(None, pragma, |row| row.get(0)).unwrap();
        assert_eq!(found.to_string(), value, "{pragma}");
    }
    let mode: String =
        connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
}

#[test]
fn a_crash_between_removal_and_wiping_leaves_no_secret() {
    let (home, devices) = fresh();
    let psk = Psk::random();
    devices.insert(&key(1), &psk, None, Limits::default(), 1).unwrap();
    devices.write(|transaction| transaction.execute("DELETE FROM device", [])).unwrap();
    let left = crash(&home);
    let path = list_in(&left);
    assert!(contains(&fs::read(beside(&path, "-wal")).unwrap(), psk.expose()));
    let _devices = Devices::open(&path).unwrap();
    assert!(!contains(&fs::read(beside(&path, "-wal")).unwrap(), psk.expose()));
    assert!(!contains(&fs::read(&path).unwrap(), psk.expose()));
}

#[test]
fn a_reader_elsewhere_neither_stops_nor_delays_a_revoke() {
    let (home, devices) = fresh();
    let phone = pair(&devices, 1, "phone");
    let mut other = Connection::open(list_in(&home)).unwrap();
    let reading = other.transaction().unwrap();
    let count = |connection: &Connection| -> i64 {
        connection.query_row("SELECT count(*) FROM device", [], |row| row.get(0)).unwrap()
    };
    assert_eq!(count(&reading), 1);
    let start = std::time::Instant::now();
    assert_eq!(devices.revoke(phone.id).unwrap(), Some(phone));
    assert!(start.elapsed() < PATIENCE, "it waited for the reader");
    assert_eq!(devices.list().unwrap(), []);
    drop(reading);
    assert_eq!(count(&other), 0);
}
