//! Requests that are HTTP, and answers taken apart: both without the library that is tried.

use arbitrary::Arbitrary;
use codeout_protocol::{SUBPROTOCOL, WEBSOCKET_PATH};

/// A request whose meaning is known.
#[derive(Arbitrary, Debug)]
pub struct Request<'a> {
    method: Method,
    path: Path<'a>,
    query: bool,
    host: Option<&'a str>,
    origins: Vec<Origin<'a>>,
    upgrade: bool,
    protocols: Vec<Protocol<'a>>,
    accept_encoding: Vec<Coding<'a>>,
    if_none_match: Option<Tag<'a>>,
}

#[derive(Arbitrary, Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Get,
    Head,
    Post,
    Options,
}

#[derive(Arbitrary, Debug)]
enum Path<'a> {
    Root,
    Index,
    Script,
    Packed,
    WebSocket,
    Behind(&'a str),
    Other(&'a str),
}

#[derive(Arbitrary, Debug)]
enum Origin<'a> {
    Own,
    OwnSecure,
    OwnLoud,
    Near(&'a str),
    Other(&'a str),
}

#[derive(Arbitrary, Debug)]
enum Protocol<'a> {
    Ours,
    Other(&'a str),
}

#[derive(Arbitrary, Debug)]
enum Coding<'a> {
    Brotli(u8),
    Gzip(u8),
    Identity(u8),
    Any(u8),
    Other(&'a str),
}

#[derive(Arbitrary, Debug)]
enum Tag<'a> {
    Any,
    Other(&'a str),
}

/// What can stand in a header, without spaces, which may be cut off.
fn visible(text: &str) -> String {
    text.chars().filter(char::is_ascii_graphic).take(80).collect()
}

/// What is no delimiter anywhere.
fn plain(text: &str) -> String {
    let fits = |c: &char| c.is_ascii_alphanumeric() || "-._~/%".contains(*c);
    text.chars().filter(fits).take(80).collect()
}

impl Request<'_> {
    /// Its bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let query = if self.query { "?x=/ws" } else { "" };
        let mut text = format!("{} {}{query} HTTP/1.1\r\n", self.method(), self.path());
        let mut add = |name: &str, value: &str| text += &format!("{name}: {value}\r\n");
        if let Some(host) = self.host() {
            add("Host", &host);
        }
        for origin in self.origins() {
            add("Origin", &origin);
        }
        if self.upgrade {
            add("Connection", "keep-alive, Upgrade");
            add("Upgrade", "websocket");
            add("Sec-WebSocket-Version", "13");
            add("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
        }
        if !self.protocols.is_empty() {
            add("Sec-WebSocket-Protocol", &self.protocols().join(", "));
        }
        if !self.accept_encoding.is_empty() {
            add("Accept-Encoding", &self.accept_encoding());
        }
        if let Some(tag) = self.if_none_match() {
            add("If-None-Match", &tag);
        }
        text += "\r\n";
        text.into_bytes()
    }

    fn method(&self) -> &'static str {
        match self.method {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Options => "OPTIONS",
        }
    }

    /// Its path, without the query.
    pub fn path(&self) -> String {
        match &self.path {
            Path::Root => "/".to_owned(),
            Path::Index => "/index.html".to_owned(),
            Path::Script => "/assets/app-1a2b3c4d.js".to_owned(),
            Path::Packed => "/index.html.gz".to_owned(),
            Path::WebSocket => WEBSOCKET_PATH.to_owned(),
            Path::Behind(text) => format!("{WEBSOCKET_PATH}/{}", plain(text)),
            Path::Other(text) => format!("/{}", plain(text)),
        }
    }

    /// Whether its answer has no body.
    pub fn is_head(&self) -> bool {
        self.method == Method::Head
    }

    /// Whether it asks for a file or a page, and changes nothing.
    pub fn reads(&self) -> bool {
        matches!(self.method, Method::Get | Method::Head)
    }

    /// The name that the daemon is spoken to under.
    pub fn host(&self) -> Option<String> {
        self.host.map(visible).filter(|host| !host.is_empty())
    }

    fn origins(&self) -> Vec<String> {
        let host = self.host().unwrap_or_default();
        let text = |origin: &Origin<'_>| match origin {
            Origin::Own => format!("http://{host}"),
            Origin::OwnSecure => format!("https://{host}"),
            Origin::OwnLoud => format!("http://{}", host.to_ascii_uppercase()),
            Origin::Near(text) => format!("http://{host}{}", visible(text)),
            Origin::Other(text) => visible(text),
        };
        self.origins.iter().take(3).map(text).collect()
    }

    fn protocols(&self) -> Vec<String> {
        let text = |protocol: &Protocol<'_>| match protocol {
            Protocol::Ours => SUBPROTOCOL.to_owned(),
            // A token is one, and not several.
            Protocol::Other(text) => format!("x{}", plain(text).replace('/', "")),
        };
        self.protocols.iter().take(3).map(text).collect()
    }

    fn accept_encoding(&self) -> String {
        let text = |coding: &Coding<'_>| match coding {
            Coding::Brotli(weight) => format!("br;q={}", weighed(*weight)),
            Coding::Gzip(weight) => format!("gzip;q={}", weighed(*weight)),
            Coding::Identity(weight) => format!("identity; q={}", weighed(*weight)),
            Coding::Any(weight) => format!("*;q={}", weighed(*weight)),
            Coding::Other(text) => visible(text),
        };
        let all: Vec<_> = self.accept_encoding.iter().take(4).map(text).collect();
        all.join(", ")
    }

    /// The codings that its answer may have.
    pub fn may_be(&self, coding: &str) -> bool {
        let accepted = self.accept_encoding();
        accepted.contains(coding)
            || accepted.contains('*')
            || accepted.to_ascii_lowercase().contains(coding)
    }

    /// What it says that it has.
    pub fn if_none_match(&self) -> Option<String> {
        self.if_none_match.as_ref().map(|tag| match tag {
            Tag::Any => "*".to_owned(),
            Tag::Other(text) => visible(text),
        })
    }

    /// Whether it must become a WebSocket; nothing else may.
    pub fn opens_websocket(&self) -> bool {
        let is_own = match self.origins().as_slice() {
            [] => true,
            [origin] => self.host().is_some_and(|host| {
                let origin = origin.to_ascii_lowercase();
                let pages = ["http", "https"].map(|scheme| format!("{scheme}://{host}"));
                pages.iter().any(|page| page.to_ascii_lowercase() == origin)
                    && (origin.starts_with("http:") || origin.starts_with("https:"))
            }),
            _ => false,
        };
        let speaks = self.protocols().iter().any(|protocol| protocol == SUBPROTOCOL);
        let asks = self.method == Method::Get && self.path() == WEBSOCKET_PATH && self.upgrade;
        asks && is_own && speaks
    }
}

