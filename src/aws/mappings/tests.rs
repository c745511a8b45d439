//! What AWS Lambda is asked and what its answers become, through the real client.

use aws_smithy_types::body::SdkBody;
use serde_json::json;
use tokio::time::Instant;

use super::*;
use crate::aws::canned::{Canned, answer, serve};
use crate::config::aws::Aws;

async fn listed(
    answers: Vec<http::Response<SdkBody>>,
    wanted: &Wanted,
) -> (Result<Vec<Value>, Failure>, Canned) {
    let (clients, server) = serve(answers, &Aws::default());
    let listed = list(&clients, "eu-west-1", wanted, &mut || 1.0).await;
    (listed, server)
}

fn asked(server: &Canned) -> Vec<String> {
    server.seen().into_iter().map(|seen| seen.uri).collect()
}

const HOST: &str = "https://lambda.eu-west-1.amazonaws.com";
const PATH: &str = "/2015-03-31/event-source-mappings";

#[tokio::test(start_paused = true)]
async fn every_page_is_asked_for_and_every_key_kept() {
    let first = json!({
        "UUID": "u1",
        "EventSourceMappingArn": "arn:aws:lambda:eu-west-1:111111111111:event-source-mapping:u1",
        "EventSourceArn": "arn:aws:kinesis:eu-west-1:111111111111:stream/s",
        "FunctionArn": "arn:aws:lambda:eu-west-1:111111111111:function:f:live",
        "State": "Disabled",
        "StateTransitionReason": "User action",
        "LastModified": 1789650000.0,
        "LastProcessingResult": "OK",
        "StartingPosition": "AT_TIMESTAMP",
        "StartingPositionTimestamp": 1789650000.25,
        "BatchSize": 7,
        "MaximumBatchingWindowInSeconds": 1,
        "ParallelizationFactor": 2,
        "TumblingWindowInSeconds": 0,
        "BisectBatchOnFunctionError": true,
        "MaximumRetryAttempts": 3,
        "MaximumRecordAgeInSeconds": -1,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "FilterCriteria": { "Filters": [{ "Pattern": "{}" }] },
        "DestinationConfig": { "OnFailure": { "Destination": "arn:aws:sqs:eu-west-1:111111111111:q" } },
        "MetricsConfig": { "Metrics": ["EventCount"] },
    });
    let second = json!({
        "UUID": "u2",
        "EventSourceArn": "arn:aws:sqs:eu-west-1:111111111111:q",
        "FunctionArn": "arn:aws:lambda:eu-west-1:111111111111:function:f",
        "State": "Enabled",
        "ScalingConfig": { "MaximumConcurrency": 5 },
        "ProvisionedPollerConfig": { "MinimumPollers": 2, "MaximumPollers": 4 },
    });
    let third = json!({
        "UUID": "u3",
        "SelfManagedEventSource": { "Endpoints": { "KAFKA_BOOTSTRAP_SERVERS": ["h:9092"] } },
        "Topics": ["t"],
    });
    let page = |mapping: &Value, marker: Value| {
        let page = json!({ "EventSourceMappings": [mapping], "NextMarker": marker });
        answer(200, &page.to_string())
    };
    let pages = vec![
        page(&first, json!("m1")),
        page(&second, json!("m2")),
        page(&third, json!(null)),
    ];
    let wanted = Wanted {
        function: Some("f".to_owned()),
        source: Some("arn:aws:sqs:eu-west-1:111111111111:q".to_owned()),
    };
    let (listed, server) = listed(pages, &wanted).await;
    let mut kept = [first, second, third];
    // What the answer leaves out is null in ours, and says as much.
    kept[0]["DestinationConfig"]["OnSuccess"] = json!({ "Destination": null });
    kept[1]["ProvisionedPollerConfig"]["PollerGroupName"] = json!(null);
    assert_eq!(listed.unwrap(), kept);
    let query = "EventSourceArn=arn%3Aaws%3Asqs%3Aeu-west-1%3A111111111111%3Aq&FunctionName=f";
    assert_eq!(
        asked(&server),
        [
            format!("{HOST}{PATH}?{query}"),
            format!("{HOST}{PATH}?{query}&Marker=m1"),
            format!("{HOST}{PATH}?{query}&Marker=m2"),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_throttle_is_waited_out_and_the_page_asked_for_again() {
    let throttled = http::Response::builder()
        .status(429)
        .header("retry-after", "3")
        .header("x-amzn-errortype", "TooManyRequestsException")
        .body(SdkBody::from(r#"{"message":"Rate exceeded"}"#))
        .unwrap();
    let answers = vec![
        throttled,
        answer(503, ""),
        answer(200, r#"{"EventSourceMappings":[],"NextMarker":null}"#),
    ];
    let began = Instant::now();
    let (listed, server) = listed(answers, &Wanted::default()).await;
    assert_eq!(listed, Ok(Vec::new()));
    assert_eq!(asked(&server), vec![format!("{HOST}{PATH}"); 3]);
    // The service's own three seconds, and the second step of the backoff.
    assert_eq!(began.elapsed(), Duration::from_secs(4));
}

#[tokio::test(start_paused = true)]
async fn what_stays_wrong_is_told() {
    let denied = |_| {
        http::Response::builder()
            .status(403)
            .header("x-amzn-errortype", "AccessDeniedException")
            .body(SdkBody::from(
                r#"{"Message":"no lambda:ListEventSourceMappings"}"#,
            ))
            .unwrap()
    };
    let cases: [(Vec<_>, &str, usize); 3] = [
        (
            vec![denied(())],
            "AccessDeniedException: no lambda:ListEventSourceMappings",
            1,
        ),
        (
            vec![answer(200, "{}")],
            "unreadable answer: ListEventSourceMappings returned no EventSourceMappings",
            1,
        ),
        (
            (0..ATTEMPTS_MAX).map(|_| answer(500, "")).collect(),
            "HTTP 500",
            ATTEMPTS_MAX,
        ),
    ];
    for (answers, told, calls) in cases {
        let (listed, server) = listed(answers, &Wanted::default()).await;
        assert_eq!(listed.unwrap_err().to_string(), told);
        assert_eq!(asked(&server).len(), calls, "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_filter_that_a_list_hides_is_asked_for() {
    let page = |_| {
        answer(
            200,
            r#"{"EventSourceMappings":[{"UUID":"u1","KMSKeyArn":"k"}],"NextMarker":null}"#,
        )
    };
    let own = r#"{"UUID":"u1","KMSKeyArn":"k","FilterCriteria":{"Filters":[{"Pattern":"{}"}]}}"#;
    let denied = http::Response::builder()
        .status(403)
        .header("x-amzn-errortype", "AccessDeniedException")
        .body(SdkBody::from(r#"{"Message":"no"}"#))
        .unwrap();
    let cases = [
        (
            answer(200, own),
            json!({ "UUID": "u1", "KMSKeyArn": "k", "FilterCriteria": { "Filters": [{ "Pattern": "{}" }] } }),
        ),
        (
            denied,
            json!({
                "UUID": "u1",
                "KMSKeyArn": "k",
                "FilterCriteriaError": {
                    "ErrorCode": "AccessDeniedException",
                    "Message": "GetEventSourceMapping: AccessDeniedException: no",
                },
            }),
        ),
    ];
    for (second, expected) in cases {
        let (listed, server) = listed(vec![page(()), second], &Wanted::default()).await;
        assert_eq!(listed.unwrap(), [expected]);
        assert_eq!(asked(&server)[1], format!("{HOST}{PATH}/u1"));
    }
}
