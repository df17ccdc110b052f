//! The honest daemon: every program echoes, and ends at a `.`.

use std::collections::{BTreeMap, HashMap};

use codeout_protocol::message::{
    Answer, Attach, Attached, Chunk, ClosingReason, ErrorCode, Event, ExitStatus, FromDaemon,
    MAX_CHUNK, OUTPUT_WINDOW, Open, Request, RequestError, SessionEntry, SessionId,
};

use super::{Behaviour, Inner, Peer, Said};

/// A session, which outlives connections.
#[derive(Clone, Debug, Default)]
pub struct Session {
    /// All it ever printed.
    pub output: Vec<u8>,
    /// Before this offset, output cannot be had again.
    pub kept_from: u64,
    /// What was typed, by each keyboard.
    pub typed: HashMap<u64, Vec<u8>>,
    pub ended: Option<ExitStatus>,
    /// Chunks are at most this long.
    pub chunk: usize,
    /// What devices attached with.
    pub attaches: Vec<Attach>,
    pub opened_at: u64,
}

impl Session {
    pub fn new() -> Self {
        Session { chunk: MAX_CHUNK, opened_at: 1, ..Session::default() }
    }

    /// What its terminal shows: the last few bytes.
    pub fn screen(&self) -> &[u8] {
        &self.output[self.output.len().saturating_sub(100)..]
    }
}

pub fn entry(session: SessionId) -> SessionEntry {
    SessionEntry {
        session,
        name: format!("session {session}"),
        program: "sh".to_owned(),
        directory: "/".to_owned(),
        columns: 80,
        rows: 24,
        size_by: None,
        opened_at: 1,
        last_output_at: None,
        title: None,
        last_line: None,
        watching: 0,
        watchers: Vec::new(),
        attention: None,
        ended: None,
    }
}

/// One connection's attachment.
struct Watch {
    keyboard: Option<u64>,
    /// The offset of the output to be sent next.
    next: u64,
    /// Output and snapshot bytes sent, and acknowledged.
    sent: u64,
    read: u64,
}

struct Talk<'a> {
    peer: Peer,
    inner: &'a Inner,
    watches: BTreeMap<SessionId, Watch>,
}

pub async fn talk(peer: Peer, inner: &Inner, behaviour: &Behaviour) {
    let mut talk = Talk { peer, inner, watches: BTreeMap::new() };
    let cut_after = match behaviour {
        Behaviour::CutAfter(messages) => *messages,
        Behaviour::CutAtPing => 1,
        Behaviour::Close(reason) => return talk.peer.close(*reason).await,
        _ => usize::MAX,
    };
    loop {
        let said = talk.peer.next().await;
        if said == Said::Gone {
            return;
        }
        inner.book.lock().unwrap().seen.records += 1;
        let go_on = talk.act(said, cut_after).await;
        if !go_on || talk.peer.messages >= cut_after {
            return;
        }
    }
}

