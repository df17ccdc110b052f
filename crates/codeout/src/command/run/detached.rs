//! The daemon that `codeout start` starts: no terminal, and a log file for its words. It opens no
//! offer, as a pairing code must never be in a file.

use std::time::{Duration, SystemTime};

use codeout_daemon::{Asked, Daemon};
use tokio::sync::broadcast;

use super::news::{self, News};
use super::{Next, Start, restart};
use crate::cli::DaemonArgs;
use crate::command::words;
use crate::console::Signals;
use crate::failure::Failure;
use crate::home::Home;
use crate::log_file::LogFile;
use crate::ui;

/// How often is looked whether the log is long.
const TICK: Duration = Duration::from_secs(5);

/// Runs the daemon until it is told to stop.
pub(crate) async fn run(args: DaemonArgs, home: &Home) -> Result<(), Failure> {
    // Fails behind a restart: then it is done.
    let _ = rustix::process::setsid();
    let start = Start::new(&args, home)?;
    let config = start.config.clone();
    let mut daemon = start.daemon().await.map_err(|error| words::open_error(&error))?;
    log(&format!("codeout {} runs: {}", env!("CARGO_PKG_VERSION"), daemon.here()));
    let mut signals = Signals::new()?;
    loop {
        if let Some(line) = news::lost_sessions(daemon.lost()) {
            log(&line);
        }
        if let Some(line) = news::exposed_key(daemon.exposed_key()) {
            log(&line);
        }
        match serve(&daemon, home, &mut signals).await {
            Next::Stop => {
                log("stopping");
                daemon.stop().await;
                log("stopped");
                return Ok(());
            }
            Next::Restart(executable) => {
                log("restarting");
                daemon = restart(daemon, &executable, &config).await?;
            }
        }
    }
}

async fn serve(daemon: &Daemon, home: &Home, signals: &mut Signals) -> Next {
    let file = LogFile::new(home);
    let mut events = daemon.events();
    let mut news = News::default();
    let mut tick = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Ok(event) => news.lines(daemon, event).await.iter().for_each(|line| log(line)),
                Err(broadcast::error::RecvError::Lagged(missed)) => {
                    log(&format!("{missed} events were too fast to tell"));
                }
                Err(broadcast::error::RecvError::Closed) => return Next::Stop,
            },
            asked = daemon.asked() => return match asked {
                Asked::Stop => Next::Stop,
                Asked::Restart { executable } => Next::Restart(executable),
            },
            _ = tick.tick() => {
                news.due().iter().for_each(|line| log(line));
                if let Err(error) = file.shorten() {
                    log(&format!("the log file cannot be begun anew: {error}"));
                }
            }
            () = signals.end() => return Next::Stop,
        }
    }
}

fn log(line: &str) {
    let now = humantime::format_rfc3339_seconds(SystemTime::now());
    ui::say(format!("{now} {line}"));
}
