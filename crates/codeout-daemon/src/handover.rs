//! How a daemon goes on in another process with every session: the same process runs another
//! program, and what it must not lose comes along.
//!
//! The state goes into a file in memory. Its descriptor, those of the pseudo-terminals, of the
//! listening sockets and of the lock go into a socket, whose other end becomes the standard input
//! of the new program: so each descriptor has one owner at any time.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read, Seek, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use codeout_protocol::message::SessionId;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::inheritance;
use crate::session::{Facts, Saved};
use crate::sessions::SavedSessions;

/// The version of the state. A daemon hands over only to a program that reads the same.
pub(crate) const VERSION: u32 = 1;
/// Tells the new program that its standard input is a handover.
const VARIABLE: &str = "CODEOUT_HANDOVER";
/// Descriptors in one message; Linux takes 253.
const TOGETHER: usize = 250;
/// The descriptors before those of the terminals: state, lock, listener, control socket, and
/// what standard input was.
const FIXED: usize = 5;

/// What a daemon leaves to the process after it. Nothing of it goes on until it is used.
#[derive(Debug)]
pub struct Inherited {
    pub(crate) lock: OwnedFd,
    pub(crate) listener: OwnedFd,
    pub(crate) control: OwnedFd,
    pub(crate) sessions: SavedSessions,
    /// How many processes this daemon was before.
    pub(crate) restarts: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct State {
    version: u32,
    restarts: u32,
    last: SessionId,
    sessions: Vec<Entry>,
}

/// A session; its bytes follow the state, in the order of the lengths.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    facts: Facts,
    output: usize,
    snapshot: usize,
    typed: usize,
    has_terminal: bool,
}

fn invalid(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

impl Inherited {
    /// The sessions that come along.
    pub fn sessions(&self) -> usize {
        self.sessions.sessions.len()
    }

    /// Replaces this process by `command`, which takes everything over with
    /// [`Inherited::take`]. Returns only when that failed; then everything is as before, and this
    /// process can take it over itself.
    pub fn exec(self, mut command: Command) -> (io::Error, Inherited) {
        let ready = (|| {
            let stdin = io::stdin().as_fd().try_clone_to_owned()?;
            let state = self.write()?;
            let receiving = self.send(&state, &stdin)?;
            rustix::stdio::dup2_stdin(&receiving)?;
            Ok(stdin)
        })();
        match ready {
            Ok(stdin) => {
                // The next process takes its own from what this one was started with.
                let _ = inheritance::give_back();
                let error = command.env(VARIABLE, "1").exec();
                inheritance::take();
                // Best effort: without its input the daemon has no keys.
                let _ = rustix::stdio::dup2_stdin(&stdin);
                (error, self)
            }
            Err(error) => (error, self),
        }
    }

    /// What this process has inherited, if it is one that goes on with a daemon. Standard input is
    /// then what it was before. To be called before anything is read from it.
    ///
    /// # Errors
    /// There is a handover, and it cannot be read: its sessions have ended.
    pub fn take() -> io::Result<Option<Inherited>> {
        if std::env::var_os(VARIABLE).is_none() {
            return Ok(None);
        }
        let stdin = io::stdin();
        if rustix::net::sockopt::socket_type(&stdin).is_err() {
            // It was taken already.
            return Ok(None);
        }
        let mut descriptors = receive(stdin.as_fd())?;
        if descriptors.len() < FIXED {
            return Err(invalid("too few descriptors"));
        }
        let terminals = descriptors.split_off(FIXED);
        let Ok([state, lock, listener, control, stdin]) = <[OwnedFd; FIXED]>::try_from(descriptors)
        else {
            return Err(invalid("too few descriptors"));
        };
        rustix::stdio::dup2_stdin(&stdin)?;
        let state = File::from(state);
        let all = state.metadata()?.len();
        let (restarts, sessions) = read(state, all, terminals)?;
        Ok(Some(Inherited {
            lock,
            listener,
            control,
            sessions,
            restarts: restarts.saturating_add(1),
        }))
    }

    fn write(&self) -> io::Result<OwnedFd> {
        let mut file = File::from(memory()?);
        write(self.restarts, &self.sessions, &mut file)?;
        file.rewind()?;
        seal(&file)?;
        Ok(file.into())
    }

    /// Puts all descriptors into a socket; the end to read them from.
    fn send(&self, state: &OwnedFd, stdin: &OwnedFd) -> io::Result<OwnedFd> {
        let fixed = [state, &self.lock, &self.listener, &self.control, stdin];
        let terminals = self.sessions.sessions.iter().filter_map(|saved| saved.terminal.as_ref());
        let all: Vec<BorrowedFd<'_>> =
            fixed.into_iter().chain(terminals).map(AsFd::as_fd).collect();
        pass(&all)
    }
}

/// Puts descriptors into a socket; the end to read them from.
fn pass(all: &[BorrowedFd<'_>]) -> io::Result<OwnedFd> {
    let (sending, receiving) =
        socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    for some in all.chunks(TOGETHER) {
        let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(TOGETHER))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !ancillary.push(SendAncillaryMessage::ScmRights(some)) {
            return Err(invalid("too many descriptors"));
        }
        // A byte to carry them. Nobody reads yet: a full socket must not hold this up for ever.
        sendmsg(&sending, &[IoSlice::new(&[0])], &mut ancillary, SendFlags::DONTWAIT)?;
    }
    Ok(receiving)
}

/// All descriptors in a socket whose other end is closed.
fn receive(socket: BorrowedFd<'_>) -> io::Result<Vec<OwnedFd>> {
    let mut all = Vec::new();
    loop {
        let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(TOGETHER))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0];
        let flags = RecvFlags::CMSG_CLOEXEC;
        let received = recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut ancillary, flags)?;
        if received.bytes == 0 {
            return Ok(all);
        }
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                all.extend(descriptors);
            }
        }
    }
}

