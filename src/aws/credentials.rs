//! Tells an error of the credential chain from one of the network: the SDK reports both as a failed dispatch.

use std::error::Error;

use aws_sdk_sqs::config::{Credentials, ProvideCredentials, SharedCredentialsProvider};

use super::fault::chain;

/// What a person can do about it.
const REMEDY: &str =
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give this machine a role";

/// What to say, in one line, when it was for want of credentials that a call was not sent.
pub(super) fn wanting(error: &(dyn Error + 'static)) -> Option<String> {
    let asked = <SharedCredentialsProvider as ProvideCredentials>::provide_credentials;
    let cause = cause(error, asked)?;
    // Its own text is one for all causes.
    let why = chain(cause.source().unwrap_or(cause));
    let words: Vec<&str> = why.split_whitespace().collect();
    Some(format!("{REMEDY}; tried: {}", words.join(" ")))
}

/// The one among the causes that is of the kind with which `asked` fails: it has a name only in a crate of the SDK that
/// we do not depend on.
fn cause<'e, P: 'static, F, E>(
    error: &'e (dyn Error + 'static),
    _asked: fn(&'static P) -> F,
) -> Option<&'e (dyn Error + 'static)>
where
    F: Future<Output = Result<Credentials, E>>,
    E: Error + 'static,
{
    let mut next = Some(error);
    while let Some(error) = next.filter(|error| !error.is::<E>()) {
        next = error.source();
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_something_else_is_no_want_of_credentials() {
        let error = std::io::Error::other(std::fmt::Error);
        assert_eq!(wanting(&error), None);
    }
}
