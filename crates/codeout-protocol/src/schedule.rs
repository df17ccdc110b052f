//! What both handshakes share: the header, the tags, the transcript and key schedule, and the
//! daemon's verdict at their end.

use std::time::Duration;

use zeroize::Zeroizing;

use crate::channel::{Channel, Opened, Opener, Sealer};
use crate::error::{Alert, Error, Misbehaviour, Refusal};
use crate::sodium::{
    self, ChainKey, KEM_CIPHERTEXT, KEM_PUBLIC, KemKeyPair, KemShared, Key, KeyPair, PublicKey,
    Role, STREAM_HEADER,
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
        [VERSION, SUITE, if self == Mode::Connect { MODE_CONNECT } else { MODE_PAIR }]
    }
}

/// The device's fresh keys for one handshake.
#[derive(Debug)]
#[cfg_attr(feature = "model", derive(Clone))]
pub struct DeviceEphemeral {
    pub(crate) kx: KeyPair,
    pub(crate) kem: KemKeyPair,
}

impl DeviceEphemeral {
    /// Fresh random keys; use them for one handshake.
    pub fn generate() -> Self {
        DeviceEphemeral { kx: KeyPair::generate(), kem: KemKeyPair::generate() }
    }
}

/// The daemon's fresh keys for one handshake.
#[derive(Debug)]
#[cfg_attr(feature = "model", derive(Clone))]
pub struct DaemonEphemeral {
    pub(crate) kx: KeyPair,
    /// The randomness of the ML-KEM encapsulation; `None` lets libsodium draw it.
    pub(crate) kem_seed: Option<Zeroizing<[u8; 32]>>,
}

impl DaemonEphemeral {
    /// Fresh random keys; use them for one handshake.
    pub fn generate() -> Self {
        DaemonEphemeral { kx: KeyPair::generate(), kem_seed: None }
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
#[cfg_attr(feature = "model", derive(Clone))]
pub(crate) struct Schedule {
    chain: ChainKey,
    pub(crate) transcript: [u8; 64],
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

    /// The chaining key as it is now, for what is sealed under it later.
    pub(crate) fn chain(&self) -> ChainKey {
        self.chain.clone()
    }

    /// sub(chain, label, transcript), under an earlier chaining key
    pub(crate) fn sub_under(&self, chain: ChainKey, label: u8) -> Key {
        Schedule::new(chain, self.transcript).sub(label)
    }

    /// SEAL(sub(chain, label, transcript), transcript, plaintext)
    pub(crate) fn seal(&self, label: u8, plaintext: &[u8]) -> Vec<u8> {
        sodium::seal(self.sub(label), &self.transcript, plaintext)
    }

    /// What [`seal`](Self::seal) sealed at the other end.
    pub(crate) fn open(&self, label: u8, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        sodium::open(self.sub(label), &self.transcript, sealed)
    }

    pub(crate) fn direction(&self, from: Role) -> Key {
        self.sub(if from == Role::Device { b'd' } else { b's' })
    }
}

/// The device has sent its last handshake message and waits for the daemon's verdict.
#[cfg_attr(feature = "model", derive(Clone))]
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
        let (header, record) =
            body.split_first_chunk::<STREAM_HEADER>().ok_or(Misbehaviour::Length)?;
        let mut opener = Opener::new(&self.receive, header);
        match opener.open(record).map_err(|_| Error::Tampered)? {
            Opened::Message(first) => Ok((Channel { sealer: self.sealer, opener }, first)),
            Opened::Final(_) => Err(Misbehaviour::Tag.into()),
        }
    }
}

/// The daemon's verdict, made but not yet spoken.
#[cfg_attr(feature = "model", derive(Clone))]
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
        message.extend(sodium::seal(self.refusal_key, &self.schedule.transcript, &[reason]));
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
