//! The numbers of a control sequence.

/// More than so many are ignored, of numbers and of their parts alike.
const MOST: usize = 32;
const LARGEST: i32 = i32::MAX;

/// Numbers, each with parts behind colons. One that is left out is 0, such a part is -1.
#[derive(Clone)]
pub(crate) struct Params {
    values: [i32; MOST],
    /// The end of each number's parts among all parts.
    ends: [u8; MOST],
    parts: [i32; MOST],
    length: u8,
    parts_length: u8,
    in_part: bool,
    is_full: bool,
    is_part_full: bool,
}

impl Default for Params {
    fn default() -> Params {
        Params {
            values: [0; MOST],
            ends: [0; MOST],
            parts: [0; MOST],
            length: 1,
            parts_length: 0,
            in_part: false,
            is_full: false,
            is_part_full: false,
        }
    }
}

impl Params {
    /// Begins again, with one number that is left out.
    pub(crate) fn clear(&mut self) {
        self.values[0] = 0;
        self.ends[0] = 0;
        self.length = 1;
        self.parts_length = 0;
        self.in_part = false;
        self.is_full = false;
        self.is_part_full = false;
    }

    /// Takes in a digit, a semicolon or a colon.
    pub(crate) fn push(&mut self, byte: u8) {
        match byte {
            b';' => self.next(),
            b':' => self.next_part(),
            _ => self.digit(i32::from(byte - b'0')),
        }
    }

    fn next(&mut self) {
        self.in_part = false;
        let at = usize::from(self.length);
        if at == MOST {
            self.is_full = true;
            return;
        }
        self.values[at] = 0;
        self.ends[at] = self.parts_length;
        self.length += 1;
    }

    fn next_part(&mut self) {
        self.in_part = true;
        let at = usize::from(self.parts_length);
        if self.is_full || at == MOST {
            self.is_part_full = true;
            return;
        }
        self.parts[at] = -1;
        self.parts_length += 1;
        self.ends[usize::from(self.length) - 1] = self.parts_length;
    }

    fn digit(&mut self, digit: i32) {
        if self.is_full || (self.in_part && self.is_part_full) {
            return;
        }
        let place = if self.in_part {
            &mut self.parts[usize::from(self.parts_length) - 1]
        } else {
            &mut self.values[usize::from(self.length) - 1]
        };
        let before = (*place).max(0);
        *place = before.checked_mul(10).and_then(|n| n.checked_add(digit)).unwrap_or(LARGEST);
    }

    pub(crate) fn len(&self) -> usize {
        usize::from(self.length)
    }

    /// The number at `at`, 0 where there is none.
    pub(crate) fn get(&self, at: usize) -> u32 {
        self.values().get(at).map_or(0, |value| value.cast_unsigned())
    }

    /// The number at `at`, 1 where it is 0 or left out.
    pub(crate) fn count(&self, at: usize) -> usize {
        self.get(at).max(1) as usize
    }

    pub(crate) fn values(&self) -> &[i32] {
        &self.values[..self.len()]
    }

    /// What is behind the colons of the number at `at`.
    pub(crate) fn parts(&self, at: usize) -> &[i32] {
        let from = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.parts[usize::from(from)..usize::from(self.ends[at])]
    }
}
