//! The one integration binary.

#![allow(clippy::unwrap_used, reason = "a test that fails to unwrap has failed")]

mod answers;
mod cli;
mod cloud;
mod config;
mod config_files;
mod config_streams;
mod config_wrong;
mod config_wrong_identity;
mod config_wrong_mapping;
mod config_wrong_source;
mod config_wrong_stream;
mod e2e;
mod engine;
mod import;
mod permissions;
mod process;
mod sim;
mod streams;
mod support;
mod tidy;
