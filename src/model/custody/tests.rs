//! What is held, for how long, and when it is extended: the arithmetic of leases by example.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn name(text: &str) -> Arc<str> {
    Arc::from(text)
}

fn custody(lease_s: u32) -> Custody {
    let mut custody = Custody::new(true);
    custody.set_lease(lease_s * SECOND);
    custody
}

#[test]
fn a_message_is_extended_when_half_of_its_lease_is_gone() {
    let mut custody = custody(30);
    assert_eq!(
        custody.take(1, &name("a"), name("r"), None, custody.lease, SECOND),
        Taken::New
    );
    assert_eq!(custody.due(15 * SECOND, Duration::ZERO, 10), []);
    let due = custody.due(16 * SECOND, Duration::ZERO, 10);
    assert_eq!(
        due,
        [Extension {
            id: name("a"),
            receipt: name("r"),
            seconds: 30
        }]
    );
    assert_eq!(
        custody.due(17 * SECOND, Duration::ZERO, 10),
        [],
        "what is under way is not due again"
    );
    custody.extended(&due[0], 16 * SECOND);
    assert_eq!(custody.remaining("a", 16 * SECOND), Some(30 * SECOND));
    assert_eq!(custody.next_extension(), Some(31 * SECOND));
}

// The terms changed while the receive waited on the queue.
#[test]
fn a_message_is_hidden_for_as_long_as_its_receive_asked_for() {
    let mut custody = custody(600);
    for receipt in ["first", "second"] {
        custody.take(1, &name("a"), name(receipt), None, 30 * SECOND, SECOND);
        assert_eq!(custody.next_extension(), Some(16 * SECOND), "{receipt}");
        assert_eq!(custody.remaining("a", 30 * SECOND), Some(SECOND));
        assert_eq!(custody.remaining("a", 31 * SECOND), None);
    }
    let due = custody.due(16 * SECOND, Duration::ZERO, 10);
    assert_eq!(due[0].seconds, 600, "the extension is on the new terms");
    assert!(!custody.extends("a"), "it is under way");
    assert!(!custody.not_extended(&due[0], 17 * SECOND));
    assert!(custody.extends("a"), "it will be tried again");
    assert!(custody.lost(&due[0]));
    assert!(!custody.extends("a"));
    assert!(!custody.not_extended(&due[0], 18 * SECOND));
    assert!(!custody.extends("a"), "what is lost is not tried again");
}

#[test]
fn a_refused_extension_is_repeated_until_the_lease_is_over() {
    let mut custody = custody(4);
    custody.take(
        1,
        &name("a"),
        name("r"),
        None,
        custody.lease,
        Duration::ZERO,
    );
    let due = custody.due(2 * SECOND, Duration::ZERO, 10);
    assert!(!custody.not_extended(&due[0], 2 * SECOND));
    assert_eq!(custody.next_extension(), Some(3 * SECOND));
    let due = custody.due(3 * SECOND, Duration::ZERO, 10);
    assert!(
        custody.not_extended(&due[0], 4 * SECOND),
        "the lease ran out"
    );
    assert_eq!(custody.next_extension(), None);
    assert_eq!(custody.remaining("a", 4 * SECOND), None);
}

#[test]
fn a_lease_never_exceeds_twelve_hours_from_the_receive() {
    let mut custody = custody(40_000);
    custody.take(
        1,
        &name("a"),
        name("r"),
        None,
        custody.lease,
        Duration::ZERO,
    );
    let due = custody.due(20_000 * SECOND, Duration::ZERO, 10);
    assert_eq!(
        due[0].seconds, 23_190,
        "ten seconds less than the queue may grant"
    );
    custody.extended(&due[0], 20_000 * SECOND);
    assert_eq!(
        custody.due(31_600 * SECOND, Duration::ZERO, 10),
        [],
        "an extension to the same moment would gain nothing"
    );
    assert_eq!(custody.next_extension(), None, "it just runs out");
    assert_eq!(custody.remaining("a", 43_000 * SECOND), Some(190 * SECOND));
    assert_eq!(custody.remaining("a", 43_190 * SECOND), None);
}

