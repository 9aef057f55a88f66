//! `openclaw exporter`.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use crate::cli::exporter_args::ExporterArgs;
use crate::cli::{Session, TIME_LIMIT, installation, listen};
use crate::clock::Deadline;
use crate::exit::{CommandError, ExitStatus};
use crate::format::ops::ExporterOps;
use crate::metrics::collector::{self, Labels, Observed};
use crate::metrics::host::{Agents, Host};
use crate::metrics::server::{self, Options};
use crate::metrics::{access, textfile};
use crate::process::Process;
use crate::sys::daemon::{self, Wishes};
use crate::sys::files;
use crate::workspace::{Request, Workspace};

/// How often the host is looked at when nothing says otherwise.
const INTERVAL: Duration = Duration::from_secs(30);

pub(super) fn run(session: &Session<'_>, args: &ExporterArgs) -> Result<ExitStatus, CommandError> {
    let process = session.printer.process();
    let installation = installation(session.cli);
    let ops = settings(session)?;
    let agents = agents(session.cli.agent.as_deref(), args.all_agents, &ops)?;
    let labels = args.labels.map_or(if ops.is_full { Labels::Full } else { Labels::Minimal }, Labels::from);
    let mut host = Host::new(process, session.clock, installation.clone(), agents);
    if args.stdout || args.textfile.is_some() {
        let agents = host.look_once()?;
        let observed = Observed { agents, deliveries: host.deliveries(), exporter: None, labels };
        let text = collector::text(&observed);
        let Some(folder) = &args.textfile else { return Ok(session.printer.answer(&text)) };
        textfile::write(folder, &installation, &text).map_err(|error| {
            CommandError::io(format!("failed to write into {}: {}", folder.display(), files::reason(&error)))
                .hint("name the folder that node_exporter has behind --collector.textfile.directory")
        })?;
        return Ok(ExitStatus::Success);
    }
    let token = args.auth_file.as_deref().map(access::token).transpose()?;
    daemon::raise_file_limit();
    let wishes = Wishes::listen()
        .map_err(|error| CommandError::io(format!("failed to take signals: {}", files::reason(&error))))?;
    let listener = listener(args.listen.or(ops.listen), token.is_some(), args.insecure)?;
    // What cannot work is told before anybody scrapes.
    host.look_once()?;
    let options = Options {
        token,
        interval: args.interval.map_or(INTERVAL, Duration::from_millis),
        labels,
        page: args.page.then(|| process.host_name()),
        owns_process: matches!(process, Process::Os { .. }),
        listener,
    };
    if let Ok(address) = options.listener.local_addr() {
        session.printer.message(&format!("serving http://{address}/metrics"));
    }
    let tell = |message: &str| session.printer.message(message);
    server::serve(&mut host, &options, &wishes, &tell)
        .map_err(|error| CommandError::io(format!("failed to serve: {}", files::reason(&error))))?;
    Ok(ExitStatus::Success)
}

/// Our own settings; a config that is broken must not keep the exporter from telling so.
fn settings(session: &Session<'_>) -> Result<ExporterOps, CommandError> {
    let request = Request { installation: installation(session.cli), agent: None, is_tolerant: true };
    let process = session.printer.process();
    Ok(Workspace::load(process, session.clock, &request, Deadline::after(TIME_LIMIT))?.ops.exporter)
}

fn agents(flag: Option<&str>, is_all: bool, ops: &ExporterOps) -> Result<Agents, CommandError> {
    let split = |names: &str| -> Vec<String> {
        names.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
    };
    match flag.map(split) {
        Some(names) if names.is_empty() => Err(CommandError::usage("--agent names no agent")),
        Some(names) => Ok(Agents::Named(names)),
        None if is_all => Ok(Agents::All),
        None => Ok(Agents::from(ops)),
    }
}

/// The socket that systemd gave us, else one of our own.
fn listener(
    wanted: Option<SocketAddr>,
    has_token: bool,
    is_insecure: bool,
) -> Result<TcpListener, CommandError> {
    let inherited = daemon::inherited_listener()
        .map_err(|error| CommandError::io(format!("failed to take the socket of systemd: {error}")))?;
    if let Some(listener) = inherited {
        let address = listener.local_addr().map_err(|error| CommandError::io(files::reason(&error)))?;
        access::check(address, has_token, is_insecure)?;
        return Ok(listener);
    }
    let default = || access::parse(access::DEFAULT_LISTEN).map_err(CommandError::usage);
    let address = wanted.map_or_else(default, Ok)?;
    access::check(address, has_token, is_insecure)?;
    TcpListener::bind(address).map_err(|error| listen::refused(address, &error, "--listen 127.0.0.1:PORT"))
}
