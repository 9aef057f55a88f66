//! Providers, played by a real HTTP server on loopback that behaves as documented: single-use refresh tokens that
//! rotate, authorization codes with PKCE, device codes.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use openclaw::clock::Clock;
use serde_json::{Value, json};
use tiny_http::{Method, Request, Server};

/// What reached the provider.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) headers: HashMap<String, String>,
    /// The members of the body, whether a form or JSON, or of the query of a GET.
    pub(crate) members: HashMap<String, String>,
    /// The body as it came.
    pub(crate) body: String,
}

/// What it is to answer in the place of what it would.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) headers: Vec<(String, String)>,
}

impl Reply {
    pub(crate) fn json(status: u16, body: Value) -> Self {
        Self { status, body: body.to_string(), headers: Vec::new() }
    }

    pub(crate) fn text(status: u16, body: &str) -> Self {
        Self { status, body: body.to_owned(), headers: Vec::new() }
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

type Script = Box<dyn FnMut(&Seen) -> Option<Reply> + Send>;

#[derive(Default)]
struct State {
    /// Refresh tokens that are good; using one makes the next.
    live: Vec<String>,
    generation: u32,
    seen: Vec<Seen>,
    reused: u32,
    script: Option<Script>,
}

pub(crate) struct Provider {
    server: Arc<Server>,
    state: Arc<Mutex<State>>,
    thread: Option<JoinHandle<()>>,
}

impl Provider {
    /// A provider that knows these refresh tokens.
    pub(crate) fn knowing(refresh_tokens: &[&str]) -> Self {
        let server = Arc::new(Server::http("127.0.0.1:0").unwrap());
        let live = refresh_tokens.iter().map(|token| (*token).to_owned()).collect();
        let state = Arc::new(Mutex::new(State { live, ..State::default() }));
        let (inbox, answering) = (Arc::clone(&server), Arc::clone(&state));
        let thread = std::thread::spawn(move || {
            for request in inbox.incoming_requests() {
                answer(request, &answering);
            }
        });
        Self { server, state, thread: Some(thread) }
    }

    /// Lets a function answer first; where it has nothing to say the provider answers as ever.
    pub(crate) fn scripted(self, script: impl FnMut(&Seen) -> Option<Reply> + Send + 'static) -> Self {
        self.state().script = Some(Box::new(script));
        self
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.server_addr())
    }

    /// `ops.json` that sends everything of some providers here.
    pub(crate) fn ops(&self, providers: &[&str]) -> String {
        let entry = json!({
            "tokenUrl": self.url("/token"),
            "authorizeUrl": self.url("/authorize"),
            "deviceUrl": self.url("/device"),
            "probeUrl": self.url("/models"),
        });
        let entries: serde_json::Map<_, _> =
            providers.iter().map(|provider| ((*provider).to_owned(), entry.clone())).collect();
        json!({"providers": entries}).to_string()
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state().seen.clone()
    }

    /// Requests for tokens.
    pub(crate) fn spent(&self) -> usize {
        self.seen().iter().filter(|seen| seen.members.contains_key("refresh_token")).count()
    }

    /// How often a refresh token came that was not good any more.
    pub(crate) fn reused(&self) -> u32 {
        self.state().reused
    }

    pub(crate) fn is_live(&self, token: &str) -> bool {
        self.state().live.iter().any(|live| live == token)
    }

    /// Spends a token as another program would, and gives the answer.
    pub(crate) fn spend(&self, token: &str) -> Option<Value> {
        rotate(&mut self.state(), token)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.server.unblock();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn answer(mut request: Request, state: &Mutex<State>) {
    let mut body = String::new();
    drop(request.as_reader().read_to_string(&mut body));
    let (path, query) = request.url().split_once('?').unwrap_or((request.url(), ""));
    let members = if let Ok(Value::Object(members)) = serde_json::from_str(&body) {
        members
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
            .collect()
    } else {
        let form = if *request.method() == Method::Get { query } else { &body };
        url::form_urlencoded::parse(form.as_bytes()).into_owned().collect()
    };
    let headers = request.headers().iter();
    let headers =
        headers.map(|header| (header.field.to_string().to_lowercase(), header.value.to_string())).collect();
    let seen = Seen { path: path.to_owned(), headers, members, body: body.clone() };
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    state.seen.push(seen.clone());
    let scripted = state.script.take().and_then(|mut script| {
        let reply = script(&seen);
        state.script = Some(script);
        reply
    });
    let reply = scripted.unwrap_or_else(|| documented(&mut state, &seen));
    drop(state);
    drop(say(request, &reply));
}

/// Writes an answer after which the connection ends. The server keeps a thread for each connection that stays open, and
/// lets the one after the last thread wait for as long as a client keeps the others.
fn say(request: Request, reply: &Reply) -> std::io::Result<()> {
    let has = |name: &str| reply.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
    let mut head = format!(
        "HTTP/1.1 {} Answer\r\nconnection: close\r\ncontent-length: {}\r\n",
        reply.status,
        reply.body.len()
    );
    let date = Clock::System.now().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    for (name, value) in [("date", date.as_str()), ("content-type", "text/plain; charset=UTF-8")] {
        if !has(name) {
            let _ = write!(head, "{name}: {value}\r\n");
        }
    }
    for (name, value) in &reply.headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    let mut writer = request.into_writer();
    writer.write_all(format!("{head}\r\n{}", reply.body).as_bytes())?;
    writer.flush()
}

/// What a provider does that nobody told otherwise.
fn documented(state: &mut State, seen: &Seen) -> Reply {
    match seen.members.get("refresh_token") {
        Some(token) => match rotate(state, token) {
            Some(tokens) => Reply::json(200, tokens),
            None => Reply::json(
                400,
                json!({"error": "invalid_grant", "error_description": "unknown refresh token"}),
            ),
        },
        None => Reply::json(404, json!({"error": "not_found"})),
    }
}

fn rotate(state: &mut State, token: &str) -> Option<Value> {
    let Some(place) = state.live.iter().position(|live| live == token) else {
        state.reused += 1;
        return None;
    };
    state.generation += 1;
    let next = format!("rt-generation-{}", state.generation);
    state.live[place].clone_from(&next);
    let access = format!("at-generation-{}", state.generation);
    Some(json!({"access_token": access, "refresh_token": next, "expires_in": 28_800, "token_type": "Bearer"}))
}
