//! The event source mappings of AWS Lambda, under the names that AWS prints.

use std::time::Duration;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::DateTime;
use aws_sdk_lambda::types::{
    EventSourceMappingConfiguration as Listed, FilterCriteria, FilterCriteriaError,
};
use serde_json::{Map, Value, json};

use super::clients::Clients;
use super::fault::{Failure, Fault};
use crate::model::backoff::Backoff;

/// Which mappings are asked for; all of them where nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Those of this function, exactly with its qualifier. // spec: 1.1
    pub function: Option<String>,
    /// Those of this source.
    pub source: Option<String>,
}

/// A page holds 100 mappings, and a region of an account a few thousand. // spec: 1.1
const PAGES_MAX: usize = 1_000;
/// A call is made so often before its failure is told.
const ATTEMPTS_MAX: usize = 6;
const REPEAT_FIRST: Duration = Duration::from_millis(500);
const REPEAT_LONGEST: Duration = Duration::from_secs(20);

/// ListEventSourceMappings, every page; a mapping whose filter the list hides is asked for alone. // spec: 1.3
///
/// # Errors
/// The first call that failed for good: denied, invalid, or six times throttled or unavailable.
pub async fn list(
    clients: &Clients,
    region: &str,
    wanted: &Wanted,
    jitter: &mut (dyn FnMut() -> f64 + Send),
) -> Result<Vec<Value>, Failure> {
    let client = clients.lambda(region);
    let mut mappings = Vec::new();
    let mut marker: Option<String> = None;
    for _ in 0..PAGES_MAX {
        let page = patiently(jitter, || {
            client
                .list_event_source_mappings()
                .set_function_name(wanted.function.clone())
                .set_event_source_arn(wanted.source.clone())
                .set_marker(marker.clone())
                .send()
        });
        let page = page.await?;
        let listed = page.event_source_mappings.ok_or_else(|| {
            Failure::unreadable("ListEventSourceMappings returned no EventSourceMappings")
        })?;
        for listed in listed {
            mappings.push(shown(&client, listed, jitter).await?);
        }
        marker = page.next_marker.filter(|marker| !marker.is_empty());
        if marker.is_none() {
            return Ok(mappings);
        }
    }
    let endless = format!("ListEventSourceMappings has more than {PAGES_MAX} pages");
    Err(Failure::unreadable(&endless))
}

/// A list hides every filter that is encrypted; who may decrypt it sees it at the mapping itself. // spec: 1.3
async fn shown(
    client: &Client,
    mut listed: Listed,
    jitter: &mut (dyn FnMut() -> f64 + Send),
) -> Result<Value, Failure> {
    let hidden = listed.kms_key_arn.is_some() && listed.filter_criteria.is_none();
    let (true, Some(uuid)) = (hidden, listed.uuid.clone()) else {
        return Ok(value(listed));
    };
    let own = patiently(jitter, || {
        client.get_event_source_mapping().uuid(&uuid).send()
    });
    match own.await {
        Ok(own) => {
            listed.filter_criteria = own.filter_criteria;
            listed.filter_criteria_error = own.filter_criteria_error;
        }
        // Whoever may list may be kept from asking: then nobody knows whether there is a filter.
        Err(failure) if failure.fault == Fault::Denied => {
            let error = FilterCriteriaError::builder();
            let error = error.error_code(&failure.code);
            let message = format!("GetEventSourceMapping: {failure}");
            listed.filter_criteria_error = Some(error.message(message).build());
        }
        Err(failure) => return Err(failure),
    }
    Ok(value(listed))
}

/// Repeats a call that is throttled or fails in passing.
async fn patiently<T, E, F>(
    jitter: &mut (dyn FnMut() -> f64 + Send),
    mut call: impl FnMut() -> F,
) -> Result<T, Failure>
where
    F: Future<Output = Result<T, E>>,
    Failure: From<E>,
{
    let mut repeats = Backoff::new(REPEAT_FIRST, REPEAT_LONGEST);
    for _ in 1..ATTEMPTS_MAX {
        let failure: Failure = match call().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error.into(),
        };
        let delay = repeats.delay(jitter());
        let delay = match failure.fault {
            Fault::Throttled { after } => delay.max(after.unwrap_or_default().min(REPEAT_LONGEST)),
            Fault::Transient => delay,
            Fault::Expired | Fault::Trimmed | Fault::Denied | Fault::Gone | Fault::Invalid => {
                return Err(failure);
            }
        };
        tokio::time::sleep(delay).await;
    }
    call().await.map_err(Failure::from)
}

