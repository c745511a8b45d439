//! What is read apart is what is read as one text, wherever it is cut; and of more than is kept, the first.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::aws::canned::spelled;
use crate::aws::fault::Fault;

const ALL: ReadBounds = ReadBounds {
    keep_bytes_max: usize::MAX,
};

/// What the parser makes of all of it at once.
fn whole(text: &[u8]) -> Result<Read, Failure> {
    let text = Bytes::copy_from_slice(text);
    let mut answer = Answer::read(&text)?;
    let mut kept = Kept::new(usize::MAX);
    for record in answer.records() {
        kept.keep(record.usable(&text)?);
    }
    kept.read(answer)
}

/// Reads the parts of a text.
fn read<'a>(
    bounds: ReadBounds,
    parts: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Read, Failure> {
    let mut incoming = Incoming::new(bounds);
    for part in parts {
        incoming.take(Bytes::copy_from_slice(part));
    }
    incoming.read()
}

/// What comes of a text, either way: what is wrong in it is told in other words, but asks for the same.
fn outcome(read: Result<Read, Failure>) -> Result<Read, (Fault, String)> {
    read.map_err(|failure| (failure.fault, failure.code.to_string()))
}

/// The text is read as its whole however it is cut in two, and byte by byte.
fn is_read_apart(text: &str) -> Result<Read, (Fault, String)> {
    let text = text.as_bytes();
    let whole = outcome(whole(text));
    for at in 0..=text.len() {
        let parts = [&text[..at], &text[at..]];
        let shown = || String::from_utf8_lossy(text);
        let apart = outcome(read(ALL, parts));
        assert_eq!(apart, whole, "cut at {at}: {}", shown());
    }
    assert_eq!(outcome(read(ALL, text.chunks(1))), whole);
    whole
}

fn count(read: &Read) -> usize {
    read.records.len()
}

