//! Bytes into characters, controls and sequences, with xterm.js's state machine: that of
//! <https://vt100.net/emu/dec_ansi_parser>, over characters instead of bytes. So U+0080 to U+009F
//! are controls, and bytes that are not UTF-8 are left out.

use crate::ascii::printable_length;
use crate::params::Params;

/// What the parser found. Strings other than OSC are swallowed.
pub(crate) trait Perform {
    /// Printable ASCII, at least one byte.
    fn print_ascii(&mut self, bytes: &[u8]);
    /// Any other printable character.
    fn print(&mut self, c: char);
    /// A control character.
    fn execute(&mut self, control: u8);
    /// A control sequence.
    fn csi(&mut self, marks: Marks, params: &Params, last: u8);
    /// An escape sequence that begins no string.
    fn esc(&mut self, marks: Marks, last: u8);
    /// An operating system command that was ended as it should be.
    fn osc(&mut self, payload: &str);
    /// A sequence or string is over: what was printed before it is not continued.
    fn interrupt(&mut self);
}

/// The prefix and the intermediate characters of a sequence, packed in their order. Those of a
/// sequence with more of them than any known one has are [`Marks::UNKNOWN`].
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Marks(u32);

impl Marks {
    const UNKNOWN: Marks = Marks(u32::MAX);

    pub(crate) const fn of(bytes: &[u8]) -> Marks {
        let mut packed = 0;
        let mut at = 0;
        while at < bytes.len() {
            packed = packed << 8 | bytes[at] as u32;
            at += 1;
        }
        Marks(packed)
    }

