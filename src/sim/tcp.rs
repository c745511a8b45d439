//! The embedded AWS over TCP, HTTP/1.1. Faults of the connection really happen on the socket.

use std::{error::Error, future::pending, io, pin::Pin, time::Duration};

use http_body_util::{BodyExt, Limited};
use hyper::{
    body::{Body as _, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::{
    wire::{Answer, Body, Request, answer, response, whole},
    world::World,
};

/// The largest request body that is read; Lambda's limit is 6 MiB, and a larger one must be seen to be refused.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How long a request's head may take to arrive, and how long a connection may idle.
const HEAD_TIME_MAX: Duration = Duration::from_secs(60);
/// How many connections are served at once; others wait in the listener's queue, where a client gives up. Each idle queue of a service
/// holds one, and the system's own limit of open files comes first as a rule.
const CONNECTIONS_MAX: usize = 65_536;
/// The pause after a failed accept, which is mostly for want of file descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// Serves `world` on `listener` until `cancel`; then drops what is under way and returns when every connection is closed.
pub async fn serve(listener: TcpListener, world: World, cancel: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        let free = connections.len() < CONNECTIONS_MAX;
        tokio::select! {
            biased;
            () = cancel.cancelled() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if free => match accepted {
                Ok((stream, _)) => {
                    let (world, cancel) = (world.clone(), cancel.child_token());
                    connections.spawn(async move { cancel.run_until_cancelled(connection(stream, world)).await });
                }
                Err(_) => tokio::time::sleep(ACCEPT_RETRY).await,
            }
        }
    }
    while connections.join_next().await.is_some() {}
}

/// A request that ends its connection without an answer.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("reset on purpose")]
    Reset,
    #[error("failed to read the request: {0}")]
    Read(#[source] Box<dyn Error + Send + Sync>),
}

type Served = Pin<Box<dyn Future<Output = Result<http::Response<Body>, Broken>> + Send>>;

async fn connection(stream: TcpStream, world: World) {
    // Without it, small answers wait for the client's delayed acknowledgement. A socket that refuses it is slower, not wrong.
    let _ = stream.set_nodelay(true);
    let service =
        service_fn(move |request| -> Served { Box::pin(exchange(world.clone(), request)) });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), service);
    let Err(error) = (&mut connection).await else {
        return;
    };
    if matches!(
        error.source().and_then(|source| source.downcast_ref()),
        Some(Broken::Reset)
    ) {
        // A real RST. A body that broke off goes without, so that its first half still arrives.
        let _: io::Result<()> = connection.into_parts().io.into_inner().set_zero_linger();
    }
}

async fn exchange(
    world: World,
    request: http::Request<Incoming>,
) -> Result<http::Response<Body>, Broken> {
    let (parts, body) = request.into_parts();
    let too_large = || whole(response(413, "text/plain", "request body too large".into()));
    if body.size_hint().lower() > BODY_BYTES_MAX as u64 {
        return Ok(too_large());
    }
    let body = match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            return Ok(too_large());
        }
        Err(error) => return Err(Broken::Read(error)),
    };
    match answer(&world, None, Request::from_parts(parts, body)).await {
        Answer::Response(response) => Ok(response),
        Answer::Reset => Err(Broken::Reset),
        Answer::Unconnected => pending().await,
    }
}
