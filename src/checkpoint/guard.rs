//! redb meets some damage with a panic. It becomes a doubt in words, and no trace on stderr: an operator reads one line.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use super::file::Doubt;

thread_local! {
    /// Whether a panic of this thread is expected and caught.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// What `work` comes to. What is left of it after a panic is dropped, not used.
pub fn guarded<T>(work: impl FnOnce() -> Result<T, Doubt>) -> Result<T, Doubt> {
    hush();
    let before = GUARDED.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(before);
    done.unwrap_or_else(|panic| {
        let what = format!("reading it ends in a panic: {}", said(panic.as_ref()));
        Err(Doubt::Damaged(what))
    })
}

/// From now on panics are shown as before, but not those that are guarded.
fn hush() {
    static HUSHED: Once = Once::new();
    HUSHED.call_once(|| {
        let shown = take_hook();
        set_hook(Box::new(move |panic| {
            if !GUARDED.get() {
                shown(panic);
            }
        }));
    });
}

/// Its words, on one line.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (None, Some(text)) => text.as_str(),
        (None, None) => "without a word",
    };
    text.lines().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::process::Command;

    use super::*;

    #[test]
    fn a_panic_is_damage_in_its_own_words_on_one_line() {
        let of = |work: fn()| {
            let Err(Doubt::Damaged(what)) = guarded(|| -> Result<(), Doubt> {
                work();
                Ok(())
            }) else {
                return String::new();
            };
            what
        };
        let table: [(fn(), &str); 3] = [
            (|| panic!("no page"), "reading it ends in a panic: no page"),
            (
                || panic!("left: {}\nright: 2", 1),
                "reading it ends in a panic: left: 1 right: 2",
            ),
            (|| {}, ""),
        ];
        for (work, expected) in table {
            assert_eq!(of(work), expected);
        }
        assert!(!GUARDED.get(), "panics after it are shown again");
    }

    /// The test above in a process of its own, whose standard error is its own, too.
    #[test]
    fn a_panic_that_is_guarded_leaves_no_trace_on_the_standard_error() {
        let ran = Command::new(env::current_exe().unwrap())
            .args(["--exact", "--nocapture"])
            .arg("checkpoint::guard::tests::a_panic_is_damage_in_its_own_words_on_one_line")
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&ran.stdout);
        assert!(told.contains("1 passed"), "{told}");
        assert_eq!(String::from_utf8_lossy(&ran.stderr), "");
    }
}
