//! Sluicegate: self-hosted event source mappings.
//!
//! Data comes in at a source, becomes a batch, becomes one function call, and leaves as *settled*. Decisions are pure
//! functions of values (`model`); thin loops carry them out. This page is the map of the house.
//!
//! ```text
//! main        arguments in, exit code out
//! cli         one file per verb; `cli/demo` is the whole product on one machine
//! logging     text on a terminal, JSON elsewhere
//! service     one supervised task per mapping; readiness; reload; drain within the grace period; the desk of the control API
//! admin       health, readiness, metrics, dashboard: on a thread and a listener of its own
//! queue       engine 1, an SQS queue: slot, gather, deliver, settle; leases are extended meanwhile
//! stream      engine 2, a Kinesis or DynamoDB stream: discover, read, lanes, deliver, discard, keep
//! destination where the record of a discard goes: a queue, a topic, a bucket
//! function    invoke a function, in AWS Lambda or behind a URL
//! aws         clients, what an error asks of us, and adapters at which the SDK's types end
//! reports     what an engine tells: its counters, and its place in the status
//! checkpoint  where positions of streams are kept: memory, or a file that is refused on any doubt
//! status      the state of each mapping       metrics   every family, and a `record_*` per thing that happens
//! control     AWS's control API, its pure half: requests in, decisions and answers out
//! import      managed mappings -> a configuration file: from AWS, a template, Terraform; and what two lists differ in
//! config      files -> mappings that cannot be wrong
//! clock       the only reader of the wall clock
//! model       decisions: window, event, response, filter, backoff; of queues settlement, custody, scaling; of streams
//!             delivery, lanes, shards, tumbling, progress
//! sim         the embedded AWS, for the demo and the tests; nothing else imports it
//! ```
//!
//! # The way of a batch
//!
//! A *slot* is taken before anything is received, so that nothing is taken from a queue that could not be invoked
//! ([`queue`]). Messages are received until the batch is due by count, by bytes or by time
//! ([`model::window`]); each is written as its event record when it arrives, so that lengths are exact. What a filter
//! drops is deleted at once. The event is its records put together, and goes to the function; a throttle or a service
//! error keeps the batch and repeats. The answer is read ([`model::response`]), the fate of each message follows
//! ([`model::settlement`]), deletes are done with the result of each entry read, and the slot is free.
//!
//! Everything in hand is in *custody* ([`model::custody`]): one table of receipts, leases and groups for a mapping. The
//! heartbeat extends leases from it, a second copy of a held message lends its newer receipt to it instead of being
//! invoked, and a FIFO group that is in it goes into no other batch: what comes of the group while the batch's deletes
//! are under way is taken up by the same turn after them.
//!
//! A stream keeps no progress for anybody, so we do. Its shards are read parents first ([`model::shards`]). What is read
//! goes down the lane of its key ([`model::lanes`]); a lane's batch is delivered until the failure policy
//! ([`model::delivery`]) owes nothing of it, which may take repeats, halves, and the record of a discard at a destination.
//! After each step the shard's progress ([`model::progress`]) goes into the [`checkpoint`] store: never ahead of what is
//! settled, and with the counts of what is not.
//!
//! # Invariants of the architecture, kept by `tests/it/tidy.rs`
//!
//! - `model` has no `async`, no clock, no randomness, no logging, no SDK type.
//! - SDK types appear only in `aws`, `function`, `destination`, `clock` and `sim`.
//! - Imports go downwards in the list above; nothing but `cli` and tests imports `sim`.
//! - Nothing is spawned except into a `JoinSet` that its parent awaits. Two threads are not the
//!   runtime's, each joined by who started it: the admin listener's, and the one that owns the checkpoint file.
//! - Every `select!` is `biased` and stands at a declared wait, never around an effect and its record.
//! - One retry layer, ours: the SDK's retries are off. Nothing is retried without a delay; each bound has a name.
//! - An error says what it asks of us ([`aws::fault::Fault`]); its text is for people.
//!
//! # Where this differs from the plan it was built from
//!
//! - `status` stands beside `metrics`: an engine writes a mapping's state to both through its `reports`.

pub mod admin;
pub mod aws;
pub mod checkpoint;
pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod destination;
pub mod function;
pub mod import;
pub mod logging;
pub mod metrics;
pub mod model;
pub mod queue;
pub mod reports;
pub mod service;
pub mod sim;
pub mod status;
pub mod stream;
