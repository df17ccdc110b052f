//! `codeout daemons` and `codeout forget`: what this machine keeps as a device.

use codeout_device::{Profile, Profiles, State};
use serde::Serialize;

use crate::cli::{ForgetArgs, JsonArgs};
use crate::command::device_words;
use crate::failure::Failure;
use crate::home::Home;
use crate::ui;

/// The daemons that this machine is paired with.
pub(crate) fn profiles(home: &Home) -> Result<Profiles, Failure> {
    let path = home.device().join("daemons.json");
    Profiles::open(&path).map_err(|error| device_words::store_error(&error))
}

/// The name of the one daemon that can be meant on a machine that has never run its own.
pub(crate) fn only(home: &Home) -> Result<Option<String>, Failure> {
    if home.daemon().join("identity").exists() {
        return Ok(None);
    }
    let mut list = profiles(home)?.list().map_err(|error| device_words::store_error(&error))?;
    list.retain(|profile| profile.state == State::Paired);
    Ok(match list.as_slice() {
        [only] => Some(only.name.clone()),
        _ => None,
    })
}

#[derive(Serialize)]
struct DaemonJson {
    name: String,
    address: String,
    device_name: String,
    paired_at: u64,
    state: &'static str,
    fingerprint: Option<String>,
}

pub(crate) fn run(args: JsonArgs, home: &Home) -> Result<(), Failure> {
    let list = profiles(home)?.list().map_err(|error| device_words::store_error(&error))?;
    if args.json {
        ui::say_json(&list.iter().map(json).collect::<Vec<_>>());
        return Ok(());
    }
    if list.is_empty() {
        ui::note("this machine is paired with no daemon: `codeout join` pairs it");
    }
    let now = ui::now();
    let rows = list.iter().map(|profile| {
        let age = ui::age(now.saturating_sub(profile.paired_at));
        vec![
            profile.name.clone(),
            profile.address.to_string(),
            format!("paired {age} ago"),
            state(profile.state).to_owned(),
        ]
    });
    for line in ui::table(&rows.collect::<Vec<_>>()) {
        ui::say(line);
    }
    Ok(())
}

fn json(profile: &Profile) -> DaemonJson {
    DaemonJson {
        name: profile.name.clone(),
        address: profile.address.to_string(),
        device_name: profile.device_name.to_string(),
        paired_at: profile.paired_at,
        state: state(profile.state),
        fingerprint: profile.fingerprint.map(|print| print.to_string()),
    }
}

fn state(state: State) -> &'static str {
    match state {
        State::Pending => "pairing",
        State::Unconfirmed => "unconfirmed",
        State::Paired => "paired",
    }
}

pub(crate) fn forget(args: &ForgetArgs, home: &Home) -> Result<(), Failure> {
    let forgotten = profiles(home)?.remove(&args.daemon).map_err(device_words::find_error)?;
    let name = ui::quoted(forgotten.device_name.as_str());
    ui::say(format!("forgotten. this machine can no longer connect to {}.", forgotten.name));
    ui::note(format!(
        "  the daemon may still list it, as {name} unless it was renamed: \
         `codeout devices revoke {name}` there"
    ));
    Ok(())
}
