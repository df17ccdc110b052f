//! What happens at the daemon, in lines for its user.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use codeout_daemon::{Daemon, Event, LostSession};
use codeout_protocol::message::SessionEntry;

use crate::ui::{self, BOLD, GREEN, RED, YELLOW};

/// How often the same news from the same place is told.
const REPEAT_AFTER: Duration = Duration::from_secs(5);
/// Places that are told apart.
const MAX_SOURCES: usize = 64;
/// Sessions that are named in one line.
const MAX_NAMED: usize = 16;

/// Words events.
#[derive(Default)]
pub(super) struct News {
    repeats: Repeats,
}

impl News {
    /// The lines that tell an event now, if any.
    pub(super) async fn lines(&mut self, daemon: &Daemon, event: Event) -> Vec<String> {
        let line = match event {
            Event::Paired { device, .. } => return paired(daemon, device.name.as_str()).await,
            Event::WrongCode { source } => {
                let line = format!("{YELLOW}wrong pairing code{YELLOW:#} from {source}");
                return self.news(line, source);
            }
            Event::StaleCode { source, used } => {
                let ago = expired_ago(daemon);
                let what = if used { "that was already used".to_owned() } else { ago };
                let line = format!("a device at {source} tried the pairing code {what}");
                return self.news(line, source);
            }
            Event::NotPaired { source } => {
                let line = format!("a device that is not paired tried to connect from {source}");
                return self.news(line, source);
            }
            Event::Declined { .. } => "declined: the code is spent".to_owned(),
            Event::StoreFailed { reason } => {
                format!("{RED}the device list failed:{RED:#} {reason}")
            }
            Event::Revoked { device } => format!("revoked: {} ({})", device.name, device.id),
            Event::Renamed { device, before } => {
                format!("renamed: {before} is now {} ({})", device.name, device.id)
            }
            Event::Unfinished { device } => {
                format!("{} never finished pairing, and is out again", device.name)
            }
            Event::CertificateRenewed => "https goes on with the new certificate".to_owned(),
            Event::CertificateFailed { reason, has_former } => {
                let reason = ui::clean(&reason);
                let so = match has_former {
                    true => "the one before is still served",
                    false => "nobody can connect until it can be used",
                };
                format!("{RED}the certificate failed:{RED:#} {reason}; {so}")
            }
            Event::SessionOpened { session, by } => opened(&session, &by),
            Event::SessionEnded { session } => ended(&session),
            _ => return Vec::new(),
        };
        vec![line]
    }

    /// The lines that have waited long enough.
    pub(super) fn due(&mut self) -> Vec<String> {
        self.repeats.due(Instant::now())
    }

    /// Tells what a stranger can cause: once, and then again at most every few seconds.
    fn news(&mut self, line: String, source: IpAddr) -> Vec<String> {
        self.repeats.pass(line, source, Instant::now()).into_iter().collect()
    }
}

async fn paired(daemon: &Daemon, name: &str) -> Vec<String> {
    let print = daemon.fingerprint().await;
    let print = print.map_or_else(|error| error.to_string(), |print| print.to_string());
    vec![
        format!("{GREEN}device paired:{GREEN:#} {name}"),
        format!("daemon fingerprint: {BOLD}{print}{BOLD:#}"),
        "  confirm this matches what the app shows".to_owned(),
    ]
}

fn expired_ago(daemon: &Daemon) -> String {
    let offer = daemon.current_offer().filter(|offer| offer.expires_in.is_zero());
    match offer {
        Some(offer) => format!("that expired {} ago", ui::age(offer.expired_for.as_secs())),
        None => "that a newer one has replaced".to_owned(),
    }
}

fn opened(session: &SessionEntry, by: &str) -> String {
    let SessionEntry { name, program, directory, .. } = session;
    let by = ui::clean(by);
    let (name, program, directory) = (ui::clean(name), ui::clean(program), ui::clean(directory));
    format!("session {name} opened by {by}: {program} in {directory}")
}

fn ended(session: &SessionEntry) -> String {
    let how = session.ended.map_or_else(String::new, |ended| ui::ending(ended.status));
    format!("session {} ended {how}", ui::clean(&session.name))
}

