//! `openclaw gateway`: serves models with the credentials of this host, and moves on when one of them fails.

mod access;
mod answer;
mod api;
mod attempt;
mod forward;
mod pool;
mod reply;
mod translated;
mod view;
mod way;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Mutex, watch};

use crate::clock::{Clock, Deadline};
use crate::core::secret::Secret;
use crate::core::upstream::Surface;
use crate::exit::CommandError;
use crate::process::Process;
use crate::refresh::{self, Outcome, Refresher};
use crate::sys::http_client::Lasting;
use crate::sys::http_server::{self, Limits};
use crate::sys::signals;
use crate::workspace::Request;
use access::Door;
use pool::Pool;
use view::{Candidate, View};

/// How often changes on the host are looked for, and uses of profiles written behind.
const TICK: Duration = Duration::from_secs(1);
/// Connections at a time.
const CONNECTIONS: usize = 1024;
/// How long streams may still take after a stop.
const DRAIN: Duration = Duration::from_secs(30);

/// The runtime.
pub struct Gateway {
    process: Process,
    clock: Clock,
    request: Request,
    view: ArcSwap<View>,
    door: ArcSwap<Door>,
    /// A token or password that the command line gave.
    given: Option<Secret>,
    pool: Pool,
    upstream: Lasting,
    /// One refresh at a time: whoever waited finds the new tokens.
    renewing: Mutex<()>,
}

/// Where and how to serve.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The port; 0 lets the system choose.
    pub port: u16,
    /// `loopback` or another bind mode of the config.
    pub bind: Bind,
    /// A token that counts instead of that of the config.
    pub token: Option<Secret>,
}

/// Which addresses are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bind {
    /// Those of this host alone.
    Loopback,
    /// All of them.
    All,
    /// One.
    One(IpAddr),
}

impl Gateway {
    /// Loads the host. Refuses where it would be open to others without a token.
    pub fn load(
        process: &Process,
        clock: &Clock,
        request: Request,
        settings: &Settings,
    ) -> Result<Self, CommandError> {
        let view = View::load(process, clock, &request)?;
        let door = door(&view, settings.token.as_ref());
        if settings.bind != Bind::Loopback && door.secret.is_none() {
            return Err(CommandError::refused(
                "refusing to listen beyond this host without a token or password",
            )
            .hint("`openclaw doctor --generate-gateway-token` makes one"));
        }
        let upstream = Lasting::new()
            .map_err(|reason| CommandError::io(format!("failed to set up the HTTP client: {reason}")))?;
        Ok(Self {
            process: process.clone(),
            clock: clock.clone(),
            request,
            view: ArcSwap::from_pointee(view),
            door: ArcSwap::from_pointee(door),
            given: settings.token.clone(),
            pool: Pool::default(),
            upstream,
            renewing: Mutex::new(()),
        })
    }

    fn view(&self) -> Arc<View> {
        self.view.load_full()
    }

    fn door(&self) -> Arc<Door> {
        self.door.load_full()
    }

    fn log(&self, line: &str) {
        self.process.write_stderr(&format!("{}\n", crate::render::printable(line)));
    }

    /// How many of the configured models some credential could serve now.
    fn usable_models(&self) -> usize {
        let view = self.view();
        let now = self.clock.now().timestamp_millis();
        let models = view.models(None).unwrap_or_default();
        let is_usable = |model: &&crate::core::model_ref::ModelRef| {
            Surface::ALL.iter().any(|surface| {
                let candidates = view.candidates(model, *surface, &self.pool, now);
                candidates.is_ok_and(|all| {
                    all.iter().any(|candidate| match &candidate.holder {
                        Some((holder, stored)) => {
                            !matches!(self.pool.permit(holder, stored, now), pool::Permit::Resting(_))
                        }
                        None => true,
                    })
                })
            })
        };
        models.iter().filter(is_usable).count()
    }

    /// Reads the host again. What cannot be read now leaves everything as it was.
    fn reload(&self) {
        let written = self.pool.written();
        match View::load(&self.process, &self.clock, &self.request) {
            Ok(view) => {
                self.door.store(Arc::new(door(&view, self.given.as_ref())));
                self.view.store(Arc::new(view));
                self.pool.forget(written);
            }
            Err(error) => self.log(&format!("the change was passed over: {}", error.message())),
        }
    }

