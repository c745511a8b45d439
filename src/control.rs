//! AWS's control API for event source mappings, its pure half: requests in, decisions and answers out. Times and fresh UUIDs are
//! arguments; nothing here waits, reads a clock or touches a store.
//!
//! Beyond AWS, in its style: a mapping is paused and resumed (`registry/holds`), and the positions of a stream's are seen and set
//! (`position`).
//!
//! The way of a request: `route` takes it apart and holds its shape against AWS's, the `Registry` decides what it comes to, and
//! whoever asked does what a [`Change`] says: look whether what it needs exists, store it, and apply it.

mod body;
mod fields;
mod kept;
mod page;
pub mod position;
mod properties;
mod refusal;
mod registration;
mod registry;
mod route;
mod rules;
mod shape;
mod shown;
mod uri;

#[cfg(test)]
mod tests;

pub use kept::Kept;
pub use properties::Properties;
pub use refusal::Refusal;
pub use registration::{Registration, Unreadable};
pub use registry::{Change, Effect, Needs, Registry, Selection, Trouble};
pub use route::{Call, ROUTES, Route, route};
pub use shown::{Last, Told};
