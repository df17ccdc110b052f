//! Pair: a device that holds the pairing code becomes one that the daemon knows.
//!
//! CPace proves the code without showing it; three `crypto_kx` exchanges and ML-KEM-768 bind
//! both long-term keys; the device token comes out at both ends and never travels.
//! `docs/protocol.md` has the bytes. Each state is consumed by the step that leaves it.

use std::time::Duration;

use crate::channel::Channel;
use crate::code::Code;
use crate::cpace::{self, Confirmation, Share, Sid};
use crate::error::{Error, Misbehaviour, Refusal};
use crate::handshake::DeviceCredentials;
use crate::name::Name;
use crate::schedule::{
    AwaitVerdict, DaemonEphemeral, DeviceEphemeral, HEADER, KX_PUBLIC, Mode, Schedule, TAG_NEXT,
    Verdict, next_step, opaque_debug, take,
};
use crate::sodium::{
    self, AEAD_OVERHEAD, Digest, KEM_CIPHERTEXT, KEM_PUBLIC, KeyPair, Psk, PublicKey, Role,
    STREAM_HEADER, Scalar, Token,
};

const SID: usize = 16;
const ELEMENT: usize = 32;
const MAC: usize = 32;
const SEALED_KEY: usize = KX_PUBLIC + AEAD_OVERHEAD;

/// Length of P1, in bytes.
pub const P1_LENGTH: usize = HEADER + SID + ELEMENT + KX_PUBLIC + KEM_PUBLIC;
const P2_BODY: usize = ELEMENT + KX_PUBLIC + KEM_CIPHERTEXT + MAC + SEALED_KEY;
const P3_FIXED: usize = MAC + SEALED_KEY + AEAD_OVERHEAD + STREAM_HEADER;
/// The longest P3, in bytes.
pub const P3_MAX_LENGTH: usize = P3_FIXED + Name::MAX_BYTES;

const _: () = assert!(P1_LENGTH == 1267 && P2_BODY + 1 == 1233 && P3_FIXED == 120);

/// What the two ends call each other: lv_cat("codeout/1/pair", "device", "daemon").
const CHANNEL_IDENTIFIER: &[u8] = b"\x0ecodeout/1/pair\x06device\x06daemon";

/// The keys and identifier that a device draws for one pairing.
#[derive(Debug)]
#[cfg_attr(feature = "model", derive(Clone))]
pub struct DevicePairing {
    pub(crate) sid: Sid,
    pub(crate) scalar: Scalar,
    pub(crate) ephemeral: DeviceEphemeral,
}

impl DevicePairing {
    /// Fresh random values; use them for one pairing.
    pub fn generate() -> Self {
        let mut sid = [0; SID];
        sodium::random_bytes(&mut sid);
        DevicePairing { sid, scalar: Scalar::random(), ephemeral: DeviceEphemeral::generate() }
    }
}

/// The keys that a daemon draws for one pairing.
#[derive(Debug)]
pub struct DaemonPairing {
    pub(crate) scalar: Scalar,
    pub(crate) ephemeral: DaemonEphemeral,
}

impl DaemonPairing {
    /// Fresh random values; use them for one pairing.
    pub fn generate() -> Self {
        DaemonPairing { scalar: Scalar::random(), ephemeral: DaemonEphemeral::generate() }
    }
}

/// Everything that both ends have said once P2 is made; both derive the same from it.
struct Exchange<'a> {
    sid: &'a Sid,
    device_element: &'a [u8; ELEMENT],
    /// hdr, De, ek
    device_data: [&'a [u8]; 3],
    daemon_element: &'a [u8; ELEMENT],
    /// hdr, Se, ct
    daemon_data: [&'a [u8]; 3],
}

impl Exchange<'_> {
    fn shares(&self) -> (Share<'_>, Share<'_>) {
        (
            Share { element: self.device_element, data: &self.device_data },
            Share { element: self.daemon_element, data: &self.daemon_data },
        )
    }

    /// ISK and both confirmation tags; `None` when the other end's element is not acceptable.
    fn agree(&self, role: Role, scalar: &Scalar) -> Option<(Digest, Confirmation)> {
        let (device, daemon) = self.shares();
        let other = if role == Role::Device { self.daemon_element } else { self.device_element };
        let isk = cpace::intermediate_key(self.sid, scalar, other, device, daemon)?;
        let tags = cpace::confirm(self.sid, &isk, device, daemon);
        Some((isk, tags))
    }

    /// The schedule up to P(ISK, 64, h0); the caller mixes what the keys agree on.
    fn schedule(&self, isk: &Digest) -> Schedule {
        let [device_header, de, ek] = self.device_data;
        let [daemon_header, se, ct] = self.daemon_data;
        let transcript = sodium::hash(&[
            b"codeout/1/pair",
            self.sid,
            self.device_element,
            device_header,
            de,
            ek,
            self.daemon_element,
            daemon_header,
            se,
            ct,
        ]);
        Schedule::new(sodium::keyed_chain(isk.bytes(), &transcript), transcript)
    }
}

