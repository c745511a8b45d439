//! AWS at the edge: clients, what an error asks of us, and thin adapters at which the SDK's types end.

#[cfg(test)]
pub mod canned;
pub mod clients;
pub mod control;
mod credentials;
pub mod direct;
pub mod dynamodbstreams;
pub mod event;
pub mod fault;
mod identities;
pub mod kinesis;
pub mod mappings;
pub mod named;
pub mod producer;
mod renewed;
mod resolved;
pub mod sigv4;
mod split;
pub mod sqs;
pub mod stream;
mod text;
