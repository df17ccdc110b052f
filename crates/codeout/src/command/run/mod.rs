//! `codeout`: the daemon itself, in the foreground or detached from every terminal.

mod detached;
mod front;
mod news;
pub(crate) use news::lost_sessions;

use std::path::{Path, PathBuf};
use std::process::Command;

use codeout_daemon::{Config, Daemon, Inherited, OfferLimits, OpenError, TlsFiles, inheritance};
use codeout_protocol::address::Address;

use crate::cli::DaemonArgs;
use crate::command::{pair, words};
use crate::console::{Console, Signals};
use crate::failure::{Code, Failure};
use crate::home::{self, Home};
use crate::settings_file::Settings;
use crate::ui::{self, DIM};

pub(crate) use detached::run as run_detached;
use front::Front;

/// What is to become of the daemon.
enum Next {
    Stop,
    /// It goes on as this program, with every session.
    Restart(PathBuf),
}

/// Runs the daemon in the foreground until it is told to stop.
pub(crate) async fn run(args: DaemonArgs, home: &Home) -> Result<(), Failure> {
    let start = Start::new(&args, home)?;
    let config = start.config.clone();
    if start.config.confirm && !Console::is_possible() {
        return Err(Failure::new(Code::Usage, "--confirm asks in the terminal, and there is none")
            .hint("start codeout in a terminal, or without --confirm"));
    }
    let mut daemon = match start.daemon().await {
        Ok(daemon) => daemon,
        Err(OpenError::AlreadyRunning) => return already_running(home).await,
        Err(error) => return Err(words::open_error(&error)),
    };
    let mut signals = Signals::new()?;
    loop {
        let mut console = Console::open();
        let events = daemon.events();
        if let Some(line) = lost_sessions(daemon.lost()) {
            console.line(&line);
        }
        if let Some(line) = news::exposed_key(daemon.exposed_key()) {
            console.line(&line);
        }
        let next =
            Front::new(&daemon, daemon.here()).serve(&mut console, events, &mut signals).await;
        console.live("");
        match next {
            Next::Stop => {
                console.line(&format!("{DIM}stopping{DIM:#}"));
                daemon.stop().await;
                return Ok(());
            }
            Next::Restart(executable) => {
                console.line(&format!("{DIM}restarting{DIM:#}"));
                // The new process finds the terminal as this one did.
                drop(console);
                daemon = restart(daemon, &executable, &config).await?;
            }
        }
    }
}

/// What a daemon is started with, or taken over from the process that this one was before.
struct Start {
    config: Config,
    inherited: Option<Inherited>,
}

impl Start {
    fn new(args: &DaemonArgs, home: &Home) -> Result<Self, Failure> {
        inheritance::prepare();
        let inherited = Inherited::take().unwrap_or_else(|error| {
            // A daemon without them is better than none.
            ui::note(format!("the sessions could not be taken over, and have ended: {error}"));
            None
        });
        let settings = Settings::read_named(args.config.as_deref(), home);
        let config = match settings.and_then(|settings| configure(args, settings, home)) {
            // Sessions run: they are not to end by a mistake in a file.
            Err(failure) if inherited.is_some() => {
                ui::report(&failure);
                configure(args, Settings::default(), home)?
            }
            configured => configured?,
        };
        Ok(Start { config, inherited })
    }

    async fn daemon(self) -> Result<Daemon, OpenError> {
        match self.inherited {
            Some(inherited) => Daemon::take_over(self.config, inherited).await,
            None => Daemon::open(self.config).await,
        }
    }
}

/// Goes on as another program. Returns only if that cannot be, with the daemon as it was.
async fn restart(daemon: Daemon, executable: &Path, config: &Config) -> Result<Daemon, Failure> {
    let mut command = Command::new(executable);
    command.args(std::env::args_os().skip(1));
    let (error, inherited) = daemon.hand_over().await.exec(command);
    ui::note(format!("cannot run {}: {error}", executable.display()));
    let daemon = Daemon::take_over(config.clone(), inherited).await;
    daemon.map_err(|error| words::open_error(&error))
}

/// The names of the sessions that run.
fn running(daemon: &Daemon) -> Vec<String> {
    let sessions = daemon.sessions().into_iter().filter(|entry| entry.ended.is_none());
    sessions.map(|entry| ui::clean(&entry.name)).collect()
}

/// The command line and the environment win over the file.
fn configure(args: &DaemonArgs, settings: Settings, home: &Home) -> Result<Config, Failure> {
    // Behind a restart it may be gone.
    let directory = std::env::current_dir().ok().or_else(home::user_directory);
    let daemon = settings.daemon;
    let port = args.port.or(daemon.port).unwrap_or(Address::DEFAULT_PORT);
    let name = args.name.clone().or(daemon.name).unwrap_or_else(home::machine_name);
    let advertise = args.advertise.clone().or(daemon.advertise);
    let certificate = args.tls_cert.clone().or(daemon.tls_cert);
    let tls = tls_files(certificate, args.tls_key.clone().or(daemon.tls_key))?;
    let has_tls = tls.is_some();
    let advertised = |text: &str| advertised(text, port, has_tls);
    Ok(Config {
        bind: args.bind.or(daemon.bind),
        port,
        advertise: advertise.as_deref().map(advertised).transpose()?,
        tls,
        confirm: args.confirm.or(daemon.confirm).unwrap_or(false),
        shell: home::shell(),
        sessions: settings.sessions,
        settings: args.config.as_deref().and_then(tellable),
        ..Config::new(home.daemon(), directory.unwrap_or_else(|| PathBuf::from("/")), name)
    })
}

/// The path from the root, where it can be told as text.
fn tellable(path: &Path) -> Option<PathBuf> {
    std::path::absolute(path).ok().filter(|path| path.to_str().is_some())
}

/// One file without the other is a mistake.
fn tls_files(
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
) -> Result<Option<TlsFiles>, Failure> {
    let missing = match (certificate, key) {
        (Some(certificate), Some(key)) => return Ok(Some(TlsFiles { certificate, key })),
        (None, None) => return Ok(None),
        (Some(_), None) => ("--tls-cert", "--tls-key"),
        (None, Some(_)) => ("--tls-key", "--tls-cert"),
    };
    let (given, missing) = missing;
    Err(Failure::new(Code::Usage, format!("{given} needs {missing} too"))
        .hint("https takes a certificate and its private key"))
}

/// The address that links name; without scheme and port, the daemon's own.
fn advertised(text: &str, port: u16, has_tls: bool) -> Result<Address, Failure> {
    let typed = Address::from_typed(text);
    let own_port = !text.contains("://") && typed.as_ref().is_ok_and(|a| a.host() == text.trim());
    let address = match typed {
        Ok(typed) if own_port && port != 0 => Address::new(has_tls, typed.host(), Some(port)),
        other => other,
    };
    address.map_err(|error| {
        Failure::new(Code::Usage, format!("the address to advertise: {error}"))
            .hint("an address looks like https://desk.example.com or 192.168.1.20:8400")
    })
}

/// A daemon runs already: say so, and offer a code from it.
async fn already_running(home: &Home) -> Result<(), Failure> {
    let failure = words::open_error(&OpenError::AlreadyRunning);
    if !ui::can_ask() {
        return Err(failure);
    }
    ui::note("codeout is already running");
    match ui::ask_yes_no("show a fresh pairing code from it? [y/n]") {
        Some(true) => pair::run_local(home, OfferLimits::default(), false).await,
        _ => Ok(()),
    }
}
