//! What a monitor is to do: `ops.json`, and the flags that override it.

use std::path::PathBuf;
use std::time::Duration;

use chrono_tz::Tz;

use crate::core::alerting::{AlertPolicy, Level};
use crate::core::report::{Policy, Refreshable};
use crate::exit::CommandError;
use crate::format::ops::{ExternalRefresh, Ops};
use crate::format::ops_monitor::{ChannelKind, ChannelOps, MonitorOps};
use crate::notify::{self, DeadMan, Notifier, Surroundings};
use crate::process::{self, Process};
use crate::schedule::{self, Schedule};
use crate::workspace::paths::Paths;

/// How often it looks when nothing says otherwise.
const EVERY: Duration = Duration::from_mins(30);

/// What the command line says.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--every` in ms.
    pub every_ms: Option<i64>,
    /// `--cron`.
    pub cron: Option<String>,
    /// `--timezone`.
    pub timezone: Option<String>,
    /// `--jitter` in ms.
    pub jitter_ms: Option<i64>,
    /// `--policy`.
    pub policy: Option<Refreshable>,
    /// `--warn-after` in ms.
    pub warn_after_ms: Option<i64>,
    /// `--refresh`.
    pub refresh: bool,
    /// Channels of the command line, beside those of the settings.
    pub channels: Vec<ChannelOps>,
}

/// One channel, ready.
pub struct Channel {
    /// Its name.
    pub name: String,
    /// Nothing below this level goes there.
    pub floor: Level,
    /// What it is.
    pub kind: &'static str,
    /// It.
    pub notifier: Box<dyn Notifier>,
}

/// Everything, decided.
pub struct Settings {
    /// When it looks.
    pub schedule: Schedule,
    /// How much later each look may come.
    pub jitter: Duration,
    /// The time zone of schedules, quiet hours and instants in notices.
    pub zone: Tz,
    /// What is told, and when.
    pub alerts: AlertPolicy,
    /// How the report is judged.
    pub policy: Policy,
    /// Whether logins are renewed ahead of their expiry.
    pub refresh: bool,
    /// What this host is called.
    pub host: String,
    /// The ways to people.
    pub channels: Vec<Channel>,
    /// The dead man's switches.
    pub dead_men: Vec<DeadMan>,
    /// Channels that cannot be used here, and why.
    pub unusable: Vec<(String, String)>,
}

impl Settings {
    /// Decides.
    pub fn new(process: &Process, paths: &Paths, ops: &Ops, flags: &Flags) -> Result<Self, CommandError> {
        let monitor = &ops.monitor;
        let wrong = |what: &str, why: String| CommandError::config(format!("{what}: {why}"));
        let named = flags.timezone.as_ref().or(monitor.timezone.as_ref());
        let zone = match named {
            Some(name) => schedule::zone(name).map_err(|why| wrong("timezone", why))?,
            None => schedule::host_zone(process.var(&process::TZ).as_deref()),
        };
        let default = AlertPolicy::default();
        let refreshable = flags.policy.or(monitor.policy).unwrap_or(default.refreshable);
        let warn_after_ms = flags.warn_after_ms.or(ops.warn_after_ms).unwrap_or(default.warn_after_ms);
        let around = surroundings(process, paths);
        let mut settings = Self {
            schedule: schedule(monitor, flags, zone)?,
            jitter: ms(flags.jitter_ms.or(monitor.jitter_ms).unwrap_or_default()),
            zone,
            alerts: AlertPolicy {
                refreshable,
                warn_after_ms,
                refresh_failing_after_ms: monitor
                    .refresh_failing_after_ms
                    .unwrap_or(default.refresh_failing_after_ms),
                repeat_ms: monitor.repeat_ms.unwrap_or(default.repeat_ms),
                quota_percent: monitor.quota_percent,
                quiet_hours: monitor.quiet_hours,
            },
            policy: Policy {
                warn_after_ms,
                refreshable,
                renews_vendor_logins: ops.external_refresh != ExternalRefresh::Never,
            },
            refresh: flags.refresh || monitor.refresh.unwrap_or_default(),
            host: monitor.host.clone().unwrap_or_else(|| process.host_name()),
            channels: Vec::new(),
            dead_men: Vec::new(),
            unusable: Vec::new(),
        };
        let mut wanted: Vec<_> = monitor.channels.iter().chain(&flags.channels).cloned().collect();
        if wanted.iter().all(|channel| matches!(channel.kind, ChannelKind::DeadMan { .. })) {
            wanted.extend(found_here(process));
        }
        for channel in wanted {
            settings.add(channel, &around);
        }
        Ok(settings)
    }

    fn add(&mut self, channel: ChannelOps, around: &Surroundings) {
        let ChannelOps { name, floor, kind } = channel;
        match (notify::channel(&kind, around), &kind) {
            (Ok(Some(notifier)), _) => {
                self.channels.push(Channel { name, floor, kind: kind.word(), notifier });
            }
            (Ok(None), ChannelKind::DeadMan { url }) => {
                self.dead_men.push(DeadMan { name, url: url.clone(), around: around.clone() });
            }
            (Ok(None), _) => {}
            (Err(why), _) => self.unusable.push((name, why)),
        }
    }

    /// Name and floor of every channel.
    pub fn floors(&self) -> Vec<(String, Level)> {
        self.channels.iter().map(|channel| (channel.name.clone(), channel.floor)).collect()
    }
}

fn schedule(monitor: &MonitorOps, flags: &Flags, zone: Tz) -> Result<Schedule, CommandError> {
    let every = |ms_wanted: i64| Schedule::every(ms(ms_wanted));
    let (read, is_flag) = match (flags.every_ms, &flags.cron) {
        (Some(ms), _) => (every(ms), true),
        (None, Some(line)) => (Schedule::cron(line, zone), true),
        (None, None) => {
            let read = match (monitor.every_ms, &monitor.cron) {
                (Some(ms), _) => every(ms),
                (None, Some(line)) => Schedule::cron(line, zone),
                (None, None) => Schedule::every(EVERY),
            };
            (read, false)
        }
    };
    read.map_err(|why| {
        if is_flag {
            CommandError::usage(format!("--every or --cron: {why}"))
        } else {
            CommandError::config(format!("monitor.every or monitor.cron of ops.json: {why}"))
        }
    })
}

fn ms(span: i64) -> Duration {
    Duration::from_millis(u64::try_from(span).unwrap_or_default())
}

/// What channels need of the process.
fn surroundings(process: &Process, paths: &Paths) -> Surroundings {
    let credentials = process.path_var(&process::CREDENTIALS_DIRECTORY).map(PathBuf::from);
    Surroundings {
        variables: process.variables().clone(),
        folders: credentials.into_iter().chain([paths.state_dir.clone()]).collect(),
        home: process.home(),
    }
}

/// Where people are on a host for which nobody has set up a channel: its desktop, or the phone itself.
fn found_here(process: &Process) -> Vec<ChannelOps> {
    let mut found = Vec::new();
    let mut add = |name: &str, kind| {
        found.push(ChannelOps { name: name.to_owned(), floor: Level::Notice, kind });
    };
    let bus = process.path_var(&process::XDG_RUNTIME_DIR).map(|dir| PathBuf::from(dir).join("bus"));
    let has_bus = process.var(&process::SESSION_BUS).is_some() || bus.is_some_and(|bus| bus.exists());
    if has_bus && cfg!(all(feature = "desktop", not(target_os = "android"))) {
        add("desktop", ChannelKind::Desktop);
    }
    if process.var(&process::TERMUX_VERSION).is_some() {
        add("termux", ChannelKind::Termux);
    }
    found
}
