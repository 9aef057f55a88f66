//! Waiting for a browser to come back to this host.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

use tiny_http::{Header, Method, Response, Server};

use crate::core::secret::Secret;

/// A page that a browser shows; it repeats nothing of the request.
const PAGE: &str = "<!doctype html><meta charset=utf-8><title>openclaw</title>\
<p>openclaw has the answer. Close this page and go back to the terminal.";

const NOT_OURS: &str = "<!doctype html><meta charset=utf-8><title>openclaw</title>\
<p>This is not the answer that openclaw waits for.";

/// A listener on 127.0.0.1 and nowhere else, for one request.
pub struct Callback {
    server: Server,
    path: String,
}

impl Callback {
    /// Listens on a port for a GET of a path.
    pub fn listen(port: u16, path: &str) -> io::Result<Self> {
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        let server = Server::http(address).map_err(io::Error::other)?;
        Ok(Self { server, path: path.to_owned() })
    }

    /// What `accept` makes of the query of a request that belongs here. Whatever else comes meanwhile is told so and ends
    /// nothing.
    pub fn poll<T>(&self, accept: impl Fn(&Secret) -> Option<T>) -> Option<T> {
        while let Ok(Some(request)) = self.server.try_recv() {
            let (path, query) = request.url().split_once('?').unwrap_or((request.url(), ""));
            if *request.method() != Method::Get || path != self.path {
                drop(request.respond(page("", 404)));
                continue;
            }
            let accepted = accept(&Secret::new(query));
            let (text, status) = if accepted.is_some() { (PAGE, 200) } else { (NOT_OURS, 400) };
            drop(request.respond(page(text, status)));
            if accepted.is_some() {
                return accepted;
            }
        }
        None
    }
}

fn page(text: &str, status: u16) -> Response<io::Cursor<Vec<u8>>> {
    let headers = [("Content-Type", "text/html"), ("Connection", "close"), ("Cache-Control", "no-store")];
    headers.into_iter().fold(
        Response::from_string(text).with_status_code(status),
        |response, (name, value)| match Header::from_bytes(name, value) {
            Ok(header) => response.with_header(header),
            Err(()) => response,
        },
    )
}
