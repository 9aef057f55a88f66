//! `gateway`: runs the runtime in the foreground, or leaves it to its service.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::PathBuf;

use crate::cli::gateway_args::{AuthArg, GatewayArgs, GatewayCommand};
use crate::cli::secret_flag::secret_flag;
use crate::cli::{Session, gateway_status, installation, listen, service};
use crate::core::secret::Secret;
use crate::exit::{CommandError, ExitStatus};
use crate::format::config_sections;
use crate::gateway::Gateway;
use crate::gateway::daemon::{self as runtime, Bind, Settings};
use crate::process::{self, Process};
use crate::service::Control;
use crate::sys::instance::{self, Claim, Refused};
use crate::sys::{daemon, files, interfaces};
use crate::workspace::{Request, Workspace};

/// Serves until a signal comes, or asks the gateway that does.
pub(super) fn run(session: &Session<'_>, args: &GatewayArgs) -> Result<ExitStatus, CommandError> {
    match &args.command {
        None | Some(GatewayCommand::Run) => serve(session, args),
        Some(GatewayCommand::Health(how)) => gateway_status::health(session, args, how),
        Some(GatewayCommand::Install(how)) => service::install_gateway(session, args, how),
        Some(GatewayCommand::Restart(how)) => service::control(session, Control::Restart, *how),
        Some(GatewayCommand::Start(how)) => service::control(session, Control::Start, *how),
        Some(GatewayCommand::Stop(how)) => service::control(session, Control::Stop, *how),
        Some(GatewayCommand::Uninstall(how)) => service::uninstall_gateway(session, how),
        Some(GatewayCommand::Status(how)) => gateway_status::status(session, args, how),
    }
}

fn serve(session: &Session<'_>, args: &GatewayArgs) -> Result<ExitStatus, CommandError> {
    let process = session.printer.process();
    let workspace = session.workspace()?;
    let configured = &workspace.config.gateway;
    if let Some(mode) = configured.mode.as_deref().filter(|mode| *mode != "local" && !args.allow_unconfigured)
    {
        return Err(CommandError::refused(format!(
            "gateway.mode is \"{}\": the gateway of this host is elsewhere",
            mode.escape_debug()
        ))
        .hint("set gateway.mode to local, or pass --allow-unconfigured"));
    }
    daemon::raise_file_limit();
    let inherited = daemon::inherited_listeners()
        .map_err(|error| CommandError::io(format!("failed to take the sockets of systemd: {error}")))?;
    let addresses: Vec<SocketAddr> =
        inherited.iter().filter_map(|listener| listener.local_addr().ok()).collect();
    let settings = Settings {
        port: args.port.unwrap_or_else(|| workspace.gateway_port(process)),
        bind: bind(args.bind.as_deref().or(configured.bind.as_deref()), configured)?,
        secret: secret(session, args, &workspace)?,
        log: args.log_format.into(),
        inherited: addresses,
    };
    let request = Request {
        installation: installation(session.cli),
        agent: session.cli.agent.clone(),
        ..Request::default()
    };
    let mut claim = claim(session, &workspace, process)?;
    drop(workspace);
    let gateway = Gateway::load(process, session.clock, request, &settings)?;
    let listeners = if inherited.is_empty() {
        runtime::listen(&settings)
            .map_err(|(address, error)| listen::refused(address, &error, "--port PORT"))?
    } else {
        inherited
    };
    let address = listeners.first().map(TcpListener::local_addr).and_then(Result::ok);
    if let Some((claim, address)) = claim.as_mut().zip(address) {
        claim.tell(address);
    }
    runtime::run(gateway, listeners)
        .map_err(|error| CommandError::io(format!("failed to serve: {}", files::reason(&error))))?;
    Ok(ExitStatus::Success)
}

/// The lock file of the gateway of an installation.
pub(super) fn lock_file(workspace: &Workspace) -> PathBuf {
    workspace.paths.state_dir.join("gateway.lock")
}

