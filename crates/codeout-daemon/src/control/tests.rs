use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use codeout_protocol::name::{Name, clean_text};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use super::*;
use crate::trail::Happening;
use crate::{Config, Daemon, OfferLimits};

/// Whatever the umask.
fn private_directory() -> TempDir {
    let private = Permissions::from_mode(0o700);
    tempfile::Builder::new().permissions(private).tempdir().unwrap()
}

/// A daemon that listens where nobody calls it.
async fn daemon(home: &Path) -> Daemon {
    let name = Name::clean("desk").unwrap();
    let mut config = Config::new(home.to_owned(), home.to_owned(), name);
    (config.bind, config.port) = (Some(std::net::Ipv4Addr::LOCALHOST.into()), 0);
    Daemon::open(config).await.unwrap()
}

async fn client(home: &Path) -> Client {
    Client::connect(home).await.unwrap()
}

fn can_be_shown(text: &str) -> bool {
    clean_text(text, usize::MAX) == text
}

/// The line that the daemon answers with.
async fn answer(home: &Path, request: &ControlRequest) -> String {
    let mut stream = BufReader::new(UnixStream::connect(socket(home)).await.unwrap());
    let mut line = serde_json::to_vec(request).unwrap();
    line.push(b'\n');
    stream.write_all(&line).await.unwrap();
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    line
}

#[tokio::test]
async fn what_was_asked_for_is_told_back_as_it_can_be_read_and_shown() {
    let home = private_directory();
    let home = home.path();
    let daemon = daemon(home).await;
    let hostile = || "\x1b[2J\"pho\u{202e}ne".to_owned();
    let query = Query { device: Some(hostile()), ..Query::default() };
    let (executable, handover) = (PathBuf::from(hostile()), crate::handover::VERSION);
    for request in [
        ControlRequest::Revoke { device: hostile() },
        ControlRequest::Rename { device: hostile(), name: "phone".to_owned() },
        ControlRequest::Trail { query, follow: false },
        ControlRequest::Restart { executable, handover },
    ] {
        let line = answer(home, &request).await;
        assert!(line.contains(r#"[2J\"phone"#) && !line.contains("\\u"), "{line}");
        assert!(can_be_shown(line.trim_end()), "{line}");
    }
    // The longest that there is room for.
    let device = "x".repeat(usize::try_from(MAX_LINE).unwrap() - 40);
    let error = client(home).await.revoke(&device).await.unwrap_err();
    assert!(matches!(error, ClientError::Daemon(ControlError::NoDevice { .. })), "{error:?}");
    daemon.stop().await;
}

#[tokio::test]
async fn no_error_of_a_daemon_acts_on_the_terminal() {
    const HOSTILE: &str = "a\x1b[2J\n\u{202e}b";
    let text = || HOSTILE.to_owned();
    let texts = || vec![text()];
    for error in [
        ControlError::NoDevice { wanted: text(), known: texts() },
        ControlError::Ambiguous { wanted: text(), candidates: texts() },
        ControlError::Store(text()),
        ControlError::SessionsRun { names: texts() },
        ControlError::CannotRestart(text()),
    ] {
        let (mut daemon, stream) = UnixStream::pair().unwrap();
        let mut line = serde_json::to_vec(&ControlReply::Error(error)).unwrap();
        line.push(b'\n');
        daemon.write_all(&line).await.unwrap();
        let error = Client::of(stream).stop(false).await.unwrap_err();
        let ClientError::Daemon(error) = error else { panic!("{error:?}") };
        let json = serde_json::to_string(&error).unwrap();
        assert!(json.contains("a[2J b") && can_be_shown(&json) && !json.contains("\\u"), "{json}");
    }
}

#[tokio::test]
async fn a_daemon_that_lost_as_many_sessions_as_can_be_tells_how_it_is() {
    let home = private_directory();
    let home = home.path();
    let lost = |number| LostSession {
        name: format!("session-{number}"),
        program: "/bin/sh".to_owned(),
        directory: "/long\x1b".repeat(600),
        opened_at: 1,
    };
    let lost: Vec<_> = (0..crate::sessions::MAX_RUNNING).map(lost).collect();
    std::fs::write(Paths::new(home).sessions(), serde_json::to_vec(&lost).unwrap()).unwrap();
    let daemon = daemon(home).await;
    let status = client(home).await.status().await.unwrap();
    assert_eq!(status.lost.first().unwrap().name, "session-0");
    assert_eq!(daemon.lost(), lost);
    daemon.stop().await;
}

#[tokio::test]
async fn whoever_follows_from_now_on_hears_of_nothing_before() {
    let home = private_directory();
    let home = home.path();
    let daemon = daemon(home).await;
    let query = Query { last: Some(0), ..Query::default() };
    assert_eq!(
        client(home).await.trail(query.clone(), false).await.unwrap().next().await.unwrap(),
        None
    );
    let client = client(home).await;
    let follow = async { client.trail(query, true).await.unwrap().next().await.unwrap().unwrap() };
    // Nobody tells when the daemon has begun to follow.
    let mut again = tokio::time::interval(Duration::from_millis(50));
    let happen = async {
        loop {
            again.tick().await;
            daemon.offer(OfferLimits::default());
        }
    };
    let heard = tokio::select! {
        heard = follow => heard,
        () = happen => unreachable!("it goes on"),
    };
    let is_new = |entry: &Entry| matches!(entry.happening, Happening::OfferOpened { .. });
    assert!(heard.iter().all(is_new), "{heard:?}");
    daemon.stop().await;
}
