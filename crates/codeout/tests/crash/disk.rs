//! A disk that is full or read-only: a real one, in memory, which nobody else sees.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use codeout_protocol::message::{Outcome, Request};
use tempfile::TempDir;
use tokio::process::Command;

use crate::report;
use crate::scene::{Template, Told, identity, is_in, is_out, lets_in};
use crate::support::device::Device;
use crate::support::process::{DaemonProcess, codeout, control, offer};

/// Says in the child that it may mount.
const INSIDE: &str = "CODEOUT_TEST_MOUNTS";

/// Whether this is the process that has mounts of its own. If not, `test` runs in one, or is
/// skipped where there can be none.
async fn is_inside(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let unshare = || {
        let mut command = Command::new("unshare");
        command.arg("--mount").stdin(Stdio::null());
        if !rustix::process::geteuid().is_root() {
            command.arg("--map-root-user");
        }
        command
    };
    let mut mount = unshare();
    mount.args(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", "/tmp"]);
    let tried = mount.stdout(Stdio::null()).stderr(Stdio::null()).status().await;
    if !tried.is_ok_and(|status| status.success()) {
        report(&format!("{test}: skipped, this system lets nobody mount a disk in memory"));
        return false;
    }
    let mut child = unshare();
    child.arg(std::env::current_exe().unwrap());
    child.args(["--exact", &format!("disk::{test}"), "--nocapture"]).env(INSIDE, "1");
    let output = child.output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said.lines().filter_map(|line| line.strip_prefix("crash: ")).for_each(report);
    false
}

/// A disk in memory.
struct Disk(TempDir);

impl Disk {
    fn new(size: &str) -> Self {
        let disk = Disk(TempDir::new().unwrap());
        let options = format!("size={size},mode=700");
        disk.mount(&["-t", "tmpfs", "-o", &options, "tmpfs"]);
        disk
    }

    fn mount(&self, arguments: &[&str]) {
        let mut command = std::process::Command::new("mount");
        assert!(command.args(arguments).arg(self.path()).status().unwrap().success());
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }

    /// Takes all of the room but `left` bytes.
    fn fill(&self, left: u64) {
        let mut filler = OpenOptions::new().create(true).append(true).open(self.filler()).unwrap();
        for size in [4096, 1] {
            while filler.write_all(&vec![0; size]).is_ok() {}
        }
        let length = filler.metadata().unwrap().len();
        filler.set_len(length.saturating_sub(left)).unwrap();
    }

    fn empty(&self) {
        fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

async fn run(home: &Path, arguments: &[&str]) -> Output {
    let mut command = codeout(home);
    let ended = tokio::time::timeout(crate::support::PATIENCE, command.args(arguments).output());
    ended.await.expect("the command does not end").unwrap()
}

/// A command failed: it names a file in `home`, and says what to do.
fn failed_plainly(home: &Path, output: &Output, what: &str) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(17), "{what}: {output:?}");
    let mut lines = said.lines();
    let error = lines.next().unwrap_or_default();
    assert!(error.starts_with("codeout: "), "{what}: {said}");
    assert!(error.contains(home.to_str().unwrap()), "{what} names no file: {said}");
    let hint = lines.next().unwrap_or_default();
    assert!(hint.starts_with("  "), "{what} says no way out: {said}");
    said
}

const FRONT: [&str; 4] = ["--port", "0", "--bind", "127.0.0.1"];
const START: [&str; 5] = ["start", "--port", "0", "--bind", "127.0.0.1"];

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_is_full_while_the_daemon_runs() {
    if !is_inside("a_disk_is_full_while_the_daemon_runs").await {
        return;
    }
    let template = Template::new().await;
    let disk = Disk::new("2m");
    let home = disk.path();
    template.copy_to(home);
    let daemon = DaemonProcess::start(home).await;
    let mut kept = Device::connect(daemon.port, &template.kept.credentials).await.unwrap();
    let session = kept.open().await;
    let code = offer(home).await;
    disk.fill(0);

    // Whoever proves the code is not let in, and not in the list.
    assert!(!lets_in(daemon.port, &code).await);
    assert_eq!(control(home).await.devices().await.unwrap().len(), 2);
    // What cannot be done is not said to be done.
    let said = run(home, &["devices", "revoke", "other"]).await;
    let said = failed_plainly(home, &said, "devices revoke");
    assert!(said.contains("no space left"), "{said}");
    failed_plainly(home, &run(home, &["devices", "rename", "other", "x"]).await, "devices rename");
    let revoke = Request::Revoke { device: template.other.id.clone() };
    assert!(matches!(kept.ask(revoke.clone()).await.unwrap(), Outcome::Error(_)));
    // What runs goes on; who is paired comes in.
    kept.type_in(session, b"echo $((6 * 7))\n").await.unwrap();
    kept.see(session, "42").await;
    let another = kept.open().await;
    kept.type_in(another, b"echo $((6 * 9))\n").await.unwrap();
    kept.see(another, "54").await;
    is_in(daemon.port, &template.other.credentials).await;
    // And everything works when there is room again, with the same code.
    disk.empty();
    assert!(lets_in(daemon.port, &code).await);
    assert!(!lets_in(daemon.port, &code).await, "a second device");
    assert!(matches!(kept.ask(revoke).await.unwrap(), Outcome::Ok(_)));
    is_out(daemon.port, &template.other.credentials).await;

    // Killed, and full at the next start.
    daemon.kill().await;
    disk.fill(0);
    let key = fs::read(identity(home)).unwrap();
    for arguments in [&FRONT[..], &START] {
        // Where its files have room left within them, it starts.
        if let Some(output) = started(home, arguments).await {
            failed_plainly(home, &output, "a start");
        }
    }
    assert_eq!(fs::read(identity(home)).unwrap(), key);
    disk.empty();
    let daemon = DaemonProcess::start(home).await;
    is_out(daemon.port, &template.other.credentials).await;
    is_in(daemon.port, &template.kept.credentials).await;
    assert_eq!(control(home).await.devices().await.unwrap().len(), 2);
    daemon.kill().await;
    report("a disk that is full while the daemon runs: 11 things tried, 0 lost, 0 let in");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_is_full_at_the_first_start() {
    if !is_inside("a_disk_is_full_at_the_first_start").await {
        return;
    }
    let (mut refused, mut ran) = (0, 0);
    // From 18 pages on there is room for the list's draft, and not for what is made of it.
    let few = [0, 5, 11, 18, 21, 23, 30, 44];
    let pages = crate::long_form().map_or_else(|| few.to_vec(), |_| (0..48).collect());
    for pages in pages {
        let disk = Disk::new("1m");
        let home = disk.path();
        disk.fill(pages * 4096);
        let arguments: &[&str] = if pages % 2 == 0 { &FRONT } else { &START };
        match started(home, arguments).await {
            Some(output) => {
                refused += 1;
                failed_plainly(home, &output, &format!("with {pages} pages"));
            }
            None => ran += 1,
        }
        // The key stays the same when there is room.
        let key = fs::read(identity(home)).ok();
        disk.empty();
        let daemon = DaemonProcess::start(home).await;
        let now = fs::read(identity(home)).unwrap();
        assert!(key.is_none_or(|key| key == now), "another key");
        daemon.kill().await;
    }
    assert!(refused > 0 && ran > 0, "{refused} refused, {ran} started");
    report(&format!(
        "a disk that is full at the first start: {refused} starts refused in words, {ran} \
         started, same key"
    ));
}

/// What a daemon says that does not start; `None` for one that does, which is ended.
async fn started(home: &Path, arguments: &[&str]) -> Option<Output> {
    let mut command = codeout(home);
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    let ended = ended(command.spawn().unwrap(), home);
    let ended = tokio::time::timeout(crate::support::PATIENCE, ended).await;
    ended.expect("it neither runs nor ends")
}

async fn ended(mut child: tokio::process::Child, home: &Path) -> Option<Output> {
    let mut look = tokio::time::interval(std::time::Duration::from_millis(10));
    loop {
        if let Some(client) = codeout_daemon::control::Client::connect(&home.join("daemon")).await
            && client.stop(true).await.is_ok()
        {
            child.wait().await.unwrap();
            return None;
        }
        if child.try_wait().unwrap().is_some() {
            let output = child.wait_with_output().await.unwrap();
            if !output.status.success() {
                return Some(output);
            }
            return None;
        }
        look.tick().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_is_read_only() {
    if !is_inside("a_disk_is_read_only").await {
        return;
    }
    let template = Template::new().await;
    let disk = Disk::new("2m");
    let home = disk.path();
    // As it is after a kill: the log is not yet in the list.
    template.copy_to(home);
    let daemon = DaemonProcess::start(home).await;
    control(home).await.revoke("other").await.unwrap();
    let code = offer(home).await;
    let laptop = TempDir::new().unwrap();
    let address = format!("http://127.0.0.1:{}", daemon.port);
    let print = control(home).await.status().await.unwrap().fingerprint;
    let code = code.printed();
    let join = ["join", &address, code.as_str(), "--fingerprint", &print];
    assert!(run(laptop.path(), &join).await.status.success());
    fs::rename(laptop.path().join("device"), home.join("device")).unwrap_or_else(|_| {
        let copied = std::process::Command::new("cp")
            .arg("-a")
            .args([laptop.path().join("device"), home.join("device")])
            .status();
        assert!(copied.unwrap().success());
    });
    daemon.kill().await;
    let before = contents(home);
    disk.mount(&["-o", "remount,ro"]);
    let commands: [&[&str]; 8] = [
        &FRONT,
        &START,
        &["devices"],
        &["devices", "revoke", "kept"],
        &["devices", "rename", "kept", "x"],
        &["log"],
        &["fingerprint"],
        &["forget", "vm"],
    ];
    for arguments in commands {
        let said = run(home, arguments).await;
        let said = failed_plainly(home, &said, &format!("{arguments:?}"));
        assert!(said.to_lowercase().contains("read-only"), "{said}");
        assert_eq!(contents(home), before);
    }
    // What needs no writing works.
    assert!(run(home, &["daemons"]).await.status.success());
    disk.mount(&["-o", "remount,rw"]);
    let daemon = DaemonProcess::start(home).await;
    let told = Told { revoked: true, may_be_revoked: true, ..Told::default() };
    control(home).await.revoke("laptop").await.ok();
    let list = control(home).await.devices().await.unwrap();
    for entry in list.iter().filter(|entry| entry.id != template.kept.id) {
        control(home).await.revoke(&entry.id).await.unwrap();
    }
    template.holds(home, &daemon, &told).await;
    daemon.kill().await;
    report(&format!("a read-only disk: {} commands refused in words", commands.len()));
}

/// Every file below a directory, with what is in it.
fn contents(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            all.extend(contents(&entry.path()));
        } else if kind.is_file() {
            all.push((entry.path(), fs::read(entry.path()).unwrap()));
        }
    }
    all.sort();
    all
}
