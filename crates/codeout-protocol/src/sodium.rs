//! The only file that calls libsodium, and the only one with `unsafe`.
//!
//! Every secret lives in a type of its own that is wiped when it is dropped, prints nothing of
//! itself and has no `==`. C writes each secret straight into that type, so that no copy stays
//! behind in an unwiped buffer.
//!
//! Failures of libsodium that only a broken machine can cause (no randomness, no memory for a
//! few hundred bytes) panic; failures that a peer can cause are returned.

#![allow(unsafe_code)] // the C calls themselves; each block states why its pointers are right

use std::fmt;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::Once;

use libsodium_sys as ffi;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Bytes that an AEAD adds to its plaintext.
pub(crate) const AEAD_OVERHEAD: usize = ffi::crypto_aead_xchacha20poly1305_ietf_ABYTES as usize;
/// Bytes that a secretstream record adds to its (padded) plaintext.
pub(crate) const STREAM_OVERHEAD: usize =
    ffi::crypto_secretstream_xchacha20poly1305_ABYTES as usize;
/// Bytes of a secretstream's header.
pub(crate) const STREAM_HEADER: usize =
    ffi::crypto_secretstream_xchacha20poly1305_HEADERBYTES as usize;
/// Bytes of an ML-KEM-768 public key.
pub(crate) const KEM_PUBLIC: usize = ffi::crypto_kem_mlkem768_PUBLICKEYBYTES as usize;
/// Bytes of an ML-KEM-768 ciphertext.
pub(crate) const KEM_CIPHERTEXT: usize = ffi::crypto_kem_mlkem768_CIPHERTEXTBYTES as usize;
const KEM_SECRET: usize = ffi::crypto_kem_mlkem768_SECRETKEYBYTES as usize;

const _: () = assert!(KEM_PUBLIC == 1184 && KEM_CIPHERTEXT == 1088);
const _: () = assert!(AEAD_OVERHEAD == 16 && STREAM_OVERHEAD == 17 && STREAM_HEADER == 24);

/// Makes libsodium ready; cheap after the first call.
fn init() {
    static READY: Once = Once::new();
    READY.call_once(|| {
        // SAFETY: no arguments; `Once` keeps a second thread out until it has returned.
        let status = unsafe { ffi::sodium_init() };
        assert!(status >= 0, "libsodium could not be initialised");
    });
}

