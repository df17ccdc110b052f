//! `codeout devices`: the allow-list, revoking and renaming.

use codeout_protocol::message::DeviceEntry;
use serde::Serialize;

use crate::cli::{DevicesArgs, DevicesCommand};
use crate::command::local::Local;
use crate::command::{daemons, remote, words};
use crate::failure::Failure;
use crate::home::Home;
use crate::ui;

/// What `--json` prints of a device.
#[derive(Serialize)]
struct DeviceJson<'a> {
    #[serde(flatten)]
    device: &'a DeviceEntry,
    state: &'static str,
}

pub(crate) async fn run(args: DevicesArgs, home: &Home) -> Result<(), Failure> {
    if let Some(daemon) = &args.on {
        return remote::devices(home, daemon, &args).await;
    }
    let Some(local) = Local::find(home).await? else {
        // A machine that is a device only: there is one list that can be meant.
        return match daemons::only(home)? {
            Some(daemon) => remote::devices(home, &daemon, &args).await,
            None => Err(words::not_running()),
        };
    };
    match &args.command {
        None => show(&local.devices().await?, &args),
        Some(DevicesCommand::Revoke { device }) => revoked(&local.revoke(device).await?),
        Some(DevicesCommand::Rename { device, name }) => {
            renamed(&local.rename(device, name.as_str()).await?.name);
        }
    }
    Ok(())
}

/// Prints the allow-list.
pub(crate) fn show(devices: &[DeviceEntry], args: &DevicesArgs) {
    let now = ui::now();
    if args.json {
        let json = |device| DeviceJson { device, state: ui::state(device, now) };
        return ui::say_json(&devices.iter().map(json).collect::<Vec<_>>());
    }
    if devices.is_empty() {
        ui::note("no devices are paired: `codeout pair` adds one");
    }
    for line in ui::device_table(devices, args.long, now) {
        ui::say(line);
    }
}

pub(crate) fn revoked(device: &DeviceEntry) {
    ui::say(format!("revoked. {} can no longer connect.", device.name));
}

pub(crate) fn renamed(name: &str) {
    ui::say(format!("renamed. the device is now called {name}."));
}
