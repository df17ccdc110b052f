//! What a program in a session has of the daemon: nothing but what it is given.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![cfg(target_os = "linux")]

mod support;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use codeout_protocol::message::Open;
use support::device::{Device, shell};
use support::process::{DaemonProcess, codeout, control, offer};
use tempfile::TempDir;
use tokio::process::Command;

/// What the daemon is started from: descriptors, ignored signals and limits of its own.
const STARTER: &str = r#"
    ulimit -Sn 300
    ulimit -Sc > "$REPORTS/core"
    trap '' QUIT USR1 TSTP HUP
    export CODEOUT_LOG=error CODEOUT_FINGERPRINT=ZMYR-C1HG
    exec 7</dev/zero 9</dev/zero
    exec "$0" "$@"
"#;

/// What a program finds out about itself.
const PROGRAM: &str = r#"
    cd "$1" || exit 9
    ls /proc/self/fd > descriptors
    ulimit -Sn > limit
    ulimit -Sc > core_here
    grep '^Sig' /proc/self/status > signals
    env > environment
"#;

async fn start(home: &Path, reports: &Path) -> DaemonProcess {
    let (home_of, reports) = (home.to_owned(), reports.to_owned());
    DaemonProcess::start_with(home, move |command| {
        let mut starter = Command::new("/bin/sh");
        starter.args(["-c", STARTER, env!("CARGO_BIN_EXE_codeout")]);
        starter.args(["--port", "0", "--bind", "127.0.0.1"]);
        starter.env("CODEOUT_HOME", home_of).env("SHELL", "/bin/sh").env("REPORTS", reports);
        starter.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        *command = starter;
    })
    .await
}

/// Runs [`PROGRAM`] in a session; what it wrote, by file.
async fn report(home: &Path, port: u16, reports: &Path) -> BTreeMap<String, String> {
    let code = offer(home).await;
    let mut phone = Device::pair(port, &code, "phone").await.unwrap();
    let reports = reports.to_str().unwrap();
    let words = ["-c", PROGRAM, "sh", reports].map(str::to_owned);
    let open = Open { program: Some("sh".into()), arguments: words.into(), ..shell() };
    let session = phone.open_with(open).await;
    let name = session.name.clone();
    let wait = codeout(home).args(["attach", &name]).output().await.unwrap();
    // It has ended before, or behind, the attachment.
    assert!([Some(0), Some(20)].contains(&wait.status.code()), "{wait:?}");
    let names = std::fs::read_dir(reports).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: std::path::PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, std::fs::read_to_string(path).unwrap())
    };
    names.map(read).collect()
}

fn has_nothing(found: &BTreeMap<String, String>) {
    // The three of the terminal, and the directory that `ls` reads.
    assert_eq!(found["descriptors"].split_whitespace().collect::<Vec<_>>(), ["0", "1", "2", "3"]);
    assert_eq!(found["limit"], "300\n", "as whoever started the daemon had it");
    assert_eq!(found["core_here"], found["core"]);
    for mask in ["SigBlk", "SigIgn"] {
        let line = found["signals"].lines().find(|line| line.starts_with(mask)).unwrap();
        let set = u64::from_str_radix(line.split_once('\t').unwrap().1, 16).unwrap();
        // 32 and 33 are the C library's own; no program can ask for them.
        assert_eq!(set & !(0b11 << 31), 0, "{line}");
    }
    // The rest is that of a login shell which the daemon's user starts.
    let own = found["environment"].lines().filter(|line| line.contains("CODEOUT"));
    assert_eq!(own.collect::<Vec<_>>().len(), 1, "{}", found["environment"]);
    assert!(found["environment"].contains("CODEOUT_SESSION="), "{}", found["environment"]);
}

