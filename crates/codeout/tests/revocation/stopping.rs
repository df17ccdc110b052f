//! What a daemon leaves behind when it stops, and what keeps one from starting.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use codeout_daemon::control::Client;
use codeout_daemon::devices::DevicesError;
use codeout_daemon::identity::IdentityError;
use codeout_daemon::{OfferLimits, OpenError};
use codeout_protocol::handshake::{self, DeviceEphemeral};
use codeout_protocol::message::{ClosingReason, Request};
use tempfile::TempDir;

use super::killed::Running;
use super::support::device::Device;
use super::support::process::{DaemonProcess, codeout};
use super::support::{PATIENCE, TestClock, TestDaemon, Wire, WireError, try_open};
use super::{id, is_in, is_out};

#[tokio::test]
async fn a_daemon_that_stops_says_so_and_leaves_nothing_behind() {
    let TestDaemon { daemon, clock, home } = TestDaemon::start().await;
    let directory = home.path().join("daemon");
    let port = daemon.port();
    let code = daemon.offer(OfferLimits::default()).code;
    let mut phone = Device::pair(port, &code, "phone").await.unwrap();
    let code = daemon.offer(OfferLimits::default()).code;
    let mut tablet = Device::pair(port, &code, "tablet").await.unwrap();
    let mut second = Device::connect(port, &tablet.credentials).await.unwrap();
    let told = home.path().join("told");
    let session = phone.open_raw().await;
    let program = format!(
        "exec sh -c 'trap \"echo hup > {0}.new; mv {0}.new {0}; exit\" HUP; echo up; \
         while :; do sleep 0.02; done'\n",
        told.display()
    );
    phone.type_in(session, program.as_bytes()).await.unwrap();
    phone.see(session, "up\n").await;
    assert!(directory.join("control.sock").exists());
    let taken = try_open(home.path(), &clock, |_| {}).await;
    assert!(matches!(taken, Err(OpenError::AlreadyRunning)), "{taken:?}");
    // That one has not taken the socket along.
    assert!(Client::connect(&directory).await.unwrap().status().await.is_ok());

    daemon.stop().await;
    for device in [&mut phone, &mut tablet, &mut second] {
        assert_eq!(device.last_word().await.unwrap(), ClosingReason::Stopping);
    }
    assert!(!directory.join("control.sock").exists());
    assert!(Client::connect(&directory).await.is_none());
    assert!(matches!(Wire::dial(port).await, Err(WireError::Ended)));
    let mut look = tokio::time::interval(Duration::from_millis(1));
    let hup = async {
        while !told.exists() {
            look.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, hup).await.expect("the program was not told");
    assert_eq!(std::fs::read_to_string(&told).unwrap(), "hup\n");

    // The lock is free, and everybody is known as before.
    let again = try_open(home.path(), &clock, |_| {}).await.unwrap();
    is_in(again.port(), &phone.credentials).await;
    is_in(again.port(), &tablet.credentials).await;
}

#[tokio::test]
async fn a_process_that_is_told_to_stop_stops_as_well() {
    let daemon = Running::start().await;
    let directory = daemon.home.path().join("daemon");
    let mut phone = daemon.pair("phone").await;
    // Another one does not start, and does no harm.
    let output = codeout(daemon.home.path()).args(["--port", "0"]).output().await.unwrap();
    assert_eq!(output.status.code(), Some(16), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("already running"));
    phone.ask(Request::Ping).await.unwrap();

    let Running { home, process } = daemon;
    let port = process.port;
    assert!(process.terminate().await.success());
    assert_eq!(phone.last_word().await.unwrap(), ClosingReason::Stopping);
    assert!(!directory.join("control.sock").exists());
    TcpListener::bind(("127.0.0.1", port)).unwrap();

    // Killed, it leaves its socket, which keeps no other from starting.
    let process = DaemonProcess::start(home.path()).await;
    process.kill().await;
    assert!(directory.join("control.sock").exists());
    assert!(Client::connect(&directory).await.is_none());
    let process = DaemonProcess::start(home.path()).await;
    is_in(process.port, &phone.credentials).await;
}

#[tokio::test]
async fn a_dropped_daemon_serves_nobody() {
    let daemon = TestDaemon::start().await;
    let old = daemon.port();
    let mut phone = Device::of(&daemon, "phone").await;
    let mut half = {
        let connecting = handshake::connect(phone.credentials.clone(), DeviceEphemeral::generate());
        let (state, m1) = connecting.unwrap();
        let mut wire = Wire::dial(old).await.unwrap();
        wire.send(m1).await.unwrap();
        let (state, m3) = state.read_m2(&wire.receive().await.unwrap()).unwrap();
        (wire, state, m3)
    };
    let daemon = daemon.crash().await;
    // The old connection ends, one way or the other, and a handshake gets nowhere.
    assert!(phone.until(|_, _| None::<()>).await.is_err());
    half.0.send(half.2).await.ok();
    if let Ok(m4) = half.0.receive().await {
        assert!(half.1.read_m4(&m4).is_err());
    }
    is_in(daemon.port(), &phone.credentials).await;
    // The new one's word is all that counts.
    daemon.daemon.revoke(id(&phone.entry)).await.unwrap().unwrap();
    is_out(daemon.port(), &phone.credentials).await;
}

/// A daemon that must not start in `home`, because of the file `name` as `content`.
async fn does_not_start(home: &Path, name: &str, content: &[u8]) -> OpenError {
    let path = home.join("daemon").join(name);
    let kept = std::fs::read(&path).unwrap();
    std::fs::write(&path, content).unwrap();
    let error = try_open(home, &TestClock::new(), |_| {}).await.unwrap_err();
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), content, "{name} was changed");
    std::fs::write(&path, kept).unwrap();
    error
}

