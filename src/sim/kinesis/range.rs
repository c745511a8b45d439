//! Hash keys: 128-bit numbers that say which shard a record goes to, and the ranges of them that shards own.

use ::md5::{Digest, Md5};

/// The hash keys of a shard, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HashKeys {
    /// The first.
    pub first: u128,
    /// The last.
    pub last: u128,
}

impl HashKeys {
    /// Every hash key.
    pub(super) const ALL: Self = Self {
        first: 0,
        last: u128::MAX,
    };

    pub(super) fn contains(&self, key: u128) -> bool {
        (self.first..=self.last).contains(&key)
    }

    /// The hash key in the middle; the first one of the upper half.
    pub(super) fn middle(&self) -> u128 {
        self.first + (self.last - self.first) / 2 + 1
    }

    /// Cuts the range before `key`; none where a half would be empty.
    // API: SplitShard, NewStartingHashKey
    pub(super) fn split(self, key: u128) -> Option<[Self; 2]> {
        let inside = self.first < key && key <= self.last;
        let Self { first, last } = self;
        inside.then(|| {
            let lower = Self {
                first,
                last: key - 1,
            };
            [lower, Self { first: key, last }]
        })
    }

    /// The two ranges as one; none where there is a gap between them.
    // API: MergeShards: the ranges of the two shards form a contiguous set with no gaps
    pub(super) fn join(self, other: Self) -> Option<Self> {
        let (lower, upper) = if self < other {
            (self, other)
        } else {
            (other, self)
        };
        (lower.last.checked_add(1) == Some(upper.first)).then_some(Self {
            first: lower.first,
            last: upper.last,
        })
    }
}

/// The first hash keys of `count` ranges of equal size (the last is larger by the rest).
pub(super) fn starts(count: u64) -> impl Iterator<Item = u128> {
    // 2^128 / count, though 2^128 itself does not fit (and is 0 for the one range of all).
    let count = u128::from(count.max(1));
    let size = (u128::MAX / count).wrapping_add(u128::from(u128::MAX % count == count - 1));
    (0..count).map(move |index| index.wrapping_mul(size))
}

/// `count` ranges of equal size.
// API: CreateStream, ShardCount; UpdateShardCount, UNIFORM_SCALING
pub(super) fn uniform(count: u64) -> Vec<HashKeys> {
    let mut rest = HashKeys::ALL;
    let mut ranges = Vec::new();
    for start in starts(count).skip(1) {
        if let Some([lower, upper]) = rest.split(start) {
            ranges.push(lower);
            rest = upper;
        }
    }
    ranges.push(rest);
    ranges
}

/// The hash key of a partition key.
// API: PutRecord, PartitionKey: MD5 maps it to a 128-bit integer
pub(super) fn hash_key(partition_key: &str) -> u128 {
    u128::from_be_bytes(Md5::digest(partition_key.as_bytes()).into())
}

#[cfg(test)]
mod tests {
    use super::{HashKeys, hash_key, uniform};

    #[test]
    fn uniform_ranges_cover_every_hash_key_once() {
        for count in [1, 2, 3, 4, 7, 1000] {
            let ranges = uniform(count);
            assert_eq!(ranges.len() as u64, count);
            let whole = ranges
                .iter()
                .copied()
                .reduce(|whole, next| whole.join(next).unwrap());
            assert_eq!(whole, Some(HashKeys::ALL), "{count}");
        }
        // As AWS divides them.
        assert_eq!(uniform(2)[1].first, 1 << 127);
        assert_eq!(
            uniform(3)[1].first,
            113_427_455_640_312_821_154_458_202_477_256_070_485
        );
    }

    #[test]
    fn a_range_is_split_only_into_two_that_are_not_empty() {
        let range = HashKeys {
            first: 10,
            last: 12,
        };
        let split = |key| range.split(key).map(|[a, b]| (a.last, b.first));
        assert_eq!(split(10), None);
        assert_eq!(split(11), Some((10, 11)));
        assert_eq!(split(12), Some((11, 12)));
        assert_eq!(split(13), None);
        assert_eq!(HashKeys::ALL.middle(), 1 << 127);
    }

    #[test]
    fn only_neighbours_are_joined() {
        let of = |first, last| HashKeys { first, last };
        assert_eq!(of(0, 4).join(of(5, 9)), Some(of(0, 9)));
        assert_eq!(of(5, 9).join(of(0, 4)), Some(of(0, 9)));
        assert_eq!(of(0, 3).join(of(5, 9)), None);
        assert_eq!(of(0, 9).join(of(0, 9)), None);
    }

    #[test]
    fn a_partition_key_is_hashed_by_md5() {
        // md5("a") = 0cc175b9c0f1b6a831c399e269772661
        assert_eq!(hash_key("a"), 0x0cc1_75b9_c0f1_b6a8_31c3_99e2_6977_2661);
    }
}
