//! The members of AWS's create and update requests: shapes and ranges, one line each. // spec: 1.2

use super::shape::{Pattern, Shape};

/// A member of a request.
#[derive(Debug)]
pub(super) struct Field {
    /// AWS's name.
    pub name: &'static str,
    pub shape: Shape,
    /// UpdateEventSourceMapping takes it.
    pub updatable: bool,
}

const fn updatable(name: &'static str, shape: Shape) -> Field {
    Field {
        name,
        shape,
        updatable: true,
    }
}

const fn fixed(name: &'static str, shape: Shape) -> Field {
    Field {
        name,
        shape,
        updatable: false,
    }
}

const fn int(min: i64, max: i64) -> Shape {
    Shape::Int { min, max }
}

const fn text(min: usize, max: usize) -> Shape {
    Shape::Text {
        min,
        max,
        pattern: None,
    }
}

/// An ARN has no length in AWS's model; longer ones are none that we know.
const ARN_CHARS_MAX: usize = 2_048;

/// The ARN of a source.
pub(super) const SOURCE: Shape = Shape::Text {
    min: 0,
    max: ARN_CHARS_MAX,
    pattern: Some(&Pattern {
        text: r"arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:([a-z]{2}(-gov)?-[a-z]+-\d{1})?:(\d{12})?:(.*)",
        fits: is_arn,
    }),
};

/// The size of a page.
pub(super) const MAX_ITEMS: Shape = int(1, 10_000);

/// What has tags.
pub(super) const TAGGABLE: Shape = Shape::Text {
    min: 1,
    max: 256,
    pattern: Some(&Pattern {
        text: r"arn:(aws[a-zA-Z-]*):lambda:[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:(function:[a-zA-Z0-9-_]+(:(\$LATEST|[a-zA-Z0-9-_]+))?|code-signing-config:csc-[a-z0-9]{17}|event-source-mapping:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|capacity-provider:[a-zA-Z0-9-_]+)",
        fits: is_taggable,
    }),
};

const DESTINATION: Shape = Shape::Structure(&[(
    "Destination",
    Shape::Text {
        min: 0,
        max: 350,
        pattern: Some(&Pattern {
            text: r"$|kafka://([^.]([a-zA-Z0-9\-_.]{0,248}))|arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:([a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1})?:(\d{12})?:(.*)",
            fits: is_destination,
        }),
    },
)]);

const KEY: Shape = Shape::Text {
    min: 0,
    max: ARN_CHARS_MAX,
    pattern: Some(&Pattern {
        text: r"(arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*)|()",
        fits: is_key,
    }),
};

const ACCESS: Shape = Shape::Structure(&[
    (
        "Type",
        Shape::Choice(&[
            "BASIC_AUTH",
            "VPC_SUBNET",
            "VPC_SECURITY_GROUP",
            "SASL_SCRAM_512_AUTH",
            "SASL_SCRAM_256_AUTH",
            "VIRTUAL_HOST",
            "CLIENT_CERTIFICATE_TLS_AUTH",
            "SERVER_ROOT_CA_CERTIFICATE",
            "OAUTHBEARER_AUTH",
            "OAUTHBEARER_SCOPE",
            "OAUTHBEARER_AUDIENCE",
            "OAUTHBEARER_LOGICAL_CLUSTER",
            "OAUTHBEARER_IDENTITY_POOL",
            "IAM_AUTH",
            "IAM_OAUTHBEARER_AUTH",
        ]),
    ),
    ("URI", text(1, 200)),
]);

const CONSUMER: Shape = Shape::Structure(&[("ConsumerGroupId", text(1, 200))]);

