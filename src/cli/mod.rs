//! The command line: arguments in, exit status out.

mod agent;
pub mod args;
mod auth_add;
pub mod auth_args;
mod auth_claude;
mod auth_login;
mod auth_order;
mod auth_paste;
mod auth_profiles;
mod auth_reauth;
mod auth_refresh;
mod auth_setup_token;
mod chat;
pub mod chat_args;
mod dashboard;
mod doctor;
pub mod doctor_args;
mod exporter;
pub mod exporter_args;
mod gateway;
pub mod gateway_args;
mod gateway_status;
mod listen;
mod models_list;
mod models_scan;
mod models_settings;
mod models_status;
mod monitor;
pub mod monitor_args;
mod new_profile;
mod onboard;
pub mod onboard_args;
mod onboard_gateway;
mod packaging;
pub mod packaging_args;
pub mod printer;
pub mod reauth_args;
mod secret_flag;
mod service;
pub mod service_args;
pub mod status_args;
mod talk;
mod try_credential;
mod whereabouts;
pub mod whereabouts_args;

use std::borrow::Cow;
use std::panic::{self, AssertUnwindSafe};
use std::time::Duration;

use clap::Parser;
use clap::error::ErrorKind as ClapErrorKind;

use crate::clock::{Clock, Deadline};
use crate::core::assess::assess;
use crate::core::report::{Policy, Refreshable, Report};
use crate::core::store::AuthStore;
use crate::exit::{CommandError, ExitStatus};
use crate::format::config_edit::Edit;
use crate::format::config_sections::Config;
use crate::format::ops::{ExternalRefresh, Ops};
use crate::process::Process;
use crate::settings::Slot;
use crate::sync;
use crate::sys::lock::LockError;
use crate::sys::reader::Reader;
use crate::workspace::config_store::ConfigStore;
use crate::workspace::paths::Installation;
use crate::workspace::store::{UpdateError, Updated};
use crate::workspace::{Request, Workspace};
use args::{Cli, Command, ModelsCommand};
use auth_args::AuthCommand;
use printer::Printer;
use status_args::{PolicyArgs, StatusArgs};

/// How long a command may take to read its host when nothing says otherwise.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// How long a busy store may keep a report waiting; what is not saved then is saved by the next run.
const LOCK_PATIENCE: Duration = Duration::from_secs(3);

/// How long a command that must write waits for the store, as long as the Node program does.
const STORE_PATIENCE: Duration = Duration::from_secs(50);

/// Runs the command line of the process. A panic is exit status 70 and prints no payload: it might hold a secret.
pub fn run(process: &Process, clock: &Clock) -> ExitStatus {
    guarded(process, || {
        let printer = Printer::new(process);
        match Cli::try_parse_from(process.args()) {
            Ok(cli) => dispatch(&cli, &printer, clock)
                .unwrap_or_else(|error| printer.error(&error.for_program(&installation(&cli).program()))),
            Err(error) => match error.kind() {
                ClapErrorKind::DisplayHelp | ClapErrorKind::DisplayVersion => {
                    printer.answer(&error.to_string())
                }
                _ => {
                    printer.message(error.to_string().trim_end());
                    ExitStatus::Usage
                }
            },
        }
    })
}

