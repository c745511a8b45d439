//! A page of positions, shard by shard.

use serde_json::{Map, Value, json};

use super::Standing;
use crate::config::mapping::Mapping;
use crate::control::page::{marker, unmarked};
use crate::control::refusal::Refusal;
use crate::control::shown::epoch_seconds;
use crate::model::progress::{Position, ShardProgress};

/// A page never holds more, whatever is asked for.
const PAGE_MAX: usize = 1_000;

/// Which page of positions is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// What the page before gave as `NextMarker`.
    pub marker: Option<String>,
    /// 1 to 10,000; a page has at most 1,000.
    pub max_items: Option<usize>,
}

/// The positions in the order of the shards' ids, and where the next page begins, null after the last.
///
/// # Errors
/// The marker is none of ours.
pub fn page(mapping: &Mapping, standing: &Standing, page: &Page) -> Result<Value, Refusal> {
    let after = page.marker.as_deref().map(unmarked).transpose()?;
    let count = page.max_items.unwrap_or(PAGE_MAX).min(PAGE_MAX);
    let shards = standing.shards.iter();
    let mut rest = shards.filter(|(id, _)| after.as_ref().is_none_or(|after| *id > after));
    let shown: Vec<_> = rest.by_ref().take(count).collect();
    let last = shown.last().map(|(id, _)| marker(id));
    let next = rest.next().and(last);
    let undo = standing.replaced_ms;
    Ok(json!({
        "UUID": mapping.uuid,
        "EventSourceArn": mapping.source.to_string(),
        "Shards": shown.into_iter().map(|(id, progress)| shard(id, progress)).collect::<Vec<_>>(),
        "Undo": undo.map(|ms| json!({ "Replaced": epoch_seconds(ms) })),
        "NextMarker": next,
    }))
}

fn shard(id: &str, progress: &ShardProgress) -> Value {
    let mut shown = Map::new();
    let mut set = |key: &str, value: Value| shown.insert(key.to_owned(), value);
    set("ShardId", id.into());
    match &progress.position {
        Position::Horizon => {
            set("StartingPosition", "TRIM_HORIZON".into());
        }
        Position::At { ms } => {
            set("StartingPosition", "AT_TIMESTAMP".into());
            set("StartingPositionTimestamp", json!(epoch_seconds(*ms)));
        }
        Position::From { sequence_number } => {
            set("SequenceNumber", sequence_number.as_str().into());
        }
        Position::After { sequence_number } => {
            set("AfterSequenceNumber", sequence_number.as_str().into());
        }
        Position::End => {
            set("Completed", true.into());
        }
    }
    let failed: usize = progress.lanes.iter().map(|lane| lane.owed.len()).sum();
    if failed > 0 {
        set("Unsettled", failed.into());
    }
    Value::Object(shown)
}
