//! HTTP for operators on a listener of its own: health, readiness, metrics, version (contract section 3).
//! It runs on its own thread with its own runtime, so that it answers while the data plane is saturated.

pub mod access;
pub mod answer;
pub mod api;
pub mod connections;
pub mod heartbeat;
pub mod port;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;
use crate::status::Status;
use api::Gate;
use heartbeat::Heartbeat;

/// Connections that may wait to be accepted. Beyond it a peer tries again after a whole second.
const BACKLOG: u32 = 1024;

/// What the listener tells about. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Admin {
    /// `/metrics`.
    pub metrics: Metrics,
    /// `/readyz`.
    pub status: Status,
    /// `/livez`.
    pub heartbeat: Heartbeat,
    /// The control API, where it is served.
    pub api: Option<Arc<Gate>>,
}

/// Why there is no listener.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address cannot be had.
    #[error("failed to listen on {address}: {reason}; set Service.Listen")]
    Bind {
        /// What was asked for.
        address: SocketAddr,
        /// In words.
        reason: String,
    },
    /// The machine gives no thread, or no reactor for it.
    #[error("failed to start the admin listener: {0}")]
    Thread(#[from] io::Error),
}

/// The running listener. Dropping it ends it and waits for that: half a second at most, with answers under way.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens on `address` (port 0: any free one). Once this returns, it answers.
    pub fn start(address: SocketAddr, admin: Admin) -> Result<Self, ListenError> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let listener = match listen(&runtime, address) {
            Ok(listener) => listener,
            Err(error) => {
                // The caller may be inside a runtime of its own, where another must not be dropped.
                runtime.shutdown_background();
                return Err(ListenError::Bind {
                    address,
                    reason: reason(&error),
                });
            }
        };
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let work = move || runtime.block_on(connections::serve(listener, admin, stopped));
        // The one thread that is not a worker of the main runtime: there a probe would wait its turn behind the data
        // plane, and a busy process would look like a dead one. Joined when the server is dropped.
        #[allow(clippy::disallowed_methods, reason = "see above; awaited in Drop")]
        let thread = thread::Builder::new()
            .name("admin".to_owned())
            .spawn(work)?;
        Ok(Self {
            address,
            stop,
            thread: Some(thread),
        })
    }

    /// Where it listens, with the port that it got.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
        if self
            .thread
            .take()
            .is_some_and(|thread| thread.join().is_err())
        {
            tracing::error!("the admin listener had ended by a panic");
        }
    }
}

fn listen(runtime: &Runtime, address: SocketAddr) -> io::Result<TcpListener> {
    let _context = runtime.enter();
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // A restart finds connections of its predecessor in their last state.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The usual causes without the number that the system gives them.
pub(crate) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "address in use".to_owned(),
        io::ErrorKind::AddrNotAvailable => "this machine has no such address".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