/// Device: P1 is on its way; P2 is awaited.
#[cfg_attr(feature = "model", derive(Clone))]
pub struct AwaitP2 {
    pairing: DevicePairing,
    element: [u8; ELEMENT],
}

/// Device: begins to pair with the daemon that offers `code`. Returns the state and P1.
pub fn pair(code: &Code, pairing: DevicePairing) -> (AwaitP2, Vec<u8>) {
    let generator = cpace::generator(code.canonical(), CHANNEL_IDENTIFIER, &pairing.sid);
    let element = cpace::share(&generator, &pairing.scalar);
    let mut p1 = Vec::with_capacity(P1_LENGTH);
    p1.extend_from_slice(&Mode::Pair.header());
    p1.extend_from_slice(&pairing.sid);
    p1.extend_from_slice(&element);
    p1.extend_from_slice(&pairing.ephemeral.kx.public.0);
    p1.extend_from_slice(pairing.ephemeral.kem.public.as_slice());
    (AwaitP2 { pairing, element }, p1)
}

impl AwaitP2 {
    /// Reads P2: whether the daemon holds the same code, and which key it has.
    ///
    /// # Errors
    /// [`Error::WrongCode`] when the codes differ (or someone on the way guessed and missed),
    /// [`Error::Alert`] when the daemon answered with one, else [`Error::Misbehaved`].
    pub fn read_p2(self, p2: &[u8]) -> Result<DaemonProved, Error> {
        let DevicePairing { sid, scalar, ephemeral } = self.pairing;
        let mut rest = next_step(p2, P2_BODY)?;
        let daemon_element = take::<ELEMENT>(&mut rest)?;
        let se = PublicKey(*take(&mut rest)?);
        let ciphertext = take::<KEM_CIPHERTEXT>(&mut rest)?;
        let daemon_tag = take::<MAC>(&mut rest)?;
        let c2 = rest;

        let header = Mode::Pair.header();
        let exchange = Exchange {
            sid: &sid,
            device_element: &self.element,
            device_data: [&header, &ephemeral.kx.public.0, ephemeral.kem.public.as_slice()],
            daemon_element,
            daemon_data: [&header, &se.0, ciphertext],
        };
        let (isk, tags) = exchange.agree(Role::Device, &scalar).ok_or(Misbehaviour::Key)?;
        if !sodium::equal(&tags.responder, daemon_tag) {
            return Err(Error::WrongCode);
        }
        let mut schedule = exchange.schedule(&isk);
        schedule.mix_kx(Role::Device, &ephemeral.kx, &se)?;
        schedule.mix(ephemeral.kem.decapsulate(ciphertext).bytes());
        schedule.absorb(&[daemon_tag]);
        let daemon_key = schedule.open(b'2', c2).ok_or(Misbehaviour::Seal)?;
        let daemon_key = PublicKey::from_slice(&daemon_key).ok_or(Misbehaviour::Length)?;
        schedule.absorb(&[c2]);
        Ok(DaemonProved { schedule, ephemeral, se, device_tag: tags.initiator, daemon_key })
    }
}

/// Device: the daemon has proved the code and shown its key.
#[cfg_attr(feature = "model", derive(Clone))]
pub struct DaemonProved {
    schedule: Schedule,
    ephemeral: DeviceEphemeral,
    se: PublicKey,
    device_tag: [u8; MAC],
    daemon_key: PublicKey,
}

impl DaemonProved {
    /// The daemon's long-term key.
    pub fn daemon_key(&self) -> PublicKey {
        self.daemon_key
    }

    /// Checks the key against the one that a pairing link carries.
    ///
    /// # Errors
    /// [`Error::WrongDaemonKey`]: this is not the daemon that made the link. Stop.
    pub fn expect_key(self, expected: &PublicKey) -> Result<Self, Error> {
        if self.daemon_key == *expected { Ok(self) } else { Err(Error::WrongDaemonKey) }
    }

