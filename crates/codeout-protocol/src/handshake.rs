//! Connect: a paired device and its daemon agree on a channel.
//!
//! Noise XKpsk3's order of three `crypto_kx` exchanges (ephemeral-static, ephemeral-ephemeral,
//! static-ephemeral) with ML-KEM-768 and the device token mixed in; `docs/protocol.md` has the
//! bytes. Each state is consumed by the step that leaves it.

use std::time::Duration;

use crate::channel::Channel;
use crate::error::{Error, Misbehaviour, Refusal};
use crate::schedule::{
    AwaitVerdict, HEADER, KX_PUBLIC, Schedule, TAG_NEXT, Verdict, next_step, opaque_debug, take,
};
use crate::sodium::{
    self, AEAD_OVERHEAD, ChainKey, KEM_CIPHERTEXT, KEM_PUBLIC, KeyPair, Psk, PublicKey, Role,
    STREAM_HEADER, Token,
};

pub use crate::schedule::{DaemonEphemeral, DeviceEphemeral, MAX_MESSAGE, Mode};

/// Length of M1, in bytes.
pub const M1_LENGTH: usize = HEADER + KX_PUBLIC + KEM_PUBLIC + AEAD_OVERHEAD;
/// Length of M3, in bytes.
pub const M3_LENGTH: usize = KX_PUBLIC + 2 * AEAD_OVERHEAD + STREAM_HEADER;
const M2_BODY: usize = KX_PUBLIC + KEM_CIPHERTEXT + AEAD_OVERHEAD;

const _: () = assert!(M1_LENGTH == 1235 && M2_BODY + 1 == 1137 && M3_LENGTH == 88);

/// What a device keeps of a daemon: enough to connect.
#[derive(Clone, Debug)]
pub struct DeviceCredentials {
    /// The daemon's long-term key.
    pub daemon_key: PublicKey,
    /// This device's key pair, made for this daemon alone.
    pub device: KeyPair,
    /// The device token.
    pub token: Token,
}

/// Device: M1 is on its way; M2 is awaited.
#[cfg_attr(feature = "model", derive(Clone))]
pub struct AwaitM2 {
    schedule: Schedule,
    ephemeral: DeviceEphemeral,
    credentials: DeviceCredentials,
}

/// Device: begins to connect. Returns the state and M1.
///
/// # Errors
/// [`Error::Misbehaved`] when the stored daemon key is of low order.
pub fn connect(
    credentials: DeviceCredentials,
    ephemeral: DeviceEphemeral,
) -> Result<(AwaitM2, Vec<u8>), Error> {
    let mut schedule = connect_schedule(&credentials.daemon_key);
    let mut m1 = Vec::with_capacity(M1_LENGTH);
    m1.extend_from_slice(&Mode::Connect.header());
    m1.extend_from_slice(&ephemeral.kx.public.0);
    m1.extend_from_slice(ephemeral.kem.public.as_slice());
    schedule.absorb(&[&m1]);
    schedule.mix_kx(Role::Device, &ephemeral.kx, &credentials.daemon_key)?;
    let t1 = schedule.seal(b'1', b"");
    schedule.absorb(&[&t1]);
    m1.extend_from_slice(&t1);
    Ok((AwaitM2 { schedule, ephemeral, credentials }, m1))
}

fn connect_schedule(daemon_key: &PublicKey) -> Schedule {
    let transcript = sodium::hash(&[b"codeout/1/session", &daemon_key.0]);
    Schedule::new(ChainKey::from_hash(&transcript), transcript)
}

impl AwaitM2 {
    /// Reads M2. Returns the state and M3.
    ///
    /// # Errors
    /// [`Error::Alert`] when the daemon answered with one, else [`Error::Misbehaved`].
    pub fn read_m2(self, m2: &[u8]) -> Result<(AwaitM4, Vec<u8>), Error> {
        let AwaitM2 { mut schedule, ephemeral, credentials } = self;
        let mut rest = next_step(m2, M2_BODY)?;
        let se = PublicKey(*take(&mut rest)?);
        let ciphertext = take::<KEM_CIPHERTEXT>(&mut rest)?;
        let c2 = rest;

        schedule.absorb(&[&se.0, ciphertext]);
        schedule.mix_kx(Role::Device, &ephemeral.kx, &se)?;
        schedule.mix(ephemeral.kem.decapsulate(ciphertext).bytes());
        schedule.open(b'2', c2).ok_or(Misbehaviour::Seal)?;
        schedule.absorb(&[c2]);

        let c3 = schedule.seal(b'3', &credentials.device.public.0);
        schedule.absorb(&[&c3]);
        let chain2 = schedule.chain();
        schedule.mix_kx(Role::Device, &credentials.device, &se)?;
        schedule.mix(credentials.token.psk().bytes());
        let c4 = schedule.seal(b'4', b"");
        schedule.absorb(&[&c4]);

        let refusal_key = schedule.sub_under(chain2, b'r');
        let mut m3 = [c3, c4].concat();
        let verdict = AwaitVerdict::new(&schedule, refusal_key, &mut m3);
        Ok((AwaitM4 { verdict }, m3))
    }
}

/// Device: M3 is on its way; the daemon's verdict is awaited.
#[cfg_attr(feature = "model", derive(Clone))]
pub struct AwaitM4 {
    verdict: AwaitVerdict,
}

impl AwaitM4 {
    /// Reads M4. Returns the channel and the plaintext of the daemon's first record, which
    /// proves that the daemon accepted this device.
    ///
    /// # Errors
    /// [`Error::Refused`] with [`Refusal::NotPaired`] is the daemon's own word, and the only
    /// thing on which a device may offer to forget the daemon. [`Error::Tampered`] and
    /// everything else says nothing about the pairing.
    pub fn read_m4(self, m4: &[u8]) -> Result<(Channel, Vec<u8>), Error> {
        self.verdict.read(m4, |reason| (reason == NOT_PAIRED).then_some(Refusal::NotPaired))
    }
}

