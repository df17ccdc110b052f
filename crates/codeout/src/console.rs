//! The daemon's terminal: lines that stay, one line that lives, keys that act at once.
//!
//! A terminal that is closed ends whoever shows something in it, also where no signal tells of it.
//! Plain lines go on whatever becomes of them: a reader that leaves, or a full disk, is no reason to
//! end sessions.

use std::future::poll_fn;
use std::io::{self, ErrorKind, IsTerminal, Read, Write};
use std::sync::Arc;
use std::task::Poll;

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr,
};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use unicode_width::UnicodeWidthStr;

use crate::ui;

/// Where the daemon's words go: a terminal with keys, or plain lines.
pub(crate) struct Console {
    terminal: Option<Terminal>,
}

struct Terminal {
    // Restores the terminal when this goes, on whatever way.
    _keys: Arc<KeyMode>,
    pressed: mpsc::UnboundedReceiver<u8>,
    living: String,
    /// Printed since the last picture.
    rows_behind: usize,
    /// Nobody sees or types anything any more.
    is_closed: bool,
}

/// What a special key of a terminal is set to, so that there is none (POSIX `_POSIX_VDISABLE`).
const NO_KEY: u8 = if cfg!(target_os = "macos") { 0xff } else { 0 };

/// Keys come one by one and unseen; Ctrl-C is still a signal. Ctrl-Z is none: devices would find a
/// daemon that answers nothing.
struct KeyMode {
    before: Termios,
}

impl KeyMode {
    fn enter() -> Option<Arc<Self>> {
        let stdin = std::io::stdin();
        let before = tcgetattr(&stdin).ok()?;
        let mut modes = before.clone();
        modes.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
        modes.special_codes[SpecialCodeIndex::VSUSP] = NO_KEY;
        tcsetattr(&stdin, OptionalActions::Now, &modes).ok()?;
        Some(Arc::new(KeyMode { before }))
    }
}

impl Drop for KeyMode {
    fn drop(&mut self) {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.before);
    }
}

impl Console {
    /// Whether standard input and output are a terminal.
    pub(crate) fn is_possible() -> bool {
        std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
    }

    /// Takes the terminal, if there is one. From then on every key is this console's.
    pub(crate) fn open() -> Self {
        let keys = Self::is_possible().then(KeyMode::enter).flatten();
        let terminal = keys.map(|keys| Terminal {
            _keys: keys,
            pressed: read_keys(),
            living: String::new(),
            rows_behind: 0,
            is_closed: false,
        });
        Console { terminal }
    }

    /// Whether there are keys and a living line.
    pub(crate) fn is_terminal(&self) -> bool {
        self.terminal.is_some()
    }

    /// The terminal's columns and rows; `None` for plain lines.
    pub(crate) fn size(&self) -> Option<(u16, u16)> {
        self.terminal.as_ref()?;
        terminal_size()
    }

    /// How many rows were printed behind the last picture; none, for plain lines.
    pub(crate) fn rows_behind(&self) -> usize {
        self.terminal.as_ref().map_or(0, |terminal| terminal.rows_behind)
    }

    /// The next key, or `None` when the terminal was closed; never, for plain lines.
    pub(crate) async fn key(&mut self) -> Option<u8> {
        let Some(terminal) = &mut self.terminal else { return std::future::pending().await };
        if terminal.is_closed {
            return None;
        }
        match terminal.pressed.recv().await {
            Some(key) => Some(key),
            None if is_gone() => None,
            // Another program has the keyboard for good.
            None => std::future::pending().await,
        }
    }

    /// Prints a line that stays.
    pub(crate) fn line(&mut self, line: &str) {
        let Some(terminal) = &mut self.terminal else { return ui::say(line) };
        let columns = terminal_size().map_or(80, |(columns, _)| usize::from(columns).max(1));
        terminal.rows_behind += line.width().div_ceil(columns).max(1);
        terminal.above(|| writeln!(anstream::stdout(), "{line}"));
    }

    /// Prints lines whose colours are data and stay whatever the user's taste in colours.
    pub(crate) fn picture(&mut self, lines: &[String]) {
        let print = || {
            let mut stdout = io::stdout().lock();
            lines.iter().try_for_each(|line| writeln!(stdout, "{line}"))
        };
        let Some(terminal) = &mut self.terminal else { return ui::spoken(print()) };
        terminal.rows_behind = 0;
        terminal.above(print);
    }

