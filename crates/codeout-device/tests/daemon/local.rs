//! The daemon's control socket, as far as `connect` goes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

use super::{Behaviour, Inner, Peer, TestDaemon, name, talk, welcome};

/// A control socket in a directory of its own; both are gone with it.
pub struct Control {
    pub socket: PathBuf,
    directory: tempfile::TempDir,
    task: JoinHandle<()>,
}

impl Drop for Control {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A listener at a control socket on which the test answers, and what was asked.
pub async fn accept(listener: &UnixListener) -> UnixStream {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut asked = [0; 22];
    stream.read_exact(&mut asked).await.unwrap();
    assert_eq!(&asked, b"{\"request\":\"connect\"}\n");
    stream
}

pub fn listen(directory: &Path) -> (PathBuf, UnixListener) {
    let socket = directory.join("control");
    let listener = UnixListener::bind(&socket).unwrap();
    (socket, listener)
}

impl TestDaemon {
    /// Listens at a control socket too.
    pub fn control(&self) -> Control {
        let directory = tempfile::tempdir().unwrap();
        let (socket, listener) = listen(directory.path());
        let inner = Arc::clone(&self.inner);
        let task = tokio::spawn(async move {
            loop {
                let stream = accept(&listener).await;
                let next = inner.book.lock().unwrap().behaviours.pop_front();
                tokio::spawn(serve(stream, Arc::clone(&inner), next));
            }
        });
        Control { socket, directory, task }
    }
}

async fn serve(mut stream: UnixStream, inner: Arc<Inner>, behaviour: Option<Behaviour>) {
    let behaviour = behaviour.unwrap_or(Behaviour::Honest);
    inner.book.lock().unwrap().seen.connects += 1;
    match &behaviour {
        Behaviour::First(answer) => return stream.write_all(answer).await.unwrap(),
        Behaviour::CutAtFirst => return,
        Behaviour::HoldAtFirst => {
            inner.holding.notify_one();
            inner.go_on.notified().await;
        }
        _ => {}
    }
    let mut peer = Peer::local(stream);
    let called = inner.book.lock().unwrap().local_name.clone();
    peer.send_plaintext(&welcome(&called.unwrap_or_else(|| name("laptop")))).await;
    if behaviour == Behaviour::ByHand {
        let _ = inner.by_hand.send(peer);
    } else {
        talk::talk(peer, &inner, &behaviour).await;
    }
}
