//! Sluicegate: self-hosted event source mappings.

pub mod config;
pub mod model;
pub mod sim;
