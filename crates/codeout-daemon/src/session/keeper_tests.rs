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

/// The whole lines above the screen, each of which is a number.
fn numbers(session: &Session) -> Vec<usize> {
    let mut text = Vec::new();
    session.with_screen(|screen, _| screen.write_history(0, usize::MAX, &mut text));
    let text = String::from_utf8(text).unwrap();
    // The first line may have been cut, and what follows the last is the screen's.
    let lines = text.trim_end().lines().skip(1);
    lines.map(|line| line.parse().unwrap_or_else(|_| panic!("no number: {line}"))).collect()
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_has_read_is_noticed() {
    let (session, mut news) = running("/bin/cat", &[], keeping(1 << 20));
    let kept = tokio::spawn(keep(Arc::clone(&session), Arc::new(SystemClock)));
    // Until it looks by itself no more.
    for _ in 0..20 {
        tokio::time::advance(IDLE).await;
        tokio::task::yield_now().await;
    }
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
    let kept = numbers(&session);
    assert!(kept.len() > LINES - 30, "{}", kept.len());
    assert!(kept.iter().copied().eq(2..kept.len() + 2), "lines are missing, or there twice");
}

#[tokio::test]
async fn a_screen_that_missed_output_goes_on_with_what_is_kept() {
    let (session, _news) = running("/bin/cat", &[], keeping(1 << 16));
    let lines: String = (0..20_000).map(|number| format!("{number:016}\r\n")).collect();
    session.publish(lines.as_bytes(), 1);
    assert_eq!(session.with_screen(|_, seen| seen), lines.len() as u64);
    let kept = numbers(&session);
    assert!(kept.len() > 3_000, "{}", kept.len());
    assert!(kept.windows(2).all(|pair| pair[1] == pair[0] + 1), "lines are there twice");
}
