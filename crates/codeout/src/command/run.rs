//! `codeout`: the daemon in the foreground.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use codeout_daemon::{Config, Daemon, Event, OfferLimits, OfferView, OpenError};
use codeout_protocol::address::Address;
use codeout_protocol::link::Link;
use tokio::sync::broadcast;

use crate::cli::DaemonArgs;
use crate::command::{pair, words};
use crate::console::{Console, Signals};
use crate::failure::{Code, Failure};
use crate::home::{self, Home};
use crate::limits;
use crate::offer_page::OfferPage;
use crate::ui::{self, BOLD, DIM, GREEN, RED, YELLOW};

/// How often the same news from the same place is told.
const REPEAT_AFTER: Duration = Duration::from_secs(5);
/// Places that are told apart.
const MAX_SOURCES: usize = 64;

const KEYS: [&str; 4] =
    ["n  a fresh code", "a  the next address", "l  the link as text", "q  quit"];

/// Runs the daemon until it is told to stop.
pub(crate) async fn run(args: DaemonArgs, home: &Home) -> Result<(), Failure> {
    if args.confirm && !Console::is_possible() {
        return Err(Failure::new(Code::Usage, "--confirm asks in the terminal, and there is none")
            .hint("start codeout in a terminal, or without --confirm"));
    }
    limits::raise_descriptors();
    let config = configure(&args, home)?;
    let daemon = match Daemon::open(config).await {
        Ok(daemon) => daemon,
        Err(OpenError::AlreadyRunning) => return already_running(home).await,
        Err(error) => return Err(words::open_error(&error)),
    };
    let mut console = Console::open();
    let mut signals = Signals::new()?;
    let events = daemon.events();
    let head = head_address(&args, &daemon);
    let mut front = Front {
        offer: daemon.offer(OfferLimits::default()),
        links: Vec::new(),
        chosen: 0,
        head,
        questions: VecDeque::new(),
        repeats: Repeats::default(),
        expiry_told: false,
        daemon,
    };
    front.show_offer(&mut console);
    front.serve(&mut console, events, &mut signals).await;

    console.live("");
    console.line(&format!("{DIM}stopping{DIM:#}"));
    front.daemon.stop().await;
    Ok(())
}

fn configure(args: &DaemonArgs, home: &Home) -> Result<Config, Failure> {
    let directory = std::env::current_dir().map_err(|error| {
        Failure::new(Code::Other, format!("the current directory cannot be used: {error}"))
    })?;
    let name = args.name.clone().unwrap_or_else(home::machine_name);
    Ok(Config {
        bind: args.bind,
        port: args.port,
        advertise: args.advertise.as_deref().map(|text| advertised(text, args.port)).transpose()?,
        confirm: args.confirm,
        shell: home::shell(),
        ..Config::new(home.daemon(), directory, name)
    })
}

/// The address that links name; without scheme and port, the daemon's own port.
fn advertised(text: &str, port: u16) -> Result<Address, Failure> {
    let typed = Address::from_typed(text);
    let own_port = !text.contains("://") && typed.as_ref().is_ok_and(|a| a.host() == text.trim());
    let address = match typed {
        Ok(typed) if own_port && port != 0 => Address::new(false, typed.host(), Some(port)),
        other => other,
    };
    address.map_err(|error| {
        Failure::new(Code::Usage, format!("--advertise: {error}"))
            .hint("an address looks like https://desk.example.com or 192.168.1.20:8400")
    })
}

/// The address in the head line: the one to type on this computer.
fn head_address(args: &DaemonArgs, daemon: &Daemon) -> String {
    let port = daemon.port();
    match args.bind {
        Some(IpAddr::V4(v4)) if !v4.is_unspecified() && !v4.is_loopback() => {
            format!("http://{v4}:{port}")
        }
        Some(IpAddr::V6(v6)) if !v6.is_unspecified() && !v6.is_loopback() => {
            format!("http://[{v6}]:{port}")
        }
        _ => format!("http://localhost:{port}"),
    }
}

/// A daemon runs already: say so, and offer a code from it.
async fn already_running(home: &Home) -> Result<(), Failure> {
    let failure = Failure::new(Code::Taken, "codeout is already running")
        .hint("`codeout pair` shows a fresh pairing code from it");
    if !ui::can_ask() {
        return Err(failure);
    }
    ui::note("codeout is already running");
    match ui::ask_yes_no("show a fresh pairing code from it? [y/n]") {
        Some(true) => pair::run_local(home, OfferLimits::default(), false).await,
        _ => Ok(()),
    }
}

/// The daemon as its user sees it.
struct Front {
    daemon: Daemon,
    offer: OfferView,
    links: Vec<(Link, String)>,
    chosen: usize,
    head: String,
    questions: VecDeque<u64>,
    repeats: Repeats,
    expiry_told: bool,
}

