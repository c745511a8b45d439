//! ReceiveMessage: who may be handed out now, long polling, redrive to the dead-letter queue.

use std::{ops::RangeInclusive, pin::pin, time::Duration};

use bytes::Bytes;
use serde::Deserialize;
use tokio::time::sleep_until;

use super::{
    attributes::{VISIBILITY_SECONDS, WAIT_SECONDS},
    error::{Code, SqsError},
    message::{Message, Phase},
    queue::Queue,
    queue_name,
    receipt::Receipt,
    settle,
    shown::{Received, Shown, show, spoil},
    write,
};
use crate::sim::{
    clock::seconds_ms,
    faults::Fault,
    history::Event,
    world::{State, World},
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReceiveMessage {
    queue_url: Option<String>,
    /// The older name of `MessageSystemAttributeNames`.
    #[serde(default)]
    pub(super) attribute_names: Vec<String>,
    #[serde(default)]
    pub(super) message_system_attribute_names: Vec<String>,
    #[serde(default)]
    pub(super) message_attribute_names: Vec<String>,
    max_number_of_messages: Option<i64>,
    visibility_timeout: Option<i64>,
    wait_time_seconds: Option<i64>,
}

/// A request whose bounds were checked.
struct Wanted {
    most: usize,
    visibility_seconds: Option<u32>,
    wait_seconds: Option<u32>,
    input: ReceiveMessage,
}

// API: SQS ReceiveMessage, MaxNumberOfMessages
const MESSAGES: RangeInclusive<u32> = 1..=10;

/// Receives, and waits for messages as long as the request or the queue says.
pub(super) async fn receive(
    world: &World,
    input: ReceiveMessage,
    fault: Option<Fault>,
) -> Result<Bytes, SqsError> {
    let name = queue_name(input.queue_url.as_deref())?.to_owned();
    let wanted = check(input)?;
    let began_ms = world.clock().now_ms();
    loop {
        let (change, until_ms) = {
            let mut state = world.lock();
            let now_ms = world.clock().now_ms();
            let queue = settle(world, &mut state, &name, now_ms)?;
            // API: SQS ReceiveMessage, WaitTimeSeconds; SetQueueAttributes, ReceiveMessageWaitTimeSeconds
            let wait_seconds = wanted.wait_seconds.unwrap_or(queue.config.wait_seconds);
            let end_ms = began_ms + seconds_ms(wait_seconds);
            let hidden = fault == Some(Fault::EmptyReceive);
            if let Some(answer) = (!hidden)
                .then(|| attempt(world, &mut state, &name, now_ms.min(end_ms), &wanted, fault))
                .transpose()?
                .flatten()
            {
                return Ok(answer);
            }
            if end_ms <= now_ms {
                return write(&Received {
                    messages: Vec::new(),
                });
            }
            let queue = state.queues.get(&name).ok_or_else(super::no_queue)?;
            let change = queue.wake.clone().notified_owned();
            (
                change,
                queue
                    .next_change_ms()
                    .map_or(end_ms, |change_ms| change_ms.min(end_ms)),
            )
        };
        let mut change = pin!(change);
        tokio::select! {
            biased;
            () = &mut change => {}
            () = sleep_until(world.clock().instant(until_ms)) => {}
        }
    }
}

// API: SQS ReceiveMessage, Request parameters
fn check(input: ReceiveMessage) -> Result<Wanted, SqsError> {
    let within = |value: Option<i64>, bounds: RangeInclusive<u32>, name: &str| {
        let read = |n: i64| {
            let reason = format!(
                "Must be between {} and {}, if provided.",
                bounds.start(),
                bounds.end()
            );
            u32::try_from(n)
                .ok()
                .filter(|n| bounds.contains(n))
                .ok_or_else(|| SqsError::value(n, name, &reason))
        };
        value.map(read).transpose()
    };
    Ok(Wanted {
        most: within(
            input.max_number_of_messages,
            MESSAGES,
            "MaxNumberOfMessages",
        )?
        .unwrap_or(1) as usize,
        visibility_seconds: within(
            input.visibility_timeout,
            VISIBILITY_SECONDS,
            "VisibilityTimeout",
        )?,
        wait_seconds: within(input.wait_time_seconds, WAIT_SECONDS, "WaitTimeSeconds")?,
        input,
    })
}

/// One look at the queue: an answer if there is anything to hand out. `now_ms` is when SQS looks, which is never after the end of the
/// wait: a caller that slept through it finds an answer that has grown old, and so have the leases in it.
fn attempt(
    world: &World,
    state: &mut State,
    name: &str,
    now_ms: u64,
    wanted: &Wanted,
    fault: Option<Fault>,
) -> Result<Option<Bytes>, SqsError> {
    redrive(world, state, name, now_ms, wanted.most);
    let State {
        queues,
        rng,
        history,
        ..
    } = state;
    let queue = queues.get_mut(name).ok_or_else(super::no_queue)?;
    let room = world
        .settings()
        .in_flight_max
        .saturating_sub(queue.in_flight());
    // API: SQS ReceiveMessage, OverLimit: standard queues refuse; a FIFO queue just returns nothing
    if fault == Some(Fault::OverLimit) || room == 0 && !queue.config.fifo {
        return Err(Code::OverLimit.because("Too many messages are in flight."));
    }
    let mut numbers = queue.receivable(wanted.most.min(room));
    numbers.retain(|number| {
        queue
            .get(*number)
            .is_some_and(|message| message.sent_ms <= now_ms)
    });
    if numbers.is_empty() {
        return Ok(None);
    }
    let seconds = wanted
        .visibility_seconds
        .unwrap_or(queue.config.visibility_seconds);
    let at = world.clock().elapsed();
    // The message that a fault of one message befalls.
    let struck = fault.map(|_| rng.usize(..numbers.len()));
    for (index, &number) in numbers.iter().enumerate() {
        let hidden_ms = match fault.filter(|_| struck == Some(index)) {
            Some(Fault::DuplicateDelivery) if !queue.config.fifo => 0,
            Some(Fault::EarlyVisibility) => rng.u64(..=seconds_ms(seconds)),
            _ => seconds_ms(seconds),
        };
        hand_out(queue, number, now_ms, hidden_ms);
        if let Some(Message { id, receives, .. }) = queue.get(number) {
            let visibility = Duration::from_secs(seconds.into());
            history.record(at, || Event::Received {
                queue: name.to_owned(),
                id: id.clone(),
                count: *receives,
                visibility,
            });
        }
    }
    let mut messages: Vec<Shown<'_>> = Vec::with_capacity(numbers.len());
    for &number in &numbers {
        if let Some(message) = queue.get(number) {
            // API: SQS ReceiveMessage: every receive of a message has a receipt handle of its own
            let receipt = Receipt {
                queue: queue.serial,
                number,
                receive: message.receives,
            };
            messages.push(show(message, receipt.handle(rng), &wanted.input));
        }
    }
    spoil(struck.and_then(|index| messages.get_mut(index)), fault);
    write(&Received { messages }).map(Some)
}

fn hand_out(queue: &mut Queue, number: u64, now_ms: u64, hidden_ms: u64) {
    queue.counts.received += 1;
    if let Some(message) = queue.get_mut(number) {
        message.receives += 1;
        message.first_received_ms.get_or_insert(now_ms);
    }
    queue.set_phase(
        number,
        Phase::InFlight {
            since_ms: now_ms,
            until_ms: now_ms + hidden_ms,
        },
    );
    if hidden_ms == 0 {
        queue.set_phase(number, Phase::Visible);
    }
}

/// Moves the messages that would be handed out once too often to the dead-letter queue.
// API: SQS SetQueueAttributes, RedrivePolicy, maxReceiveCount: moved when received more often than that
fn redrive(world: &World, state: &mut State, name: &str, now_ms: u64, most: usize) {
    let State {
        queues,
        history,
        serial,
        ..
    } = state;
    loop {
        let Some(queue) = queues.get_mut(name) else {
            return;
        };
        let Some(policy) = queue.config.redrive.clone() else {
            return;
        };
        // A policy whose target is gone is ignored: the messages stay.
        if !queues.contains_key(&policy.target) {
            return;
        }
        let Some(queue) = queues.get_mut(name) else {
            return;
        };
        let spent = |number: &u64| {
            queue
                .get(*number)
                .is_some_and(|message| message.receives >= policy.receives_max)
        };
        let numbers: Vec<u64> = queue.receivable(most).into_iter().filter(spent).collect();
        if numbers.is_empty() {
            return;
        }
        let source = queue.arn.clone();
        let moved: Vec<Message> = numbers
            .into_iter()
            .filter_map(|number| queue.remove(number))
            .collect();
        queue.counts.moved += moved.len() as u64;
        let Some(target) = queues.get_mut(&policy.target) else {
            return;
        };
        for message in moved {
            let event = || Event::MovedToDlq {
                queue: name.to_owned(),
                dlq: policy.target.clone(),
                id: message.id.clone(),
            };
            history.record(world.clock().elapsed(), event);
            *serial += 1;
            // API: SQS Developer Guide, Dead-letter queues: the time stamp stays on standard queues and is set anew on FIFO queues
            let sent_ms = if target.config.fifo {
                now_ms
            } else {
                message.sent_ms
            };
            let dead_letter_source = Some(source.clone());
            target.insert(
                *serial,
                Message {
                    sent_ms,
                    dead_letter_source,
                    phase: Phase::Visible,
                    ..message
                },
            );
        }
    }
}
