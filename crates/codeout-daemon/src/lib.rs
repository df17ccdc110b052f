//! The codeout daemon: it owns the key, the allow-list, the pairing offer and the sessions, and
//! serves paired devices.
//!
//! It prints nothing and parses no arguments: it reports [`Event`]s, and the CLI words them. It
//! decides nothing of cryptography: `codeout-protocol` does. Within, `server` uses `connection`,
//! which uses `session`, `devices` and `offer`, and never the other way.
//!
//! ```no_run
//! use codeout_daemon::{Config, Daemon, OfferLimits};
//! use codeout_protocol::name::Name;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let name = Name::clean("desk").ok_or("no name")?;
//! let config = Config::new("codeout-home".into(), ".".into(), name);
//! let daemon = Daemon::open(config).await?;
//! let mut events = daemon.events();
//! let offer = daemon.offer(OfferLimits::default());
//! println!("type {} on the device", *offer.code.printed());
//! while let Ok(event) = events.recv().await {
//!     println!("{event:?}");
//! }
//! daemon.stop().await;
//! # Ok(())
//! # }
//! ```

pub mod address;
mod admission;
mod allowance;
mod app;
mod clock;
mod command_line;
mod config;
mod connection;
pub mod control;
mod crier;
mod daemon;
mod decisions;
pub mod devices;
mod doorway;
mod entry;
mod environment;
mod event;
mod files;
mod fingerprint;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod handover;
mod hooks;
pub mod identity;
pub mod inheritance;
mod limiter;
mod local_link;
mod lock;
mod naming;
mod offer;
mod offer_links;
mod open_error;
mod origin;
mod outbox;
mod outflow;
mod patience;
mod process_group;
mod programs;
mod record_writer;
mod redirect;
mod registry;
mod requests;
mod server;
mod session;
mod sessions;
mod settings;
mod shared_stream;
mod startup;
mod state;
pub mod stopped;
mod strangers;
mod threads;
mod tls;
pub mod trail;
mod trim;

/// What decides who gets in, for the model checker.
#[cfg(feature = "model")]
#[doc(hidden)]
pub mod model {
    pub use crate::devices::Snapshot;
    pub use crate::entry::{answer, end_claim, look_up, still_listed, write_down};
    pub use crate::offer::Offers;
    pub use crate::registry::{Presence, Registry};
}

pub use clock::{Clock, SystemClock};
pub use config::Config;
pub use daemon::Daemon;
pub use event::Event;
pub use handover::Inherited;
pub use offer::{LIFETIME, OfferLimits, OfferNumber, OfferView};
pub use offer_links::OfferLink;
pub use open_error::OpenError;
pub use sessions::LostSession;
pub use settings::{HookSettings, NamedProgram, SessionSettings};
pub use state::Asked;
pub use tls::{TlsError, TlsFiles};
