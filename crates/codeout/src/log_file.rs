//! Where a daemon without a terminal puts its words: `daemon.log` in its directory, and the one
//! before it in `daemon.log.1`.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::fstat;
use rustix::stdio::{dup2_stderr, dup2_stdout, stdout};

use crate::home::Home;

/// A longer file is put aside, in bytes.
const LONG: u64 = 1 << 20;
/// What is read of it at most, in bytes.
const MOST_READ: u64 = 16 * 1024;

pub(crate) struct LogFile {
    path: PathBuf,
}

impl LogFile {
    pub(crate) fn new(home: &Home) -> Self {
        LogFile { path: home.daemon().join("daemon.log") }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens it to write behind what it has, its owner's alone. One that is long is put aside.
    pub(crate) fn open(&self) -> io::Result<File> {
        if let Some(directory) = self.path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        }
        if std::fs::metadata(&self.path).is_ok_and(|metadata| metadata.len() > LONG) {
            std::fs::rename(&self.path, self.path.with_extension("log.1"))?;
        }
        OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path)
    }

    /// Puts the file aside that standard output and error are, if it is long, and goes on with a
    /// new one.
    pub(crate) fn shorten(&self) -> io::Result<()> {
        let length = fstat(stdout())?.st_size;
        if u64::try_from(length).is_ok_and(|length| length > LONG) {
            let file = self.open()?;
            dup2_stdout(&file)?;
            dup2_stderr(&file)?;
        }
        Ok(())
    }

    /// What was written behind this offset.
    pub(crate) fn since(&self, offset: u64) -> String {
        let mut text = Vec::new();
        let read = File::open(&self.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(offset))?;
            file.take(MOST_READ).read_to_end(&mut text)
        });
        if read.is_err() {
            text.clear();
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_long_log_is_put_aside_and_one_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::find(Some(directory.path().to_owned())).unwrap();
        let log = LogFile::new(&home);
        for round in 0..3 {
            let mut file = log.open().unwrap();
            assert_eq!(file.metadata().unwrap().len(), 0, "round {round}");
            file.write_all(&vec![b'0' + round; LONG as usize + 1]).unwrap();
        }
        let names = std::fs::read_dir(home.daemon()).unwrap();
        let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["daemon.log", "daemon.log.1"]);
        assert_eq!(std::fs::read(home.daemon().join("daemon.log.1")).unwrap()[0], b'1');
        let mode = std::fs::metadata(&log.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_was_written_since_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::find(Some(directory.path().to_owned())).unwrap();
        let log = LogFile::new(&home);
        assert_eq!(log.since(0), "");
        let mut file = log.open().unwrap();
        file.write_all(b"before\nbehind\n").unwrap();
        assert_eq!(log.since(7), "behind\n");
    }
}
