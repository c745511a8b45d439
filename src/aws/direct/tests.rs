//! Calls without the SDK, held against the same calls made by it: what is asked, how it is signed, what becomes of every answer.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use aws_sdk_sqs::config::{Credentials, ProvideCredentials as _, SharedCredentialsProvider};
use aws_sdk_sqs::error::ConnectorError;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture};
use futures_util::StreamExt as _;
use http_body_util::StreamBody;
use hyper::body::Frame;

use super::*;
use crate::aws::canned::{KEY, Seen, answer, on, serve, serve_as};
use crate::aws::clients::Clients;
use crate::config::aws::{Aws, Endpoints};
use crate::model::event::Piece;

const REGION: &str = "eu-west-1";
const QUEUE: &str = "https://sqs.eu-west-1.amazonaws.com/111111111111/orders";
const WAIT: Duration = Duration::from_secs(10);

/// Each kind of call that is made directly.
#[derive(Clone, Copy, Debug)]
enum Call {
    Receive,
    Delete,
    Extend,
    Read,
    Invoke(&'static str, Option<&'static str>),
}

const CALLS: [Call; 7] = [
    Call::Receive,
    Call::Delete,
    Call::Extend,
    Call::Read,
    Call::Invoke("f", None),
    Call::Invoke("f", Some("live")),
    Call::Invoke(
        "arn:aws:lambda:eu-west-1:111111111111:function:f",
        Some("$LATEST"),
    ),
];

impl Call {
    /// By the SDK: to its end, or as far as [`Learning`] lets it.
    async fn by_the_sdk(
        self,
        clients: &Clients,
        learning: Option<Learning>,
    ) -> Result<(), Failure> {
        macro_rules! send {
            ($call:expr) => {{
                let call = $call.customize();
                let call = match learning {
                    Some(learning) => call.interceptor(learning),
                    None => call,
                };
                call.send().await.map(drop).map_err(Failure::from)
            }};
        }
        let (sqs, lambda) = (clients.sqs(REGION), clients.lambda(REGION));
        match self {
            Self::Receive => send!(sqs.receive_message().queue_url(QUEUE)),
            Self::Delete => send!(sqs.delete_message_batch().queue_url(QUEUE)),
            Self::Extend => send!(sqs.change_message_visibility_batch().queue_url(QUEUE)),
            Self::Read => send!(clients.kinesis(REGION).get_records().shard_iterator("i")),
            Self::Invoke(name, qualifier) => send!(
                lambda
                    .invoke()
                    .function_name(name)
                    .set_qualifier(qualifier.map(str::to_owned))
                    .invocation_type(aws_sdk_lambda::types::InvocationType::RequestResponse)
            ),
        }
    }

    /// Directly, with this body.
    async fn directly(
        self,
        clients: &Clients,
        direct: &Direct,
        body: &str,
    ) -> Result<Answer, Failure> {
        let ask = |learning| self.by_the_sdk(clients, Some(learning));
        let body = Bytes::from(body.to_owned());
        direct.send(body, None, WAIT, ask).await
    }
}

fn own_endpoints() -> Aws {
    Aws {
        endpoints: Endpoints {
            sqs: Some("http://sqs.test:9324/base".to_owned()),
            kinesis: Some("https://kinesis.test".to_owned()),
            lambda: Some("http://127.0.0.1:3001/".to_owned()),
            ..Endpoints::default()
        },
        ..Aws::default()
    }
}

fn temporary() -> SharedCredentialsProvider {
    let token = Some("a token/+=".to_owned());
    SharedCredentialsProvider::new(Credentials::new(KEY.0, KEY.1, token, None, "test"))
}

fn always() -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(Credentials::new(KEY.0, KEY.1, None, None, "test"))
}

/// What stays of headers when those are left out that only the SDK's own calls have, and those that the set of headers changes.
fn lasting(seen: &Seen) -> BTreeMap<String, String> {
    let mut headers = seen.headers.clone();
    headers.retain(|name, _| {
        ![
            "amz-sdk-invocation-id",
            "amz-sdk-request",
            "x-amz-user-agent",
            "authorization",
        ]
        .contains(&&**name)
    });
    headers
}

