//! Lambda: Invoke with its limits and errors, functions that outlive their callers, and what is known of a function.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use aws_sdk_lambda::{
    Client,
    error::ProvideErrorMetadata,
    operation::invoke::InvokeOutput,
    primitives::Blob,
    types::{InvocationType, ThrottleReason},
};
use aws_smithy_types::timeout::TimeoutConfig;
use sluicegate::sim::{Ending, Event, FunctionConfig, Reply, World};
use tokio::time::{Duration, sleep};

use super::{SECOND, events};

fn function(config: FunctionConfig, reply: Reply) -> (World, Client) {
    let world = World::new(1);
    world.register("f", config, move |_| std::future::ready(reply.clone()));
    let client = world.lambda_client();
    (world, client)
}

fn payload(output: &InvokeOutput) -> serde_json::Value {
    serde_json::from_slice(output.payload().unwrap().as_ref()).unwrap()
}

// API: Lambda Invoke, Response elements
#[tokio::test(start_paused = true)]
async fn a_function_sees_the_event_byte_for_byte_and_its_reply_comes_back() {
    let world = World::new(1);
    world.register("f", FunctionConfig::default(), |invocation| async move {
        assert_eq!(
            (
                invocation.message_ids(),
                invocation.bodies(),
                invocation.number
            ),
            (vec!["m1".to_owned()], vec!["b".to_owned()], 1)
        );
        Reply::ok(invocation.event)
    });
    let event = r#"{"Records": [{"messageId":"m1","body":"b"}]}"#;
    let output = world
        .lambda_client()
        .invoke()
        .function_name("f")
        .payload(Blob::new(event))
        .send()
        .await
        .unwrap();
    assert_eq!(
        (
            output.status_code(),
            output.function_error(),
            output.executed_version()
        ),
        (200, None, Some("$LATEST"))
    );
    assert_eq!(output.payload().unwrap().as_ref(), event.as_bytes());
    assert_eq!(events(&world), ["invoked", "replied"]);
    let Event::Invoked {
        message_ids,
        event: seen,
        ..
    } = &world.history()[0].event
    else {
        panic!("not invoked")
    };
    assert_eq!(
        (message_ids.as_slice(), seen.as_ref()),
        (["m1".to_owned()].as_slice(), event.as_bytes())
    );
}

// API: Lambda Invoke, FunctionName, Qualifier
#[tokio::test(start_paused = true)]
async fn a_function_is_found_by_name_arn_and_qualifier() {
    let (_world, client) = function(FunctionConfig::default(), Reply::ok("1"));
    for (name, qualifier, executed) in [
        ("f", None, "$LATEST"),
        ("f:live", None, "live"),
        ("f", Some("3"), "3"),
        ("123456789012:function:f", None, "$LATEST"),
        (
            "arn:aws:lambda:us-east-1:123456789012:function:f:live",
            None,
            "live",
        ),
    ] {
        let output = client
            .invoke()
            .function_name(name)
            .set_qualifier(qualifier.map(str::to_owned))
            .send()
            .await
            .unwrap();
        assert_eq!(output.executed_version(), Some(executed), "{name}");
    }
    let error = client
        .invoke()
        .function_name("none")
        .send()
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some("ResourceNotFoundException"));
    assert_eq!(
        error.message(),
        Some("Function not found: arn:aws:lambda:us-east-1:000000000000:function:none")
    );
}

// API: Lambda Invoke, X-Amz-Function-Error
#[tokio::test(start_paused = true)]
async fn an_exception_is_a_function_error_in_a_good_answer() {
    let (world, client) = function(FunctionConfig::default(), Reply::error("boom"));
    let output = client.invoke().function_name("f").send().await.unwrap();
    assert_eq!(
        (output.status_code(), output.function_error()),
        (200, Some("Unhandled"))
    );
    assert_eq!(payload(&output)["errorMessage"], "boom");
    let ending = Ending::Failed {
        function_error: "Unhandled".to_owned(),
    };
    assert!(
        matches!(&world.history()[1].event, Event::Replied { ending: ended, .. } if *ended == ending)
    );
}

