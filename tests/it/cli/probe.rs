//! `probe`: what a health check without a shell learns of a service.

use std::io::{Read, Write};
use std::net::TcpListener;

use super::program::{Ended, Running, run};
use super::{GOOD, written};

fn probe(address: &str) -> Ended {
    run(&["probe", "--listen", address])
}

/// Answers the next connection with this text, once it has sent its request, and says what the request was.
fn once(answer: &'static str) -> (String, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    #[allow(
        clippy::disallowed_methods,
        reason = "joined by the test that calls this"
    )]
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the probe connects");
        let mut request = Vec::new();
        let mut byte = [0];
        while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
            request.push(byte[0]);
        }
        stream
            .write_all(answer.as_bytes())
            .expect("the probe reads");
        String::from_utf8(request).expect("a request is text")
    });
    (address, server)
}

#[tokio::test]
async fn a_service_is_alive_until_it_has_ended_also_when_no_mapping_is_ready() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = written(folder.path(), "good.yaml", GOOD);
    let mut service = Running::start(&["run", "--config", path.to_str().expect("a plain name")]);
    let started = service.event("started").await;
    let address = started["listen"].as_str().expect("an address").to_owned();
    let silent = Ended {
        code: Some(0),
        out: String::new(),
        err: String::new(),
    };
    assert_eq!(probe(&address), silent);
    service.signal("TERM");
    assert_eq!(service.end().await, Some(0));
    let ended = probe(&address);
    let expected = format!("failed to ask {address}: Connection refused (os error 111)\n");
    assert_eq!((ended.code, ended.err), (Some(1), expected));
}

#[test]
fn whatever_is_no_200_is_ill_and_the_reason_is_said() {
    let cases = [
        (
            "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 5\r\n\r\nbusy\n",
            "\"busy\"",
        ),
        (
            "HTTP/1.1 404 Not Found\r\n\r\n",
            "\"HTTP/1.1 404 Not Found\"",
        ),
        ("SSH-2.0-200 200 200\r\n\r\n", "\"SSH-2.0-200 200 200\""),
        ("HTTP/1.1 200", "\"HTTP/1.1 200\""),
        ("", "\"\""),
    ];
    for (answer, said) in cases {
        let (address, server) = once(answer);
        let ended = probe(&address);
        let request = server.join().expect("the server ends well");
        assert_eq!(
            (ended.code, ended.out.as_str(), ended.err),
            (Some(1), "", format!("{address} answers {said}\n")),
        );
        assert!(request.starts_with("GET /livez HTTP/1.1\r\n"), "{request}");
    }
}

#[test]
fn the_address_is_the_services_own_default() {
    let help = run(&["probe", "--help"]);
    assert!(
        help.out.contains("[default: 127.0.0.1:9480]"),
        "{}",
        help.out
    );
}
