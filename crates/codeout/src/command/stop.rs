//! `codeout stop` and `codeout restart`.

use codeout_daemon::control::Client;

use crate::cli::StopArgs;
use crate::command::words;
use crate::failure::Failure;
use crate::home::Home;
use crate::settings_file::Settings;
use crate::ui;

async fn client(home: &Home) -> Result<Client, Failure> {
    Client::connect(&home.daemon()).await.ok_or_else(words::does_not_run)
}

/// Stops the daemon of this machine, and waits until it has ended.
pub(crate) async fn stop(args: StopArgs, home: &Home) -> Result<(), Failure> {
    let stopped = client(home).await?.stop(args.force).await;
    stopped.map_err(words::client_error)?;
    ui::say("stopped");
    Ok(())
}

/// Lets the daemon of this machine go on as this program, with every session.
pub(crate) async fn restart(home: &Home) -> Result<(), Failure> {
    let status = client(home).await?.status().await.map_err(words::client_error)?;
    // A mistake in the file is better known before than behind it.
    Settings::read_named(status.settings.as_deref(), home)?;
    let executable = std::env::current_exe()?;
    let restarted = client(home).await?.restart(&home.daemon(), &executable).await;
    let status = restarted.map_err(words::client_error)?;
    let kept = match status.sessions {
        0 => "no session ran".to_owned(),
        1 => "1 session was kept".to_owned(),
        count => format!("{count} sessions were kept"),
    };
    ui::say(format!("restarted as version {}: {kept}", status.version));
    Ok(())
}