fn dispatch(cli: &Cli, printer: &Printer<'_>, clock: &Clock) -> Result<ExitStatus, CommandError> {
    match &cli.command {
        Command::Dashboard { open } => dashboard::run(&Session { cli, printer, clock }, *open),
        Command::Agent(args) => agent::run(&Session { cli, printer, clock }, args),
        Command::Chat(args) => chat::run(&Session { cli, printer, clock }, args),
        Command::Gateway(args) => gateway::run(&Session { cli, printer, clock }, args),
        Command::Doctor(args) => doctor::run(&Session { cli, printer, clock }, args),
        Command::Service(command) => service::run(&Session { cli, printer, clock }, command),
        Command::Where(args) => whereabouts::run(&Session { cli, printer, clock }, args),
        Command::Exporter(args) => exporter::run(&Session { cli, printer, clock }, args),
        Command::Monitor(args) => monitor::run(&Session { cli, printer, clock }, args),
        Command::Onboard(args) => onboard::run(&Session { cli, printer, clock }, args),
        Command::Completions(args) => Ok(packaging::completions(printer, args)),
        Command::Man(args) => packaging::man(printer, args),
        Command::Models(models) => {
            let before = StatusArgs {
                json: models.status.json || models.status_json,
                plain: models.status.plain || models.status_plain,
                ..models.status.clone()
            };
            let Some(command) = &models.command else {
                return models_status::run(cli, &before, printer, clock);
            };
            if before != StatusArgs::default() && !matches!(command, ModelsCommand::Status(_)) {
                return Err(CommandError::usage("options of the status stand before another command")
                    .hint("write the options behind the whole command"));
            }
            let session = Session { cli, printer, clock };
            match command {
                ModelsCommand::Status(args) => models_status::run(cli, &args.or(&before), printer, clock),
                ModelsCommand::Set(args) => models_settings::set(&session, Slot::Text, &args.model),
                ModelsCommand::SetImage(args) => models_settings::set(&session, Slot::Image, &args.model),
                ModelsCommand::Scan(args) => models_scan::run(&session, args),
                ModelsCommand::List(args) => models_list::run(&session, args),
                ModelsCommand::Auth(AuthCommand::Add) => auth_add::run(&session),
                ModelsCommand::Auth(AuthCommand::ClaudeStatus(args)) => auth_claude::run(&session, args),
                ModelsCommand::Auth(AuthCommand::Reauth(args)) => auth_reauth::run(&session, args),
                ModelsCommand::Auth(AuthCommand::Login(args)) => auth_login::run(&session, args),
                ModelsCommand::Auth(AuthCommand::List(args)) => auth_profiles::list(&session, args.json),
                ModelsCommand::Auth(AuthCommand::PasteToken(args)) => auth_paste::run(&session, args),
                ModelsCommand::Auth(AuthCommand::SetupToken(args)) => auth_setup_token::run(&session, args),
                ModelsCommand::Auth(AuthCommand::Refresh(args)) => auth_refresh::run(&session, args),
                ModelsCommand::Auth(AuthCommand::Remove(args)) => auth_profiles::remove(&session, args),
                ModelsCommand::Auth(AuthCommand::Unblock(args)) => auth_profiles::unblock(&session, args),
                ModelsCommand::Auth(AuthCommand::Order(command)) => auth_order::run(&session, command),
                ModelsCommand::Aliases(command) => models_settings::aliases(&session, command),
                ModelsCommand::Fallbacks(command) => {
                    models_settings::fallbacks(&session, Slot::Text, command)
                }
                ModelsCommand::ImageFallbacks(command) => {
                    models_settings::fallbacks(&session, Slot::Image, command)
                }
            }
        }
    }
}

/// What every command has at hand.
struct Session<'s> {
    cli: &'s Cli,
    printer: &'s Printer<'s>,
    clock: &'s Clock,
}

