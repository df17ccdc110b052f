//! `codeout pair`: a fresh offer from the running daemon, and who used it.

use std::time::{Duration, Instant};

use codeout_daemon::OfferLimits;
use codeout_daemon::control::{Client, OfferEnd};
use codeout_protocol::link::Link;
use codeout_protocol::message::{DeviceEntry, OfferEntry};
use serde::Serialize;

use crate::cli::PairArgs;
use crate::command::{daemons, remote, words};
use crate::console::{Console, Signals};
use crate::failure::{Code, Failure};
use crate::home::Home;
use crate::offer_page::{InSight, OfferPage, live_countdown};
use crate::ui::{self, BOLD, GREEN};

const MAX_FOR_SECONDS: u64 = 315_360_000;

/// What `--json` prints of an offer, whichever daemon has opened it.
#[derive(Serialize)]
struct OfferJson<'a> {
    #[serde(flatten)]
    offer: &'a OfferEntry,
    #[serde(flatten)]
    limits: OfferLimits,
    fingerprint: &'a str,
}

/// What `--json` prints of its end.
#[derive(Serialize)]
#[serde(tag = "end", rename_all = "snake_case")]
enum EndJson<'a> {
    Paired { device: &'a DeviceEntry },
    Expired,
    Replaced,
    Declined,
}

impl<'a> From<&'a OfferEnd> for EndJson<'a> {
    fn from(end: &'a OfferEnd) -> Self {
        match end {
            OfferEnd::Paired(device) => EndJson::Paired { device },
            OfferEnd::Expired => EndJson::Expired,
            OfferEnd::Replaced => EndJson::Replaced,
            OfferEnd::Declined => EndJson::Declined,
        }
    }
}

pub(crate) async fn run(args: PairArgs, home: &Home) -> Result<(), Failure> {
    let for_seconds = args.limit.map(|limit| limit.as_secs());
    if for_seconds.is_some_and(|seconds| !(1..=MAX_FOR_SECONDS).contains(&seconds)) {
        return Err(Failure::new(Code::Usage, "--for takes a time from a second to ten years"));
    }
    let limits = OfferLimits { watch_only: args.watch_only, for_seconds };
    match &args.on {
        Some(daemon) => remote::offer(home, daemon, limits, args.json).await,
        None => run_local(home, limits, args.json).await,
    }
}

/// Shows a fresh offer of the daemon on this machine, and waits until it is over.
pub(crate) async fn run_local(home: &Home, limits: OfferLimits, json: bool) -> Result<(), Failure> {
    let Some(client) = Client::connect(&home.daemon()).await else {
        return match daemons::only(home)? {
            Some(daemon) => remote::offer(home, &daemon, limits, json).await,
            None => Err(words::not_running()),
        };
    };
    let mut remote = client.offer(limits).await.map_err(words::client_error)?;
    let offered = Offered {
        offer: remote.offer.clone(),
        limits,
        fingerprint: remote.fingerprint.clone(),
        kinds: remote.kinds.clone(),
    };
    let over = async { remote.over().await.map_err(words::client_error) };
    offered.tell(json, over).await
}

/// An offer that a daemon has opened.
pub(crate) struct Offered {
    pub(crate) offer: OfferEntry,
    pub(crate) limits: OfferLimits,
    /// The daemon's.
    pub(crate) fingerprint: String,
    /// What each link's address is, where that is known.
    pub(crate) kinds: Vec<String>,
}

impl Offered {
    /// Tells of the offer, and how it ended when it is `over`.
    pub(crate) async fn tell(
        &self,
        json: bool,
        over: impl Future<Output = Result<OfferEnd, Failure>>,
    ) -> Result<(), Failure> {
        let end = if json {
            let Offered { offer, limits, fingerprint, .. } = self;
            ui::say_json(&OfferJson { offer, limits: *limits, fingerprint });
            let end = over.await?;
            ui::say_json(&EndJson::from(&end));
            end
        } else {
            self.show(over).await?
        };
        finish(&end)
    }

