//! The monitor: look, decide, queue, deliver, remember; and again when it is due.

mod deliver;
mod failed;
pub mod look;
pub mod rehearse;
pub mod settings;
pub mod simulate;

use std::cell::RefCell;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::clock::Clock;
use crate::core::alerting::Decided;
use crate::core::alerting::QuietHours;
use crate::core::alerting::message::{Message, Origin};
use crate::core::credential::EpochMs;
use crate::core::finding::Code;
use crate::core::report::Verdict;
use crate::exit::CommandError;
use crate::format::monitor_state::MonitorState;
use crate::notify::Ping;
use crate::process::Process;
use crate::sys::random;
use crate::workspace::monitor_state::StateFile;
use crate::workspace::paths::Paths;
use crate::workspace::{Request, Workspace};
use look::Look;
use settings::{Flags, Settings};

/// The longest nap: a machine that slept is noticed at most so much later.
const LONGEST_NAP: Duration = Duration::from_mins(1);
/// A clock that goes back further than this has been set.
const CLOCK_SET_BACK: TimeDelta = TimeDelta::minutes(1);

/// One monitor of one agent.
pub struct Monitor<'m> {
    /// The process around us.
    pub process: &'m Process,
    /// The time.
    pub clock: &'m Clock,
    /// Which host, installation and agent.
    pub request: Request,
    /// What the command line says.
    pub flags: Flags,
    /// Tells a person, or the journal, what happens.
    pub tell: &'m dyn Fn(&str),
    /// What could not be written, so that it is told once all the same.
    pub unsaved: RefCell<Option<MonitorState>>,
}

