//! The gateway as a daemon: its sockets, signals, the word to the service manager, and its end.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::clock::Deadline;
use crate::core::secret::Secret;
use crate::gateway::Gateway;
use crate::gateway::log::{Format, Level};
use crate::gateway::record::Front;
use crate::gateway::{api, operation};
use crate::sys::http_server::{self, Limits, Stop};
use crate::sys::{daemon, signals};

/// How often changes on the host are looked for, and uses of profiles written behind.
const TICK: Duration = Duration::from_secs(1);
/// How long streams may still take after a stop.
const DRAIN: Duration = Duration::from_secs(30);
/// The most connections at a time, and the fewest.
const CONNECTIONS: (u64, u64) = (64, 4096);
/// Files that are not connections.
const OTHER_FILES: u64 = 128;
/// How long an answer to ourselves may take.
const PROBE_LIMIT: Duration = Duration::from_secs(5);
/// How often it is looked whether requests can be served.
const PROBE_EVERY: Duration = Duration::from_secs(10);

/// Where and how to serve.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The port; 0 lets the system choose.
    pub port: u16,
    /// Which addresses.
    pub bind: Bind,
    /// A token or password that counts instead of that of the config.
    pub secret: Option<Secret>,
    /// How the log looks.
    pub log: Format,
    /// Sockets that the service manager has opened; they count instead of port and addresses.
    pub inherited: Vec<SocketAddr>,
}

impl Settings {
    /// Whether others than programs of this host can reach it.
    pub fn is_open(&self) -> bool {
        if self.inherited.is_empty() {
            !self.bind.is_loopback()
        } else {
            self.inherited.iter().any(|address| !address.ip().is_loopback())
        }
    }
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

impl Bind {
    fn is_loopback(self) -> bool {
        match self {
            Self::Loopback => true,
            Self::All => false,
            Self::One(ip) => ip.is_loopback(),
        }
    }
}

impl fmt::Display for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loopback => f.write_str("loopback"),
            Self::All => f.write_str("every address of this host"),
            Self::One(ip) => ip.fmt(f),
        }
    }
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

/// Serves until a signal comes. Tells whether every answer was finished.
pub fn run(gateway: Gateway, listeners: Vec<TcpListener>) -> std::io::Result<bool> {
    signals::leave_to_the_daemon();
    let workers = std::thread::available_parallelism().map_or(2, |cores| cores.get().clamp(2, 8));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build()?;
    let served = runtime.block_on(async {
        let gateway = Arc::new(gateway);
        let places: Vec<_> = listeners
            .iter()
            .filter_map(|listener| listener.local_addr().ok())
            .map(|address| format!("http://{address}"))
            .collect();
        let address = listeners.first().and_then(|listener| listener.local_addr().ok()).map(from_here);
        let (stop, stopping) = watch::channel(Stop::No);
        // From the first word on a signal means what it should.
        let signals = tokio::spawn(listen_to_signals(Arc::clone(&gateway), Signals::listen()?, stop));
        let reporting = tokio::spawn(report(Arc::clone(&gateway), address, stopping.clone()));
        gateway.log.say(Level::Info, &format!("listening on {}", places.join(" and ")));
        let served = serve(Arc::clone(&gateway), listeners, stopping).await;
        reporting.abort();
        signals.abort();
        if matches!(served, Ok(false)) {
            gateway.log("some answers were cut off: they took longer than the drain");
        }
        gateway.log.finish();
        served
    });
    // What a thread still reads from a disk that hangs is of no use any more.
    runtime.shutdown_background();
    served
}

/// Serves until it is to stop, and saves what is known of the profiles. Tells whether every answer was finished.
pub async fn serve(
    gateway: Arc<Gateway>,
    listeners: Vec<TcpListener>,
    stop: watch::Receiver<Stop>,
) -> std::io::Result<bool> {
    let ticking = tokio::spawn(tick(Arc::clone(&gateway)));
    // Each connection may need another one to a provider.
    let files = daemon::file_limit().saturating_sub(OTHER_FILES) / 2;
    let connections = usize::try_from(files.clamp(CONNECTIONS.0, CONNECTIONS.1)).unwrap_or(64);
    let limits = Limits { connections, drain: DRAIN };
    let router = api::router(Arc::clone(&gateway)).merge(operation::router(Arc::clone(&gateway)));
    let front = Front::new(Arc::clone(&gateway), router);
    let guests = Arc::clone(&gateway.guests);
    let served = http_server::serve(listeners, front, limits, guests, stop).await;
    ticking.abort();
    gateway.save(true);
    served
}

