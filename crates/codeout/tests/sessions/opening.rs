//! Opening sessions: what runs, where, and under which name.

use std::os::unix::fs::PermissionsExt;

use codeout_daemon::Event;
use codeout_protocol::message::{
    Answer, ErrorCode, Event as News, ExitStatus, Open, Outcome, Request, TerminalSize,
};
use tempfile::TempDir;

use super::connected;
use super::support::device::{Device, SIZE, shell, typing};
use super::support::process::{DaemonProcess, offer};
use super::support::{TestDaemon, event};

#[tokio::test]
async fn a_shell_answers_and_ends_with_its_status() {
    let (daemon, mut device) = connected().await;
    let mut events = daemon.daemon.events();
    let entry = device.open_with(shell()).await;
    let session = entry.session;
    assert_eq!((entry.name.as_str(), entry.directory.as_str()), ("tmp", "/tmp"));
    assert_eq!((entry.columns, entry.rows), (SIZE.columns, SIZE.rows));
    assert_eq!((entry.watching, entry.ended), (0, None));
    let opened = event(&mut events, |event| match event {
        Event::SessionOpened { session, by } => Some((session.session, by)),
        _ => None,
    });
    assert_eq!(opened.await, (session, "phone".to_owned()));
    // The terminal echoes, the shell answers, in the daemon's directory.
    device.attach(typing(session)).await;
    device.type_in(session, b"echo he''llo; pwd\n").await.unwrap();
    device.see(session, "echo he''llo; pwd\r\n").await;
    device.see(session, "hello\r\n/tmp\r\n").await;
    device.see_written(session).await;
    device.type_in(session, b"exit 7\n").await.unwrap();
    assert_eq!(device.end_of(session).await, ExitStatus::Exit(7));
    let ended = event(&mut events, |event| match event {
        Event::SessionEnded { session } => Some((session.session, session.ended.unwrap().status)),
        _ => None,
    });
    assert_eq!(ended.await, (session, ExitStatus::Exit(7)));

    // A number is never used again.
    let next = device.open().await;
    assert!(next > session);
    device.type_in(next, b"kill -KILL $$\n").await.unwrap();
    assert_eq!(device.end_of(next).await, ExitStatus::Signal(9));
    for ended in [session, next] {
        device.done(Request::Dismiss { session: ended }).await;
    }
    assert!(device.open().await > next);
}

#[tokio::test]
async fn every_device_is_told_of_a_session() {
    let (daemon, mut device) = connected().await;
    let mut other = Device::of(&daemon, "tablet").await;
    let entry = device.open_with(shell()).await;
    for device in [&mut device, &mut other] {
        let is_told = |device: &mut Device, _| {
            device.news.iter().find_map(|news| match news {
                News::SessionOpened { session } => Some(session.clone()),
                _ => None,
            })
        };
        let told = device.until(is_told).await.unwrap();
        assert_eq!((told.session, &told.name), (entry.session, &entry.name));
    }
}

#[tokio::test]
async fn a_program_gets_its_arguments_and_its_directory() {
    let (daemon, mut device) = connected().await;
    let place = daemon.home.path().join("place");
    std::fs::create_dir(&place).unwrap();
    let open = Open {
        program: Some("sh".to_owned()),
        arguments: ["-c", "read _; echo \"[$0|$1|$(pwd -P)]\"", "a b", "$c"]
            .map(str::to_owned)
            .into(),
        directory: Some(place.to_str().unwrap().to_owned()),
        ..shell()
    };
    let entry = device.open_with(open).await;
    assert_eq!(entry.name, "place");
    assert!(entry.program.starts_with("sh -c"), "{}", entry.program);
    assert_eq!(entry.directory, place.to_str().unwrap());
    device.attach(typing(entry.session)).await;
    device.type_in(entry.session, b"\n").await.unwrap();
    let place = place.canonicalize().unwrap();
    device.see(entry.session, &format!("[a b|$c|{}]", place.display())).await;
    assert_eq!(device.end_of(entry.session).await, ExitStatus::Exit(0));
}

