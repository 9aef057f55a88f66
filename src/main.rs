//! The `openclaw` program.

use std::process::ExitCode;

use openclaw::cli;
use openclaw::clock::Clock;
use openclaw::process::Process;

fn main() -> ExitCode {
    ExitCode::from(cli::run(&Process::os(), &Clock::System).code())
}
