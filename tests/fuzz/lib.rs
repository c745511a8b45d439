//! The pure rooms of the program, compiled once for all targets: with no SDK, no runtime and no store, which would be built for
//! minutes and are not reached. What they ask of other rooms is a file or two of those.

#![allow(dead_code, unused_imports)]

/// By its parts, since some of them are visible in `crate::model` alone.
#[path = "../../src/model"]
pub mod model {
    pub mod event;
    pub mod filter;
    mod json;
    pub mod kpl;
    pub mod on_failure;
    pub mod progress;
    pub mod record;
    pub mod response;
    pub mod shards;
    pub mod utc;
    pub mod uuid;
}

#[path = "../../src"]
mod whole {
    pub mod config;
    pub mod control;
}
pub use whole::{config, control};

#[path = "../../src/metrics/label.rs"]
mod label;
/// All that the control API asks of the room of this name.
mod status {
    pub use crate::label::State;
}

#[path = "../../src/aws/fault/code.rs"]
pub mod fault;

/// How the file holds a value; the file itself is attacked in src/checkpoint/tests.
#[path = "../../src/checkpoint"]
pub mod checkpoint {
    mod crc32c;
    pub mod value;
}
