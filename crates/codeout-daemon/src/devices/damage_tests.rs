//! Files that are not as they should be, and what goes wrong while one is open.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;
use tempfile::TempDir;

use super::file::{APPLICATION_ID, VERSION};
use super::tests::{crash, fresh, key, list_in, name, pair};
use super::*;
use crate::trail::Note;

/// Opening fails, names the file and leaves its bytes as they are.
fn refused(path: &Path) -> DevicesError {
    let before = fs::read(path).ok();
    let error = Devices::open(path).unwrap_err();
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    assert_eq!(error.to_string().lines().count(), 1, "{error}");
    assert_eq!(fs::read(path).ok(), before, "{error}");
    error
}

/// The bytes of a list with three devices, and a line of its trail: every page of it is used.
fn whole() -> Vec<u8> {
    let (home, devices) = fresh();
    for number in 0..3 {
        pair(&devices, number, "phone");
    }
    let (happening, replaces) = (Happening::DaemonStopped {}, None);
    devices.write_trail([Note { at: 1, happening, replaces }].iter()).unwrap();
    drop(devices);
    assert!(!beside(&list_in(&home), "-wal").exists());
    fs::read(list_in(&home)).unwrap()
}

/// A file with these bytes, closed to others.
fn written(home: &TempDir, bytes: &[u8]) -> PathBuf {
    let path = list_in(home);
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(beside(&path, suffix));
    }
    fs::write(&path, bytes).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

#[test]
fn a_truncated_list_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let whole = whole();
    let cuts = (0..whole.len()).step_by(512).chain([1, 15, 16, 17, 99, 100, whole.len() - 1]);
    for cut in cuts {
        let path = written(&home, &whole[..cut]);
        let error = refused(&path);
        let named = matches!(error, DevicesError::Corrupt { .. } | DevicesError::NotDevices { .. });
        assert!(named, "{cut}: {error:?}");
    }
    let empty = refused(&written(&home, b""));
    assert!(matches!(empty, DevicesError::Corrupt { .. }), "{empty:?}");
    let path = written(&home, &whole);
    assert_eq!(Devices::open(&path).unwrap().list().unwrap().len(), 3);
}

#[test]
fn what_is_something_else_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let garbage: Vec<u8> = (0..20_000u32).map(|number| (number * 7 + number / 251) as u8).collect();
    for bytes in [&garbage[..], b"{}", &[0; 8192], b"SQLite format 3\0"] {
        let path = written(&home, bytes);
        assert!(matches!(refused(&path), DevicesError::NotDevices { .. }));
    }
}

#[test]
fn another_programs_database_is_refused() {
    for (application, version) in [(0, 0), (0, VERSION), (APPLICATION_ID + 1, VERSION)] {
        let home = tempfile::tempdir().unwrap();
        let path = written(&home, b"");
        let other = Connection::open(&path).unwrap();
        other.execute_batch("CREATE TABLE mine (a); INSERT INTO mine VALUES (1)").unwrap();
        other.pragma_update(None, "application_id", application).unwrap();
        other.pragma_update(None, "user_version", version).unwrap();
        drop(other);
        assert!(matches!(refused(&path), DevicesError::NotDevices { .. }));
    }
}

#[test]
fn another_programs_log_is_left_too() {
    let home = tempfile::tempdir().unwrap();
    let path = written(&home, b"");
    let other = Connection::open(&path).unwrap();
    other.pragma_update(None, "journal_mode", "WAL").unwrap();
    other.execute_batch("CREATE TABLE mine (a); INSERT INTO mine VALUES (1)").unwrap();
    let left = crash(&home);
    let path = list_in(&left);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let log = fs::read(beside(&path, "-wal")).unwrap();
    assert!(matches!(refused(&path), DevicesError::NotDevices { .. }));
    assert_eq!(fs::read(beside(&path, "-wal")).unwrap(), log);
}

#[test]
fn a_newer_version_is_refused() {
    for version in [VERSION + 1, i32::MAX] {
        let home = tempfile::tempdir().unwrap();
        let path = written(&home, &whole());
        let newer = Connection::open(&path).unwrap();
        newer.pragma_update(None, "user_version", version).unwrap();
        drop(newer);
        assert!(matches!(refused(&path), DevicesError::Newer { .. }));
    }
}