impl Talk<'_> {
    fn session<T>(&self, number: SessionId, look: impl FnOnce(&mut Session) -> T) -> Option<T> {
        self.inner.book.lock().unwrap().sessions.get_mut(&number).map(look)
    }

    async fn act(&mut self, said: Said, cut_after: usize) -> bool {
        match said {
            Said::Request(id, request) => {
                if self.peer.messages < cut_after {
                    self.request(id, request).await;
                }
            }
            Said::Input { session, offset, bytes } => {
                let keyboard = self.watches[&session].keyboard.unwrap();
                self.session(session, |session| {
                    let typed = session.typed.entry(keyboard).or_default();
                    assert_eq!(offset, typed.len() as u64, "input comes once and in order");
                    typed.extend_from_slice(&bytes);
                    session.output.extend_from_slice(&bytes);
                    if bytes.ends_with(b".") {
                        session.ended = Some(ExitStatus::Exit(7));
                    }
                });
            }
            Said::Read { session, offset } => {
                if let Some(watch) = self.watches.get_mut(&session) {
                    assert!(offset > watch.read && offset <= watch.sent);
                    watch.read = offset;
                }
            }
            Said::Final => self.peer.close(ClosingReason::Goodbye).await,
            Said::Gone => return false,
        }
        for number in self.watches.keys().copied().collect::<Vec<_>>() {
            self.show(number, cut_after).await;
        }
        true
    }

    async fn request(&mut self, id: u32, request: Request) {
        match request {
            Request::Open(Open { .. }) => {
                let number = {
                    let sessions = &mut self.inner.book.lock().unwrap().sessions;
                    let number = sessions.keys().last().copied().unwrap_or(0) + 1;
                    sessions.insert(number, Session::new());
                    number
                };
                self.peer.reply(id, Answer::Opened { opened: entry(number) }).await;
            }
            Request::Attach(attach) => self.attach(id, attach).await,
            Request::Detach { session } => {
                self.watches.remove(&session);
                self.peer.reply(id, Answer::Done {}).await;
            }
            _ => self.peer.reply(id, Answer::Done {}).await,
        }
    }

    async fn attach(&mut self, id: u32, attach: Attach) {
        let number = attach.session;
        let found = self.session(number, |session| {
            session.attaches.push(attach.clone());
            let after = attach.after.filter(|after| *after >= session.kept_from);
            assert!(after.is_none_or(|after| after <= session.output.len() as u64));
            let typed = attach.keyboard.map(|number| session.typed.entry(number).or_default());
            let input = typed.map_or(0, |typed| typed.len() as u64);
            (after, input, session.opened_at, session.screen().to_vec(), session.output.len())
        });
        let Some((after, input, opened_at, screen, end)) = found else {
            let error = RequestError::new(ErrorCode::NotFound, "there is no such session");
            return self.peer.refuse(id, error).await;
        };
        let attached = SessionEntry { opened_at, ..entry(number) };
        let attached = Attached { attached, resumed: after.is_some(), input };
        self.peer.reply(id, Answer::Attached(Box::new(attached))).await;
        let end = end as u64;
        let next = after.unwrap_or(end);
        let mut watch = Watch { keyboard: attach.keyboard, next, sent: 0, read: 0 };
        if after.is_none() {
            self.peer.snapshot(number).await;
            for (at, byte) in screen.chunks(7).enumerate() {
                self.peer.snapshot_chunk(number, 7 * at as u64, byte).await;
            }
            watch.sent = screen.len() as u64;
            self.peer.snapshot_end(number, end).await;
        }
        self.watches.insert(number, watch);
    }

    /// Sends what the window lets through, and says how much input led to it.
    async fn show(&mut self, number: SessionId, cut_after: usize) {
        while self.peer.messages < cut_after {
            let watch = &self.watches[&number];
            let (next, room) = (watch.next, OUTPUT_WINDOW - (watch.sent - watch.read));
            let more = self.session(number, |session| {
                let rest = &session.output[usize::try_from(next).unwrap()..];
                let most = session.chunk.min(usize::try_from(room).unwrap());
                (rest[..rest.len().min(most)].to_vec(), rest.is_empty())
            });
            let Some((bytes, complete)) = more else { return };
            if complete {
                return self.shown(number, cut_after).await;
            }
            if bytes.is_empty() {
                return;
            }
            let chunk = Chunk { session: number, offset: next, bytes: &bytes };
            self.peer.send(&FromDaemon::Output(chunk)).await;
            let watch = self.watches.get_mut(&number).unwrap();
            watch.next += bytes.len() as u64;
            watch.sent += bytes.len() as u64;
        }
    }

    /// All output is sent: so is the input written that led to it.
    async fn shown(&mut self, number: SessionId, cut_after: usize) {
        let keyboard = self.watches[&number].keyboard;
        let how = self.session(number, |session| {
            let typed = keyboard.and_then(|keyboard| session.typed.get(&keyboard));
            (typed.map(Vec::len), session.ended)
        });
        let Some((typed, ended)) = how else { return };
        if let Some(typed) = typed {
            self.peer.input_written(number, typed as u64).await;
        }
        if let Some(status) = ended
            && self.peer.messages < cut_after
        {
            self.watches.remove(&number);
            self.peer.event(Event::SessionEnded { session: number, status }).await;
        }
    }
}
