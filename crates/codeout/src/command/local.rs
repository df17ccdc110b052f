//! The daemon of this machine, whether it runs or not.

use codeout_daemon::control::{Client, ClientError, TrailLines};
use codeout_daemon::stopped::{Stopped, StoppedError};
use codeout_daemon::trail::{Entry, Query};
use codeout_protocol::message::DeviceEntry;

use crate::command::words;
use crate::failure::{Code, Failure};
use crate::home::Home;

/// The daemon of this machine: asked where it runs, else its files.
pub(crate) enum Local {
    Running(Client),
    Stopped(Box<Stopped>),
}

/// What is read of the audit trail.
pub(crate) enum Trail {
    /// As a running daemon sends it.
    Lines(Box<TrailLines>),
    All(Vec<Entry>),
}

impl Local {
    /// Finds it. `None` when no daemon has ever run here.
    pub(crate) async fn find(home: &Home) -> Result<Option<Self>, Failure> {
        let directory = home.daemon();
        if let Some(client) = Client::connect(&directory).await {
            return Ok(Some(Local::Running(client)));
        }
        match Stopped::open(&directory) {
            Ok(stopped) => Ok(Some(Local::Stopped(Box::new(stopped)))),
            Err(StoppedError::Never) => Ok(None),
            // It was about to start or to stop.
            Err(StoppedError::Running) => match Client::connect(&directory).await {
                Some(client) => Ok(Some(Local::Running(client))),
                None => Err(Failure::new(Code::Unreachable, "the daemon does not answer")
                    .hint("it is starting or stopping: try again in a moment")),
            },
            Err(error) => Err(words::stopped_error(&error)),
        }
    }

    pub(crate) async fn devices(self) -> Result<Vec<DeviceEntry>, Failure> {
        match self {
            Local::Running(client) => client.devices().await.map_err(words::client_error),
            Local::Stopped(stopped) => stopped.devices().map_err(words::control_error),
        }
    }

    pub(crate) async fn revoke(self, device: &str) -> Result<DeviceEntry, Failure> {
        match self {
            Local::Running(client) => client.revoke(device).await.map_err(words::client_error),
            Local::Stopped(stopped) => stopped.revoke(device).map_err(words::control_error),
        }
    }

    /// The audit trail; a daemon that runs tells also what comes, with `follow`.
    pub(crate) async fn trail(self, query: Query, follow: bool) -> Result<Trail, ClientError> {
        match self {
            Local::Running(client) => {
                let lines = client.trail(query, follow).await?;
                Ok(Trail::Lines(Box::new(lines)))
            }
            Local::Stopped(stopped) => Ok(Trail::All(stopped.trail(&query)?)),
        }
    }

    pub(crate) async fn rename(self, device: &str, name: &str) -> Result<DeviceEntry, Failure> {
        match self {
            Local::Running(client) => {
                client.rename(device, name).await.map_err(words::client_error)
            }
            Local::Stopped(stopped) => stopped.rename(device, name).map_err(words::control_error),
        }
    }
}
