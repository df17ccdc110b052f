//! A paired device that asks for nothing: it tells, as fast and as much as it can.

use std::time::Duration;

use codeout_daemon::OfferLimits;
use codeout_protocol::channel::Channel;
use codeout_protocol::handshake::DeviceCredentials;
use codeout_protocol::message::{
    Attach, Chunk, FromDaemon, FromDevice, INPUT_WINDOW, Progress, Request, SessionId,
};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use super::devices::{CONNECTIONS, reply};
use super::malice::stage;
use super::tally::Tally;
use crate::measure::Report;
use crate::processes::World;
use crate::sessions;
use crate::wire::{self, Established, WireError};

/// What is told on each connection without a pause.
#[derive(Clone, Copy)]
enum Word {
    /// A ping of WebSocket's own, which is answered.
    Ping,
    /// That nothing was read.
    Acknowledgement,
    /// A byte typed into a session that takes it.
    Key,
    /// An empty fragment of a message that never comes whole.
    Fragment,
}

pub(crate) fn run(report: &mut Report, world: &World) {
    let (mut stage, _) = stage(report, world, "telling", OfferLimits::default());
    let port = stage.port;
    let session = stage.runtime.block_on(async {
        let connection = stage.daemon.connect().await;
        sessions::open(&connection, "taking", "stty -echo; exec cat > /dev/null").await
    });
    for (what, word) in [
        ("pings", Word::Ping),
        ("acknowledgements of nothing", Word::Acknowledgement),
        ("typed bytes, one a record", Word::Key),
        ("empty fragments", Word::Fragment),
    ] {
        // What the one before has told is still being read.
        let device = stage.pair(1, OfferLimits::default()).remove(0);
        stage.siege(report, &format!("a flood of {what}"), |attack, tally| {
            for number in 0..CONNECTIONS {
                let (device, tally) = (device.clone(), tally.clone());
                attack.spawn(async move {
                    loop {
                        let told = tell(port, &device, session, number as u64, word, &tally).await;
                        tally.count(if told.is_err() { "connections ended" } else { "rounds" });
                    }
                });
            }
        });
    }
}

async fn tell(
    port: u16,
    device: &DeviceCredentials,
    session: SessionId,
    keyboard: u64,
    word: Word,
    tally: &Tally,
) -> Result<(), WireError> {
    let mut line = wire::connect(port, device).await?;
    let attach = Attach { session, keyboard: Some(keyboard), ..Attach::default() };
    line.request(1, Request::Attach(attach)).await?;
    reply(&mut line).await?;
    let Established { wire, channel } = line;
    let (mut sink, mut stream) = wire.0.split();
    let Channel { mut sealer, mut opener } = channel;
    let written = watch::Sender::new(0);
    let mut hears = written.subscribe();
    let telling = async {
        for offset in 0.. {
            let message = match word {
                Word::Ping => Message::Ping(Default::default()),
                Word::Acknowledgement => {
                    let read = FromDevice::OutputRead(Progress { session, offset: 0 });
                    Message::binary(sealer.seal(Duration::ZERO, &read.write())?)
                }
                Word::Fragment => {
                    let kind = if offset == 0 { Data::Binary } else { Data::Continue };
                    Message::Frame(Frame::message(Vec::new(), OpCode::Data(kind), false))
                }
                Word::Key => {
                    // More than the window is a violation.
                    let room = |written: &u64| offset < *written + INPUT_WINDOW;
                    let _ = hears.wait_for(room).await;
                    let key = FromDevice::Input(Chunk { session, offset, bytes: b"\n" });
                    Message::binary(sealer.seal(Duration::ZERO, &key.write())?)
                }
            };
            sink.send(message).await.map_err(|_| WireError::Ended)?;
            tally.count("told");
        }
        Ok(())
    };
    let hearing = async {
        while let Some(Ok(message)) = stream.next().await {
            let Message::Binary(record) = message else { continue };
            let plaintext = opener.open(&record)?.into_bytes();
            if let FromDaemon::InputWritten(progress) = FromDaemon::read(&plaintext)? {
                written.send_replace(progress.offset);
            }
        }
        Err(WireError::Ended)
    };
    tokio::select! {
        told = telling => told,
        heard = hearing => heard,
    }
}
