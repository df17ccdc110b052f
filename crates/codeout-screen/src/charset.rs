//! Character sets for ASCII: what DEC terminals print instead of some characters.

/// A set, by the letter that selects it.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) enum Charset {
    #[default]
    Ascii,
    Lines,
    British,
    Dutch,
    Finnish,
    French,
    FrenchCanadian,
    German,
    Italian,
    Norwegian,
    Spanish,
    Swedish,
    Swiss,
}

use Charset::*;

/// The letter is the one that a snapshot uses.
const SETS: [(Charset, u8, &str, &str); 13] = [
    (Ascii, b'B', "", ""),
    (Lines, b'0', "`abcdefghijklmnopqrstuvwxyz{|}~", "◆▒␉␌␍␊°±␤␋┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·"),
    (British, b'A', "#", "£"),
    (Dutch, b'4', "#@[\\]{|}~", "£¾i½|¨f¼´"),
    (Finnish, b'C', "[\\]^`{|}~", "ÄÖÅÜéäöåü"),
    (French, b'R', "#@[\\]{|}~", "£à°ç§éùè¨"),
    (FrenchCanadian, b'Q', "@[\\]^`{|}~", "àâçêîôéùèû"),
    (German, b'K', "@[\\]{|}~", "§ÄÖÜäöüß"),
    (Italian, b'Y', "#@[\\]`{|}~", "£§°çéùàòèì"),
    (Norwegian, b'E', "@[\\]^`{|}~", "ÄÆØÅÜäæøåü"),
    (Spanish, b'Z', "#@[\\]{|}", "£§¡Ñ¿°ñç"),
    (Swedish, b'H', "@[\\]^`{|}~", "ÉÄÖÅÜéäöåü"),
    (Swiss, b'=', "#@[\\]^_`{|}~", "ùàéçêîèôäöüû"),
];

impl Charset {
    /// The set that a designation ends with, if there is one.
    pub(crate) fn of(letter: u8) -> Option<Charset> {
        let letter = match letter {
            b'5' => b'C',
            b'6' => b'E',
            b'7' => b'H',
            other => other,
        };
        SETS.iter().find(|set| set.1 == letter).map(|set| set.0)
    }

    pub(crate) fn letter(self) -> u8 {
        SETS[self as usize].1
    }

    /// What is printed for `byte`, printable ASCII.
    pub(crate) fn shows(self, byte: u8) -> char {
        let (_, _, from, to) = SETS[self as usize];
        let place = from.bytes().position(|other| other == byte);
        place.and_then(|place| to.chars().nth(place)).unwrap_or(char::from(byte))
    }

    /// A byte for which `c` is printed, if there is one.
    pub(crate) fn typed(self, c: char) -> Option<u8> {
        let same = u8::try_from(c).ok().filter(|byte| (b' '..=b'~').contains(byte));
        same.filter(|byte| self.shows(*byte) == c)
            .or_else(|| (b' '..=b'~').find(|byte| self.shows(*byte) == c))
    }
}
