//! Runs of printable ASCII, eight bytes at a time.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = ONES << 7;

/// How many of the first bytes are printable ASCII: 0x20 to 0x7e.
pub(crate) fn printable_length(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let others = others(u64::from_le_bytes(*word));
        if others != 0 {
            return at * 8 + others.trailing_zeros() as usize / 8;
        }
    }
    let end = rest.iter().position(|byte| !matches!(byte, 0x20..=0x7e));
    words.len() * 8 + end.unwrap_or(rest.len())
}

/// The lowest bit that is set is the highest of the first byte that is not printable ASCII. A
/// subtraction borrows from higher bytes only, so that those behind it may be wrong.
const fn others(word: u64) -> u64 {
    let low = word.wrapping_sub(ONES * 0x20) & !word;
    let delete = word ^ (ONES * 0x7f);
    let deletes = delete.wrapping_sub(ONES) & !delete;
    (word | low | deletes) & HIGH
}

#[cfg(test)]
mod tests {
    use super::printable_length;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_where_the_first_other_byte_is(
            text in "[ -~]{0,40}",
            rest in prop::collection::vec(any::<u8>(), 0..12),
        ) {
            let bytes = [text.as_bytes(), &rest].concat();
            let first = bytes.iter().position(|byte| !(0x20..=0x7e).contains(byte));
            prop_assert_eq!(printable_length(&bytes), first.unwrap_or(bytes.len()));
        }
    }
}
