//! What became of the messages of a run: the one line that a drain ends with.

use std::fmt;

/// What became of the messages of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Handled or filtered out, and deleted.
    pub deleted: u64,
    /// Failed, or their lease was lost: the queue delivers them again or dead-letters them.
    pub left: u64,
    /// Received but not tried, and given back at once.
    pub handed_back: u64,
    /// In hand when the grace period ended: left to their leases.
    pub abandoned: u64,
}

impl Account {
    /// The sum of two accounts.
    pub fn and(self, other: Self) -> Self {
        Self {
            deleted: self.deleted + other.deleted,
            left: self.left + other.left,
            handed_back: self.handed_back + other.handed_back,
            abandoned: self.abandoned + other.abandoned,
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            deleted,
            left,
            handed_back,
            abandoned,
        } = self;
        write!(
            f,
            "{deleted} deleted, {left} left to the queue, {handed_back} handed back, {abandoned} abandoned"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_add_up_and_read_as_one_line() {
        let of = |deleted, left, handed_back, abandoned| Account {
            deleted,
            left,
            handed_back,
            abandoned,
        };
        let sum = of(1, 2, 3, 4).and(of(10, 20, 30, 40));
        assert_eq!(sum, of(11, 22, 33, 44));
        assert_eq!(
            sum.to_string(),
            "11 deleted, 22 left to the queue, 33 handed back, 44 abandoned"
        );
    }
}
