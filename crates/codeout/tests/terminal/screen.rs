//! What a terminal shows: cells, and the picture an eye or a camera gets of them.

/// A cell's colour, as the program asked for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Colour {
    /// The theme's own foreground or background.
    Default,
    /// A number of the 256-colour palette.
    Palette(u8),
    /// Red, green, blue.
    Direct(u8, u8, u8),
}

/// One character position.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Cell {
    pub(crate) character: char,
    pub(crate) foreground: Colour,
    pub(crate) background: Colour,
    pub(crate) reverse: bool,
}

const PLAIN: Cell = Cell {
    character: ' ',
    foreground: Colour::Default,
    background: Colour::Default,
    reverse: false,
};

/// A terminal's screen at one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Screen {
    /// All rows, each as wide as the terminal.
    pub(crate) rows: Vec<Vec<Cell>>,
}

/// The colours a person has chosen for what a program leaves uncoloured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Theme {
    Dark,
    Light,
}

/// The pixels of a cell: glyphs are `width` by `height`, and lines may have space between them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Font {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) above: usize,
    pub(crate) below: usize,
}

/// A grey picture.
pub(crate) struct Picture {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) luma: Vec<u8>,
}

impl Screen {
    /// Reads what `tmux capture-pane -e` prints.
    ///
    /// Panics on an escape that it does not know, so that nothing is misread in silence.
    pub(crate) fn parse(captured: &str, columns: u16, rows: u16) -> Screen {
        let mut cells = vec![vec![PLAIN; usize::from(columns)]; usize::from(rows)];
        // Attributes carry over from line to line.
        let mut pen = PLAIN;
        for (row, line) in captured.lines().enumerate() {
            let mut column = 0;
            let mut rest = line.chars();
            while let Some(character) = rest.next() {
                match character {
                    '\x1b' => {
                        assert_eq!(rest.next(), Some('['), "an unknown escape in {line:?}");
                        let sequence: String = rest.by_ref().take_while(|&c| c != 'm').collect();
                        pen.select(&sequence);
                    }
                    // tmux's way into and out of the line drawing set.
                    '\x0e' | '\x0f' => {}
                    _ => {
                        cells[row][column] = Cell { character, ..pen };
                        column += 1;
                    }
                }
            }
        }
        Screen { rows: cells }
    }

    /// The screen's characters, without the spaces at the ends of lines.
    pub(crate) fn text(&self) -> String {
        let row_text = |row: &Vec<Cell>| row.iter().map(|cell| cell.character).collect::<String>();
        let rows: Vec<String> =
            self.rows.iter().map(|row| row_text(row).trim_end().to_owned()).collect();
        rows.join("\n").trim_end().to_owned()
    }

    /// The screen as `theme` and `font` paint it.
    pub(crate) fn picture(&self, theme: Theme, font: Font) -> Picture {
        let (width, height) = (font.width, font.above + font.height + font.below);
        let columns = self.rows.first().map_or(0, Vec::len);
        let mut picture = Picture {
            width: columns * width,
            height: self.rows.len() * height,
            luma: Vec::with_capacity(columns * width * self.rows.len() * height),
        };
        for row in &self.rows {
            for y in 0..height {
                for cell in row {
                    let (ink, paper) = cell.lumas(theme);
                    picture.luma.extend(
                        (0..width).map(
                            |x| {
                                if font.is_ink(cell.character, x, y) { ink } else { paper }
                            },
                        ),
                    );
                }
            }
        }
        picture
    }
}

impl Cell {
    /// Takes over what one SGR sequence selects, given without its frame.
    fn select(&mut self, sequence: &str) {
        let mut numbers = sequence.split([';', ':']).map(|number| match number {
            "" => 0,
            _ => number.parse::<u8>().expect("SGR parameters are numbers"),
        });
        while let Some(number) = numbers.next() {
            match number {
                0 => *self = PLAIN,
                7 => self.reverse = true,
                27 => self.reverse = false,
                30..=37 => self.foreground = Colour::Palette(number - 30),
                90..=97 => self.foreground = Colour::Palette(number - 90 + 8),
                40..=47 => self.background = Colour::Palette(number - 40),
                100..=107 => self.background = Colour::Palette(number - 100 + 8),
                39 => self.foreground = Colour::Default,
                49 => self.background = Colour::Default,
                38 => self.foreground = extended(&mut numbers),
                48 => self.background = extended(&mut numbers),
                // Bold, faint, underlined and the like change no half block.
                1..=6 | 8 | 9 | 21..=25 | 28 | 29 => {}
                _ => panic!("an unknown SGR parameter in {sequence:?}"),
            }
        }
    }

    /// How bright foreground and background are.
    fn lumas(&self, theme: Theme) -> (u8, u8) {
        let (ink, paper) = match theme {
            Theme::Dark => (0xd0, 0x1e),
            Theme::Light => (0x1e, 0xfa),
        };
        let (ink, paper) = (self.foreground.luma(ink), self.background.luma(paper));
        if self.reverse { (paper, ink) } else { (ink, paper) }
    }
}

fn extended(numbers: &mut impl Iterator<Item = u8>) -> Colour {
    let mut next = || numbers.next().expect("an extended colour is complete");
    match next() {
        5 => Colour::Palette(next()),
        2 => Colour::Direct(next(), next(), next()),
        other => panic!("an unknown kind of colour: {other}"),
    }
}

impl Colour {
    fn luma(self, default: u8) -> u8 {
        let (red, green, blue) = match self {
            Colour::Default => return default,
            Colour::Direct(red, green, blue) => (red, green, blue),
            Colour::Palette(number) => rgb(number),
        };
        let sum = 299 * u32::from(red) + 587 * u32::from(green) + 114 * u32::from(blue);
        u8::try_from(sum / 1000).expect("the weights sum up to 1000")
    }
}

/// xterm's 256 colours.
fn rgb(number: u8) -> (u8, u8, u8) {
    match number {
        7 => (0xe5, 0xe5, 0xe5),
        8 => (0x7f, 0x7f, 0x7f),
        0..16 => {
            let level = if number < 8 { 0xcd } else { 0xff };
            let channel = |bit: u8| if number & bit == 0 { 0 } else { level };
            (channel(1), channel(2), channel(4))
        }
        16..232 => {
            let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
            let cube = number - 16;
            (level(cube / 36), level(cube / 6 % 6), level(cube % 6))
        }
        232.. => {
            let grey = 8 + 10 * (number - 232);
            (grey, grey, grey)
        }
    }
}

impl Font {
    /// Whether a glyph covers a pixel of its cell.
    fn is_ink(self, character: char, x: usize, y: usize) -> bool {
        let Some(y) = y.checked_sub(self.above).filter(|&y| y < self.height) else {
            return false;
        };
        match character {
            ' ' => false,
            '█' => true,
            '▀' => y < self.height / 2,
            '▄' => y >= self.height / 2,
            // Any other glyph is a shape of about a letter's size and weight.
            _ => {
                let inside = (1..self.width - 1).contains(&x) && (3..self.height - 3).contains(&y);
                inside && (x + y / 2).is_multiple_of(3)
            }
        }
    }
}

impl Picture {
    /// The picture as a PGM file.
    pub(crate) fn pgm(&self) -> Vec<u8> {
        let mut file = format!("P5 {} {} 255\n", self.width, self.height).into_bytes();
        file.extend_from_slice(&self.luma);
        file
    }
}
