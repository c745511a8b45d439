//! Sluicegate: self-hosted event source mappings.

pub mod admin;
pub mod aws;
pub mod cli;
pub mod clock;
pub mod config;
pub mod function;
pub mod logging;
pub mod metrics;
pub mod model;
pub mod queue;
pub mod service;
pub mod sim;
pub mod status;
