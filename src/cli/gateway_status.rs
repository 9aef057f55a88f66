//! `gateway status` and `gateway health`: what the gateway of this host says of itself.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use crate::cli::gateway::{lock_file, secret};
use crate::cli::gateway_args::{GatewayArgs, HealthArgs};
use crate::cli::{Session, TIME_LIMIT, installation};
use crate::clock::Deadline;
use crate::core::finding::Code;
use crate::core::secret::Secret;
use crate::core::span;
use crate::exit::{CommandError, ExitStatus};
use crate::metrics::access;
use crate::render;
use crate::sys::http_client::{self, Answer, Request};
use crate::sys::instance::{self, Holder};
use crate::sys::procfs::{self, Listener};
use crate::workspace::{self, Workspace};

/// How long an answer may take (reference default).
const PATIENCE: Duration = Duration::from_secs(10);

/// What was found.
struct Found {
    address: SocketAddr,
    holder: Option<Holder>,
    is_running: bool,
    is_ready: bool,
    /// What the gateway tells who shows its token.
    told: Value,
    /// What is wrong, and what to do.
    problems: Vec<String>,
}

/// Tells everything.
pub(super) fn status(
    session: &Session<'_>,
    args: &GatewayArgs,
    how: &HealthArgs,
) -> Result<ExitStatus, CommandError> {
    let found = look(session, args, how)?;
    let text = if how.json { found.json() } else { found.text(session.clock.now().timestamp_millis()) };
    Ok(found.exit(session, &text))
}

/// Tells the verdict in a line.
pub(super) fn health(
    session: &Session<'_>,
    args: &GatewayArgs,
    how: &HealthArgs,
) -> Result<ExitStatus, CommandError> {
    let found = look(session, args, how)?;
    let text = if how.json { found.json() } else { format!("{}\n", found.line()) };
    Ok(found.exit(session, &text))
}

impl Found {
    fn status(&self) -> ExitStatus {
        match (self.is_running, self.problems.is_empty()) {
            (false, _) => ExitStatus::Failing,
            (true, true) => ExitStatus::Success,
            (true, false) => ExitStatus::Expiring,
        }
    }

    fn exit(&self, session: &Session<'_>, text: &str) -> ExitStatus {
        match session.printer.answer(text) {
            ExitStatus::Success => self.status(),
            failed => failed,
        }
    }

    fn line(&self) -> String {
        match (self.is_running, self.problems.first()) {
            (false, None) => format!("not running: nobody listens on {}", self.address),
            (false, Some(problem)) => format!("not running: {}", render::printable(problem)),
            (true, None) => format!("ok: serving http://{}", self.address),
            (true, Some(problem)) => format!("degraded: {}", render::printable(problem)),
        }
    }

    fn json(&self) -> String {
        let document = json!({
            "running": self.is_running,
            "ready": self.is_ready,
            "address": self.address.to_string(),
            "pid": self.holder.as_ref().map(|holder| holder.pid),
            "gateway": self.told,
            "problems": self.problems,
        });
        format!("{document:#}\n")
    }

    fn text(&self, now: i64) -> String {
        let mut lines = vec![self.line()];
        if let Some(holder) = &self.holder {
            lines.push(format!("  process     {}", holder.pid));
        }
        let text = |name: &str| self.told[name].as_str().map(render::printable);
        if let Some(version) = text("version") {
            lines.push(format!("  version     {version}"));
        }
        if let Some(started) = self.told["startedAt"].as_i64() {
            lines.push(format!("  up for      {}", span::two_units(now - started)));
        }
        if let Some(agent) = text("agentId") {
            lines.push(format!("  agent       {agent}"));
        }
        if let Some(usable) = self.told["usableModels"].as_u64() {
            lines.push(format!("  models      {usable} can be used"));
        }
        if let (Some(requests), Some(connections)) =
            (self.told["requestsInFlight"].as_u64(), self.told["connections"].as_u64())
        {
            lines.push(format!("  busy with   {requests} requests, {connections} connections"));
        }
        let shown = usize::from(self.is_running || !self.problems.is_empty());
        lines.extend(
            self.problems
                .iter()
                .skip(shown)
                .map(|problem| format!("  also        {}", render::printable(problem))),
        );
        lines.join("\n") + "\n"
    }
}

