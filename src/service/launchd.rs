//! launchd of macOS: an agent of the user who is logged in.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::Command;

use crate::exit::CommandError;
use crate::service::{
    Control, Definition, File, Flavour, Found, Kind, MARK, Manager, Place, State, look, patience,
};
use crate::sys::child;

/// The most that `launchctl` may print.
const OUTPUT_LIMIT: usize = 256 * 1024;

pub(super) struct Launchd {
    variables: BTreeMap<OsString, OsString>,
}

impl Launchd {
    pub(super) fn new(variables: BTreeMap<OsString, OsString>) -> Self {
        Self { variables }
    }

    fn launchctl(&self, args: &[&str]) -> Result<String, CommandError> {
        let mut command = Command::new("launchctl");
        command.env_clear().envs(&self.variables).args(args);
        let printed = child::explained(&mut command, patience(), OUTPUT_LIMIT).map_err(|why| {
            CommandError::io(format!("`launchctl {}` failed: {why}", args.join(" ")))
                .hint("type it in a session of the user who is logged in at the screen")
        })?;
        Ok(String::from_utf8_lossy(&printed).into_owned())
    }

    fn path(&self, place: &Place) -> PathBuf {
        place.account.home.join("Library/LaunchAgents").join(format!("{}.plist", self.label(place)))
    }

    fn target(&self, place: &Place) -> String {
        format!("{}/{}", domain(place), self.label(place))
    }

    fn is_loaded(&self, place: &Place) -> bool {
        self.launchctl(&["print", &self.target(place)]).is_ok()
    }
}

fn domain(place: &Place) -> String {
    format!("gui/{}", place.account.uid)
}

impl Manager for Launchd {
    fn name(&self) -> &'static str {
        "launchd"
    }

    fn label(&self, place: &Place) -> String {
        format!("ai.openclaw.{}{}", place.kind.word(), place.suffix)
    }

    fn reach(&self, place: &Place) -> Result<(), CommandError> {
        self.launchctl(&["print", &domain(place)]).map(drop)
    }

    fn files(&self, definition: &Definition) -> Result<Vec<File>, CommandError> {
        let place = &definition.place;
        if place.flavour == Flavour::System {
            return Err(CommandError::usage("on macOS services are agents of a user")
                .hint("leave --system out, as the user whose credentials are watched"));
        }
        Ok(vec![File { path: self.path(place), text: self.render(definition), is_program: false }])
    }

    fn paths(&self, place: &Place) -> Vec<PathBuf> {
        vec![self.path(place)]
    }

    fn activate(&self, place: &Place, has_changed: bool) -> Result<Vec<String>, CommandError> {
        let is_loaded = self.is_loaded(place);
        if is_loaded && !has_changed {
            return Ok(Vec::new());
        }
        if is_loaded {
            self.launchctl(&["bootout", &self.target(place)])?;
        }
        self.launchctl(&["enable", &self.target(place)])?;
        self.launchctl(&["bootstrap", &domain(place), &self.path(place).display().to_string()])?;
        Ok(vec![format!("loaded {}", self.label(place))])
    }

    fn deactivate(&self, place: &Place) -> Result<Vec<String>, CommandError> {
        if !self.is_loaded(place) {
            return Ok(Vec::new());
        }
        self.launchctl(&["bootout", &self.target(place)])?;
        Ok(vec![format!("unloaded {}", self.label(place))])
    }

    fn forget(&self, _place: &Place) -> Result<(), CommandError> {
        Ok(())
    }

    fn control(&self, place: &Place, label: &str, verb: Control) -> Result<(), CommandError> {
        let target = format!("{}/{label}", domain(place));
        match verb {
            Control::Stop => self.launchctl(&["bootout", &target]).map(drop),
            Control::Start | Control::Restart if self.is_loaded(place) => {
                self.launchctl(&["kickstart", "-k", &target]).map(drop)
            }
            Control::Start | Control::Restart => {
                let path = self.path(place).display().to_string();
                self.launchctl(&["bootstrap", &domain(place), &path]).map(drop)
            }
        }
    }

    fn state(&self, place: &Place) -> State {
        let path = self.path(place);
        let (file, is_ours) = match look(&path) {
            Ok(Found::Ours(_)) => (Some(path), true),
            Ok(Found::Foreign) | Err(_) => (Some(path), false),
            Ok(Found::Nothing) => (None, false),
        };
        let is_loaded = self.is_loaded(place);
        let says = if is_loaded { "loaded" } else { "not loaded" }.to_owned();
        State { label: self.label(place), file, is_ours, is_enabled: is_loaded, is_active: is_loaded, says }
    }
}

impl Launchd {
    fn render(&self, definition: &Definition) -> String {
        let place = &definition.place;
        let command: &[&str] = match place.kind {
            Kind::Exporter => &["exporter"],
            Kind::Gateway => &["gateway", "run"],
            Kind::Monitor => &["monitor", "--once"],
        };
        let words = std::iter::once(definition.program.as_str()).chain(definition.words(command));
        let words: Vec<_> = words.map(|word| format!("    <string>{}</string>\n", escaped(word))).collect();
        let words = words.concat();
        let environment = definition.environment.iter().map(|(name, value)| {
            format!("    <key>{}</key><string>{}</string>\n", escaped(name), escaped(value))
        });
        let environment = environment.collect::<Vec<_>>().concat();
        let log = place.account.home.join("Library/Logs").join(format!("{}.log", self.label(place)));
        let mut text = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
             <!-- Written by `{MARK} {}`, which writes it anew. -->\n<plist version=\"1.0\">\n<dict>\n  \
             <key>Label</key><string>{}</string>\n  <key>ProgramArguments</key>\n  <array>\n{words}  </array>\n  \
             <key>EnvironmentVariables</key>\n  <dict>\n{environment}  </dict>\n  <key>RunAtLoad</key><true/>\n",
            place.kind.word(),
            escaped(&self.label(place)),
        );
        let _ = match place.kind {
            // launchd runs what a sleep has made it miss as soon as the machine is awake.
            Kind::Monitor => {
                writeln!(text, "  <key>StartInterval</key><integer>{}</integer>", definition.every_s)
            }
            Kind::Exporter | Kind::Gateway => writeln!(text, "  <key>KeepAlive</key><true/>"),
        };
        let log = escaped(&log.to_string_lossy());
        let _ = write!(
            text,
            "  <key>StandardErrorPath</key><string>{log}</string>\n  <key>Umask</key><integer>63</integer>\n\
             </dict>\n</plist>\n"
        );
        text
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
