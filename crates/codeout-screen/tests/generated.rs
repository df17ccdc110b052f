//! Generated streams, judged by xterm.js: a snapshot brings it to where the stream itself does.

mod snapshot;
mod streams;

use codeout_screen::{HistoryLimits, Screen};
use codeout_xterm::{Terminal, Xterm};
use proptest::prelude::*;
use snapshot::snapshot;
use streams::{Step, bytes, steps};

const LIMITS: HistoryLimits = HistoryLimits { lines: 20, bytes: 1 << 16 };

thread_local! {
    // One for each test, which runs on a thread of its own.
    static XTERM: Xterm = Xterm::start();
}

/// xterm.js does as often as it is told what could be told once: numbers have four digits at most.
fn tamed(bytes: Vec<u8>) -> Vec<u8> {
    let mut digits = 0;
    let keep = |byte: &u8| {
        digits = if byte.is_ascii_digit() { digits + 1 } else { 0 };
        digits <= 4
    };
    bytes.into_iter().filter(keep).collect()
}

fn terminal(columns: u16, rows: u16) -> Terminal {
    XTERM.with(|xterm| xterm.terminal(columns, rows, LIMITS.lines))
}

fn assert_same(whole: &Terminal, attached: &Terminal, place: &str) -> Result<(), TestCaseError> {
    let whole = whole.dump();
    prop_assert_eq!(whole.state("error"), "");
    let differences = whole.differences(&attached.dump());
    prop_assert!(differences.is_empty(), "{place}: {differences:#?}");
    Ok(())
}

fn attach(screen: &Screen) -> Terminal {
    let attached = terminal(screen.columns(), screen.rows());
    attached.write(&snapshot(screen));
    attached
}

proptest! {
    #[test]
    fn a_snapshot_equals_the_stream(
        before in bytes().prop_map(tamed),
        after in bytes().prop_map(tamed),
        cut in 0usize..8,
    ) {
        let (columns, rows) = (10, 5);
        // In the middle of what may be a sequence or a character.
        let (last, after) = after.split_at(cut.min(after.len()));
        let whole = terminal(columns, rows);
        let mut screen = Screen::new(columns, rows, LIMITS);
        for part in [&before[..], last] {
            whole.write(part);
            screen.feed(part);
        }
        let attached = attach(&screen);
        assert_same(&whole, &attached, "at once")?;
        whole.write(after);
        attached.write(after);
        assert_same(&whole, &attached, "behind the rest")?;
    }

    /// As a device does: with each new size its terminal, whatever state it is in, gets another
    /// snapshot.
    #[test]
    fn another_size_is_another_snapshot(steps in steps(), after in bytes().prop_map(tamed)) {
        let whole = terminal(10, 5);
        let mut screen = Screen::new(10, 5, LIMITS);
        for step in &steps {
            match step {
                Step::Feed(bytes) => {
                    let bytes = tamed(bytes.clone());
                    whole.write(&bytes);
                    screen.feed(&bytes);
                }
                Step::Resize(columns, rows) => {
                    // A row of nothing but halves of wide characters cannot be painted.
                    let (columns, rows) = ((*columns).max(4), *rows);
                    whole.resize(columns, rows);
                    screen.resize(columns, rows);
                    let mut bytes = Vec::new();
                    screen.write_prologue(&mut bytes);
                    bytes.extend_from_slice(b"\x1b[3J");
                    screen.write_history(0, usize::MAX, &mut bytes);
                    screen.write_screen(&mut bytes);
                    whole.write(&bytes);
                }
            }
        }
        let attached = attach(&screen);
        assert_same(&whole, &attached, "at once")?;
        whole.write(&after);
        attached.write(&after);
        assert_same(&whole, &attached, "behind the rest")?;
    }
}

#[test]
fn the_cursor_stays_in_the_margins_behind_a_change_of_screens() {
    let whole = terminal(10, 5);
    let mut screen = Screen::new(10, 5, LIMITS);
    for part in ["\x1b[4r", "\x1b[?1047h\x1b[?6h", "\x1b[?47l"] {
        whole.write(part.as_bytes());
        screen.feed(part.as_bytes());
    }
    assert_eq!(screen.cursor(), (0, 3));
    assert_same(&whole, &attach(&screen), "at once").unwrap();
}
