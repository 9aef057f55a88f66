//! What is remembered of one request until its last byte: then it is counted, and told in one line of the log. Bodies are
//! counted as they pass, never kept.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use serde_json::Value;

use crate::clock::Stopwatch;
use crate::core::failure::FailureClass;
use crate::gateway::Gateway;
use crate::gateway::log::Level;
use crate::gateway::numbers::{Ending, Entrance, OfProvider};
use crate::gateway::reply;
use crate::gateway::tokens::Counting;
use crate::sys::http_server::App;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-openclaw-request-id");
const ANY_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What the way of a request to its answer tells of it; it travels with the answer.
#[derive(Clone, Debug)]
pub(super) struct Told {
    /// The provider that served it, or the last that failed.
    pub(super) provider: String,
    pub(super) model: String,
    pub(super) profile: String,
    /// How many providers were asked.
    pub(super) attempts: usize,
    /// Why it failed; `None` when it was served, or its provider has found the request itself wrong.
    pub(super) class: Option<FailureClass>,
}

/// The outermost part of the gateway: every request and every answer passes it.
#[derive(Clone)]
pub(super) struct Front {
    gateway: Arc<Gateway>,
    router: TowerToHyperService<Router>,
}

impl Front {
    pub(super) fn new(gateway: Arc<Gateway>, router: Router) -> Self {
        Self { gateway, router: TowerToHyperService::new(router) }
    }
}

impl App for Front {
    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let is_read = request.method() == Method::GET || request.method() == Method::HEAD;
        let record = Record::begin(&self.gateway, Entrance::of(request.uri().path()));
        let Ok(mut answer) = self.router.call(request).await;
        let id = HeaderValue::from_maybe_shared(Bytes::from(record.id())).ok();
        if let Some(id) = id {
            if !answer.headers().contains_key(ANY_REQUEST_ID) {
                answer.headers_mut().insert(ANY_REQUEST_ID, id.clone());
            }
            answer.headers_mut().insert(REQUEST_ID, id);
        }
        // Whether the gateway lives is asked all the time: only what goes wrong there is worth a line.
        if record.entrance.surface().is_none() && is_read && answer.status().is_success() {
            return answer;
        }
        record.answered(answer)
    }
}

/// One request.
struct Record {
    gateway: Arc<Gateway>,
    entrance: Entrance,
    number: u64,
    watch: Stopwatch,
    is_finished: bool,
}

impl Record {
    fn begin(gateway: &Arc<Gateway>, entrance: Entrance) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        gateway.numbers.begun.one();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self { gateway: Arc::clone(gateway), entrance, number, watch: Stopwatch::start(), is_finished: false }
    }

    fn id(&self) -> String {
        format!("{}-{}", self.gateway.name, self.number)
    }

    /// Follows an answer to its end.
    fn answered(self, mut answer: Response<Body>) -> Response<Body> {
        let told = answer.extensions_mut().remove::<Told>();
        let status = answer.status();
        let is_stream = answer
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
        let numbers = &self.gateway.numbers;
        let provider =
            told.as_ref().map_or_else(|| numbers.nobody(), |told| numbers.provider(&told.provider));
        let is_counted = status.is_success() && self.entrance.surface().is_some();
        answer.map(|inner| {
            let expected = inner.size_hint().exact();
            Body::new(Followed {
                inner,
                expected,
                follower: Follower {
                    record: self,
                    told,
                    provider,
                    status,
                    is_stream,
                    tokens: is_counted.then(Counting::default),
                    first: None,
                    bytes: 0,
                },
                breaking: Breaking::No,
            })
        })
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.gateway.numbers.finished.one();
        // Its client went away before there was an answer.
        if !self.is_finished && self.entrance.surface().is_some() {
            self.gateway.numbers.nobody().ended(self.entrance, Ending::Cancelled);
            let (entrance, ending) = (self.entrance.word(), Ending::Cancelled.word());
            let members = [
                ("id", self.id().into()),
                ("surface", entrance.into()),
                ("outcome", ending.into()),
                ("ms", milliseconds(self.watch.elapsed())),
            ];
            self.gateway.log.event(Level::Info, "request", &members);
        }
    }
}

/// What follows an answer.
struct Follower {
    record: Record,
    told: Option<Told>,
    provider: Arc<OfProvider>,
    status: StatusCode,
    is_stream: bool,
    tokens: Option<Counting>,
    first: Option<Duration>,
    bytes: u64,
}

