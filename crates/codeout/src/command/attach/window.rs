//! What this terminal shows of a session.
//!
//! Where both have the same size, the session's bytes go to the terminal as they are. Else the
//! terminal shows the part around the cursor, painted by this program, and whose size it is. Where
//! standard output is no terminal the bytes pass, and there is no line of this program's own.

use std::time::Duration;

use codeout_device::{Lasted, LastingEnd, LastingInput, LastingReader, OutputBytes, SessionOutput};
use codeout_protocol::message::{MAX_TERMINAL_CELLS, MAX_TERMINAL_SIDE, TerminalSize};
use codeout_screen::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep_until};

use super::shadow::Shadow;
use super::status::{self, Names};
use crate::console::terminal_size;
use crate::failure::Failure;
use crate::raw_terminal::{self, KEEP_TITLE};
use crate::screen::Screen;
use crate::ui;

/// A link that is back sooner was never worth a line.
const UNNOTICED: Duration = Duration::from_millis(400);
/// How long the way out is shown…
const GREETING: Duration = Duration::from_secs(4);
/// …and how long it is although the session prints something.
const GREETING_HELD: Duration = Duration::from_millis(1500);
/// How often the line about a lost link is drawn anew.
const TICK: Duration = Duration::from_secs(1);
/// How long a session may take to get this terminal's size before a part of it is shown.
const FITTING: Duration = Duration::from_secs(1);
/// Pieces of output that are written, or looked at, before others are asked for.
const AT_A_TIME: usize = 4;

pub(super) struct Window {
    screen: Screen,
    names: Names,
    /// The terminal's size; `None` where standard output is none.
    terminal: Option<TerminalSize>,
    /// The session's size, and the name of the device that gave it.
    size: TerminalSize,
    size_by: Option<String>,
    shadow: Shadow,
    /// Whether a part is painted, instead of the bytes passed.
    is_view: bool,
    /// The first column and row of that part.
    origin: (u16, u16),
    in_snapshot: bool,
    down: Option<Down>,
    /// Whether a line is drawn over the session's last row.
    is_drawn_over: bool,
    /// Whether that line tells the way out; once.
    greeting: Greeting,
    /// When to do something by itself.
    wakes: Option<Instant>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Greeting {
    Due,
    /// Since then.
    Shown(Instant),
    Over,
}

/// There is no link.
struct Down {
    since: Instant,
    retry_at: Instant,
}

/// This terminal's size, if standard output is one and a session can have its size.
pub(crate) fn own_size() -> Option<TerminalSize> {
    let (columns, rows) = terminal_size()?;
    let columns = columns.min(MAX_TERMINAL_SIDE);
    let most = u16::try_from(MAX_TERMINAL_CELLS / u32::from(columns)).unwrap_or(u16::MAX);
    Some(TerminalSize { columns, rows: rows.min(MAX_TERMINAL_SIDE).min(most) })
}

impl Window {
    pub(super) fn new(names: Names, terminal: Option<TerminalSize>, size: TerminalSize) -> Self {
        Window {
            screen: Screen::open(),
            names,
            terminal,
            size,
            size_by: None,
            shadow: Shadow::new(size),
            is_view: false,
            origin: (0, 0),
            in_snapshot: true,
            down: None,
            is_drawn_over: false,
            greeting: Greeting::Due,
            wakes: None,
        }
    }

    /// Shows the session until it is over for this device.
    pub(super) async fn show(
        &mut self,
        reader: &mut LastingReader,
        input: &LastingInput,
    ) -> Result<LastingEnd, Failure> {
        let mut resized = signal(SignalKind::window_change())?;
        self.begin().await?;
        let mut next = None;
        loop {
            let lasted = match next.take() {
                Some(lasted) => lasted,
                None => tokio::select! {
                    lasted = reader.next() => match lasted {
                        Some(lasted) => lasted,
                        None => return Ok(LastingEnd::Closed(codeout_device::Closed::Cut)),
                    },
                    _ = resized.recv(), if self.terminal.is_some() => {
                        self.resized(input).await?;
                        continue;
                    }
                    () = sleep_until(self.wakes.unwrap_or_else(Instant::now)),
                        if self.wakes.is_some() =>
                    {
                        self.wake().await?;
                        continue;
                    }
                },
            };
            next = match lasted {
                Lasted::Over(end) => return Ok(end),
                lasted => self.take(lasted, reader).await?,
            };
        }
    }

