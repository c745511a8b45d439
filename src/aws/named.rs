//! A connector whose errors say with whom: endpoints come from files, the environment and profiles, and at night nobody
//! remembers which.

use std::error::Error;
use std::fmt;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;

/// A connector of somebody else.
#[derive(Debug)]
pub(super) struct Named(pub SharedHttpConnector);

impl HttpConnector for Named {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let uri: Option<http::Uri> = request.uri().parse().ok();
        let whom = uri.and_then(|uri| uri.authority().map(host_and_port));
        let answer = self.0.call(request);
        HttpConnectorFuture::new(async move {
            answer.await.map_err(|error| match whom {
                Some(whom) => named(error, whom),
                None => error,
            })
        })
    }
}

/// Without user and password, should an address have them.
fn host_and_port(authority: &http::uri::Authority) -> String {
    match authority.port() {
        Some(port) => format!("{}:{port}", authority.host()),
        None => authority.host().to_owned(),
    }
}

/// The same kind of error, with a name.
fn named(error: ConnectorError, whom: String) -> ConnectorError {
    let (timeout, user, io, other) = (
        error.is_timeout(),
        error.is_user(),
        error.is_io(),
        error.as_other(),
    );
    let from = Box::new(From {
        whom,
        source: error.into_source(),
    });
    match () {
        () if timeout => ConnectorError::timeout(from),
        () if user => ConnectorError::user(from),
        () if io => ConnectorError::io(from),
        () => ConnectorError::other(from, other),
    }
}

/// An error, and with whom it happened.
#[derive(Debug)]
struct From {
    whom: String,
    source: Box<dyn Error + Send + Sync>,
}

impl fmt::Display for From {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.whom)
    }
}

impl Error for From {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::fault::chain;

    #[derive(Debug)]
    struct Refusing;

    impl HttpConnector for Refusing {
        fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
            let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
            HttpConnectorFuture::ready(Err(ConnectorError::io(refused.into())))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_says_with_whom_and_stays_of_its_kind() {
        let connector = Named(SharedHttpConnector::new(Refusing));
        for (uri, whom) in [
            ("http://127.0.0.1:4566/q", "127.0.0.1:4566"),
            (
                "https://sqs.us-east-1.amazonaws.com/",
                "sqs.us-east-1.amazonaws.com",
            ),
            ("http://user:secret@host:1/", "host:1"),
        ] {
            let request = HttpRequest::get(uri).unwrap();
            let error = connector.call(request).await.unwrap_err();
            assert!(error.is_io(), "{error:?}");
            let text = chain(&error);
            assert!(
                text.contains(&format!("{whom}: connection refused")),
                "{text}"
            );
            assert!(!text.contains("secret"), "{text}");
        }
        let slow = named(ConnectorError::timeout("late".into()), "h:1".into());
        assert!(slow.is_timeout());
    }
}
