//! What is typed, from the terminal to the session. A thread of its own waits in the kernel for
//! keys, and sends them from there: a key takes no detour.

use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use codeout_device::{InputError, LastingInput};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use zeroize::{Zeroize, Zeroizing};

use super::filter::{Filter, Word};
use crate::detach_key::DetachKey;

/// What the end of a piped input becomes: Ctrl-D.
const END_OF_INPUT: u8 = 0x04;
/// What is read at once, in bytes.
const AT_ONCE: usize = 16 * 1024;
/// What waits here at most, in bytes, beside what the attachment keeps: a session that takes
/// nothing must not keep the detach key from being read.
const MOST_WAITING: usize = 4 << 20;

/// Reads standard input until it ends, the user leaves or the session takes no more. `input` is
/// `None` on a device that only watches. The words go to `words`.
pub(super) fn read(
    runtime: Handle,
    input: Option<LastingInput>,
    key: Option<DetachKey>,
    words: mpsc::UnboundedSender<Word>,
) {
    let mut typing = input.map(|input| Typing::new(runtime, input));
    std::thread::spawn(move || match key {
        Some(key) => read_terminal(key, typing.as_mut(), &words),
        None => read_pipe(typing.as_mut()),
    });
}

fn read_terminal(
    key: DetachKey,
    mut typing: Option<&mut Typing>,
    words: &mpsc::UnboundedSender<Word>,
) {
    let mut buffer = Zeroizing::new(vec![0; AT_ONCE]);
    let mut filter = Filter::new(key);
    while let Some(read) = read_keys(&mut buffer) {
        let came = &mut buffer[..read];
        let mut rest = &*came;
        loop {
            // As much as can come of it: growing would leave a copy behind.
            let most = rest.len() + filter.pending();
            let mut typed = Zeroizing::new(Vec::with_capacity(most));
            let word = filter.pass(rest, &mut typed);
            if let Some(typing) = &mut typing
                && !typed.is_empty()
                && !typing.send(typed)
            {
                return;
            }
            let Some((word, length)) = word else { break };
            // Whoever listens is there as long as the session.
            if words.send(word).is_err() || word == Word::Leave {
                return;
            }
            rest = &rest[length..];
        }
        came.zeroize();
    }
    // The terminal is gone. What runs in the session is not to end by that.
    let _ = words.send(Word::Leave);
}

fn read_pipe(typing: Option<&mut Typing>) {
    let Some(typing) = typing else { return };
    let mut buffer = Zeroizing::new(vec![0; AT_ONCE]);
    while let Some(read) = read_some(&mut buffer) {
        if typing.send_and_wait(&buffer[..read]).is_err() {
            return;
        }
        buffer[..read].zeroize();
    }
    let _ = typing.send_and_wait(&[END_OF_INPUT]);
}

/// Waits for keys, and reads all that there are; `None` at the end.
fn read_keys(buffer: &mut [u8]) -> Option<usize> {
    let mut read = read_some(buffer)?;
    // A terminal hands out a paste in pieces. And Linux, when asked, lets its worker finish that
    // brought the key: then it is likely to run the daemon, where that is on this computer, on this
    // processor at once, instead of waking another.
    while read < buffer.len() && has_more() {
        let Some(more) = read_some(&mut buffer[read..]) else { break };
        read += more;
    }
    Some(read)
}

/// Whether standard input can be read without waiting.
fn has_more() -> bool {
    let stdin = rustix::stdio::stdin();
    let mut ready = [PollFd::new(&stdin, PollFlags::IN)];
    matches!(poll(&mut ready, Some(&Timespec::default())), Ok(1..))
}

/// Reads what there is; `None` at the end.
fn read_some(buffer: &mut [u8]) -> Option<usize> {
    loop {
        match rustix::io::read(rustix::stdio::stdin(), &mut *buffer) {
            Ok(0) => return None,
            Ok(read) => return Some(read),
            Err(Errno::INTR) => {}
            Err(_) => return None,
        }
    }
}

type Sending = Pin<Box<dyn Future<Output = Result<(), InputError>> + Send>>;

/// Sends what is typed, in order: from this thread while the attachment takes it at once, from a
/// task of its own as long as it does not.
struct Typing {
    runtime: Handle,
    input: LastingInput,
    late: Option<mpsc::UnboundedSender<(Sending, usize)>>,
    waiting: Arc<Waiting>,
}

/// How many bytes wait.
#[derive(Default)]
struct Waiting {
    bytes: Mutex<usize>,
    fewer: Condvar,
}

impl Waiting {
    fn bytes(&self) -> usize {
        *self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, count: usize) {
        *self.bytes.lock().unwrap_or_else(PoisonError::into_inner) += count;
    }

    fn take(&self, count: usize) {
        *self.bytes.lock().unwrap_or_else(PoisonError::into_inner) -= count;
        self.fewer.notify_one();
    }

    fn wait_for_room(&self) {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |bytes: &mut usize| *bytes >= MOST_WAITING;
        drop(self.fewer.wait_while(bytes, full));
    }
}

impl Typing {
    fn new(runtime: Handle, input: LastingInput) -> Self {
        Typing { runtime, input, late: None, waiting: Arc::default() }
    }

    /// Sends keys, or lets them wait. False when the session takes no more.
    fn send(&mut self, keys: Zeroizing<Vec<u8>>) -> bool {
        let length = keys.len();
        let input = self.input.clone();
        let mut sending: Sending = Box::pin(async move { input.write(&keys).await });
        if self.waiting.bytes() == 0 {
            let mut nobody = Context::from_waker(Waker::noop());
            if let Poll::Ready(sent) = sending.as_mut().poll(&mut nobody) {
                return sent.is_ok();
            }
        }
        self.waiting.wait_for_room();
        self.waiting.add(length);
        let (runtime, waiting) = (&self.runtime, &self.waiting);
        let late = self.late.get_or_insert_with(|| send_later(runtime, Arc::clone(waiting)));
        late.send((sending, length)).is_ok()
    }

    fn send_and_wait(&self, bytes: &[u8]) -> Result<(), InputError> {
        self.runtime.block_on(self.input.write(bytes))
    }
}

fn send_later(runtime: &Handle, waiting: Arc<Waiting>) -> mpsc::UnboundedSender<(Sending, usize)> {
    let (late, mut queue) = mpsc::unbounded_channel::<(Sending, usize)>();
    runtime.spawn(async move {
        while let Some((sending, length)) = queue.recv().await {
            let sent = sending.await;
            // Also behind a failure: the thread that reads finds that out by itself.
            waiting.take(length);
            if sent.is_err() {
                queue.close();
            }
        }
    });
    late
}
