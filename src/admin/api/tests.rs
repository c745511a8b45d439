//! The door over real TCP: whoever may gets through, everybody else gets an error as AWS writes it.

use std::sync::Arc;

use http::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::super::connections::serve;
use super::super::port::Asked;
use super::*;
use crate::admin::Admin;
use crate::admin::heartbeat::Heartbeat;
use crate::config::service::Api;
use crate::metrics::Metrics;
use crate::status::Status;

const PATH: &str = "/2015-03-31/event-source-mappings";

/// A listener whose API answers with what it was asked.
struct Door {
    address: std::net::SocketAddr,
    _tasks: JoinSet<()>,
}

impl Door {
    async fn open(api: Api) -> Self {
        Self::with(api, |mut asked| async move {
            while let Some(request) = asked.recv().await {
                let (method, path, query) = (&request.method, &request.path, &request.query);
                let text = format!("{method} {path} {query:?} {}", request.body.len());
                let answer = Answer {
                    status: StatusCode::ACCEPTED,
                    headers: http::HeaderMap::new(),
                    body: Bytes::from(text),
                };
                request.answer.send(answer).unwrap();
            }
        })
        .await
    }

    async fn with<F>(api: Api, service: impl FnOnce(mpsc::Receiver<Asked>) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (port, asked) = Port::new();
        let gate = Gate::new(Access::new(&api, address), port, Clock::machine(), 1);
        let admin = Admin {
            metrics: Metrics::new(),
            status: Status::default(),
            heartbeat: Heartbeat::new(),
            api: Some(Arc::new(gate)),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, admin, CancellationToken::new()));
        tasks.spawn(service(asked));
        Self {
            address,
            _tasks: tasks,
        }
    }

    /// The whole answer to a head with these lines and this body.
    async fn answer(&self, head: &str, lines: &str, body: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let head = format!(
            "{head} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\nConnection: close\r\n{lines}\r\n",
            self.address,
            body.len()
        );
        // Whoever refuses early may close before all is written.
        let _ = stream.write_all(head.as_bytes()).await;
        let _ = stream.write_all(body).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }

    /// Status, error type and body.
    async fn told(&self, head: &str, lines: &str, body: &[u8]) -> (u16, String, String) {
        let answer = self.answer(head, lines, body).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        let kind = head
            .lines()
            .find_map(|line| line.strip_prefix("x-amzn-errortype: "));
        let kind = kind.unwrap_or_default().to_owned();
        (status.unwrap_or(0), kind, body.to_owned())
    }
}

fn refused(status: u16, kind: &str, body: &str) -> (u16, String, String) {
    (status, kind.to_owned(), body.to_owned())
}