/// One gateway for one state folder, whoever made it.
fn claim(
    session: &Session<'_>,
    workspace: &Workspace,
    process: &Process,
) -> Result<Option<Claim>, CommandError> {
    if process.flag(&process::ALLOW_MULTI_GATEWAY) {
        return Ok(None);
    }
    let paths = &workspace.paths;
    let temporary = process.path_var(&process::TMPDIR).map_or_else(|| PathBuf::from("/tmp"), PathBuf::from);
    let theirs = instance::node_lock(&temporary, &paths.config);
    let claimed = instance::claim(&lock_file(workspace), &theirs, &paths.config, session.clock);
    let (claim, note) = claimed.map_err(|refused| {
        let shown = paths.shown(&paths.state_dir).short;
        let error = CommandError::refused(format!("the gateway of {shown} cannot start: {refused}"));
        match refused {
            Refused::Ours(_) => error
                .hint("`openclaw gateway status` tells what it serves; it takes changes up by itself within a second"),
            Refused::Theirs(pid) => error.hint(format!("end process {pid}, or use another state folder with --profile NAME")),
        }
    })?;
    if let Some(note) = note {
        session.printer.message(&format!("warning: a second gateway would not be noticed: {note}"));
    }
    Ok(Some(claim))
}

/// The secret that the command line gives. One that the way of proving needs and nobody has is an error.
pub(super) fn secret(
    session: &Session<'_>,
    args: &GatewayArgs,
    workspace: &Workspace,
) -> Result<Option<Secret>, CommandError> {
    let given = match (&args.token, &args.password) {
        (Some(written), _) => Some(secret_flag(session, "token", written)?),
        (None, Some(written)) => Some(secret_flag(session, "password", written)?),
        (None, None) => None,
    };
    if given.as_ref().is_some_and(|secret| secret.expose().trim().is_empty()) {
        return Err(CommandError::usage("the token or password is empty"));
    }
    let how = args.auth.map(AuthArg::word).or(workspace.config.gateway.auth_mode);
    match how {
        Some(how) if given.is_none() && workspace.gateway_secret().is_none() => Err(CommandError::refused(
            format!("gateway.auth.mode is \"{how}\", but there is no {how}"),
        )
        .hint(format!(
            "set gateway.auth.{how} or OPENCLAW_GATEWAY_{}, or pass --{how} @FILE",
            how.to_uppercase()
        ))),
        _ => Ok(given),
    }
}

/// Where to listen. No mode is ever widened: what cannot be had is an error, or this host alone.
fn bind(written: Option<&str>, configured: &config_sections::Gateway) -> Result<Bind, CommandError> {
    match written.unwrap_or("loopback") {
        "loopback" | "auto" => Ok(Bind::Loopback),
        "lan" => Ok(Bind::All),
        "tailnet" => Ok(interfaces::tailnet().map_or(Bind::Loopback, |ip| Bind::One(ip.into()))),
        "custom" => {
            let written = configured.custom_bind_host.as_deref();
            let ip =
                written.and_then(|text| text.parse::<IpAddr>().ok()).filter(|ip| interfaces::is_own(*ip));
            ip.map(Bind::One).ok_or_else(|| {
                let what = written.map_or_else(
                    || "is not set".to_owned(),
                    |text| format!("is \"{}\", which is no address of this host", text.escape_debug()),
                );
                CommandError::refused(format!(
                    "gateway.bind is \"custom\", and gateway.customBindHost {what}"
                ))
                .hint("write an address of this host there, or choose another mode with --bind")
            })
        }
        other => other.parse::<IpAddr>().map(Bind::One).map_err(|_| {
            CommandError::usage(format!("\"{}\" is nowhere to listen", other.escape_debug()))
                .hint("write loopback, lan, tailnet, auto, custom, or an address of this host")
        }),
    }
}
