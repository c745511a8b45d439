//! What no text of ours may hold: things left undone, switched off, unbounded, or true of one machine only.

use crate::tidy::text::{code, is_test_file};

/// Lines of a file, its tests with it. The plan expects a median near 120 lines of code and little above 350.
const LINES_MAX: usize = 600;

/// Lines of a file that is nothing but tests: tables of cases are long and still one idea.
const TEST_LINES_MAX: usize = 1200;

const UNDONE: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("X", "XX"),
    concat!("to", "do!"),
    concat!("unimple", "mented!"),
];

const SWITCHED_OFF: &[&str] = &[
    concat!("#[ig", "nore"),
    concat!("thread::", "sleep"),
    concat!("#[should_", "panic]"),
];

const MACHINES: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/Us", "ers/"),
    concat!("//cra", "tes.io"),
    concat!("index.cra", "tes.io"),
    concat!("static.cra", "tes.io"),
    concat!("py", "pi.org"),
    concat!("python", "hosted.org"),
    concat!("npm", "js.org"),
    concat!("deb.deb", "ian.org"),
];

/// A file without its job in the first lines.
pub fn opens_with_its_job(path: &str, text: &str) -> Vec<String> {
    if text.starts_with("//! ") {
        Vec::new()
    } else {
        vec![format!("{path}:1: open with `//!` and the file's job")]
    }
}

/// Rooms of the embedded AWS without a rule of AWS in them: ways in, state, helpers of tests, formats of others.
const RULELESS: &[&str] = &[
    "src/sim.rs",
    "src/sim/clients.rs",
    "src/sim/clock.rs",
    "src/sim/connector.rs",
    "src/sim/crash.rs",
    "src/sim/dynamodb/direct.rs",
    "src/sim/history.rs",
    "src/sim/kinesis/direct.rs",
    "src/sim/kinesis/operation.rs",
    "src/sim/percent.rs",
    "src/sim/sqs.rs",
    "src/sim/sqs/direct.rs",
    "src/sim/tcp.rs",
    "src/sim/trace.rs",
    "src/sim/world.rs",
    "src/sim/xml.rs",
];

/// A file of the embedded AWS that does not say where its rules stand.
pub fn cites(path: &str, text: &str) -> Vec<String> {
    let room = path == "src/sim.rs" || path.starts_with("src/sim/");
    let cites = text.contains("// API: ");
    match (room, RULELESS.contains(&path), cites) {
        (true, false, false) => vec![format!("{path}: cite the API reference: `// API: `")],
        (true, true, true) => vec![format!("{path}: it has rules: take it off the list")],
        _ => Vec::new(),
    }
}

/// A file that outgrew one idea.
pub fn short(path: &str, text: &str) -> Vec<String> {
    let lines_max = if is_test_file(path) {
        TEST_LINES_MAX
    } else {
        LINES_MAX
    };
    let lines = text.lines().count();
    if lines <= lines_max {
        Vec::new()
    } else {
        vec![format!("{path}: {lines} lines are more than {lines_max}")]
    }
}

/// A `select!` whose arms are polled in a random order.
pub fn biased_select(path: &str, text: &str) -> Vec<String> {
    let lines: Vec<_> = code(text).collect();
    lines
        .iter()
        .enumerate()
        .filter(|(index, (_, line))| {
            let Some(at) = line.find(concat!("select", "!")) else {
                return false;
            };
            let opened = line[at..].chars().chain("\n".chars());
            let following = lines[index + 1..]
                .iter()
                .take(2)
                .flat_map(|(_, line)| line.chars());
            let body: String = opened
                .chain(following)
                .skip_while(|c| *c != '{' && *c != '(')
                .skip(1)
                .collect();
            !body.trim_start().starts_with("biased;")
        })
        .map(|(_, (number, _))| format!("{path}:{number}: a select without `biased;` draws lots"))
        .collect()
}

/// `use module::*`, but for a test module's view of the file it tests.
pub fn no_glob(path: &str, text: &str) -> Vec<String> {
    let glob = |line: &str| {
        [
            concat!("::", "*;"),
            concat!("::", "{*"),
            concat!(", ", "*}"),
        ]
        .iter()
        .any(|g| line.contains(g))
    };
    code(text)
        .filter(|(_, line)| line.trim() != concat!("use super::", "*;") && glob(line))
        .map(|(number, _)| format!("{path}:{number}: import by name"))
        .collect()
}

/// A note that work is left.
pub fn nothing_undone(path: &str, text: &str) -> Vec<String> {
    words(path, text, UNDONE, "is work left undone")
}