#[tokio::test]
async fn what_is_asked_comes_through_whole_and_its_answer_comes_back() {
    let door = Door::open(Api::default()).await;
    let head = format!("PUT {PATH}/1%2F2?a=%20&b");
    let answer = door.answer(&head, "", &[b'x'; 100_000]).await;
    assert!(answer.starts_with("HTTP/1.1 202 Accepted\r\n"), "{answer}");
    assert!(
        answer.contains("content-type: application/json\r\n"),
        "{answer}"
    );
    assert!(answer.contains("x-amzn-requestid: "), "{answer}");
    let expected = format!("PUT {PATH}/1%2F2 Some(\"a=%20&b\") 100000");
    assert!(answer.ends_with(&expected), "{answer}");
    let tags = door.told("GET /2017-03-31/tags/arn%3Aaws", "", b"").await;
    assert_eq!(tags.0, 202);
    // Everything else is answered as before.
    for (path, status) in [("/livez", 200), ("/2015-03-31", 404), ("/2016-03-31/", 404)] {
        assert_eq!(
            door.told(&format!("GET {path}"), "", b"").await.0,
            status,
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_body_has_a_bound() {
    let door = Door::open(Api::default()).await;
    let head = format!("POST {PATH}");
    let most = door.told(&head, "", &vec![b'x'; BODY_BYTES_MAX]).await;
    assert_eq!(most.0, 202);
    let more = door.told(&head, "", &vec![b'x'; BODY_BYTES_MAX + 1]).await;
    let body = r#"{"Type":"User","message":"a request has 262144 bytes at most"}"#;
    assert_eq!(more, refused(413, "RequestTooLargeException", body));
}

#[tokio::test]
async fn a_page_that_is_open_in_a_browser_can_ask_for_nothing() {
    let door = Door::open(Api::default()).await;
    let head = format!("POST {PATH}");
    let page = door
        .told(&head, "Origin: https://example.com\r\n", b"{}")
        .await;
    let body = r#"{"message":"a request of a web page, or to another host than this machine, needs Service.Api"}"#;
    assert_eq!(page, refused(403, "AccessDeniedException", body));
}

#[tokio::test]
async fn a_token_that_may_look_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, token: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, token).unwrap();
        Some(path)
    };
    let api = Api {
        token_file: file("all", "the-token-for-everything"),
        read_only_token_file: file("look", "the-token-for-looking"),
        ..Api::default()
    };
    let door = Door::open(api).await;
    let all = "Authorization: Bearer the-token-for-everything\r\n";
    let look = "Authorization: Bearer the-token-for-looking\r\n";
    let nobody = "Authorization: Bearer the-token-of-nobody\r\n";
    for (method, path) in [
        ("GET", PATH.to_owned()),
        ("POST", PATH.to_owned()),
        ("GET", format!("{PATH}/x")),
        ("PUT", format!("{PATH}/x")),
        ("DELETE", format!("{PATH}/x")),
        ("GET", "/2017-03-31/tags/x".to_owned()),
        ("POST", "/2017-03-31/tags/x".to_owned()),
        ("DELETE", "/2017-03-31/tags/x".to_owned()),
    ] {
        let head = format!("{method} {path}");
        assert_eq!(door.told(&head, all, b"").await.0, 202, "{head}");
        let looking = door.told(&head, look, b"").await;
        match method {
            "GET" => assert_eq!(looking.0, 202, "{head}"),
            _ => assert_eq!(
                (looking.0, &*looking.1),
                (403, "AccessDeniedException"),
                "{head}"
            ),
        }
        let (status, kind, body) = door.told(&head, nobody, b"").await;
        assert_eq!(
            (status, &*kind),
            (403, "UnrecognizedClientException"),
            "{head}"
        );
        assert!(!body.contains("the-token"), "{body}");
        let (status, kind, _) = door.told(&head, "", b"").await;
        assert_eq!(
            (status, &*kind),
            (403, "MissingAuthenticationTokenException"),
            "{head}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_too_often_is_told_to_wait() {
    let (port, _asked) = Port::new();
    let listen = "127.0.0.1:9480".parse().unwrap();
    let gate = Gate::new(
        Access::new(&Api::default(), listen),
        port,
        Clock::machine(),
        1,
    );
    let admitted = |gate: &Gate| (0..1_000).filter(|_| gate.admitted()).count();
    assert_eq!(admitted(&gate), BURST as usize);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(admitted(&gate), RATE_PER_SECOND as usize);
    tokio::time::advance(Duration::from_secs(3600)).await;
    assert_eq!(admitted(&gate), BURST as usize);
    let answer = Answer::from(unanswered(Silent::Busy));
    assert_eq!(answer.status, 429);
    assert_eq!(answer.headers["retry-after"], "1");
    assert_eq!(
        answer.body,
        r#"{"Type":"User","message":"Rate exceeded","Reason":"CallerRateLimitExceeded"}"#
    );
}

#[tokio::test]
async fn a_service_that_is_gone_says_so() {
    let door = Door::with(Api::default(), |asked| async move { drop(asked) }).await;
    let body = r#"{"Type":"Service","Message":"the service is starting or ending"}"#;
    assert_eq!(
        door.told(&format!("GET {PATH}"), "", b"").await,
        refused(503, "ServiceException", body)
    );
}

#[tokio::test]
async fn a_head_that_lies_about_its_body_and_one_that_is_no_text_are_refused() {
    let door = Door::open(Api::default()).await;
    let mut stream = TcpStream::connect(door.address).await.unwrap();
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nHost: {}\r\nContent-Length: 100\r\nConnection: close\r\n\r\nabc",
        door.address
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).unwrap();
    assert!(!answer.contains(" 202 "), "{answer}");
    let mut bytes = format!("GET {PATH} HTTP/1.1\r\nHost: {}\r\nX: ", door.address).into_bytes();
    bytes.extend(b"\xff\xfe\r\nConnection: close\r\n\r\n");
    let mut stream = TcpStream::connect(door.address).await.unwrap();
    stream.write_all(&bytes).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
}
