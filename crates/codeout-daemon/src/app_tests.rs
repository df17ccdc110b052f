use super::*;

fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        map.append(name, HeaderValue::from_str(value).unwrap());
    }
    map
}

const FILE: File = File {
    path: "/assets/x-1.js",
    content_type: "text/javascript; charset=utf-8",
    tag: "0123",
    is_hashed: true,
    identity: b"identity",
    brotli: Some(b"br"),
    gzip: Some(b"gzip"),
};

fn coding(file: &File, lines: &[&str]) -> Coding {
    let lines: Vec<_> = lines.iter().map(|line| (header::ACCEPT_ENCODING, *line)).collect();
    file.coding(&headers(&lines))
}

#[test]
fn the_packing_is_one_that_was_asked_for() {
    for (lines, expected) in [
        (&["gzip, deflate, br, zstd"][..], Coding::Brotli),
        (&["gzip, deflate"], Coding::Gzip),
        (&["GZIP"], Coding::Gzip),
        (&["x-gzip"], Coding::Gzip),
        (&["gzip", "br"], Coding::Brotli),
        (&["*"], Coding::Brotli),
        (&["br;q=0, *"], Coding::Gzip),
        (&["br;q=0.5, gzip;q=0.8"], Coding::Gzip),
        (&["br ; q=0.8 , gzip ; q=0.8"], Coding::Brotli),
        (&["br;q=1.0;x=y"], Coding::Brotli),
        (&["identity, br;q=0.5"], Coding::Identity),
        (&["identity;q=0.5, br"], Coding::Brotli),
        (&["br;q=0, gzip;q=0"], Coding::Identity),
        (&["br;q=0.000, gzip;q=x"], Coding::Identity),
        (&["br;q=7, gzip;q=-1"], Coding::Identity),
        (&["br;q=NaN"], Coding::Identity),
        (&["identity;q=0"], Coding::Identity),
        (&["deflate, zstd, brotli, xbr"], Coding::Identity),
        (&[", ;, q=1"], Coding::Identity),
        (&[""], Coding::Identity),
        (&[], Coding::Identity),
    ] {
        assert_eq!(coding(&FILE, lines), expected, "{lines:?}");
    }
}

#[test]
fn what_is_no_smaller_is_given_unpacked() {
    let plain = File { brotli: None, gzip: None, ..FILE };
    assert_eq!(coding(&plain, &["gzip, br"]), Coding::Identity);
    let only_gzip = File { brotli: None, ..FILE };
    assert_eq!(coding(&only_gzip, &["gzip;q=0.1, br"]), Coding::Gzip);
}

#[test]
fn a_version_is_known_by_its_name_and_packing() {
    let etag = FILE.etag(Coding::Brotli);
    assert_eq!(etag, "\"0123-br\"");
    let known = |line| knows(&headers(&[(header::IF_NONE_MATCH, line)]), &etag);
    for right in ["\"0123-br\"", "W/\"0123-br\"", "\"a\", \"0123-br\"", "*", "\"a\" ,\"0123-br\" "]
    {
        assert!(known(right), "{right}");
    }
    for wrong in ["", "0123-br", "\"0123\"", "\"0123-gzip\"", "\"0123-br", "w/\"0123-br\""] {
        assert!(!known(wrong), "{wrong}");
    }
    assert!(!knows(&HeaderMap::new(), &etag));
}

#[test]
fn the_app_is_there_whole() {
    let index = find("/").expect("the page");
    assert_eq!(index.content_type, "text/html; charset=utf-8");
    assert!(!index.is_hashed);
    let text = std::str::from_utf8(index.identity).unwrap();
    // Whatever the page names is among the files.
    let named = text.split(['"', '\'']).filter(|part| part.starts_with('/'));
    let named: Vec<_> = named.collect();
    assert!(named.iter().any(|path| path.ends_with(".js")), "{text}");
    for path in named {
        assert!(find(path).is_some(), "{path}");
    }
    for file in FILES {
        for packed in [file.brotli, file.gzip].into_iter().flatten() {
            assert!(packed.len() < file.identity.len(), "{}", file.path);
        }
        if let Some(gzip) = file.gzip {
            let mut unpacked = Vec::new();
            let mut decoder = flate2::read::GzDecoder::new(gzip);
            std::io::Read::read_to_end(&mut decoder, &mut unpacked).unwrap();
            assert!(unpacked == file.identity, "{}", file.path);
        }
    }
    let scripts = || FILES.iter().filter(|file| file.path.ends_with(".js"));
    assert!(scripts().filter(|file| file.identity.len() > 1024).all(|file| file.brotli.is_some()));
    assert!(scripts().any(|file| file.is_hashed));
}
