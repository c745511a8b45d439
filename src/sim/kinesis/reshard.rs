//! SplitShard, MergeShards and UpdateShardCount.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Call, StreamOf,
    error::{Code, KinesisError},
    nothing,
    put::explicit,
    range::starts,
    shard::shard_id,
    stream::Stream,
    within,
};
use crate::sim::history::Event;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SplitShard {
    #[serde(flatten)]
    of: StreamOf,
    shard_to_split: Option<String>,
    new_starting_hash_key: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct MergeShards {
    #[serde(flatten)]
    of: StreamOf,
    shard_to_merge: Option<String>,
    adjacent_shard_to_merge: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateShardCount {
    #[serde(flatten)]
    of: StreamOf,
    target_shard_count: Option<i64>,
    scaling_type: Option<String>,
}

pub(super) fn split(call: &mut Call<'_>, input: &SplitShard) -> Result<Value, KinesisError> {
    let id = input
        .shard_to_split
        .as_deref()
        .ok_or_else(|| KinesisError::missing("shardToSplit"))?;
    let key = input
        .new_starting_hash_key
        .as_deref()
        .ok_or_else(|| KinesisError::missing("newStartingHashKey"))?;
    split_at(call, input.of.name()?, id, Some(explicit(key)?))?;
    Ok(nothing())
}

/// Splits a shard, in the middle where no hash key is given.
pub(super) fn split_at(
    call: &mut Call<'_>,
    stream: &str,
    id: &str,
    key: Option<u128>,
) -> Result<[u64; 2], KinesisError> {
    let now_ms = call.now_ms;
    let state = call.stream(stream)?;
    let shard = state.shard(id)?;
    let (number, key) = (shard.number, key.unwrap_or(shard.keys.middle()));
    let children = state.split(number, key, now_ms)?;
    tell(call, stream, &[number], &children);
    Ok(children)
}

pub(super) fn merge(call: &mut Call<'_>, input: &MergeShards) -> Result<Value, KinesisError> {
    let id = input
        .shard_to_merge
        .as_deref()
        .ok_or_else(|| KinesisError::missing("shardToMerge"))?;
    let adjacent = input
        .adjacent_shard_to_merge
        .as_deref()
        .ok_or_else(|| KinesisError::missing("adjacentShardToMerge"))?;
    merge_both(call, input.of.name()?, id, adjacent)?;
    Ok(nothing())
}

/// Merges two neighbours.
pub(super) fn merge_both(
    call: &mut Call<'_>,
    stream: &str,
    id: &str,
    adjacent: &str,
) -> Result<u64, KinesisError> {
    let now_ms = call.now_ms;
    let state = call.stream(stream)?;
    let parents = [state.shard(id)?.number, state.shard(adjacent)?.number];
    let child = state.merge(parents[0], parents[1], now_ms)?;
    tell(call, stream, &parents, &[child]);
    Ok(child)
}

// API: UpdateShardCount: at most the double and at least the half of the open shards
pub(super) fn update(call: &mut Call<'_>, input: &UpdateShardCount) -> Result<Value, KinesisError> {
    let name = input.of.name()?;
    if input.scaling_type.as_deref() != Some("UNIFORM_SCALING") {
        return Err(Code::ValidationException.because("ScalingType must be UNIFORM_SCALING"));
    }
    let target = within(input.target_shard_count, 1..=10_000, "targetShardCount")?
        .ok_or_else(|| KinesisError::missing("targetShardCount"))?;
    let (world, now_ms) = (call.world, call.now_ms);
    let stream = call.stream(name)?;
    let current = stream.open_shards().len();
    if target > current * 2 || target * 2 < current {
        return Err(Code::LimitExceededException.because(format!(
            "UpdateShardCount cannot scale beyond double or below half of your current open shard count. Current open shard count: {current} Target shard count: {target}"
        )));
    }
    for (parents, children) in scale(stream, target as u64, now_ms)? {
        tell(call, name, &parents, &children);
    }
    Ok(json!({
        "StreamName": name,
        "StreamARN": world.stream_arn(name),
        "CurrentShardCount": current,
        "TargetShardCount": target,
    }))
}

/// Shards that were closed, and those that took their place.
type Step = (Vec<u64>, Vec<u64>);

/// Splits and merges until the stream has so many shards of equal size; what comes between is opened and closed at once.
// API: UpdateShardCount: splits or merges, which causes short-lived shards
fn scale(stream: &mut Stream, target: u64, now_ms: u64) -> Result<Vec<Step>, KinesisError> {
    let mut steps = Vec::new();
    let starts: Vec<u128> = starts(target).collect();
    for key in &starts {
        let cut = stream
            .open_shards()
            .iter()
            .find(|shard| shard.keys.first < *key && *key <= shard.keys.last)
            .map(|shard| shard.number);
        if let Some(number) = cut {
            let children = stream.split(number, *key, now_ms)?;
            steps.push((vec![number], children.to_vec()));
        }
    }
    while let Some((left, right)) = neighbours(stream, &starts) {
        let child = stream.merge(left, right, now_ms)?;
        steps.push((vec![left, right], vec![child]));
    }
    Ok(steps)
}

/// Two open shards that belong into the same range.
fn neighbours(stream: &Stream, starts: &[u128]) -> Option<(u64, u64)> {
    let open = stream.open_shards();
    open.windows(2)
        .find(|pair| !starts.contains(&pair[1].keys.first))
        .map(|pair| (pair[0].number, pair[1].number))
}

fn tell(call: &mut Call<'_>, stream: &str, closed: &[u64], opened: &[u64]) {
    let ids = |numbers: &[u64]| numbers.iter().copied().map(shard_id).collect();
    call.record(|| Event::Resharded {
        stream: stream.to_owned(),
        closed: ids(closed),
        opened: ids(opened),
    });
}

#[cfg(test)]
mod tests {
    use super::{Stream, scale};
    use crate::sim::kinesis::range::uniform;

    #[test]
    fn scaling_ends_in_equal_ranges_whatever_the_counts() {
        for (from, to) in [
            (1, 2),
            (2, 3),
            (3, 2),
            (4, 2),
            (4, 8),
            (5, 7),
            (7, 5),
            (3, 3),
        ] {
            let mut stream = Stream::new(from, 0);
            let steps = scale(&mut stream, to, 1).unwrap();
            let open: Vec<_> = stream.open_shards().iter().map(|s| s.keys).collect();
            assert_eq!(open, uniform(to), "{from} to {to}");
            assert_eq!(steps.is_empty(), from == to);
            // Who is open has no children, who is closed has one or two.
            for shard in stream.shards.values() {
                let children = stream.children(shard.number).count();
                assert_eq!(children == 0, shard.is_open(), "{from} to {to}");
            }
        }
    }
}
