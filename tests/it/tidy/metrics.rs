//! The README's table of metrics against the families that the program exports.

use std::collections::BTreeSet;

use crate::tidy::text::{code, is_test_file, without_tests};

const PREFIX: &str = "sluicegate_";

/// The families that `src/metrics.rs` and `src/metrics/` name: string literals that are a whole metric name.
pub fn exported(files: &[(String, String)]) -> BTreeSet<String> {
    files
        .iter()
        .filter(|(path, _)| path == "src/metrics.rs" || path.starts_with("src/metrics/"))
        .filter(|(path, _)| !is_test_file(path))
        .flat_map(|(_, text)| {
            code(without_tests(text)).flat_map(|(_, line)| line.split('"').skip(1).step_by(2))
        })
        .filter(|literal| is_name(literal))
        .map(str::to_owned)
        .collect()
}

/// The names in backquotes in the first cell of a table's row.
pub fn documented(readme: &str) -> BTreeSet<String> {
    readme
        .lines()
        .filter_map(|line| line.strip_prefix('|')?.split('|').next())
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .filter(|name| is_name(name))
        .map(str::to_owned)
        .collect()
}

fn is_name(text: &str) -> bool {
    text.len() > PREFIX.len()
        && text.starts_with(PREFIX)
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// What one side has and the other has not.
pub fn compare(exported: &BTreeSet<String>, documented: &BTreeSet<String>) -> Vec<String> {
    let missing = exported
        .difference(documented)
        .map(|name| format!("README.md: no row of its table describes {name}"));
    let invented = documented
        .difference(exported)
        .map(|name| format!("README.md: {name} is exported nowhere"));
    missing.chain(invented).collect()
}

#[cfg(test)]
mod tests {
    use super::{compare, documented, exported};

    #[test]
    fn a_difference_on_either_side_is_caught() {
        let source = "pub const A: &str = \"sluicegate_a_total\";\nlet b = (\"sluicegate_b\", \"help of sluicegate_x\");\n\
                      // \"sluicegate_comment\"\n#[cfg(test)]\nmod tests {\n    \"sluicegate_b_bucket\"\n}\n";
        let files = [
            ("src/metrics.rs".to_owned(), source.to_owned()),
            ("src/a.rs".to_owned(), "\"sluicegate_z\"".to_owned()),
        ];
        let exported = exported(&files);
        let readme = "| metric | labels |\n| --- | --- |\n| `sluicegate_a_total`, `sluicegate_b` | mapping |\n`sluicegate_prose`";
        assert_eq!(compare(&exported, &documented(readme)), [""; 0]);
        assert_eq!(
            compare(
                &exported,
                &documented("| `sluicegate_b` | |\n| `sluicegate_c` | |")
            ),
            [
                "README.md: no row of its table describes sluicegate_a_total",
                "README.md: sluicegate_c is exported nowhere"
            ]
        );
    }
}
