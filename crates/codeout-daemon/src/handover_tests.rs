use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};

use codeout_protocol::message::INPUT_WINDOW;
use codeout_screen::HistoryLimits;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::*;
use crate::session::{Keeping, Session};

#[cfg(target_os = "linux")]
#[test]
fn what_is_sealed_can_be_read_and_not_changed() {
    let mut file = File::from(memory().unwrap());
    file.write_all(b"state").unwrap();
    seal(&file).unwrap();
    file.rewind().unwrap();
    assert!(file.write_all(b"other").is_err());
    assert!(file.set_len(1).is_err() && file.set_len(100).is_err());
    file.rewind().unwrap();
    let mut kept = String::new();
    file.read_to_string(&mut kept).unwrap();
    assert_eq!(kept, "state");
    assert_eq!(std::os::unix::fs::MetadataExt::nlink(&file.metadata().unwrap()), 0, "a name");
}

#[test]
fn as_many_descriptors_pass_as_there_may_be_sessions() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let current = Some(maximum.unwrap_or(8192).min(8192));
    setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
    let many = crate::sessions::MAX_RUNNING + FIXED;
    let here: Vec<File> = (0..many).map(|_| File::open("/dev/null").unwrap()).collect();
    let fds: Vec<BorrowedFd<'_>> = here.iter().map(AsFd::as_fd).collect();
    let socket = pass(&fds).unwrap();
    let there = receive(socket.as_fd()).unwrap();
    assert_eq!(there.len(), many);
    for fd in &there {
        let flags = rustix::io::fcntl_getfd(fd).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    }
}

/// A handover of one session whose program has ended, with three bytes that wait to be typed.
fn state() -> Value {
    let facts = json!({
        "id": 3, "program": "shell", "directory": "/", "opened_at": 1, "name": "shell",
        "size": { "columns": 80, "rows": 24 }, "size_by": null, "last_output_at": null,
        "attention": null, "ended": null, "leader": 4711, "exit": null, "output_from": 7,
        "generation": 1, "resized_at": 0, "busy": 0,
        "keyboards": {
            "known": [["7q2mz0kx", 1, { "received": 5, "written": 2, "turn": 1 }]],
            "queue": [["7q2mz0kx", 1, 3]],
            "turns": 1,
        },
    });
    let entry =
        json!({ "facts": facts, "output": 2, "snapshot": 1, "typed": 3, "has_terminal": false });
    json!({ "version": VERSION, "restarts": 0, "last": 3, "sessions": [entry] })
}

/// Goes on with what is written there; says what it would hand over in turn.
fn restored(state: &Value) -> io::Result<Vec<u8>> {
    let state = serde_json::to_vec(state).unwrap();
    let mut file = (state.len() as u64).to_be_bytes().to_vec();
    file.extend(state);
    file.extend(b"ab$xyz");
    let (restarts, SavedSessions { last, sessions }) =
        read(&file[..], file.len() as u64, Vec::new())?;
    let history = HistoryLimits { lines: 10, bytes: 1 << 10 };
    let keeping = Keeping { history, output: 1 << 16, quiet_after: None };
    let mut saved = Vec::new();
    for session in sessions {
        let (reports, _) = mpsc::unbounded_channel();
        let session = Session::restore(session, keeping, reports, |_| unreachable!())?;
        saved.push(session.save());
    }
    let mut written = Vec::new();
    write(restarts, &SavedSessions { last, sessions: saved }, &mut written)?;
    Ok(written)
}

#[test]
fn what_was_saved_goes_on() {
    let written = restored(&state()).unwrap();
    assert!(written.ends_with(b"xyz"));
}

#[test]
fn what_makes_no_sense_does_not_go_on() {
    let facts = "/sessions/0/facts";
    let keyboards = "/sessions/0/facts/keyboards";
    let progress = |received: u64, written: u64| json!({ "received": received, "written": written, "turn": 1 });
    let known = |progress: Value| json!([["7q2mz0kx", 1, progress]]);
    let known = |received, written| known(progress(received, written));
    for (place, value) in [
        ("/version".to_owned(), json!(VERSION + 1)),
        // Numbered as no other will be.
        ("/last".to_owned(), json!(2)),
        // More than there is.
        ("/sessions/0/typed".to_owned(), json!(u64::MAX)),
        ("/sessions/0/typed".to_owned(), json!(4)),
        ("/sessions/0/output".to_owned(), json!(u64::MAX)),
        ("/sessions/0/has_terminal".to_owned(), json!(true)),
        // What would be counted past the end of numbers.
        (format!("{facts}/output_from"), json!(u64::MAX)),
        // No process of ours.
        (format!("{facts}/leader"), json!(0)),
        (format!("{facts}/leader"), json!(-4711)),
        (format!("{facts}/name"), json!("\u{1b}")),
        (format!("{facts}/size/rows"), json!(0)),
        // Keyboards and what waits of them do not agree.
        (format!("{keyboards}/known"), json!([])),
        (format!("{keyboards}/known"), known(2, 5)),
        (format!("{keyboards}/known"), known(6, 2)),
        (format!("{keyboards}/known"), known(INPUT_WINDOW + 5, 2)),
        (format!("{keyboards}/queue/0/2"), json!(2)),
        (format!("{keyboards}/queue/0/0"), json!("no id")),
        (format!("{keyboards}/turns"), json!(0)),
    ] {
        let mut state = state();
        *state.pointer_mut(&place).unwrap() = value.clone();
        assert!(restored(&state).is_err(), "{place} {value}");
    }
}

#[test]
fn two_sessions_of_one_number_do_not_go_on() {
    let mut state = state();
    let sessions = state["sessions"].as_array_mut().unwrap();
    sessions[0]["output"] = json!(0);
    sessions[0]["snapshot"] = json!(0);
    sessions[0]["typed"] = json!(0);
    sessions[0]["facts"]["keyboards"] = json!({ "known": [], "queue": [], "turns": 0 });
    let again = sessions[0].clone();
    assert!(restored(&state).is_ok());
    state["sessions"].as_array_mut().unwrap().push(again);
    assert!(restored(&state).is_err());
}
