//! What happened, told in lines: the end of a history that broke a promise.

use sluicegate::sim::{Ending, Entry, Event};

/// More lines than these nobody reads.
const LINES_MAX: usize = 60;

/// The last lines of a history.
pub fn tell(history: &[Entry]) -> String {
    let from = history.len().saturating_sub(LINES_MAX);
    let lines: Vec<String> = history[from..].iter().map(line).collect();
    lines.join("\n")
}

fn line(entry: &Entry) -> String {
    let what = match &entry.event {
        Event::Invoked {
            function,
            message_ids,
            ..
        } => format!("{function} is invoked with {message_ids:?}"),
        Event::Replied {
            function,
            message_ids,
            ending,
            ..
        } => {
            let how = match ending {
                Ending::Succeeded { payload } => {
                    let start = &payload[..payload.len().min(200)];
                    format!("answers {:?}", String::from_utf8_lossy(start))
                }
                other => format!("{other:?}"),
            };
            format!("{function} with {message_ids:?}: {how}")
        }
        other => format!("{other:?}"),
    };
    format!("    {:>12.3} s  {what}", entry.at.as_secs_f64())
}
