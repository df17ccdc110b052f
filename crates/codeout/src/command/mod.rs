//! One file for each subcommand, and what they share.

pub(crate) mod attach;
pub(crate) mod daemons;
pub(crate) mod device_words;
pub(crate) mod devices;
pub(crate) mod generate;
pub(crate) mod join;
pub(crate) mod local;
pub(crate) mod log;
pub(crate) mod open;
pub(crate) mod pair;
pub(crate) mod remote;
pub(crate) mod run;
pub(crate) mod session;
pub(crate) mod sessions;
pub(crate) mod start;
pub(crate) mod status;
pub(crate) mod stop;
pub(crate) mod target;
pub(crate) mod words;