impl Monitor<'_> {
    /// Loads the host and decides what to do. Settings that are invalid end it: none of them would be in force.
    pub fn settings(&self) -> Result<(Workspace, Settings), CommandError> {
        let workspace = look::load(self.process, self.clock, &self.request)?;
        if workspace.has_finding(Code::OpsInvalid) {
            // The load that is not tolerant words it best.
            look::strictly(self.process, self.clock, &self.request)?;
        }
        let settings = Settings::new(self.process, &workspace.paths, &workspace.ops, &self.flags)?;
        Ok((workspace, settings))
    }

    /// Where everything is remembered.
    pub fn state_file(&self, workspace: &Workspace) -> StateFile {
        StateFile::of(&workspace.paths, self.request.agent.as_deref())
    }

    /// Looks once, tells what there is to tell, and gives the verdict. While another monitor runs it only looks.
    pub fn once(&self) -> Result<Verdict, CommandError> {
        let (workspace, settings) = self.settings()?;
        let file = self.state_file(&workspace);
        let turn = file.turn().map_err(|reason| unwritten(&file, &reason))?;
        if turn.is_none() {
            (self.tell)("note: another monitor runs and does the telling; see `openclaw monitor status`");
            let look = look::look(self.process, self.clock, workspace, &settings, false, self.tell)?;
            return Ok(look.verdict());
        }
        self.warn_of_channels(&settings);
        let verdict = self.look_and_tell(workspace, &settings, &file)?;
        self.deliver(&settings, &file);
        Ok(verdict)
    }

    /// Looks whenever it is due; ends after so many looks, or never.
    pub fn run(&self, looks: Option<usize>) -> Result<Verdict, CommandError> {
        let (workspace, mut settings) = self.settings()?;
        let file = self.state_file(&workspace);
        let turn = file.turn().map_err(|reason| unwritten(&file, &reason))?;
        if turn.is_none() {
            return Err(CommandError::refused("another monitor runs already")
                .hint("`openclaw monitor status` shows what it does"));
        }
        self.warn_of_channels(&settings);
        (self.tell)(&format!("looking {}", settings.schedule.words()));
        let mut next_workspace = Some(workspace);
        let mut done = 0;
        loop {
            // A look that fails must not end the alarm; what it was is said, and the dead man's switch knows.
            let loaded = match next_workspace.take() {
                Some(workspace) => Ok(workspace),
                None => look::load(self.process, self.clock, &self.request),
            };
            let looked = loaded.and_then(|workspace| {
                if !workspace.has_finding(Code::OpsInvalid) {
                    settings = Settings::new(self.process, &workspace.paths, &workspace.ops, &self.flags)?;
                }
                self.look_and_tell(workspace, &settings, &file)
            });
            if let Err(error) = &looked {
                (self.tell)(&error.to_string());
                self.ping(&settings, Ping::Fail);
            }
            self.deliver(&settings, &file);
            done += 1;
            if looks.is_some_and(|looks| done >= looks) {
                return looked;
            }
            self.wait(&settings, &file)?;
        }
    }

    /// Waits until the next look is due, and delivers meanwhile what is to be tried again.
    fn wait(&self, settings: &Settings, file: &StateFile) -> Result<(), CommandError> {
        let began = self.clock.now();
        let Some(due) = settings.schedule.next(began) else {
            return Err(CommandError::config("the schedule names no time that comes"));
        };
        let due = due + TimeDelta::from_std(jitter(settings.jitter)).unwrap_or_default();
        let told = file.update(self.clock, |state| {
            state.next_run = Some(due.timestamp_millis());
            state.next_try()
        });
        let mut next_try = told.unwrap_or_default();
        loop {
            let now = self.clock.now();
            if now >= due || now < began - CLOCK_SET_BACK {
                return Ok(());
            }
            if next_try.is_some_and(|at| at <= now.timestamp_millis()) {
                self.deliver(settings, file);
                next_try = file.read().ok().and_then(|state| state.next_try());
            }
            let until = |at: DateTime<Utc>| (at - now).to_std().unwrap_or_default();
            let retry = next_try.and_then(DateTime::from_timestamp_millis).map(until);
            let nap = until(due).min(retry.unwrap_or(LONGEST_NAP)).min(LONGEST_NAP);
            self.clock.sleep(nap.max(Duration::from_millis(100)));
        }
    }

    /// Looks and queues what is to be told, in one write with what is remembered.
    fn look_and_tell(
        &self,
        workspace: Workspace,
        settings: &Settings,
        file: &StateFile,
    ) -> Result<Verdict, CommandError> {
        self.ping(settings, Ping::Start);
        let (agent, paths) = (workspace.agent.id.clone(), workspace.paths.clone());
        let looked = look::look(self.process, self.clock, workspace, settings, true, self.tell);
        let look = looked.inspect_err(|_| self.ping(settings, Ping::Fail))?;
        let verdict = look.verdict();
        let queued = self.queue(&look, &agent, settings, file, &paths);
        let messages = queued.inspect_err(|_| {
            self.ping(settings, Ping::Fail);
            self.tell_unremembered(&look, &agent, settings, file);
        })?;
        for message in &messages {
            let level = message.incident.level.word();
            (self.tell)(&format!("{level}: {}", message.title));
            if let Some(command) = &message.command {
                (self.tell)(&format!("  -> {command}"));
            }
        }
        self.ping(settings, Ping::Success);
        Ok(verdict)
    }

    fn queue(
        &self,
        look: &Look,
        agent: &str,
        settings: &Settings,
        file: &StateFile,
        paths: &Paths,
    ) -> Result<Vec<Message>, CommandError> {
        let now = self.clock.now();
        let floors = settings.floors();
        let is_quiet = is_quiet(settings.alerts.quiet_hours, settings.zone, now);
        let ms = now.timestamp_millis();
        let queued = file.update(self.clock, |state| {
            let decided = state
                .alerts(|alerts| alerts.step(&look.incidents, &look.judged, ms, &settings.alerts, is_quiet));
            let told = decided.iter().filter(|decided| decided.why.is_told());
            let messages: Vec<_> =
                told.map(|decided| message(decided, &look.snapshot.program, agent, settings, ms)).collect();
            state.forget_channels(&floors, ms);
            for message in &messages {
                state.enqueue(message, &floors);
            }
            state.last_run = Some(ms);
            state.last_verdict = Some(look.verdict().word().to_owned());
            state.next_run = None;
            messages
        });
        if queued.is_ok() && !look.report.findings.iter().any(|finding| finding.code == Code::OpsInvalid) {
            failed::keep_settings(paths);
        }
        if queued.is_ok() {
            self.unsaved.take();
        }
        queued.map_err(|reason| unwritten(file, &reason))
    }

    /// Tells people at once what cannot be queued; once, for as long as this process can remember it.
    fn tell_unremembered(&self, look: &Look, agent: &str, settings: &Settings, file: &StateFile) {
        let now = self.clock.now();
        let (ms, is_quiet) =
            (now.timestamp_millis(), is_quiet(settings.alerts.quiet_hours, settings.zone, now));
        let mut state = self.unsaved.take().or_else(|| file.read().ok()).unwrap_or_default();
        let decided =
            state.alerts(|alerts| alerts.step(&look.incidents, &look.judged, ms, &settings.alerts, is_quiet));
        for decided in decided.iter().filter(|decided| decided.why.is_told()) {
            let message = message(decided, &look.snapshot.program, agent, settings, ms);
            for channel in settings.channels.iter().filter(|channel| decided.incident.level >= channel.floor)
            {
                if let Err(error) = channel.notifier.send(&message, None) {
                    (self.tell)(&format!("warning: channel {}: {error}", channel.name));
                }
            }
        }
        self.unsaved.replace(Some(state));
    }

    /// Delivers what waits; says what did not get through.
    pub fn deliver(&self, settings: &Settings, file: &StateFile) {
        for (channel, error) in deliver::deliver(file, &settings.channels, self.clock) {
            (self.tell)(&format!("warning: channel {channel}: {error}; it is tried again"));
        }
    }

    fn ping(&self, settings: &Settings, ping: Ping) {
        for dead_man in &settings.dead_men {
            if let Err(error) = dead_man.ping(ping) {
                (self.tell)(&format!("warning: channel {}: {error}", dead_man.name));
            }
        }
    }

    fn warn_of_channels(&self, settings: &Settings) {
        for (name, why) in &settings.unusable {
            (self.tell)(&format!("warning: channel {name} cannot be used: {why}"));
        }
        if settings.channels.is_empty() {
            (self.tell)(
                "note: no channel is set up, so that what is told stands here alone; see docs/monitor.md",
            );
        }
    }
}