#[tokio::test(start_paused = true)]
async fn a_slow_function_times_out_as_in_aws() {
    let config = FunctionConfig {
        timeout: 3 * SECOND,
        ..FunctionConfig::default()
    };
    let (world, client) = function(config, Reply::ok("1").after(4 * SECOND));
    let output = client.invoke().function_name("f").send().await.unwrap();
    assert_eq!(
        (output.status_code(), output.function_error()),
        (200, Some("Unhandled"))
    );
    let payload = payload(&output);
    assert_eq!(payload["errorType"], "Sandbox.Timedout");
    let Event::Invoked { request_id, .. } = &world.history()[0].event else {
        panic!("not invoked")
    };
    assert_eq!(
        payload["errorMessage"],
        format!("2026-01-01T00:00:03.001Z {request_id} Task timed out after 3.00 seconds")
    );
}

// API: Lambda Invoke, TooManyRequestsException
#[tokio::test(start_paused = true)]
async fn what_is_over_the_concurrency_limit_is_throttled_and_never_runs() {
    let config = FunctionConfig {
        concurrency: Some(1),
        ..FunctionConfig::default()
    };
    let (world, client) = function(config, Reply::ok("1").after(SECOND));
    let invoke = || client.invoke().function_name("f").send();
    let (first, second) = tokio::join!(invoke(), invoke());
    let mut refused: Vec<_> = [first, second]
        .into_iter()
        .filter_map(Result::err)
        .collect();
    assert_eq!(refused.len(), 1);
    let error = refused.remove(0);
    let raw = error.raw_response().unwrap();
    assert_eq!(
        (raw.status().as_u16(), raw.headers().get("retry-after")),
        (429, Some("1"))
    );
    let error = error.into_service_error();
    assert_eq!(error.code(), Some("TooManyRequestsException"));
    let aws_sdk_lambda::operation::invoke::InvokeError::TooManyRequestsException(throttle) = error
    else {
        panic!("{error:?}")
    };
    assert_eq!(
        throttle.reason(),
        Some(&ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded)
    );
    assert!(invoke().await.is_ok());
    assert_eq!(events(&world), ["invoked", "replied", "invoked", "replied"]);
}

// API: Lambda Invoke, InvocationType
#[tokio::test(start_paused = true)]
async fn a_dry_run_runs_nothing_and_an_event_runs_later() {
    let (world, client) = function(FunctionConfig::default(), Reply::ok("1").after(SECOND));
    let invoke = |kind| {
        client
            .invoke()
            .function_name("f")
            .invocation_type(kind)
            .send()
    };
    assert_eq!(
        invoke(InvocationType::DryRun).await.unwrap().status_code(),
        204
    );
    assert_eq!(world.running("f"), 0);
    assert_eq!(
        invoke(InvocationType::Event).await.unwrap().status_code(),
        202
    );
    assert_eq!(world.running("f"), 1);
    world.idle().await;
    assert_eq!(
        (world.running("f"), events(&world)),
        (0, vec!["invoked", "replied"])
    );
}

// API: Lambda Invoke, RequestTooLargeException; Lambda quotas
#[tokio::test(start_paused = true)]
async fn too_much_payload_is_refused_on_the_way_in_and_a_function_error_on_the_way_out() {
    let world = World::new(1);
    world.register("f", FunctionConfig::default(), |_| async {
        Reply::ok("x".repeat(6_291_557))
    });
    let client = world.lambda_client();
    let event = |length: usize| format!("\"{}\"", "x".repeat(length - 2));
    let error = client
        .invoke()
        .function_name("f")
        .payload(Blob::new(event(6_291_557)))
        .send()
        .await
        .unwrap_err();
    assert_eq!(
        (
            error.raw_response().unwrap().status().as_u16(),
            error.code()
        ),
        (413, Some("RequestEntityTooLargeException"))
    );
    let output = client
        .invoke()
        .function_name("f")
        .payload(Blob::new(event(6_291_556)))
        .send()
        .await
        .unwrap();
    assert_eq!(
        (output.function_error(), &payload(&output)["errorType"]),
        (Some("Unhandled"), &"Function.ResponseSizeTooLarge".into())
    );
    let error = client
        .invoke()
        .function_name("f")
        .payload(Blob::new("{"))
        .send()
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some("InvalidRequestContentException"));
}

