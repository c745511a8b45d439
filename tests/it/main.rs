//! The one integration binary.

#![allow(clippy::unwrap_used, reason = "a test that fails to unwrap has failed")]

mod cloud;
mod engine;
mod sim;
mod support;
mod tidy;
