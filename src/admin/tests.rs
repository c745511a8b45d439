//! Over real TCP: what a probe sees, and what a hostile peer cannot do.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::TcpStream;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::connections::{CONNECTION_TIME_MAX, CONNECTIONS_MAX, HEAD_TIME_MAX, LINGER, serve};
use super::*;

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

fn admin() -> Admin {
    Admin {
        metrics: Metrics::new(),
        status: Status::new([("orders", true)]),
        heartbeat: Heartbeat::new(),
        api: None,
    }
}

fn started() -> Server {
    Server::start(ANY, admin()).unwrap()
}

fn send(server: &Server, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(bytes).unwrap();
    stream
}

/// What comes back until the server closes; a reset ends it too.
fn exchange(server: &Server, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    // A server that refuses early may close before all is written.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

fn get(server: &Server, path: &str) -> String {
    exchange(
        server,
        format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes(),
    )
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("none")
}

#[test]
fn a_probe_gets_its_answer() {
    let server = started();
    let cases = [
        ("/livez", "200"),
        ("/healthz", "200"),
        ("/readyz", "503"),
        ("/metrics", "200"),
        ("/nothing", "404"),
    ];
    for (path, expected) in cases {
        assert_eq!(status(&get(&server, path)), expected, "{path}");
    }
    assert!(
        get(&server, "/livez?verbose=1").ends_with("\r\n\r\nok\n"),
        "a query changes nothing"
    );
}

#[test]
fn a_head_has_the_length_and_no_body() {
    let server = started();
    let answer = exchange(
        &server,
        b"HEAD /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    );
    assert_eq!(status(&answer), "200");
    assert!(
        answer.contains("content-length: 3\r\n") && answer.ends_with("\r\n\r\n"),
        "{answer}"
    );
}

#[test]
fn one_connection_serves_many_requests() {
    let server = started();
    let request = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n".repeat(9)
        + "GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n";
    assert_eq!(
        exchange(&server, request.as_bytes())
            .matches("HTTP/1.1 200 OK")
            .count(),
        10
    );
}

#[test]
fn an_occupied_port_is_a_clear_error() {
    let first = started();
    let error = Server::start(first.address(), admin()).unwrap_err();
    let expected = format!(
        "failed to listen on {}: address in use; set Service.Listen",
        first.address()
    );
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn inside_a_runtime_a_failed_start_is_an_error_and_no_panic() {
    let first = started();
    assert!(Server::start(first.address(), admin()).is_err());
}

#[test]
fn an_address_of_another_machine_is_a_clear_error() {
    let error = Server::start("192.0.2.1:9480".parse().unwrap(), admin()).unwrap_err();
    let expected =
        "failed to listen on 192.0.2.1:9480: this machine has no such address; set Service.Listen";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_dropped_server_answers_nobody_and_frees_its_port() {
    let server = started();
    let address = server.address();
    let mut idle = send(&server, b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n");
    idle.read_exact(&mut [0; 12]).unwrap();
    drop(server);
    idle.read_to_end(&mut Vec::new()).unwrap();
    assert!(TcpStream::connect(address).is_err());
    Server::start(address, admin()).unwrap();
}

#[test]
fn it_answers_while_every_worker_of_the_data_plane_is_busy() {
    let server = started();
    let runtime = Builder::new_current_thread().build().unwrap();
    let answer = runtime.block_on(async { get(&server, "/livez") });
    assert_eq!(
        status(&answer),
        "200",
        "asked from a runtime that blocks meanwhile"
    );
}

#[test]
fn hostile_requests_are_refused_and_hurt_nobody() {
    let server = started();
    let huge_line = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(100_000));
    let huge_header = format!("GET /livez HTTP/1.1\r\nx: {}\r\n\r\n", "a".repeat(100_000));
    let many_headers = format!("GET /livez HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(1_000));
    let cases: [(&str, &[u8], &[&str]); 8] = [
        (
            "garbage",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
            &["400"],
        ),
        ("no HTTP", b"hello\r\n\r\n", &["400"]),
        (
            "HTTP/2 without asking",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            &["400", "none"],
        ),
        ("a nul in the path", b"GET /\0 HTTP/1.1\r\n\r\n", &["400"]),
        (
            "two lengths",
            b"GET /livez HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            &["400"],
        ),
        ("a huge line", huge_line.as_bytes(), &["414", "431", "none"]),
        ("a huge header", huge_header.as_bytes(), &["431", "none"]),
        (
            "a thousand headers",
            many_headers.as_bytes(),
            &["431", "none"],
        ),
    ];
    for (name, bytes, expected) in cases {
        let answer = exchange(&server, bytes);
        assert!(expected.contains(&status(&answer)), "{name}: {answer}");
    }
    assert_eq!(status(&get(&server, "/livez")), "200");
}

#[test]
fn a_body_is_not_read() {
    let server = started();
    let answer = exchange(
        &server,
        b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\n0123",
    );
    assert_eq!(status(&answer), "405");
    let answer = exchange(
        &server,
        b"GET /livez HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n0123",
    );
    assert_eq!(status(&answer), "200");
}

#[test]
fn a_thousand_half_requests_keep_no_probe_out() {
    let server = started();
    // Two hundred stay open on this side: enough to hold every place, and few enough file descriptors for any machine.
    let mut open = VecDeque::new();
    for _ in 0..1_000 {
        open.push_back(send(&server, b"GET /livez HTTP/1.1\r\nHo"));
        if open.len() > 200 {
            open.pop_front();
        }
    }
    assert!(open.len() > CONNECTIONS_MAX);
    assert_eq!(status(&get(&server, "/livez")), "200");
}

/// Serves one connection on a paused clock: it jumps to the next timer whenever nobody has anything to do.
async fn paused(first: &[u8]) -> (Vec<u8>, std::time::Duration) {
    let listener = TcpListener::bind(ANY).await.unwrap();
    let address = listener.local_addr().unwrap();
    let cancel = CancellationToken::new();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(serve(listener, admin(), cancel.clone()));
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let start = tokio::time::Instant::now();
    stream.write_all(first).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let waited = start.elapsed();
    cancel.cancel();
    tasks.join_next().await.unwrap().unwrap();
    (answer, waited)
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_end_is_cut_off() {
    for head in ["", "GET", "GET /livez HTTP/1.1\r\nHost: x\r\nx-slow: "] {
        let (answer, waited) = paused(head.as_bytes()).await;
        let answer = String::from_utf8(answer).unwrap();
        assert!(
            ["none", "408"].contains(&status(&answer)),
            "{head}: {answer}"
        );
        assert_eq!(waited, HEAD_TIME_MAX, "{head}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_reads_is_cut_off() {
    let listener = TcpListener::bind(ANY).await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(serve(listener, admin(), CancellationToken::new()));
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let start = tokio::time::Instant::now();
    // It asks until the server, which can write no more, stops reading: then only the end of the connection helps.
    let request = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n".repeat(1_000);
    while stream.write_all(&request).await.is_ok() {}
    assert!(
        start.elapsed() <= CONNECTION_TIME_MAX + LINGER,
        "{:?}",
        start.elapsed()
    );
}
