//! Connect: a paired device and its daemon agree on a channel. Also what both handshakes share:
//! the header, the tags, the transcript and the key schedule.
//!
//! Noise XKpsk3's order of three `crypto_kx` exchanges (ephemeral-static, ephemeral-ephemeral,
//! static-ephemeral) with ML-KEM-768 and the device token mixed in; `docs/protocol.md` has the
//! bytes. Each state is consumed by the step that leaves it.

use std::time::Duration;

use zeroize::Zeroizing;

use crate::channel::{Channel, Opened, Opener, Sealer};
use crate::error::{Alert, Error, Misbehaviour, Refusal};
use crate::sodium::{
    self, AEAD_OVERHEAD, ChainKey, KEM_CIPHERTEXT, KEM_PUBLIC, KemKeyPair, KemShared, Key, KeyPair,
    Psk, PublicKey, Role, STREAM_HEADER, Token,
};

const VERSION: u8 = 1;
const SUITE: u8 = 1;
const MODE_CONNECT: u8 = 1;
const MODE_PAIR: u8 = 2;

/// The next step follows.
pub(crate) const TAG_NEXT: u8 = 0x00;
/// A sealed refusal follows.
pub(crate) const TAG_REFUSAL: u8 = 0x01;
/// A clear alert follows.
pub(crate) const TAG_ALERT: u8 = 0xff;

pub(crate) const HEADER: usize = 3;
pub(crate) const KX_PUBLIC: usize = 32;

/// Length of M1, in bytes.
pub const M1_LENGTH: usize = HEADER + KX_PUBLIC + KEM_PUBLIC + AEAD_OVERHEAD;
/// Length of M3, in bytes.
pub const M3_LENGTH: usize = KX_PUBLIC + 2 * AEAD_OVERHEAD + STREAM_HEADER;
const M2_BODY: usize = KX_PUBLIC + KEM_CIPHERTEXT + AEAD_OVERHEAD;

const _: () = assert!(M1_LENGTH == 1235 && M2_BODY + 1 == 1137 && M3_LENGTH == 88);

/// The longest handshake message of either side: M4 or P4 with the longest first record.
pub const MAX_MESSAGE: usize = 1 + STREAM_HEADER + crate::channel::MAX_RECORD;

/// Which handshake a device begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It says that it is paired.
    Connect,
    /// It wants to be.
    Pair,
}

impl Mode {
    /// Which handshake this first message begins.
    ///
    /// # Errors
    /// [`Error::Incompatible`] for another version or suite, [`Error::Misbehaved`] for anything
    /// that has neither handshake's form. Tell the device [`Error::alert`] and close.
    pub fn of(first: &[u8]) -> Result<Self, Error> {
        let [version, suite, mode, ..] = *first else {
            return Err(Misbehaviour::Length.into());
        };
        if (version, suite) != (VERSION, SUITE) {
            return Err(Error::Incompatible);
        }
        match mode {
            MODE_CONNECT => Ok(Mode::Connect),
            MODE_PAIR => Ok(Mode::Pair),
            _ => Err(Misbehaviour::Tag.into()),
        }
    }

    pub(crate) fn header(self) -> [u8; HEADER] {
        [
            VERSION,
            SUITE,
            if self == Mode::Connect {
                MODE_CONNECT
            } else {
                MODE_PAIR
            },
        ]
    }
}

/// The device's fresh keys for one handshake.
#[derive(Debug)]
pub struct DeviceEphemeral {
    pub(crate) kx: KeyPair,
    pub(crate) kem: KemKeyPair,
}

impl DeviceEphemeral {
    /// Fresh random keys; use them for one handshake.
    pub fn generate() -> Self {
        DeviceEphemeral {
            kx: KeyPair::generate(),
            kem: KemKeyPair::generate(),
        }
    }
}

/// The daemon's fresh keys for one handshake.
#[derive(Debug)]
pub struct DaemonEphemeral {
    pub(crate) kx: KeyPair,
    /// The randomness of the ML-KEM encapsulation; `None` lets libsodium draw it.
    pub(crate) kem_seed: Option<Zeroizing<[u8; 32]>>,
}

impl DaemonEphemeral {
    /// Fresh random keys; use them for one handshake.
    pub fn generate() -> Self {
        DaemonEphemeral {
            kx: KeyPair::generate(),
            kem_seed: None,
        }
    }

    pub(crate) fn encapsulate(
        &self,
        public: &[u8; KEM_PUBLIC],
    ) -> Result<(Box<[u8; KEM_CIPHERTEXT]>, KemShared), Error> {
        sodium::kem_encapsulate(public, self.kem_seed.as_deref())
            .ok_or_else(|| Misbehaviour::Key.into())
    }
}

