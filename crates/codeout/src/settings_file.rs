//! `config.toml`: what is the same at every start. The command line and the environment win over
//! it.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::failure::{Code, Failure};
use crate::home::Home;
pub(crate) use crate::settings_text::Settings;
use crate::settings_text::parse;

impl Settings {
    /// Reads this user's file, if there is one.
    ///
    /// # Errors
    /// It cannot be read, or not understood: the failure names file and line.
    pub(crate) fn read(home: &Home) -> Result<Self, Failure> {
        Self::read_if_there(home.settings(), false)
    }

    /// Reads this file, or this user's.
    ///
    /// # Errors
    /// As [`read`](Self::read), and the file that was named is not there.
    pub(crate) fn read_named(named: Option<&Path>, home: &Home) -> Result<Self, Failure> {
        match named {
            Some(path) => Self::read_if_there(path, true),
            None => Self::read(home),
        }
    }

    fn read_if_there(path: &Path, must_be: bool) -> Result<Self, Failure> {
        check_mode(path)?;
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound && !must_be => {
                return Ok(Settings::default());
            }
            Err(error) => {
                let text = format!("{} cannot be read: {error}", path.display());
                return Err(Failure::new(Code::BrokenFile, text)
                    .hint("make it readable, or name another file with --config"));
            }
        };
        let text = std::str::from_utf8(&bytes).map_err(|error| {
            let before = &bytes[..error.valid_up_to()];
            let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
            (line, "this is not UTF-8".to_owned())
        });
        text.and_then(parse).map_err(|(line, reason)| {
            let text = format!("{}, line {line}: {reason}", path.display());
            Failure::new(Code::BrokenFile, text)
                .hint("correct that line; the guide lists what can stand there")
        })
    }
}

/// Whoever may write the file may run commands as this user: hooks, programs.
fn check_mode(path: &Path) -> Result<(), Failure> {
    // What cannot be looked at cannot be read either, which tells why.
    let Ok(metadata) = std::fs::metadata(path) else { return Ok(()) };
    let (owner, user) = (metadata.uid(), rustix::process::geteuid().as_raw());
    if owner != user && owner != 0 {
        let text = format!("{} belongs to user {owner}, and this is user {user}", path.display());
        return Err(Failure::new(Code::BrokenFile, text)
            .hint("it can run commands as you: make it yours, or name another with --config"));
    }
    if metadata.is_file() && metadata.mode() & 0o022 != 0 {
        let mode = metadata.mode() & 0o7777;
        let text = format!("{}: others may write it (mode {mode:04o})", path.display());
        let name = path.display().to_string().replace('\'', r"'\''");
        return Err(Failure::new(Code::BrokenFile, text).hint(format!(
            "it can run commands as you: look into it, then run `chmod go-w '{name}'`"
        )));
    }
    Ok(())
}
