//! Patterns against records, with what the fuzzer makes of both: nothing panics, hangs or contradicts itself.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use sluicegate_fuzz::model::filter::{Filters, Source, Subject};
use sluicegate_fuzz::model::record::{DynamoRecord, KinesisRecord, Message, SequenceNumber};

fuzz_target!(|input: &[u8]| {
    // The first line is the pattern, all that follows is the payload.
    let Some(at) = input.iter().position(|byte| *byte == b'\n') else {
        return;
    };
    let (pattern, payload) = (&input[..at], &input[at + 1..]);
    let Ok(pattern) = str::from_utf8(pattern) else {
        return;
    };
    let text = String::from_utf8_lossy(payload);
    let number = SequenceNumber::try_from("495".to_owned()).expect("digits");

    let message = Message {
        id: "m".into(),
        receipt: "r".into(),
        body: text.clone(),
        attributes: BTreeMap::from([("SentTimestamp".into(), "1789650001123".into())]),
        message_attributes: BTreeMap::new(),
        md5_of_body: "0cc1".into(),
        md5_of_message_attributes: None,
    };
    judge(pattern, "body", Source::Sqs, (&message).into());

    let record = KinesisRecord {
        sequence_number: number.clone(),
        partition_key: "p".into(),
        data: payload.to_vec().into(),
        arrived_ms: 1_789_809_023_187,
    };
    judge(pattern, "data", Source::Kinesis, (&record).into());

    let record = DynamoRecord {
        event_id: "e".into(),
        event_name: "INSERT".into(),
        event_version: "1.1".into(),
        sequence_number: number,
        arrived_ms: 1_789_651_658_000,
        keys: "{}".into(),
        new_image: Some(text.into_owned()),
        old_image: None,
        size_bytes: 39,
        view_type: "NEW_IMAGE".into(),
        user_identity: None,
    };
    judge(
        pattern,
        "dynamodb.NewImage",
        Source::DynamoDb,
        (&record).into(),
    );
});

/// The pattern as it is, and as one for the payload.
fn judge(pattern: &str, payload: &str, source: Source, subject: Subject<'_>) {
    let below = format!("{{\"{payload}\":{pattern}}}");
    let compiled = [pattern, &below].map(|text| Filters::parse(&[text], source).ok());
    let kept = compiled.each_ref().map(|filters| {
        let filters = filters.as_ref()?;
        let kept = filters.keeps(subject);
        let refusals = filters.refusals(subject);
        assert_eq!(kept, refusals.is_empty(), "a refusal is what is not kept");
        // Whoever is told the reason may be shown it.
        let shown: usize = refusals
            .iter()
            .map(|refusal| refusal.to_string().len())
            .sum();
        let warned: usize = filters
            .warnings()
            .iter()
            .map(|one| one.to_string().len())
            .sum();
        assert!(kept || 0 < shown + warned);
        Some(kept)
    });
    // Filters are alternatives, whatever their order.
    if let [Some(one), Some(other)] = kept {
        let both = Filters::parse(&[&below, pattern], source).expect("each is valid");
        assert_eq!(both.keeps(subject), one || other);
    }
}
