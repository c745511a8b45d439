//! One supervised task per mapping; readiness; reload; drain within the grace period.
//!
//! A mapping that can not start, or that ends in a panic, is tried again with growing delays and hurts no other. What is
//! to run stands on a [`Roster`] that may change: the crew follows it mapping by mapping.

mod aside;
mod crew;
pub mod desk;
mod engines;
mod roster;
mod supervised;

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::aws::clients::Clients;
use crate::checkpoint::Owner;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::reports::Account;
use crate::status::Status;

pub use aside::aside;
use crew::Crew;
use roster::Numbered;
pub use roster::{Roster, Wanted};

/// Everything outside that a service works with.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// AWS, and the connections of functions behind a URL.
    pub clients: Clients,
    /// Where it counts.
    pub metrics: Metrics,
    /// What `/readyz` shows.
    pub status: Status,
    /// Who keeps the progress of streams.
    pub owner: Owner,
    /// Ages of records are those of this clock.
    pub clock: Clock,
    /// How long a mapping that is to end may take to settle what it has in hand.
    pub grace: Duration,
    /// The seed of all jitter.
    pub seed: u64,
}

/// Run what the roster names until `drain` is cancelled, settle what is in hand within the grace period, and say what
/// became of it. Messages still in hand when the period ends are counted as abandoned, invocations of streams as cut off:
/// the sources deliver them again.
///
/// When the roster changes, a mapping that is the same goes on undisturbed. One that is gone or that differs reads no
/// more, settles what it has in hand, and begins anew with the new settings where it is: in the queue, or at its
/// checkpoints.
///
/// When the store breaks the service drains by itself, since nothing that a stream settles from then on would be kept:
/// [`crate::checkpoint::Store::broken`] tells.
pub async fn run(roster: &Roster, around: Surroundings, drain: CancellationToken) -> Account {
    let (status, grace) = (around.status.clone(), around.grace);
    let mut crew = Crew::new(around, drain.clone());
    let mut wanted = roster.watch();
    loop {
        let Numbered {
            number,
            wanted: now,
        } = wanted.borrow_and_update().clone();
        crew.follow(&now);
        roster.is_followed(number, crew.at_work());
        tokio::select! {
            biased;
            () = drain.cancelled() => break,
            // The roster is there for as long as we are.
            _ = wanted.changed() => {}
            () = crew.someone_ended() => {}
        }
    }
    status.draining();
    info!(grace_s = grace.as_secs(), "draining");
    crew.all_ended().await
}
