//! Answers on their way to a client: passed on, or said in its words.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use crate::core::secret::Secret;
use crate::core::upstream::Surface;
use crate::format::dialect::Stream;
use crate::gateway::reply;

/// The largest whole answer that is translated.
const LARGEST_ANSWER: usize = 64 * 1024 * 1024;

/// Reads an answer to its end.
pub(super) async fn whole(body: reqwest::Body) -> Result<Bytes, String> {
    let read = Limited::new(body, LARGEST_ANSWER).collect().await;
    read.map(http_body_util::Collected::to_bytes)
        .map_err(|error| format!("its answer broke off or has more than 64 MiB ({error})"))
}

/// Text without secrets: providers repeat them at times.
pub(super) fn redacted<'s>(text: String, secrets: impl Iterator<Item = &'s Secret>) -> String {
    secrets.fold(text, |text, secret| {
        let secret = secret.expose().trim();
        // What is this short is a word, and no secret.
        if secret.len() < 8 { text } else { text.replace(secret, "****") }
    })
}

/// A stream in the client's words.
pub(super) struct Spoken {
    pub(super) rest: reqwest::Body,
    pub(super) stream: Stream,
    /// What can be sent.
    pub(super) ready: Vec<u8>,
    pub(super) secrets: Vec<Secret>,
}

impl Spoken {
    fn take_ready(&mut self) -> Option<Bytes> {
        if self.ready.is_empty() {
            return None;
        }
        let ready = std::mem::take(&mut self.ready);
        if self.stream.failure().is_none() {
            return Some(ready.into());
        }
        let text = String::from_utf8_lossy(&ready).into_owned();
        Some(redacted(text, self.secrets.iter()).into())
    }
}

impl HttpBody for Spoken {
    type Data = Bytes;
    type Error = reqwest::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, reqwest::Error>>> {
        loop {
            let this = &mut *self;
            if let Some(ready) = this.take_ready() {
                return Poll::Ready(Some(Ok(Frame::data(ready))));
            }
            if this.stream.is_over() {
                // A connection whose last bytes have been read can serve again.
                let _ = Pin::new(&mut this.rest).poll_frame(context);
                return Poll::Ready(None);
            }
            match Pin::new(&mut this.rest).poll_frame(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(frame))) => {
                    if let Some(data) = frame.data_ref() {
                        this.stream.push(data, &mut this.ready);
                    }
                }
                Poll::Ready(None | Some(Err(_))) => this.stream.end(&mut this.ready),
            }
        }
    }
}

/// An answer that is passed on: its first piece and what follows it.
pub(super) struct Passed {
    first: Option<Frame<Bytes>>,
    rest: reqwest::Body,
    /// The surface of a stream of events, which can tell that it breaks off.
    told_on: Option<Surface>,
    /// Whether an event may begin here.
    is_between_events: bool,
}

impl Passed {
    pub(super) fn new(first: Option<Frame<Bytes>>, rest: reqwest::Body, told_on: Option<Surface>) -> Self {
        Self { first, rest, told_on, is_between_events: true }
    }
}

impl HttpBody for Passed {
    type Data = Bytes;
    type Error = reqwest::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, reqwest::Error>>> {
        let frame = match self.first.take() {
            Some(first) => Some(Ok(first)),
            None => match Pin::new(&mut self.rest).poll_frame(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(frame) => frame,
            },
        };
        if let Some(data) = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()) {
            self.is_between_events = data.ends_with(b"\n\n") || data.ends_with(b"\n\r\n");
        }
        // Amid an event nothing can be told: there the connection breaks off too.
        match (frame, self.told_on.filter(|_| self.is_between_events)) {
            (Some(Err(_)), Some(surface)) => {
                self.told_on = None;
                self.rest = reqwest::Body::from("");
                let told = reply::event_of_failure(surface, "the provider's stream failed: it broke off");
                Poll::Ready(Some(Ok(Frame::data(told.into()))))
            }
            (frame, _) => Poll::Ready(frame),
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
