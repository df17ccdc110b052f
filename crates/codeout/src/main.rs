//! `codeout`: the one binary. It parses, runs one command, and ends with its exit code; every
//! printed word passes through `ui`. It has no SQL, no cryptography and no HTTP: those are the
//! daemon's and the device library's.

mod cli;
mod command;
mod console;
mod failure;
mod home;
mod limits;
mod offer_page;
mod qr;
mod raw_terminal;
mod screen;
mod ui;

use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use cli::{Cli, Command};
use failure::{Code, Failure};
use home::Home;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Quiet unless asked: CODEOUT_LOG=codeout_daemon=debug.
    let filter = EnvFilter::try_from_env("CODEOUT_LOG").unwrap_or_else(|_| EnvFilter::new("error"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();

    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            ui::report(&Failure::new(Code::Other, format!("cannot start: {error}")));
            return Code::Other.into();
        }
    };
    let ended = runtime.block_on(run(cli));
    // A thread that waits for a key would keep the runtime waiting.
    runtime.shutdown_background();
    match ended {
        Ok(code) => code,
        Err(failure) => {
            ui::report(&failure);
            failure.code.into()
        }
    }
}

async fn run(cli: Cli) -> Result<ExitCode, Failure> {
    let home = Home::find(cli.home)?;
    match cli.command {
        None => command::run::run(cli.daemon, &home).await?,
        Some(Command::Pair(args)) => command::pair::run(args, &home).await?,
        Some(Command::Join(args)) => command::join::run(args, &home).await?,
        Some(Command::Attach(args)) => return command::attach::run(args, &home).await,
        Some(Command::Devices(args)) => command::devices::run(args, &home).await?,
        Some(Command::Daemons(args)) => command::daemons::run(args, &home)?,
        Some(Command::Forget(args)) => command::daemons::forget(&args, &home)?,
        Some(Command::Status(args)) => command::status::run(args, &home).await?,
        Some(Command::Fingerprint(args)) => command::status::fingerprint(args, &home).await?,
        Some(Command::Generate(args)) => command::generate::run(&args)?,
    }
    Ok(ExitCode::SUCCESS)
}