    /// Shows what came. Returns what came behind it, where that was looked at already.
    async fn take(
        &mut self,
        lasted: Lasted,
        reader: &mut LastingReader,
    ) -> Result<Option<Lasted>, Failure> {
        match lasted {
            Lasted::Output(SessionOutput::Bytes(bytes)) => return self.output(bytes, reader).await,
            Lasted::Output(SessionOutput::Snapshot { size, size_by, .. }) => {
                self.snapshot(size, size_by).await?;
            }
            Lasted::Output(SessionOutput::SnapshotEnd) => self.snapshot_end().await?,
            Lasted::LinkDown { retry_in, .. } => self.link_down(retry_in),
            Lasted::LinkUp => self.link_up().await?,
            // Both are the end, which is not shown.
            Lasted::Output(SessionOutput::Ended(_)) | Lasted::Over(_) => {}
        }
        Ok(None)
    }

    /// Moves what the terminal shows up and out of the way.
    async fn begin(&mut self) -> Result<(), Failure> {
        let Some(terminal) = self.terminal else { return Ok(()) };
        raw_terminal::screen_is_shown();
        let lines = "\n".repeat(usize::from(terminal.rows) - 1);
        self.screen.paint(format!("{KEEP_TITLE}\r{lines}").into_bytes()).await
    }

    async fn output(
        &mut self,
        bytes: OutputBytes,
        reader: &mut LastingReader,
    ) -> Result<Option<Lasted>, Failure> {
        let Greeting::Shown(since) = self.greeting else { return self.pass(bytes, reader).await };
        // Out of the way of what may scroll, and back: a shell that sees a new size prints at once.
        self.end_greeting().await?;
        let next = self.pass(bytes, reader).await?;
        if since.elapsed() < GREETING_HELD && self.down.is_none() {
            self.draw_greeting(since).await?;
        }
        Ok(next)
    }

    async fn pass(
        &mut self,
        bytes: OutputBytes,
        reader: &mut LastingReader,
    ) -> Result<Option<Lasted>, Failure> {
        let is_terminal = self.terminal.is_some();
        let shown = if self.is_view { 0 } else { self.screen.show_at_once(&bytes) };
        if is_terminal {
            self.shadow.add(&bytes);
        }
        if shown == bytes.len() {
            return Ok(None);
        }
        let (mut pieces, mut next) = (vec![bytes], None);
        while pieces.len() < AT_A_TIME
            && let Some(lasted) = reader.try_next()
        {
            let Lasted::Output(SessionOutput::Bytes(bytes)) = lasted else {
                next = Some(lasted);
                break;
            };
            if is_terminal {
                self.shadow.add(&bytes);
            }
            pieces.push(bytes);
        }
        if !self.is_view {
            // The second beside the thread that does the first.
            let writing = self.screen.show(pieces, shown);
            let (written, ()) = tokio::join!(writing, async { self.shadow.use_time() });
            written?;
        } else if !self.in_snapshot {
            self.paint().await?;
        }
        Ok(next)
    }

    async fn snapshot(
        &mut self,
        size: TerminalSize,
        size_by: Option<String>,
    ) -> Result<(), Failure> {
        (self.size, self.size_by) = (size, size_by);
        (self.in_snapshot, self.is_drawn_over) = (true, false);
        if let Greeting::Shown(_) = self.greeting {
            self.greeting = Greeting::Over;
        }
        self.shadow = Shadow::new(size);
        let was_view = self.is_view;
        self.is_view = self.is_other_size();
        if self.down.is_none() {
            self.wakes = None;
        }
        if self.is_view && !was_view {
            let nothing = self.shadow.whole();
            self.screen.paint(nothing).await?;
        }
        Ok(())
    }

