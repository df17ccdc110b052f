//! What comes out of attachments, in order and bounded.

#![allow(clippy::unwrap_used, reason = "a test that fails")]

mod daemon;

use codeout_device::{
    Attachment, AttachmentReader, Closed, Connection, RequestFailed, SessionOutput,
};
use codeout_protocol::message::{
    ACKNOWLEDGE_IDLE, Answer, ClosingReason, Event, ExitStatus, FromDaemon, MAX_CHUNK,
    OUTPUT_WINDOW, Outcome, Reply, Request, TerminalSize,
};
use daemon::{Peer, Said, attached, name, welcome_event};
use futures_util::FutureExt;

async fn bytes(reader: &mut AttachmentReader) -> Vec<u8> {
    match reader.read().await {
        Some(SessionOutput::Bytes(bytes)) => bytes.to_vec(),
        other => panic!("no output: {other:?}"),
    }
}

/// Windows are filled to the last byte with such pieces.
const PIECE: usize = 32 << 10;

/// That the connection ends because of what the daemon just sent.
async fn ends_in_protocol(connection: Connection) {
    assert_eq!(connection.closed().await, Closed::Protocol);
    let failed = connection.request(Request::Ping).await;
    assert_eq!(failed, Err(RequestFailed::Closed(Closed::Protocol)));
    assert!(connection.next_event().await.is_none());
}

#[tokio::test]
async fn output_is_acknowledged_in_time() {
    let (_daemon, _connection, session, mut peer) = attached().await;
    let (_input, mut reader) = session.split();
    let chunk = vec![b'o'; MAX_CHUNK];
    let mut sent = 0u64;
    // Three windows' worth: two chunks at a time, each of which is said to be dealt with when
    // the reader comes back and finds nothing more.
    while sent < 3 * OUTPUT_WINDOW {
        for _ in 0..2 {
            peer.output(5, sent, &chunk).await;
            sent += chunk.len() as u64;
        }
        let mut read = 0;
        while read < 2 * MAX_CHUNK {
            read += bytes(&mut reader).await.len();
        }
        loop {
            let said = tokio::select! {
                biased;
                _ = reader.read() => panic!("nothing was sent"),
                said = peer.next() => said,
            };
            let Said::Read { session: 5, offset } = said else { panic!("{said:?}") };
            if offset == sent {
                break;
            }
        }
    }
}

#[tokio::test]
async fn little_is_acknowledged_when_nothing_waits() {
    let (_daemon, _connection, mut session, mut peer) = attached().await;
    let quiet = async |session: &mut Attachment, peer: &mut Peer| {
        // Were there anything to be said, it would come before this.
        let mut detached = std::pin::pin!(session.resize(TerminalSize { columns: 1, rows: 1 }));
        tokio::select! {
            _ = &mut detached => panic!("nobody answered"),
            (id, _) = peer.request() => peer.reply(id, Answer::Done {}).await,
        }
        detached.await.unwrap();
    };
    peer.output(5, 0, &[b'x'; ACKNOWLEDGE_IDLE as usize - 1]).await;
    assert!(session.read().await.is_some());
    assert!(session.read().now_or_never().is_none());
    quiet(&mut session, &mut peer).await;
    // A snapshot's bytes count too.
    peer.snapshot(5).await;
    peer.snapshot_chunk(5, 0, b"x").await;
    for _ in 0..2 {
        assert!(session.read().await.is_some());
    }
    quiet(&mut session, &mut peer).await;
    assert!(session.read().now_or_never().is_none());
    let offset = ACKNOWLEDGE_IDLE;
    assert_eq!(peer.next().await, Said::Read { session: 5, offset });
}