/// That everybody may read the key of the certificate, if so.
pub(super) fn exposed_key(path: Option<&Path>) -> Option<String> {
    path.map(|path| {
        let path = ui::clean(&path.display().to_string());
        format!("{YELLOW}every user of this computer can read{YELLOW:#} {path}: chmod o-r it")
    })
}

/// What a daemon that was killed took with it, if anything.
pub(crate) fn lost_sessions(sessions: &[LostSession]) -> Option<String> {
    let named = sessions.iter().take(MAX_NAMED).map(|lost| {
        let (name, program) = (ui::clean(&lost.name), ui::clean(&lost.program));
        format!("{name} ({program} in {})", ui::clean(&lost.directory))
    });
    let mut names: Vec<_> = named.collect();
    if sessions.len() > MAX_NAMED {
        names.push(format!("and {} more", sessions.len() - MAX_NAMED));
    }
    (!names.is_empty()).then(|| {
        let names = names.join(", ");
        format!(
            "the daemon ended without a word; {YELLOW}these sessions were lost:{YELLOW:#} {names}"
        )
    })
}

/// News that strangers cause, kept from flooding the terminal.
#[derive(Default)]
struct Repeats(HashMap<IpAddr, Repeat>);

struct Repeat {
    line: String,
    more: u64,
    told: Instant,
}

impl Repeats {
    /// The line to print now, if any.
    fn pass(&mut self, line: String, source: IpAddr, now: Instant) -> Option<String> {
        if let Some(repeat) = self.0.get_mut(&source) {
            repeat.more += 1;
            repeat.line = line;
            return None;
        }
        if self.0.len() >= MAX_SOURCES {
            return None;
        }
        self.0.insert(source, Repeat { line: line.clone(), more: 0, told: now });
        Some(line)
    }

    /// The lines that have waited long enough; what was quiet meanwhile is news again.
    fn due(&mut self, now: Instant) -> Vec<String> {
        let mut lines = Vec::new();
        self.0.retain(|_, repeat| {
            if now.duration_since(repeat.told) < REPEAT_AFTER {
                return true;
            }
            if repeat.more == 0 {
                return false;
            }
            lines.push(format!("{} ({} more)", repeat.line, repeat.more));
            (repeat.more, repeat.told) = (0, now);
            true
        });
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_wrong_codes_is_a_line_every_few_seconds() {
        let mut repeats = Repeats::default();
        let source: IpAddr = "192.0.2.1".parse().unwrap();
        let start = Instant::now();
        let line = || "wrong pairing code from 192.0.2.1".to_owned();
        assert!(repeats.pass(line(), source, start).is_some());
        for _ in 0..1000 {
            assert!(repeats.pass(line(), source, start).is_none());
        }
        assert!(repeats.due(start).is_empty());
        let later = start + REPEAT_AFTER;
        assert_eq!(repeats.due(later), ["wrong pairing code from 192.0.2.1 (1000 more)"]);
        assert!(repeats.due(later + REPEAT_AFTER).is_empty());
        assert!(repeats.pass(line(), source, later + REPEAT_AFTER).is_some());
    }

    #[test]
    fn sessions_are_told_in_a_line() {
        let entry = crate::session_lines::tests::entry("api");
        assert_eq!(opened(&entry, "phone"), "session api opened by phone: claude in /srv/api");
        let status = codeout_protocol::message::ExitStatus::Exit(0);
        let ended_at = codeout_protocol::message::Ended { at: 1, status };
        let entry = SessionEntry { ended: Some(ended_at), ..entry };
        assert_eq!(ended(&entry), "session api ended with status 0");
    }

    #[test]
    fn lost_sessions_are_one_line() {
        let session = |name: &str| LostSession {
            name: name.to_owned(),
            program: "claude".to_owned(),
            directory: "/srv".to_owned(),
            opened_at: 1,
        };
        assert_eq!(lost_sessions(&[]), None);
        let line = lost_sessions(&[session("api"), session("web\x1b[2J")]).unwrap();
        assert!(line.ends_with(" api (claude in /srv), web[2J (claude in /srv)"), "{line}");
        let many: Vec<_> = (0..20).map(|number| session(&number.to_string())).collect();
        assert!(lost_sessions(&many).unwrap().ends_with(", and 4 more"));
    }
}
