//! The one integration binary.

mod sim;
