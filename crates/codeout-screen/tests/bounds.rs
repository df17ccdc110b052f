//! Whatever a program writes, memory stays bounded and the work is done.

mod snapshot;

use codeout_screen::{HistoryLimits, Screen};
use snapshot::snapshot;

const MIB: usize = 1 << 20;
/// What a screen of 80 by 24 may take beside its history and links.
const MOST_BESIDE: usize = MIB;
/// The most that links take.
const MOST_LINKS: usize = 8 * MIB;

fn screen(limits: HistoryLimits) -> Screen {
    Screen::new(80, 24, limits)
}

/// Feeds `piece` again and again until it was so many bytes, as they come from a pseudo-terminal.
fn feed(screen: &mut Screen, piece: &[u8], total: usize) {
    let chunk = piece.repeat((64 << 10) / piece.len());
    for _ in 0..total.div_ceil(chunk.len()) {
        screen.feed(&chunk);
    }
}

#[test]
fn one_line_without_an_end() {
    let mut screen = screen(HistoryLimits::default());
    feed(&mut screen, b"0123456789abcdef", 512 * MIB);
    assert_eq!(screen.history().count(), HistoryLimits::default().lines);
    assert!(screen.memory() < 4 * MIB, "{} bytes", screen.memory());
    assert!(screen.last_line().ends_with("0123456789abcdef"));
    // It wraps anew as one line, and that is bounded, too.
    screen.resize(200, 50);
    assert!(screen.memory() < 4 * MIB, "{} bytes", screen.memory());
}

#[test]
fn an_idle_screen_with_full_history() {
    let word = |n: usize| format!("\x1b[3{}mword{n}\x1b[m ", n % 8);
    let coloured: String = (0..12).map(word).collect::<String>() + "\r\n";
    let plain =
        "The quick brown fox jumps over the lazy dog, and then it does so once more....\r\n";
    let wide = "漢字とかなを混ぜた文章と中文字符と한국어 문장이 한 줄에 있다 그리고 끝.\r\n";
    for line in [plain, &coloured, wide] {
        let mut screen = screen(HistoryLimits::default());
        feed(&mut screen, line.as_bytes(), 8 * MIB);
        assert_eq!(screen.history().count(), 10_000);
        let memory = screen.memory();
        assert!(memory < 3 * MIB, "{memory} bytes with lines {line:?}");
    }
}

#[test]
fn the_history_is_bounded_in_lines_and_in_bytes() {
    let mut few = screen(HistoryLimits { lines: 7, bytes: MIB });
    feed(&mut few, b"line\r\n", MIB);
    assert_eq!(few.history().count(), 7);

    let mut small = screen(HistoryLimits { lines: 10_000, bytes: 64 << 10 });
    feed(&mut small, b"\x1b[1;35mmany more bytes than columns\x1b[m\r\n", 4 * MIB);
    assert!(small.history_memory() <= 65 << 10, "{} bytes", small.history_memory());
    assert!(small.history().count() > 500);

    let mut none = screen(HistoryLimits { lines: 0, bytes: MIB });
    feed(&mut none, b"line\r\n", MIB);
    assert!(none.history().is_empty());
}

/// Every cell of its own style, link or combination of characters, and names without an end.
#[test]
fn hostile_output_fills_no_memory() {
    let numbered = |format: fn(u32) -> String| (0..400_000).map(format).collect::<String>();
    let styles = numbered(|n| format!("\x1b[38;2;{};{};{}mx", n >> 16, n >> 8 & 255, n & 255));
    let links = numbered(|n| format!("\x1b]8;id={n};http://a.test/{n}\x07x"));
    let accents =
        numbered(|n| format!("x{}\u{301}", char::from_u32(0x300 + n % 64).unwrap_or(' ')));
    let one_cell = format!("x{}", "\u{301}\u{300}".repeat(2_000_000));
    let name = format!("\x1b]2;{}", "name".repeat(2_000_000));
    let device_string = format!("\x1bP1;2q{}", "#0~".repeat(2_000_000));
    let names = "\x1b]0;another name\x07\x1b[22;0t".repeat(400_000);
    let keyboard = "\x1b[>31u".repeat(1_000_000);
    let numbers = format!("\x1b[{}", "1;2:3;".repeat(1_000_000));
    let marks = format!("\x1b[{}", " !\"#$%&'".repeat(1_000_000));
    let told = numbered(|n| format!("\x1b]99;i={n}:d=0;{}\x07", "part".repeat(9)));
    let all = [
        styles,
        links,
        accents,
        one_cell,
        name,
        device_string,
        names,
        keyboard,
        numbers,
        marks,
        told,
    ];
    let limits = HistoryLimits { lines: 10_000, bytes: 2 * MIB };
    for bytes in all {
        let mut screen = screen(limits);
        bytes.as_bytes().chunks(4096).for_each(|part| screen.feed(part));
        let begin: String = bytes.chars().take(40).collect();
        let beside = screen.memory() - screen.history_memory();
        assert!(screen.history_memory() <= 3 * MIB, "{begin:?}: {}", screen.history_memory());
        assert!(beside <= MOST_BESIDE + MOST_LINKS, "{begin:?}: {beside} bytes");
        assert!(snapshot(&screen).len() <= 16 * MIB, "{begin:?}");
        assert!(screen.title().len() <= 256 && screen.take_signals().len() <= 32, "{begin:?}");
    }
}

/// Numbers that say how often cost no more than the screen has cells.
#[test]
fn great_numbers_are_little_work() {
    let mut screen = screen(HistoryLimits::default());
    for last in
        ["b", "S", "T", "L", "M", "@", "P", "X", "I", "Z", "A", "B", "C", "D", " @", " A", "'}"]
    {
        let sequence = format!("x\x1b[10;10H\x1b[4294967295{last}");
        feed(&mut screen, sequence.as_bytes(), 256 << 10);
    }
    assert!(screen.memory() < 4 * MIB);
}

#[test]
fn sides_are_brought_into_bounds() {
    let mut screen = Screen::new(0, 0, HistoryLimits::default());
    assert_eq!((screen.columns(), screen.rows()), (2, 1));
    screen.feed("中a\u{301}\r\n".as_bytes());
    screen.resize(u16::MAX, u16::MAX);
    assert_eq!((screen.columns(), screen.rows()), (2000, 2000));
    screen.feed(b"\x1b[44m\x1b[2J\x1b#8\x1b[10000Lx");
    assert!(screen.memory() < 80 * MIB, "{} bytes", screen.memory());
    screen.resize(0, 0);
    assert_eq!((screen.columns(), screen.rows()), (2, 1));
}

/// As it is sent to a device that takes it slowly, while the program goes on.
#[test]
fn a_history_may_be_written_in_parts() {
    let mut screen = screen(HistoryLimits { lines: 300, bytes: MIB });
    feed(&mut screen, "\x1b[32mgreen\x1b[m, and 中文 that wraps, ".repeat(5).as_bytes(), 64 << 10);
    let mut parts = Vec::new();
    screen.write_prologue(&mut parts);
    let mut next = 0;
    while next < screen.history().end {
        let before = parts.len();
        next = screen.write_history(next, 1000, &mut parts);
        assert!(parts.len() - before < 2000, "a part has its budget and one line");
    }
    screen.write_screen(&mut parts);
    let mut other = self::screen(HistoryLimits { lines: 300, bytes: MIB });
    other.feed(&parts);
    assert_eq!(snapshot(&other), snapshot(&screen));
}