#[tokio::test]
async fn a_slow_reader_gets_all_and_never_more_than_the_window() {
    let (_daemon, connection, session, mut peer) = attached().await;
    let (_input, mut reader) = session.split();
    let chunk = vec![b'o'; PIECE];
    let chunks = OUTPUT_WINDOW / PIECE as u64;
    for number in 0..chunks {
        peer.output(5, number * PIECE as u64, &chunk).await;
    }
    peer.event(Event::SessionEnded { session: 5, status: ExitStatus::Exit(0) }).await;
    peer.close(ClosingReason::Stopping).await;
    connection.closed().await;
    // What came before the end is there behind it.
    for _ in 0..chunks {
        assert_eq!(bytes(&mut reader).await.len(), PIECE);
    }
    assert!(matches!(reader.try_read(), Some(SessionOutput::Ended(ExitStatus::Exit(0)))));
    assert!(reader.try_read().is_none() && reader.read().await.is_none());
}

#[tokio::test]
async fn output_that_nobody_reads_holds_nothing_up() {
    let (_daemon, connection, session, mut peer) = attached().await;
    let (mut input, reader) = session.split();
    let chunk = vec![b'o'; PIECE];
    let mut sent = 0;
    while sent < OUTPUT_WINDOW {
        peer.output(5, sent, &chunk).await;
        sent += chunk.len() as u64;
    }
    // All of it has come when what was said behind it has.
    let [id, name] = ["A", "x"].map(str::to_owned);
    peer.event(Event::DeviceRevoked { id, name }).await;
    connection.next_event().await;
    drop(reader);
    let mut acknowledged = 0;
    while sent < 4 * OUTPUT_WINDOW {
        while sent - acknowledged >= OUTPUT_WINDOW {
            let Said::Read { session: 5, offset } = peer.next().await else { panic!() };
            assert!(offset > acknowledged && offset <= sent);
            acknowledged = offset;
        }
        peer.output(5, sent, &chunk).await;
        sent += chunk.len() as u64;
    }
    input.write_input(b"still here").await.unwrap();
}