#[tokio::test(start_paused = true)]
async fn a_call_goes_where_the_sdks_goes_and_says_the_same() {
    for aws in [Aws::default(), own_endpoints()] {
        for credentials in [always(), temporary()] {
            for call in CALLS {
                let answers = || (0..2).map(|_| answer(200, "{}"));
                let (clients, server) = serve_as(credentials.clone(), answers(), &aws);
                call.by_the_sdk(&clients, None).await.unwrap();
                let theirs = server.seen().remove(0);
                let direct = clients.direct_of_its_own();
                call.directly(&clients, &direct, &theirs.body)
                    .await
                    .unwrap();
                let ours = server.seen().remove(1);
                assert_eq!(server.seen().len(), 2, "{call:?}: learning sends nothing");
                assert_eq!(ours.uri, theirs.uri, "{call:?}");
                assert_eq!(ours.body, theirs.body, "{call:?}");
                assert_eq!(lasting(&ours), lasting(&theirs), "{call:?}");
                let token = ours.headers.get("x-amz-security-token");
                assert_eq!(
                    token.map(String::as_str),
                    token_of(&credentials).await.as_deref()
                );
            }
        }
    }
}

async fn token_of(credentials: &SharedCredentialsProvider) -> Option<String> {
    let credentials = credentials.provide_credentials().await.unwrap();
    credentials.session_token().map(str::to_owned)
}

// Over the very headers of a call of the SDK at the same moment ours is the same signature, byte for byte.
#[tokio::test(start_paused = true)]
async fn a_call_is_signed_as_the_sdk_signs_it() {
    for aws in [Aws::default(), own_endpoints()] {
        for credentials in [always(), temporary()] {
            for call in CALLS {
                let (clients, server) = serve_as(credentials.clone(), [answer(200, "{}")], &aws);
                call.by_the_sdk(&clients, None).await.unwrap();
                let theirs = server.seen().remove(0);
                let direct = clients.direct_of_its_own();
                let ask = |learning| call.by_the_sdk(&clients, Some(learning));
                let look = direct.learn(ask).await.unwrap();
                let mut signed = Headers::new();
                let of_the_signature = ["authorization", "x-amz-date", "x-amz-security-token"];
                // These the SDK adds, and does not sign.
                let unsigned = ["amz-sdk-invocation-id", "amz-sdk-request"];
                for (name, value) in &theirs.headers {
                    let name_of = &&**name;
                    if !of_the_signature.contains(name_of) && !unsigned.contains(name_of) {
                        signed.try_insert(name.clone(), value.clone()).unwrap();
                    }
                }
                let identity = look.identity(&direct.0.identities).await.unwrap();
                let body = Bytes::from(theirs.body.clone()).into();
                // The SDK's signer makes the first, and the text of the next is written by hand.
                for number in 0..2 {
                    let ours = look.signature(&identity, &signed, &body).unwrap();
                    let ours: BTreeMap<_, _> = ours.into_iter().collect();
                    for name in of_the_signature {
                        let theirs = theirs.headers.get(name);
                        assert_eq!(ours.get(name), theirs, "{call:?} {name} {number}");
                    }
                }
                let with_token = token_of(&credentials).await.is_some();
                let agreed = look.signer.agreed()[usize::from(with_token)];
                assert_eq!(agreed, Some(true), "{call:?}");
            }
        }
    }
}

