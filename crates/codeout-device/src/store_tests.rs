use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;
use crate::profiles::Profiles;
use crate::profiles::tests::profile;

fn store() -> (tempfile::TempDir, PathBuf, Profiles) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("codeout/daemons.json");
    let profiles = Profiles::open(&path).unwrap();
    (directory, path, profiles)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Writes `text` as the file, and expects that nothing reads it and nothing changes it.
fn refused(text: &[u8]) -> StoreError {
    let (_directory, path, profiles) = store();
    fs::write(&path, text).unwrap();
    set_mode(&path, 0o600);
    let error = Profiles::open(&path).unwrap_err();
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    assert!(profiles.list().is_err());
    assert!(profiles.put(profile("desk", State::Paired)).is_err());
    assert!(profiles.remove("desk").is_err());
    assert_eq!(fs::read(&path).unwrap(), text);
    error
}

#[test]
fn only_its_owner_can_open_what_is_written() {
    let (_directory, path, profiles) = store();
    profiles.put(profile("desk", State::Paired)).unwrap();
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    let files: Vec<_> = fs::read_dir(path.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(files.len(), 2, "the file and its lock: {files:?}");
}

#[test]
fn the_format_is_as_promised() {
    let (_directory, path, profiles) = store();
    let stored = profiles.put(profile("desk", State::Unconfirmed)).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    assert_eq!(json["version"], 1);
    let daemon = &json["daemons"][0];
    assert_eq!(daemon["name"], "desk");
    assert_eq!(daemon["address"], "http://desk:8400");
    assert_eq!(daemon["state"], "unconfirmed");
    assert_eq!(daemon["fingerprint"], "6N5A-N82M");
    let token: String =
        stored.credentials.token.expose().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(daemon["token"], token.as_str());
}

#[test]
fn broken_files_are_refused_and_kept() {
    for text in [
        &b""[..],
        b"not json",
        b"{}",
        b"[]",
        br#"{"version":1}"#,
        br#"{"version":0,"daemons":[]}"#,
        br#"{"version":1,"daemons":[{}]}"#,
        br#"{"version":1,"daemons":[]"#,
        b"\xff\xfe",
    ] {
        assert!(matches!(refused(text), StoreError::Broken { .. }));
    }
}

#[test]
fn a_later_format_is_refused_and_kept() {
    let error = refused(br#"{"version":2,"nodes":[1]}"#);
    assert!(matches!(error, StoreError::Newer { version: 2, .. }));
}

#[test]
fn no_error_quotes_a_secret() {
    let (_directory, path, profiles) = store();
    profiles.put(profile("desk", State::Paired)).unwrap();
    let good = fs::read_to_string(&path).unwrap();
    let json: serde_json::Value = serde_json::from_str(&good).unwrap();
    for member in ["token", "device_secret"] {
        let secret = json["daemons"][0][member].as_str().unwrap();
        // One digit wrong, one missing, and a secret where another thing belongs.
        let part = &secret[..40];
        for wrong in [
            good.replace(secret, &format!("{}g", &secret[..63])),
            good.replace(secret, &secret[..63]),
            good.replace("\"paired\"", &format!("\"{secret}\"")),
            good.replace("http://desk:8400", secret),
        ] {
            let error = refused(wrong.as_bytes());
            assert!(!format!("{error} {error:?}").contains(part), "{error:?}");
        }
    }
    let debug = format!("{:?}", profiles.list().unwrap());
    for member in ["token", "device_secret"] {
        assert!(!debug.contains(json["daemons"][0][member].as_str().unwrap()));
    }
}

#[test]
fn files_and_directories_open_to_others_are_refused() {
    let (_directory, path, profiles) = store();
    profiles.put(profile("desk", State::Paired)).unwrap();
    for bad in [0o640, 0o604, 0o620, 0o601] {
        set_mode(&path, bad);
        let StoreError::Exposed { path: named, mode } = profiles.list().unwrap_err() else {
            panic!()
        };
        assert_eq!((named, mode), (path.clone(), bad));
        assert!(profiles.put(profile("lab", State::Paired)).is_err());
    }
    set_mode(&path, 0o600);
    let directory = path.parent().unwrap();
    set_mode(directory, 0o755);
    assert!(matches!(Profiles::open(&path), Err(StoreError::Exposed { mode: 0o755, .. })));
    set_mode(directory, 0o700);
    assert_eq!(profiles.list().unwrap().len(), 1);
}

#[test]
fn what_is_no_file_is_refused() {
    let (directory, path, _) = store();
    let elsewhere = directory.path().join("elsewhere.json");
    fs::write(&elsewhere, br#"{"version":1,"daemons":[]}"#).unwrap();
    symlink(&elsewhere, &path).unwrap();
    assert!(matches!(Profiles::open(&path), Err(StoreError::Broken { .. })));
    fs::remove_file(&path).unwrap();

    fs::create_dir(&path).unwrap();
    assert!(Profiles::open(&path).is_err());
    fs::remove_dir(&path).unwrap();

    rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR)
        .unwrap();
    assert!(matches!(Profiles::open(&path), Err(StoreError::Broken { .. })));
}

#[test]
fn a_crash_while_writing_leaves_the_file_and_the_way_free() {
    let (_directory, path, profiles) = store();
    profiles.put(profile("desk", State::Paired)).unwrap();
    let draft = beside(&path, "new");
    fs::write(&draft, b"half of a fi").unwrap();
    set_mode(&draft, 0o644);
    assert_eq!(profiles.list().unwrap().len(), 1);
    profiles.put(profile("lab", State::Paired)).unwrap();
    assert_eq!(profiles.list().unwrap().len(), 2);
    assert_eq!(mode(&path), 0o600);
    assert!(!draft.exists());
}

#[test]
fn writers_at_the_same_time_lose_nothing() {
    let (_directory, path, profiles) = store();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                // As another process would.
                let own = Profiles::open(&path).unwrap();
                for _ in 0..10 {
                    own.put(profile("desk", State::Paired)).unwrap();
                    own.list().unwrap();
                }
            });
        }
    });
    let mut names: Vec<_> = profiles.list().unwrap().into_iter().map(|one| one.name).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 80);
}
