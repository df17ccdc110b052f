//! A connection on the daemon's port: whatever comes, each answer is whole, keeps its page to the
//! daemon, and is a file of the app or none; and a WebSocket is opened to the daemon's own pages
//! and to programs alone.

#![no_main]

use std::cell::LazyCell;
use std::os::unix::net::UnixStream;

use arbitrary::{Arbitrary, Unstructured};
use codeout_fuzz::doors::{Door, speak};
use codeout_fuzz::http::{Answer, Request};
use codeout_protocol::address::Address;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Visit<'a> {
    /// Requests that mean something, and what comes behind them.
    Requests { to_https: bool, requests: Vec<Request<'a>>, behind: &'a [u8] },
    /// Anything.
    Bytes { to_https: bool, bytes: &'a [u8] },
}

/// What the daemon has, as it was put into the build.
const FILES: [(&str, &[u8], &[u8], &[u8]); 2] = [
    (
        "/index.html",
        include_bytes!("../app/index.html"),
        include_bytes!("../app/index.html.br"),
        include_bytes!("../app/index.html.gz"),
    ),
    (
        "/assets/app-1a2b3c4d.js",
        include_bytes!("../app/assets/app-1a2b3c4d.js"),
        include_bytes!("../app/assets/app-1a2b3c4d.js.br"),
        include_bytes!("../app/assets/app-1a2b3c4d.js.gz"),
    ),
];

thread_local! {
    static DOOR: LazyCell<Door> = LazyCell::new(Door::open);
}

fuzz_target!(|bytes: &[u8]| {
    // The rest of an input is the last field's: what is behind, or all bytes.
    let Ok(visit) = Visit::arbitrary_take_rest(Unstructured::new(bytes)) else {
        return;
    };
    match visit {
        Visit::Requests { to_https, requests, behind } => {
            let requests = &requests[..requests.len().min(4)];
            let mut said: Vec<u8> = requests.iter().flat_map(Request::bytes).collect();
            said.extend_from_slice(behind);
            // A server may drop what it has not answered when nobody is there any more.
            let heard = hear(&said, !requests.is_empty(), to_https);
            check(&heard, requests, to_https);
        }
        Visit::Bytes { to_https, bytes } => {
            let heard = hear(bytes, false, to_https);
            assert!(heard.is_empty() || heard.starts_with(b"HTTP/1."));
        }
    }
});

fn hear(said: &[u8], waits: bool, to_https: bool) -> Vec<u8> {
    DOOR.with(|door| {
        let (theirs, ours) = UnixStream::pair().expect("a pair of sockets");
        door.runtime.block_on(speak(theirs, said, waits, door.house.http(ours, to_https)))
    })
}

fn check(mut heard: &[u8], requests: &[Request<'_>], to_https: bool) {
    for (number, request) in requests.iter().enumerate() {
        let Some((answer, rest)) = Answer::read(heard, request.is_head()) else {
            assert!(number > 0, "no answer");
            return;
        };
        heard = rest;
        match to_https {
            true => check_redirect(request, &answer),
            false => check_answer(request, &answer),
        }
        if answer.status == 101 {
            return;
        }
        assert!(answer.is_guarded(), "{answer:?}");
        if !matches!(answer.status, 200 | 304) {
            assert_eq!(answer.header("connection"), Some("close"));
            assert!(heard.is_empty(), "an answer behind the last one");
            return;
        }
    }
}

fn check_answer(request: &Request<'_>, answer: &Answer<'_>) {
    assert_eq!(answer.status == 101, request.opens_websocket(), "{request:?} {answer:?}");
    if answer.status == 101 {
        assert_eq!(answer.header("sec-websocket-protocol"), Some(codeout_protocol::SUBPROTOCOL));
        return;
    }
    let path = request.path();
    if path == codeout_protocol::WEBSOCKET_PATH {
        assert!((400..=426).contains(&answer.status), "{answer:?}");
        return;
    }
    let wanted = if path == "/" { "/index.html" } else { &path };
    let Some((_, identity, brotli, gzip)) = FILES.iter().find(|(path, ..)| *path == wanted) else {
        // Of the icon, nothing more is said here.
        assert!(answer.status == 404 || path == "/icon.svg", "{path} {answer:?}");
        return;
    };
    if !request.reads() {
        assert_eq!(answer.status, 405);
        return;
    }
    let body = match answer.header("content-encoding") {
        None => identity,
        Some("br") if request.may_be("br") => brotli,
        Some("gzip") if request.may_be("gzip") => gzip,
        other => panic!("{other:?} for {request:?}"),
    };
    let etag = answer.header("etag").expect("a tag");
    match answer.status {
        200 if request.is_head() => {
            assert_eq!(answer.header("content-length"), Some(&*body.len().to_string()));
        }
        200 => assert_eq!(answer.body, *body),
        304 => {
            let known = request.if_none_match().expect("what it has");
            assert!(known.contains('*') || known.contains(etag), "{known} {etag}");
        }
        _ => panic!("{answer:?} to {request:?}"),
    }
}

/// Where a browser is sent is the same host, and nowhere but its root.
fn check_redirect(request: &Request<'_>, answer: &Answer<'_>) {
    let Some(location) = answer.header("location") else {
        assert_eq!(answer.status, 400);
        return;
    };
    assert!(answer.status == 307 && request.reads() && request.path() == "/");
    let address: Address = location.strip_suffix('/').expect("a root").parse().expect("an address");
    let host = request.host().expect("where it was made to").to_ascii_lowercase();
    assert!(address.is_secure() && host.starts_with(&address.host().to_ascii_lowercase()));
}
