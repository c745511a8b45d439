//! How the checks read a Rust file: its code without comments, and without its test module where that is exempt.

/// The lines of code with their numbers from 1: comments cut off, empty lines left out.
pub fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().filter_map(|(index, line)| {
        let code = match line.trim_start().starts_with("//") {
            true => "",
            false => line.split(" // ").next().unwrap_or(line).trim_end(),
        };
        (!code.is_empty()).then_some((index + 1, code))
    })
}

/// The text before the test module at its end; all of it where there is none.
pub fn without_tests(text: &str) -> &str {
    let mut from = 0;
    while let Some(found) = text[from..].find("\n#[cfg(test)]\n") {
        let at = from + found;
        let item = text[at + 1..]
            .lines()
            .find(|line| !line.starts_with("#["))
            .unwrap_or_default();
        let opens_module = item.contains("mod ") && item.ends_with('{');
        if opens_module {
            return &text[..=at];
        }
        from = at + 1;
    }
    text
}

/// Whether a file is nothing but tests (`src/queue/tests.rs`, `src/queue/tests/drain.rs`, `tests/it/demo.rs`).
pub fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/") || path.starts_with("tests/")
}

#[cfg(test)]
mod tests {
    use super::{code, is_test_file, without_tests};

    #[test]
    fn comments_are_no_code() {
        let text = "//! Job.\nuse a; // why\n\n    /// Doc.\nlet url = \"http://x\";\n";
        assert_eq!(
            code(text).collect::<Vec<_>>(),
            [(2, "use a;"), (5, "let url = \"http://x\";")]
        );
    }

    #[test]
    fn only_a_test_module_ends_the_code() {
        assert_eq!(
            without_tests("a\n#[cfg(test)]\n#[allow(x)]\nmod tests {\nb\n}\n"),
            "a\n"
        );
        let helper = "a\n#[cfg(test)]\nfn helper() {\n}\nb\n";
        assert_eq!(without_tests(helper), helper);
        let elsewhere = "a\n#[cfg(test)]\nmod tests;\nb\n";
        assert_eq!(without_tests(elsewhere), elsewhere);
    }

    #[test]
    fn a_test_file_is_known_by_its_place() {
        assert!(is_test_file("src/queue/tests.rs") && is_test_file("src/queue/tests/drain.rs"));
        assert!(!is_test_file("src/queue.rs"));
    }
}