#[test]
fn an_answer_is_the_same_apart_wherever_it_is_cut() {
    let record = r#"{"SequenceNumber":"7","Data":"aGk=","ApproximateArrivalTimestamp":1.5,"PartitionKey":"k"}"#;
    let odd = r#"{"Newer":{"Records":[1,"]}",{"a":[]}]},"PartitionKey":"\"]},{\\","Data":"aG\u006b\u003d","SequenceNumber":"8","ApproximateArrivalTimestamp":2}"#;
    for (text, records) in [
        (format!(r#"{{"Records":[{record}],"NextShardIterator":"n","MillisBehindLatest":3}}"#), 1),
        (format!(r#" {{ "MillisBehindLatest" : 0 , "Records" : [ {odd} , {record} ] }} "#), 2),
        (format!(r#"{{"A":{{"Records":[7]}},"B":[{{"Records":7}}],"\u0052ecords":[{record},{odd}],"NextShardIterator":"Records"}}"#), 2),
        (format!(r#"{{"NextShardIterator":"[{{\"","Records":[{odd}],"ChildShards":[{{"ShardId":"s","ParentShards":["p"]}}]}}"#), 1),
        (r#"{"Records":[ ],"MillisBehindLatest":0}"#.to_owned(), 0),
        (r#"{"Records":null,"MillisBehindLatest":0}"#.to_owned(), 0),
        (r#"{"records":[1],"Recordsx":[2],"\u0052\u0065\u0063\u006f\u0072\u0064\u0073\u0073":[3],"MillisBehindLatest":0}"#.to_owned(), 0),
        // What the parser takes for the same, nobody sends.
        (format!(r#"[[{record}],"n",0,null]"#), 1),
        (r#"{"Records":[["7",1.5,"","k"]],"MillisBehindLatest":0}"#.to_owned(), 1),
    ] {
        let read = is_read_apart(&text).expect(&text);
        assert_eq!(count(&read), records, "{text}");
    }
}

#[test]
fn what_can_not_be_read_can_not_be_read_apart_either() {
    let record = r#"{"SequenceNumber":"7","Data":"","ApproximateArrivalTimestamp":1}"#;
    let rest = r#""MillisBehindLatest":0}"#;
    for text in [
        String::new(),
        "<html>".to_owned(),
        "{}".to_owned(),
        "null".to_owned(),
        format!(r#"{{"Records":[{record}]}}"#),
        format!(r#"{{"Records":[{record},],{rest}"#),
        format!(r#"{{"Records":[,{record}],{rest}"#),
        format!(r#"{{"Records":[{record} {record}],{rest}"#),
        format!(r#"{{"Records":[{record}:{record}],{rest}"#),
        format!(r#"{{"Records":[{record}}},{rest}"#),
        format!(r#"{{"Records":[{record}],"Records":[{record}],{rest}"#),
        format!(r#"{{"Records":[{record}],{rest}}}"#),
        format!(r#"{{"Records":[{record}],{rest}{{"Records":[]}}"#),
        format!(r#"{{"Records":{record},{rest}"#),
        format!(r#"{{"Records":["x",{record}],{rest}"#),
        format!(r#"{{"Records":[true],{rest}"#),
        format!(r#"{{"Records":[7],{rest}"#),
        format!(r#"{{"Records":[null],{rest}"#),
        format!(r#"{{"Records":[{{"SequenceNumber":"7"]}}],{rest}"#),
        format!(
            r#"{{"Records":[{{"SequenceNumber":"seven","Data":"","ApproximateArrivalTimestamp":1}}],{rest}"#
        ),
        format!(
            r#"{{"Records":[{{"SequenceNumber":"7","Data":"?","ApproximateArrivalTimestamp":1}}],{rest}"#
        ),
        format!(r#"{{"Records":[{{"SequenceNumber":"7","Data":""}}],{rest}"#),
        format!(r#"{{"Records":[{record}],"ChildShards":[{{}}],{rest}"#),
        format!(r#"}}]"Records":[{record}],{rest}"#),
    ] {
        let (fault, code) = is_read_apart(&text).expect_err(&text);
        assert_eq!(
            (fault, &*code),
            (Fault::Transient, "unreadable answer"),
            "{text}"
        );
    }
}

#[test]
fn an_answer_that_ends_anywhere_before_its_end_is_not_read() {
    let text = r#"{"Records":[{"SequenceNumber":"7","Data":"aGk=","ApproximateArrivalTimestamp":1},{"SequenceNumber":"8","Data":"aGk=","ApproximateArrivalTimestamp":1}],"MillisBehindLatest":3}"#;
    for end in 0..text.len() {
        let part = &text.as_bytes()[..end];
        let failure = read(ALL, [part]).unwrap_err();
        assert_eq!(failure.code, "unreadable answer", "{end}");
    }
    assert_eq!(read(ALL, [text.as_bytes()]).map(|read| count(&read)), Ok(2));
}

/// An answer of records of these lengths, and its text.
fn answer(chance: &mut fastrand::Rng, lengths: &[usize], escapes: bool) -> String {
    const PIECES: [&str; 6] = ["", "a", "\"", "\\", "]}", "é😀"];
    let mut listed = Vec::new();
    for (number, length) in (100..).zip(lengths) {
        let data: Vec<u8> = (0..*length).map(|_| chance.u8(..)).collect();
        let data = STANDARD.encode(data);
        let key: String = (0..chance.usize(..4))
            .map(|_| PIECES[chance.usize(..PIECES.len())])
            .collect();
        let data = match chance.u32(..8) {
            0 if escapes => spelled(chance, &data),
            _ => format!("\"{data}\""),
        };
        let mut members = [
            format!("\"SequenceNumber\":\"{number}\""),
            format!("\"Data\":{data}"),
            format!("\"PartitionKey\" : {}", spelled(chance, &key)),
            format!("\"ApproximateArrivalTimestamp\":{}.5", chance.u32(..)),
            "\"EncryptionType\":\"KMS\",\"Newer\":[{}]".to_owned(),
        ];
        chance.shuffle(&mut members);
        listed.push(format!("{{{}}}", members.join(",\n")));
    }
    let mut members = [
        format!(
            "\"Records\":[{}]",
            listed.join([",", " , "][chance.usize(..2)])
        ),
        format!("\"MillisBehindLatest\":{}", chance.u32(..)),
        format!(
            "\"NextShardIterator\":{}",
            ["null", "\"A\\\"A=\""][chance.usize(..2)]
        ),
        "\"ChildShards\":null,\"Newer\":{\"Records\":[0]}".to_owned(),
    ];
    chance.shuffle(&mut members);
    format!("{{{}}}", members.join(", "))
}

/// A text in parts of any lengths.
fn cut<'a>(chance: &mut fastrand::Rng, mut text: &'a [u8]) -> Vec<&'a [u8]> {
    let most = [3, 50, 20_000, 400_000][chance.usize(..4)];
    let mut parts = Vec::new();
    while !text.is_empty() {
        let (part, rest) = text.split_at(chance.usize(1..=most).min(text.len()));
        parts.push(part);
        text = rest;
    }
    parts
}

#[test]
fn any_answer_in_any_parts_is_the_same_apart() {
    let mut chance = fastrand::Rng::with_seed(11);
    for round in 0..300 {
        let longest = if round % 20 == 0 { 200_000 } else { 600 };
        let lengths: Vec<usize> = (0..chance.usize(..8))
            .map(|_| chance.usize(..longest))
            .collect();
        let text = answer(&mut chance, &lengths, true);
        let parts = cut(&mut chance, text.as_bytes());
        let whole = whole(text.as_bytes()).unwrap();
        let apart = read(ALL, parts).unwrap();
        assert_eq!(apart, whole, "round {round}");
        assert_eq!(count(&whole), lengths.len());
    }
}

#[test]
fn any_harm_to_an_answer_comes_to_the_same_apart() {
    let mut chance = fastrand::Rng::with_seed(12);
    let mut refused = 0;
    for round in 0..3_000 {
        let lengths: Vec<usize> = (0..chance.usize(..4)).map(|_| chance.usize(..30)).collect();
        let mut text = answer(&mut chance, &lengths, true).into_bytes();
        for _ in 0..chance.usize(1..4) {
            let at = chance.usize(..text.len());
            match chance.u32(..3) {
                0 => drop(text.remove(at)),
                1 => text[at] = b"\"\\[]{},: x7\xff"[chance.usize(..12)],
                _ => text.insert(at, b"\"\\[]{},: x7\xff"[chance.usize(..12)]),
            }
        }
        let parts = cut(&mut chance, &text);
        let whole = outcome(whole(&text));
        let apart = outcome(read(ALL, parts));
        assert_eq!(
            apart,
            whole,
            "round {round}: {}",
            String::from_utf8_lossy(&text)
        );
        refused += u32::from(whole.is_err());
    }
    assert!((500..2_900).contains(&refused), "{refused}");
}

fn numbers(read: &Read) -> Vec<String> {
    let Records::Kinesis(records) = &read.records else {
        panic!("records of Kinesis");
    };
    let number = |record: &KinesisRecord| record.sequence_number.as_str().to_owned();
    records.iter().map(number).collect()
}

#[test]
fn what_is_kept_is_the_first_of_it_and_at_least_a_record() {
    let mut chance = fastrand::Rng::with_seed(13);
    // In an event: 4 for 3, and 512 beside.
    for (lengths, keep_bytes_max, kept, amount) in [
        (&[300, 300, 300][..], usize::MAX, 3, "little"),
        (&[300, 300, 300], 5_600, 3, "little"),
        (&[300, 300, 300], 3_000, 3, "much"),
        (&[300, 300, 300], 2_800, 3, "much"),
        (&[300, 300, 300], 2_600, 2, "300"),
        (&[300, 300, 30], 1_000, 1, "330"),
        (&[300], 1, 1, "much"),
        (&[200_000, 100_000, 30], 1, 1, "100030"),
        (&[200_000, 100_000, 30], 300_000, 1, "100030"),
        (&[100_000, 200_000, 30], 401_300, 2, "30"),
        (&[30, 200_000, 30], 100_000, 1, "200030"),
        (&[], 0, 0, "little"),
    ] {
        for _ in 0..20 {
            let text = answer(&mut chance, lengths, false);
            let bounds = ReadBounds { keep_bytes_max };
            let parts = cut(&mut chance, text.as_bytes());
            let read = read(bounds, parts).unwrap();
            let first: Vec<String> = (100..100 + kept).map(|number| number.to_string()).collect();
            assert_eq!(numbers(&read), first, "{lengths:?} {bounds:?}");
            match (read.amount, amount) {
                (Amount::Little, "little") | (Amount::Much, "much") => {}
                (
                    Amount::Beyond {
                        dropped_bytes,
                        oversized,
                    },
                    told,
                ) => {
                    assert_eq!(
                        oversized,
                        keep_bytes_max == 1 || lengths[0] > keep_bytes_max
                    );
                    // Keys count, too; and what is around data that are not read.
                    let told: usize = told.parse().unwrap();
                    assert!(
                        (told..told + 1_000).contains(&dropped_bytes),
                        "{lengths:?} {bounds:?} {dropped_bytes}"
                    );
                }
                (amount, told) => panic!("{amount:?} is not {told}: {lengths:?} {bounds:?}"),
            }
        }
    }
}

#[test]
fn a_large_record_does_not_keep_what_came_with_it() {
    let mut chance = fastrand::Rng::with_seed(14);
    let text = answer(&mut chance, &[500_000, 500_000], false);
    let mut incoming = Incoming::new(ReadBounds::default());
    for part in text.as_bytes().chunks(100_000) {
        incoming.take(Bytes::copy_from_slice(part));
    }
    assert_eq!(incoming.kept.records.len(), 2);
    assert_eq!((incoming.sheet.len(), incoming.sheet.capacity()), (0, 0));
    let rest = incoming.apart.rest().len();
    assert!(rest < 200, "{rest}");
}

#[test]
fn a_large_record_that_will_not_fit_is_not_waited_for() {
    let mut chance = fastrand::Rng::with_seed(15);
    let text = answer(&mut chance, &[500_000; 3], false);
    // The third would be too much by a third of it.
    let bounds = ReadBounds {
        keep_bytes_max: 1_800_000,
    };
    let mut incoming = Incoming::new(bounds);
    for part in text.as_bytes().chunks(20_000) {
        incoming.take(Bytes::copy_from_slice(part));
        if incoming.kept.records.len() == 2 {
            assert!(incoming.sheet.len() <= SHEET_BYTES);
        }
    }
    let read = incoming.read().unwrap();
    assert_eq!(count(&read), 2);
    let Amount::Beyond { dropped_bytes, .. } = read.amount else {
        panic!("{:?}", read.amount);
    };
    assert!(
        (500_000..501_000).contains(&dropped_bytes),
        "{dropped_bytes}"
    );
}
