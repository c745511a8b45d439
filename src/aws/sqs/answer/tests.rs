//! What comes of an answer, by hand and beside the SDK's own reading of it.

use serde_json::{Value, json};

use super::*;
use crate::aws::canned::{answer, serve, spelled};
use crate::aws::fault::Fault;
use crate::config::aws::Aws;
use crate::model::event::{QueueStamp, queue_record};

const DIGEST: &str = "5d41402abc4b2a76b9719d911017c592";

/// The messages of an answer, as events have them.
fn messages(body: &[u8]) -> Result<Vec<Result<String, Unusable>>, Failure> {
    let messages = Answer::read(body)?.messages();
    Ok(messages
        .map(|message| message.map(|message| written(&message)))
        .collect())
}

/// All that there is of a message.
pub(in crate::aws::sqs) fn written(message: &Message<'_>) -> String {
    let stamp = QueueStamp {
        arn: String::new(),
        region: String::new(),
        null_attributes_digest: true,
    };
    queue_record(message, &stamp)
}

/// A message with these members over the usual ones; null takes one away.
fn one(members: Value) -> Result<String, Unusable> {
    let mut message = json!({
        "MessageId": "m", "ReceiptHandle": "r", "Body": "hello", "MD5OfBody": DIGEST
    });
    for (name, value) in members.as_object().unwrap() {
        message[name] = value.clone();
    }
    let body = json!({ "Messages": [message] }).to_string();
    messages(body.as_bytes()).unwrap().remove(0)
}

