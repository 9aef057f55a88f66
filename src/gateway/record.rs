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

use crate::clock::Stopwatch;
use crate::core::failure::FailureClass;
use crate::gateway::Gateway;
use crate::gateway::log::{Field, Level};
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
        let id = HeaderValue::from_str(&record.id).ok();
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
    id: String,
    watch: Stopwatch,
    is_finished: bool,
}

impl Record {
    fn begin(gateway: &Arc<Gateway>, entrance: Entrance) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        gateway.numbers.begun.one();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let id = format!("{}-{number}", gateway.name);
        Self { gateway: Arc::clone(gateway), entrance, id, watch: Stopwatch::start(), is_finished: false }
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
                ("id", Field::Text(&self.id)),
                ("surface", Field::Text(entrance)),
                ("outcome", Field::Text(ending)),
                ("ms", Field::Milliseconds(self.watch.elapsed())),
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
            told.map(pick).filter(|text| !text.is_empty()).map_or(Field::Absent, Field::Text)
        };
        let some = |number: u64| if number == 0 { Field::Absent } else { Field::Number(number) };
        let level =
            if matches!(ending, Ending::Answered | Ending::Cancelled) { Level::Info } else { Level::Warning };
        gateway.log.event(
            level,
            "request",
            &[
                ("id", Field::Text(&self.record.id)),
                ("surface", Field::Text(entrance.word())),
                ("provider", text(|told| &told.provider)),
                ("model", text(|told| &told.model)),
                ("profile", text(|told| &told.profile)),
                ("attempts", told.map_or(Field::Absent, |told| Field::Number(told.attempts as u64))),
                ("status", Field::Number(self.status.as_u16().into())),
                ("outcome", Field::Text(ending.word())),
                ("class", class.map_or(Field::Absent, |class| Field::Text(class.word()))),
                ("first_ms", self.first.map_or(Field::Absent, Field::Milliseconds)),
                ("ms", Field::Milliseconds(whole)),
                ("bytes", Field::Number(self.bytes)),
                ("tokens_in", some(tokens.received)),
                ("tokens_out", some(tokens.sent)),
            ],
        );
    }
}

/// How far the end of a stream that broke off has been told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Breaking {
    No,
    /// What has come so far must leave before the connection is cut.
    Leaving,
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
            Breaking::Leaving => {
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
            Poll::Ready(Some(Err(_))) => {
                this.follower.finish(Some(Ending::Broken));
                this.breaking = Breaking::Leaving;
                let surface = this.follower.record.entrance.surface();
                match surface.filter(|_| this.follower.is_stream) {
                    Some(surface) => Poll::Ready(Some(Ok(Frame::data(reply::broken_stream(surface))))),
                    None => self.poll_frame(context),
                }
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
