//! All sessions of the daemon.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use codeout_protocol::message::{ErrorCode, RequestError, SessionEntry, SessionId};
use codeout_protocol::name::Name;

use crate::session::Session;

/// Sessions that may run at once.
pub(crate) const MAX_RUNNING: usize = 1_000;
/// Sessions that have ended and are kept until they are dismissed; the oldest give way.
pub(crate) const MAX_ENDED: usize = 100;
/// The entries of one reply take no more than this, in bytes.
const MAX_LIST: usize = 48 * 1024;

/// Every session, running or ended, by its number.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    all: Mutex<All>,
}

#[derive(Debug, Default)]
struct All {
    last: SessionId,
    sessions: BTreeMap<SessionId, Arc<Session>>,
}

impl Sessions {
    /// The session with this number.
    ///
    /// # Errors
    /// [`ErrorCode::NotFound`].
    pub(crate) fn find(&self, id: SessionId) -> Result<Arc<Session>, RequestError> {
        self.lock().sessions.get(&id).cloned().ok_or_else(|| {
            RequestError::new(ErrorCode::NotFound, "there is no such session")
        })
    }

    /// The sessions with a number above `after`, as many as fit in a reply, and whether there
    /// are more.
    pub(crate) fn list(&self, after: Option<SessionId>) -> (Vec<SessionEntry>, bool) {
        let sessions: Vec<_> = {
            let all = self.lock();
            let above = after.map_or(0, |after| after.saturating_add(1));
            all.sessions.range(above..).map(|(_, session)| Arc::clone(session)).collect()
        };
        let mut size = 0;
        let mut entries = Vec::new();
        for session in &sessions {
            let entry = session.entry();
            size += serde_json::to_vec(&entry).map_or(0, |json| json.len());
            if size > MAX_LIST && !entries.is_empty() {
                return (entries, true);
            }
            entries.push(entry);
        }
        (entries, false)
    }

    /// A number for a new session.
    ///
    /// # Errors
    /// [`ErrorCode::Limit`].
    pub(crate) fn next(&self) -> Result<SessionId, RequestError> {
        let mut all = self.lock();
        let running = all.sessions.values().filter(|session| session.ended().is_none()).count();
        if running >= MAX_RUNNING {
            let text = format!("{MAX_RUNNING} sessions run already: end one first");
            return Err(RequestError::new(ErrorCode::Limit, text));
        }
        all.last = all.last.wrapping_add(1);
        Ok(all.last)
    }

    /// The name that a session is to have: `wanted`, unless another has it; `proposed`, made
    /// unique.
    ///
    /// # Errors
    /// [`ErrorCode::Taken`].
    pub(crate) fn name(
        &self,
        wanted: Option<Name>,
        proposed: &Name,
    ) -> Result<Name, RequestError> {
        let taken: Vec<String> = {
            let all = self.lock();
            all.sessions.values().map(|session| session.name().as_str().to_lowercase()).collect()
        };
        let is_free = |name: &Name| !taken.contains(&name.as_str().to_lowercase());
        match wanted {
            Some(name) if is_free(&name) => Ok(name),
            Some(name) => {
                let text = format!("a session is called {name} already");
                Err(RequestError::new(ErrorCode::Taken, text))
            }
            None => Ok(proposed.unique(is_free)),
        }
    }

    /// Adds a session that runs. The oldest ended ones give way.
    pub(crate) fn add(&self, session: Arc<Session>) {
        let mut all = self.lock();
        all.sessions.insert(session.id, session);
        let ended: Vec<_> = all
            .sessions
            .values()
            .filter(|session| session.ended().is_some())
            .map(|session| session.id)
            .collect();
        for id in ended.iter().take(ended.len().saturating_sub(MAX_ENDED)) {
            all.sessions.remove(id);
        }
    }

    /// Takes a session that has ended off the list.
    ///
    /// # Errors
    /// [`ErrorCode::NotFound`]; [`ErrorCode::NotAllowed`] when it still runs.
    pub(crate) fn dismiss(&self, id: SessionId) -> Result<(), RequestError> {
        if self.find(id)?.ended().is_none() {
            let text = "the session still runs: end it first";
            return Err(RequestError::new(ErrorCode::NotAllowed, text));
        }
        self.lock().sessions.remove(&id);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
