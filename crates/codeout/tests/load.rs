//! Crowds of strangers, rushes of devices, and a paired device that asks for all that it can, against
//! a daemon in a process of its own. What is refused, what is held, and that an honest device works on
//! beside it. How long that takes is not asserted here: `make load` measures it, with more of
//! everything.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

#[path = "load/asking.rs"]
mod asking;
#[path = "load/crowd.rs"]
mod crowd;
#[path = "load/rush.rs"]
mod rush;

use std::time::Duration;

use codeout_daemon::OfferLimits;
use codeout_protocol::code::Code;
use codeout_protocol::message::SessionId;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use support::device::Device;
use support::process::{DaemonProcess, control};
use tempfile::TempDir;

/// A daemon, and an honest device that types into a session of its own.
struct Stage {
    home: TempDir,
    daemon: DaemonProcess,
    honest: Device,
    session: SessionId,
}

impl Stage {
    async fn set() -> Stage {
        raise_descriptors();
        let home = TempDir::new().unwrap();
        let daemon = DaemonProcess::start(home.path()).await;
        let code = offer(&home, OfferLimits::default()).await;
        let mut honest = Device::pair(daemon.port, &code, "honest").await.unwrap();
        let session = honest.open_raw().await;
        honest.type_in(session, b"echo u''p; exec cat\n").await.unwrap();
        honest.see(session, "up\n").await;
        honest.see_written(session).await;
        Stage { home, daemon, honest, session }
    }

    /// Pairs another device.
    async fn pair(&self, name: &str, limits: OfferLimits) -> Device {
        let code = offer(&self.home, limits).await;
        Device::pair(self.daemon.port, &code, name).await.unwrap()
    }

    /// The honest device types, and sees what it typed.
    async fn types(&mut self, word: &str) {
        self.honest.type_in(self.session, word.as_bytes()).await.unwrap();
        self.honest.see(self.session, word).await;
    }

    /// The daemon's memory is less than so many KiB above what it was.
    fn has_grown_less(&self, before: Option<u64>, most: u64) {
        if let Some((before, now)) = before.zip(self.daemon.memory()) {
            assert!(now < before + most, "{before} KiB before, {now} now, of {most} more");
        }
    }
}

async fn offer(home: &TempDir, limits: OfferLimits) -> Code {
    let offer = control(home.path()).await.offer(limits).await.unwrap();
    offer.offer.code.parse().unwrap()
}

/// What a crowd needs, where the system lets it.
fn raise_descriptors() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let wanted = Some(maximum.unwrap_or(8_192).min(8_192));
    setrlimit(Resource::Nofile, Rlimit { current: wanted, maximum }).unwrap();
}

/// Looks again and again until `is_so`; hangs no longer than a test may.
async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let mut times = tokio::time::interval(Duration::from_millis(10));
    let looking = async {
        while !is_so() {
            times.tick().await;
        }
    };
    tokio::time::timeout(support::PATIENCE, looking).await.expect(what);
}
