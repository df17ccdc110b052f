//! What sessions are opened with: programs by name or path, and directories.

use std::ffi::OsString;
use std::fs::Metadata;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use codeout_protocol::message::{ErrorCode, Open, ProgramEntry, RequestError};
use codeout_protocol::name::{Name, clean_text};
use rustix::fs::{Access, access};
use tokio::task::spawn_blocking;

use crate::command_line;
use crate::environment::{LoginEnvironment, Variables};
use crate::settings::{NamedProgram, SessionSettings};

/// Coding agents that are listed when they are on `PATH`.
const AGENTS: [&str; 8] =
    ["claude", "codex", "gemini", "opencode", "aider", "goose", "cursor-agent", "amp"];
/// The user's shell, by name.
const SHELL: &str = "shell";

/// The most arguments of a program.
const MAX_ARGUMENTS: usize = 256;
/// The most bytes of a program's name, its arguments and its directory, each with a NUL: what
/// Linux takes as one argument, and far less than what any system takes in all.
const MAX_BYTES: usize = 128 * 1024;
/// The most bytes of a command that is shown.
const MAX_SHOWN: usize = 256;
/// The most bytes of a name or path in an error, so that the rest of it is seen as well.
const MAX_QUOTED: usize = 160;
/// The entries of one reply take no more than this, in bytes.
const MAX_LIST: usize = 48 * 1024;

/// Everything that a session can be opened with.
#[derive(Debug)]
pub(crate) struct Programs {
    named: Vec<NamedProgram>,
    shell: PathBuf,
    /// Where sessions start unless they are told: absolute.
    directory: PathBuf,
    environment: LoginEnvironment,
}

/// What an `open` request comes to.
#[derive(Debug)]
pub(crate) struct Resolved {
    /// Absolute, executable.
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    /// Absolute; may be entered.
    pub(crate) directory: PathBuf,
    /// Of a login shell.
    pub(crate) environment: Vec<(OsString, OsString)>,
    /// The program and its arguments as they were asked for, safe to show, at most 256 bytes.
    pub(crate) asked: String,
    /// What the session may be called when nobody says: the directory's name, or the program's
    /// in the home directory.
    pub(crate) proposed: Name,
}

impl Programs {
    /// The programs of these settings; `shell`, an absolute path, for sessions that name none;
    /// `directory` for those that name no directory.
    pub(crate) fn new(settings: &SessionSettings, shell: &Path, directory: &Path) -> Self {
        Self::with(settings, shell, directory, LoginEnvironment::new(shell))
    }

    fn with(
        settings: &SessionSettings,
        shell: &Path,
        directory: &Path,
        environment: LoginEnvironment,
    ) -> Self {
        Programs {
            named: settings.programs.clone(),
            shell: shell.to_owned(),
            directory: std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned()),
            environment,
        }
    }

    /// The environment that sessions start with.
    pub(crate) fn environment(&self) -> &LoginEnvironment {
        &self.environment
    }

    /// The programs known by name: the shell, those of the settings, and the agents that are
    /// there. Those of the settings that do not fit in a reply are left out.
    pub(crate) async fn list(&self) -> Vec<ProgramEntry> {
        let variables = self.environment.get().await;
        let agents = spawn_blocking(move || {
            let found = AGENTS.map(|agent| Some((agent, on_path(&variables, agent).ok()?)));
            found.into_iter().flatten().collect::<Vec<_>>()
        });
        let agents = agents.await.unwrap_or_default();

        let named = self.named.iter().map(|named| entry(&named.name, &named.command));
        let (shell, named): (Vec<_>, Vec<_>) = named.partition(|entry| entry.name == SHELL);
        let own_shell = entry(SHELL, &[self.shell.to_string_lossy().as_ref(), "-l"]);
        let mut list = vec![shell.into_iter().next().unwrap_or(own_shell)];
        let agents = agents.iter().map(|(agent, path)| entry(agent, &[path.to_string_lossy()]));
        let mut left = MAX_LIST;
        for entry in named.into_iter().chain(agents) {
            let size = serde_json::to_vec(&entry).map_or(usize::MAX, |json| json.len() + 1);
            if size <= left && list.iter().all(|other| other.name != entry.name) {
                left -= size;
                list.push(entry);
            }
        }
        list
    }

    /// What to start, and where. The environment of a login shell is waited for (5 s at most).
    ///
    /// # Errors
    /// [`ErrorCode::BadRequest`]: too much, or what can be no program or directory.
    /// [`ErrorCode::NotFound`]: there is no such program or directory. [`ErrorCode::Failed`]: the
    /// daemon may not run the one or enter the other.
    pub(crate) async fn resolve(&self, open: &Open) -> Result<Resolved, RequestError> {
        check_bounds(open)?;
        let variables = self.environment.get().await;
        let found = {
            let (open, variables) = (open.clone(), Arc::clone(&variables));
            let (named, shell) = (self.named.clone(), self.shell.clone());
            let base = self.directory.clone();
            let find = move || Finder { named, shell, base, variables }.find(&open);
            spawn_blocking(find).await.map_err(|error| failed(&error.to_string()))??
        };
        let Found { program, arguments, directory } = found;
        let proposed = propose(open.program.as_deref(), &directory, &variables);
        let environment =
            variables.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        Ok(Resolved { program, arguments, directory, environment, asked: asked(open), proposed })
    }
}

