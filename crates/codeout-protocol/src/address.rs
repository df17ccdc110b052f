//! A daemon's address: scheme, host and port, as in a browser's address bar.

use std::fmt;
use std::str::FromStr;

/// Where a daemon is reached: `http://192.168.1.20:8400`, `https://mbp.tail1234.ts.net`.
///
/// Scheme and host are lower-case. The host is a DNS name, an IPv4 address or an IPv6 address
/// in brackets; its length and characters are bounded, so it can be shown to a person.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Address {
    secure: bool,
    host: String,
    port: Option<u16>,
}

/// The text is no address of a daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Neither `http://` nor `https://`.
    #[error("an address starts with http:// or https://")]
    Scheme,
    /// Empty, over-long, or with characters that no host has.
    #[error("the address has no valid host name")]
    Host,
    /// Not a number from 1 to 65535.
    #[error("the address has no valid port")]
    Port,
    /// There is something behind the host: a path, a query, a fragment, a user.
    #[error("an address ends after its host and port")]
    Trailing,
}

impl Address {
    /// The port a daemon listens on unless told otherwise.
    pub const DEFAULT_PORT: u16 = 8400;
    const MAX_HOST: usize = 253;

    /// The address of `host` (a name, an IPv4 address, or an IPv6 address in brackets).
    pub fn new(secure: bool, host: &str, port: Option<u16>) -> Result<Self, AddressError> {
        let host = host.to_ascii_lowercase();
        let valid = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(inside) => {
                inside.contains(':')
                    && inside.bytes().all(|b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.'))
            }
            None => {
                !host.starts_with(['-', '.'])
                    && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
            }
        };
        if !valid || host.is_empty() || host.len() > Self::MAX_HOST {
            return Err(AddressError::Host);
        }
        if port == Some(0) {
            return Err(AddressError::Port);
        }
        Ok(Address { secure, host, port })
    }

    /// What a person typed: as [`FromStr`], but the scheme may be left out (`http`), and with
    /// it the port (8400); a trailing slash is forgiven.
    pub fn from_typed(typed: &str) -> Result<Self, AddressError> {
        let typed = typed.trim();
        let typed = typed.strip_suffix('/').unwrap_or(typed);
        if typed.contains("://") {
            return typed.parse();
        }
        let mut address: Address = format!("http://{typed}").parse()?;
        address.port.get_or_insert(Self::DEFAULT_PORT);
        Ok(address)
    }

    /// Whether the scheme is `https`.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// The host, an IPv6 address in its brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port to dial: the one named, or the scheme's.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(if self.secure { 443 } else { 80 })
    }

    /// Host, and port where one is named: what a browser sends as `Host`.
    pub fn authority(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }

    /// The address with scheme and host in upper case, for a QR's alphanumeric mode.
    pub(crate) fn upper_case(&self) -> String {
        self.to_string().to_ascii_uppercase()
    }
}

impl FromStr for Address {
    type Err = AddressError;

    /// Reads `http(s)://HOST[:PORT]`, any case, nothing behind it.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (scheme, authority) = text.split_once("://").ok_or(AddressError::Scheme)?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return Err(AddressError::Scheme),
        };
        if authority.contains(['/', '?', '#', '@', '\\']) {
            return Err(AddressError::Trailing);
        }
        // In `[fd7a::1]:8400` the colon behind the bracket is the port's.
        let host_end = authority.rfind(']').map_or(0, |bracket| bracket + 1);
        let (host, port) = match authority[host_end..].split_once(':') {
            None => (authority, None),
            Some((rest, port)) => (&authority[..host_end + rest.len()], Some(port)),
        };
        let port = match port {
            None => None,
            // u16's own parser takes a plus sign.
            Some(port) if port.starts_with('+') => return Err(AddressError::Port),
            Some(port) => Some(port.parse().map_err(|_| AddressError::Port)?),
        };
        Address::new(secure, host, port)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_type() {
        for (typed, meant) in [
            ("desk", "http://desk:8400"),
            ("desk:9000", "http://desk:9000"),
            (" http://Desk:8400/ ", "http://desk:8400"),
            ("[::1]", "http://[::1]:8400"),
            ("https://mbp.tail1234.ts.net", "https://mbp.tail1234.ts.net"),
        ] {
            assert_eq!(Address::from_typed(typed).unwrap().to_string(), meant);
        }
    }

    #[test]
    fn tells_its_parts_and_the_port_to_dial() {
        for (text, secure, host, port) in [
            ("http://desk", false, "desk", 80),
            ("https://desk", true, "desk", 443),
            ("http://desk:8400", false, "desk", 8400),
            ("https://[fd7a::1]", true, "[fd7a::1]", 443),
            ("http://[fd7a::1]:9000", false, "[fd7a::1]", 9000),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.is_secure(), secure, "{text}");
            assert_eq!(address.host(), host, "{text}");
            assert_eq!(address.port(), port, "{text}");
        }
    }

    #[test]
    fn rejects_what_is_no_address() {
        for (typed, error) in [
            ("", AddressError::Host),
            ("ftp://desk", AddressError::Scheme),
            ("http://user@desk", AddressError::Trailing),
            ("http://desk/path", AddressError::Trailing),
            ("http://desk:0", AddressError::Port),
            ("http://desk:+80", AddressError::Port),
            ("http://desk:65536", AddressError::Port),
            ("http://de\x1bsk", AddressError::Host),
            ("http://[fe80::1%eth0]", AddressError::Host),
            ("http://a]b[:1", AddressError::Host),
            ("http://[::1]x:1", AddressError::Host),
        ] {
            assert_eq!(Address::from_typed(typed), Err(error), "{typed:?}");
        }
    }
}
