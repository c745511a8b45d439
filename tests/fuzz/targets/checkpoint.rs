//! Keys and values of the checkpoint file: what is read is what was written under that very key, and nothing else is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use sluicegate_fuzz::checkpoint::value::{FORMAT_FIRST, Flaw, Key, seal, unseal};
use sluicegate_fuzz::model::progress::ShardProgress;

fuzz_target!(|input: &[u8]| {
    // The first line is the key, all that follows is the value.
    let Some(at) = input.iter().position(|byte| *byte == b'\n') else {
        return;
    };
    let (key, value) = (&input[..at], &input[at + 1..]);
    let key = String::from_utf8_lossy(key);
    if let Some(read) = Key::read(&key) {
        assert_eq!(read.to_string(), key, "two keys read alike");
    }

    // As it lies in the file: whatever is read of it was sealed so.
    if let Ok(read) = unseal::<Value>(&key, value) {
        let sealed = seal(&key, &read);
        assert_eq!(unseal::<Value>(&key, &sealed), Ok(read));
    }
    // As it was written.
    let text = String::from_utf8_lossy(value);
    let sealed = seal(&key, &text);
    assert_eq!(unseal::<String>(&key, &sealed).as_deref(), Ok(&*text));
    assert_eq!(sealed[0], FORMAT_FIRST);
    let elsewhere = unseal::<String>(&format!("{key}x"), &sealed);
    assert_eq!(elsewhere, Err(Flaw::Checksum), "it belongs to its key");
    let mut changed = sealed.clone();
    let place = input.iter().map(|byte| usize::from(*byte)).sum::<usize>() % changed.len();
    changed[place] ^= 1 << (place % 8);
    assert_eq!(unseal::<String>(&key, &changed), Err(Flaw::Checksum));
    let cut = unseal::<String>(&key, &sealed[..place]);
    assert_eq!(cut, Err(Flaw::Checksum));

    // A shard's progress, by whoever wrote it.
    let Ok(progress) = serde_json::from_slice::<ShardProgress>(value) else {
        return;
    };
    let sealed = seal(&key, &progress);
    assert_eq!(unseal::<ShardProgress>(&key, &sealed), Ok(progress.clone()));
    assert_eq!(
        progress.ended(),
        progress.position.to_string() == "the end of the shard"
    );
    assert!(progress.position <= progress.position);
});
