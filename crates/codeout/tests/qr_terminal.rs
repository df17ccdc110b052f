//! The QR code in a real terminal: what a camera pointed at it reads.

#[path = "../src/qr.rs"]
mod qr;
mod terminal;

use std::fs;
use std::io::ErrorKind;
use std::process::Command;

use terminal::{Colour, Font, Picture, Screen, Terminal, Theme};

const BLACK: Colour = Colour::Palette(16);
const WHITE: Colour = Colour::Palette(231);

/// Common shapes of a cell: even, odd, higher than wide by more than two, and with room between
/// the lines that half blocks do not fill, below them or above.
const FONTS: [Font; 5] = [
    Font { width: 8, height: 16, above: 0, below: 0 },
    Font { width: 7, height: 15, above: 0, below: 0 },
    Font { width: 10, height: 22, above: 0, below: 0 },
    Font { width: 8, height: 16, above: 0, below: 2 },
    Font { width: 8, height: 16, above: 2, below: 0 },
];

/// Where daemons are: short, long, and of the kind that QR codes like least.
const ADDRESSES: [&str; 6] = [
    "http://localhost:8400",
    "http://192.168.100.200:8400",
    "https://laptop-of-someone.tail12345.ts.net",
    "http://laptop_of_someone:8400",
    "http://[fd7a:115c:a1e0:ab12:4843:cd96:6258:b240]:8400",
    // About as long as fits.
    "https://a-computer-with-a-very-long-name.in-a-department-of.an-institute.of-some-university.in-a-city.example.com:65535",
];

fn link(address: &str) -> String {
    let secrets = "K7QM3FBR9TZX7MD4E1S8HVW2NYJ5CDA0PZMYRC1HG7X3K9Q0T5B8F2W4N6J1V8ZG";
    format!("{}/#{secrets}", address.to_uppercase())
}

fn page_text(address: &str) -> Vec<String> {
    let lines =
        ["pair a device: scan the QR, or type this code", "  K7QM-3FBR-9TZX", "  expires in 5:00"];
    let mut text = vec![format!("codeout -> {address}")];
    text.extend(lines.map(str::to_owned));
    text
}

fn page(address: &str, columns: u16, rows: u16) -> Vec<String> {
    let picture = qr::picture(&link(address)).expect("a link fits a QR");
    qr::page(&picture, &page_text(address), columns, rows).expect("the page fits")
}

/// Shows `lines`, then a prompt in the row below them.
fn show(terminal: &Terminal, lines: &[String]) -> Screen {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("page");
    fs::write(&file, format!("{}\nprompt>", lines.join("\n"))).expect("the page's file");
    terminal.run(["cat".as_ref(), file.as_os_str()]);
    terminal.wait_until("prompt>")
}

/// All text to the right of the picture, without its spaces.
fn text_beside(screen: &Screen) -> String {
    let width = screen.rows[0].iter().take_while(|cell| cell.background == WHITE).count();
    let shown = screen.rows.iter().flat_map(|row| &row[width..]).map(|cell| cell.character);
    without_spaces(&shown.collect::<String>())
}

fn without_spaces(text: &str) -> String {
    text.split_whitespace().collect()
}

/// What rqrr reads.
fn rqrr(picture: &Picture) -> Vec<String> {
    let mut image =
        rqrr::PreparedImage::prepare_from_greyscale(picture.width, picture.height, |x, y| {
            picture.luma[y * picture.width + x]
        });
    let grids = image.detect_grids();
    grids.iter().filter_map(|grid| grid.decode().ok()).map(|(_, text)| text).collect()
}

/// What zbarimg reads, where it is installed.
fn zbarimg(picture: &Picture) -> Option<Vec<String>> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("screen.pgm");
    fs::write(&file, picture.pgm()).expect("the picture's file");
    let mut command = Command::new("zbarimg");
    command.args(["--quiet", "--raw", "-Sdisable", "-Sqrcode.enable"]).arg(file);
    match command.output() {
        Ok(output) => {
            let text = String::from_utf8(output.stdout).expect("links are ASCII");
            Some(text.lines().map(str::to_owned).collect())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => panic!("zbarimg: {error}"),
    }
}

/// Both readers see exactly `text`, in either theme and any font.
fn assert_reads(screen: &Screen, text: &str) {
    for theme in [Theme::Dark, Theme::Light] {
        for font in FONTS {
            let picture = screen.picture(theme, font);
            assert_eq!(rqrr(&picture), [text], "rqrr, {theme:?}, {font:?}");
            if let Some(read) = zbarimg(&picture) {
                assert_eq!(read, [text], "zbarimg, {theme:?}, {font:?}");
            }
        }
    }
}

#[test]
fn readers_read_every_address_from_80_by_24() {
    let terminal = Terminal::new(80, 24);
    for address in ADDRESSES {
        let screen = show(&terminal, &page(address, 80, 24));
        assert_reads(&screen, &link(address));
        // Nothing has been cut, scrolled away or wrapped by the terminal.
        assert_eq!(text_beside(&screen), without_spaces(&page_text(address).concat()), "{address}");
    }
}

