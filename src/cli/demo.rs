//! `sluicegate demo`: the seam; the demo itself takes this file's place.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// Why a demo fails.
#[derive(Debug, thiserror::Error)]
#[error("the demo is not built yet")]
pub struct DemoError;

/// Run it for `duration`, or until `stop` is cancelled.
pub async fn run(_: Option<Duration>, _: CancellationToken) -> Result<(), DemoError> {
    Err(DemoError)
}