/// A program, its arguments, and where it is to run.
struct Found {
    program: PathBuf,
    arguments: Vec<String>,
    directory: PathBuf,
}

/// Looks programs and directories up. It reads the disk, and so blocks.
struct Finder {
    named: Vec<NamedProgram>,
    shell: PathBuf,
    base: PathBuf,
    variables: Arc<Variables>,
}

impl Finder {
    fn find(&self, open: &Open) -> Result<Found, RequestError> {
        let directory = open.directory.as_deref().map_or_else(
            || Ok(self.base.clone()),
            |directory| self.path(directory, &self.base).ok_or_else(|| not_text("directory")),
        )?;
        let directory = enterable(&directory)?;
        let (program, mut arguments) = self.program(open.program.as_deref(), &directory)?;
        arguments.extend_from_slice(&open.arguments);
        Ok(Found { program, arguments, directory })
    }

    /// The program of that name, with the arguments that belong to the name.
    fn program(
        &self,
        name: Option<&str>,
        directory: &Path,
    ) -> Result<(PathBuf, Vec<String>), RequestError> {
        let wanted = name.unwrap_or(SHELL);
        if let Some(named) = self.named.iter().find(|named| named.name == wanted) {
            let Some((program, arguments)) = named.command.split_first() else {
                return Err(failed(&format!("the program {} has no command", quoted(wanted))));
            };
            return Ok((self.file(program, directory)?, arguments.to_vec()));
        }
        if wanted == SHELL {
            return Ok((executable(&self.shell)?, vec!["-l".to_owned()]));
        }
        Ok((self.file(wanted, directory)?, Vec::new()))
    }

    /// The program with that path, or that name on `PATH`.
    fn file(&self, program: &str, directory: &Path) -> Result<PathBuf, RequestError> {
        if program.contains('/') {
            let path = self.path(program, directory).ok_or_else(|| not_text("program"))?;
            return executable(&path);
        }
        on_path(&self.variables, program)
    }

    /// A path as people write it: absolute, `~/…`, or below `base`.
    fn path(&self, path: &str, base: &Path) -> Option<PathBuf> {
        if path.is_empty() {
            return None;
        }
        if path == "~" {
            return Some(self.variables.home().to_owned());
        }
        Some(match path.strip_prefix("~/") {
            Some(rest) => self.variables.home().join(rest.trim_start_matches('/')),
            None => base.join(path),
        })
    }
}

/// Refuses what no system would start, before anything is looked up.
fn check_bounds(open: &Open) -> Result<(), RequestError> {
    if open.arguments.len() > MAX_ARGUMENTS {
        return Err(bad(&format!("a program has at most {MAX_ARGUMENTS} arguments")));
    }
    if open.program.is_none() && !open.arguments.is_empty() {
        return Err(bad("there are arguments and no program: name one"));
    }
    if open.program.as_ref().is_some_and(String::is_empty) {
        return Err(not_text("program"));
    }
    let texts = || open.program.iter().chain(&open.directory).chain(&open.arguments);
    if texts().map(|text| text.len() + 1).sum::<usize>() > MAX_BYTES {
        let most = MAX_BYTES / 1024;
        return Err(bad(&format!("a program and its arguments have at most {most} KiB")));
    }
    if texts().any(|text| text.contains('\0')) {
        return Err(bad("a program, its arguments and its directory contain no NUL character"));
    }
    Ok(())
}

/// The directory, if a program can be started in it.
fn enterable(directory: &Path) -> Result<PathBuf, RequestError> {
    let shown = quoted_path(directory);
    let metadata = match directory.metadata() {
        Ok(metadata) => metadata,
        Err(error) if is_missing(&error) => {
            let text = format!("there is no directory {shown}: make it, or name another");
            return Err(RequestError::new(ErrorCode::NotFound, text));
        }
        Err(error) => return Err(failed(&format!("cannot enter {shown}: {error}"))),
    };
    if !metadata.is_dir() {
        return Err(bad(&format!("{shown} is not a directory: name the one that it is in")));
    }
    // Allowed to see it is not allowed to enter it.
    access(directory, Access::EXEC_OK)
        .map_err(|error| failed(&format!("cannot enter {shown}: {}", io::Error::from(error))))?;
    if directory.components().any(|component| component == Component::ParentDir) {
        let real = directory.canonicalize();
        return real.map_err(|error| failed(&format!("cannot enter {shown}: {error}")));
    }
    // Without `.`, and slashes that say nothing.
    Ok(directory.components().collect())
}

