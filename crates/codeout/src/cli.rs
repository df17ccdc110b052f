//! What can be typed: the command line, and the environment variables beside it.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueHint};
use codeout_protocol::address::Address;
use codeout_protocol::fingerprint::Fingerprint;
use codeout_protocol::name::Name;

const EXIT_CODES: &str = "\
Exit codes:
   1  something else failed
   2  the command line is wrong
  10  the daemon cannot be reached, or does not run
  11  there is no codeout, or one of another version
  12  the pairing code was wrong, used, expired or declined
  13  this device is not paired
  14  the daemon's key or fingerprint is not the expected one
  15  there is no such device or daemon
  16  a daemon runs already, or its port is taken
  17  a file is broken
  18  too many attempts: try later
  19  the connection was cut
`codeout attach` hands on the exit status of the shell.";

/// Reach the terminals of your own computer from your other devices, end-to-end encrypted.
///
/// Without a command it starts the daemon here and shows a code that pairs a device.
#[derive(Debug, Parser)]
#[command(name = "codeout", version, after_help = EXIT_CODES, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    /// Directory for keys and lists [default: codeout in the XDG data directory]
    #[arg(long, env = "CODEOUT_HOME", value_name = "DIR", global = true, value_hint = ValueHint::DirPath)]
    pub(crate) home: Option<PathBuf>,

    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    #[command(flatten)]
    pub(crate) daemon: DaemonArgs,
}

/// What the daemon is started with.
#[derive(Debug, Args)]
pub(crate) struct DaemonArgs {
    /// Port to listen on
    #[arg(long, env = "CODEOUT_PORT", default_value_t = Address::DEFAULT_PORT)]
    pub(crate) port: u16,

    /// Address to listen on, such as 127.0.0.1 for this computer alone [default: all]
    #[arg(long, env = "CODEOUT_BIND", value_name = "ADDRESS")]
    pub(crate) bind: Option<IpAddr>,

    /// Address that the QR names, such as that of an https proxy [default: the best found]
    #[arg(long, env = "CODEOUT_ADVERTISE", value_name = "URL")]
    pub(crate) advertise: Option<String>,

    /// Name of this computer on its devices [default: the host name]
    #[arg(long, env = "CODEOUT_NAME", value_parser = parse_name)]
    pub(crate) name: Option<Name>,

    /// Ask here before a device gets in
    #[arg(long, env = "CODEOUT_CONFIRM", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) confirm: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show a fresh pairing code of the running daemon, and wait for the device
    Pair(PairArgs),
    /// Pair this machine with a daemon, by its link or by its address and code
    Join(JoinArgs),
    /// Open a shell on a daemon's computer
    Attach(AttachArgs),
    /// List the paired devices; revoke or rename one
    Devices(DevicesArgs),
    /// List the daemons that this machine is paired with
    Daemons(JsonArgs),
    /// Forget a daemon that this machine is paired with
    Forget(ForgetArgs),
    /// Show how the daemon of this machine is
    Status(JsonArgs),
    /// Show the fingerprint of the daemon of this machine
    Fingerprint(JsonArgs),
    /// Print shell completions, or the manual page
    #[command(hide = true)]
    Generate(GenerateArgs),
}

#[derive(Debug, Args)]
pub(crate) struct JsonArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PairArgs {
    /// Let the device in for this long only, such as 2h or 30m; what it starts may run longer
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) limit: Option<Duration>,

    /// Let the device watch, and not type
    #[arg(long)]
    pub(crate) watch_only: bool,

    /// Ask this paired daemon instead of the one on this machine
    #[arg(long, value_name = "DAEMON")]
    pub(crate) on: Option<String>,

    /// Print JSON, a line for the offer and a line for how it ended
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct JoinArgs {
    /// The pairing link, or the daemon's address; - reads the link from standard input, where
    /// no other user of this machine sees it
    #[arg(value_name = "LINK | ADDRESS")]
    pub(crate) target: String,

    /// The pairing code, when an address was given; asked for when it is left out
    pub(crate) code: Option<String>,

    /// The daemon's fingerprint, compared instead of asking
    #[arg(long, env = "CODEOUT_FINGERPRINT", value_name = "ZMYR-C1HG")]
    pub(crate) fingerprint: Option<Fingerprint>,

    /// Name of this device on the daemon [default: the host name]
    #[arg(long, env = "CODEOUT_NAME", value_parser = parse_name)]
    pub(crate) name: Option<Name>,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct AttachArgs {
    /// Which daemon, when this machine is paired with several
    #[arg(long, value_name = "DAEMON")]
    pub(crate) on: Option<String>,

    /// Keep trying while the daemon cannot be reached
    #[arg(long)]
    pub(crate) wait: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DevicesArgs {
    #[command(subcommand)]
    pub(crate) command: Option<DevicesCommand>,

    /// Show all there is to know
    #[arg(short, long)]
    pub(crate) long: bool,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Ask this paired daemon instead of the one on this machine
    #[arg(long, value_name = "DAEMON", global = true)]
    pub(crate) on: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DevicesCommand {
    /// Revoke a device: it is out at once, and can no longer connect
    Revoke {
        /// The device's name, or the beginning of its id
        device: String,
    },
    /// Rename a device
    Rename {
        /// The device's name, or the beginning of its id
        device: String,
        /// Its new name
        name: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ForgetArgs {
    /// The daemon's name, as `codeout daemons` lists it
    pub(crate) daemon: String,
}

#[derive(Debug, Args)]
pub(crate) struct GenerateArgs {
    /// What to print
    #[arg(value_enum)]
    pub(crate) what: Generated,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Generated {
    Bash,
    Zsh,
    Fish,
    Man,
}

fn parse_name(text: &str) -> Result<Name, &'static str> {
    Name::clean(text)
        .filter(|name| name.as_str() == text)
        .ok_or("a name has 1 to 64 bytes, no control characters, and no spaces at its ends")
}
