//! From which pages a browser may open the WebSocket.

use axum::http::{HeaderMap, header};
use codeout_protocol::address::Address;

/// A browser says from which page a WebSocket is opened: it must be one that this daemon served
/// under the very name that it is now spoken to, or under the address that it advertises, for a
/// proxy there may speak to it under another. Programs say nothing.
pub(crate) fn is_own_page(headers: &HeaderMap, advertised: Option<&Address>) -> bool {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let Some(origin) = origins.next() else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    if origins.next().is_some() {
        return false;
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    let is_same = authority.zip(host).is_some_and(|(own, host)| own.eq_ignore_ascii_case(host));
    is_same || advertised.is_some_and(|address| serialized(address) == origin)
}

/// An address as a browser names it as an origin: without the scheme's own port.
fn serialized(address: &Address) -> String {
    let (scheme, usual) = if address.is_secure() { ("https", 443) } else { ("http", 80) };
    match address.port() {
        port if port == usual => format!("{scheme}://{}", address.host()),
        port => format!("{scheme}://{}:{port}", address.host()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(pairs: &[(header::HeaderName, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(name, HeaderValue::from_static(value));
        }
        map
    }

    fn same_origin(headers: &HeaderMap) -> bool {
        is_own_page(headers, None)
    }

    #[test]
    fn only_the_daemons_own_pages_may_open_a_websocket() {
        use header::{HOST, ORIGIN};
        let own = [(HOST, "desk:8400"), (ORIGIN, "http://desk:8400")];
        assert!(same_origin(&headers(&own)));
        assert!(same_origin(&headers(&[(HOST, "desk:8400")])));
        assert!(same_origin(&headers(&[(HOST, "desk"), (ORIGIN, "https://DESK")])));
        for foreign in [
            vec![(HOST, "desk:8400"), (ORIGIN, "http://evil.example")],
            vec![(HOST, "desk:8400"), (ORIGIN, "http://desk:8401")],
            vec![(HOST, "desk:8400"), (ORIGIN, "http://desk:8400.evil.example")],
            vec![(HOST, "desk:8400"), (ORIGIN, "null")],
            vec![(HOST, "desk:8400"), (ORIGIN, "file://desk:8400")],
            vec![(HOST, "desk:8400"), (ORIGIN, "")],
            vec![(ORIGIN, "http://desk:8400")],
            vec![(HOST, "desk"), (ORIGIN, "http://desk"), (ORIGIN, "http://evil.example")],
        ] {
            assert!(!same_origin(&headers(&foreign)), "{foreign:?}");
        }
    }
    #[test]
    fn behind_a_proxy_the_page_is_the_one_at_the_advertised_address() {
        use header::{HOST, ORIGIN};
        let proxied = |advertised: &str, origin: &'static str| {
            let advertised = advertised.parse().unwrap();
            let headers = headers(&[(HOST, "127.0.0.1:8400"), (ORIGIN, origin)]);
            is_own_page(&headers, Some(&advertised))
        };
        for (advertised, origin) in [
            ("https://desk.example", "https://desk.example"),
            ("https://Desk.Example:443", "https://desk.example"),
            ("https://desk.example:8443", "https://desk.example:8443"),
            ("http://desk.example:80", "http://desk.example"),
            ("http://[fd7a::1]:8400", "http://[fd7a::1]:8400"),
            // What is spoken to directly is still itself.
            ("https://desk.example", "http://127.0.0.1:8400"),
        ] {
            assert!(proxied(advertised, origin), "{advertised} {origin}");
        }
        for (advertised, origin) in [
            ("https://desk.example", "http://desk.example"),
            ("https://desk.example", "https://desk.example:443"),
            ("https://desk.example", "https://desk.example:8443"),
            ("https://desk.example", "https://desk.example/"),
            ("https://desk.example", "https://desk.example.evil.example"),
            ("https://desk.example", "https://evil.example"),
            ("https://desk.example", "https://DESK.example"),
            ("https://desk.example", "null"),
            ("https://desk.example:8443", "https://desk.example"),
        ] {
            assert!(!proxied(advertised, origin), "{advertised} {origin}");
        }
    }
}