#[tokio::test]
async fn an_event_of_several_chunks_is_signed_and_sent_as_its_text_would_be() {
    let mut pieces = [vec![b'a'; 70_000], vec![b'b'; 5], vec![b'c'; 80_000]].map(Piece::from);
    let event = Event::of(&mut pieces.iter_mut().collect::<Vec<_>>());
    assert!(event.whole().is_none());
    let whole = Event::from(event.text());
    let mut sent = Vec::new();
    for event in [event, whole] {
        let (clients, server) = serve([answer(200, "{}")], &Aws::default());
        let call = Call::Invoke("f", None);
        let ask = |learning| call.by_the_sdk(&clients, Some(learning));
        let direct = clients.direct_of_its_own();
        direct.send(event, None, WAIT, ask).await.unwrap();
        sent.push(server.seen().remove(0));
    }
    let [chunks, whole] = &sent[..] else {
        panic!("{sent:?}")
    };
    for name in ["authorization", "content-length"] {
        assert!(chunks.headers.contains_key(name), "{name}");
        assert_eq!(chunks.headers.get(name), whole.headers.get(name), "{name}");
    }
    assert!(chunks.body == whole.body);
}

/// Answers that are no success, each with what an operator gets to read of it.
fn refusals() -> Vec<(http::Response<SdkBody>, http::Response<SdkBody>)> {
    let json = |status: u16, headers: &[(&str, &str)], body: &str| {
        let make = || {
            let mut response = http::Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(*name, *value);
            }
            response.body(SdkBody::from(body)).unwrap()
        };
        (make(), make())
    };
    vec![
        json(
            400,
            &[],
            r#"{"__type":"InvalidParameterValue","message":"no"}"#,
        ),
        json(
            400,
            &[],
            r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","Message":"gone"}"#,
        ),
        json(
            400,
            &[],
            r#"{"code":"Odd","__type":"Other","errorMessage":"no"}"#,
        ),
        json(
            400,
            &[(
                "x-amzn-errortype",
                "ns#ThrottlingException:http://internal.amazon.com/",
            )],
            r#"{"__type":"Other"}"#,
        ),
        json(
            429,
            &[
                ("x-amzn-errortype", "TooManyRequestsException"),
                ("retry-after", "3"),
            ],
            r#"{"Reason":"x","message":"slow"}"#,
        ),
        json(
            403,
            &[],
            r#"{"message":"The security token included in the request is invalid."}"#,
        ),
        json(
            400,
            &[],
            r#"{"__type":"ExpiredTokenException","message":"old"}"#,
        ),
        json(404, &[], "{}"),
        json(404, &[], ""),
        json(500, &[], r#"{"__type":"InternalFailure"}"#),
        json(
            503,
            &[("retry-after", "7")],
            "<html><body>503 Service Unavailable</body></html>",
        ),
        json(502, &[("content-type", "text/html")], "<html>Bad Gateway"),
        json(301, &[("location", "http://elsewhere/")], ""),
        json(413, &[], r#"{"message":"too large"}"#),
        json(400, &[], r#"{"__type":7,"message":["no"]}"#),
        json(400, &[], "[1,2]"),
        json(400, &[], "null"),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_in_the_words_that_the_sdk_has_for_it() {
    for call in CALLS {
        for (at, (to_the_sdk, to_us)) in refusals().into_iter().enumerate() {
            let (clients, _) = serve([to_the_sdk, to_us], &Aws::default());
            let theirs = call.by_the_sdk(&clients, None).await.unwrap_err();
            let direct = clients.direct_of_its_own();
            let ours = call.directly(&clients, &direct, "{}").await.unwrap_err();
            // Where there is no code each client of the SDK has other words, or drops those of the answer.
            let theirs = match ours.code.starts_with("HTTP ") {
                true => Failure {
                    code: ours.code.clone(),
                    message: ours.message.clone(),
                    ..theirs
                },
                false => theirs,
            };
            assert_eq!(ours, theirs, "{call:?}, answer {at}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn words_without_a_code_are_told() {
    let refusal = answer(
        403,
        r#"{"message":"The security token included in the request is invalid."}"#,
    );
    let (clients, _) = serve([refusal], &Aws::default());
    let direct = clients.direct_of_its_own();
    let told = Call::Receive
        .directly(&clients, &direct, "{}")
        .await
        .unwrap_err();
    assert_eq!(
        told.to_string(),
        "HTTP 403: The security token included in the request is invalid."
    );
}

// SQS alone still has the codes of its first protocol.
#[tokio::test(start_paused = true)]
async fn a_code_of_the_old_protocol_is_read_before_that_of_the_new_one() {
    for call in [Call::Receive, Call::Delete, Call::Extend] {
        let refusal = || {
            http::Response::builder()
                .status(400)
                .header(
                    "x-amzn-query-error",
                    "AWS.SimpleQueueService.NonExistentQueue;Sender",
                )
                .body(SdkBody::from(
                    r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"gone"}"#,
                ))
                .unwrap()
        };
        let (clients, _) = serve([refusal(), refusal()], &Aws::default());
        let theirs = call.by_the_sdk(&clients, None).await.unwrap_err();
        let direct = clients.direct_of_its_own();
        let ours = call.directly(&clients, &direct, "{}").await.unwrap_err();
        assert_eq!(ours, theirs, "{call:?}");
        assert_eq!(ours.code, "AWS.SimpleQueueService.NonExistentQueue");
    }
}

#[tokio::test(start_paused = true)]
async fn the_sdk_is_asked_once() {
    let (clients, server) = serve((0..3).map(|_| answer(200, "{}")), &Aws::default());
    let direct = clients.direct_of_its_own();
    let asked = AtomicU32::new(0);
    for _ in 0..3 {
        let ask = |learning| {
            asked.fetch_add(1, Relaxed);
            Call::Receive.by_the_sdk(&clients, Some(learning))
        };
        let sent = direct
            .clone()
            .send(Bytes::from_static(b"{}"), None, WAIT, ask)
            .await;
        assert_eq!(sent.unwrap().body, "{}");
    }
    assert_eq!((asked.load(Relaxed), server.seen().len()), (1, 3));
}

#[tokio::test(start_paused = true)]
async fn a_header_of_one_call_is_of_that_call_alone() {
    let (clients, server) = serve((0..2).map(|_| answer(200, "{}")), &Aws::default());
    let direct = clients.direct_of_its_own();
    let call = Call::Invoke("f", None);
    for trace in [Some("Root=1-5759e988-bd862e3fe1be46a994272793"), None] {
        let header = trace.map(|trace| ("x-amzn-trace-id", trace.to_owned()));
        let ask = |learning| call.by_the_sdk(&clients, Some(learning));
        direct.send(Bytes::new(), header, WAIT, ask).await.unwrap();
        let seen = server.seen();
        let header = seen.last().unwrap().headers.get("x-amzn-trace-id");
        assert_eq!(header.map(String::as_str), trace);
    }
    let (clients, _) = serve([], &Aws::default());
    let header = Some(("x-amzn-trace-id", "two\nlines".to_owned()));
    let ask = |learning| call.by_the_sdk(&clients, Some(learning));
    let unsent = clients
        .direct_of_its_own()
        .send(Bytes::new(), header, WAIT, ask)
        .await;
    assert_eq!(unsent.unwrap_err().code, "not sent");
}

/// What a broken server does instead of answering.
#[derive(Clone, Debug)]
enum Broken {
    /// Its answer, piece by piece, each a second after the one before; then this.
    Pieces(u16, Vec<Result<&'static [u8], ()>>, bool),
    Silent,
    Refusing,
    Unreachable,
}

impl HttpConnector for Broken {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let broken = self.clone();
        HttpConnectorFuture::new(async move {
            let (status, pieces, ends) = match broken {
                Self::Silent => return std::future::pending().await,
                Self::Refusing => {
                    let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
                    return Err(ConnectorError::io(refused.into()));
                }
                Self::Unreachable => return Err(ConnectorError::timeout("nobody there".into())),
                Self::Pieces(status, pieces, ends) => (status, pieces, ends),
            };
            let pieces =
                futures_util::stream::unfold(pieces.into_iter(), move |mut pieces| async move {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    let piece = match pieces.next() {
                        Some(piece) => piece,
                        None if ends => return None,
                        None => std::future::pending().await,
                    };
                    let piece = piece.map(|data| Frame::data(Bytes::from_static(data)));
                    Some((piece.map_err(|()| std::io::Error::other("reset")), pieces))
                });
            let body = SdkBody::from_body_1_x(StreamBody::new(pieces.fuse()));
            let response = http::Response::builder().status(status).body(body).unwrap();
            Ok(HttpResponse::try_from(response).unwrap())
        })
    }
}

async fn against(broken: Broken, at_most: Duration) -> (Result<Bytes, String>, Duration) {
    let clients = on(SharedHttpConnector::new(broken), always(), &own_endpoints());
    let direct = clients.direct_of_its_own();
    let ask = |learning| Call::Receive.by_the_sdk(&clients, Some(learning));
    let start = tokio::time::Instant::now();
    let sent = direct.send(Bytes::new(), None, at_most, ask).await;
    let told = sent
        .map(|answer| answer.body)
        .map_err(|failure| format!("{:?} {:?} {failure}", failure.fault, failure.status));
    (told, start.elapsed())
}

#[tokio::test(start_paused = true)]
async fn what_goes_wrong_on_the_way_is_told_with_whom_and_why_and_in_time() {
    let (pieces, s) = (Broken::Pieces, Duration::from_secs);
    for (broken, at_most, expected, took) in [
        (
            pieces(200, vec![Ok(b"{\"a\":"), Ok(b""), Ok(b"1}")], true),
            s(60),
            Ok("{\"a\":1}"),
            s(4),
        ),
        (pieces(200, vec![], true), s(60), Ok(""), s(1)),
        (pieces(200, vec![Ok(b"{}")], true), s(60), Ok("{}"), s(2)),
        (
            pieces(200, vec![Ok(b"{"), Err(())], true),
            s(60),
            Err("Transient Some(200) unreadable answer: sqs.test:9324: reset"),
            s(2),
        ),
        (
            pieces(503, vec![Err(())], true),
            s(60),
            Err("Transient Some(503) unreadable answer: sqs.test:9324: reset"),
            s(1),
        ),
        (
            pieces(403, vec![Err(())], true),
            s(60),
            Err("Denied Some(403) unreadable answer: sqs.test:9324: reset"),
            s(1),
        ),
        // It begins, and stops.
        (
            pieces(200, vec![Ok(b"{"), Ok(b"\"")], false),
            s(900),
            Err(
                "Transient Some(200) unreadable answer: sqs.test:9324: the answer stopped for 20 s",
            ),
            s(22),
        ),
        (
            pieces(200, vec![Ok(b"{"); 100], true),
            s(30),
            Err("Transient None timed out: sqs.test:9324"),
            s(30),
        ),
        (
            Broken::Silent,
            s(30),
            Err("Transient None timed out: sqs.test:9324"),
            s(30),
        ),
        (
            Broken::Refusing,
            s(30),
            Err("Transient None no answer: io error: connection refused"),
            s(0),
        ),
        (
            Broken::Unreachable,
            s(30),
            Err("Transient None no connection: timeout: nobody there"),
            s(0),
        ),
    ] {
        let (told, elapsed) = against(broken.clone(), at_most).await;
        let told = told.map(|body| String::from_utf8(body.to_vec()).unwrap());
        assert_eq!(
            told,
            expected.map(str::to_owned).map_err(str::to_owned),
            "{broken:?}"
        );
        assert_eq!(elapsed.as_secs(), took.as_secs(), "{broken:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_end_is_not_kept() {
    static MUCH: [u8; 1 << 20] = [b' '; 1 << 20];
    let endless = Broken::Pieces(200, vec![Ok(&MUCH); 70], true);
    let (told, elapsed) = against(endless, Duration::from_secs(900)).await;
    assert_eq!(
        told.unwrap_err(),
        "Transient Some(200) unreadable answer: sqs.test:9324: the answer is longer than 67108864 bytes"
    );
    assert_eq!(elapsed.as_secs(), 65);
}