#[tokio::test(start_paused = true)]
async fn a_function_outlives_a_caller_that_gives_up() {
    let world = World::new(1);
    let runs = Arc::new(AtomicU32::new(0));
    let seen = runs.clone();
    let config = FunctionConfig {
        timeout: 60 * SECOND,
        ..FunctionConfig::default()
    };
    world.register("f", config, move |_| {
        let seen = seen.clone();
        async move {
            sleep(10 * SECOND).await;
            seen.fetch_add(1, Ordering::Relaxed);
            Reply::ok("1")
        }
    });
    let limits = TimeoutConfig::builder().read_timeout(2 * SECOND).build();
    let client = Client::from_conf(
        aws_sdk_lambda::config::Builder::from(&world.sdk_config())
            .timeout_config(limits)
            .build(),
    );
    let error = client.invoke().function_name("f").send().await.unwrap_err();
    assert!(
        matches!(&error, aws_sdk_lambda::error::SdkError::DispatchFailure(failure) if failure.is_timeout()),
        "{error:?}"
    );
    assert_eq!(world.clock().elapsed(), 2 * SECOND);
    assert_eq!(world.running("f"), 1);
    world.idle().await;
    assert_eq!(
        (
            runs.load(Ordering::Relaxed),
            world.clock().elapsed().as_secs()
        ),
        (1, 10)
    );
}

#[tokio::test(start_paused = true)]
async fn a_refusal_by_the_handler_comes_back_as_lambdas_own() {
    let (_world, client) = function(
        FunctionConfig::default(),
        Reply::refused(502, "no network interface"),
    );
    let error = client.invoke().function_name("f").send().await.unwrap_err();
    assert_eq!(
        (
            error.raw_response().unwrap().status().as_u16(),
            error.code()
        ),
        (502, Some("ServiceException"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_batch_reply_names_the_messages_that_failed() {
    assert_eq!(
        Reply::batch_item_failures(["m1"]).payload,
        r#"{"batchItemFailures":[{"itemIdentifier":"m1"}]}"#
    );
}

// API: Lambda GetFunctionConfiguration, GetFunction
#[tokio::test(start_paused = true)]
async fn the_configuration_tells_timeout_role_and_version() {
    let config = FunctionConfig {
        timeout: Duration::from_secs(30),
        ..FunctionConfig::default()
    };
    let (_world, client) = function(config, Reply::ok("1"));
    let got = client
        .get_function_configuration()
        .function_name("f")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (got.function_name(), got.timeout(), got.version()),
        (Some("f"), Some(30), Some("$LATEST"))
    );
    assert_eq!(
        got.function_arn(),
        Some("arn:aws:lambda:us-east-1:000000000000:function:f")
    );
    assert_eq!(
        (got.role(), got.state().map(|state| state.as_str())),
        (
            Some("arn:aws:iam::000000000000:role/function"),
            Some("Active")
        )
    );
    let got = client
        .get_function()
        .function_name("f:live")
        .send()
        .await
        .unwrap();
    assert_eq!(got.configuration().unwrap().version(), Some("live"));
    assert!(
        client
            .get_function()
            .function_name("none")
            .send()
            .await
            .unwrap_err()
            .into_service_error()
            .is_resource_not_found_exception()
    );
}