const NOT_PAIRED: u8 = 1;

/// Daemon: M2 is on its way; M3 is awaited.
#[cfg_attr(feature = "model", derive(Clone))]
pub struct AwaitM3 {
    schedule: Schedule,
    ephemeral: DaemonEphemeral,
}

/// Daemon: reads M1. Returns the state and M2.
///
/// # Errors
/// Tell the device [`Error::alert`] and close.
pub fn read_m1(
    daemon: &KeyPair,
    m1: &[u8],
    ephemeral: DaemonEphemeral,
) -> Result<(AwaitM3, Vec<u8>), Error> {
    if Mode::of(m1)? != Mode::Connect || m1.len() != M1_LENGTH {
        return Err(Misbehaviour::Length.into());
    }
    let (signed, t1) = m1.split_at(M1_LENGTH - AEAD_OVERHEAD);
    let mut rest = &signed[HEADER..];
    let de = PublicKey(*take(&mut rest)?);
    let ek = take::<KEM_PUBLIC>(&mut rest)?;

    let mut schedule = connect_schedule(&daemon.public);
    schedule.absorb(&[signed]);
    schedule.mix_kx(Role::Daemon, daemon, &de)?;
    schedule.open(b'1', t1).ok_or(Error::WrongDaemonKey)?;
    schedule.absorb(&[t1]);

    let (ciphertext, shared) = ephemeral.encapsulate(ek)?;
    let se = ephemeral.kx.public;
    schedule.absorb(&[&se.0, ciphertext.as_slice()]);
    schedule.mix_kx(Role::Daemon, &ephemeral.kx, &de)?;
    schedule.mix(shared.bytes());
    let c2 = schedule.seal(b'2', b"");
    schedule.absorb(&[&c2]);

    let m2 = [&[TAG_NEXT], se.0.as_slice(), ciphertext.as_slice(), &c2].concat();
    Ok((AwaitM3 { schedule, ephemeral }, m2))
}

impl AwaitM3 {
    /// Reads M3: who the device says it is.
    ///
    /// # Errors
    /// Tell the device [`Error::alert`] and close.
    pub fn read_m3(self, m3: &[u8]) -> Result<Claim, Error> {
        let AwaitM3 { mut schedule, ephemeral } = self;
        if m3.len() != M3_LENGTH {
            return Err(Misbehaviour::Length.into());
        }
        let mut rest = m3;
        let c3 = take::<{ KX_PUBLIC + AEAD_OVERHEAD }>(&mut rest)?;
        let c4 = *take::<AEAD_OVERHEAD>(&mut rest)?;
        let device_header = *take::<STREAM_HEADER>(&mut rest)?;

        let device_key = schedule.open(b'3', c3).ok_or(Misbehaviour::Seal)?;
        let device_key = PublicKey::from_slice(&device_key).ok_or(Misbehaviour::Length)?;
        schedule.absorb(&[c3]);
        let chain2 = schedule.chain();
        schedule.mix_kx(Role::Daemon, &ephemeral.kx, &device_key)?;
        Ok(Claim { schedule, chain2, device_key, c4, device_header })
    }
}

/// Daemon: a device has said who it is, and not yet proved it.
#[cfg_attr(feature = "model", derive(Clone))]
pub struct Claim {
    schedule: Schedule,
    chain2: ChainKey,
    device_key: PublicKey,
    c4: [u8; AEAD_OVERHEAD],
    device_header: [u8; STREAM_HEADER],
}

impl Claim {
    /// The key to look up in the allow-list.
    pub fn device_key(&self) -> PublicKey {
        self.device_key
    }

    /// Checks the claim against what the daemon keeps of that device. Hand in `None` for a
    /// device that is unknown, revoked or expired: the work and the answer are the same as for
    /// a wrong key.
    ///
    /// # Errors
    /// The message that tells the device that it is not paired.
    pub fn verify(mut self, psk: Option<&Psk>) -> Result<Accepted, Vec<u8>> {
        let nobody = Psk::random();
        self.schedule.mix(psk.unwrap_or(&nobody).bytes());
        let proved = self.schedule.open(b'4', &self.c4).is_some();
        self.schedule.absorb(&[&self.c4]);
        let verdict = Verdict {
            refusal_key: self.schedule.sub_under(self.chain2, b'r'),
            schedule: self.schedule,
            device_header: self.device_header,
        };
        if proved && psk.is_some() {
            Ok(Accepted { verdict })
        } else {
            Err(verdict.refuse(NOT_PAIRED))
        }
    }
}

/// Daemon: the device has proved that it is paired.
#[cfg_attr(feature = "model", derive(Clone))]
pub struct Accepted {
    verdict: Verdict,
}

impl Accepted {
    /// The channel, and M4 with `first` as its first record. `now` as in [`Sealer::seal`](crate::channel::Sealer::seal).
    ///
    /// # Errors
    /// [`Error::TooLong`].
    pub fn accept(self, now: Duration, first: &[u8]) -> Result<(Channel, Vec<u8>), Error> {
        self.verdict.accept(now, first)
    }

    /// M4 that refuses after all: the device was revoked while it connected.
    pub fn refuse(self) -> Vec<u8> {
        self.verdict.refuse(NOT_PAIRED)
    }
}

opaque_debug!(AwaitM2, AwaitM3, AwaitM4, Claim, Accepted);

#[cfg(test)]
#[path = "handshake_tests.rs"]
mod tests;
