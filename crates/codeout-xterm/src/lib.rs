//! xterm.js without a window, for tests: an independent judge of what a terminal shows after
//! given bytes.
//!
//! It draws nothing and answers nothing: what xterm.js would send back to the program is dropped.
//! Node.js and the packages of this folder's `package-lock.json` must be there; without them every
//! function here panics and says what to do, so that no test passes unjudged.

mod dump;

use std::cell::RefCell;
use std::io::{BufRead as _, BufReader, BufWriter, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::rc::Rc;

use serde::Serialize;

pub use dump::{Buffer, Dump, Line, Run};

const FOLDER: &str = env!("CARGO_MANIFEST_DIR");

/// A running xterm.js that holds any number of terminals.
#[derive(Debug)]
pub struct Xterm {
    reader: Rc<RefCell<Reader>>,
}

/// One terminal, forgotten when dropped.
#[derive(Debug)]
pub struct Terminal {
    number: u32,
    reader: Rc<RefCell<Reader>>,
}

/// Whether there is an xterm.js to start.
pub fn is_installed() -> bool {
    let node = Command::new("node").arg("--version").stdout(Stdio::null()).status();
    packages().exists() && node.is_ok()
}

fn packages() -> PathBuf {
    Path::new(FOLDER).join("node_modules/@xterm/headless")
}

impl Xterm {
    /// Starts Node.js.
    ///
    /// # Panics
    ///
    /// Where Node.js or xterm.js is not installed.
    pub fn start() -> Xterm {
        Xterm { reader: Rc::new(RefCell::new(Reader::start())) }
    }

    /// A new terminal that keeps `scrollback` lines above its screen.
    pub fn terminal(&self, columns: u16, rows: u16, scrollback: usize) -> Terminal {
        let mut reader = self.reader.borrow_mut();
        let number = reader.terminals;
        reader.terminals += 1;
        reader.tell(number, Order::New { columns, rows, scrollback });
        Terminal { number, reader: Rc::clone(&self.reader) }
    }
}

impl Terminal {
    /// Shows `bytes`. They need not end where a sequence or a character does.
    pub fn write(&self, bytes: &[u8]) {
        let mut reader = self.reader.borrow_mut();
        reader.tell(self.number, Order::Write { length: bytes.len() });
        reader.send(bytes);
    }

    /// Takes another size, as when a window does.
    pub fn resize(&self, columns: u16, rows: u16) {
        self.reader.borrow_mut().tell(self.number, Order::Resize { columns, rows });
    }

    /// All that is known of the terminal, after everything written so far.
    pub fn dump(&self) -> Dump {
        let mut reader = self.reader.borrow_mut();
        reader.tell(self.number, Order::Dump);
        reader.answer()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A test that is failing already holds on to the reader, or has lost it.
        if let Ok(mut reader) = self.reader.try_borrow_mut()
            && !std::thread::panicking()
        {
            reader.tell(self.number, Order::Drop);
        }
    }
}

/// What the Node.js side is told; `reader.mjs` has the same names.
#[derive(Serialize)]
#[serde(tag = "do", rename_all = "lowercase")]
enum Order {
    New {
        columns: u16,
        rows: u16,
        scrollback: usize,
    },
    /// That many bytes follow.
    Write {
        length: usize,
    },
    Resize {
        columns: u16,
        rows: u16,
    },
    Dump,
    Drop,
}

#[derive(Serialize)]
struct Addressed {
    terminal: u32,
    #[serde(flatten)]
    order: Order,
}

/// The Node.js process. It ends when its input does.
#[derive(Debug)]
struct Reader {
    process: Child,
    /// None while the reader is being dropped.
    input: Option<BufWriter<ChildStdin>>,
    output: BufReader<ChildStdout>,
    terminals: u32,
}

impl Reader {
    fn start() -> Reader {
        assert!(
            packages().exists(),
            "xterm.js is not installed: run `npm ci` in crates/codeout-xterm"
        );
        let mut process = Command::new("node")
            .arg("reader.mjs")
            .current_dir(FOLDER)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| match error.kind() {
                ErrorKind::NotFound => panic!("the tests need Node.js: `node` is not on PATH"),
                _ => panic!("Node.js does not start: {error}"),
            });
        let input = Some(BufWriter::new(process.stdin.take().expect("the input is a pipe")));
        let output = BufReader::new(process.stdout.take().expect("the output is a pipe"));
        Reader { process, input, output, terminals: 0 }
    }

    fn tell(&mut self, terminal: u32, order: Order) {
        let mut line =
            serde_json::to_vec(&Addressed { terminal, order }).expect("an order is plain JSON");
        line.push(b'\n');
        self.send(&line);
    }

    fn send(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().expect("the reader is in use");
        input.write_all(bytes).expect("Node.js ended; its reason is printed above");
    }

    fn answer(&mut self) -> Dump {
        let input = self.input.as_mut().expect("the reader is in use");
        input.flush().expect("Node.js ended; its reason is printed above");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("Node.js can be read");
        assert!(!line.is_empty(), "Node.js ended; its reason is printed above");
        serde_json::from_str(&line).expect("the reader answers with a dump")
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.input = None;
        // It has nobody to answer any more, and a failing test is not to wait for it.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
