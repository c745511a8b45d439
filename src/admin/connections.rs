//! HTTP/1.1 with a bound on everything that a peer can make us hold: connections, time, bytes.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::Admin;
use super::answer::answer;
use super::api::is_of_api;

/// Connections served at once. One more ends the oldest: whoever hoards connections keeps no probe out.
pub const CONNECTIONS_MAX: usize = 64;
/// How long the head of a request may take to arrive, and how long a connection may idle.
pub const HEAD_TIME_MAX: Duration = Duration::from_secs(20);
/// How long a connection lives, so that a peer which never reads its answer lets go of it.
pub const CONNECTION_TIME_MAX: Duration = Duration::from_secs(300);
/// How long an answer under way may still take when its connection is to end.
pub const LINGER: Duration = Duration::from_millis(500);
/// The longest head of a request; hyper's own minimum.
const HEAD_BYTES_MAX: usize = 8 * 1024;
/// Header lines of a request.
const HEADERS_MAX: usize = 64;
/// The pause after a failed accept, which is mostly for want of file descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// Serves until cancelled; then no new connection, and those that answer something get `LINGER` to end.
pub async fn serve(listener: TcpListener, admin: Admin, cancel: CancellationToken) {
    let mut connections = JoinSet::new();
    let mut by_age: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        tokio::select! {
            biased;
            () = cancel.cancelled() => break,
            Some(_) = connections.join_next() => by_age.retain(|connection| !connection.is_finished()),
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    if by_age.len() >= CONNECTIONS_MAX && let Some(oldest) = by_age.pop_front() {
                        oldest.abort();
                    }
                    by_age.push_back(connections.spawn(connection(stream, admin.clone(), cancel.clone())));
                }
                Err(_) => sleep(ACCEPT_RETRY).await,
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn connection(stream: TcpStream, admin: Admin, cancel: CancellationToken) {
    // A socket that refuses it is slower, not wrong.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request: http::Request<Incoming>| {
        let admin = &admin;
        async move {
            let gate = admin.api.as_ref();
            Ok::<_, Infallible>(match gate.filter(|_| is_of_api(request.uri().path())) {
                Some(gate) => gate.answer(request).await,
                // The body, if any, is dropped unread: nothing here takes one.
                None => answer(request.method(), request.uri().path(), admin),
            })
        }
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_headers(HEADERS_MAX);
    builder.max_buf_size(HEAD_BYTES_MAX).half_close(false);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        biased;
        // How it ended is the peer's affair.
        _ = connection.as_mut() => return,
        () = cancel.cancelled() => {}
        () = sleep(CONNECTION_TIME_MAX) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(LINGER, connection).await;
}
