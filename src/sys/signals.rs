//! Putting off Ctrl-C while a file is being replaced.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

struct State {
    /// While true, a signal has its default effect.
    armed: Arc<AtomicBool>,
    /// How many guards are alive; held while `armed` follows it.
    guards: Mutex<usize>,
    /// One flag a signal, set when it came while unarmed.
    pending: Vec<(i32, Arc<AtomicBool>)>,
}

static STATE: OnceLock<State> = OnceLock::new();

/// Whether this process ends by a signal only when it says so itself.
static IS_DAEMON: AtomicBool = AtomicBool::new(false);

/// From now on signals are the business of a daemon that finishes its work before it ends: none has its default effect
/// here.
pub fn leave_to_the_daemon() {
    IS_DAEMON.store(true, Ordering::SeqCst);
}

/// While it lives, SIGINT, SIGTERM and SIGHUP wait; one that came takes effect when the last guard goes.
pub struct Deferred(Option<&'static State>);

/// Puts signals off until the guard is dropped.
pub fn defer() -> Deferred {
    if IS_DAEMON.load(Ordering::SeqCst) {
        return Deferred(None);
    }
    let state = STATE.get_or_init(|| {
        let armed = Arc::new(AtomicBool::new(true));
        let pending = [SIGINT, SIGTERM, SIGHUP]
            .into_iter()
            .map(|signal| {
                let caught = Arc::new(AtomicBool::new(false));
                // Where a handler cannot be installed the signal keeps its effect, and the write is still atomic.
                drop(
                    flag::register(signal, Arc::clone(&caught))
                        .and_then(|_| flag::register_conditional_default(signal, Arc::clone(&armed))),
                );
                (signal, caught)
            })
            .collect();
        State { armed, guards: Mutex::new(0), pending }
    });
    let mut guards = state.guards.lock().unwrap_or_else(PoisonError::into_inner);
    *guards += 1;
    state.armed.store(false, Ordering::SeqCst);
    drop(guards);
    Deferred(Some(state))
}

impl Deferred {
    /// Whether a signal is waiting.
    pub fn is_pending(&self) -> bool {
        self.0.is_some_and(|state| state.pending.iter().any(|(_, caught)| caught.load(Ordering::SeqCst)))
    }
}

impl Drop for Deferred {
    fn drop(&mut self) {
        let Some(state) = self.0 else { return };
        let mut guards = state.guards.lock().unwrap_or_else(PoisonError::into_inner);
        *guards = guards.saturating_sub(1);
        if *guards > 0 {
            return;
        }
        state.armed.store(true, Ordering::SeqCst);
        drop(guards);
        for (signal, caught) in &state.pending {
            if caught.swap(false, Ordering::SeqCst) {
                drop(low_level::emulate_default_handler(*signal));
            }
        }
    }
}
