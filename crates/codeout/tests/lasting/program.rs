//! The program of some sessions: this test's own binary, told by its environment to print
//! numbered lines, and to check that it is typed numbered lines.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::{Condvar, Mutex};

use codeout_protocol::message::Open;
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use crate::desk::script;
use crate::numbers::Numbers;

/// What the program prints at a time, in bytes.
pub(crate) const PRINTED: usize = 4 << 10;
/// The blocks that it prints ahead of what was typed: 8 KiB, with which no device is so far behind
/// that the daemon would send it a snapshot.
pub(crate) const AHEAD: u64 = 2;
/// What it must be typed for each block, and once before the first, in bytes.
pub(crate) const TYPED: usize = 1 << 10;
/// What it says before the first block.
pub(crate) const READY: &str = "READY";

/// Tells this binary to be the program: how many blocks it prints.
const VARIABLE: &str = "LASTING_BLOCKS";
/// The test that is the program.
const NAME: &str = "program::prints_and_reads_numbered_lines";
/// How the program ends when it was typed something else.
const MISTYPED: i32 = 3;

/// Beside more than one thread, the harness would say behind a minute that the test still runs, in
/// the midst of what is printed.
const ALONE: &str = "--test-threads=1";

/// The program, which prints `blocks` blocks and ends when it was typed as many and one.
pub(crate) fn numbered(blocks: u64) -> Open {
    let binary = std::env::current_exe().unwrap();
    let binary = binary.to_str().unwrap();
    script(&format!("{VARIABLE}={blocks} exec '{binary}' --exact {NAME} --nocapture {ALONE}"))
}

#[test]
fn prints_and_reads_numbered_lines() {
    if let Ok(blocks) = std::env::var(VARIABLE) {
        be_program(blocks.parse().unwrap());
    }
    for (spoilt, status) in [(false, 0), (true, MISTYPED)] {
        let mut program = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", NAME, "--nocapture", ALONE])
            .env(VARIABLE, "5")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut typed = Numbers::new().take(6 * TYPED);
        typed[5 * TYPED] ^= u8::from(spoilt);
        program.stdin.take().unwrap().write_all(&typed).unwrap();
        let ended = program.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(status));
        if !spoilt {
            let text = String::from_utf8(ended.stdout).unwrap();
            let (_, printed) = text.split_once(READY).unwrap();
            assert!(printed.as_bytes() == Numbers::new().take(5 * PRINTED));
        }
    }
}

/// Does it, and ends the process.
fn be_program(blocks: u64) -> ! {
    let stdin = std::io::stdin();
    // Only a terminal has modes.
    if let Ok(mut modes) = tcgetattr(&stdin) {
        modes.make_raw();
        tcsetattr(&stdin, OptionalActions::Now, &modes).unwrap();
    }
    let mut stdout = std::io::stdout();
    stdout.write_all(READY.as_bytes()).unwrap();
    stdout.flush().unwrap();
    let (typed, more) = (Mutex::new(0), Condvar::new());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut numbers = Numbers::new();
            let mut buffer = vec![0; TYPED];
            for _ in 0..=blocks {
                stdin.lock().read_exact(&mut buffer).unwrap();
                if !numbers.are_next(&buffer) {
                    std::process::exit(MISTYPED);
                }
                *typed.lock().unwrap() += 1;
                more.notify_all();
            }
        });
        let mut numbers = Numbers::new();
        for block in 0..blocks {
            let may = |typed: &mut u64| *typed == 0 || block >= *typed - 1 + AHEAD;
            drop(more.wait_while(typed.lock().unwrap(), may).unwrap());
            stdout.write_all(&numbers.take(PRINTED)).unwrap();
            stdout.flush().unwrap();
        }
    });
    std::process::exit(0);
}
