//! The environment that sessions start with: that of a login shell, whatever the daemon itself
//! was started from.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::time::{Instant, timeout};

use crate::process_group::ProcessGroup;

/// How long a login shell may take to say its environment.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long an environment is good for.
const LIFETIME: Duration = Duration::from_secs(60);
/// The most that a login shell may say, in bytes.
const MAX_OUTPUT: usize = 1 << 20;

/// Any shell understands it. A profile may print as well, before and behind.
const SAY: &str = r"printf '\0codeout-begin\0'; /usr/bin/env -0; printf 'codeout-end\0'";
const BEGIN: &[u8] = b"\0codeout-begin\0";
const END: &[u8] = b"\0codeout-end\0";

/// Variables that describe the terminal, the login or the service that the daemon runs in.
const FOREIGN: [&str; 36] = [
    "COLORTERM",
    "COLUMNS",
    "CREDENTIALS_DIRECTORY",
    "GPG_TTY",
    "INSIDE_EMACS",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "LC_TERMINAL",
    "LC_TERMINAL_VERSION",
    "LINES",
    "LISTEN_FDNAMES",
    "LISTEN_FDS",
    "LISTEN_PID",
    "NOTIFY_SOCKET",
    "NVIM",
    "OLDPWD",
    "PWD",
    "SHLVL",
    "SSH_CLIENT",
    "SSH_CONNECTION",
    "SSH_TTY",
    "STY",
    "TERM",
    "TERMCAP",
    "TERMINATOR_UUID",
    "TERMINFO",
    "TERM_SESSION_ID",
    "TILIX_ID",
    "TMUX",
    "TMUX_PANE",
    "VTE_VERSION",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "WINDOW",
    "WINDOWID",
    "_",
];

/// Beginnings of such variables' names. The daemon's own settings and secrets are
/// `CODEOUT_…`.
const FOREIGN_PREFIXES: [&str; 12] = [
    "ALACRITTY_",
    "CODEOUT_",
    "GHOSTTY_",
    "GNOME_TERMINAL_",
    "ITERM_",
    "KITTY_",
    "KONSOLE_",
    "TERM_PROGRAM",
    "TERMINATOR_DBUS_",
    "WEZTERM_",
    "WT_",
    "ZELLIJ",
];

/// Environment variables by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Variables(BTreeMap<OsString, OsString>);

impl Variables {
    /// The value of a variable, unless it has none.
    pub(crate) fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// The home directory; it may not be there.
    pub(crate) fn home(&self) -> &Path {
        self.get("HOME").map_or(Path::new("/"), Path::new)
    }

    /// Where programs start that belong to no directory: the home directory, if it is there.
    pub(crate) fn start(&self) -> &Path {
        Some(self.home()).filter(|home| home.is_dir()).unwrap_or(Path::new("/"))
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&OsString, &OsString)> {
        self.0.iter()
    }
}

impl FromIterator<(OsString, OsString)> for Variables {
    fn from_iter<T: IntoIterator<Item = (OsString, OsString)>>(variables: T) -> Self {
        Variables(variables.into_iter().collect())
    }
}

/// The environment of the user's login shell, asked for when it is needed. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct LoginEnvironment(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shell: PathBuf,
    /// What a login shell is started with, and what is used when it says nothing.
    own: Variables,
    patience: Duration,
    lifetime: Duration,
    known: Mutex<Option<Known>>,
    /// Held by the one who asks.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Known {
    variables: Arc<Variables>,
    since: Instant,
}

impl LoginEnvironment {
    /// The environment that `shell`, an absolute path, has as a login shell.
    pub(crate) fn new(shell: &Path) -> Self {
        Self::with(shell, std::env::vars_os().collect(), PATIENCE, LIFETIME)
    }

    /// As [`new`](Self::new), with another environment than the daemon's, and other times.
    pub(crate) fn with(
        shell: &Path,
        own: Variables,
        patience: Duration,
        lifetime: Duration,
    ) -> Self {
        LoginEnvironment(Arc::new(Inner {
            shell: shell.to_owned(),
            own: complete(own, shell),
            patience,
            lifetime,
            known: Mutex::new(None),
            turn: tokio::sync::Mutex::new(()),
        }))
    }

    /// The variables; `HOME`, `LANG`, `LOGNAME`, `PATH`, `SHELL` and `USER` are always among
    /// them. At most a minute old, and here after 5 s at the latest: a shell that does not say
    /// them in that time is killed, and the daemon's own are used for the next minute.
    pub(crate) async fn get(&self) -> Arc<Variables> {
        if let Some(variables) = self.known() {
            return variables;
        }
        // In a task of its own: whoever no longer wants to know stops nobody else from it.
        let this = self.clone();
        let asked = tokio::spawn(async move { this.ask().await }).await;
        asked.unwrap_or_else(|_| Arc::new(self.0.own.clone()))
    }