fn look(session: &Session<'_>, args: &GatewayArgs, how: &HealthArgs) -> Result<Found, CommandError> {
    let process = session.printer.process();
    // A config that is broken is what the status must tell, not what keeps it from telling.
    let request = workspace::Request {
        installation: installation(session.cli),
        agent: session.cli.agent.clone(),
        is_tolerant: true,
    };
    let workspace = Workspace::load(process, session.clock, &request, Deadline::after(TIME_LIMIT))?;
    let limit = how.timeout.map_or(PATIENCE, Duration::from_millis);
    let holder = instance::holder(&lock_file(&workspace));
    let configured = SocketAddr::new(
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        args.port.unwrap_or_else(|| workspace.gateway_port(process)),
    );
    let written = holder.as_ref().and_then(|holder| holder.address).filter(|_| args.port.is_none());
    let address = written.map_or(configured, access::from_here);
    let given = secret(session, args, &workspace).unwrap_or_default();
    let token = given.or_else(|| workspace.gateway_secret().cloned());
    let mut found = Found {
        address,
        holder,
        is_running: false,
        is_ready: false,
        told: Value::Null,
        problems: Vec::new(),
    };
    found.ask(token.as_ref(), limit);
    if found.is_running && workspace.has_finding(Code::ConfigInvalid) && found.told["trouble"].is_null() {
        found.problems.push("the config is invalid: `openclaw doctor` tells where".to_owned());
    }
    Ok(found)
}

impl Found {
    fn ask(&mut self, token: Option<&Secret>, limit: Duration) {
        let address = self.address;
        let alive = get(address, "/healthz", None, limit);
        if !alive.as_ref().is_ok_and(|answer| answer.status == 200 && answer.body.expose() == "ok\n") {
            let by = match procfs::listener(address.port()) {
                Some(Listener::Process(pid, name)) => Some(format!("process {pid} ({name})")),
                Some(Listener::Hidden) => Some("a process of another user".to_owned()),
                None => None,
            };
            let why = match (&self.holder, by, alive) {
                (Some(holder), _, Err(why)) => Some(format!(
                    "process {} is the gateway of this state folder, and does not answer: {why}",
                    holder.pid
                )),
                (_, Some(by), _) => {
                    Some(format!("{by} listens on {address}, and it is no gateway of this program"))
                }
                (..) => None,
            };
            self.problems.extend(why);
            return;
        }
        self.is_running = true;
        match get(address, "/readyz", None, limit) {
            Ok(answer) if answer.status == 200 => self.is_ready = true,
            Ok(answer) => self.problems.push(answer.body.expose().trim().to_owned()),
            Err(why) => self.problems.push(why),
        }
        match get(address, "/api/gateway", token, limit) {
            Ok(answer) if answer.status == 200 => {
                self.told = serde_json::from_str(answer.body.expose()).unwrap_or_default();
            }
            Ok(answer) if answer.status == 401 => self.problems.push(
                "the gateway that runs wants another token than this config has; pass its own with --token @FILE".to_owned(),
            ),
            Ok(answer) => self.problems.push(format!("/api/gateway answers {}", answer.status)),
            Err(why) => self.problems.push(why),
        }
        for (member, what) in [
            ("trouble", "what has changed on the host was passed over"),
            ("unsaved", "what is known of the profiles cannot be saved"),
        ] {
            if let Some(why) = self.told[member].as_str() {
                self.problems.push(format!("{what}: {why}"));
            }
        }
    }
}

fn get(address: SocketAddr, path: &str, token: Option<&Secret>, limit: Duration) -> Result<Answer, String> {
    let url = Url::parse(&format!("http://{address}{path}")).map_err(|error| error.to_string())?;
    let mut request = Request::get(url);
    if let Some(token) = token {
        request = request.header("authorization", Secret::new(format!("Bearer {}", token.expose().trim())));
    }
    http_client::send(&request, limit).map_err(|failure| failure.to_string())
}
