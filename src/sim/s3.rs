//! The embedded S3, REST-XML: buckets, and objects put whole. Which bucket and key a request means is in `path`, how it carries its bytes in `payload`.

mod path;
mod payload;

use std::collections::BTreeMap;

use aws_smithy_types::base64;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, header::ETAG};
use md5::{Digest, Md5};

use self::path::target;
use super::{
    faults::Operation,
    history::Event,
    wire::{Request, response, set_header},
    world::{State, World},
    xml::{document, escaped},
};
use crate::model::hex::hex;

pub(super) use path::is_ours;

/// Buckets by name, with their objects by key.
pub(super) type Buckets = BTreeMap<String, BTreeMap<String, Object>>;

/// An object of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// What it holds.
    pub body: Bytes,
    /// The Content-Type that it was put with.
    pub content_type: String,
    /// The metadata that it was put with, without `x-amz-meta-`.
    pub metadata: BTreeMap<String, String>,
}

/// A refusal by S3.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct S3Error {
    /// AWS's code.
    pub code: &'static str,
    /// Says what is wrong.
    pub message: String,
    status: u16,
}

/// The checksum that clients send unless told otherwise, and get back.
const CRC32: HeaderName = HeaderName::from_static("x-amz-checksum-crc32");

/// Which operation a request asks for.
pub(super) fn operation(request: &Request) -> Operation {
    let Some(target) = target(request) else {
        return Operation::Unknown;
    };
    // A sub-resource (`?acl`, `?uploadId=`) is another operation; `x-id` only repeats the operation's name.
    let query = request.uri().query().unwrap_or_default();
    let plain = query
        .split('&')
        .all(|pair| pair.is_empty() || pair.starts_with("x-id="));
    match (request.method(), target.key) {
        (&Method::PUT, None) if plain => Operation::CreateBucket,
        (&Method::PUT, Some(_)) if plain => Operation::PutObject,
        (&Method::GET, Some(_)) if plain => Operation::GetObject,
        _ => Operation::Unknown,
    }
}

/// Serves one call.
pub(super) fn call(
    world: &World,
    operation: Operation,
    request: &Request,
) -> http::Response<Bytes> {
    effect(world, operation, request).unwrap_or_else(|error| error.response())
}

fn effect(
    world: &World,
    operation: Operation,
    request: &Request,
) -> Result<http::Response<Bytes>, S3Error> {
    let target = target(request)
        .ok_or_else(|| refused(400, "InvalidURI", "Couldn't parse the specified URI."))?;
    let owner = header(request.headers(), "x-amz-expected-bucket-owner");
    // API: S3, Verifying bucket ownership
    if owner.is_some_and(|owner| owner != world.settings().account) {
        return Err(refused(403, "AccessDenied", "Access Denied"));
    }
    match (operation, target.key) {
        (Operation::CreateBucket, _) => {
            make(&mut world.lock(), &target.bucket)?;
            let mut created = response(200, "application/xml", Bytes::new());
            set_header(
                &mut created,
                http::header::LOCATION,
                &format!("/{}", target.bucket),
            );
            Ok(created)
        }
        (Operation::PutObject, Some(key)) => put(world, &target.bucket, &key, request),
        (Operation::GetObject, Some(key)) => get(world, &target.bucket, &key, request.headers()),
        _ => Err(refused(
            501,
            "NotImplemented",
            "The requested operation is not one of the embedded AWS.",
        )),
    }
}

fn refused(status: u16, code: &'static str, message: impl Into<String>) -> S3Error {
    S3Error {
        code,
        message: message.into(),
        status,
    }
}

impl S3Error {
    // API: S3, Error responses, REST error response
    fn response(&self) -> http::Response<Bytes> {
        let root = format!(
            "<Error><Code>{}</Code><Message>{}</Message></Error>",
            self.code,
            escaped(&self.message)
        );
        document(self.status, "application/xml", &root)
    }
}

/// A refusal that is no business of S3 itself, given by SQS's code: throttles, outages, credentials.
// API: S3, Error responses, List of error codes
pub(super) fn plain(code: &str, message: &str) -> http::Response<Bytes> {
    let error = match code {
        "RequestThrottled" => refused(503, "SlowDown", "Please reduce your request rate."),
        "InternalFailure" => refused(500, "InternalError", message),
        "ServiceUnavailable" => refused(503, "ServiceUnavailable", message),
        "AccessDeniedException" => refused(403, "AccessDenied", "Access Denied"),
        _ => refused(400, "ExpiredToken", "The provided token has expired."),
    };
    error.response()
}

