//! Work that blocks, on a thread where nobody waits for it.

use tokio::task::JoinSet;

/// What it came to. Work whose answer nobody waits for any more is done to its end all the same.
pub async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let mut task = JoinSet::new();
    #[allow(
        clippy::disallowed_methods,
        reason = "the one place: one task at a time, awaited at once"
    )]
    task.spawn_blocking(work);
    let done = task.join_next().await.expect("it was just begun");
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}