/// Where this host itself reaches a listener.
pub(super) fn from_here(address: SocketAddr) -> SocketAddr {
    crate::metrics::access::from_here(address)
}

/// The signals of a daemon.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }
}

async fn listen_to_signals(gateway: Arc<Gateway>, mut signals: Signals, stop: watch::Sender<Stop>) {
    loop {
        tokio::select! {
            _ = signals.terminate.recv() => {}
            _ = signals.interrupt.recv() => {}
            _ = signals.hang_up.recv() => {
                daemon::tell_reloading();
                let gateway = Arc::clone(&gateway);
                drop(tokio::task::spawn_blocking(move || gateway.reload()).await);
                daemon::tell_reloaded();
                continue;
            }
        }
        let is_first = *stop.borrow() == Stop::No;
        if is_first {
            daemon::tell_stopping();
            // The page would keep its news open for as long as it is shown.
            gateway.desk.close();
            let left = gateway.numbers.in_flight();
            if left > 0 {
                let span = DRAIN.as_secs();
                gateway.log.say(
                    Level::Info,
                    &format!(
                        "ending; {left} answers may take up to {span} s more, a second signal cuts them off"
                    ),
                );
            }
        }
        // Nobody waits any more when the server has ended by itself.
        let _ = stop.send(if is_first { Stop::Drain } else { Stop::Now });
    }
}

/// Tells the service manager that the gateway is ready and alive, each time after a request to itself was answered, until
/// it is to stop.
async fn report(gateway: Arc<Gateway>, address: Option<SocketAddr>, mut stopping: watch::Receiver<Stop>) {
    let Some(address) = address else { return };
    let every = daemon::watchdog().map_or(PROBE_EVERY, |limit| (limit / 3).min(PROBE_EVERY));
    let (mut is_known, mut told) = (false, String::new());
    loop {
        // Where every connection is busy nobody else gets in, and that is no failure.
        let lives = probe(address).await || gateway.guests.is_full_of_work();
        if *stopping.borrow() != Stop::No {
            return;
        }
        if lives {
            let status = gateway.status_line(&format!("http://{address}"));
            if !is_known {
                daemon::tell_ready(&status);
                is_known = true;
            } else if status != told {
                daemon::tell_status(&status);
            }
            told = status;
            daemon::feed_watchdog();
        } else {
            gateway.log("a request to the gateway itself was not answered");
        }
        let pause = if lives { every } else { every.min(TICK) };
        // A stop ends it; so does the end of whoever could order one.
        let stopped = stopping.wait_for(|stop| *stop != Stop::No);
        if tokio::time::timeout(pause, stopped).await.is_ok() {
            return;
        }
    }
}

/// Whether a request is answered.
async fn probe(address: SocketAddr) -> bool {
    let asked = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut start = [0; 12];
        stream.read_exact(&mut start).await?;
        std::io::Result::Ok(start == *b"HTTP/1.1 200")
    };
    matches!(tokio::time::timeout(PROBE_LIMIT, asked).await, Ok(Ok(true)))
}

/// Writes behind and reads again, for as long as it runs.
async fn tick(gateway: Arc<Gateway>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let gateway = Arc::clone(&gateway);
        let done = tokio::task::spawn_blocking(move || {
            gateway.save(false);
            // What was used must be read again before it can be forgotten.
            let is_current = gateway.view().workspace.seen.is_current(Deadline::after(TICK))
                && gateway.agents.are_current(Deadline::after(TICK));
            if !is_current || gateway.pool.written() > 0 {
                gateway.reload();
            }
        });
        // A tick that panicked is the next one's business.
        drop(done.await);
    }
}

impl Gateway {
    /// Saves what using the profiles has come to, and the sessions. What could not be saved is told once, and tried again.
    fn save(&self, is_last: bool) {
        for problem in self.agents.sync(&self.clock, is_last) {
            self.log(&problem);
        }
        let failures =
            self.pool.flush(&self.clock, |holder| self.view().knows(holder) || self.agents.know(holder));
        if failures.is_empty() {
            if self.unsaved.swap(None).is_some() {
                self.log.say(Level::Info, "what is known of the profiles can be saved again");
            }
            return;
        }
        self.numbers.store_failures.add(failures.len() as u64);
        let told = failures.join("; ");
        if self.unsaved.load().as_ref().is_none_or(|known| **known != told) {
            self.log(&format!(
                "what is known of the profiles could not be saved, it is tried again each second: {told}"
            ));
            self.unsaved.store(Some(Arc::new(told)));
        }
    }
}