#[tokio::test]
async fn a_session_is_opened_again_with_every_word_as_it_was() {
    let (daemon, mut device) = connected().await;
    let place = daemon.home.path().join("two  words");
    std::fs::create_dir(&place).unwrap();
    // No text for people keeps these apart, and none is as long.
    let script = "read _; for a; do printf '<%s>' \"$a\"; done; exit 3";
    let long = "x".repeat(1000);
    let words = ["-c", script, "sh", "two  words", "", " ", "a\tb\nc", "'\"\\", "$HOME", &long];
    let open = Open {
        program: Some("sh".to_owned()),
        arguments: words.map(str::to_owned).into(),
        directory: Some(place.to_str().unwrap().to_owned()),
        name: Some("first".to_owned()),
        ..shell()
    };
    let first = device.open_with(open).await;
    let printed = format!("<two  words><>< ><a\tb\r\nc><'\"\\><$HOME><{long}>");
    device.attach(typing(first.session)).await;
    device.type_in(first.session, b"\n").await.unwrap();
    device.see(first.session, &printed).await;
    assert_eq!(device.end_of(first.session).await, ExitStatus::Exit(3));

    let size = TerminalSize { columns: 100, rows: 30 };
    let again = |session| Request::OpenAgain { session, size };
    let outcome = device.ask(again(first.session)).await.unwrap();
    let Outcome::Ok(Answer::Opened { opened: second }) = outcome else { panic!("{outcome:?}") };
    assert!(second.session > first.session);
    assert_eq!(second.name, "two words");
    assert_eq!((&second.program, &second.directory), (&first.program, &first.directory));
    assert_eq!((second.columns, second.rows), (100, 30));
    device.attach(typing(second.session)).await;
    device.type_in(second.session, b"\n").await.unwrap();
    device.see(second.session, &printed).await;
    assert_eq!(device.end_of(second.session).await, ExitStatus::Exit(3));

    // A shell that nobody named is one again, and what is not listed is not found.
    let shell = device.open().await;
    let outcome = device.ask(again(shell)).await.unwrap();
    assert!(matches!(outcome, Outcome::Ok(Answer::Opened { .. })), "{outcome:?}");
    device.done(Request::Dismiss { session: first.session }).await;
    for gone in [first.session, 4_000_000_000] {
        assert_eq!(device.refused(again(gone)).await, ErrorCode::NotFound);
    }
    let size = TerminalSize { columns: 0, rows: 30 };
    let sizeless = Request::OpenAgain { session: shell, size };
    assert_eq!(device.refused(sizeless).await, ErrorCode::BadRequest);
}

#[tokio::test]
async fn names_are_cleaned_and_never_shared() {
    let (_daemon, mut device) = connected().await;
    let named = |name: &str| Open { name: Some(name.to_owned()), ..shell() };
    let first = device.open_with(named("\u{1b}[2J\u{202e} API\r\n one\u{0}")).await;
    assert_eq!(first.name, "[2J API one");
    let second = device.open_with(named("web")).await;
    for taken in ["web", "WEB", " web\u{200b}", "[2j api ONE"] {
        let open = Request::Open(named(taken));
        assert_eq!(device.refused(open).await, ErrorCode::Taken, "{taken:?}");
    }
    let rename =
        |name: &str| Request::RenameSession { session: first.session, name: name.to_owned() };
    for taken in ["web", "Web"] {
        assert_eq!(device.refused(rename(taken)).await, ErrorCode::Taken, "{taken:?}");
    }
    for nothing in ["", " \t", "\u{1b}\u{202e}"] {
        let open = Request::Open(named(nothing));
        assert_eq!(device.refused(open).await, ErrorCode::BadRequest, "{nothing:?}");
        assert_eq!(device.refused(rename(nothing)).await, ErrorCode::BadRequest, "{nothing:?}");
    }
    // Refused, nothing was opened or renamed.
    assert_eq!(device.listed(first.session).await.unwrap().name, "[2J API one");
    assert_eq!(device.listed(second.session + 1).await, None);
    // Its own name in other letters is free for it.
    for (wanted, given) in [("api", "api"), ("\u{7}A  PI ", "A PI"), ("a pi", "a pi")] {
        let outcome = device.ask(rename(wanted)).await.unwrap();
        assert_eq!(outcome, Outcome::Ok(Answer::Renamed { name: given.to_owned() }));
        assert_eq!(device.listed(first.session).await.unwrap().name, given);
    }
    // A name that nobody asked for is made unlike the others.
    assert_eq!(device.open_with(shell()).await.name, "tmp");
    assert_eq!(device.open_with(shell()).await.name, "tmp-2");
    // One that has ended has its name as long as it is listed.
    device.attach(typing(second.session)).await;
    device.done(Request::End { session: second.session }).await;
    device.end_of(second.session).await;
    assert_eq!(device.refused(Request::Open(named("web"))).await, ErrorCode::Taken);
    device.done(Request::Dismiss { session: second.session }).await;
    assert_eq!(device.open_with(named("web")).await.name, "web");
}

