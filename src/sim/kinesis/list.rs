//! ListShards and ListStreams, page by page.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Call, StreamOf,
    error::{Code, KinesisError},
    shard::{Shard, shard_number},
    shown,
    stream::Stream,
    token,
    token::{NextPage, TOKEN_LIFE_MS},
    within,
};
use crate::sim::faults::Fault;

/// How many shards a page has at most, and by default.
// API: ListShards, MaxResults
const SHARDS_MAX: usize = 1000;
/// How many streams a page has by default.
// API: ListStreams, Limit
const STREAMS: usize = 100;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListShards {
    #[serde(flatten)]
    of: StreamOf,
    next_token: Option<String>,
    exclusive_start_shard_id: Option<String>,
    max_results: Option<i64>,
    shard_filter: Option<Filter>,
}

#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Filter {
    r#type: String,
    shard_id: Option<String>,
    timestamp: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListStreams {
    limit: Option<i64>,
    exclusive_start_stream_name: Option<String>,
    next_token: Option<String>,
}

// API: ListShards
pub(super) fn shards(call: &mut Call<'_>, input: ListShards) -> Result<Value, KinesisError> {
    let max = within(input.max_results, 1..=10_000, "maxResults")?
        .unwrap_or(SHARDS_MAX)
        .min(SHARDS_MAX);
    let (stream, after, filter) = match input.next_token {
        Some(token) => {
            let alone = input.of.stream_name.is_none()
                && input.exclusive_start_shard_id.is_none()
                && input.shard_filter.is_none();
            if !alone {
                return Err(Code::InvalidArgumentException.because(
                    "NextToken and StreamName cannot be provided together, nor any other place to start.",
                ));
            }
            let page = next_page::<Option<Filter>>(&token, call.now_ms)?;
            (page.stream, Some(page.after), page.wanted)
        }
        None => {
            let name = input.of.name()?.to_owned();
            (name, input.exclusive_start_shard_id, input.shard_filter)
        }
    };
    let after = after
        .or_else(|| filter.as_ref().and_then(Filter::after))
        .map(|id| {
            shard_number(&id).ok_or_else(|| {
                Code::InvalidArgumentException.because(format!("{id} is no shard id"))
            })
        })
        .transpose()?;
    let (now_ms, incomplete) = (call.now_ms, call.fault == Some(Fault::IncompleteListing));
    let cut = call.fault == Some(Fault::NextTokenExpired);
    let state = call.stream(&stream)?;
    let extent = match &filter {
        Some(filter) => filter.extent(state, now_ms)?,
        None => Extent::All,
    };
    let max = if cut {
        state.shards.len().div_ceil(2).min(max)
    } else {
        max
    };
    let hidden_from = if incomplete { newest(state) } else { u64::MAX };
    let wanted = |shard: &&Shard| {
        after.is_none_or(|after| after < shard.number)
            && shard.number < hidden_from
            && extent.holds(shard)
    };
    let found: Vec<&Shard> = state.shards.values().filter(wanted).take(max + 1).collect();
    let page = &found[..found.len().min(max)];
    let mut answer = json!({
        "Shards": page.iter().copied().map(shown::shard).collect::<Vec<Value>>(),
    });
    if let (true, Some(last)) = (found.len() > max || cut, page.last()) {
        // As if it had been held up for as long as a token lives.
        let age_ms = if cut { TOKEN_LIFE_MS } else { 0 };
        answer["NextToken"] = token::seal(&NextPage {
            after: last.id(),
            issued_ms: now_ms - age_ms,
            wanted: filter,
            stream,
        })
        .into();
    }
    Ok(answer)
}

/// Reads a pagination token.
// API: ListShards, ListStreamConsumers, ExpiredNextTokenException
pub(super) fn next_page<F: serde::de::DeserializeOwned>(
    token: &str,
    now_ms: u64,
) -> Result<NextPage<F>, KinesisError> {
    let page: NextPage<F> = token::unseal(token)
        .ok_or_else(|| Code::InvalidArgumentException.because("NextToken is invalid."))?;
    if now_ms >= page.issued_ms + TOKEN_LIFE_MS {
        return Err(Code::ExpiredNextTokenException.because("NextToken has expired."));
    }
    Ok(page)
}

