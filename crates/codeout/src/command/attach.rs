//! `codeout attach`: a shell on a daemon's computer, in this terminal.

use std::process::ExitCode;
use std::sync::Arc;

use codeout_device::{
    Attempt, Backoff, Connection, Profile, SessionInput, SessionOutput, SessionReader, connect,
    connect_with_backoff,
};
use codeout_protocol::message::{ExitStatus, MAX_TERMINAL_SIDE};
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Mutex, mpsc};

use crate::cli::AttachArgs;
use crate::command::daemons::profiles;
use crate::command::device_words;
use crate::console::{Signals, terminal_size};
use crate::failure::Failure;
use crate::home::Home;
use crate::raw_terminal::RawTerminal;
use crate::screen::Screen;
use crate::ui;

/// Where there is no terminal.
const DEFAULT_SIZE: (u16, u16) = (80, 24);
/// Ctrl-]: what comes behind it is for this program.
const ESCAPE: u8 = 0x1d;
/// What the end of a piped input becomes: Ctrl-D.
const END_OF_INPUT: u8 = 0x04;

/// How an attachment ended.
enum End {
    /// The session's program ended.
    Program(ExitStatus),
    /// The user left.
    Left,
    /// A signal told this process to end.
    Signal(u8),
    /// It failed.
    Failed(Failure),
}

