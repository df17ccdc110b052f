//! Sessions outlive every device, and are slowed down by none: with real daemons, real devices,
//! real programs, and links that are cut, throttled and lost.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::print_stdout, reason = "figures of a run are printed, and not asserted")]

#[path = "lasting/desk.rs"]
mod desk;
#[path = "lasting/numbers.rs"]
mod numbers;
#[path = "lasting/path.rs"]
mod path;
#[path = "lasting/process.rs"]
mod process;
#[path = "lasting/program.rs"]
mod program;
#[path = "lasting/recording.rs"]
mod recording;
#[path = "lasting/view.rs"]
mod view;

#[path = "lasting/attention.rs"]
mod attention;
#[path = "lasting/bad_input.rs"]
mod bad_input;
#[path = "lasting/ending.rs"]
mod ending;
#[path = "lasting/exact_screens.rs"]
mod exact_screens;
#[path = "lasting/killed.rs"]
mod killed;
#[path = "lasting/nothing_lost.rs"]
mod nothing_lost;
#[path = "lasting/restart.rs"]
mod restart;
#[path = "lasting/sizes.rs"]
mod sizes;
#[path = "lasting/slow_device.rs"]
mod slow_device;
#[path = "lasting/watching.rs"]
mod watching;
