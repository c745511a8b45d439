//! Where files are: the top level, and each module's file beside the folder of its children.

/// Tools take dotted names; everything else at the top is named here.
const TOP_LEVEL: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "src",
    "config",
    "deploy",
    "tests",
    "benches",
    "README.md",
    "LICENSE",
];

/// A name at the top level that the plan does not have.
pub fn top_level(path: &str) -> Vec<String> {
    let top = path.split('/').next().unwrap_or(path);
    let planned = top.starts_with('.') || TOP_LEVEL.contains(&top);
    if planned {
        Vec::new()
    } else {
        vec![format!("{path}: {top} has no place at the top level")]
    }
}

/// Modules that no parent declares: code that is never compiled, tests that never run; and every `mod.rs`.
pub fn undeclared(files: &[(String, String)]) -> Vec<String> {
    let mut offences = Vec::new();
    for (path, _) in files {
        let Some(parents) = parents(path) else {
            continue;
        };
        let stem = path
            .rsplit('/')
            .next()
            .unwrap_or(path)
            .trim_end_matches(".rs");
        if stem == "mod" {
            offences.push(format!(
                "{path}: a module's file stands beside its folder: foo.rs and foo/"
            ));
            continue;
        }
        let declaration = format!("mod {stem};");
        let declared = files.iter().any(|(other, text)| {
            parents.contains(other)
                && text
                    .lines()
                    .map(str::trim)
                    .any(|line| !line.starts_with("//") && line.ends_with(&declaration))
        });
        if !declared {
            offences.push(format!(
                "{path}: never compiled, {} does not declare `{declaration}`",
                parents.join(" or ")
            ));
        }
    }
    offences
}

/// The files that may declare a module; none for the roots and for what is no module.
fn parents(path: &str) -> Option<Vec<String>> {
    let inside = path.strip_suffix(".rs")?;
    let (folder, stem) = inside.rsplit_once('/')?;
    match (folder, stem) {
        ("src", "lib" | "main") | ("tests/it", "main") => None,
        ("src", _) => Some(vec!["src/lib.rs".to_owned(), "src/main.rs".to_owned()]),
        ("tests/it", _) => Some(vec!["tests/it/main.rs".to_owned()]),
        _ if folder.starts_with("src/") || folder.starts_with("tests/it/") => {
            Some(vec![format!("{folder}.rs")])
        }
        // Another binary of tests beside the one.
        ("tests", _) => Some(vec!["tests/it/main.rs".to_owned()]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{top_level, undeclared};

    fn files(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
            .collect()
    }

    #[test]
    fn a_stray_at_the_top_level_is_caught() {
        assert_eq!(
            top_level("notes.md"),
            ["notes.md: notes.md has no place at the top level"]
        );
        assert_eq!(top_level("scripts/x.sh").len(), 1);
        for path in [
            "README.md",
            "src/lib.rs",
            ".ci/run",
            ".deny.toml",
            "config/orders.yaml",
        ] {
            assert_eq!(top_level(path), [""; 0]);
        }
    }

    #[test]
    fn a_file_that_no_parent_declares_is_caught() {
        let tree = files(&[
            ("src/lib.rs", "pub mod model;\n// mod attic;\n"),
            ("src/main.rs", ""),
            ("src/model.rs", "pub mod window;"),
            ("src/model/window.rs", ""),
            ("tests/it/main.rs", "mod tidy;"),
            ("tests/it/tidy.rs", ""),
            ("benches/hot.rs", ""),
        ]);
        assert_eq!(undeclared(&tree), [""; 0]);
        for stray in [
            "src/attic.rs",
            "src/model/attic.rs",
            "tests/it/attic.rs",
            "tests/attic.rs",
            "src/model/mod.rs",
        ] {
            let mut tree = tree.clone();
            tree.push((stray.to_owned(), String::new()));
            assert_eq!(undeclared(&tree).len(), 1, "{stray}");
        }
    }
}
