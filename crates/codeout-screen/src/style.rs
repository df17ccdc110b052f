//! How cells look, and the tables that cells refer to: styles, links, combined characters.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A colour: 0 is the default; else its kind is in bits 24 and 25.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub(crate) struct Colour(pub(crate) u32);

/// What a [`Colour`] means.
pub(crate) enum Kind {
    Default,
    /// One of the 16 first ones, named by its own code.
    Basic(u8),
    Indexed(u8),
    Rgb(u8, u8, u8),
}

impl Colour {
    pub(crate) const DEFAULT: Colour = Colour(0);

    pub(crate) const fn basic(index: u8) -> Colour {
        Colour(1 << 24 | index as u32)
    }

    pub(crate) const fn indexed(index: u8) -> Colour {
        Colour(2 << 24 | index as u32)
    }

    pub(crate) const fn rgb(red: u8, green: u8, blue: u8) -> Colour {
        Colour(3 << 24 | (red as u32) << 16 | (green as u32) << 8 | blue as u32)
    }

    pub(crate) const fn kind(self) -> Kind {
        let [_, red, green, blue] = self.0.to_be_bytes();
        match self.0 >> 24 {
            0 => Kind::Default,
            1 => Kind::Basic(blue),
            2 => Kind::Indexed(blue),
            _ => Kind::Rgb(red, green, blue),
        }
    }
}

pub(crate) const BOLD: u16 = 1;
pub(crate) const DIM: u16 = 1 << 1;
pub(crate) const ITALIC: u16 = 1 << 2;
pub(crate) const BLINK: u16 = 1 << 3;
pub(crate) const INVERSE: u16 = 1 << 4;
pub(crate) const INVISIBLE: u16 = 1 << 5;
pub(crate) const STRIKETHROUGH: u16 = 1 << 6;
pub(crate) const OVERLINE: u16 = 1 << 7;
/// Not to be seen: selective erasing leaves the cell.
pub(crate) const PROTECTED: u16 = 1 << 8;
const UNDERLINE_SHIFT: u16 = 9;
const UNDERLINE_MASK: u16 = 7 << UNDERLINE_SHIFT;

/// How a cell looks, or the next one printed will.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub(crate) struct Style {
    pub(crate) foreground: Colour,
    pub(crate) background: Colour,
    pub(crate) underline_colour: Colour,
    /// The number of the link in the table of them, or 0.
    pub(crate) link: u32,
    /// Bold and the like, and the style of the underline.
    pub(crate) flags: u16,
}

impl Style {
    /// 0 is none, 1 single, 2 double, 3 curly, 4 dotted, 5 dashed.
    pub(crate) const fn underline(self) -> u8 {
        ((self.flags & UNDERLINE_MASK) >> UNDERLINE_SHIFT) as u8
    }

    pub(crate) fn set_underline(&mut self, style: u8) {
        self.flags = self.flags & !UNDERLINE_MASK | u16::from(style) << UNDERLINE_SHIFT;
    }

    pub(crate) const fn is(self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    /// What erasing with this pen leaves behind.
    pub(crate) fn erased(self) -> Style {
        Style { background: self.background, ..Style::default() }
    }

    /// This pen's style for a cell: the colour of an underline that is not there does not count.
    pub(crate) fn printed(mut self) -> Style {
        if self.underline() == 0 {
            self.underline_colour = Colour::DEFAULT;
        }
        self
    }
}

/// A fast hash for keys that only slow down the session that chose them.
#[derive(Default)]
pub(crate) struct Quick(u64);

impl Hasher for Quick {
    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 29
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u16(&mut self, value: u16) {
        self.write_u64(u64::from(value));
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

type Numbers<K> = HashMap<K, u32, BuildHasherDefault<Quick>>;

/// The tables are swept at this size, and later at twice what the sweep left.
const FIRST_SWEEP: usize = 1024;

/// Styles by number. 0 is the default one.
pub(crate) struct Styles {
    styles: Vec<Style>,
    free: Vec<u32>,
    numbers: Numbers<Style>,
    sweep_at: usize,
}

impl Default for Styles {
    fn default() -> Styles {
        let numbers = Numbers::from_iter([(Style::default(), 0)]);
        Styles { styles: vec![Style::default()], free: vec![], numbers, sweep_at: FIRST_SWEEP }
    }
}

impl Styles {
    pub(crate) fn get(&self, number: u32) -> Style {
        self.styles[number as usize]
    }

    pub(crate) fn number(&mut self, style: Style) -> u32 {
        // Most are the default one.
        if style == Style::default() {
            return 0;
        }
        if let Some(number) = self.numbers.get(&style) {
            return *number;
        }
        let number = self.free.pop().unwrap_or(self.styles.len() as u32);
        match self.styles.get_mut(number as usize) {
            Some(place) => *place = style,
            None => self.styles.push(style),
        }
        self.numbers.insert(style, number);
        number
    }

    pub(crate) fn is_full(&self) -> bool {
        self.numbers.len() >= self.sweep_at
    }

    /// Forgets every style but the `used` ones; `used` has a place for each number.
    pub(crate) fn sweep(&mut self, used: &[bool]) {
        self.numbers.retain(|_, number| {
            let keep = *number == 0 || used[*number as usize];
            if !keep {
                self.free.push(*number);
            }
            keep
        });
        self.sweep_at = FIRST_SWEEP.max(self.numbers.len() * 2);
    }

    /// How many numbers there are, used or not.
    pub(crate) fn numbers(&self) -> usize {
        self.styles.len()
    }

    /// The bytes of memory behind pointers.
    pub(crate) fn memory(&self) -> usize {
        self.styles.capacity() * size_of::<Style>()
            + self.free.capacity() * size_of::<u32>()
            + self.numbers.capacity() * size_of::<(Style, u32)>()
    }

    pub(crate) fn live(&self) -> impl Iterator<Item = Style> + '_ {
        self.numbers.keys().copied()
    }
}

/// A hyperlink.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Link {
    /// What joins cells to one link, or empty.
    pub(crate) id: String,
    pub(crate) uri: String,
}

impl Link {
    fn size(&self) -> usize {
        self.id.len() + self.uri.len() + 64
    }
}

/// No more is spent on links; later ones are text like any other.
const MOST_LINK_BYTES: usize = 4 << 20;

/// Links by number; 0 is none.
pub(crate) struct Links {
    links: HashMap<u32, Link>,
    numbers: HashMap<Link, u32>,
    next: u32,
    bytes: usize,
    sweep_at: usize,
}

impl Default for Links {
    fn default() -> Links {
        let (links, numbers) = Default::default();
        Links { links, numbers, next: 1, bytes: 0, sweep_at: MOST_LINK_BYTES / 16 }
    }
}

impl Links {
    pub(crate) fn get(&self, number: u32) -> Option<&Link> {
        self.links.get(&number)
    }

