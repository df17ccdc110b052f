//! `kill -9` of a device at every system call of its pairing. The same command, typed again, ends
//! what was begun: with the same code, and as one device.

use std::fs;
use std::path::Path;

use codeout_daemon::OfferLimits;
use tempfile::TempDir;
use tokio::process::Command;

use crate::support::process::{DaemonProcess, codeout, control};
use crate::tracer::{self, Point};
use crate::{report, some_of};

/// A daemon, and how a device would pair with it.
struct Desk {
    home: TempDir,
    daemon: DaemonProcess,
}

impl Desk {
    /// The arguments of `codeout join`, under a fresh offer.
    async fn arguments(&self) -> [String; 7] {
        let offer = control(self.home.path()).await.offer(OfferLimits::default()).await.unwrap();
        let address = format!("http://127.0.0.1:{}", self.daemon.port);
        let (code, fingerprint) = (offer.offer.code.to_string(), offer.fingerprint);
        let fixed = ["join", "--fingerprint", "--name", "laptop"].map(str::to_owned);
        let [join, with, called, laptop] = fixed;
        [join, address, code, with, fingerprint, called, laptop]
    }

    async fn names(&self) -> Vec<String> {
        let list = control(self.home.path()).await.devices().await.unwrap();
        list.into_iter().map(|entry| entry.name).collect()
    }
}

fn join(home: &Path, arguments: &[String]) -> Command {
    let mut command = codeout(home);
    command.args(arguments);
    command
}

/// Pairs a device that is killed there, and pairs it again. Whether it was killed, and whether it
/// had said by then that it is paired.
async fn kill_at(desk: &Desk, point: &Point) -> (bool, bool) {
    let (home, arguments) = (TempDir::new().unwrap(), desk.arguments().await);
    let options = tracer::striking(point, "signal=SIGKILL");
    let killed = tracer::under(&options, &join(home.path(), &arguments)).output().await.unwrap();
    let acknowledged = killed.stdout.starts_with(b"paired with");
    if killed.status.success() {
        assert!(acknowledged);
    } else {
        let again = join(home.path(), &arguments).output().await.unwrap();
        // 16: it is paired already.
        let is_paired = again.status.success() || again.status.code() == Some(16);
        assert!(is_paired, "{point:?}: {again:?}");
        assert!(!acknowledged || again.status.code() == Some(16), "{point:?}: {again:?}");
    }
    let works = codeout(home.path()).args(["sessions"]).output().await.unwrap();
    assert!(works.status.success(), "{point:?}: {works:?}");
    assert_eq!(desk.names().await, ["laptop"], "{point:?}");
    let names = fs::read_dir(home.path().join("device")).unwrap();
    let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["daemons.json", "daemons.json.lock"], "{point:?}");
    control(desk.home.path()).await.revoke("laptop").await.unwrap();
    (!killed.status.success(), acknowledged && !killed.status.success())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_killed_at_every_call_of_its_pairing() {
    if !tracer::is_possible("a device that pairs, killed at each system call", false) {
        return;
    }
    let home = TempDir::new().unwrap();
    let daemon = DaemonProcess::start(home.path()).await;
    let desk = Desk { home, daemon };
    let (device, calls) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let file = calls.path().join("calls");
    let arguments = desk.arguments().await;
    let mut watched = tracer::under(&tracer::watching(&file), &join(device.path(), &arguments));
    assert!(watched.output().await.unwrap().status.success());
    // As if it had been killed before it could say so.
    let again = join(device.path(), &arguments).output().await.unwrap();
    assert_eq!(again.status.code(), Some(16), "{again:?}");
    control(desk.home.path()).await.revoke("laptop").await.unwrap();

    let points = some_of(tracer::points(&file, &[]), 8);
    let (all, mut struck, mut acknowledged) = (points.len(), 0, 0);
    for point in points {
        let (killed, told) = kill_at(&desk, &point).await;
        struck += usize::from(killed);
        acknowledged += usize::from(told);
    }
    assert!(struck > 0);
    desk.daemon.kill().await;
    report(&format!(
        "a device that pairs: {all} points, killed at {struck}, {acknowledged} of them \
         acknowledged, each paired in the end, as one device"
    ));
}
