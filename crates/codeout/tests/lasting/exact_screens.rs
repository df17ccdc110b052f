//! Real programs in a session: whoever attaches in the middle, and whoever lost the link again
//! and again, sees cell for cell what one sees who was there from the start.

use std::time::Duration;

use codeout_daemon::OfferLimits;
use codeout_device::{Connection, SessionOutput};
use codeout_protocol::message::SessionId;
use codeout_xterm::{Terminal, Xterm};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::desk::{Desk, attach, attach_for_long, in_time, open, script, watch};
use crate::nothing_lost::Random;
use crate::path::Path;
use crate::recording::{Recording, judge, record, record_for_long, terminal};

/// Devices that attach at any moment, at most; one more does with each text typed.
const LATE: usize = 8;
/// How long a program may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// A program, and what is typed into it: each text when the screen shows the one before it.
struct Played {
    name: &'static str,
    /// A script for `sh`, in a directory of its own.
    script: &'static str,
    steps: &'static [(&'static str, &'static str)],
}

const PROGRAMS: &[Played] = &[
    Played {
        name: "vim",
        script: "seq 1 300 | sed 's/$/ líne of text/' > file; exec vim -u NONE -N file",
        steps: &[
            ("1 líne", ":set nu hlsearch ruler showcmd\r"),
            ("300", "/4.*t\r"),
            ("4 líne", "Gothe last line 漢字 🎉\x1b"),
            ("🎉", ":vsplit\r"),
            ("file [+]", "gg:syntax on\r\x04\x04ix\x1b"),
            ("x", "u:q!\r"),
            ("file", ":q!\r"),
        ],
    },
    Played {
        name: "less",
        script: "seq 1 500 | sed 's/5/\x1b[1;31m5\x1b[m/g' | LESS= exec less -R",
        steps: &[("23", "  "), ("60", "/250\r"), ("250", "G"), ("(END)", "q")],
    },
    Played {
        name: "htop",
        script: "exec htop -d 3",
        steps: &[("PID", "\x1b[B\x1b[B"), ("CPU", "t"), ("F10", "h"), ("htop", "q"), ("PID", "q")],
    },
    Played {
        name: "tmux",
        script: "echo 'set -g assume-paste-time 0' > conf; \
                 exec tmux -L codeout-$$ -f conf new-session 'PS1=\"one> \" exec sh'",
        steps: &[
            ("one>", "seq 1 40\r"),
            ("40", "\x02\""),
            ("[0] 0:", "echo se''cond; seq 1 30\r"),
            ("30", "\x02%"),
            ("[0] 0:", "\x02o\x02z"),
            ("one>", "echo zoo''med\r"),
            ("zoomed", "\x02:"),
            ("\n:", "kill-session\r"),
        ],
    },
    Played {
        name: "fzf",
        script: "seq 1 1000 | fzf --color=dark --border",
        steps: &[
            ("1000", "42"),
            ("142", "\x1b[A\x1b[A\x1b[A"),
            ("42", "\x15"),
            ("1000/1000", "7\r"),
        ],
    },
    Played {
        name: "a progress bar",
        script: "i=0; while [ $i -le 60 ]; do i=$((i+1)); printf '\\r\x1b[K\x1b[32m%*s\x1b[m %d/60' \
                 $i = $i; sleep 0.01; done; echo; echo done; read x",
        steps: &[("done", "\r")],
    },
    Played {
        name: "a text of many scripts",
        script: "i=0; while [ $i -lt 120 ]; do i=$((i+1)); echo \"$i 漢字かな交じり文 한국어 🎉👩‍👩‍👧‍👦🇩🇪 \
                 e\u{301}a\u{308}\u{304} עברית العربية ไทย\"; sleep 0.005; done; echo done; read x",
        steps: &[("done", "\r")],
    },
    Played {
        name: "a shell",
        script: "PS1='\\$ ' exec sh -i",
        steps: &[
            ("$", "printf '\\033]2;title\\a\\033[5;10r\\033[?6h\\033[?25l'\r"),
            ("$", "printf '\\033[?1h\\033[?2004h\\033[?1002h\\033[?1006h\\033[?1004h'\r"),
            (
                "$",
                "printf '\\033]8;;http://example.com\\033\\\\link\\033]8;;\\033\\\\ \\033[4:3mcurl'\r",
            ),
            ("curl", "printf '\\033[m\\033[?6l\\033[r\\033[H\\033[Jbye\\033(0lqk\\033(B'\r"),
            ("bye", "exit\r"),
        ],
    },
];

