//! What is typed and pasted arrives byte for byte, but for the key that is this program's own.

use std::io::Write as _;
use std::path::Path;

use crate::Desk;
use crate::bare_terminal::read_until;

/// Shows the bytes of every line that is typed.
const BYTES: &str = r#"while read -r line; do echo got: $(printf %s "$line" | od -An -tx1); done"#;

#[test]
fn the_detach_key_leaves_and_another_is_the_programs() {
    let desk = Desk::new(BYTES);
    let leaves = |options: &[&str], typed: &[u8], got: &str, leave: &[u8]| {
        let (mut attached, mut user, mut shown) = desk.attach_bare(options);
        user.write_all(typed).unwrap();
        read_until(&mut user, &mut shown, got);
        user.write_all(leave).unwrap();
        read_until(&mut user, &mut shown, "left work; it runs on");
        assert_eq!(attached.ended().code(), Some(0), "{options:?}");
        assert!(desk.work()["ended"].is_null(), "{options:?}: {}", desk.work());
    };
    // Twice it is itself, once; and so the letter behind it is one as any other.
    leaves(&[], b"1\x01d\x1d\x1dd\n", "got: 31 01 64 1d 64", b"\x1dd");
    let ctrl_a = ["--detach-key", "ctrl-a"];
    leaves(&ctrl_a, b"2\x1dd\x01\x01d\n", "got: 32 1d 64 01 64", b"\x01d");

    let settings = desk.machine.file("config.toml");
    std::fs::write(&settings, "[attach]\ndetach_key = \"ctrl-x\"\n").unwrap();
    leaves(&[], b"3\x1dd\x18\x18d\n", "got: 33 1d 64 18 64", b"\x18d");
    // What is typed wins over what is set.
    leaves(&ctrl_a, b"4\x1dd\x18d\x01\x01d\n", "got: 34 1d 64 18 64 01 64", b"\x01d");
}

#[test]
fn a_key_that_can_be_none_is_refused_before_anything_happens() {
    let desk = Desk::new("exec cat");
    let refused = |code, options: &[&str], says: &str| {
        for words in [&["attach", "work"][..], &["open", "cat", "/"]] {
            desk.machine.run(&[words, options].concat()).fails(code, says);
        }
    };
    refused(2, &["--detach-key", "x"], "a detach key looks like ctrl-] or ctrl-a");
    refused(2, &["--detach-key", "ctrl-"], "a detach key looks like ctrl-] or ctrl-a");
    refused(2, &["--detach-key", "ctrl-m"], "the same as Backspace, Tab, Enter or Esc");
    let settings = desk.machine.file("config.toml");
    std::fs::write(&settings, "[attach]\ndetach_key = \"alt-a\"\n").unwrap();
    refused(17, &[], "config.toml, line 2: ");
    std::fs::remove_file(&settings).unwrap();
    let sessions = desk.machine.run(&["sessions", "--json"]).json();
    assert_eq!(sessions.as_array().unwrap().len(), 1, "{sessions}");
}

/// Numbers without a pattern, the same ones every time.
fn some_bytes(count: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    std::iter::repeat_with(next).take(count).collect()
}

/// A script that keeps the next `count` bytes as they come, behind `first`.
pub(crate) fn keeping(first: &str, count: usize, file: &Path) -> String {
    let file = file.display();
    format!(
        "{first}\nstty raw -echo; printf ready; head -c {count} >>'{file}'; printf 'all came'; exec cat"
    )
}

#[test]
fn a_pasted_megabyte_arrives_byte_for_byte() {
    const MIB: usize = 1 << 20;
    let bytes = some_bytes(MIB);
    assert!((0..=255).all(|byte| bytes.contains(&byte)));
    let (plain, marked) = bytes.split_at(MIB / 2);
    // Where no mark says that it is pasted, the detach key is doubled.
    let mut typed = Vec::new();
    for byte in plain {
        typed.extend_from_slice(if *byte == 0x1d {
            &[0x1d, 0x1d]
        } else {
            std::slice::from_ref(byte)
        });
    }
    let marked = [b"\x1b[200~", marked, b"\x1b[201~"].concat();
    let wanted = [plain, &marked].concat();

    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("pasted");
    let half =
        format!("stty raw -echo; printf ready; head -c {} >'{}'", plain.len(), file.display());
    let desk = Desk::new(&keeping(&format!("{half}; printf half"), marked.len(), &file));
    let (mut attached, mut user, mut shown) = desk.attach_bare(&[]);
    // On a thread of its own: nobody takes the rest from a terminal that is left too early. The mark
    // is not to be cut in two by what is typed before it.
    let mut keys = user.try_clone().unwrap();
    let (halves, due) = std::sync::mpsc::channel::<Vec<u8>>();
    std::thread::spawn(move || due.into_iter().try_for_each(|half| keys.write_all(&half)));
    read_until(&mut user, &mut shown, "ready");
    halves.send(typed).unwrap();
    read_until(&mut user, &mut shown, "halfready");
    halves.send(marked).unwrap();
    read_until(&mut user, &mut shown, "all came");
    let kept = std::fs::read(&file).unwrap();
    let other = kept.iter().zip(&wanted).position(|(kept, wanted)| kept != wanted);
    assert_eq!((kept.len(), other), (wanted.len(), None));
    // The paste is over: the key is one again.
    user.write_all(b"\x1dd").unwrap();
    assert_eq!(attached.ended().code(), Some(0));
}
