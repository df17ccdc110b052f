//! The daemon and its devices in real terminals: keys, questions, raw mode.

mod bare_terminal;
mod terminal;

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::Command;

use bare_terminal::{Watched, in_a_bare_terminal, read_some, read_until};
use rustix::process::Signal;
use rustix::termios::{LocalModes, tcgetattr};
use tempfile::TempDir;
use terminal::Terminal;

const CODEOUT: &str = env!("CARGO_BIN_EXE_codeout");

struct Machine {
    home: TempDir,
    terminal: Terminal,
}

impl Machine {
    fn new() -> Self {
        Machine::with(Terminal::new(80, 24))
    }

    fn with(terminal: Terminal) -> Self {
        Machine { home: tempfile::tempdir().expect("a temporary directory"), terminal }
    }

    fn home(&self) -> String {
        format!("CODEOUT_HOME={}", self.home.path().display())
    }

    fn run(&self, arguments: &[&str]) {
        let home = self.home();
        let mut command = vec!["env", home.as_str(), "SHELL=/bin/sh", "PS1=sh> ", CODEOUT];
        command.extend(arguments);
        self.terminal.run(command);
    }

    /// Starts a daemon; returns its address and code.
    fn daemon(&self, arguments: &[&str]) -> (String, String) {
        let mut all = vec!["--port", "0", "--bind", "127.0.0.1"];
        all.extend(arguments);
        self.run(&all);
        // On a small terminal the code alone is what has room.
        let is_shown = |screen: &terminal::Screen| screen.text().split_whitespace().any(is_code);
        let screen = self.terminal.wait_until_screen("a code", is_shown).text();
        (address(&screen), code(&screen))
    }

    fn fingerprint(&self) -> String {
        let mut command = Command::new(CODEOUT);
        command.arg("fingerprint").env("CODEOUT_HOME", self.home.path());
        let output = command.output().expect("codeout runs");
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    }
}

/// Where the terminal has room for it.
fn address(screen: &str) -> String {
    let address = screen.split_once("codeout -> ").map(|(_, rest)| rest.split_whitespace().next());
    address.flatten().unwrap_or_default().to_owned()
}

fn is_code(word: &str) -> bool {
    word.len() == 14 && word.split('-').all(|part| part.len() == 4)
}

fn code(screen: &str) -> String {
    screen.split_whitespace().find(|word| is_code(word)).expect("a pairing code").to_owned()
}

#[test]
fn a_question_that_is_left_open_ends_its_line() {
    let laptop = Machine::new();
    laptop.run(&["join", "http://127.0.0.1:1"]);
    laptop.terminal.wait_until("pairing code:");
    laptop.terminal.send_keys(&["C-d"]);
    laptop.terminal.wait_until("\ncodeout: an address needs");
}

#[test]
fn a_typed_code_is_compared_by_eye_and_a_shell_opens() {
    let (desk, laptop) = (Machine::new(), Machine::new());
    let (address, code) = desk.daemon(&["--name", "desk"]);
    laptop.run(&["join", &address, &code, "--name", "laptop"]);
    let asked = laptop.terminal.wait_until("do they match? [y/n]").text();
    assert!(asked.contains(&desk.fingerprint()), "{asked}");
    // The daemon shows it before the answer: it is there to be compared.
    let told = desk.terminal.wait_until("confirm this matches what the app shows").text();
    assert!(told.contains("device paired: laptop"), "{told}");
    assert!(told.contains(&format!("daemon fingerprint: {}", desk.fingerprint())), "{told}");
    laptop.terminal.send_keys(&["y", "Enter"]);
    laptop.terminal.wait_until("paired with desk as laptop");

    laptop.run(&["open", "shell", "--name", "work", "--on", "desk"]);
    let is_prompt = |screen: &terminal::Screen| !screen.text().trim().is_empty();
    laptop.terminal.wait_until_screen("a prompt", is_prompt);
    laptop.terminal.send_keys(&["stty size; echo si''gn", "Enter"]);
    laptop.terminal.wait_until("24 80");
    laptop.terminal.wait_until("sign");
    // Ctrl-C is the session's, not ours.
    laptop.terminal.send_keys(&["cat", "Enter", "twice", "Enter"]);
    let twice = |screen: &terminal::Screen| screen.text().matches("twice").count() == 2;
    laptop.terminal.wait_until_screen("what cat repeats", twice);
    laptop.terminal.send_keys(&["C-c"]);
    laptop.terminal.wait_until("^C");
    laptop.terminal.send_keys(&["echo fur''ther", "Enter"]);
    laptop.terminal.wait_until("further");
    laptop.terminal.send_keys(&["C-]", "d"]);
    laptop.terminal.wait_until("left work; it runs on: `codeout attach --on desk work`");

    // What was on the screen is there again, and the shell is the same one.
    laptop.run(&["attach", "work", "--on", "desk"]);
    let shown = laptop.terminal.wait_until("further").text();
    assert_eq!(shown.matches("twice").count(), 2, "{shown}");
    laptop.terminal.send_keys(&["exit 7", "Enter"]);
    laptop.terminal.wait_until("work has ended with status 7");
}

