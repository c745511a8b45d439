//! Keeps the house: reads the tree and names whatever breaks an invariant of the architecture or of style.
//!
//! A check is a function of values, the path and the text of a file to the offences in it, so that each can be shown
//! to catch a planted offender. Words that a check looks for are spelled in two halves: it reads this file, too.

mod layout;
mod lock;
mod metrics;
mod rooms;
mod source;
mod text;

use std::path::PathBuf;
use std::process::Command;

/// The files of the repository: what git holds, and what it would take of the work tree.
struct Tree {
    files: Vec<(String, String)>,
}

impl Tree {
    fn read() -> Tree {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let listed = Command::new("git")
            .args([
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard",
                "--deduplicate",
            ])
            .current_dir(&root)
            .output()
            .expect("git lists the files of the repository");
        assert!(
            listed.status.success(),
            "git ls-files: {}",
            String::from_utf8_lossy(&listed.stderr)
        );
        let names = String::from_utf8(listed.stdout).expect("paths are UTF-8");
        let mut files: Vec<_> = names
            .split_terminator('\0')
            // Deleted in the work tree and still in the index.
            .filter(|path| root.join(path).is_file())
            .map(|path| {
                let bytes = std::fs::read(root.join(path))
                    .unwrap_or_else(|e| panic!("failed to read {path}: {e}"));
                (
                    path.to_owned(),
                    String::from_utf8_lossy(&bytes).into_owned(),
                )
            })
            .collect();
        files.sort();
        assert!(
            files.iter().any(|(path, _)| path == "src/lib.rs"),
            "the tree is the repository's"
        );
        Tree { files }
    }

    fn text(&self, wanted: &str) -> Option<&str> {
        self.files
            .iter()
            .find(|(path, _)| path == wanted)
            .map(|(_, text)| text.as_str())
    }

    /// Holds every file that `applies` against `check`, and fails with all offences at once.
    fn hold(&self, applies: fn(&str) -> bool, check: fn(&str, &str) -> Vec<String>) {
        let offences: Vec<_> = self
            .files
            .iter()
            .filter(|(path, _)| applies(path))
            .flat_map(|(path, text)| check(path, text))
            .collect();
        assert!(offences.is_empty(), "\n{}\n", offences.join("\n"));
    }
}

fn is_rust(path: &str) -> bool {
    path.ends_with(".rs")
}

fn is_room(path: &str) -> bool {
    path.starts_with("src/") && is_rust(path)
}

/// Written by us: neither the licence nor what cargo generates.
fn is_ours(path: &str) -> bool {
    !matches!(path, "LICENSE" | "Cargo.lock")
}

#[test]
fn imports_flow_downwards() {
    Tree::read().hold(is_room, rooms::imports);
}

#[test]
fn the_model_neither_waits_nor_reads_a_clock_nor_draws_nor_logs() {
    Tree::read().hold(is_room, rooms::pure_model);
}

#[test]
fn sdk_types_end_at_the_edge() {
    Tree::read().hold(is_room, rooms::sdk_at_the_edge);
}

#[test]
fn files_are_named_after_their_module_and_declared_by_its_parent() {
    let tree = Tree::read();
    let offences = layout::undeclared(&tree.files);
    assert!(offences.is_empty(), "\n{}\n", offences.join("\n"));
}

#[test]
fn the_top_level_holds_only_what_the_plan_names() {
    Tree::read().hold(|_| true, |path, _| layout::top_level(path));
}

#[test]
fn files_open_with_their_job_and_stay_short() {
    let tree = Tree::read();
    tree.hold(is_rust, source::opens_with_its_job);
    tree.hold(is_rust, source::short);
}

#[test]
fn the_embedded_aws_says_where_its_rules_stand() {
    Tree::read().hold(is_rust, source::cites);
}

#[test]
fn every_select_is_biased() {
    Tree::read().hold(is_rust, source::biased_select);
}

#[test]
fn nothing_is_imported_by_glob() {
    Tree::read().hold(is_rust, source::no_glob);
}

#[test]
fn nothing_is_left_undone_or_switched_off() {
    let tree = Tree::read();
    tree.hold(is_ours, source::nothing_undone);
    tree.hold(is_rust, source::nothing_switched_off);
}

#[test]
fn tests_against_real_servers_are_where_the_runner_finds_them() {
    Tree::read().hold(is_rust, source::real_by_name);
}

#[test]
fn no_file_names_a_machine_or_the_host_of_a_registry() {
    Tree::read().hold(is_ours, source::no_machine);
}

#[test]
fn the_readme_lists_the_metrics_that_exist() {
    let tree = Tree::read();
    let Some(readme) = tree.text("README.md") else {
        return;
    };
    let exported = metrics::exported(&tree.files);
    let offences = metrics::compare(&exported, &metrics::documented(readme));
    assert!(offences.is_empty(), "\n{}\n", offences.join("\n"));
}

#[test]
fn the_lock_file_holds_no_banned_crate() {
    let tree = Tree::read();
    let offences = lock::banned(tree.text("Cargo.lock").expect("Cargo.lock is committed"));
    assert!(offences.is_empty(), "\n{}\n", offences.join("\n"));
}