#[test]
fn what_the_daemon_shows_is_read_as_the_link_of_its_offer() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let terminal = Terminal::new(80, 24);
    let home_variable = format!("CODEOUT_HOME={}", home.path().display());
    let codeout = env!("CARGO_BIN_EXE_codeout");
    terminal.run([
        "env",
        &home_variable,
        codeout,
        "--port",
        "0",
        "--advertise",
        "http://192.168.1.20:8400",
    ]);
    let screen = terminal.wait_until("expires in");
    // The link as text, which the daemon prints for copying.
    terminal.send_keys(&["l"]);
    let with_link = terminal.wait_until("http://192.168.1.20:8400/#");
    let text = without_spaces(&with_link.text());
    let (_, fragment) = text.rsplit_once("http://192.168.1.20:8400/#").expect("the link");
    let link = format!("HTTP://192.168.1.20:8400/#{}", &fragment[..64]);
    assert_reads(&screen, &link);
    let code = format!("{}-{}-{}", &fragment[..4], &fragment[4..8], &fragment[8..12]);
    assert!(screen.text().contains(&code), "the code of the link is the one shown");
    terminal.send_keys(&["q"]);
    terminal.wait_until("stopping");
}

#[test]
fn readers_read_it_with_the_text_below() {
    let terminal = Terminal::new(50, 40);
    for address in ["http://192.168.100.200:8400", ADDRESSES[4]] {
        assert_reads(&show(&terminal, &page(address, 50, 40)), &link(address));
    }
}

#[test]
fn readers_read_it_with_the_narrowest_quiet_zone() {
    let terminal = Terminal::new(80, 24);
    let address = "http://192.168.100.200:8400";
    let page = page(address, 80, 20);
    assert_eq!(page.len(), 19);
    assert_reads(&show(&terminal, &page), &link(address));
}

#[test]
fn every_cell_of_the_picture_sets_both_colours_and_no_other_does() {
    let terminal = Terminal::new(80, 24);
    for (address, width, height) in [(ADDRESSES[1], 41, 21), (ADDRESSES[4], 45, 23)] {
        let screen = show(&terminal, &page(address, 80, 24));
        for (y, row) in screen.rows.iter().enumerate() {
            for (x, cell) in row.iter().enumerate() {
                let colours = (cell.foreground, cell.background);
                let inside = x < width && y < height;
                // Four modules are four columns, but two rows.
                let code = (4..width - 4).contains(&x) && (2..height - 2).contains(&y);
                let expected: &[_] = match (inside, code) {
                    (true, true) => &[(BLACK, WHITE), (WHITE, BLACK)],
                    (true, false) => &[(BLACK, WHITE)],
                    (false, _) => &[(Colour::Default, Colour::Default)],
                };
                assert!(expected.contains(&colours), "column {x}, row {y}: {cell:?}");
                assert!(!cell.reverse, "column {x}, row {y}: {cell:?}");
                assert!(!inside || code || cell.character == ' ', "column {x}, row {y}: {cell:?}");
            }
        }
    }
}

#[test]
fn it_stands_out_from_whatever_was_left_switched_on() {
    let terminal = Terminal::new(80, 24);
    let address = ADDRESSES[1];
    let mut lines = page(address, 80, 24);
    lines.insert(0, "\x1b[7;31;42mleft on".to_owned());
    let screen = show(&terminal, &lines);
    assert!(screen.rows[1..].iter().flatten().all(|cell| !cell.reverse));
    assert_reads(&screen, &link(address));
}

/// Shows that the tests above can fail: a picture that leaves its colours to the theme.
#[test]
fn without_colours_of_its_own_a_dark_theme_would_spoil_it() {
    let terminal = Terminal::new(80, 24);
    let address = ADDRESSES[1];
    let bare: Vec<String> = page(address, 80, 24)
        .iter()
        .map(|line| {
            line.replace("\x1b[0;30;47m\x1b[38;5;16;48;5;231m", "\x1b[0m")
                .replace("\x1b[0;37;40m\x1b[38;5;231;48;5;16m", "\x1b[0;7m")
        })
        .collect();
    let screen = show(&terminal, &bare);
    assert_eq!(rqrr(&screen.picture(Theme::Light, FONTS[0])), [link(address)]);
    assert_eq!(rqrr(&screen.picture(Theme::Dark, FONTS[0])), [""; 0]);
}

/// A terminal that knows no palette skips that escape and keeps the older colours before it.
#[test]
fn readers_read_it_where_there_are_eight_colours() {
    let terminal = Terminal::new(80, 24);
    let address = ADDRESSES[1];
    let lines = page(address, 80, 24);
    let skipping: Vec<String> = lines
        .iter()
        .map(|line| {
            line.replace("\x1b[38;5;16;48;5;231m", "").replace("\x1b[38;5;231;48;5;16m", "")
        })
        .collect();
    assert_ne!(skipping, lines);
    let screen = show(&terminal, &skipping);
    assert_eq!(screen.rows[0][0].background, Colour::Palette(7));
    assert_reads(&screen, &link(address));
}
