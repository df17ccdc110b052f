//! Files with secrets: only their owner may read them, and they appear whole or not at all.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use codeout_protocol::sodium;

/// A file with secrets that is not safe to use as it is. It was not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnsafeFile {
    /// A directory, a pipe, a device.
    #[error("{} is not a regular file", .path.display())]
    NotAFile {
        /// The file.
        path: PathBuf,
    },
    /// Others than its owner may read or write it.
    #[error("{} holds secrets and others may open it (mode {mode:04o})", .path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// What to run in a shell to close it: `chmod 600 '/the/path'`.
        command: String,
    },
    /// It belongs to another user.
    #[error("{} belongs to user {owner}, and this is user {user}", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The user who owns it.
        owner: u32,
        /// The user who runs this process.
        user: u32,
    },
}

impl UnsafeFile {
    /// Refuses anything but a regular file of this user that nobody else may open.
    pub(crate) fn check(path: &Path, metadata: &Metadata) -> Result<(), UnsafeFile> {
        let user = rustix::process::geteuid().as_raw();
        if metadata.is_file() {
            Self::check_owner(path, metadata.uid(), user)?;
            Self::check_mode(path, metadata.mode() & 0o7777)
        } else {
            Err(UnsafeFile::NotAFile { path: path.to_owned() })
        }
    }

    fn check_owner(path: &Path, owner: u32, user: u32) -> Result<(), UnsafeFile> {
        if owner == user {
            return Ok(());
        }
        Err(UnsafeFile::Foreign { path: path.to_owned(), owner, user })
    }

    fn check_mode(path: &Path, mode: u32) -> Result<(), UnsafeFile> {
        if mode & 0o077 == 0 {
            return Ok(());
        }
        let quoted = path.display().to_string().replace('\'', r"'\''");
        let command = format!("chmod 600 '{quoted}'");
        Err(UnsafeFile::Exposed { path: path.to_owned(), mode, command })
    }
}

/// Whether there is anything at `path`, be it a link to nowhere.
pub(crate) fn exists(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// A file on its way to its place: beside it, under a name of its own, gone when dropped.
pub(crate) struct Draft {
    path: PathBuf,
    target: PathBuf,
    directory: PathBuf,
}

impl Draft {
    /// An empty draft of mode 0600 for the absolute path `target`, whose directory is made
    /// (0700) where it is missing.
    pub(crate) fn create(target: &Path) -> io::Result<(Draft, File)> {
        let (Some(directory), Some(name)) = (target.parent(), target.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        create_directory(directory)?;
        let mut random = [0; 8];
        sodium::random_bytes(&mut random);
        let mut draft = std::ffi::OsString::from(".");
        draft.push(name);
        draft.push(format!(".{:016x}.new", u64::from_le_bytes(random)));
        let path = directory.join(draft);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let draft = Draft { path, target: target.to_owned(), directory: directory.to_owned() };
        Ok((draft, file))
    }

    /// Where to write until then.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Puts the file in its place, durably. False, and nothing done, when something is there.
    pub(crate) fn publish(self) -> io::Result<bool> {
        File::open(&self.path)?.sync_all()?;
        // Unlike a rename, a link never takes the place of another file.
        let published = match fs::hard_link(&self.path, &self.target) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            Err(error) => return Err(error),
        };
        let directory = self.directory.clone();
        drop(self);
        // Also for the one who came second: the first may not have come to it yet.
        File::open(directory)?.sync_all()?;
        Ok(published)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // What cannot be removed holds nothing that anyone uses.
        let _ = fs::remove_file(&self.path);
    }
}

/// Removes the drafts of `target` that processes left which were killed before they could. The
/// caller holds the daemon's lock: nobody writes one. Best effort.
pub(crate) fn sweep(target: &Path) {
    let (Some(directory), Some(name)) = (target.parent(), target.file_name()) else { return };
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        if is_draft(&entry.file_name(), name) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Whether `found` is a draft of `name`, or a file that SQLite puts beside one.
fn is_draft(found: &OsStr, name: &OsStr) -> bool {
    let (Some(found), Some(name)) = (found.to_str(), name.to_str()) else { return false };
    let draft = found.strip_prefix('.').and_then(|rest| rest.strip_prefix(name)?.strip_prefix('.'));
    let draft = draft.and_then(|rest| rest.split_once(".new"));
    draft.is_some_and(|(random, rest)| {
        let is_random = random.len() == 16 && random.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_random && ["", "-wal", "-shm", "-journal"].contains(&rest)
    })
}

fn create_directory(directory: &Path) -> io::Result<()> {
    let Some(parent) = directory.parent().filter(|_| !directory.is_dir()) else {
        return Ok(());
    };
    create_directory(parent)?;
    match DirBuilder::new().mode(0o700).create(directory) {
        // Another process was faster, or it is a file, which opening something in it will tell.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
        Ok(()) => {
            // Best effort: one may create in a directory that one may not open.
            let _ = File::open(parent).and_then(|parent| parent.sync_all());
            Ok(())
        }
    }
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