/// A part of a span, by chance: timers of many hosts are not to fire at once.
fn jitter(span: Duration) -> Duration {
    if span.is_zero() {
        return span;
    }
    let random = random::hex(4).ok().and_then(|hex| u32::from_str_radix(hex.expose(), 16).ok());
    span.mul_f64(f64::from(random.unwrap_or_default()) / f64::from(u32::MAX))
}

/// The notice of a decision.
pub(crate) fn message(
    decided: &Decided,
    program: &str,
    agent: &str,
    settings: &Settings,
    now: EpochMs,
) -> Message {
    let zone = settings.zone;
    let instant = move |ms: EpochMs| instant(ms, zone);
    let origin = Origin { host: &settings.host, agent, program, instant: &instant };
    Message::of(decided, &origin, now)
}

/// An instant by the clock on the wall.
pub fn instant(ms: EpochMs, zone: Tz) -> String {
    let at = DateTime::from_timestamp_millis(ms).unwrap_or_default().with_timezone(&zone);
    at.format("%Y-%m-%d %H:%M %Z").to_string()
}

/// Whether people sleep.
pub fn is_quiet(hours: Option<QuietHours>, zone: Tz, now: DateTime<Utc>) -> bool {
    use chrono::Timelike;
    let wall = now.with_timezone(&zone).time();
    let minute = u16::try_from(wall.hour() * 60 + wall.minute()).unwrap_or_default();
    hours.is_some_and(|hours| hours.has(minute))
}

fn unwritten(file: &StateFile, reason: &str) -> CommandError {
    CommandError::io(format!("failed to write {}: {reason}", file.path().display())).hint(
        "make the state folder writable for the user of the monitor: what is not remembered is told again",
    )
}
