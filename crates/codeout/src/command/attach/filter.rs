//! Finds among the keys those that are for this program.

use crate::detach_key::DetachKey;

const PASTE_BEGINS: &[u8] = b"\x1b[200~";
const PASTE_ENDS: &[u8] = b"\x1b[201~";
/// Ctrl among the modifiers that a terminal counts.
const CTRL: u32 = 4;
/// Caps Lock and Num Lock among them.
const LOCKS: u32 = 64 | 128;
/// The numbers of the kitty keyboard protocol's modifier keys.
const MODIFIER_KEYS: std::ops::RangeInclusive<u32> = 57_441..=57_454;

/// What is asked of this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    /// Leave; the session runs on.
    Leave,
    /// Give the session this terminal's size.
    TakeSize,
}

/// Passes keys on, and finds a [`Word`]: a letter behind the detach key. The detach key twice is
/// the key itself, once. Pasted text, where the terminal marks it, is never a word.
///
/// A key may come as a byte, or as the sequence that the program of the session made the terminal
/// send. Of sequences only whole ones are known: what a terminal sends for one key, it sends in one
/// piece.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    key: DetachKey,
    /// The detach key as it came, while what follows it is awaited.
    pending: Vec<u8>,
    /// How much of the mark that ends a paste has come; `None` outside of one.
    paste: Option<usize>,
}

/// One key, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pressed {
    Detach,
    Letter(u8),
    /// A key that is let go, or one that does nothing alone.
    Silent,
    /// What the terminal tells by itself: the mouse, and whether it has the focus.
    Told,
    PasteBegins,
    Other,
}

impl Filter {
    pub(crate) fn new(key: DetachKey) -> Self {
        Filter { key, ..Filter::default() }
    }

    /// The bytes of earlier keys that may still go on to the session.
    pub(crate) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Appends to `typed` what goes on to the session, up to the first word. Returns that and how
    /// many of the keys there are up to it.
    pub(crate) fn pass(&mut self, keys: &[u8], typed: &mut Vec<u8>) -> Option<(Word, usize)> {
        let mut at = 0;
        while at < keys.len() {
            let rest = &keys[at..];
            if self.paste.is_some() {
                let length = self.pasted(rest);
                typed.extend_from_slice(&rest[..length]);
                at += length;
                continue;
            }
            let (length, pressed) = self.pressed(rest);
            at += length;
            if let Some(word) = self.take(&rest[..length], pressed, typed) {
                return Some((word, at));
            }
        }
        None
    }

    fn take(&mut self, key: &[u8], pressed: Pressed, typed: &mut Vec<u8>) -> Option<Word> {
        if pressed == Pressed::PasteBegins {
            self.paste = Some(0);
        }
        match (self.pending.is_empty(), pressed) {
            (true, Pressed::Detach) => self.pending.extend_from_slice(key),
            (true, _) => typed.extend_from_slice(key),
            (false, Pressed::Silent) => self.pending.extend_from_slice(key),
            (false, Pressed::Told) => typed.extend_from_slice(key),
            (false, Pressed::Letter(b'd' | b'D')) => {
                self.pending.clear();
                return Some(Word::Leave);
            }
            (false, Pressed::Letter(b's' | b'S')) => {
                self.pending.clear();
                return Some(Word::TakeSize);
            }
            (false, Pressed::Detach) => {
                self.pending.clear();
                typed.extend_from_slice(key);
            }
            (false, _) => {
                typed.append(&mut self.pending);
                typed.extend_from_slice(key);
            }
        }
        None
    }

    /// How many bytes belong to the paste, its end included.
    fn pasted(&mut self, bytes: &[u8]) -> usize {
        let mut matched = self.paste.unwrap_or(0);
        for (at, byte) in bytes.iter().enumerate() {
            matched = match *byte {
                byte if byte == PASTE_ENDS[matched] => matched + 1,
                byte if byte == PASTE_ENDS[0] => 1,
                _ => 0,
            };
            if matched == PASTE_ENDS.len() {
                self.paste = None;
                return at + 1;
            }
        }
        self.paste = Some(matched);
        bytes.len()
    }

    /// The first key, and its length.
    fn pressed(&self, bytes: &[u8]) -> (usize, Pressed) {
        if bytes.starts_with(PASTE_BEGINS) {
            return (PASTE_BEGINS.len(), Pressed::PasteBegins);
        }
        if let Some((length, key)) = sequence(bytes) {
            return (length, self.named(key));
        }
        if let Some(length) = told(bytes) {
            return (length, Pressed::Told);
        }
        let pressed = match bytes[0] {
            byte if byte == self.key.byte() => Pressed::Detach,
            byte if byte.is_ascii_alphabetic() => Pressed::Letter(byte),
            _ => Pressed::Other,
        };
        (1, pressed)
    }

    fn named(&self, key: Key) -> Pressed {
        let modifiers = key.modifiers & !LOCKS;
        if key.is_release || MODIFIER_KEYS.contains(&key.character) {
            return Pressed::Silent;
        }
        if key.character == self.key.character() && modifiers == CTRL {
            return Pressed::Detach;
        }
        match u8::try_from(key.character) {
            Ok(letter) if letter.is_ascii_alphabetic() && modifiers <= 1 => Pressed::Letter(letter),
            _ => Pressed::Other,
        }
    }
}

/// A key that came as a sequence.
struct Key {
    character: u32,
    modifiers: u32,
    is_release: bool,
}