    async fn snapshot_end(&mut self) -> Result<(), Failure> {
        self.in_snapshot = false;
        if self.is_view {
            return self.paint().await;
        }
        self.greet().await
    }

    /// Tells the way out, over the last row of a session that was just attached to.
    async fn greet(&mut self) -> Result<(), Failure> {
        if self.terminal.is_none() || self.greeting != Greeting::Due || self.down.is_some() {
            return Ok(());
        }
        self.draw_greeting(Instant::now()).await
    }

    async fn draw_greeting(&mut self, since: Instant) -> Result<(), Failure> {
        let Some(terminal) = self.terminal else { return Ok(()) };
        (self.greeting, self.is_drawn_over) = (Greeting::Shown(since), true);
        self.wakes = Some(since + GREETING);
        let text = self.names.greeting(terminal.columns);
        self.screen.paint(status::over(&text, terminal)).await
    }

    async fn end_greeting(&mut self) -> Result<(), Failure> {
        self.greeting = Greeting::Over;
        if self.down.is_none() {
            self.wakes = None;
        }
        if !self.is_view && std::mem::take(&mut self.is_drawn_over) {
            let whole = self.shadow.whole();
            self.screen.paint(whole).await?;
        }
        Ok(())
    }

    fn is_other_size(&self) -> bool {
        self.terminal.is_some_and(|terminal| terminal != self.size)
    }

    /// The terminal has another size. The session gets it, where it is this device's to give.
    async fn resized(&mut self, input: &LastingInput) -> Result<(), Failure> {
        let Some(size) = own_size() else { return Ok(()) };
        self.terminal = Some(size);
        if input.resize(size).await && self.down.is_none() && !self.is_view {
            self.wakes = Some(Instant::now() + FITTING);
            return Ok(());
        }
        self.fit().await
    }

    /// Passes the bytes or paints a part, as the sizes are.
    async fn fit(&mut self) -> Result<(), Failure> {
        let was_view = self.is_view;
        self.is_view = self.is_other_size();
        if was_view || self.is_view {
            let whole = self.shadow.whole();
            self.screen.paint(whole).await?;
            self.is_drawn_over = false;
        }
        self.draw().await
    }

    /// What time has brought.
    async fn wake(&mut self) -> Result<(), Failure> {
        if self.down.is_some() {
            self.wakes = Some(Instant::now() + TICK);
            return self.draw().await;
        }
        self.wakes = None;
        if let Greeting::Shown(_) = self.greeting {
            return self.end_greeting().await;
        }
        self.fit().await
    }

    fn link_down(&mut self, retry_in: Duration) {
        let now = Instant::now();
        let is_news = self.down.is_none();
        let since = self.down.as_ref().map_or(now, |down| down.since);
        self.down = Some(Down { since, retry_at: now + retry_in });
        if let Greeting::Shown(_) = self.greeting {
            // The line about the link takes its place.
            self.greeting = Greeting::Over;
        }
        if self.terminal.is_some() {
            self.wakes = Some(now.max(since + UNNOTICED));
        } else if is_news {
            ui::note(format!("{}; trying again until it is back\r", self.names.lost()));
        }
    }

    async fn link_up(&mut self) -> Result<(), Failure> {
        (self.down, self.wakes) = (None, None);
        if self.terminal.is_none() {
            ui::note("the link is back\r");
        } else if self.is_view {
            self.paint().await?;
        } else if std::mem::take(&mut self.is_drawn_over) {
            let whole = self.shadow.whole();
            self.screen.paint(whole).await?;
        }
        Ok(())
    }

