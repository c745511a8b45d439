//! Pause, resume, and positions that are set, asked for at the desk of a service at work: what is delivered afterwards.

mod lives;
mod pauses;
mod seeks;
mod stops;
mod topology;

use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use sluicegate::admin::port::Port;
use sluicegate::reports::Account;
use sluicegate::service::desk::Desk;
use tokio::task::JoinSet;

use super::StreamStage;
use crate::engine::{Running, parsed};

/// A service at work, and whoever answers for it. Dropped, it is killed.
struct Attended {
    running: Running,
    desk: Arc<Desk>,
    port: Port,
    _serving: JoinSet<()>,
}

impl Attended {
    async fn start(stage: &StreamStage, text: &str) -> Self {
        let (running, desk) = stage.stage.attended(text).await;
        let (port, asked) = Port::new();
        let mut serving = JoinSet::new();
        serving.spawn(desk.clone().serve(asked));
        Self {
            running,
            desk,
            port,
            _serving: serving,
        }
    }

    /// Status and body.
    async fn ask(&self, method: Method, uuid: &str, verb: &str, body: &Value) -> (u16, Value) {
        let path = format!("/2015-03-31/event-source-mappings/{uuid}{verb}");
        let body = match body {
            Value::Null => Bytes::new(),
            body => Bytes::from(body.to_string()),
        };
        let asked = self.port.ask("a test".into(), method, path, None, body);
        let answer = asked.await.expect("it answers in time");
        let body = serde_json::from_slice(&answer.body).expect("an answer is JSON");
        (answer.status.as_u16(), body)
    }

    async fn get(&self, uuid: &str) -> Value {
        let (status, body) = self.ask(Method::GET, uuid, "", &Value::Null).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    async fn pause(&self, uuid: &str) -> Value {
        let (status, body) = self.ask(Method::POST, uuid, "/pause", &Value::Null).await;
        assert_eq!(status, 202, "{body}");
        body
    }

    async fn resume(&self, uuid: &str) -> Value {
        let (status, body) = self.ask(Method::POST, uuid, "/resume", &Value::Null).await;
        assert_eq!(status, 202, "{body}");
        body
    }

    async fn position(&self, uuid: &str) -> Value {
        let asked = self.ask(Method::GET, uuid, "/position", &Value::Null);
        let (status, body) = asked.await;
        assert_eq!(status, 200, "{body}");
        body
    }

    async fn seek(&self, uuid: &str, seek: Value) -> Value {
        let (status, body) = self.ask(Method::PUT, uuid, "/position", &seek).await;
        assert_eq!(status, 200, "{seek}: {body}");
        body
    }

    /// The message of a refusal.
    async fn refused(&self, uuid: &str, seek: Value) -> String {
        let (status, body) = self.ask(Method::PUT, uuid, "/position", &seek).await;
        assert_eq!(status, 400, "{seek}: {body}");
        body["message"].as_str().expect("a message").to_owned()
    }

    async fn reload(&self, text: &str) {
        let reloaded = self.desk.reload(&parsed(text)).await;
        reloaded.expect("the store is open");
    }

    async fn stop(self) -> Account {
        self.running.stop().await
    }
}

fn to(position: &str) -> Value {
    json!({ "StartingPosition": position })
}

fn undo() -> Value {
    json!({ "Undo": true })
}
