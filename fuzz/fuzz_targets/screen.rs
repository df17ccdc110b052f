//! A program's bytes, cut and resized anywhere: a snapshot in another screen is the same screen,
//! and stays it whatever comes next.

#![no_main]

use arbitrary::Arbitrary;
use codeout_screen::{HistoryLimits, Screen};
use libfuzzer_sys::fuzz_target;

const LIMITS: HistoryLimits = HistoryLimits { lines: 30, bytes: 1 << 14 };

#[derive(Arbitrary, Debug)]
enum Step<'a> {
    Feed(&'a [u8]),
    Resize(u8, u8),
    View(u8, u8, u8, u8),
    /// From here on it is another screen that got a snapshot.
    Attach,
}

fn snapshot(screen: &Screen) -> Vec<u8> {
    let mut out = Vec::new();
    screen.write_prologue(&mut out);
    let next = screen.write_history(0, usize::MAX, &mut out);
    assert_eq!(next, screen.history().end);
    screen.write_screen(&mut out);
    out
}

fn attached(screen: &Screen) -> Screen {
    let mut other = Screen::new(screen.columns(), screen.rows(), LIMITS);
    other.feed(&snapshot(screen));
    other
}

fn check(screen: &mut Screen) {
    let (x, y) = screen.cursor();
    assert!(x < screen.columns() && y < screen.rows());
    assert!(screen.history().count() <= LIMITS.lines);
    assert!(screen.memory() < 16 << 20);
    assert!(screen.title().len() <= 256 && !screen.title().contains(char::is_control));
    assert!(screen.last_line().chars().count() <= 200);
    assert!(screen.take_signals().len() <= 32);
}

fuzz_target!(|steps: Vec<Step<'_>>| {
    let mut screen = Screen::new(10, 4, LIMITS);
    let mut other = Screen::new(10, 4, LIMITS);
    for step in steps.into_iter().take(32) {
        match step {
            Step::Feed(bytes) => {
                screen.feed(bytes);
                // In other pieces.
                bytes.chunks(3).for_each(|part| other.feed(part));
            }
            Step::Resize(columns, rows) => {
                // In a single row, an empty cell that a line went on behind is painted as a space.
                let (columns, rows) = (u16::from(columns % 40), u16::from(rows % 12).max(2));
                screen.resize(columns, rows);
                other = attached(&screen);
            }
            Step::View(left, top, columns, rows) => {
                let [left, top, columns, rows] = [left, top, columns, rows].map(u16::from);
                screen.write_view(left, top, columns, rows, &mut Vec::new());
            }
            Step::Attach => other = attached(&screen),
        }
        check(&mut screen);
        assert_eq!(
            snapshot(&screen).escape_ascii().to_string(),
            snapshot(&other).escape_ascii().to_string()
        );
    }
});
