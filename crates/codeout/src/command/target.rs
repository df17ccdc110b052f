//! Which daemon a command is for: this machine's own if it runs, else the only paired one, else
//! the one that `--on` names.

use std::path::PathBuf;

use codeout_daemon::control;
use codeout_device::{
    Attempt, Backoff, ConnectError, Connection, Daemon, Profile, State, connect, connect_local,
    connect_with_backoff,
};
use codeout_protocol::message::{Answer, Request, SessionEntry};

use crate::command::daemons::profiles;
use crate::command::device_words;
use crate::failure::{Code, Failure};
use crate::home::Home;
use crate::ui;

/// A daemon, and a connection to it.
pub(crate) struct Target {
    pub(crate) daemon: Daemon,
    pub(crate) connection: Connection,
    /// What `--on` named, for commands that are suggested.
    pub(crate) on: Option<String>,
}

impl Target {
    /// Finds the daemon and connects. With `wait`, keeps trying while it cannot be reached.
    pub(crate) async fn find(home: &Home, on: Option<&str>, wait: bool) -> Result<Self, Failure> {
        if let Some(on) = on {
            let profile = profiles(home)?.find(Some(on)).map_err(device_words::find_error)?;
            let connection = dial(&profile, wait).await?;
            let daemon = Daemon::Paired(Box::new(profile));
            return Ok(Target { daemon, connection, on: Some(on.to_owned()) });
        }
        let socket = control::socket(&home.daemon());
        if let Some(target) = local(socket).await? {
            return Ok(target);
        }
        let profile = only_paired(home)?;
        let connection = dial(&profile, wait).await?;
        Ok(Target { daemon: Daemon::Paired(Box::new(profile)), connection, on: None })
    }

    /// Whether it is this machine's own.
    pub(crate) fn is_local(&self) -> bool {
        matches!(self.daemon, Daemon::Local(_))
    }

    pub(crate) async fn ask(&self, request: Request) -> Result<Answer, Failure> {
        let answered = self.connection.request(request).await;
        answered.map_err(|error| device_words::request_failed(error, self.daemon.name()))
    }

    pub(crate) async fn sessions(&self) -> Result<Vec<SessionEntry>, Failure> {
        let listed = self.connection.sessions().await;
        listed.map_err(|error| device_words::request_failed(error, self.daemon.name()))
    }
}

/// The daemon of this machine, if it runs.
async fn local(socket: PathBuf) -> Result<Option<Target>, Failure> {
    match connect_local(&socket).await {
        Ok(connection) => Ok(Some(Target { daemon: Daemon::Local(socket), connection, on: None })),
        Err(ConnectError::NoDaemon { .. }) => Ok(None),
        Err(ConnectError::Incompatible) => {
            let text = "the daemon that runs on this machine is of another version";
            Err(Failure::new(Code::NotCodeout, text)
                .hint("`codeout restart` makes it this one, and keeps its sessions"))
        }
        Err(error) => Err(device_words::connect_error(&error, None)),
    }
}

/// The one daemon that this machine is paired with.
fn only_paired(home: &Home) -> Result<Profile, Failure> {
    let mut list = profiles(home)?.list().map_err(|error| device_words::store_error(&error))?;
    list.retain(|profile| profile.state == State::Paired);
    if list.len() > 1 {
        let names: Vec<_> = list.iter().map(|profile| profile.name.as_str()).collect();
        let first = ui::quoted(names[0]);
        let text = format!("this machine is paired with several daemons: {}", names.join(", "));
        return Err(Failure::new(Code::NotFound, text).hint(format!("name one: --on {first}")));
    }
    list.pop().ok_or_else(|| {
        let text = "codeout does not run on this machine, and it is paired with no daemon";
        Failure::new(Code::Unreachable, text).hint(
            "start it with `codeout start`, or pair with one on another machine: `codeout join`",
        )
    })
}

async fn dial(profile: &Profile, wait: bool) -> Result<Connection, Failure> {
    let dialled = if wait {
        let mut told = false;
        let mut tell = |attempt: Attempt<'_>| {
            if !std::mem::replace(&mut told, true) {
                ui::note(format!("{}; trying again until it works", attempt.error));
            }
        };
        connect_with_backoff(profile, Backoff::default(), &mut tell).await
    } else {
        connect(profile).await
    };
    dialled.map_err(|error| device_words::connect_error(&error, Some(&profile.name)))
}
