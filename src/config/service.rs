//! `Service`: the admin listener, who may change something there, and the drain.

mod api;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::cursor::At;
use super::error::{Report, quoted};
use super::tree::Value;
pub use api::{AccessKey, Api, Secret};

/// What concerns the process, not one mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// `Listen`: address of the admin API and the metrics; 127.0.0.1:9480 by default. Port 0 takes any free one.
    pub listen: SocketAddr,
    /// `ShutdownGraceInSeconds`: how long a drain may take before running invocations are abandoned; 30 s by default, 0 to
    /// 3,600: a function may run for 900 s, and no platform waits an hour for a process to end.
    pub shutdown_grace: Duration,
    /// `Api`: who may use the control API.
    pub api: Api,
}

const KEYS: [&str; 3] = ["Listen", "ShutdownGraceInSeconds", "Api"];
const LISTEN_DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9480);
const SHUTDOWN_GRACE_S_DEFAULT: u64 = 30;
const SHUTDOWN_GRACE_S_MAX: i64 = 3_600;

impl Default for Service {
    fn default() -> Self {
        Service {
            listen: LISTEN_DEFAULT,
            shutdown_grace: Duration::from_secs(SHUTDOWN_GRACE_S_DEFAULT),
            api: Api::default(),
        }
    }
}

pub(super) fn read(at: &At<'_>, report: &mut Report) -> Option<Service> {
    let fields = at.fields(&KEYS, report)?;
    let default = Service::default();
    let listen = match fields.get("Listen") {
        Some(at) => listen(&at, report),
        None => Some(default.listen),
    };
    let shutdown_grace = match fields.get("ShutdownGraceInSeconds") {
        Some(at) => at.integer(0..=SHUTDOWN_GRACE_S_MAX, report).map(seconds),
        None => Some(default.shutdown_grace),
    };
    let api = match fields.get("Api") {
        Some(at) => api::read(&at, report),
        None => Some(default.api),
    };
    Some(Service {
        listen: listen?,
        shutdown_grace: shutdown_grace?,
        api: api?,
    })
}

/// A bounded, non-negative number of seconds as a span of time.
pub(super) fn seconds(count: i64) -> Duration {
    Duration::from_secs(count.unsigned_abs())
}

/// An IP address and a port. `localhost` is the one name that needs no network to be understood.
pub fn address(text: &str) -> Option<SocketAddr> {
    match text.strip_prefix("localhost:") {
        Some(port) => format!("{}:{port}", Ipv4Addr::LOCALHOST).parse().ok(),
        None => text.parse().ok(),
    }
}

fn listen(at: &At<'_>, report: &mut Report) -> Option<SocketAddr> {
    let text = match &at.node.value {
        Value::Int(port) => &port.to_string(),
        Value::Null
        | Value::Bool(_)
        | Value::Float(_)
        | Value::Text(_)
        | Value::List(_)
        | Value::Map(_)
        | Value::Broken => at.text(report)?,
    };
    let Some(address) = address(text) else {
        let found = quoted(text);
        let what = format!(
            "{found} is no address to listen on; expected an IP address or localhost, and a port: 127.0.0.1:9480"
        );
        at.error(report, what);
        return None;
    };
    if !address.ip().to_canonical().is_loopback() {
        let what = format!(
            "{address} can be reached from other machines, and who asks is not checked: everyone there can read \
             metrics and the state of every mapping; use 127.0.0.1, or let a firewall decide"
        );
        at.warn(report, what);
    }
    Some(address)
}
