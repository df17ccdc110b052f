//! SGR: how the pen writes.

use crate::params::Params;
use crate::style::{
    BLINK, BOLD, Colour, DIM, INVERSE, INVISIBLE, ITALIC, OVERLINE, STRIKETHROUGH, Style,
};

/// Changes the pen as the numbers say.
pub(crate) fn apply(pen: &mut Style, params: &Params) {
    let mut at = 0;
    while at < params.len() {
        at += apply_one(pen, params, at);
    }
}

/// Returns how many numbers it has taken.
fn apply_one(pen: &mut Style, params: &Params, at: usize) -> usize {
    let number = params.get(at);
    match number {
        0 => *pen = Style { link: pen.link, ..Style::default() },
        1 => pen.flags |= BOLD,
        2 => pen.flags |= DIM,
        3 => pen.flags |= ITALIC,
        4 => match params.parts(at).first() {
            Some(style @ 0..=5) => pen.set_underline(*style as u8),
            _ => pen.set_underline(1),
        },
        5 => pen.flags |= BLINK,
        7 => pen.flags |= INVERSE,
        8 => pen.flags |= INVISIBLE,
        9 => pen.flags |= STRIKETHROUGH,
        21 => pen.set_underline(2),
        22 => pen.flags &= !(BOLD | DIM),
        23 => pen.flags &= !ITALIC,
        24 => pen.set_underline(0),
        25 => pen.flags &= !BLINK,
        27 => pen.flags &= !INVERSE,
        28 => pen.flags &= !INVISIBLE,
        29 => pen.flags &= !STRIKETHROUGH,
        30..=37 => pen.foreground = Colour::basic((number - 30) as u8),
        39 => pen.foreground = Colour::DEFAULT,
        40..=47 => pen.background = Colour::basic((number - 40) as u8),
        49 => pen.background = Colour::DEFAULT,
        53 => pen.flags |= OVERLINE,
        55 => pen.flags &= !OVERLINE,
        59 => pen.underline_colour = Colour::DEFAULT,
        90..=97 => pen.foreground = Colour::basic((number - 90 + 8) as u8),
        100..=107 => pen.background = Colour::basic((number - 100 + 8) as u8),
        38 | 48 | 58 => {
            let (colour, taken) = extended(params, at);
            if let Some(colour) = colour {
                let place = match number {
                    38 => &mut pen.foreground,
                    48 => &mut pen.background,
                    _ => &mut pen.underline_colour,
                };
                *place = colour;
            }
            return taken;
        }
        221 => pen.flags &= !BOLD,
        222 => pen.flags &= !DIM,
        _ => {}
    }
    1
}

/// The colour that begins at `at`, with semicolons, colons, or the one behind the other, and how
/// many numbers it is. The places are the kind's, an ignored one, and the values.
fn extended(params: &Params, at: usize) -> (Option<Colour>, usize) {
    let mut places = [0, 0, -1, 0, 0, 0];
    let mut skipped = 0;
    let mut offset = 0;
    loop {
        places[offset + skipped] = params.values()[at + offset];
        let parts = params.parts(at + offset);
        if !parts.is_empty() {
            for (index, part) in parts.iter().enumerate() {
                if places[1] == 5 {
                    skipped = 1;
                }
                match places.get_mut(offset + index + 1 + skipped) {
                    Some(place) => *place = *part,
                    None => break,
                }
            }
            break;
        }
        let is_whole =
            places[1] == 5 && offset + skipped >= 2 || places[1] == 2 && offset + skipped >= 5;
        if is_whole {
            break;
        }
        if places[1] != 0 {
            skipped = 1;
        }
        offset += 1;
        if at + offset >= params.len() || offset + skipped >= places.len() {
            offset -= 1;
            break;
        }
    }
    let value = |place: usize| places[place].max(0) as u8;
    let colour = match places[1] {
        2 => Some(Colour::rgb(value(3), value(4), value(5))),
        5 => Some(Colour::indexed(value(3))),
        _ => None,
    };
    (colour, offset + 1)
}
