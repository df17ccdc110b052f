//! What can be typed about sessions.

use clap::{Args, ValueHint};
use codeout_protocol::name::Name;

use super::NameParser;
use crate::detach_key::DetachKey;

const KEYS: &str = "\
In the session, Ctrl-] and then
   d   leaves; the session runs on
   s   gives the session the size of this terminal
Ctrl-] twice is Ctrl-].";

/// How a session is shown in this terminal.
#[derive(Debug, Args)]
pub(crate) struct WindowArgs {
    /// Leave the session the size that it has, and show the part around the cursor
    #[arg(long)]
    pub(crate) keep_size: bool,

    /// The key that d follows to leave the session running [default: ctrl-]]
    #[arg(long, value_name = "KEY")]
    pub(crate) detach_key: Option<DetachKey>,
}

#[derive(Debug, Args)]
#[command(after_help = KEYS)]
pub(crate) struct OpenArgs {
    /// A program by its name (`codeout programs` lists them) or path [default: a shell]
    pub(crate) program: Option<String>,

    /// Where it starts [default: here, or the home directory of another machine]
    #[arg(value_hint = ValueHint::DirPath)]
    pub(crate) directory: Option<String>,

    /// A program with arguments of its own, such as `codeout open -- claude --continue`: before --
    /// stand only a program and a directory
    #[arg(last = true, value_hint = ValueHint::CommandWithArguments)]
    pub(crate) command: Vec<String>,

    /// What to call the session [default: the name of the directory]
    #[arg(long, value_parser = NameParser)]
    pub(crate) name: Option<Name>,

    /// Only open it, and print its name
    #[arg(short, long)]
    pub(crate) detached: bool,

    /// Only open it, and print it as JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// On this paired daemon [default: the one on this machine, or the only one paired]
    #[arg(long, value_name = "DAEMON")]
    pub(crate) on: Option<String>,

    #[command(flatten)]
    pub(crate) window: WindowArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SessionsArgs {
    /// Show all there is to know
    #[arg(short, long)]
    pub(crate) long: bool,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Of this paired daemon [default: the one on this machine, or the only one paired]
    #[arg(long, value_name = "DAEMON")]
    pub(crate) on: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = KEYS)]
pub(crate) struct AttachArgs {
    /// The session's name or number [default: the only one that runs]
    pub(crate) session: Option<String>,

    /// Of this paired daemon [default: the one on this machine, or the only one paired]
    #[arg(long, value_name = "DAEMON")]
    pub(crate) on: Option<String>,

    /// Keep trying while the daemon cannot be reached
    #[arg(long)]
    pub(crate) wait: bool,

    #[command(flatten)]
    pub(crate) window: WindowArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SessionArgs {
    /// The session's name or number
    pub(crate) session: String,

    /// Of this paired daemon [default: the one on this machine, or the only one paired]
    #[arg(long, value_name = "DAEMON")]
    pub(crate) on: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RenameArgs {
    /// The session's name or number
    pub(crate) session: String,

    /// Its new name
    #[arg(value_parser = NameParser)]
    pub(crate) name: Name,

    /// Of this paired daemon [default: the one on this machine, or the only one paired]
    #[arg(long, value_name = "DAEMON")]
    pub(crate) on: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ProgramsArgs {
    /// Print JSON: of each its name, and its command as a list of words
    #[arg(long)]
    pub(crate) json: bool,

    /// Of this paired daemon [default: the one on this machine, or the only one paired]
    #[arg(long, value_name = "DAEMON")]
    pub(crate) on: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct StopArgs {
    /// Stop it though sessions run, and end them
    #[arg(long)]
    pub(crate) force: bool,
}
