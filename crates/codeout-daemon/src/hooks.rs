//! Commands of the daemon's user that run when something happens to a session.

use std::collections::VecDeque;
use std::io;
use std::process::{ExitStatus as Status, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use codeout_protocol::message::{ExitStatus, SessionId};
use codeout_protocol::name::{Name, clean_text};
use tokio::process::Command;
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::environment::LoginEnvironment;
use crate::process_group::ProcessGroup;
use crate::settings::HookSettings;

/// Commands that run at once.
const AT_ONCE: usize = 4;
/// Commands that wait for their turn; more are dropped.
const MAX_WAITING: usize = 64;
/// How long a command may run.
const PATIENCE: Duration = Duration::from_secs(30);
/// The most bytes of a program's, a title's and a notification's text.
const MAX_TEXT: usize = 1_024;
/// The most bytes of a directory.
const MAX_PATH: usize = 4_096;

/// What happened to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HookKind {
    Opened,
    Bell,
    Notification,
    Quiet,
    Title,
    Ended,
}

impl HookKind {
    /// As `CODEOUT_EVENT` says it.
    fn name(self) -> &'static str {
        match self {
            HookKind::Opened => "opened",
            HookKind::Bell => "bell",
            HookKind::Notification => "notification",
            HookKind::Quiet => "quiet",
            HookKind::Title => "title",
            HookKind::Ended => "ended",
        }
    }
}

/// Something that happened to a session. Its texts are as the program or a device gave them.
#[derive(Debug, Clone)]
pub(crate) struct HookEvent {
    pub(crate) kind: HookKind,
    pub(crate) session: SessionId,
    pub(crate) name: String,
    pub(crate) program: String,
    pub(crate) directory: String,
    /// Of the window, or of a notification.
    pub(crate) title: Option<String>,
    /// Of a notification.
    pub(crate) text: Option<String>,
    pub(crate) exit: Option<ExitStatus>,
}

impl HookEvent {
    /// What a command is told of it: nothing in it can act on a terminal.
    fn variables(&self) -> Vec<(&'static str, String)> {
        let mut variables = vec![
            ("CODEOUT_EVENT", self.kind.name().to_owned()),
            ("CODEOUT_SESSION", self.session.to_string()),
            ("CODEOUT_SESSION_NAME", clean_text(&self.name, Name::MAX_BYTES)),
            ("CODEOUT_PROGRAM", clean_text(&self.program, MAX_TEXT)),
            ("CODEOUT_DIRECTORY", clean_text(&self.directory, MAX_PATH)),
        ];
        let title = self.title.as_ref().map(|title| clean_text(title, MAX_TEXT));
        let text = self.text.as_ref().map(|text| clean_text(text, MAX_TEXT));
        let exit = self.exit.map(|exit| match exit {
            ExitStatus::Exit(code) => code.to_string(),
            ExitStatus::Signal(signal) => format!("signal {signal}"),
        });
        let may_miss = [("CODEOUT_TITLE", title), ("CODEOUT_TEXT", text), ("CODEOUT_EXIT", exit)];
        variables.extend(may_miss.into_iter().filter_map(|(name, value)| Some((name, value?))));
        variables
    }
}

/// Runs the commands. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Hooks(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: HookSettings,
    environment: LoginEnvironment,
    patience: Duration,
    runtime: Handle,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    running: usize,
    waiting: VecDeque<Job>,
    /// Since there was room last.
    dropped: u64,
}

/// A command that is due.
#[derive(Debug)]
struct Job {
    command: String,
    event: Arc<HookEvent>,
}

impl Hooks {
    /// Hooks that run on the runtime that this is called on.
    pub(crate) fn new(settings: &HookSettings, environment: LoginEnvironment) -> Self {
        Self::with(settings, environment, PATIENCE)
    }

    fn with(settings: &HookSettings, environment: LoginEnvironment, patience: Duration) -> Self {
        Hooks(Arc::new(Inner {
            settings: settings.clone(),
            environment,
            patience,
            runtime: Handle::current(),
            queue: Mutex::default(),
        }))
    }

    /// Runs the commands for this event, if there are any. Returns at once, and may be called
    /// from any thread. When too many wait already, the command is dropped and the log says so.
    pub(crate) fn run(&self, event: HookEvent) {
        let HookSettings { opened, bell, notification, quiet, title, ended, all } =
            &self.0.settings;
        let own = match event.kind {
            HookKind::Opened => opened,
            HookKind::Bell => bell,
            HookKind::Notification => notification,
            HookKind::Quiet => quiet,
            HookKind::Title => title,
            HookKind::Ended => ended,
        };
        let event = Arc::new(event);
        for command in [own, all].into_iter().flatten() {
            self.add(Job { command: command.clone(), event: Arc::clone(&event) });
        }
    }

    fn add(&self, job: Job) {
        let mut queue = self.lock();
        if queue.running < AT_ONCE {
            queue.running += 1;
            let this = self.clone();
            self.0.runtime.spawn(async move { this.work(job).await });
        } else if queue.waiting.len() < MAX_WAITING {
            queue.waiting.push_back(job);
        } else {
            queue.dropped += 1;
            if queue.dropped == 1 {
                tracing::warn!(waiting = MAX_WAITING, "too many hooks wait: some are dropped");
            }
        }
    }

    /// Runs a command, and those that wait, until none does.
    async fn work(&self, job: Job) {
        let mut next = Some(job);
        while let Some(job) = next {
            self.run_one(&job).await;
            next = self.next();
        }
    }

    /// The command that has waited longest. `None` ends the worker that asks.
    fn next(&self) -> Option<Job> {
        let mut queue = self.lock();
        let next = queue.waiting.pop_front();
        if next.is_none() {
            queue.running -= 1;
        }
        let dropped = std::mem::take(&mut queue.dropped);
        if dropped > 0 {
            tracing::warn!(dropped, "hooks were dropped");
        }
        next
    }

    async fn run_one(&self, job: &Job) {
        let (event, session) = (job.event.kind.name(), job.event.session);
        match timeout(self.0.patience, self.run_command(job)).await {
            Ok(Ok(status)) if status.success() => {}
            Ok(Ok(status)) => tracing::warn!(event, session, %status, "a hook failed"),
            Ok(Err(error)) => tracing::warn!(event, session, %error, "a hook cannot be run"),
            Err(_) => tracing::warn!(event, session, "a hook took too long and was killed"),
        }
    }

    async fn run_command(&self, job: &Job) -> io::Result<Status> {
        let environment = self.0.environment.get().await;
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", &job.command])
            .env_clear()
            .envs(environment.iter())
            .envs(job.event.variables())
            .current_dir(environment.start())
            .stdout(Stdio::null());
        ProcessGroup::spawn(&mut command)?.wait().await
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "hooks_tests.rs"]
mod tests;
