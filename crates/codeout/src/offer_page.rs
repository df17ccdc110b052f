//! The page that shows an offer: address, QR, code.

use codeout_protocol::link::Link;
use unicode_width::UnicodeWidthStr;

use crate::console::Console;
use crate::qr;

/// What a page shows.
pub(crate) struct OfferPage<'a> {
    /// The daemon's own address, for the head line.
    pub(crate) head: Option<&'a str>,
    /// The code as it is typed.
    pub(crate) code: &'a str,
    /// The links, best first, each with the kind of its address.
    pub(crate) links: &'a [(Link, String)],
    /// Which link the QR shows.
    pub(crate) chosen: usize,
    /// How long the code can be used: `5:00`.
    pub(crate) expires_in: &'a str,
    /// What the device will be limited to, if anything.
    pub(crate) limits: Option<String>,
    /// What keys there are.
    pub(crate) keys: &'a [&'a str],
}

/// Where a page with its code is in sight.
#[derive(Clone, Copy)]
pub(crate) struct InSight {
    /// The terminal's columns and rows.
    size: (u16, u16),
    /// How many rows may be printed behind the page before it is moved away.
    room: usize,
}

/// Says in the living line how long a code can be used. Unless the page is in sight the code stands
/// there too, where nothing that is printed moves it away.
pub(crate) fn live_countdown(console: &mut Console, code: &str, left: &str, page: Option<InSight>) {
    let expires = format!("  expires in {left}");
    let in_sight =
        |page: InSight| Some(page.size) == console.size() && console.rows_behind() <= page.room;
    if page.is_some_and(in_sight) {
        return console.live(&expires);
    }
    console.live_one_of(&[&format!("  {code}{expires}"), &format!("{code} {left}")]);
}

impl OfferPage<'_> {
    /// Shows the page: with its QR where the terminal has room, else as lines.
    pub(crate) fn show(&self, console: &mut Console) -> Option<InSight> {
        let Some((columns, rows)) = console.size() else {
            self.plain(console);
            return None;
        };
        let page = self.links.get(self.chosen).and_then(|(link, _)| {
            let picture = qr::picture(&link.qr_text())?;
            qr::page(&picture, &self.text(), columns, rows)
        });
        match page {
            Some(lines) => {
                console.picture(&lines);
                // One row is the living line's.
                let room = usize::from(rows).saturating_sub(lines.len() + 1);
                Some(InSight { size: (columns, rows), room })
            }
            None => {
                self.small(columns, rows).iter().for_each(|line| console.line(line));
                None
            }
        }
    }

    /// The lines that have room above the living one, in a terminal too small for the QR.
    fn small(&self, columns: u16, rows: u16) -> Vec<String> {
        let link = self.links.get(self.chosen).map(|(link, _)| link.printed().to_string());
        let hint = "  this terminal is too small for the QR: enlarge it and press a";
        // From what matters most to what matters least, each with its place on the page.
        let lines = [
            (2, Some(format!("  {}", self.code))),
            (1, Some("pair a device: type this code".to_owned())),
            (3, self.limits.as_ref().map(|limits| format!("  limits: {limits}"))),
            (0, self.head.map(|head| format!("codeout -> {head}"))),
            (4, Some(hint.to_owned())),
            (5, link),
        ];
        let columns = usize::from(columns).max(1);
        let mut room = usize::from(rows).saturating_sub(1);
        let lines = lines.into_iter().filter_map(|(place, line)| Some((place, line?)));
        let fits = |(_, line): &(u8, String)| {
            let left = room.checked_sub(line.width().div_ceil(columns).max(1));
            left.map(|left| room = left).is_some()
        };
        let mut shown: Vec<_> = lines.take_while(fits).collect();
        shown.sort_by_key(|(place, _)| *place);
        shown.into_iter().map(|(_, line)| line).collect()
    }

    /// Shows the link of the chosen address, for copying.
    pub(crate) fn link_line(&self, console: &mut Console) {
        if let Some((link, _)) = self.links.get(self.chosen) {
            console.line(&link.printed());
        }
    }

    fn plain(&self, console: &mut Console) {
        if let Some(head) = self.head {
            console.line(&format!("codeout -> {head}"));
        }
        console.line("pair a device: scan the QR, or type this code");
        console.line(&format!("  {}", self.code));
        if let Some(limits) = &self.limits {
            console.line(&format!("  limits: {limits}"));
        }
        console.line(&format!("  expires in {}", self.expires_in));
    }

    fn text(&self) -> Vec<String> {
        let mut text = Vec::new();
        if let Some(head) = self.head {
            text.extend([format!("codeout -> {head}"), String::new()]);
        }
        text.extend([
            "pair a device: scan the QR, or type this code".to_owned(),
            String::new(),
            format!("  {}", self.code),
        ]);
        text.extend(self.limits.iter().map(|limits| format!("  limits: {limits}")));
        text.push(String::new());
        if let Some((link, kind)) = self.links.get(self.chosen) {
            text.push(format!("at {}", link.address));
            text.push(match (kind.as_str(), self.links.len()) {
                ("loopback", _) => "this computer alone: no other can reach it".to_owned(),
                (kind, 1) => format!("({kind})"),
                (kind, count) => format!("({kind}, {} of {count})", self.chosen + 1),
            });
        }
        if !self.keys.is_empty() {
            text.push(String::new());
            text.extend(self.keys.iter().map(|&key| key.to_owned()));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_room_is_left_out_and_the_code_last() {
        let page = OfferPage {
            head: Some("http://localhost:8400"),
            code: "K7QM-3FBR-9TZX",
            links: &[],
            chosen: 0,
            expires_in: "5:00",
            limits: Some("watch only".to_owned()),
            keys: &[],
        };
        let code = "  K7QM-3FBR-9TZX";
        let what = "pair a device: type this code";
        let limits = "  limits: watch only";
        assert_eq!(page.small(20, 2), [code]);
        assert_eq!(page.small(20, 3), [code]);
        assert_eq!(page.small(20, 4), [what, code]);
        assert_eq!(page.small(20, 5), [what, code, limits]);
        let head = "codeout -> http://localhost:8400";
        assert_eq!(page.small(20, 7), [head, what, code, limits]);
        assert_eq!(page.small(40, 16).len(), 5);
        // The code stands in the living line too.
        assert_eq!(page.small(10, 1), [""; 0]);
    }
}
