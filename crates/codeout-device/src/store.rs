//! The file of known daemons: its format, and how it is read and replaced.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use codeout_protocol::address::Address;
use codeout_protocol::fingerprint::Fingerprint;
use codeout_protocol::handshake::DeviceCredentials;
use codeout_protocol::name::Name;
use codeout_protocol::sodium::{KeyPair, PublicKey, SecretKey, Token};
use rustix::fs::{FlockOperation, OFlags, flock};
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::error::StoreError;
use crate::profiles::{Profile, State};

/// The format's version.
const VERSION: u64 = 1;
/// More than any honest file has, in bytes.
const MAX_FILE: u64 = 4 << 20;
/// More than a profile takes when written, in bytes: the address has at most 270, the names at
/// most 64 each, escaped at most sixfold.
const MAX_ENTRY: usize = 2048;

/// Makes the file's directory (mode 0700) where it is missing, and refuses one that others may
/// look into.
pub(crate) fn prepare(path: &Path) -> Result<(), StoreError> {
    let directory = directory(path);
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|source| unwritable(directory, source))?;
    let metadata = fs::metadata(directory).map_err(|source| unreadable(directory, source))?;
    check(directory, &metadata)
}

fn directory(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

fn check(path: &Path, metadata: &fs::Metadata) -> Result<(), StoreError> {
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(StoreError::Foreign { path: path.to_owned() });
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(StoreError::Exposed { path: path.to_owned(), mode });
    }
    Ok(())
}

fn unreadable(path: &Path, source: io::Error) -> StoreError {
    StoreError::Unreadable { path: path.to_owned(), source }
}

fn unwritable(path: &Path, source: io::Error) -> StoreError {
    StoreError::Unwritable { path: path.to_owned(), source }
}

fn broken(path: &Path, reason: impl fmt::Display) -> StoreError {
    StoreError::Broken { path: path.to_owned(), reason: reason.to_string() }
}

/// Every profile in the file; none when there is no file.
pub(crate) fn read(path: &Path) -> Result<Vec<Profile>, StoreError> {
    // A pipe in its place must not make the reader wait.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(_) if path.is_symlink() => return Err(broken(path, "it is a symbolic link")),
        Err(source) => return Err(unreadable(path, source)),
    };
    let metadata = file.metadata().map_err(|source| unreadable(path, source))?;
    if !metadata.is_file() {
        return Err(broken(path, "it is not a regular file"));
    }
    check(path, &metadata)?;
    if metadata.len() > MAX_FILE {
        return Err(broken(path, "it is too long"));
    }
    let length = usize::try_from(metadata.len()).unwrap_or(0);
    // Room for all of it at once: a growing buffer would leave copies of secrets behind.
    let mut text = Zeroizing::new(vec![0; length]);
    let mut file = file;
    file.read_exact(&mut text).map_err(|source| unreadable(path, source))?;
    parse(path, &text)
}

pub(crate) fn parse(path: &Path, text: &[u8]) -> Result<Vec<Profile>, StoreError> {
    #[derive(Deserialize)]
    struct Head {
        version: u64,
    }
    #[derive(Deserialize)]
    struct Body {
        daemons: Vec<Entry>,
    }
    let head: Head = serde_json::from_slice(text).map_err(|error| json_error(path, &error))?;
    match head.version {
        VERSION => {}
        0 => return Err(broken(path, "there is no format 0")),
        version => return Err(StoreError::Newer { path: path.to_owned(), version }),
    }
    let body: Body = serde_json::from_slice(text).map_err(|error| json_error(path, &error))?;
    Ok(body.daemons.into_iter().map(Profile::from).collect())
}

/// Where the text is wrong; serde's own words could quote a secret.
fn json_error(path: &Path, error: &serde_json::Error) -> StoreError {
    let (line, column) = (error.line(), error.column());
    let what = if error.is_data() { "has an unexpected value" } else { "is not valid JSON" };
    broken(path, format_args!("it {what} at line {line}, column {column}"))
}

/// The file, locked against other writers from reading to writing.
pub(crate) struct Locked<'a> {
    path: &'a Path,
    _lock: File,
    /// What is in the file, to be changed and then written.
    pub(crate) profiles: Vec<Profile>,
}

impl<'a> Locked<'a> {
    /// Waits for the lock, then reads the file.
    pub(crate) fn open(path: &'a Path) -> Result<Self, StoreError> {
        prepare(path)?;
        let lock_path = beside(path, "lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&lock_path)
            .map_err(|source| unwritable(&lock_path, source))?;
        loop {
            match flock(&lock, FlockOperation::LockExclusive) {
                Ok(()) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(unwritable(&lock_path, error.into())),
            }
        }
        let profiles = read(path)?;
        Ok(Locked { path, _lock: lock, profiles })
    }

    /// Puts the profiles into the file's place, whole and durably.
    pub(crate) fn write(self) -> Result<(), StoreError> {
        let text = text(&self.profiles).map_err(|error| unwritable(self.path, error.into()))?;
        let draft = beside(self.path, "new");
        replace(self.path, &draft, &text).map_err(|source| {
            // Nobody reads it, but it holds secrets.
            let _ = fs::remove_file(&draft);
            unwritable(self.path, source)
        })
    }
}

/// The text of the file.
pub(crate) fn text(profiles: &[Profile]) -> serde_json::Result<Zeroizing<Vec<u8>>> {
    #[derive(Serialize)]
    struct Body<'b> {
        version: u64,
        daemons: Vec<EntryRef<'b>>,
    }
    let daemons = profiles.iter().map(EntryRef::from).collect();
    let body = Body { version: VERSION, daemons };
    let mut text = Zeroizing::new(Vec::with_capacity((1 + profiles.len()) * MAX_ENTRY));
    serde_json::to_writer_pretty(&mut *text, &body)?;
    text.push(b'\n');
    Ok(text)
}

