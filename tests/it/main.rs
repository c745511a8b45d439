//! The one integration binary.

mod real;
mod sim;
mod support;
mod tidy;
