//! What a source hands over, in our own words: SDK types are converted at the edge (`aws/`).

mod data;
mod short;

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

pub use self::data::{Base64, Data, NotBase64};
pub use self::short::Short;

/// One message of a queue, as ReceiveMessage returned it; its texts may be those of the answer. Maps are sorted, so that a run
/// repeats to the byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Identifies the message through all its receives.
    pub id: Cow<'a, str>,
    /// The right to extend or delete it, good for one receive.
    pub receipt: Cow<'a, str>,
    /// Delivered to the function byte for byte.
    pub body: Cow<'a, str>,
    /// System attributes by AWS's name (`SentTimestamp`, `MessageGroupId`, ...); every value is a string.
    pub attributes: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
    /// What the sender attached.
    pub message_attributes: BTreeMap<Cow<'a, str>, MessageAttribute<'a>>,
    /// Hexadecimal MD5 of the body, as the queue states it.
    pub md5_of_body: Cow<'a, str>,
    /// Hexadecimal MD5 of the message attributes; none where the message carries none.
    pub md5_of_message_attributes: Option<Cow<'a, str>>,
}

/// An attribute that the sender attached to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageAttribute<'a> {
    /// `String`, `Number` or `Binary`, with a custom suffix where the sender gave one (`Number.int`).
    pub data_type: Cow<'a, str>,
    /// Its one value.
    pub value: AttributeValue<'a>,
}

/// SQS supports one scalar value an attribute; lists are reserved by AWS and never filled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeValue<'a> {
    /// `StringValue`: also numbers, as SQS normalised them.
    Text(Cow<'a, str>),
    /// `BinaryValue`, kept as the standard base64 text that the function receives.
    Binary(Cow<'a, str>),
}

impl Message<'_> {
    /// The FIFO message group; a standard queue's message may carry one too (fair queues), without any order.
    pub fn group(&self) -> Option<&str> {
        self.attributes.get("MessageGroupId").map(|group| &**group)
    }
}

/// The place of a record in its shard: a decimal number of up to 129 digits, ordered by value. Those of Kinesis have 56. // spec: 2.2
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SequenceNumber(Short<62>);

/// A partition key: 256 characters at most. A UUID has 36.
pub type PartitionKey = Short<38>;

/// A text that is no sequence number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no sequence number: expected 1 to 129 digits")]
pub struct NoSequenceNumber(String);

/// As Kinesis bounds it; a DynamoDB stream's has up to 40 digits. // spec: 2.2, 2.3
const SEQUENCE_NUMBER_DIGITS_MAX: usize = 129;

impl SequenceNumber {
    /// The digits as the source wrote them: leading zeros, if it wrote any, are kept.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The same as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    fn significant(&self) -> &[u8] {
        let digits = self.as_bytes();
        let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
        &digits[zeros..]
    }
}

impl TryFrom<&str> for SequenceNumber {
    type Error = NoSequenceNumber;

    fn try_from(text: &str) -> Result<Self, NoSequenceNumber> {
        // Without a way out in the middle, so that many are looked at together.
        let is_digits = |so_far, byte: u8| so_far & byte.is_ascii_digit();
        let digits = text.bytes().fold(true, is_digits);
        if text.is_empty() || !digits || text.len() > SEQUENCE_NUMBER_DIGITS_MAX {
            let shown = text.chars().take(SEQUENCE_NUMBER_DIGITS_MAX).collect();
            return Err(NoSequenceNumber(shown));
        }
        Ok(Self(text.into()))
    }
}

impl TryFrom<String> for SequenceNumber {
    type Error = NoSequenceNumber;

    fn try_from(text: String) -> Result<Self, NoSequenceNumber> {
        Self::try_from(text.as_str())
    }
}

impl From<SequenceNumber> for String {
    fn from(number: SequenceNumber) -> String {
        number.as_str().to_owned()
    }
}

impl Ord for SequenceNumber {
    fn cmp(&self, other: &Self) -> Ordering {
        let (ours, theirs) = (self.significant(), other.significant());
        let by_value = (ours.len(), ours).cmp(&(theirs.len(), theirs));
        // Equal numbers written differently are told apart, so that order and equality agree.
        by_value.then_with(|| self.0.as_bytes().len().cmp(&other.0.as_bytes().len()))
    }
}

impl PartialOrd for SequenceNumber {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for SequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One record of a Kinesis stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KinesisRecord {
    /// Its place in the shard.
    pub sequence_number: SequenceNumber,
    /// Decides the shard, and the lane; empty where the record has none.
    pub partition_key: PartitionKey,
    /// The data.
    pub data: Data,
    /// `ApproximateArrivalTimestamp`, milliseconds since 1970.
    pub arrived_ms: u64,
}

/// One record of a DynamoDB stream: a change of an item. Items are JSON texts with their types, keys sorted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DynamoRecord {
    /// 32 hexadecimal digits.
    pub event_id: String,
    /// `INSERT`, `MODIFY`, `REMOVE`.
    pub event_name: String,
    /// `1.1`.
    pub event_version: String,
    /// Its place in the shard.
    pub sequence_number: SequenceNumber,
    /// `ApproximateCreationDateTime`, milliseconds since 1970; AWS gives whole seconds.
    pub arrived_ms: u64,
    /// `Keys`, such as `{"id":{"S":"a"}}`: decides the lane.
    pub keys: String,
    /// `NewImage`, where the view type and the event have one.
    pub new_image: Option<String>,
    /// `OldImage`, likewise.
    pub old_image: Option<String>,
    /// `SizeBytes`.
    pub size_bytes: i64,
    /// `NEW_AND_OLD_IMAGES`, ...
    pub view_type: String,
    /// `userIdentity` of deletes that the service made: its `Type` and `PrincipalId`.
    pub user_identity: Option<(String, String)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> SequenceNumber {
        SequenceNumber::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn sequence_numbers_are_ordered_by_value_whatever_their_length() {
        let digits_129 = "9".repeat(129);
        let ascending = [
            "0",
            "9",
            "10",
            "99",
            "100",
            "49701234567890123456789012345678901234567890123456789012",
            "49701234567890123456789012345678901234567890123456789013",
            &digits_129,
        ];
        for pair in ascending.windows(2) {
            assert!(number(pair[0]) < number(pair[1]), "{pair:?}");
        }
        assert!(number("0099") < number("100"));
        assert_ne!(number("099"), number("99"));
    }

    #[test]
    fn what_is_no_sequence_number_is_refused() {
        for text in [
            "",
            "-1",
            "1.0",
            "LATEST",
            " 1",
            "1\n",
            "٣",
            &"1".repeat(130),
        ] {
            assert!(SequenceNumber::try_from(text.to_owned()).is_err(), "{text}");
        }
        assert_eq!(
            serde_json::from_str::<SequenceNumber>("\"12\"").unwrap(),
            number("12")
        );
        assert!(serde_json::from_str::<SequenceNumber>("\"x\"").is_err());
    }

    // spec: 2.1
    #[test]
    fn a_messages_group_is_what_its_queue_says_and_may_be_missing() {
        for group in [Some("invoices"), None] {
            let attributes = group.map(|group| ("MessageGroupId".into(), group.into()));
            let message = Message {
                id: "m".into(),
                receipt: "r".into(),
                body: "".into(),
                attributes: attributes.into_iter().collect(),
                message_attributes: BTreeMap::new(),
                md5_of_body: "".into(),
                md5_of_message_attributes: None,
            };
            assert_eq!(message.group(), group);
        }
    }
}
