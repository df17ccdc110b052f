//! The daemon's terminal: lines that stay, one line that lives, keys that act at once.

use std::io::{IsTerminal, Read, Write};
use std::sync::Arc;

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
        let terminal =
            keys.map(|keys| Terminal { _keys: keys, pressed: read_keys(), living: String::new() });
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

    /// The next key; never, for plain lines.
    pub(crate) async fn key(&mut self) -> u8 {
        match &mut self.terminal {
            Some(terminal) => match terminal.pressed.recv().await {
                Some(key) => key,
                None => std::future::pending().await,
            },
            None => std::future::pending().await,
        }
    }

    /// Prints a line that stays.
    pub(crate) fn line(&mut self, line: &str) {
        self.erase_living();
        ui::say(line);
        self.draw_living();
    }

    /// Prints lines whose colours are data and stay whatever the user's taste in colours.
    pub(crate) fn picture(&mut self, lines: &[String]) {
        self.erase_living();
        let mut stdout = std::io::stdout().lock();
        for line in lines {
            let _ = writeln!(stdout, "{line}");
        }
        drop(stdout);
        self.draw_living();
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
        if let Some(terminal) = &mut self.terminal
            && terminal.living != fitting
        {
            terminal.living = fitting;
            self.erase_living();
            self.draw_living();
        }
    }

    fn erase_living(&self) {
        if self.terminal.is_some() {
            let mut stdout = std::io::stdout().lock();
            let _ = stdout.write_all(b"\r\x1b[K");
            let _ = stdout.flush();
        }
    }

    fn draw_living(&self) {
        if let Some(terminal) = &self.terminal {
            let mut stdout = std::io::stdout().lock();
            let _ = stdout.write_all(terminal.living.as_bytes());
            let _ = stdout.flush();
        }
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        self.erase_living();
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
        while let Ok(1) = std::io::stdin().lock().read(&mut key) {
            if sender.send(key[0]).is_err() {
                break;
            }
        }
    });
    receiver
}

/// The signals that ask a process to end.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for one of them; its number.
    pub(crate) async fn any(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => 2,
            _ = self.terminate.recv() => 15,
            _ = self.hangup.recv() => 1,
        }
    }

    /// Waits for one of them but a hangup, which means nothing where there is no terminal.
    pub(crate) async fn end(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