    /// Replaces the living line; plain lines have none.
    pub(crate) fn live(&mut self, text: &str) {
        self.live_one_of(&[text]);
    }

    /// As [`live`](Self::live), with the first of these that has room; else with what has room of
    /// the last.
    pub(crate) fn live_one_of(&mut self, texts: &[&str]) {
        let columns = terminal_size().map_or(80, |(columns, _)| usize::from(columns));
        let room = columns.saturating_sub(1);
        let text = texts.iter().find(|text| text.width() <= room).or(texts.last());
        let fitting: String = text.map_or("", |text| text).chars().take(room).collect();
        if let Some(terminal) = &mut self.terminal {
            // Something else may have been said in its place.
            let is_drawn = ui::is_living() || fitting.is_empty();
            if terminal.living != fitting || !is_drawn {
                terminal.living = fitting;
                terminal.above(|| Ok(()));
            }
        }
    }
}

impl Terminal {
    /// Writes above the living line. Whatever else writes to the terminal waits for that.
    fn above(&mut self, write: impl FnOnce() -> io::Result<()>) {
        let _turn = io::stdout().lock();
        self.erase();
        self.write(write);
        self.draw();
    }

    fn erase(&mut self) {
        ui::set_living(false);
        self.write(|| print(ui::ERASE_LINE));
    }

    fn draw(&mut self) {
        let living = std::mem::take(&mut self.living);
        // Before it is written: a panic meanwhile erases it.
        ui::set_living(!living.is_empty());
        self.write(|| print(&living));
        self.living = living;
    }

    /// Writes, unless nobody sees it.
    fn write(&mut self, write: impl FnOnce() -> io::Result<()>) {
        if !self.is_closed && write().is_err() {
            self.is_closed = is_gone();
        }
    }
}

fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Whether the terminal is no more, and not just another program's for now.
fn is_gone() -> bool {
    tcgetattr(io::stdin()).is_err() || tcgetattr(io::stdout()).is_err()
}

impl Drop for Console {
    fn drop(&mut self) {
        if let Some(terminal) = &mut self.terminal {
            let _turn = io::stdout().lock();
            terminal.erase();
        }
    }
}

/// The columns and rows of the terminal that standard output is.
pub(crate) fn terminal_size() -> Option<(u16, u16)> {
    let size = tcgetwinsize(std::io::stdout()).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then_some((size.ws_col, size.ws_row))
}

/// Reads keys on a thread of its own: it waits in the kernel until the process ends.
fn read_keys() -> mpsc::UnboundedReceiver<u8> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        let mut key = [0];
        loop {
            match io::stdin().lock().read(&mut key) {
                Ok(1) if sender.send(key[0]).is_ok() => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                _ => break,
            }
        }
    });
    receiver
}

/// The signals that end a process, so that it leaves its terminal as it found it.
pub(crate) struct Signals {
    all: Vec<(u8, Signal)>,
}

impl Signals {
    pub(crate) fn new() -> io::Result<Self> {
        let usual = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let others = [
            SignalKind::quit(),
            SignalKind::alarm(),
            SignalKind::user_defined1(),
            SignalKind::user_defined2(),
        ];
        // Without a terminal there is nothing to restore, and whoever ignores them goes on to.
        let others = if io::stdin().is_terminal() { &others[..] } else { &[] };
        let kinds = usual.iter().chain(others).copied();
        let listen = |kind: SignalKind| {
            let number = u8::try_from(kind.as_raw_value()).map_err(io::Error::other)?;
            Ok((number, signal(kind)?))
        };
        Ok(Signals { all: kinds.map(listen).collect::<io::Result<_>>()? })
    }

    /// Waits for one of them; its number.
    pub(crate) async fn any(&mut self) -> u8 {
        poll_fn(|context| {
            let mut came = self.all.iter_mut().filter_map(|(number, signal)| {
                signal.poll_recv(context).is_ready().then_some(*number)
            });
            came.next().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// Waits for one of them but a hangup, which means nothing where there is no terminal.
    pub(crate) async fn end(&mut self) {
        while i32::from(self.any().await) == SignalKind::hangup().as_raw_value() {}
    }
}