    /// Makes P3, in which this device proves the code and shows its own key and the name that
    /// it proposes.
    ///
    /// `device` is a key pair made for this daemon alone. The caller writes
    /// [`AwaitP4::credentials`] to disk, marked as pending, **before** it sends P3.
    ///
    /// # Errors
    /// [`Error::Misbehaved`] when the daemon's key is of low order.
    pub fn present(self, device: KeyPair, name: &Name) -> Result<(AwaitP4, Vec<u8>), Error> {
        let DaemonProved { mut schedule, ephemeral, se, device_tag, daemon_key } = self;
        schedule.mix_kx(Role::Device, &ephemeral.kx, &daemon_key)?;
        let c3 = schedule.seal(b'3', &device.public.0);
        schedule.absorb(&[&device_tag, &c3]);
        schedule.mix_kx(Role::Device, &device, &se)?;
        let c4 = schedule.seal(b'4', name.as_str().as_bytes());
        schedule.absorb(&[&c4]);

        let token = Token::from_key(&schedule.sub(b't'));
        let mut p3 = [device_tag.as_slice(), &c3, &c4].concat();
        let verdict = AwaitVerdict::new(&schedule, schedule.sub(b'r'), &mut p3);
        let credentials = DeviceCredentials { daemon_key, device, token };
        Ok((AwaitP4 { verdict, credentials }, p3))
    }
}

/// Device: P3 is on its way; the daemon's verdict is awaited.
#[cfg_attr(feature = "model", derive(Clone))]
pub struct AwaitP4 {
    verdict: AwaitVerdict,
    credentials: DeviceCredentials,
}

impl AwaitP4 {
    /// What this device will connect with, if the daemon accepts it.
    pub fn credentials(&self) -> &DeviceCredentials {
        &self.credentials
    }

    /// Reads P4. Returns the channel and the plaintext of the daemon's first record.
    ///
    /// When no P4 comes, connect with the credentials: it works if P3 arrived, and is refused
    /// with [`Refusal::NotPaired`] if it did not; then pair again.
    ///
    /// # Errors
    /// [`Error::Refused`] is the daemon's own word: forget the credentials. Anything else says
    /// nothing about the pairing.
    pub fn read_p4(self, p4: &[u8]) -> Result<(Channel, Vec<u8>), Error> {
        self.verdict.read(p4, |reason| match reason {
            1 => Some(Refusal::AlreadyUsed),
            2 => Some(Refusal::Expired),
            3 => Some(Refusal::Declined),
            _ => None,
        })
    }
}

/// Daemon: P2 is on its way; P3 is awaited.
#[cfg_attr(feature = "model", derive(Clone))]
pub struct AwaitP3 {
    schedule: Schedule,
    daemon: KeyPair,
    ephemeral: DaemonEphemeral,
    de: PublicKey,
    device_tag: [u8; MAC],
}

/// Daemon: the session identifier of a P1. One seen before under the same offer is refused as
/// [`Misbehaviour::Replay`].
///
/// # Errors
/// [`Error::Misbehaved`] when it is no P1: tell the device [`Error::alert`] and close.
pub fn session_identifier(p1: &[u8]) -> Result<[u8; 16], Error> {
    if Mode::of(p1)? != Mode::Pair || p1.len() != P1_LENGTH {
        return Err(Misbehaviour::Length.into());
    }
    take(&mut &p1[HEADER..]).copied()
}

/// Daemon: reads P1 under the code on offer. Returns the state and P2.
///
/// # Errors
/// Tell the device [`Error::alert`] and close.
pub fn read_p1(
    code: &Code,
    daemon: &KeyPair,
    p1: &[u8],
    pairing: DaemonPairing,
) -> Result<(AwaitP3, Vec<u8>), Error> {
    let sid = session_identifier(p1)?;
    let DaemonPairing { scalar, ephemeral } = pairing;
    let mut rest = &p1[HEADER + SID..];
    let device_element = take::<ELEMENT>(&mut rest)?;
    let de = PublicKey(*take(&mut rest)?);
    let ek = take::<KEM_PUBLIC>(&mut rest)?;

    let (ciphertext, shared) = ephemeral.encapsulate(ek)?;
    let se = ephemeral.kx.public;
    let generator = cpace::generator(code.canonical(), CHANNEL_IDENTIFIER, &sid);
    let element = cpace::share(&generator, &scalar);
    let header = Mode::Pair.header();
    let exchange = Exchange {
        sid: &sid,
        device_element,
        device_data: [&header, &de.0, ek],
        daemon_element: &element,
        daemon_data: [&header, &se.0, ciphertext.as_slice()],
    };
    let (isk, tags) = exchange.agree(Role::Daemon, &scalar).ok_or(Misbehaviour::Key)?;
    let mut schedule = exchange.schedule(&isk);
    schedule.mix_kx(Role::Daemon, &ephemeral.kx, &de)?;
    schedule.mix(shared.bytes());
    schedule.absorb(&[&tags.responder]);
    let c2 = schedule.seal(b'2', &daemon.public.0);
    schedule.absorb(&[&c2]);

    let p2 = [&[TAG_NEXT], element.as_slice(), &se.0, ciphertext.as_slice(), &tags.responder, &c2]
        .concat();
    let state =
        AwaitP3 { schedule, daemon: daemon.clone(), ephemeral, de, device_tag: tags.initiator };
    Ok((state, p2))
}

