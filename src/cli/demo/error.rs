//! Why a demo fails.

use std::io;

use crate::cli::house::HouseError;
use crate::cli::output::Unwritten;
use crate::config::error::ConfigError;

/// Why a demo fails.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A loopback port or a temporary folder could not be had.
    #[error("failed to set up the demo: {0}")]
    Io(#[from] io::Error),
    /// The service does not start.
    #[error(transparent)]
    House(#[from] HouseError),
    /// The embedded AWS refused the demo's own set-up.
    #[error("failed to set up the embedded AWS: {0}")]
    SetUp(String),
    /// The demo's own configuration does not hold.
    #[error("the demo's configuration: {0}")]
    Config(ConfigError),
    /// Nobody can see it, though nobody has gone away.
    #[error(transparent)]
    Unwritten(#[from] Unwritten),
    /// A message is missing, or there is one too many.
    #[error(
        "{queue}: {sent} sent, but {deleted} deleted + {moved} dead-lettered + {left} still queued"
    )]
    DoesNotAddUp {
        /// The queue.
        queue: &'static str,
        /// Messages that were sent.
        sent: u64,
        /// Messages that the service deleted.
        deleted: u64,
        /// Messages that went to the dead-letter queue.
        moved: u64,
        /// Messages that are still there.
        left: u64,
    },
    /// A record was not handled and not discarded either.
    #[error("{stream}: {put} put, but {handled} handled + {discarded} discarded")]
    RecordsMissing {
        /// The stream.
        stream: &'static str,
        /// Records that it took.
        put: u64,
        /// Records that the function handled.
        handled: u64,
        /// Records of which the on-failure queue tells.
        discarded: u64,
    },
    /// The service believes to be further, or less far, than the functions are.
    #[error("{settled} records settled, but {done} handled or discarded")]
    Settled {
        /// Behind the positions.
        settled: u64,
        /// By the ledgers.
        done: u64,
    },
    /// A FIFO queue's messages came in the wrong order.
    #[error("{0} payments came out of order")]
    OutOfOrder(u64),
    /// A stream's records came in the wrong order.
    #[error("{stream}: {records} records came out of order")]
    RecordsOutOfOrder {
        /// The stream.
        stream: &'static str,
        /// Records that were passed over.
        records: u64,
    },
}
