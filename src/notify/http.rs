//! Sending over HTTP.

use url::Url;

use crate::core::secret::Secret;
use crate::notify::TIME_LIMIT;
use crate::sys::http_client::{self, Request};

/// Sends JSON; anything but a 2xx is an error that names the host and nothing else of the address.
pub(super) fn post_json(
    url: Url,
    headers: Vec<(&'static str, Secret)>,
    body: String,
) -> Result<Secret, String> {
    let mut request = Request::post(url, "application/json", Secret::new(body));
    request.headers.extend(headers);
    exchange(&request)
}

pub(super) fn exchange(request: &Request) -> Result<Secret, String> {
    let answer = http_client::send(request, TIME_LIMIT).map_err(|failure| failure.to_string())?;
    if (200..300).contains(&answer.status) {
        return Ok(answer.body);
    }
    Err(format!("{} answered {}", http_client::host_of(&request.url), answer.status))
}

/// An address with more behind its path.
pub(super) fn below(url: &Url, more: &str) -> Url {
    let mut url = url.clone();
    let path = format!("{}{more}", url.path().trim_end_matches('/'));
    url.set_path(&path);
    url
}
