//! Shard lineage: which shards may be read now. // spec: 5.6
//!
//! A child waits until all its parents are settled; a merged child has two. A parent that nobody knows was trimmed
//! before we came, and counts as settled. One that was listed once and is missing from a later listing does not: a
//! listing may lag behind, and what it left out is still read.

use std::collections::BTreeMap;
use std::time::Duration;

use super::progress::Position;

/// A shard that is settled and missing from every listing for this long is forgotten. Long enough that no listing lags
/// behind so far, short enough that the shards of a stream that rolls over every few hours do not pile up.
pub const FORGET_AFTER: Duration = Duration::from_hours(1);

/// A shard as the source lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Never given twice.
    pub id: String,
    /// None for a shard of the stream's beginning, one after a split, two after a merge.
    pub parents: Vec<String>,
    /// It takes no more records.
    pub closed: bool,
}

/// A shard that is known from a checkpoint alone is read when so many listings lack it: a listing that lags behind would
/// not say who its parents are, and it must not be read before them.
const LISTINGS_WITHOUT: u32 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Waiting,
    Reading,
    Settled,
}

#[derive(Clone, Debug)]
struct Node {
    parents: Vec<String>,
    stage: Stage,
    /// Since when it is missing from the listings.
    missing: Option<Duration>,
    /// A listing had it, so that its parents are known.
    listed: bool,
    /// So many listings in a row lack it.
    without: u32,
}

/// The shards of one stream, and how far each is.
#[derive(Clone, Debug, Default)]
pub struct Lineage {
    shards: BTreeMap<String, Node>,
}

