//! One file for each subcommand, and what they share.

pub(crate) mod attach;
pub(crate) mod daemons;
pub(crate) mod device_words;
pub(crate) mod devices;
pub(crate) mod generate;
pub(crate) mod join;
pub(crate) mod local;
pub(crate) mod pair;
pub(crate) mod remote;
pub(crate) mod run;
pub(crate) mod status;
pub(crate) mod words;