impl Filter {
    fn after(&self) -> Option<String> {
        let by_id = self.r#type == "AFTER_SHARD_ID";
        self.shard_id.clone().filter(|_| by_id)
    }

    /// What a shard must be to be listed.
    // API: ShardFilter
    fn extent(&self, stream: &Stream, now_ms: u64) -> Result<Extent, KinesisError> {
        let horizon_ms = stream.horizon_ms(now_ms);
        let at_ms = self
            .timestamp
            .map(|at| shown::milliseconds(at).max(horizon_ms));
        match (self.r#type.as_str(), at_ms, &self.shard_id) {
            ("AT_LATEST", ..) => Ok(Extent::Open),
            ("AT_TRIM_HORIZON", ..) => Ok(Extent::At(horizon_ms)),
            ("FROM_TRIM_HORIZON", ..) | ("AFTER_SHARD_ID", _, Some(_)) => Ok(Extent::All),
            ("AT_TIMESTAMP", Some(at_ms), _) => Ok(Extent::At(at_ms)),
            ("FROM_TIMESTAMP", Some(at_ms), _) => Ok(Extent::From(at_ms)),
            (kind, ..) => Err(Code::InvalidArgumentException.because(format!(
                "ShardFilter {kind} is unknown or lacks its Timestamp or ShardId"
            ))),
        }
    }
}

/// Which shards a listing is about, by the times at which they took records.
enum Extent {
    All,
    Open,
    At(u64),
    From(u64),
}

impl Extent {
    fn holds(&self, shard: &Shard) -> bool {
        match self {
            Self::All => true,
            Self::Open => shard.is_open(),
            Self::At(at_ms) => shard.was_open(*at_ms),
            Self::From(at_ms) => shard.closed_ms.is_none_or(|closed_ms| *at_ms < closed_ms),
        }
    }
}

/// The first of the shards that were opened last.
fn newest(stream: &Stream) -> u64 {
    let opened_ms = |shard: &Shard| shard.opened_ms;
    let last_ms = stream.shards.values().map(opened_ms).max();
    let (first, last) = (stream.shards.keys().next(), stream.shards.keys().last());
    let newest = stream
        .shards
        .values()
        .find(|shard| Some(shard.opened_ms) == last_ms)
        .map(|shard| shard.number);
    // All of one age: then the last of them, so that something is left where there are two.
    let newest = newest.filter(|newest| Some(newest) != first);
    newest.or(last.copied()).unwrap_or(u64::MAX)
}

// API: ListStreams
pub(super) fn streams(call: &mut Call<'_>, input: &ListStreams) -> Result<Value, KinesisError> {
    let max = within(input.limit, 1..=10_000, "limit")?.unwrap_or(STREAMS);
    let after = match (&input.exclusive_start_stream_name, &input.next_token) {
        (_, Some(token)) => next_page::<()>(token, call.now_ms)?.after,
        (Some(name), None) => name.clone(),
        (None, None) => String::new(),
    };
    let names: Vec<String> = call
        .state
        .streams
        .keys()
        .filter(|name| **name > after)
        .take(max + 1)
        .cloned()
        .collect();
    let (more, page) = (names.len() > max, &names[..names.len().min(max)]);
    let summaries: Vec<Value> = page
        .iter()
        .filter_map(|name| {
            let stream = call.state.streams.get(name)?;
            Some(super::manage::listed(call.world, name, stream))
        })
        .collect();
    let mut answer =
        json!({ "StreamNames": page, "HasMoreStreams": more, "StreamSummaries": summaries });
    if let (true, Some(last)) = (more, page.last()) {
        answer["NextToken"] = token::seal(&NextPage {
            stream: String::new(),
            after: last.clone(),
            issued_ms: call.now_ms,
            wanted: (),
        })
        .into();
    }
    Ok(answer)
}
