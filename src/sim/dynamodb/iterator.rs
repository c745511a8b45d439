//! Shard iterators: opaque outside, inside the shard, the next sequence number, when it was issued and to which reader.

use aws_smithy_types::base64;

use super::error::{Code, DynamoError};

/// How long an iterator is good.
// API: DynamoDB Streams GetShardIterator: 15 minutes
const LIFE_MS: u64 = 15 * 60 * 1000;

/// What an iterator says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ShardIterator {
    pub(super) stream: String,
    pub(super) shard: String,
    /// The lowest sequence number that it may show next.
    pub(super) from: u128,
    pub(super) issued_ms: u64,
    /// All that came of one GetShardIterator is one reader's.
    pub(super) reader: u64,
}

impl ShardIterator {
    pub(super) fn text(&self) -> String {
        let Self {
            stream,
            shard,
            from,
            issued_ms,
            reader,
        } = self;
        let inside = base64::encode(format!("{shard}:{from}:{issued_ms}:{reader:016x}"));
        format!("{stream}|1|{inside}")
    }

    // API: DynamoDB Streams GetRecords, ShardIterator; ExpiredIteratorException
    pub(super) fn parse(text: &str, now_ms: u64) -> Result<Self, DynamoError> {
        let iterator =
            Self::read(text).ok_or_else(|| Code::Validation.because("Invalid ShardIterator"))?;
        if iterator.issued_ms + LIFE_MS <= now_ms {
            return Err(expired());
        }
        Ok(iterator)
    }

    fn read(text: &str) -> Option<Self> {
        let (stream, inside) = text.split_once("|1|")?;
        let inside = base64::decode(inside).ok()?;
        let mut parts = std::str::from_utf8(&inside).ok()?.split(':');
        let mut part = || parts.next();
        Some(Self {
            stream: stream.to_owned(),
            shard: part()?.to_owned(),
            from: part()?.parse().ok()?,
            issued_ms: part()?.parse().ok()?,
            reader: u64::from_str_radix(part()?, 16).ok()?,
        })
    }
}

pub(super) fn expired() -> DynamoError {
    Code::ExpiredIterator.because(
        "The shard iterator has expired: iterators expire 15 minutes after they are retrieved",
    )
}

#[cfg(test)]
mod tests {
    use super::{Code, LIFE_MS, ShardIterator};

    #[test]
    fn an_iterator_reads_back_for_a_quarter_of_an_hour() {
        let iterator = ShardIterator {
            stream: "arn:aws:dynamodb:us-east-1:0:table/t/stream/2026-01-01T00:00:00.000"
                .to_owned(),
            shard: "shardId-00000001767225600000-00000000".to_owned(),
            from: 1 << 70,
            issued_ms: 5,
            reader: 7,
        };
        let text = iterator.text();
        assert_eq!(ShardIterator::parse(&text, 4 + LIFE_MS), Ok(iterator));
        assert_eq!(
            ShardIterator::parse(&text, 5 + LIFE_MS).unwrap_err().code,
            Code::ExpiredIterator
        );
    }

    #[test]
    fn what_is_no_iterator_is_refused() {
        for text in ["", "x|1|", "x|1|!", "x|1|YTox", "x"] {
            assert_eq!(
                ShardIterator::parse(text, 0).unwrap_err().code,
                Code::Validation,
                "{text}"
            );
        }
    }
}
