//! A snapshot of everything, as a terminal that knows nothing is sent it.

use codeout_screen::Screen;

pub(crate) fn snapshot(screen: &Screen) -> Vec<u8> {
    let mut out = Vec::new();
    screen.write_prologue(&mut out);
    let next = screen.write_history(0, usize::MAX, &mut out);
    assert_eq!(next, screen.history().end);
    screen.write_screen(&mut out);
    out
}
