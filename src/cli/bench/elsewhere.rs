//! A load test against an endpoint that is given: somebody else fills the queue or the stream there, and what is in it is consumed.

use super::plan::Source;

/// Where that is.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct Given {
    /// Measure against this endpoint instead, such as http://127.0.0.1:4566: what is in its queue or stream is consumed
    #[arg(
        long,
        value_name = "URL",
        requires_all = ["source_arn", "function_name"],
        conflicts_with_all = ["source", "against", "record_bytes", "groups", "shards", "function", "rate"]
    )]
    endpoint: Option<String>,
    /// The queue or stream at --endpoint, by its ARN
    #[arg(long, value_name = "ARN", requires = "endpoint")]
    source_arn: Option<String>,
    /// The function at --endpoint
    #[arg(long, value_name = "NAME", requires = "endpoint")]
    function_name: Option<String>,
}

/// All that there is to know about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// The endpoint of every service.
    pub endpoint: String,
    /// The `EventSourceArn`.
    pub source_arn: String,
    /// The `FunctionName`.
    pub function: String,
    /// Of the ARN.
    pub source: Source,
}

impl Given {
    /// None where no endpoint is given.
    ///
    /// # Errors
    /// The ARN is not one of a queue or a stream.
    pub fn place(&self) -> Result<Option<Elsewhere>, String> {
        let given = self.endpoint.as_ref().zip(self.source_arn.as_ref());
        let Some(((endpoint, source_arn), function)) = given.zip(self.function_name.as_ref())
        else {
            return Ok(None);
        };
        let Some(source) = source(source_arn) else {
            return Err(format!(
                "--source-arn: {source_arn} is no ARN of an SQS queue, a Kinesis stream or a table's stream"
            ));
        };
        Ok(Some(Elsewhere {
            endpoint: endpoint.clone(),
            source_arn: source_arn.clone(),
            function: function.clone(),
            source,
        }))
    }
}

fn source(arn: &str) -> Option<Source> {
    match arn.split(':').nth(2)? {
        "sqs" if arn.ends_with(".fifo") => Some(Source::Fifo),
        "sqs" => Some(Source::Queue),
        "kinesis" => Some(Source::Kinesis),
        "dynamodb" => Some(Source::Dynamodb),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_says_what_it_is() {
        for (arn, expected) in [
            ("arn:aws:sqs:us-east-1:000000000000:a", Some(Source::Queue)),
            (
                "arn:aws:sqs:us-east-1:000000000000:a.fifo",
                Some(Source::Fifo),
            ),
            (
                "arn:aws:kinesis:us-east-1:000000000000:stream/a",
                Some(Source::Kinesis),
            ),
            (
                "arn:aws:dynamodb:us-east-1:000000000000:table/a/stream/2026",
                Some(Source::Dynamodb),
            ),
            ("arn:aws:s3:::a", None),
            ("a", None),
        ] {
            assert_eq!(source(arn), expected, "{arn}");
        }
    }
}
