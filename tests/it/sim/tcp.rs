//! The same over TCP, on real sockets and real time: short, and with faults that happen to the connection itself.

mod kinesis;

use std::{net::SocketAddr, time::Duration};

use aws_config::SdkConfig;
use aws_sdk_dynamodbstreams::types::ShardIteratorType;
use aws_sdk_sqs::{Client, error::SdkError, primitives::Blob};
use aws_smithy_http_client::Builder;
use aws_smithy_types::timeout::TimeoutConfig;
use sluicegate::sim::{self, Fault, FunctionConfig, Operation, Reply, World, dynamodb::ViewType};
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
async fn a_change_of_an_item_goes_the_whole_way_over_tcp() {
    let served = Served::start().await;
    let arn = served
        .world
        .create_table("orders", "id", ViewType::NewImage)
        .unwrap();
    let body = r#"{"TableName":"orders","Item":{"id":{"S":"a"}}}"#;
    let request = format!(
        "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-amz-target: DynamoDB_20120810.PutItem\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    let client = aws_sdk_dynamodbstreams::Client::new(&served.sdk_config());
    let shard = served.world.table("orders").unwrap().shards.remove(0).id;
    let at = client
        .get_shard_iterator()
        .stream_arn(arn)
        .shard_id(shard)
        .shard_iterator_type(ShardIteratorType::TrimHorizon)
        .send()
        .await
        .unwrap();
    let read = client
        .get_records()
        .shard_iterator(at.shard_iterator().unwrap())
        .send()
        .await
        .unwrap();
    let image = read.records()[0].dynamodb().unwrap().new_image().unwrap();
    assert_eq!(image["id"].as_s().unwrap(), "a");
    served.stop().await;
}

#[tokio::test]
async fn a_message_and_an_object_go_the_whole_way_over_tcp() {
    let served = Served::start().await;
    let topic = served.world.create_topic("t").unwrap();
    let client = aws_sdk_sns::Client::new(&served.sdk_config());
    let publish = client.publish().topic_arn(topic).message("hello");
    publish.send().await.unwrap();
    assert_eq!(served.world.published("t")[0].message, "hello");

    served.world.create_bucket("bkt").unwrap();
    let client = aws_sdk_s3::Client::new(&served.sdk_config());
    let put = client.put_object().bucket("bkt").key("a/b");
    put.body(b"hello".to_vec().into()).send().await.unwrap();
    assert_eq!(served.world.objects("bkt")["a/b"].body, "hello");
    let got = client.get_object().bucket("bkt").key("a/b").send().await;
    let got = got.unwrap().body.collect().await.unwrap();
    assert_eq!(got.to_vec(), b"hello");
    served.stop().await;
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