// API: S3, Bucket naming rules; CreateBucket: one's own bucket is found, outside us-east-1 it is refused
fn make(state: &mut State, name: &str) -> Result<(), S3Error> {
    let fits = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.')
    };
    if !(3..=63).contains(&name.len()) || !name.bytes().all(fits) {
        return Err(refused(
            400,
            "InvalidBucketName",
            "The specified bucket is not valid.",
        ));
    }
    state.buckets.entry(name.to_owned()).or_default();
    Ok(())
}

// API: S3 PutObject
fn put(
    world: &World,
    bucket: &str,
    key: &str,
    request: &Request,
) -> Result<http::Response<Bytes>, S3Error> {
    // API: S3, Object key names: at most 1,024 bytes
    if key.len() > 1024 {
        return Err(refused(400, "KeyTooLongError", "Your key is too long"));
    }
    let headers = request.headers();
    let payload::Payload { body, crc32 } = payload::read(request)?;
    let metadata = headers.iter().filter_map(|(name, value)| {
        let name = name.as_str().strip_prefix("x-amz-meta-")?;
        Some((name.to_owned(), value.to_str().ok()?.to_owned()))
    });
    let object = Object {
        content_type: header(headers, "content-type")
            .unwrap_or("binary/octet-stream")
            .to_owned(),
        metadata: metadata.collect(),
        body,
    };
    let mut state = world.lock();
    let state = &mut *state;
    let objects = state.buckets.get_mut(bucket).ok_or_else(no_bucket)?;
    // API: S3, Conditional writes
    if header(headers, "if-none-match") == Some("*") && objects.contains_key(key) {
        let text = "At least one of the pre-conditions you specified did not hold";
        return Err(refused(412, "PreconditionFailed", text));
    }
    let mut done = response(200, "application/xml", Bytes::new());
    set_header(&mut done, ETAG, &etag(&object.body));
    if crc32 {
        set_header(&mut done, CRC32, &crc32_of(&object.body));
    }
    objects.insert(key.to_owned(), object);
    state
        .history
        .record(world.clock().elapsed(), || Event::Stored {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        });
    Ok(done)
}

// API: S3 GetObject
fn get(
    world: &World,
    bucket: &str,
    key: &str,
    headers: &HeaderMap,
) -> Result<http::Response<Bytes>, S3Error> {
    let state = world.lock();
    let objects = state.buckets.get(bucket).ok_or_else(no_bucket)?;
    let object = objects
        .get(key)
        .ok_or_else(|| refused(404, "NoSuchKey", "The specified key does not exist."))?;
    let mut found = response(200, "", object.body.clone());
    set_header(&mut found, http::header::CONTENT_TYPE, &object.content_type);
    set_header(&mut found, ETAG, &etag(&object.body));
    if header(headers, "x-amz-checksum-mode") == Some("ENABLED") {
        set_header(&mut found, CRC32, &crc32_of(&object.body));
    }
    for (name, value) in &object.metadata {
        if let Ok(name) = HeaderName::try_from(format!("x-amz-meta-{name}")) {
            set_header(&mut found, name, value);
        }
    }
    Ok(found)
}

fn no_bucket() -> S3Error {
    refused(404, "NoSuchBucket", "The specified bucket does not exist")
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

fn etag(body: &Bytes) -> String {
    format!("\"{}\"", hex(&Md5::digest(body)))
}

fn crc32_of(body: &[u8]) -> String {
    base64::encode(payload::crc32(body).to_be_bytes())
}

impl World {
    /// Creates a bucket, or finds it.
    ///
    /// # Errors
    /// As CreateBucket.
    pub fn create_bucket(&self, name: &str) -> Result<(), S3Error> {
        make(&mut self.lock(), name)
    }

    /// The objects of a bucket by key; nothing for a bucket that is not there.
    pub fn objects(&self, bucket: &str) -> BTreeMap<String, Object> {
        self.lock().buckets.get(bucket).cloned().unwrap_or_default()
    }
}
