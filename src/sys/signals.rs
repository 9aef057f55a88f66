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

/// While it lives, SIGINT, SIGTERM and SIGHUP wait; one that came takes effect when the last guard goes.
pub struct Deferred(&'static State);

/// Puts signals off until the guard is dropped.
pub fn defer() -> Deferred {
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
    Deferred(state)
}

impl Deferred {
    /// Whether a signal is waiting.
    pub fn is_pending(&self) -> bool {
        self.0.pending.iter().any(|(_, caught)| caught.load(Ordering::SeqCst))
    }
}

impl Drop for Deferred {
    fn drop(&mut self) {
        let mut guards = self.0.guards.lock().unwrap_or_else(PoisonError::into_inner);
        *guards = guards.saturating_sub(1);
        if *guards > 0 {
            return;
        }
        self.0.armed.store(true, Ordering::SeqCst);
        drop(guards);
        for (signal, caught) in &self.0.pending {
            if caught.swap(false, Ordering::SeqCst) {
                drop(low_level::emulate_default_handler(*signal));
            }
        }
    }
}
