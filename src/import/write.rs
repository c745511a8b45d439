//! A document as YAML that says exactly what was found: every text that could be read as something else is quoted.

use super::document::{Document, Entry, Outcome};
use super::value::Value;
use crate::config::error::one_line;
use crate::config::tree;

pub(super) fn document(document: &Document) -> String {
    let mut out = String::new();
    let taken = document.taken().count();
    let refused = |entry: &&Entry| matches!(entry.outcome, Outcome::Refused(_));
    let refused = document.entries.iter().filter(refused).count();
    comment(&mut out, "", &format!("Made by `{}`.", document.made_by));
    let counted = match refused {
        0 => format!("Mappings taken over: {taken}."),
        refused => format!("Mappings taken over: {taken}; not taken over: {refused}."),
    };
    comment(&mut out, "", &counted);
    let variables = document.variables();
    if !variables.is_empty() {
        let what = "To be set in the environment, or to be written in their place:";
        comment(&mut out, "", what);
    }
    for (name, stands_for) in variables {
        comment(&mut out, "", &format!("  {name}: {stands_for}"));
    }
    out.push_str(match taken {
        0 => "EventSourceMappings: []\n",
        _ => "EventSourceMappings:\n",
    });
    for entry in &document.entries {
        mapping(&mut out, entry);
    }
    out
}

fn mapping(out: &mut String, entry: &Entry) {
    let origin = &entry.origin;
    match &entry.outcome {
        Outcome::Taken(settings) => {
            comment(out, "  ", origin);
            for note in &entry.notes {
                comment(out, "  ", &format!("  {}", note.what));
            }
            let mut lead = "  - ";
            for (key, value) in settings {
                out.push_str(lead);
                field(out, key, value, 4);
                lead = "    ";
            }
        }
        Outcome::Refused(reasons) => {
            comment(out, "  ", &format!("Not taken over: {origin}"));
            for reason in reasons {
                comment(out, "  ", &format!("  {reason}"));
            }
        }
        Outcome::Absent(why) => {
            comment(out, "  ", &format!("Not part of it: {origin}"));
            comment(out, "  ", &format!("  {why}"));
        }
    }
}

fn comment(out: &mut String, indent: &str, what: &str) {
    out.push_str(indent);
    out.push_str("# ");
    out.push_str(&one_line(what));
    out.push('\n');
}

/// `key: value`, with what is below it `indent` columns to the right of the line's beginning.
fn field(out: &mut String, key: &str, value: &Value, indent: usize) {
    out.push_str(&scalar(key));
    out.push(':');
    match value {
        Value::Map(entries) if !entries.is_empty() => {
            out.push('\n');
            for (key, value) in entries {
                pad(out, indent + 2);
                field(out, key, value, indent + 2);
            }
        }
        Value::List(items) if !items.is_empty() => match flow(items) {
            Some(flow) => {
                out.push(' ');
                out.push_str(&flow);
                out.push('\n');
            }
            None => {
                out.push('\n');
                for item in items {
                    pad(out, indent + 2);
                    out.push_str("- ");
                    element(out, item, indent + 4);
                }
            }
        },
        value => {
            out.push(' ');
            out.push_str(&simple(value));
            out.push('\n');
        }
    }
}

/// An item of a list whose line has begun; `indent` is where its text begins.
fn element(out: &mut String, item: &Value, indent: usize) {
    match item {
        Value::Map(entries) if !entries.is_empty() => {
            for (index, (key, value)) in entries.iter().enumerate() {
                if index > 0 {
                    pad(out, indent);
                }
                field(out, key, value, indent);
            }
        }
        Value::List(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    pad(out, indent);
                }
                out.push_str("- ");
                element(out, item, indent + 2);
            }
        }
        item => {
            out.push_str(&simple(item));
            out.push('\n');
        }
    }
}

fn pad(out: &mut String, columns: usize) {
    out.extend(std::iter::repeat_n(' ', columns));
}

/// `[ReportBatchItemFailures]`: a list of single words stands in one line.
fn flow(items: &[Value]) -> Option<String> {
    let word = |item: &Value| {
        let text = item.known()?;
        let letters = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphabetic());
        (letters && scalar(text) == text).then(|| text.to_owned())
    };
    let words: Option<Vec<String>> = items.iter().map(word).collect();
    words.map(|words| format!("[{}]", words.join(", ")))
}

fn simple(value: &Value) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Float(raw) => raw.clone(),
        Value::Text(text) => scalar(&text.written()),
        Value::List(_) => "[]".to_owned(),
        Value::Map(_) => "{}".to_owned(),
    }
}

/// Text as it is where it can only be read as that text; else in single quotes, or in double quotes where it has what
/// single quotes can not hold.
fn scalar(text: &str) -> String {
    let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric()) || text.starts_with("${");
    let letters = text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "._/:$@+-{}".contains(c));
    let is_text = matches!(tree::Value::from_plain(text), tree::Value::Text(_));
    if begins && letters && is_text && !text.ends_with(':') {
        return text.to_owned();
    }
    let printable = |c: char| !c.is_control() && !SPECIAL.contains(&c);
    if text.chars().all(printable) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if printable(c) => quoted.push(c),
            c => quoted.push_str(&format!("\\U{:08X}", u32::from(c))),
        }
    }
    quoted.push('"');
    quoted
}

/// Line breaks to some readers of YAML, and a mark that an editor may drop.
const SPECIAL: [char; 3] = ['\u{2028}', '\u{2029}', '\u{feff}'];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::yaml::{Dialect, document as read};

    #[test]
    fn every_text_is_read_back_as_itself() {
        let texts = [
            "orders",
            "arn:aws:sqs:us-east-1:123456789012:orders",
            "${QUEUE_ARN}",
            "arn:aws:sqs:${AWS_REGION}:123456789012:orders.fifo",
            "f:$LATEST",
            "123",
            "0x1F",
            "1e3",
            "true",
            "null",
            "~",
            "",
            " led and trailed ",
            "- x",
            "a: b",
            "a:",
            "#no comment",
            "x #no comment",
            "it's",
            "\"quoted\"",
            "{\"body\":{\"kind\":[\"it's\"]}}",
            "line\nbreak\r\n\ttab",
            "\u{1}\u{7f}\u{85}\u{2028}\u{feff}",
            "back\\slash\nand \"more\"",
            "größe 😀",
            "%percent",
            "@at",
            "`tick",
            "!tag",
            "&anchor",
            "*alias",
            "?",
            "---",
            "...",
            "2026-09-17T12:00:00Z",
        ];
        for text in texts {
            let written = format!("Key: {}\n", scalar(text));
            let root = read(&"x".into(), &written, Dialect::Plain)
                .unwrap_or_else(|error| panic!("{written:?}: {error:?}"))
                .expect("there is something in it");
            let tree::Value::Map(entries) = root.value else {
                panic!("{written:?} is a mapping");
            };
            assert_eq!(
                entries[0].node.value,
                tree::Value::text(text),
                "{written:?}"
            );
        }
    }
}
