//! What requests call a device.

use std::fmt;
use std::str::FromStr;

use codeout_protocol::sodium;

/// What a device is called in requests: 8 random characters of Crockford's base32, in lower
/// case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId([u8; DeviceId::LENGTH]);

/// The text is no device's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a device id is 8 letters and digits")]
pub struct DeviceIdError;

impl DeviceId {
    /// The characters of an id.
    pub const LENGTH: usize = 8;
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

    /// What stands for the user of the daemon's own computer. No device gets it.
    pub(crate) const LOCAL: DeviceId = DeviceId(*b"00000000");

    /// The id as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("made of ASCII only")
    }

    pub(super) fn random() -> Self {
        loop {
            let mut characters = [0; Self::LENGTH];
            sodium::random_bytes(&mut characters);
            let id = DeviceId(characters.map(|byte| Self::ALPHABET[usize::from(byte % 32)]));
            if id != Self::LOCAL {
                return id;
            }
        }
    }

    /// What `text` says of an id, up to all of it: any case, `o` for `0`, `i` and `l` for `1`.
    pub(super) fn normalized(text: &str) -> Option<String> {
        let normal = |character: char| match character.to_ascii_lowercase() {
            'o' => Some('0'),
            'i' | 'l' => Some('1'),
            other => {
                Self::ALPHABET.iter().any(|&known| char::from(known) == other).then_some(other)
            }
        };
        let id: String = text.chars().map(normal).collect::<Option<_>>()?;
        (id.len() <= Self::LENGTH).then_some(id)
    }
}

impl FromStr for DeviceId {
    type Err = DeviceIdError;

    fn from_str(text: &str) -> Result<Self, DeviceIdError> {
        let characters = Self::normalized(text).ok_or(DeviceIdError)?;
        characters.into_bytes().try_into().map(DeviceId).map_err(|_| DeviceIdError)
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceId({self})")
    }
}
