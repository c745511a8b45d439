//! What a caller carries from one call to the next and should not look into: shard iterators and pagination tokens.

use aws_smithy_types::base64;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// How long iterators and pagination tokens are good.
// API: GetRecords, ExpiredIteratorException: 5 minutes; ListShards, NextToken: 300 seconds
pub(super) const TOKEN_LIFE_MS: u64 = 300_000;

/// A shard iterator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ShardIterator {
    pub(super) stream: String,
    /// Tells the stream from another of the same name.
    pub(super) created_ms: u64,
    pub(super) shard: String,
    /// The sequence number of what is read first.
    pub(super) from: String,
    pub(super) issued_ms: u64,
}

/// Where a listing goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct NextPage<F> {
    pub(super) stream: String,
    /// The last of what was listed.
    pub(super) after: String,
    pub(super) issued_ms: u64,
    /// What else the first request said.
    pub(super) wanted: F,
}

/// A token that means `content`.
pub(super) fn seal<T: Serialize>(content: &T) -> String {
    // Texts and numbers are always written.
    base64::encode(serde_json::to_vec(content).unwrap_or_default())
}

/// What a token means, if it is one.
pub(super) fn unseal<T: DeserializeOwned>(token: &str) -> Option<T> {
    serde_json::from_slice(&base64::decode(token).ok()?).ok()
}