/// The file at this path, if it can be run.
fn executable(path: &Path) -> Result<PathBuf, RequestError> {
    let shown = quoted_path(path);
    match path.metadata() {
        Ok(metadata) if may_run(path, &metadata) => Ok(path.to_owned()),
        Ok(metadata) if metadata.is_dir() => {
            Err(bad(&format!("{shown} is a directory, not a program")))
        }
        Ok(_) => Err(not_executable(path)),
        Err(error) if is_missing(&error) => {
            let text = format!("there is no program {shown}: {HINT}");
            Err(RequestError::new(ErrorCode::NotFound, text))
        }
        Err(error) => Err(failed(&format!("cannot run {shown}: {error}"))),
    }
}

/// The program with this name that a shell would run.
fn on_path(variables: &Variables, name: &str) -> Result<PathBuf, RequestError> {
    let path = variables.get("PATH").unwrap_or_default();
    let mut forbidden = None;
    // A relative entry would mean another place in every session.
    for folder in std::env::split_paths(path).filter(|folder| folder.is_absolute()) {
        let file = folder.join(name);
        let Ok(metadata) = file.metadata() else { continue };
        if may_run(&file, &metadata) {
            return Ok(file);
        }
        if metadata.is_file() {
            forbidden.get_or_insert(file);
        }
    }
    Err(forbidden.map_or_else(
        || {
            let text = format!("no program {} on PATH: {HINT}", quoted(name));
            RequestError::new(ErrorCode::NotFound, text)
        },
        |file| not_executable(&file),
    ))
}

const HINT: &str = "`codeout programs` lists those known by name";

fn may_run(path: &Path, metadata: &Metadata) -> bool {
    metadata.is_file() && access(path, Access::EXEC_OK).is_ok()
}

/// Nothing is there, or what is on the way there is no directory.
fn is_missing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename
    )
}

/// What a session may be called: by its directory, unless that says as little as the home
/// directory does; else by its program.
fn propose(program: Option<&str>, directory: &Path, variables: &Variables) -> Name {
    let text = |path: &Path| path.file_name().and_then(|name| Name::clean(&name.to_string_lossy()));
    let is_home = directory == variables.home().components().collect::<PathBuf>();
    let by_directory = if is_home { None } else { text(directory) };
    let by_program = || text(Path::new(program.unwrap_or(SHELL)));
    by_directory
        .or_else(by_program)
        .or_else(|| Name::clean(SHELL))
        .unwrap_or_else(|| unreachable!("the word can be shown"))
}

/// The program and its arguments, to be shown.
fn asked(open: &Open) -> String {
    let program = open.program.as_deref().unwrap_or(SHELL);
    let mut words = vec![program];
    words.extend(open.arguments.iter().map(String::as_str));
    let shown = clean_text(&words.join(" "), MAX_SHOWN);
    let shown = shown.trim_end();
    if shown.is_empty() { "?".to_owned() } else { shown.to_owned() }
}

fn entry<S: AsRef<str>>(name: &str, command: &[S]) -> ProgramEntry {
    ProgramEntry { name: name.to_owned(), command: command_line::shown(command, MAX_SHOWN) }
}

/// A name or path in an error: short, and without what acts on a terminal.
fn quoted(text: &str) -> String {
    let shown = clean_text(text, MAX_QUOTED);
    // Beside the longest that is shown, which may be a character short of the bound.
    if clean_text(text, MAX_QUOTED + 4).len() > shown.len() { format!("{shown}…") } else { shown }
}

fn quoted_path(path: &Path) -> String {
    quoted(&String::from_utf8_lossy(path.as_os_str().as_bytes()))
}

fn not_executable(path: &Path) -> RequestError {
    let shown = quoted_path(path);
    failed(&format!("{shown} may not be run: see its permissions (chmod +x)"))
}

fn not_text(what: &str) -> RequestError {
    bad(&format!("the {what} has no name: leave it out, or name one"))
}

fn bad(text: &str) -> RequestError {
    RequestError::new(ErrorCode::BadRequest, text)
}

fn failed(text: &str) -> RequestError {
    RequestError::new(ErrorCode::Failed, text)
}

#[cfg(test)]
#[path = "programs_tests.rs"]
mod tests;
