//! The page that shows an offer: address, QR, code.

use codeout_protocol::link::Link;

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

impl OfferPage<'_> {
    /// Shows the page: with its QR where the terminal has room, else as plain lines.
    pub(crate) fn show(&self, console: &mut Console) {
        let Some((columns, rows)) = console.size() else {
            return self.plain(console);
        };
        let page = self.links.get(self.chosen).and_then(|(link, _)| {
            let picture = qr::picture(&link.qr_text())?;
            qr::page(&picture, &self.text(), columns, rows)
        });
        match page {
            Some(lines) => console.picture(&lines),
            None => {
                self.plain(console);
                console.line("  this terminal is too small for the QR: enlarge it and press a");
                self.link_line(console);
            }
        }
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
