//! Numbered lines: a stream of which every byte is known by its place.

/// The bytes of a line.
pub(crate) const LINE: usize = 64;

/// The stream from the beginning of a line on, as far as it was taken.
pub(crate) struct Numbers {
    next_line: u64,
    made: Vec<u8>,
    at: usize,
}

impl Numbers {
    pub(crate) fn new() -> Self {
        Numbers { next_line: 0, made: Vec::new(), at: 0 }
    }

    /// The bytes that were taken.
    pub(crate) fn taken(&self) -> u64 {
        self.next_line * LINE as u64 - (self.made.len() - self.at) as u64
    }

    /// The next bytes, which are a whole number of lines where only such were taken before.
    pub(crate) fn take(&mut self, mut count: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(count);
        while count > 0 {
            let next = self.next(count);
            count -= next.len();
            out.extend_from_slice(next);
        }
        out
    }

    /// Takes as many bytes as there are; says whether they are the next ones.
    pub(crate) fn are_next(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            let next = self.next(bytes.len());
            let (these, rest) = bytes.split_at(next.len());
            if these != next {
                return false;
            }
            bytes = rest;
        }
        true
    }

    /// At least one and at most `most` bytes.
    fn next(&mut self, most: usize) -> &[u8] {
        if self.at == self.made.len() {
            self.made.clear();
            self.at = 0;
            for _ in 0..64 {
                self.made.extend_from_slice(&line(self.next_line));
                self.next_line += 1;
            }
        }
        let from = self.at;
        self.at = self.made.len().min(from + most);
        &self.made[from..self.at]
    }
}

/// `0000042 the quick ... \r\n`: the number, and a text that turns with it.
fn line(number: u64) -> [u8; LINE] {
    let mut line = *b"00000000 the quick brown fox jumps over the lazy dog, again: abc\r\n"
        .first_chunk::<LINE>()
        .unwrap();
    let mut rest = number;
    for digit in line[..8].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    line[9..LINE - 2].rotate_left((number % 50) as usize);
    line[LINE - 2..].copy_from_slice(b"\r\n");
    line
}

#[test]
fn the_stream_is_the_same_however_it_is_taken() {
    let whole = Numbers::new().take(100 * LINE);
    assert_eq!(whole.len(), 100 * LINE);
    assert!(whole.starts_with(b"00000000 the quick"));
    assert!(whole[99 * LINE..].starts_with(b"00000099 "));
    for step in [1, 7, 64, 1000] {
        let mut numbers = Numbers::new();
        for part in whole.chunks(step) {
            assert!(numbers.are_next(part));
        }
        assert_eq!(numbers.taken(), whole.len() as u64);
    }
    let mut missing = whole.clone();
    missing.remove(777);
    assert!(!Numbers::new().are_next(&missing));
    let mut doubled = whole;
    doubled.insert(777, b'x');
    assert!(!Numbers::new().are_next(&doubled));
}
