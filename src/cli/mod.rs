//! The command line: arguments in, exit status out.

pub mod args;
mod models_status;
pub mod printer;

use std::panic::{self, AssertUnwindSafe};

use clap::Parser;
use clap::error::ErrorKind as ClapErrorKind;

use crate::clock::Clock;
use crate::exit::{CommandError, ExitStatus};
use crate::process::Process;
use crate::workspace::paths::Installation;
use args::{Cli, Command, ModelsCommand, StatusArgs};
use printer::Printer;

/// Runs the command line of the process. A panic is exit status 70 and prints no payload: it might hold a secret.
pub fn run(process: &Process, clock: &Clock) -> ExitStatus {
    guarded(process, || {
        let printer = Printer::new(process);
        match Cli::try_parse_from(process.args()) {
            Ok(cli) => dispatch(&cli, &printer, clock).unwrap_or_else(|error| printer.error(&error)),
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
        Command::Models(models) => {
            let before = StatusArgs {
                json: models.status.json || models.status_json,
                plain: models.status.plain || models.status_plain,
                ..models.status.clone()
            };
            match &models.command {
                Some(ModelsCommand::Status(args)) => {
                    models_status::run(cli, &args.or(&before), printer, clock)
                }
                None => models_status::run(cli, &before, printer, clock),
            }
        }
    }
}

fn installation(cli: &Cli) -> Installation {
    Installation { profile: cli.profile.clone(), dev: cli.dev }
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
