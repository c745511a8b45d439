//! The embedded AWS: queues, streams, Lambda Invoke and what on-failure destinations need, over their wire protocols, for `demo`, `sim`, `bench` and the tests.
//! Over TCP (`serve`) and in process as the SDK's HTTP client (`World::connector`), where a seed repeats a run to the byte.
//!
//! ```text
//! connector (in process)  tcp (HTTP/1.1)        the two ways in
//!             wire                              one request, one answer: faults before, effect, faults after; crash points between
//!   sqs  kinesis  lambda  dynamodb  sns  s3     the services; each rule cites the API reference
//!             world                             state, clock, chance, ledger; helpers for tests
//! ```

mod actions;
pub mod clients;
pub mod clock;
pub mod connector;
pub mod crash;
pub mod dynamodb;
pub mod faults;
pub mod history;
pub mod kinesis;
pub mod lambda;
pub mod machine;
pub mod mishaps;
mod percent;
pub mod s3;
pub mod sns;
pub mod sqs;
mod tcp;
mod trace;
mod wire;
pub mod world;
mod xml;

pub use connector::Connector;
pub use faults::{Fault, Operation};
pub use history::{Ending, Entry, Event};
pub use kinesis::KinesisOperation;
pub use lambda::function::{FunctionConfig, Invocation, Reply};
pub use mishaps::Mishap;
pub use tcp::serve;
pub use world::{Settings, World};
