//! How sessions begin and end: their environment, hang-ups heeded and ignored, and what is kept.

use std::time::Instant;

use codeout_protocol::message::{ErrorCode, Event, ExitStatus, Request};
use rustix::process::{Pid, test_kill_process};

use crate::desk::{
    Desk, attach, entry, in_time, open, poll, read_to_end, read_until, refused, script, watch,
};

/// The process whose number is in `text` behind `word`.
fn number_behind(text: &str, word: &str) -> Pid {
    let number = text.split_once(word).unwrap().1.split(' ').next().unwrap();
    Pid::from_raw(number.parse().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_has_a_login_shells_environment_and_says_what_it_is() {
    let desk = Desk::start_with(|config| {
        let profile = config.directory.join("shell");
        // A shell that sets a variable when it is a login shell.
        let shell =
            "#!/bin/sh\ncase $1 in -*l*) MARK=login; export MARK;; esac\nexec /bin/sh \"$@\"\n";
        std::fs::write(&profile, shell).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&profile, mode).unwrap();
        config.shell = profile;
    })
    .await;
    let connection = desk.connect().await;
    let print = "echo \"<$TERM|$COLORTERM|$CODEOUT_SESSION|$MARK|$PWD>\"";
    let mut request = script(print);
    request.directory = Some("/".into());
    let opened = open(&connection, request).await;
    let (text, status) = read_to_end(&mut attach(&connection, opened.session).await).await;
    let text = String::from_utf8_lossy(&text);
    let expected = format!("<xterm-256color|truecolor|{}|login|/>", opened.session);
    assert!(text.contains(&expected), "{text:?}");
    assert_eq!(status, ExitStatus::Exit(0));
    desk.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hang_up_is_heeded_and_the_end_is_kept_until_it_is_dismissed() {
    let desk = Desk::start().await;
    let connection = desk.connect().await;
    let other = desk.connect().await;
    let program = "trap 'echo hung up; exit 7' HUP; echo ready; while :; do sleep 0.05; done";
    let session = open(&connection, script(program)).await.session;
    let mut attachment = attach(&connection, session).await;
    read_until(&mut attachment, "ready").await;
    let (code, _) = refused(&connection, Request::Dismiss { session }).await;
    assert_eq!(code, ErrorCode::NotAllowed);
    in_time(connection.request(Request::End { session })).await.unwrap();
    let (text, status) = read_to_end(&mut attachment).await;
    assert!(String::from_utf8_lossy(&text).contains("hung up"));
    assert_eq!(status, ExitStatus::Exit(7));

    // Its screen and its status are there for whoever comes later.
    assert_eq!(entry(&other, session).await.ended.unwrap().status, ExitStatus::Exit(7));
    let (text, status) = read_to_end(&mut watch(&other, session).await).await;
    assert!(String::from_utf8_lossy(&text).contains("hung up"));
    assert_eq!(status, ExitStatus::Exit(7));
    in_time(connection.request(Request::Dismiss { session })).await.unwrap();
    assert_eq!(other.sessions().await.unwrap(), []);
    let dismissed = async || match other.next_event().await.expect("it is connected") {
        Event::SessionDismissed { session } => Some(session),
        _ => None,
    };
    assert_eq!(in_time(poll(dismissed)).await, session);
    assert_eq!(refused(&other, Request::Dismiss { session }).await.0, ErrorCode::NotFound);
    desk.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_heed_a_hang_up_is_killed_with_all_its_children() {
    let desk = Desk::start().await;
    let connection = desk.connect().await;
    let program = "trap '' HUP TERM; sleep 1000 & echo \"child $! ready\"; while :; do wait; done";
    let session = open(&connection, script(program)).await.session;
    let mut attachment = attach(&connection, session).await;
    let text = read_until(&mut attachment, "ready").await;
    let text = String::from_utf8_lossy(&text).into_owned();
    let child = number_behind(&text, "child ");
    assert!(test_kill_process(child).is_ok());
    let began = Instant::now();
    in_time(connection.request(Request::End { session })).await.unwrap();
    let (_, status) = read_to_end(&mut attachment).await;
    println!("killed after {:?}", began.elapsed());
    assert_eq!(status, ExitStatus::Signal(9));
    in_time(poll(async || test_kill_process(child).is_err().then_some(()))).await;
    desk.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_stops_ends_its_sessions() {
    let desk = Desk::start().await;
    let connection = desk.connect().await;
    let program = "echo \"process $$ ready\"; read x";
    let session = open(&connection, script(program)).await.session;
    let text = read_until(&mut attach(&connection, session).await, "ready").await;
    let text = String::from_utf8_lossy(&text).into_owned();
    let id = number_behind(&text, "process ");
    assert!(test_kill_process(id).is_ok());
    desk.stop().await;
    in_time(poll(async || test_kill_process(id).is_err().then_some(()))).await;
}
