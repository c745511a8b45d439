//! What became of the events of a run: the one line that a drain ends with.

use std::fmt;

/// What became of the events of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Messages of queues that were handled or filtered out, and deleted.
    pub deleted: u64,
    /// Messages that failed, or whose lease was lost: the queue delivers them again or dead-letters them.
    pub left: u64,
    /// Messages that were received but not tried, and given back at once.
    pub handed_back: u64,
    /// Messages in hand when the grace period ended: left to their leases.
    pub abandoned: u64,
    /// Records of streams that were handled or discarded, and behind which the position is.
    pub settled: u64,
    /// Of them, those that were discarded by a limit.
    pub discarded: u64,
    /// Invocations of streams that ran when the grace period ended: their records are delivered again.
    pub cut_off: u64,
}

impl Account {
    /// The sum of two accounts.
    pub fn and(self, other: Self) -> Self {
        Self {
            deleted: self.deleted + other.deleted,
            left: self.left + other.left,
            handed_back: self.handed_back + other.handed_back,
            abandoned: self.abandoned + other.abandoned,
            settled: self.settled + other.settled,
            discarded: self.discarded + other.discarded,
            cut_off: self.cut_off + other.cut_off,
        }
    }
}

impl fmt::Display for Account {
    /// Messages of queues always, records of streams where there were any.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            deleted,
            left,
            handed_back,
            abandoned,
            settled,
            discarded,
            cut_off,
        } = self;
        write!(
            f,
            "{deleted} deleted, {left} left to the queue, {handed_back} handed back, {abandoned} abandoned"
        )?;
        if *settled > 0 {
            let handled = settled.saturating_sub(*discarded);
            write!(f, "; of streams {handled} handled, {discarded} discarded")?;
        }
        if *cut_off > 0 {
            write!(f, "; {cut_off} invocations of streams cut off")?;
        }
        Ok(())
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
            ..Account::default()
        };
        let sum = of(1, 2, 3, 4).and(of(10, 20, 30, 40));
        assert_eq!(sum, of(11, 22, 33, 44));
        assert_eq!(
            sum.to_string(),
            "11 deleted, 22 left to the queue, 33 handed back, 44 abandoned"
        );
        let streams = Account {
            settled: 10,
            discarded: 3,
            ..Account::default()
        };
        assert_eq!(
            sum.and(streams).and(streams).to_string(),
            "11 deleted, 22 left to the queue, 33 handed back, 44 abandoned; of streams 14 handled, 6 discarded"
        );
        let cut_off = Account {
            cut_off: 2,
            ..Account::default()
        };
        assert_eq!(
            cut_off.and(of(1, 0, 0, 0)).to_string(),
            "1 deleted, 0 left to the queue, 0 handed back, 0 abandoned; 2 invocations of streams cut off"
        );
    }
}
