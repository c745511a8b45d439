//! What the demo's streams hold and what became of it, kept outside of the service: records are numbered, those of a key
//! in order, and each is to be handled once, after all before it of its key, or to be discarded.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

/// The numbers of one stream. Clones share it.
#[derive(Clone, Debug)]
pub struct Ledger {
    keys: u64,
    a_poison: Option<u64>,
    book: Arc<Mutex<Book>>,
}

#[derive(Debug, Default)]
struct Book {
    put: u64,
    handled: u64,
    again: u64,
    disorder: u64,
    /// Of each key, the number that comes next.
    next: BTreeMap<u64, u64>,
}

/// What the ledger comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sums {
    /// The stream took them.
    pub put: u64,
    /// Handled, each counted once.
    pub handled: u64,
    /// Handled when they had been already.
    pub again: u64,
    /// Records that were passed over when a later one of their key was handled.
    pub disorder: u64,
}

impl Ledger {
    /// Of a stream with so many keys, where one record in `a_poison` can not be handled.
    pub fn new(keys: u64, a_poison: Option<u64>) -> Self {
        Self {
            keys,
            a_poison,
            book: Arc::default(),
        }
    }

    /// The key of a record.
    pub fn key(&self, number: u64) -> String {
        format!("customer-{}", number % self.keys)
    }

    /// Whether it can not be handled.
    pub fn poison(&self, number: u64) -> bool {
        self.a_poison
            .is_some_and(|a_poison| number % a_poison == a_poison / 2)
    }

    /// The stream took a record.
    pub fn put(&self) {
        self.book().put += 1;
    }

    /// A function handled this record.
    pub fn handled(&self, number: u64) {
        let mut book = self.book();
        let key = number % self.keys;
        let mut next = book.next.get(&key).copied().unwrap_or(key);
        if number < next {
            book.again += 1;
            return;
        }
        while next < number {
            book.disorder += u64::from(!self.poison(next));
            next += self.keys;
        }
        book.handled += 1;
        book.next.insert(key, number + self.keys);
    }

    /// As it is now.
    pub fn sums(&self) -> Sums {
        let Book {
            put,
            handled,
            again,
            disorder,
            ..
        } = *self.book();
        Sums {
            put,
            handled,
            again,
            disorder,
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().expect("nothing panics while it counts")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_and_what_is_passed_over_are_told_apart_from_what_is_poison() {
        // Keys 0 and 1 take turns; 2, 6, 10, ... are poison.
        let handled = |numbers: &[u64]| {
            let ledger = Ledger::new(2, Some(4));
            numbers.iter().for_each(|number| ledger.handled(*number));
            let Sums {
                handled,
                again,
                disorder,
                ..
            } = ledger.sums();
            (handled, again, disorder)
        };
        assert_eq!(handled(&[0, 1, 4, 3]), (4, 0, 0));
        assert_eq!(handled(&[0, 1, 0, 4, 1]), (3, 2, 0));
        assert_eq!(handled(&[0, 3]), (2, 0, 1), "1 was passed over");
        assert_eq!(handled(&[0, 8, 4]), (2, 1, 1), "4 came late");
    }
}