impl AwaitP3 {
    /// Reads P3: the device has proved the code, and shows its key and the name it proposes.
    ///
    /// # Errors
    /// [`Error::WrongCode`] when its proof is wrong, else [`Error::Misbehaved`]. Tell the
    /// device [`Error::alert`] and close.
    pub fn read_p3(self, p3: &[u8]) -> Result<Proved, Error> {
        let AwaitP3 { mut schedule, daemon, ephemeral, de, device_tag } = self;
        if !(P3_FIXED + 1..=P3_MAX_LENGTH).contains(&p3.len()) {
            return Err(Misbehaviour::Length.into());
        }
        let mut rest = p3;
        let tag = take::<MAC>(&mut rest)?;
        let c3 = take::<SEALED_KEY>(&mut rest)?;
        let (c4, device_header) =
            rest.split_last_chunk::<STREAM_HEADER>().ok_or(Misbehaviour::Length)?;

        if !sodium::equal(&device_tag, tag) {
            return Err(Error::WrongCode);
        }
        schedule.mix_kx(Role::Daemon, &daemon, &de)?;
        let device_key = schedule.open(b'3', c3).ok_or(Misbehaviour::Seal)?;
        let device_key = PublicKey::from_slice(&device_key).ok_or(Misbehaviour::Length)?;
        schedule.absorb(&[tag, c3]);
        schedule.mix_kx(Role::Daemon, &ephemeral.kx, &device_key)?;
        let name = schedule.open(b'4', c4).ok_or(Misbehaviour::Seal)?;
        let name = std::str::from_utf8(&name).map_err(|_| Misbehaviour::Name)?;
        let proposed_name = Name::clean(name);
        schedule.absorb(&[c4]);

        let psk = Token::from_key(&schedule.sub(b't')).psk();
        let verdict =
            Verdict { refusal_key: schedule.sub(b'r'), schedule, device_header: *device_header };
        Ok(Proved { verdict, device_key, psk, proposed_name })
    }
}

/// Daemon: the device has proved the code. It is for the daemon to say whether the offer still
/// stands, and to write the device down before it accepts.
#[cfg_attr(feature = "model", derive(Clone))]
pub struct Proved {
    verdict: Verdict,
    device_key: PublicKey,
    psk: Psk,
    proposed_name: Option<Name>,
}

impl Proved {
    /// The device's long-term key, for the allow-list.
    pub fn device_key(&self) -> PublicKey {
        self.device_key
    }

    /// What the daemon keeps of the device token, for the allow-list.
    pub fn psk(&self) -> &Psk {
        &self.psk
    }

    /// The name that the device proposes, made safe; `None` when nothing of it was.
    pub fn proposed_name(&self) -> Option<&Name> {
        self.proposed_name.as_ref()
    }

    /// The channel, and P4 with `first` as its first record; only after the device is in the
    /// allow-list on disk. `now` as in [`Sealer::seal`](crate::channel::Sealer::seal).
    ///
    /// # Errors
    /// [`Error::TooLong`].
    pub fn accept(self, now: Duration, first: &[u8]) -> Result<(Channel, Vec<u8>), Error> {
        self.verdict.accept(now, first)
    }

    /// P4 that tells the device why not.
    pub fn refuse(self, why: PairRefusal) -> Vec<u8> {
        self.verdict.refuse(why as u8)
    }
}

/// Why a device that proved the code is not paired all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum PairRefusal {
    /// Another device was faster.
    AlreadyUsed = 1,
    /// The five minutes are over.
    Expired = 2,
    /// The daemon's user said no.
    Declined = 3,
}

opaque_debug!(AwaitP2, AwaitP3, AwaitP4, DaemonProved, Proved);

#[cfg(test)]
#[path = "pairing_tests.rs"]
mod tests;
