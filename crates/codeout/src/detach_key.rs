//! The key that is for this program while everything else typed is the session's.

use std::fmt;
use std::str::FromStr;

/// A control key: `d` behind it leaves. It is written `ctrl-]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DetachKey(u8);

/// The letters and signs whose control key is one that people need: Backspace, Tab, Enter, Esc.
const NEEDED: &[u8] = b"hijm[";

impl DetachKey {
    /// The byte that a plain terminal sends.
    pub(crate) fn byte(self) -> u8 {
        self.0 & 0x1f
    }

    /// The key's own character, without Ctrl: what a terminal sends that tells keys apart.
    pub(crate) fn character(self) -> u32 {
        u32::from(self.0)
    }
}

impl Default for DetachKey {
    fn default() -> Self {
        DetachKey(b']')
    }
}

impl FromStr for DetachKey {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let lower = text.to_ascii_lowercase();
        let key = lower.strip_prefix("ctrl-").or_else(|| lower.strip_prefix('^'));
        match key.map(str::as_bytes) {
            Some([key]) if NEEDED.contains(key) => {
                Err("that is the same as Backspace, Tab, Enter or Esc: choose another")
            }
            Some([key]) if key.is_ascii_lowercase() || b"]\\^_@".contains(key) => {
                Ok(DetachKey(*key))
            }
            _ => Err("a detach key looks like ctrl-] or ctrl-a"),
        }
    }
}

impl fmt::Display for DetachKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ctrl-{}", char::from(self.0.to_ascii_uppercase()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_keys_are_detach_keys() {
        for (text, byte, shown) in [
            ("ctrl-]", 0x1d, "Ctrl-]"),
            ("Ctrl-A", 0x01, "Ctrl-A"),
            ("^q", 0x11, "Ctrl-Q"),
            ("ctrl-\\", 0x1c, "Ctrl-\\"),
        ] {
            let key: DetachKey = text.parse().unwrap();
            assert_eq!((key.byte(), key.to_string()), (byte, shown.to_owned()));
        }
        for text in ["", "a", "ctrl-", "ctrl-m", "ctrl-[", "ctrl-ab", "alt-a", "ctrl-é"] {
            assert!(text.parse::<DetachKey>().is_err(), "{text}");
        }
    }
}
