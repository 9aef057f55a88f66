//! Answers on their way to a client: passed on, or said in its words.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use crate::core::secret::Secret;
use crate::format::dialect::Stream;
use crate::gateway::reply::SHORTEST_SECRET;

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
        if secret.len() < SHORTEST_SECRET { text } else { text.replace(secret, "****") }
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

/// A provider broke off within its answer; the client hears of it where every answer is followed.
#[derive(Debug, thiserror::Error)]
#[error("the provider broke off within its answer")]
pub(super) struct BrokeOff;

impl HttpBody for Spoken {
    type Data = Bytes;
    type Error = BrokeOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokeOff>>> {
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
                Poll::Ready(None | Some(Err(_))) => {
                    this.stream.end(&mut this.ready);
                    if this.stream.failure().is_some() {
                        this.ready.clear();
                        return Poll::Ready(Some(Err(BrokeOff)));
                    }
                }
            }
        }
    }
}

/// An answer that is passed on: its first piece and what follows it.
pub(super) struct Passed {
    pub(super) first: Option<Frame<Bytes>>,
    pub(super) rest: reqwest::Body,
}

impl HttpBody for Passed {
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
