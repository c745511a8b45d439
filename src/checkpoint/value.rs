//! How the file holds a value: a key, and behind it one byte of version, a checksum, and JSON.
//!
//! The first five bytes keep this meaning in every version to come, so that an old program tells a file that is newer
//! from one that is damaged.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::crc32c::crc32c;

/// The newest that is read: a file that holds registrations, or positions that were set aside.
pub const FORMAT: u8 = 2;

/// A file without those, which older versions read as well; and the version that every value has.
pub const FORMAT_FIRST: u8 = 1;

/// Version and checksum.
const HEAD_BYTES: usize = 5;

const FORMAT_KEY: &str = "format";
const GENERATION_KEY: &str = "generation";
const MAPPING: &str = "mapping/";
const SHARD: &str = "shard/";
const REGISTRATION: &str = "registration/";
const ASIDE: &str = "undo/";

/// What a value is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// The version of the file.
    Format,
    /// The last generation that was given away.
    Generation,
    /// Who owns the mapping, and its note. The id is never empty and has no slash.
    Mapping(String),
    /// The progress of a mapping's shard.
    Shard(String, String),
    /// What is registered under the mapping's id, whether or not it was ever taken.
    Registration(String),
    /// The note of a mapping that was set aside.
    Aside(String),
    /// The progress of a shard that was set aside with it.
    AsideShard(String, String),
}

impl Key {
    /// The key that a text of the file names; none where it names none.
    pub fn read(text: &str) -> Option<Self> {
        if let Some(mapping) = text.strip_prefix(MAPPING) {
            return is_mapping(mapping).then(|| Self::Mapping(mapping.to_owned()));
        }
        if let Some(path) = text.strip_prefix(SHARD) {
            let (mapping, shard) = path.split_once('/')?;
            let whole = is_mapping(mapping) && !shard.is_empty();
            return whole.then(|| Self::Shard(mapping.to_owned(), shard.to_owned()));
        }
        if let Some(mapping) = text.strip_prefix(REGISTRATION) {
            return is_mapping(mapping).then(|| Self::Registration(mapping.to_owned()));
        }
        if let Some(path) = text.strip_prefix(ASIDE) {
            let Some((mapping, shard)) = path.split_once('/') else {
                return is_mapping(path).then(|| Self::Aside(path.to_owned()));
            };
            let whole = is_mapping(mapping) && !shard.is_empty();
            return whole.then(|| Self::AsideShard(mapping.to_owned(), shard.to_owned()));
        }
        match text {
            FORMAT_KEY => Some(Self::Format),
            GENERATION_KEY => Some(Self::Generation),
            _ => None,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format => f.write_str(FORMAT_KEY),
            Self::Generation => f.write_str(GENERATION_KEY),
            Self::Mapping(mapping) => write!(f, "{MAPPING}{mapping}"),
            Self::Shard(mapping, shard) => write!(f, "{SHARD}{mapping}/{shard}"),
            Self::Registration(mapping) => write!(f, "{REGISTRATION}{mapping}"),
            Self::Aside(mapping) => write!(f, "{ASIDE}{mapping}"),
            Self::AsideShard(mapping, shard) => write!(f, "{ASIDE}{mapping}/{shard}"),
        }
    }
}

/// Whether this can be the id of a mapping: with a slash in it two keys could read alike.
pub fn is_mapping(id: &str) -> bool {
    !id.is_empty() && !id.contains('/')
}

/// What is wrong with a value.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Cut off, or changed since it was written.
    #[error("its checksum does not fit")]
    Checksum,
    /// Written by a later version of the program.
    #[error("it has format {0}")]
    Newer(u8),
    /// Whole, and yet not what belongs there.
    #[error("it can not be read: {0}")]
    Content(String),
}

/// The bytes that hold `value` under `key`.
pub fn seal<T: Serialize>(key: &str, value: &T) -> Vec<u8> {
    let mut sealed = vec![0; HEAD_BYTES];
    serde_json::to_writer(&mut sealed, value)
        .expect("texts, numbers and maps with texts as keys can be written, and memory takes them");
    let sum = checksum(FORMAT_FIRST, key, &sealed[HEAD_BYTES..]);
    sealed[0] = FORMAT_FIRST;
    sealed[1..HEAD_BYTES].copy_from_slice(&sum.to_le_bytes());
    sealed
}

