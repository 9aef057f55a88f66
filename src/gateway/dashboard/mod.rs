//! The status page at `/`: a document that is drawn here, a form in front of it, and news as they come.

mod visitors;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use axum::routing::{get, post};
use hyper::body::{Body as HttpBody, Frame};
use tokio::sync::{mpsc, watch};

use crate::core;
use crate::core::credential::EpochMs;
use crate::core::failure::FailureClass;
use crate::core::secret::Secret;
use crate::core::span::SECOND;
use crate::core::upstream::Surface;
use crate::gateway::Gateway;
use crate::gateway::access::local_only;
use crate::gateway::reply::{Refusal, json_answer};
use crate::gateway::sessions::Sessions;
use crate::process::Process;
use crate::render::web::{self, Around, Event, Session};
use crate::sys::random;
use crate::workspace::monitor_state::StateFile;
use visitors::Visitors;

/// How often the page hears that the gateway is there.
const BEAT: Duration = Duration::from_secs(10);
/// How long a form may take to come.
const FORM_LIMIT: Duration = Duration::from_secs(10);
/// The most bytes that a form may have.
const LARGEST_FORM: usize = 4096;
/// The header in which the script proves that it is ours.
const PROOF: &str = "x-openclaw-csrf";
/// What is told at most of what people were told.
const ALERTS: usize = 10;
/// So many of the last failovers are shown.
const MOVES: usize = 10;
/// So many sessions are shown.
const SESSIONS: usize = 20;
/// The length of a proof, in bytes.
const PROOF_LENGTH: usize = 32;

/// What the page needs of a gateway from one request to the next.
pub(super) struct Desk {
    visitors: Visitors,
    news: watch::Sender<News>,
    /// The proof where there is no token and so nobody signs in.
    csrf: Secret,
    /// What the host calls itself.
    host: String,
    /// When another credential had to be tried, oldest first.
    moves: Mutex<VecDeque<Event>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    Changed,
    Over,
}

impl Desk {
    /// A desk that nobody has come to yet.
    pub(super) fn new(process: &Process) -> std::io::Result<Self> {
        Ok(Self {
            visitors: Visitors::default(),
            news: watch::Sender::new(News::Changed),
            csrf: random::hex(PROOF_LENGTH)?,
            host: process.host_name(),
            moves: Mutex::default(),
        })
    }

    /// Remembers that another credential had to be tried.
    pub(super) fn note_move(&self, from: &str, class: FailureClass, to: &str, at: EpochMs) {
        let what = format!("from {from} to {to}: {}", class.entry().2);
        let mut moves = self.moves.lock().unwrap_or_else(PoisonError::into_inner);
        if moves.len() >= MOVES {
            moves.pop_front();
        }
        moves.push_back(Event { at, what });
    }

    /// The last of them, newest first.
    fn moves(&self) -> Vec<Event> {
        let moves = self.moves.lock().unwrap_or_else(PoisonError::into_inner);
        moves.iter().rev().cloned().collect()
    }

    /// Tells open pages that the host has changed.
    pub(super) fn tell_change(&self) {
        self.news.send_replace(News::Changed);
    }

    /// Lets go of open pages.
    pub(super) fn close(&self) {
        self.news.send_replace(News::Over);
    }
}

/// The paths of the page.
pub(super) fn router() -> Router<Arc<Gateway>> {
    Router::new()
        .route("/", get(page))
        .route("/live", get(live))
        .route("/events", get(events))
        .route("/login", get(ticket).post(login))
        .route("/logout", post(logout))
        .route("/api/ticket", post(make_ticket))
        .route("/style.css", get(async || file("text/css; charset=utf-8", web::STYLE)))
        .route("/page.js", get(async || file("text/javascript; charset=utf-8", web::SCRIPT)))
}

/// What a request to the page is allowed.
enum Visit {
    /// Anything: somebody of this host, where there is no token.
    Open(Secret),
    /// Anything, with a proof.
    SignedIn(Secret),
    /// To look: a program that shows the token.
    Program,
}

impl Gateway {
    /// Lets a request to an API in: with the token, or from the page of somebody who is signed in.
    pub(super) fn admits(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let refusal = match self.door().check(headers) {
            Ok(()) => return Ok(()),
            Err(refusal) => refusal,
        };
        let shown = headers.get(PROOF).and_then(|value| value.to_str().ok());
        match (self.visit(headers), shown) {
            (Ok(Visit::SignedIn(csrf)), Some(shown)) if csrf.is_shown_by(shown) => Ok(()),
            _ => Err(refusal),
        }
    }

    fn visit(&self, headers: &HeaderMap) -> Result<Visit, Refusal> {
        let door = self.door();
        let Some(secret) = &door.secret else {
            return local_only(headers).map(|()| Visit::Open(self.desk.csrf.clone()));
        };
        match self.desk.visitors.csrf(headers, secret, self.now()) {
            Some(csrf) => Ok(Visit::SignedIn(csrf)),
            None => door.check(headers).map(|()| Visit::Program),
        }
    }