    fn known(&self) -> Option<Arc<Variables>> {
        let known = self.lock();
        let fresh = known.as_ref().filter(|known| known.since.elapsed() < self.0.lifetime);
        fresh.map(|known| Arc::clone(&known.variables))
    }

    async fn ask(&self) -> Arc<Variables> {
        let inner = &*self.0;
        let _turn = inner.turn.lock().await;
        if let Some(variables) = self.known() {
            return variables;
        }
        let said = timeout(inner.patience, ask(&inner.shell, &inner.own)).await;
        let variables = match said.map_err(|_| "it took too long").flatten() {
            Ok(said) => complete(said, &inner.shell),
            Err(reason) => {
                let shell = inner.shell.display();
                tracing::warn!(%shell, reason, "no environment from the login shell");
                inner.own.clone()
            }
        };
        let variables = Arc::new(variables);
        let since = Instant::now();
        *self.lock() = Some(Known { variables: Arc::clone(&variables), since });
        variables
    }

    fn lock(&self) -> MutexGuard<'_, Option<Known>> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs a login shell to learn its environment. Everything that it started in its process group
/// is killed when this is over or dropped.
async fn ask(shell: &Path, own: &Variables) -> Result<Variables, &'static str> {
    let mut command = Command::new(shell);
    command
        .args(["-l", "-c", SAY])
        .env_clear()
        .envs(own.iter())
        .env("TERM", "dumb")
        .current_dir(own.start())
        .stdout(Stdio::piped());
    let mut group = ProcessGroup::spawn(&mut command).map_err(|_| "it cannot be started")?;
    let output = group.output().ok_or("it has no output")?;
    let said = read(output).await?;
    parse(&said).ok_or("it did not say it")
}

/// Reads until the end mark. What holds the output open for longer is not waited for.
async fn read(output: impl AsyncRead + Unpin) -> Result<Vec<u8>, &'static str> {
    let mut output = output.take(MAX_OUTPUT as u64);
    let mut said = Vec::new();
    loop {
        let seen = said.len().saturating_sub(END.len());
        let count = output.read_buf(&mut said).await.map_err(|_| "it cannot be read")?;
        if position(&said[seen..], END).is_some() {
            return Ok(said);
        }
        if count == 0 {
            let full = said.len() >= MAX_OUTPUT;
            return Err(if full { "it says too much" } else { "it did not say it" });
        }
    }
}

/// The variables between the marks, without those that are foreign to a session.
pub(crate) fn parse(said: &[u8]) -> Option<Variables> {
    let from = position(said, BEGIN)? + BEGIN.len();
    // The NUL behind the last variable is the mark's first byte; there may be no variable.
    let to = position(&said[from - 1..], END)? + from - 1;
    let entries = said[from..to.max(from)].split(|byte| *byte == 0);
    let variables = entries.filter_map(|entry| {
        let equals = entry.iter().position(|byte| *byte == b'=').filter(|at| *at > 0)?;
        let (name, value) = (&entry[..equals], &entry[equals + 1..]);
        Some((OsStr::from_bytes(name).to_owned(), OsStr::from_bytes(value).to_owned()))
    });
    Some(variables.collect())
}

fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// Takes out what is foreign to a session, and adds what no program should miss.
fn complete(mut variables: Variables, shell: &Path) -> Variables {
    variables.0.retain(|name, _| !is_foreign(name));
    let owned = |name| variables.get(name).map(OsStr::to_owned);
    let found = || std::env::home_dir().filter(|home| home.is_absolute());
    let home = owned("HOME").unwrap_or_else(|| found().unwrap_or_else(|| "/".into()).into());
    let last = || Path::new(&home).file_name().map(OsStr::to_owned);
    let user = owned("USER").or_else(|| owned("LOGNAME")).or_else(last);
    let user = user.unwrap_or_else(|| "user".into());
    let defaults = [
        ("HOME", home),
        ("LANG", LANG.into()),
        ("LOGNAME", user.clone()),
        ("PATH", PATH.into()),
        ("SHELL", shell.into()),
        ("USER", user),
    ];
    for (name, default) in defaults {
        if variables.get(name).is_none() {
            variables.0.insert(name.into(), default);
        }
    }
    variables
}

fn is_foreign(name: &OsStr) -> bool {
    let name = name.as_bytes();
    FOREIGN.iter().any(|foreign| foreign.as_bytes() == name)
        || FOREIGN_PREFIXES.iter().any(|prefix| name.starts_with(prefix.as_bytes()))
}

#[cfg(not(target_os = "macos"))]
const LANG: &str = "C.UTF-8";
#[cfg(target_os = "macos")]
const LANG: &str = "en_US.UTF-8";

#[cfg(not(target_os = "macos"))]
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
#[cfg(target_os = "macos")]
const PATH: &str = "/opt/homebrew/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";

#[cfg(test)]
#[path = "environment_tests.rs"]
mod tests;