#[test]
fn a_lease_from_before_the_terms_got_shorter_is_extended_all_the_same() {
    let mut custody = custody(300);
    custody.take(
        1,
        &name("a"),
        name("r"),
        None,
        custody.lease,
        Duration::ZERO,
    );
    custody.set_lease(30 * SECOND);
    assert_eq!(
        custody.due(150 * SECOND, Duration::ZERO, 10),
        [],
        "it would be cut short"
    );
    assert_eq!(custody.next_extension(), Some(285 * SECOND));
    let due = custody.due(285 * SECOND, Duration::ZERO, 10);
    assert_eq!(due[0].seconds, 30);
}

#[test]
fn a_second_copy_lends_its_newer_receipt_and_renews_the_lease() {
    let mut custody = custody(30);
    custody.take(
        1,
        &name("a"),
        name("r1"),
        Some(&name("g")),
        custody.lease,
        Duration::ZERO,
    );
    assert_eq!(
        custody.take(
            2,
            &name("a"),
            name("r2"),
            Some(&name("g")),
            custody.lease,
            20 * SECOND
        ),
        Taken::Again
    );
    assert_eq!(custody.receipt("a"), Some(name("r2")));
    assert_eq!(custody.remaining("a", 20 * SECOND), Some(30 * SECOND));
    assert_eq!(custody.next_extension(), Some(35 * SECOND));
    assert_eq!(custody.len(), 1);
}

#[test]
fn an_answer_about_an_old_receipt_says_nothing_about_the_new_one() {
    let mut custody = custody(30);
    custody.take(
        1,
        &name("a"),
        name("r1"),
        None,
        custody.lease,
        Duration::ZERO,
    );
    let due = custody.due(15 * SECOND, Duration::ZERO, 10);
    custody.take(2, &name("a"), name("r2"), None, custody.lease, 16 * SECOND);
    assert!(!custody.lost(&due[0]));
    assert!(!custody.not_extended(&due[0], 17 * SECOND));
    assert_eq!(custody.next_extension(), Some(31 * SECOND));
    assert_eq!(custody.remaining("a", 16 * SECOND), Some(30 * SECOND));
}

// spec: 4.6 one batch at a time per group
#[test]
fn a_group_is_in_one_batch_only_until_its_last_message_is_released() {
    let mut custody = custody(30);
    let group = name("g");
    assert_eq!(
        custody.take(
            1,
            &name("a"),
            name("r"),
            Some(&group),
            custody.lease,
            SECOND
        ),
        Taken::New
    );
    assert_eq!(
        custody.take(
            1,
            &name("b"),
            name("r"),
            Some(&group),
            custody.lease,
            SECOND
        ),
        Taken::New
    );
    assert_eq!(
        custody.take(
            2,
            &name("c"),
            name("r"),
            Some(&group),
            custody.lease,
            SECOND
        ),
        Taken::GroupBusy
    );
    assert_eq!(
        custody.take(
            2,
            &name("d"),
            name("r"),
            Some(&name("h")),
            custody.lease,
            SECOND
        ),
        Taken::New
    );
    custody.release(&name("a"));
    assert_eq!(
        custody.take(
            2,
            &name("c"),
            name("r"),
            Some(&group),
            custody.lease,
            SECOND
        ),
        Taken::GroupBusy
    );
    custody.release(&name("b"));
    assert_eq!(
        custody.take(
            2,
            &name("c"),
            name("r"),
            Some(&group),
            custody.lease,
            SECOND
        ),
        Taken::New
    );
    assert_eq!(custody.groups(), 2);
}

