//! What an error of AWS says -> what to do about it. Values in, values out, with no type of the SDK: a fuzzer compiles it alone.

use std::time::Duration;

/// The longest piece of somebody else's error text that we keep.
pub const TEXT_MAX: usize = 300;

/// Named by the reaction that it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Too many calls: wait, at least for `after` where the service said so.
    Throttled {
        /// The wait that the service asked for.
        after: Option<Duration>,
    },
    /// It may work next time: the network, the service, an answer that can not be read.
    Transient,
    /// The receipt, iterator or page token is no longer valid: what it stood for is not ours any more. A reader opens its
    /// position anew.
    Expired,
    /// The position is older than the oldest record that the stream still has: what lay between is lost. // spec: 5.1
    Trimmed,
    /// Credentials or permissions: it will not work until somebody changes them.
    Denied,
    /// What was named does not exist.
    Gone,
    /// The service refuses this very request, and would do so again.
    Invalid,
}

/// In place of an HTTP status: a code that is not known says nothing then but that it may work next time.
pub const NO_STATUS: u16 = 0;

/// The kind of an error by its code, and where that says nothing by its status.
pub fn classify(code: &str, status: u16, after: Option<Duration>) -> Fault {
    // Codes arrive with a namespace (`com.amazonaws.sqs#...`) or a prefix of the old protocol.
    let code = code.rsplit('#').next().unwrap_or(code);
    match code {
        "ThrottlingException"
        | "Throttling"
        | "Throttled"
        | "ThrottledException"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "BandwidthLimitExceeded"
        | "LimitExceededException"
        | "ProvisionedThroughputExceededException"
        | "SlowDown"
        | "KmsThrottled"
        | "KMSThrottling"
        | "KMSThrottlingException"
        | "OverLimit"
        | "EC2ThrottledException" => Fault::Throttled { after },
        "ReceiptHandleIsInvalid"
        | "MessageNotInflight"
        | "ExpiredIteratorException"
        | "ExpiredNextTokenException"
        | "InvalidIdFormat"
        | "AWS.SimpleQueueService.MessageNotInflight" => Fault::Expired,
        // Kinesis says nothing as certain: a number that it can not place may as well be of another stream.
        "TrimmedDataAccessException" => Fault::Trimmed,
        "AccessDenied"
        | "AccessDeniedException"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature"
        | "MissingAuthenticationToken"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidSecurity"
        | "KmsAccessDenied"
        | "KMSAccessDeniedException"
        // The key of an encrypted stream, queue or topic: somebody must put it right.
        | "KMSDisabledException"
        | "KMSInvalidStateException"
        | "KMSNotFoundException"
        | "KMSOptInRequired"
        | "KmsDisabled"
        | "KmsInvalidState"
        | "KmsNotFound"
        | "KmsOptInRequired"
        | "KMSAccessDenied"
        | "KMSDisabled"
        | "KMSInvalidState"
        | "KMSNotFound"
        | "AuthorizationError"
        | "OptInRequired"
        | "NotAuthorized" => Fault::Denied,
        "ResourceNotFoundException"
        | "QueueDoesNotExist"
        | "AWS.SimpleQueueService.NonExistentQueue"
        | "QueueDeletedRecently" => Fault::Gone,
        "RequestTimeTooSkewed"
        | "RequestExpired"
        // A stream that is being made or changed, or a shard that was subscribed to a moment ago.
        | "ResourceInUseException"
        | "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "InternalFailure"
        | "InternalError"
        | "InternalServerError"
        | "ServiceException" => Fault::Transient,
        _ => match status {
            429 => Fault::Throttled { after },
            401 | 403 => Fault::Denied,
            404 => Fault::Gone,
            400..=499 if status != 408 => Fault::Invalid,
            _ => Fault::Transient,
        },
    }
}

/// `Retry-After` in seconds; its date form is not used by AWS.
pub fn seconds(value: &str) -> Option<Duration> {
    value.trim().parse().ok().map(Duration::from_secs)
}

/// Whether AWS says with this code that what the call was signed with has expired.
pub fn expired_token(code: &str) -> bool {
    matches!(code, "ExpiredToken" | "ExpiredTokenException")
}

/// Somebody else's words for our log: cut to [`TEXT_MAX`] bytes, control characters replaced.
pub fn legible(text: &str) -> String {
    let end = text
        .char_indices()
        .map(|(at, c)| at + c.len_utf8())
        .take_while(|end| *end <= TEXT_MAX)
        .last()
        .unwrap_or(0);
    text[..end]
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_known_by_its_code_and_else_by_its_status() {
        let after = Some(Duration::from_secs(3));
        for (code, status, fault) in [
            ("ThrottlingException", 400, Fault::Throttled { after }),
            (
                "com.amazonaws.sqs#RequestThrottled",
                400,
                Fault::Throttled { after },
            ),
            ("TooManyRequestsException", 429, Fault::Throttled { after }),
            ("OverLimit", 403, Fault::Throttled { after }),
            ("", 429, Fault::Throttled { after }),
            ("LimitExceededException", 400, Fault::Throttled { after }),
            (
                "ProvisionedThroughputExceededException",
                400,
                Fault::Throttled { after },
            ),
            (
                "KMSThrottlingException",
                NO_STATUS,
                Fault::Throttled { after },
            ),
            ("ReceiptHandleIsInvalid", 400, Fault::Expired),
            ("ExpiredIteratorException", 400, Fault::Expired),
            ("ExpiredNextTokenException", 400, Fault::Expired),
            (
                "com.amazonaws.dynamodb.v20120810#TrimmedDataAccessException",
                400,
                Fault::Trimmed,
            ),
            ("AccessDenied", 400, Fault::Denied),
            ("AccessDeniedException", 403, Fault::Denied),
            ("ExpiredTokenException", 400, Fault::Denied),
            ("KMSDisabledException", 400, Fault::Denied),
            ("", 401, Fault::Denied),
            ("QueueDoesNotExist", 400, Fault::Gone),
            ("AWS.SimpleQueueService.NonExistentQueue", 400, Fault::Gone),
            ("", 404, Fault::Gone),
            ("ResourceNotFoundException", 404, Fault::Gone),
            ("InvalidParameterValue", 400, Fault::Invalid),
            ("", 413, Fault::Invalid),
            ("InvalidArgumentException", 400, Fault::Invalid),
            ("ResourceInUseException", 400, Fault::Transient),
            ("InternalFailureException", NO_STATUS, Fault::Transient),
            ("InternalFailure", 500, Fault::Transient),
            ("RequestTimeTooSkewed", 403, Fault::Transient),
            ("", 503, Fault::Transient),
            ("", 502, Fault::Transient),
            ("", 408, Fault::Transient),
            ("SomethingNew", 500, Fault::Transient),
            ("SomethingNew", 400, Fault::Invalid),
        ] {
            assert_eq!(classify(code, status, after), fault, "{code} {status}");
        }
    }

    #[test]
    fn retry_after_is_read_in_seconds() {
        assert_eq!(seconds(" 7 "), Some(Duration::from_secs(7)));
        assert_eq!(seconds("Wed, 21 Oct 2026 07:28:00 GMT"), None);
        assert_eq!(seconds("-1"), None);
    }
}
