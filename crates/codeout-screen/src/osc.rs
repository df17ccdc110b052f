//! Operating system commands: titles, colours, links, notifications.

use crate::Signal;
use crate::style::Link;
use crate::terminal::Terminal;

pub(crate) const FOREGROUND: u16 = 256;
const CURSOR: u16 = 258;

const MOST_TITLE: usize = 256;
const MOST_TEXT: usize = 1024;

/// At most that many bytes, without control characters.
fn clean(text: &str, most: usize) -> String {
    let mut clean = String::new();
    for c in text.chars().filter(|c| !c.is_control()) {
        if clean.len() + c.len_utf8() > most {
            break;
        }
        clean.push(c);
    }
    clean
}

impl Terminal {
    pub(crate) fn command(&mut self, payload: &str) {
        let (number, data) = payload.split_once(';').unwrap_or((payload, ""));
        if number.is_empty() || number.len() > 8 || !number.bytes().all(|b| b.is_ascii_digit()) {
            return;
        }
        match number.parse().unwrap_or(u32::MAX) {
            0 => {
                self.icon = clean(data, MOST_TITLE);
                self.set_title(clean(data, MOST_TITLE));
            }
            1 => self.icon = clean(data, MOST_TITLE),
            2 => self.set_title(clean(data, MOST_TITLE)),
            4 => self.set_colours(data),
            8 => self.set_link(data),
            9 => self.notify_plain(data),
            10..=12 => self.set_special_colours(number, data),
            99 => self.notify_in_parts(data),
            104 => self.restore_colours(data),
            110 => drop(self.colours.remove(&FOREGROUND)),
            111 => drop(self.colours.remove(&(FOREGROUND + 1))),
            112 => drop(self.colours.remove(&CURSOR)),
            777 => self.notify_titled(data),
            _ => {}
        }
    }

    pub(crate) fn set_title(&mut self, title: String) {
        if title != self.title {
            self.title.clone_from(&title);
            self.signals.retain(|signal| !matches!(signal, Signal::Title(_)));
            self.signal(Signal::Title(title));
        }
    }

    fn set_colours(&mut self, data: &str) {
        let mut slots = data.split(';');
        while let (Some(index), Some(colour)) = (slots.next(), slots.next()) {
            if let (Some(index), Some(colour)) = (palette_index(index), colour_of(colour)) {
                self.colours.insert(index, colour);
            }
        }
    }

    /// The first colour is that of the command's number; others are those of the numbers behind.
    fn set_special_colours(&mut self, number: &str, data: &str) {
        let first = number.parse::<u16>().map_or(FOREGROUND, |number| FOREGROUND + number - 10);
        for (place, colour) in (first..=CURSOR).zip(data.split(';')) {
            if let Some(colour) = colour_of(colour) {
                self.colours.insert(place, colour);
            }
        }
    }

    fn restore_colours(&mut self, data: &str) {
        if data.is_empty() {
            self.colours.retain(|index, _| *index >= FOREGROUND);
        }
        for index in data.split(';').filter_map(palette_index) {
            self.colours.remove(&index);
        }
    }

    fn set_link(&mut self, data: &str) {
        let Some((params, uri)) = data.split_once(';') else { return };
        let params = params.trim();
        if uri.is_empty() {
            if params.is_empty() {
                self.pen_mut().link = 0;
            }
            return;
        }
        let id = params.split(':').find_map(|param| param.strip_prefix("id=")).unwrap_or("");
        let link = Link { id: id.trim().to_owned(), uri: uri.to_owned() };
        self.pen_mut().link = self.links.number(link);
    }

    fn notify(&mut self, title: &str, text: &str) {
        let title = Some(clean(title, MOST_TITLE)).filter(|title| !title.is_empty());
        let text = clean(text, MOST_TEXT);
        if title.is_some() || !text.is_empty() {
            self.signal(Signal::Notification { title, text });
        }
    }

    /// OSC 9, which ConEmu uses for other things, too: those begin with a number.
    fn notify_plain(&mut self, data: &str) {
        let number = data.split(';').next().unwrap_or("");
        if number.is_empty() || number.len() > 2 || !number.bytes().all(|b| b.is_ascii_digit()) {
            self.notify("", data);
        }
    }

    /// OSC 777.
    fn notify_titled(&mut self, data: &str) {
        if let Some(rest) = data.strip_prefix("notify;") {
            let (title, text) = rest.split_once(';').unwrap_or((rest, ""));
            self.notify(title, text);
        }
    }

    /// OSC 99: metadata and a payload, which is a part of the title or of the text. Encoded ones
    /// are left out.
    fn notify_in_parts(&mut self, data: &str) {
        let (metadata, payload) = data.split_once(';').unwrap_or((data, ""));
        let value = |key: &str| {
            let mut pairs = metadata.split(':').filter_map(|pair| pair.split_once('='));
            pairs.find(|(name, _)| *name == key).map_or("", |(_, value)| value)
        };
        let part = value("p");
        if value("e") == "1" || !matches!(part, "" | "title" | "body") {
            return;
        }
        let id = value("i");
        let waiting = self.notification.take().filter(|(waiting, ..)| waiting == id);
        let (_, mut title, mut text) = waiting.unwrap_or_default();
        if part == "body" {
            text.push_str(&clean(payload, MOST_TEXT - text.len().min(MOST_TEXT)));
        } else {
            title.push_str(&clean(payload, MOST_TITLE - title.len().min(MOST_TITLE)));
        }
        if value("d") == "0" {
            self.notification = Some((id.to_owned(), title, text));
        } else if text.is_empty() {
            // A notification of one line has it as its title.
            self.notify("", &title);
        } else {
            self.notify(&title, &text);
        }
    }
}

fn palette_index(index: &str) -> Option<u16> {
    let is_number = !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit());
    index.parse().ok().filter(|index| is_number && *index < 256)
}

/// `rgb:r/g/b` or `#rgb`, with one to four digits for each, as eight bits each.
fn colour_of(text: &str) -> Option<[u8; 3]> {
    let text = text.to_ascii_lowercase();
    if let Some(text) = text.strip_prefix("rgb:") {
        let parts: Vec<&str> = text.split('/').collect();
        let [red, green, blue] = parts[..] else { return None };
        let digits = red.len();
        if green.len() != digits || blue.len() != digits {
            return None;
        }
        let most = (1u32 << (4 * digits.clamp(1, 4))) - 1;
        let scale = |value: u32| ((value * 510 + most) / (2 * most)) as u8;
        return Some([scale(hex(red)?), scale(hex(green)?), scale(hex(blue)?)]);
    }
    let text = text.strip_prefix('#')?;
    let digits = text.len() / 3;
    if !text.is_ascii() || !(1..=4).contains(&digits) || text.len() != digits * 3 {
        return None;
    }
    let part = |place: usize| {
        let value = hex(&text[place * digits..(place + 1) * digits])?;
        Some(if digits == 1 { value << 4 } else { value >> (4 * (digits - 2)) } as u8)
    };
    Some([part(0)?, part(1)?, part(2)?])
}

fn hex(digits: &str) -> Option<u32> {
    let is_hex = (1..=4).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
    u32::from_str_radix(digits, 16).ok().filter(|_| is_hex)
}
