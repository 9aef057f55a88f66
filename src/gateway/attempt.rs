//! One candidate of a request: what is sent to its provider, and what comes of the answer.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response};
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use crate::core::cooldown::{self, Blame, Used};
use crate::core::endpoint;
use crate::core::failure::{self, Endpoint, FailureClass};
use crate::core::model_ref::ModelRef;
use crate::core::probe::Carrier;
use crate::core::upstream::{self, OAUTH_BETA};
use crate::gateway::forward::Forward;
use crate::gateway::pool::Trial;
use crate::gateway::reply;
use crate::gateway::view::Candidate;
use crate::sys::http_client;

/// How long a provider may think before its answer begins (reference default of `timeoutSeconds`).
const HEAD_LIMIT: Duration = Duration::from_mins(10);
/// How long the body of a refusal may take.
const REFUSAL_LIMIT: Duration = Duration::from_secs(5);
/// Anthropic's API wants a version; this one is asked for when the client names none.
const ANTHROPIC_VERSION: &str = "2023-06-01";
/// Headers of a client that go on to the provider.
const SENT_ON: &[&str] = &["accept", "anthropic-beta", "anthropic-version", "content-type"];

/// What came of one candidate.
pub(super) enum Tried {
    Answered(Box<Response<Body>>),
    /// It cannot serve now; the next may.
    Failed(FailureClass, String, Option<i64>),
    /// No other credential would do better: the client has to mend its request.
    TheRequest(Box<Response<Body>>),
}

impl Forward<'_> {
    /// Asks the provider of a candidate.
    pub(super) async fn attempt(&mut self, candidate: Candidate, trial: Option<Trial>) -> Tried {
        let name = candidate.name.clone();
        let candidate = if candidate.is_due {
            match self.gateway.renewed(candidate, &self.view.workspace.agent.id).await {
                Ok(candidate) => candidate,
                Err(message) => {
                    return Tried::Failed(FailureClass::Expired, format!("{name}: {message}"), None);
                }
            }
        } else {
            candidate
        };
        let Ok(url) = endpoint::parse(&candidate.url) else {
            let message = format!("models.providers.{}.baseUrl is no address", candidate.model.provider);
            return Tried::Failed(FailureClass::Network, message, None);
        };
        let host = http_client::host_of(&url);
        self.attempts += 1;
        let body = match self.asked.model.as_deref() {
            Some(asked) if asked == candidate.model.model => self.body.clone(),
            _ => self.asked.with_model(&self.body, &candidate.model.model).into(),
        };
        let Ok(headers) = self.upstream_headers(&candidate) else {
            return Tried::Failed(
                FailureClass::Auth,
                format!("{name}: holds what no header can carry"),
                None,
            );
        };
        let sent = self.gateway.upstream.post(url, headers, body, HEAD_LIMIT).await;
        let answer = match sent {
            Ok(answer) => answer,
            Err(failure) => {
                return self.failed(&candidate, failure.class(), format!("{name}: {failure}"), None);
            }
        };
        if !answer.status().is_success() {
            return self.refused(&candidate, answer, &host).await;
        }
        self.succeeded(&candidate, answer, trial, &host).await
    }

    /// Remembers a failure and says whether the next candidate may help.
    fn failed(
        &self,
        candidate: &Candidate,
        class: FailureClass,
        message: String,
        retry_after: Option<i64>,
    ) -> Tried {
        if let Some((holder, _)) = &candidate.holder {
            let used = Used::Failed(class, retry_after);
            self.gateway.pool.record(holder.clone(), &candidate.model.provider, used, self.now());
        }
        self.gateway.log(&format!("{} for {}: {}", message, candidate.model.key(), class.word()));
        Tried::Failed(class, message, retry_after)
    }

    async fn refused(&self, candidate: &Candidate, answer: reqwest::Response, host: &str) -> Tried {
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = http_client::whole(answer, REFUSAL_LIMIT).await;
        let failure = self.classified(candidate, status.as_u16(), &headers, &body);
        let message = format!("{}: {host} answered {}", candidate.name, status.as_u16());
        if cooldown::blame(failure.class) == Blame::Request {
            // The client knows best what its own request lacks; what the provider repeats of the credential goes.
            let secret = candidate.secret.expose().trim();
            let body = if secret.is_empty() { body } else { body.replace(secret, "****") };
            let mut answer = Response::new(Body::from(body));
            *answer.status_mut() = status;
            *answer.headers_mut() = reply::passed_on(&headers, &candidate.secret);
            self.sign(&mut answer, candidate);
            return Tried::TheRequest(Box::new(answer));
        }
        self.failed(candidate, failure.class, message, failure.retry_after_ms)
    }

    fn classified(
        &self,
        candidate: &Candidate,
        status: u16,
        headers: &HeaderMap,
        body: &str,
    ) -> failure::Failure {
        let told: Vec<_> = ["retry-after", "retry-after-ms"]
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), headers.get(*name)?.to_str().ok()?.to_owned())))
            .collect();
        let response = failure::Response {
            endpoint: Endpoint::Api,
            provider: &candidate.model.provider,
            status,
            headers: &told,
            body,
        };
        failure::classify(&response, self.now())
            .unwrap_or(failure::Failure { class: FailureClass::Unknown, retry_after_ms: None })
    }

    /// Looks at the first piece before it goes to the client: after it nothing can be tried again.
    async fn succeeded(
        &self,
        candidate: &Candidate,
        answer: reqwest::Response,
        trial: Option<Trial>,
        host: &str,
    ) -> Tried {
        let (status, headers) = (answer.status(), answer.headers().clone());
        let (_, mut rest) = axum::http::Response::<reqwest::Body>::from(answer).into_parts();
        let first = match rest.frame().await {
            Some(Err(_)) => {
                let message = format!("{}: {host} broke off before its answer began", candidate.name);
                return self.failed(candidate, FailureClass::Network, message, None);
            }
            Some(Ok(frame)) => Some(frame),
            None => None,
        };
        let text = first.as_ref().and_then(Frame::data_ref).and_then(|data| std::str::from_utf8(data).ok());
        if let Some(error) = text.filter(|_| self.asked.is_streamed).and_then(streamed_error) {
            let failure = self.classified(candidate, 500, &headers, error);
            let message = format!("{}: {host} began its stream with an error", candidate.name);
            return self.failed(candidate, failure.class, message, failure.retry_after_ms);
        }
        if let Some((holder, _)) = &candidate.holder {
            self.gateway.pool.record(holder.clone(), &candidate.model.provider, Used::Worked, self.now());
        }
        drop(trial);
        let mut answer = Response::new(Body::new(Whole { first, rest }));
        *answer.status_mut() = status;
        *answer.headers_mut() = reply::passed_on(&headers, &candidate.secret);
        self.sign(&mut answer, candidate);
        Tried::Answered(Box::new(answer))
    }

    fn sign(&self, answer: &mut Response<Body>, candidate: &Candidate) {
        let ModelRef { provider, model } = &candidate.model;
        reply::sign(answer.headers_mut(), &candidate.name, provider, model, self.attempts);
    }

    fn upstream_headers(
        &self,
        candidate: &Candidate,
    ) -> Result<HeaderMap, axum::http::header::InvalidHeaderValue> {
        let mut headers = HeaderMap::new();
        for name in SENT_ON {
            for value in self.headers.get_all(*name) {
                headers.append(HeaderName::from_static(name), value.clone());
            }
        }
        if self.surface.is_anthropic() && !headers.contains_key("anthropic-version") {
            headers.insert("anthropic-version", HeaderValue::from_static(ANTHROPIC_VERSION));
        }
        let (carrier, wants_beta) = upstream::carried(self.surface, &candidate.material, &candidate.secret);
        if wants_beta {
            headers.append("anthropic-beta", HeaderValue::from_static(OAUTH_BETA));
        }
        let secret = candidate.secret.expose().trim();
        let (name, value) = match carrier {
            Carrier::Bearer => ("authorization", format!("Bearer {secret}")),
            Carrier::Header(name) => (name, secret.to_owned()),
        };
        let mut value = HeaderValue::from_str(&value)?;
        value.set_sensitive(true);
        headers.insert(HeaderName::from_static(name), value);
        Ok(headers)
    }
}

