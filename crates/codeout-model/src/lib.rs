//! A model checker over the code that decides who gets in.
//!
//! The actors are the project's own: the handshakes and channels of `codeout-protocol`, and the
//! offers, the allow-list, the registry and the steps of admission of `codeout-daemon`. What is
//! written here is only the order of the steps, the network, the people, and what must hold:
//! [`Rule`]. `stateright` follows every history within [`Bounds`].

mod actions;
mod bounds;
mod checker;
mod daemon;
mod device;
mod house;
mod rules;
mod steps;
mod wire;
mod world;

pub use bounds::{Bounds, LONG, SHORT, Scenario};
pub use checker::{Action, Codeout};
pub use rules::{KeyName, Rule, Sight};
pub use steps::{AsItIs, Steps};
pub use wire::{Forgery, Kind};
pub use world::World;
