//! Records changed behind the handshake: the connection ends at once, nothing forged is
//! delivered, and nothing behind it either.

use codeout_device::{Closed, Profile, RequestFailed, SessionOutput};
use codeout_protocol::error::Error;
use codeout_protocol::message::{Answer, ExitStatus, Request, SessionId};
use codeout_protocol::name::Name;

use crate::proxy::{How, Place, Plan, Side};
use crate::support::device::{shell, typing};
use crate::support::{PATIENCE, TestDaemon, WireError, connect_on_wire};
use crate::{Device, entries, pair, stage, works};

/// The device's name between two attempts.
const NAME: &str = "as it was";

/// What can be done to a record, given the same one of an earlier run.
fn hows(earlier: &[u8]) -> Vec<How> {
    let flip = |byte| How::Flip { byte, mask: 1 << (byte % 8) };
    let mut hows: Vec<How> = (0..earlier.len()).map(flip).collect();
    hows.extend([0, 1, 16, 17, 64, earlier.len() - 1].map(How::Truncate));
    hows.extend([
        How::Extend(vec![0]),
        How::Extend(vec![0; 64]),
        How::Extend(vec![0; 66_000]),
        How::Repeat,
        How::Later,
        How::Drop,
        How::Reflect,
        How::Replace(earlier.to_vec()),
    ]);
    hows
}

fn rename(id: &str, name: &str) -> Request {
    Request::Rename { device: id.to_owned(), name: name.to_owned() }
}

