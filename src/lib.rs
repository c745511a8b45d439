//! Sluicegate: self-hosted event source mappings.

pub mod clock;
pub mod config;
pub mod metrics;
pub mod model;
pub mod status;
