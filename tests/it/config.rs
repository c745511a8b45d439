//! Configurations that hold: what every setting comes to, and what is shown of it.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sluicegate::config::checkpoints::Checkpoints;
use sluicegate::config::function::Target;
use sluicegate::config::{Config, json, table};

const QUEUE: &str = "arn:aws:sqs:us-east-1:123456789012:orders";

const EXAMPLES: [&str; 8] = [
    "dynamodb.yaml",
    "everything.yaml",
    "http-function.yaml",
    "kinesis-fan-out.yaml",
    "kinesis.yaml",
    "managed-export.json",
    "sqs-fifo.yaml",
    "sqs.yaml",
];

fn no_env(_: &str) -> Option<String> {
    None
}

fn parse(text: &str) -> Config {
    Config::parse("a.yaml", text, &no_env).unwrap_or_else(|errors| panic!("{text}\n{errors:?}"))
}

fn lines<T: ToString>(findings: &[T]) -> Vec<String> {
    findings.iter().map(ToString::to_string).collect()
}

/// Errors of a text.
fn errors(text: &str) -> Vec<String> {
    lines(&Config::parse("a.yaml", text, &no_env).expect_err(text))
}

/// Mappings of `orders` to each of these functions.
fn mappings(functions: &[&str]) -> String {
    let mut text = "EventSourceMappings:\n".to_owned();
    for function in functions {
        text.push_str(&format!(
            "  - EventSourceArn: {QUEUE}\n    FunctionName: {function}\n"
        ));
    }
    text
}

#[test]
fn every_example_is_valid() {
    let mut names = Vec::new();
    for entry in fs::read_dir("config").unwrap() {
        let path = entry.unwrap().path();
        let config = Config::load(std::slice::from_ref(&path), &no_env)
            .unwrap_or_else(|errors| panic!("{errors:?}"));
        assert_eq!(lines(&config.warnings), [""; 0], "{}", path.display());
        assert!(!config.mappings.is_empty(), "{}", path.display());
        names.push(path.file_name().unwrap().to_string_lossy().into_owned());
    }
    names.sort();
    assert_eq!(names, EXAMPLES);
}

#[test]
fn what_is_shown_as_json_is_the_same_configuration() {
    for name in EXAMPLES {
        let path = Path::new("config").join(name);
        let config = Config::load(&[path], &no_env).unwrap();
        let again = parse(&json(&config).to_string());
        assert_eq!(again, config, "{name}");
    }
}

#[test]
fn defaults_are_filled_in() {
    let config = parse(&mappings(&["process-orders"]));
    assert_eq!(
        config.service.listen,
        "127.0.0.1:9480".parse::<SocketAddr>().unwrap()
    );
    assert_eq!(config.service.shutdown_grace, Duration::from_secs(30));
    assert_eq!(
        config.checkpoints,
        Checkpoints::File(PathBuf::from("./sluicegate.db"))
    );
    let [mapping] = config.mappings.as_slice() else {
        panic!("one mapping, not {:?}", config.mappings);
    };
    assert_eq!(mapping.name, "orders-process-orders");
    assert_eq!(mapping.uuid, "899222ac-7f98-34ed-adf2-17cdb512e922");
    assert!(mapping.enabled);
    assert_eq!(mapping.source.to_string(), QUEUE);
    assert_eq!(mapping.batch_size, 10);
    assert_eq!(mapping.window, Duration::ZERO);
    assert!(!mapping.reports_item_failures);
    assert_eq!(mapping.maximum_concurrency, None);
    assert_eq!(mapping.filter_patterns, [""; 0]);
    assert_eq!(lines(&config.warnings), [""; 0]);
}

