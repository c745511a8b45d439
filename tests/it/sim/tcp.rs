//! The same over TCP, on real sockets and real time: short, and with faults that happen to the connection itself.

use std::{net::SocketAddr, time::Duration};

use aws_config::SdkConfig;
use aws_sdk_kinesis::types::{ShardIteratorType, StartingPosition};
use aws_sdk_sqs::{Client, error::SdkError, primitives::Blob};
use aws_smithy_http_client::Builder;
use aws_smithy_types::timeout::TimeoutConfig;
use sluicegate::sim::{self, Fault, FunctionConfig, Operation, Reply, World};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

/// A served world, with how it is reached and how it is ended.
struct Served {
    world: World,
    address: SocketAddr,
    cancel: CancellationToken,
    server: JoinSet<()>,
}

impl Served {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, world, cancel) = (
            listener.local_addr().unwrap(),
            World::new(1),
            CancellationToken::new(),
        );
        let mut server = JoinSet::new();
        server.spawn(sim::serve(listener, world.clone(), cancel.clone()));
        Self {
            world,
            address,
            cancel,
            server,
        }
    }

    fn sdk_config(&self) -> SdkConfig {
        let limits = TimeoutConfig::builder()
            .operation_attempt_timeout(Duration::from_millis(300))
            .build();
        let builder = self.world.sdk_config().into_builder();
        builder
            .http_client(Builder::new().build_http())
            .endpoint_url(format!("http://{}", self.address))
            .timeout_config(limits)
            .build()
    }

    fn sqs(&self) -> Client {
        Client::new(&self.sdk_config())
    }

    async fn stop(mut self) {
        self.cancel.cancel();
        self.server.join_next().await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_message_goes_the_whole_way_over_tcp() {
    let served = Served::start().await;
    let client = served.sqs();
    let url = client
        .create_queue()
        .queue_name("q")
        .send()
        .await
        .unwrap()
        .queue_url
        .unwrap();
    assert_eq!(url, format!("http://{}/000000000000/q", served.address));
    client
        .send_message()
        .queue_url(&url)
        .message_body("hello")
        .send()
        .await
        .unwrap();
    let got = client
        .receive_message()
        .queue_url(&url)
        .wait_time_seconds(1)
        .send()
        .await
        .unwrap();
    assert_eq!(got.messages()[0].body(), Some("hello"));
    client
        .delete_message()
        .queue_url(&url)
        .receipt_handle(got.messages()[0].receipt_handle().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(served.world.queue("q").unwrap().counts.deleted, 1);
    served.stop().await;
}

#[tokio::test]
async fn an_event_goes_the_whole_way_over_tcp() {
    let served = Served::start().await;
    served
        .world
        .register("f", FunctionConfig::default(), |invocation| async move {
            Reply::ok(invocation.event)
        });
    let client = aws_sdk_lambda::Client::new(&served.sdk_config());
    let output = client
        .invoke()
        .function_name("f:live")
        .payload(Blob::new("{}"))
        .send()
        .await
        .unwrap();
    assert_eq!(
        (
            output.payload().unwrap().as_ref(),
            output.executed_version()
        ),
        (b"{}".as_slice(), Some("live"))
    );
    served.stop().await;
}

#[tokio::test]
async fn a_record_goes_the_whole_way_over_tcp() {
    let served = Served::start().await;
    let client = aws_sdk_kinesis::Client::new(&served.sdk_config());
    client
        .create_stream()
        .stream_name("s")
        .shard_count(1)
        .send()
        .await
        .unwrap();
    let put = client.put_record().stream_name("s").partition_key("k");
    let put = put.data(Blob::new("hello")).send().await.unwrap();
    let get = client
        .get_shard_iterator()
        .stream_name("s")
        .shard_id(put.shard_id());
    let at = get
        .shard_iterator_type(ShardIteratorType::TrimHorizon)
        .send()
        .await
        .unwrap();
    let got = client
        .get_records()
        .set_shard_iterator(at.shard_iterator)
        .send()
        .await
        .unwrap();
    assert_eq!(got.records()[0].data().as_ref(), b"hello");
    assert_eq!(got.records()[0].sequence_number(), put.sequence_number());
    served.stop().await;
}

#[tokio::test]
async fn events_are_pushed_over_tcp_until_the_shard_ends_or_the_server_does() {
    let served = Served::start().await;
    let client = aws_sdk_kinesis::Client::new(&served.sdk_config());
    served.world.create_stream("s", 1).unwrap();
    let consumer = served.world.register_consumer("s", "c").unwrap();
    let subscribe = async |shard: &str| {
        let from = StartingPosition::builder().r#type(ShardIteratorType::TrimHorizon);
        let call = client
            .subscribe_to_shard()
            .consumer_arn(&consumer)
            .shard_id(shard);
        call.starting_position(from.build().unwrap())
            .send()
            .await
            .unwrap()
            .event_stream
    };
    let mut events = subscribe("shardId-000000000000").await;
    let mut counts = Vec::new();
    for n in 0..3 {
        let event = events.recv().await.unwrap().unwrap();
        counts.push(event.as_subscribe_to_shard_event().unwrap().records().len());
        match n {
            0 => drop(served.world.put_record("s", "k", "1").unwrap()),
            1 => drop(
                served
                    .world
                    .split_shard("s", "shardId-000000000000")
                    .unwrap(),
            ),
            _ => {}
        }
    }
    assert_eq!(counts, [0, 1, 0]);
    assert_eq!(events.recv().await.unwrap(), None);
    let mut child = subscribe("shardId-000000000001").await;
    child.recv().await.unwrap().unwrap();
    served.stop().await;
    assert!(child.recv().await.is_err());
}

/// What a client sees of a fault.
#[derive(Debug, PartialEq)]
enum Seen {
    /// The connection broke before there was an answer.
    Io,
    /// Nothing came in time.
    Timeout,
    /// An answer began that could not be read.
    Unreadable,
    /// An answer with an error, or one whose body makes no sense: the SDK tells them apart by the status only.
    Service(u16),
}

#[tokio::test]
async fn faults_of_the_connection_happen_on_the_socket() {
    let served = Served::start().await;
    served.world.create_queue("q", &[]).unwrap();
    for (fault, seen, sent) in [
        (Fault::ResetBefore, Seen::Io, 0),
        (Fault::ResetAfter, Seen::Io, 1),
        (Fault::NeverAnswers, Seen::Timeout, 0),
        (Fault::AnswerLost, Seen::Timeout, 1),
        (Fault::ConnectHangs, Seen::Timeout, 0),
        (Fault::StalledBody, Seen::Timeout, 1),
        (Fault::TruncatedBody, Seen::Unreadable, 1),
        (Fault::MalformedJson, Seen::Service(200), 1),
        (Fault::ProxyHtml, Seen::Service(502), 0),
        (Fault::BareUnavailable, Seen::Service(503), 0),
    ] {
        let before = served.world.queue("q").unwrap().counts.sent;
        served.world.fault_next(Operation::SendMessage, fault, 1);
        let error = served
            .sqs()
            .send_message()
            .queue_url("q")
            .message_body("a")
            .send()
            .await
            .unwrap_err();
        let came = match &error {
            SdkError::DispatchFailure(failure) if failure.is_io() => Seen::Io,
            SdkError::TimeoutError(_) => Seen::Timeout,
            SdkError::ServiceError(service) => Seen::Service(service.raw().status().as_u16()),
            SdkError::ResponseError(_) => Seen::Unreadable,
            _ => panic!("{fault:?} {error:?}"),
        };
        assert_eq!(
            (came, served.world.queue("q").unwrap().counts.sent - before),
            (seen, sent),
            "{fault:?}"
        );
    }
    served.stop().await;
}

#[tokio::test]
async fn a_reset_is_a_reset_and_a_truncated_body_arrives_in_part() {
    let served = Served::start().await;
    let request = b"POST / HTTP/1.1\r\nhost: x\r\nx-amz-target: AmazonSQS.ListQueues\r\ncontent-length: 2\r\n\r\n{}";
    let exchange = async |fault| {
        served.world.fault_next(Operation::ListQueues, fault, 1);
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        let end = stream.read_to_end(&mut answer).await;
        (
            String::from_utf8(answer).unwrap(),
            end.map_err(|error| error.kind()),
        )
    };
    assert_eq!(
        exchange(Fault::ResetAfter).await,
        (String::new(), Err(std::io::ErrorKind::ConnectionReset))
    );
    let (answer, end) = exchange(Fault::TruncatedBody).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with("HTTP/1.1 200 OK") && head.contains("content-length: 16"),
        "{head}"
    );
    assert_eq!((body, end.is_ok()), (r#"{"QueueU"#, true));
    served.stop().await;
}

#[tokio::test]
async fn a_body_without_end_is_refused() {
    let served = Served::start().await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream
        .write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999\r\n\r\n")
        .await
        .unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 413");
    served.stop().await;
}

#[tokio::test]
async fn serving_ends_with_its_token_also_while_a_poll_waits() {
    let served = Served::start().await;
    let client = served.sqs();
    served.world.create_queue("q", &[]).unwrap();
    let poll = client
        .receive_message()
        .queue_url("q")
        .wait_time_seconds(20);
    let (polled, ()) = tokio::join!(poll.send(), async {
        while served.world.crash_points() == 0 {
            tokio::task::yield_now().await;
        }
        served.stop().await;
    });
    assert!(
        matches!(polled, Err(SdkError::DispatchFailure(_))),
        "{polled:?}"
    );
}

#[tokio::test]
async fn a_function_behind_a_url_is_asked_and_its_answer_passed_on() {
    // The function: a second embedded Lambda, whose Invoke path is a URL like any other.
    let (function, front) = (Served::start().await, Served::start().await);
    function
        .world
        .register("g", FunctionConfig::default(), |invocation| async move {
            assert!(invocation.headers.contains_key("x-amzn-requestid"));
            if invocation.event == "1" {
                Reply::ok("2")
            } else {
                Reply::error("odd")
            }
        });
    let url = format!(
        "http://{}/2015-03-31/functions/g/invocations",
        function.address
    );
    front
        .world
        .register_http("f", FunctionConfig::default(), &url)
        .unwrap();
    let client = front.world.lambda_client();
    let invoke = |event: &str| {
        client
            .invoke()
            .function_name("f")
            .payload(Blob::new(event))
            .send()
    };
    let good = invoke("1").await.unwrap();
    assert_eq!(
        (good.payload().unwrap().as_ref(), good.function_error()),
        (b"2".as_slice(), None)
    );
    assert_eq!(
        invoke("3").await.unwrap().function_error(),
        Some("Unhandled")
    );
    function.stop().await;
    assert_eq!(
        invoke("1")
            .await
            .unwrap_err()
            .raw_response()
            .unwrap()
            .status()
            .as_u16(),
        502
    );
    assert!(
        front
            .world
            .register_http("f", FunctionConfig::default(), "ftp://x")
            .is_err()
    );
    front.stop().await;
}
