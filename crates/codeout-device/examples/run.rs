//! Runs one command on the computer of a daemon: `run LINK COMMAND` pairs first, `run COMMAND`
//! uses the daemon that is known from before.
//!
//! ```sh
//! cargo run -p codeout-device --example run -- 'http://desk:8400/#…' 'uname -a'
//! ```

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;

use codeout_device::{
    Backoff, Connection, How, PairOutcome, PairRequest, Profiles, SessionOutput,
    connect_with_backoff, pair,
};
use codeout_protocol::link::Link;
use codeout_protocol::message::{Answer, Attach, Open, Request};
use codeout_protocol::name::Name;
use codeout_protocol::sodium::random_bytes;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Result<()> {
    let profiles = Profiles::open(Path::new("run-example/daemons.json"))?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (connection, command) = match arguments.as_slice() {
        [link, command] => (pair_by_link(link.parse()?, &profiles).await?, command),
        [command] => {
            let profile = profiles.find(None)?;
            let connecting = connect_with_backoff(&profile, Backoff::default(), |attempt| {
                let _ = writeln!(io::stderr(), "{}; trying again", attempt.error);
            });
            (connecting.await?, command)
        }
        _ => return Err("run [LINK] COMMAND".into()),
    };
    let ended = run(&connection, command).await;
    connection.close().await;
    ended
}

async fn pair_by_link(link: Link, profiles: &Profiles) -> Result<Connection> {
    let request = PairRequest {
        how: How::Link(link),
        device_name: Name::clean("example").ok_or("no name")?,
        expected: None,
        again: true,
    };
    match pair(request, profiles, &mut |_| {}).await? {
        PairOutcome::Paired(paired) => Ok(paired.connection),
        // A link carries the daemon's key: there is nothing to confirm.
        PairOutcome::Confirm(_) => Err("the fingerprint was not checked".into()),
    }
}

async fn run(connection: &Connection, command: &str) -> Result<()> {
    let open = Open { columns: 80, rows: 24, ..Open::default() };
    let Answer::Opened { opened } = connection.request(Request::Open(open)).await? else {
        return Err("no session".into());
    };
    let mut random = [0; 4];
    random_bytes(&mut random);
    let keyboard = Some(u32::from_le_bytes(random).into());
    let attach = Attach { session: opened.session, keyboard, ..Attach::default() };
    let (_, mut attachment) = connection.attach(attach).await?;
    attachment.write_input(format!("exec {command}\n").as_bytes()).await?;
    let mut screen = io::stdout().lock();
    while let Some(output) = attachment.read().await {
        if let SessionOutput::Bytes(bytes) = output {
            screen.write_all(&bytes)?;
            screen.flush()?;
        }
    }
    Ok(())
}