/// The value that was sealed under `key`.
pub fn unseal<T: DeserializeOwned>(key: &str, sealed: &[u8]) -> Result<T, Flaw> {
    let &[version, a, b, c, d, ref json @ ..] = sealed else {
        return Err(Flaw::Checksum);
    };
    if u32::from_le_bytes([a, b, c, d]) != checksum(version, key, json) {
        return Err(Flaw::Checksum);
    }
    if version > FORMAT {
        return Err(Flaw::Newer(version));
    }
    serde_json::from_slice(json).map_err(|error| Flaw::Content(error.to_string()))
}

fn checksum(version: u8, key: &str, json: &[u8]) -> u32 {
    // With the key's length, so that no byte can change sides.
    let length = (key.len() as u64).to_le_bytes();
    crc32c([&[version], length.as_slice(), key.as_bytes(), json])
}

#[cfg(test)]
mod tests {
    use super::{FORMAT, FORMAT_FIRST, Flaw, Key, checksum, seal, unseal};

    const KEY: &str = "shard/14e0db71-5d35-4eb5-b481-8945cf9d10c2/shardId-000000000000";

    #[test]
    fn a_key_reads_back_as_itself_and_nothing_else_is_a_key() {
        let keys = [
            (Key::Format, "format"),
            (Key::Generation, "generation"),
            (Key::Mapping("m".into()), "mapping/m"),
            (Key::Shard("m".into(), "s/1".into()), "shard/m/s/1"),
            (Key::Registration("m".into()), "registration/m"),
            (Key::Aside("m".into()), "undo/m"),
            (Key::AsideShard("m".into(), "s/1".into()), "undo/m/s/1"),
        ];
        for (key, text) in keys {
            assert_eq!(key.to_string(), text);
            assert_eq!(Key::read(text), Some(key));
        }
        for text in [
            "",
            "Format",
            "mapping/",
            "mapping/a/b",
            "shard/",
            "shard/m",
            "shard/m/",
            "shard//s",
            "registration/",
            "registration/a/b",
            "undo/",
            "undo/m/",
            "undo//s",
        ] {
            assert_eq!(Key::read(text), None, "{text}");
        }
    }

    #[test]
    fn the_layout_is_version_checksum_and_json() {
        let sealed = seal(KEY, &["a"]);
        assert_eq!(sealed[0], FORMAT_FIRST);
        assert_eq!(&sealed[5..], br#"["a"]"#);
        assert_eq!(unseal::<[String; 1]>(KEY, &sealed), Ok(["a".to_owned()]));
    }

    #[test]
    fn every_changed_bit_every_cut_and_every_other_key_is_noticed() {
        let sealed = seal(KEY, &["a", "longer"]);
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                unseal::<Vec<String>>(KEY, &changed),
                Err(Flaw::Checksum),
                "bit {bit}"
            );
        }
        for length in 0..sealed.len() {
            let cut = unseal::<Vec<String>>(KEY, &sealed[..length]);
            assert_eq!(cut, Err(Flaw::Checksum), "{length} bytes");
        }
        let moved = unseal::<Vec<String>>("shard/m/other", &sealed);
        assert_eq!(moved, Err(Flaw::Checksum));
    }

    #[test]
    fn what_we_know_is_read_and_a_newer_version_is_told_from_damage() {
        for (version, expected) in [
            (FORMAT_FIRST, Ok(vec!["a".to_owned()])),
            (FORMAT, Ok(vec!["a".to_owned()])),
            (FORMAT + 1, Err(Flaw::Newer(FORMAT + 1))),
        ] {
            let mut sealed = seal(KEY, &["a"]);
            sealed[0] = version;
            let sum = checksum(version, KEY, &sealed[5..]);
            sealed[1..5].copy_from_slice(&sum.to_le_bytes());
            assert_eq!(unseal::<Vec<String>>(KEY, &sealed), expected);
        }
    }

    #[test]
    fn what_is_whole_but_no_such_value_is_refused() {
        let read = unseal::<u64>(KEY, &seal(KEY, &"text"));
        assert!(matches!(read, Err(Flaw::Content(_))), "{read:?}");
    }
}
