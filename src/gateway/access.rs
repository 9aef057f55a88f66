//! Who may use the gateway: the token or password, and where a request believes to be.

use axum::http::{HeaderMap, header};

use crate::core::secret::{self, Secret};
use crate::gateway::reply::Refusal;

/// The door of a gateway.
#[derive(Clone, Debug)]
pub(super) struct Door {
    /// The token or password; without one whoever reaches the gateway may use it.
    pub(super) secret: Option<Secret>,
}

impl Door {
    /// Lets a request in, or says why not.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        match &self.secret {
            Some(secret) if shown(headers).is_some_and(|shown| secret.is_shown_by(shown)) => Ok(()),
            Some(_) => Err(Refusal::unauthorized()),
            None => local_only(headers),
        }
    }
}

/// What a client shows: `Authorization: Bearer`, or `x-api-key` as Anthropic's clients do.
fn shown(headers: &HeaderMap) -> Option<&str> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    text("authorization").and_then(secret::bearer).or_else(|| text("x-api-key"))
}

/// Without a token only programs of this host may come, and no page of a browser: a name that somebody has pointed at this
/// host must not get in.
pub(super) fn local_only(headers: &HeaderMap) -> Result<(), Refusal> {
    let texts = |name: header::HeaderName| {
        headers.get_all(name).into_iter().map(|value| value.to_str().unwrap_or_default())
    };
    let is_origin_local = |origin: &str| origin.split_once("://").is_some_and(|(_, host)| is_local(host));
    // Two hosts are none.
    if texts(header::HOST).count() == 1
        && texts(header::HOST).all(is_local)
        && texts(header::ORIGIN).all(is_origin_local)
    {
        return Ok(());
    }
    let message = "without a token the gateway serves this host alone: ask it as 127.0.0.1 or localhost, or set gateway.auth.token";
    Err(Refusal::new(axum::http::StatusCode::FORBIDDEN, "permission_error", message))
}

fn is_local(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.chars().all(|c| c.is_ascii_digit()) => name,
        _ => host,
    };
    ["localhost", "127.0.0.1", "[::1]"].contains(&name)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderName, HeaderValue};

    use super::Door;
    use crate::core::secret::Secret;

    fn is_in(secret: Option<&str>, headers: &[(&'static str, &'static str)]) -> bool {
        let mut all = HeaderMap::new();
        for (name, value) in headers {
            all.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        Door { secret: secret.map(Secret::new) }.check(&all).is_ok()
    }

    #[test]
    fn the_token_opens_the_door_and_nothing_else() {
        let token = Some("0123456789abcdef");
        assert!(is_in(token, &[("authorization", "Bearer 0123456789abcdef")]));
        assert!(is_in(token, &[("authorization", "bearer  0123456789abcdef")]));
        assert!(is_in(token, &[("x-api-key", "0123456789abcdef"), ("host", "evil.example")]));
        for wrong in [
            &[][..],
            &[("authorization", "Bearer")],
            &[("authorization", "Basic 0123456789abcdef")],
            &[("authorization", "Bearer 0123456789abcdeF")],
            &[("authorization", "Bearer 0123456789abcde")],
            &[("x-api-key", "")],
            &[("authorization", "Bearer x"), ("x-api-key", "0123456789abcdef")],
            &[("host", "127.0.0.1:18789")],
        ] {
            assert!(!is_in(token, wrong), "{wrong:?}");
        }
    }

    #[test]
    fn without_a_token_only_this_host_comes_in() {
        assert!(is_in(None, &[("host", "127.0.0.1:18789")]));
        assert!(is_in(None, &[("host", "localhost"), ("origin", "http://localhost:3000")]));
        assert!(is_in(None, &[("host", "[::1]:18789")]));
        for wrong in [
            &[("host", "evil.example")][..],
            &[("host", "127.0.0.1.evil.example")],
            &[("host", "127.0.0.1"), ("origin", "https://evil.example")],
            &[("host", "127.0.0.1"), ("origin", "null")],
            &[("host", "127.0.0.1"), ("host", "127.0.0.1")],
            &[("host", "127.0.0.1"), ("origin", "http://localhost"), ("origin", "https://evil.example")],
            &[],
        ] {
            assert!(!is_in(None, wrong), "{wrong:?}");
        }
    }
}
