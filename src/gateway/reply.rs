//! Answers of our own, in the words of the client's API. The one place where failures become status codes.

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

use crate::core::failure::FailureClass;
use crate::core::secret::Secret;
use crate::core::upstream::Surface;

/// Why a request got no answer from a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The status code.
    pub(super) status: StatusCode,
    /// The word for programs, in `OpenAI`'s list.
    pub(super) kind: &'static str,
    /// What happened and what to do, without any secret.
    pub(super) message: String,
    /// When to come back, in s.
    pub(super) retry_after: Option<i64>,
}

impl Refusal {
    /// A request that is wrong in itself.
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", message)
    }

    /// Somebody who did not prove who they are.
    pub(super) fn unauthorized() -> Self {
        let message = "the gateway's token is missing or wrong; it is gateway.auth.token of openclaw.json";
        Self::new(StatusCode::UNAUTHORIZED, "authentication_error", message)
    }

    /// The failure of everything that was tried, by the class of the last one.
    pub(super) fn of_class(class: FailureClass, message: impl Into<String>) -> Self {
        let (status, kind) = match class {
            FailureClass::Auth
            | FailureClass::ClientRejected
            | FailureClass::Expired
            | FailureClass::InvalidGrant
            | FailureClass::Reused
            | FailureClass::Revoked => (StatusCode::UNAUTHORIZED, "authentication_error"),
            FailureClass::Billing => (StatusCode::PAYMENT_REQUIRED, "billing_error"),
            FailureClass::Format => (StatusCode::BAD_REQUEST, "invalid_request_error"),
            FailureClass::NoModel => (StatusCode::NOT_FOUND, "not_found_error"),
            FailureClass::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, "overloaded_error"),
            FailureClass::RateLimited => (StatusCode::TOO_MANY_REQUESTS, "rate_limit_error"),
            FailureClass::SubscriptionOnly => (StatusCode::FORBIDDEN, "permission_error"),
            FailureClass::Timeout => (StatusCode::GATEWAY_TIMEOUT, "timeout_error"),
            FailureClass::Malformed
            | FailureClass::Network
            | FailureClass::Redirected
            | FailureClass::ServerError
            | FailureClass::Tls
            | FailureClass::TooLarge
            | FailureClass::Unknown => (StatusCode::BAD_GATEWAY, "api_error"),
        };
        Self::new(status, kind, message)
    }

    /// Any other.
    pub(super) fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        Self { status, kind, message: message.into(), retry_after: None }
    }

    /// The answer on a surface.
    pub(super) fn answer(&self, surface: Surface) -> Response<Body> {
        let document = if surface.is_anthropic() {
            json!({"type": "error", "error": {"type": self.kind, "message": self.message}})
        } else {
            json!({"error": {"message": self.message, "type": self.kind, "code": Value::Null, "param": Value::Null}})
        };
        let mut answer = json_answer(self.status, &document);
        if let Some(seconds) = self.retry_after {
            answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        answer
    }
}

/// The word of a status that a provider gave.
pub(super) fn kind_of(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        503 | 529 => "overloaded_error",
        400..500 => "invalid_request_error",
        _ => "api_error",
    }
}

/// What a stream whose provider broke off says before it ends, as an event of the client's API.
pub(super) fn broken_stream(surface: Surface) -> Bytes {
    Bytes::from(format!("\n\n{}", event_of_failure(surface, "the provider broke off within its answer")))
}

/// An event that ends a stream with a failure.
fn event_of_failure(surface: Surface, message: &str) -> String {
    match surface {
        Surface::ChatCompletions => {
            let error =
                json!({"message": message, "type": "api_error", "code": Value::Null, "param": Value::Null});
            format!("data: {}\n\n", json!({"error": error}))
        }
        Surface::CountTokens | Surface::Messages => {
            let error = json!({"type": "api_error", "message": message});
            format!("event: error\ndata: {}\n\n", json!({"type": "error", "error": error}))
        }
        Surface::Responses => {
            let error =
                json!({"type": "error", "code": "server_error", "message": message, "param": Value::Null});
            format!("event: error\ndata: {error}\n\n")
        }
    }
}

/// A JSON document as an answer.
pub(super) fn json_answer(status: StatusCode, document: &Value) -> Response<Body> {
    let mut answer = Response::new(Body::from(document.to_string()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// What is shorter, in bytes, is a word and no secret.
pub(super) const SHORTEST_SECRET: usize = 8;

/// Headers of a provider's answer that mean something to the client. Cookies and the like stay here.
const PASSED_ON: &[&str] = &["content-type", "cache-control", "request-id", "x-request-id", "retry-after"];
const PASSED_ON_BEGINNINGS: &[&str] = &["anthropic-ratelimit-", "x-ratelimit-", "openai-"];

/// The headers of a provider's answer that go on to the client; none that repeats a secret.
pub(super) fn passed_on<'s>(headers: &HeaderMap, secrets: impl Iterator<Item = &'s Secret>) -> HeaderMap {
    let secrets: Vec<_> = secrets
        .map(|secret| secret.expose().trim().as_bytes())
        .filter(|secret| secret.len() >= SHORTEST_SECRET)
        .collect();
    let repeats = |value: &HeaderValue| {
        secrets.iter().any(|secret| value.as_bytes().windows(secret.len()).any(|window| window == *secret))
    };
    let is_meant = |name: &HeaderName| {
        let name = name.as_str();
        PASSED_ON.contains(&name) || PASSED_ON_BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
    };
    headers
        .iter()
        .filter(|(name, value)| is_meant(name) && !repeats(value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Adds who has answered: `x-openclaw-profile`, `-provider`, `-model`, `-attempts`.
pub(super) fn sign(headers: &mut HeaderMap, profile: &str, provider: &str, model: &str, attempts: usize) {
    let texts =
        [("x-openclaw-profile", profile), ("x-openclaw-provider", provider), ("x-openclaw-model", model)];
    for (name, text) in texts {
        // A name that no header can hold is told escaped.
        let value = HeaderValue::from_str(text)
            .or_else(|_| HeaderValue::from_str(&text.escape_default().to_string()));
        if let Ok(value) = value {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    headers.insert(HeaderName::from_static("x-openclaw-attempts"), HeaderValue::from(attempts));
}
