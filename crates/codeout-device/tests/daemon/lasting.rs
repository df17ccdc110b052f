//! Lasting attachments over the control socket.

use std::time::Duration;

use codeout_device::{
    Backoff, Daemon, Lasted, LastingEnd, LastingInput, LastingOptions, LastingReader, LinkError,
    SessionOutput, attach_lasting,
};
use codeout_protocol::message::{Answer, Attach, Attached, Request};

use super::{Behaviour, Peer, Session, TestDaemon, entry, local};

pub const BACKOFF: Backoff =
    Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(4), patience: None };

pub fn options() -> LastingOptions {
    let backoff = BACKOFF;
    LastingOptions { session: 1, history: Some(500), typing: true, size: None, backoff }
}

/// A daemon with an honest session, reached by its control socket.
pub async fn served() -> (TestDaemon, local::Control, Daemon) {
    let daemon = TestDaemon::start().await;
    daemon.put_session(1, Session::new());
    let control = daemon.control();
    let how = Daemon::Local(control.socket.clone());
    (daemon, control, how)
}

pub async fn attach(how: &Daemon) -> (LastingInput, LastingReader) {
    let connection = how.connect().await.unwrap();
    let lasting = attach_lasting(how.clone(), connection, options()).await;
    let (entry, input, reader) = lasting.unwrap();
    assert_eq!(entry.session, 1);
    (input, reader)
}

/// A lasting attachment whose other end the test plays, behind its first, empty snapshot.
pub async fn by_hand(
    options: LastingOptions,
) -> (TestDaemon, local::Control, LastingInput, LastingReader, Peer) {
    let (mut daemon, control, how) = served().await;
    daemon.behave([Behaviour::ByHand]);
    let connection = how.connect().await.unwrap();
    let mut peer = daemon.by_hand.recv().await.unwrap();
    let lasting = attach_lasting(how, connection, options);
    let (lasting, ()) = tokio::join!(lasting, peer.attach(0));
    let (_, input, mut reader) = lasting.unwrap();
    whole_snapshot(&mut reader).await;
    (daemon, control, input, reader, peer)
}

pub async fn whole_snapshot(reader: &mut LastingReader) {
    loop {
        match reader.next().await {
            Some(Lasted::Output(SessionOutput::SnapshotEnd)) => return,
            Some(Lasted::Output(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}

pub async fn bytes(reader: &mut LastingReader) -> Vec<u8> {
    match reader.next().await {
        Some(Lasted::Output(SessionOutput::Bytes(bytes))) => bytes.to_vec(),
        other => panic!("no output: {other:?}"),
    }
}

pub async fn down(reader: &mut LastingReader) -> (LinkError, Duration, u32) {
    match reader.next().await {
        Some(Lasted::LinkDown { error, retry_in, attempt }) => (error, retry_in, attempt),
        other => panic!("{other:?}"),
    }
}

pub async fn up(reader: &mut LastingReader) {
    let next = reader.next().await;
    assert!(matches!(next, Some(Lasted::LinkUp)), "{next:?}");
}

pub async fn over(reader: &mut LastingReader) -> LastingEnd {
    loop {
        match reader.next().await {
            Some(Lasted::Over(end)) => {
                assert!(reader.next().await.is_none());
                return end;
            }
            Some(_) => {}
            None => panic!("it said nothing"),
        }
    }
}

/// Answers to an attach request with these.
pub async fn attached(peer: &mut Peer, input: u64) -> Attach {
    let (id, request) = peer.request().await;
    let Request::Attach(attach) = request else { panic!("{request:?}") };
    let resumed = attach.after.is_some();
    let attached = Attached { attached: entry(attach.session), resumed, input };
    peer.reply(id, Answer::Attached(Box::new(attached))).await;
    attach
}

/// Turns the paused clock on by so much; whatever can run before does.
pub async fn turn_clock(time: Duration) {
    let mut ticks = tokio::time::interval(time.max(Duration::from_nanos(1)));
    ticks.tick().await;
    ticks.tick().await;
}
