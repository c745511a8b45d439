//! The one integration binary.

mod real;
mod support;
mod tidy;
