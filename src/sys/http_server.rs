//! Serving HTTP to whoever comes: half-sent requests end, connections are bounded, and a stop lets answers finish.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::sync::{Semaphore, watch};

/// How long the head of a request may take, and how long a connection may wait for its next one.
const HEAD_LIMIT: Duration = Duration::from_secs(30);
/// How long to wait before accepting again after an error: out of file handles, most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a server bears.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at a time; who comes later waits in the system's queue.
    pub connections: usize,
    /// How long answers may still take after a stop.
    pub drain: Duration,
}

/// Serves until `stop` becomes true, then until every answer is finished or the drain's limit has passed. Tells whether
/// every answer was finished.
pub async fn serve(
    listeners: Vec<TcpListener>,
    app: Router,
    limits: Limits,
    stop: watch::Receiver<bool>,
) -> std::io::Result<bool> {
    let permits = Arc::new(Semaphore::new(limits.connections));
    let open = Arc::new(GracefulShutdown::new());
    let mut accepting = Vec::new();
    for listener in listeners {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let (app, permits, open, stop) = (app.clone(), Arc::clone(&permits), Arc::clone(&open), stop.clone());
        accepting.push(tokio::spawn(accept(listener, app, permits, open, stop)));
    }
    for task in accepting {
        // A task that panicked has stopped accepting; the answers of the others still count.
        drop(task.await);
    }
    let Some(open) = Arc::into_inner(open) else { return Ok(false) };
    Ok(tokio::time::timeout(limits.drain, open.shutdown()).await.is_ok())
}

async fn accept(
    listener: tokio::net::TcpListener,
    app: Router,
    permits: Arc<Semaphore>,
    open: Arc<GracefulShutdown>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let permit = tokio::select! {
            permit = Arc::clone(&permits).acquire_owned() => permit,
            _ = stop.wait_for(|is_to_stop| *is_to_stop) => return,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|is_to_stop| *is_to_stop) => return,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        // Pieces of a stream must not wait for each other.
        drop(stream.set_nodelay(true));
        let service = TowerToHyperService::new(app.clone());
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_LIMIT)
            .serve_connection(TokioIo::new(stream), service);
        let connection = open.watch(connection);
        tokio::spawn(async move {
            let _permit = permit;
            // Whoever hangs up has seen enough.
            drop(connection.await);
        });
    }
}
