//! Modes: what a sequence switches on and off.

use crate::params::Params;
use crate::terminal::Terminal;

/// Which movements of the mouse the program hears of.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) enum Mouse {
    #[default]
    Off,
    /// The number of the mode that asked.
    On(u16),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Modes {
    pub(crate) insert: bool,
    /// A line feed returns to the first column.
    pub(crate) newline: bool,
    pub(crate) origin: bool,
    pub(crate) autowrap: bool,
    pub(crate) reverse_wrap: bool,
    pub(crate) application_cursor: bool,
    pub(crate) application_keypad: bool,
    pub(crate) reverse_video: bool,
    pub(crate) visible: bool,
    pub(crate) blink: bool,
    /// What DECSCUSR said; 0 is the terminal's own choice, 7 and 8 are so but for the blinking.
    pub(crate) shape: u8,
    pub(crate) mouse: Mouse,
    /// 0, 1006 or 1016: the one counts that came last.
    pub(crate) encoding: u16,
    /// Encodings that xterm.js ignores; they count beside the others.
    pub(crate) utf8_mouse: bool,
    pub(crate) urxvt_mouse: bool,
    pub(crate) focus: bool,
    pub(crate) alternate_scroll: bool,
    pub(crate) bracketed_paste: bool,
    pub(crate) synchronized: bool,
    pub(crate) colour_scheme: bool,
    pub(crate) resize_reports: bool,
}

impl Default for Modes {
    fn default() -> Modes {
        Modes {
            insert: false,
            newline: false,
            origin: false,
            autowrap: true,
            reverse_wrap: false,
            application_cursor: false,
            application_keypad: false,
            reverse_video: false,
            visible: true,
            blink: false,
            shape: 0,
            mouse: Mouse::Off,
            encoding: 0,
            utf8_mouse: false,
            urxvt_mouse: false,
            focus: false,
            alternate_scroll: false,
            bracketed_paste: false,
            synchronized: false,
            colour_scheme: false,
            resize_reports: false,
        }
    }
}

impl Modes {
    /// DECSCUSR. Numbers that name no shape change the blinking alone: odd ones blink.
    pub(crate) fn set_shape(&mut self, number: u32) {
        let steady = 1 - (number % 2) as u8;
        self.shape = match (number, self.shape) {
            (0..=6, _) => number as u8,
            (_, 0 | 7 | 8) => 7 + steady,
            (_, shape) => shape - (shape + 1) % 2 + steady,
        };
    }

    /// The private modes that are no more than switches, by number.
    pub(crate) fn switches(&mut self) -> [(u32, &mut bool); 14] {
        [
            (1, &mut self.application_cursor),
            (5, &mut self.reverse_video),
            (7, &mut self.autowrap),
            (12, &mut self.blink),
            (25, &mut self.visible),
            (45, &mut self.reverse_wrap),
            (66, &mut self.application_keypad),
            (1004, &mut self.focus),
            (1005, &mut self.utf8_mouse),
            (1007, &mut self.alternate_scroll),
            (1015, &mut self.urxvt_mouse),
            (2004, &mut self.bracketed_paste),
            (2031, &mut self.colour_scheme),
            (2048, &mut self.resize_reports),
        ]
    }
}

/// The most entries of the keyboard's stack.
const MOST_ENTRIES: usize = 16;
const KEYBOARD_FLAGS: u32 = 0x1f;

/// The kitty keyboard protocol's flags, of one screen.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Keyboard {
    pub(crate) flags: u8,
    pub(crate) stack: Vec<u8>,
}

impl Keyboard {
    pub(crate) fn set(&mut self, flags: u32, how: u32) {
        let flags = (flags & KEYBOARD_FLAGS) as u8;
        match how {
            0 | 1 => self.flags = flags,
            2 => self.flags |= flags,
            3 => self.flags &= !flags,
            _ => {}
        }
    }

    pub(crate) fn push(&mut self, flags: u32) {
        if self.stack.len() == MOST_ENTRIES {
            self.stack.remove(0);
        }
        self.stack.push(self.flags);
        self.flags = (flags & KEYBOARD_FLAGS) as u8;
    }

    pub(crate) fn pop(&mut self, count: usize) {
        for _ in 0..count.min(self.stack.len()) {
            self.flags = self.stack.pop().unwrap_or(0);
        }
        if self.stack.is_empty() {
            self.flags = 0;
        }
    }
}

impl Terminal {
    pub(crate) fn keyboard_mut(&mut self) -> &mut Keyboard {
        &mut self.keyboard[usize::from(self.is_alternate)]
    }

    pub(crate) fn set_modes(&mut self, params: &Params, on: bool) {
        for value in params.values() {
            match value {
                4 => self.modes.insert = on,
                20 => self.modes.newline = on,
                _ => {}
            }
        }
    }

    pub(crate) fn set_private_modes(&mut self, params: &Params, on: bool) {
        for value in params.values() {
            self.set_private_mode(value.cast_unsigned(), on);
        }
    }

    fn set_private_mode(&mut self, mode: u32, on: bool) {
        match mode {
            2 if on => {
                self.charsets = Default::default();
                self.charset = Default::default();
            }
            6 => {
                self.modes.origin = on;
                self.go(0, 0);
            }
            9 | 1000 | 1002 | 1003 => {
                self.modes.mouse = if on { Mouse::On(mode as u16) } else { Mouse::Off };
            }
            1006 | 1016 => self.modes.encoding = if on { mode as u16 } else { 0 },
            2026 => self.modes.synchronized = on,
            1048 if on => self.save_cursor(),
            1048 => self.restore_cursor(),
            47 | 1047 | 1049 => self.switch_screen(mode, on),
            _ => {
                let mut switches = self.modes.switches().into_iter();
                if let Some((_, switch)) = switches.find(|(number, _)| *number == mode) {
                    *switch = on;
                }
            }
        }
    }

    fn switch_screen(&mut self, mode: u32, on: bool) {
        if on {
            if mode == 1049 {
                self.save_cursor();
            }
            self.enter_alternate();
        } else {
            self.leave_alternate();
            if mode == 1049 {
                self.restore_cursor();
            }
        }
    }

    /// DECSTR.
    pub(crate) fn soft_reset(&mut self) {
        let rows = self.rows;
        *self.pen_mut() = Default::default();
        self.select_ascii();
        let grid = self.grid_mut();
        grid.top = 0;
        grid.bottom = rows - 1;
        grid.saved = Default::default();
        self.modes = Modes {
            newline: self.modes.newline,
            blink: self.modes.blink,
            reverse_video: self.modes.reverse_video,
            mouse: self.modes.mouse,
            encoding: self.modes.encoding,
            utf8_mouse: self.modes.utf8_mouse,
            urxvt_mouse: self.modes.urxvt_mouse,
            alternate_scroll: self.modes.alternate_scroll,
            resize_reports: self.modes.resize_reports,
            ..Modes::default()
        };
        self.keyboard = Default::default();
    }
}
