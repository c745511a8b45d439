//! A drain: the first signal begins it, and a second one ends it at once.

use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::program::{Running, get, sqs};
use super::written;
use crate::support::PATIENCE;

/// A service with one message in hand, whose function was called and does not answer.
struct Busy {
    _sim: Running,
    service: Running,
    address: String,
    call: TcpStream,
    _folder: tempfile::TempDir,
}

impl Busy {
    async fn start() -> Self {
        let mut sim = Running::start(&["sim", "--listen", "127.0.0.1:0"]);
        let aws = sim
            .line()
            .await
            .strip_prefix("listening on http://")
            .expect("the address")
            .to_owned();
        let queue = sqs(&aws, "CreateQueue", &json!({ "QueueName": "orders" }));
        sqs(
            &aws,
            "SendMessage",
            &json!({ "QueueUrl": queue["QueueUrl"], "MessageBody": "1" }),
        );

        let function = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/", function.local_addr().expect("it is bound"));
        let text = format!(
            "Service: {{ Listen: '127.0.0.1:0', ShutdownGraceInSeconds: 10 }}
Aws: {{ Region: us-east-1, EndpointUrl: 'http://{aws}' }}
Functions: {{ process: {{ Http: {{ Url: '{url}' }}, TimeoutInSeconds: 30 }} }}
EventSourceMappings:
  - EventSourceArn: arn:aws:sqs:us-east-1:000000000000:orders
    FunctionName: process
"
        );
        let folder = tempfile::tempdir().expect("a folder for the test");
        let path = written(folder.path(), "busy.yaml", &text);
        let mut service =
            Running::start(&["run", "--config", path.to_str().expect("a plain name")]);
        let started = service.event("started").await;
        let address = started["listen"].as_str().expect("an address").to_owned();
        let (call, _) = timeout(PATIENCE, function.accept())
            .await
            .expect("a call in time")
            .expect("a connection");
        // An answer before the request would be taken for a fault of the connection.
        call.readable().await.expect("the request");
        Self {
            _sim: sim,
            service,
            address,
            call,
            _folder: folder,
        }
    }
}

#[tokio::test]
async fn a_drain_waits_for_the_function_and_a_second_signal_does_not() {
    for (first, second, code) in [("TERM", "INT", 130), ("INT", "TERM", 143)] {
        let mut busy = Busy::start().await;
        assert_eq!(get(&busy.address, "/readyz").0, 200);
        busy.service.signal(first);
        assert_eq!(
            busy.service.event("stopping").await["signal"],
            format!("SIG{first}")
        );
        busy.service.event("draining").await;
        assert_eq!(
            get(&busy.address, "/readyz").0,
            503,
            "a drain is shown while it lasts"
        );
        assert_eq!(get(&busy.address, "/livez").0, 200);
        busy.service.signal(second);
        assert_eq!(busy.service.end().await, Some(code));
        drop(busy.call);
    }
}

#[tokio::test]
async fn a_drain_ends_with_what_was_in_hand_settled() {
    let mut busy = Busy::start().await;
    busy.service.signal("TERM");
    busy.service.event("draining").await;
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    tokio::io::AsyncWriteExt::write_all(&mut busy.call, answer)
        .await
        .expect("the service reads");
    let account = busy.service.event("stopped").await;
    assert_eq!(
        (&account["deleted"], &account["abandoned"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(busy.service.end().await, Some(0));
}