#[test]
fn a_code_is_asked_for_and_fingerprints_that_differ_forget_everything() {
    let (desk, laptop) = (Machine::new(), Machine::new());
    let (address, code) = desk.daemon(&[]);
    laptop.run(&["join", &address]);
    laptop.terminal.wait_until("pairing code:");
    laptop.terminal.send_keys(&["K7QM-3FB", "Enter"]);
    laptop.terminal.wait_until("a code looks like K7QM-3FBR-9TZX");
    laptop.terminal.send_keys(&[&code.to_lowercase(), "Enter"]);
    laptop.terminal.wait_until("do they match? [y/n]");
    laptop.terminal.send_keys(&["n", "Enter"]);
    // The last of what it says of that.
    let screen = laptop.terminal.wait_until("forgotten").text();
    assert!(screen.contains("the fingerprints differ"), "{screen}");
    laptop.run(&["daemons"]);
    laptop.terminal.wait_until("this machine is paired with no daemon");
}

#[test]
fn a_fresh_code_ends_the_one_before() {
    let desk = Machine::new();
    let (_, first) = desk.daemon(&[]);
    // Ctrl-Z does not suspend it.
    desk.terminal.send_keys(&["C-z", "n"]);
    let other = |screen: &terminal::Screen| code(&screen.text()) != first;
    let screen = desk.terminal.wait_until_screen("another code", other);
    assert_ne!(code(&screen.text()), first);
}

#[test]
fn a_session_is_not_attached_within_itself() {
    let desk = Machine::new();
    desk.daemon(&[]);
    let window = Terminal::new(80, 24);
    let home = desk.home.path().to_str().expect("text");
    window.run(["env", "PS1=sh> ", CODEOUT, "open", "--home", home, "--name", "work"]);
    window.wait_until_screen("a prompt", |screen| !screen.text().trim().is_empty());
    window.send_keys(&[&format!("{CODEOUT} attach --home {home} work"), "Enter"]);
    window.wait_until("show itself without end");
}

#[test]
fn a_confirming_daemon_asks_before_a_device_gets_in() {
    let (desk, laptop) = (Machine::new(), Machine::new());
    let (address, code) = desk.daemon(&["--confirm"]);
    let print = desk.fingerprint();
    let join = ["join", &address, &code, "--fingerprint", &print, "--name", "laptop"];
    laptop.run(&join);
    desk.terminal.wait_until("laptop at 127.0.0.1 has the code");
    laptop.terminal.wait_until("waiting for a yes at the daemon");
    desk.terminal.send_keys(&["d"]);
    desk.terminal.wait_until("declined: the code is spent");
    laptop.terminal.wait_until("the pairing was declined at the daemon");
}

#[test]
fn a_terminal_too_small_for_the_qr_shows_the_code_and_the_link() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let terminal = Terminal::new(40, 16);
    let home = format!("CODEOUT_HOME={}", home.path().display());
    terminal.run(["env", &home, CODEOUT, "--port", "0", "--bind", "127.0.0.1"]);
    let screen = terminal.wait_until("too small for the QR").text();
    assert_eq!(code(&screen).len(), 14);
    terminal.wait_until("/#");
}

