//! A Kinesis stream and a DynamoDB table from the producer's side. Records are texts in the order in which they are put.

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::StreamStatus;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::support::collector::Call;
use crate::support::{PATIENCE, POLL};

/// The texts of a call's records, of either kind.
pub fn texts(call: &Call) -> Vec<String> {
    let records = call.event["Records"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    records.iter().map(text).collect()
}

fn text(record: &Value) -> String {
    if let Some(data) = record["kinesis"]["data"].as_str() {
        let data = STANDARD.decode(data).expect("base64");
        return String::from_utf8(data).expect("a text was put");
    }
    let text = record["dynamodb"]["NewImage"]["text"]["S"].as_str();
    text.unwrap_or_else(|| panic!("a record of a stream: {record}"))
        .to_owned()
}

/// The sequence numbers of a call's records, of either kind.
pub fn sequence_numbers(call: &Call) -> Vec<String> {
    let records = call.event["Records"].as_array().expect("records");
    let number = |record: &Value| {
        let number = record["kinesis"]["sequenceNumber"]
            .as_str()
            .or(record["dynamodb"]["SequenceNumber"].as_str());
        number
            .expect("each record has a sequence number")
            .to_owned()
    };
    records.iter().map(number).collect()
}

/// A Kinesis stream.
pub struct Stream {
    client: Client,
    pub name: String,
    pub arn: String,
}

impl Stream {
    /// A new stream, once it is active.
    pub async fn create(client: &Client, name: &str, shards: i32) -> Self {
        let request = client.create_stream().stream_name(name).shard_count(shards);
        request.send().await.expect("a stream is made");
        let mut stream = Self {
            client: client.clone(),
            name: name.to_owned(),
            arn: String::new(),
        };
        stream.arn = stream.active().await;
        stream
    }

    /// Returns its ARN once it is active.
    async fn active(&self) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let request = self.client.describe_stream_summary();
            let answer = request.stream_name(&self.name).send().await;
            let summary = answer.expect("a stream is described");
            let summary = summary.stream_description_summary.expect("a description");
            if summary.stream_status == StreamStatus::Active {
                return summary.stream_arn;
            }
            assert!(Instant::now() < deadline, "{} is not active", self.name);
            sleep(POLL).await;
        }
    }

    /// Puts these texts, one after the other.
    pub async fn put(&self, key: &str, texts: &[String]) {
        for text in texts {
            let request = self.client.put_record().stream_name(&self.name);
            let request = request
                .partition_key(key)
                .data(Blob::new(text.as_bytes().to_vec()));
            request.send().await.expect("a record is put");
        }
    }

    /// The ids of its open shards, in the order of their hash keys.
    pub async fn open_shards(&self) -> Vec<(String, u128)> {
        let request = self.client.list_shards().stream_name(&self.name);
        let listed = request.send().await.expect("shards are listed");
        let mut open: Vec<_> = listed
            .shards()
            .iter()
            .filter(|shard| {
                let range = shard.sequence_number_range().expect("a range");
                range.ending_sequence_number().is_none()
            })
            .map(|shard| {
                let keys = shard.hash_key_range().expect("hash keys");
                let from = keys.starting_hash_key().parse().expect("a number");
                (shard.shard_id().to_owned(), from)
            })
            .collect();
        open.sort_by_key(|(_, from)| *from);
        open
    }

    /// Splits this open shard before the hash key `at`, and returns once that is done.
    pub async fn split(&self, shard: &str, at: u128) {
        let request = self.client.split_shard().stream_name(&self.name);
        let request = request
            .shard_to_split(shard)
            .new_starting_hash_key(at.to_string());
        request.send().await.expect("a shard is split");
        self.active().await;
    }

    /// Merges two open neighbours, and returns once that is done.
    pub async fn merge(&self, shard: &str, adjacent: &str) {
        let request = self.client.merge_shards().stream_name(&self.name);
        let request = request
            .shard_to_merge(shard)
            .adjacent_shard_to_merge(adjacent);
        request.send().await.expect("two shards are merged");
        self.active().await;
    }
}

/// A DynamoDB table with a stream of new images.
pub struct Table {
    endpoint: String,
    pub name: String,
    /// Of its stream.
    pub arn: String,
}

impl Table {
    /// A new table whose key is the text `id`.
    pub async fn create(endpoint: &str, name: &str) -> Self {
        let mut table = Self {
            endpoint: endpoint.to_owned(),
            name: name.to_owned(),
            arn: String::new(),
        };
        let made = table
            .call(
                "CreateTable",
                &json!({
                    "TableName": name,
                    "AttributeDefinitions": [{ "AttributeName": "id", "AttributeType": "S" }],
                    "KeySchema": [{ "AttributeName": "id", "KeyType": "HASH" }],
                    "BillingMode": "PAY_PER_REQUEST",
                    "StreamSpecification": { "StreamEnabled": true, "StreamViewType": "NEW_IMAGE" },
                }),
            )
            .await;
        let arn = made["TableDescription"]["LatestStreamArn"].as_str();
        table.arn = arn.expect("a stream").to_owned();
        table
    }

    /// Writes these texts into the item of this key, one after the other.
    pub async fn put(&self, key: &str, texts: &[String]) {
        for text in texts {
            let item = json!({ "id": { "S": key }, "text": { "S": text } });
            let input = json!({ "TableName": self.name, "Item": item });
            self.call("PutItem", &input).await;
        }
    }

    /// There is no client of DynamoDB here: one call, on a connection of its own.
    async fn call(&self, operation: &str, input: &Value) -> Value {
        let address = self.endpoint.strip_prefix("http://").expect("plain HTTP");
        let body = input.to_string();
        let request = format!(
            "POST / HTTP/1.1\r\nHost: {address}\r\nX-Amz-Target: DynamoDB_20120810.{operation}\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=test/20261121/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0\r\n\
             Content-Type: application/x-amz-json-1.0\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        stream
            .write_all(request.as_bytes())
            .await
            .expect("it reads");
        let mut answer = String::new();
        stream
            .read_to_string(&mut answer)
            .await
            .expect("it answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
        assert!(head.contains(" 200 "), "{operation}: {answer}");
        serde_json::from_str(body).expect("an answer is JSON")
    }
}
