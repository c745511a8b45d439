//! `Aws`: region and endpoints.

use super::arn::is_region;
use super::cursor::{At, Fields};
use super::error::{Report, quoted};
use super::url::{Rest, check};

/// Where AWS is; an absent value falls to the environment and the profile, as in every AWS tool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aws {
    /// `Aws.Region`: for calls whose ARN names no region.
    pub region: Option<String>,
    /// `Aws.EndpointUrl`: one address for every service: scheme, host and port.
    pub endpoint_url: Option<String>,
    /// `Aws.Endpoints.*`: an address for one service; wins over `EndpointUrl`.
    pub endpoints: Endpoints,
}

/// Addresses of single services: scheme, host and port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// `Sqs`.
    pub sqs: Option<String>,
    /// `Kinesis`.
    pub kinesis: Option<String>,
    /// `DynamoDb`.
    pub dynamodb: Option<String>,
    /// `DynamoDbStreams`.
    pub dynamodb_streams: Option<String>,
    /// `Lambda`.
    pub lambda: Option<String>,
    /// `Sns`.
    pub sns: Option<String>,
    /// `S3`.
    pub s3: Option<String>,
}

const KEYS: [&str; 3] = ["Region", "EndpointUrl", "Endpoints"];
const SERVICES: [&str; 7] = [
    "Sqs",
    "Kinesis",
    "DynamoDb",
    "DynamoDbStreams",
    "Lambda",
    "Sns",
    "S3",
];

pub(super) fn read(at: &At<'_>, report: &mut Report) -> Option<Aws> {
    let fields = at.fields(&KEYS, report)?;
    Some(Aws {
        region: fields.get("Region").and_then(|at| region(&at, report)),
        endpoint_url: endpoint(&fields, "EndpointUrl", report),
        endpoints: match fields.get("Endpoints") {
            Some(at) => endpoints(&at, report)?,
            None => Endpoints::default(),
        },
    })
}

/// The name of a region, as far as its letters go.
///
/// # Errors
/// What was found and what would do.
pub fn region_name(text: &str) -> Result<String, String> {
    match is_region(text) {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "{} is no region; expected such as us-east-1",
            quoted(text)
        )),
    }
}

/// The address of a service: scheme, host and port.
///
/// # Errors
/// What was found and what would do.
pub fn endpoint_url(text: &str) -> Result<String, String> {
    check(text, Rest::Nothing).map(|()| text.to_owned())
}

fn region(at: &At<'_>, report: &mut Report) -> Option<String> {
    checked(region_name(at.text(report)?), at, report)
}

fn endpoints(at: &At<'_>, report: &mut Report) -> Option<Endpoints> {
    let fields = at.fields(&SERVICES, report)?;
    let mut of = |service| endpoint(&fields, service, report);
    Some(Endpoints {
        sqs: of("Sqs"),
        kinesis: of("Kinesis"),
        dynamodb: of("DynamoDb"),
        dynamodb_streams: of("DynamoDbStreams"),
        lambda: of("Lambda"),
        sns: of("Sns"),
        s3: of("S3"),
    })
}

fn endpoint(fields: &Fields<'_>, key: &str, report: &mut Report) -> Option<String> {
    let at = fields.get(key)?;
    checked(endpoint_url(at.text(report)?), &at, report)
}

fn checked(result: Result<String, String>, at: &At<'_>, report: &mut Report) -> Option<String> {
    match result {
        Ok(text) => Some(text),
        Err(what) => {
            at.error(report, what);
            None
        }
    }
}
