//! The agents of the host: each has its own view of it, and its own sessions. Those beside the gateway's own are loaded when
//! somebody asks for them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};

use crate::clock::{Clock, Deadline};
use crate::core::session;
use crate::core::upstream::Surface;
use crate::format::gateway_request::Asked;
use crate::gateway::Gateway;
use crate::gateway::pool::Holder;
use crate::gateway::reply::Refusal;
use crate::gateway::sessions::{Sessions, Visit};
use crate::gateway::view::View;
use crate::sys::reader::Reader;
use crate::workspace::sessions::SessionStore;
use crate::workspace::{Request, agents};

/// How long the agents' folders may take to list.
const LISTING_LIMIT: Duration = Duration::from_secs(2);

/// What is loaded of the agents.
#[derive(Default)]
pub(super) struct Agents {
    /// The views of agents beside the gateway's own.
    views: Mutex<BTreeMap<String, Arc<View>>>,
    /// The sessions of every agent that was asked for.
    sessions: Mutex<BTreeMap<String, Arc<Sessions>>>,
}

impl Agents {
    /// The sessions of the agent of a view.
    pub(super) fn sessions(&self, view: &View) -> Arc<Sessions> {
        let (id, config) = (&view.workspace.agent.id, &view.workspace.config);
        if let Some(known) = locked(&self.sessions).get(id) {
            return Arc::clone(known);
        }
        let made = Arc::new(Sessions::of(SessionStore::of(&view.workspace.paths, config, id)));
        Arc::clone(locked(&self.sessions).entry(id.clone()).or_insert(made))
    }

    /// Goes on in another file when the config names another one; what is waiting is written into the one before.
    pub(super) fn follow(&self, view: &View, clock: &Clock) {
        let (id, config) = (&view.workspace.agent.id, &view.workspace.config);
        let store = SessionStore::of(&view.workspace.paths, config, id);
        let known = locked(&self.sessions).get(id).cloned();
        if let Some(known) = known.filter(|known| !known.are_in(&store)) {
            known.sync(clock, true);
            locked(&self.sessions).insert(id.clone(), Arc::new(Sessions::of(store)));
        }
    }

    /// Every agent whose sessions are known.
    pub(super) fn all_sessions(&self) -> Vec<(String, Arc<Sessions>)> {
        locked(&self.sessions).iter().map(|(id, sessions)| (id.clone(), Arc::clone(sessions))).collect()
    }

    /// How many sessions are remembered.
    pub(super) fn count_sessions(&self) -> usize {
        self.all_sessions().iter().map(|(_, sessions)| sessions.count()).sum()
    }

    /// Whether the other agents are still what was loaded.
    pub(super) fn are_current(&self, deadline: Deadline) -> bool {
        let views: Vec<_> = locked(&self.views).values().cloned().collect();
        views.iter().all(|view| view.workspace.seen.is_current(deadline))
    }

    /// Whether one of the other agents uses a profile.
    pub(super) fn know(&self, holder: &Holder) -> bool {
        locked(&self.views).values().any(|view| view.knows(holder))
    }

    /// Loads the other agents again. One that cannot be loaded any more is looked for when it is asked for.
    pub(super) fn reload(&self, clock: &Clock, load: impl Fn(&str) -> Option<View>) {
        let ids: Vec<_> = locked(&self.views).keys().cloned().collect();
        for id in ids {
            let loaded = load(&id).map(Arc::new);
            if let Some(view) = &loaded {
                self.follow(view, clock);
            }
            let mut views = locked(&self.views);
            match loaded {
                Some(view) => drop(views.insert(id, view)),
                None => drop(views.remove(&id)),
            }
        }
    }

    /// Takes over what others wrote into the files and writes what is waiting; gives what went wrong.
    pub(super) fn sync(&self, clock: &Clock, is_last: bool) -> Vec<String> {
        self.all_sessions().iter().filter_map(|(_, sessions)| sessions.sync(clock, is_last)).collect()
    }
}

