//! `codeout attach`: a session in this terminal.

mod filter;
mod keys;
mod shadow;
mod status;
mod window;

use std::process::ExitCode;
use std::time::Duration;

use codeout_device::{
    Backoff, Daemon, LastingEnd, LastingInput, LastingOptions, LastingReader, attach_lasting,
};
use codeout_protocol::message::{ExitStatus, Request, SessionEntry, TerminalSize};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::cli::{AttachArgs, WindowArgs};
use crate::command::target::Target;
use crate::command::{device_words, session};
use crate::console::Signals;
use crate::detach_key::DetachKey;
use crate::failure::{Code, Failure};
use crate::home::Home;
use crate::raw_terminal::RawTerminal;
use crate::settings_file::Settings;
use crate::ui;

use filter::Word;
use status::Names;
use window::Window;
pub(crate) use window::own_size;

/// How long taking an ended session off the list may take.
const DISMISS_TIME: Duration = Duration::from_secs(3);

/// How an attachment ended.
enum End {
    /// The user left.
    Left,
    /// A signal told this process to end.
    Signal(u8),
    /// It is over by itself.
    Over(LastingEnd),
}

/// How a session is shown.
pub(crate) struct Look {
    detach_key: DetachKey,
    keep_size: bool,
}

impl Look {
    /// What was typed, else what the settings say.
    pub(crate) fn new(args: &WindowArgs, home: &Home) -> Result<Self, Failure> {
        let detach_key = match args.detach_key {
            Some(key) => key,
            None => Settings::read(home)?.detach_key.unwrap_or_default(),
        };
        Ok(Look { detach_key, keep_size: args.keep_size })
    }
}

pub(crate) async fn run(args: AttachArgs, home: &Home) -> Result<ExitCode, Failure> {
    let look = Look::new(&args.window, home)?;
    let target = Target::find(home, args.on.as_deref(), args.wait).await?;
    let entry = session::to_attach(&target, args.session.as_deref()).await?;
    if target.is_local() && is_here(&entry) {
        let text =
            format!("this terminal is that of {}: it would show itself without end", entry.name);
        return Err(Failure::new(Code::Usage, text).hint("attach it in another terminal"));
    }
    show(target, entry, &look).await
}

/// Whether this program runs in the session.
fn is_here(entry: &SessionEntry) -> bool {
    let own = std::env::var("CODEOUT_SESSION").ok().and_then(|number| number.parse().ok());
    own == Some(entry.session)
}

/// Attaches to a session until it ends, or the user leaves.
pub(crate) async fn show(
    target: Target,
    entry: SessionEntry,
    look: &Look,
) -> Result<ExitCode, Failure> {
    let Target { daemon, connection, on } = target;
    let typing = !connection.welcome().device.limits.watch_only;
    let size = own_size();
    let options = LastingOptions {
        session: entry.session,
        history: None,
        typing,
        size: size.filter(|_| typing && !look.keep_size),
        backoff: Backoff::default(),
    };
    let attached = attach_lasting(daemon.clone(), connection, options).await;
    let (entry, input, reader) =
        attached.map_err(|error| device_words::request_failed(error, daemon.name()))?;

    let names = Names::new(&entry, &daemon, look.detach_key, typing);
    // One that comes while the terminal changes is to find it restored.
    let ends = Signals::new()?;
    let terminal = RawTerminal::enter()?;
    if terminal.is_some() {
        greet(&names);
    }
    let key = terminal.is_some().then_some(look.detach_key);
    let entry_size = TerminalSize { columns: entry.columns, rows: entry.rows };
    let window = Window::new(names, size, entry_size);
    // Beside the task that reads the connection: an echo then wakes no other thread.
    let relaying = tokio::spawn(relay(window, input, reader, typing, key, ends));
    let end = match relaying.await {
        Ok(ended) => ended,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    };
    drop(terminal);
    finish(end?, &daemon, &entry, on.as_deref()).await
}

/// Says how it ended, with what exit code.
async fn finish(
    end: End,
    daemon: &Daemon,
    entry: &SessionEntry,
    on: Option<&str>,
) -> Result<ExitCode, Failure> {
    match end {
        End::Over(LastingEnd::Session(status)) => {
            dismiss(daemon, entry).await;
            ui::note(format!("{} has ended {}", entry.name, ui::ending(status)));
            Ok(match status {
                ExitStatus::Exit(status) => ExitCode::from(status),
                ExitStatus::Signal(signal) => ExitCode::from(128 | signal),
            })
        }
        End::Over(end) => Err(over(end, &entry.name, daemon.name(), on)),
        End::Left => {
            left(&entry.name, on);
            Ok(ExitCode::SUCCESS)
        }
        End::Signal(signal) => {
            left(&entry.name, on);
            Ok(ExitCode::from(128 | signal))
        }
    }
}

/// Printed into a raw terminal, where a line feed does not return.
fn greet(names: &Names) {
    let Names { session, key, .. } = names;
    match names.typing {
        true => ui::note(format!("attached to {session}: {key} then d leaves it running\r")),
        false => {
            ui::note(format!("watching {session}: this device may only watch\r"));
            ui::note(format!("  {key} then d leaves\r"));
        }
    }
}

fn left(name: &str, on: Option<&str>) {
    ui::note(format!("left {name}; it runs on: {}", ui::suggested("attach", on, Some(name))));
}

/// Moves bytes both ways until one side ends.
async fn relay(
    mut window: Window,
    input: LastingInput,
    mut reader: LastingReader,
    typing: bool,
    key: Option<DetachKey>,
    mut ends: Signals,
) -> Result<End, Failure> {
    let (words, mut heard) = mpsc::unbounded_channel();
    keys::read(Handle::current(), typing.then(|| input.clone()), key, words);
    let end = {
        let mut showing = std::pin::pin!(window.show(&mut reader, &input));
        loop {
            // Leaving drops whatever is waited for: a full terminal, a program that does not read.
            tokio::select! {
                // An echo is shown before anything else is looked at.
                biased;
                end = &mut showing => break end.map(End::Over),
                Some(word) = heard.recv() => match word {
                    Word::Leave => break Ok(End::Left),
                    Word::TakeSize => if typing && let Some(size) = own_size() {
                        input.take_size(size);
                    },
                },
                signal = ends.any() => break Ok(End::Signal(signal)),
            }
        }
    };
    window.leave().await;
    if !matches!(end, Ok(End::Over(_))) {
        // Nobody reads any more: what comes until the goodbye is not waited for.
        drop(reader);
        input.close().await;
    }
    end
}

/// Whoever saw how a session ended takes it off the list. If that fails, it stays there.
async fn dismiss(daemon: &Daemon, entry: &SessionEntry) {
    let dismissing = async {
        let connection = daemon.connect().await.ok()?;
        let dismissed = connection.request(Request::Dismiss { session: entry.session }).await;
        connection.close().await;
        dismissed.ok()
    };
    let _ = tokio::time::timeout(DISMISS_TIME, dismissing).await;
}

/// Why an attachment is over though its session is not known to have ended.
fn over(end: LastingEnd, name: &str, daemon: &str, on: Option<&str>) -> Failure {
    match end {
        LastingEnd::Closed(closed) => device_words::closed(closed, daemon),
        LastingEnd::Connect(error) => device_words::connect_error(&error, Some(daemon)),
        LastingEnd::Gone(error) => {
            let sessions = ui::suggested("sessions", on, None);
            Failure::new(Code::NoSession, format!("{name} is gone: {}", error.message))
                .hint(format!("{sessions} lists the sessions that there are"))
        }
        end => Failure::new(Code::Other, end.to_string()),
    }
}
