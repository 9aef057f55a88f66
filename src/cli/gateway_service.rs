//! What `gateway` has of its service.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use crate::cli::gateway_args::{ControlArgs, GatewayArgs};
use crate::cli::service::{answer, install, place, told, uninstall, workspace_of};
use crate::cli::service_args::{InstallArgs, ScopeArgs};
use crate::cli::{Session, TIME_LIMIT, installation};
use crate::clock::Deadline;
use crate::exit::{CommandError, ExitStatus};
use crate::process::Process;
use crate::service::{self, Control, Done, Flavour, Kind};
use crate::sys::reader::Reader;
use crate::workspace::Workspace;
use crate::workspace::unit::Unit;

/// Installs the service of the gateway with the options that were given.
pub(super) fn install_service(
    session: &Session<'_>,
    args: &GatewayArgs,
    how: &InstallArgs,
) -> Result<ExitStatus, CommandError> {
    told(session, "install", how.json, || install(session, Kind::Gateway, how, &options(args)?))
}

/// Takes the service of the gateway away.
pub(super) fn uninstall_service(
    session: &Session<'_>,
    how: &InstallArgs,
) -> Result<ExitStatus, CommandError> {
    told(session, "uninstall", how.json, || uninstall(session, Kind::Gateway, how))
}

/// Starts, stops or restarts the gateway's service, whoever has written it.
pub(super) fn control(
    session: &Session<'_>,
    verb: Control,
    args: ControlArgs,
) -> Result<ExitStatus, CommandError> {
    told(session, verb.word(), args.json, || {
        let process = session.printer.process();
        let manager = service::manager(process)?;
        let mut place = place(
            session,
            Kind::Gateway,
            &ScopeArgs { user: true, ..ScopeArgs::default() },
            manager.as_ref(),
        )?;
        let mut label = manager.label(&place);
        let is_there = if manager.name() == "systemd" {
            let workspace = workspace_of(session, &place)?;
            let reader = Reader::new(Deadline::after(TIME_LIMIT));
            let unit = Unit::find(process, &workspace.paths, &reader, &installation(session.cli));
            if let Some(unit) = &unit {
                label.clone_from(&unit.name);
                place.flavour = if unit.is_of_user { Flavour::User } else { Flavour::System };
            }
            unit.is_some()
        } else {
            manager.state(&place).file.is_some()
        };
        if !is_there {
            let warnings = vec![
                "`openclaw gateway install` installs it; `openclaw gateway run` runs it in the foreground"
                    .to_owned(),
            ];
            let mut answer = answer("not-loaded", manager.as_ref(), place, Done::default(), warnings);
            answer.is_good = verb == Control::Stop;
            return Ok(answer);
        }
        place.may_change(&format!("gateway {}", verb.word()))?;
        manager.control(&place, &label, verb)?;
        let mut answer = answer(verb.result(), manager.as_ref(), place, Done::default(), Vec::new());
        answer.label = label;
        Ok(answer)
    })
}

/// Options of `gateway` that its service is to have. A secret is none of them.
fn options(args: &GatewayArgs) -> Result<Vec<String>, CommandError> {
    if args.token.is_some() || args.password.is_some() {
        return Err(CommandError::usage("a service file is readable by everybody and holds no secret").hint(
            "`openclaw onboard --gateway-token @FILE` puts it into the config, where the gateway finds it",
        ));
    }
    let mut options = Vec::new();
    if let Some(port) = args.port {
        options.extend(["--port".to_owned(), port.to_string()]);
    }
    if let Some(bind) = &args.bind {
        options.extend(["--bind".to_owned(), bind.clone()]);
    }
    if let Some(how) = args.auth {
        options.extend(["--auth".to_owned(), how.word().to_owned()]);
    }
    if args.allow_unconfigured {
        options.push("--allow-unconfigured".to_owned());
    }
    Ok(options)
}

/// Where systemd is to listen for the gateway.
pub(super) fn sockets(
    kind: Kind,
    options: &[String],
    workspace: &Workspace,
    process: &Process,
) -> Result<Vec<SocketAddr>, CommandError> {
    if kind != Kind::Gateway {
        return Err(CommandError::usage("--socket is for the gateway"));
    }
    let given = |flag: &str| {
        let place = options.iter().position(|word| word == flag)?;
        options.get(place + 1).cloned()
    };
    let port = given("--port").and_then(|port| port.parse().ok());
    let port = port.unwrap_or_else(|| workspace.gateway_port(process));
    let bind = given("--bind").or_else(|| workspace.config.gateway.bind.clone());
    match bind.as_deref().unwrap_or("loopback") {
        "loopback" | "auto" => {
            let first = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            // A host without the other family would refuse the whole unit.
            let second = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
            let has_both = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
            Ok(std::iter::once(first).chain(has_both.then_some(second)).collect())
        }
        "lan" => Ok(vec![SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))]),
        other => other.parse::<IpAddr>().map(|ip| vec![SocketAddr::new(ip, port)]).map_err(|_| {
            CommandError::refused(format!(
                "systemd cannot listen on \"{}\": the address is known only when the gateway starts",
                other.escape_debug()
            ))
            .hint("leave --socket out")
        }),
    }
}
