//! A codeout device: pairs with daemons, keeps what it needs to find them again, connects, and
//! talks to their sessions.
//!
//! This crate prints nothing, parses no arguments and asks no one: whoever uses it talks to the
//! human. It has no cryptography and no message formats of its own (`codeout-protocol` decides),
//! and knows nothing of how a daemon is made. It wants a tokio runtime with I/O and time.
//!
//! ```text
//!   pair ---------> PairOutcome::Paired  -----------------------------> Connection
//!     |                                                                     ^
//!     +-----------> PairOutcome::Confirm -- Unconfirmed::confirm -----------+
//!     v                                                                     |
//!   Profiles -----> Profile -- connect, connect_with_backoff ---------------+
//! ```
//!
//! Most users need [`pair`], [`Profiles`], [`connect()`], [`Connection`], and [`attach_lasting`],
//! which keeps looking at a session while links come and go; [`Attachment`] ends with its link.
//! [`connect_local`] reaches the daemon of the same user on the same computer without pairing.
//!
//! ```no_run
//! use codeout_device::{How, PairOutcome, PairRequest, Profiles, SessionOutput, connect, pair};
//! use codeout_protocol::message::{Answer, Attach, Open, Request};
//! use codeout_protocol::name::Name;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let profiles = Profiles::open("codeout-home/daemons.json".as_ref())?;
//!
//! // Once, with what the daemon's QR says.
//! let request = PairRequest {
//!     how: How::Link("http://desk:8400/#…".parse()?),
//!     device_name: Name::clean("laptop").expect("a name"),
//!     expected: None,
//!     again: false,
//! };
//! let paired = match pair(request, &profiles, &mut |_| {}).await? {
//!     PairOutcome::Paired(paired) => paired,
//!     // After a typed code: show `unconfirmed.fingerprint()`, ask, then `confirm` or `differ`.
//!     PairOutcome::Confirm(unconfirmed) => unconfirmed.confirm().await?,
//! };
//! paired.connection.close().await;
//!
//! // From then on.
//! let profile = profiles.find(None)?;
//! let connection = connect(&profile).await?;
//! let open = Open { columns: 80, rows: 24, ..Open::default() };
//! let Answer::Opened { opened } = connection.request(Request::Open(open)).await? else { return Ok(()) };
//! // The keyboard's number is random, so that no other device has the same.
//! let attach = Attach { session: opened.session, keyboard: Some(4711), ..Attach::default() };
//! let (_, mut attachment) = connection.attach(attach).await?;
//! attachment.write_input(b"uptime; exit\n").await?;
//! while let Some(output) = attachment.read().await {
//!     match output {
//!         SessionOutput::Snapshot { .. } => {}        // clear the terminal
//!         SessionOutput::Bytes(bytes) => drop(bytes), // to the terminal
//!         SessionOutput::SnapshotEnd => {}
//!         SessionOutput::Ended(_status) => break,
//!     }
//! }
//! connection.close().await;
//! # Ok(())
//! # }
//! ```

mod attachment;
mod backoff;
mod blocking;
mod connect;
mod connection;
mod error;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod keeper;
mod lasting;
mod line;
mod local;
mod outcome;
mod output;
mod pairing;
mod profiles;
mod reader;
mod shared;
mod store;
mod text;
mod track;
mod transport;
mod wire;

pub use attachment::{Attachment, AttachmentInput, AttachmentReader};
pub use backoff::{Attempt, Backoff};
pub use connect::{connect, connect_with_backoff};
pub use connection::Connection;
pub use error::{
    Broken, Closed, ConnectError, FindError, InputError, PairError, RequestFailed, StoreError,
};
pub use lasting::{
    Daemon, Lasted, LastingEnd, LastingInput, LastingOptions, LastingReader, LinkError,
    attach_lasting,
};
pub use local::connect_local;
pub use outcome::{PairOutcome, Paired, Unconfirmed};
pub use output::{OutputBytes, SessionOutput};
pub use pairing::{How, PairProgress, PairRequest, pair};
pub use profiles::{Profile, Profiles, State};