impl Lineage {
    /// The shards that have a checkpoint, and whether each is settled.
    pub fn resume<'a>(known: impl IntoIterator<Item = (&'a str, &'a Position)>) -> Self {
        let node = |(id, position): (&str, &Position)| {
            let stage = match position {
                Position::End => Stage::Settled,
                Position::Horizon
                | Position::At { .. }
                | Position::From { .. }
                | Position::After { .. } => Stage::Waiting,
            };
            let node = Node {
                parents: Vec::new(),
                stage,
                missing: None,
                listed: false,
                without: 0,
            };
            (id.to_owned(), node)
        };
        Self {
            shards: known.into_iter().map(node).collect(),
        }
    }

    /// A listing, whole as far as the source knows. Returns the shards that are new, in the order of the listing: each
    /// needs a checkpoint before it may be read.
    pub fn update(&mut self, listed: &[Listed], now: Duration) -> Vec<String> {
        let mut new = Vec::new();
        for node in self.shards.values_mut() {
            node.missing.get_or_insert(now);
            node.without = node.without.saturating_add(1);
        }
        for shard in listed {
            let node = self.shards.entry(shard.id.clone()).or_insert_with(|| {
                new.push(shard.id.clone());
                Node {
                    parents: Vec::new(),
                    stage: Stage::Waiting,
                    missing: None,
                    listed: true,
                    without: 0,
                }
            });
            node.parents.clone_from(&shard.parents);
            node.missing = None;
            node.listed = true;
            node.without = 0;
        }
        new
    }

    /// Whether a listing has shards that are not known.
    pub fn has_new(&self, listed: &[Listed]) -> bool {
        let known = |shard: &Listed| self.shards.contains_key(&shard.id);
        !listed.iter().all(known)
    }

    /// Whether everything in every known shard is settled: nothing is read, and nothing waits.
    pub fn all_settled(&self) -> bool {
        self.shards
            .values()
            .all(|node| node.stage == Stage::Settled)
    }

    /// The settled shards that the source has forgotten for long: their checkpoints may go.
    pub fn forget(&mut self, now: Duration) -> Vec<String> {
        let gone = |node: &Node| {
            let missing = node
                .missing
                .is_some_and(|since| since + FORGET_AFTER <= now);
            missing && node.stage == Stage::Settled
        };
        let forgotten: Vec<String> = self
            .shards
            .iter()
            .filter(|(_, node)| gone(node))
            .map(|(id, _)| id.clone())
            .collect();
        for id in &forgotten {
            self.shards.remove(id);
        }
        forgotten
    }

    /// The shards that may be read and are not, in the order of their names.
    pub fn readable(&self) -> Vec<String> {
        self.shards
            .iter()
            .filter(|(_, node)| node.stage == Stage::Waiting && self.parents_settled(node))
            .map(|(id, _)| id.clone())
            .collect()
    }

    /// Somebody reads it now.
    pub fn begun(&mut self, id: &str) {
        self.set(id, Stage::Reading);
    }

    /// Nobody reads it any more, and it is not settled: it may be read again.
    pub fn paused(&mut self, id: &str) {
        self.set(id, Stage::Waiting);
    }

    /// It is closed, and everything in it is settled.
    pub fn settled(&mut self, id: &str) {
        self.set(id, Stage::Settled);
    }

    /// How many shards wait for their parents.
    pub fn waiting(&self) -> usize {
        self.shards
            .values()
            .filter(|node| node.stage == Stage::Waiting && !self.parents_settled(node))
            .count()
    }

    fn set(&mut self, id: &str, stage: Stage) {
        if let Some(node) = self.shards.get_mut(id) {
            node.stage = stage;
        }
    }

    fn parents_settled(&self, node: &Node) -> bool {
        if !node.listed && node.without < LISTINGS_WITHOUT {
            return false;
        }
        let settled = |id: &String| {
            self.shards
                .get(id)
                .is_none_or(|parent| parent.stage == Stage::Settled)
        };
        node.parents.iter().all(settled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1);

    fn shard(id: &str, parents: &[&str]) -> Listed {
        Listed {
            id: id.into(),
            parents: parents.iter().map(|parent| parent.to_string()).collect(),
            closed: false,
        }
    }

    fn settle(lineage: &mut Lineage, id: &str) {
        assert!(
            lineage.readable().contains(&id.to_string()),
            "{id} may not be read"
        );
        lineage.begun(id);
        assert!(!lineage.readable().contains(&id.to_string()));
        lineage.settled(id);
    }

    #[test]
    fn a_child_waits_for_its_parent_and_siblings_do_not_wait_for_each_other() {
        let mut lineage = Lineage::default();
        let new = lineage.update(
            &[shard("a", &[]), shard("b", &["a"]), shard("c", &["a"])],
            NOW,
        );
        assert_eq!(new, ["a", "b", "c"]);
        assert_eq!(lineage.readable(), ["a"]);
        assert_eq!(lineage.waiting(), 2);
        lineage.begun("a");
        assert!(lineage.readable().is_empty());
        lineage.settled("a");
        assert_eq!(lineage.readable(), ["b", "c"]);
        assert_eq!(lineage.waiting(), 0);
    }

    #[test]
    fn a_merged_child_waits_for_both_parents() {
        let mut lineage = Lineage::default();
        lineage.update(
            &[shard("a", &[]), shard("b", &[]), shard("m", &["a", "b"])],
            NOW,
        );
        settle(&mut lineage, "a");
        assert_eq!(lineage.readable(), ["b"]);
        settle(&mut lineage, "b");
        assert_eq!(lineage.readable(), ["m"]);
    }

    #[test]
    fn a_parent_that_nobody_knows_was_trimmed() {
        let mut lineage = Lineage::default();
        lineage.update(
            &[shard("m", &["trimmed", "a"]), shard("a", &["trimmed"])],
            NOW,
        );
        assert_eq!(lineage.readable(), ["a"]);
        settle(&mut lineage, "a");
        assert_eq!(lineage.readable(), ["m"]);
    }

    #[test]
    fn a_parent_that_a_listing_left_out_is_waited_for() {
        let mut lineage = Lineage::default();
        lineage.update(&[shard("a", &[])], NOW);
        lineage.begun("a");
        lineage.update(&[shard("b", &["a"])], NOW);
        assert!(lineage.readable().is_empty());
        // Also one that is known from its checkpoint alone.
        let position = Position::Horizon;
        let mut lineage = Lineage::resume([("a", &position)]);
        for _ in 0..2 {
            lineage.update(&[shard("b", &["a"])], NOW);
            assert!(
                lineage.readable().is_empty(),
                "its own parents are not known"
            );
        }
        lineage.update(&[shard("b", &["a"])], NOW);
        assert_eq!(lineage.readable(), ["a"]);
    }

    #[test]
    fn what_is_settled_stays_settled_over_a_restart_and_is_new_to_nobody() {
        let end = Position::End;
        let horizon = Position::Horizon;
        let mut lineage = Lineage::resume([("a", &end), ("b", &horizon)]);
        let new = lineage.update(
            &[shard("a", &[]), shard("b", &["a"]), shard("c", &["a"])],
            NOW,
        );
        assert_eq!(new, ["c"]);
        assert_eq!(lineage.readable(), ["b", "c"]);
    }

    #[test]
    fn a_settled_shard_is_forgotten_when_it_was_missing_for_an_hour() {
        let end = Position::End;
        let mut lineage = Lineage::resume([("a", &end), ("b", &end)]);
        let listing = [shard("b", &["a"]), shard("c", &["b"])];
        lineage.update(&listing, NOW);
        assert!(
            lineage
                .forget(NOW + FORGET_AFTER - Duration::from_millis(1))
                .is_empty()
        );
        // It was missing once only: the hour begins anew.
        lineage.update(
            &[shard("a", &[]), listing[0].clone(), listing[1].clone()],
            NOW,
        );
        lineage.update(&listing, 2 * NOW);
        assert!(lineage.forget(NOW + FORGET_AFTER).is_empty());
        assert_eq!(lineage.forget(2 * NOW + FORGET_AFTER), ["a"]);
        assert_eq!(lineage.readable(), ["c"]);
        assert!(lineage.update(&listing, 3 * NOW).is_empty());
    }

    #[test]
    fn an_unsettled_shard_is_never_forgotten() {
        let mut lineage = Lineage::default();
        lineage.update(&[shard("a", &[])], NOW);
        lineage.update(&[], NOW);
        assert!(lineage.forget(100 * FORGET_AFTER).is_empty());
        assert_eq!(lineage.readable(), ["a"]);
    }

    #[test]
    fn a_shard_that_was_put_down_may_be_taken_up_again() {
        let mut lineage = Lineage::default();
        lineage.update(&[shard("a", &[])], NOW);
        lineage.begun("a");
        lineage.paused("a");
        assert_eq!(lineage.readable(), ["a"]);
    }

    /// Every order in which a stream of two generations of splits and merges can be settled keeps parents first.
    #[test]
    fn in_every_order_parents_come_before_children() {
        let listing = [
            shard("a", &[]),
            shard("b", &[]),
            shard("a1", &["a"]),
            shard("a2", &["a"]),
            shard("m", &["a2", "b"]),
            shard("z", &["m", "a1"]),
        ];
        let mut lineage = Lineage::default();
        lineage.update(&listing, NOW);
        let mut runs = 0;
        explore(&listing, lineage, &mut Vec::new(), &mut runs);
        assert_eq!(runs, 11, "orders in which the six shards can be settled");
    }

    fn explore(listing: &[Listed], lineage: Lineage, order: &mut Vec<String>, runs: &mut usize) {
        let readable = lineage.readable();
        if readable.is_empty() {
            assert_eq!(order.len(), listing.len(), "stuck after {order:?}");
            *runs += 1;
            return;
        }
        for id in readable {
            let parents = &listing.iter().find(|shard| shard.id == id).unwrap().parents;
            assert!(
                parents.iter().all(|parent| order.contains(parent)),
                "{order:?} then {id}"
            );
            let mut next = lineage.clone();
            next.begun(&id);
            next.settled(&id);
            order.push(id);
            explore(listing, next, order, runs);
            order.pop();
        }
    }

    #[test]
    fn a_listing_has_something_new_while_a_shard_of_it_is_not_known() {
        let mut lineage = Lineage::default();
        let listing = [shard("a", &[]), shard("b", &[])];
        lineage.update(&listing[..1], NOW);
        assert!(lineage.has_new(&listing));
        lineage.update(&listing, NOW);
        assert!(!lineage.has_new(&listing));
        assert!(!lineage.has_new(&[]));
    }

    #[test]
    fn all_is_settled_when_the_last_shard_is() {
        let mut lineage = Lineage::default();
        lineage.update(&[shard("a", &[]), shard("b", &["a"])], NOW);
        assert!(!lineage.all_settled());
        settle(&mut lineage, "a");
        assert!(!lineage.all_settled(), "b waits");
        lineage.begun("b");
        assert!(!lineage.all_settled(), "b is read");
        lineage.settled("b");
        assert!(lineage.all_settled());
    }
}
