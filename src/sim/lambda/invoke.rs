//! Invoke: limits, the run itself, which outlives its caller, and the reply in AWS's form.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use http::HeaderName;
use serde::de::IgnoredAny;
use serde_json::json;
use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};

use super::{
    JSON, error,
    function::{Invocation, Reply, message_ids},
    not_found,
    path::Target,
    throttled,
};
use crate::sim::{
    history::{Ending, Event},
    wire::{Request, response, set_header},
    world::{World, uuid},
};

/// The largest event and the largest result of a synchronous invocation: 6 MiB and some.
// API: Lambda quotas, Invocation payload
const PAYLOAD_BYTES_MAX: usize = 6 * 1024 * 1024 + 100;

pub(super) async fn invoke(
    world: &World,
    target: &Target<'_>,
    request: &Request,
) -> http::Response<Bytes> {
    let kind = request
        .headers()
        .get("x-amz-invocation-type")
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or("RequestResponse");
    let prepared = match prepare(world, target, request) {
        Ok(prepared) => prepared,
        Err(refusal) => return *refusal,
    };
    // API: Lambda Invoke, InvocationType
    match kind {
        "RequestResponse" => {
            let executed = target
                .qualifier
                .clone()
                .unwrap_or_else(|| prepared.version.clone());
            let id = prepared.invocation.request_id.clone();
            let mut answer = match start(world, prepared).await {
                Ok(reply) => answer(reply, &executed),
                Err(_) => error(500, "ServiceException", "the invocation was lost"),
            };
            // The id that the function was given is that of the request.
            set_header(
                &mut answer,
                HeaderName::from_static("x-amzn-requestid"),
                &id,
            );
            answer
        }
        "Event" => {
            drop(start(world, prepared));
            response(202, JSON, Bytes::new())
        }
        "DryRun" => response(204, JSON, Bytes::new()),
        other => error(
            400,
            "InvalidParameterValueException",
            &format!("InvocationType {other} is not one of Lambda's"),
        ),
    }
}

/// An invocation that may start.
struct Prepared {
    invocation: Invocation,
    function: super::Function,
    version: String,
}

/// A refusal by Lambda: the function does not run.
type Refusal = Box<http::Response<Bytes>>;

