//! The judge itself: does it see what a terminal has?

use codeout_xterm::{Dump, Xterm};

fn shown(xterm: &Xterm, bytes: &[u8]) -> Dump {
    let terminal = xterm.terminal(10, 3, 5);
    terminal.write(bytes);
    terminal.dump()
}

#[test]
fn equal_bytes_leave_no_difference() {
    let bytes = "\x1b[31;4:3;58;5;9mred\x1b]8;;http://a.test\x07 link\r\n中e\u{301}".as_bytes();
    let xterm = Xterm::start();
    assert_eq!(shown(&xterm, bytes).differences(&shown(&xterm, bytes)), Vec::<String>::new());
    assert_eq!(shown(&xterm, bytes), shown(&xterm, bytes));
    assert_eq!(shown(&xterm, bytes).text(), "red link\n中e\u{301}");
}

/// Each pair of streams differs in one thing only.
#[test]
fn each_difference_is_told() {
    let cases: &[(&str, &str, &str)] = &[
        ("a", "b", "normal row 0 column 0: \"b\", not \"a\""),
        (" ", "\x1b[C", "normal row 0 column 0: \"␀\", not \" \""),
        ("中", "\x1b[2C", "normal row 0 column 0: \"␀␀\", not \"中›\""),
        ("a", "\x1b[1ma\x1b[m", "normal row 0 column 0: \"a\" [bold], not \"a\""),
        ("\x1b[31ma\x1b[m", "\x1b[38;5;1ma\x1b[m", "[fg=1/256], not \"a\" [fg=1]"),
        ("a", "\x1b[48;2;1;2;3ma\x1b[m", "[bg=#010203]"),
        ("\x1b[4ma\x1b[m", "\x1b[4:3ma\x1b[m", "[underline=curly], not \"a\" [underline=single]"),
        ("\x1b[4ma\x1b[m", "\x1b[4;58;5;3ma\x1b[m", "[underline=single underline-colour=3/256]"),
        ("a", "\x1b[53ma\x1b[m", "[overline]"),
        ("a", "\x1b]8;;x:y\x07a\x1b]8;;\x07", "[link=x:y]"),
        ("", "\x1b[3m", "pen: \"italic\", not \"\""),
        ("0123456789", "012345678\x1b[10G9\x1b[10G", "cursor: \"column 9, row 0\""),
        ("01234567890", "0123456789\r\n0", "normal row 1: not wrapped"),
        ("\r\n\r\n\r\n", "\r\n\r\n", "normal: 0 lines of history, not 1"),
        ("", "\x1b[?25l", "cursor hidden: \"true\""),
        ("", "\x1b[5 q", "cursorStyle: \"bar\""),
        ("", "\x1b[?1049h", "active: \"alternate\""),
        ("\x1b[H", "\x1b[2;3r", "normal region: \"1 to 2\""),
        ("", "\x1b[3g", "normal tabs: \"\""),
        ("", "\x1b[3C\x1b7\r", "normal saved cursor: \"column 3, row 0\""),
        ("", "\x1b(0", "charset: \"lines\""),
        ("", "\x0e", "charset level: \"1\""),
        ("", "\x1b]2;name\x07", "title: \"name\""),
        ("", "\x1b]4;1;#ff0000\x07", "colours: \"1=255,0,0\""),
        ("", "\x1b[?1002h", "mouse protocol: \"DRAG\""),
        ("", "\x1b[?1006h", "mouse encoding: \"SGR\""),
        ("", "\x1b[?2004h", "bracketedPasteMode: \"true\""),
        ("", "\x1b[4h", "insert: \"true\""),
    ];
    let xterm = Xterm::start();
    for (one, other, wanted) in cases {
        let found = shown(&xterm, one.as_bytes()).differences(&shown(&xterm, other.as_bytes()));
        let is_told = found.iter().any(|difference| difference.contains(wanted));
        assert!(is_told, "{one:?} and {other:?}: {found:#?}, without {wanted:?}");
    }
}

#[test]
fn bytes_may_be_cut_anywhere() {
    let bytes = "\x1b[1;31m中\x1b]2;é\x07\u{200d}–😀".as_bytes();
    let xterm = Xterm::start();
    let terminal = xterm.terminal(10, 3, 5);
    bytes.chunks(1).for_each(|byte| terminal.write(byte));
    assert_eq!(shown(&xterm, bytes).differences(&terminal.dump()), Vec::<String>::new());
}

#[test]
fn queries_stay_unanswered() {
    assert_eq!(shown(&Xterm::start(), b"\x1b[c\x1b[6n\x1b]11;?\x07").text(), "");
}

/// xterm.js itself differs in these from all other terminals.
#[test]
fn corrections_hold() {
    let xterm = Xterm::start();
    let scrolled = shown(&xterm, b"\n\x1b7\n\n\n\n");
    assert_eq!(scrolled.state("normal saved cursor"), "column 0, row 1");
    assert_eq!(shown(&xterm, b"\x1b[4;58;5;1;59m").state("pen"), "underline=single");
    assert_eq!(shown(&xterm, b"\x1b7\x1b]8;;x:y\x07\x1b8").state("pen"), "link=x:y");
    assert_eq!(shown(&xterm, b"\x1b[99;99H\x1b[1J").state("error"), "");
    assert_eq!(shown(&xterm, b"\x1b[?25l\x1bc").state("cursor hidden"), "false");
    assert_eq!(shown(&xterm, "\x1b[?7l\x1b[10G中a".as_bytes()).text(), "         a");
    assert_eq!(shown(&xterm, b"\x1b[2r\x1b[?6h\x1b#8").text(), "EEEEEEEEEE\n".repeat(3).trim_end());
}

#[test]
fn a_line_too_long_for_the_new_size_wraps() {
    let terminal = Xterm::start().terminal(10, 3, 5);
    terminal.write(b"0123456789\r\n");
    terminal.resize(5, 3);
    assert_eq!(terminal.dump().text(), "01234\n56789");
}
