//! `Aws`: region and endpoints.

/// Where AWS is; an absent value falls to the environment and the profile, as in every AWS tool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aws {
    /// `Aws.Region`: for calls whose ARN names no region.
    pub region: Option<String>,
    /// `Aws.EndpointUrl`: one address for every service.
    pub endpoint_url: Option<String>,
    /// `Aws.Endpoints.*`: an address for one service; wins over `EndpointUrl`.
    pub endpoints: Endpoints,
}

/// Addresses of single services.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    pub sqs: Option<String>,
    pub kinesis: Option<String>,
    pub dynamodb: Option<String>,
    pub dynamodb_streams: Option<String>,
    pub lambda: Option<String>,
    pub sns: Option<String>,
    pub s3: Option<String>,
}