/// `CSI character ; modifiers : event u` of the kitty protocol, or `CSI 27 ; modifiers ; character
/// ~` of xterm, at the beginning of `bytes`; and its length.
fn sequence(bytes: &[u8]) -> Option<(usize, Key)> {
    let rest = bytes.strip_prefix(b"\x1b[")?;
    let end = rest.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b':' | b';'))?;
    let text = std::str::from_utf8(&rest[..end]).ok()?;
    let mut fields = text.split(';').map(|field| {
        let mut parts = field.split(':').map(|part| part.parse::<u32>().ok());
        (parts.next().flatten(), parts.next().flatten())
    });
    let length = end + 3;
    let (first, _) = fields.next()?;
    let (modifiers, event) = fields.next().unwrap_or((None, None));
    let modifiers = modifiers.unwrap_or(1).saturating_sub(1);
    let key = match rest[end] {
        b'u' => Key { character: first?, modifiers, is_release: event == Some(3) },
        b'~' if first == Some(27) => {
            Key { character: fields.next()?.0?, modifiers, is_release: false }
        }
        _ => return None,
    };
    Some((length, key))
}

/// How long what the terminal tells by itself is, at the beginning of `bytes`: `CSI I` and `CSI O`
/// about the focus, and about the mouse `CSI M` with three characters, `CSI … M` with numbers and
/// `CSI < … M`.
fn told(bytes: &[u8]) -> Option<usize> {
    let rest = bytes.strip_prefix(b"\x1b[")?;
    match *rest.first()? {
        b'I' | b'O' => Some(3),
        b'M' if rest.len() >= 4 && rest[1..4].iter().all(|byte| *byte >= b' ') => Some(6),
        b'<' | b'0'..=b'9' => {
            let end = rest[1..].iter().position(|byte| !matches!(byte, b'0'..=b'9' | b';'))?;
            matches!(rest[1 + end], b'M' | b'm').then_some(end + 4)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What goes on to the session, the words in between as `<leave>` and `<size>`.
    fn pass(chunks: &[&[u8]]) -> String {
        let mut filter = Filter::default();
        let mut all = Vec::new();
        for chunk in chunks {
            let mut rest = *chunk;
            while let Some((word, length)) = filter.pass(rest, &mut all) {
                rest = &rest[length..];
                all.extend_from_slice(match word {
                    Word::Leave => b"<leave>",
                    Word::TakeSize => b"<size>",
                });
            }
        }
        String::from_utf8(all).unwrap()
    }

    #[test]
    fn the_way_out_is_found_wherever_reads_split() {
        for (chunks, passed) in [
            (&[&b"ls\x1dd"[..]][..], "ls<leave>"),
            (&[b"ls\x1d", b"d"], "ls<leave>"),
            (&[b"\x1dD"], "<leave>"),
            (&[b"a\x1dsb"], "a<size>b"),
            (&[b"\x1d\x1dd"], "\x1dd"),
            (&[b"\x1dx"], "\x1dx"),
            (&[b"\x1d\x1b[A"], "\x1d\x1b[A"),
            (&[b"dd"], "dd"),
        ] {
            assert_eq!(pass(chunks), passed);
        }
    }

    #[test]
    fn keys_that_come_as_sequences_are_the_same_keys() {
        for (keys, passed) in [
            (&b"\x1b[93;5ud"[..], "<leave>"),
            (b"\x1b[93;69u\x1b[93;69:3ud", "<leave>"),
            (
                b"\x1b[57442;5u\x1b[93;5u\x1b[93;5:3u\x1b[57442;1:3u\x1b[100u",
                "\x1b[57442;5u<leave>",
            ),
            (b"\x1b[93:125;5:1u\x1b[100;1:1u", "<leave>"),
            (b"\x1b[27;5;93~d", "<leave>"),
            (b"\x1b[93;5u\x1b[93;5u", "\x1b[93;5u"),
            (b"\x1b[93;5ux", "\x1b[93;5ux"),
            (b"\x1b[93;6ud\x1b[93ud", "\x1b[93;6ud\x1b[93ud"),
            (b"\x1b[27;5u\x1b[3~", "\x1b[27;5u\x1b[3~"),
        ] {
            assert_eq!(pass(&[keys]), passed);
        }
    }

    #[test]
    fn what_the_terminal_tells_by_itself_is_no_key_between_two() {
        for told in
            ["\x1b[I", "\x1b[O", "\x1b[M#!d", "\x1b[35;10;5M", "\x1b[<35;10;5M", "\x1b[<0;10;5m"]
        {
            let keys = format!("\x1d{told}d{told}\x1d{told}\x1d{told}d");
            assert_eq!(pass(&[keys.as_bytes()]), format!("{told}<leave>{told}{told}\x1d{told}d"));
        }
        // Nothing of the kind.
        for other in ["\x1b[<", "\x1b[<1u", "\x1b[M", "\x1b[M\r\r\r", "\x1b[A"] {
            let keys = format!("\x1d{other}d");
            assert_eq!(pass(&[keys.as_bytes()]), keys);
        }
    }

    #[test]
    fn pasted_text_is_no_word() {
        let paste = b"\x1b[200~one\x1dd\x1b[20\x1b[201";
        assert_eq!(pass(&[paste, b"~\x1dd"]), "\x1b[200~one\x1dd\x1b[20\x1b[201~<leave>");
    }

    proptest! {
        #[test]
        fn without_the_detach_key_all_passes(keys in prop::collection::vec(any::<Vec<u8>>(), 0..8)) {
            let key: DetachKey = "ctrl-_".parse().unwrap();
            let mut filter = Filter::new(key);
            let (mut typed, mut all) = (Vec::new(), Vec::new());
            for chunk in &keys {
                let chunk: Vec<u8> = chunk.iter().copied().filter(|b| *b != key.byte()).collect();
                prop_assert_eq!(filter.pass(&chunk, &mut typed), None);
                all.extend(chunk);
            }
            prop_assert_eq!(typed, all);
        }
    }
}