#[tokio::test]
async fn a_broken_file_is_named_and_left_alone() {
    let TestDaemon { daemon, clock, home } = TestDaemon::start().await;
    let code = daemon.offer(OfferLimits::default()).code;
    let phone = Device::pair(daemon.port(), &code, "phone").await.unwrap();
    daemon.stop().await;
    let home = home.path();
    let identity = std::fs::read(home.join("daemon/identity")).unwrap();
    let list = std::fs::read(home.join("daemon/devices.db")).unwrap();
    for content in [&b""[..], b"garbage", &identity[..20], &[&identity[..], b"\n"].concat()] {
        let error = does_not_start(home, "identity", content).await;
        let damaged = matches!(error, OpenError::Identity(IdentityError::Damaged { .. }));
        assert!(damaged, "{error:?}");
    }
    let mut torn = list.clone();
    torn[200..].fill(0xa5);
    for content in [&b""[..], b"garbage", &list[..100], &torn] {
        let error = does_not_start(home, "devices.db", content).await;
        assert!(matches!(error, OpenError::Devices(_)), "{error:?}");
    }
    let error = does_not_start(home, "devices.db", b"garbage in a file of some length").await;
    let named = matches!(error, OpenError::Devices(DevicesError::NotDevices { .. }));
    assert!(named, "{error:?}");

    // The program says the same, with the exit code for it.
    std::fs::write(home.join("daemon/identity"), b"garbage").unwrap();
    let output = codeout(home).args(["--port", "0"]).output().await.unwrap();
    assert_eq!(output.status.code(), Some(17), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(home.join("daemon/identity").to_str().unwrap()), "{said}");
    std::fs::write(home.join("daemon/identity"), &identity).unwrap();

    // Files that others may read are not taken either.
    std::fs::remove_file(home.join("daemon/identity")).unwrap();
    let mut options = std::fs::OpenOptions::new();
    let open = options.write(true).create_new(true).mode(0o644).open(home.join("daemon/identity"));
    std::io::Write::write_all(&mut open.unwrap(), &identity).unwrap();
    let error = try_open(home, &clock, |_| {}).await.unwrap_err();
    assert!(matches!(error, OpenError::Identity(IdentityError::Unsafe(_))), "{error:?}");
    std::fs::remove_file(home.join("daemon/identity")).unwrap();
    let open = options.mode(0o600).open(home.join("daemon/identity"));
    std::io::Write::write_all(&mut open.unwrap(), &identity).unwrap();

    // Whole again, it starts, and knows everybody: no failed start has held the lock.
    let daemon = try_open(home, &clock, |_| {}).await.unwrap();
    is_in(daemon.port(), &phone.credentials).await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_said() {
    let other = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = other.local_addr().unwrap().port();
    let home = TempDir::new().unwrap();
    let clock = TestClock::new();
    let error = try_open(home.path(), &clock, |config| config.port = port).await.unwrap_err();
    assert!(matches!(error, OpenError::PortTaken { port: taken } if taken == port), "{error:?}");
    assert!(error.to_string().contains(&port.to_string()));
    let mut command = codeout(home.path());
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string()]);
    let output = command.output().await.unwrap();
    assert_eq!(output.status.code(), Some(16), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains(&port.to_string()), "{output:?}");
    let error = TcpListener::bind(("127.0.0.1", port)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);

    drop(other);
    let daemon = try_open(home.path(), &clock, |config| config.port = port).await.unwrap();
    assert_eq!(daemon.port(), port);
}
