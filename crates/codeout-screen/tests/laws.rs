//! What holds for any bytes.

mod snapshot;
mod streams;

use codeout_screen::{HistoryLimits, Screen};
use proptest::prelude::*;
use snapshot::snapshot;
use streams::{Step, bytes, steps};

const LIMITS: HistoryLimits = HistoryLimits { lines: 20, bytes: 1 << 16 };

fn again(screen: &Screen, limits: HistoryLimits) -> Screen {
    let mut other = Screen::new(screen.columns(), screen.rows(), limits);
    other.feed(&snapshot(screen));
    other
}

#[track_caller]
fn assert_same(one: &Screen, other: &Screen, why: &str) {
    let (one, other) = (snapshot(one), snapshot(other));
    assert!(one == other, "{why}:\n  {}\n  {}", one.escape_ascii(), other.escape_ascii());
}

fn run(screen: &mut Screen, step: &Step) {
    match step {
        Step::Feed(bytes) => screen.feed(bytes),
        Step::Resize(columns, rows) => screen.resize(*columns, *rows),
    }
}

proptest! {
    #[test]
    fn a_snapshot_is_the_screen(steps in steps(), more in bytes()) {
        let mut screen = Screen::new(10, 5, LIMITS);
        steps.iter().for_each(|step| run(&mut screen, step));
        let mut other = again(&screen, LIMITS);
        assert_same(&screen, &other, "at once");
        for part in more.chunks(7) {
            screen.feed(part);
            other.feed(part);
            assert_same(&screen, &other, &format!("behind {}", part.escape_ascii()));
        }
    }

    #[test]
    fn a_snapshot_may_be_taken_anywhere(bytes in bytes()) {
        let mut screen = Screen::new(7, 3, LIMITS);
        for (at, byte) in bytes.iter().enumerate() {
            screen.feed(&[*byte]);
            assert_same(&screen, &again(&screen, LIMITS), &bytes[..=at].escape_ascii().to_string());
        }
    }

    #[test]
    fn chunks_do_not_matter(bytes in bytes(), size in 1usize..9) {
        let (mut whole, mut parts) = (Screen::new(9, 4, LIMITS), Screen::new(9, 4, LIMITS));
        whole.feed(&bytes);
        bytes.chunks(size).for_each(|part| parts.feed(part));
        assert_same(&whole, &parts, "in parts");
        prop_assert_eq!(whole.take_signals(), parts.take_signals());
        prop_assert_eq!(whole.history(), parts.history());
    }

    #[test]
    fn nothing_panics(
        parts in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..300), bytes()), 1..8),
        sizes in prop::collection::vec((1u16..30, 1u16..12), 8),
    ) {
        let mut screen = Screen::new(8, 3, LIMITS);
        for ((any, typical), (columns, rows)) in parts.iter().zip(sizes) {
            screen.feed(any);
            screen.feed(typical);
            screen.resize(columns, rows);
            let mut view = Vec::new();
            screen.write_view(2, 1, 5, 2, &mut view);
            again(&screen, LIMITS).last_line();
            let (x, y) = screen.cursor();
            prop_assert!(x < screen.columns() && y < screen.rows());
        }
    }

    #[test]
    fn what_is_skipped_would_have_scrolled_away(
        before in bytes(),
        lines in lines(),
        after in bytes(),
        rows in 1u16..6,
        kept in 0usize..6,
        step in 1usize..100,
    ) {
        let limits = HistoryLimits { lines: kept, bytes: 1 << 16 };
        let bytes = [before.clone(), lines, after].concat();
        let (mut whole, mut parts) = (Screen::new(9, rows, limits), Screen::new(9, rows, limits));
        whole.feed(&before);
        whole.feed(&bytes[before.len()..]);
        bytes.chunks(11).for_each(|part| parts.feed(part));
        assert_same(&whole, &parts, "skipped");

        // Step by step, what waits being in several parts.
        let mut late = Screen::new(9, rows, limits);
        late.feed(&before);
        let (mut seen, mut come) = (before.len(), before.len());
        while come < bytes.len() {
            come = bytes.len().min(come + step);
            let waiting: Vec<&[u8]> = bytes[seen..come].chunks(7).collect();
            seen += late.skip(&waiting);
        }
        late.feed(&bytes[seen..]);
        assert_same(&whole, &late, "skipped step by step");
    }

    #[test]
    fn a_size_and_back_leaves_text(
        text in prop::collection::vec("[a-z中é ]{0,40}[a-z]", 1..6),
        columns in 2u16..40,
        rows in 2u16..12,
    ) {
        let mut screen = Screen::new(20, 8, HistoryLimits::default());
        screen.feed(text.join("\r\n").as_bytes());
        let before = all_text(&screen);
        screen.resize(columns, rows);
        prop_assert_eq!(&all_text(&screen), &before);
        screen.resize(20, 8);
        prop_assert_eq!(all_text(&screen), before);
    }
}

