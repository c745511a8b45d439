//! Tumbling windows: when the open one is over, its final invocation. // spec: 5.8
//!
//! The window's state is kept with the position that it belongs to: a batch that fails leaves both as they were.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::deliver::{Calls, Discard, Ended, FAILURES_TOLD, Line, Trouble, repeat_delay};
use crate::model::delivery::{Outcome, Reason, Step};
use crate::model::event::{Event, Piece, WindowEnvelope, window_event};
use crate::model::on_failure::Window;
use crate::model::progress::{LastInvocation, ShardProgress};
use crate::model::tumbling::{Ahead, Next, Tumbling};

/// A window whose setting was removed is ended as one of another length: this one stands for none.
const NO_LENGTH: Duration = Duration::from_millis(1);

/// Windows exclude lanes beside each other: there is but this one.
const WINDOWS_LANE: u32 = 0;

/// The windows of a shard: none without the setting, unless a checkpoint left one open.
pub(super) fn windows(setting: Option<Duration>, progress: &ShardProgress) -> Option<Tumbling> {
    let length = match (setting, &progress.window) {
        (None, None) => return None,
        (None, Some(_)) => NO_LENGTH,
        (Some(length), _) => length,
    };
    let (open, from_ms) = (progress.window.clone(), progress.windows_from_ms);
    Some(Tumbling::new(length, open, from_ms))
}

impl Line {
    /// Which step the windows ask for before what is ahead.
    pub fn window_next(&self, ahead: Ahead) -> Next {
        self.book.read(|page| match &page.windows {
            Some(windows) => windows.next(ahead),
            None => match ahead {
                Ahead::Record { .. } => Next::Deliver,
                Ahead::Nothing { .. } | Ahead::End => Next::Nothing,
            },
        })
    }

    /// A window of a setting that was removed is open: it is ended before anything else is delivered, in whatever lane.
    pub fn winds_up(&self) -> bool {
        self.engine.stream.tumbling_window.is_none()
            && self.book.read(|page| page.windows.is_some())
    }

    /// The beginning of the window that is open.
    pub fn open_window(&self) -> Option<u64> {
        self.book
            .read(|page| Some(page.windows.as_ref()?.progress()?.start_ms))
    }

    /// The final invocation of the window that is open, as often as the limits allow.
    pub async fn close_window(&self, drain: &CancellationToken) -> Ended {
        let engine = &*self.engine;
        let Some((mut closing, mut last)) = self.book.read(|page| {
            let windows = page.windows.as_ref()?;
            let last: Option<LastInvocation> = windows.progress()?.final_last.clone();
            Some((windows.closing(engine.policy), last.unwrap_or_default()))
        }) else {
            return Ended::Settled;
        };
        let mut calls = Calls::default();
        loop {
            let now_ms = engine.clock.now_ms();
            let age = self.book.read(|page| {
                page.windows
                    .as_ref()
                    .map_or(Duration::ZERO, |windows| windows.closing_age(now_ms))
            });
            match closing.next(|_| Reason::of_age(age, engine.stream.age_max, None)) {
                Step::Done => return Ended::Settled,
                Step::Discard {
                    reason,
                    invoke_count,
                    ..
                } => {
                    let discard = Discard {
                        lane: WINDOWS_LANE,
                        items: &[],
                        reason,
                        invoke_count,
                        last: &last,
                    };
                    if !self.discard(discard, drain).await {
                        return Ended::Stopped;
                    }
                    closing.discarded(1);
                }
                Step::Deliver { .. } if drain.is_cancelled() => return Ended::Stopped,
                Step::Deliver { failures, .. } => {
                    if closing.repeat_after().is_some() {
                        let delay = repeat_delay(failures, engine.jitter());
                        engine.rest(delay, drain).await;
                        closing.rested();
                        continue;
                    }
                    let Some(event) = self.final_event() else {
                        return Ended::Settled;
                    };
                    let Some(ran) = self.invoke(&[], event, &mut last, &mut calls, drain).await
                    else {
                        continue;
                    };
                    // Nothing can be partly done of nothing.
                    let outcome = match ran.outcome {
                        Outcome::Delivered => Outcome::Delivered,
                        Outcome::Stopped { .. } | Outcome::Failed => Outcome::Failed,
                        Outcome::Refused => Outcome::Refused,
                    };
                    closing.delivered(outcome, engine.clock.now_ms());
                }
            }
            self.book.write(|page| {
                if let Some(windows) = &mut page.windows {
                    windows.closed_so_far(&closing, Some(last.clone()));
                    let was_last = engine.stream.tumbling_window.is_none();
                    if was_last && windows.progress().is_none() {
                        page.windows = None;
                    }
                }
            });
            let failures = closing.owed().next().map_or(0, |slice| slice.failures);
            let told = (FAILURES_TOLD <= failures).then(|| {
                format!("the function failed {failures} times in a row on the end of a window")
            });
            self.stands(WINDOWS_LANE, Trouble { failures, told });
            if let Err(lost) = self.book.commit().await {
                return Ended::Lost(lost);
            }
        }
    }

    /// What an on-failure record says of a window: that of these records, or the one whose final invocation failed.
    pub fn window_told(&self, of_records: Option<u64>) -> Option<Window> {
        self.book.read(|page| {
            let windows = page.windows.as_ref()?;
            let told = match of_records {
                Some(window_start_ms) => windows.invocation(window_start_ms),
                None => windows.final_invocation()?,
            };
            Some(Window {
                start_ms: told.start_ms,
                end_ms: told.end_ms,
                final_invoke: told.is_final,
                terminated_early: told.terminated_early,
            })
        })
    }

    pub(super) fn final_event(&self) -> Option<Event> {
        let arn = self.engine.mapping.source.to_string();
        self.book.read(|page| {
            let told = page.windows.as_ref()?.final_invocation()?;
            let envelope = WindowEnvelope {
                shard_id: &self.id,
                arn: &arn,
                start_ms: told.start_ms,
                end_ms: told.end_ms,
                state: told.state,
                final_invoke: told.is_final,
                terminated_early: told.terminated_early,
            };
            Some(window_event(&mut [], &envelope))
        })
    }

    /// The event of records of one window.
    pub fn windowed_event(&self, records: &mut [&mut Piece], window_start_ms: u64) -> Event {
        let arn = self.engine.mapping.source.to_string();
        self.book.read(|page| {
            let Some(windows) = &page.windows else {
                return Event::of(records);
            };
            let told = windows.invocation(window_start_ms);
            let envelope = WindowEnvelope {
                shard_id: &self.id,
                arn: &arn,
                start_ms: told.start_ms,
                end_ms: told.end_ms,
                state: told.state,
                final_invoke: told.is_final,
                terminated_early: told.terminated_early,
            };
            window_event(records, &envelope)
        })
    }
}
