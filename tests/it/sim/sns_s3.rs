//! SNS and S3 by the real clients: what is published and put arrives, and errors look as theirs do.

use aws_sdk_s3::{error::ProvideErrorMetadata, primitives::ByteStream, types::ChecksumAlgorithm};
use aws_sdk_sns::types::MessageAttributeValue;
use sluicegate::sim::{Event, Fault, Operation, World, s3::Object};

#[tokio::test(start_paused = true)]
async fn what_is_published_is_seen_with_all_that_it_carries() {
    let world = World::new(1);
    let client = world.sns_client();
    let made = client.create_topic().name("failures").send().await.unwrap();
    let arn = made.topic_arn().unwrap();
    assert_eq!(arn, "arn:aws:sns:us-east-1:000000000000:failures");
    assert_eq!(world.create_topic("failures").unwrap(), arn);
    let message = "{\"a\": \"<ä & b+c%>\"}\n";
    let attribute = MessageAttributeValue::builder()
        .data_type("String")
        .string_value("v w");
    let published = client
        .publish()
        .topic_arn(arn)
        .message(message)
        .subject("s")
        .message_attributes("n", attribute.build().unwrap())
        .send()
        .await
        .unwrap();
    let seen = world.published(arn);
    assert_eq!(seen, world.published("failures"));
    assert_eq!(seen.len(), 1);
    assert_eq!(published.message_id(), Some(seen[0].message_id.as_str()));
    assert_eq!(
        (seen[0].message.as_str(), seen[0].subject.as_deref()),
        (message, Some("s"))
    );
    assert_eq!(
        seen[0].attributes["n"],
        ("String".to_owned(), "v w".to_owned())
    );
    assert!(world.history().iter().any(|entry| matches!(&entry.event, Event::Published { topic, message_id } if topic == "failures" && *message_id == seen[0].message_id)));
}

#[tokio::test(start_paused = true)]
async fn sns_refuses_in_its_own_form() {
    let world = World::new(1);
    let client = world.sns_client();
    let arn = world.create_topic("t").unwrap();
    let none = "arn:aws:sns:us-east-1:000000000000:none";
    let long = "x".repeat(262_145);
    for (topic, message, code) in [
        (none, "a", "NotFound"),
        (&arn, "", "InvalidParameter"),
        (&arn, &long, "InvalidParameter"),
        ("nonsense", "a", "InvalidParameter"),
    ] {
        let refused = client.publish().topic_arn(topic).message(message).send();
        assert_eq!(refused.await.unwrap_err().code(), Some(code), "{topic}");
    }
    for (fault, status, code) in [
        (Fault::Throttled, 400, "Throttling"),
        (Fault::InternalError, 500, "InternalFailure"),
        (Fault::Unavailable, 503, "ServiceUnavailable"),
        (Fault::AccessDenied, 403, "AuthorizationError"),
        (Fault::ExpiredToken, 403, "ExpiredToken"),
    ] {
        world.fault_next(Operation::Publish, fault, 1);
        let refused = client.publish().topic_arn(&arn).message("a").send().await;
        let error = refused.unwrap_err();
        assert_eq!(error.code(), Some(code), "{fault:?}");
        assert_eq!(error.raw_response().unwrap().status().as_u16(), status);
    }
    // Half an XML document the client takes for a whole one, so that MalformedJson proves nothing here.
    for fault in [Fault::InvalidUtf8, Fault::ProxyHtml] {
        world.fault_next(Operation::Publish, fault, 1);
        let refused = client.publish().topic_arn(&arn).message("a").send().await;
        assert!(refused.is_err(), "{fault:?}");
    }
    // The first of the two took effect before its answer was spoilt.
    assert_eq!(world.published("t").len(), 1);
    let unknown = client.list_topics().send().await.unwrap_err();
    assert_eq!(unknown.code(), Some("InvalidAction"));
}