#[test]
fn a_second_daemon_offers_a_code_from_the_first() {
    let desk = Machine::new();
    let (_, first) = desk.daemon(&[]);
    let second = Terminal::new(80, 24);
    let home = desk.home();
    second.run(["env", &home, CODEOUT, "--port", "0"]);
    second.wait_until("show a fresh pairing code from it? [y/n]");
    second.send_keys(&["y", "Enter"]);
    let screen = second.wait_until("expires in").text();
    assert_ne!(code(&screen), first);
    desk.terminal.wait_until("another terminal or device shows a newer code");
}

#[test]
fn the_code_stays_on_the_smallest_terminal() {
    let desk = Machine::with(Terminal::new(20, 5));
    let (_, shown) = desk.daemon(&[]);
    // The link, which is longer than the terminal, and the page anew.
    let stays = |terminal: &Terminal, key: &str, says: &str, code: &str| {
        terminal.send_keys(&[key]);
        let is_there = |screen: &terminal::Screen| {
            let screen = screen.text();
            // In one piece, at the beginning of the last line that has text.
            let last = screen.trim_end().lines().last().unwrap_or_default();
            screen.contains(says) && last.starts_with(code)
        };
        terminal.wait_until_screen(&format!("{says} above {code}"), is_there);
    };
    stays(&desk.terminal, "l", "/#", &shown);
    stays(&desk.terminal, "a", "pair a device", &shown);

    let other = Terminal::new(20, 5);
    other.run(["env", &desk.home(), CODEOUT, "pair"]);
    let is_shown = |screen: &terminal::Screen| screen.text().split_whitespace().any(is_code);
    let fresh = code(&other.wait_until_screen("a code", is_shown).text());
    assert_ne!(fresh, shown);
    stays(&other, "l", "/#", &fresh);
    stays(&other, "a", "pair a device", &fresh);
}

#[test]
fn a_small_terminal_tells_the_way_out_of_a_session() {
    let desk = Machine::new();
    desk.daemon(&[]);
    let window = Terminal::new(20, 5);
    let home = desk.home();
    window.run(["env", &home, CODEOUT, "open", "--name", "work", "--", "/bin/cat"]);
    window.wait_until("Ctrl-] d: leave");
}

#[test]
fn the_code_stays_when_news_move_its_page_away() {
    let desk = Machine::new();
    let (_, shown) = desk.daemon(&[]);
    let last = |screen: &terminal::Screen| {
        screen.text().trim_end().lines().last().unwrap_or_default().trim().to_owned()
    };
    let is_below = |screen: &terminal::Screen| last(screen).starts_with("expires in");
    desk.terminal.wait_until_screen("the countdown alone, below the page", is_below);
    // Each prints the link, which takes two lines.
    desk.terminal.send_keys(&["l"; 12]);
    let stays = |screen: &terminal::Screen| last(screen).starts_with(&shown);
    desk.terminal.wait_until_screen("the code in the last line", stays);
    desk.terminal.send_keys(&["a"]);
    desk.terminal.wait_until_screen("the page again", is_below);
}

#[test]
fn what_else_is_said_begins_on_a_line_of_its_own() {
    let desk = Machine::new();
    let home = desk.home();
    let log = "CODEOUT_LOG=codeout_daemon=debug";
    desk.terminal.run(["env", &home, log, CODEOUT, "--port", "0", "--bind", "127.0.0.1"]);
    let screen = desk.terminal.wait_until("expires in").text();
    let address = address(&screen).replace("http://localhost", "127.0.0.1");
    let mut stranger = std::net::TcpStream::connect(address).expect("the daemon listens");
    stranger.write_all(b"no HTTP\r\n\r\n").expect("the daemon reads");
    let screen = desk.terminal.wait_until("HTTP ended").text();
    let told = screen.lines().find(|line| line.contains("HTTP ended")).unwrap_or_default();
    assert!(told.starts_with("20") && told.contains("DEBUG"), "{screen}");
    desk.terminal.wait_until("expires in");
}

