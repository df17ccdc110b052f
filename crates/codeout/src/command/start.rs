//! `codeout start`: the daemon, detached from the terminal that starts it.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use codeout_daemon::control::{Client, Status};

use crate::cli::DaemonArgs;
use crate::command::run::lost_sessions;
use crate::command::words;
use crate::failure::{Code, Failure};
use crate::home::Home;
use crate::log_file::LogFile;
use crate::settings_file::Settings;
use crate::ui::{self, BOLD};

/// How long a daemon may take until it answers.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often is looked whether it does.
const LOOK_EVERY: Duration = Duration::from_millis(20);

pub(crate) async fn run(args: DaemonArgs, home: &Home) -> Result<(), Failure> {
    let settings = Settings::read_named(args.config.as_deref(), home)?;
    if args.confirm.or(settings.daemon.confirm) == Some(true) {
        let text = "a daemon that confirms devices asks in its terminal, and this one has none";
        return Err(Failure::new(Code::Usage, text)
            .hint("start it with `codeout` in a terminal, or without confirming"));
    }
    if Client::connect(&home.daemon()).await.is_some() {
        return Err(Failure::new(Code::Taken, "codeout is already running")
            .hint("`codeout status` tells how it is, `codeout restart` starts it anew"));
    }
    let file = LogFile::new(home);
    let cannot = |error: std::io::Error| {
        let text = format!("cannot use the log file {}: {error}", file.path().display());
        Failure::new(Code::BrokenFile, text).hint(words::place_hint(&error))
    };
    let mut log = file.open().map_err(cannot)?;
    // On a full disk the daemon's own words would be lost.
    let now = humantime::format_rfc3339_seconds(SystemTime::now());
    writeln!(log, "{now} starting").map_err(cannot)?;
    let begin = log.metadata().map_err(cannot)?.len();
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments(&args, home)).stdin(Stdio::null());
    command.stdout(log.try_clone().map_err(cannot)?).stderr(log);
    let mut child = command.spawn()?;
    let Status { here, lost, .. } = answer(&mut child, home, &file, begin).await?;
    ui::say(format!("codeout runs: {BOLD}{here}{BOLD:#}"));
    if let Some(line) = lost_sessions(&lost) {
        ui::note(line);
    }
    ui::note("  `codeout pair` pairs a device, `codeout open` opens a session");
    Ok(())
}

/// The same daemon's arguments, for the process that it becomes.
fn arguments(args: &DaemonArgs, home: &Home) -> Vec<std::ffi::OsString> {
    let DaemonArgs { port, bind, advertise, tls_cert, tls_key, name, confirm, config } = args;
    let mut all = vec!["detached".into()];
    // The usual one is found again, and the settings in their own place with it.
    if let Some(named) = home.named() {
        all.extend(["--home".into(), named.into()]);
    }
    let texts = [
        ("--port", port.map(|port| port.to_string())),
        ("--bind", bind.map(|bind| bind.to_string())),
        ("--advertise", advertise.clone()),
        ("--name", name.as_ref().map(ToString::to_string)),
    ];
    for (option, value) in texts {
        all.extend(value.map(|value| format!("{option}={value}").into()));
    }
    if *confirm == Some(false) {
        all.push("--confirm=false".into());
    }
    let files = [("--tls-cert", tls_cert), ("--tls-key", tls_key), ("--config", config)];
    for (option, file) in files {
        if let Some(file) = file {
            // It is read anew behind a restart.
            let file = std::path::absolute(file).unwrap_or_else(|_| file.clone());
            all.extend([option.into(), file.into()]);
        }
    }
    all
}

/// Waits until the daemon answers. Returns how it is.
async fn answer(
    child: &mut Child,
    home: &Home,
    file: &LogFile,
    begin: u64,
) -> Result<Status, Failure> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(client) = Client::connect(&home.daemon()).await
            && let Ok(status) = client.status().await
            && status.pid == child.id()
        {
            return Ok(status);
        }
        if let Some(status) = child.try_wait()? {
            let code = status.code().and_then(|code| u8::try_from(code).ok());
            return Err(failed(&file.since(begin), code.and_then(Code::of), file.path()));
        }
        if Instant::now() > deadline {
            return Err(Failure::new(Code::Unreachable, "the daemon does not answer")
                .hint(format!("look into its log, {}", file.path().display())));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// What the daemon said before it ended, into the log file.
fn failed(said: &str, code: Option<Code>, log: &Path) -> Failure {
    let mut lines = said.lines().skip_while(|line| !line.starts_with("codeout: "));
    let error = lines.next().and_then(|line| line.strip_prefix("codeout: "));
    let hints: Vec<_> = lines.map_while(|line| line.strip_prefix("  ")).collect();
    // What it would have typed in a terminal is not what was typed here.
    let hint = hints.join("\n").replace("codeout --port", "codeout start --port");
    let code = code.unwrap_or(Code::Other);
    let Some(error) = error else {
        return Failure::new(code, "the daemon ended at once, without a word").hint(format!(
            "is there too little memory, or no room for its log, {}?",
            log.display()
        ));
    };
    Failure { error: error.to_owned(), hint: (!hint.is_empty()).then_some(hint), code }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    #[test]
    fn the_daemon_is_started_with_what_start_was_told() {
        let typed = ["codeout", "start", "--port", "0", "--bind", "::1", "--name", "my desk"];
        let more = ["--advertise", "http://x:1", "--confirm=false", "--config", "/c.toml"];
        let more = [&more[..], &["--tls-cert", "/d.crt", "--tls-key", "/d.key"]].concat();
        let Some(Command::Start(args)) = Cli::parse_from(typed.iter().chain(&more)).command else {
            panic!()
        };
        let home = Home::find(Some("/home".into())).unwrap();
        let passed = ["codeout".into()].into_iter().chain(arguments(&args, &home));
        let parsed = Cli::parse_from(passed);
        assert_eq!(parsed.home, Some("/home".into()));
        let Some(Command::Detached(again)) = parsed.command else { panic!() };
        assert_eq!(format!("{args:?}"), format!("{again:?}"));
        let usual = Home::find(None).unwrap();
        assert!(!arguments(&args, &usual).contains(&"--home".into()));
    }

    #[test]
    fn a_failure_is_the_daemons_own() {
        let said = "a word before\ncodeout: port 8400 is taken\n  stop it\n  or choose\nmore\n";
        let log = Path::new("/h/daemon.log");
        let failure = failed(said, Code::of(16), log);
        assert_eq!(failure.error, "port 8400 is taken");
        assert_eq!(failure.hint.unwrap(), "stop it\nor choose");
        assert_eq!(failure.code, Code::Taken);
        let wordless = failed("", None, log);
        assert_eq!(wordless.code, Code::Other);
        assert!(wordless.hint.unwrap().contains("/h/daemon.log"));
    }
}