    /// Renews a login that is due, once for everybody who wants it, and gives the candidate with its new token.
    async fn renewed(self: &Arc<Self>, candidate: Candidate) -> Result<Candidate, String> {
        let _turn = self.renewing.lock().await;
        let (gateway, id) = (Arc::clone(self), candidate.name.clone());
        let renewed = tokio::task::spawn_blocking(move || {
            // Whoever waited for the turn finds what the one before has got.
            gateway.reload();
            let view = gateway.view();
            let outcome = Refresher {
                process: &gateway.process,
                workspace: &view.workspace,
                clock: &gateway.clock,
                limit: refresh::TIME_LIMIT,
                tell: &|message| gateway.log(message),
            }
            .refresh(&id, false);
            gateway.reload();
            outcome
        });
        let outcome = renewed.await.map_err(|_| "the refresh ended with an internal error".to_owned())?;
        let message = match outcome {
            Outcome::Adopted { .. }
            | Outcome::Fresh { .. }
            | Outcome::Renewed { .. }
            | Outcome::Parked { .. } => None,
            Outcome::Failed { message, .. } => Some(message),
            Outcome::Interrupted => Some("the gateway is about to end".to_owned()),
            Outcome::LeftToVendor(vendor, why) => Some(format!("{} renews it: {why}", vendor.program())),
            Outcome::Lost(reason) | Outcome::Unready(reason) | Outcome::Unsupported(reason) => Some(reason),
            Outcome::Resting(failure) => {
                Some(format!("its refresh failed before ({})", failure.class.word()))
            }
        };
        let secret = self.view().secret_of(&candidate.name);
        match (message, secret) {
            (None, Some(secret)) => Ok(Candidate { secret, is_due: false, ..candidate }),
            (None, None) => Err("is gone".to_owned()),
            // A login that is only about to end still serves.
            (Some(_), Some(secret)) if self.view().is_good(&candidate.name, &self.clock) => {
                Ok(Candidate { secret, is_due: false, ..candidate })
            }
            (Some(message), _) => Err(message),
        }
    }
}

fn door(view: &View, given: Option<&Secret>) -> Door {
    Door { secret: given.cloned().or_else(|| view.workspace.gateway_secret().cloned()) }
}

/// The sockets of a gateway. Loopback is served on both families where there are two.
pub fn listen(settings: &Settings) -> Result<Vec<TcpListener>, (SocketAddr, std::io::Error)> {
    let bind = |ip: IpAddr, port: u16| {
        let address = SocketAddr::new(ip, port);
        TcpListener::bind(address).map_err(|error| (address, error))
    };
    match settings.bind {
        Bind::All => Ok(vec![bind(Ipv4Addr::UNSPECIFIED.into(), settings.port)?]),
        Bind::One(ip) => Ok(vec![bind(ip, settings.port)?]),
        Bind::Loopback => {
            let first = bind(Ipv4Addr::LOCALHOST.into(), settings.port)?;
            let port = first.local_addr().map_or(settings.port, |address| address.port());
            let second = bind(Ipv6Addr::LOCALHOST.into(), port).ok();
            Ok(std::iter::once(first).chain(second).collect())
        }
    }
}

/// Serves until a signal comes; `ready` is called once requests are taken. Tells whether every answer was finished.
pub fn run(gateway: Gateway, listeners: Vec<TcpListener>, ready: impl FnOnce()) -> std::io::Result<bool> {
    signals::leave_to_the_daemon();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let gateway = Arc::new(gateway);
        let (stop, stopping) = watch::channel(false);
        let signals = tokio::spawn(listen_to_signals(Arc::clone(&gateway), stop));
        let ticking = tokio::spawn(tick(Arc::clone(&gateway)));
        ready();
        let limits = Limits { connections: CONNECTIONS, drain: DRAIN };
        let served = http_server::serve(listeners, api::router(Arc::clone(&gateway)), limits, stopping).await;
        signals.abort();
        ticking.abort();
        for failure in gateway.pool.flush(&gateway.clock) {
            gateway.log(&format!("what is known of the profiles could not be saved: {failure}"));
        }
        served
    })
}

async fn listen_to_signals(gateway: Arc<Gateway>, stop: watch::Sender<bool>) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hang_up.recv() => {
                let gateway = Arc::clone(&gateway);
                drop(tokio::task::spawn_blocking(move || gateway.reload()).await);
            }
        }
    }
    // Nobody waits any more when the server has ended by itself.
    let _ = stop.send(true);
    Ok(())
}

/// Writes behind and reads again, for as long as it runs.
async fn tick(gateway: Arc<Gateway>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let gateway = Arc::clone(&gateway);
        let done = tokio::task::spawn_blocking(move || {
            for failure in gateway.pool.flush(&gateway.clock) {
                gateway.log(&format!("what is known of the profiles could not be saved: {failure}"));
            }
            // What was used must be read again before it can be forgotten.
            let is_current = gateway.view().workspace.seen.is_current(Deadline::after(TICK));
            if !is_current || gateway.pool.written() > 0 {
                gateway.reload();
            }
        });
        // A tick that panicked is the next one's business.
        drop(done.await);
    }
}