    /// The sessions of all agents in use that were used last.
    fn recent_sessions(&self) -> Vec<Session> {
        let of = |(agent, sessions): (String, Arc<Sessions>)| {
            let named = move |(key, session): (String, core::session::Session)| Session {
                key: format!("{agent}: {key}"),
                model: session.chosen.or(session.last).map(|model| model.key()),
                profile: session.pinned,
                at: session.updated,
            };
            sessions.all().into_iter().map(named)
        };
        let mut sessions: Vec<_> = self.agents.all_sessions().into_iter().flat_map(of).collect();
        sessions.sort_by_key(|session| std::cmp::Reverse(session.at));
        sessions.truncate(SESSIONS);
        sessions
    }

    /// Everything that the page shows.
    fn around(&self, visit: &Visit, query: Option<&str>) -> Around {
        Around {
            host: self.desk.host.clone(),
            next: self.view().next(&self.pool, self.now()),
            alerts: told(self),
            moves: self.desk.moves(),
            sessions: self.recent_sessions(),
            csrf: match visit {
                Visit::Open(csrf) | Visit::SignedIn(csrf) => Some(csrf.expose().to_owned()),
                Visit::Program => None,
            },
            has_login: matches!(visit, Visit::SignedIn(_)),
            all: query.is_some_and(|query| query.split('&').any(|word| word == "all")),
            ..Around::default()
        }
    }
}

/// What people were told last.
fn told(gateway: &Gateway) -> Vec<Event> {
    let view = gateway.view();
    let state = StateFile::of(&view.workspace.paths, gateway.request.agent.as_deref()).read();
    let known = state.map(|state| state.incidents).unwrap_or_default();
    let mut events: Vec<_> = known
        .into_iter()
        .filter_map(|known| {
            let over = if known.is_open { "" } else { " (over)" };
            let what = format!("{}: {}{over}", known.incident.subject, known.incident.what);
            Some(Event { at: known.last_told?, what })
        })
        .collect();
    events.sort_by_key(|event| std::cmp::Reverse(event.at));
    events.truncate(ALERTS);
    events
}

