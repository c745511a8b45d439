//! Decisions as functions of values: nothing below waits, reads a clock, draws a random number or logs.
//!
//! Moments are a [`std::time::Duration`] since the engine started; chance is a number in `0.0..1.0` that the caller drew.

pub mod backoff;
pub mod custody;
pub mod delivery;
pub mod event;
pub mod filter;
pub mod hex;
mod json;
pub mod kpl;
pub mod lanes;
pub mod lease;
pub mod on_failure;
pub mod progress;
pub mod record;
pub mod response;
pub mod scaling;
pub mod settlement;
pub mod shards;
pub mod tumbling;
pub mod utc;
pub mod uuid;
pub mod window;
