//! The daemon's key file: made once, then only ever read.

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use codeout_protocol::sodium::{KeyPair, SecretKey};
use rustix::fs::OFlags;
use zeroize::Zeroizing;

use crate::files::Draft;
pub use crate::files::UnsafeFile;

/// What every version of the format starts with.
const FAMILY: &[u8] = b"codeout-identity-";
/// What this version starts with; 64 lower-case hex digits and a line feed follow.
const HEADER: &[u8] = b"codeout-identity-1 ";
const LENGTH: usize = HEADER.len() + 64 + 1;

/// The daemon's long-term key, in one line of text: `codeout-identity-1 <64 hex digits>`.
#[derive(Debug, Clone, Copy)]
pub enum Identity {}

/// Where the daemon's key came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It was there.
    Loaded,
    /// It was made just now: no device knows it yet.
    Created,
}

/// The daemon's key cannot be had. The file, if there is one, was not changed.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file is there and cannot be read.
    #[error("cannot read the key file {}: {reason}", .path.display())]
    Read {
        /// The key file.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// There is no file and none can be made.
    #[error("cannot create the key file {}: {reason}", .path.display())]
    Create {
        /// The key file.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// It is no file, not this user's, or open to others, who may know the key.
    #[error("the key file {0}")]
    Unsafe(UnsafeFile),
    /// Its format is a later version's.
    #[error("the key file {} was written by a newer version of codeout", .path.display())]
    Newer {
        /// The key file.
        path: PathBuf,
    },
    /// It is empty, cut short, or something else.
    #[error("the key file {} is damaged: {defect}", .path.display())]
    Damaged {
        /// The key file.
        path: PathBuf,
        /// What is wrong with it.
        defect: &'static str,
    },
}

impl Identity {
    /// The key in the file at `path`, which must be there.
    ///
    /// # Errors
    /// As [`load_or_create`](Self::load_or_create); [`IdentityError::Read`] also when nothing
    /// is there.
    pub fn load(path: &Path) -> Result<KeyPair, IdentityError> {
        load(path)
    }

    /// The key in the file at `path`; when nothing is there, a new key, in a new file of mode
    /// 0600 that is on disk before this returns. Callers at the same time get the same key.
    ///
    /// # Errors
    /// Whatever is at `path` and is not a whole key file of this user's that nobody else may
    /// open is left as it is, and named.
    pub fn load_or_create(path: &Path) -> Result<(KeyPair, Origin), IdentityError> {
        let create_error = |reason| IdentityError::Create { path: path.to_owned(), reason };
        match load(path) {
            Err(IdentityError::Read { reason, .. }) if reason.kind() == io::ErrorKind::NotFound => {
            }
            loaded => return Ok((loaded?, Origin::Loaded)),
        }
        let pair = KeyPair::generate();
        let target = std::path::absolute(path).map_err(create_error)?;
        if create(&target, &pair.secret).map_err(create_error)? {
            return Ok((pair, Origin::Created));
        }
        // Someone was faster, or it is a link to nowhere.
        Ok((load(path)?, Origin::Loaded))
    }
}

fn load(path: &Path) -> Result<KeyPair, IdentityError> {
    let read_error = |reason| IdentityError::Read { path: path.to_owned(), reason };
    let mut file = OpenOptions::new()
        .read(true)
        // A pipe would otherwise wait for its writer.
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path)
        .map_err(read_error)?;
    let metadata = file.metadata().map_err(read_error)?;
    UnsafeFile::check(path, &metadata).map_err(IdentityError::Unsafe)?;
    // One byte more than there may be, to see that there is no more.
    let mut line = Zeroizing::new([0; LENGTH + 1]);
    let mut length = 0;
    loop {
        match file.read(&mut line[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(read_error(error)),
        }
    }
    parse(path, &line[..length])
}

pub(crate) fn parse(path: &Path, line: &[u8]) -> Result<KeyPair, IdentityError> {
    let damaged = |defect| IdentityError::Damaged { path: path.to_owned(), defect };
    if line.is_empty() {
        return Err(damaged("it is empty"));
    }
    if line.len() < LENGTH && (line.starts_with(HEADER) || HEADER.starts_with(line)) {
        return Err(damaged("it is cut short"));
    }
    let Some(rest) = line.strip_prefix(HEADER) else {
        let version = line.strip_prefix(FAMILY).and_then(|rest| rest.split(|b| *b == b' ').next());
        let newer = version.is_some_and(|version| {
            !matches!(version, b"" | b"1") && version.iter().all(u8::is_ascii_digit)
        });
        return Err(if newer {
            IdentityError::Newer { path: path.to_owned() }
        } else {
            damaged("it is not a codeout key")
        });
    };
    let digits = rest.strip_suffix(b"\n").filter(|digits| digits.len() == 64);
    let digits = digits.ok_or_else(|| damaged("it does not end where it should"))?;
    let mut secret = Zeroizing::new([0; 32]);
    for (byte, pair) in secret.iter_mut().zip(digits.chunks_exact(2)) {
        let (high, low) = (hex_value(pair[0]), hex_value(pair[1]));
        let (Some(high), Some(low)) = (high, low) else {
            return Err(damaged("its key is not 64 lower-case hexadecimal digits"));
        };
        *byte = high << 4 | low;
    }
    Ok(KeyPair::from_secret(SecretKey::from_bytes(&secret)))
}

/// False when there is a file already, which stays as it is.
fn create(path: &Path, secret: &SecretKey) -> io::Result<bool> {
    let mut line = Zeroizing::new([b'\n'; LENGTH]);
    line[..HEADER.len()].copy_from_slice(HEADER);
    for (pair, byte) in line[HEADER.len()..].chunks_exact_mut(2).zip(secret.expose()) {
        pair[0] = hex_digit(byte >> 4);
        pair[1] = hex_digit(byte & 15);
    }
    let (draft, mut file) = Draft::create(path)?;
    file.write_all(line.as_slice())?;
    draft.publish()
}

fn hex_digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' + value - 10 }
}

fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
#[path = "identity_tests.rs"]
mod tests;
