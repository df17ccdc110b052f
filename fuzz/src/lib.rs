//! What the fuzz targets share: two ends that are paired, honest messages between them, and
//! changes to those messages.
//!
//! The fuzzer does not write handshake messages from nothing, for it would never get past the
//! first seal. It says how to change honest ones, and the targets check that every change is
//! noticed.

pub mod control;
pub mod doors;
pub mod http;

use std::sync::LazyLock;
use std::time::Duration;

use arbitrary::Arbitrary;
use codeout_protocol::channel::Channel;
use codeout_protocol::code::Code;
use codeout_protocol::handshake::{
    self, AwaitM2, AwaitM3, AwaitM4, Claim, DaemonEphemeral, DeviceCredentials, DeviceEphemeral,
};
use codeout_protocol::name::Name;
use codeout_protocol::pairing::{
    self, AwaitP2, AwaitP3, AwaitP4, DaemonPairing, DevicePairing, Proved,
};
use codeout_protocol::sodium::{KeyPair, Psk, Token};

/// Some time.
pub const NOW: Duration = Duration::from_secs(1_000);

/// How a message on its way becomes the one that arrives.
#[derive(Arbitrary, Debug)]
pub enum Transit<'a> {
    /// It arrives as it is.
    Honest,
    /// It arrives changed; the changes may undo each other.
    Changed(Vec<Change<'a>>),
    /// Something else arrives.
    Replaced(&'a [u8]),
}

/// A change to a message; positions wrap around its end.
#[derive(Arbitrary, Debug)]
pub enum Change<'a> {
    /// Some bits of one byte are flipped.
    Flip(u16, u8),
    /// Bytes are written over others.
    Write(u16, &'a [u8]),
    /// The message is cut here.
    Cut(u16),
    /// Bytes are put behind it.
    Append(&'a [u8]),
    /// A part of it is gone.
    Remove(u16, u8),
}

impl Transit<'_> {
    /// What arrives.
    pub fn of(&self, sent: &[u8]) -> Vec<u8> {
        let mut message = sent.to_vec();
        match self {
            Transit::Honest => {}
            Transit::Changed(changes) => {
                changes.iter().take(8).for_each(|change| change.to(&mut message));
            }
            Transit::Replaced(other) => message = other.to_vec(),
        }
        message
    }
}

impl Change<'_> {
    fn to(&self, message: &mut Vec<u8>) {
        let length = message.len();
        let place = |at: u16| usize::from(at) % length.max(1);
        match *self {
            Change::Flip(at, mask) => {
                if let Some(byte) = message.get_mut(place(at)) {
                    *byte ^= mask;
                }
            }
            Change::Write(at, bytes) => {
                let to = message.iter_mut().skip(place(at));
                to.zip(bytes).for_each(|(to, from)| *to = *from);
            }
            Change::Cut(at) => message.truncate(place(at)),
            Change::Append(bytes) => message.extend_from_slice(bytes),
            Change::Remove(at, count) => {
                let at = place(at).min(length);
                message.drain(at..(at + usize::from(count)).min(length));
            }
        }
    }
}

/// A daemon and a device that are paired.
pub struct Paired {
    /// The daemon's long-term keys.
    pub daemon: KeyPair,
    /// What the device keeps.
    pub credentials: DeviceCredentials,
    /// What the daemon keeps.
    pub psk: Psk,
    /// The code of the daemon's next offer.
    pub code: Code,
}

/// One pair of ends for a whole run: making keys is the slowest part.
pub static PAIRED: LazyLock<Paired> = LazyLock::new(|| {
    let (daemon, token) = (KeyPair::generate(), Token::from_bytes(&[7; 32]));
    let daemon_key = daemon.public;
    let psk = token.psk();
    let credentials = DeviceCredentials { daemon_key, device: KeyPair::generate(), token };
    Paired { daemon, credentials, psk, code: Code::random() }
});

impl Paired {
    /// The device has sent M1.
    pub fn connect(&self) -> (AwaitM2, Vec<u8>) {
        handshake::connect(self.credentials.clone(), DeviceEphemeral::generate())
            .expect("an honest daemon's key")
    }

    /// The daemon has sent M2.
    pub fn to_m2(&self) -> (AwaitM2, AwaitM3, Vec<u8>) {
        let (device, m1) = self.connect();
        let (daemon, m2) = handshake::read_m1(&self.daemon, &m1, DaemonEphemeral::generate())
            .expect("an honest M1");
        (device, daemon, m2)
    }

    /// The device has sent M3.
    pub fn to_m3(&self) -> (AwaitM4, AwaitM3, Vec<u8>) {
        let (device, daemon, m2) = self.to_m2();
        let (device, m3) = device.read_m2(&m2).expect("an honest M2");
        (device, daemon, m3)
    }

    /// The daemon has read M3.
    pub fn to_claim(&self) -> (AwaitM4, Claim) {
        let (device, daemon, m3) = self.to_m3();
        (device, daemon.read_m3(&m3).expect("an honest M3"))
    }

    /// Device and daemon are connected.
    pub fn channels(&self) -> (Channel, Channel) {
        let (device, claim) = self.to_claim();
        let accepted = claim.verify(Some(&self.psk)).expect("the device is paired");
        let (daemon, m4) = accepted.accept(NOW, b"welcome").expect("it is short");
        let (device, _) = device.read_m4(&m4).expect("an honest M4");
        (device, daemon)
    }

    /// The device has sent P1.
    pub fn pair(&self) -> (AwaitP2, Vec<u8>) {
        pairing::pair(&self.code, DevicePairing::generate())
    }

    /// The daemon has sent P2.
    pub fn to_p2(&self) -> (AwaitP2, AwaitP3, Vec<u8>) {
        let (device, p1) = self.pair();
        let (daemon, p2) =
            pairing::read_p1(&self.code, &self.daemon, &p1, DaemonPairing::generate())
                .expect("an honest P1");
        (device, daemon, p2)
    }

    /// The device has sent P3.
    pub fn to_p3(&self, name: &Name) -> (AwaitP4, AwaitP3, Vec<u8>) {
        let (device, daemon, p2) = self.to_p2();
        let proved = device.read_p2(&p2).expect("an honest P2");
        let keys = self.credentials.device.clone();
        let (device, p3) = proved.present(keys, name).expect("an honest daemon's key");
        (device, daemon, p3)
    }

    /// The daemon has read P3.
    pub fn to_proved(&self) -> (AwaitP4, Proved) {
        let name = Name::clean("Pixel 9").expect("a name");
        let (device, daemon, p3) = self.to_p3(&name);
        (device, daemon.read_p3(&p3).expect("an honest P3"))
    }
}
