//! Errors that say with whom: endpoints come from files, the environment and profiles, and at night nobody remembers
//! which.

use std::error::Error;
use std::{fmt, mem};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::FinalizerInterceptorContextMut;
use aws_smithy_runtime_api::client::orchestrator::OrchestratorError;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::endpoint::Endpoint;

/// The host of an address and its port, without user and password, should it have them.
pub fn whom(uri: &str) -> Option<String> {
    let uri: http::Uri = uri.parse().ok()?;
    let authority = uri.authority()?;
    Some(match authority.port() {
        Some(port) => format!("{}:{port}", authority.host()),
        None => authority.host().to_owned(),
    })
}

/// Names the endpoint in what goes wrong above the connector: a call that took too long, an answer that broke off.
#[derive(Debug)]
pub(super) struct Naming;

impl Intercept for Naming {
    fn name(&self) -> &'static str {
        "Naming"
    }

    fn modify_before_completion(
        &self,
        context: &mut FinalizerInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(Err(error)) = context.output_or_error_mut() else {
            return Ok(());
        };
        let anew = match () {
            () if error.is_timeout_error() => OrchestratorError::timeout,
            () if error.is_response_error() => OrchestratorError::response,
            () => return Ok(()),
        };
        // None yet where it was the credentials that took too long.
        if let Some(whom) = config.load::<Endpoint>().and_then(|to| whom(to.url())) {
            let source = mem::replace(error, OrchestratorError::other("it is being named"));
            *error = anew(Box::new(From {
                whom,
                source: source.into(),
            }));
        }
        Ok(())
    }
}

/// The same kind of error, with a name.
pub(super) fn named(error: ConnectorError, whom: String) -> ConnectorError {
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
    use aws_smithy_runtime_api::client::http::{
        HttpConnector, HttpConnectorFuture, SharedHttpConnector,
    };
    use aws_smithy_runtime_api::client::orchestrator::HttpRequest;

    use super::*;
    use crate::aws::fault::chain;
    use crate::aws::renewed::Renewed;

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
        let connector = Renewed::new(|| SharedHttpConnector::new(Refusing));
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
