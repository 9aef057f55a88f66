//! Telling that a unit has failed: the monitor's own, which means that nobody is watching, or another one of ours.

use std::path::PathBuf;

use crate::core::alerting::decide::Why;
use crate::core::alerting::incident::{Incident, Kind};
use crate::core::alerting::message::Message;
use crate::core::alerting::{Decided, Level};
use crate::core::credential::EpochMs;
use crate::exit::{CommandError, ExitStatus};
use crate::format::config;
use crate::format::ops::{self, Ops};
use crate::monitor::settings::Settings;
use crate::monitor::{Monitor, is_quiet, look, message};
use crate::process;
use crate::sys::files;
use crate::workspace::Workspace;
use crate::workspace::monitor_state::StateFile;
use crate::workspace::paths::Paths;

/// What the names of the monitor's own units begin with.
const OWN_UNIT: &str = "openclaw-auth-monitor";

impl Monitor<'_> {
    /// Tells people that a unit has failed. That of the monitor is an incident like others: told once, and over with the
    /// next look; what becomes of others nobody here sees, and each time is told. Gives what was told.
    pub fn failed(&self, unit: &str, is_of_system: bool) -> Result<String, CommandError> {
        let workspace = look::load(self.process, self.clock, &self.request)?;
        // Broken settings are a likely cause: those of the last look that worked know the way to people.
        let ops = usable(&workspace);
        let settings = Settings::new(self.process, &workspace.paths, &ops, &self.flags)
            .or_else(|_| Settings::new(self.process, &workspace.paths, &Ops::default(), &self.flags))?;
        self.warn_of_channels(&settings);
        if settings.channels.is_empty() {
            return Err(CommandError::refused("no channel can tell anybody that a unit has failed")
                .hint("docs/monitor.md shows how one is set up"));
        }
        let file = self.state_file(&workspace);
        let now = self.clock.now().timestamp_millis();
        let agent = self.request.agent.as_ref().map_or_else(String::new, |id| format!(" --agent {id}"));
        let program = workspace.request.installation.program() + &agent;
        let incident = self.incident(unit, is_of_system, &program);
        let word = |decided: &Decided| message(decided, &program, &workspace.agent.id, &settings, now);
        let title = format!("{} {}\n", incident.subject, incident.what);
        let Ok(told) = self.remember(unit, &incident, &settings, &file, &word) else {
            // What cannot be remembered is told all the same, each time.
            return self.send_at_once(&settings, &word(&event(incident, now))).map(|()| title);
        };
        self.deliver(&settings, &file);
        let left = file.read().unwrap_or_default();
        let is_waiting = |message: &Message| left.queue.iter().any(|queued| queued.message.id == message.id);
        let arrived = settings.channels.iter().any(|channel| {
            let waits = |queued: &crate::format::monitor_state::Queued| queued.channel == channel.name;
            !left.queue.iter().any(waits)
        });
        if told.is_some_and(|message| is_waiting(&message)) && !arrived {
            return Err(CommandError::refused("no channel has delivered it")
                .hint("it stays queued; `openclaw monitor status` shows why"));
        }
        Ok(title)
    }

    fn incident(&self, unit: &str, is_of_system: bool, program: &str) -> Incident {
        let var = |variable| self.process.var(variable);
        let result = var(&process::MONITOR_SERVICE_RESULT);
        let status = var(&process::MONITOR_EXIT_STATUS);
        let meaning = ExitStatus::ALL
            .iter()
            .find(|(known, _)| Some(known.code().to_string()) == status)
            .filter(|(known, _)| known.code() > ExitStatus::Expiring.code())
            .map(|(_, meaning)| *meaning);
        let how = match (result.as_deref(), status, meaning) {
            (Some("exit-code") | None, Some(status), Some(meaning)) => {
                format!(": exit status {status}, {meaning}")
            }
            (Some("exit-code") | None, Some(status), None) => format!(": exit status {status}"),
            (Some(result), _, _) => format!(": {result}"),
            (None, None, _) => String::new(),
        };
        let is_own = unit.starts_with(OWN_UNIT);
        let what = if is_own { "failed, and nobody watches the credentials" } else { "failed" };
        let journal = if is_of_system { "sudo journalctl" } else { "journalctl --user" };
        Incident {
            id: format!("unit/{unit}"),
            kind: Kind::Finding,
            level: Level::Critical,
            subject: unit.to_owned(),
            provider: None,
            what: format!("{what}{how}"),
            since: None,
            until: None,
            remedies: vec![
                format!("`{journal} -u {unit} -n 20` tells why"),
                format!("`{program} doctor` looks for the cause"),
            ],
        }
    }

    /// Queues it, in one write with what is remembered. What else is open stays as it is: nothing was looked at.
    fn remember(
        &self,
        unit: &str,
        incident: &Incident,
        settings: &Settings,
        file: &StateFile,
        word: &dyn Fn(&Decided) -> Message,
    ) -> Result<Option<Message>, String> {
        let now = self.clock.now();
        let ms = now.timestamp_millis();
        let quiet = is_quiet(settings.alerts.quiet_hours, settings.zone, now);
        file.update(self.clock, |state| {
            let decided = if unit.starts_with(OWN_UNIT) {
                let open = state.incidents.iter().filter(|known| known.is_open);
                let mut seen: Vec<_> = open.map(|known| known.incident.clone()).collect();
                seen.retain(|known| known.id != incident.id);
                seen.push(incident.clone());
                let decided = state.alerts(|alerts| alerts.step(&seen, &[], ms, &settings.alerts, quiet));
                // What is decided to be told counts as told: also that of others goes into the queue.
                for other in decided.iter().filter(|it| it.why.is_told() && it.incident.id != incident.id) {
                    state.enqueue(&word(other), &settings.floors());
                }
                decided
                    .into_iter()
                    .find(|decided| decided.incident.id == incident.id)
                    .filter(|it| it.why.is_told())
            } else {
                Some(event(incident.clone(), ms))
            };
            let message = decided.as_ref().map(word)?;
            state.enqueue(&message, &settings.floors());
            Some(message)
        })
    }

    fn send_at_once(&self, settings: &Settings, message: &Message) -> Result<(), CommandError> {
        let mut is_told = false;
        for channel in &settings.channels {
            match channel.notifier.send(message, None) {
                Ok(_) => is_told = true,
                Err(error) => (self.tell)(&format!("warning: channel {}: {error}", channel.name)),
            }
        }
        if is_told { Ok(()) } else { Err(CommandError::refused("no channel has delivered it")) }
    }
}

/// Nothing is remembered of it, so that it cannot be put off either.
fn event(incident: Incident, now: EpochMs) -> Decided {
    Decided { why: Why::Event, incident, since: now }
}

/// The settings in force or, when they are invalid, those of the last look that worked.
fn usable(workspace: &Workspace) -> Ops {
    use crate::core::finding::Code;
    if !workspace.has_finding(Code::OpsInvalid) {
        return workspace.ops.clone();
    }
    let read = files::read(&copy(&workspace.paths)).ok().and_then(|content| {
        let tree = config::parse(&content.bytes, 0).ok()?;
        ops::read(&tree).ok()
    });
    read.unwrap_or_default()
}

/// Keeps a copy of settings that have just been in force. There is nobody to tell when that fails: it is for a bad day.
pub(super) fn keep_settings(paths: &Paths) {
    let Ok(content) = files::read(&paths.ops) else { return };
    let copy = copy(paths);
    if files::read(&copy).is_ok_and(|kept| kept.bytes == content.bytes) {
        return;
    }
    drop(files::replace(&copy, &content.bytes));
}

fn copy(paths: &Paths) -> PathBuf {
    paths.state_dir.join("ops.last-good.json")
}
