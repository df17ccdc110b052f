//! Who attaches gives the session a size, or leaves it the one that it has.

use serde_json::{Value, json};

use crate::Desk;
use crate::terminal::Screen;

/// Says its size when that changes, and behind every line that is typed.
const SIZES: &str = r#"
    trap 'echo "changed to $(stty size)"' WINCH
    while :; do read -r line; echo "$line: $(stty size)"; done
"#;

/// The size as it is listed, and whose it is.
fn listed(desk: &Desk) -> (Value, Value, Value) {
    let mut work = desk.work();
    (work["columns"].take(), work["rows"].take(), work["size_by"].take())
}

#[test]
fn attaching_and_resizing_give_the_session_the_terminals_size() {
    let desk = Desk::new(SIZES);
    assert_eq!((&desk.work()["columns"], &desk.work()["rows"]), (&json!(80), &json!(24)));
    let mut terminal = desk.attach(100, 30, &[]);
    terminal.wait_until("leaves it running");
    terminal.send_keys(&["first", "Enter"]);
    terminal.wait_until("first: 30 100");
    assert_eq!((&desk.work()["columns"], &desk.work()["rows"]), (&json!(100), &json!(30)));

    terminal.resize(90, 20);
    terminal.wait_until("changed to 20 90");
    assert_eq!((&desk.work()["columns"], &desk.work()["rows"]), (&json!(90), &json!(20)));
}

#[test]
fn a_size_that_is_to_be_kept_is_neither_taken_nor_resized() {
    let desk = Desk::new(SIZES);
    let before = listed(&desk);
    assert_eq!((&before.0, &before.1), (&json!(80), &json!(24)));
    let mut terminal = desk.attach(60, 10, &["--keep-size"]);
    // Below the part that has room: whose size it is.
    let is_in_row = |screen: &Screen, row: usize| {
        screen.text().lines().nth(row - 1).is_some_and(|line| line.contains("80x24"))
    };
    terminal.wait_until_screen("the size in the last row", |screen| is_in_row(screen, 10));
    terminal.send_keys(&["first", "Enter"]);
    terminal.wait_until("first: 24 80");
    assert_eq!(listed(&desk), before);

    // What is typed behind a resize arrives behind it too.
    terminal.resize(50, 8);
    terminal.wait_until_screen("the size in the last row", |screen| is_in_row(screen, 8));
    terminal.send_keys(&["second", "Enter"]);
    let screen = terminal.wait_until("second: 24 80").text();
    assert!(!screen.contains("changed to"), "{screen}");
    assert_eq!(listed(&desk), before);
    terminal.send_keys(&["C-]", "d"]);
    terminal.wait_until("left work; it runs on");
}