impl Session<'_> {
    fn workspace(&self) -> Result<Workspace, CommandError> {
        let request = Request {
            installation: installation(self.cli),
            agent: self.cli.agent.clone(),
            ..Request::default()
        };
        Workspace::load(self.printer.process(), self.clock, &request, Deadline::after(TIME_LIMIT))
    }

    /// Loads the workspace of a command that works on profiles: logins and files of earlier releases count as they do
    /// for the status. A store that cannot be read ends the command: nothing may be said or done about it.
    fn profiles(&self, save: bool) -> Result<Workspace, CommandError> {
        let mut workspace = self.workspace()?;
        workspace.readable_stores()?;
        let synced = sync::run(&workspace, self.clock, save, STORE_PATIENCE);
        let (own, main) = (synced.own.into_owned(), synced.main.map(Cow::into_owned));
        workspace.adopt(own, main);
        Ok(workspace)
    }

    /// What the status of a workspace is.
    fn report(&self, workspace: &Workspace) -> Report {
        let own = workspace.own_store();
        let snapshot = workspace.snapshot(&own, workspace.main_store());
        assess(&snapshot, self.clock.now(), &Policy::default())
    }

    /// Changes the agent's own store; tells whether there was anything to change.
    fn change_store(
        &self,
        workspace: &Workspace,
        edit: impl FnMut(&mut AuthStore) -> bool,
    ) -> Result<bool, CommandError> {
        let updated = workspace.store.update(self.clock, STORE_PATIENCE, edit);
        updated.map(|updated| updated != Updated::Unchanged).map_err(|error| match error {
            UpdateError::Lock(LockError::Busy(lock)) => {
                let shown = workspace.paths.shown(&lock).short;
                CommandError::refused("Failed to update auth-profiles.json (lock busy?).")
                    .hint(format!("if no gateway or other openclaw is running, remove {shown}"))
            }
            UpdateError::Lock(LockError::Interrupted) => CommandError::interrupted(),
            error @ UpdateError::Unreadable(..) => {
                CommandError::refused(error.to_string()).hint("mend or restore the file and try again")
            }
            error => CommandError::io(error.to_string()),
        })
    }

    /// Asks on the terminal for a line; an empty one means the default.
    fn ask(&self, question: &str, default: Option<&str>) -> Result<String, CommandError> {
        let process = self.printer.process();
        let shown = default.map_or_else(String::new, |default| format!(" [{default}]"));
        process.write_stderr(&format!("{question}{shown} "));
        let answer = process
            .read_line()
            .map_err(|error| CommandError::usage(format!("failed to read the answer: {error}")))?;
        match (answer.as_deref().map(str::trim), default) {
            (None, _) => Err(CommandError::interrupted()),
            (Some(""), Some(default)) => Ok(default.to_owned()),
            (Some(answer), _) => Ok(answer.to_owned()),
        }
    }

    /// Shows numbered choices and asks for one, by number or by its word.
    fn choose<'c>(&self, question: &str, choices: &[(&'c str, &str)]) -> Result<&'c str, CommandError> {
        let process = self.printer.process();
        for (number, (_, title)) in choices.iter().enumerate() {
            process.write_stderr(&format!("{:>3}  {title}\n", number + 1));
        }
        let answer = self.ask(&format!("{question} [1-{}]", choices.len()), None)?;
        let by_number = answer.parse::<usize>().ok().and_then(|number| choices.get(number.checked_sub(1)?));
        let chosen = by_number.or_else(|| choices.iter().find(|(choice, _)| *choice == answer));
        chosen
            .map(|(choice, _)| *choice)
            .ok_or_else(|| CommandError::usage("that is none of the choices; nothing was changed"))
    }

    /// Asks on the terminal; only a clear yes counts, or no answer at all where yes is the default.
    fn is_confirmed(&self, question: &str, yes_by_default: bool) -> Result<bool, CommandError> {
        let choices = if yes_by_default { "[Y/n]" } else { "[y/N]" };
        let answer = self.ask(&format!("{question} {choices}"), None)?.to_lowercase();
        Ok(if answer.is_empty() { yes_by_default } else { ["y", "yes"].contains(&answer.as_str()) })
    }

    /// Refuses what [`Self::change_config`] would refuse, before anything else is changed.
    fn rehearse_config(
        workspace: &Workspace,
        plan: impl FnOnce(&Config) -> Result<Vec<Edit>, CommandError>,
    ) -> Result<(), CommandError> {
        let reader = Reader::new(Deadline::after(TIME_LIMIT));
        ConfigStore::new(&workspace.paths, &workspace.environment).rehearse(&reader, plan)
    }

    /// Changes the config of a workspace; tells which file it was, or nothing when there was nothing to change.
    fn change_config(
        &self,
        workspace: &Workspace,
        plan: impl FnOnce(&Config) -> Result<Vec<Edit>, CommandError>,
    ) -> Result<String, CommandError> {
        let reader = Reader::new(Deadline::after(TIME_LIMIT));
        let store = ConfigStore::new(&workspace.paths, &workspace.environment);
        let shown = workspace.paths.shown(&workspace.paths.config).short;
        Ok(if store.update(self.clock, &reader, plan)? {
            format!("Updated {shown}\n")
        } else {
            String::new()
        })
    }
}

fn installation(cli: &Cli) -> Installation {
    Installation { profile: cli.profile.clone(), dev: cli.dev }
}

/// How to judge: the flag counts, then `ops.json`, then the documented contract.
fn policy(args: PolicyArgs, ops: &Ops) -> Policy {
    let default = Policy::default();
    Policy {
        warn_after_ms: args.warn_after.or(ops.warn_after_ms).unwrap_or(default.warn_after_ms),
        refreshable: args
            .refreshable
            .map(Refreshable::from)
            .or(ops.refreshable)
            .unwrap_or(default.refreshable),
        renews_vendor_logins: ops.external_refresh != ExternalRefresh::Never,
    }
}

fn guarded(process: &Process, command: impl FnOnce() -> ExitStatus) -> ExitStatus {
    static HOOK: std::sync::Once = std::sync::Once::new();
    // The default hook would print the payload.
    HOOK.call_once(|| {
        if matches!(process, Process::Os { .. }) {
            panic::set_hook(Box::new(|info| {
                let place = info.location().map_or_else(String::new, |place| format!(" at {place}"));
                Process::Os { variables: std::collections::BTreeMap::new() }
                    .write_stderr(&format!("openclaw: internal error{place}; please report it\n"));
            }));
        }
    });
    panic::catch_unwind(AssertUnwindSafe(command)).unwrap_or(ExitStatus::Bug)
}

#[cfg(test)]
mod tests {
    use super::guarded;
    use crate::exit::ExitStatus;
    use crate::process::Process;

    #[test]
    fn a_panic_is_exit_status_70_and_says_nothing_of_its_payload() {
        let process = Process::Fake(Box::default());
        let status = guarded(&process, || panic!("sk-secret"));
        assert_eq!(status, ExitStatus::Bug);
        let Process::Fake(fake) = process else { unreachable!() };
        assert!(fake.stdout.lock().unwrap().is_empty() && fake.stderr.lock().unwrap().is_empty());
    }
}
