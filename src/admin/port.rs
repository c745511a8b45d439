//! The way from the listener's thread to whoever answers for the control API, and back.

use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, Method, StatusCode};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::control::Refusal;

/// What AWS calls the kind of an error.
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// Requests that may wait; more are refused.
pub const WAITING_MAX: usize = 64;
/// How long an answer may take: what has to exist is asked for on the way.
pub const ANSWER_TIME_MAX: Duration = Duration::from_secs(25);

/// A request whose sender may make it.
#[derive(Debug)]
pub struct Asked {
    /// Who asks, for the log.
    pub who: String,
    /// `GET` ...
    pub method: Method,
    /// As it came, encoded.
    pub path: String,
    /// Likewise.
    pub query: Option<String>,
    /// All of it.
    pub body: Bytes,
    /// Where the answer goes.
    pub answer: oneshot::Sender<Answer>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Beside what every answer has.
    pub headers: HeaderMap,
    /// JSON, or nothing.
    pub body: Bytes,
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(ERROR_TYPE, HeaderValue::from_static(refusal.code));
        if let Some(seconds) = refusal.retry_after_s {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        let status = StatusCode::from_u16(refusal.status);
        Self {
            status: status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            headers,
            body: Bytes::from(refusal.body()),
        }
    }
}

/// The end at which it is asked. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Port(mpsc::Sender<Asked>);

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silent {
    /// Too many wait.
    Busy,
    /// The service ends, or was not begun.
    Gone,
    /// It took too long; what was asked for may be done all the same.
    Late,
}

impl Port {
    /// The two ends.
    pub fn new() -> (Self, mpsc::Receiver<Asked>) {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        (Self(sender), receiver)
    }

    /// Ask, and wait for the answer.
    ///
    /// # Errors
    /// See [`Silent`].
    pub async fn ask(
        &self,
        who: String,
        method: Method,
        path: String,
        query: Option<String>,
        body: Bytes,
    ) -> Result<Answer, Silent> {
        let (answer, answered) = oneshot::channel();
        let asked = Asked {
            who,
            method,
            path,
            query,
            body,
            answer,
        };
        self.0.try_send(asked).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Silent::Busy,
            mpsc::error::TrySendError::Closed(_) => Silent::Gone,
        })?;
        match timeout(ANSWER_TIME_MAX, answered).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(Silent::Gone),
            Err(_) => Err(Silent::Late),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(port: &Port) -> impl Future<Output = Result<Answer, Silent>> {
        let (who, path) = ("a test".to_owned(), "/".to_owned());
        port.ask(who, Method::GET, path, None, Bytes::new())
    }

    fn answer() -> Answer {
        Answer {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: Bytes::from_static(b"{}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_comes_back_or_the_reason_why_not() {
        let (port, mut asked) = Port::new();
        let (answered, ()) = tokio::join!(ask(&port), async {
            let request = asked.recv().await.unwrap();
            request.answer.send(answer()).unwrap();
        });
        assert_eq!(answered, Ok(answer()));
        let (answered, ()) = tokio::join!(ask(&port), async {
            drop(asked.recv().await.unwrap());
        });
        assert_eq!(answered, Err(Silent::Gone));
        assert_eq!(ask(&port).await, Err(Silent::Late));
        for _ in 1..WAITING_MAX {
            let late = timeout(Duration::from_secs(1), ask(&port)).await;
            assert!(late.is_err());
        }
        assert_eq!(ask(&port).await, Err(Silent::Busy));
        drop(asked);
        assert_eq!(ask(&port).await, Err(Silent::Gone));
    }
}
