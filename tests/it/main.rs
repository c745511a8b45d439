//! The one integration binary.

mod engine;
mod real;
mod sim;
mod support;
mod tidy;