    /// Draws what this program has to say.
    async fn draw(&mut self) -> Result<(), Failure> {
        let Some(terminal) = self.terminal else { return Ok(()) };
        if self.is_view {
            return self.paint().await;
        }
        let Some(down) = &self.down else { return Ok(()) };
        if down.since.elapsed() < UNNOTICED {
            return Ok(());
        }
        self.is_drawn_over = true;
        let retry_in = down.retry_at.saturating_duration_since(Instant::now());
        let text = self.names.down(retry_in, terminal.columns);
        self.screen.paint(status::over(&text, terminal)).await
    }

    /// Paints the part around the cursor, and below it the line.
    async fn paint(&mut self) -> Result<(), Failure> {
        let Some(terminal) = self.terminal else { return Ok(()) };
        let columns = terminal.columns;
        let text = match &self.down {
            Some(down) => {
                let retry_in = down.retry_at.saturating_duration_since(Instant::now());
                self.names.down(retry_in, columns)
            }
            None => self.names.other_size(self.size, self.size_by.as_deref(), columns),
        };
        let mut out = b"\x1b[?2026h".to_vec();
        for signal in self.shadow.signals() {
            match signal {
                Signal::Bell => out.push(b'\x07'),
                Signal::Title(title) => out.extend(format!("\x1b]2;{title}\x1b\\").into_bytes()),
                Signal::Notification { .. } => {}
            }
        }
        let has_line = terminal.rows > 1;
        if has_line {
            out.extend(status::below(&text, terminal).into_bytes());
        }
        let part = TerminalSize { rows: terminal.rows - u16::from(has_line), ..terminal };
        let screen = self.shadow.screen();
        self.origin = follow(self.origin, screen.cursor(), part, self.size);
        screen.write_view_modes(&mut out);
        screen.write_view(self.origin.0, self.origin.1, part.columns, part.rows, &mut out);
        out.extend_from_slice(b"\x1b[?2026l");
        self.screen.paint(out).await
    }

    /// Brings the terminal back, below what the session has printed.
    pub(super) async fn leave(&mut self) {
        self.screen.close().await;
        let Some(terminal) = self.terminal else { return };
        let last = if self.is_drawn_over { self.shadow.whole() } else { Vec::new() };
        let row = match self.is_view {
            true => terminal.rows - 1,
            false => self.shadow.screen().used_rows(),
        };
        raw_terminal::leave_screen(&last, row.min(terminal.rows));
    }
}

/// Where the part begins that has the cursor in it, moved no further than needed.
fn follow(
    origin: (u16, u16),
    cursor: (u16, u16),
    part: TerminalSize,
    size: TerminalSize,
) -> (u16, u16) {
    let side = |origin: u16, cursor: u16, part: u16, size: u16| {
        let least = (cursor + 1).saturating_sub(part);
        origin.clamp(least, cursor.max(least)).min(size.saturating_sub(part))
    };
    (
        side(origin.0, cursor.0, part.columns, size.columns),
        side(origin.1, cursor.1, part.rows, size.rows),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_part_follows_the_cursor_and_no_further() {
        let part = TerminalSize { columns: 40, rows: 10 };
        let size = TerminalSize { columns: 100, rows: 30 };
        for (origin, cursor, expected) in [
            ((0, 0), (0, 0), (0, 0)),
            ((0, 0), (39, 9), (0, 0)),
            ((0, 0), (40, 10), (1, 1)),
            ((30, 15), (35, 20), (30, 15)),
            ((30, 15), (10, 2), (10, 2)),
            ((30, 15), (99, 29), (60, 20)),
            ((80, 40), (99, 29), (60, 20)),
        ] {
            assert_eq!(follow(origin, cursor, part, size), expected, "{origin:?} {cursor:?}");
        }
        // All of it is in sight.
        let small = TerminalSize { columns: 20, rows: 5 };
        assert_eq!(follow((3, 3), (19, 4), part, small), (0, 0));
    }
}
