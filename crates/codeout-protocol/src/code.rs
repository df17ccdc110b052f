//! The pairing code: 60 uniform bits as 12 characters, printed `XXXX-XXXX-XXXX`.

use std::fmt;
use std::str::FromStr;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{crockford, sodium};

/// A pairing code, wiped when dropped.
///
/// It prints itself only when asked to ([`printed`](Self::printed)); `Debug` hides it.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Code([u8; Code::LENGTH]);

/// What was typed is no pairing code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// It has a character that no code has.
    #[error("a pairing code has only letters and digits, and no U")]
    Character,
    /// It is too short or too long.
    #[error("a pairing code has 12 characters, not {0}")]
    Length(usize),
}

impl Code {
    /// Characters of a code, without its dashes.
    pub const LENGTH: usize = 12;

    /// A fresh code: 60 bits from libsodium's generator.
    pub fn random() -> Self {
        let mut code = Code([0; Self::LENGTH]);
        sodium::random_bytes(&mut code.0);
        for byte in &mut code.0 {
            // 256 is a multiple of 32, so this stays uniform.
            *byte = crockford::ALPHABET[usize::from(*byte & 31)];
        }
        code
    }

    /// The twelve canonical characters: CPace's PRS, and the code in a link.
    pub fn canonical(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// The code for a person to read: `K7QM-3FBR-9TZX`.
    pub fn printed(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(14));
        for (index, &byte) in self.0.iter().enumerate() {
            if index > 0 && index % 4 == 0 {
                text.push('-');
            }
            text.push(char::from(byte));
        }
        text
    }
}

impl FromStr for Code {
    type Err = CodeError;

    /// Reads what a person typed: case, spaces and dashes do not matter, `O` is `0`, `I` and
    /// `L` are `1`.
    fn from_str(typed: &str) -> Result<Self, CodeError> {
        let canonical = crockford::normalize(typed).ok_or(CodeError::Character)?;
        let code = canonical.as_slice().try_into();
        code.map(Code).map_err(|_| CodeError::Length(canonical.len()))
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(..)")
    }
}