/// A daemon in a terminal that controls nothing, whose code is shown, and what was shown so far.
fn daemon_in_a_bare_terminal(home: &TempDir, log: &str) -> (Watched, File, Vec<u8>) {
    let mut codeout = Command::new(CODEOUT);
    codeout.args(["--port", "0", "--bind", "127.0.0.1"]).env("CODEOUT_HOME", home.path());
    codeout.env("CODEOUT_LOG", log);
    let (daemon, mut user) = in_a_bare_terminal(codeout);
    let mut shown = Vec::new();
    read_until(&mut user, &mut shown, "expires in");
    (daemon, user, shown)
}

#[test]
fn whatever_signal_ends_it_the_terminal_is_as_it_was() {
    let is_as_it_was = |user: &File| {
        let modes = tcgetattr(user).expect("a terminal").local_modes;
        modes.contains(LocalModes::ICANON | LocalModes::ECHO)
    };
    let home = tempfile::tempdir().expect("a temporary directory");
    for signal in [Signal::QUIT, Signal::USR1, Signal::ALARM] {
        let (mut daemon, user, _) = daemon_in_a_bare_terminal(&home, "error");
        assert!(!is_as_it_was(&user));
        daemon.signal(signal);
        assert!(daemon.ended().success(), "{signal:?}");
        assert!(is_as_it_was(&user), "{signal:?}");
    }
    let (mut daemon, _user, _) = daemon_in_a_bare_terminal(&home, "error");
    let codeout = |words: &[&str]| {
        let mut codeout = Command::new(CODEOUT);
        codeout.args(words).env("CODEOUT_HOME", home.path());
        codeout
    };
    let program = ["sh", "-c", "echo it runs; exec cat"];
    let open = codeout(&["open", "-d", "--name", "work", "--"]).args(program).output();
    assert!(open.expect("codeout runs").status.success());
    for signal in [
        Signal::HUP,
        Signal::INT,
        Signal::QUIT,
        Signal::USR1,
        Signal::USR2,
        Signal::ALARM,
        Signal::TERM,
    ] {
        let (mut attached, mut user) = in_a_bare_terminal(codeout(&["attach", "work"]));
        read_until(&mut user, &mut Vec::new(), "it runs");
        assert!(!is_as_it_was(&user));
        attached.signal(signal);
        assert_eq!(attached.ended().code(), Some(128 + signal.as_raw()));
        assert!(is_as_it_was(&user), "{signal:?}");
    }
    daemon.signal(Signal::TERM);
    assert!(daemon.ended().success());
}

#[test]
fn nothing_that_is_said_stands_behind_a_line_that_is_drawn_meanwhile() {
    const TIMES: usize = 4000;
    let home = tempfile::tempdir().expect("a temporary directory");
    let log = "codeout_daemon=debug";
    let (_daemon, mut user, mut shown) = daemon_in_a_bare_terminal(&home, log);
    let address =
        address(&String::from_utf8_lossy(&shown)).replace("http://localhost", "127.0.0.1");
    let strangers = std::thread::spawn(move || {
        for _ in 0..TIMES {
            let mut stranger = std::net::TcpStream::connect(&address).expect("the daemon listens");
            stranger.write_all(b"no HTTP\r\n\r\n").expect("the daemon reads");
            stranger.read_to_end(&mut Vec::new()).expect("the daemon answers");
        }
    });
    let mut keys = user.try_clone().expect("a copy");
    // Each draws a line anew.
    let presser = std::thread::spawn(move || {
        for _ in 0..TIMES {
            keys.write_all(b"l").expect("the daemon reads its keys");
        }
    });
    let mut told = 0;
    while told < TIMES {
        let before = shown.len().saturating_sub(b"HTTP ende".len());
        read_some(&mut user, &mut shown);
        told += shown[before..].windows(10).filter(|some| some == b"HTTP ended").count();
    }
    strangers.join().and_then(|()| presser.join()).expect("all was sent");
    let shown = String::from_utf8_lossy(&shown).replace("\r\x1b[K", "\n");
    for line in shown.lines().filter(|line| line.contains("HTTP ended")) {
        assert!(line.trim_start_matches("\x1b[2m").starts_with("20"), "{line:?}");
    }
}

#[test]
fn a_daemon_ends_well_when_its_terminal_is_gone() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let (mut daemon, user, _) = daemon_in_a_bare_terminal(&home, "error");
    drop(user);
    assert!(daemon.ended().success(), "it went on without its terminal");
}
