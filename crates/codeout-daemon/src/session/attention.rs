//! When a session wants somebody to look.

use std::collections::HashMap;
use std::time::Duration;

use codeout_protocol::message::{Attention, AttentionReason};
use codeout_protocol::name::clean_text;
use codeout_screen::Signal;
use tokio::time::Instant;

use super::{News, Session, locked};

/// The same reason is told at most once in this time.
const APART: Duration = Duration::from_secs(1);
/// Output in so many different seconds since somebody typed is activity.
const BUSY: u32 = 3;
/// The most bytes of a notification's title, and of its text.
const MAX_TITLE: usize = 256;
const MAX_TEXT: usize = 1024;

/// What was told, and what would be worth telling.
#[derive(Debug, Default)]
pub(super) struct Noticing {
    told: HashMap<AttentionReason, Instant>,
    /// The seconds with output since somebody typed, and the last of them.
    busy: u32,
    last_second: u64,
}

impl Noticing {
    /// Of a session that another process kept, with output in so many seconds.
    pub(super) fn busy_for(busy: u32) -> Self {
        Noticing { busy, ..Noticing::default() }
    }

    /// The seconds with output since somebody typed.
    pub(super) fn busy(&self) -> u32 {
        self.busy
    }

    /// Somebody typed: what is printed next may be no more than the answer.
    pub(super) fn typed(&mut self) {
        self.busy = 0;
    }

    /// There was output, at `now` in seconds.
    pub(super) fn printed(&mut self, now: u64) {
        if self.last_second != now {
            self.last_second = now;
            self.busy = self.busy.saturating_add(1);
        }
    }

    /// Whether silence is news; it is only once.
    fn take_busy(&mut self) -> bool {
        std::mem::take(&mut self.busy) >= BUSY
    }

    fn may_tell(&mut self, reason: AttentionReason, now: Instant) -> bool {
        let before = self.told.get(&reason);
        let may = before.is_none_or(|before| now.saturating_duration_since(*before) >= APART);
        if may {
            self.told.insert(reason, now);
        }
        may
    }
}

impl Session {
    /// Tells what the program wants noticed. `now` is in seconds since 1970.
    pub(super) fn notice(&self, signals: Vec<Signal>, now: u64) {
        for signal in signals {
            match signal {
                Signal::Bell => self.want_look(AttentionReason::Bell, None, None, now),
                // The title is a part of the entry.
                Signal::Title(_) => self.change(),
                Signal::Notification { title, text } => {
                    let title = title.map(|title| clean_text(&title, MAX_TITLE));
                    let text = clean_text(&text, MAX_TEXT);
                    self.want_look(AttentionReason::Notification, title, Some(text), now);
                }
            }
        }
    }

    /// Nothing was printed for a while.
    pub(super) fn fall_quiet(&self, now: u64) {
        if locked(&self.noticing).take_busy() {
            self.want_look(AttentionReason::Quiet, None, None, now);
        }
    }

    pub(super) fn want_look(
        &self,
        reason: AttentionReason,
        title: Option<String>,
        text: Option<String>,
        now: u64,
    ) {
        let attention = Attention { at: now, reason, title, text };
        {
            let mut about = locked(&self.about);
            let waiting = about.attention.as_ref().map(|waiting| waiting.reason);
            if waiting.is_none_or(|waiting| !says_more(waiting, reason)) {
                // On the list in any case: somebody may have typed since the last was told.
                about.attention = Some(attention.clone());
            } else if reason == AttentionReason::Quiet {
                return;
            }
        }
        if locked(&self.noticing).may_tell(reason, Instant::now()) {
            self.report(News::Attention(attention));
        }
        self.change();
    }
}

/// Whether what waits for a look is not to give way to this: a program that has said what it wants
/// rings, and falls silent.
fn says_more(waiting: AttentionReason, reason: AttentionReason) -> bool {
    use AttentionReason::{Bell, Notification, Quiet};
    matches!((waiting, reason), (Notification, Bell | Quiet) | (Bell, Quiet))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_said_does_not_give_way_to_a_bell_or_to_silence() {
        use AttentionReason::{Bell, Ended, Notification, Quiet};
        let all = [Bell, Notification, Quiet, Ended];
        let stays = |waiting| all.into_iter().filter(move |reason| says_more(waiting, *reason));
        assert_eq!(stays(Notification).collect::<Vec<_>>(), [Bell, Quiet]);
        assert_eq!(stays(Bell).collect::<Vec<_>>(), [Quiet]);
        assert_eq!(stays(Quiet).chain(stays(Ended)).count(), 0);
    }

    #[test]
    fn silence_is_news_once_behind_activity() {
        let mut noticing = Noticing::default();
        for second in [5, 5, 6] {
            noticing.printed(second);
        }
        assert!(!noticing.take_busy());
        for second in 7..10 {
            noticing.printed(second);
        }
        assert!(noticing.take_busy());
        assert!(!noticing.take_busy());
        for second in 10..20 {
            noticing.printed(second);
        }
        noticing.typed();
        assert!(!noticing.take_busy());
    }

    #[tokio::test(start_paused = true)]
    async fn a_reason_is_told_at_most_once_a_second() {
        let mut noticing = Noticing::default();
        let mut may = |reason| noticing.may_tell(reason, Instant::now());
        assert!(may(AttentionReason::Bell));
        assert!(!may(AttentionReason::Bell));
        assert!(may(AttentionReason::Notification));
        tokio::time::advance(APART).await;
        assert!(may(AttentionReason::Bell));
    }
}
