//! The codeout protocol: pairing a device with a daemon, connecting, and the encrypted channel
//! between them, as `docs/protocol.md` specifies it.
//!
//! This crate decides; it does nothing. It opens no socket and no file, reads no clock, keeps no
//! allow-list and starts no thread: bytes, randomness and `now` come in as arguments, bytes and
//! values go out. It has no cryptography of its own either: `sodium.rs` calls libsodium, the
//! only file with `unsafe`.
//!
//! Each handshake step consumes the state before it, so that a wrong order does not compile:
//!
//! ```text
//!            device                                    daemon
//!   pairing::pair            -- P1 -->        pairing::read_p1
//!   AwaitP2::read_p2         <-- P2 --
//!   DaemonProved::present    -- P3 -->        AwaitP3::read_p3
//!   AwaitP4::read_p4         <-- P4 --        Proved::accept, or refuse
//!
//!   handshake::connect       -- M1 -->        handshake::read_m1
//!   AwaitM2::read_m2         <-- M2 --
//!                            -- M3 -->        AwaitM3::read_m3, Claim::verify
//!   AwaitM4::read_m4         <-- M4 --        Accepted::accept, or refuse
//!
//!   channel::Channel         <======>         channel::Channel
//! ```
//!
//! A whole pairing, and a first message:
//!
//! ```
//! use std::time::Duration;
//! use codeout_protocol::channel::Opened;
//! use codeout_protocol::code::Code;
//! use codeout_protocol::message::{FromDevice, NumberedRequest, Request};
//! use codeout_protocol::name::Name;
//! use codeout_protocol::pairing::{self, DaemonPairing, DevicePairing};
//! use codeout_protocol::sodium::KeyPair;
//!
//! # fn main() -> Result<(), codeout_protocol::error::Error> {
//! let daemon = KeyPair::generate();
//! let code = Code::random(); // shown at the daemon, typed at the device
//!
//! let (device_state, p1) = pairing::pair(&code, DevicePairing::generate());
//! let (daemon_state, p2) = pairing::read_p1(&code, &daemon, &p1, DaemonPairing::generate())?;
//!
//! let proved = device_state.read_p2(&p2)?; // the daemon holds the code
//! assert_eq!(proved.daemon_key(), daemon.public);
//! let name = Name::clean("Pixel 9").expect("a name");
//! let (device_state, p3) = proved.present(KeyPair::generate(), &name)?;
//! // Here the device writes device_state.credentials() to disk.
//!
//! let device = daemon_state.read_p3(&p3)?; // the device holds it too
//! // Here the daemon marks the code as used and writes the device to its allow-list.
//! let now = Duration::ZERO;
//! let (mut daemon_channel, p4) = device.accept(now, b"welcome")?;
//!
//! let (mut device_channel, first) = device_state.read_p4(&p4)?;
//! assert_eq!(first, b"welcome");
//!
//! let ping = FromDevice::Request(NumberedRequest { id: 1, request: Request::Ping });
//! let record = device_channel.sealer.seal(now, &ping.write())?;
//! let Opened::Message(plaintext) = daemon_channel.opener.open(&record)? else { panic!() };
//! assert!(matches!(FromDevice::read(&plaintext)?, FromDevice::Request(_)));
//! # Ok(())
//! # }
//! ```

pub mod address;
pub mod channel;
pub mod code;
mod cpace;
mod crockford;
pub mod error;
pub mod fingerprint;
mod frame;
pub mod handshake;
pub mod link;
pub mod message;
pub mod name;
pub mod pairing;
mod schedule;
pub mod sodium;

/// The WebSocket subprotocol: its name and this version.
pub const SUBPROTOCOL: &str = "codeout.1";
/// The path of the WebSocket at a daemon's address.
pub const WEBSOCKET_PATH: &str = "/ws";
