use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;
use std::sync::Barrier;

use proptest::prelude::*;

use super::*;

/// A key file with these bytes, closed to others.
fn written(directory: &Path, bytes: &[u8]) -> PathBuf {
    let path = directory.join("identity");
    fs::write(&path, bytes).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn refused(path: &Path) -> IdentityError {
    let error = Identity::load_or_create(path).unwrap_err();
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    error
}

#[test]
fn makes_a_key_once_and_reads_it_ever_after() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("state/identity");
    let (made, origin) = Identity::load_or_create(&path).unwrap();
    assert_eq!(origin, Origin::Created);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    let bytes = fs::read(&path).unwrap();
    for _ in 0..2 {
        let (read, origin) = Identity::load_or_create(&path).unwrap();
        assert_eq!(origin, Origin::Loaded);
        assert_eq!(read.public, made.public);
        assert_eq!(read.secret.expose(), made.secret.expose());
    }
    assert_eq!(fs::read(&path).unwrap(), bytes);
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn the_format_is_one_line() {
    let home = tempfile::tempdir().unwrap();
    let hex = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff";
    let line = format!("codeout-identity-1 {hex}\n");
    let path = written(home.path(), line.as_bytes());
    let (pair, _) = Identity::load_or_create(&path).unwrap();
    let mut secret: [u8; 32] = std::array::from_fn(|i| i as u8);
    secret[31] = 0xff;
    assert_eq!(pair.secret.expose(), &secret);

    let again = home.path().join("again");
    assert!(create(&again, &pair.secret).unwrap());
    assert_eq!(fs::read_to_string(&again).unwrap(), line);
}

#[test]
fn every_damage_is_named_and_left_as_it_is() {
    let home = tempfile::tempdir().unwrap();
    let whole = format!("codeout-identity-1 {}\n", "5a".repeat(32)).into_bytes();
    let mut damaged: Vec<Vec<u8>> = (0..whole.len()).map(|cut| whole[..cut].to_vec()).collect();
    damaged.extend((0..whole.len()).map(|at| {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x80;
        flipped
    }));
    damaged.push([whole.as_slice(), b"\n"].concat());
    damaged.push(whole.repeat(2));
    damaged.push(whole.to_ascii_uppercase());
    damaged.push(format!("codeout-identity-1 {}\n", "5A".repeat(32)).into_bytes());
    damaged.push(format!("codeout-identity-1 {}\r\n", "5a".repeat(32)).into_bytes());
    damaged.push(vec![0; whole.len()]);
    damaged.push(vec![b'a'; 1 << 20]);
    for bytes in damaged {
        let path = written(home.path(), &bytes);
        let error = refused(&path);
        assert!(matches!(error, IdentityError::Damaged { .. }), "{error}");
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
}

#[test]
fn says_what_the_damage_is() {
    let key = "5a".repeat(32);
    for (text, defect) in [
        (String::new(), "it is empty"),
        ("codeout-ide".to_owned(), "it is cut short"),
        (format!("codeout-identity-1 {}", &key[..40]), "it is cut short"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----".to_owned(), "it is not a codeout key"),
        (format!("codeout-identity-1 {key}\n\n"), "it does not end where it should"),
        (
            format!("codeout-identity-1 {}\n", "xy".repeat(32)),
            "its key is not 64 lower-case hexadecimal digits",
        ),
    ] {
        match parse(Path::new("/k"), text.as_bytes()) {
            Err(IdentityError::Damaged { defect: found, .. }) => assert_eq!(found, defect),
            other => panic!("{text:?}: {other:?}"),
        }
    }
}

#[test]
fn a_later_format_is_left_alone() {
    let home = tempfile::tempdir().unwrap();
    for text in ["codeout-identity-2 whatever\n", "codeout-identity-10 whatever\n"] {
        let path = written(home.path(), text.as_bytes());
        assert!(matches!(refused(&path), IdentityError::Newer { .. }));
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn a_file_that_others_may_open_is_refused_with_the_remedy() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("identity");
    Identity::load_or_create(&path).unwrap();
    for mode in [0o640, 0o604, 0o660, 0o644] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let IdentityError::Unsafe(UnsafeFile::Exposed { mode: found, command, .. }) =
            refused(&path)
        else {
            panic!("mode {mode:o}")
        };
        assert_eq!(found, mode);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, mode);
        assert!(Command::new("sh").arg("-c").arg(command).status().unwrap().success());
        Identity::load_or_create(&path).unwrap();
    }
}

#[test]
fn what_is_no_file_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let pipe = home.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for path in [home.path(), &pipe] {
        let error = refused(path);
        assert!(matches!(error, IdentityError::Unsafe(UnsafeFile::NotAFile { .. })), "{error}");
    }

    let nowhere = home.path().join("nowhere");
    symlink(home.path().join("missing"), &nowhere).unwrap();
    assert!(matches!(refused(&nowhere), IdentityError::Read { .. }));
    assert!(!home.path().join("missing").exists());

    let circle = home.path().join("circle");
    symlink(&circle, &circle).unwrap();
    assert!(matches!(refused(&circle), IdentityError::Read { .. }));

    let file = written(home.path(), b"mine");
    assert!(matches!(refused(&file.join("identity")), IdentityError::Read { .. }));
    assert_eq!(fs::read(&file).unwrap(), b"mine");
}

#[test]
fn a_link_to_a_good_key_is_followed() {
    let home = tempfile::tempdir().unwrap();
    let (path, link) = (home.path().join("identity"), home.path().join("link"));
    let (made, _) = Identity::load_or_create(&path).unwrap();
    symlink(&path, &link).unwrap();
    let (read, origin) = Identity::load_or_create(&link).unwrap();
    assert_eq!((read.public, origin), (made.public, Origin::Loaded));
}

#[test]
fn all_who_come_at_once_get_one_key() {
    for _ in 0..16 {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("state/identity");
        let start = Barrier::new(8);
        let results: Vec<_> = std::thread::scope(|scope| {
            let load = || {
                start.wait();
                Identity::load_or_create(&path).unwrap()
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(load)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(results.iter().all(|(pair, _)| pair.public == results[0].0.public));
        let created = results.iter().filter(|(_, origin)| *origin == Origin::Created);
        assert_eq!(created.count(), 1);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}

#[test]
fn errors_do_not_show_the_key() {
    let line = format!("codeout-identity-1 {}\nx", "5a".repeat(32));
    let error = parse(Path::new("/k"), line.as_bytes()).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("5a5a"));
}

proptest! {
    #[test]
    fn any_bytes_are_a_key_or_an_error(bytes in any::<Vec<u8>>()) {
        prop_assert!(parse(Path::new("/k"), &bytes).is_err());
    }

    #[test]
    fn any_key_comes_back(key in any::<[u8; 32]>()) {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("identity");
        prop_assert!(create(&path, &SecretKey::from_bytes(&key)).unwrap());
        let read = load(&path).unwrap();
        prop_assert_eq!(read.secret.expose(), &key);
    }
}
