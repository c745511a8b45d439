//! `Service`: the admin listener and the drain.

use std::net::SocketAddr;
use std::time::Duration;

/// What concerns the process, not one mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// `Listen`: address of the admin API and the metrics; 127.0.0.1:9480 by default.
    pub listen: SocketAddr,
    /// `ShutdownGraceInSeconds`: how long a drain may take before running invocations are abandoned; 30 s by default.
    pub shutdown_grace: Duration,
}