/// The running transcript hash and chaining key.
pub(crate) struct Schedule {
    chain: ChainKey,
    transcript: [u8; 64],
}

impl Schedule {
    pub(crate) fn new(chain: ChainKey, transcript: [u8; 64]) -> Self {
        Schedule { chain, transcript }
    }

    /// transcript = H(transcript ‖ parts)
    pub(crate) fn absorb(&mut self, parts: &[&[u8]]) {
        let mut all = Vec::with_capacity(1 + parts.len());
        all.push(self.transcript.as_slice());
        all.extend_from_slice(parts);
        self.transcript = sodium::hash(&all);
    }

    /// chain = mix(chain, secret)
    pub(crate) fn mix(&mut self, secret: &[u8]) {
        self.chain = sodium::keyed_chain(self.chain.bytes(), secret);
    }

    /// chain = mix(chain, KX(own, other))
    pub(crate) fn mix_kx(
        &mut self,
        role: Role,
        own: &KeyPair,
        other: &PublicKey,
    ) -> Result<(), Error> {
        let shared = sodium::kx(role, own, other).map_err(|_| Misbehaviour::Key)?;
        self.mix(shared.bytes());
        Ok(())
    }

    /// sub(chain, label, transcript)
    pub(crate) fn sub(&self, label: u8) -> Key {
        sodium::keyed_key(self.chain.bytes(), &[&[label], &self.transcript])
    }

    /// SEAL(sub(chain, label, transcript), transcript, plaintext)
    pub(crate) fn seal(&self, label: u8, plaintext: &[u8]) -> Vec<u8> {
        sodium::seal(self.sub(label), &self.transcript, plaintext)
    }

    /// What [`seal`](Self::seal) sealed at the other end.
    pub(crate) fn open(&self, label: u8, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        sodium::open(self.sub(label), &self.transcript, sealed)
    }

    fn direction(&self, from: Role) -> Key {
        self.sub(if from == Role::Device { b'd' } else { b's' })
    }
}

/// The device has sent its last handshake message and waits for the daemon's verdict.
pub(crate) struct AwaitVerdict {
    /// Under whose chaining key a refusal is sealed.
    refusal_key: Key,
    transcript: [u8; 64],
    receive: Key,
    sealer: Sealer,
}

impl AwaitVerdict {
    /// Derives both directions, given the chain and transcript of the last message, and appends
    /// this end's secretstream header to that message.
    pub(crate) fn new(schedule: &Schedule, refusal_key: Key, message: &mut Vec<u8>) -> Self {
        let (sealer, header) = Sealer::new(&schedule.direction(Role::Device));
        message.extend_from_slice(&header);
        AwaitVerdict {
            refusal_key,
            transcript: schedule.transcript,
            receive: schedule.direction(Role::Daemon),
            sealer,
        }
    }

    /// The established channel and the plaintext of the daemon's first record.
    pub(crate) fn read(
        self,
        message: &[u8],
        refusal: fn(u8) -> Option<Refusal>,
    ) -> Result<(Channel, Vec<u8>), Error> {
        let body = match daemon_message(message)? {
            DaemonMessage::Next(body) => body,
            DaemonMessage::Refusal(sealed) => {
                let reason = sodium::open(self.refusal_key, &self.transcript, sealed);
                let reason = reason.ok_or(Error::Tampered)?;
                let [reason] = **reason else {
                    return Err(Misbehaviour::Length.into());
                };
                return Err(refusal(reason).map_or(Misbehaviour::Tag.into(), Error::Refused));
            }
        };
        let (header, record) = body
            .split_first_chunk::<STREAM_HEADER>()
            .ok_or(Misbehaviour::Length)?;
        let mut opener = Opener::new(&self.receive, header);
        match opener.open(record).map_err(|_| Error::Tampered)? {
            Opened::Message(first) => Ok((
                Channel {
                    sealer: self.sealer,
                    opener,
                },
                first,
            )),
            Opened::Final(_) => Err(Misbehaviour::Tag.into()),
        }
    }
}

/// The daemon's verdict, made but not yet spoken.
pub(crate) struct Verdict {
    pub(crate) schedule: Schedule,
    /// Under whose chaining key a refusal is sealed.
    pub(crate) refusal_key: Key,
    pub(crate) device_header: [u8; STREAM_HEADER],
}

impl Verdict {
    /// The established channel, and the message that tells the device.
    pub(crate) fn accept(self, now: Duration, first: &[u8]) -> Result<(Channel, Vec<u8>), Error> {
        let (mut sealer, header) = Sealer::new(&self.schedule.direction(Role::Daemon));
        let opener = Opener::new(&self.schedule.direction(Role::Device), &self.device_header);
        let mut message = vec![TAG_NEXT];
        message.extend_from_slice(&header);
        sealer.seal_behind(now, first, &mut message)?;
        Ok((Channel { sealer, opener }, message))
    }

