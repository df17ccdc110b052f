//! Tells what sessions report: to every device, to the daemon's user, and to hooks.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use codeout_protocol::message::{self, Attention, AttentionReason, SessionEntry, SessionId};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::event::Event;
use crate::hooks::{HookEvent, HookKind};
use crate::session::{News, Session};
use crate::state::Shared;
use crate::trail::Happening;

/// Changes of entries in this time are told as one…
const TOGETHER: Duration = Duration::from_millis(200);
/// …and so much longer for every connection that is told: its telling costs.
const FOR_EACH: Duration = Duration::from_millis(2);

/// A session was opened, `by` whom that is called.
pub(crate) fn opened(shared: &Shared, session: &Session, by: &str) {
    let entry = session.entry();
    shared.emit(Event::SessionOpened { session: entry.clone(), by: by.to_owned() });
    shared.sessions.run_hook(hook(HookKind::Opened, &entry));
    shared.sessions.tell(message::Event::SessionOpened { session: entry });
}

/// Tells what sessions report until `stop` says so.
pub(crate) async fn serve(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let Some(mut reports) = shared.sessions.take_reports() else { return };
    // What was here before this process had its titles told.
    let before = shared.sessions.all();
    let titles = before.iter().map(|session| (session.id(), title(&session.entry()))).collect();
    let mut crier = Crier { shared, changed: BTreeSet::new(), titles, due: None };
    loop {
        let due = crier.due;
        tokio::select! {
            report = reports.recv() => match report {
                Some((id, news)) => crier.hear(id, news),
                None => return,
            },
            () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                crier.tell_changes();
            }
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

struct Crier {
    shared: Arc<Shared>,
    changed: BTreeSet<SessionId>,
    /// The titles that were told.
    titles: HashMap<SessionId, String>,
    due: Option<Instant>,
}

impl Crier {
    fn hear(&mut self, id: SessionId, news: News) {
        if news == News::Ended {
            if let Some(session) = self.shared.sessions.find_to_tell(id) {
                self.tell_end(&session);
                self.shared.sessions.note_end_told(&session);
            }
            return;
        }
        // A session that was dismissed has nothing else to tell.
        let Ok(session) = self.shared.sessions.find(id) else { return };
        match news {
            News::Changed => {
                self.changed.insert(id);
                let told = u32::try_from(self.shared.sessions.told()).unwrap_or(u32::MAX);
                let wait = TOGETHER.saturating_add(FOR_EACH.saturating_mul(told));
                self.due.get_or_insert_with(|| Instant::now() + wait);
            }
            News::Attention(attention) => self.tell_attention(&session.entry(), attention),
            News::Ended => {}
        }
    }

    fn tell_attention(&self, entry: &SessionEntry, attention: Attention) {
        let kind = match attention.reason {
            AttentionReason::Bell => Some(HookKind::Bell),
            AttentionReason::Notification => Some(HookKind::Notification),
            AttentionReason::Quiet => Some(HookKind::Quiet),
            // The end has a hook of its own, whether anybody watches or not.
            _ => None,
        };
        if let Some(kind) = kind {
            let Attention { title, text, .. } = attention.clone();
            let event = hook(kind, entry);
            let title = title.or(event.title);
            self.shared.sessions.run_hook(HookEvent { title, text, ..event });
        }
        let (session, name) = (entry.session, entry.name.clone());
        let told = message::Event::SessionAttention { session, name, attention: attention.clone() };
        self.shared.sessions.tell(told);
        self.shared.emit(Event::SessionAttention { session: entry.clone(), attention });
    }

    fn tell_end(&mut self, session: &Session) {
        let entry = session.entry();
        let Some(ended) = entry.ended else { return };
        self.shared.sessions.write_journal();
        let mut event = hook(HookKind::Ended, &entry);
        event.exit = Some(ended.status);
        self.shared.sessions.run_hook(event);
        let told = message::Event::SessionEnded { session: entry.session, status: ended.status };
        self.shared.sessions.tell(told);
        let (name, status) = (entry.name.clone(), ended.status);
        self.shared.note(Happening::SessionEnded { session: entry.session, name, status });
        self.shared.emit(Event::SessionEnded { session: entry });
    }

    fn tell_changes(&mut self) {
        self.due = None;
        self.titles.retain(|id, _| self.shared.sessions.find(*id).is_ok());
        for id in std::mem::take(&mut self.changed) {
            let Ok(session) = self.shared.sessions.find(id) else { continue };
            session.take_change();
            let entry = session.entry();
            self.tell_title(&entry);
            self.shared.sessions.tell(message::Event::SessionChanged { session: entry });
        }
    }

    fn tell_title(&mut self, entry: &SessionEntry) {
        let before = self.titles.insert(entry.session, title(entry)).unwrap_or_default();
        if title(entry) != before {
            self.shared.sessions.run_hook(hook(HookKind::Title, entry));
        }
    }
}

fn title(entry: &SessionEntry) -> String {
    entry.title.clone().unwrap_or_default()
}

fn hook(kind: HookKind, entry: &SessionEntry) -> HookEvent {
    HookEvent {
        kind,
        session: entry.session,
        name: entry.name.clone(),
        program: entry.program.clone(),
        directory: entry.directory.clone(),
        title: entry.title.clone(),
        text: None,
        exit: None,
    }
}
