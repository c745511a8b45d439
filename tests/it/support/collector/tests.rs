//! The collector does what its script says, seen from the other end of a plain connection.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::collector::{Collector, Reply};

/// Posts and reads to the end; everything that came, head and body.
async fn post(url: &str, body: &str) -> String {
    let (address, path) = url
        .trim_start_matches("http://")
        .split_once('/')
        .expect("a path");
    let mut stream = TcpStream::connect(address)
        .await
        .expect("the collector listens");
    let length = body.len();
    let request = format!(
        "POST /{path} HTTP/1.1\r\nHost: {address}\r\nX-Test: Yes\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    stream
        .write_all(request.as_bytes())
        .await
        .expect("the request is sent");
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .await
        .expect("the answer is text");
    answer
}

#[tokio::test]
async fn each_reply_arrives_as_it_was_scripted() {
    let pause = Duration::from_millis(1);
    let cases = [
        (
            Reply::success(),
            "HTTP/1.1 200 OK\r\n",
            "\r\n\r\nnull",
            true,
        ),
        (
            Reply::success().after(pause),
            "HTTP/1.1 200 OK\r\n",
            "\r\n\r\nnull",
            true,
        ),
        (
            Reply::text("{oops"),
            "HTTP/1.1 200 OK\r\n",
            "\r\n\r\n{oops",
            true,
        ),
        (
            Reply::failures(&["m1".to_owned()]),
            "HTTP/1.1 200 OK\r\n",
            "\r\n\r\n{\"batchItemFailures\":[{\"itemIdentifier\":\"m1\"}]}",
            true,
        ),
        (
            Reply::function_error("boom"),
            "HTTP/1.1 200 OK\r\n",
            "\r\n\r\nboom",
            true,
        ),
        (
            Reply::status(429, "slow down"),
            "HTTP/1.1 429 Too Many Requests\r\n",
            "\r\n\r\nslow down",
            true,
        ),
        (
            Reply::status(503, ""),
            "HTTP/1.1 503 Service Unavailable\r\n",
            "\r\n\r\n",
            true,
        ),
        (Reply::refused(), "", "", false),
        (
            Reply::cut("12345678"),
            "HTTP/1.1 200 OK\r\n",
            "\r\n\r\n1234",
            false,
        ),
        (
            Reply::trickle("abc", pause),
            "HTTP/1.1 200 OK\r\n",
            "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n",
            true,
        ),
    ];
    for (reply, start, end, answered) in cases {
        let said = format!("{reply:?}");
        let collector = Collector::start(move |_| reply.clone()).await;
        let answer = post(&collector.url("f"), "{}").await;
        assert!(
            answer.starts_with(start) && answer.ends_with(end),
            "{said}: {answer}"
        );
        assert_eq!(answer.is_empty(), start.is_empty(), "{said}: {answer}");
        assert_eq!(collector.calls()[0].answered.is_some(), answered, "{said}");
    }
}

#[tokio::test]
async fn marks_of_an_error_are_headers() {
    for (reply, header) in [
        (
            Reply::function_error("boom"),
            "x-amz-function-error: Unhandled\r\n",
        ),
        (Reply::status(429, ""), "retry-after: 1\r\n"),
        (Reply::cut("12345678"), "content-length: 8\r\n"),
    ] {
        let collector = Collector::start(move |_| reply.clone()).await;
        let answer = post(&collector.url("f"), "{}").await;
        assert!(answer.contains(header), "{answer}");
    }
}

#[tokio::test]
async fn the_ledger_tells_who_was_called_when_and_with_what() {
    let collector = Collector::start(|_| Reply::success().after(Duration::from_millis(2))).await;
    let event = "{\"Records\":[{\"messageId\":\"m1\",\"body\":\"b1\"},{\"messageId\":\"m2\",\"body\":\"b2\"}]}";
    post(&collector.url("first"), event).await;
    post(&collector.url("second"), "no json").await;

    let calls = collector
        .wait_for("two calls", |calls| calls.len() == 2)
        .await;
    assert_eq!(
        (calls[0].function.as_str(), calls[1].function.as_str()),
        ("first", "second")
    );
    assert_eq!(calls[0].message_ids(), ["m1", "m2"]);
    assert_eq!(calls[0].bodies(), ["b1", "b2"]);
    assert_eq!(calls[0].headers["x-test"], "Yes");
    assert_eq!(
        (&calls[1].event, calls[1].body.as_ref()),
        (&serde_json::Value::Null, b"no json".as_ref())
    );
    let answered = calls[0].answered.expect("it was answered");
    assert!(
        calls[0].arrived + Duration::from_millis(2) <= answered && answered <= calls[1].arrived
    );
}

#[tokio::test]
async fn a_slow_call_holds_up_no_other() {
    let collector = Collector::start(|call| match call.function.as_str() {
        "slow" => Reply::success().after(Duration::from_secs(3600)),
        _ => Reply::success(),
    })
    .await;
    let slow = collector.url("slow");
    let quick = async {
        collector
            .wait_for("the slow call", |calls| calls.len() == 1)
            .await;
        post(&collector.url("quick"), "{}").await
    };
    let answer = tokio::select! {
        biased;
        _ = post(&slow, "{}") => panic!("the slow call takes an hour"),
        answer = quick => answer,
    };
    assert!(answer.ends_with("null"), "{answer}");
    let calls = collector.calls();
    assert_eq!(
        (calls[0].answered.is_some(), calls[1].answered.is_some()),
        (false, true)
    );
}