fn weighed(weight: u8) -> String {
    format!("{}.{:03}", weight / 200, u16::from(weight % 200) * 5)
}

/// An answer, taken apart.
#[derive(Debug)]
pub struct Answer<'a> {
    /// Its status.
    pub status: u16,
    headers: Vec<(String, &'a str)>,
    /// Its body.
    pub body: &'a [u8],
}

impl<'a> Answer<'a> {
    /// The first answer in `bytes`, and what is behind it; `None` where there is none.
    pub fn read(bytes: &'a [u8], is_head: bool) -> Option<(Answer<'a>, &'a [u8])> {
        if bytes.is_empty() {
            return None;
        }
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a whole head");
        let head = std::str::from_utf8(&bytes[..end]).expect("a head is ASCII");
        let mut lines = head.split("\r\n");
        let line = lines.next().expect("a first line");
        let status = line.strip_prefix("HTTP/1.1 ").or_else(|| line.strip_prefix("HTTP/1.0 "));
        let status = status.and_then(|rest| rest.get(..3)).expect("a status");
        let headers =
            lines.map(|line| line.split_once(": ").or(line.split_once(':')).expect("a header"));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
        let mut answer = Answer { status: status.parse().expect("a number"), headers, body: b"" };
        let rest = &bytes[end + 4..];
        if answer.status == 101 || answer.status == 304 || is_head {
            return Some((answer, rest));
        }
        let length = answer.header("content-length").expect("a length");
        let (body, rest) = rest.split_at(length.parse().expect("a number"));
        answer.body = body;
        Some((answer, rest))
    }

    /// A header that there is once at most.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        let mut all = self.headers.iter().filter(|(known, _)| known == name);
        let first = all.next().map(|(_, value)| *value);
        assert!(all.next().is_none(), "{name} stands there twice");
        first
    }

    /// Whether a page that it holds may do nothing but what the daemon serves.
    pub fn is_guarded(&self) -> bool {
        let guards = [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
        ];
        let policy = self.header("content-security-policy").unwrap_or_default();
        policy.starts_with("default-src 'none'; ")
            && policy.contains("frame-ancestors 'none'")
            && self.header("permissions-policy").is_some()
            && guards.iter().all(|(name, value)| self.header(name) == Some(*value))
    }
}
