//! What real programs wrote, cut in many places: a terminal that gets a snapshot and then the rest
//! equals, cell for cell, one that saw everything. xterm.js is both of them.

mod cuts;
mod snapshot;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use codeout_screen::{HistoryLimits, Screen};
use codeout_xterm::{Terminal, Xterm};
use cuts::cuts;
use snapshot::snapshot;

/// Each recording is a test of its own.
macro_rules! recordings {
    ($($test:ident: $name:literal,)*) => {
        const NAMES: &[&str] = &[$($name),*];

        $(
            #[test]
            fn $test() {
                attach_everywhere($name);
            }
        )*
    };
}

recordings! {
    agent: "agent-100x30",
    attributes: "attributes-80x24",
    btop: "btop-100x30",
    claude: "claude-100x30",
    codex: "codex-100x30",
    dialog: "dialog-80x24",
    fzf: "fzf-80x24",
    fzf_inline: "fzf-inline-80x24",
    gemini: "gemini-100x30",
    htop: "htop-100x30",
    less: "less-80x24",
    man: "man-80x24",
    mc: "mc-80x24",
    nano: "nano-80x24",
    progress: "progress-80x24",
    rich: "rich-80x24",
    shell: "shell-80x24",
    textual: "textual-100x30",
    tmux: "tmux-100x30",
    unicode: "unicode-80x24",
    vim: "vim-80x24",
    vttest_insert: "vttest-insert-80x24",
    vttest_movements: "vttest-movements-80x24",
    vttest_sets: "vttest-sets-80x24",
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("recordings")
}

#[test]
fn every_recording_is_tested() {
    let files = fs::read_dir(folder()).expect("the folder is there");
    let found: BTreeSet<String> = files
        .filter_map(|file| file.expect("it can be listed").file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".bin").map(str::to_owned))
        .collect();
    assert_eq!(found, NAMES.iter().map(|name| (*name).to_owned()).collect());
}

/// The size at the end of a recording's name: `vim-80x24`.
fn size(name: &str) -> (u16, u16) {
    let size = name.rsplit('-').next().and_then(|size| size.split_once('x'));
    let (columns, rows) = size.expect("the name has a size");
    (columns.parse().expect("a number"), rows.parse().expect("a number"))
}

fn attach_everywhere(name: &str) {
    let bytes = fs::read(folder().join(format!("{name}.bin"))).expect("it can be read");
    let (columns, rows) = size(name);
    let xterm = Xterm::start();
    let scrollback = HistoryLimits::default().lines;
    let whole = xterm.terminal(columns, rows, scrollback);
    let mut screen = Screen::new(columns, rows, HistoryLimits::default());
    let mut attached: Vec<(String, Terminal)> = Vec::new();
    let mut at = 0;
    for (cut, kind) in cuts(&bytes) {
        let next = &bytes[at..cut];
        at = cut;
        whole.write(next);
        attached.iter().for_each(|(_, terminal)| terminal.write(next));
        screen.feed(next);
        let place = format!("{name}, cut at byte {cut}, {kind}");
        let terminal = xterm.terminal(columns, rows, scrollback);
        terminal.write(&snapshot(&screen));
        assert_same(&whole, &terminal, &place);
        attached.push((place, terminal));
    }
    whole.write(&bytes[at..]);
    for (place, terminal) in &attached {
        terminal.write(&bytes[at..]);
        assert_same(&whole, terminal, &format!("{place}, at the end"));
    }
}

#[track_caller]
fn assert_same(whole: &Terminal, attached: &Terminal, place: &str) {
    let differences = whole.dump().differences(&attached.dump());
    assert!(differences.is_empty(), "{place}: {differences:#?}");
}
