use codeout_screen::HistoryLimits;

use super::*;
use crate::clock::SystemClock;
use crate::session::Keeping;
use crate::session::tests::running;

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(60);

fn keeping(output: u64) -> Keeping {
    let history = HistoryLimits { lines: 1_000_000, bytes: 64 << 20 };
    Keeping { history, output, quiet_after: None }
}

#[tokio::test]
async fn what_somebody_else_has_read_is_noticed() {
    let (session, mut news) = running("/bin/cat", &[], keeping(1 << 20));
    let kept = tokio::spawn(keep(Arc::clone(&session), Arc::new(SystemClock)));
    // As whoever types does it; nothing else is printed.
    session.publish(b"\x07", 1);
    session.echoed.notify_one();
    let bell = async {
        loop {
            let (_, told) = news.recv().await.expect("the session is there");
            if matches!(told, News::Attention(ref what) if what.reason == AttentionReason::Bell) {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, bell).await.expect("the bell is not heard");
    kept.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_screen_sees_every_line_where_the_least_is_kept() {
    const LINES: usize = 1_000_000;
    let (session, _news) = running("/usr/bin/seq", &[&LINES.to_string()], keeping(1 << 16));
    let kept = keep(Arc::clone(&session), Arc::new(SystemClock));
    tokio::time::timeout(PATIENCE, kept).await.expect("it ends");
    let mut text = Vec::new();
    session.with_screen(|screen, _| screen.write_history(0, usize::MAX, &mut text));
    let text = String::from_utf8(text).unwrap();
    let numbers = text.lines().map_while(|line| line.parse::<usize>().ok());
    let kept: Vec<usize> = numbers.collect();
    assert!(kept.len() > LINES - 30, "{}", kept.len());
    assert!(kept.iter().copied().eq(1..=kept.len()), "lines are missing, or there twice");
}
