//! A device that is revoked while a session which it asked for is still being opened.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use codeout_protocol::message::{ClosingReason, Open, Request};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;
use tokio::process::Command;

use super::support::PATIENCE;
use super::support::device::{Device, shell};
use super::support::process::{DaemonProcess, codeout, offer};

/// A login shell that says nothing until it is let.
struct SlowShell {
    gate: PathBuf,
}

impl SlowShell {
    fn new(directory: &Path) -> (Self, PathBuf) {
        let (program, gate) = (directory.join("slow-shell"), directory.join("gate"));
        mknodat(CWD, &gate, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let wait = format!("#!/bin/sh\nread -r _ < '{}'\nexec /bin/sh \"$@\"\n", gate.display());
        fs::write(&program, wait).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
        (SlowShell { gate }, program)
    }

    /// Waits until it has been started; what lets it go on.
    async fn asked(&self) -> File {
        let gate = self.gate.clone();
        // To open a FIFO waits for the other end.
        let opening = tokio::task::spawn_blocking(|| OpenOptions::new().write(true).open(gate));
        tokio::time::timeout(PATIENCE, opening).await.unwrap().unwrap().unwrap()
    }
}

async fn run(command: &mut Command) -> String {
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A phone asks for a session, and may be revoked while the environment for it is looked for.
/// Whether the program has run, and the sessions afterwards.
async fn opened(revoked: bool) -> (bool, String) {
    let home = TempDir::new().unwrap();
    let (slow, program) = SlowShell::new(home.path());
    let daemon = DaemonProcess::start_with(home.path(), |command| {
        command.env("SHELL", program);
    })
    .await;
    let mut phone = Device::pair(daemon.port, &offer(home.path()).await, "phone").await.unwrap();
    let mark = home.path().join("mark");
    let words = format!("touch '{}'; exec sleep 1000", mark.display());
    let (program, arguments) = (Some("sh".into()), vec!["-c".into(), words]);
    let open = Open { program, arguments, name: Some("asked for".into()), ..shell() };
    phone.request(Request::Open(open)).await.unwrap();
    let mut gate = slow.asked().await;
    if revoked {
        run(codeout(home.path()).args(["devices", "revoke", "phone"])).await;
        assert_eq!(phone.last_word().await.unwrap(), ClosingReason::Revoked);
    }
    gate.write_all(b"go on\n").unwrap();
    drop(gate);
    // It gets its answer behind the phone, from the same words of the shell.
    run(codeout(home.path()).args(["open", "--detached", "--name", "behind", "sh"])).await;
    if !revoked {
        let mut look = tokio::time::interval(Duration::from_millis(5));
        let ran = async {
            while !mark.exists() {
                look.tick().await;
            }
        };
        tokio::time::timeout(PATIENCE, ran).await.expect("its program does not run");
    }
    let sessions = run(codeout(home.path()).args(["sessions", "--json"])).await;
    run(codeout(home.path()).args(["stop", "--force"])).await;
    daemon.ended().await;
    (mark.exists(), sessions)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_a_revoked_device_waits_for_is_not_opened() {
    let (_, sessions) = opened(false).await;
    assert!(sessions.contains("asked for"), "without a revocation: {sessions}");
    let (ran, sessions) = opened(true).await;
    assert!(!ran, "its program has run");
    assert!(sessions.contains("behind") && !sessions.contains("asked for"), "{sessions}");
}
