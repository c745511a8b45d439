//! `sluicegate demo`: the whole product on one machine with no account and no setup.
//!
//! An embedded AWS on a loopback port; a standard queue and a FIFO queue, a Kinesis stream and the stream of a DynamoDB
//! table; functions in its Lambda and one that is an HTTP server of its own; traffic with some poison in it, and the real
//! service between them. In the middle a shard is split, and later the service is drained and started again on its
//! checkpoint file. At the end everything that was sent or put is accounted for, or the demo fails.

mod error;
mod figures;
mod functions;
mod ledger;
mod stage;
mod streams;
mod traffic;
mod verdict;
mod view;

use std::io::{self, IsTerminal as _};
use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::aws::clients::Clients;
use crate::clock::Clock;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::reports::Account;
use crate::sim::{self, Settings, World};

use super::house::{House, Running, Scratch};

use figures::{Figures, Sources};
use ledger::Ledger;
use traffic::{Into, Records};
use view::View;

pub use error::DemoError;

/// Of a demo with an end, this much is kept for the last messages to be settled: time for a poison message to be
/// received as often as its queue allows, and to go to the dead-letter queue.
const SETTLING: Duration = Duration::from_secs(8);
/// A machine with other things to do may take so long.
const SETTLING_LONGEST: Duration = Duration::from_secs(30);
/// How often the view is drawn.
const FRAME: Duration = Duration::from_secs(1);
/// How often it is looked whether something is to be done or everything is settled.
const LOOK: Duration = Duration::from_millis(100);
/// In a demo without an end, when the shard is split, and when the service is drained.
const SPLIT: Duration = Duration::from_secs(8);
const RESTART: Duration = Duration::from_secs(16);
/// How long the service is away at most.
const AWAY: Duration = Duration::from_secs(1);

/// The demo's two queues.
const ORDERS: &str = "orders";
const PAYMENTS: &str = "payments.fifo";
const QUEUES: [&str; 2] = [ORDERS, PAYMENTS];
/// Its stream, and the queue for what is discarded of it.
const CLICKS: &str = "clicks";
const CLICKS_FAILED: &str = "clicks-failed";
/// Its table.
const CUSTOMERS: &str = "customers";

/// Run it for `duration`, or until `stop` is cancelled. All chance comes from `seed`.
pub async fn run(
    duration: Option<Duration>,
    seed: u64,
    stop: CancellationToken,
) -> Result<(), DemoError> {
    let mut servers = JoinSet::new();
    let (end_servers, end_traffic) = (CancellationToken::new(), CancellationToken::new());
    let world = World::with(Settings {
        seed,
        epoch: Duration::from_millis(Clock::machine().now_ms()),
        history_max: 0,
        ..Settings::default()
    });
    let (clicks, customers) = (Ledger::new(16, Some(500)), Ledger::new(8, None));
    stage::furnish(&world, &clicks, &customers)?;
    let aws = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let aws_address = aws.local_addr()?;
    servers.spawn(sim::serve(aws, world.clone(), end_servers.clone()));
    let function = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let function_address = function.local_addr()?;
    let payments = functions::Payments::default();
    let serving = functions::serve_payments(function, payments.clone());
    let end_function = end_servers.clone();
    servers.spawn(async move {
        end_function.run_until_cancelled(serving).await;
    });

    let text = stage::configuration(&world, aws_address, function_address);
    let config = Config::parse("demo.yaml", &text, &|_| None).map_err(|errors| {
        DemoError::Config(errors.into_iter().next().expect("a refusal has an error"))
    })?;
    let listen = config.service.listen;
    let house = House {
        verb: "demo",
        clients: Clients::without_account(&config.aws, &Clock::machine()),
        metrics: Metrics::new(),
        config,
        seed,
    };
    let scratch = Scratch::new("demo", seed)?;
    let records = [
        Records {
            world: world.clone(),
            into: Into::Stream(CLICKS),
            ledger: clicks.clone(),
            a_tick: 8,
            backlog: 2_000,
        },
        Records {
            world: world.clone(),
            into: Into::Table(CUSTOMERS),
            ledger: customers.clone(),
            a_tick: 4,
            backlog: 100,
        },
    ];
    let firsts = records.each_ref().map(Records::put_backlog);
    let running = house.start(&scratch.checkpoints(), listen)?;

    let mut view = View::new(io::stdout().is_terminal());
    view.say(&stage::greeting(
        aws_address,
        running.address(),
        function_address,
        duration,
    ));
    for traffic in stage::messages(&world, &house.clients, aws_address) {
        servers.spawn(traffic::send(traffic, end_traffic.clone()));
    }
    for (traffic, first) in records.into_iter().zip(firsts) {
        servers.spawn(traffic::put(traffic, first, end_traffic.clone()));
    }
    let mut show = Show {
        began: Instant::now(),
        sources: Sources {
            world,
            metrics: house.metrics.clone(),
            clicks,
            customers,
        },
        house,
        scratch,
        view,
        running: Some(running),
        past: Account::default(),
        stop,
    };
    show.acts(duration.map(|duration| duration - SETTLING.min(duration / 2)))
        .await?;
    end_traffic.cancel();
    show.settle().await;
    show.end(end_servers, servers, &payments).await
}