/// Declares a fixed-size secret: boxed so that a move leaves no copy, wiped on drop, mute.
macro_rules! secret {
    ($(#[$doc:meta])* $vis:vis $name:ident, $size:expr) => {
        $(#[$doc])*
        #[derive(Clone, Zeroize, ZeroizeOnDrop)]
        $vis struct $name(Box<[u8; $size]>);

        impl $name {
            fn zeroed() -> Self {
                init();
                $name(Box::new([0; $size]))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}

/// Declares a secret that its owner must be able to keep on disk.
macro_rules! stored_secret {
    ($(#[$doc:meta])* $name:ident, $size:expr) => {
        secret! { $(#[$doc])* pub $name, $size }

        impl $name {
            /// The secret from the bytes that [`expose`](Self::expose) once gave.
            ///
            /// The caller wipes its own copy.
            pub fn from_bytes(bytes: &[u8; $size]) -> Self {
                let mut secret = Self::zeroed();
                secret.0.copy_from_slice(bytes);
                secret
            }

            /// The secret's bytes, for storing it where only its owner can read.
            pub fn expose(&self) -> &[u8; $size] {
                &self.0
            }
        }
    };
}

stored_secret! {
    /// A `crypto_kx` (X25519) secret key.
    SecretKey, 32
}
stored_secret! {
    /// The device token: 32 secret bytes that both sides derive at pairing; the device keeps it.
    Token, 32
}
stored_secret! {
    /// What the daemon keeps of a device token: `P(token, 32, "codeout/1/psk")`.
    Psk, 32
}
secret! {
    /// The chaining key of a handshake.
    pub(crate) ChainKey, 64
}
secret! {
    /// A key for one AEAD seal, or for one direction of the channel.
    pub(crate) Key, 32
}
secret! {
    /// What a `crypto_kx` exchange yields: device's rx ‖ tx, which is the daemon's tx ‖ rx.
    pub(crate) KxSecret, 64
}
secret! {
    /// An ML-KEM-768 shared secret.
    pub(crate) KemShared, 32
}
secret! {
    /// A ristretto255 scalar.
    pub(crate) Scalar, 32
}
secret! {
    /// A ristretto255 element that only the two ends may know.
    pub(crate) SecretPoint, 32
}
secret! {
    /// A SHA-512 digest of secret input.
    pub(crate) Digest, 64
}

macro_rules! read_secret {
    ($($name:ident),*) => {$(
        impl $name {
            pub(crate) fn bytes(&self) -> &[u8] {
                self.0.as_slice()
            }
        }
    )*};
}
read_secret!(ChainKey, KxSecret, KemShared, SecretPoint, Digest, Token, Psk);

/// A `crypto_kx` (X25519) public key: 32 bytes, compared and printed freely.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey(pub [u8; 32]);

impl PublicKey {
    /// The key in these 32 bytes; `None` for any other length.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(PublicKey)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicKey(")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// A `crypto_kx` key pair, long-term or ephemeral.
/// See <https://doc.libsodium.org/key_exchange>.
#[derive(Clone, Debug)]
pub struct KeyPair {
    /// What the other side may know.
    pub public: PublicKey,
    /// What it may not.
    pub secret: SecretKey,
}

impl SecretKey {
    /// Keeps the secret out of swap and core dumps until the process ends, for one that lives as
    /// long. False when the system does not let this process lock memory: it is as usable then.
    pub fn lock_in_memory(&self) -> bool {
        // SAFETY: the buffer is the secret's own, of this size. Its bytes are not changed.
        unsafe { ffi::sodium_mlock(self.0.as_ptr().cast_mut().cast(), self.0.len()) == 0 }
    }
}

impl KeyPair {
    /// A fresh random key pair.
    pub fn generate() -> Self {
        let mut public = PublicKey([0; 32]);
        let mut secret = SecretKey::zeroed();
        // SAFETY: both buffers are 32 bytes, what crypto_kx_keypair writes to each.
        let status =
            unsafe { ffi::crypto_kx_keypair(public.0.as_mut_ptr(), secret.0.as_mut_ptr()) };
        assert_eq!(status, 0, "crypto_kx_keypair failed");
        KeyPair { public, secret }
    }

    /// The key pair of a stored secret key.
    pub fn from_secret(secret: SecretKey) -> Self {
        let mut public = PublicKey([0; 32]);
        // SAFETY: reads the 32 bytes of the scalar, writes 32 bytes.
        let status =
            unsafe { ffi::crypto_scalarmult_base(public.0.as_mut_ptr(), secret.0.as_ptr()) };
        assert_eq!(status, 0, "crypto_scalarmult_base failed");
        KeyPair { public, secret }
    }

    #[cfg(test)]
    pub(crate) fn from_seed(seed: &[u8; 32]) -> Self {
        let mut public = PublicKey([0; 32]);
        let mut secret = SecretKey::zeroed();
        // SAFETY: three buffers of 32 bytes each.
        let status = unsafe {
            ffi::crypto_kx_seed_keypair(public.0.as_mut_ptr(), secret.0.as_mut_ptr(), seed.as_ptr())
        };
        assert_eq!(status, 0, "crypto_kx_seed_keypair failed");
        KeyPair { public, secret }
    }
}

/// The other side's public key is of low order: no secret can be agreed on with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LowOrder;

/// Which end of the exchange this is. The device is always `crypto_kx`'s client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Device,
    Daemon,
}

/// KX(D, S): 64 bytes that both ends agree on.
pub(crate) fn kx(role: Role, own: &KeyPair, other: &PublicKey) -> Result<KxSecret, LowOrder> {
    let mut shared = KxSecret::zeroed();
    let (first, second) = shared.0.split_at_mut(32);
    let (own_public, own_secret) = (own.public.0.as_ptr(), own.secret.0.as_ptr());
    // SAFETY: the two halves are 32 bytes each and disjoint; the keys are 32 bytes each.
    let status = unsafe {
        match role {
            // rx ‖ tx
            Role::Device => ffi::crypto_kx_client_session_keys(
                first.as_mut_ptr(),
                second.as_mut_ptr(),
                own_public,
                own_secret,
                other.0.as_ptr(),
            ),
            // tx ‖ rx
            Role::Daemon => ffi::crypto_kx_server_session_keys(
                second.as_mut_ptr(),
                first.as_mut_ptr(),
                own_public,
                own_secret,
                other.0.as_ptr(),
            ),
        }
    };
    if status == 0 { Ok(shared) } else { Err(LowOrder) }
}

/// The function under [`kx`], for its published vectors.
#[cfg(test)]
pub(crate) fn x25519(secret: &[u8; 32], public: &[u8; 32]) -> Option<[u8; 32]> {
    init();
    let mut shared = [0; 32];
    // SAFETY: three buffers of 32 bytes each.
    let status =
        unsafe { ffi::crypto_scalarmult(shared.as_mut_ptr(), secret.as_ptr(), public.as_ptr()) };
    (status == 0).then_some(shared)
}

/// An ML-KEM-768 key pair of the device, for one handshake.
#[cfg_attr(feature = "model", derive(Clone))]
pub(crate) struct KemKeyPair {
    pub(crate) public: Box<[u8; KEM_PUBLIC]>,
    secret: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for KemKeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KemKeyPair(..)")
    }
}

impl KemKeyPair {
    pub(crate) fn generate() -> Self {
        Self::make(|public, secret| {
            // SAFETY: `make` passes buffers of the two sizes that libsodium states.
            unsafe { ffi::crypto_kem_mlkem768_keypair(public, secret) }
        })
    }

    #[cfg(test)]
    pub(crate) fn from_seed(seed: &[u8; 64]) -> Self {
        Self::make(|public, secret| {
            // SAFETY: as above; the seed is 64 bytes.
            unsafe { ffi::crypto_kem_mlkem768_seed_keypair(public, secret, seed.as_ptr()) }
        })
    }

    fn make(fill: impl FnOnce(*mut u8, *mut u8) -> i32) -> Self {
        init();
        let mut public = Box::new([0; KEM_PUBLIC]);
        let mut secret = Zeroizing::new(vec![0; KEM_SECRET]);
        let status = fill(public.as_mut_ptr(), secret.as_mut_ptr());
        assert_eq!(status, 0, "crypto_kem_mlkem768 key generation failed");
        KemKeyPair { public, secret }
    }

    /// The secret in `ciphertext`. ML-KEM rejects implicitly: a forged ciphertext yields a
    /// secret that nobody else has.
    pub(crate) fn decapsulate(&self, ciphertext: &[u8; KEM_CIPHERTEXT]) -> KemShared {
        let mut shared = KemShared::zeroed();
        // SAFETY: 32 bytes out, 1088 and 2400 bytes in.
        let status = unsafe {
            ffi::crypto_kem_mlkem768_dec(
                shared.0.as_mut_ptr(),
                ciphertext.as_ptr(),
                self.secret.as_ptr(),
            )
        };
        assert_eq!(status, 0, "crypto_kem_mlkem768_dec failed");
        shared
    }
}

/// A fresh secret for the holder of `public`, and its ciphertext; `None` when libsodium does
/// not accept the key (FIPS 203's modulus check).
pub(crate) fn kem_encapsulate(
    public: &[u8; KEM_PUBLIC],
    seed: Option<&[u8; 32]>,
) -> Option<(Box<[u8; KEM_CIPHERTEXT]>, KemShared)> {
    let mut ciphertext = Box::new([0; KEM_CIPHERTEXT]);
    let mut shared = KemShared::zeroed();
    // SAFETY: 1088 and 32 bytes out, 1184 (and 32) bytes in.
    let status = unsafe {
        match seed {
            None => ffi::crypto_kem_mlkem768_enc(
                ciphertext.as_mut_ptr(),
                shared.0.as_mut_ptr(),
                public.as_ptr(),
            ),
            Some(seed) => ffi::crypto_kem_mlkem768_enc_deterministic(
                ciphertext.as_mut_ptr(),
                shared.0.as_mut_ptr(),
                public.as_ptr(),
                seed.as_ptr(),
            ),
        }
    };
    (status == 0).then_some((ciphertext, shared))
}

/// Fills `buffer` with random bytes.
pub fn random_bytes(buffer: &mut [u8]) {
    init();
    // SAFETY: writes exactly the slice.
    unsafe { ffi::randombytes_buf(buffer.as_mut_ptr().cast(), buffer.len()) };
}

/// H: BLAKE2b-512 of the concatenated parts, without a key. For public input only.
pub(crate) fn hash(parts: &[&[u8]]) -> [u8; 64] {
    let mut out = [0; 64];
    blake2b(&[], parts, &mut out);
    out
}

/// P: BLAKE2b of the concatenated parts, keyed, `out.len()` (16..=64) bytes.
fn blake2b(key: &[u8], parts: &[&[u8]], out: &mut [u8]) {
    init();
    let mut state = MaybeUninit::<ffi::crypto_generichash_state>::uninit();
    let key_pointer = if key.is_empty() { ptr::null() } else { key.as_ptr() };
    // SAFETY: init writes the state before update and final read it; every pointer goes with
    // its own length; libsodium accepts these key and output sizes (at most 64 bytes). The
    // state holds key material until it is wiped at the end.
    unsafe {
        let state_pointer = state.as_mut_ptr();
        let mut status =
            ffi::crypto_generichash_init(state_pointer, key_pointer, key.len(), out.len());
        for part in parts {
            status |=
                ffi::crypto_generichash_update(state_pointer, part.as_ptr(), part.len() as u64);
        }
        status |= ffi::crypto_generichash_final(state_pointer, out.as_mut_ptr(), out.len());
        ffi::sodium_memzero(state_pointer.cast(), size_of::<ffi::crypto_generichash_state>());
        assert_eq!(status, 0, "crypto_generichash failed");
    }
}

/// P(key, 64, input) as a chaining key.
pub(crate) fn keyed_chain(key: &[u8], input: &[u8]) -> ChainKey {
    let mut out = ChainKey::zeroed();
    blake2b(key, &[input], out.0.as_mut_slice());
    out
}

/// P(key, 32, parts) as a key.
pub(crate) fn keyed_key(key: &[u8], parts: &[&[u8]]) -> Key {
    let mut out = Key::zeroed();
    blake2b(key, parts, out.0.as_mut_slice());
    out
}

/// P(key, 32, parts) as a tag that travels.
pub(crate) fn keyed_tag(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut out = [0; 32];
    blake2b(key, parts, &mut out);
    out
}

#[cfg(test)]
impl Key {
    pub(crate) fn from_bytes(bytes: &[u8; 32]) -> Self {
        let mut key = Self::zeroed();
        key.0.copy_from_slice(bytes);
        key
    }
}

impl ChainKey {
    /// A chaining key that starts from a public hash.
    pub(crate) fn from_hash(hash: &[u8; 64]) -> Self {
        let mut key = Self::zeroed();
        key.0.copy_from_slice(hash);
        key
    }
}

impl Token {
    /// The token in a key derived for it.
    pub(crate) fn from_key(key: &Key) -> Self {
        Self::from_bytes(&key.0)
    }

    /// What the daemon keeps of this token: `P(token, 32, "codeout/1/psk")`.
    pub fn psk(&self) -> Psk {
        let mut psk = Psk::zeroed();
        blake2b(self.bytes(), &[b"codeout/1/psk"], psk.0.as_mut_slice());
        psk
    }
}

impl Psk {
    /// A random key that belongs to no device.
    pub fn random() -> Self {
        let mut psk = Self::zeroed();
        random_bytes(psk.0.as_mut_slice());
        psk
    }
}

/// SHA-512 of the concatenated parts, some of them secret.
pub(crate) fn sha512(parts: &[&[u8]]) -> Digest {
    let mut out = Digest::zeroed();
    let mut state = MaybeUninit::<ffi::crypto_hash_sha512_state>::uninit();
    // SAFETY: init writes the state before the others read it; every pointer goes with its
    // length; the output is 64 bytes. The state is wiped at the end.
    unsafe {
        let state_pointer = state.as_mut_ptr();
        ffi::crypto_hash_sha512_init(state_pointer);
        for part in parts {
            ffi::crypto_hash_sha512_update(state_pointer, part.as_ptr(), part.len() as u64);
        }
        ffi::crypto_hash_sha512_final(state_pointer, out.0.as_mut_ptr());
        ffi::sodium_memzero(state_pointer.cast(), size_of::<ffi::crypto_hash_sha512_state>());
    }
    out
}

/// Whether two byte strings are equal, in time that depends on their length only.
pub(crate) fn equal(a: &[u8], b: &[u8]) -> bool {
    init();
    // SAFETY: both are at least a.len() bytes: the lengths are compared first.
    a.len() == b.len()
        && unsafe { ffi::sodium_memcmp(a.as_ptr().cast(), b.as_ptr().cast(), a.len()) } == 0
}

/// Argon2id13 of `password`, 32 bytes out, 3 passes over 64 MiB.
/// See <https://doc.libsodium.org/password_hashing/default_phf>.
///
/// `None` when the machine has not got the 64 MiB.
pub(crate) fn argon2id(password: &[u8; 32], salt: &[u8; 16]) -> Option<[u8; 32]> {
    init();
    let mut out = [0; 32];
    // SAFETY: 32 bytes out, 32 bytes of password, the 16 bytes of salt that Argon2id takes.
    let status = unsafe {
        ffi::crypto_pwhash(
            out.as_mut_ptr(),
            out.len() as u64,
            password.as_ptr().cast(),
            password.len() as u64,
            salt.as_ptr(),
            3,
            64 * 1024 * 1024,
            ffi::crypto_pwhash_ALG_ARGON2ID13 as i32,
        )
    };
    (status == 0).then_some(out)
}

/// The ristretto255 element that a 64-byte digest maps to.
/// See <https://doc.libsodium.org/advanced/point-arithmetic/ristretto>.
pub(crate) fn ristretto_from_hash(digest: &Digest) -> SecretPoint {
    let mut point = SecretPoint::zeroed();
    // SAFETY: 32 bytes out, 64 bytes in.
    let status =
        unsafe { ffi::crypto_core_ristretto255_from_hash(point.0.as_mut_ptr(), digest.0.as_ptr()) };
    assert_eq!(status, 0, "crypto_core_ristretto255_from_hash failed");
    point
}

impl Scalar {
    /// A uniformly random scalar.
    pub(crate) fn random() -> Self {
        let mut scalar = Self::zeroed();
        // SAFETY: writes 32 bytes.
        unsafe { ffi::crypto_core_ristretto255_scalar_random(scalar.0.as_mut_ptr()) };
        scalar
    }

    #[cfg(test)]
    pub(crate) fn from_bytes(bytes: &[u8; 32]) -> Self {
        let mut scalar = Self::zeroed();
        scalar.0.copy_from_slice(bytes);
        scalar
    }

    /// This scalar times the element encoded in `point`; `None` for an encoding that is not
    /// canonical and for the identity, which libsodium both refuses.
    pub(crate) fn times(&self, point: &[u8; 32]) -> Option<SecretPoint> {
        let mut product = SecretPoint::zeroed();
        // SAFETY: three buffers of 32 bytes each.
        let status = unsafe {
            ffi::crypto_scalarmult_ristretto255(
                product.0.as_mut_ptr(),
                self.0.as_ptr(),
                point.as_ptr(),
            )
        };
        (status == 0).then_some(product)
    }
}

impl SecretPoint {
    /// The encoding of an element that may be seen, such as CPace's Ya.
    pub(crate) fn encoding(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Every AEAD key is used once, so the nonce can be fixed.
const NONCE: [u8; 24] = [0; 24];

/// SEAL(key, ad, plaintext): `plaintext.len()` + 16 bytes. The key is used up.
pub(crate) fn seal(key: Key, ad: &[u8], plaintext: &[u8]) -> Vec<u8> {
    seal_with_nonce(&key, &NONCE, ad, plaintext)
}

/// What [`seal`] sealed; `None` when key, `ad` or ciphertext is not the sealer's. The key is
/// used up.
pub(crate) fn open(key: Key, ad: &[u8], ciphertext: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    open_with_nonce(&key, &NONCE, ad, ciphertext)
}

fn seal_with_nonce(key: &Key, nonce: &[u8; 24], ad: &[u8], plaintext: &[u8]) -> Vec<u8> {
    let mut ciphertext = vec![0; plaintext.len() + AEAD_OVERHEAD];
    // SAFETY: the output has room for plaintext and tag; every pointer goes with its length;
    // nsec is unused by this construction and documented as NULL.
    let status = unsafe {
        ffi::crypto_aead_xchacha20poly1305_ietf_encrypt(
            ciphertext.as_mut_ptr(),
            ptr::null_mut(),
            plaintext.as_ptr(),
            plaintext.len() as u64,
            ad.as_ptr(),
            ad.len() as u64,
            ptr::null(),
            nonce.as_ptr(),
            key.0.as_ptr(),
        )
    };
    assert_eq!(status, 0, "crypto_aead encrypt failed");
    ciphertext
}

fn open_with_nonce(
    key: &Key,
    nonce: &[u8; 24],
    ad: &[u8],
    ciphertext: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let length = ciphertext.len().checked_sub(AEAD_OVERHEAD)?;
    let mut plaintext = Zeroizing::new(vec![0; length]);
    // SAFETY: the output has room for the ciphertext less its tag; the rest as in `seal`.
    let status = unsafe {
        ffi::crypto_aead_xchacha20poly1305_ietf_decrypt(
            plaintext.as_mut_ptr(),
            ptr::null_mut(),
            ptr::null_mut(),
            ciphertext.as_ptr(),
            ciphertext.len() as u64,
            ad.as_ptr(),
            ad.len() as u64,
            nonce.as_ptr(),
            key.0.as_ptr(),
        )
    };
    (status == 0).then_some(plaintext)
}

/// What a secretstream record says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tag {
    Message,
    Rekey,
    Final,
}

impl Tag {
    fn byte(self) -> u8 {
        match self {
            Tag::Message => ffi::crypto_secretstream_xchacha20poly1305_TAG_MESSAGE as u8,
            Tag::Rekey => ffi::crypto_secretstream_xchacha20poly1305_TAG_REKEY as u8,
            Tag::Final => ffi::crypto_secretstream_xchacha20poly1305_TAG_FINAL as u8,
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        [Tag::Message, Tag::Rekey, Tag::Final].into_iter().find(|tag| tag.byte() == byte)
    }
}

/// One direction of a secretstream.
/// See <https://doc.libsodium.org/secret-key_cryptography/secretstream>.
#[cfg_attr(feature = "model", derive(Clone))]
struct StreamState(Box<ffi::crypto_secretstream_xchacha20poly1305_state>);

impl StreamState {
    fn zeroed() -> Self {
        init();
        StreamState(Box::new(ffi::crypto_secretstream_xchacha20poly1305_state {
            k: [0; 32],
            nonce: [0; 12],
            _pad: [0; 8],
        }))
    }
}

impl Drop for StreamState {
    fn drop(&mut self) {
        self.0.k.zeroize();
        self.0.nonce.zeroize();
    }
}

/// The sending half of a secretstream.
#[cfg_attr(feature = "model", derive(Clone))]
pub(crate) struct Push(StreamState);

impl Push {
    /// The sender's state and the header that the receiver needs.
    pub(crate) fn new(key: &Key) -> (Self, [u8; STREAM_HEADER]) {
        let mut state = StreamState::zeroed();
        let mut header = [0; STREAM_HEADER];
        // SAFETY: the state is libsodium's own struct, the header 24 bytes, the key 32.
        let status = unsafe {
            ffi::crypto_secretstream_xchacha20poly1305_init_push(
                &raw mut *state.0,
                header.as_mut_ptr(),
                key.0.as_ptr(),
            )
        };
        assert_eq!(status, 0, "secretstream init_push failed");
        (Push(state), header)
    }

    /// Seals one record behind whatever `out` holds already.
    pub(crate) fn push(&mut self, plaintext: &[u8], tag: Tag, out: &mut Vec<u8>) {
        self.push_tagged(plaintext, tag.byte(), out);
    }

    fn push_tagged(&mut self, plaintext: &[u8], tag: u8, out: &mut Vec<u8>) {
        let start = out.len();
        out.resize(start + plaintext.len() + STREAM_OVERHEAD, 0);
        // SAFETY: the output has room for the plaintext and 17 bytes; no additional data.
        let status = unsafe {
            ffi::crypto_secretstream_xchacha20poly1305_push(
                &raw mut *self.0.0,
                out[start..].as_mut_ptr(),
                ptr::null_mut(),
                plaintext.as_ptr(),
                plaintext.len() as u64,
                ptr::null(),
                0,
                tag,
            )
        };
        assert_eq!(status, 0, "secretstream push failed");
    }
}

/// The receiving half of a secretstream.
#[cfg_attr(feature = "model", derive(Clone))]
pub(crate) struct Pull(StreamState);

impl Pull {
    pub(crate) fn new(key: &Key, header: &[u8; STREAM_HEADER]) -> Self {
        let mut state = StreamState::zeroed();
        // SAFETY: the state is libsodium's own struct, the header 24 bytes, the key 32.
        let status = unsafe {
            ffi::crypto_secretstream_xchacha20poly1305_init_pull(
                &raw mut *state.0,
                header.as_ptr(),
                key.0.as_ptr(),
            )
        };
        assert_eq!(status, 0, "secretstream init_pull failed");
        Pull(state)
    }

    /// Opens the next record. After `None` the stream is of no further use.
    pub(crate) fn pull(&mut self, record: &[u8]) -> Option<(Vec<u8>, Tag)> {
        let length = record.len().checked_sub(STREAM_OVERHEAD)?;
        let mut plaintext = vec![0; length];
        let mut tag = 0;
        // SAFETY: the output has room for the record less 17 bytes; no additional data.
        let status = unsafe {
            ffi::crypto_secretstream_xchacha20poly1305_pull(
                &raw mut *self.0.0,
                plaintext.as_mut_ptr(),
                ptr::null_mut(),
                &raw mut tag,
                record.as_ptr(),
                record.len() as u64,
                ptr::null(),
                0,
            )
        };
        if status != 0 {
            return None;
        }
        Some((plaintext, Tag::from_byte(tag)?))
    }
}

/// Seals and opens `records` records of `plaintext` with nothing but libsodium's own calls: the
/// measure for the channel. Returns whether all opened.
#[cfg(feature = "baseline")]
#[doc(hidden)]
pub fn secretstream_baseline(plaintext: &[u8], records: usize) -> bool {
    let key = keyed_key(&[0; 32], &[]);
    let (mut push, header) = Push::new(&key);
    let mut pull = Pull::new(&key, &header);
    let mut record = vec![0; plaintext.len() + STREAM_OVERHEAD];
    let mut opened = vec![0; plaintext.len()];
    (0..records).all(|_| {
        // SAFETY: the record has room for the plaintext and 17 bytes, `opened` for the
        // plaintext; both states were initialised; no additional data.
        let status = unsafe {
            ffi::crypto_secretstream_xchacha20poly1305_push(
                &raw mut *push.0.0,
                record.as_mut_ptr(),
                ptr::null_mut(),
                plaintext.as_ptr(),
                plaintext.len() as u64,
                ptr::null(),
                0,
                0,
            ) | ffi::crypto_secretstream_xchacha20poly1305_pull(
                &raw mut *pull.0.0,
                opened.as_mut_ptr(),
                ptr::null_mut(),
                ptr::null_mut(),
                record.as_ptr(),
                record.len() as u64,
                ptr::null(),
                0,
            )
        };
        status == 0
    })
}

/// Overwrites with zeros, as fast as memory is filled.
/// See <https://doc.libsodium.org/memory_management#zeroing-memory>.
pub(crate) fn wipe(buffer: &mut [u8]) {
    // SAFETY: writes exactly the slice.
    unsafe { ffi::sodium_memzero(buffer.as_mut_ptr().cast(), buffer.len()) };
}

/// Pads with 0x80 00 … to the next multiple of `block`, always at least one byte.
/// See <https://doc.libsodium.org/padding>.
pub(crate) fn pad(buffer: &mut Vec<u8>, block: usize) {
    init();
    let unpadded = buffer.len();
    let padded = (unpadded / block + 1) * block;
    buffer.resize(padded, 0);
    let mut length = 0;
    // SAFETY: the buffer is `padded` bytes, of which sodium_pad writes at most all.
    let status =
        unsafe { ffi::sodium_pad(&raw mut length, buffer.as_mut_ptr(), unpadded, block, padded) };
    assert!(status == 0 && length == padded, "sodium_pad failed");
}

/// The length without padding; `None` when the length is not a positive multiple of `block`
/// (which `sodium_unpad` does not check) or the last block holds no marker.
pub(crate) fn unpadded_length(buffer: &[u8], block: usize) -> Option<usize> {
    init();
    if buffer.is_empty() || !buffer.len().is_multiple_of(block) {
        return None;
    }
    let mut length = 0;
    // SAFETY: reads within the buffer, at least one block long.
    let status =
        unsafe { ffi::sodium_unpad(&raw mut length, buffer.as_ptr(), buffer.len(), block) };
    (status == 0).then_some(length)
}

#[cfg(test)]
#[path = "sodium_tests.rs"]
mod tests;
