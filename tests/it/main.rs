//! The one integration binary.

mod config;
mod config_files;
mod config_wrong;
mod config_wrong_identity;
mod config_wrong_mapping;
mod engine;
mod real;
mod sim;
mod support;
mod tidy;