impl Gateway {
    /// The view of an agent; the gateway's own when nobody is named. Somebody unknown is a refusal, and nothing is made.
    pub(super) async fn view_of(self: &Arc<Self>, named: Option<&str>) -> Result<Arc<View>, Refusal> {
        let own = self.view();
        let Some(named) = named.map(str::trim).filter(|named| !named.is_empty()) else { return Ok(own) };
        let id = agents::normalize(named);
        let unknown = || {
            let message = format!("there is no agent \"{}\" here", crate::core::chat_command::short(named));
            Refusal::new(StatusCode::NOT_FOUND, "not_found_error", message)
        };
        // What only becomes a name by leaving things out is nobody's name.
        if id != named.to_lowercase() {
            return Err(unknown());
        }
        if id == own.workspace.agent.id {
            return Ok(own);
        }
        if let Some(known) = locked(&self.agents.views).get(&id) {
            return Ok(Arc::clone(known));
        }
        let gateway = Arc::clone(self);
        let wanted = id.clone();
        let loaded = tokio::task::spawn_blocking(move || {
            let reader = Reader::new(Deadline::after(LISTING_LIMIT));
            let known = agents::known(&own.workspace.config, &own.workspace.paths, &reader);
            known.contains(&wanted).then(|| {
                let view = Arc::new(gateway.load_agent(&wanted)?);
                // Its sessions are read here, where a disk may be waited for.
                gateway.agents.sessions(&view);
                Ok::<_, crate::exit::CommandError>(view)
            })
        });
        let view = match loaded.await {
            Ok(Some(Ok(view))) => view,
            Ok(None) => return Err(unknown()),
            Ok(Some(Err(error))) => {
                let message = format!("the agent {id} cannot be loaded: {}", error.message());
                return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "api_error", message));
            }
            Err(_) => {
                let message = format!("loading the agent {id} ended with an internal error");
                return Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "api_error", message));
            }
        };
        Ok(Arc::clone(locked(&self.agents.views).entry(id).or_insert(view)))
    }

    /// What is loaded of an agent now; the gateway's own when it is not loaded.
    pub(super) fn view_now(&self, id: &str) -> Arc<View> {
        let other = locked(&self.agents.views).get(id).cloned();
        other.filter(|_| self.view().workspace.agent.id != id).unwrap_or_else(|| self.view())
    }

    /// Loads what one agent sees.
    pub(super) fn load_agent(&self, id: &str) -> Result<View, crate::exit::CommandError> {
        let request = Request { agent: Some(id.to_owned()), ..self.request.clone() };
        View::load(&self.process, &self.clock, &request)
    }

    /// The agent and the session that a request belongs to.
    pub(super) async fn enter(
        self: &Arc<Self>,
        surface: Surface,
        headers: &HeaderMap,
        asked: &Asked,
    ) -> Result<(Arc<View>, Visit), Refusal> {
        let named = header(headers, SESSION_KEY)?;
        let of_key = named.and_then(session::agent_of_key);
        let of_model = asked.model.as_deref().and_then(session::agent_of_model);
        let of_header = agent_header(headers)?;
        let wanted = of_header.or(of_model).or(of_key);
        let is_same = |one: &str, other: &str| one.trim().eq_ignore_ascii_case(other.trim());
        if let (Some(key), Some(wanted)) = (of_key, wanted)
            && !is_same(key, wanted)
        {
            let short = crate::core::chat_command::short;
            let (key, wanted) = (short(key), short(wanted));
            let message =
                format!("the session key belongs to the agent {key}, and the request asks for {wanted}");
            return Err(Refusal::bad_request(message));
        }
        let view = self.view_of(wanted).await?;
        let id = &view.workspace.agent.id;
        let key = match named {
            Some(named) => session::key_of(named, id).map_err(Refusal::bad_request)?,
            None => session::key_of_user(asked.user.as_deref(), surface, id),
        };
        let sessions = self.agents.sessions(&view);
        let session = sessions.get(&key);
        Ok((view, Visit { sessions, key, session }))
    }
}

/// The header that names a session.
const SESSION_KEY: &str = "x-openclaw-session-key";

/// The agent that a request names in a header.
pub(super) fn agent_header(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let named = header(headers, "x-openclaw-agent-id")?;
    Ok(named.or(header(headers, "x-openclaw-agent")?))
}

/// A header as text; what is no plain text is refused.
fn header<'h>(headers: &'h HeaderMap, name: &'static str) -> Result<Option<&'h str>, Refusal> {
    let value = headers.get(name).map(|value| value.to_str());
    value
        .transpose()
        .map_err(|_| Refusal::bad_request(format!("{name} must be plain ASCII without control characters")))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
