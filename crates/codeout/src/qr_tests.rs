use proptest::prelude::*;

use super::*;

const FRAGMENT: &str = "K7QM3FBR9TZX0G4E1S8HVW2NYJ5CD6APZMYRC1HG7X3K9Q0T5B8F2W4N6J1V";

/// A link's QR text: the fragment is as long as a code and a key together.
fn link(base: &str) -> String {
    let fragment = &format!("{FRAGMENT}{FRAGMENT}")[..64];
    format!("{base}/#{fragment}")
}

fn side(text: &str) -> u16 {
    picture(text).unwrap().side
}

fn lines(text: &[&str]) -> Vec<String> {
    text.iter().map(|line| (*line).to_owned()).collect()
}

/// Reads the picture back as a camera would see it, `scale` pixels to a module.
fn read(picture: &QrPicture, quiet: u16, scale: usize) -> Option<String> {
    let pixels = usize::from(picture.width(quiet)) * scale;
    let module = |pixel: usize| u16::try_from(pixel / scale).unwrap();
    let mut image = rqrr::PreparedImage::prepare_from_bitmap(pixels, pixels, |x, y| {
        picture.is_dark(module(x), module(y), quiet)
    });
    let grids = image.detect_grids();
    grids.first().and_then(|grid| grid.decode().ok()).map(|(_, text)| text)
}

#[test]
fn real_links_get_the_smallest_version() {
    for (base, version) in [
        ("HTTP://LOCALHOST:8400", 4),
        ("HTTP://192.168.100.200:8400", 4),
        ("HTTP://100.101.102.103:65535", 4),
        ("HTTPS://LAPTOP-OF-SOMEONE.TAIL12345.TS.NET", 4),
        ("HTTPS://LAPTOP-OF-SOMEONE-ELSE.TAIL12345.TS.NET:8400", 5),
        ("HTTP://[FD7A:115C:A1E0:AB12:4843:CD96:6258:B240]:8400", 5),
        ("HTTP://DESK_OF_MINE:8400", 4),
    ] {
        assert_eq!(side(&link(base)), 17 + 4 * version, "{base}");
    }
}

#[test]
fn only_what_must_be_is_in_byte_mode() {
    let text = link("HTTP://192.168.1.20:8400");
    let modes: Vec<_> = segments(text.as_bytes(), Version::Normal(4))
        .into_iter()
        .map(|segment| (segment.mode, &text[segment.begin..segment.end]))
        .collect();
    let (base, fragment) = text.split_once('#').unwrap();
    assert_eq!(
        modes,
        [(Mode::Alphanumeric, base), (Mode::Byte, "#"), (Mode::Alphanumeric, fragment)]
    );
}

