//! `codeout join`: this machine becomes a device.

use codeout_device::{How, PairOutcome, PairProgress, PairRequest, Paired, Unconfirmed, pair};
use codeout_protocol::address::Address;
use codeout_protocol::code::{Code as PairingCode, CodeError};
use codeout_protocol::link::LinkError;
use codeout_protocol::message::{DeviceEntry, Limits};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::cli::JoinArgs;
use crate::command::daemons::profiles;
use crate::command::device_words;
use crate::failure::{Code, Failure};
use crate::home::{self, Home};
use crate::ui::{self, BOLD, GREEN};

const LOOKS: &str = "a code looks like K7QM-3FBR-9TZX";

#[derive(Serialize)]
struct JoinedJson {
    daemon: String,
    address: String,
    device: String,
    #[serde(flatten)]
    limits: Limits,
    fingerprint: String,
}

pub(crate) async fn run(args: JoinArgs, home: &Home) -> Result<(), Failure> {
    let how = how(&args)?;
    let by_link = matches!(how, How::Link(_));
    if !by_link && args.fingerprint.is_none() && !ui::can_ask() {
        return Err(Failure::new(
            Code::Usage,
            "after a typed code the fingerprints must be compared, and nobody is there to ask",
        )
        .hint("say it in advance: --fingerprint ZMYR-C1HG, as the daemon's terminal shows it"));
    }
    let profiles = profiles(home)?;
    let request = PairRequest {
        how,
        device_name: args.name.clone().unwrap_or_else(home::machine_name),
        expected: args.fingerprint,
        again: false,
    };
    let mut progress = |step: PairProgress| tell(&step, args.json);
    let outcome = pair(request, &profiles, &mut progress).await;
    let paired = match outcome.map_err(device_words::pair_error)? {
        PairOutcome::Paired(paired) => paired,
        PairOutcome::Confirm(unconfirmed) => confirm(unconfirmed).await?,
    };
    report(&paired, &args, by_link);
    paired.connection.close().await;
    Ok(())
}

/// A link is the whole of it; else an address and a code.
fn how(args: &JoinArgs) -> Result<How, Failure> {
    if args.target == "-" {
        let mut line = Zeroizing::new(String::new());
        std::io::stdin().read_line(&mut line)?;
        return Ok(How::Link(line.parse().map_err(link_error)?));
    }
    if args.target.contains('#') {
        if args.code.is_some() {
            return Err(Failure::new(
                Code::Usage,
                "a pairing link holds its code: leave yours out",
            ));
        }
        return Ok(How::Link(args.target.parse().map_err(link_error)?));
    }
    let address = Address::from_typed(&args.target).map_err(|error| {
        Failure::new(Code::Usage, error.to_string())
            .hint("an address looks like http://192.168.1.20:8400; the daemon's terminal shows it")
    })?;
    let code = match &args.code {
        Some(typed) => typed
            .parse()
            .map_err(|error: CodeError| Failure::new(Code::Usage, error.to_string()).hint(LOOKS))?,
        None => ask_code()?,
    };
    Ok(How::Code { address, code })
}

/// Asks until it is one: a slip costs nothing, the daemon has not been asked.
fn ask_code() -> Result<PairingCode, Failure> {
    loop {
        let Some(typed) = ui::ask("pairing code:") else {
            return Err(Failure::new(Code::Usage, "an address needs the pairing code behind it"));
        };
        match typed.parse() {
            Ok(code) => return Ok(code),
            Err(error) => ui::note(format!("  {error}; {LOOKS}")),
        }
    }
}

fn link_error(error: LinkError) -> Failure {
    Failure::new(Code::Usage, error.to_string())
        .hint("copy the whole link, and put it in quotes: codeout join 'LINK'")
}

fn tell(step: &PairProgress, json: bool) {
    if json {
        return;
    }
    match step {
        PairProgress::WaitingForConfirmation => ui::note("waiting for a yes at the daemon"),
        PairProgress::Busy { .. } => {
            ui::note("the daemon hears too many attempts just now; trying again");
        }
        PairProgress::Recovering => ui::note("a pairing was cut: looking how far it came"),
        _ => {}
    }
}

/// The check by eye that a typed code needs.
async fn confirm(unconfirmed: Unconfirmed) -> Result<Paired, Failure> {
    ui::note(format!("daemon fingerprint: {BOLD}{}{BOLD:#}", unconfirmed.fingerprint()));
    ui::note("  the daemon's terminal shows one too: compare all eight characters");
    match ui::ask_yes_no("do they match? [y/n]") {
        Some(true) => unconfirmed.confirm().await.map_err(device_words::pair_error),
        Some(false) => {
            unconfirmed.differ().await.map_err(|error| device_words::store_error(&error))?;
            Err(Failure::new(Code::WrongKey, "the fingerprints differ")
                .hint(device_words::differ_hint()))
        }
        None => Err(Failure::new(Code::Usage, "nobody said whether the fingerprints match")
            .hint("run the same command again to go on where this stopped")),
    }
}

fn report(paired: &Paired, args: &JoinArgs, by_link: bool) {
    let profile = &paired.profile;
    let fingerprint = profile.fingerprint.map(|print| print.to_string()).unwrap_or_default();
    let DeviceEntry { name, limits, .. } = &paired.connection.welcome().device;
    let (device, limits) = (ui::clean(name), *limits);
    if args.json {
        return ui::say_json(&JoinedJson {
            daemon: profile.name.clone(),
            address: profile.address.to_string(),
            device,
            limits,
            fingerprint,
        });
    }
    let limits = ui::limit_words(limits, ui::now()).join(", ");
    let limits = if limits.is_empty() { limits } else { format!(": {limits}") };
    ui::say(format!("{GREEN}paired with {}{GREEN:#} as {device}{limits}", profile.name));
    // After the question it stands there already.
    if by_link || args.fingerprint.is_some() {
        ui::say(format!("daemon fingerprint: {BOLD}{fingerprint}{BOLD:#}"));
        ui::say(if by_link { "  checked by the link" } else { "  as you said it would be" });
    }
    // Without --on another daemon may be meant: this machine's own, or one of several.
    let on = ui::quoted(&profile.name);
    ui::note(format!(
        "`codeout open --on {on}` opens a session there, `codeout sessions --on {on}` lists them"
    ));
}
