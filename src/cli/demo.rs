//! `sluicegate demo`: the whole product on one machine with no account and no setup.
//!
//! An embedded AWS on a loopback port, a standard queue whose function runs in its Lambda, a FIFO queue whose function
//! is an HTTP server of its own, traffic with some poison in it, and the real service between them. At the end every
//! message that was sent is accounted for, or the demo fails.

mod functions;
mod traffic;
mod view;

use std::io::{self, IsTerminal as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::admin::heartbeat::Heartbeat;
use crate::admin::{Admin, ListenError, Server};
use crate::aws::clients::Clients;
use crate::aws::producer::Producer;
use crate::checkpoint::{Owner, Store};
use crate::clock::Clock;
use crate::config::Config;
use crate::config::error::ConfigError;
use crate::metrics::Metrics;
use crate::reports::Account;
use crate::service::{self, Surroundings};
use crate::sim::{self, Settings, World};
use crate::status::Status;

use traffic::Traffic;
use view::{Numbers, View};

/// Of a demo with an end, this much is kept for the last messages to be settled: time for a poison message to be
/// received as often as its queue allows, and to go to the dead-letter queue.
const SETTLING: Duration = Duration::from_secs(8);
/// How often the view is drawn.
const FRAME: Duration = Duration::from_secs(1);
/// How often it is looked whether everything is settled.
const LOOK: Duration = Duration::from_millis(100);
/// A poison message is received this often before its queue gives it up.
const RECEIVES_MAX: u32 = 2;

/// The demo's two queues.
const ORDERS: &str = "orders";
const PAYMENTS: &str = "payments.fifo";

/// Why a demo fails.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A loopback port could not be had.
    #[error("failed to listen on a loopback port: {0}")]
    Listen(#[from] io::Error),
    /// The admin port could not be had.
    #[error(transparent)]
    Admin(#[from] ListenError),
    /// The embedded AWS refused the demo's own set-up.
    #[error("failed to set up the embedded AWS: {0}")]
    SetUp(String),
    /// The demo's own configuration does not hold.
    #[error("the demo's configuration: {0}")]
    Config(ConfigError),
    /// A message is missing, or there is one too many.
    #[error(
        "{queue}: {sent} sent, but {deleted} deleted + {moved} dead-lettered + {left} still queued"
    )]
    DoesNotAddUp {
        /// The queue.
        queue: &'static str,
        /// Messages that were sent.
        sent: u64,
        /// Messages that the service deleted.
        deleted: u64,
        /// Messages that went to the dead-letter queue.
        moved: u64,
        /// Messages that are still there.
        left: u64,
    },
    /// A FIFO queue's messages came in the wrong order.
    #[error("{0} payments came out of order")]
    OutOfOrder(u64),
}