#[tokio::test(start_paused = true)]
async fn an_object_is_put_whole_and_got_back() {
    let world = World::new(1);
    let client = world.s3_client();
    client.create_bucket().bucket("bkt").send().await.unwrap();
    let key = "aws/lambda/m/s/2026/01/01/2026-01-01T00.00.00-ä b";
    let put = client
        .put_object()
        .bucket("bkt")
        .key(key)
        .content_type("application/json")
        .metadata("who", "me")
        .body(ByteStream::from_static(b"{}"))
        .send()
        .await
        .unwrap();
    assert_eq!(put.e_tag(), Some("\"99914b932bd37a50b983c5e7c90ae93b\""));
    assert_eq!(put.checksum_crc32(), Some("o6a/Qw=="));
    let expected = Object {
        body: "{}".into(),
        content_type: "application/json".to_owned(),
        metadata: [("who".to_owned(), "me".to_owned())].into(),
    };
    let objects = world.objects("bkt");
    assert_eq!(objects, [(key.to_owned(), expected)].into());
    let got = client.get_object().bucket("bkt").key(key).send().await;
    let got = got.unwrap();
    assert_eq!(got.content_type(), Some("application/json"));
    assert_eq!(got.metadata().unwrap()["who"], "me");
    assert_eq!(got.body.collect().await.unwrap().to_vec(), b"{}");
    assert!(world.history().iter().any(|entry| matches!(&entry.event, Event::Stored { bucket, key: stored } if bucket == "bkt" && stored == key)));
}

#[tokio::test(start_paused = true)]
async fn a_body_in_chunks_and_a_bucket_in_the_path_are_understood() {
    let world = World::new(1);
    world.create_bucket("bkt").unwrap();
    let by_path = aws_sdk_s3::config::Builder::from(&world.sdk_config()).force_path_style(true);
    let client = aws_sdk_s3::Client::from_conf(by_path.build());
    let file = tempfile::NamedTempFile::new().unwrap();
    let content = "0123456789".repeat(20_000);
    std::fs::write(file.path(), &content).unwrap();
    // A body from a file is sent as a stream, with its checksum behind it.
    let body = ByteStream::from_path(file.path()).await.unwrap();
    let request = client.put_object().bucket("bkt").key("a/b").body(body);
    request.send().await.unwrap();
    assert_eq!(world.objects("bkt")["a/b"].body, content);
}

#[tokio::test(start_paused = true)]
async fn s3_refuses_in_its_own_form() {
    let world = World::new(1);
    let client = world.s3_client();
    world.create_bucket("bkt").unwrap();
    let put = |bucket: &str| {
        let request = client.put_object().bucket(bucket).key("k");
        request.body(ByteStream::from_static(b"x"))
    };
    let code = |error: &dyn ProvideErrorMetadata| error.code().unwrap().to_owned();
    let refused = put("none").send().await.unwrap_err();
    assert_eq!(code(&refused), "NoSuchBucket");
    let refused = put("bkt").checksum_crc32("AAAAAA==").send().await;
    assert_eq!(code(&refused.unwrap_err()), "BadDigest");
    let refused = put("bkt").content_md5("AAAA").send().await.unwrap_err();
    assert_eq!(code(&refused), "BadDigest");
    let sha = put("bkt").checksum_algorithm(ChecksumAlgorithm::Sha256);
    assert_eq!(code(&sha.send().await.unwrap_err()), "NotImplemented");
    let owner = put("bkt").expected_bucket_owner("111111111111");
    assert_eq!(code(&owner.send().await.unwrap_err()), "AccessDenied");
    assert_eq!(world.objects("bkt").len(), 0);
    put("bkt")
        .expected_bucket_owner("000000000000")
        .send()
        .await
        .unwrap();
    let again = put("bkt").if_none_match("*").send().await.unwrap_err();
    assert_eq!(code(&again), "PreconditionFailed");
    let none = client.get_object().bucket("bkt").key("none").send().await;
    assert_eq!(code(&none.unwrap_err()), "NoSuchKey");
    let unknown = client.get_bucket_acl().bucket("bkt").send().await;
    assert_eq!(code(&unknown.unwrap_err()), "NotImplemented");
    for (fault, status, expected) in [
        (Fault::Throttled, 503, "SlowDown"),
        (Fault::InternalError, 500, "InternalError"),
        (Fault::Unavailable, 503, "ServiceUnavailable"),
        (Fault::AccessDenied, 403, "AccessDenied"),
        (Fault::ExpiredToken, 400, "ExpiredToken"),
    ] {
        world.fault_next(Operation::PutObject, fault, 1);
        let error = put("bkt").send().await.unwrap_err();
        assert_eq!(code(&error), expected, "{fault:?}");
        assert_eq!(error.raw_response().unwrap().status().as_u16(), status);
    }
}