impl Front {
    async fn serve(
        &mut self,
        console: &mut Console,
        mut events: broadcast::Receiver<Event>,
        signals: &mut Signals,
    ) {
        let mut tick = tokio::time::interval(Duration::from_millis(250));
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Ok(event) => self.tell(console, event).await,
                    Err(broadcast::error::RecvError::Lagged(missed)) => {
                        console.line(&format!("{DIM}{missed} events were too fast to show{DIM:#}"));
                    }
                    Err(broadcast::error::RecvError::Closed) => return,
                },
                key = console.key() => match key.to_ascii_lowercase() {
                    b'q' | 0x04 => return,
                    key => self.press(console, key),
                },
                _ = tick.tick() => self.tick(console),
                _ = signals.any() => return,
            }
        }
    }

    fn press(&mut self, console: &mut Console, key: u8) {
        match key {
            b'n' => {
                self.offer = self.daemon.offer(OfferLimits::default());
                self.show_offer(console);
            }
            b'a' => {
                self.chosen = (self.chosen + 1) % self.links.len().max(1);
                self.show_page(console);
            }
            b'l' => self.page(|page| page.link_line(console)),
            b'y' => self.decide(true),
            // `n` is a fresh code; a question is declined with `d`.
            b'd' => self.decide(false),
            _ => {}
        }
    }

    fn decide(&mut self, admit: bool) {
        if let Some(request) = self.questions.pop_front() {
            self.daemon.decide(request, admit);
        }
    }

    fn show_offer(&mut self, console: &mut Console) {
        let links = self.daemon.links(&self.offer.code);
        self.links = links
            .into_iter()
            .map(|offered| {
                let kind = offered.kind_word().to_owned();
                (offered.link, kind)
            })
            .collect();
        self.chosen = 0;
        self.expiry_told = false;
        self.show_page(console);
    }

    fn show_page(&mut self, console: &mut Console) {
        self.page(|page| page.show(console));
        self.tick(console);
    }

    fn page(&self, show: impl FnOnce(&OfferPage<'_>)) {
        show(&OfferPage {
            head: Some(&self.head),
            code: &self.offer.code.printed(),
            links: &self.links,
            chosen: self.chosen,
            expires_in: &ui::countdown(seconds_up(self.offer.expires_in)),
            keys: &KEYS,
        });
    }

    /// Draws the living line, and says when the code has expired.
    fn tick(&mut self, console: &mut Console) {
        for line in self.repeats.due(Instant::now()) {
            console.line(&line);
        }
        let Some(offer) = self.daemon.current_offer() else { return };
        let foreign = offer.number != self.offer.number;
        if !self.questions.is_empty() {
            console.live("y lets it in, d declines");
        } else if offer.spent || (foreign && offer.expires_in.is_zero()) {
            console.live("  no code is open: n shows a fresh one");
        } else if foreign {
            console.live("  another terminal or device shows a newer code: n replaces it");
        } else if offer.expires_in.is_zero() {
            if !self.expiry_told {
                self.expiry_told = true;
                let next = if console.is_terminal() { "press n" } else { "run `codeout pair`" };
                console.line(&format!("the pairing code has expired: {next} for a new one"));
            }
            console.live("  expired: n shows a fresh code");
        } else {
            console.live(&format!("  expires in {}", ui::countdown(seconds_up(offer.expires_in))));
        }
    }

    async fn tell(&mut self, console: &mut Console, event: Event) {
        match event {
            Event::Paired { device, .. } => {
                console.line(&format!("{GREEN}device paired:{GREEN:#} {}", device.name));
                let print = self.daemon.fingerprint().await;
                let print = print.map_or_else(|error| error.to_string(), |print| print.to_string());
                console.line(&format!("daemon fingerprint: {BOLD}{print}{BOLD:#}"));
                console.line("  confirm this matches what the app shows");
            }
            Event::WrongCode { source } => {
                self.news(
                    console,
                    format!("{YELLOW}wrong pairing code{YELLOW:#} from {source}"),
                    source,
                );
            }
            Event::StaleCode { source, used } => {
                let ago = self.expired_ago();
                let what = if used { "that was already used".to_owned() } else { ago };
                self.news(
                    console,
                    format!("a device at {source} tried the pairing code {what}"),
                    source,
                );
            }
            Event::NotPaired { source } => {
                let line = format!("a device that is not paired tried to connect from {source}");
                self.news(console, line, source);
            }
            Event::ConfirmationNeeded { request, name, source } => {
                let name = name.map_or_else(|| "a device".to_owned(), |name| name.to_string());
                self.questions.push_back(request);
                console.line(&format!(
                    "{BOLD}{name}{BOLD:#} at {source} has the code: let it in? y or d (decline)"
                ));
            }
            Event::ConfirmationOver { request } => self.questions.retain(|open| *open != request),
            Event::Declined { .. } => console.line("declined: the code is spent"),
            Event::StoreFailed { reason } => {
                console.line(&format!("{RED}the device list failed:{RED:#} {reason}"));
            }
            Event::Revoked { device } => {
                console.line(&format!("revoked: {} ({})", device.name, device.id));
            }
            Event::Renamed { device, before } => {
                console.line(&format!("renamed: {before} is now {} ({})", device.name, device.id));
            }
            Event::Unfinished { device } => {
                console.line(&format!("{} never finished pairing, and is out again", device.name));
            }
            _ => {}
        }
        self.tick(console);
    }

    fn expired_ago(&self) -> String {
        let offer = self.daemon.current_offer().filter(|offer| offer.expires_in.is_zero());
        match offer {
            Some(offer) => format!("that expired {} ago", ui::age(offer.expired_for.as_secs())),
            None => "that a newer one has replaced".to_owned(),
        }
    }

    /// Tells what a stranger can cause: once, and then again at most every few seconds.
    fn news(&mut self, console: &mut Console, line: String, source: IpAddr) {
        if let Some(line) = self.repeats.pass(line, source, Instant::now()) {
            console.line(&line);
        }
    }
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

fn seconds_up(left: Duration) -> u64 {
    left.as_secs() + u64::from(left.subsec_nanos() > 0)
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
}
