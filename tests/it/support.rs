//! What the end-to-end suite stands on: a cloud with queues and functions, and a collector that is the functions' mind.
//!
//! ```text
//! test -- send --> [ Cloud: SQS ] --> the engine --> [ Cloud: Lambda ] -- or, without Lambda, an Http target --+
//!   ^                                                   forwarder.py                                           |
//!   +--------- ledger of calls, scripted replies --- [ Collector ] <-------------------------------------------+
//! ```
//!
//! A scenario is an async function of a [`cloud::Cloud`], written once. Its tests are one line each: in the tier that
//! cargo runs alone against our embedded AWS, and in `real.rs` against servers that others wrote:
//!
//! ```ignore
//! pub async fn failed_messages_come_back(cloud: Cloud) {
//!     let collector = Collector::start(|call| Reply::failures(&call.message_ids()[..1])).await;
//!     let queue = cloud.queue("orders", QueueShape::default()).await;
//!     let function = cloud.function("process", &collector).await;    // its ARN, for the mapping
//!     queue.send("1").await;
//!     // ... start the engine on queue.arn and function ...
//!     let calls = collector.wait_for("two deliveries", |calls| calls.len() == 2).await;
//! }
//! ```
//!
//! Every test that needs a server of others lives in a module named `real`, which `tests/run` runs by that name with
//! `SLUICEGATE_IT_MINISTACK` set to the server's program. Where it is not set there is no such cloud.

pub mod cloud;
pub mod collector;
pub mod ministack;
pub mod queue;
pub mod zip;

use std::time::Duration;

/// How long a test waits for something that takes milliseconds where it works: generous, for a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(30);