/// In the order in which violations are told.
pub(super) const FIELDS: [Field; 30] = [
    fixed("EventSourceArn", SOURCE),
    updatable("FunctionName", Shape::FunctionName),
    updatable("Enabled", Shape::Bool),
    updatable("BatchSize", int(1, 10_000)),
    updatable(
        "FilterCriteria",
        Shape::Structure(&[(
            "Filters",
            Shape::List {
                min: 0,
                max: usize::MAX,
                of: &Shape::Structure(&[("Pattern", text(0, 4_096))]),
            },
        )]),
    ),
    updatable("MaximumBatchingWindowInSeconds", int(0, 300)),
    updatable("ParallelizationFactor", int(1, 10)),
    fixed(
        "StartingPosition",
        Shape::Choice(&["LATEST", "AT_TIMESTAMP", "TRIM_HORIZON"]),
    ),
    fixed("StartingPositionTimestamp", Shape::Moment),
    updatable(
        "DestinationConfig",
        Shape::Structure(&[("OnSuccess", DESTINATION), ("OnFailure", DESTINATION)]),
    ),
    updatable("MaximumRecordAgeInSeconds", int(-1, 604_800)),
    updatable("BisectBatchOnFunctionError", Shape::Bool),
    updatable("MaximumRetryAttempts", int(-1, 10_000)),
    fixed("Tags", Shape::Texts),
    updatable("TumblingWindowInSeconds", int(0, 900)),
    fixed(
        "Topics",
        Shape::List {
            min: 1,
            max: 1,
            of: &text(1, 249),
        },
    ),
    fixed(
        "Queues",
        Shape::List {
            min: 1,
            max: 1,
            of: &text(1, 1_000),
        },
    ),
    updatable(
        "SourceAccessConfigurations",
        Shape::List {
            min: 0,
            max: 23,
            of: &ACCESS,
        },
    ),
    fixed("SelfManagedEventSource", Shape::Structure(&[])),
    updatable(
        "FunctionResponseTypes",
        Shape::List {
            min: 0,
            max: 1,
            of: &Shape::Choice(&["ReportBatchItemFailures"]),
        },
    ),
    updatable("AmazonManagedKafkaEventSourceConfig", CONSUMER),
    updatable("SelfManagedKafkaEventSourceConfig", CONSUMER),
    // AWS's minimum is 2; a queue that must be read by one worker needs 1. // spec: 11.2
    updatable(
        "ScalingConfig",
        Shape::Structure(&[("MaximumConcurrency", int(1, 1_000))]),
    ),
    updatable(
        "DocumentDBEventSourceConfig",
        Shape::Structure(&[
            ("DatabaseName", text(1, 63)),
            ("CollectionName", text(1, 57)),
            ("FullDocument", Shape::Choice(&["UpdateLookup", "Default"])),
        ]),
    ),
    updatable("KMSKeyArn", KEY),
    updatable(
        "MetricsConfig",
        Shape::Structure(&[(
            "Metrics",
            Shape::List {
                min: 0,
                max: 3,
                of: &Shape::Choice(&["EventCount", "ErrorCount", "KafkaMetrics"]),
            },
        )]),
    ),
    updatable(
        "LoggingConfig",
        Shape::Structure(&[("SystemLogLevel", Shape::Choice(&["DEBUG", "INFO", "WARN"]))]),
    ),
    updatable(
        "ProvisionedPollerConfig",
        Shape::Structure(&[
            ("MinimumPollers", int(1, 200)),
            ("MaximumPollers", int(1, 10_000)),
            ("PollerGroupName", text(0, 128)),
        ]),
    ),
    // Ours.
    updatable("Name", text(1, 128)),
    updatable(
        "Extensions",
        Shape::Structure(&[
            ("DiscardOnlyFailing", Shape::Bool),
            ("OnFailureIncludePayload", Shape::Bool),
            ("DeaggregateKpl", Shape::Bool),
        ]),
    ),
];

/// The pattern, with regions of other names: local servers have such.
fn is_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let label = |text: &str| {
        text.chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    match parts.as_slice() {
        ["arn", partition, service, region, account, _] => {
            partition.starts_with("aws")
                && [partition, service, region]
                    .into_iter()
                    .all(|part| label(part))
                && !service.is_empty()
                && (account.is_empty() || account.len() == 12 && digits(account))
        }
        _ => false,
    }
}

fn is_destination(text: &str) -> bool {
    text.is_empty() || text.starts_with("kafka://") || is_arn(text)
}

fn is_key(text: &str) -> bool {
    text.is_empty() || text.starts_with("arn:") && text.splitn(4, ':').count() == 4
}

const TAGGABLE_KINDS: [&str; 4] = [
    "function",
    "code-signing-config",
    "event-source-mapping",
    "capacity-provider",
];

fn is_taggable(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(7, ':').collect();
    match parts.as_slice() {
        ["arn", _, "lambda", region, account, kind, id] => {
            is_arn(text)
                && !region.is_empty()
                && !account.is_empty()
                && TAGGABLE_KINDS.contains(kind)
                && !id.is_empty()
        }
        _ => false,
    }
}
