//! What reads foreign bytes, opened to the fuzz targets. It is there under `cfg(fuzzing)` alone,
//! which cargo-fuzz sets.

use std::path::Path;

use codeout_protocol::message::{Answer, Event, Outcome, RequestError};
use zeroize::Zeroizing;

use crate::profiles::Profile;
use crate::{store, text};

/// The known daemons in the text of `daemons.json`; or what is wrong with it.
///
/// # Errors
/// As a person is told.
pub fn daemons(text: &[u8]) -> Result<Vec<Profile>, String> {
    store::parse(Path::new("daemons.json"), text).map_err(|error| error.to_string())
}

/// The text of `daemons.json` with these daemons.
pub fn daemons_text(profiles: &[Profile]) -> Zeroizing<Vec<u8>> {
    store::text(profiles).expect("a profile has a text")
}

/// An event as it is shown.
pub fn shown_event(event: Event) -> Event {
    text::clean_event(event)
}

/// What a request came to, as it is shown.
///
/// # Errors
/// It came to nothing.
pub fn shown_outcome(outcome: Outcome) -> Result<Answer, RequestError> {
    text::clean_outcome(outcome)
}