/// The demo while it runs.
struct Show {
    began: Instant,
    sources: Sources,
    house: House,
    scratch: Scratch,
    view: View,
    /// None while it is away.
    running: Option<Running>,
    /// What became of everything before the restart.
    past: Account,
    stop: CancellationToken,
}

impl Show {
    /// Traffic, a split, traffic, a restart, traffic; for as long as `sending`, or until it is stopped.
    async fn acts(&mut self, sending: Option<Duration>) -> Result<(), DemoError> {
        let at = |usual, part| sending.map_or(usual, |sending| sending * part / 3);
        self.watch(Some(at(SPLIT, 1))).await;
        self.split();
        self.watch(Some(at(RESTART, 2))).await;
        if !self.stop.is_cancelled() {
            self.restart(sending.map_or(AWAY, |sending| AWAY.min(sending / 8)))
                .await?;
        }
        self.watch(sending).await;
        Ok(())
    }

    /// Draw, until so much time has passed since the beginning.
    async fn watch(&mut self, until: Option<Duration>) {
        loop {
            let left = until.map_or(LOOK, |until| until.saturating_sub(self.began.elapsed()));
            if left.is_zero() || self.stop.is_cancelled() {
                return;
            }
            rest(left.min(LOOK), &self.stop).await;
            self.look();
        }
    }

    fn look(&mut self) -> Figures {
        let figures = self.sources.figures();
        self.view.looked(&figures);
        if self.view.due() {
            self.view.draw(self.began.elapsed(), &figures);
        }
        if self.view.is_broken() {
            self.stop.cancel();
        }
        figures
    }

    /// One shard becomes two, whose records wait for those of their parent.
    fn split(&mut self) {
        if self.stop.is_cancelled() {
            return;
        }
        let shard = "shardId-000000000000";
        let text = match self.sources.world.split_shard(CLICKS, shard) {
            Ok([one, other]) => format!("{CLICKS}: {shard} is split into {one} and {other}"),
            Err(refused) => format!("{CLICKS}: {shard} can not be split: {refused}"),
        };
        self.view.tell(self.began.elapsed(), &text);
    }

    /// The service is drained, is away for a while, and goes on.
    async fn restart(&mut self, away: Duration) -> Result<(), DemoError> {
        let text = "the service is drained: what comes now waits in queues and streams";
        self.view.tell(self.began.elapsed(), text);
        let Some(listen) = self.running.as_ref().map(Running::address) else {
            return Ok(());
        };
        self.drain().await;
        rest(away, &self.stop).await;
        let file = self.scratch.checkpoints();
        self.running = Some(self.house.start(&file, listen)?);
        let text = "the service is started again, and goes on from its checkpoint file";
        self.view.tell(self.began.elapsed(), text);
        Ok(())
    }

    async fn drain(&mut self) {
        if let Some(running) = self.running.take() {
            self.past = self.past.and(running.stop().await);
        }
    }

    /// What was sent is settled, and the poison is given up, before the account is made.
    async fn settle(&mut self) {
        let last = self.began.elapsed() + SETTLING_LONGEST;
        while !self.stop.is_cancelled() && self.began.elapsed() < last && !self.look().settled() {
            rest(LOOK, &self.stop).await;
        }
    }

    /// The last drain, the summary, and whether it adds up.
    async fn end(
        mut self,
        end_servers: CancellationToken,
        mut servers: JoinSet<()>,
        payments: &functions::Payments,
    ) -> Result<(), DemoError> {
        // Before the drain: shards that are not read any more have no age.
        let before = self.sources.figures();
        self.drain().await;
        let account = self.past;
        end_servers.cancel();
        while servers.join_next().await.is_some() {}
        let mut figures = self.sources.figures();
        for (stream, before) in figures.streams.iter_mut().zip(&before.streams) {
            (stream.shards, stream.age_s) = (before.shards, before.age_s);
        }
        let took = self.began.elapsed();
        self.view
            .summary(took, &figures, account, payments.disorder());
        self.view.close()?;
        verdict::adds_up(&figures, account, self.stop.is_cancelled())?;
        match payments.disorder() {
            0 => Ok(()),
            disorder => Err(DemoError::OutOfOrder(disorder)),
        }
    }
}

async fn rest(time: Duration, stop: &CancellationToken) {
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = tokio::time::sleep(time) => {}
    }
}
