//! What a service says of a failed call: every code and status has a reaction, and no words of others reach the log as they are.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use sluicegate_fuzz::fault::{Fault, TEXT_MAX, classify, legible, seconds};

fuzz_target!(|input: &[u8]| {
    // Two bytes of status, then lines: the code, `Retry-After`, the message.
    let [low, high, text @ ..] = input else {
        return;
    };
    let status = u16::from_le_bytes([*low, *high]) % 600;
    let text = String::from_utf8_lossy(text);
    let mut lines = text.splitn(3, '\n');
    let mut next = || lines.next().unwrap_or_default();
    let (code, after, message) = (next(), next(), next());

    let after_s = seconds(after);
    if let Some(wait) = after_s {
        assert_eq!(wait.subsec_nanos(), 0);
        let digits = after.trim().trim_start_matches('+').trim_start_matches('0');
        assert!(digits.is_empty() || digits == wait.as_secs().to_string());
    }
    let fault = classify(code, status, after_s);
    match fault {
        Fault::Throttled { after } => assert_eq!(after, after_s),
        // A wait that the service asked for changes the wait alone.
        other => assert_eq!(classify(code, status, Some(Duration::from_secs(1))), other),
    }
    // Old protocols put a namespace in front of a code.
    let spaced = format!("com.amazonaws.sqs#{code}");
    assert_eq!(classify(&spaced, status, after_s), fault);
    if classify(code, 0, None) == Fault::Transient && status >= 500 {
        assert_eq!(
            fault,
            Fault::Transient,
            "a service that fails may work next time"
        );
    }
    for words in [code, message] {
        let shown = legible(words);
        assert!(shown.len() <= TEXT_MAX && !shown.contains(char::is_control));
        // What is left are the same characters, as many as there is room for.
        let left = shown.chars().count();
        let next = words.char_indices().nth(left);
        let cut_late = next.is_none_or(|(at, c)| at + c.len_utf8() > TEXT_MAX);
        assert!(cut_late, "cut too early: {shown}");
        assert_eq!(legible(&shown), shown);
    }
});