    async fn show(
        &self,
        over: impl Future<Output = Result<OfferEnd, Failure>>,
    ) -> Result<OfferEnd, Failure> {
        // The console restores the terminal when it is dropped, which a signal alone would not.
        let mut signals = Signals::new()?;
        let mut console = Console::open();
        let mut shown = Shown::new(self);
        shown.page(&mut console);
        let end = shown.wait(&mut console, &mut signals, over).await??;
        console.live("");
        if let OfferEnd::Paired(device) = &end {
            console.line(&format!("{GREEN}device paired:{GREEN:#} {}", ui::clean(&device.name)));
            console.line(&format!("daemon fingerprint: {BOLD}{}{BOLD:#}", self.fingerprint));
            console.line("  confirm this matches what the app shows");
        }
        Ok(end)
    }
}

fn finish(end: &OfferEnd) -> Result<(), Failure> {
    let (error, hint) = match end {
        OfferEnd::Paired(_) => return Ok(()),
        OfferEnd::Expired => ("the pairing code has expired", "run `codeout pair` for a new one"),
        OfferEnd::Replaced => ("a newer pairing code has replaced this one", "use that one"),
        OfferEnd::Declined => {
            ("the device was declined at the daemon", "run `codeout pair` for a new code")
        }
    };
    Err(Failure::new(Code::Pairing, error).hint(hint))
}

fn left() -> Failure {
    Failure::new(Code::Other, "left before a device was paired; the code stays open")
}

/// An offer on the terminal, with its countdown.
struct Shown<'a> {
    code: &'a str,
    links: Vec<(Link, String)>,
    chosen: usize,
    ends: Instant,
    seconds: u64,
    limits: OfferLimits,
    in_sight: Option<InSight>,
}

impl<'a> Shown<'a> {
    fn new(offered: &'a Offered) -> Self {
        let Offered { offer, limits, kinds, .. } = offered;
        let kind = |index: usize| kinds.get(index).cloned().unwrap_or_else(|| "address".to_owned());
        let links = offer.links.iter().enumerate();
        let links = links.filter_map(|(index, link)| Some((link.parse().ok()?, kind(index))));
        Shown {
            code: &offer.code,
            links: links.collect(),
            chosen: 0,
            ends: Instant::now() + Duration::from_secs(offer.expires_in),
            seconds: offer.expires_in,
            limits: *limits,
            in_sight: None,
        }
    }

    fn page(&mut self, console: &mut Console) {
        let page = OfferPage {
            head: None,
            code: self.code,
            links: &self.links,
            chosen: self.chosen,
            expires_in: &ui::countdown(self.seconds),
            limits: ui::offer_limits(self.limits),
            keys: &["a  the next address", "l  the link as text", "q  quit; the code stays open"],
        };
        let in_sight = page.show(console);
        if !console.is_terminal() {
            page.link_line(console);
        }
        self.in_sight = in_sight;
    }

    /// Counts down until `over`. Quitting leaves the offer open.
    async fn wait<T>(
        &mut self,
        console: &mut Console,
        signals: &mut Signals,
        over: impl Future<Output = T>,
    ) -> Result<T, Failure> {
        let mut tick = tokio::time::interval(Duration::from_millis(250));
        tokio::pin!(over);
        loop {
            tokio::select! {
                value = &mut over => return Ok(value),
                _ = tick.tick() => {
                    let left = self.ends.saturating_duration_since(Instant::now());
                    let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
                    live_countdown(console, self.code, &ui::countdown(seconds), self.in_sight);
                }
                _ = signals.any() => return Err(left()),
                key = console.key() => match key.map(|key| key.to_ascii_lowercase()) {
                    None | Some(b'q' | 0x04) => return Err(left()),
                    Some(b'a') => {
                        self.chosen = (self.chosen + 1) % self.links.len().max(1);
                        self.page(console);
                    }
                    Some(b'l') => if let Some((link, _)) = self.links.get(self.chosen) {
                        console.line(&link.printed());
                    },
                    _ => {}
                },
            }
        }
    }
}
