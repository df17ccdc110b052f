//! CPACE-RISTR255-SHA512 of draft-irtf-cfrg-cpace-21, initiator-responder, with the draft's
//! optional explicit key confirmation in BLAKE2b.
//!
//! The initiator is the device. Both ends end with the same key if and only if they started
//! from the same password and saw the same messages; someone in the middle gets one guess at
//! the password per run, and learns only whether it was right.

use zeroize::Zeroizing;

use crate::sodium::{self, Digest, Scalar, SecretPoint};

const DSI: &[u8] = b"CPaceRistretto255";
const DSI_ISK: &[u8] = b"CPaceRistretto255_ISK";
const SHA512_BLOCK: usize = 128;

/// The session identifier: 16 random bytes of the initiator.
pub(crate) type Sid = [u8; 16];

/// What one end sends: its element and its associated data.
#[derive(Clone, Copy)]
pub(crate) struct Share<'a> {
    pub(crate) element: &'a [u8; 32],
    pub(crate) data: &'a [&'a [u8]],
}

/// The generator that the password, the channel identifier and the session yield.
pub(crate) fn generator(password: &[u8], channel: &[u8], sid: &[u8]) -> SecretPoint {
    let mut prefix = lv_cat(&[DSI, password]);
    // The zero padding fills SHA-512's first block, so that hashing takes one time whatever
    // the password; its own length takes one byte.
    let zeros = vec![0; (SHA512_BLOCK - 1).saturating_sub(prefix.len())];
    prefix.extend_from_slice(&lv_cat(&[&zeros, channel, sid]));
    sodium::ristretto_from_hash(&sodium::sha512(&[&prefix]))
}

/// This end's element: its scalar times the generator.
pub(crate) fn share(generator: &SecretPoint, scalar: &Scalar) -> [u8; 32] {
    let element = scalar.times(generator.encoding());
    *element.expect("a hashed generator and a random scalar are not zero").encoding()
}

/// ISK, the key that both ends agree on. `None`: `other` is no element, or the identity; abort.
pub(crate) fn intermediate_key(
    sid: &[u8],
    scalar: &Scalar,
    other: &[u8; 32],
    initiator: Share<'_>,
    responder: Share<'_>,
) -> Option<Digest> {
    let shared = scalar.times(other)?;
    let head = lv_cat(&[DSI_ISK, sid, shared.bytes()]);
    Some(sodium::sha512(&[&head, &initiator.encoded(), &responder.encoded()]))
}

/// The two confirmation tags: the initiator's and the responder's.
pub(crate) struct Confirmation {
    pub(crate) initiator: [u8; 32],
    pub(crate) responder: [u8; 32],
}

/// Both confirmation tags under an ISK.
pub(crate) fn confirm(
    sid: &Sid,
    isk: &Digest,
    initiator: Share<'_>,
    responder: Share<'_>,
) -> Confirmation {
    let mac_key = sodium::sha512(&[b"CPaceMac", sid, isk.bytes()]);
    Confirmation {
        initiator: sodium::keyed_tag(mac_key.bytes(), &[&initiator.encoded()]),
        responder: sodium::keyed_tag(mac_key.bytes(), &[&responder.encoded()]),
    }
}

impl Share<'_> {
    fn encoded(&self) -> Vec<u8> {
        let length = self.data.iter().map(|part| part.len()).sum();
        let mut out = lv_cat(&[self.element]).to_vec();
        prepend_length(&mut out, length);
        self.data.iter().for_each(|part| out.extend_from_slice(part));
        out
    }
}

/// The parts, each behind its length in LEB128.
pub(crate) fn lv_cat(parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    // A length takes at most 5 bytes here; no reallocation leaves a secret part behind.
    let room = parts.iter().map(|part| part.len() + 5).sum::<usize>() + 2 * SHA512_BLOCK;
    let mut out = Zeroizing::new(Vec::with_capacity(room));
    for part in parts {
        prepend_length(&mut out, part.len());
        out.extend_from_slice(part);
    }
    debug_assert!(out.len() <= room, "it has grown");
    out
}

fn prepend_length(out: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}

#[cfg(test)]
#[path = "cpace_tests.rs"]
mod tests;
