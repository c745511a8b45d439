//! What the end-to-end suite stands on: a cloud with queues and functions, and a collector that is the functions' mind.
//!
//! ```text
//! test -- send --> [ Cloud: SQS ] --> sluicegate --> [ Cloud: Lambda ] -- or, without Lambda, an Http target --+
//!   ^                                                   forwarder.py                                           |
//!   +--------- ledger of calls, scripted replies --- [ Collector ] <-------------------------------------------+
//! ```
//!
//! A scenario is an async function of a [`cloud::Cloud`], written once and listed once; `scenarios!` makes two tests of
//! it, `embedded::NAME` against our embedded AWS and `real::NAME` against a server that others wrote:
//!
//! ```ignore
//! crate::support::scenarios! { failed_messages_come_back }
//!
//! async fn failed_messages_come_back(cloud: Cloud) {
//!     let collector = Collector::start(|call| Reply::failures(&call.message_ids()[..1])).await;
//!     let queue = cloud.queue("orders", QueueShape::default()).await;
//!     let function = cloud.function("process", &collector).await;    // its ARN, for the mapping
//!     queue.send("1").await;
//!     let gate = Config::at(&cloud.endpoint).mapping("orders", &queue.arn, &function, "BatchSize: 5").start().await;
//!     let calls = collector.wait_for("two deliveries", |calls| calls.len() == 2).await;
//!     gate.stop().await;
//! }
//! ```
//!
//! `tests/run` runs the tier of others by that name, `real`, with `SLUICEGATE_IT_MINISTACK` set to the server's program
//! and `SLUICEGATE_IT_KINESIS` to kinesis-mock's script, which scenarios of Kinesis have beside it.
//! Where the first is not set, a test named `real` has nothing to run against and ends at once.

pub mod bars;
pub mod cloud;
pub mod collector;
pub mod door;
pub mod gate;
pub mod kinesis_mock;
pub mod line;
pub mod lives;
pub mod log;
pub mod ministack;
pub mod policy;
pub mod queue;
pub mod stream;
pub mod tls;
pub mod usage;
pub mod zip;

use std::time::Duration;

/// How long a test waits for something that takes milliseconds where it works: generous, for a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How often a test looks at what it cannot be told of.
pub const POLL: Duration = Duration::from_millis(20);

/// Two tests of each scenario: on our embedded AWS, and on the server of others where the environment names it.
macro_rules! scenarios {
    ($($scenario:ident),+ $(,)?) => {
        $crate::support::scenarios! { on ministack: $($scenario),+ }
    };
    (on $others:ident: $($scenario:ident),+ $(,)?) => {
        mod embedded {
            $(
                #[tokio::test]
                async fn $scenario() {
                    super::$scenario($crate::support::cloud::Cloud::embedded().await).await;
                }
            )+
        }

        mod real {
            $(
                #[tokio::test]
                async fn $scenario() {
                    if let Some(cloud) = $crate::support::cloud::Cloud::$others().await {
                        super::$scenario(cloud).await;
                    }
                }
            )+
        }
    };
}
pub(crate) use scenarios;
