//! A daemon that is killed takes its sessions along, and the next one says which.

use codeout_daemon::Daemon;
use codeout_protocol::message::Request;

use crate::desk::{attach, entry, in_time, open, poll, read_to_end, script, shell};
use crate::process::DaemonProcess;

#[tokio::test(flavor = "multi_thread")]
async fn the_next_daemon_names_the_sessions_that_were_lost() {
    let process = DaemonProcess::start().await;
    let connection = process.connect().await;
    let mut named = shell();
    named.name = Some("api".into());
    let api = open(&connection, named).await;
    let other = open(&connection, script("read x")).await;
    // One that has ended in peace is not lost, nor one that has a new name twice.
    let gone = open(&connection, script("exit 0")).await.session;
    read_to_end(&mut attach(&connection, gone).await).await;
    let over = async || entry(&connection, gone).await.ended;
    in_time(poll(over)).await;
    let rename = Request::RenameSession { session: other.session, name: "renamed".into() };
    in_time(connection.request(rename)).await.unwrap();
    drop(connection);

    let config = process.config();
    let _home = process.kill().await;
    let next = Daemon::open(config.clone()).await.unwrap();
    let names: Vec<_> = next.lost().iter().map(|lost| lost.name.as_str()).collect();
    assert_eq!(names, ["api", "renamed"]);
    let lost = &next.lost()[0];
    assert_eq!((&lost.directory, lost.opened_at), (&api.directory, api.opened_at));
    assert!(next.lost()[1].program.starts_with("sh -c"), "{:?}", next.lost()[1]);
    assert_eq!(next.sessions(), []);
    next.stop().await;
    // It is told once.
    let after = Daemon::open(config).await.unwrap();
    assert_eq!(after.lost(), []);
    after.stop().await;
}
