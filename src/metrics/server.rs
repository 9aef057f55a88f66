//! The exporter on `tiny_http`, with its weak spots contained.
//!
//! `tiny_http` waits without end for half a request, gives each connection a thread, and its accepting thread ends with
//! the first error or panic. So every connection has an age at which it is ended, there are only so many of them, the
//! listener is ours and outlives the server, and a server that no longer accepts is built anew.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::panic;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::thread;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::TcpNoDelay;
use tiny_http::{Header, Method, Request, Response, Server, StatusCode};

use crate::clock::Deadline;
use crate::core::secret::Secret;
use crate::metrics::access;
use crate::metrics::collector::{Counts, Labels, Observed, Writer};
use crate::metrics::host::Host;
use crate::metrics::pages::{self, Page};
use crate::metrics::self_scrape;
use crate::render::web::{self, Around};
use crate::sys::connections::Connections;
use crate::sys::daemon::{self, Wishes};
use crate::sys::procfs;

/// How often connections, the listener and signals are looked at.
const TICK: Duration = Duration::from_millis(250);
/// How old a connection may get: more than any scraper takes, and idle ones are opened again by whoever needs them.
const OLDEST: Duration = Duration::from_secs(20);
/// How many connections there may be.
const MOST: usize = 256;
/// How many answers may be under way; then the oldest is ended.
const MOST_ANSWERS: usize = 16;
/// The most that the headers of a request may hold together.
const LARGEST_HEADERS: usize = 16 * 1024;
/// Memory beside what the answers need. Who makes us take more is cut off.
const MEMORY: u64 = 128 * 1024 * 1024;
/// How much memory a byte of an answer needs while it is made, roughly.
const MEMORY_PER_BYTE: u64 = 16;
/// How often it is told at most that a server fails.
const SILENCE: Duration = Duration::from_secs(10);
/// How long a server that cannot be built is waited for.
const PAUSE: Duration = Duration::from_millis(100);

/// How to serve.
pub struct Options {
    /// The socket.
    pub listener: TcpListener,
    /// What scrapers must show.
    pub token: Option<Secret>,
    /// How often the host is looked at when nobody scrapes.
    pub interval: Duration,
    /// The name of this host, when the status page is served too.
    pub page: Option<String>,
    /// What labels may tell.
    pub labels: Labels,
    /// Whether panics of this process may be taken care of.
    pub owns_process: bool,
}

struct Exporter<'e, 'h> {
    host: &'e mut Host<'h>,
    options: &'e Options,
    address: SocketAddr,
    connections: Connections,
    /// Peers whose answers are under way, oldest first, and until when they may be.
    answering: Arc<Mutex<Vec<(SocketAddr, Deadline)>>>,
    /// Until when nothing more is told of servers that fail: somebody who keeps them failing must not fill the log.
    silent: Option<Deadline>,
    counts: Counts,
    self_scrape_failures: Arc<AtomicU64>,
    /// Until when the last report counts as fresh; `None` when there is none.
    fresh: Option<Deadline>,
    largest: u64,
    writer: Writer,
    tell: &'e dyn Fn(&str),
}

/// Serves until it is told to stop.
pub fn serve(
    host: &mut Host<'_>,
    options: &Options,
    wishes: &Wishes,
    tell: &dyn Fn(&str),
) -> std::io::Result<()> {
    let address = options.listener.local_addr()?;
    // What is accepted inherits it; without it the end of an answer waits 40 ms for the acknowledgement of its beginning.
    setsockopt(&options.listener, TcpNoDelay, &true)?;
    if options.owns_process {
        keep_quiet_about_tiny_http();
    }
    let wants_rebuild = Arc::new(AtomicBool::new(false));
    let failures = Arc::new(AtomicU64::new(0));
    let mut exporter = Exporter {
        host,
        options,
        address,
        connections: Connections::of_port(address.port(), OLDEST, MOST),
        answering: Arc::default(),
        silent: None,
        counts: Counts::default(),
        self_scrape_failures: Arc::clone(&failures),
        fresh: None,
        largest: 0,
        writer: Writer::default(),
        tell,
    };
    let prober = Prober {
        address: access::from_here(address),
        token: options.token.clone(),
        every: daemon::watchdog().map_or(options.interval, |limit| options.interval.min(limit / 3)),
        wants_rebuild: Arc::clone(&wants_rebuild),
        failures,
        wishes: wishes.clone(),
        is_service: options.owns_process,
    };
    thread::Builder::new().name("self-scrape".to_owned()).spawn(move || prober.run())?;
    while !wishes.is_to_stop() {
        match options
            .listener
            .try_clone()
            .and_then(|listener| Server::from_listener(listener, None).map_err(std::io::Error::other))
        {
            Ok(server) => exporter.run(&server, wishes, &wants_rebuild),
            Err(error) => {
                exporter.tell_seldom(&format!("note: failed to build the server, trying again: {error}"));
            }
        }
        if wishes.is_to_stop() {
            break;
        }
        // What the old server accepted is answered by nobody, and what it holds may be what the new one lacks.
        exporter.counts.cut += exporter.connections.cut_all() as u64;
        exporter.counts.rebuilds += 1;
        wait(PAUSE);
    }
    if options.owns_process {
        daemon::tell_stopping();
    }
    Ok(())
}

