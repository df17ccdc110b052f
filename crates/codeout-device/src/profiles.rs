//! Known daemons: what this device keeps of each, in one file of its owner's.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use codeout_protocol::address::Address;
use codeout_protocol::fingerprint::Fingerprint;
use codeout_protocol::handshake::DeviceCredentials;
use codeout_protocol::name::Name;
use codeout_protocol::sodium::PublicKey;

use crate::error::{FindError, StoreError};
use crate::store::{self, Locked};

/// What a device keeps of a daemon. It holds secrets; `Debug` hides them, dropping wipes them.
#[derive(Clone, Debug)]
pub struct Profile {
    /// What this device's user calls the daemon; no other profile has the same nickname.
    pub name: String,
    /// Where the daemon was last reached.
    pub address: Address,
    /// What this device connects with.
    pub credentials: DeviceCredentials,
    /// The name that this device proposed to the daemon.
    pub device_name: Name,
    /// How far the pairing is.
    pub state: State,
    /// When it was paired, or began to be, in seconds since 1970.
    pub paired_at: u64,
    /// The daemon's fingerprint, once it was computed.
    pub fingerprint: Option<Fingerprint>,
}

/// How far a pairing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The daemon may or may not have accepted this device; its key is the right one.
    Pending,
    /// As `Pending`, or accepted; and the user has not said that the fingerprints match.
    Unconfirmed,
    /// Both ends know each other.
    Paired,
}

/// The file of known daemons. Every method reads it anew; those that write hold a lock on it
/// from reading to writing, so that any number of processes may use it.
///
/// The methods block on the disk for some milliseconds.
#[derive(Clone, Debug)]
pub struct Profiles {
    path: PathBuf,
}

impl Profiles {
    /// The known daemons in the file `path`, customarily `daemons.json`. Its directory is made
    /// (mode 0700) when it is missing; the file (mode 0600) with the first profile.
    ///
    /// # Errors
    /// Whatever is there and is not a whole file of this version, this user's and closed to
    /// others, is an error that names it, and is never changed.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let path = std::path::absolute(path)
            .map_err(|source| StoreError::Unreadable { path: path.to_owned(), source })?;
        store::prepare(&path)?;
        store::read(&path)?;
        Ok(Profiles { path })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Every profile, oldest first, also of pairings that are not finished.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn list(&self) -> Result<Vec<Profile>, StoreError> {
        store::read(&self.path)
    }

    /// The profile with this nickname (case matters not), or the only one there is; of several,
    /// the only one that is paired.
    ///
    /// # Errors
    /// [`FindError`] says which there are.
    pub fn find(&self, select: Option<&str>) -> Result<Profile, FindError> {
        let mut profiles = self.list()?;
        let index = position(&profiles, select)?;
        Ok(profiles.swap_remove(index))
    }

