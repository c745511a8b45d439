//! Whether a demo's figures add up.

use super::error::DemoError;
use super::figures::{Figures, Queue, Stream};
use crate::reports::Account;

/// Only a demo that was `stopped` may leave records in its streams.
pub fn adds_up(figures: &Figures, account: Account, stopped: bool) -> Result<(), DemoError> {
    for queue in &figures.queues {
        let Queue {
            name,
            sent,
            deleted,
            moved,
            left,
            ..
        } = *queue;
        if sent != deleted + moved + left {
            return Err(DemoError::DoesNotAddUp {
                queue: name,
                sent,
                deleted,
                moved,
                left,
            });
        }
    }
    let mut done = 0;
    for stream in &figures.streams {
        let Stream {
            name,
            put,
            handled,
            discarded,
            disorder,
            ..
        } = *stream;
        done += handled + discarded;
        let missing = put != handled + discarded;
        if handled + discarded > put || (missing && !stopped) {
            return Err(DemoError::RecordsMissing {
                stream: name,
                put,
                handled,
                discarded,
            });
        }
        if disorder > 0 {
            return Err(DemoError::RecordsOutOfOrder {
                stream: name,
                records: disorder,
            });
        }
    }
    // An invocation that was abandoned may have been one that handled its records.
    if account.settled != done && account.abandoned == 0 && account.cut_off == 0 {
        return Err(DemoError::Settled {
            settled: account.settled,
            done,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::figures::Invocations;
    use super::*;

    #[test]
    fn a_record_that_is_missing_or_out_of_order_fails_the_demo() {
        // Put, handled, discarded, out of order; settled; stopped: whether it holds.
        let table = [
            (10, 9, 1, 0, 10, false, true),
            (10, 8, 1, 0, 9, false, false),
            (10, 8, 1, 0, 9, true, true),
            (10, 10, 1, 0, 11, true, false),
            (10, 9, 1, 1, 10, false, false),
            (10, 9, 1, 0, 9, false, false),
        ];
        for row in table {
            let (put, handled, discarded, disorder, settled, stopped, holds) = row;
            let stream = Stream {
                name: "clicks",
                put,
                handled,
                again: 0,
                disorder,
                discarded,
                shards: 1,
                age_s: None,
                invocations: Invocations {
                    succeeded: 0,
                    partly: 0,
                    failed: 0,
                },
            };
            let figures = Figures {
                queues: Vec::new(),
                streams: vec![stream],
            };
            let account = Account {
                settled,
                discarded,
                ..Account::default()
            };
            assert_eq!(
                adds_up(&figures, account, stopped).is_ok(),
                holds,
                "{row:?}"
            );
        }
    }
}