/// What the system says of a process, by the first word of each line.
fn limit(pid: u32, name: &str) -> String {
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
    line[name.len()..].split_whitespace().next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_has_nothing_of_the_daemon_also_behind_a_restart() {
    let home = TempDir::new().unwrap();
    let reports = TempDir::new().unwrap();
    let daemon = start(home.path(), reports.path()).await;
    for _ in 0..2 {
        has_nothing(&report(home.path(), daemon.port, reports.path()).await);
        let pid = control(home.path()).await.status().await.unwrap().pid;
        assert_eq!(limit(pid, "Max core file size"), "0", "the daemon writes no core");
        assert!(limit(pid, "Max open files").parse::<u64>().unwrap() > 300);
        let restarted = codeout(home.path()).arg("restart").output().await.unwrap();
        assert!(restarted.status.success(), "{restarted:?}");
    }
}

/// How much of a process's memory is never swapped out, in KiB.
fn locked(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let amount = status.lines().find_map(|line| line.strip_prefix("VmLck:")).unwrap();
    amount.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Root may look into every process: where this is root, the daemon and whoever looks are another.
fn as_user(command: &mut Command) {
    const NOBODY: u32 = 65_534;
    command.current_dir("/").env("LC_ALL", "C");
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
}

/// A daemon of that user, and all that it needs, in `directory`.
async fn start_as_user(directory: &Path) -> DaemonProcess {
    let (program, home) = (directory.join("codeout"), directory.join("home"));
    // By another process: no child of this one holds it open for writing when it is run.
    let mut copy = Command::new("cp");
    copy.arg(env!("CARGO_BIN_EXE_codeout")).arg(&program);
    assert!(copy.status().await.unwrap().success());
    for (path, mode) in [(directory, 0o777), (&*program, 0o755)] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    DaemonProcess::start_with(&home, |command| {
        let mut own = Command::new(&program);
        own.args(["--port", "0", "--bind", "127.0.0.1"]);
        own.env("CODEOUT_HOME", &home).env("SHELL", "/bin/sh");
        own.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        as_user(&mut own);
        *command = own;
    })
    .await
}

/// Whether a process of that user may not read this file.
async fn is_denied(file: &str) -> bool {
    let mut look = Command::new("cat");
    look.arg(file).stdin(Stdio::null());
    as_user(&mut look);
    let output = look.output().await.unwrap();
    String::from_utf8_lossy(&output.stderr).contains("Permission denied")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemons_memory_is_its_own() {
    let directory = TempDir::new().unwrap();
    let daemon = start_as_user(directory.path()).await;
    let pid = daemon.id();
    if limit(pid, "Max locked memory") != "0" {
        assert!(locked(pid) > 0, "its key may be swapped out");
    }
    assert!(!is_denied("/proc/self/environ").await, "what is its own may be read");
    assert!(!is_denied(&format!("/proc/{pid}/status")).await, "the daemon is there");
    for file in ["environ", "maps", "mem"] {
        assert!(is_denied(&format!("/proc/{pid}/{file}")).await, "{file} may be read");
    }
    assert!(daemon.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_others_may_write_are_refused() {
    let home = TempDir::new().unwrap();
    let file = home.path().join("config.toml");
    std::fs::write(&file, "[hooks]\nopened = 'true'\n").unwrap();
    for mode in [0o620, 0o602, 0o666] {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        let output = codeout(home.path()).arg("start").output().await.unwrap();
        assert_eq!(output.status.code(), Some(17), "{output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        let command = format!("run `chmod go-w '{}'`", file.display());
        assert!(said.contains(&command), "{said}");
        assert!(said.contains(&format!("(mode {mode:04o})")), "{said}");
    }
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let daemon = DaemonProcess::start(home.path()).await;
    assert!(daemon.terminate().await.success());
}

#[tokio::test]
async fn systemd_takes_the_unit() {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contrib/codeout.service");
    let unit = std::fs::read_to_string(unit).unwrap();
    for line in ["KillMode=mixed", "OOMPolicy=continue", "codeout start", "codeout restart"] {
        assert!(unit.contains(line), "{line}");
    }
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("codeout.service");
    let program = "%h/.local/bin/codeout";
    assert_eq!(unit.matches(program).count(), 2);
    std::fs::write(&file, unit.replace(program, env!("CARGO_BIN_EXE_codeout"))).unwrap();
    let mut command = Command::new("systemd-analyze");
    command.args(["verify", "--user", "--man=no"]).arg(&file);
    let Ok(output) = command.env("XDG_RUNTIME_DIR", directory.path()).output().await else {
        return; // a system without systemd
    };
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}