/// Plays a program to its end, while devices attach and one loses its link again and again, and
/// judges what each was sent.
async fn play(name: &str, seed: u64) {
    println!("{name}: seed {seed:#x}");
    let played = PROGRAMS.iter().find(|played| played.name == name).unwrap();
    let xterm = Xterm::start();
    let mut random = Random::new(seed);
    let desk = Desk::start().await;
    let desktop = desk.connect().await;
    // The program prints when the first device is there.
    let session = open(&desktop, script(&format!("read go; {}", played.script))).await.session;
    let (mut keys, mut reader) = attach(&desktop, session).await.split();
    let path = Path::to(desk.port()).await;
    let (daemon, connection) = desk.pair("phone", path.port, OfferLimits::default()).await;
    let (_, unlucky) = attach_for_long(daemon, connection, session, false).await;
    let unlucky = record_for_long(unlucky);
    keys.write_input(b"\n").await.unwrap();

    let (mut first, shown) = (Recording::default(), terminal(&xterm));
    let (mut steps, mut late) = (played.steps.iter(), Vec::new());
    let mut step = steps.next();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let output = tokio::time::timeout_at(deadline, reader.read()).await;
        let output = output.unwrap_or_else(|_| panic!("{step:?}: {}", shown.dump().text()));
        let output = output.expect("the session says its end");
        first.take(&output, reader.offset());
        match &output {
            SessionOutput::Ended(_) => break,
            SessionOutput::Bytes(bytes) => shown.write(bytes),
            SessionOutput::Snapshot { .. } | SessionOutput::SnapshotEnd => continue,
        }
        while let Some((text, then)) = step
            && shows(&shown, text)
        {
            keys.write_input(then.as_bytes()).await.unwrap();
            step = steps.next();
            late.push(come_late(&desk, session).await);
            path.cut_all();
        }
        if random.below(2) == 0 {
            path.cut_all();
            path.cut_after([2000 + random.below(6000)]);
        }
        if late.len() < LATE && random.below(3) == 0 {
            late.push(come_late(&desk, session).await);
        }
    }
    assert!(step.is_none(), "it ended before {step:?}");
    judge(&xterm, "over many links", &first, &in_time(unlucky).await.unwrap());
    let count = late.len();
    for (number, (recording, _)) in late.into_iter().enumerate() {
        let place = format!("device {number}");
        judge(&xterm, &place, &first, &in_time(recording).await.unwrap());
    }
    println!("{name}: {count} devices came later, {} links were cut", path.cut());
    desk.stop().await;
}

/// Another device attaches; its connection comes along.
async fn come_late(desk: &Desk, session: SessionId) -> (JoinHandle<Recording>, Connection) {
    let connection = desk.connect().await;
    let (_, reader) = watch(&connection, session).await.split();
    (record(reader), connection)
}

fn shows(terminal: &Terminal, text: &str) -> bool {
    terminal.dump().text().contains(text)
}

/// Each program is a test of its own.
macro_rules! programs {
    ($($test:ident: $name:literal, $seed:literal;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                play($name, $seed).await;
            }
        )*

        #[test]
        fn every_program_is_played() {
            let names: Vec<_> = PROGRAMS.iter().map(|played| played.name).collect();
            assert_eq!(names, [$($name),*]);
        }
    };
}

programs! {
    vim: "vim", 0x71;
    less: "less", 0x72;
    htop: "htop", 0x73;
    tmux: "tmux", 0x74;
    fzf: "fzf", 0x75;
    progress: "a progress bar", 0x76;
    unicode: "a text of many scripts", 0x77;
    shell: "a shell", 0x78;
}
