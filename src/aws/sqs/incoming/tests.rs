//! What is read as it comes is what is read as one text, wherever that is cut.

use super::*;
use crate::aws::canned::spelled;
use crate::aws::fault::Fault;
use crate::aws::sqs::answer::tests::written;

type Outcome = Result<Vec<Result<String, Unusable>>, Fault>;

/// What the parser makes of all of it at once.
fn whole(text: &[u8]) -> Outcome {
    let messages = Answer::read(text)
        .map_err(|failure| failure.fault)?
        .messages();
    Ok(messages
        .map(|message| message.map(|message| written(&message)))
        .collect())
}

/// Reads the parts of a text. None that comes is empty.
fn read<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut incoming = Incoming::new(|message: Message<'_>| written(&message));
    for part in parts.into_iter().filter(|part| !part.is_empty()) {
        incoming.take(Bytes::copy_from_slice(part));
    }
    incoming.read().map_err(|failure| failure.fault)
}

/// The text is read as its whole however it is cut in two, and byte by byte. What is wrong in it is told in other words, but asks
/// for the same.
fn is_read_apart(text: &str) -> Outcome {
    let text = text.as_bytes();
    let whole = whole(text);
    for at in 0..=text.len() {
        let shown = || String::from_utf8_lossy(text);
        let apart = read([&text[..at], &text[at..]]);
        assert_eq!(apart, whole, "cut at {at}: {}", shown());
    }
    assert_eq!(read(text.chunks(1)), whole);
    assert_eq!(read_at_once(text), whole);
    whole
}

/// Reads a text of which the length was said before.
fn read_at_once(text: &[u8]) -> Outcome {
    let mut incoming = Incoming::new(|message: Message<'_>| written(&message));
    incoming.begin(text.len());
    if !text.is_empty() {
        incoming.take(Bytes::copy_from_slice(text));
    }
    incoming.read().map_err(|failure| failure.fault)
}

/// How many messages of an answer can be used, and how many can not.
fn count(read: &Outcome) -> Option<(usize, usize)> {
    let read = read.as_ref().ok()?;
    let usable = read.iter().filter(|message| message.is_ok()).count();
    Some((usable, read.len() - usable))
}

const PLAIN: &str = r#"{"MessageId":"m","ReceiptHandle":"r","Body":"hello","MD5OfBody":"5d41402abc4b2a76b9719d911017c592","Attributes":{"SentTimestamp":"17","MessageGroupId":"g"}}"#;
const ODD: &str = r#"{"Newer":{"Messages":[1,"]}",{"a":[]}]},"Body":"\"]},{\\","MessageId":"\u006e","ReceiptHandle":"r","MessageAttributes":{"a":{"StringValue":"]","DataType":"String"}}}"#;
const CORRUPT: &str = r#"{"MessageId":"c","ReceiptHandle":"r","Body":"hello","MD5OfBody":"00","Attributes":{"MessageGroupId":"g"}}"#;

#[test]
fn an_answer_is_the_same_apart_wherever_it_is_cut() {
    for (text, messages) in [
        (format!(r#"{{"Messages":[{PLAIN}]}}"#), (1, 0)),
        (
            format!(r#" {{ "Newer" : 0 , "Messages" : [ {ODD} , {PLAIN} ] }} "#),
            (2, 0),
        ),
        (
            format!(r#"{{"Messages":[{CORRUPT},{ODD}],"A":{{"Messages":[7]}}}}"#),
            (1, 1),
        ),
        (
            format!(r#"{{"\u004dessages":[{PLAIN},{CORRUPT},{PLAIN}]}}"#),
            (2, 1),
        ),
        (r#"{"Messages":[{}]}"#.to_owned(), (0, 1)),
        (r#"{"Messages":[ ]}"#.to_owned(), (0, 0)),
        (r#"{"Messages":null}"#.to_owned(), (0, 0)),
        (r#"{}"#.to_owned(), (0, 0)),
        (r#"{"messages":[1],"Messagesx":[2]}"#.to_owned(), (0, 0)),
        // What the parser takes for the same, nobody sends.
        (format!("[[{PLAIN}]]"), (1, 0)),
    ] {
        let read = is_read_apart(&text);
        assert_eq!(count(&read), Some(messages), "{text}");
    }
}

#[test]
fn what_is_no_answer_is_none_wherever_it_is_cut() {
    for text in [
        String::new(),
        "{\"Messages\":".to_owned(),
        "{\"Messages\":[".to_owned(),
        "{\"Messages\":3}".to_owned(),
        "{\"Messages\":[7]}".to_owned(),
        "{\"Messages\":[7,".to_owned(),
        "{\"Messages\":[{\"Body\":1}]}".to_owned(),
        format!("{{\"Messages\":[{PLAIN}"),
        format!("{{\"Messages\":[{PLAIN},"),
        format!("{{\"Messages\":[{PLAIN},]}}"),
        format!("{{\"Messages\":[,{PLAIN}]}}"),
        format!("{{\"Messages\":[{PLAIN} {PLAIN}]}}"),
        format!("{{\"Messages\":[{PLAIN}]"),
        format!("{{\"Messages\":[{PLAIN}]}}}}"),
        format!("{{\"Messages\":[{PLAIN}],\"Messages\":[{PLAIN}]}}"),
        format!("{{\"Messages\":[{}]}}", &PLAIN[1..]),
        format!("{{\"Messages\":[{}]}}", &PLAIN[..PLAIN.len() - 1]),
    ] {
        assert_eq!(is_read_apart(&text), Err(Fault::Transient), "{text}");
    }
}

#[test]
fn a_wrong_answer_says_which_it_is() {
    for text in [
        "{\"Messages\":[{\"Body\":1}]}",
        "{\"Messages\":[{} {}]}",
        "<html>",
    ] {
        let mut incoming = Incoming::new(|message: Message<'_>| written(&message));
        incoming.take(Bytes::from(text));
        let said = incoming.read().unwrap_err().to_string();
        let words = "unreadable answer: ReceiveMessage: ";
        assert!(said.starts_with(words), "{said}");
    }
}

/// Whatever is done to the text of an answer, the parts of it say what all of it says.
#[test]
fn a_harmed_answer_is_read_as_its_whole() {
    let mut chance = fastrand::Rng::with_seed(11);
    let (mut good, mut bad) = (0, 0);
    for _ in 0..3_000 {
        let listed: Vec<String> = (0..chance.usize(0..4))
            .map(|_| match chance.u8(0..4) {
                0 => ODD.to_owned(),
                1 => CORRUPT.to_owned(),
                2 => format!(
                    r#"{{"MessageId":{},"ReceiptHandle":"r","Body":{}}}"#,
                    spelled(&mut chance, "m\n"),
                    spelled(&mut chance, "\"b\\")
                ),
                _ => PLAIN.to_owned(),
            })
            .collect();
        let mut text = format!("{{\"Messages\":[{}]}}", listed.join(", ")).into_bytes();
        if chance.bool() {
            let at = chance.usize(0..text.len());
            match chance.u8(0..3) {
                0 => drop(text.remove(at)),
                1 => text[at] = b"{}[]\",:\\ 1a"[chance.usize(0..11)],
                _ => text.truncate(at),
            }
        }
        let whole = whole(&text);
        let most = chance.usize(1..=text.len().max(1));
        assert_eq!(
            read(text.chunks(most)),
            whole,
            "{}",
            String::from_utf8_lossy(&text)
        );
        match whole {
            Ok(_) => good += 1,
            Err(_) => bad += 1,
        }
    }
    assert!(good > 1_000 && bad > 500, "{good}, {bad}");
}
