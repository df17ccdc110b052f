//! Every character is as wide as xterm.js has it.

use codeout_screen::{HistoryLimits, Screen};
use codeout_xterm::Xterm;

/// So many characters are judged at once, each in a row of its own.
const ROWS: u16 = 2000;

#[test]
fn every_character_is_as_wide_as_the_judge_has_it() {
    let printable = |c: &char| !c.is_control() && *c != '\u{feff}';
    let all: Vec<char> = (' '..=char::MAX).filter(printable).collect();
    let xterm = Xterm::start();
    let terminal = xterm.terminal(4, ROWS, 0);
    let mut differences = Vec::new();
    for some in all.chunks(ROWS.into()) {
        let rows: Vec<String> = some.iter().map(|c| format!("a{c}")).collect();
        terminal.write(format!("\x1b[H\x1b[J{}", rows.join("\r\n")).as_bytes());
        let dump = terminal.dump();
        for ((row, c), line) in rows.iter().zip(some).zip(&dump.normal.lines) {
            let mut screen = Screen::new(4, 1, HistoryLimits::default());
            screen.feed(row.as_bytes());
            let width = usize::from(screen.cursor().0) - 1;
            if width + 1 != line.end() {
                differences.push(format!("{:x} {width} not {}", u32::from(*c), line.end() - 1));
            }
        }
    }
    assert!(differences.is_empty(), "{} differ: {differences:?}", differences.len());
}
