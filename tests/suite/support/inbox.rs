//! A receiver of notices: a real HTTP server on loopback that keeps what came and answers as it is told.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use serde_json::Value;
use tiny_http::{Response, Server};

/// What came.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    pub(crate) path: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
    /// What it was answered.
    pub(crate) status: u16,
}

impl Arrived {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

type Answer = Box<dyn FnMut(usize, &Arrived) -> u16 + Send>;

pub(crate) struct Inbox {
    server: Arc<Server>,
    arrived: Arc<Mutex<Vec<Arrived>>>,
    thread: Option<JoinHandle<()>>,
}

impl Inbox {
    /// One that takes everything.
    pub(crate) fn new() -> Self {
        Self::answering(|_, _| 200)
    }

    /// One that answers by the number of the request, the first is 0.
    pub(crate) fn answering(answer: impl FnMut(usize, &Arrived) -> u16 + Send + 'static) -> Self {
        let server = Arc::new(Server::http("127.0.0.1:0").unwrap());
        let arrived = Arc::new(Mutex::new(Vec::new()));
        let (inbox, kept, mut answer) =
            (Arc::clone(&server), Arc::clone(&arrived), Box::new(answer) as Answer);
        let thread = std::thread::spawn(move || {
            for (number, mut request) in inbox.incoming_requests().enumerate() {
                let mut body = String::new();
                drop(request.as_reader().read_to_string(&mut body));
                let headers = request.headers().iter();
                let headers = headers.map(|h| (h.field.to_string().to_lowercase(), h.value.to_string()));
                let mut came =
                    Arrived { path: request.url().to_owned(), headers: headers.collect(), body, status: 0 };
                came.status = answer(number, &came);
                let status = came.status;
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(came);
                drop(request.respond(Response::empty(status)));
            }
        });
        Self { server, arrived, thread: Some(thread) }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.server_addr())
    }

    pub(crate) fn arrived(&self) -> Vec<Arrived> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What was taken.
    pub(crate) fn taken(&self) -> Vec<Arrived> {
        self.arrived().into_iter().filter(|arrived| arrived.status == 200).collect()
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.server.unblock();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