#[test]
fn every_setting_reaches_its_place() {
    let config = Config::load(&[PathBuf::from("config/everything.yaml")], &|name| {
        (name == "AWS_REGION").then(|| "eu-central-1".to_owned())
    })
    .unwrap();
    assert_eq!(config.aws.region.as_deref(), Some("eu-central-1"));
    assert_eq!(
        config.aws.endpoints.sqs.as_deref(),
        Some("http://127.0.0.1:9324")
    );
    assert_eq!(
        config.aws.endpoints.lambda.as_deref(),
        Some("http://127.0.0.1:9000")
    );
    let role = config.functions[0].role.clone();
    assert_eq!(
        role.as_ref().map(ToString::to_string).as_deref(),
        Some("arn:aws:iam::123456789012:role/process-orders")
    );
    let mapping = &config.mappings[0];
    assert_eq!(mapping.name, "orders");
    assert_eq!(mapping.uuid, "14e0db71-5d35-4eb5-b481-8945cf9d10c2");
    assert_eq!(mapping.batch_size, 1000);
    assert_eq!(mapping.window, Duration::from_secs(5));
    assert!(mapping.reports_item_failures);
    assert_eq!(mapping.maximum_concurrency, Some(20));
    assert_eq!(mapping.filter_patterns, [r#"{"body":{"kind":["order"]}}"#]);
    assert_eq!(
        mapping.target,
        Target::Http {
            url: "http://127.0.0.1:8080/".to_owned(),
            timeout: Duration::from_secs(60),
            role
        }
    );
}

// spec: 1.3, 1.4
#[test]
fn an_exported_list_is_a_configuration() {
    let config = Config::load(&[PathBuf::from("config/managed-export.json")], &no_env).unwrap();
    let [orders, payments, ..] = config.mappings.as_slice() else {
        panic!("two mappings and more, not {:?}", config.mappings);
    };
    assert_eq!(orders.uuid, "14e0db71-5d35-4eb5-b481-8945cf9d10c2");
    assert!(orders.enabled);
    assert_eq!(orders.batch_size, 100);
    assert_eq!(
        orders.target,
        Target::Lambda {
            function: "arn:aws:lambda:us-east-1:123456789012:function:process-orders".to_owned(),
            qualifier: Some("live".to_owned()),
            region: "us-east-1".to_owned(),
        }
    );
    assert!(!payments.enabled, "its State is Disabled");
    assert!(payments.fifo());
}

// spec: 1.3
#[test]
fn neutral_values_of_other_sources_are_tolerated() {
    let neutral = [
        "DestinationConfig: {OnFailure: {}}",
        "DestinationConfig: {OnFailure: {Destination: \"\"}}",
        "StartingPosition: null",
        "ParallelizationFactor: 1",
        "MaximumRecordAgeInSeconds: -1",
        "MaximumRetryAttempts: -1",
        "BisectBatchOnFunctionError: false",
        "TumblingWindowInSeconds: 0",
        "Topics: []",
        "Queues: []",
        "SourceAccessConfigurations: []",
        "ProvisionedPollerConfig: {}",
        "KMSKeyArn: \"\"",
        "MetricsConfig: {Metrics: []}",
        "FilterCriteria: null",
        "FilterCriteria: {}",
        "FilterCriteria: {Filters: []}",
        "ScalingConfig: {}",
        "FunctionResponseTypes: []",
        "Extensions: {}",
        "LastProcessingResult: No records processed",
        "LastModified: 2026-09-17T12:00:00+00:00",
        "LastModified: 1789650000.0",
        "BatchSize:",
    ];
    let bare = parse(&mappings(&["f"]));
    for setting in neutral {
        let config = parse(&format!("{}    {setting}\n", mappings(&["f"])));
        assert_eq!(config, bare, "{setting}");
    }
}

#[test]
fn harmless_settings_are_ignored_with_a_warning() {
    let cases = [
        (
            "MetricsConfig: {Metrics: [EventCount]}",
            "MetricsConfig: not needed here: every metric is always exported",
        ),
        (
            "LoggingConfig: {SystemLogLevel: DEBUG}",
            "LoggingConfig: not needed here: the environment variable RUST_LOG sets the level of the log",
        ),
        (
            "Tags: {team: a}",
            "Tags: not kept here: mappings are told apart by Name",
        ),
    ];
    for (setting, expected) in cases {
        let config = parse(&format!("{}    {setting}\n", mappings(&["f"])));
        let expected = format!("a.yaml:4: EventSourceMappings[0].{expected}");
        assert_eq!(lines(&config.warnings), [expected]);
    }
}

#[test]
fn what_is_odd_and_stops_nothing_is_a_warning() {
    let unused = "Functions:\n  g: {Http: {Url: \"http://h/\"}}\n";
    let cases = [
        (
            "Service: {}\n".to_owned(),
            "a.yaml: no EventSourceMappings: nothing runs until one is made through the control API, or comes with a reload",
        ),
        (
            mappings(&["f"]) + unused,
            "a.yaml:5: Functions.g: no mapping uses this function",
        ),
        (
            mappings(&["f", "g"]),
            "a.yaml:4: EventSourceMappings[1]: reads the same queue as the mapping at a.yaml:2: each message goes to one of the two, and what its filter drops is deleted",
        ),
        (
            mappings(&["f"])
                + "    FilterCriteria: {Filters: [{Pattern: '{\"kind\":[\"order\"]}'}]}\n",
            "a.yaml:4: EventSourceMappings[0].FilterCriteria.Filters[0].Pattern: key kind: no SQS message has this key when filters run, so that only exists: false can hold",
        ),
        (
            mappings(&["f"]) + "NextMarker: more\n",
            "a.yaml:4: NextMarker: the exported list goes on: this file holds a part of it",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(lines(&parse(&text).warnings), [expected], "{text}");
    }
}

// spec: 1.4
#[test]
fn the_state_of_an_exported_mapping_decides_where_enabled_is_absent() {
    let cases = [
        ("State: Creating", true),
        ("State: Enabling", true),
        ("State: Enabled", true),
        ("State: Updating", true),
        ("State: Disabling", false),
        ("State: Disabled", false),
        ("State: Deleting", false),
        ("Enabled: false", false),
        ("Enabled: true\n    State: Disabled", true),
        ("Enabled: false\n    State: Enabled", false),
    ];
    for (settings, expected) in cases {
        let config = parse(&format!("{}    {settings}\n", mappings(&["f"])));
        assert_eq!(config.mappings[0].enabled, expected, "{settings}");
    }
}

// spec: 1.2
#[test]
fn the_bounds_themselves_are_allowed() {
    for settings in [
        "BatchSize: 1",
        "BatchSize: 10",
        "BatchSize: 11\n    MaximumBatchingWindowInSeconds: 1",
        "BatchSize: 10000\n    MaximumBatchingWindowInSeconds: 300",
        "ScalingConfig: {MaximumConcurrency: 1}",
        "ScalingConfig: {MaximumConcurrency: 1000}",
        r#"FilterCriteria: {Filters: [&p {Pattern: '{"body":["a"]}'}, *p, *p, *p, *p, *p, *p, *p, *p, *p]}"#,
    ] {
        let config = parse(&format!("{}    {settings}\n", mappings(&["f"])));
        assert_eq!(config.mappings.len(), 1, "{settings}");
    }
    let pattern = |length: usize| format!("{{\"a\":[\"{}\"]}}", "é".repeat(length - 10));
    let text = |length| {
        let pattern = pattern(length);
        format!(
            "{}    FilterCriteria: {{Filters: [{{Pattern: '{pattern}'}}]}}\n",
            mappings(&["f"])
        )
    };
    assert_eq!(
        parse(&text(4096)).mappings[0].filter_patterns,
        [pattern(4096)]
    );
    assert_eq!(
        errors(&text(4097)),
        [
            "a.yaml:4: EventSourceMappings[0].FilterCriteria.Filters[0].Pattern: 4097 characters; a pattern has at most 4096"
        ]
    );
}

#[test]
fn an_address_to_listen_on_may_be_localhost() {
    let cases = [
        ("localhost:9480", "127.0.0.1:9480"),
        ("0.0.0.0:0", "0.0.0.0:0"),
        ("\"[::1]:80\"", "[::1]:80"),
    ];
    for (listen, expected) in cases {
        let config = parse(&format!("Service: {{Listen: {listen}}}\n"));
        assert_eq!(config.service.listen.to_string(), expected);
    }
}

// contract: 3
#[test]
fn an_address_that_others_reach_is_allowed_with_a_warning() {
    let open = |listen: &str| {
        format!(
            "a.yaml:1: Service.Listen: {listen} can be reached from other machines, and who asks is not checked: \
             everyone there can read metrics and the state of every mapping; use 127.0.0.1, or let a firewall decide"
        )
    };
    let cases = [
        ("127.0.0.1:1", None),
        ("127.8.8.8:1", None),
        ("localhost:1", None),
        ("\"[::1]:1\"", None),
        ("\"[::ffff:127.0.0.1]:1\"", None),
        ("0.0.0.0:1", Some(open("0.0.0.0:1"))),
        ("192.168.0.1:1", Some(open("192.168.0.1:1"))),
        ("\"[::]:1\"", Some(open("[::]:1"))),
    ];
    for (listen, expected) in cases {
        let config = parse(&format!(
            "Service: {{Listen: {listen}}}\n{}",
            mappings(&["f"])
        ));
        let expected: Vec<String> = expected.into_iter().collect();
        assert_eq!(lines(&config.warnings), expected, "{listen}");
    }
}

#[test]
fn checkpoints_are_kept_in_a_file_or_in_memory() {
    let file = |path: &str| Checkpoints::File(PathBuf::from(path));
    let cases = [
        ("Checkpoints: {File: /var/lib/a.db}", file("/var/lib/a.db")),
        ("Checkpoints: {Memory: true}", Checkpoints::Memory),
        ("Checkpoints: {Memory: false}", file("./sluicegate.db")),
        ("Checkpoints: {}", file("./sluicegate.db")),
    ];
    for (text, expected) in cases {
        assert_eq!(parse(text).checkpoints, expected, "{text}");
    }
}

#[test]
fn a_function_is_found_by_its_text_then_in_another_form_then_without_its_qualifier() {
    const ARN: &str = "arn:aws:lambda:us-east-1:123456789012:function:f";
    let cases: [(&[&str], &str, Option<&str>); 12] = [
        (&["f"], "f", Some("f")),
        (&["f"], "f:live", Some("f")),
        (&["f"], ARN, Some("f")),
        (
            &["f"],
            "arn:aws:lambda:us-east-1:123456789012:function:f:live",
            Some("f"),
        ),
        (&[ARN], "f", Some(ARN)),
        (&[ARN], "123456789012:function:f:7", Some(ARN)),
        (&["f", ARN], ARN, Some(ARN)),
        (&["f", "f:live"], "f:live", Some("f:live")),
        (
            &["f", "f:live"],
            "123456789012:function:f:live",
            Some("f:live"),
        ),
        (&["f:live"], "f", None),
        (&["f:live"], "f:blue", None),
        (&["999999999999:function:f"], "f", None),
    ];
    for (keys, function, expected) in cases {
        let mut text = "Functions:\n".to_owned();
        for (index, key) in keys.iter().enumerate() {
            text.push_str(&format!(
                "  {key}: {{Http: {{Url: \"http://host/{index}\"}}}}\n"
            ));
        }
        let config = parse(&(text + &mappings(&[function])));
        let found = match &config.mappings[0].target {
            Target::Lambda { .. } => None,
            Target::Http { url, .. } => keys
                .iter()
                .enumerate()
                .find_map(|(index, key)| (*url == format!("http://host/{index}")).then_some(*key)),
        };
        assert_eq!(found, expected, "{keys:?} {function}");
    }
}

#[test]
fn a_function_in_lambda_is_invoked_in_the_region_of_its_arn_else_of_its_source() {
    let cases = [
        ("f:live", ("f", Some("live"), "us-east-1")),
        (
            "999999999999:function:f",
            ("999999999999:function:f", None, "us-east-1"),
        ),
        (
            "arn:aws:lambda:eu-west-1:123456789012:function:f:$LATEST",
            (
                "arn:aws:lambda:eu-west-1:123456789012:function:f",
                Some("$LATEST"),
                "eu-west-1",
            ),
        ),
    ];
    for (given, (function, qualifier, region)) in cases {
        let config = parse(&mappings(&[given]));
        assert_eq!(
            config.mappings[0].target,
            Target::Lambda {
                function: function.to_owned(),
                qualifier: qualifier.map(str::to_owned),
                region: region.to_owned(),
            }
        );
    }
}

// spec: 1.6 note (a)
#[test]
fn one_queue_may_feed_two_aliases_under_names_that_do_not_depend_on_their_order() {
    let named = |functions: &[&str]| -> Vec<(String, String)> {
        let mappings = parse(&mappings(functions)).mappings;
        mappings
            .into_iter()
            .map(|mapping| (mapping.name.clone(), mapping.uuid.clone()))
            .collect()
    };
    let names = |functions: &[&str]| -> Vec<String> {
        named(functions).into_iter().map(|(name, _)| name).collect()
    };
    assert_eq!(
        names(&["f", "f:live", "f:$LATEST"]),
        ["orders-f", "orders-f-live", "orders-f-LATEST"]
    );
    let other = "arn:aws:lambda:eu-west-1:123456789012:function:f";
    let mut there = named(&["f", other]);
    let mut back = named(&[other, "f"]);
    there.sort();
    back.sort();
    assert_eq!(there, back);
    for (name, uuid) in there {
        assert_eq!(name, format!("orders-f-{}", &uuid[..8]));
    }
}

#[test]
fn a_derived_name_keeps_to_the_bounds_of_a_name() {
    let function = format!("{}:{}", "f".repeat(64), "q".repeat(128));
    let config = parse(&mappings(&[&function]));
    let name = &config.mappings[0].name;
    assert_eq!(name.len(), 128);
    assert!(
        name.ends_with(&format!("-{}", &config.mappings[0].uuid[..8])),
        "{name}"
    );
    let queue = mappings(&["f"]).replace("orders", "_-orders");
    assert_eq!(parse(&queue).mappings[0].name, "orders-f");
    let queue = mappings(&["'-'"]).replace("orders", "-");
    let config = parse(&queue);
    assert_eq!(config.mappings[0].name, config.mappings[0].uuid[..8]);
}

#[test]
fn text_from_the_environment_may_be_a_number_or_a_switch() {
    let env = |name: &str| match name {
        "SIZE" => Some("7".to_owned()),
        "ON" => Some("false".to_owned()),
        "FUNCTION" => Some("123".to_owned()),
        _ => None,
    };
    let text = mappings(&["${FUNCTION}"])
        + "    BatchSize: ${SIZE}\n    Enabled: \"${ON}\"\n    Name: a$$$${b}\n";
    let wrong = Config::parse("a.yaml", &text, &env).expect_err("a name holds no $");
    assert_eq!(wrong.len(), 1);
    assert!(
        wrong[0]
            .what
            .starts_with("\"a$$${b}\" is no name of a mapping")
    );
    let config = Config::parse("a.yaml", &text.replace("Name: a$$$${b}", ""), &env).unwrap();
    let mapping = &config.mappings[0];
    assert_eq!(
        (
            mapping.function_name.as_str(),
            mapping.batch_size,
            mapping.enabled
        ),
        ("123", 7, false)
    );
}

#[test]
fn aliases_stand_for_what_they_name() {
    let text = format!(
        r#"EventSourceMappings:
  - EventSourceArn: &queue {QUEUE}
    FunctionName: f
    FilterCriteria: &filter {{Filters: [{{Pattern: '{{"body":["a"]}}'}}]}}
  - EventSourceArn: *queue
    FunctionName: g
    FilterCriteria: *filter
"#
    );
    let config = parse(&text);
    assert_eq!(config.mappings[0].source, config.mappings[1].source);
    assert_eq!(config.mappings[1].filter_patterns, [r#"{"body":["a"]}"#]);
}

#[test]
fn aliases_of_aliases_are_bounded() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..20 {
        let before = level - 1;
        let aliases = vec![format!("*a{before}"); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    assert_eq!(
        errors(&text),
        ["a.yaml:6: more than 500000 values, aliases counted"]
    );
    let mut text = "a0: &a0 [x]\n".to_owned();
    for level in 1..40 {
        text.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
    }
    assert_eq!(
        errors(&text),
        ["a.yaml:32: nested more than 32 levels deep"]
    );
}

#[test]
fn json_is_read_with_its_lines_tabs_and_surrogates() {
    let text = "{\n\t\"EventSourceMappings\": [\n\t\t{\n\t\t\t\"EventSourceArn\": \"arn:aws:sqs:us-east-1:123456789012:orders\",\n\t\t\t\"FunctionName\": \"f\",\n\t\t\t\"FilterCriteria\": {\"Filters\": [{\"Pattern\": \"{\\\"body\\\":[\\\"\\ud83d\\ude00\\\\\\\\ud83d\\\"]}\"}]},\n\t\t\t\"BatchSize\": 0\n\t\t}\n\t]\n}\n";
    assert_eq!(
        errors(text),
        ["a.yaml:7: EventSourceMappings[0].BatchSize: 0 is less than 1"]
    );
    let config = parse(&text.replace("\"BatchSize\": 0", "\"BatchSize\": 1"));
    assert_eq!(
        config.mappings[0].filter_patterns,
        ["{\"body\":[\"\u{1f600}\\\\ud83d\"]}"]
    );
}

#[test]
fn the_table_shows_what_is_in_effect() {
    let text = "Functions:
  f: {Http: {Url: \"http://127.0.0.1:8080/f?code=secret\"}, TimeoutInSeconds: 5}
EventSourceMappings:
  - EventSourceArn: arn:aws:sqs:us-east-1:123456789012:orders
    FunctionName: f
    BatchSize: 100
    MaximumBatchingWindowInSeconds: 1
    ScalingConfig: {MaximumConcurrency: 1}
  - EventSourceArn: arn:aws:sqs:us-east-1:123456789012:payments.fifo
    FunctionName: book:live
    Enabled: false
    FunctionResponseTypes: [ReportBatchItemFailures]
";
    let config = parse(text);
    assert_eq!(
        table(&config),
        "\
NAME                     STATE     KIND      SOURCE                                            FUNCTION   RUNS AT                           BATCH  WINDOW  CONCURRENCY  FILTERS  REPLY
orders-f                 Enabled   SQS       arn:aws:sqs:us-east-1:123456789012:orders         f          http://127.0.0.1:8080/f?..., 5 s  100    1 s     at most 1    none     whole batch
payments.fifo-book-live  Disabled  SQS FIFO  arn:aws:sqs:us-east-1:123456789012:payments.fifo  book:live  AWS Lambda, us-east-1             10     0 s     automatic    none     item failures
"
    );
    assert!(!json(&config).to_string().contains("secret"));
}
