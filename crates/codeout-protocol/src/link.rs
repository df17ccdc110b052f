//! The pairing link: `BASE/#` ‖ 12 characters of code ‖ 52 characters of daemon key.

use std::fmt;
use std::str::FromStr;

use zeroize::Zeroizing;

use crate::address::Address;
use crate::code::Code;
use crate::crockford;
use crate::sodium::PublicKey;

/// An offer as a URL. Code and key sit in the fragment, which no browser sends to a server.
///
/// It holds the code, so it is as secret as the code: `Debug` hides it, and it prints itself
/// only when asked to.
#[derive(Clone)]
pub struct Link {
    /// Where the daemon is.
    pub address: Address,
    /// The offer's secret.
    pub code: Code,
    /// The key that the daemon must prove.
    pub daemon_key: PublicKey,
}

/// The text is no pairing link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a pairing link, or a part of it is missing")]
pub struct LinkError;

const KEY_LENGTH: usize = crockford::encoded_length(32);

impl Link {
    /// The link as a person may copy it.
    pub fn printed(&self) -> Zeroizing<String> {
        self.assemble(self.address.to_string())
    }

    /// The link for a QR: scheme and host in upper case, so that all but `#` fits the
    /// alphanumeric mode.
    pub fn qr_text(&self) -> Zeroizing<String> {
        self.assemble(self.address.upper_case())
    }

    fn assemble(&self, base: String) -> Zeroizing<String> {
        let mut text = Zeroizing::new(base);
        // One reservation, so that the code is never left behind in a freed buffer.
        text.reserve_exact(2 + Code::LENGTH + KEY_LENGTH);
        text.push_str("/#");
        text.extend(self.code.canonical().iter().copied().map(char::from));
        text.push_str(&crockford::encode(&self.daemon_key.0));
        text
    }
}

impl FromStr for Link {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        let (base, fragment) = text.trim().split_once("/#").ok_or(LinkError)?;
        let address = base.parse().map_err(|_| LinkError)?;
        let canonical = crockford::normalize(fragment).ok_or(LinkError)?;
        if canonical.len() != Code::LENGTH + KEY_LENGTH {
            return Err(LinkError);
        }
        let (code, key) = canonical.split_at(Code::LENGTH);
        let code = std::str::from_utf8(code).ok().and_then(|code| code.parse().ok());
        let key = crockford::decode(key).ok_or(LinkError)?;
        Ok(Link { address, code: code.ok_or(LinkError)?, daemon_key: PublicKey(key) })
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("address", &self.address).finish_non_exhaustive()
    }
}
