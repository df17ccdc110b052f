//! Which sessions run, written down for the next start: where a daemon was killed, or the
//! machine went down, they are lost, and their owner is to hear of it.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::session::Session;

/// A session that ended because its daemon did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostSession {
    /// What it was called.
    pub name: String,
    /// The program, as it was asked for.
    pub program: String,
    /// Where it was started.
    pub directory: String,
    /// When it was opened, in seconds since 1970.
    pub opened_at: u64,
}

impl LostSession {
    pub(super) fn of(session: &Session) -> Self {
        let origin = session.origin.clone();
        LostSession {
            name: session.name().to_string(),
            program: origin.program,
            directory: origin.directory,
            opened_at: origin.opened_at,
        }
    }
}

#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    /// Held by whoever writes: the file says what was told last.
    turn: Mutex<()>,
}

impl Journal {
    pub(super) fn new(path: PathBuf) -> Self {
        Journal { path, turn: Mutex::default() }
    }

    /// What the file says, which is then gone. A file that makes no sense says nothing.
    pub(super) fn take_lost(&self) -> Vec<LostSession> {
        let lost = fs::read(&self.path).ok();
        let lost = lost.and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default();
        self.clear();
        lost
    }

    /// Writes down the sessions that run. Best effort: sessions go on without it.
    pub(super) fn write(&self, running: impl FnOnce() -> Vec<LostSession>) {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = write(&self.path, &running()) {
            tracing::warn!(%error, path = %self.path.display(), "cannot write down the sessions");
        }
    }

    /// No session runs any more.
    pub(super) fn clear(&self) {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = fs::remove_file(&self.path);
    }
}

/// Replaces the file whole, for its owner alone.
fn write(path: &Path, running: &[LostSession]) -> io::Result<()> {
    let draft = path.with_extension("new");
    let mut file =
        fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&draft)?;
    file.write_all(&serde_json::to_vec(running)?)?;
    fs::rename(&draft, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_last_is_told_once() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("sessions.json");
        let lost = |name: &str| LostSession {
            name: name.to_owned(),
            program: "shell".to_owned(),
            directory: "/".to_owned(),
            opened_at: 1,
        };
        let journal = Journal::new(path.clone());
        assert_eq!(journal.take_lost(), []);
        journal.write(|| vec![lost("a")]);
        journal.write(|| vec![lost("a"), lost("b")]);
        assert_eq!(Journal::new(path.clone()).take_lost(), [lost("a"), lost("b")]);
        assert_eq!(Journal::new(path.clone()).take_lost(), []);
        fs::write(&path, "{").unwrap();
        assert_eq!(Journal::new(path).take_lost(), []);
    }
}
