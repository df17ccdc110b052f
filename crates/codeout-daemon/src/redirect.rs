//! Plain HTTP on a port that speaks HTTPS: a browser is shown the way, all else is turned away.

use axum::Router;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::{from_fn, map_response};
use axum::response::{IntoResponse, Response};
use codeout_protocol::address::Address;

use crate::{app, patience};

/// What answers plain HTTP.
pub(crate) fn router() -> Router {
    Router::new()
        .fallback(show_the_way)
        .layer(from_fn(patience::bounded))
        .layer(map_response(async |response| app::guard(response, false)))
}

/// The app's page is at the same place behind HTTPS; a browser takes the link's fragment along.
/// Not for ever: whoever runs the daemon may turn HTTPS off again.
async fn show_the_way(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let is_page = matches!(method, Method::GET | Method::HEAD) && uri.path() == "/";
    match secure_address(&headers).filter(|_| is_page) {
        Some(address) => {
            let to = [
                (header::LOCATION, format!("{address}/")),
                (header::CACHE_CONTROL, "no-store".to_owned()),
            ];
            (StatusCode::TEMPORARY_REDIRECT, to).into_response()
        }
        None => (StatusCode::BAD_REQUEST, "this port speaks https\n").into_response(),
    }
}

/// The `https` address of the host that a request was made to.
fn secure_address(headers: &HeaderMap) -> Option<Address> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    let address: Address = format!("http://{host}").parse().ok()?;
    Address::new(true, address.host(), Some(address.port())).ok()
}
