//! What the tests of both handshakes share. It reaches private items, so that only the tests
//! inside the crate can include it.

use std::time::Duration;

use serde_json::Value;

use super::common::array;
use crate::channel::{Channel, Opened};
use crate::error::{Error, Misbehaviour};
use crate::sodium::{KeyPair, SecretKey};

/// Some time.
pub(crate) const NOW: Duration = Duration::from_secs(1_000);

/// Points with which every exchange yields zero: 0, 1, two of order 8, p - 1, p and p + 1.
pub(crate) const LOW_ORDER: [[u8; 32]; 7] = {
    let mut points = [[0; 32]; 7];
    points[1][0] = 1;
    points[2] = [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4,
        0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49,
        0xb8, 0x00,
    ];
    points[3] = [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef,
        0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f,
        0x11, 0x57,
    ];
    let mut index = 4;
    while index < 7 {
        points[index] = [0xff; 32];
        points[index][0] = 0xec + (index - 4) as u8;
        points[index][31] = 0x7f;
        index += 1;
    }
    points
};

/// The error of a step that must fail.
pub(crate) fn error<T>(result: Result<T, Error>) -> Error {
    result.map(|_| ()).expect_err("the step must fail")
}

pub(crate) fn misbehaved(what: Misbehaviour) -> Error {
    Error::Misbehaved(what)
}

/// The bits to flip in a message's byte: one, and where keys travel in the clear the highest
/// too, which X25519 does not look at in a key's last byte.
pub(crate) fn masks(index: usize) -> impl Iterator<Item = u8> {
    let highest = (index < 96).then_some(0x80);
    std::iter::once(1 << (index % 7)).chain(highest)
}

/// `bytes` with one byte changed, for each byte and its [`masks`].
pub(crate) fn flips(bytes: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> {
    (0..bytes.len()).flat_map(move |index| {
        masks(index).map(move |mask| {
            let mut changed = bytes.to_vec();
            changed[index] ^= mask;
            (index, changed)
        })
    })
}

/// `bytes` at every other length: each truncation, and two extensions.
pub(crate) fn other_lengths(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let truncated = (0..bytes.len()).map(move |length| bytes[..length].to_vec());
    let extended = (1..=2).map(move |extra| [bytes, &vec![0; extra]].concat());
    truncated.chain(extended)
}

/// Two channels carry bytes both ways.
pub(crate) fn assert_connected(device: &mut Channel, daemon: &mut Channel) {
    let up = device.sealer.seal(NOW, b"up").unwrap();
    assert_eq!(daemon.opener.open(&up), Ok(Opened::Message(b"up".to_vec())));
    let down = daemon.sealer.seal(NOW, b"down").unwrap();
    assert_eq!(device.opener.open(&down), Ok(Opened::Message(b"down".to_vec())));
}

/// The `crypto_kx` key pair of a vector's `kx_seed`, which must be the one written beside it.
pub(crate) fn key_pair_of_seed(case: &Value) -> KeyPair {
    let pair = KeyPair::from_seed(&array(&case["kx_seed"]));
    assert_eq!(pair.public.0, array(&case["kx_pk"]));
    assert_eq!(pair.secret.expose(), &array(&case["kx_sk"]));
    pair
}

pub(crate) fn static_key_pair(case: &Value) -> KeyPair {
    let pair = KeyPair::from_secret(SecretKey::from_bytes(&array(&case["sk"])));
    assert_eq!(pair.public.0, array(&case["pk"]));
    pair
}