/// `daemons.json` -> `daemons.json.lock`
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

fn replace(path: &Path, draft: &Path, text: &[u8]) -> io::Result<()> {
    // One may lie there since a crash; the lock says that nobody writes it now.
    match fs::remove_file(draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(draft, path)?;
    File::open(directory(path))?.sync_all()
}

#[derive(Serialize)]
struct EntryRef<'a> {
    name: &'a str,
    address: String,
    daemon_key: Hex,
    device_secret: Hex,
    token: Hex,
    device_name: &'a str,
    state: StoredState,
    paired_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(deserialize_with = "clean_name")]
    name: Name,
    #[serde(deserialize_with = "from_text")]
    address: Address,
    daemon_key: Hex,
    device_secret: Hex,
    token: Hex,
    #[serde(deserialize_with = "clean_name")]
    device_name: Name,
    state: StoredState,
    paired_at: u64,
    #[serde(default, deserialize_with = "some_from_text")]
    fingerprint: Option<Fingerprint>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredState {
    Pending,
    Unconfirmed,
    Paired,
}

impl<'a> From<&'a Profile> for EntryRef<'a> {
    fn from(profile: &'a Profile) -> Self {
        let credentials = &profile.credentials;
        EntryRef {
            name: &profile.name,
            address: profile.address.to_string(),
            daemon_key: Hex::of(&credentials.daemon_key.0),
            device_secret: Hex::of(credentials.device.secret.expose()),
            token: Hex::of(credentials.token.expose()),
            device_name: profile.device_name.as_str(),
            state: match profile.state {
                State::Pending => StoredState::Pending,
                State::Unconfirmed => StoredState::Unconfirmed,
                State::Paired => StoredState::Paired,
            },
            paired_at: profile.paired_at,
            fingerprint: profile.fingerprint.map(|fingerprint| fingerprint.to_string()),
        }
    }
}

impl From<Entry> for Profile {
    fn from(entry: Entry) -> Self {
        Profile {
            name: entry.name.to_string(),
            address: entry.address,
            credentials: DeviceCredentials {
                daemon_key: PublicKey(**entry.daemon_key.0),
                device: KeyPair::from_secret(SecretKey::from_bytes(&entry.device_secret.0)),
                token: Token::from_bytes(&entry.token.0),
            },
            device_name: entry.device_name,
            state: match entry.state {
                StoredState::Pending => State::Pending,
                StoredState::Unconfirmed => State::Unconfirmed,
                StoredState::Paired => State::Paired,
            },
            paired_at: entry.paired_at,
            fingerprint: entry.fingerprint,
        }
    }
}

/// 32 bytes as 64 hexadecimal digits; wiped when dropped.
struct Hex(Box<Zeroizing<[u8; 32]>>);

impl Hex {
    fn of(bytes: &[u8; 32]) -> Self {
        let mut hex = Hex(Box::new(Zeroizing::new([0; 32])));
        hex.0.copy_from_slice(bytes);
        hex
    }
}

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = Zeroizing::new([0; 64]);
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0.iter()) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        let text = std::str::from_utf8(&*text).map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(text)
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Digits;
        impl Visitor<'_> for Digits {
            type Value = Hex;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("64 hexadecimal digits")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Hex, E> {
                // No error may quote the text: it is a secret.
                let wrong = || E::custom("not 64 hexadecimal digits");
                let digit = |character: u8| char::from(character).to_digit(16).ok_or_else(wrong);
                if text.len() != 64 {
                    return Err(wrong());
                }
                let mut hex = Hex::of(&[0; 32]);
                for (byte, pair) in hex.0.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
                    *byte = (digit(pair[0])? << 4 | digit(pair[1])?) as u8;
                }
                Ok(hex)
            }
        }
        deserializer.deserialize_str(Digits)
    }
}

fn from_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Address, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
}

fn some_from_text<'de, D>(deserializer: D) -> Result<Option<Fingerprint>, D::Error>
where
    D: Deserializer<'de>,
{
    let text: Option<String> = Option::deserialize(deserializer)?;
    text.map(|text| text.parse().map_err(de::Error::custom)).transpose()
}

fn clean_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Name, D::Error> {
    let text = String::deserialize(deserializer)?;
    Name::clean(&text).ok_or_else(|| de::Error::custom("not a name"))
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