impl Exporter<'_, '_> {
    /// Answers until the server is of no more use.
    fn run(&mut self, server: &Server, wishes: &Wishes, wants_rebuild: &AtomicBool) {
        let mut tick = Deadline::after(TICK);
        let mut was_waiting = false;
        loop {
            if wishes.is_to_stop() {
                return;
            }
            if wishes.take_reload() {
                self.host.forget();
                (self.tell)("note: everything is read again");
            }
            match server.recv_timeout(tick.remaining()) {
                Ok(Some(request)) => self.answer(request),
                Ok(None) => {}
                Err(error) => {
                    self.tell_seldom(&format!(
                        "note: failed to accept a connection, building the server anew: {error}"
                    ));
                    return;
                }
            }
            if !tick.has_passed() {
                continue;
            }
            tick = Deadline::after(TICK);
            self.counts.cut += self.sweep();
            let limit = MEMORY + self.largest * MEMORY_PER_BYTE;
            if procfs::resident().is_some_and(|resident| resident > limit) {
                self.counts.cut += self.connections.cut_all() as u64;
            }
            // Somebody who is not let in within a whole tick finds nobody at the door.
            let is_waiting = is_somebody_waiting(&self.options.listener);
            if (is_waiting && was_waiting) || wants_rebuild.swap(false, Ordering::SeqCst) {
                self.tell_seldom("note: the server no longer accepts connections, building it anew");
                return;
            }
            was_waiting = is_waiting;
        }
    }

    /// Ends what has lived long enough. A scraper that comes back over an old connection is answered first.
    fn sweep(&mut self) -> u64 {
        let answering = self.answering.lock().unwrap_or_else(PoisonError::into_inner);
        let busy: Vec<_> =
            answering.iter().filter(|(_, limit)| !limit.has_passed()).map(|(peer, _)| *peer).collect();
        drop(answering);
        self.connections.sweep(&|peer| busy.contains(&peer)) as u64
    }

    fn tell_seldom(&mut self, message: &str) {
        if self.silent.is_none_or(|silent| silent.has_passed()) {
            (self.tell)(message);
            self.silent = Some(Deadline::after(SILENCE));
        }
    }

    fn answer(&mut self, request: Request) {
        let page = self.page(&request);
        let mut answering = self.answering.lock().unwrap_or_else(PoisonError::into_inner);
        while answering.len() >= MOST_ANSWERS {
            let (oldest, _) = answering.remove(0);
            self.counts.cut += u64::from(self.connections.cut_peer(oldest));
        }
        let peer = request.remote_addr().copied().unwrap_or(self.address);
        answering.push((peer, Deadline::after(OLDEST)));
        drop(answering);
        let under_way = Arc::clone(&self.answering);
        // Whoever reads slowly keeps this thread waiting and nobody else.
        let answer = move || {
            respond(request, page);
            let mut answering = under_way.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(place) = answering.iter().position(|(known, _)| *known == peer) {
                answering.remove(place);
            }
        };
        if thread::Builder::new().name("answer".to_owned()).spawn(answer).is_err() {
            let mut answering = self.answering.lock().unwrap_or_else(PoisonError::into_inner);
            answering.retain(|(known, _)| *known != peer);
        }
    }

    fn page(&mut self, request: &Request) -> Page {
        let size: usize = request
            .headers()
            .iter()
            .map(|header| header.field.as_str().as_str().len() + header.value.as_str().len())
            .sum();
        if size + request.url().len() > LARGEST_HEADERS {
            return Page::text(431, "the headers are too large");
        }
        if !matches!(request.method(), Method::Get | Method::Head) {
            return Page::text(405, "only GET and HEAD").header("Allow", "GET, HEAD");
        }
        let path = request.url().split(['?', '#']).next().unwrap_or_default();
        match path {
            "/healthz" => return Page::text(200, "ok"),
            "/readyz" => return self.readiness(),
            _ => {}
        }
        if let Some(token) = &self.options.token {
            let header = request.headers().iter().find(|header| header.field.equiv("Authorization"));
            if !access::shows(header.map(|header| header.value.as_str()), token) {
                return Page::text(401, "a bearer token is needed").header("WWW-Authenticate", "Bearer");
            }
        }
        if let Some(page) = self.status_page(path, request.url()) {
            return page;
        }
        match path {
            "/" => Page::html(pages::index()),
            "/metrics" => self.metrics(),
            _ => Page::text(404, "there is /metrics, /healthz and /readyz"),
        }
    }