pub(crate) async fn run(args: AttachArgs, home: &Home) -> Result<ExitCode, Failure> {
    let profile = profiles(home)?.find(args.on.as_deref()).map_err(device_words::find_error)?;
    let connection = dial(&profile, args.wait).await?;
    let (columns, rows) = size();
    let session = connection
        .open_session(columns, rows)
        .await
        .map_err(|error| device_words::request_failed(error, &profile.name))?;
    let (input, reader) = session.split();

    let terminal = RawTerminal::enter()?;
    if terminal.is_some() {
        // Printed into the terminal as it is now: raw, so that a line feed does not return.
        ui::note(format!("attached to {}: Ctrl-] then d leaves\r", profile.name));
    }
    let (is_terminal, name) = (terminal.is_some(), profile.name.clone());
    // Beside the task that reads the connection: an echo then wakes no other thread.
    let relaying = tokio::spawn(async move {
        let input = Arc::new(Mutex::new(input));
        let end = relay(input, &connection, reader, is_terminal, &name).await;
        (end, connection)
    });
    let (end, connection) = match relaying.await {
        Ok(ended) => ended,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    };
    drop(terminal);
    if !matches!(end, Ok(End::Failed(_))) {
        connection.close().await;
    }
    match end? {
        End::Program(ExitStatus::Exit(status)) => Ok(ExitCode::from(status)),
        End::Program(ExitStatus::Signal(signal)) | End::Signal(signal) => {
            Ok(ExitCode::from(128 | signal))
        }
        End::Left => {
            // Behind whatever the program left on the line.
            ui::note(format!("\nleft {}; the session has ended", profile.name));
            Ok(ExitCode::SUCCESS)
        }
        End::Failed(failure) => Err(failure),
    }
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

fn size() -> (u16, u16) {
    let (columns, rows) = terminal_size().unwrap_or(DEFAULT_SIZE);
    (columns.min(MAX_TERMINAL_SIDE), rows.min(MAX_TERMINAL_SIDE))
}

/// Moves bytes both ways until one side ends.
async fn relay(
    input: Arc<Mutex<SessionInput>>,
    connection: &Connection,
    mut reader: SessionReader,
    is_terminal: bool,
    name: &str,
) -> Result<End, Failure> {
    let mut ends = Signals::new()?;
    let (left, mut leaving) = mpsc::channel(1);
    let for_keys = Arc::clone(&input);
    let runtime = Handle::current();
    // Waits in the kernel for keys, and sends them from there: a key takes no detour.
    std::thread::spawn(move || read_keys(&runtime, &for_keys, is_terminal, &left));
    // Leaving drops whatever the others wait for: a full terminal, a program that does not read.
    tokio::select! {
        Some(()) = leaving.recv() => Ok(End::Left),
        signal = ends.any() => Ok(End::Signal(signal)),
        end = show(&mut reader, connection, name) => end,
        error = follow_size(&input) => Err(error),
    }
}

/// Shows the session's output until it ends.
async fn show(
    reader: &mut SessionReader,
    connection: &Connection,
    name: &str,
) -> Result<End, Failure> {
    let screen = Screen::open();
    loop {
        match reader.read().await {
            Some(SessionOutput::Bytes(bytes)) => {
                if let Some(status) = screen.show(bytes, reader).await? {
                    return Ok(End::Program(status));
                }
            }
            Some(SessionOutput::Ended(status)) => return Ok(End::Program(status)),
            None => {
                let closed = connection.closed().await;
                return Ok(End::Failed(device_words::closed(closed, name)));
            }
        }
    }
}

/// Gives the session this terminal's size whenever it changes.
async fn follow_size(input: &Mutex<SessionInput>) -> Failure {
    let mut resized = match signal(SignalKind::window_change()) {
        Ok(resized) => resized,
        Err(error) => return error.into(),
    };
    while resized.recv().await.is_some() {
        let (columns, rows) = size();
        // A session that cannot be resized still works.
        let _ = input.lock().await.resize(columns, rows).await;
    }
    std::future::pending().await
}

fn read_keys(
    runtime: &Handle,
    input: &Mutex<SessionInput>,
    is_terminal: bool,
    left: &mpsc::Sender<()>,
) {
    let write =
        |bytes: &[u8]| runtime.block_on(async { input.lock().await.write_input(bytes).await });
    let mut buffer = vec![0; 16 * 1024];
    let mut escape = Escape::default();
    loop {
        let read = match rustix::io::read(rustix::stdio::stdin(), &mut buffer) {
            Ok(0) | Err(rustix::io::Errno::IO) => break,
            Ok(read) => read,
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => break,
        };
        let (typed, leave) = if is_terminal {
            escape.pass(&buffer[..read])
        } else {
            (buffer[..read].to_vec(), false)
        };
        if !typed.is_empty() && write(&typed).is_err() {
            return;
        }
        if leave {
            // Whoever listens is there as long as the session.
            let _ = left.blocking_send(());
            return;
        }
    }
    let _ = write(&[END_OF_INPUT]);
}

/// Finds the way out among the keys: Ctrl-] then d.
#[derive(Default)]
struct Escape {
    pending: bool,
}

impl Escape {
    /// The keys that go on to the session, and whether the user leaves behind them.
    fn pass(&mut self, keys: &[u8]) -> (Vec<u8>, bool) {
        let mut typed = Vec::with_capacity(keys.len() + 1);
        for &key in keys {
            match (std::mem::take(&mut self.pending), key) {
                (false, ESCAPE) => self.pending = true,
                (true, b'd' | b'D') => return (typed, true),
                // Twice is once.
                (true, ESCAPE) | (false, _) => typed.push(key),
                (true, _) => typed.extend([ESCAPE, key]),
            }
        }
        (typed, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(chunks: &[&[u8]]) -> (Vec<u8>, bool) {
        let mut escape = Escape::default();
        let mut all = Vec::new();
        for chunk in chunks {
            let (typed, leave) = escape.pass(chunk);
            all.extend(typed);
            if leave {
                return (all, true);
            }
        }
        (all, false)
    }

    #[test]
    fn the_way_out_is_found_wherever_reads_split() {
        assert_eq!(pass(&[b"ls\x1dd"]), (b"ls".to_vec(), true));
        assert_eq!(pass(&[b"ls\x1d", b"d"]), (b"ls".to_vec(), true));
        assert_eq!(pass(&[b"\x1d\x1dd"]), (b"\x1dd".to_vec(), false));
        assert_eq!(pass(&[b"\x1dx"]), (b"\x1dx".to_vec(), false));
        assert_eq!(pass(&[b"dd"]), (b"dd".to_vec(), false));
    }
}
