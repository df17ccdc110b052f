//! `codeout`: the one binary. It parses, runs one command, and ends with its exit code; every
//! printed word passes through `ui`. It has no SQL, no cryptography and no HTTP: those are the
//! daemon's and the device library's.

mod cli;
mod command;
mod console;
mod detach_key;
mod failure;
mod fault;
mod home;
mod log_file;
mod offer_page;
mod qr;
mod raw_terminal;
mod screen;
mod session_lines;
mod settings_file;
mod settings_text;
mod trail_lines;
mod ui;

use std::io::IsTerminal;
use std::process::ExitCode;

use tokio::runtime::Builder;
use tracing_subscriber::EnvFilter;

use cli::{Cli, Command};
use failure::{Code, Failure};
use home::Home;

fn main() -> ExitCode {
    fault::install_hook();
    let cli = cli::parse();
    // Quiet unless asked: CODEOUT_LOG=codeout_daemon=debug. A log file has room for warnings.
    let usual = if matches!(cli.command, Some(Command::Detached(_))) { "warn" } else { "error" };
    let filter = EnvFilter::try_from_env("CODEOUT_LOG").unwrap_or_else(|_| EnvFilter::new(usual));
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(colours)
        .with_writer(ui::stderr)
        .init();

    let runtime = match builder(&cli).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            ui::report(&Failure::new(Code::Other, format!("cannot start: {error}")));
            return Code::Other.into();
        }
    };
    // What a detached daemon says goes into its log: when that cannot be written, it serves on.
    let is_log = matches!(cli.command, Some(Command::Detached(_)));
    let ended = runtime.block_on(run(cli));
    // A thread that waits for a key would keep the runtime waiting.
    runtime.shutdown_background();
    let said = if is_log { Ok(()) } else { ui::all_said() };
    match ended.and_then(|code| said.map(|()| code)) {
        Ok(code) => code,
        Err(failure) => {
            ui::report(&failure);
            failure.code.into()
        }
    }
}

/// A window is one thread: with more, an echo wakes one that hands it to another. A daemon that
/// serves devices leaves half of the processors to the threads that read terminals.
fn builder(cli: &Cli) -> Builder {
    if let Some(Command::Attach(_) | Command::Open(_)) = cli.command {
        return Builder::new_current_thread();
    }
    let processors = std::thread::available_parallelism().map_or(2, |count| count.get());
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(processors.div_ceil(2));
    builder
}

async fn run(cli: Cli) -> Result<ExitCode, Failure> {
    let home = Home::find(cli.home)?;
    match cli.command {
        None => command::run::run(cli.daemon, &home).await?,
        Some(Command::Pair(args)) => command::pair::run(args, &home).await?,
        Some(Command::Join(args)) => command::join::run(args, &home).await?,
        Some(Command::Open(args)) => return command::open::run(args, &home).await,
        Some(Command::Attach(args)) => return command::attach::run(args, &home).await,
        Some(Command::Sessions(args)) => command::sessions::run(args, &home).await?,
        Some(Command::End(args)) => command::session::end(args, &home).await?,
        Some(Command::Rename(args)) => command::session::rename(args, &home).await?,
        Some(Command::Dismiss(args)) => command::session::dismiss(args, &home).await?,
        Some(Command::Programs(args)) => command::session::programs(args, &home).await?,
        Some(Command::Start(args)) => command::start::run(args, &home).await?,
        Some(Command::Detached(args)) => command::run::run_detached(args, &home).await?,
        Some(Command::Stop(args)) => command::stop::stop(args, &home).await?,
        Some(Command::Restart) => command::stop::restart(&home).await?,
        Some(Command::Devices(args)) => command::devices::run(args, &home).await?,
        Some(Command::Log(args)) => command::log::run(args, &home).await?,
        Some(Command::Daemons(args)) => command::daemons::run(args, &home)?,
        Some(Command::Forget(args)) => command::daemons::forget(&args, &home)?,
        Some(Command::Status(args)) => command::status::run(args, &home).await?,
        Some(Command::Fingerprint(args)) => command::status::fingerprint(args, &home).await?,
        Some(Command::Generate(args)) => command::generate::run(&args)?,
    }
    Ok(ExitCode::SUCCESS)
}
