//! What can be typed: the command line, and the environment variables beside it.

use std::ffi::{OsStr, OsString};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{Resettable, TypedValueParser};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueHint};
use codeout_protocol::fingerprint::Fingerprint;
use codeout_protocol::name::{Name, NameError};

use crate::ui;

mod sessions;

pub(crate) use sessions::{
    AttachArgs, OpenArgs, ProgramsArgs, RenameArgs, SessionArgs, SessionsArgs, StopArgs, WindowArgs,
};

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
  16  a daemon runs already, or its port or a session's name is taken
  17  a file is broken
  18  too many attempts: try later
  19  the connection was cut
  20  there is no such session, or it has ended
  21  sessions run that would end
 101  a fault of its own, which it names

`codeout attach` and `codeout open` hand on the exit status of the program.";

/// A daemon without a terminal has nowhere to ask.
const NOT_CONFIRMING: &str =
    "Only as --confirm=false: let devices in without asking, whatever config.toml says";

/// Reach the terminals of your own computer from your other devices, end-to-end encrypted.
///
/// Without a command it runs the daemon here, in this terminal, and shows a code that pairs a
/// device. The daemon owns sessions: programs in terminals that run on when nobody watches.
#[derive(Debug, Parser)]
#[command(name = "codeout", version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// Directory for keys and lists [default: codeout in the XDG data directory]
    #[arg(long, env = "CODEOUT_HOME", value_name = "DIR", global = true, value_hint = ValueHint::DirPath)]
    pub(crate) home: Option<PathBuf>,

    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    #[command(flatten)]
    pub(crate) daemon: DaemonArgs,
}

/// Reads the command line. Ends the process where it is wrong, or asks for help.
pub(crate) fn parse() -> Cli {
    let words: Vec<_> = std::env::args_os().collect();
    let error = match read(without_empty(Cli::command()), &words) {
        Ok(cli) => return cli,
        Err(error) => error,
    };
    // A variable of the daemon that is wrong is nothing to the other commands.
    let of_daemon = |arg: &Arg| DAEMON_OPTIONS.contains(&arg.get_id().as_str());
    let without = |arg: Arg| if of_daemon(&arg) { arg.env(Resettable::Reset) } else { arg };
    if error.use_stderr()
        && let Ok(cli) = read(without_empty(Cli::command()).mut_args(without), &words)
        && cli.command.is_some()
    {
        return cli;
    }
    let printed = error.print();
    if !error.use_stderr() {
        ui::spoken(printed);
    }
    let code = match ui::all_said() {
        Ok(()) => error.exit_code(),
        Err(failure) => {
            ui::report(&failure);
            failure.code as i32
        }
    };
    std::process::exit(code)
}

fn read(mut command: clap::Command, words: &[OsString]) -> Result<Cli, clap::Error> {
    let matches = command.try_get_matches_from_mut(words)?;
    checked(&mut command, &matches)
}

/// A variable that is empty is as one that is not set.
fn without_empty(command: clap::Command) -> clap::Command {
    let is_empty =
        |arg: &Arg| arg.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
    command
        .mut_args(|arg| if is_empty(&arg) { arg.env(Resettable::Reset) } else { arg })
        .mut_subcommands(without_empty)
}

/// Options of the daemon before another command would do nothing: they are refused.
fn checked(command: &mut clap::Command, matches: &ArgMatches) -> Result<Cli, clap::Error> {
    let typed = |id: &&str| matches.value_source(id) == Some(ValueSource::CommandLine);
    if let Some((name, _)) = matches.subcommand()
        && let Some(id) = DAEMON_OPTIONS.into_iter().find(typed)
    {
        let id = id.replace('_', "-");
        let text = format!("--{id} before {name} is not its option: put it behind, if it has it");
        return Err(command.error(ErrorKind::ArgumentConflict, text));
    }
    Cli::from_arg_matches(matches).map_err(|error| error.format(command))
}

const DAEMON_OPTIONS: [&str; 8] =
    ["port", "bind", "advertise", "tls_cert", "tls_key", "name", "confirm", "config"];

/// What the daemon is started with.
#[derive(Debug, Args)]
pub(crate) struct DaemonArgs {
    /// Port to listen on [default: 8400]
    #[arg(long, env = "CODEOUT_PORT")]
    pub(crate) port: Option<u16>,

    /// Address to listen on, such as 127.0.0.1 for this computer alone [default: all]
    #[arg(long, env = "CODEOUT_BIND", value_name = "ADDRESS")]
    pub(crate) bind: Option<IpAddr>,

    /// Address that the QR names, such as that of an https proxy [default: the best found]
    #[arg(long, env = "CODEOUT_ADVERTISE", value_name = "URL")]
    pub(crate) advertise: Option<String>,

    /// Certificate to serve https with, in PEM, with those that lead to its root behind it
    #[arg(long, env = "CODEOUT_TLS_CERT", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) tls_cert: Option<PathBuf>,