async fn page(
    State(gateway): State<Arc<Gateway>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response<Body> {
    match gateway.visit(&headers) {
        Ok(visit) => drawn(&gateway, visit, query, web::render).await,
        Err(_) if gateway.door().secret.is_some() => {
            document(StatusCode::UNAUTHORIZED, web::render_login(&gateway.desk.host, None))
        }
        Err(refusal) => refusal.answer(Surface::ChatCompletions),
    }
}

async fn live(
    State(gateway): State<Arc<Gateway>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response<Body> {
    match gateway.visit(&headers) {
        Ok(visit) => drawn(&gateway, visit, query, web::render_live).await,
        Err(refusal) => refusal.answer(Surface::ChatCompletions),
    }
}

async fn drawn(
    gateway: &Arc<Gateway>,
    visit: Visit,
    query: Option<String>,
    render: fn(&crate::core::report::Report, &Around) -> String,
) -> Response<Body> {
    let gateway = Arc::clone(gateway);
    let drawn = tokio::task::spawn_blocking(move || {
        let around = gateway.around(&visit, query.as_deref());
        render(&gateway.view().page(&gateway.clock), &around)
    });
    match drawn.await {
        Ok(text) => document(StatusCode::OK, text),
        Err(_) => Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "api_error", "the page could not be drawn")
            .answer(Surface::ChatCompletions),
    }
}

async fn login(State(gateway): State<Arc<Gateway>>, headers: HeaderMap, body: Body) -> Response<Body> {
    let door = gateway.door();
    let Some(secret) = &door.secret else { return to_page(None) };
    let refused = |status, why: &str| document(status, web::render_login(&gateway.desk.host, Some(why)));
    if !is_of_this_page(&headers) {
        return refused(StatusCode::FORBIDDEN, "The form came from another page. Sign in here.");
    }
    let now = gateway.now();
    if let Some(seconds) = gateway.desk.visitors.closed_for(now) {
        let mut answer = refused(
            StatusCode::TOO_MANY_REQUESTS,
            &format!("Too many wrong tokens. Try again in {seconds} s."),
        );
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        return answer;
    }
    let Some(body) = form(body).await else {
        return refused(StatusCode::BAD_REQUEST, "The form was too long, or came too slowly.");
    };
    let token = url::form_urlencoded::parse(&body).find(|(name, _)| name == "token");
    if token.is_none_or(|(_, token)| !secret.is_shown_by(&token)) {
        gateway.desk.visitors.refuse(now);
        return refused(StatusCode::UNAUTHORIZED, "That is not the gateway's token.");
    }
    signed_in(&gateway, &headers, secret)
}

/// `GET /login?ticket=…`: what `openclaw dashboard --open` sends a browser to.
async fn ticket(
    State(gateway): State<Arc<Gateway>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response<Body> {
    let door = gateway.door();
    let Some(secret) = &door.secret else { return to_page(None) };
    let query = query.unwrap_or_default();
    let shown = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "ticket");
    match shown {
        Some((_, ticket)) if gateway.desk.visitors.takes(&ticket, secret, gateway.now()) => {
            signed_in(&gateway, &headers, secret)
        }
        Some(_) => {
            let why = "This link was good once, for half a minute. Sign in, or open a new one.";
            document(StatusCode::UNAUTHORIZED, web::render_login(&gateway.desk.host, Some(why)))
        }
        None => document(StatusCode::OK, web::render_login(&gateway.desk.host, None)),
    }
}

async fn make_ticket(State(gateway): State<Arc<Gateway>>, headers: HeaderMap) -> Response<Body> {
    let door = gateway.door();
    if let Err(refusal) = door.check(&headers) {
        return refusal.answer(Surface::ChatCompletions);
    }
    let ticket = match &door.secret {
        Some(secret) => gateway.desk.visitors.ticket(secret, gateway.now()).map(Some),
        None => Ok(None),
    };
    match ticket {
        Ok(ticket) => {
            let ticket = ticket.as_ref().map(Secret::expose);
            json_answer(StatusCode::OK, &serde_json::json!({ "ticket": ticket }))
        }
        Err(_) => no_randomness(),
    }
}

async fn logout(State(gateway): State<Arc<Gateway>>, headers: HeaderMap, body: Body) -> Response<Body> {
    if let Ok(Visit::SignedIn(csrf)) = gateway.visit(&headers)
        && let Some(body) = form(body).await
        && let Some((_, proof)) = url::form_urlencoded::parse(&body).find(|(name, _)| name == "csrf")
        && csrf.is_shown_by(&proof)
    {
        gateway.desk.visitors.leave(&headers, gateway.now());
    }
    to_page(Some(&format!(
        "{}=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict",
        visitors::cookie_name(&headers)
    )))
}

/// A form of this page. Anybody may send one, so that nobody may take long, or much.
async fn form(body: Body) -> Option<Bytes> {
    let read = tokio::time::timeout(FORM_LIMIT, axum::body::to_bytes(body, LARGEST_FORM)).await;
    read.ok()?.ok()
}

/// News for the page: `changed` when the host has changed, `beat` in between.
async fn events(State(gateway): State<Arc<Gateway>>, headers: HeaderMap) -> Response<Body> {
    if let Err(refusal) = gateway.visit(&headers) {
        return refusal.answer(Surface::ChatCompletions);
    }
    let (sender, receiver) = mpsc::channel(4);
    tokio::spawn(tell(gateway.desk.news.subscribe(), sender));
    let mut answer = Response::new(Body::new(Events(receiver)));
    answer.headers_mut().extend([
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ]);
    answer
}

/// Ends with the page, or with the gateway.
async fn tell(mut news: watch::Receiver<News>, page: mpsc::Sender<Bytes>) {
    let mut beats = tokio::time::interval(BEAT);
    loop {
        let event = tokio::select! {
            _ = beats.tick() => "event: beat\ndata:\n\n",
            changed = news.changed() => match changed {
                Ok(()) if *news.borrow_and_update() == News::Changed => "event: changed\ndata:\n\n",
                _ => return,
            },
        };
        if page.send(Bytes::from_static(event.as_bytes())).await.is_err() {
            return;
        }
    }
}

struct Events(mpsc::Receiver<Bytes>);

impl HttpBody for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|event| event.map(|event| Ok(Frame::data(event))))
    }
}

fn signed_in(gateway: &Gateway, headers: &HeaderMap, door: &Secret) -> Response<Body> {
    let Ok(cookie) = gateway.desk.visitors.admit(door, gateway.now()) else { return no_randomness() };
    let (name, stay) = (visitors::cookie_name(headers), visitors::STAY / SECOND);
    to_page(Some(&format!("{name}={}; Max-Age={stay}; Path=/; HttpOnly; SameSite=Strict", cookie.expose())))
}

/// Whether a form was sent from a page of this server: browsers tell where a form comes from.
fn is_of_this_page(headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    match (text(header::ORIGIN), text(header::HOST)) {
        (None, _) => true,
        (Some(origin), Some(host)) => origin.split_once("://").is_some_and(|(_, of)| of == host),
        (Some(_), None) => false,
    }
}

fn to_page(cookie: Option<&str>) -> Response<Body> {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::SEE_OTHER;
    answer.headers_mut().insert(header::LOCATION, HeaderValue::from_static("/"));
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(mut value) = cookie.and_then(|cookie| HeaderValue::from_str(cookie).ok()) {
        value.set_sensitive(true);
        answer.headers_mut().insert(header::SET_COOKIE, value);
    }
    answer
}

fn document(status: StatusCode, text: String) -> Response<Body> {
    let mut answer = file("text/html; charset=utf-8", text);
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

fn file(content_type: &'static str, content: impl Into<Body>) -> Response<Body> {
    let mut answer = Response::new(content.into());
    let fixed = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, web::POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ];
    answer.headers_mut().extend(fixed.map(|(name, value)| (name, HeaderValue::from_static(value))));
    answer
}

fn no_randomness() -> Response<Body> {
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "api_error", "the system gives no random numbers")
        .answer(Surface::ChatCompletions)
}
