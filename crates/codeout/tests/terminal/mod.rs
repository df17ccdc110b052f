//! A real terminal to run programs in: tmux, with nobody attached and no configuration.

#![allow(dead_code, reason = "each test file uses its own part")]

mod screen;

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

#[allow(unused_imports, reason = "each test file uses its part")]
pub(crate) use screen::{Colour, Font, Picture, Screen, Theme};

/// How long a program may take to show what a test waits for. Only a failing test takes so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a program, then stays. tmux may lose what a program printed in its last moment if that
/// was the terminal's last moment too. Ctrl-C is for the program alone.
const STAY: &str = r#"trap : INT QUIT; "$@"; exec cat"#;

/// A terminal, gone with all that runs in it when dropped.
pub(crate) struct Terminal {
    columns: u16,
    rows: u16,
    /// Holds the server's socket: no two terminals meet, and none meets the user's own.
    directory: TempDir,
    watcher: Child,
    /// The watcher leaves when this closes.
    _watcher_input: ChildStdin,
    /// One message for everything that the watcher is told, the program's output among it.
    news: Receiver<()>,
}

impl Terminal {
    /// An empty terminal.
    pub(crate) fn new(columns: u16, rows: u16) -> Terminal {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (width, height) = (columns.to_string(), rows.to_string());
        succeed(
            tmux(&directory)
                .args(["start-server", ";", "set-option", "-g", "status", "off", ";"])
                .args(["new-session", "-d", "-x", &width, "-y", &height, "exec cat"]),
        );

        // A client in control mode is told of all output at once; tmux has drawn it by then.
        let mut watcher = tmux(&directory)
            .args(["-C", "attach-session", "-f", "ignore-size"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("tmux runs");
        let input = watcher.stdin.take().expect("the watcher's input");
        let output = BufReader::new(watcher.stdout.take().expect("the watcher's output"));
        let (sender, news) = channel();
        thread::spawn(move || {
            for line in output.split(b'\n') {
                if line.is_err() || sender.send(()).is_err() {
                    return;
                }
            }
        });
        let terminal = Terminal { columns, rows, directory, watcher, _watcher_input: input, news };
        // Its first line says that it is attached: from here on it misses nothing.
        terminal.news.recv_timeout(PATIENCE).expect("the watcher attaches");
        terminal
    }

    /// Runs a program on an empty screen, in place of the one before it. What it has shown
    /// stays when it ends.
    pub(crate) fn run<A: AsRef<OsStr>>(&self, program: impl IntoIterator<Item = A>) {
        // A new pane in a new window: one started anew in its old place would lose output,
        // because tmux would go on counting from where the watcher was before.
        let mut command = self.tmux();
        command.args(["new-window", "-k", "-t", ":0", "sh", "-c", STAY, "sh"]);
        succeed(command.args(program));
    }

    /// Presses keys, by tmux's names for them: `a`, `Enter`, `C-c`.
    pub(crate) fn send_keys(&self, keys: &[&str]) {
        succeed(self.tmux().arg("send-keys").args(keys));
    }

    /// Gives the window another size, as its user does with the mouse.
    pub(crate) fn resize(&mut self, columns: u16, rows: u16) {
        let (width, height) = (columns.to_string(), rows.to_string());
        succeed(self.tmux().args(["resize-window", "-t", ":0", "-x", &width, "-y", &height]));
        (self.columns, self.rows) = (columns, rows);
    }

    /// What tmux says of the window, in its own words for it: `#{mouse_sgr_flag}`.
    pub(crate) fn state(&self, format: &str) -> String {
        succeed(self.tmux().args(["display-message", "-p", "-t", ":0", format])).trim().to_owned()
    }

    /// The screen as it is now.
    pub(crate) fn capture(&self) -> Screen {
        let captured = succeed(self.tmux().args(["capture-pane", "-p", "-e", "-N"]));
        Screen::parse(&captured, self.columns, self.rows)
    }

    /// The screen once it shows `text`.
    pub(crate) fn wait_until(&self, text: &str) -> Screen {
        self.wait_until_screen(text, |screen| screen.text().contains(text))
    }

    /// The screen once it is as wanted; `what` names that should it never be.
    pub(crate) fn wait_until_screen(&self, what: &str, wanted: impl Fn(&Screen) -> bool) -> Screen {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // What was drawn before the capture is no news after it.
            while self.news.try_recv().is_ok() {}
            let screen = self.capture();
            if wanted(&screen) {
                return screen;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if self.news.recv_timeout(left).is_err() {
                panic!("the terminal never showed {what:?}, but:\n{}", self.capture().text());
            }
        }
    }

    fn tmux(&self) -> Command {
        tmux(&self.directory)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Failing here would hide the test's own failure.
        let _ = self.tmux().arg("kill-server").output();
        let _ = self.watcher.wait();
    }
}

fn tmux(directory: &TempDir) -> Command {
    let mut command = Command::new("tmux");
    command.args(["-u", "-f", "/dev/null", "-S"]).arg(directory.path().join("tmux.sock"));
    // The tests may themselves be running in a tmux, or where no UTF-8 is set up.
    command.env_remove("TMUX").env_remove("TMUX_PANE").env("LC_ALL", "C.UTF-8");
    command
}

fn succeed(command: &mut Command) -> String {
    let output = command.output().expect("tmux is installed");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed: {complaint}");
    String::from_utf8(output.stdout).expect("tmux prints UTF-8")
}
