//! temporary
fn main() {
    let rt = tokio::runtime::Runtime::new().unwrap();
    let stop = tokio_util::sync::CancellationToken::new();
    let r = rt.block_on(sluicegate::cli::demo::run(
        Some(std::time::Duration::from_secs(12)),
        stop,
    ));
    println!("{r:?}");
}
