//! SDK clients for a world in process, set up as production does: no retries of the SDK's own, the injected clock and sleep.

use aws_config::{
    BehaviorVersion, Region, SdkConfig, retry::RetryConfig,
    stalled_stream_protection::StalledStreamProtectionConfig,
};
use aws_sdk_sqs::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};

use super::world::World;

impl World {
    /// The configuration of SDK clients that talk to this world in process, on a connector of the present life. For runs that repeat
    /// to the byte call `fastrand::seed` before the first client is built: the SDK draws its invocation ids from it.
    pub fn sdk_config(&self) -> SdkConfig {
        let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "embedded");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.settings().region.clone()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(self.connector())
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .time_source(self.clock())
            .retry_config(RetryConfig::disabled())
            .stalled_stream_protection(
                StalledStreamProtectionConfig::enabled()
                    .upload_enabled(false)
                    .build(),
            )
            .build()
    }

    /// A new SQS client for this world.
    pub fn sqs_client(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.sdk_config())
    }

    /// A new Kinesis client for this world.
    pub fn kinesis_client(&self) -> aws_sdk_kinesis::Client {
        aws_sdk_kinesis::Client::new(&self.sdk_config())
    }

    /// A new client of DynamoDB Streams for this world.
    pub fn dynamodbstreams_client(&self) -> aws_sdk_dynamodbstreams::Client {
        aws_sdk_dynamodbstreams::Client::new(&self.sdk_config())
    }

    /// A new SNS client for this world.
    pub fn sns_client(&self) -> aws_sdk_sns::Client {
        aws_sdk_sns::Client::new(&self.sdk_config())
    }

    /// A new S3 client for this world.
    pub fn s3_client(&self) -> aws_sdk_s3::Client {
        aws_sdk_s3::Client::new(&self.sdk_config())
    }

    /// A new Lambda client for this world.
    pub fn lambda_client(&self) -> aws_sdk_lambda::Client {
        aws_sdk_lambda::Client::new(&self.sdk_config())
    }
}
