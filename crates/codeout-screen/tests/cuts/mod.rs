//! Where to cut a recording: at random, and at every kind of boundary between two bytes.

use std::collections::BTreeMap;

/// So many cuts are at random places.
const RANDOM: usize = 16;

/// What the bytes before a cut end in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Text,
    Return,
    Escape,
    EscapeMark,
    ControlSequence,
    Number,
    Mark,
    Command,
    DeviceString,
    /// ESC, with which a string ends.
    StringEnd,
    /// So many bytes of a character are there, and so many are due.
    Character(u8, u8),
}

use Place::*;

impl Place {
    fn name(self) -> String {
        let name = match self {
            Text => "in text",
            Return => "behind a carriage return",
            Escape => "behind ESC",
            EscapeMark => "within an escape sequence",
            ControlSequence => "behind CSI",
            Number => "in the numbers of a control sequence",
            Mark => "behind a prefix or an intermediate",
            Command => "in an operating system command",
            DeviceString => "in a string of another kind",
            StringEnd => "within the end of a string",
            Character(there, due) => return format!("{there} bytes into {due} of a character"),
        };
        name.to_owned()
    }

    fn next(self, byte: u8) -> Place {
        match (self, byte) {
            (Command | DeviceString, 0x1b) => StringEnd,
            (Command, 0x07) => Text,
            (Command | DeviceString, _) => self,
            (_, 0x1b) => Escape,
            (Escape, b'[') => ControlSequence,
            (Escape, b']') => Command,
            (Escape, b'P' | b'X' | b'^' | b'_') => DeviceString,
            (Escape | EscapeMark, b' '..=b'/') => EscapeMark,
            (ControlSequence | Number | Mark, b'0'..=b';') => Number,
            (ControlSequence | Number | Mark, b' '..=b'/' | b'<'..=b'?') => Mark,
            (_, b'\r') => Return,
            (_, 0xc0..=0xdf) => Character(1, 2),
            (_, 0xe0..=0xef) => Character(1, 3),
            (_, 0xf0..) => Character(1, 4),
            (Character(there, due), 0x80..) if there + 1 < due => Character(there + 1, due),
            _ => Text,
        }
    }
}

/// Cuts in their order, each with what it is. Equal bytes have equal cuts.
pub(crate) fn cuts(bytes: &[u8]) -> BTreeMap<usize, String> {
    let mut places: BTreeMap<Place, Vec<usize>> = BTreeMap::new();
    let mut place = Text;
    for (at, byte) in bytes.iter().enumerate() {
        place = place.next(*byte);
        places.entry(place).or_default().push(at + 1);
    }
    let mut cuts = BTreeMap::from([(0, "before everything".to_owned())]);
    let mut seed = bytes.len() as u64;
    for _ in 0..RANDOM {
        // Knuth's MMIX generator; its high bits are the good ones.
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        cuts.insert((seed >> 33) as usize % (bytes.len() + 1), "at random".to_owned());
    }
    for (place, at) in places {
        for part in 0..3 {
            cuts.insert(at[(at.len() - 1) * part / 2], place.name());
        }
    }
    cuts
}
