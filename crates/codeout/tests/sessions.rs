//! Sessions through connections: what goes in, what comes out, how they end, what each device may
//! do, and that neither side can make the other one hold more than a window.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

#[path = "sessions/ending.rs"]
mod ending;
#[path = "sessions/flow.rs"]
mod flow;
#[path = "sessions/input.rs"]
mod input;
#[path = "sessions/keyboards.rs"]
mod keyboards;
#[path = "sessions/listing.rs"]
mod listing;
#[path = "sessions/opening.rs"]
mod opening;
#[path = "sessions/output.rs"]
mod output;
#[path = "sessions/requests.rs"]
mod requests;
#[path = "sessions/resuming.rs"]
mod resuming;
#[path = "sessions/sizes.rs"]
mod sizes;
#[path = "sessions/violations.rs"]
mod violations;
#[path = "sessions/watching.rs"]
mod watching;

use std::path::{Path, PathBuf};

use codeout_protocol::message::{ClosingReason, Request, SessionId};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use support::device::Device;
use support::{PATIENCE, TestDaemon};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;

/// A device of a daemon of its own.
async fn connected() -> (TestDaemon, Device) {
    let daemon = TestDaemon::start().await;
    let device = Device::of(&daemon, "phone").await;
    (daemon, device)
}

/// Another connection of the same device.
async fn again(daemon: &TestDaemon, device: &Device) -> Device {
    Device::connect(daemon.port(), &device.credentials).await.unwrap()
}

/// What came until a reply to a ping, several times, so that what is on its way arrives.
async fn settle(device: &mut Device) {
    for _ in 0..5 {
        device.done(Request::Ping).await;
    }
}

/// Ends the connection in due form.
async fn finish(device: Device) {
    let line = device.line;
    let mut wire = line.wire;
    wire.send(line.channel.sealer.finish(b"").unwrap()).await.unwrap();
    wire.ended().await;
}

/// The daemon's last word is that the device broke the protocol.
async fn is_closed(mut device: Device, what: &str) {
    match device.last_word().await {
        Ok(reason) => assert_eq!(reason, ClosingReason::Protocol, "{what}"),
        Err(error) => panic!("{what}: {error:?}"),
    }
}

/// A fresh connection that types into a session whose program reads nothing.
async fn deaf(daemon: &TestDaemon, device: &Device) -> (Device, SessionId) {
    let mut device = again(daemon, device).await;
    let session = device.open_raw().await;
    device.type_in(session, b"echo de''af; exec sleep 1000\n").await.unwrap();
    device.see(session, "deaf\n").await;
    device.see_written(session).await;
    (device, session)
}

/// The checksum of POSIX `cksum`.
fn cksum(bytes: &[u8]) -> u32 {
    let mut length = Vec::new();
    let mut rest = bytes.len();
    while rest > 0 {
        length.push((rest & 0xff) as u8);
        rest >>= 8;
    }
    let step = |sum: u32, byte: &u8| {
        (0..8).fold(sum ^ (u32::from(*byte) << 24), |sum, _| {
            if sum & 0x8000_0000 == 0 { sum << 1 } else { (sum << 1) ^ 0x04c1_1db7 }
        })
    };
    !bytes.iter().chain(&length).fold(0, step)
}

/// A named pipe that a program of a session writes to.
struct Witness {
    path: PathBuf,
    reader: pipe::Receiver,
}

impl Witness {
    fn new(directory: &Path) -> Self {
        let path = directory.join("witness");
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        // Also for writing, so that it does not end before anybody has written.
        let reader = pipe::OpenOptions::new().read_write(true).open_receiver(&path).unwrap();
        Witness { path, reader }
    }

    /// A program that says `up`, then waits, and tells this pipe of a SIGHUP.
    fn program(&self) -> String {
        let path = self.path.display();
        let hup = format!("trap \"echo hup > {path}; exit 0\" HUP");
        // Not the shell that reads this: what runs in that has a process group of its own.
        format!("exec sh -c '{hup}; echo up; while :; do sleep 0.02; done'\n")
    }

    async fn hears(&mut self, expected: &str) {
        let mut heard = vec![0; expected.len()];
        let read = tokio::time::timeout(PATIENCE, self.reader.read_exact(&mut heard)).await;
        read.expect("the program said nothing").unwrap();
        assert_eq!(String::from_utf8_lossy(&heard), expected);
    }
}
