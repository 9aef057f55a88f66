//! Serving HTTP to whoever comes: half-sent requests end, connections are bounded, and a stop lets answers finish.

use std::convert::Infallible;
use std::net::TcpListener;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Request, Response};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::KeepAlive;
#[cfg(any(target_os = "linux", target_os = "android"))]
use nix::sys::socket::sockopt::{TcpKeepIdle, TcpKeepInterval};
use tokio::sync::{Semaphore, watch};
use tokio::time::Sleep;

use crate::sys::guests::{Guest, Guests};

/// How long the head of a request may take, and how long a connection may wait for its next one.
const HEAD_LIMIT: Duration = Duration::from_secs(30);
/// How long a piece of a request may let the others wait.
const PIECE_LIMIT: Duration = Duration::from_secs(30);
/// How long all pieces of a request may take together.
const BODY_LIMIT: Duration = Duration::from_mins(5);
/// How long to wait before accepting again after an error: out of file handles, most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// After how long in s the system asks a silent client whether it is still there, and how often then.
#[cfg(any(target_os = "linux", target_os = "android"))]
const SILENCE_S: u32 = 15;
/// How long to wait before looking again for somebody who only holds a seat.
const FULL_PAUSE: Duration = Duration::from_millis(100);
/// The most that the head of a request may hold.
const LARGEST_HEAD: usize = 64 * 1024;

/// What a server bears.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at a time. For who comes later one without a request under way is ended; when there is none, he waits.
    pub connections: usize,
    /// How long answers may still take after a stop.
    pub drain: Duration,
}

/// What answers.
pub trait App: Clone + Send + Sync + 'static {
    /// Answers one request.
    fn answer(&self, request: Request<Body>) -> impl Future<Output = Response<Body>> + Send;
}

/// Whether a server is to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It serves.
    No,
    /// It finishes what it has begun.
    Drain,
    /// It ends.
    Now,
}

/// Serves until it is to stop, then until every answer is finished, the drain's limit has passed, or it is to end now.
/// Tells whether every answer was finished.
pub async fn serve(
    listeners: Vec<TcpListener>,
    app: impl App,
    limits: Limits,
    guests: Arc<Guests>,
    mut stop: watch::Receiver<Stop>,
) -> std::io::Result<bool> {
    guests.set_room(limits.connections);
    let open = Arc::new(GracefulShutdown::new());
    let hall =
        Hall { app, permits: Arc::new(Semaphore::new(limits.connections)), guests, stop: stop.clone() };
    let mut accepting = Vec::new();
    for listener in listeners {
        listener.set_nonblocking(true)?;
        notice_the_dead(&listener);
        let listener = tokio::net::TcpListener::from_std(listener)?;
        accepting.push(tokio::spawn(accept(listener, hall.clone(), Arc::clone(&open))));
    }
    drop(hall);
    for task in accepting {
        // A task that panicked has stopped accepting; the answers of the others still count.
        drop(task.await);
    }
    let Some(open) = Arc::into_inner(open) else { return Ok(false) };
    tokio::select! {
        () = open.shutdown() => Ok(true),
        () = tokio::time::sleep(limits.drain) => Ok(false),
        _ = stop.wait_for(|stop| *stop == Stop::Now) => Ok(false),
    }
}

/// Lets the system ask clients that say nothing whether they are still there: a machine that went away without a word
/// would hold its seat, and its provider, for ever. What is accepted inherits it.
fn notice_the_dead(listener: &TcpListener) {
    // Where the system cannot do it, writing to them fails after a while.
    let _ = setsockopt(listener, KeepAlive, &true);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        let _ = setsockopt(listener, TcpKeepIdle, &SILENCE_S);
        let _ = setsockopt(listener, TcpKeepInterval, &SILENCE_S);
    }
}

/// What every accepting task needs.
#[derive(Clone)]
struct Hall<A> {
    app: A,
    permits: Arc<Semaphore>,
    guests: Arc<Guests>,
    stop: watch::Receiver<Stop>,
}

async fn accept<A: App>(listener: tokio::net::TcpListener, mut hall: Hall<A>, open: Arc<GracefulShutdown>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = hall.stop.wait_for(|stop| *stop != Stop::No) => return,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let permit = loop {
            // Somebody who only holds a seat leaves it to who wants something.
            if hall.permits.available_permits() == 0 {
                hall.guests.end_an_idle_one();
            }
            tokio::select! {
                permit = Arc::clone(&hall.permits).acquire_owned() => break permit,
                _ = hall.stop.wait_for(|stop| *stop != Stop::No) => return,
                () = tokio::time::sleep(FULL_PAUSE) => {}
            }
        };
        // Pieces of a stream must not wait for each other.
        drop(stream.set_nodelay(true));
        let guest = hall.guests.welcome();
        let (app, serving) = (hall.app.clone(), guest.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            let (app, visit) = (app.clone(), Visit::begin(&serving));
            async move {
                let answer = app.answer(request.map(|body| Body::new(Timed::new(body)))).await;
                Ok::<_, Infallible>(answer.map(|body| Attended { body, _visit: visit }))
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_LIMIT)
            .max_buf_size(LARGEST_HEAD)
            .serve_connection(TokioIo::new(stream), service);
        let connection = open.watch(connection);
        tokio::spawn(async move {
            let _permit = permit;
            tokio::select! {
                // Whoever hangs up has seen enough.
                ended = connection => drop(ended),
                () = guest.is_asked_to_leave() => {}
            }
        });
    }
}

/// A request under way.
struct Visit(Arc<Guest>);

impl Visit {
    fn begin(guest: &Arc<Guest>) -> Self {
        guest.begins();
        Self(Arc::clone(guest))
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.0.rests();
    }
}

/// An answer whose connection is busy until its last byte.
struct Attended {
    body: Body,
    _visit: Visit,
}

impl HttpBody for Attended {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A request whose next piece must come in time, and its last one too.
struct Timed {
    body: Incoming,
    waiting: Option<Pin<Box<Sleep>>>,
    /// Runs from the first time that a piece was not there yet.
    whole: Option<Pin<Box<Sleep>>>,
}

impl Timed {
    fn new(body: Incoming) -> Self {
        Self { body, waiting: None, whole: None }
    }
}

impl HttpBody for Timed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let late = || Some(Err(axum::Error::new(std::io::Error::from(std::io::ErrorKind::TimedOut))));
        let is_over =
            |limit: &mut Pin<Box<Sleep>>, context: &mut Context<'_>| limit.as_mut().poll(context).is_ready();
        if self.whole.as_mut().is_some_and(|whole| is_over(whole, context)) {
            return Poll::Ready(late());
        }
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.waiting = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(axum::Error::new)));
        }
        let this = &mut *self;
        let waiting = this.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(PIECE_LIMIT)));
        let whole = this.whole.get_or_insert_with(|| Box::pin(tokio::time::sleep(BODY_LIMIT)));
        if is_over(waiting, context) || is_over(whole, context) {
            return Poll::Ready(late());
        }
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