    /// Private key of the certificate, in PEM; both files are read anew when they change
    #[arg(long, env = "CODEOUT_TLS_KEY", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) tls_key: Option<PathBuf>,

    /// Name of this computer on its devices [default: the host name]
    #[arg(long, env = "CODEOUT_NAME", value_parser = NameParser)]
    pub(crate) name: Option<Name>,

    /// Ask here before a device gets in
    #[arg(long, env = "CODEOUT_CONFIRM", value_name = "BOOL", num_args = 0..=1,
        require_equals = true, default_missing_value = "true",
        value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) confirm: Option<bool>,

    /// File of settings [default: codeout/config.toml in the XDG config directory, or config.toml
    /// in the directory of --home]
    #[arg(long, env = "CODEOUT_CONFIG", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Open a session: a program in a terminal of its own, which runs on when nobody watches
    Open(OpenArgs),
    /// List the sessions
    Sessions(SessionsArgs),
    /// Show a session in this terminal, and type into it
    Attach(AttachArgs),
    /// End a session, and wait until it has ended
    End(SessionArgs),
    /// Rename a session
    Rename(RenameArgs),
    /// Take a session that has ended off the list
    Dismiss(SessionArgs),
    /// List the programs that a session can be opened with by their names
    Programs(ProgramsArgs),
    /// Start the daemon of this machine, detached from this terminal
    #[command(mut_arg("confirm", |confirm| confirm.help(NOT_CONFIRMING)))]
    Start(DaemonArgs),
    /// Stop the daemon of this machine
    Stop(StopArgs),
    /// Start the daemon of this machine anew, as this version, and keep every session
    Restart,
    /// Be the daemon that `start` starts
    #[command(hide = true)]
    Detached(DaemonArgs),
    /// Show a fresh pairing code of the running daemon, and wait for the device
    Pair(PairArgs),
    /// Pair this machine with a daemon, by its link or by its address and code
    Join(JoinArgs),
    /// List the paired devices; revoke or rename one
    Devices(DevicesArgs),
    /// Show what happened at the daemon of this machine: who paired, connected, was refused, …
    Log(LogArgs),
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

    /// Print JSON: a line for the offer, and one for its end, whose "end" is paired, with the
    /// "device", or expired, replaced or declined
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
    #[arg(long, env = "CODEOUT_NAME", value_parser = NameParser)]
    pub(crate) name: Option<Name>,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
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
        #[arg(value_parser = NameParser)]
        name: Name,
    },
}

#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    /// Show the newest N lines [default: 50, and all with --since]
    #[arg(short = 'n', long, value_name = "N")]
    pub(crate) lines: Option<usize>,

    /// Show what happened in this time, such as 2h or 7d
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) since: Option<Duration>,

    /// Show what is about this device alone, also when it is revoked: its name, or the beginning
    /// of its id
    #[arg(long, value_name = "NAME")]
    pub(crate) device: Option<String>,

    /// Show what happens from now on too, until interrupted
    #[arg(short, long)]
    pub(crate) follow: bool,

    /// Print JSON, a line for each
    #[arg(long)]
    pub(crate) json: bool,
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

/// Reads a name. What is none is not repeated, since it may act on the terminal.
#[derive(Clone)]
struct NameParser;

impl TypedValueParser for NameParser {
    type Value = Name;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Name, clap::Error> {
        value.to_str().ok_or(NameError).and_then(str::parse).map_err(|error| {
            let arg = arg.map(|arg| format!("{arg}: ")).unwrap_or_default();
            let text = format!("{arg}{error}\n");
            clap::Error::raw(ErrorKind::ValueValidation, text).with_cmd(command)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<Cli, clap::Error> {
        let mut command = Cli::command();
        let matches = command.try_get_matches_from_mut(words)?;
        checked(&mut command, &matches)
    }

    #[test]
    fn the_home_may_stand_before_and_behind_the_command() {
        for words in [["codeout", "--home", "/h", "status"], ["codeout", "status", "--home", "/h"]]
        {
            assert_eq!(parsed(&words).unwrap().home, Some("/h".into()));
        }
    }

    #[test]
    fn options_of_the_daemon_are_not_lost_before_a_command() {
        let error = parsed(&["codeout", "--port", "1", "start"]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ArgumentConflict);
        assert!(error.to_string().contains("--port before start"), "{error}");
        let error = parsed(&["codeout", "--tls-key", "k", "pair"]).unwrap_err();
        assert!(error.to_string().contains("--tls-key before pair"), "{error}");
        assert!(parsed(&["codeout", "start", "--port", "1"]).is_ok());
        assert!(parsed(&["codeout", "--port", "1"]).is_ok());
    }

    #[test]
    fn the_options_are_those_of_the_daemon() {
        let of_start = DaemonArgs::augment_args(clap::Command::new("start"));
        let ids = of_start.get_arguments().map(|argument| argument.get_id().as_str());
        assert!(ids.eq(DAEMON_OPTIONS));
    }
}
