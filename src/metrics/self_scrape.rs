//! Scraping oneself: the only proof that others could.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::clock::Deadline;
use crate::core::secret::Secret;

/// How long a scrape may take; Prometheus gives up after ten seconds.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// Enough to see the status line and that metrics follow.
const ENOUGH: usize = 4096;

/// Scrapes the exporter at an address. Succeeds when metrics come.
pub(super) fn scrape(address: SocketAddr, token: Option<&Secret>) -> bool {
    try_scrape(address, token).unwrap_or(false)
}

fn try_scrape(address: SocketAddr, token: Option<&Secret>) -> std::io::Result<bool> {
    let limit = Deadline::after(TIME_LIMIT);
    let mut stream = TcpStream::connect_timeout(&address, TIME_LIMIT)?;
    stream.set_write_timeout(Some(TIME_LIMIT))?;
    let authorization =
        token.map_or_else(String::new, |token| format!("Authorization: Bearer {}\r\n", token.expose()));
    let request =
        format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\n{authorization}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let (mut start, mut chunk) = (Vec::new(), [0; 16 * 1024]);
    loop {
        // The whole answer is taken, so that it never looks as if a scraper had gone away.
        stream.set_read_timeout(Some(limit.remaining().max(Duration::from_millis(1))))?;
        let count = stream.read(&mut chunk)?;
        if count == 0 {
            break;
        }
        let room = ENOUGH.saturating_sub(start.len()).min(count);
        start.extend(&chunk[..room]);
    }
    let start = String::from_utf8_lossy(&start);
    Ok(start.starts_with("HTTP/1.1 200 ") && start.contains("# TYPE openclaw_check_"))
}
