//! Text from the other end that a person will see: names of devices and daemons.

use std::fmt;
use std::str::FromStr;

/// A name that is safe to show: 1 to 64 bytes of UTF-8 without control or formatting
/// characters, without white space at its ends or twice in a row.
///
/// Whatever a peer sends goes through [`Name::clean`] before it is stored or shown, so that no
/// name can move a cursor, reorder a line, or look like two names.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Name(String);

impl Name {
    /// The most bytes that a name has.
    pub const MAX_BYTES: usize = 64;

    /// The nearest safe name: unsafe characters dropped, white space folded, cut to 64 bytes at
    /// a character. `None` when nothing is left.
    pub fn clean(text: &str) -> Option<Self> {
        let mut name = clean_text(text, Self::MAX_BYTES);
        name.truncate(name.trim_end().len());
        (!name.is_empty()).then_some(Name(name))
    }

    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that somebody typed as a name is none: [`Name::clean`] would change it, or leave nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a name has 1 to 64 bytes, no control or invisible characters, and no spaces but single ones \
     between its words"
)]
pub struct NameError;

/// Takes what is a name already. This is for the user's own words: who types a name is to get
/// that one or hear of it, and never another.
impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Name::clean(text).filter(|name| name.as_str() == text).ok_or(NameError)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Text of a peer made safe for a terminal or a page: control, formatting, private-use and
/// invisible characters dropped, white space folded to single spaces, at most `max_bytes`.
pub fn clean_text(text: &str, max_bytes: usize) -> String {
    let mut clean = String::new();
    for character in text.chars() {
        let character = match character {
            c if c.is_whitespace() => ' ',
            c if is_unsafe(c) => continue,
            c => c,
        };
        if character == ' ' && (clean.is_empty() || clean.ends_with(' ')) {
            continue;
        }
        if clean.len() + character.len_utf8() > max_bytes {
            break;
        }
        clean.push(character);
    }
    clean
}

/// Characters that act on a terminal or hide from a reader: controls, bidirectional and other
/// formatting, fillers that show as nothing, variation selectors, tags, private use.
fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{e000}'..='\u{f8ff}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{ffff}'
            | '\u{13430}'..='\u{1345f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{10ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn drops_what_could_confuse() {
        for (text, clean) in [
            ("Pixel 9", Some("Pixel 9")),
            ("  two \t\n words ", Some("two words")),
            ("\x1b[31mred\x07", Some("[31mred")),
            ("abc\u{202e}cba", Some("abccba")),
            ("a\u{200b}b\u{ad}c", Some("abc")),
            ("Müllers Gerät 東京", Some("Müllers Gerät 東京")),
            ("\u{3164}\u{2800}", None),
            (" \x00\x7f\u{9b} ", None),
            ("", None),
        ] {
            assert_eq!(Name::clean(text).as_ref().map(Name::as_str), clean, "{text:?}");
        }
    }

    #[test]
    fn cuts_at_a_character() {
        let name = Name::clean(&"é".repeat(40)).unwrap();
        assert_eq!(name.as_str(), "é".repeat(32));
        let spaced = format!("{} x", "a".repeat(63));
        assert_eq!(Name::clean(&spaced).unwrap().as_str(), "a".repeat(63));
    }

    #[test]
    fn a_name_that_is_typed_is_taken_as_it_is_or_not_at_all() {
        let longest = "x".repeat(64);
        for name in ["desk", "my desk", "Müllers Gerät 東京", &longest] {
            assert_eq!(name.parse::<Name>().unwrap().as_str(), name);
        }
        let longer = "x".repeat(65);
        for text in ["", " ", " desk", "desk ", "two  words", "a\tb", "a\u{200b}b", &longer] {
            assert_eq!(text.parse::<Name>(), Err(NameError), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_clean_name_is_bounded_and_stays_as_it_is(text in any::<String>()) {
            if let Some(name) = Name::clean(&text) {
                prop_assert!((1..=Name::MAX_BYTES).contains(&name.as_str().len()));
                prop_assert!(!name.as_str().chars().any(|c| c.is_control()));
                prop_assert_eq!(name.as_str().parse::<Name>(), Ok(name.clone()));
                prop_assert_eq!(Name::clean(name.as_str()), Some(name));
            }
        }
    }
}