fn prepare(world: &World, target: &Target<'_>, request: &Request) -> Result<Prepared, Refusal> {
    let event = request.body();
    check_event(event)?;
    let mut state = world.lock();
    let state = &mut *state;
    let now = world.clock().elapsed();
    let there = |function: &&mut super::Function| function.away_until <= now;
    let Some(function) = state.functions.get_mut(&target.name).filter(there) else {
        return Err(not_found(world.settings(), target).into());
    };
    // API: Lambda Invoke, TooManyRequestsException, Reason
    if function.full() {
        return Err(throttled("ReservedFunctionConcurrentInvocationLimitExceeded").into());
    }
    let text = |(name, value): (&HeaderName, &http::HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    let headers: BTreeMap<String, String> = request.headers().iter().filter_map(text).collect();
    function.invocations += 1;
    let invocation = Invocation {
        function: target.name.clone(),
        qualifier: target.qualifier.clone(),
        event: event.clone(),
        request_id: uuid(&mut state.rng),
        trace: headers.get("x-amzn-trace-id").cloned(),
        headers,
        number: function.invocations,
    };
    Ok(Prepared {
        invocation,
        version: function.config.version.clone(),
        function: function.clone(),
    })
}

fn check_event(event: &Bytes) -> Result<(), Refusal> {
    // API: Lambda Invoke, RequestTooLargeException
    if event.len() > PAYLOAD_BYTES_MAX {
        let text = format!(
            "{} byte payload is too large for the RequestResponse invocation type (limit {PAYLOAD_BYTES_MAX} bytes)",
            event.len()
        );
        return Err(error(413, "RequestEntityTooLargeException", &text).into());
    }
    // API: Lambda Invoke, InvalidRequestContentException: an empty event is taken
    match serde_json::from_slice::<IgnoredAny>(event) {
        Err(bad) if !event.is_empty() => {
            let text = format!("Could not parse request body into json: {bad}");
            Err(error(400, "InvalidRequestContentException", &text).into())
        }
        _ => Ok(()),
    }
}

/// Starts the function as a task of the world: it goes on when the caller gives up, as Lambda does.
fn start(world: &World, prepared: Prepared) -> oneshot::Receiver<Reply> {
    let (sender, receiver) = oneshot::channel();
    let Prepared {
        invocation,
        function,
        ..
    } = prepared;
    let ledger = Ledger::open(world, &invocation);
    let world_then = world.clone();
    let mut running = world.invocations();
    while running.try_join_next().is_some() {}
    running.spawn(async move {
        let (reply, ending) = run(&world_then, invocation, &function).await;
        // Ends before the caller knows: whoever sees the answer may invoke again at once.
        drop(function);
        ledger.close(&world_then, ending);
        // The caller may have gone.
        let _ = sender.send(reply);
    });
    receiver
}

async fn run(world: &World, invocation: Invocation, function: &super::Function) -> (Reply, Ending) {
    let request_id = invocation.request_id.clone();
    let handled = async {
        let reply = (function.handler)(invocation).await;
        sleep(reply.delay).await;
        reply
    };
    let limit = function.config.timeout;
    match timeout(limit, handled).await {
        Err(_) => (timed_out(world, &request_id, limit), Ending::TimedOut),
        // Time leapt over both.
        Ok(reply) if limit < reply.delay => {
            (timed_out(world, &request_id, limit), Ending::TimedOut)
        }
        Ok(reply) if reply.status != 200 => {
            let status = reply.status;
            (reply, Ending::Refused { status })
        }
        // API: Lambda quotas, Invocation payload: the result is limited too
        Ok(reply) if reply.payload.len() > PAYLOAD_BYTES_MAX => {
            let text = format!(
                "Response payload size exceeded maximum allowed payload size ({PAYLOAD_BYTES_MAX} bytes)."
            );
            let function_error = "Unhandled".to_owned();
            let payload =
                json!({ "errorMessage": text, "errorType": "Function.ResponseSizeTooLarge" })
                    .to_string();
            (
                Reply {
                    function_error: Some(function_error.clone()),
                    ..Reply::ok(payload)
                },
                Ending::Failed { function_error },
            )
        }
        Ok(reply) => {
            let ending = match &reply.function_error {
                None => Ending::Succeeded {
                    payload: reply.payload.clone(),
                },
                Some(function_error) => Ending::Failed {
                    function_error: function_error.clone(),
                },
            };
            (reply, ending)
        }
    }
}

// API: Lambda Developer Guide, Troubleshoot execution issues: how a time-out is reported
fn timed_out(world: &World, request_id: &str, limit: Duration) -> Reply {
    let now = aws_smithy_types::DateTime::from_millis(
        i64::try_from(world.clock().now_ms()).unwrap_or(i64::MAX),
    );
    let stamp = now
        .fmt(aws_smithy_types::date_time::Format::DateTime)
        .unwrap_or_default();
    let text = format!(
        "{stamp} {request_id} Task timed out after {:.2} seconds",
        limit.as_secs_f64()
    );
    let payload = json!({ "errorType": "Sandbox.Timedout", "errorMessage": text }).to_string();
    Reply {
        function_error: Some("Unhandled".to_owned()),
        ..Reply::ok(payload)
    }
}

// API: Lambda Invoke, Response elements
fn answer(reply: Reply, executed: &str) -> http::Response<Bytes> {
    let mut response = response(reply.status, JSON, reply.payload);
    for (name, value) in &reply.headers {
        set_header(&mut response, HeaderName::from_static(name), value);
    }
    if reply.status == 200 {
        set_header(
            &mut response,
            HeaderName::from_static("x-amz-executed-version"),
            executed,
        );
    }
    // API: Lambda Invoke, Errors
    let refusal = match reply.status {
        200 => None,
        400 => Some("InvalidRequestContentException"),
        403 => Some("AccessDeniedException"),
        404 => Some("ResourceNotFoundException"),
        413 => Some("RequestTooLargeException"),
        415 => Some("UnsupportedMediaTypeException"),
        429 => Some("TooManyRequestsException"),
        _ => Some("ServiceException"),
    };
    if let Some(code) = refusal {
        set_header(
            &mut response,
            HeaderName::from_static("x-amzn-errortype"),
            code,
        );
    }
    if let Some(function_error) = &reply.function_error {
        set_header(
            &mut response,
            HeaderName::from_static("x-amz-function-error"),
            function_error,
        );
    }
    response
}

/// The two entries of one invocation in the ledger.
struct Ledger {
    function: String,
    request_id: String,
    message_ids: Vec<String>,
}

impl Ledger {
    fn open(world: &World, invocation: &Invocation) -> Self {
        let kept = world.settings().history_max > 0;
        let message_ids = if kept {
            message_ids(&invocation.event)
        } else {
            Vec::new()
        };
        let entry = Self {
            function: invocation.function.clone(),
            request_id: invocation.request_id.clone(),
            message_ids,
        };
        let event = || Event::Invoked {
            function: entry.function.clone(),
            request_id: entry.request_id.clone(),
            message_ids: entry.message_ids.clone(),
            event: invocation.event.clone(),
        };
        world.lock().history.record(world.clock().elapsed(), event);
        entry
    }

    fn close(self, world: &World, ending: Ending) {
        let Self {
            function,
            request_id,
            message_ids,
        } = self;
        world
            .lock()
            .history
            .record(world.clock().elapsed(), || Event::Replied {
                function,
                request_id,
                message_ids,
                ending,
            });
    }
}
