//! Functions as tests write them: a handler from an invocation to a reply, with a time-out and a concurrency limit.

use std::{collections::BTreeMap, fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

/// What Lambda knows of a function.
#[derive(Clone, Debug)]
pub struct FunctionConfig {
    /// Its time-out: 3 s in AWS unless set, 900 s at most.
    // API: Lambda CreateFunction, Timeout
    pub timeout: Duration,
    /// How many invocations may run at once; none for no limit. Zero throttles every one.
    // API: Lambda PutFunctionConcurrency, ReservedConcurrentExecutions
    pub concurrency: Option<u32>,
    /// The execution role.
    pub role: String,
    /// The version that runs when no qualifier is given.
    pub version: String,
}

impl Default for FunctionConfig {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(3),
            concurrency: None,
            role: "arn:aws:iam::000000000000:role/function".to_owned(),
            version: "$LATEST".to_owned(),
        }
    }
}

/// One run of a function.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// The function's bare name.
    pub function: String,
    /// The version or alias that was asked for.
    pub qualifier: Option<String>,
    /// The event, byte for byte.
    pub event: Bytes,
    /// The request's id.
    pub request_id: String,
    /// The X-Ray trace header of the request.
    pub trace: Option<String>,
    /// The headers of the request, lower-case names, for those that are text.
    pub headers: BTreeMap<String, String>,
    /// Counts the invocations of this function that were accepted, dry runs included, from 1.
    pub number: u64,
}

impl Invocation {
    /// The ids of the event's SQS records, in order.
    pub fn message_ids(&self) -> Vec<String> {
        message_ids(&self.event)
    }

    /// The bodies of the event's SQS records, in order.
    pub fn bodies(&self) -> Vec<String> {
        records(&self.event)
            .into_iter()
            .filter_map(|record| record.body)
            .collect()
    }
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "Records", default)]
    records: Vec<Record>,
}

#[derive(Deserialize)]
struct Record {
    #[serde(rename = "messageId")]
    message_id: Option<String>,
    body: Option<String>,
}

fn records(event: &[u8]) -> Vec<Record> {
    serde_json::from_slice::<Event>(event).map_or_else(|_| Vec::new(), |event| event.records)
}

pub(super) fn message_ids(event: &[u8]) -> Vec<String> {
    records(event)
        .into_iter()
        .filter_map(|record| record.message_id)
        .collect()
}

/// What a handler answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// 200 if the function ran; anything else is Lambda's own refusal, with the payload as its body.
    pub status: u16,
    /// The function's result.
    pub payload: Bytes,
    /// The X-Amz-Function-Error header: `Unhandled`, `Handled`.
    // API: Lambda Invoke, FunctionError
    pub function_error: Option<String>,
    /// How long the function takes, on top of what its handler waits.
    pub delay: Duration,
    /// Further headers, which only a function behind a plain URL can set.
    pub headers: Vec<(&'static str, String)>,
}

impl Reply {
    /// A success with this result.
    pub fn ok(payload: impl Into<Bytes>) -> Self {
        Self {
            status: 200,
            payload: payload.into(),
            function_error: None,
            delay: Duration::ZERO,
            headers: Vec::new(),
        }
    }

    /// A success that names the messages which failed.
    pub fn batch_item_failures<I: AsRef<str>>(ids: impl IntoIterator<Item = I>) -> Self {
        let failures: Vec<_> = ids
            .into_iter()
            .map(|id| json!({ "itemIdentifier": id.as_ref() }))
            .collect();
        Self::ok(json!({ "batchItemFailures": failures }).to_string())
    }

    /// An exception in the function.
    pub fn error(message: &str) -> Self {
        let payload =
            json!({ "errorMessage": message, "errorType": "Error", "trace": [] }).to_string();
        Self {
            function_error: Some("Unhandled".to_owned()),
            ..Self::ok(payload)
        }
    }

    /// A refusal by Lambda with this status, as the services behind it make them.
    pub fn refused(status: u16, message: &str) -> Self {
        Self {
            status,
            ..Self::ok(json!({ "Type": "Service", "message": message }).to_string())
        }
    }

    /// The same reply with one more header.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same reply, later.
    pub fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }
}

type Handler = dyn Fn(Invocation) -> Pin<Box<dyn Future<Output = Reply> + Send>> + Send + Sync;

/// A registered function.
#[derive(Clone)]
pub(in crate::sim) struct Function {
    pub(super) config: FunctionConfig,
    pub(super) handler: Arc<Handler>,
    /// How many were accepted.
    pub(super) invocations: u64,
    /// Deleted, and made anew then: since the world began.
    pub(in crate::sim) away_until: Duration,
    /// One part is held by each invocation that runs, whatever becomes of the registration meanwhile.
    pub(super) permits: Arc<()>,
}

impl Function {
    pub(super) fn new<H>(config: FunctionConfig, handler: H) -> Self
    where
        H: Fn(Invocation) -> Pin<Box<dyn Future<Output = Reply> + Send>> + Send + Sync + 'static,
    {
        Self {
            config,
            handler: Arc::new(handler),
            invocations: 0,
            away_until: Duration::ZERO,
            permits: Arc::new(()),
        }
    }

    /// How many invocations run now.
    pub(super) fn running(&self) -> u32 {
        u32::try_from(Arc::strong_count(&self.permits) - 1).unwrap_or(u32::MAX)
    }

    /// Whether one more would be too many.
    pub(super) fn full(&self) -> bool {
        self.config
            .concurrency
            .is_some_and(|most| self.running() >= most)
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Function")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
