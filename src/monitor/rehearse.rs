//! Rehearsals: a test of every channel, and a drill through the whole real path.

use crate::core::alerting::decide::Why;
use crate::core::alerting::incident::{Incident, Kind, observe};
use crate::core::alerting::inventory::SeenProfile;
use crate::core::alerting::{Decided, Level};
use crate::core::assess::assess;
use crate::core::credential::{EpochMs, Expiry, Material};
use crate::core::failure::FailureClass;
use crate::core::refresh::RefreshRecord;
use crate::core::snapshot::ProfileRecord;
use crate::core::span;
use crate::exit::CommandError;
use crate::monitor::look::{self, Look};
use crate::monitor::{Monitor, message, unwritten};
use crate::notify::Ping;

/// What can be rehearsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scene {
    /// A token has ended that nobody renews.
    Expired,
    /// One ends within hours.
    Expiring,
    /// A login ends in two days.
    LoginEnding,
    /// The provider refuses to renew it.
    RefreshFailed,
    /// The profile is gone.
    Vanished,
}

/// What came of a channel.
pub struct Tested {
    /// Its name.
    pub channel: String,
    /// What it is.
    pub kind: &'static str,
    /// What went wrong.
    pub result: Result<(), String>,
}

impl Monitor<'_> {
    /// Sends a marked test to one channel, or to all of them.
    pub fn test(&self, only: Option<&str>) -> Result<Vec<Tested>, CommandError> {
        let (workspace, settings) = self.settings()?;
        let names = settings.channels.iter().map(|channel| channel.name.as_str());
        let names: Vec<_> = names
            .chain(settings.dead_men.iter().map(|dead_man| dead_man.name.as_str()))
            .chain(settings.unusable.iter().map(|(name, _)| name.as_str()))
            .collect();
        if let Some(only) = only
            && !names.contains(&only)
        {
            let known = if names.is_empty() { "none is set up".to_owned() } else { names.join(", ") };
            return Err(CommandError::usage(format!("there is no channel \"{}\" here", only.escape_debug()))
                .hint(format!("channels: {known}")));
        }
        if names.is_empty() {
            return Err(CommandError::refused("no channel is set up").hint("docs/monitor.md shows how"));
        }
        let is_meant = |name: &str| only.is_none_or(|only| only == name);
        let now = self.clock.now().timestamp_millis();
        let decided = Decided { why: Why::Test, incident: test_incident(now), since: now };
        let message = message(&decided, "openclaw", &workspace.agent.id, &settings, now);
        let sent = settings.channels.iter().filter(|channel| is_meant(&channel.name)).map(|channel| Tested {
            channel: channel.name.clone(),
            kind: channel.kind,
            result: channel.notifier.send(&message, None).map(drop),
        });
        let pinged = settings.dead_men.iter().filter(|dead_man| is_meant(&dead_man.name));
        let pinged = pinged.map(|dead_man| Tested {
            channel: dead_man.name.clone(),
            kind: "deadman",
            result: dead_man.ping(Ping::Success),
        });
        let unusable = settings.unusable.iter().filter(|(name, _)| is_meant(name));
        let unusable =
            unusable.map(|(name, why)| Tested { channel: name.clone(), kind: "", result: Err(why.clone()) });
        Ok(sent.chain(pinged).chain(unusable).collect())
    }

    /// Plays a scene with a profile of this host: judged, queued and delivered as the real thing would be, and marked.
    pub fn drill(&self, scene: Scene, profile_id: &str) -> Result<String, CommandError> {
        let (workspace, settings) = self.settings()?;
        let agent = workspace.agent.id.clone();
        let file = self.state_file(&workspace);
        let Look { mut snapshot, mut facts, .. } =
            look::look(self.process, self.clock, workspace, &settings, false, self.tell)?;
        let now = self.clock.now();
        let ms = now.timestamp_millis();
        let Some(place) = snapshot.profiles.iter().position(|record| record.id == profile_id) else {
            return Err(CommandError::refused(format!("no profile \"{}\" here", profile_id.escape_debug()))
                .hint("see `openclaw models auth list`"));
        };
        if scene == Scene::Vanished {
            let record = snapshot.profiles.remove(place);
            facts.seen.retain(|seen| seen.id != profile_id);
            facts.seen.push(SeenProfile {
                id: record.id,
                provider: record.credential.provider,
                mark: String::new(),
                first_seen: ms,
                gone_since: Some(ms),
            });
        } else {
            play(scene, &mut snapshot.profiles[place], ms);
        }
        let report = assess(&snapshot, now, &settings.policy);
        let incidents = observe(&snapshot, &report, &facts, &settings.alerts);
        let Some(incident) = incidents.into_iter().find(|incident| incident.id == profile_id) else {
            return Err(CommandError::refused("under this policy nobody would be told of that")
                .hint("`openclaw monitor simulate` shows what is told"));
        };
        let decided = Decided { why: Why::Drill, since: incident.since.unwrap_or(ms), incident };
        let message = message(&decided, &snapshot.program, &agent, &settings, ms);
        let floors = settings.floors();
        file.update(self.clock, |state| state.enqueue(&message, &floors))
            .map_err(|reason| unwritten(&file, &reason))?;
        self.deliver(&settings, &file);
        let left = file.read().map_err(CommandError::io)?;
        let waiting = left.queue.iter().filter(|queued| queued.message.id == message.id);
        let waiting: Vec<_> = waiting.map(|queued| queued.channel.as_str()).collect();
        if !waiting.is_empty() {
            return Err(CommandError::refused(format!("not delivered by {}", waiting.join(", ")))
                .hint("it stays queued; `openclaw monitor status` shows why"));
        }
        if floors.iter().all(|(_, floor)| message.incident.level < *floor) {
            return Err(
                CommandError::refused("no channel takes a notice of this level").hint("see docs/monitor.md")
            );
        }
        Ok(format!("{}\n{}\n", message.title, message.body))
    }
}

fn play(scene: Scene, record: &mut ProfileRecord, now: EpochMs) {
    let secret = record.credential.material.usable_secret().cloned();
    let secret = secret.or_else(|| Some(crate::core::secret::Secret::new("drill")));
    record.refresh = RefreshRecord::default();
    record.login.lost = false;
    let login = |ends_in: i64| Material::OAuth {
        access: secret.clone(),
        refresh: secret.clone(),
        expires: Expiry::At(now.saturating_add(ends_in)),
        account_id: None,
    };
    let token = |ends_in: i64| Material::Token {
        token: secret.clone(),
        expires: Expiry::At(now.saturating_add(ends_in)),
    };
    match scene {
        Scene::Expired => record.credential.material = token(-span::HOUR),
        Scene::Expiring => record.credential.material = token(6 * span::HOUR),
        Scene::LoginEnding => {
            record.credential.material = login(span::HOUR);
            record.login.deadline = Some(now.saturating_add(2 * span::DAY));
        }
        Scene::RefreshFailed => {
            record.credential.material = login(span::HOUR);
            record.refresh = record.refresh.failed(FailureClass::InvalidGrant, None, now);
        }
        Scene::Vanished => {}
    }
}

fn test_incident(now: EpochMs) -> Incident {
    Incident {
        id: "monitor/test".to_owned(),
        kind: Kind::Finding,
        level: Level::Notice,
        subject: "openclaw monitor".to_owned(),
        provider: None,
        what: "can reach you here".to_owned(),
        since: Some(now),
        until: None,
        remedies: vec!["nothing is to be done: this is a test that somebody asked for".to_owned()],
    }
}