    /// What belongs to the status page; `?agent=ID` chooses among several.
    fn status_page(&mut self, path: &str, url: &str) -> Option<Page> {
        let host = self.options.page.clone()?;
        let render = match path {
            "/" => web::render,
            "/live" => web::render_live,
            "/page.js" => return Some(Page::file("text/javascript; charset=utf-8", web::SCRIPT)),
            "/style.css" => return Some(Page::file("text/css; charset=utf-8", web::STYLE)),
            _ => return None,
        };
        let query = url.split_once('?').map_or("", |(_, query)| query);
        let words: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
        let wanted = words.iter().find(|(name, _)| name == "agent").map(|(_, id)| id.as_ref());
        let agents = self.host.look();
        let mut reports = agents.iter().filter_map(|agent| agent.report.as_ref());
        let report = reports.find(|report| wanted.is_none_or(|id| report.agent_id == id));
        let around = Around {
            host,
            is_polled: true,
            all: words.iter().any(|(name, _)| name == "all"),
            ..Around::default()
        };
        Some(match report {
            Some(report) => {
                Page::html(render(report, &around)).header("Content-Security-Policy", web::POLICY)
            }
            None => Page::text(503, "there is no report of this agent"),
        })
    }

    fn readiness(&self) -> Page {
        match self.fresh {
            Some(fresh) if !fresh.has_passed() => Page::text(200, "ready"),
            Some(_) => Page::text(503, "the last report is too old"),
            None => Page::text(503, "there is no report"),
        }
    }

    fn metrics(&mut self) -> Page {
        let agents = self.host.look();
        if agents.iter().any(|agent| agent.report.is_some()) {
            self.fresh = Some(Deadline::after(self.options.interval * 3 + Duration::from_secs(10)));
        }
        let mut observed = Observed {
            agents,
            deliveries: self.host.deliveries(),
            exporter: None,
            labels: self.options.labels,
        };
        self.counts.scrapes += 1;
        self.counts.dropped += observed.dropped();
        self.counts.reads = self.host.reads();
        self.counts.self_scrape_failures = self.self_scrape_failures.load(Ordering::Relaxed);
        observed.exporter = Some((self.counts, procfs::footprint()));
        let body = self.writer.text(&observed).into_bytes();
        self.largest = self.largest.max(body.len() as u64);
        Page {
            status: 200,
            content_type: "text/plain; version=0.0.4; charset=utf-8",
            body,
            headers: Vec::new(),
        }
    }
}

fn respond(request: Request, page: Page) {
    let headers = [
        ("Content-Type", page.content_type),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
    ];
    let headers = headers.into_iter().chain(page.headers);
    let headers = headers.filter_map(|(name, value)| Header::from_bytes(name, value).ok()).collect();
    let length = page.body.len();
    let response =
        Response::new(StatusCode(page.status), headers, std::io::Cursor::new(page.body), Some(length), None)
            // A chunk for every 8 KiB would cost more than it gives: the length is known.
            .with_chunked_threshold(usize::MAX);
    // Who has gone away needs no answer.
    drop(request.respond(response));
}

/// Scrapes the exporter again and again, tells systemd when that works, and has the server built anew when not.
struct Prober {
    address: SocketAddr,
    token: Option<Secret>,
    every: Duration,
    wants_rebuild: Arc<AtomicBool>,
    failures: Arc<AtomicU64>,
    wishes: Wishes,
    is_service: bool,
}

impl Prober {
    fn run(&self) {
        let mut is_known = false;
        while !self.wishes.is_to_stop() {
            let works = self_scrape::scrape(self.address, self.token.as_ref());
            if works && self.is_service {
                if !is_known {
                    daemon::tell_ready(&format!("serving http://{}/metrics", self.address));
                }
                daemon::feed_watchdog();
                is_known = true;
            } else if !works && !self.wishes.is_to_stop() {
                self.failures.fetch_add(1, Ordering::Relaxed);
                self.wants_rebuild.store(true, Ordering::SeqCst);
            }
            let mut left = if works { self.every } else { TICK * 4 };
            while !left.is_zero() && !self.wishes.is_to_stop() {
                let step = left.min(TICK * 4);
                wait(step);
                left = left.saturating_sub(step);
            }
        }
    }
}

/// Waits without a clock: nothing ever wakes a thread that is parked here, and if it does nothing is lost.
fn wait(span: Duration) {
    thread::park_timeout(span);
}

fn is_somebody_waiting(listener: &TcpListener) -> bool {
    let mut waiting = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
    poll(&mut waiting, PollTimeout::ZERO).is_ok_and(|count| count > 0)
}

/// `tiny_http` panics in threads of its own when the system refuses it a thread or a file. That costs a connection, or the
/// server, which is built anew; it is no bug of this program, and is not told as one.
fn keep_quiet_about_tiny_http() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !info.location().is_some_and(|place| place.file().contains("tiny_http")) {
                before(info);
            }
        }));
    });
}