async fn rename_back(daemon: &TestDaemon, id: &str) {
    let name = Name::clean(NAME).unwrap();
    let renamed = daemon.daemon.rename(id.parse().unwrap(), name).await.unwrap();
    assert!(renamed.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_record_to_the_daemon_has_no_effect() {
    let (daemon, proxy) = stage().await;
    let (_, kept) = pair(&daemon, &proxy, &daemon.offer()).await;
    let credentials = kept.unwrap();
    let id = entries(&daemon).await[0].id.clone();

    // An honest run: both have their effect.
    proxy.plan(Plan::Relay);
    let mut established = connect_on_wire(proxy.port(), &credentials).await.unwrap();
    established.request(1, rename(&id, "first")).await.unwrap();
    established.request(2, rename(&id, "second")).await.unwrap();
    established.ping().await.unwrap();
    assert_eq!(entries(&daemon).await[0].name, "second");
    drop(established);
    let honest = proxy.over().await;

    // The first record of a connection, and one behind a good one.
    for index in 0..2 {
        let place = Place::record(Side::Device, index);
        for how in hows(honest.message(place).unwrap()) {
            rename_back(&daemon, &id).await;
            proxy.plan(Plan::Change(place, how.clone()));
            let mut established = connect_on_wire(proxy.port(), &credentials).await.unwrap();
            for (number, name) in [(1, "first"), (2, "second"), (3, "third")] {
                // The daemon may have gone already.
                let _ = established.request(number, rename(&id, name)).await;
            }
            let error = loop {
                if let Err(error) = established.receive().await {
                    break error;
                }
            };
            let reflected = matches!(how, How::Reflect);
            match error {
                WireError::Ended => {}
                WireError::Protocol(Error::Record) if reflected => {}
                other => panic!("{index} {how:?}: {other:?}"),
            }
            drop(established);
            let seen = proxy.over().await;
            let effects = index + usize::from(matches!(how, How::Repeat));
            let name = &entries(&daemon).await[0].name;
            assert_eq!(name, [NAME, "first", "second"][effects], "{index} {how:?}");
            // At once and without a word: what came is a reply and an event for each effect.
            assert!(reflected || seen.ended_by == Some(Side::Daemon), "{index} {how:?}");
            assert!(seen.from(Side::Daemon).count() <= 2 + 2 * effects, "{index} {how:?}");
        }
    }
    works(&daemon, &proxy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_record_to_the_device_is_not_delivered() {
    let (daemon, proxy) = stage().await;
    let (_device, profile) = Device::paired(&daemon, &proxy).await;
    let id = entries(&daemon).await[0].id.clone();

    proxy.plan(Plan::Relay);
    let connection = codeout_device::connect(&profile).await.unwrap();
    connection.request(Request::Ping).await.unwrap();
    connection.close().await;
    let honest = proxy.over().await;
    let place = Place::record(Side::Daemon, 0);
    let mut hows = hows(honest.message(place).unwrap());
    hows.push(How::Cut);

    for how in hows {
        proxy.plan(Plan::Change(place, how.clone()));
        let connection = codeout_device::connect(&profile).await.unwrap();
        let both = async {
            tokio::join!(
                connection.request(Request::Ping),
                connection.request(rename(&id, "forged?")),
            )
        };
        let (first, second) = in_time(both).await;
        match (&how, first) {
            (How::Repeat, Ok(Answer::Done {})) => {}
            (_, Err(RequestFailed::Closed(closed))) => as_expected(&how, closed),
            (_, other) => panic!("{how:?}: {other:?}"),
        }
        match second {
            Err(RequestFailed::Closed(closed)) => as_expected(&how, closed),
            other => panic!("{how:?}: {other:?}"),
        }
        assert!(connection.next_event().await.is_none(), "{how:?}");
        as_expected(&how, connection.closed().await);
        let seen = proxy.over().await;
        if !matches!(how, How::Reflect | How::Cut) {
            assert_eq!(seen.ended_by, Some(Side::Device), "{how:?}");
        }
        // Not even a goodbye.
        assert!(seen.from(Side::Device).count() <= 4, "{how:?}");
    }
    works(&daemon, &proxy).await;
}

/// A connection that does not notice what was done to it waits for ever.
async fn in_time<T>(waiting: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, waiting).await.expect("the connection does not end")
}

fn as_expected(how: &How, closed: Closed) {
    let expected = match how {
        How::Cut => closed == Closed::Cut,
        // The daemon hears its own words and goes, or the device misses one before that.
        How::Reflect => matches!(closed, Closed::Cut | Closed::Protocol),
        _ => closed == Closed::Protocol,
    };
    assert!(expected, "{how:?}: {closed:?}");
}

/// Opens a shell that nobody attacks.
async fn open(profile: &Profile) -> SessionId {
    let connection = codeout_device::connect(profile).await.unwrap();
    let Answer::Opened { opened } = connection.request(Request::Open(shell())).await.unwrap()
    else {
        panic!("no session")
    };
    connection.close().await;
    opened.session
}

/// The end of a shell is not delivered when something before it is missing: what was printed until
/// then is not taken for all that there is. The shell itself is as it was.
#[tokio::test(flavor = "multi_thread")]
async fn a_shell_whose_output_is_tampered_with_does_not_end_well() {
    let (daemon, proxy) = stage().await;
    let (_device, profile) = Device::paired(&daemon, &proxy).await;
    // The snapshot behind the reply to `attach`: where it begins, what it holds, where it ends.
    // More follows, and then the end.
    for index in 1..=3 {
        let place = Place::record(Side::Daemon, index);
        for how in [
            How::Flip { byte: 30, mask: 1 },
            How::Truncate(80),
            How::Drop,
            How::Repeat,
            How::Later,
            How::Cut,
        ] {
            proxy.plan(Plan::Relay);
            let session = open(&profile).await;
            proxy.plan(Plan::Change(place, how.clone()));
            let connection = codeout_device::connect(&profile).await.unwrap();
            let expected = if matches!(how, How::Cut) { Closed::Cut } else { Closed::Protocol };
            // It may be over at any step: what was changed comes right behind the reply.
            match connection.attach(typing(session)).await {
                Ok((_, mut attachment)) => {
                    let typed = b"printf '%s%s' un changed; exit 0\n";
                    let _ = attachment.write_input(typed).await;
                    while let Some(part) = in_time(attachment.read()).await {
                        assert!(!matches!(part, SessionOutput::Ended(_)), "{index} {how:?}");
                    }
                }
                Err(RequestFailed::Closed(closed)) => assert_eq!(closed, expected, "{how:?}"),
                Err(error) => panic!("{index} {how:?}: {error}"),
            }
            assert_eq!(connection.closed().await, expected, "{index} {how:?}");
            proxy.over().await;

            // Another attachment gets everything, whatever of the input has arrived.
            proxy.plan(Plan::Relay);
            let connection = codeout_device::connect(&profile).await.unwrap();
            let (_, mut attachment) = connection.attach(typing(session)).await.unwrap();
            let _ = attachment.write_input(b"exit 0\n").await;
            let mut last = None;
            while let Some(part) = in_time(attachment.read()).await {
                last = Some(part);
            }
            let ended = matches!(last, Some(SessionOutput::Ended(ExitStatus::Exit(0))));
            assert!(ended, "{index} {how:?}: {last:?}");
            connection.close().await;
        }
    }
    works(&daemon, &proxy).await;
}
