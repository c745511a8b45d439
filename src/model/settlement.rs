//! What the function's answer means for each message of a batch: delete it, or leave it to the queue.

use std::collections::BTreeSet;

/// What a function made of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All of it was handled.
    Handled,
    /// These messages failed, the rest was handled (`ReportBatchItemFailures`). // spec: 3.2
    Partly {
        /// Their ids: at least one, all of the batch.
        failed: BTreeSet<String>,
    },
    /// None of it counts as handled: an error, a time-out, or an answer that can not be read. // spec: 3.1
    Failed,
}

/// What to do with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was handled.
    Delete,
    /// It comes again when the queue's visibility time-out ends. // spec: 4.4
    Leave,
}

/// A message's name and, in an ordered queue, its group.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// The message.
    pub id: &'a str,
    /// `None` where no order is kept.
    pub group: Option<&'a str>,
}

/// The fate of each message, in the order of the batch.
///
/// In an ordered queue a failed message takes all later ones of its group with it: AWS deletes those that the function
/// did not name, which breaks the order for the usual function (spec: 3.2; a deliberate difference).
pub fn settle<'a>(batch: impl Iterator<Item = Member<'a>>, outcome: &Outcome) -> Vec<Fate> {
    match outcome {
        Outcome::Handled => batch.map(|_| Fate::Delete).collect(),
        Outcome::Failed => batch.map(|_| Fate::Leave).collect(),
        Outcome::Partly { failed } => {
            let mut stopped = BTreeSet::new();
            let fate = |member: Member<'a>| {
                let behind = member.group.is_some_and(|group| stopped.contains(group));
                if behind || failed.contains(member.id) {
                    stopped.extend(member.group);
                    Fate::Leave
                } else {
                    Fate::Delete
                }
            };
            batch.map(fate).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members<'a>(batch: &'a [(&'a str, Option<&'a str>)]) -> impl Iterator<Item = Member<'a>> {
        batch.iter().map(|(id, group)| Member { id, group: *group })
    }

    fn partly(failed: &[&str]) -> Outcome {
        Outcome::Partly {
            failed: failed.iter().map(|id| id.to_string()).collect(),
        }
    }

    #[test]
    fn all_or_nothing_without_a_partial_answer() {
        let batch = [("1", None), ("2", None)];
        assert_eq!(
            settle(members(&batch), &Outcome::Handled),
            [Fate::Delete, Fate::Delete]
        );
        assert_eq!(
            settle(members(&batch), &Outcome::Failed),
            [Fate::Leave, Fate::Leave]
        );
    }

    // spec: 3.2
    #[test]
    fn without_order_only_the_named_messages_stay() {
        let batch = [("1", None), ("2", None), ("3", None)];
        assert_eq!(
            settle(members(&batch), &partly(&["2"])),
            [Fate::Delete, Fate::Leave, Fate::Delete]
        );
    }

    // reliability: I12
    #[test]
    fn in_order_a_failure_holds_back_its_group_and_no_other() {
        let batch = [
            ("1", Some("a")),
            ("2", Some("b")),
            ("3", Some("a")),
            ("4", Some("b")),
            ("5", Some("c")),
        ];
        let fates = settle(members(&batch), &partly(&["1"]));
        assert_eq!(
            fates,
            [
                Fate::Leave,
                Fate::Delete,
                Fate::Leave,
                Fate::Delete,
                Fate::Delete
            ]
        );
    }

    /// Every batch of up to five messages in up to two groups with every set of failures: each message has one fate, a
    /// named one stays, and nothing of a group is deleted behind one that stays.
    #[test]
    fn no_history_of_a_small_batch_breaks_order_or_deletes_a_failure() {
        let ids = ["0", "1", "2", "3", "4"];
        for length in 0..=5u32 {
            for groups in 0..3u32.pow(length) {
                for failures in 0..1u32 << length {
                    let group = |index: u32| {
                        [None, Some("a"), Some("b")][(groups / 3u32.pow(index) % 3) as usize]
                    };
                    let batch: Vec<_> = (0..length)
                        .map(|index| (ids[index as usize], group(index)))
                        .collect();
                    let failed: Vec<_> = (0..length)
                        .filter(|bit| failures >> bit & 1 == 1)
                        .map(|bit| ids[bit as usize])
                        .collect();
                    let fates = settle(members(&batch), &partly(&failed));
                    assert_eq!(fates.len(), batch.len());
                    for (index, (id, group)) in batch.iter().enumerate() {
                        let named = failed.contains(id);
                        let behind = group.is_some()
                            && batch[..index]
                                .iter()
                                .any(|(earlier, of)| of == group && failed.contains(earlier));
                        let expected = if named || behind {
                            Fate::Leave
                        } else {
                            Fate::Delete
                        };
                        assert_eq!(fates[index], expected, "{batch:?} {failed:?} at {index}");
                    }
                }
            }
        }
    }
}
