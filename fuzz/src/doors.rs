//! A daemon behind sockets of the target's own.

use std::future::Future;
use std::os::unix::net::UnixStream;

use codeout_daemon::fuzzing::House;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;

/// A daemon, and what runs it: whenever the target waits for it.
pub struct Door {
    /// The daemon.
    pub house: House,
    /// What runs it.
    pub runtime: Runtime,
}

impl Door {
    /// A daemon without devices, whose files are gone when it ends.
    pub fn open() -> Door {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let home = std::env::temp_dir().join(format!("codeout-fuzz-{}", std::process::id()));
        let house = runtime.block_on(House::open(&home));
        // They are open. Nobody ends a fuzz target so that it could tidy up.
        std::fs::remove_dir_all(&home).expect("its own directory");
        Door { house, runtime }
    }
}

/// Says something to `served`, which is at the other end of `stream`, and nothing more: at once, or
/// when the first of its answers is there. What it answers. It must end by itself, or have said that
/// it takes the word.
pub async fn speak<T>(
    stream: UnixStream,
    said: &[u8],
    waits: bool,
    served: impl Future<Output = T>,
) -> Vec<u8> {
    stream.set_nonblocking(true).expect("a socket");
    let stream = tokio::net::UnixStream::from_std(stream).expect("a socket");
    let (mut reading, mut writing) = stream.into_split();
    let answers = Notify::new();
    let say = async {
        // It may have heard enough.
        let _ = writing.write_all(said).await;
        if waits {
            answers.notified().await;
        }
        let _ = writing.shutdown().await;
    };
    let mut heard = Vec::new();
    let hear = async {
        while let Ok(1..) = reading.read_buf(&mut heard).await {
            answers.notify_one();
            // It holds the socket for as long as its process lives.
            if heard.ends_with(b"\"taken\"\n") {
                break;
            }
        }
        answers.notify_one();
    };
    let answered = async {
        tokio::join!(say, hear);
    };
    {
        tokio::pin!(answered, served);
        tokio::select! {
            () = &mut answered => {}
            _ = &mut served => answered.await,
        }
    }
    heard
}