#[test]
fn rows_that_make_no_sense_are_refused() {
    for damage in [
        "DROP TABLE device",
        "ALTER TABLE device DROP COLUMN last_seen",
        "UPDATE device SET id = 'K7QM3FBR' WHERE turn = 2",
        "UPDATE device SET id = 'short' WHERE turn = 2",
        "UPDATE device SET name = '' WHERE turn = 2",
        "UPDATE device SET name = char(27) || '[2J' WHERE turn = 2",
        "UPDATE device SET paired_at = -1 WHERE turn = 2",
        "PRAGMA ignore_check_constraints = ON; UPDATE device SET key = x'00' WHERE turn = 2",
        "PRAGMA ignore_check_constraints = ON; UPDATE device SET psk = x'00' WHERE turn = 2",
        "PRAGMA ignore_check_constraints = ON; UPDATE device SET watch_only = 7 WHERE turn = 2",
    ] {
        let home = tempfile::tempdir().unwrap();
        let path = written(&home, &whole());
        Connection::open(&path).unwrap().execute_batch(damage).unwrap();
        let error = refused(&path);
        assert!(matches!(error, DevicesError::Corrupt { .. }), "{damage}: {error:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn damage_is_refused_or_does_not_show(
        damage in proptest::collection::vec((any::<Index>(), any::<u8>()), 1..40),
    ) {
        let home = tempfile::tempdir().unwrap();
        let mut bytes = whole();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let path = written(&home, &bytes);
        match Devices::open(&path) {
            Ok(devices) => prop_assert!(devices.list().is_ok()),
            Err(error) => {
                prop_assert!(error.to_string().contains(path.to_str().unwrap()));
                prop_assert_eq!(fs::read(&path).unwrap(), bytes);
            }
        }
    }
}

#[test]
fn a_list_that_others_may_open_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let path = written(&home, &whole());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let error = refused(&path);
    let command = format!("chmod 600 '{}'", path.display());
    let named = matches!(&error,
        DevicesError::Unsafe(UnsafeFile::Exposed { command: found, .. }) if *found == command);
    assert!(named, "{error:?}");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
}

#[test]
fn paths_that_cannot_be_a_list_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let not_a_file = refused(home.path());
    assert!(matches!(not_a_file, DevicesError::Unsafe(UnsafeFile::NotAFile { .. })));

    let file = home.path().join("file");
    fs::write(&file, b"mine").unwrap();
    for path in [file.join("devices.db"), file.join("deeper/devices.db")] {
        assert!(matches!(refused(&path), DevicesError::Open { .. }));
    }
    assert_eq!(fs::read(&file).unwrap(), b"mine");

    let nowhere = home.path().join("nowhere");
    symlink(home.path().join("missing"), &nowhere).unwrap();
    assert!(matches!(refused(&nowhere), DevicesError::Open { .. }));
    assert!(!home.path().join("missing").exists());
}

#[test]
fn a_log_without_its_list_is_not_taken_up() {
    let (home, devices) = fresh();
    pair(&devices, 1, "phone");
    let log = fs::read(beside(&list_in(&home), "-wal")).unwrap();
    assert!(!log.is_empty());
    for suffix in ["-wal", "-journal"] {
        let home = tempfile::tempdir().unwrap();
        let path = list_in(&home);
        let beside = beside(&path, suffix);
        fs::write(&beside, &log).unwrap();
        match refused(&path) {
            DevicesError::Remnant { remnant, .. } => assert_eq!(remnant, beside),
            other => panic!("{other:?}"),
        }
        assert!(!path.exists());
        assert_eq!(fs::read(&beside).unwrap(), log);
    }
}

/// Every change fails like that and changes nothing.
fn fails_as(home: &TempDir, devices: &Devices, expected: fn(&DevicesError) -> bool) {
    let before = devices.list().unwrap();
    let id = before[0].id;
    let psk = Psk::random();
    let errors = [
        devices.insert(&key(200), &psk, None, Limits::default(), 1).map(|_| ()),
        devices.finish(id).map(|_| ()),
        devices.seen(id, 5).map(|_| ()),
        devices.rename(id, &name("other")).map(|_| ()),
        devices.revoke(id).map(|_| ()),
        devices.purge_unfinished(u64::MAX, &[]).map(|_| ()),
    ];
    for error in errors {
        let error = error.unwrap_err();
        assert!(expected(&error), "{error:?}");
        assert!(error.to_string().contains(list_in(home).to_str().unwrap()), "{error}");
    }
    assert_eq!(devices.list().unwrap(), before);
}

#[test]
fn a_locked_list_is_named_and_usable_afterwards() {
    let (home, devices) = fresh();
    pair(&devices, 1, "phone");
    devices.lock().busy_timeout(Duration::ZERO).unwrap();
    let other = Connection::open(list_in(&home)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    fails_as(&home, &devices, |error| matches!(error, DevicesError::Busy { .. }));
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(pair(&devices, 2, "phone").name.as_str(), "phone-2");
}

#[test]
fn a_read_only_list_is_named() {
    let (home, devices) = fresh();
    pair(&devices, 1, "phone");
    devices.lock().pragma_update(None, "query_only", true).unwrap();
    fails_as(&home, &devices, |error| matches!(error, DevicesError::ReadOnly { .. }));
}

#[test]
fn a_full_disk_is_named_and_loses_nothing() {
    let (home, devices) = fresh();
    let set_pages = |pages: i64| {
        let connection = devices.lock();
        connection
            .pragma_update_and_check(None, "max_page_count", pages, |row| row.get::<_, i64>(0))
            .unwrap();
    };
    set_pages(1); // as few as there are
    let mut inserted = Vec::new();
    let error = loop {
        let number = inserted.len() as u8;
        let psk = Psk::random();
        match devices.insert(&key(number), &psk, None, Limits::default(), 1) {
            Ok(device) => inserted.push(device),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, DevicesError::Full { .. }), "{error:?}");
    assert!(error.to_string().contains(list_in(&home).to_str().unwrap()));
    assert_eq!(devices.list().unwrap(), inserted);
    set_pages(1 << 20);
    pair(&devices, 100, "phone");
}