    /// The message that tells the device why not.
    pub(crate) fn refuse(self, reason: u8) -> Vec<u8> {
        let mut message = vec![TAG_REFUSAL];
        message.extend(sodium::seal(
            self.refusal_key,
            &self.schedule.transcript,
            &[reason],
        ));
        message
    }
}

pub(crate) enum DaemonMessage<'a> {
    Next(&'a [u8]),
    Refusal(&'a [u8]),
}

/// Splits a daemon's handshake message; an alert becomes the error that it is.
pub(crate) fn daemon_message(message: &[u8]) -> Result<DaemonMessage<'_>, Error> {
    match message {
        [TAG_NEXT, body @ ..] => Ok(DaemonMessage::Next(body)),
        [TAG_REFUSAL, sealed @ ..] => Ok(DaemonMessage::Refusal(sealed)),
        [TAG_ALERT, byte] => {
            Err(Alert::from_byte(*byte).map_or(Misbehaviour::Tag.into(), Error::Alert))
        }
        [] => Err(Misbehaviour::Length.into()),
        _ => Err(Misbehaviour::Tag.into()),
    }
}

/// The body of a daemon's message where only a next step may come, of a fixed length.
pub(crate) fn next_step(message: &[u8], length: usize) -> Result<&[u8], Error> {
    match daemon_message(message)? {
        DaemonMessage::Next(body) if body.len() == length => Ok(body),
        DaemonMessage::Next(_) => Err(Misbehaviour::Length.into()),
        DaemonMessage::Refusal(_) => Err(Misbehaviour::Tag.into()),
    }
}

/// Takes the next `N` bytes off `rest`, whose length the caller has checked.
pub(crate) fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Result<&'a [u8; N], Error> {
    let (head, tail) = rest.split_first_chunk().ok_or(Misbehaviour::Length)?;
    *rest = tail;
    Ok(head)
}

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
    Ok((
        AwaitM2 {
            schedule,
            ephemeral,
            credentials,
        },
        m1,
    ))
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
        let AwaitM2 {
            mut schedule,
            ephemeral,
            credentials,
        } = self;
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
        let chain2 = schedule.chain.clone();
        schedule.mix_kx(Role::Device, &credentials.device, &se)?;
        schedule.mix(credentials.token.psk().bytes());
        let c4 = schedule.seal(b'4', b"");
        schedule.absorb(&[&c4]);

        let refusal_key = Schedule::new(chain2, schedule.transcript).sub(b'r');
        let mut m3 = [c3, c4].concat();
        let verdict = AwaitVerdict::new(&schedule, refusal_key, &mut m3);
        Ok((AwaitM4 { verdict }, m3))
    }
}

/// Device: M3 is on its way; the daemon's verdict is awaited.
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
        self.verdict.read(m4, |reason| {
            (reason == NOT_PAIRED).then_some(Refusal::NotPaired)
        })
    }
}

const NOT_PAIRED: u8 = 1;

/// Daemon: M2 is on its way; M3 is awaited.
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
    Ok((
        AwaitM3 {
            schedule,
            ephemeral,
        },
        m2,
    ))
}

impl AwaitM3 {
    /// Reads M3: who the device says it is.
    ///
    /// # Errors
    /// Tell the device [`Error::alert`] and close.
    pub fn read_m3(self, m3: &[u8]) -> Result<Claim, Error> {
        let AwaitM3 {
            mut schedule,
            ephemeral,
        } = self;
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
        let chain2 = schedule.chain.clone();
        schedule.mix_kx(Role::Daemon, &ephemeral.kx, &device_key)?;
        Ok(Claim {
            schedule,
            chain2,
            device_key,
            c4,
            device_header,
        })
    }
}

/// Daemon: a device has said who it is, and not yet proved it.
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
            refusal_key: Schedule::new(self.chain2, self.schedule.transcript).sub(b'r'),
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
pub struct Accepted {
    verdict: Verdict,
}

impl Accepted {
    /// The channel, and M4 with `first` as its first record. `now` as in [`Sealer::seal`].
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

macro_rules! opaque_debug {
    ($($state:ty),*) => {$(
        impl std::fmt::Debug for $state {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($state), "(..)"))
            }
        }
    )*};
}
pub(crate) use opaque_debug;
opaque_debug!(AwaitM2, AwaitM3, AwaitM4, Claim, Accepted);

#[cfg(test)]
#[path = "handshake_tests.rs"]
mod tests;