// spec: 4.6: the queue hands out the next of a group once those before it are deleted, which the answer tells later
#[test]
fn behind_messages_that_are_being_deleted_the_next_of_their_group_follows_in_their_batch() {
    let mut custody = custody(30);
    let group = name("g");
    let take = |custody: &mut Custody, batch, id| {
        let lease = custody.lease;
        custody.take(batch, &name(id), name("r"), Some(&group), lease, SECOND)
    };
    for id in ["a", "b"] {
        assert_eq!(take(&mut custody, 1, id), Taken::New);
    }
    custody.leaving(&name("a"));
    assert_eq!(take(&mut custody, 2, "c"), Taken::GroupBusy, "b is in hand");
    custody.leaving(&name("b"));
    assert_eq!(take(&mut custody, 2, "c"), Taken::Follows { batch: 1 });
    assert_eq!(take(&mut custody, 2, "c"), Taken::Again);
    assert_eq!(take(&mut custody, 3, "d"), Taken::Follows { batch: 1 });
    let own = take(&mut custody, 1, "e");
    assert_eq!(own, Taken::Follows { batch: 1 }, "no overtaking");
    custody.release(&name("a"));
    custody.release(&name("b"));
    assert_eq!(take(&mut custody, 2, "f"), Taken::Follows { batch: 1 });
    custody.taken_up(&name("c"));
    assert_eq!(take(&mut custody, 2, "x"), Taken::GroupBusy, "c is in hand");
    assert_eq!(take(&mut custody, 1, "h"), Taken::Follows { batch: 1 });
    for id in ["d", "e", "f", "h"] {
        custody.taken_up(&name(id));
    }
    assert_eq!(take(&mut custody, 1, "i"), Taken::New, "behind them all");
    assert_eq!(custody.due(16 * SECOND, Duration::ZERO, 10).len(), 6);
    assert_eq!(custody.release_batch(2) + custody.release_batch(3), 0);
    assert_eq!(custody.release_batch(1), 6);
    assert_eq!(custody.groups(), 0);
}

#[test]
fn what_is_deleted_in_its_own_batch_holds_nothing_up_in_it() {
    let mut custody = custody(30);
    let group = name("g");
    custody.take(1, &name("a"), name("r"), Some(&group), 30 * SECOND, SECOND);
    custody.leaving(&name("a"));
    custody.leaving(&name("nobody's"));
    let next = custody.take(1, &name("b"), name("r"), Some(&group), 30 * SECOND, SECOND);
    assert_eq!(next, Taken::New);
    custody.release(&name("b"));
    assert_eq!(custody.groups(), 1, "a is still held");
    custody.release(&name("a"));
    assert_eq!((custody.len(), custody.groups()), (0, 0));
}

#[test]
fn the_groups_of_a_standard_queue_keep_no_order() {
    let mut custody = Custody::new(false);
    let group = name("g");
    assert_eq!(
        custody.take(
            1,
            &name("a"),
            name("r"),
            Some(&group),
            custody.lease,
            SECOND
        ),
        Taken::New
    );
    assert_eq!(
        custody.take(
            2,
            &name("b"),
            name("r"),
            Some(&group),
            custody.lease,
            SECOND
        ),
        Taken::New
    );
}

#[test]
fn what_is_due_soon_goes_along_with_what_is_due_now() {
    let mut custody = custody(30);
    custody.take(1, &name("a"), name("r"), None, custody.lease, SECOND);
    custody.take(1, &name("b"), name("r"), None, custody.lease, 2 * SECOND);
    custody.take(1, &name("c"), name("r"), None, custody.lease, 5 * SECOND);
    assert_eq!(
        custody.due(15 * SECOND, 5 * SECOND, 10),
        [],
        "alone it is too early"
    );
    let due: Vec<_> = custody
        .due(16 * SECOND, 2 * SECOND, 10)
        .into_iter()
        .map(|due| due.id)
        .collect();
    assert_eq!(due, [name("a"), name("b")]);
    let most: Vec<_> = custody.due(20 * SECOND, Duration::ZERO, 0);
    assert_eq!(most, [], "no more than were asked for");
    assert_eq!(custody.due(20 * SECOND, Duration::ZERO, 1).len(), 1);
}