#[tokio::test]
async fn a_snapshot_replaces_another() {
    let (_daemon, _connection, session, mut peer) = attached().await;
    let (_input, mut reader) = session.split();
    peer.output(5, 0, b"ab").await;
    peer.snapshot(5).await;
    peer.snapshot_chunk(5, 0, b"old").await;
    peer.snapshot_chunk(5, 3, b"er").await;
    peer.snapshot(5).await;
    peer.snapshot_chunk(5, 0, b"new").await;
    peer.snapshot_end(5, 70).await;
    peer.output(5, 70, b"cd").await;
    let mut shown = Vec::new();
    while reader.offset() != Some(72) {
        match reader.read().await.unwrap() {
            SessionOutput::Snapshot { size, size_by: None, history: false } => {
                assert_eq!(size, TerminalSize { columns: 80, rows: 24 });
                assert_eq!(reader.offset(), None);
                shown.clear();
            }
            SessionOutput::Bytes(bytes) => shown.extend_from_slice(&bytes),
            SessionOutput::SnapshotEnd => assert_eq!(reader.offset(), Some(70)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(shown, b"newcd");
}

#[tokio::test]
async fn small_chunks_come_merged() {
    let (_daemon, connection, session, mut peer) = attached().await;
    let (_input, mut reader) = session.split();
    for offset in 0..10_000 {
        peer.output(5, offset, &[offset as u8]).await;
    }
    peer.close(ClosingReason::Stopping).await;
    connection.closed().await;
    let mut pieces = Vec::new();
    while let Some(SessionOutput::Bytes(bytes)) = reader.read().await {
        pieces.push(bytes.to_vec());
    }
    assert_eq!(pieces.len(), 1);
    assert!(pieces.concat().iter().enumerate().all(|(at, byte)| at as u8 == *byte));
    assert_eq!(reader.offset(), Some(10_000));
}

#[tokio::test]
async fn what_is_out_of_order_ends_it() {
    type Fault = fn(&mut Peer) -> std::pin::Pin<Box<dyn Future<Output = ()> + '_>>;
    let faults: [Fault; 6] = [
        |peer| Box::pin(async { peer.snapshot_chunk(5, 0, b"x").await }),
        |peer| Box::pin(async { peer.snapshot_end(5, 0).await }),
        |peer| {
            Box::pin(async {
                peer.snapshot(5).await;
                peer.output(5, 0, b"x").await;
            })
        },
        |peer| {
            Box::pin(async {
                peer.snapshot(5).await;
                peer.snapshot_chunk(5, 1, b"x").await;
            })
        },
        |peer| {
            Box::pin(async {
                peer.snapshot(5).await;
                peer.snapshot_chunk(5, 0, b"x").await;
                peer.snapshot(5).await;
                peer.snapshot_chunk(5, 1, b"x").await;
            })
        },
        |peer| {
            Box::pin(async {
                let size = TerminalSize { columns: 0, rows: 24 };
                let session = 5;
                peer.event(Event::Snapshot { session, size, size_by: None, history: false }).await;
            })
        },
    ];
    for fault in faults {
        let (_daemon, connection, _session, mut peer) = attached().await;
        fault(&mut peer).await;
        ends_in_protocol(connection).await;
    }
}

#[tokio::test]
async fn snapshots_count_for_the_window() {
    let (_daemon, connection, _session, mut peer) = attached().await;
    let chunk = vec![b'o'; PIECE];
    for _ in 0..2 {
        peer.snapshot(5).await;
        for number in 0..OUTPUT_WINDOW / PIECE as u64 / 2 {
            peer.snapshot_chunk(5, number * PIECE as u64, &chunk).await;
        }
    }
    peer.snapshot_end(5, 0).await;
    peer.output(5, 0, b"x").await;
    ends_in_protocol(connection).await;
}

#[tokio::test]
async fn output_at_a_wrong_offset_ends_it() {
    for offset in [1, 9, 11, u64::MAX - 1] {
        let (_daemon, connection, _session, mut peer) = attached().await;
        peer.output(5, 0, b"0123456789").await;
        peer.output(5, offset, b"x").await;
        ends_in_protocol(connection).await;
    }
}

#[tokio::test]
async fn output_beyond_the_window_ends_it() {
    let (_daemon, connection, _session, mut peer) = attached().await;
    let chunk = vec![b'o'; PIECE];
    for number in 0..OUTPUT_WINDOW / PIECE as u64 {
        peer.output(5, number * PIECE as u64, &chunk).await;
    }
    peer.output(5, OUTPUT_WINDOW, b"x").await;
    ends_in_protocol(connection).await;
}

#[tokio::test]
async fn what_has_no_place_ends_it() {
    let plaintexts = [
        FromDaemon::Event(welcome_event(&name("laptop"))).write(),
        FromDaemon::Event(Event::Closing { reason: ClosingReason::Stopping }).write(),
        FromDaemon::Reply(Reply { id: 77, outcome: Outcome::Ok(Answer::Done {}) }).write(),
        // Output and progress of a session that is not there, input that was not sent, an empty
        // chunk, one that is too long, and what is nothing at all.
        [&[0x10, 0, 0, 0, 6][..], &[0; 8], b"x"].concat(),
        [&[0x14, 0, 0, 0, 6][..], &[0; 8], b"x"].concat(),
        [&[0x13, 0, 0, 0, 6][..], &[0; 8]].concat(),
        FromDaemon::Event(Event::SnapshotEnd { session: 6, offset: 0 }).write(),
        [&[0x13, 0, 0, 0, 5][..], &1u64.to_be_bytes()].concat(),
        [&[0x10, 0, 0, 0, 5][..], &[0; 8]].concat(),
        [&[0x10, 0, 0, 0, 5][..], &[0; 8], &[b'x'; MAX_CHUNK + 1]].concat(),
        vec![0x10],
        vec![],
        vec![0xee, 1, 2, 3],
        b"\x03[]".to_vec(),
        b"\x02{".to_vec(),
        // What only a device says.
        b"\x01{\"id\":1,\"request\":\"ping\"}".to_vec(),
    ];
    for plaintext in plaintexts {
        let (_daemon, connection, _session, mut peer) = attached().await;
        peer.send_plaintext(&plaintext).await;
        assert_eq!(connection.closed().await, Closed::Protocol, "{plaintext:x?}");
        ends_in_protocol(connection).await;
    }
}
