//! `codeout status` and `codeout fingerprint`.

use codeout_daemon::control::Status;
use codeout_protocol::fingerprint::Fingerprint;
use serde::Serialize;

use crate::cli::JsonArgs;
use crate::command::local::Local;
use crate::command::words;
use crate::failure::{Code, Failure};
use crate::home::Home;
use crate::ui;

#[derive(Serialize)]
struct StatusJson<'a> {
    running: bool,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    status: Option<&'a Status>,
}

/// Prints how the daemon of this machine is; fails when it does not run.
pub(crate) async fn run(args: JsonArgs, home: &Home) -> Result<(), Failure> {
    let Some(Local::Running(client)) = Local::find(home).await? else {
        if args.json {
            ui::say_json(&StatusJson { running: false, status: None });
        }
        return Err(words::does_not_run());
    };
    let status = client.status().await.map_err(words::client_error)?;
    if args.json {
        ui::say_json(&StatusJson { running: true, status: Some(&status) });
        return Ok(());
    }
    let devices = match status.devices {
        1 => "1 device paired".to_owned(),
        count => format!("{count} devices paired"),
    };
    let offer = status.offer_expires_in.map_or_else(
        || "none open: `codeout pair` shows one".to_owned(),
        |seconds| {
            let limits = status.offer_limits.and_then(ui::offer_limits);
            let limits = limits.map_or_else(String::new, |limits| format!("; limits: {limits}"));
            format!("open, expires in {}{limits}", ui::countdown(seconds))
        },
    );
    let runs = ui::age(ui::now().saturating_sub(status.started_at));
    let Status { version, name, pid, .. } = &status;
    ui::say(format!("codeout {version} runs on {name} (process {pid}, for {runs})"));
    for (index, address) in status.addresses.iter().enumerate() {
        let label = if index == 0 { "addresses" } else { "" };
        ui::say(format!("  {label:<14}{address}"));
    }
    ui::say(format!("  {:<14}{}", "fingerprint", status.fingerprint));
    ui::say(format!("  {:<14}{devices}, {} connected", "devices", status.connected));
    let sessions = match status.sessions {
        0 => "none: `codeout open` opens one".to_owned(),
        count => format!("{count}: `codeout sessions` lists them"),
    };
    ui::say(format!("  {:<14}{sessions}", "sessions"));
    ui::say(format!("  {:<14}{offer}", "pairing code"));
    Ok(())
}

#[derive(Serialize)]
struct FingerprintJson {
    fingerprint: String,
}

/// Prints the fingerprint of the daemon of this machine.
pub(crate) async fn fingerprint(args: JsonArgs, home: &Home) -> Result<(), Failure> {
    let fingerprint = match Local::find(home).await? {
        None => {
            let text = "no daemon has run on this machine: it has no fingerprint yet";
            return Err(Failure::new(Code::Unreachable, text).hint("start it with `codeout start`"));
        }
        Some(Local::Running(client)) => {
            client.status().await.map_err(words::client_error)?.fingerprint
        }
        Some(Local::Stopped(stopped)) => {
            let key = stopped.key();
            // A daemon that starts meanwhile is not to find its lock taken.
            drop(stopped);
            let print = Fingerprint::of(&key);
            print.map_err(|error| Failure::new(Code::Other, error.to_string()))?.to_string()
        }
    };
    if args.json {
        ui::say_json(&FingerprintJson { fingerprint });
    } else {
        ui::say(fingerprint);
    }
    Ok(())
}
