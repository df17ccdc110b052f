//! What of output that rushes by need not be looked at.

use codeout_screen::{HistoryLimits, Screen};

const LIMITS: HistoryLimits = HistoryLimits { lines: 20, bytes: 1 << 16 };

/// How many bytes of lines that begin with `piece` are skipped, where they come in parts of so many
/// bytes.
fn skipped(piece: &[u8], part: usize) -> usize {
    let line = [piece, b"a line of a build's log\r\n"].concat();
    let lines = line.repeat(400);
    let parts: Vec<&[u8]> = lines.chunks(part).collect();
    Screen::new(40, 5, LIMITS).skip(&parts)
}

/// Whether more than half is skipped.
#[track_caller]
fn assert_skipped(piece: &[u8]) {
    for part in [3, 7, 64, 1000, usize::MAX] {
        let length = (piece.len() + 25) * 400;
        let count = skipped(piece, part);
        assert!(count > length / 2, "{}: {count} of {length} by {part}", piece.escape_ascii());
    }
}

#[track_caller]
fn assert_seen(piece: &[u8]) {
    for part in [3, 7, usize::MAX] {
        assert_eq!(skipped(piece, part), 0, "{} by {part}", piece.escape_ascii());
    }
}

#[test]
fn text_is_skipped_in_colour_too() {
    assert_skipped(b"");
    assert_skipped("\t中é\u{301}".as_bytes());
    assert_skipped(b"\x1b[m");
    assert_skipped(b"\x1b[1;31m\x1b[48:2::1:2:3m");
    assert_skipped("é\x1b[32m".as_bytes());
    // Queries move nothing.
    assert_skipped(b"\x1b[6n\x1b[0c");
}

#[test]
fn what_moves_something_is_seen() {
    let all: [&[u8]; 13] = [
        b"\x1b[2J",
        b"\x1b[3A",
        b"\x1b[?25l",
        b"\x1b[>4m",
        b"\x1b[1 q",
        b"\x1b[31\x07m",
        b"\x1b]8;;http://a\x1b\\",
        b"\x1bc",
        b"\x1b(0",
        b"\x07",
        b"\x08",
        // CSI as one control.
        b"\xc2\x9b31m",
        b"\xc2\x1b[31m\x85\xc2\x85",
    ];
    all.into_iter().for_each(assert_seen);
}

#[test]
fn a_sequence_of_any_length_is_not_waited_for() {
    let of = |length: usize| ["\x1b[", &"1;".repeat(length / 2), "m"].concat().into_bytes();
    assert_skipped(&of(64));
    assert_seen(&of(66));
}

#[test]
fn the_pen_is_followed_and_nothing_is_left_unfinished() {
    let mut screen = Screen::new(40, 5, LIMITS);
    // The last character before each line's end is never whole.
    let lines = [&b"\x1b[31mred \xe9\r\n"[..], b"plain\r\n"].concat().repeat(300);
    let first = screen.skip(&[&lines]);
    assert!(first > 0);
    let second = screen.skip(&[&lines[first..], &lines]);
    assert!(second > 0, "something was left unfinished");
    screen.feed(b"\r\nx");
    let mut view = Vec::new();
    screen.write_view(0, 4, 40, 1, &mut view);
    let view = String::from_utf8(view).expect("text");
    assert!(view.contains("31m") && view.contains('x'), "{view:?}");
}
