//! The demo's stage: what is in the embedded AWS, what the service is told, and who sends.

use std::net::SocketAddr;
use std::time::Duration;

use super::error::DemoError;
use super::ledger::Ledger;
use super::traffic::Messages;
use super::{CLICKS, CLICKS_FAILED, CUSTOMERS, ORDERS, PAYMENTS, functions, streams};
use crate::aws::clients::Clients;
use crate::aws::producer::Producer;
use crate::sim::dynamodb::ViewType;
use crate::sim::{Settings, World};

/// A poison message is received this often before its queue gives it up; what a drain hands back loses one of these.
const RECEIVES_MAX: u32 = 3;

/// Queues, streams and the functions of the embedded Lambda.
pub fn furnish(world: &World, clicks: &Ledger, customers: &Ledger) -> Result<(), DemoError> {
    let set_up = |error: &dyn std::fmt::Display| DemoError::SetUp(error.to_string());
    let short = [("VisibilityTimeout", "1")];
    let fifo = [("FifoQueue", "true"), ("VisibilityTimeout", "1")];
    world
        .create_queue_with_dlq(ORDERS, RECEIVES_MAX, &short)
        .map_err(|error| set_up(&error))?;
    world
        .create_queue_with_dlq(PAYMENTS, RECEIVES_MAX, &fifo)
        .map_err(|error| set_up(&error))?;
    world
        .create_queue(CLICKS_FAILED, &[])
        .map_err(|error| set_up(&error))?;
    world
        .create_stream(CLICKS, 2)
        .map_err(|error| set_up(&error))?;
    world
        .create_table(CUSTOMERS, "customer", ViewType::NewImage)
        .map_err(|error| set_up(&error))?;
    functions::register_orders(world);
    streams::register(world, streams::CLICKS_FUNCTION, clicks.clone());
    streams::register(world, streams::CUSTOMERS_FUNCTION, customers.clone());
    Ok(())
}

/// The traffic of the queues.
pub fn messages(world: &World, clients: &Clients, aws: SocketAddr) -> [Messages; 2] {
    let Settings {
        region, account, ..
    } = world.settings();
    let producer =
        |queue| Producer::new(clients, region, &format!("http://{aws}/{account}/{queue}"));
    [
        Messages {
            producer: producer(ORDERS),
            a_tick: 10,
            a_poison: 100,
            groups: None,
        },
        Messages {
            producer: producer(PAYMENTS),
            a_tick: 2,
            a_poison: 200,
            groups: Some(8),
        },
    ]
}

/// What there is to see, and where.
pub fn greeting(
    aws: SocketAddr,
    admin: SocketAddr,
    function: SocketAddr,
    duration: Option<Duration>,
) -> String {
    format!(
        "Sluicegate demo: 2 queues, 2 streams, 4 functions; nothing leaves this machine.\n\
         \x20 embedded AWS   http://{aws}\n\
         \x20 dashboard      http://{admin}/\n\
         \x20 metrics        http://{admin}/metrics\n\
         \x20 orders         a standard queue -> a function in the embedded Lambda; 1 in 100 is poison\n\
         \x20 payments.fifo  a FIFO queue -> http://{function}, a function; order is checked\n\
         \x20 clicks         a Kinesis stream with a backlog -> Lambda; order is checked;\n\
         \x20                1 record in 500 is poison: isolated by bisection, reported to {CLICKS_FAILED}\n\
         \x20 customers      the stream of a DynamoDB table -> Lambda; order is checked\n\
         {}\n",
        match duration {
            Some(duration) => format!("It ends after {} s.", duration.as_secs_f64()),
            None => "Ctrl-C ends it.".to_string(),
        },
    )
}

/// What a user would write; the demo has no privileges.
pub fn configuration(world: &World, aws: SocketAddr, function: SocketAddr) -> String {
    let customers = world.table(CUSTOMERS).and_then(|table| table.stream_arn);
    format!(
        "Service:
  ShutdownGraceInSeconds: 6
Aws:
  Region: {region}
  EndpointUrl: http://{aws}
Functions:
  settle-payments:
    Http: {{ Url: http://{function}/ }}
    TimeoutInSeconds: 1
EventSourceMappings:
  - Name: orders
    EventSourceArn: {orders}
    FunctionName: {process}
    FunctionResponseTypes: [ReportBatchItemFailures]
  - Name: payments
    EventSourceArn: {payments}
    FunctionName: settle-payments
    FunctionResponseTypes: [ReportBatchItemFailures]
  - Name: {CLICKS}
    EventSourceArn: {clicks}
    FunctionName: {count}
    StartingPosition: TRIM_HORIZON
    BatchSize: 50
    BisectBatchOnFunctionError: true
    MaximumRetryAttempts: 1
    DestinationConfig: {{ OnFailure: {{ Destination: {failed} }} }}
  - Name: {CUSTOMERS}
    EventSourceArn: {customers}
    FunctionName: {index}
    StartingPosition: TRIM_HORIZON
",
        region = world.settings().region,
        orders = world.queue_arn(ORDERS),
        payments = world.queue_arn(PAYMENTS),
        process = functions::ORDERS_FUNCTION,
        clicks = world.stream_arn(CLICKS),
        count = streams::CLICKS_FUNCTION,
        failed = world.queue_arn(CLICKS_FAILED),
        customers = customers.unwrap_or_default(),
        index = streams::CUSTOMERS_FUNCTION,
    )
}