/// Run it for `duration`, or until `stop` is cancelled. All chance comes from `seed`.
pub async fn run(
    duration: Option<Duration>,
    seed: u64,
    stop: CancellationToken,
) -> Result<(), DemoError> {
    let began = Instant::now();
    let mut servers = JoinSet::new();
    let end_servers = CancellationToken::new();

    let world = World::with(Settings {
        seed,
        history_max: 0,
        ..Settings::default()
    });
    let aws = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let aws_address = aws.local_addr()?;
    servers.spawn(sim::serve(aws, world.clone(), end_servers.clone()));
    let short = [("VisibilityTimeout", "2")];
    let set_up = |error: sim::sqs::error::SqsError| DemoError::SetUp(error.to_string());
    world
        .create_queue_with_dlq(ORDERS, RECEIVES_MAX, &short)
        .map_err(set_up)?;
    let fifo = [("FifoQueue", "true"), ("VisibilityTimeout", "2")];
    world
        .create_queue_with_dlq(PAYMENTS, RECEIVES_MAX, &fifo)
        .map_err(set_up)?;
    functions::register_orders(&world);
    let function = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let function_address = function.local_addr()?;
    let payments = functions::Payments::default();
    servers.spawn(functions::serve_payments(
        function,
        payments.clone(),
        end_servers.clone(),
    ));

    let text = configuration(&world, aws_address, function_address);
    let config = Config::parse("demo.yaml", &text, &|_| None).map_err(|errors| {
        DemoError::Config(errors.into_iter().next().expect("a refusal has an error"))
    })?;
    let (metrics, status, heartbeat) = (Metrics::new(), Status::default(), Heartbeat::new());
    servers.spawn(heartbeat.clone().run(end_servers.clone()));
    let admin = Admin {
        metrics: metrics.clone(),
        status: status.clone(),
        heartbeat,
    };
    let admin = listen(config.service.listen, admin)?;

    let mut view = View::new(io::stdout().is_terminal());
    view.say(&format!(
        "Sluicegate demo: two queues, two functions, nothing leaves this machine.\n\
         \x20 embedded AWS   http://{aws_address}\n\
         \x20 dashboard      http://{admin}/\n\
         \x20 metrics        http://{admin}/metrics\n\
         \x20 orders         a standard queue -> a function in the embedded Lambda; 1 message in 100 is poison\n\
         \x20 payments.fifo  a FIFO queue -> an HTTP function at http://{function_address}; order is checked\n\
         {}\n",
        match duration {
            Some(duration) => format!("It ends after {} s.", duration.as_secs_f64()),
            None => "Ctrl-C ends it.".to_string(),
        },
        admin = admin.address(),
    ));

    let around = Surroundings {
        clients: Clients::without_account(&config.aws, &Clock::machine()),
        metrics: metrics.clone(),
        status,
        seed,
        store: Store::memory(),
        owner: Owner::new("demo"),
        clock: Clock::machine(),
    };
    let producer = |queue: &str| {
        let Settings {
            region, account, ..
        } = world.settings();
        Producer::new(
            &around.clients,
            region,
            &format!("http://{aws_address}/{account}/{queue}"),
        )
    };
    let traffic = [
        Traffic {
            producer: producer(ORDERS),
            a_tick: 10,
            a_poison: 100,
            groups: None,
        },
        Traffic {
            producer: producer(PAYMENTS),
            a_tick: 2,
            a_poison: 200,
            groups: Some(8),
        },
    ];
    let drain = CancellationToken::new();
    let mut service = JoinSet::new();
    let (at_work, end_service) = (config.clone(), drain.clone());
    service.spawn(async move { service::run(&at_work, around, end_service).await });
    let end_traffic = CancellationToken::new();
    for traffic in traffic {
        servers.spawn(traffic::send(traffic, end_traffic.clone()));
    }

    let numbers = |world: &World| {
        [ORDERS, PAYMENTS]
            .map(|queue| Numbers::of(world, &metrics, queue))
            .into_iter()
            .collect::<Vec<_>>()
    };
    let sending = duration.map(|duration| duration - SETTLING.min(duration / 2));
    let over = |limit: Option<Duration>| limit.is_some_and(|limit| limit <= began.elapsed());
    while !stop.is_cancelled() && !over(sending) {
        rest(next_frame(sending, began), &stop).await;
        view.draw(began.elapsed(), &numbers(&world));
    }
    end_traffic.cancel();
    // What was sent is settled, and the poison is given up by its queue, before the account is made.
    let settled = |numbers: &[Numbers]| numbers.iter().all(|queue| queue.left == 0);
    let last = began.elapsed() + SETTLING;
    while !stop.is_cancelled() && began.elapsed() < last && !settled(&numbers(&world)) {
        rest(LOOK, &stop).await;
        if view.due() {
            view.draw(began.elapsed(), &numbers(&world));
        }
    }
    drain.cancel();
    let account = service
        .join_next()
        .await
        .and_then(Result::ok)
        .unwrap_or_default();
    end_servers.cancel();
    while servers.join_next().await.is_some() {}
    conclude(
        &mut view,
        began.elapsed(),
        &numbers(&world),
        account,
        &payments,
    )
}

/// The summary, and whether it adds up.
fn conclude(
    view: &mut View,
    took: Duration,
    numbers: &[Numbers],
    account: Account,
    payments: &functions::Payments,
) -> Result<(), DemoError> {
    view.summary(took, numbers, account, payments.disorder());
    for queue in numbers {
        if queue.sent != queue.deleted + queue.moved + queue.left {
            let Numbers {
                queue,
                sent,
                deleted,
                moved,
                left,
                ..
            } = *queue;
            return Err(DemoError::DoesNotAddUp {
                queue,
                sent,
                deleted,
                moved,
                left,
            });
        }
    }
    match payments.disorder() {
        0 => Ok(()),
        disorder => Err(DemoError::OutOfOrder(disorder)),
    }
}

/// The usual admin address, or where that is taken any other: a demo runs beside a service.
fn listen(usual: SocketAddr, admin: Admin) -> Result<Server, ListenError> {
    Server::start(usual, admin.clone())
        .or_else(|_| Server::start((Ipv4Addr::LOCALHOST, 0).into(), admin))
}

fn next_frame(sending: Option<Duration>, began: Instant) -> Duration {
    match sending {
        Some(sending) => sending.saturating_sub(began.elapsed()).min(FRAME),
        None => FRAME,
    }
}

async fn rest(time: Duration, stop: &CancellationToken) {
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = tokio::time::sleep(time) => {}
    }
}

/// What a user would write; the demo has no privileges.
fn configuration(world: &World, aws: SocketAddr, function: SocketAddr) -> String {
    format!(
        "Service:
  ShutdownGraceInSeconds: 6
Aws:
  Region: {region}
  EndpointUrl: http://{aws}
Functions:
  settle-payments:
    Http: {{ Url: http://{function}/ }}
    TimeoutInSeconds: 2
EventSourceMappings:
  - Name: orders
    EventSourceArn: {orders}
    FunctionName: {process}
    FunctionResponseTypes: [ReportBatchItemFailures]
  - Name: payments
    EventSourceArn: {payments}
    FunctionName: settle-payments
    FunctionResponseTypes: [ReportBatchItemFailures]
",
        region = world.settings().region,
        orders = world.queue_arn(ORDERS),
        payments = world.queue_arn(PAYMENTS),
        process = functions::ORDERS_FUNCTION,
    )
}
