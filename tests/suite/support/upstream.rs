//! A provider that does to its connections what a test wants: pieces in time, silence, a cut in the middle.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// What reached it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Came {
    pub(crate) path: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

/// One connection with its request.
pub(crate) struct Visit {
    pub(crate) came: Came,
    stream: TcpStream,
    all: Arc<Mutex<Vec<Came>>>,
}

impl Visit {
    /// Keeps nothing of what has come so far.
    pub(crate) fn forget(&self) {
        self.all.lock().unwrap().clear();
    }

    /// Sends bytes as they are; tells whether they were taken.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// The head of a stream of events.
    pub(crate) fn begin_stream(&mut self) {
        self.send(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
        );
    }

    /// A piece of such a stream.
    pub(crate) fn piece(&mut self, text: &str) -> bool {
        self.send(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes())
    }

    /// Its end.
    pub(crate) fn end_stream(&mut self) {
        self.send(b"0\r\n\r\n");
    }

    /// A whole answer.
    pub(crate) fn answer(&mut self, status: u16, head: &str, body: &str) {
        let length = body.len();
        self.send(format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{head}content-length: {length}\r\n\r\n{body}").as_bytes());
    }

    /// Waits until the other end has gone away; tells that it did before anything else came.
    pub(crate) fn is_left(&mut self) -> bool {
        matches!(self.stream.read(&mut [0]), Ok(0) | Err(_))
    }
}

/// The provider. Each connection has a thread; one that ends its visit ends its connection, unless it says otherwise.
pub(crate) struct Upstream {
    address: String,
    came: Arc<Mutex<Vec<Came>>>,
    connections: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
}

impl Upstream {
    /// One that does this for each request; true keeps the connection for the next one.
    pub(crate) fn doing(visit: impl Fn(&mut Visit) -> bool + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (came, visit) = (Arc::new(Mutex::new(Vec::new())), Arc::new(visit));
        let (is_over, connections) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (kept, ending, counted) = (Arc::clone(&came), Arc::clone(&is_over), Arc::clone(&connections));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if ending.load(Ordering::SeqCst) {
                    break;
                }
                counted.fetch_add(1, Ordering::SeqCst);
                let (Ok(stream), visit, kept) = (stream, Arc::clone(&visit), Arc::clone(&kept)) else {
                    continue;
                };
                let serve = move || serve(stream, visit.as_ref(), &kept);
                std::thread::Builder::new().stack_size(128 * 1024).spawn(serve).unwrap();
            }
        });
        Self { address, came, connections, is_over }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.rsplit_once(':').unwrap().1.parse().unwrap()
    }

    pub(crate) fn came(&self) -> Vec<Came> {
        self.came.lock().unwrap().clone()
    }

    /// How many connections were opened.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // It waits for one more.
        drop(TcpStream::connect(&self.address));
    }
}

fn serve(stream: TcpStream, visit: &dyn Fn(&mut Visit) -> bool, kept: &Arc<Mutex<Vec<Came>>>) {
    drop(stream.set_nodelay(true));
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some(came) = request(&mut reader) {
        kept.lock().unwrap().push(came.clone());
        let mut one = Visit { came, stream: stream.try_clone().unwrap(), all: Arc::clone(kept) };
        if !visit(&mut one) {
            break;
        }
    }
    drop(stream.shutdown(Shutdown::Both));
}

fn request(reader: &mut BufReader<TcpStream>) -> Option<Came> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
    let mut came = Came { path: line.split(' ').nth(1)?.to_owned(), ..Came::default() };
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        came.headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length = came.headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    came.body = String::from_utf8_lossy(&body).into_owned();
    Some(came)
}
