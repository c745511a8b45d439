//! The same over real sockets, with the client that is shipped.

use sluicegate::aws::clients::Clients;
use sluicegate::clock::Clock;
use sluicegate::config::Config;
use sluicegate::sim;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::*;

#[tokio::test]
async fn records_are_pushed_over_plain_http() {
    let fan = FanOut::new(21, 2);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (cancel, mut server) = (CancellationToken::new(), JoinSet::new());
    server.spawn(sim::serve(
        listener,
        fan.stage.world().clone(),
        cancel.clone(),
    ));

    let text = fan.configuration("TRIM_HORIZON", &[]);
    let text = format!("{text}Aws: {{ EndpointUrl: 'http://{address}' }}\n");
    let config = Config::parse("test.yaml", &text, &|_| None).unwrap();
    let clients = Clients::without_account(&config.aws, &Clock::machine());
    for number in 0..50 {
        fan.put(number);
    }
    let running = fan.stage.stage.start_on(config, clients);
    fan.delivered(50, 10 * SECOND).await;
    for number in 50..100 {
        fan.put(number);
    }
    let began = Instant::now();
    fan.delivered(100, 10 * SECOND).await;
    // Pushed, and not fetched a second later.
    assert!(began.elapsed() < SECOND, "{:?}", began.elapsed());
    let parent = "shardId-000000000000";
    fan.stage.world().split_shard(STREAM, parent).unwrap();
    for number in 100..150 {
        fan.put(number);
    }
    fan.delivered(150, 10 * SECOND).await;
    running.stop().await;
    fan.came_once_in_order(0..150);
    cancel.cancel();
    server.join_next().await.unwrap().unwrap();
}

/// AWS pushes over HTTP/2 alone, which is agreed on in the greeting of TLS; that is not yet encrypted.
#[tokio::test]
async fn the_client_offers_http_2_to_a_server_with_tls() {
    let fan = FanOut::new(22, 1);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let text = fan.configuration("TRIM_HORIZON", &[]);
    let text = format!("{text}Aws: {{ EndpointUrl: 'https://{address}' }}\n");
    let config = Config::parse("test.yaml", &text, &|_| None).unwrap();
    let clients = Clients::without_account(&config.aws, &Clock::machine());
    let running = fan.stage.stage.start_on(config, clients);
    let (mut socket, _) = listener.accept().await.unwrap();
    let mut greeting = vec![0; 5];
    socket.read_exact(&mut greeting).await.unwrap();
    let length = u16::from_be_bytes([greeting[3], greeting[4]]);
    let mut greeting = vec![0; usize::from(length)];
    socket.read_exact(&mut greeting).await.unwrap();
    // ALPN: a list of names, each with its length before it, the most wanted first.
    let offered = b"\x00\x0c\x02h2\x08http/1.1";
    assert!(greeting.windows(offered.len()).any(|at| at == offered));
    drop(socket);
    running.stop().await;
}
