//! The web app: its files, as they were built into the program, and how HTTP gives them out.

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

/// What a page of this daemon may do, whatever got into it: run and load only what the daemon
/// itself serves, and speak to nobody else. `'self'` stands for the WebSocket too, in every browser
/// that the app runs in.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; \
     script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data: blob:; \
     font-src 'self'; connect-src 'self'; worker-src 'self'; manifest-src 'self'; \
     frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// The camera reads a QR code. Nothing else of these is used.
const PERMISSIONS_POLICY: &str = "accelerometer=(), camera=(self), \
     display-capture=(), geolocation=(), gyroscope=(), hid=(), magnetometer=(), microphone=(), \
     midi=(), payment=(), serial=(), usb=()";

/// What goes with every answer. Strict-Transport-Security is not among them: it would bind a name
/// to https that its owner may serve otherwise tomorrow.
const GUARDS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), PERMISSIONS_POLICY),
];

/// Browsers heed it on secure pages alone, and complain of it on others.
const OPENER_POLICY: (HeaderName, &str) =
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin");

/// A file's name has its content's hash in it: under this name it is never another.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// It may be kept, and is asked for each time whether it is still the same.
const ASK_EACH_TIME: &str = "no-cache";

/// One file of the app.
struct File {
    /// Its path on the server: `/assets/x-1a2b.js`.
    path: &'static str,
    content_type: &'static str,
    /// Tells its versions apart.
    tag: &'static str,
    is_hashed: bool,
    identity: &'static [u8],
    brotli: Option<&'static [u8]>,
    gzip: Option<&'static [u8]>,
}

/// Written by the build script.
static FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/app.rs"));

/// How a file's bytes are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Identity,
    Gzip,
    Brotli,
}

/// Answers a request for a file of the app. No header but `accept-encoding` and `if-none-match`
/// changes the answer.
pub(crate) async fn serve(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let Some(file) = find(uri.path()) else {
        return (StatusCode::NOT_FOUND, "there is nothing here\n").into_response();
    };
    if method != Method::GET && method != Method::HEAD {
        let allow = [(header::ALLOW, "GET, HEAD")];
        return (StatusCode::METHOD_NOT_ALLOWED, allow, "only GET and HEAD\n").into_response();
    }
    let coding = file.coding(&headers);
    let content = file.content(coding);
    let etag = file.etag(coding);
    let is_known = knows(&headers, &etag);
    let mut response = Response::new(match method {
        Method::GET if !is_known => Body::from(Bytes::from_static(content)),
        _ => Body::empty(),
    });
    let cache_control = if file.is_hashed { FOR_EVER } else { ASK_EACH_TIME };
    let with = response.headers_mut();
    with.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache_control));
    with.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(etag) = HeaderValue::try_from(etag) {
        with.insert(header::ETAG, etag);
    }
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return response;
    }
    with.insert(header::CONTENT_TYPE, HeaderValue::from_static(file.content_type));
    with.insert(header::CONTENT_LENGTH, HeaderValue::from(content.len()));
    if let Some(name) = coding.name() {
        with.insert(header::CONTENT_ENCODING, HeaderValue::from_static(name));
    }
    response
}

/// Adds to an answer what keeps a page of this daemon to this daemon. `is_secure`: the page is
/// behind https, here or at a proxy.
pub(crate) fn guard(mut response: Response, is_secure: bool) -> Response {
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        for (name, value) in GUARDS.into_iter().chain(is_secure.then_some(OPENER_POLICY)) {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
    }
    response
}

/// The file at exactly this path. Nothing is decoded or resolved: no browser asks for the app's
/// files by other names.
fn find(path: &str) -> Option<&'static File> {
    let path = if path == "/" { "/index.html" } else { path };
    FILES.iter().find(|file| file.path == path)
}

impl File {
    fn content(&self, coding: Coding) -> &'static [u8] {
        match coding {
            Coding::Identity => self.identity,
            Coding::Gzip => self.gzip.unwrap_or(self.identity),
            Coding::Brotli => self.brotli.unwrap_or(self.identity),
        }
    }

    /// The best packing that there is and that a request accepts; unpacked if it accepts none.
    fn coding(&self, headers: &HeaderMap) -> Coding {
        let accepted = Accepted::read(headers);
        let packed = [(Coding::Gzip, self.gzip), (Coding::Brotli, self.brotli)];
        let packed = packed.into_iter().filter(|(_, content)| content.is_some());
        let choice = packed.map(|(coding, _)| (accepted.weight(coding), coding));
        // Of equals the last, which is the smaller.
        match choice.max_by_key(|(weight, _)| *weight) {
            Some((weight, coding)) if weight > 0 && weight >= accepted.weight(Coding::Identity) => {
                coding
            }
            _ => Coding::Identity,
        }
    }

    /// A strong validator: each packing is a representation of its own.
    fn etag(&self, coding: Coding) -> String {
        match coding.name() {
            Some(name) => format!("\"{}-{name}\"", self.tag),
            None => format!("\"{}\"", self.tag),
        }
    }
}

impl Coding {
    /// What HTTP calls it; identity has no name there.
    fn name(self) -> Option<&'static str> {
        match self {
            Coding::Identity => None,
            Coding::Gzip => Some("gzip"),
            Coding::Brotli => Some("br"),
        }
    }
}

/// The weights that `accept-encoding` gives, in thousandths; `None`: it does not say.
#[derive(Debug, Default)]
struct Accepted {
    brotli: Option<u16>,
    gzip: Option<u16>,
    identity: Option<u16>,
    any: Option<u16>,
}

impl Accepted {
    fn read(headers: &HeaderMap) -> Self {
        let mut accepted = Accepted::default();
        for (coding, weight) in list(headers, header::ACCEPT_ENCODING).map(weighted) {
            let named = match coding.to_ascii_lowercase().as_str() {
                "br" => &mut accepted.brotli,
                "gzip" | "x-gzip" => &mut accepted.gzip,
                "identity" => &mut accepted.identity,
                "*" => &mut accepted.any,
                _ => continue,
            };
            *named = Some(weight);
        }
        accepted
    }

    fn weight(&self, coding: Coding) -> u16 {
        match coding {
            Coding::Brotli => self.brotli.or(self.any).unwrap_or(0),
            Coding::Gzip => self.gzip.or(self.any).unwrap_or(0),
            // Unnamed it will do, when nothing else does.
            Coding::Identity => self.identity.unwrap_or(0),
        }
    }
}

/// The members of a header's list, over all its lines.
fn list(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim).filter(|member| !member.is_empty())
}

/// A member and its weight: `gzip;q=0.5` is gzip, 500. A weight that is none counts as 0.
fn weighted(member: &str) -> (&str, u16) {
    let mut parts = member.split(';').map(str::trim);
    let coding = parts.next().unwrap_or_default();
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    let weight = weight.map_or(Some(1.0), |text| text.parse::<f32>().ok());
    let weight = weight.filter(|weight| (0.0..=1.0).contains(weight)).unwrap_or(0.0);
    (coding, (weight * 1000.0) as u16)
}

/// Whether a request names this version as the one that it has.
fn knows(headers: &HeaderMap, etag: &str) -> bool {
    list(headers, header::IF_NONE_MATCH)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == etag)
}

#[cfg(test)]
#[path = "app_tests.rs"]
mod tests;
