//! `EventSourceMappings[]`: one mapping, its ranges, defaults and cross-field rules.

use std::time::Duration;

use super::arn::Arn;
use super::function::Target;

/// One event source mapping, checked: what the engine runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapping {
    /// `Name`: label in logs and metrics, unique; by default derived from source and function.
    pub name: String,
    /// `UUID`: kept from an exported list, else derived from source and function so that it stays the same over restarts.
    pub uuid: String,
    /// `Enabled`: a disabled mapping is listed and does nothing.
    pub enabled: bool,
    /// `EventSourceArn`.
    pub source: Arn,
    /// `FunctionName`, exactly as given.
    pub function_name: String,
    /// Where that function runs.
    pub target: Target,
    /// `BatchSize`: 1-10,000; 1-10 for a FIFO queue. // spec: 1.2
    pub batch_size: usize,
    /// `MaximumBatchingWindowInSeconds`: 0-300 s; 0 for a FIFO queue. // spec: 1.2
    pub window: Duration,
    /// `FunctionResponseTypes` contains `ReportBatchItemFailures`.
    pub reports_item_failures: bool,
    /// `ScalingConfig.MaximumConcurrency`: 1-1,000 (AWS: 2-1,000).
    pub maximum_concurrency: Option<usize>,
    /// `FilterCriteria.Filters[].Pattern`, as given: checked, and compiled by the engine.
    pub filter_patterns: Vec<String>,
}

impl Mapping {
    /// A queue whose name ends in `.fifo` keeps order by message group.
    pub fn fifo(&self) -> bool {
        self.source.resource.ends_with(".fifo")
    }
}