impl Follower {
    fn see(&mut self, data: &[u8]) {
        self.bytes += data.len() as u64;
        if self.first.is_none() {
            self.first = Some(self.record.watch.elapsed());
        }
        if let Some(tokens) = &mut self.tokens {
            tokens.see(data);
        }
    }

    fn finish(&mut self, broken_or_cancelled: Option<Ending>) {
        if std::mem::replace(&mut self.record.is_finished, true) {
            return;
        }
        let (gateway, entrance) = (&self.record.gateway, self.record.entrance);
        let class = self.told.as_ref().and_then(|told| told.class);
        let ending = broken_or_cancelled.unwrap_or(match (self.status, class) {
            (status, _) if status.is_success() => Ending::Answered,
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, None) if self.told.is_none() => Ending::Denied,
            (status, None) if status.is_client_error() => Ending::Invalid,
            _ => Ending::Failed,
        });
        let whole = self.record.watch.elapsed();
        self.provider.ended(entrance, ending);
        gateway.numbers.took(entrance, whole);
        if let Some(first) = self.first.filter(|_| self.is_stream && self.status.is_success()) {
            self.provider.first_token.observe(first);
        }
        let tokens = self.tokens.as_ref().map(Counting::found).unwrap_or_default();
        self.provider.tokens_in.add(tokens.received);
        self.provider.tokens_out.add(tokens.sent);
        let told = self.told.as_ref();
        let text = |pick: fn(&Told) -> &str| {
            told.map(pick).filter(|text| !text.is_empty()).map_or(Value::Null, Value::from)
        };
        let some = |number: u64| if number == 0 { Value::Null } else { number.into() };
        let level =
            if matches!(ending, Ending::Answered | Ending::Cancelled) { Level::Info } else { Level::Warning };
        gateway.log.event(
            level,
            "request",
            &[
                ("id", self.record.id().into()),
                ("surface", entrance.word().into()),
                ("provider", text(|told| &told.provider)),
                ("model", text(|told| &told.model)),
                ("profile", text(|told| &told.profile)),
                ("attempts", told.map_or(Value::Null, |told| told.attempts.into())),
                ("status", self.status.as_u16().into()),
                ("outcome", ending.word().into()),
                ("class", class.map_or(Value::Null, |class| class.word().into())),
                ("first_ms", self.first.map_or(Value::Null, milliseconds)),
                ("ms", milliseconds(whole)),
                ("bytes", self.bytes.into()),
                ("tokens_in", some(tokens.received)),
                ("tokens_out", some(tokens.sent)),
            ],
        );
    }
}

/// Milliseconds with three places.
fn milliseconds(span: Duration) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "µs of a request fit into the 53 bits of a double")]
    let ms = span.as_micros() as f64 / 1000.0;
    ms.into()
}

/// How far the end of a stream that broke off has been told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Breaking {
    No,
    /// The client has the event; it must leave before the connection is cut.
    Told,
    Cut,
}

/// An answer on its way to the client.
struct Followed {
    inner: Body,
    /// The length, where it is known from the beginning.
    expected: Option<u64>,
    follower: Follower,
    breaking: Breaking,
}

impl HttpBody for Followed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        match this.breaking {
            Breaking::No => {}
            Breaking::Told => {
                this.breaking = Breaking::Cut;
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Breaking::Cut => {
                let reason = "the provider broke off within its answer";
                return Poll::Ready(Some(Err(axum::Error::new(std::io::Error::other(reason)))));
            }
        }
        match Pin::new(&mut this.inner).poll_frame(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    this.follower.see(data);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                this.follower.finish(Some(Ending::Broken));
                let surface = this.follower.record.entrance.surface();
                let Some(surface) = surface.filter(|_| this.follower.is_stream) else {
                    return Poll::Ready(Some(Err(error)));
                };
                this.breaking = Breaking::Told;
                let event = reply::broken_stream(surface);
                Poll::Ready(Some(Ok(Frame::data(event))))
            }
            Poll::Ready(None) => {
                this.follower.finish(None);
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.breaking == Breaking::No && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        // The server asks for no end where the length is known.
        let is_whole = self.expected == Some(self.follower.bytes) || self.inner.is_end_stream();
        self.follower.finish((!is_whole).then_some(Ending::Cancelled));
    }
}
