//! What the emulators are fed: recordings of real programs, and text.

use std::fs;
use std::path::Path;

const LENGTH: usize = 16 << 20;

pub(crate) struct Stream {
    pub(crate) name: &'static str,
    pub(crate) columns: u16,
    pub(crate) rows: u16,
    pub(crate) bytes: Vec<u8>,
}

/// What a program wrote to a terminal of that size.
pub(crate) struct Recording {
    pub(crate) columns: u16,
    pub(crate) rows: u16,
    pub(crate) bytes: Vec<u8>,
}

/// All recordings of the screen's tests, by name.
pub(crate) fn recordings() -> Vec<Recording> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/codeout-screen/recordings");
    let mut paths: Vec<_> = fs::read_dir(folder)
        .expect("the recordings are there")
        .map(|file| file.expect("the folder can be listed").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "bin"))
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| {
            let name = path.file_stem().and_then(|name| name.to_str()).expect("a name");
            let size = name.rsplit('-').next().and_then(|size| size.split_once('x'));
            let (columns, rows) = size.expect("the name ends in a size");
            let [columns, rows] = [columns, rows].map(|side| side.parse().expect("a number"));
            Recording { columns, rows, bytes: fs::read(path).expect("it can be read") }
        })
        .collect()
}

pub(crate) fn all(recordings: &[Recording]) -> Vec<Stream> {
    // Each ends by a reset, so that none is fed to what another has left.
    let together: Vec<u8> =
        recordings.iter().flat_map(|one| [&one.bytes[..], b"\x1bc"].concat()).collect();
    vec![
        stream(
            "plain",
            b"The quick brown fox jumps over the lazy dog, and then does so again.\r\n",
        ),
        stream("full lines", &full_lines(1)),
        stream("short lines", b"y\r\n"),
        stream("build log", build_log().as_bytes()),
        stream("colour", colour().as_bytes()),
        stream("CJK", "漢字とかなを混ぜた文章。中文字符，한국어 문장도 있다.\r\n".as_bytes()),
        stream(
            "emoji, accents",
            "naïve café 😀🚀 e\u{301}a\u{308} – “quoted” … done\r\n".as_bytes(),
        ),
        Stream { columns: 100, rows: 30, ..stream("recordings", &together) },
    ]
}

fn stream(name: &'static str, piece: &[u8]) -> Stream {
    Stream { name, columns: 80, rows: 24, bytes: piece.repeat(LENGTH.div_ceil(piece.len())) }
}

/// Lines of 80 columns.
pub(crate) fn full_lines(count: usize) -> Vec<u8> {
    let line: Vec<u8> = (b'!'..).take(78).chain(*b"\r\n").collect();
    line.repeat(count)
}

/// As a compiler or a test run prints it: a word of each line in colour.
fn build_log() -> String {
    let line = |n: usize| {
        format!(
            "{n} \x1b[3{}mcompiling\x1b[0m a module with a name of some length, again\r\n",
            n % 8
        )
    };
    (0..500).map(line).collect()
}

/// As `ls` does it, and a gradient.
fn colour() -> String {
    let words = (0..10).map(|n| format!("\x1b[1;3{}mword\x1b[0m ", n % 8));
    let gradient = (0..20).map(|n| format!("\x1b[38;2;{};{};128m#", n * 12, 255 - n * 12));
    format!("{}{}\x1b[m\r\n", words.collect::<String>(), gradient.collect::<String>())
}