/// Writes everything but the descriptors.
pub(crate) fn write(restarts: u32, all: &SavedSessions, file: &mut impl Write) -> io::Result<()> {
    let entry = |saved: &Saved| Entry {
        facts: saved.facts.clone(),
        output: saved.output.len(),
        snapshot: saved.snapshot.len(),
        typed: saved.typed.len(),
        has_terminal: saved.terminal.is_some(),
    };
    let SavedSessions { last, sessions } = all;
    let entries = sessions.iter().map(entry).collect();
    let state = State { version: VERSION, restarts, last: *last, sessions: entries };
    let state = serde_json::to_vec(&state)?;
    file.write_all(&(state.len() as u64).to_be_bytes())?;
    file.write_all(&state)?;
    for saved in sessions {
        for bytes in [&saved.output, &saved.snapshot, &*saved.typed] {
            file.write_all(bytes)?;
        }
    }
    Ok(())
}

/// Reads what [`write()`] wrote, `all` bytes, and takes the terminals that it says there are.
pub(crate) fn read(
    mut file: impl Read,
    all: u64,
    terminals: Vec<OwnedFd>,
) -> io::Result<(u32, SavedSessions)> {
    let mut length = [0; 8];
    file.read_exact(&mut length)?;
    let state = take(&mut file, u64::from_be_bytes(length))?;
    let State { version, restarts, last, sessions } = serde_json::from_slice(&state)?;
    if version != VERSION {
        return Err(invalid("the state is of another version"));
    }
    let ids = || sessions.iter().map(|entry| entry.facts.id());
    if !ids().is_sorted_by(|one, next| one < next) || ids().any(|id| id > last) {
        return Err(invalid("the sessions are not numbered in order"));
    }
    let mut terminals = terminals.into_iter();
    let mut saved = Vec::with_capacity(sessions.len());
    for Entry { facts, output, snapshot, typed, has_terminal } in sessions {
        let output = take(&mut file, output as u64)?;
        let snapshot = take(&mut file, snapshot as u64)?;
        // In its final size at once, for what is typed may be secret; not in any size it names.
        if typed as u64 > all {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut keys = Zeroizing::new(vec![0; typed]);
        file.read_exact(&mut keys)?;
        let terminal =
            has_terminal.then(|| terminals.next().ok_or(invalid("a terminal is missing")));
        let terminal = terminal.transpose()?;
        saved.push(Saved { facts, output, snapshot, typed: keys, terminal });
    }
    Ok((restarts, SavedSessions { last, sessions: saved }))
}

fn take(file: &mut impl Read, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if file.take(length).read_to_end(&mut bytes)? as u64 != length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}

/// A file that is nowhere but in memory.
#[cfg(target_os = "linux")]
fn memory() -> io::Result<OwnedFd> {
    use rustix::fs::{MemfdFlags, memfd_create};
    Ok(memfd_create("codeout", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?)
}

/// From here on nobody can change it.
#[cfg(target_os = "linux")]
fn seal(file: &File) -> io::Result<()> {
    use rustix::fs::{SealFlags, fcntl_add_seals};
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    Ok(fcntl_add_seals(file, seals)?)
}

/// A file without a name.
#[cfg(not(target_os = "linux"))]
fn memory() -> io::Result<OwnedFd> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut random = [0; 16];
    codeout_protocol::sodium::random_bytes(&mut random);
    let name = format!("codeout-{:032x}", u128::from_le_bytes(random));
    let path = std::env::temp_dir().join(name);
    let file = File::options().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file.into())
}

#[cfg(not(target_os = "linux"))]
fn seal(_file: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
#[path = "handover_tests.rs"]
mod tests;