/// A test that does not run, really sleeps, or asserts no more than that something fails.
pub fn nothing_switched_off(path: &str, text: &str) -> Vec<String> {
    words(
        path,
        text,
        SWITCHED_OFF,
        "hides a test, or makes it flaky or vague",
    )
}

/// A test that needs a server of others where `tests/run` would not find it: it runs that tier by the name `real`.
pub fn real_by_name(path: &str, text: &str) -> Vec<String> {
    let in_tier = path == "tests/it/support.rs";
    if in_tier {
        return Vec::new();
    }
    words(
        path,
        text,
        &[concat!("Cloud::mini", "stack(")],
        "is for `scenarios!`, which names its tests `real`",
    )
}

/// What is true of one machine or one registry only.
pub fn no_machine(path: &str, text: &str) -> Vec<String> {
    words(
        path,
        text,
        MACHINES,
        "names a machine's path or a registry's host",
    )
}

fn words(path: &str, text: &str, words: &[&str], why: &str) -> Vec<String> {
    text.lines()
        .enumerate()
        .flat_map(|(index, line)| {
            words
                .iter()
                .filter(move |word| contains_word(line, word))
                .map(move |word| format!("{path}:{}: `{word}` {why}", index + 1))
        })
        .collect()
}

/// Not as part of a longer name: a placeholder of base64 may hold any three letters.
fn contains_word(line: &str, word: &str) -> bool {
    let joins = |c: char| c.is_alphanumeric() || c == '_';
    let bare = word.starts_with(|c: char| c.is_alphanumeric());
    line.match_indices(word).any(|(at, _)| {
        let before = bare && line[..at].ends_with(joins);
        let after = word.ends_with(joins) && line[at + word.len()..].starts_with(joins);
        !before && !after
    })
}

#[cfg(test)]
mod tests {
    use super::{
        biased_select, no_glob, no_machine, nothing_switched_off, nothing_undone,
        opens_with_its_job, real_by_name, short,
    };

    type Check = fn(&str, &str) -> Vec<String>;

    #[test]
    fn each_check_catches_its_offender_and_nothing_else() {
        let cases: &[(Check, &str, &str)] = &[
            (opens_with_its_job, "use a;\n", "//! Job.\n"),
            (opens_with_its_job, "", "//! Job."),
            (
                biased_select,
                concat!("select", "! {\n    _ = a => {}\n}"),
                concat!("tokio::select", "! {\n    biased;\n}"),
            ),
            (
                biased_select,
                concat!("select", "! { _ = a => {} }"),
                concat!("select", "! { biased; _ = a => {} }"),
            ),
            (
                biased_select,
                concat!("select", "! {\n  // why\n  x = a => {}"),
                concat!("select", "! {\n  // why\n  biased;"),
            ),
            (no_glob, concat!("use a::b::", "*;"), "let a = b::c * d;"),
            (
                no_glob,
                concat!("pub use super::", "*;"),
                concat!("    use super::", "*;"),
            ),
            (no_glob, concat!("use a::{b, ", "*};"), "use a::{b, c};"),
            (
                nothing_undone,
                concat!("// TO", "DO: later"),
                concat!("\"AAxTO", "DOx\""),
            ),
            (nothing_undone, concat!("to", "do!()"), "let done = true;"),
            (
                nothing_switched_off,
                concat!("#[ig", "nore = \"slow\"]"),
                "ignore = [",
            ),
            (
                nothing_switched_off,
                concat!("std::thread::", "sleep(d)"),
                "tokio::time::sleep(d)",
            ),
            (
                real_by_name,
                concat!("Cloud::mini", "stack().await"),
                "Cloud::sim().await",
            ),
            (no_machine, concat!("cd /wo", "rk/main"), "framework/main"),
            (
                no_machine,
                concat!("https://cra", "tes.io/x"),
                concat!("sources: cra", "tes.io only"),
            ),
        ];
        for (check, offender, innocent) in cases {
            assert_eq!(check("a.rs", offender).len(), 1, "{offender}");
            assert_eq!(check("a.rs", innocent), [""; 0], "{innocent}");
        }
    }

    #[test]
    fn an_offence_names_its_line() {
        let text = concat!("a\nb TO", "DO\n");
        assert_eq!(
            nothing_undone("a.rs", text),
            [concat!("a.rs:2: `TO", "DO` is work left undone")]
        );
    }

    #[test]
    fn a_file_may_be_just_as_long_as_the_bound() {
        for (path, bound) in [("src/a.rs", 600), ("src/a/tests.rs", 1200)] {
            assert_eq!(short(path, &"x\n".repeat(bound)), [""; 0]);
            let offence = format!("{path}: {} lines are more than {bound}", bound + 1);
            assert_eq!(short(path, &"x\n".repeat(bound + 1)), [offence]);
        }
    }
}
