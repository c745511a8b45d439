//! Whether what a mapping names is there: its function, its source, and that they fit. // spec: 1.6

use crate::aws::clients::Clients;
use crate::aws::fault::{Failure, Fault};
use crate::aws::sqs::Queue;
use crate::aws::stream::Stream;
use crate::config::mapping::Mapping;
use crate::control::{Needs, Refusal};
use crate::function::Function;

/// A caller who is throttled comes again after this.
const RETRY_AFTER_S: u64 = 5;

/// Look at what the mapping names.
pub(super) async fn check(clients: &Clients, needs: &Needs) -> Result<(), Refusal> {
    let mapping = &needs.mapping;
    let function = Function::new(clients, &mapping.target).settings().await;
    let function =
        function.map_err(|failure| refusal(failure, "function", Refusal::function_missing))?;
    match &mapping.stream {
        Some(stream) if needs.source => {
            let source = Stream::new(clients, &mapping.source, &stream.kind);
            source
                .describe()
                .await
                .map_err(|failure| missing(mapping, failure))?;
        }
        Some(_) => {}
        None => {
            let found = Queue::find(clients, &mapping.source).await;
            let queue = found.map_err(|failure| missing(mapping, failure))?;
            let attributes = queue.attributes().await;
            let visibility = attributes
                .map_err(|failure| missing(mapping, failure))?
                .visibility;
            if let Some(timeout) = function.timeout.filter(|timeout| visibility < *timeout) {
                return Err(Refusal::visibility(visibility.as_secs(), timeout.as_secs()));
            }
        }
    }
    Ok(())
}

/// What a source that can not be looked at is refused with.
pub(super) fn missing(mapping: &Mapping, failure: Failure) -> Refusal {
    refusal(failure, "source", || Refusal::source_missing(mapping))
}

fn refusal(failure: Failure, what: &str, gone: impl FnOnce() -> Refusal) -> Refusal {
    match failure.fault {
        Fault::Gone => gone(),
        Fault::Throttled { after } => {
            Refusal::throttled(after.map_or(RETRY_AFTER_S, |after| after.as_secs().max(1)))
        }
        Fault::Denied | Fault::Invalid | Fault::Expired | Fault::Trimmed => {
            Refusal::invalid(format!("The {what} can not be looked at: {failure}"))
        }
        Fault::Transient => {
            Refusal::internal(format!("The {what} can not be looked at: {failure}"))
        }
    }
}