/// The error with which a stream of events begins.
fn streamed_error(piece: &str) -> Option<&str> {
    let first = piece.trim_start().split("\n\n").next()?;
    let data = first.lines().find_map(|line| line.strip_prefix("data:"))?.trim();
    let is_named =
        first.lines().any(|line| line.trim_end() == "event: error" || line.trim_end() == "event:error");
    let says_error = data.starts_with("{\"error\"") || data.starts_with("{\"type\":\"error\"");
    (is_named || says_error).then_some(data)
}

/// The first piece of an answer and what follows it.
struct Whole {
    first: Option<Frame<Bytes>>,
    rest: reqwest::Body,
}

impl HttpBody for Whole {
    type Data = Bytes;
    type Error = reqwest::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, reqwest::Error>>> {
        match self.first.take() {
            Some(first) => Poll::Ready(Some(Ok(first))),
            None => Pin::new(&mut self.rest).poll_frame(context),
        }
    }

    fn size_hint(&self) -> SizeHint {
        let first = self.first.as_ref().and_then(Frame::data_ref).map_or(0, Bytes::len) as u64;
        match self.rest.size_hint().exact() {
            Some(rest) => SizeHint::with_exact(first + rest),
            None => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::streamed_error;

    #[test]
    fn a_stream_that_begins_with_an_error_is_seen() {
        let anthropic =
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n";
        assert!(streamed_error(anthropic).unwrap().contains("overloaded_error"));
        assert!(streamed_error("data: {\"error\":{\"message\":\"x\"}}\n\ndata: [DONE]\n\n").is_some());
        for fine in [
            "event: message_start\ndata: {\"type\":\"message_start\"}\n\n",
            "data: {\"id\":\"error\"}\n\n",
            ": ping\n\n",
            "",
        ] {
            assert_eq!(streamed_error(fine), None, "{fine}");
        }
    }
}
