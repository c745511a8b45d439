//! A plan's mapping as the configuration of the service has it.

use super::{From, Kind, Plan, Presence, Settings};

impl Plan {
    /// The mapping, as the configuration of the service has it.
    pub fn config(&self, arn: &str, destination: &str, now: Settings, moment_s: u64) -> String {
        let mut text = format!(
            "  - Name: m\n    EventSourceArn: {arn}\n    FunctionName: process\n    BatchSize: {}\n",
            now.batch_size
        );
        let mut line = |key: &str, value: String| text += &format!("    {key}: {value}\n");
        match self.from {
            From::Horizon => line("StartingPosition", "TRIM_HORIZON".into()),
            From::Latest => line("StartingPosition", "LATEST".into()),
            From::Moment => {
                line("StartingPosition", "AT_TIMESTAMP".into());
                line("StartingPositionTimestamp", moment_s.to_string());
            }
        }
        if now.presence == Presence::Disabled {
            line("Enabled", "false".into());
        }
        if now.factor > 1 {
            line("ParallelizationFactor", now.factor.to_string());
        }
        if now.bisect {
            line("BisectBatchOnFunctionError", "true".into());
        }
        if now.window_s > 0 {
            line("MaximumBatchingWindowInSeconds", now.window_s.to_string());
        }
        if let Some(retries) = self.retries {
            line("MaximumRetryAttempts", retries.to_string());
        }
        if let Some(age_s) = self.age_s {
            line("MaximumRecordAgeInSeconds", age_s.to_string());
        }
        if let Some(length_s) = self.tumbling_s {
            line("TumblingWindowInSeconds", length_s.to_string());
        }
        if self.partial {
            line("FunctionResponseTypes", "[ReportBatchItemFailures]".into());
        }
        if self.filter {
            let pattern = match self.kind {
                Kind::Kinesis | Kind::FanOut => r#"{"data":{"keep":[true]}}"#,
                Kind::Dynamo => r#"{"dynamodb":{"NewImage":{"keep":{"BOOL":[true]}}}}"#,
            };
            let filters = format!("{{ Filters: [ {{ Pattern: '{pattern}' }} ] }}");
            line("FilterCriteria", filters);
        }
        if self.tells() {
            let to = format!("{{ OnFailure: {{ Destination: \"{destination}\" }} }}");
            line("DestinationConfig", to);
        }
        let mut extensions = Vec::new();
        for (on, name) in [
            (self.only_failing, "DiscardOnlyFailing"),
            (self.payload, "OnFailureIncludePayload"),
            (self.kpl, "DeaggregateKpl"),
        ] {
            if on {
                extensions.push(format!("{name}: true"));
            }
        }
        if !extensions.is_empty() {
            line("Extensions", format!("{{ {} }}", extensions.join(", ")));
        }
        text
    }
}
