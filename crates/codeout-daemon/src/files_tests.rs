use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use super::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_draft_appears_whole_and_closed_to_others() {
    let home = tempfile::tempdir().unwrap();
    let target = home.path().join("a/b/secret");
    let (draft, mut file) = Draft::create(&target).unwrap();
    file.write_all(b"whole").unwrap();
    assert!(!exists(&target).unwrap());
    assert!(draft.publish().unwrap());
    assert_eq!(fs::read(&target).unwrap(), b"whole");
    assert_eq!(mode(&target), 0o600);
    assert_eq!(mode(&home.path().join("a/b")), 0o700);
    assert_eq!(mode(&home.path().join("a")), 0o700);
    let names = fs::read_dir(home.path().join("a/b")).unwrap().count();
    assert_eq!(names, 1, "the draft is gone");
}

#[test]
fn a_draft_never_takes_another_files_place() {
    let home = tempfile::tempdir().unwrap();
    let there = home.path().join("there");
    fs::write(&there, b"mine").unwrap();
    let nowhere = home.path().join("nowhere");
    std::os::unix::fs::symlink(home.path().join("missing"), &nowhere).unwrap();
    for target in [&there, &nowhere] {
        let (draft, _) = Draft::create(target).unwrap();
        assert!(!draft.publish().unwrap());
    }
    assert_eq!(fs::read(&there).unwrap(), b"mine");
    assert!(!home.path().join("missing").exists());
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 2, "the drafts are gone");
}

#[test]
fn a_dropped_draft_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    drop(Draft::create(&home.path().join("secret")).unwrap());
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn a_directory_that_is_a_file_is_an_error() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file");
    fs::write(&file, b"mine").unwrap();
    assert!(Draft::create(&file.join("secret")).is_err());
    assert!(Draft::create(&file.join("deeper/secret")).is_err());
    assert_eq!(fs::read(&file).unwrap(), b"mine");
}

#[test]
fn only_a_file_that_is_closed_to_others_is_safe() {
    let path = Path::new("/home/o'neil/key");
    for mode in [0o600, 0o400, 0o700] {
        assert_eq!(UnsafeFile::check_mode(path, mode), Ok(()));
    }
    for mode in [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o777] {
        let command = r"chmod 600 '/home/o'\''neil/key'".to_owned();
        let path = path.to_owned();
        let exposed = UnsafeFile::Exposed { path: path.clone(), mode, command };
        assert_eq!(UnsafeFile::check_mode(&path, mode), Err(exposed));
    }
    assert_eq!(UnsafeFile::check_owner(path, 7, 7), Ok(()));
    let foreign = UnsafeFile::Foreign { path: path.to_owned(), owner: 0, user: 7 };
    assert_eq!(UnsafeFile::check_owner(path, 0, 7), Err(foreign));
}

#[test]
fn drafts_that_were_left_are_swept_and_nothing_else() {
    let home = tempfile::tempdir().unwrap();
    let target = home.path().join("devices.db");
    let random = "0123456789abcdef";
    let mut others = vec!["devices.db".to_owned(), "devices.db-wal".to_owned()];
    others.push(format!(".devices.db.{random}.new.mine"));
    others.push(format!(".devices.db.{}.new", &random[1..]));
    others.push(format!(".identity.{random}.new"));
    others.push(format!("devices.db.{random}.new"));
    let left = ["", "-wal", "-shm", "-journal"];
    let left = left.map(|suffix| format!(".devices.db.{random}.new{suffix}"));
    for name in others.iter().chain(&left) {
        fs::write(home.path().join(name), b"mine").unwrap();
    }
    sweep(&target);
    let names = fs::read_dir(home.path()).unwrap();
    let mut names: Vec<_> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    others.sort();
    assert_eq!(names, others);
}
