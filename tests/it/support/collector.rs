//! The functions' mind: an HTTP server in the test that keeps a ledger of what functions were called with, and answers
//! each call from the test's script.
//!
//! It stands behind the forwarding Lambda function, behind the embedded AWS, and is itself a target of kind `Http`.
//! Only directly does a status, a cut connection or a slow trickle reach the engine as such: behind a Lambda function
//! each of these is an exception of the function.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinSet, yield_now};
use tokio::time::{Instant, sleep, timeout};

use crate::support::PATIENCE;

/// One call of a function.
#[derive(Clone, Debug)]
pub struct Call {
    /// The path that was called, without its slash: the name given to [`Collector::url`].
    pub function: String,
    /// Header names are in lower case.
    pub headers: BTreeMap<String, String>,
    /// What the function was given, to the byte if it was called directly.
    pub body: Bytes,
    /// The same, parsed; null if it was no JSON.
    pub event: Value,
    pub arrived: Instant,
    /// When its reply was complete; none while the function runs, and where the reply was cut.
    pub answered: Option<Instant>,
}

impl Call {
    /// Of the records of a queue's event, in its order.
    pub fn message_ids(&self) -> Vec<String> {
        self.strings("messageId")
    }

    /// Of the records of a queue's event, in its order.
    pub fn bodies(&self) -> Vec<String> {
        self.strings("body")
    }

    fn strings(&self, key: &str) -> Vec<String> {
        let records = self.event["Records"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        records
            .iter()
            .filter_map(|record| record[key].as_str().map(str::to_owned))
            .collect()
    }
}

/// What a function does with a call.
#[derive(Clone, Debug)]
pub struct Reply {
    after: Duration,
    answer: Answer,
}

#[derive(Clone, Debug)]
enum Answer {
    Text(String),
    FunctionError(String),
    Status(StatusCode, String),
    /// The connection is closed before any answer.
    Refused,
    /// The connection is closed in the middle of the answer.
    Cut(String),
    /// A byte at a time, with this pause between two.
    Trickle(String, Duration),
}

impl Reply {
    fn new(answer: Answer) -> Self {
        Self {
            after: Duration::ZERO,
            answer,
        }
    }

    /// Everything was handled.
    pub fn success() -> Self {
        Self::text("null")
    }

    /// These messages failed, the others were handled.
    pub fn failures(ids: &[String]) -> Self {
        let failures: Vec<_> = ids.iter().map(|id| json!({"itemIdentifier": id})).collect();
        Self::text(&json!({"batchItemFailures": failures}).to_string())
    }

    /// Any text, readable or not.
    pub fn text(body: &str) -> Self {
        Self::new(Answer::Text(body.to_owned()))
    }

    /// The function raised an exception.
    pub fn function_error(message: &str) -> Self {
        Self::new(Answer::FunctionError(message.to_owned()))
    }

    /// Another status than 200. A 429 says `Retry-After: 1`.
    pub fn status(status: u16, body: &str) -> Self {
        Self::new(Answer::Status(
            StatusCode::from_u16(status).expect("a status"),
            body.to_owned(),
        ))
    }

    /// The connection ends without an answer.
    pub fn refused() -> Self {
        Self::new(Answer::Refused)
    }

    /// The connection ends in the middle of this answer.
    pub fn cut(body: &str) -> Self {
        Self::new(Answer::Cut(body.to_owned()))
    }

    /// The answer comes byte by byte.
    pub fn trickle(body: &str, pause: Duration) -> Self {
        Self::new(Answer::Trickle(body.to_owned(), pause))
    }

    /// The function takes this long before it answers.
    pub fn after(self, after: Duration) -> Self {
        Self { after, ..self }
    }
}

type Body = UnsyncBoxBody<Bytes, io::Error>;
type Script = Mutex<Box<dyn FnMut(&Call) -> Reply + Send>>;

struct State {
    script: Script,
    ledger: watch::Sender<Vec<Call>>,
}

/// The server. It ends, with its connections, when it is dropped.
pub struct Collector {
    base: String,
    state: Arc<State>,
    _server: JoinSet<()>,
}

impl Collector {
    /// Listens on a free port of the loopback address; `script` decides on each call, in the order of arrival.
    pub async fn start(script: impl FnMut(&Call) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("a bound address"));
        let state = Arc::new(State {
            script: Mutex::new(Box::new(script)),
            ledger: watch::Sender::default(),
        });
        let mut server = JoinSet::new();
        server.spawn(serve(listener, Arc::clone(&state)));
        Self {
            base,
            state,
            _server: server,
        }
    }