#[tokio::test]
async fn a_shell_that_cannot_start_is_no_end() {
    let home = TempDir::new().unwrap();
    let shell_path = home.path().join("shell");
    let nowhere = home.path().join("nowhere");
    let daemon = TestDaemon::start_with(|config| config.shell.clone_from(&shell_path)).await;
    let mut device = Device::of(&daemon, "phone").await;
    let outcome = device.ask(Request::Open(shell())).await.unwrap();
    let Outcome::Error(error) = outcome else { panic!("{outcome:?}") };
    assert_eq!(error.code, ErrorCode::NotFound);
    assert!(error.message.contains(shell_path.to_str().unwrap()), "{}", error.message);
    // Not a program.
    std::fs::write(&shell_path, "#!/bin/sh\necho st''arted; read _\n").unwrap();
    assert_eq!(device.refused(Request::Open(shell())).await, ErrorCode::Failed);
    assert_eq!(daemon.daemon.sessions(), []);
    // Now it is one.
    std::fs::set_permissions(&shell_path, std::fs::Permissions::from_mode(0o700)).unwrap();
    let session = device.open().await;
    device.see(session, "started").await;
    device.type_in(session, b"\n").await.unwrap();
    assert_eq!(device.end_of(session).await, ExitStatus::Exit(0));

    // Nor can it start where there is nothing, whoever says so.
    let daemon = TestDaemon::start_with(|config| config.directory.clone_from(&nowhere)).await;
    let mut device = Device::of(&daemon, "phone").await;
    let open = |program: Option<&str>, directory: Option<&str>| {
        let (program, directory) = (program.map(str::to_owned), directory.map(str::to_owned));
        Request::Open(Open { program, directory, ..shell() })
    };
    for (program, directory, code) in [
        (None, None, ErrorCode::NotFound),
        (None, nowhere.to_str(), ErrorCode::NotFound),
        (None, shell_path.to_str(), ErrorCode::BadRequest),
        (Some("no-such-program"), Some("/tmp"), ErrorCode::NotFound),
        (Some("/dev/null"), Some("/tmp"), ErrorCode::Failed),
    ] {
        let refused = device.refused(open(program, directory)).await;
        assert_eq!(refused, code, "{program:?} {directory:?}");
    }
    assert_eq!(daemon.daemon.sessions(), []);
    device.done(Request::Ping).await;
}

#[tokio::test]
async fn a_program_sees_its_own_terminal_and_not_the_daemons() {
    let home = TempDir::new().unwrap();
    let foreign = ["TMUX", "TMUX_PANE", "STY", "COLUMNS", "LINES", "TERM_PROGRAM"];
    let daemon = DaemonProcess::start_with(home.path(), |command| {
        command.env("TERM", "dumb").env("COLORTERM", "none").env("CODEOUT_SESSION", "99");
        command.env("KEPT", "kept");
        for name in foreign {
            command.env(name, "foreign");
        }
    })
    .await;
    let code = offer(home.path()).await;
    let mut device = Device::pair(daemon.port, &code, "phone").await.unwrap();
    let first = device.open().await;
    let session = device.open().await;
    device
        .type_in(session, b"echo \"[$CODEOUT_SESSION $TERM $COLORTERM $KEPT]\"; env; echo e''nd\n")
        .await
        .unwrap();
    assert_ne!(session, first);
    device.see(session, &format!("[{session} xterm-256color truecolor kept]")).await;
    // Up to the end, which `see` would throw away.
    loop {
        let printed = String::from_utf8_lossy(&device.screen(session).text).into_owned();
        if printed.contains("end\r\n") {
            assert!(printed.contains("KEPT=kept"), "{printed}");
            for name in foreign {
                assert!(!printed.contains(&format!("\n{name}=")), "{name} in {printed}");
            }
            break;
        }
        device.hear().await.unwrap();
    }
    assert!(daemon.terminate().await.success());
}