/// As AWS's tools print it: what is not set has no key. // spec: 1.3
fn value(listed: Listed) -> Value {
    let mut shown = Map::new();
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            shown.insert(key.to_owned(), value);
        }
    };
    let seconds = |time: DateTime| json!(time.as_secs_f64());
    put("UUID", listed.uuid.map(Value::from));
    put(
        "EventSourceMappingArn",
        listed.event_source_mapping_arn.map(Value::from),
    );
    put("EventSourceArn", listed.event_source_arn.map(Value::from));
    put("FunctionArn", listed.function_arn.map(Value::from));
    put("State", listed.state.map(Value::from));
    put(
        "StateTransitionReason",
        listed.state_transition_reason.map(Value::from),
    );
    put("LastModified", listed.last_modified.map(seconds));
    put(
        "LastProcessingResult",
        listed.last_processing_result.map(Value::from),
    );
    put(
        "StartingPosition",
        listed.starting_position.map(|at| json!(at.as_str())),
    );
    put(
        "StartingPositionTimestamp",
        listed.starting_position_timestamp.map(seconds),
    );
    put("BatchSize", listed.batch_size.map(Value::from));
    put(
        "MaximumBatchingWindowInSeconds",
        listed.maximum_batching_window_in_seconds.map(Value::from),
    );
    put(
        "ParallelizationFactor",
        listed.parallelization_factor.map(Value::from),
    );
    put(
        "TumblingWindowInSeconds",
        listed.tumbling_window_in_seconds.map(Value::from),
    );
    put(
        "BisectBatchOnFunctionError",
        listed.bisect_batch_on_function_error.map(Value::from),
    );
    put(
        "MaximumRetryAttempts",
        listed.maximum_retry_attempts.map(Value::from),
    );
    put(
        "MaximumRecordAgeInSeconds",
        listed.maximum_record_age_in_seconds.map(Value::from),
    );
    put(
        "FunctionResponseTypes",
        listed.function_response_types.map(|types| {
            let names = types.iter().map(|name| name.as_str());
            json!(names.collect::<Vec<_>>())
        }),
    );
    put("FilterCriteria", listed.filter_criteria.map(criteria));
    put(
        "FilterCriteriaError",
        listed
            .filter_criteria_error
            .map(|error| json!({ "ErrorCode": error.error_code, "Message": error.message })),
    );
    put("KMSKeyArn", listed.kms_key_arn.map(Value::from));
    put(
        "ScalingConfig",
        listed
            .scaling_config
            .map(|config| json!({ "MaximumConcurrency": config.maximum_concurrency })),
    );
    put(
        "DestinationConfig",
        listed.destination_config.map(|config| {
            json!({
                "OnSuccess": { "Destination": config.on_success.and_then(|on| on.destination) },
                "OnFailure": { "Destination": config.on_failure.and_then(|on| on.destination) },
            })
        }),
    );
    put(
        "MetricsConfig",
        listed.metrics_config.map(|config| {
            let metrics = config.metrics.unwrap_or_default();
            let names = metrics.iter().map(|name| name.as_str());
            json!({ "Metrics": names.collect::<Vec<_>>() })
        }),
    );
    put(
        "LoggingConfig",
        listed.logging_config.map(|config| {
            json!({ "SystemLogLevel": config.system_log_level.map(|level| level.as_str().to_owned()) })
        }),
    );
    put(
        "ProvisionedPollerConfig",
        listed.provisioned_poller_config.map(|config| {
            json!({
                "MinimumPollers": config.minimum_pollers,
                "MaximumPollers": config.maximum_pollers,
                "PollerGroupName": config.poller_group_name,
            })
        }),
    );
    // Of sources that nothing here reads, what tells them.
    put("Topics", listed.topics.map(Value::from));
    put("Queues", listed.queues.map(Value::from));
    put(
        "SelfManagedEventSource",
        listed.self_managed_event_source.map(|source| {
            let endpoints = source.endpoints.unwrap_or_default();
            let endpoints: Map<String, Value> = endpoints
                .into_iter()
                .map(|(kind, hosts)| (kind.as_str().to_owned(), Value::from(hosts)))
                .collect();
            json!({ "Endpoints": endpoints })
        }),
    );
    put(
        "DocumentDBEventSourceConfig",
        listed.document_db_event_source_config.map(|config| {
            json!({ "DatabaseName": config.database_name, "CollectionName": config.collection_name })
        }),
    );
    Value::Object(shown)
}

fn criteria(criteria: FilterCriteria) -> Value {
    let filters = criteria.filters.unwrap_or_default();
    let filters = filters.into_iter().filter_map(|filter| filter.pattern);
    let filters: Vec<Value> = filters
        .map(|pattern| json!({ "Pattern": pattern }))
        .collect();
    json!({ "Filters": filters })
}

#[cfg(test)]
mod tests;