    /// Where a function of this name posts its events.
    pub fn url(&self, function: &str) -> String {
        format!("{}/{function}", self.base)
    }

    /// The ledger as it is now.
    pub fn calls(&self) -> Vec<Call> {
        self.state.ledger.borrow().clone()
    }

    /// The ledger once it is as wished; fails with `what` and the ledger where that takes more than [`PATIENCE`].
    pub async fn wait_for(&self, what: &str, wished: impl Fn(&[Call]) -> bool) -> Vec<Call> {
        let mut ledger = self.state.ledger.subscribe();
        let reached = timeout(PATIENCE, ledger.wait_for(|calls| wished(calls))).await;
        match reached {
            Ok(calls) => calls
                .expect("the ledger lives as long as the collector")
                .clone(),
            Err(_) => panic!(
                "waited in vain for {what}; the ledger holds {:#?}",
                self.calls()
            ),
        }
    }
}

async fn serve(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            Some(ended) = connections.join_next() => ended.expect("a connection does not panic"),
            accepted = listener.accept() => {
                let (stream, _) = accepted.expect("the listener accepts");
                connections.spawn(connection(stream, Arc::clone(&state)));
            }
        }
    }
}

async fn connection(stream: TcpStream, state: Arc<State>) {
    let service = service_fn(|request| answer(request, &state));
    let served = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
    // Replies that cut the connection, and callers that give up, end here; the ledger holds what the test asks for.
    drop(served);
}

async fn answer(request: Request<Incoming>, state: &State) -> io::Result<Response<Body>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let call = Call {
        function: head.uri.path().trim_start_matches('/').to_owned(),
        headers: head
            .headers
            .iter()
            .map(|(name, value)| {
                (
                    name.to_string(),
                    String::from_utf8_lossy(value.as_bytes()).into_owned(),
                )
            })
            .collect(),
        event: serde_json::from_slice(&body).unwrap_or_default(),
        body,
        arrived: Instant::now(),
        answered: None,
    };
    let (reply, number) = {
        let mut script = state.script.lock().expect("the script does not panic");
        let reply = script(&call);
        let mut number = 0;
        state.ledger.send_modify(|calls| {
            number = calls.len();
            calls.push(call);
        });
        (reply, number)
    };

    sleep(reply.after).await;
    let response = respond(reply.answer)?;
    let cut = matches!(response.extensions().get(), Some(Incomplete));
    if !cut {
        state
            .ledger
            .send_modify(|calls| calls[number].answered = Some(Instant::now()));
    }
    Ok(response)
}

/// Marks a response whose end never comes.
#[derive(Clone)]
struct Incomplete;

fn respond(answer: Answer) -> io::Result<Response<Body>> {
    let response = Response::builder().header("content-type", "application/json");
    let response = match answer {
        Answer::Text(body) => response.body(whole(body)),
        Answer::FunctionError(body) => response
            .header("x-amz-function-error", "Unhandled")
            .body(whole(body)),
        Answer::Status(StatusCode::TOO_MANY_REQUESTS, body) => response
            .status(StatusCode::TOO_MANY_REQUESTS)
            .header("retry-after", "1")
            .body(whole(body)),
        Answer::Status(status, body) => response.status(status).body(whole(body)),
        Answer::Refused => return Err(io::Error::other("the script refuses")),
        Answer::Cut(body) => {
            let length = body.len();
            let half = Bytes::from(body).slice(..length / 2);
            // Waits once, so that the first half has left before the connection ends.
            let end = async {
                yield_now().await;
                Err(io::Error::other("the script cuts"))
            };
            let frames = stream::iter([Ok(Frame::data(half))]).chain(stream::once(end));
            let body = StreamBody::new(frames).boxed_unsync();
            response
                .header("content-length", length)
                .extension(Incomplete)
                .body(body)
        }
        Answer::Trickle(body, pause) => {
            let bytes = stream::unfold(body.into_bytes().into_iter(), move |mut rest| async move {
                let byte = rest.next()?;
                sleep(pause).await;
                Some((Ok(Frame::data(Bytes::from(vec![byte]))), rest))
            });
            response.body(StreamBody::new(bytes).boxed_unsync())
        }
    };
    Ok(response.expect("a well-formed response"))
}

fn whole(body: String) -> Body {
    Full::new(Bytes::from(body))
        .map_err(|never| match never {})
        .boxed_unsync()
}

#[cfg(test)]
mod tests;