    /// The link's number, or 0 where there is no more room.
    pub(crate) fn number(&mut self, link: Link) -> u32 {
        if let Some(number) = self.numbers.get(&link) {
            return *number;
        }
        if self.bytes + link.size() > MOST_LINK_BYTES {
            return 0;
        }
        self.bytes += link.size();
        let number = self.next;
        self.next = self.next.wrapping_add(1).max(1);
        self.links.insert(number, link.clone());
        self.numbers.insert(link, number);
        number
    }

    pub(crate) fn is_full(&self) -> bool {
        self.bytes >= self.sweep_at
    }

    /// The bytes of memory behind pointers. Each link is stored twice.
    pub(crate) fn memory(&self) -> usize {
        2 * self.bytes
    }

    /// Forgets every link that is not `used`.
    pub(crate) fn sweep(&mut self, used: &std::collections::HashSet<u32>) {
        self.links.retain(|number, _| used.contains(number));
        self.numbers.retain(|_, number| used.contains(number));
        self.bytes = self.links.values().map(Link::size).sum();
        // Where most of the room is in use, a sweep comes only after much has been swept before.
        let room = (MOST_LINK_BYTES - self.bytes).max(MOST_LINK_BYTES / 16);
        self.sweep_at = (self.bytes * 2).max(MOST_LINK_BYTES / 16).min(self.bytes + room);
    }
}

/// No cell has more bytes of characters.
const MOST_CELL_TEXT: usize = 64;

/// The characters of cells that have several, by number. Each is one cell's alone.
#[derive(Default)]
pub(crate) struct Graphemes {
    texts: Vec<String>,
    free: Vec<u32>,
    sweep_at: usize,
}

impl Graphemes {
    pub(crate) fn get(&self, number: u32) -> &str {
        &self.texts[number as usize]
    }

    pub(crate) fn add(&mut self, text: String) -> u32 {
        let number = self.free.pop().unwrap_or(self.texts.len() as u32);
        match self.texts.get_mut(number as usize) {
            Some(place) => *place = text,
            None => self.texts.push(text),
        }
        number
    }

    pub(crate) fn append(&mut self, number: u32, c: char) {
        let text = &mut self.texts[number as usize];
        if text.len() + c.len_utf8() <= MOST_CELL_TEXT {
            text.push(c);
        }
    }

    /// The bytes of memory behind pointers.
    pub(crate) fn memory(&self) -> usize {
        let texts: usize = self.texts.iter().map(String::capacity).sum();
        texts
            + self.texts.capacity() * size_of::<String>()
            + self.free.capacity() * size_of::<u32>()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.texts.len() - self.free.len() >= self.sweep_at.max(FIRST_SWEEP)
    }

    pub(crate) fn numbers(&self) -> usize {
        self.texts.len()
    }

    /// Forgets all but the `used` ones; `used` has a place for each number.
    pub(crate) fn sweep(&mut self, used: &[bool]) {
        self.free.clear();
        for (number, text) in self.texts.iter_mut().enumerate().filter(|(n, _)| !used[*n]) {
            *text = String::new();
            self.free.push(number as u32);
        }
        self.sweep_at = (self.texts.len() - self.free.len()) * 2;
    }
}
