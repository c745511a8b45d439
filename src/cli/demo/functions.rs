//! The demo's two functions: one in the embedded Lambda, one an HTTP server of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use serde::Deserialize;
use tokio::net::TcpListener;

use crate::cli::loopback;
use crate::sim::{FunctionConfig, Reply, World};

/// The function that handles orders.
pub const ORDERS_FUNCTION: &str = "process-orders";

/// How long a function works on a batch.
const WORK: Duration = Duration::from_millis(20);

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "Records")]
    records: Vec<Record>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    message_id: String,
    body: String,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Body {
    number: u64,
    #[serde(default)]
    poison: bool,
}

/// Every record that can not be handled is reported, and where order counts all later ones of its message group, which
/// are not touched before their time; the rest was handled.
fn failures(event: &[u8], mut handle: impl FnMut(&Record, &Body)) -> Reply {
    let Ok(event) = serde_json::from_slice::<Event>(event) else {
        return Reply::error("the event can not be read");
    };
    let mut failed = Vec::new();
    let mut stopped = BTreeSet::new();
    for record in &event.records {
        let group = record.attributes.get("MessageGroupId");
        let behind = group.is_some_and(|group| stopped.contains(group));
        match serde_json::from_str::<Body>(&record.body) {
            Ok(body) if !body.poison && !behind => handle(record, &body),
            Ok(_) | Err(_) => {
                stopped.extend(group);
                failed.push(record.message_id.clone());
            }
        }
    }
    Reply::batch_item_failures(failed)
}

/// The function behind the Invoke API.
pub fn register_orders(world: &World) {
    let config = FunctionConfig {
        // No longer than the queue's visibility, which would be stretched otherwise.
        timeout: Duration::from_secs(1),
        ..FunctionConfig::default()
    };
    world.register(ORDERS_FUNCTION, config, |invocation| {
        let reply = failures(&invocation.event, |_, _| ());
        std::future::ready(reply.after(WORK))
    });
}

/// What the HTTP function remembers: the last payment of each customer.
#[derive(Clone, Debug, Default)]
pub struct Payments {
    last: Arc<Mutex<BTreeMap<String, u64>>>,
    disorder: Arc<Mutex<u64>>,
}

impl Payments {
    /// How many payments came before an earlier one of their customer.
    pub fn disorder(&self) -> u64 {
        *self
            .disorder
            .lock()
            .expect("nothing panics while it counts")
    }

    fn handle(&self, event: &[u8]) -> Reply {
        failures(event, |record, body| {
            let customer = record
                .attributes
                .get("MessageGroupId")
                .cloned()
                .unwrap_or_default();
            let mut last = self
                .last
                .lock()
                .expect("nothing panics while it holds the payments");
            let before = last.insert(customer, body.number);
            if before.is_some_and(|before| body.number < before) {
                *self
                    .disorder
                    .lock()
                    .expect("nothing panics while it counts") += 1;
            }
        })
    }
}

/// The function behind a URL, for as long as this is polled.
pub async fn serve_payments(listener: TcpListener, payments: Payments) {
    loopback::serve(listener, move |request| answer(request, payments.clone())).await;
}

async fn answer(request: Request<Incoming>, payments: Payments) -> Response<Full<Bytes>> {
    let Ok(event) = request.into_body().collect().await else {
        let mut refused = Response::new(Full::default());
        *refused.status_mut() = http::StatusCode::BAD_REQUEST;
        return refused;
    };
    tokio::time::sleep(WORK).await;
    let reply = payments.handle(&event.to_bytes());
    let mut response = Response::new(Full::new(reply.payload));
    if reply.function_error.is_some() {
        response.headers_mut().insert(
            "x-amz-function-error",
            http::HeaderValue::from_static("Unhandled"),
        );
    }
    response
}
