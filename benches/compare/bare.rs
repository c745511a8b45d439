//! The bare loop that Sluicegate is measured against: what one writes in an afternoon on the same SDK and the same HTTP client, with the
//! SDK's own settings. It keeps no promise: nothing is extended, filtered, split, retried or remembered, and any failure ends it.
//!
//! `bare queue|kinesis ENDPOINT ARN CONCURRENCY`, on one thread, until it is killed; started by `benches/compare/run`.

use std::collections::BTreeMap;
use std::error::Error;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_kinesis::types::ShardIteratorType;
use aws_sdk_sqs::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, MessageSystemAttributeName};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_http_client::{Builder, tls};
use aws_smithy_types::Blob;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use tokio::task::JoinSet;

type Ended = Result<(), Box<dyn Error + Send + Sync>>;

/// Records of one read, and of one batch, of a stream.
const STREAM_BATCH: i32 = 1_000;

#[derive(Serialize)]
struct Event<R> {
    #[serde(rename = "Records")]
    records: Vec<R>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    message_id: &'a str,
    receipt_handle: &'a str,
    body: &'a str,
    attributes: BTreeMap<&'a str, &'a str>,
    message_attributes: BTreeMap<&'a str, &'a str>,
    md5_of_body: &'a str,
    event_source: &'a str,
    #[serde(rename = "eventSourceARN")]
    event_source_arn: &'a str,
    aws_region: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    kinesis: Kinesis<'a>,
    event_source: &'a str,
    event_version: &'a str,
    #[serde(rename = "eventID")]
    event_id: String,
    event_name: &'a str,
    invoke_identity_arn: &'a str,
    aws_region: &'a str,
    #[serde(rename = "eventSourceARN")]
    event_source_arn: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Kinesis<'a> {
    kinesis_schema_version: &'a str,
    partition_key: &'a str,
    sequence_number: &'a str,
    data: String,
    approximate_arrival_timestamp: f64,
}

fn main() -> Ended {
    let mut arguments = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench");
    let mut next = || arguments.next();
    let (Some(source), Some(endpoint), Some(arn), Some(concurrency)) =
        (next(), next(), next(), next())
    else {
        // `cargo bench` without arguments runs it, too.
        return Ok(());
    };
    let concurrency: usize = concurrency.parse()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let config = settings(&endpoint);
        let mut loops = JoinSet::new();
        match source.as_str() {
            "queue" => {
                for _ in 0..concurrency {
                    loops.spawn(queue(config.clone(), arn.clone()));
                }
            }
            "kinesis" => {
                let shards = aws_sdk_kinesis::Client::new(&config)
                    .list_shards()
                    .stream_arn(&arn)
                    .send()
                    .await?;
                for shard in shards.shards.unwrap_or_default() {
                    loops.spawn(shard_of(config.clone(), arn.clone(), shard.shard_id));
                }
            }
            other => return Err(format!("no loop for {other}").into()),
        }
        while let Some(ended) = loops.join_next().await {
            ended??;
        }
        Ok(())
    })
}

fn settings(endpoint: &str) -> SdkConfig {
    let http = Builder::new()
        .tls_provider(tls::Provider::Rustls(
            tls::rustls_provider::CryptoMode::Ring,
        ))
        .build_https();
    let credentials = Credentials::new("anyone", "anything", None, None, "none needed");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .http_client(http)
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

async fn queue(config: SdkConfig, arn: String) -> Ended {
    let sqs = aws_sdk_sqs::Client::new(&config);
    let lambda = aws_sdk_lambda::Client::new(&config);
    let name = arn.rsplit(':').next().unwrap_or_default();
    let url = sqs
        .get_queue_url()
        .queue_name(name)
        .send()
        .await?
        .queue_url
        .unwrap_or_default();
    loop {
        let received = sqs
            .receive_message()
            .queue_url(&url)
            .max_number_of_messages(10)
            .wait_time_seconds(20)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All")
            .send()
            .await?;
        let messages = received.messages.unwrap_or_default();
        if messages.is_empty() {
            continue;
        }
        let records = messages.iter().map(|message| Message {
            message_id: message.message_id().unwrap_or_default(),
            receipt_handle: message.receipt_handle().unwrap_or_default(),
            body: message.body().unwrap_or_default(),
            attributes: message
                .attributes()
                .into_iter()
                .flatten()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect(),
            message_attributes: BTreeMap::new(),
            md5_of_body: message.md5_of_body().unwrap_or_default(),
            event_source: "aws:sqs",
            event_source_arn: &arn,
            aws_region: "us-east-1",
        });
        let event = Event {
            records: records.collect(),
        };
        invoke(&lambda, serde_json::to_vec(&event)?).await?;
        let mut delete = sqs.delete_message_batch().queue_url(&url);
        for (index, message) in messages.iter().enumerate() {
            let entry = DeleteMessageBatchRequestEntry::builder()
                .id(index.to_string())
                .receipt_handle(message.receipt_handle().unwrap_or_default());
            delete = delete.entries(entry.build()?);
        }
        delete.send().await?;
    }
}

async fn shard_of(config: SdkConfig, arn: String, shard: String) -> Ended {
    let kinesis = aws_sdk_kinesis::Client::new(&config);
    let lambda = aws_sdk_lambda::Client::new(&config);
    let opened = kinesis
        .get_shard_iterator()
        .stream_arn(&arn)
        .shard_id(&shard)
        .shard_iterator_type(ShardIteratorType::TrimHorizon)
        .send()
        .await?;
    let mut at = opened.shard_iterator;
    while let Some(iterator) = at {
        let read = kinesis
            .get_records()
            .stream_arn(&arn)
            .shard_iterator(iterator)
            .limit(STREAM_BATCH)
            .send()
            .await?;
        let records = read.records.iter().map(|record| Record {
            kinesis: Kinesis {
                kinesis_schema_version: "1.0",
                partition_key: record.partition_key().unwrap_or_default(),
                sequence_number: record.sequence_number(),
                data: STANDARD.encode(record.data().as_ref()),
                approximate_arrival_timestamp: record
                    .approximate_arrival_timestamp()
                    .map_or(0.0, |time| time.as_secs_f64()),
            },
            event_source: "aws:kinesis",
            event_version: "1.0",
            event_id: format!("{shard}:{}", record.sequence_number()),
            event_name: "aws:kinesis:record",
            invoke_identity_arn: "arn:aws:iam::000000000000:role/bench",
            aws_region: "us-east-1",
            event_source_arn: &arn,
        });
        let event = Event {
            records: records.collect(),
        };
        invoke(&lambda, serde_json::to_vec(&event)?).await?;
        at = read.next_shard_iterator;
    }
    Ok(())
}

async fn invoke(lambda: &aws_sdk_lambda::Client, event: Vec<u8>) -> Ended {
    let answer = lambda
        .invoke()
        .function_name("bench")
        .payload(Blob::new(event))
        .send()
        .await?;
    match answer.function_error {
        None => Ok(()),
        Some(kind) => Err(kind.into()),
    }
}
