//! What operators ask the gateway itself: its metrics and its state.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use axum::routing::get;
use serde_json::json;
use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::core::upstream::Surface;
use crate::format::ops::ExporterOps;
use crate::gateway::Gateway;
use crate::gateway::reply::{self, Refusal};
use crate::metrics::collector::{Labels, Observed, Writer, written};
use crate::metrics::gateway as all;
use crate::metrics::host::{Agents, Host};
use crate::metrics::samples::{Sink, count, family, flag, process};
use crate::process::Process;
use crate::sys::procfs;
use crate::workspace::paths::Installation;

/// The paths for operators; all of them are behind the door.
pub(super) fn router(gateway: Arc<Gateway>) -> Router {
    Router::new().route("/api/gateway", get(state)).route("/metrics", get(metrics)).with_state(gateway)
}

async fn state(State(gateway): State<Arc<Gateway>>, headers: HeaderMap) -> Response<Body> {
    if let Err(refusal) = gateway.door().check(&headers) {
        return refusal.answer(Surface::ChatCompletions);
    }
    let trouble = gateway.trouble.load();
    let document = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "pid": std::process::id(),
        "startedAt": gateway.started,
        "agentId": gateway.view().workspace.agent.id,
        "usableModels": gateway.usable_models(),
        "trouble": trouble.as_deref(),
        "unsaved": gateway.unsaved.load().as_deref(),
        "isOpen": gateway.is_open,
        "requestsInFlight": gateway.numbers.in_flight(),
        "connections": gateway.guests.open(),
    });
    reply::json_answer(StatusCode::OK, &document)
}

async fn metrics(State(gateway): State<Arc<Gateway>>, headers: HeaderMap) -> Response<Body> {
    if let Err(refusal) = gateway.door().check(&headers) {
        return refusal.answer(Surface::ChatCompletions);
    }
    let Some(mut text) = gateway.scraper.credentials().await else {
        let refusal = Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "api_error", "there are no metrics");
        return refusal.answer(Surface::ChatCompletions);
    };
    text.push_str(&written(&|sink| gateway.samples(sink)));
    let mut answer = Response::new(Body::from(text));
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    answer.headers_mut().insert(header::CONTENT_TYPE, kind);
    answer
}

impl Gateway {
    fn samples(&self, sink: Sink<'_>) {
        family(&all::BUILD_INFO, sink, |family| family.add([env!("CARGO_PKG_VERSION")], 1.0));
        let mut one = |metric, number| family(metric, sink, |family| family.add([], number));
        one(&all::CONFIG_VALID, flag(self.trouble.load().is_none()));
        one(&all::CONNECTIONS, count(self.guests.open()));
        one(&all::CONNECTIONS_ACCEPTED, count(self.guests.accepted()));
        one(&all::CONNECTIONS_CUT, count(self.guests.ended()));
        one(&all::SESSIONS, count(self.agents.count_sessions()));
        one(&all::READY, flag(self.usable_models() > 0));
        self.numbers.samples(sink);
        process(procfs::footprint(), sink);
    }

    /// What it is doing, in a line for the service manager.
    pub(super) fn status_line(&self, address: &str) -> String {
        let usable = self.usable_models();
        let models = if usable == 1 { "1 model".to_owned() } else { format!("{usable} models") };
        let trouble =
            if self.trouble.load().is_some() { ", with what was read before the last change" } else { "" };
        format!("serving {address}; {models} can be used{trouble}")
    }
}

/// Looks at the credentials as the exporter does, on a thread of its own: reading a host may take a while.
#[derive(Debug)]
pub(super) struct Scraper {
    wanted: Sender<oneshot::Sender<String>>,
}

impl Scraper {
    pub(super) fn start(
        process: &Process,
        clock: &Clock,
        installation: &Installation,
        ops: &ExporterOps,
    ) -> Self {
        let (wanted, inbox) = channel();
        let (process, clock, installation) = (process.clone(), clock.clone(), installation.clone());
        let (agents, labels) = (Agents::from(ops), if ops.is_full { Labels::Full } else { Labels::Minimal });
        let look = move || look(&mut Host::new(&process, &clock, installation, agents), labels, &inbox);
        // Where no thread is to be had nobody answers, and the scrape says so.
        drop(std::thread::Builder::new().name("metrics".to_owned()).spawn(look));
        Self { wanted }
    }

    /// What the exporter says of the credentials.
    async fn credentials(&self) -> Option<String> {
        let (reply, told) = oneshot::channel();
        self.wanted.send(reply).ok()?;
        told.await.ok()
    }
}

fn look(host: &mut Host<'_>, labels: Labels, inbox: &Receiver<oneshot::Sender<String>>) {
    let mut writer = Writer::default();
    while let Ok(reply) = inbox.recv() {
        let observed =
            Observed { agents: host.look(), deliveries: host.deliveries(), exporter: None, labels };
        // A scraper that went away needs no answer.
        drop(reply.send(writer.text(&observed)));
    }
}