    /// The profile of the daemon with this key; the paired one, if an unfinished one stands
    /// beside it.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn by_key(&self, daemon_key: &PublicKey) -> Result<Option<Profile>, StoreError> {
        let profiles = self.list()?.into_iter();
        let same = profiles.filter(|profile| profile.credentials.daemon_key == *daemon_key);
        Ok(same.max_by_key(|profile| profile.state == State::Paired))
    }

    /// Writes a profile, durably: in the place of the one with the same device key, or behind
    /// the others. Returns it with the nickname that it got, made unlike every other's.
    ///
    /// # Errors
    /// [`StoreError`]; the file is as it was.
    pub fn put(&self, profile: Profile) -> Result<Profile, StoreError> {
        let mut locked = Locked::open(&self.path)?;
        let stored = insert(&mut locked.profiles, profile);
        locked.write()?;
        Ok(stored)
    }

    /// Notes that the daemon is reached at another address from now on.
    ///
    /// # Errors
    /// [`FindError::Unknown`] when there is no such nickname, else [`FindError::Store`].
    pub fn set_address(&self, name: &str, address: &Address) -> Result<(), FindError> {
        let mut locked = Locked::open(&self.path)?;
        let index = position(&locked.profiles, Some(name))?;
        locked.profiles[index].address = address.clone();
        Ok(locked.write()?)
    }

    /// Forgets a daemon: its profile and its secrets. Returns the profile.
    ///
    /// # Errors
    /// [`FindError::Unknown`] when there is no such nickname, else [`FindError::Store`].
    pub fn remove(&self, name: &str) -> Result<Profile, FindError> {
        let mut locked = Locked::open(&self.path)?;
        let index = position(&locked.profiles, Some(name))?;
        let removed = locked.profiles.remove(index);
        locked.write()?;
        Ok(removed)
    }

    /// Forgets the profile with this device key, if there is one.
    pub(crate) fn discard(&self, device_key: &PublicKey) -> Result<(), StoreError> {
        let mut locked = Locked::open(&self.path)?;
        let before = locked.profiles.len();
        locked.profiles.retain(|profile| profile.credentials.device.public != *device_key);
        if locked.profiles.len() == before {
            return Ok(());
        }
        locked.write()
    }

    /// The pairing is finished: the profile becomes a paired one under the daemon's own name,
    /// and takes the place (and the nickname) of an earlier one of the same daemon.
    pub(crate) fn finish(&self, profile: Profile, daemon: &str) -> Result<Profile, StoreError> {
        let mut locked = Locked::open(&self.path)?;
        let credentials = &profile.credentials;
        let (mut same, others): (Vec<_>, Vec<_>) = std::mem::take(&mut locked.profiles)
            .into_iter()
            .partition(|known| known.credentials.daemon_key == credentials.daemon_key);
        locked.profiles = others;
        same.retain(|known| known.state == State::Paired);
        let name = match same.pop() {
            Some(earlier) => earlier.name,
            None => Name::clean(daemon).map_or(profile.name, |name| name.to_string()),
        };
        let finished = Profile { name, state: State::Paired, paired_at: now(), ..profile };
        let stored = insert(&mut locked.profiles, finished);
        locked.write()?;
        Ok(stored)
    }
}

fn insert(profiles: &mut Vec<Profile>, mut profile: Profile) -> Profile {
    let device_key = profile.credentials.device.public;
    let place = profiles.iter().position(|known| known.credentials.device.public == device_key);
    if let Some(place) = place {
        profiles.remove(place);
    }
    profile.name = unique(&profile.name, profiles);
    profiles.insert(place.unwrap_or(profiles.len()), profile.clone());
    profile
}

/// `desk`, `desk-2`, `desk-3`: the first that no other profile has.
fn unique(wanted: &str, others: &[Profile]) -> String {
    // Room for the number within what a name may have.
    let wanted = codeout_protocol::name::clean_text(wanted, Name::MAX_BYTES - 8);
    let wanted = match wanted.trim_end() {
        "" => "daemon",
        wanted => wanted,
    };
    let taken = |name: &str| others.iter().any(|other| same_name(&other.name, name));
    let numbered = (2u32..).map(|number| format!("{wanted}-{number}"));
    std::iter::once(wanted.to_owned())
        .chain(numbered)
        .find(|name| !taken(name))
        .unwrap_or_else(|| wanted.to_owned())
}

fn same_name(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

fn position(profiles: &[Profile], select: Option<&str>) -> Result<usize, FindError> {
    let names = || profiles.iter().map(|profile| profile.name.clone()).collect();
    if profiles.is_empty() {
        return Err(FindError::NoneKnown);
    }
    if let Some(name) = select {
        let exact = profiles.iter().position(|profile| profile.name == name);
        let like = || profiles.iter().position(|profile| same_name(&profile.name, name));
        return exact
            .or_else(like)
            .ok_or_else(|| FindError::Unknown { name: name.to_owned(), known: names() });
    }
    let mut paired = profiles.iter().enumerate().filter(|(_, one)| one.state == State::Paired);
    match (profiles, paired.next(), paired.next()) {
        ([_], ..) => Ok(0),
        (_, Some((index, _)), None) => Ok(index),
        _ => Err(FindError::Several { names: names() }),
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
#[path = "profiles_tests.rs"]
pub(crate) mod tests;
