//! AWS at the edge: clients, what an error asks of us, and thin adapters at which the SDK's types end.

pub mod clients;
mod credentials;
pub mod fault;
pub mod producer;
pub mod sqs;
