//! `gateway`: runs the runtime in the foreground, or leaves it to its service.

use std::net::IpAddr;

use crate::cli::gateway_args::{GatewayArgs, GatewayCommand};
use crate::cli::secret_flag::secret_flag;
use crate::cli::{Session, installation, listen, service};
use crate::exit::{CommandError, ExitStatus};
use crate::gateway::{self, Bind, Gateway, Settings};
use crate::service::Control;
use crate::workspace::Request;

/// Runs what was asked for.
pub(super) fn run(session: &Session<'_>, args: &GatewayArgs) -> Result<ExitStatus, CommandError> {
    match &args.command {
        None | Some(GatewayCommand::Run) => serve(session, args),
        Some(GatewayCommand::Install(how)) => service::install_gateway(session, args, how),
        Some(GatewayCommand::Restart(how)) => service::control(session, Control::Restart, *how),
        Some(GatewayCommand::Start(how)) => service::control(session, Control::Start, *how),
        Some(GatewayCommand::Stop(how)) => service::control(session, Control::Stop, *how),
        Some(GatewayCommand::Uninstall(how)) => service::uninstall_gateway(session, how),
    }
}

/// Serves until a signal comes.
fn serve(session: &Session<'_>, args: &GatewayArgs) -> Result<ExitStatus, CommandError> {
    let process = session.printer.process();
    let workspace = session.workspace()?;
    let configured = &workspace.config.gateway;
    let settings = Settings {
        port: args.port.unwrap_or_else(|| workspace.gateway_port(process)),
        bind: bind(args.bind.as_deref().or(configured.bind.as_deref()))?,
        token: args.token.as_deref().map(|written| secret_flag(session, "token", written)).transpose()?,
    };
    let request = Request {
        installation: installation(session.cli),
        agent: session.cli.agent.clone(),
        ..Request::default()
    };
    drop(workspace);
    let gateway = Gateway::load(process, session.clock, request, &settings)?;
    let listeners = gateway::listen(&settings)
        .map_err(|(address, error)| listen::refused(address, &error, "--port PORT"))?;
    let places: Vec<_> = listeners
        .iter()
        .filter_map(|listener| listener.local_addr().ok())
        .map(|address| format!("http://{address}"))
        .collect();
    let ready = || session.printer.message(&format!("listening on {}", places.join(" and ")));
    let is_finished = gateway::run(gateway, listeners, ready)
        .map_err(|error| CommandError::io(format!("failed to serve: {error}")))?;
    if !is_finished {
        session.printer.message("some answers were cut off: they took longer than the drain");
    }
    Ok(ExitStatus::Success)
}

fn bind(written: Option<&str>) -> Result<Bind, CommandError> {
    match written.unwrap_or("loopback") {
        "loopback" | "auto" => Ok(Bind::Loopback),
        "lan" => Ok(Bind::All),
        other => other.parse::<IpAddr>().map(Bind::One).map_err(|_| {
            CommandError::usage(format!("\"{}\" is nowhere to listen", other.escape_debug()))
                .hint("write loopback, lan, or an IP address of this host")
        }),
    }
}
