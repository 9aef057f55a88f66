//! What a service needs of the system that started it: signals, a socket, and somebody to report to.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use sd_notify::NotifyState;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

/// What the system wants of a service.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    stop: Arc<AtomicBool>,
    reload: Arc<AtomicBool>,
}

impl Wishes {
    /// Takes SIGTERM and SIGINT as a wish to end, SIGHUP as one to read everything again.
    pub fn listen() -> io::Result<Self> {
        let wishes = Self::default();
        flag::register(SIGTERM, Arc::clone(&wishes.stop))?;
        flag::register(SIGINT, Arc::clone(&wishes.stop))?;
        flag::register(SIGHUP, Arc::clone(&wishes.reload))?;
        Ok(wishes)
    }

    /// Whether it is to end.
    pub fn is_to_stop(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// Ends it from within.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    /// Whether it is to read everything again; true once for each wish.
    pub fn take_reload(&self) -> bool {
        self.reload.swap(false, Ordering::SeqCst)
    }
}

/// The TCP socket that systemd listens on for us, when it does.
pub fn inherited_listener() -> io::Result<Option<TcpListener>> {
    let mut inherited = listenfd::ListenFd::from_env();
    if inherited.len() == 0 {
        return Ok(None);
    }
    let listener = inherited.take_tcp_listener(0)?;
    // systemd may have made it for programs that never wait.
    listener.map(|listener| listener.set_nonblocking(false).map(|()| listener)).transpose()
}

/// Every TCP socket that systemd listens on for us; none where it does not.
pub fn inherited_listeners() -> io::Result<Vec<TcpListener>> {
    let mut inherited = listenfd::ListenFd::from_env();
    let listeners = (0..inherited.len()).map(|at| inherited.take_tcp_listener(at));
    listeners.filter_map(io::Result::transpose).collect()
}

/// Tells the service manager something; where there is none this does nothing.
pub fn tell(states: &[NotifyState<'_>]) {
    // Nobody can be told that telling failed.
    drop(sd_notify::notify(states));
}

/// Says that the service is up.
pub fn tell_ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Says that the service reads everything again; [`tell_reloaded`] ends that.
pub fn tell_reloading() {
    // `Type=notify-reload` wants to know since when, on the clock of the system's start.
    match NotifyState::monotonic_usec_now() {
        Ok(since) => tell(&[NotifyState::Reloading, since]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// Says that everything was read again.
pub fn tell_reloaded() {
    tell(&[NotifyState::Ready]);
}

/// Says what the service is doing.
pub fn tell_status(status: &str) {
    tell(&[NotifyState::Status(status)]);
}

/// Says that the service is about to end.
pub fn tell_stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Says that the service is alive.
pub fn feed_watchdog() {
    tell(&[NotifyState::Watchdog]);
}

/// How long the service manager waits for a sign of life, when it does.
pub fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

/// How many files this process may open.
pub fn file_limit() -> u64 {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, _)| soft)
}

/// Lets this process open as many files as it may.
pub fn raise_file_limit() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // More than that is never needed, and some systems refuse to be told "infinite".
        let wanted = hard.min(8192);
        if wanted > soft {
            let _ = setrlimit(Resource::RLIMIT_NOFILE, wanted, hard);
        }
    }
}