#[test]
fn a_batch_that_nobody_will_settle_is_let_go() {
    let mut custody = custody(30);
    custody.take(
        1,
        &name("a"),
        name("r"),
        Some(&name("g")),
        custody.lease,
        SECOND,
    );
    custody.take(2, &name("b"), name("r"), None, custody.lease, SECOND);
    assert_eq!(custody.release_batch(1), 1);
    assert_eq!((custody.len(), custody.groups()), (1, 0));
    assert_eq!(custody.release_batch(1), 0);
    assert_eq!(custody.release_batch(2), 1);
    assert!(custody.is_empty() && custody.batches.is_empty());
}

#[test]
fn a_lost_lease_is_news_once() {
    let mut custody = custody(30);
    custody.take(
        1,
        &name("a"),
        name("r"),
        None,
        custody.lease,
        Duration::ZERO,
    );
    let due = custody.due(15 * SECOND, Duration::ZERO, 10);
    assert!(custody.lost(&due[0]));
    assert!(!custody.lost(&due[0]));
    assert_eq!(custody.remaining("a", 15 * SECOND), None);
    assert_eq!(custody.extension(&name("a"), 15 * SECOND), None);
}

#[test]
fn a_lost_lease_is_had_again_with_a_late_success_or_a_newer_receipt() {
    for again in ["success", "receipt"] {
        let mut custody = custody(30);
        custody.take(
            1,
            &name("a"),
            name("r"),
            None,
            custody.lease,
            Duration::ZERO,
        );
        let due = custody.due(15 * SECOND, Duration::ZERO, 10);
        assert!(custody.lost(&due[0]));
        match again {
            "success" => custody.extended(&due[0], 16 * SECOND),
            _ => {
                custody.take(2, &name("a"), name("s"), None, custody.lease, 16 * SECOND);
            }
        }
        assert_eq!(custody.remaining("a", 16 * SECOND), Some(30 * SECOND));
        assert!(custody.extends("a"), "{again}");
    }
}

// A queue takes whole seconds.
#[test]
fn an_extension_covers_the_lease_and_never_goes_beyond_twelve_hours() {
    let halves = |count: u32| count * SECOND / 2;
    for (lease, due, seconds) in [
        (halves(3), halves(2), 2),
        (40_000 * SECOND, halves(40_001), 23_189),
    ] {
        let mut custody = Custody::new(true);
        custody.set_lease(lease);
        custody.take(1, &name("a"), name("r"), None, lease, Duration::ZERO);
        let due = custody.due(due, Duration::ZERO, 10);
        assert_eq!(due[0].seconds, seconds, "{lease:?}");
    }
}

#[test]
fn what_is_left_of_a_short_lease_is_not_waited_out_between_two_tries() {
    let mut custody = custody(4);
    custody.take(
        1,
        &name("a"),
        name("r"),
        None,
        custody.lease,
        Duration::ZERO,
    );
    let due = custody.due(2 * SECOND, Duration::ZERO, 10);
    let at = Duration::from_millis;
    for (now, next) in [(2_900, 3_450), (3_500, 3_750), (3_960, 4_060)] {
        assert!(!custody.not_extended(&due[0], at(now)));
        assert_eq!(custody.next_extension(), Some(at(next)), "at {now} ms");
    }
}

#[test]
fn what_is_held_is_counted() {
    let mut custody = custody(30);
    assert_eq!((custody.len(), custody.is_empty()), (0, true));
    for (held, id) in [(1, "a"), (2, "b")] {
        custody.take(1, &name(id), name("r"), None, custody.lease, Duration::ZERO);
        assert_eq!((custody.len(), custody.is_empty()), (held, false));
    }
}
