//! Crockford base32: `0123456789ABCDEFGHJKMNPQRSTVWXYZ`, most significant bit first, the last
//! character padded with zero bits. See <https://www.crockford.com/base32.html>.

use zeroize::Zeroizing;

pub(crate) const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Characters that `bytes` bytes take.
pub(crate) const fn encoded_length(bytes: usize) -> usize {
    (bytes * 8).div_ceil(5)
}

/// The canonical characters of `bytes`.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(encoded_length(bytes.len()));
    let (mut buffer, mut bits) = (0u32, 0);
    for &byte in bytes {
        buffer = (buffer << 8) | u32::from(byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(character((buffer >> bits) as u8));
        }
    }
    if bits > 0 {
        text.push(character((buffer << (5 - bits)) as u8));
    }
    text
}

fn character(value: u8) -> char {
    char::from(ALPHABET[usize::from(value & 31)])
}

/// What a person typed, as canonical characters: spaces and dashes dropped, upper-cased, `O`
/// read as `0`, `I` and `L` as `1`. `None` when any other character is left.
///
/// The result is wiped when dropped: it may be a secret.
pub(crate) fn normalize(typed: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut canonical = Zeroizing::new(Vec::with_capacity(typed.len()));
    for byte in typed.bytes().filter(|byte| !matches!(byte, b' ' | b'-')) {
        canonical.push(match byte.to_ascii_uppercase() {
            b'O' => b'0',
            b'I' | b'L' => b'1',
            other if ALPHABET.contains(&other) => other,
            _ => return None,
        });
    }
    Some(canonical)
}

/// The `N` bytes in canonical characters; `None` for another length or for padding bits that
/// are not zero.
pub(crate) fn decode<const N: usize>(canonical: &[u8]) -> Option<[u8; N]> {
    if canonical.len() != encoded_length(N) {
        return None;
    }
    let mut out = [0; N];
    let (mut buffer, mut bits, mut filled) = (0u32, 0, 0);
    for &byte in canonical {
        let value = ALPHABET.iter().position(|&letter| letter == byte)?;
        buffer = ((buffer << 5) | value as u32) & 0xfff;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            out[filled] = (buffer >> bits) as u8;
            filled += 1;
        }
    }
    (buffer & ((1 << bits) - 1) == 0).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn decoding_undoes_encoding(bytes in any::<[u8; 32]>()) {
            prop_assert_eq!(decode::<32>(encode(&bytes).as_bytes()), Some(bytes));
        }

        #[test]
        fn one_encoding_per_value(text in "[0-9A-HJKMNP-TV-Z]{52}") {
            if let Some(bytes) = decode::<32>(text.as_bytes()) {
                prop_assert_eq!(encode(&bytes), text);
            }
        }
    }
}
