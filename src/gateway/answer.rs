//! The answer of a provider that took the request: looked at before the client gets anything of it, then passed on or
//! said in the client's words.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Response, header};
use http_body_util::BodyExt;
use hyper::body::Frame;
use serde_json::{Value, json};

use crate::core::cooldown::Used;
use crate::core::failure::FailureClass;
use crate::core::upstream::ApiKind;
use crate::format::dialect::neutral::Trouble;
use crate::format::dialect::{self, Stream};
use crate::gateway::attempt::{self, Sent, Tried};
use crate::gateway::forward::Forward;
use crate::gateway::pool::Trial;
use crate::gateway::reply;
use crate::gateway::translated::{self, Passed, Spoken};
use crate::gateway::view::Candidate;

/// How long the first piece of a stream may take, and an answer that is translated whole.
const BEGIN_LIMIT: Duration = Duration::from_mins(10);

/// What a client gets, and its content type when it is not the provider's.
type Told = (Body, Option<&'static str>);

impl Forward<'_> {
    pub(super) async fn succeeded(
        &self,
        candidate: &Candidate,
        answer: reqwest::Response,
        trial: Option<Trial>,
        host: &str,
        sent: &Sent,
    ) -> Tried {
        let (status, headers) = (answer.status(), answer.headers().clone());
        let (_, rest) = axum::http::Response::<reqwest::Body>::from(answer).into_parts();
        let answering = async {
            if candidate.way.kind == ApiKind::OpenaiCodexResponses && !self.asked.is_streamed {
                self.gathered(candidate, rest).await
            } else if candidate.way.kind.speaks(self.surface) {
                self.passed(rest).await
            } else if self.asked.is_streamed {
                self.spoken(candidate, rest, sent).await
            } else {
                self.translated(candidate, rest).await
            }
        };
        let Ok(begun) = tokio::time::timeout(BEGIN_LIMIT, answering).await else {
            let message = format!("{}: {host} did not go on with its answer", candidate.name);
            return self.failed(candidate, FailureClass::Timeout, message, None);
        };
        let (body, content_type) = match begun {
            Ok(begun) => begun,
            Err(Begun::Broken(what)) => {
                let message = format!("{}: {host}: {what}", candidate.name);
                return self.failed(candidate, FailureClass::Network, message, None);
            }
            Err(Begun::Malformed(what)) => {
                let message = format!("{}: the answer of {host} is none: {what}", candidate.name);
                return self.failed(candidate, FailureClass::Malformed, message, None);
            }
            Err(Begun::Failed(error)) => {
                let failure = self.classified(candidate, 500, &headers, &error);
                let message = format!("{}: {host} began its stream with an error", candidate.name);
                let failed = self.failed(candidate, failure.class, message, failure.retry_after_ms);
                return failed.quoting(&dialect::trouble(candidate.way.kind, &error).message, candidate);
            }
        };
        if let Some((holder, _)) = &candidate.holder {
            self.gateway.pool.record(holder.clone(), &candidate.model.provider, Used::Worked, self.now());
        }
        drop(trial);
        let mut answer = Response::new(body);
        *answer.status_mut() = status;
        *answer.headers_mut() = reply::passed_on(&headers, attempt::secrets(candidate));
        if let Some(content_type) = content_type {
            answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        if let Ok(dropped) = HeaderValue::from_str(&sent.dropped.join(", "))
            && !dropped.is_empty()
        {
            answer.headers_mut().insert("x-openclaw-dropped", dropped);
        }
        self.sign(&mut answer, candidate);
        Tried::Answered(Box::new(answer))
    }

    /// Looks at the first piece before it goes to the client: after it nothing can be tried again.
    async fn passed(&self, mut rest: reqwest::Body) -> Result<Told, Begun> {
        let first = match rest.frame().await {
            Some(Err(_)) => return Err(Begun::broken()),
            Some(Ok(frame)) => Some(frame),
            None => None,
        };
        let text = first.as_ref().and_then(Frame::data_ref).and_then(|data| std::str::from_utf8(data).ok());
        if let Some(error) = text.filter(|_| self.asked.is_streamed).and_then(streamed_error) {
            return Err(Begun::Failed(error.to_owned()));
        }
        Ok((Body::new(Passed { first, rest }), None))
    }

    /// The same for a stream that is translated: it has begun when something of the answer is there.
    async fn spoken(
        &self,
        candidate: &Candidate,
        mut rest: reqwest::Body,
        sent: &Sent,
    ) -> Result<Told, Begun> {
        let created = self.now() / 1000;
        let mut stream = Stream::new(candidate.way.kind, self.surface, created, sent.wants_usage);
        let mut ready = Vec::new();
        while !stream.has_begun() && !stream.is_over() {
            match rest.frame().await {
                Some(Err(_)) => return Err(Begun::broken()),
                None => stream.end(&mut ready),
                Some(Ok(frame)) => {
                    if let Some(data) = frame.data_ref() {
                        stream.push(data, &mut ready);
                    }
                }
            }
        }
        if let Some(Trouble { kind, message }) = stream.failure() {
            return Err(Begun::Failed(json!({"error": {"type": kind, "message": message}}).to_string()));
        }
        let secrets = attempt::secrets(candidate).cloned().collect();
        Ok((Body::new(Spoken { rest, stream, ready, secrets }), Some("text/event-stream; charset=utf-8")))
    }

    async fn translated(&self, candidate: &Candidate, rest: reqwest::Body) -> Result<Told, Begun> {
        let answer = translated::whole(rest).await.map_err(Begun::Broken)?;
        let reply = dialect::read_reply(candidate.way.kind, &answer);
        let reply = reply.map_err(|malformed| Begun::Malformed(malformed.0))?;
        let document = dialect::write_reply(self.surface, &reply, self.now() / 1000);
        Ok((body_of(&document), Some("application/json")))
    }

    /// One answer of a provider that answers in pieces only.
    async fn gathered(&self, candidate: &Candidate, rest: reqwest::Body) -> Result<Told, Begun> {
        let answer = dialect::gather(&translated::whole(rest).await.map_err(Begun::Broken)?);
        let answer = answer.map_err(|Trouble { kind, message }| {
            Begun::Failed(json!({"error": {"type": kind, "message": message}}).to_string())
        })?;
        if candidate.way.kind.speaks(self.surface) {
            return Ok((body_of(&answer), Some("application/json")));
        }
        let reply = dialect::read_document(candidate.way.kind, &answer);
        let reply = reply.map_err(|malformed| Begun::Malformed(malformed.0))?;
        let document = dialect::write_reply(self.surface, &reply, self.now() / 1000);
        Ok((body_of(&document), Some("application/json")))
    }
}

fn body_of(document: &Value) -> Body {
    // `to_string` of a document is slower by far.
    Body::from(serde_json::to_vec(document).unwrap_or_default())
}

/// Why an answer did not begin.
enum Begun {
    Broken(String),
    /// The error that came in its place, as JSON.
    Failed(String),
    Malformed(&'static str),
}

impl Begun {
    fn broken() -> Self {
        Self::Broken("broke off before its answer began".to_owned())
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