/// Lines of text, with and without carriage returns, with sequences that move nothing, and a few
/// that do.
fn lines() -> impl Strategy<Value = Vec<u8>> {
    let end = prop_oneof![8 => Just("\r\n"), 1 => Just("\n"), 1 => Just("\t\r\n")];
    let line =
        ("[a-z 中é\u{301}]{0,20}", sequence(), end, prop::option::weighted(0.1, any::<u8>()));
    let line = line.prop_map(|(text, sequence, end, byte)| {
        let byte = byte.filter(|byte| *byte >= 0xa0);
        [text.as_bytes(), sequence.as_bytes(), &Vec::from_iter(byte), end.as_bytes()].concat()
    });
    prop::collection::vec(line, 0..90).prop_map(|lines| lines.concat())
}

fn sequence() -> impl Strategy<Value = &'static str> {
    let moves =
        prop::sample::select(&["\x1b[2J", "\x1b[3A", "\x1b[?1049h", "\x1bc", "\x1b[1 q"][..]);
    prop_oneof![
        120 => Just(""),
        60 => prop::sample::select(&[
            "\x1b[m", "\x1b[1;31m", "\x1b[44m", "\x1b[38;5;200;4:3m", "\x1b[48:2::1:2:3m",
            "\x1b[6n", "\x1b[0c",
        ][..]),
        1 => moves,
    ]
}

/// The characters of the history and the screen, each line as it was before it wrapped.
fn all_text(screen: &Screen) -> String {
    let mut wide = again(screen, HistoryLimits::default());
    wide.resize(2000, 2000);
    let mut text = String::new();
    for row in 0..2000 {
        let mut view = Vec::new();
        wide.write_view(0, row, 2000, 1, &mut view);
        let line = String::from_utf8(view).expect("text");
        let line = line.split("\x1b[2K").nth(1).unwrap_or("");
        text.push_str(line.split('\x1b').next().unwrap_or(""));
        text.push('\n');
    }
    text.trim_end().to_owned()
}

/// Hard streams that the generated ones led to.
#[test]
fn snapshots_of_found_streams() {
    let narrow = Step::Resize(2, 4);
    let cases: &[&[Step]] = &[
        // A restored cursor with a set that is not selected, and another pen than the saved one.
        &[Step::Feed(b"\x1b[38;5;200m\x1b7\x1b(0\x1b[?1049l\x1b[m".to_vec())],
        &[Step::Feed(b"\x1b*A\x1b[97;105m\x1b[?1049h\x1bn\x1b[?1049l\x1b[0;97m".to_vec())],
        // A line goes on that was dropped from the history.
        &[Step::Feed(b"\x1b[9Cx\r\n".repeat(9)), narrow],
    ];
    for steps in cases {
        let mut screen = Screen::new(10, 5, LIMITS);
        steps.iter().for_each(|step| run(&mut screen, step));
        assert_same(&screen, &again(&screen, LIMITS), &format!("{steps:?}"));
    }
}
