//! Crates that must not be in the tree, read from Cargo.lock. `.deny.toml` knows them too, and each one's reason; this
//! holds where cargo-deny is not installed.

/// A crate that is refused below a version; without a version it is refused whatever its version.
const BANNED: &[(&str, Option<[u64; 3]>)] = &[
    ("hyper", Some([1, 0, 0])),
    ("h2", Some([0, 4, 16])),
    ("rustls", Some([0, 23, 0])),
    ("rustls-webpki", Some([0, 103, 13])),
    ("ring", Some([0, 17, 12])),
    ("protobuf", Some([3, 7, 2])),
    ("time", Some([0, 3, 47])),
    ("tracing-subscriber", Some([0, 3, 20])),
    ("openssl", None),
    ("openssl-sys", None),
    ("native-tls", None),
    ("aws-lc-rs", None),
    ("aws-lc-sys", None),
    ("async-std", None),
    ("bincode", None),
    ("dotenv", None),
    ("fxhash", None),
    ("paste", None),
    ("rustls-pemfile", None),
    ("serde_yaml", None),
    ("serde_yml", None),
    ("sled", None),
];

/// Of these a second version is a second TLS, HTTP or cryptography stack, or two runtimes that do not know each other.
const ONCE: &[&str] = &["hyper", "h2", "http", "rustls", "ring", "tokio"];

/// What the lock file holds and must not.
pub fn banned(lock: &str) -> Vec<String> {
    let packages = packages(lock);
    let refused = packages.iter().filter_map(|(name, version)| {
        let (_, floor) = BANNED.iter().find(|(banned, _)| banned == name)?;
        match floor {
            Some(floor) if numbers(version) >= *floor => None,
            Some(_) => Some(format!(
                "Cargo.lock: {name} {version} is older than .deny.toml allows"
            )),
            None => Some(format!(
                "Cargo.lock: {name} {version} is banned by .deny.toml"
            )),
        }
    });
    let twice = ONCE.iter().filter_map(|once| {
        let versions: Vec<_> = packages
            .iter()
            .filter(|(name, _)| name == once)
            .map(|(_, version)| *version)
            .collect();
        (versions.len() > 1).then(|| {
            format!(
                "Cargo.lock: {once} is there more than once: {}",
                versions.join(", ")
            )
        })
    });
    let unlocked = packages
        .is_empty()
        .then(|| "Cargo.lock: no package found, its format is new".to_owned());
    refused.chain(twice).chain(unlocked).collect()
}

fn packages(lock: &str) -> Vec<(&str, &str)> {
    let value = |block: &'_ str, key: &str| -> Option<(usize, usize)> {
        let start = block.find(&format!("\n{key} = \""))? + key.len() + 5;
        Some((start, start + block[start..].find('"')?))
    };
    lock.split("[[package]]")
        .skip(1)
        .filter_map(|block| {
            let (name, version) = (value(block, "name")?, value(block, "version")?);
            Some((&block[name.0..name.1], &block[version.0..version.1]))
        })
        .collect()
}

fn numbers(version: &str) -> [u64; 3] {
    let release = version.split(['-', '+']).next().unwrap_or(version);
    let mut parts = release.split('.').map(|part| part.parse().unwrap_or(0));
    std::array::from_fn(|_| parts.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::{BANNED, banned};

    fn lock(packages: &[(&str, &str)]) -> String {
        let block = |(name, version): &(&str, &str)| {
            format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n\n")
        };
        format!(
            "version = 4\n\n{}",
            packages.iter().map(block).collect::<String>()
        )
    }

    #[test]
    fn a_banned_crate_is_caught() {
        let cases = [
            (
                ("hyper", "0.14.32"),
                "Cargo.lock: hyper 0.14.32 is older than .deny.toml allows",
            ),
            (
                ("h2", "0.4.9"),
                "Cargo.lock: h2 0.4.9 is older than .deny.toml allows",
            ),
            (
                ("rustls", "0.21.12"),
                "Cargo.lock: rustls 0.21.12 is older than .deny.toml allows",
            ),
            (
                ("serde_yaml", "0.9.34+deprecated"),
                "Cargo.lock: serde_yaml 0.9.34+deprecated is banned by .deny.toml",
            ),
        ];
        for (package, offence) in cases {
            assert_eq!(banned(&lock(&[("bytes", "1.0.0"), package])), [offence]);
        }
    }

    #[test]
    fn the_floor_itself_is_allowed_and_a_second_version_is_not() {
        assert_eq!(
            banned(&lock(&[
                ("hyper", "1.0.0"),
                ("h2", "0.4.16"),
                ("rustls", "0.23.46")
            ])),
            [""; 0]
        );
        assert_eq!(
            banned(&lock(&[("ring", "0.17.12"), ("ring", "0.18.0")])),
            ["Cargo.lock: ring is there more than once: 0.17.12, 0.18.0"]
        );
    }

    #[test]
    fn a_lock_file_in_which_nothing_is_found_does_not_pass() {
        assert_eq!(banned("version = 9").len(), 1);
    }

    #[test]
    fn both_lists_of_bans_name_the_same_crates() {
        let config = include_str!("../../../.deny.toml");
        for (name, floor) in BANNED {
            let entry = match floor {
                None => format!("crate = \"{name}\""),
                Some(_) => format!("crate = \"{name}:<"),
            };
            assert!(config.contains(&entry), ".deny.toml lacks {entry}");
        }
        let listed = config
            .lines()
            .filter(|line| line.contains("crate =") && line.contains("reason ="))
            .count();
        let skipped = 2;
        assert_eq!(listed, BANNED.len() + skipped);
    }
}
