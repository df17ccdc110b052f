//! Files that are cut short, damaged, locked, of a later version, of somebody else, or open to
//! others: each is named, with the way out, and left as it is. No other key takes the place of one
//! that cannot be read.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Output;

use codeout_daemon::OfferLimits;
use rustix::fs::{FlockOperation, fcntl_lock};
use tempfile::TempDir;

use crate::scene::{Template, Told};
use crate::support::PATIENCE;
use crate::support::process::{DaemonProcess, codeout, control, offer};
use crate::{report, some_of};

/// Somebody else.
const NOBODY: u32 = 65_534;

/// What is done to a file.
#[derive(Debug, Clone, Copy)]
enum Damage {
    /// Only so many hundredths of it are left.
    Cut(usize),
    /// These bytes are there instead.
    Replaced(&'static [u8]),
    /// These bytes are at that place.
    Patched(usize, &'static [u8]),
    Gone,
    Directory,
    /// A symbolic link to nowhere.
    Nowhere,
    Mode(u32),
    Owner,
    /// Another process has it locked.
    Locked,
}

/// A file of a daemon or a device, what is wrong with it, and the words for it.
struct Case {
    file: &'static str,
    damage: Damage,
    says: &'static str,
    hint: &'static str,
}

const fn case(file: &'static str, damage: Damage, says: &'static str, hint: &'static str) -> Case {
    Case { file, damage, says, hint }
}

const KEY: &str = "daemon/identity";
const LIST: &str = "daemon/devices.db";
const KNOWN: &str = "device/daemons.json";
const RESTORE: &str = "restore it from a backup";

/// Of a daemon.
const OF_DAEMON: [Case; 24] = [
    case(KEY, Damage::Cut(0), "it is empty", RESTORE),
    case(KEY, Damage::Cut(10), "it is cut short", RESTORE),
    case(KEY, Damage::Cut(99), "it is cut short", RESTORE),
    case(KEY, Damage::Replaced(&[0; 84]), "it is not a codeout key", RESTORE),
    case(KEY, Damage::Patched(30, b"X"), "is damaged", RESTORE),
    case(KEY, Damage::Patched(17, b"2"), "newer version", "run the newer version"),
    case(KEY, Damage::Gone, "cannot read the key file", RESTORE),
    case(KEY, Damage::Directory, "not a regular file", "move it away"),
    case(KEY, Damage::Nowhere, "cannot read the key file", RESTORE),
    case(KEY, Damage::Mode(0o640), "others may open it", "chmod 600"),
    case(KEY, Damage::Owner, "belongs to user 65534", "move it away"),
    case(LIST, Damage::Cut(0), "it is empty", RESTORE),
    case(LIST, Damage::Cut(10), "is damaged", RESTORE),
    case(LIST, Damage::Cut(90), "is damaged", RESTORE),
    case(LIST, Damage::Replaced(b"{}"), "is not a device list", RESTORE),
    case(LIST, Damage::Patched(0, b"sqLite"), "is not a device list", RESTORE),
    case(LIST, Damage::Patched(60, &[0, 0, 0, 99]), "newer version", "run the newer version"),
    case(LIST, Damage::Patched(68, b"mine"), "is not a device list", RESTORE),
    case(LIST, Damage::Patched(100, &[0xff; 200]), "is damaged", RESTORE),
    case(LIST, Damage::Directory, "not a regular file", "move it away"),
    case(LIST, Damage::Nowhere, "cannot open the device list", "make it writable"),
    case(LIST, Damage::Mode(0o604), "others may open it", "chmod 600"),
    case(LIST, Damage::Owner, "belongs to user 65534", "move it away"),
    case(LIST, Damage::Locked, "locked by another process", "try again"),
];

/// Of the directory that they are in.
const OF_DIRECTORY: [Case; 3] = [
    case("daemon", Damage::Mode(0o755), "other users may look into it", "chmod 700"),
    case("daemon", Damage::Owner, "it belongs to another user", "CODEOUT_HOME"),
    case(
        "daemon/control.sock",
        Damage::Directory,
        "cannot make the control socket",
        "CODEOUT_HOME",
    ),
];

/// Of a device.
const OF_DEVICE: [Case; 9] = [
    case(KNOWN, Damage::Cut(0), "is broken", RESTORE),
    case(KNOWN, Damage::Cut(50), "is broken", RESTORE),
    case(KNOWN, Damage::Replaced(b"garbage"), "is broken", RESTORE),
    case(KNOWN, Damage::Patched(15, b"9"), "later version", "run the newer version"),
    case(KNOWN, Damage::Directory, "is broken", RESTORE),
    case(KNOWN, Damage::Nowhere, "is broken", RESTORE),
    case(KNOWN, Damage::Mode(0o644), "others may open it", "chmod 600"),
    case(KNOWN, Damage::Owner, "another user", "CODEOUT_HOME"),
    case("device", Damage::Mode(0o755), "others may open it", "chmod 700"),
];

impl Case {
    fn path(&self, home: &Path) -> PathBuf {
        home.join(self.file)
    }

    /// Does it. What is returned keeps it done.
    fn damage(&self, home: &Path) -> Option<fs::File> {
        let path = self.path(home);
        let remove = || {
            let _ = fs::remove_file(&path);
        };
        match self.damage {
            Damage::Cut(left) => {
                let bytes = fs::read(&path).unwrap();
                fs::write(&path, &bytes[..bytes.len() * left / 100]).unwrap();
            }
            Damage::Replaced(bytes) => fs::write(&path, bytes).unwrap(),
            Damage::Patched(at, patch) => {
                let mut bytes = fs::read(&path).unwrap();
                bytes[at..at + patch.len()].copy_from_slice(patch);
                fs::write(&path, bytes).unwrap();
            }
            Damage::Gone => remove(),
            Damage::Directory => {
                remove();
                fs::create_dir(&path).unwrap();
            }
            Damage::Nowhere => {
                remove();
                std::os::unix::fs::symlink(home.join("nowhere"), &path).unwrap();
            }
            Damage::Mode(mode) => fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap(),
            Damage::Owner => chown(&path, Some(NOBODY), None).unwrap(),
            Damage::Locked => {
                let file = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
                fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
                return Some(file);
            }
        }
        None
    }

    /// A command has said so, and changed nothing.
    fn is_said(&self, home: &Path, output: &Output, arguments: &[&str]) {
        let said = String::from_utf8_lossy(&output.stderr);
        let what = format!("{} {:?}, {arguments:?}: {output:?}", self.file, self.damage);
        assert_eq!(output.status.code(), Some(17), "{what}");
        let (error, hint) = said.split_once('\n').unwrap_or_default();
        assert!(error.starts_with("codeout: ") && error.contains(self.says), "{what}");
        // By its name, or by that of the directory for which it says what to do.
        assert!(error.contains(self.path(home).to_str().unwrap()), "{what}");
        assert!(
            (hint.contains(self.hint) || error.contains(self.hint)) && !hint.is_empty(),
            "{what}"
        );
    }
}

/// Every file below a directory: what it is, whose, and what is in it.
fn all(directory: &Path) -> Vec<(PathBuf, u32, u32, Vec<u8>)> {
    use std::os::unix::fs::MetadataExt;
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let metadata = fs::symlink_metadata(&path).unwrap();
        // The locks are made by whoever looks, and SQLite's index is not a part of the list.
        let name = path.file_name().unwrap().to_str().unwrap();
        if name == "lock" || name.ends_with(".lock") || name.ends_with("-shm") {
            continue;
        }
        // What a daemon without a terminal says goes into its log.
        if name == "daemon.log" || (name == "devices.db-wal" && metadata.len() == 0) {
            continue;
        }
        let bytes = if metadata.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        found.push((path.clone(), metadata.mode(), metadata.uid(), bytes));
        if metadata.is_dir() {
            found.extend(all(&path));
        }
    }
    found.sort();
    found
}

async fn run(home: &Path, arguments: &[&str]) -> Output {
    let mut command = codeout(home);
    let ended = tokio::time::timeout(PATIENCE, command.args(arguments).output()).await;
    ended.unwrap_or_else(|_| panic!("{arguments:?} does not end")).unwrap()
}

/// What reads the files of a daemon that does not run.
const COMMANDS: [&[&str]; 4] = [
    &["--port", "0", "--bind", "127.0.0.1"],
    &["start", "--port", "0", "--bind", "127.0.0.1"],
    &["devices"],
    &["devices", "revoke", "kept"],
];

fn needs_root(case: &Case) -> bool {
    matches!(case.damage, Damage::Owner) && !rustix::process::geteuid().is_root()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_of_a_daemon_is_named_and_left_as_it_is() {
    let template = Template::new().await;
    let (mut files, mut tried) = (0, 0);
    for case in OF_DAEMON.iter().chain(&OF_DIRECTORY).filter(|case| !needs_root(case)) {
        let home = template.copy();
        let home = home.path();
        // To read a file ends this process's locks on it: only before.
        let whole = all(home);
        let held = case.damage(home);
        let before = if held.is_some() { whole } else { all(home) };
        // A list that is locked is waited for: once is enough.
        let most = if held.is_some() { 1 } else { COMMANDS.len() };
        for arguments in COMMANDS.iter().take(most) {
            let starts = matches!(arguments[0], "--port" | "start");
            // Nobody but a daemon that starts makes the socket.
            if case.file.ends_with(".sock") && !starts {
                continue;
            }
            let output = run(home, arguments).await;
            case.is_said(home, &output, arguments);
            assert_eq!(all(home), before, "{}: {arguments:?}", case.file);
            tried += 1;
        }
        files += 1;
    }
    report(&format!(
        "broken files of a daemon: {files} kinds, {tried} commands, each names the file and the \
         way out, no byte changed"
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_of_a_device_is_named_and_left_as_it_is() {
    let home = TempDir::new().unwrap();
    let daemon = DaemonProcess::start(home.path()).await;
    let offer = control(home.path()).await.offer(OfferLimits::default()).await.unwrap();
    let address = format!("http://127.0.0.1:{}", daemon.port);
    let join = ["join", &address, &offer.offer.code, "--fingerprint", &offer.fingerprint];
    let whole = TempDir::new().unwrap();
    assert!(run(whole.path(), &join).await.status.success());

    let (mut files, mut tried) = (0, 0);
    for case in OF_DEVICE.iter().filter(|case| !needs_root(case)) {
        let broken = TempDir::new().unwrap();
        let broken = broken.path();
        let copied = std::process::Command::new("cp")
            .arg("-a")
            .args([whole.path().join("device"), broken.join("device")])
            .status();
        assert!(copied.unwrap().success());
        case.damage(broken);
        let before = all(broken);
        let forget = ["forget", "desk"];
        let commands: [&[&str]; 4] = [&["daemons"], &["sessions"], &forget, &join];
        for arguments in commands {
            case.is_said(broken, &run(broken, arguments).await, arguments);
            assert_eq!(all(broken), before, "{}: {arguments:?}", case.file);
            tried += 1;
        }
        files += 1;
    }
    // None of them has used the code of another, or paired.
    assert_eq!(control(home.path()).await.devices().await.unwrap().len(), 1);
    daemon.kill().await;
    report(&format!(
        "broken files of a device: {files} kinds, {tried} commands, each names the file and the \
         way out, no byte changed"
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_log_of_the_list_brings_no_revoked_device_back() {
    let template = Template::new().await;
    let home = template.copy();
    let daemon = DaemonProcess::start(home.path()).await;
    control(home.path()).await.revoke("other").await.unwrap();
    // Something behind it, which only the log has.
    let code = offer(home.path()).await;
    crate::support::pair_on_wire(daemon.port, &code, &mut None).await.unwrap();
    control(home.path()).await.revoke("phone").await.unwrap();
    control(home.path()).await.rename("kept", "kept").await.unwrap();
    daemon.kill().await;
    let log = fs::read(home.path().join("daemon/devices.db-wal")).unwrap();
    assert!(!log.is_empty());
    let list = fs::read(home.path().join("daemon/devices.db")).unwrap();

    let cuts = (0..log.len()).step_by(256).map(|cut| log[..cut].to_vec());
    let flips = (0..log.len()).step_by(256).map(|at| {
        let mut log = log.clone();
        log[at] ^= 0x40;
        log
    });
    let logs = some_of(cuts.chain(flips).collect(), 6);
    let told = Told { revoked: true, may_be_revoked: true, ..Told::default() };
    for log in &logs {
        let home = template.copy();
        fs::write(home.path().join("daemon/devices.db"), &list).unwrap();
        let path = home.path().join("daemon/devices.db-wal");
        fs::write(&path, log).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        let daemon = DaemonProcess::start(home.path()).await;
        template.holds(home.path(), &daemon, &told).await;
        daemon.kill().await;
    }
    report(&format!(
        "the list's log after a kill, cut or changed: {} ways, no revoked device back",
        logs.len()
    ));
}