/// The fewest bits, by trying every segment of either mode at every place.
fn fewest_bits(text: &[u8], version: Version) -> usize {
    // Of the text up to each place: the best over all that the last segment can be.
    let mut best = vec![0];
    for end in 1..=text.len() {
        let cheapest = (0..end).flat_map(|begin| {
            let best = best[begin];
            let modes = [Mode::Byte, Mode::Alphanumeric];
            modes.into_iter().filter_map(move |mode| {
                let possible =
                    mode == Mode::Byte || text[begin..end].iter().copied().all(is_alphanumeric);
                possible.then(|| best + Segment { mode, begin, end }.encoded_len(version))
            })
        });
        best.push(cheapest.min().unwrap());
    }
    best[text.len()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn cuts_take_the_fewest_bits(text in "([A-Z0-9./:-]{0,30}[a-z#_\\[\\]]{1,4}){0,5}[A-Z0-9]{0,70}") {
        for version in [Version::Normal(5), Version::Normal(20), Version::Normal(40)] {
            let cut = segments(text.as_bytes(), version);
            let bits: usize = cut.iter().map(|segment| segment.encoded_len(version)).sum();
            prop_assert_eq!(bits, fewest_bits(text.as_bytes(), version));
        }
    }

    #[test]
    fn any_text_reads_back(text in "[ -~]{1,150}") {
        prop_assert_eq!(read(&picture(&text).unwrap(), 4, 4), Some(text));
    }

    #[test]
    fn no_page_exceeds_its_terminal(
        base in "[A-Z0-9.-]{1,253}",
        text in prop::collection::vec("( {0,4}[a-z0-9:./-]{0,90}){0,4}", 0..8),
        columns in 0u16..120,
        rows in 0u16..50,
    ) {
        let picture = picture(&link(&base)).unwrap();
        if let Some(page) = page(&picture, &text, columns, rows) {
            prop_assert!(page.len() < usize::from(rows));
            for line in page {
                // Plain, the picture, plain: only the picture's own escapes, and none left on.
                let picture_end = line.rfind(PLAIN).map_or(0, |at| at + PLAIN.len());
                prop_assert!(picture_end == 0 || line.starts_with(BLACK_ON_WHITE));
                let shown = [BLACK_ON_WHITE, WHITE_ON_BLACK, PLAIN]
                    .iter()
                    .fold(line, |line, escape| line.replace(escape, ""));
                prop_assert!(!shown.contains('\x1b'));
                prop_assert!(shown.chars().count() <= usize::from(columns));
            }
        }
    }
}

#[test]
fn every_quiet_zone_reads_back() {
    for base in ["HTTP://LOCALHOST:8400", "HTTP://[FD7A:115C:A1E0:AB12:4843:CD96:6258:B240]:8400"] {
        let text = link(base);
        for quiet in QUIET {
            assert_eq!(read(&picture(&text).unwrap(), quiet, 3), Some(text.clone()), "{quiet}");
        }
    }
}

#[test]
fn the_quiet_zone_shrinks_only_where_it_must() {
    let text = lines(&["x"]);
    let rows_of = |base: &str, rows| {
        let page = beside(&picture(&link(base)).unwrap(), &text, 80, rows)?;
        Some(page.len())
    };
    let short = "HTTP://192.168.100.200:8400";
    for (rows, drawn) in
        [(24, Some(21)), (22, Some(21)), (21, Some(20)), (20, Some(19)), (19, None)]
    {
        assert_eq!(rows_of(short, rows), drawn, "{rows} rows");
    }
    let ipv6 = "HTTP://[FD7A:115C:A1E0:AB12:4843:CD96:6258:B240]:8400";
    assert_eq!(rows_of(ipv6, 24), Some(23));
    assert_eq!(rows_of(ipv6, 23), Some(22));
}

#[test]
fn a_host_of_110_characters_is_the_longest_for_80_by_24() {
    let text = lines(&["  K7QM-3FBR-9TZX"]);
    let fits = |length: usize| {
        let base = format!("HTTPS://{}:65535", "A".repeat(length));
        beside(&picture(&link(&base)).unwrap(), &text, 80, 24).is_some()
    };
    assert!(fits(110));
    assert!(!fits(111));
}

#[test]
fn text_goes_below_in_a_narrow_and_high_terminal() {
    let picture = picture(&link("HTTP://LOCALHOST:8400")).unwrap();
    let text = lines(&["pair a device: scan the QR, or type this code", "  K7QM-3FBR-9TZX"]);
    assert!(beside(&picture, &text, 45, 40).is_none());
    let page = page(&picture, &text, 45, 40).unwrap();
    assert_eq!(page[21..], text);
}

#[test]
fn too_small_is_said_not_drawn() {
    let picture = picture(&link("HTTP://LOCALHOST:8400")).unwrap();
    let text = lines(&["  K7QM-3FBR-9TZX"]);
    for (columns, rows) in [(0, 0), (80, 0), (80, 1), (80, 19), (36, 100), (0, 24)] {
        assert!(page(&picture, &text, columns, rows).is_none(), "{columns}x{rows}");
    }
}

#[test]
fn long_lines_wrap_where_a_reader_expects_it() {
    for (line, columns, wrapped) in [
        (
            "codeout -> http://192.168.100.200:8400",
            38,
            &["codeout -> http://192.168.100.200:8400"][..],
        ),
        (
            "pair a device: scan the QR, or type this code",
            34,
            &["pair a device: scan the QR, or", "type this code"],
        ),
        ("  expires in 5:00", 20, &["  expires in 5:00"]),
        ("  a few words more", 10, &["  a few", "  words", "  more"]),
        (
            "codeout -> https://laptop-of-someone.tail12345.ts.net",
            38,
            &["codeout -> https://laptop-of-someone.", "tail12345.ts.net"],
        ),
        (
            "codeout -> http://[fd7a:115c:a1e0:ab12:4843:cd96:6258:b240]:8400",
            34,
            &["codeout -> http://[fd7a:115c:a1e0:", "ab12:4843:cd96:6258:b240]:8400"],
        ),
        ("abcdefghijkl", 5, &["abcde", "fghij", "kl"]),
        ("", 20, &[""]),
    ] {
        assert_eq!(wrapped_line(line, columns), wrapped, "{line}");
    }
}
