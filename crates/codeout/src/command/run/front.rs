//! The daemon as its user sees it in a terminal: an offer, what happens, and keys.

use std::collections::VecDeque;
use std::time::Duration;

use codeout_daemon::{Asked, Daemon, Event, OfferLimits, OfferView};
use codeout_protocol::link::Link;
use tokio::sync::broadcast;

use super::Next;
use super::news::News;
use crate::console::{Console, Signals};
use crate::offer_page::{InSight, OfferPage, live_countdown};
use crate::ui::{self, BOLD, DIM};

const KEYS: [&str; 4] =
    ["n  a fresh code", "a  the next address", "l  the link as text", "q  quit"];

pub(super) struct Front<'a> {
    daemon: &'a Daemon,
    offer: OfferView,
    links: Vec<(Link, String)>,
    chosen: usize,
    in_sight: Option<InSight>,
    head: String,
    questions: VecDeque<u64>,
    news: News,
    expiry_told: bool,
    /// Whether the user was told what ends with the daemon.
    is_warned: bool,
}

impl<'a> Front<'a> {
    /// A fresh offer of the daemon, whose address on this computer is `head`.
    pub(super) fn new(daemon: &'a Daemon, head: String) -> Self {
        Front {
            offer: daemon.offer(OfferLimits::default()),
            daemon,
            links: Vec::new(),
            chosen: 0,
            in_sight: None,
            head,
            questions: VecDeque::new(),
            news: News::default(),
            expiry_told: false,
            is_warned: false,
        }
    }

    /// Shows what happens until the daemon is to end, or to become another process.
    pub(super) async fn serve(
        &mut self,
        console: &mut Console,
        mut events: broadcast::Receiver<Event>,
        signals: &mut Signals,
    ) -> Next {
        self.show_offer(console);
        let mut tick = tokio::time::interval(Duration::from_millis(250));
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Ok(event) => self.tell(console, event).await,
                    Err(broadcast::error::RecvError::Lagged(missed)) => {
                        console.line(&format!("{DIM}{missed} events were too fast to show{DIM:#}"));
                    }
                    Err(broadcast::error::RecvError::Closed) => return Next::Stop,
                },
                key = console.key() => match key.map(|key| key.to_ascii_lowercase()) {
                    None => return Next::Stop,
                    Some(b'q' | 0x04) if self.may_quit(console) => return Next::Stop,
                    Some(key) => self.press(console, key),
                },
                asked = self.daemon.asked() => return match asked {
                    Asked::Stop => Next::Stop,
                    Asked::Restart { executable } => Next::Restart(executable),
                },
                _ = tick.tick() => self.tick(console),
                _ = signals.any() => return Next::Stop,
            }
        }
    }

    /// Sessions end with the daemon: that is said once.
    fn may_quit(&mut self, console: &mut Console) -> bool {
        let running = super::running(self.daemon);
        if running.is_empty() || self.is_warned {
            return true;
        }
        self.is_warned = true;
        console.line(&format!("these sessions would end: {}; q again quits", running.join(", ")));
        false
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
        self.in_sight = self.page(|page| page.show(console));
        self.tick(console);
    }

    fn page<T>(&self, show: impl FnOnce(&OfferPage<'_>) -> T) -> T {
        show(&OfferPage {
            head: Some(&self.head),
            code: &self.offer.code.printed(),
            links: &self.links,
            chosen: self.chosen,
            expires_in: &ui::countdown(seconds_up(self.offer.expires_in)),
            limits: ui::offer_limits(self.offer.limits),
            keys: &KEYS,
        })
    }

    /// Draws the living line, and says when the code has expired.
    fn tick(&mut self, console: &mut Console) {
        for line in self.news.due() {
            console.line(&line);
        }
        let Some(offer) = self.daemon.current_offer() else { return };
        let foreign = offer.number != self.offer.number;
        if !self.questions.is_empty() {
            console.live_one_of(&["y lets it in, d declines", "y: let in, d: no"]);
        } else if offer.spent || (foreign && offer.expires_in.is_zero()) {
            console.live_one_of(&["  no code is open: n shows a fresh one", "no code: press n"]);
        } else if foreign {
            let newer = "  another terminal or device shows a newer code: n replaces it";
            console.live_one_of(&[newer, "a newer code exists"]);
        } else if offer.expires_in.is_zero() {
            if !self.expiry_told {
                self.expiry_told = true;
                let next = if console.is_terminal() { "press n" } else { "run `codeout pair`" };
                console.line(&format!("the pairing code has expired: {next} for a new one"));
            }
            console.live_one_of(&["  expired: n shows a fresh code", "expired: press n"]);
        } else {
            let left = ui::countdown(seconds_up(offer.expires_in));
            live_countdown(console, &self.offer.code.printed(), &left, self.in_sight);
        }
    }

    async fn tell(&mut self, console: &mut Console, event: Event) {
        match event {
            Event::ConfirmationNeeded { request, name, source } => {
                let name = name.map_or_else(|| "a device".to_owned(), |name| name.to_string());
                self.questions.push_back(request);
                console.line(&format!(
                    "{BOLD}{name}{BOLD:#} at {source} has the code: let it in? y or d (decline)"
                ));
            }
            Event::ConfirmationOver { request } => self.questions.retain(|open| *open != request),
            event => {
                for line in self.news.lines(self.daemon, event).await {
                    console.line(&line);
                }
            }
        }
        self.tick(console);
    }
}

fn seconds_up(left: Duration) -> u64 {
    left.as_secs() + u64::from(left.subsec_nanos() > 0)
}
