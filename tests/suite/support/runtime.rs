//! The gateway inside of the test, with a clock that the test moves.

use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;

use openclaw::gateway::Gateway;
use openclaw::gateway::daemon::{self, Bind, Settings};
use openclaw::sys::http_server::Stop;
use openclaw::workspace::Request;
use tokio::sync::watch;

use crate::support::TestEnv;

pub(crate) struct Runtime {
    pub(crate) port: u16,
    stop: watch::Sender<Stop>,
    thread: Option<JoinHandle<()>>,
}

impl Runtime {
    pub(crate) fn start(env: &TestEnv) -> Self {
        let settings = Settings {
            port: 0,
            bind: Bind::Loopback,
            secret: None,
            log: openclaw::gateway::log::Format::Text,
            inherited: Vec::new(),
        };
        let gateway =
            Arc::new(Gateway::load(&env.process(&[]), env.clock(), Request::default(), &settings).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (stop, stopping) = watch::channel(Stop::No);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            assert!(runtime.block_on(daemon::serve(gateway, vec![listener], stopping)).unwrap());
        });
        Self { port, stop, thread: Some(thread) }
    }

    /// Ends it; what is known of the profiles is in the store then.
    pub(crate) fn stop(mut self) {
        self.stop.send(Stop::Drain).unwrap();
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        let _ = self.stop.send(Stop::Now);
    }
}
