//! What stays in a process's memory of what passed through it. Only root may look.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![cfg(target_os = "linux")]

mod support;
mod terminal;

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use codeout_protocol::message::SessionId;
use codeout_protocol::sodium::random_bytes;
use support::PATIENCE;
use support::device::Device;
use support::process::{DaemonProcess, codeout, control, offer};
use tempfile::TempDir;
use terminal::Terminal;

/// A program that neither shows nor keeps what is typed, and says when it is there, and when it
/// has read a [`Secret`].
const HIDING: &str = "stty raw -echo; echo hi''ding; head -c 48 > /dev/null; echo ta''ken";

/// Whether this test may look into other processes. Where it may not, it says so.
fn may_look() -> bool {
    let may = rustix::process::geteuid().is_root();
    if !may {
        let _ = writeln!(std::io::stderr(), "memory: not tested, needs root");
    }
    may
}

/// Whether the writable memory of the process has those bytes anywhere.
fn holds(process: u32, bytes: &[u8]) -> bool {
    loop {
        if let Some(found) = look_for(process, bytes) {
            return found;
        }
    }
}

/// `None`: some of it went while it was looked at.
fn look_for(process: u32, bytes: &[u8]) -> Option<bool> {
    let memory = File::open(format!("/proc/{process}/mem")).unwrap();
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let mut found = false;
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (range, _) = line.split_once(' ').unwrap();
        let (start, end) = range.split_once('-').unwrap();
        let number = |text| u64::from_str_radix(text, 16).unwrap();
        let (start, end) = (number(start), number(end));
        let mut content = vec![0; (end - start) as usize];
        memory.read_exact_at(&mut content, start).ok()?;
        found |= contains(&content, bytes);
    }
    Some(found)
}

fn contains(content: &[u8], bytes: &[u8]) -> bool {
    let mut rest = content;
    while let Some(at) = rest.iter().position(|byte| *byte == bytes[0]) {
        rest = &rest[at..];
        if rest.starts_with(bytes) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}

/// Waits until the process no longer holds them: it has passed them on before it lets go of them.
async fn forgets(process: u32, bytes: &[u8]) {
    let mut look = tokio::time::interval(Duration::from_millis(50));
    let looked = async {
        while holds(process, bytes) {
            look.tick().await;
        }
    };
    let looked = tokio::time::timeout(PATIENCE, looked).await;
    looked.unwrap_or_else(|_| panic!("{process} keeps what was typed"));
}

/// Text that a person types and nothing else holds.
struct Secret(String);

impl Secret {
    fn new() -> Self {
        let mut bytes = [0; 24];
        random_bytes(&mut bytes);
        Secret(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// From the middle: what is put over the beginning or the end hides nothing.
    fn part(&self) -> &[u8] {
        &self.0.as_bytes()[16..32]
    }
}

async fn revoke_phone(home: &Path) {
    let revoked = codeout(home).args(["devices", "revoke", "phone"]).output().await.unwrap();
    assert!(revoked.status.success(), "{revoked:?}");
}

async fn hides(device: &mut Device, session: SessionId) -> Secret {
    device.type_in(session, format!("{HIDING}\n").as_bytes()).await.unwrap();
    device.see(session, "hiding\n").await;
    let secret = Secret::new();
    device.type_in(session, secret.0.as_bytes()).await.unwrap();
    device.see(session, "taken\n").await;
    secret
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_forgets_what_was_typed_and_keeps_what_was_shown() {
    if !may_look() {
        return;
    }
    let home = TempDir::new().unwrap();
    let daemon = DaemonProcess::start(home.path()).await;
    let mut phone = Device::pair(daemon.port, &offer(home.path()).await, "phone").await.unwrap();
    let session = phone.open().await;

    let shown = Secret::new();
    phone.type_in(session, format!("echo {}\n", shown.0).as_bytes()).await.unwrap();
    phone.see(session, &shown.0).await;
    assert!(holds(daemon.id(), shown.part()), "what is there is not found");

    let secret = hides(&mut phone, session).await;
    forgets(daemon.id(), secret.part()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn input_that_waits_for_the_program_is_forgotten_with_its_device() {
    if !may_look() {
        return;
    }
    let home = TempDir::new().unwrap();
    let daemon = DaemonProcess::start(home.path()).await;
    let mut phone = Device::pair(daemon.port, &offer(home.path()).await, "phone").await.unwrap();
    let session = phone.open_raw().await;
    phone.type_in(session, b"echo busy; exec sleep 1000\n").await.unwrap();
    phone.see(session, "busy\n").await;
    // More than a terminal takes that nobody reads.
    phone.type_in(session, &vec![b'.'; 64 * 1024]).await.unwrap();
    let secret = Secret::new();
    phone.type_in(session, secret.0.as_bytes()).await.unwrap();
    // What is asked behind it is answered when it is there.
    assert!(phone.listed(session).await.is_some());
    assert!(holds(daemon.id(), secret.part()), "it does not wait");
    revoke_phone(home.path()).await;
    forgets(daemon.id(), secret.part()).await;
}

/// The process that was started with those words.
fn process(words: &[&str]) -> u32 {
    let is_it = |id: &u32| {
        let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        let arguments: Vec<_> = line.split(|byte| *byte == 0).skip(1).collect();
        arguments.len() == words.len() + 1
            && arguments.iter().zip(words).all(|(argument, word)| *argument == word.as_bytes())
    };
    let names = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().file_name());
    let mut all = names.filter_map(|name| name.to_str()?.parse().ok());
    all.find(is_it).unwrap()
}

/// Types a secret at `codeout --home HOME open` in a terminal; neither that program nor the
/// daemon keeps it.
async fn forget_what_is_typed_at_a_window(home: &Path, daemon: &DaemonProcess) {
    let terminal = Terminal::new(80, 24);
    let words = ["open", "--home", home.to_str().unwrap()];
    terminal.run([env!("CARGO_BIN_EXE_codeout")].iter().chain(&words));
    terminal.wait_until_screen("a prompt", |screen| !screen.text().trim().is_empty());
    terminal.send_keys(&[HIDING, "Enter"]);
    terminal.wait_until("hiding");
    let secret = Secret::new();
    terminal.send_keys(&[&secret.0]);
    terminal.wait_until("taken");
    let window = process(&words);
    forgets(window, secret.part()).await;
    forgets(daemon.id(), secret.part()).await;
    // The words before it were shown, and are still there.
    assert!(holds(daemon.id(), b"head -c 48"), "what is there is not found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_on_this_computer_forgets_what_was_typed() {
    if !may_look() {
        return;
    }
    let home = TempDir::new().unwrap();
    let daemon = DaemonProcess::start(home.path()).await;
    forget_what_is_typed_at_a_window(home.path(), &daemon).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_on_another_computer_forgets_what_was_typed() {
    if !may_look() {
        return;
    }
    let (desk, laptop) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let daemon = DaemonProcess::start(desk.path()).await;
    let offer = control(desk.path()).await.offer(Default::default()).await.unwrap();
    let joined =
        codeout(laptop.path()).args(["join", &offer.offer.links[0]]).output().await.unwrap();
    assert!(joined.status.success(), "{joined:?}");
    forget_what_is_typed_at_a_window(laptop.path(), &daemon).await;
}