#[test]
fn a_message_is_used_only_whole_and_uncorrupted() {
    let why = |members| one(members).unwrap_err().why.to_string();
    let read = one(json!({})).unwrap();
    assert!(read.contains(r#""body":"hello""#), "{read}");
    for (members, words) in [
        (
            json!({ "ReceiptHandle": null }),
            "message m came without a ReceiptHandle",
        ),
        (
            json!({ "ReceiptHandle": "" }),
            "message m came without a ReceiptHandle",
        ),
        (json!({ "Body": null }), "message m came without a Body"),
        (
            json!({ "MessageId": null }),
            "message  came without a MessageId",
        ),
        (
            json!({ "MD5OfBody": "00" }),
            "message m: the body's MD5 is 5d41402abc4b2a76b9719d911017c592, the queue says 00",
        ),
        (
            json!({ "MessageAttributes": { "a": { "DataType": "String" } } }),
            "message m came without the value of a message attribute",
        ),
        (
            json!({ "MessageAttributes": { "a": { "DataType": "Binary", "BinaryValue": "?" } } }),
            "message m came without the value of a message attribute",
        ),
    ] {
        assert_eq!(why(members), words);
    }
}

#[test]
fn a_body_without_a_stated_digest_gets_the_one_that_it_has() {
    let found = one(json!({ "MD5OfBody": null }));
    assert_eq!(found, one(json!({})));
    assert!(found.unwrap().contains(DIGEST));
}

#[test]
fn a_message_that_can_not_be_used_keeps_its_group_and_nobody_else() {
    let body = json!({ "Messages": [
        { "MessageId": "m", "Attributes": { "MessageGroupId": "g" } },
        { "MessageId": "n", "ReceiptHandle": "r", "Body": "hello" },
    ] });
    let read = messages(body.to_string().as_bytes()).unwrap();
    let group = read[0].as_ref().map_err(|unusable| unusable.group.clone());
    assert_eq!(group.unwrap_err(), Some("g".to_owned()));
    let next = read[1].as_ref().unwrap();
    assert!(next.starts_with(r#"{"messageId":"n","#), "{next}");
}

#[test]
fn what_is_no_answer_is_said_to_be_none() {
    for body in [
        "",
        "<html>",
        "[]x",
        "{\"Messages\":3}",
        "{\"Messages\":[{\"Body\":1}]}",
        "{\"Messages\":",
    ] {
        let failure = messages(body.as_bytes()).unwrap_err();
        assert!(
            failure
                .to_string()
                .starts_with("unreadable answer: ReceiveMessage: "),
            "{body}: {failure}"
        );
    }
    for empty in [
        "{}",
        "{\"Messages\":null}",
        "{\"Messages\":[]}",
        "{\"Newer\":{\"a\":[1]}}",
    ] {
        assert_eq!(messages(empty.as_bytes()), Ok(Vec::new()), "{empty}");
    }
}

/// What the SDK makes of it, in our words.
async fn by_the_sdk(body: &str) -> Vec<String> {
    let (clients, _) = serve([answer(200, body)], &Aws::default());
    let client = clients.sqs("us-east-1");
    let read = client
        .receive_message()
        .queue_url("http://q/1/q")
        .send()
        .await
        .unwrap();
    let text = |text: Option<String>| text.unwrap();
    let messages = read.messages.unwrap_or_default().into_iter();
    messages
        .map(|from| Message {
            id: text(from.message_id).into(),
            receipt: text(from.receipt_handle).into(),
            body: text(from.body).into(),
            attributes: from
                .attributes
                .unwrap_or_default()
                .into_iter()
                .map(|(name, value)| (name.as_str().to_owned().into(), value.into()))
                .collect(),
            message_attributes: from
                .message_attributes
                .unwrap_or_default()
                .into_iter()
                .map(|(name, attribute)| {
                    let value = match attribute.string_value {
                        Some(text) => AttributeValue::Text(text.into()),
                        None => {
                            let bytes = attribute.binary_value.unwrap();
                            AttributeValue::Binary(aws_smithy_types::base64::encode(bytes).into())
                        }
                    };
                    let data_type = attribute.data_type.into();
                    (name.into(), MessageAttribute { data_type, value })
                })
                .collect(),
            md5_of_body: text(from.md5_of_body).into(),
            md5_of_message_attributes: from.md5_of_message_attributes.map(Cow::Owned),
        })
        .map(|message| written(&message))
        .collect()
}

/// Words that meet every way of writing a text.
fn word(chance: &mut fastrand::Rng) -> String {
    const PIECES: [&str; 12] = [
        "",
        "a",
        "\"",
        "\\",
        "/",
        "\n",
        "\u{1}",
        "é",
        "😀",
        "\u{2028}",
        "{\"k\":[1,null]}",
        "plain words ",
    ];
    (0..chance.usize(0..6))
        .map(|_| PIECES[chance.usize(0..PIECES.len())])
        .collect()
}

#[tokio::test(start_paused = true)]
async fn the_sdk_reads_the_same_messages() {
    let mut chance = fastrand::Rng::with_seed(7);
    for round in 0..200 {
        let mut listed = Vec::new();
        for number in 0..chance.usize(0..4) {
            let (body, attribute) = (word(&mut chance), word(&mut chance));
            let digest = hex(&Md5::digest(body.as_bytes()));
            let bytes = STANDARD.encode(&attribute);
            let written = [
                format!("\"MessageId\":\"m{number}\""),
                "\"ReceiptHandle\": \"AQEB+/=\"".to_owned(),
                format!("\"MD5OfBody\":\"{digest}\""),
                format!("\"Body\":{}", spelled(&mut chance, &body)),
                format!(
                    "\"Attributes\":{{\"SentTimestamp\":\"17\",\"MessageGroupId\":{}}}",
                    spelled(&mut chance, &format!("g{attribute}"))
                ),
                format!(
                    "\"MessageAttributes\":{{\"a\":{{\"DataType\":\"String\",\"StringValue\":{},\"StringListValues\":[]}},\
                     \"b\":{{\"BinaryValue\":\"{bytes}\",\"DataType\":\"Binary.x\"}}}},\"MD5OfMessageAttributes\":\"ab\"",
                    spelled(&mut chance, &attribute)
                ),
                "\"Newer\":[{\"a\":null}]".to_owned(),
            ];
            let mut order: Vec<usize> = (0..written.len()).collect();
            chance.shuffle(&mut order);
            let members: Vec<&str> = order
                .into_iter()
                .map(|index| written[index].as_str())
                .collect();
            listed.push(format!("{{{}}}", members.join(" , ")));
        }
        let body = format!("{{\"Messages\":[{}]}}", listed.join(",\n"));
        let ours: Result<Vec<String>, _> = messages(body.as_bytes()).unwrap().into_iter().collect();
        assert_eq!(
            ours.unwrap(),
            by_the_sdk(&body).await,
            "round {round}: {body}"
        );
    }
}

/// The faults and words of each entry, as we read them.
fn entries(count: usize, body: &str) -> Vec<Result<(), (Fault, String)>> {
    let results = by_entry(count, body.as_bytes()).unwrap().into_iter();
    results
        .map(|result| result.map_err(|failure| (failure.fault, failure.to_string())))
        .collect()
}

#[test]
fn every_entry_has_a_result_whatever_the_answer_says() {
    let unanswered = || {
        Err((
            Fault::Transient,
            "unreadable answer: no result for an entry".to_owned(),
        ))
    };
    let failed = |fault, words: &str| Err((fault, words.to_owned()));
    assert_eq!(
        entries(
            6,
            r#"{"Successful":[{"Id":"0"},{"Id":"9"},{"Id":"x"},{}],
                "Failed":[{"Id":"1","Code":"ReceiptHandleIsInvalid","SenderFault":true},
                          {"Id":"2","Code":"InternalError","SenderFault":false},
                          {"Id":"4","Code":"Odd","SenderFault":true,"Message":"no"},
                          {"Id":"5"},{"Code":"Odd"}]}"#
        ),
        [
            Ok(()),
            failed(Fault::Expired, "ReceiptHandleIsInvalid"),
            failed(Fault::Transient, "InternalError"),
            unanswered(),
            failed(Fault::Invalid, "Odd: no"),
            failed(Fault::Transient, ""),
        ]
    );
    for nothing in [
        "{}",
        r#"{"Successful":null,"Failed":null}"#,
        r#"{"Newer":[]}"#,
    ] {
        assert_eq!(entries(1, nothing), [unanswered()], "{nothing}");
    }
    for garbage in [
        "",
        "<html>",
        "7",
        r#"{"Failed":[{"Id":1}]}"#,
        r#"{"Successful":["#,
    ] {
        let failure = by_entry(1, garbage.as_bytes()).unwrap_err();
        assert_eq!(failure.fault, Fault::Transient, "{garbage}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_sdk_reads_the_same_results_of_a_batch() {
    let mut chance = fastrand::Rng::with_seed(11);
    for round in 0..100 {
        let (mut done, mut failed) = (Vec::new(), Vec::new());
        for id in 0..10 {
            let (code, words) = (word(&mut chance), word(&mut chance));
            match chance.usize(0..3) {
                0 => done.push(format!(
                    "{{\"Newer\":{{}},\"Id\":{}}}",
                    spelled(&mut chance, &id.to_string())
                )),
                1 => failed.push(format!(
                    "{{\"SenderFault\":{},\"Code\":{},\"Message\":{},\"Id\":\"{id}\"}}",
                    chance.bool(),
                    spelled(&mut chance, &format!("c{code}")),
                    spelled(&mut chance, &words),
                )),
                _ => {}
            }
        }
        let body = format!(
            "{{\"Failed\":[{}],\"Successful\":[{}]}}",
            failed.join(","),
            done.join(" , ")
        );
        let (clients, _) = serve([answer(200, &body)], &Aws::default());
        let call = clients.sqs("us-east-1").delete_message_batch();
        let theirs = call.queue_url("http://q/1/q").send().await.unwrap();
        let ours = by_entry(10, body.as_bytes()).unwrap();
        for (id, ours) in ours.into_iter().enumerate() {
            let id = id.to_string();
            let done = theirs.successful().iter().any(|entry| entry.id() == id);
            let failed = theirs.failed().iter().find(|entry| entry.id() == id);
            let expected = match (done, failed) {
                (true, _) => Ok(()),
                (false, Some(entry)) => {
                    let status = if entry.sender_fault() { 400 } else { 500 };
                    let fault = classify(entry.code(), status, None);
                    Err(Failure::new(fault, entry.code(), entry.message().unwrap()))
                }
                (false, None) => Err(Failure::unreadable("no result for an entry")),
            };
            assert_eq!(ours, expected, "round {round}, entry {id}: {body}");
        }
    }
}