    fn push(&mut self, byte: u8) {
        *self = if self.0 >= 1 << 16 { Marks::UNKNOWN } else { Marks(self.0 << 8 | byte as u32) };
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
enum State {
    #[default]
    Ground,
    Escape,
    EscapeMarks,
    Csi,
    CsiParams,
    CsiMarks,
    CsiIgnored,
    Osc,
    /// SOS, PM and APC.
    Other,
    Dcs,
    DcsParams,
    DcsMarks,
    DcsIgnored,
    DcsPayload,
}

use State::*;

/// No more of a sequence is remembered.
const MOST_UNFINISHED: usize = 4096;
/// What a string becomes that is longer: one that means nothing, whatever follows.
const FORGOTTEN_OSC: &str = "\x1b]7777;";
const FORGOTTEN_DCS: &str = "\x1bPz";
/// No known sequence has more marks.
const MOST_MARKS: usize = 8;

const BYTE_ORDER_MARK: char = '\u{feff}';

#[derive(Default)]
pub(crate) struct Parser {
    state: State,
    marks: Marks,
    params: Params,
    /// The sequence so far without the controls in it, which are done with; empty on the ground.
    unfinished: String,
    /// Where the payload of an OSC begins in there.
    payload: usize,
    character: Character,
}

/// A character whose bytes have not all come.
#[derive(Default)]
struct Character {
    bytes: [u8; 4],
    length: usize,
    wanted: usize,
}

impl Character {
    /// The character that `byte` completes. `Err` is a byte that does not continue it.
    fn push(&mut self, byte: u8) -> Result<Option<char>, u8> {
        if self.length == 0 {
            self.wanted = match byte {
                0xc0..=0xdf => 2,
                0xe0..=0xef => 3,
                0xf0..=0xf7 => 4,
                _ => return Ok(None),
            };
        } else if byte & 0xc0 != 0x80 {
            self.length = 0;
            return Err(byte);
        }
        self.bytes[self.length] = byte;
        self.length += 1;
        if self.length < self.wanted {
            return Ok(None);
        }
        let whole = str::from_utf8(&self.bytes[..self.length]).ok();
        self.length = 0;
        // A byte order mark is left out like what is not UTF-8.
        Ok(whole.and_then(|text| text.chars().next()).filter(|c| *c != BYTE_ORDER_MARK))
    }
}

impl Parser {
    /// Whether neither a sequence nor a character is unfinished.
    pub(crate) fn is_idle(&self) -> bool {
        self.state == Ground && self.character.length == 0
    }

    /// The bytes of memory behind pointers.
    pub(crate) fn memory(&self) -> usize {
        self.unfinished.capacity()
    }

    /// What brings another parser to the same place.
    pub(crate) fn unfinished(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.unfinished.as_bytes());
        out.extend_from_slice(&self.character.bytes[..self.character.length]);
    }

    pub(crate) fn feed(&mut self, bytes: &[u8], screen: &mut impl Perform) {
        let mut rest = bytes;
        while let Some(&byte) = rest.first() {
            let done = match byte {
                0x20..=0x7e if self.is_idle() => {
                    let end = printable_length(rest);
                    screen.print_ascii(&rest[..end]);
                    end
                }
                0x1b if self.is_idle() => self.whole_csi(rest, screen),
                0x80.. if self.is_idle() => self.whole_characters(rest, screen),
                _ => {
                    self.byte(byte, screen);
                    1
                }
            };
            rest = &rest[done..];
        }
    }

    /// The printable characters before the next control or byte of ASCII; else the first byte.
    fn whole_characters(&mut self, bytes: &[u8], screen: &mut impl Perform) -> usize {
        let end = bytes.iter().position(u8::is_ascii).unwrap_or(bytes.len());
        let text = match str::from_utf8(&bytes[..end]) {
            Ok(text) => text,
            Err(error) => str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
        };
        let is_printable = |c: char| c >= '\u{a0}' && c != BYTE_ORDER_MARK;
        let text = text.split_once(|c| !is_printable(c)).map_or(text, |(before, _)| before);
        if text.is_empty() {
            self.byte(bytes[0], screen);
            return 1;
        }
        text.chars().for_each(|c| screen.print(c));
        text.len()
    }

    /// A control sequence that is all there and has no intermediates; else its first byte.
    fn whole_csi(&mut self, bytes: &[u8], screen: &mut impl Perform) -> usize {
        let mut at = 2;
        if bytes.get(1) == Some(&b'[') {
            self.params.clear();
            self.marks = Marks::default();
            if let Some(prefix @ b'<'..=b'?') = bytes.get(2) {
                self.marks.push(*prefix);
                at = 3;
            }
            while let Some(byte @ b'0'..=b';') = bytes.get(at).filter(|_| at < 256) {
                self.params.push(*byte);
                at += 1;
            }
            if let Some(last @ 0x40..=0x7e) = bytes.get(at) {
                screen.csi(self.marks, &self.params, *last);
                screen.interrupt();
                return at + 1;
            }
        }
        self.byte(0x1b, screen);
        1
    }

    fn byte(&mut self, byte: u8, screen: &mut impl Perform) {
        if byte < 0x80 && self.character.length == 0 {
            self.ascii(byte, screen);
            return;
        }
        match self.character.push(byte) {
            Ok(None) => {}
            Ok(Some(c @ ..'\u{a0}')) => self.high_control(c as u8, screen),
            Ok(Some(c)) => self.character(c, screen),
            Err(byte) => self.byte(byte, screen),
        }
    }

    fn character(&mut self, c: char, screen: &mut impl Perform) {
        match self.state {
            Ground => screen.print(c),
            Osc | DcsPayload => self.remember(c),
            CsiIgnored | DcsIgnored => {}
            _ => self.ground(),
        }
    }

    fn high_control(&mut self, control: u8, screen: &mut impl Perform) {
        if self.state == DcsPayload {
            screen.interrupt();
        }
        match control {
            0x9c => {
                self.end_osc(screen);
                self.ground();
            }
            0x90 => self.begin(Dcs, "\x1bP"),
            0x98 => self.begin(Other, "\x1bX"),
            0x9b => self.begin(Csi, "\x1b["),
            0x9d => self.begin(Osc, "\x1b]"),
            0x9e => self.begin(Other, "\x1b^"),
            0x9f => self.begin(Other, "\x1b_"),
            _ => {
                self.ground();
                screen.execute(control);
                screen.interrupt();
            }
        }
    }

    fn ascii(&mut self, byte: u8, screen: &mut impl Perform) {
        match byte {
            0x18 | 0x1a => {
                self.ground();
                screen.execute(byte);
                screen.interrupt();
            }
            0x1b => {
                self.end_osc(screen);
                if self.state == DcsPayload {
                    screen.interrupt();
                }
                self.begin(Escape, "\x1b");
            }
            ..0x20 => self.low_control(byte, screen),
            0x7f if self.state == Osc => self.remember('\x7f'),
            0x7f => {}
            _ => self.printable(byte, screen),
        }
    }

    fn low_control(&mut self, byte: u8, screen: &mut impl Perform) {
        match self.state {
            Osc if byte == 0x07 => {
                self.end_osc(screen);
                self.ground();
            }
            DcsPayload => self.remember(char::from(byte)),
            Ground | Escape | EscapeMarks | Csi | CsiParams | CsiMarks | CsiIgnored => {
                screen.execute(byte);
                screen.interrupt();
            }
            _ => {}
        }
    }

    fn printable(&mut self, byte: u8, screen: &mut impl Perform) {
        match (self.state, byte) {
            (Ground, _) => screen.print_ascii(&[byte]),
            (Escape, b'P') => self.begin(Dcs, "\x1bP"),
            (Escape, b'X') => self.begin(Other, "\x1bX"),
            (Escape, b'[') => self.begin(Csi, "\x1b["),
            (Escape, b']') => self.begin(Osc, "\x1b]"),
            (Escape, b'^') => self.begin(Other, "\x1b^"),
            (Escape, b'_') => self.begin(Other, "\x1b_"),
            (Escape | EscapeMarks, ..b'0') => self.mark(EscapeMarks, byte),
            (Escape | EscapeMarks, _) => {
                self.ground();
                screen.esc(self.marks, byte);
                screen.interrupt();
            }
            (Csi | CsiParams | CsiMarks, 0x40..) => {
                self.ground();
                screen.csi(self.marks, &self.params, byte);
                screen.interrupt();
            }
            (Csi | CsiParams | CsiMarks, ..b'0') => self.mark(CsiMarks, byte),
            (Csi | CsiParams, b'0'..=b';') => self.param(CsiParams, byte),
            (Csi, _) => self.mark(CsiParams, byte),
            (CsiParams | CsiMarks, _) => self.ignore(CsiIgnored, byte),
            (CsiIgnored, 0x40..) => self.ground(),
            (Osc | DcsPayload, _) => self.remember(char::from(byte)),
            (Dcs | DcsParams | DcsMarks, 0x40..) => {
                self.remember(char::from(byte));
                self.state = DcsPayload;
            }
            (Dcs | DcsParams | DcsMarks, ..b'0') => self.mark(DcsMarks, byte),
            (Dcs | DcsParams, b'0'..=b';') => self.param(DcsParams, byte),
            (Dcs, _) => self.mark(DcsParams, byte),
            (DcsParams | DcsMarks, _) => self.ignore(DcsIgnored, byte),
            (CsiIgnored | DcsIgnored | Other, _) => {}
        }
    }

    fn ground(&mut self) {
        self.state = Ground;
        self.unfinished.clear();
    }

    fn begin(&mut self, state: State, introducer: &str) {
        self.state = state;
        self.unfinished.clear();
        self.unfinished.push_str(introducer);
        self.payload = introducer.len();
        self.marks = Marks::default();
        self.params.clear();
    }

    fn mark(&mut self, next: State, byte: u8) {
        self.state = next;
        self.marks.push(byte);
        // More than any known sequence has are all the same.
        let marks = self.unfinished.bytes().rev().take_while(|b| matches!(b, b' '..=b'/')).count();
        if marks < MOST_MARKS {
            self.unfinished.push(char::from(byte));
        }
    }

    fn param(&mut self, next: State, byte: u8) {
        self.state = next;
        self.params.push(byte);
        if self.unfinished.len() < MOST_UNFINISHED {
            self.unfinished.push(char::from(byte));
        } else {
            self.unfinished.truncate(2);
            self.unfinished.push('0');
            self.ignore(if next == CsiParams { CsiIgnored } else { DcsIgnored }, b'<');
        }
    }

    fn ignore(&mut self, next: State, byte: u8) {
        self.state = next;
        self.unfinished.push(char::from(byte));
    }

    /// Takes in a character of a string. One that gets too long becomes a string of the same kind
    /// that means nothing.
    fn remember(&mut self, c: char) {
        let forgotten = if self.state == Osc { FORGOTTEN_OSC } else { FORGOTTEN_DCS };
        if self.unfinished == forgotten {
            return;
        }
        if self.unfinished.len() + c.len_utf8() <= MOST_UNFINISHED {
            self.unfinished.push(c);
        } else {
            self.unfinished.clear();
            self.unfinished.push_str(forgotten);
        }
    }

    fn end_osc(&mut self, screen: &mut impl Perform) {
        if self.state != Osc {
            return;
        }
        screen.osc(&self.unfinished[self.payload..]);
        screen.interrupt();
    }
}
