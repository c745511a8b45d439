//! I16: what was counted adds up, and in fair weather it is what the world saw.

use super::beside::Beside;
use super::judge::{Life, Truth};
use super::life::Theatre;
use super::plan::{From, Kind, Presence, Weather};

/// The counters of a life that ended by itself.
pub fn close(theatre: &mut Theatre, cut: bool) {
    for family in [
        "events_polled_total",
        "events_filtered_out_total",
        "events_invoked_total",
        "events_on_failure_delivered_total",
    ] {
        let count = theatre.metric(family);
        *theatre.counted.entry(family).or_default() += count;
    }
    let running = theatre.metric("invocations_in_flight");
    if running > 0 && !cut {
        let text = format!("I16: {running} invocations run after a drain");
        theatre.broken.push(text);
    }
}

/// Against the world, where every life ended by itself and nothing was lost.
pub fn compare(theatre: &Theatre, truth: Truth, broken: &mut Vec<String>) {
    let plan = &theatre.plan;
    // Kinesis gives what is left, and says nothing.
    let known = !theatre.harm.contains_key("ParentMissing");
    if known && plan.kind == Kind::Dynamo && theatre.gaps + theatre.kills() < truth.trims {
        let (gaps, trims) = (theatre.gaps, truth.trims);
        broken.push(format!("I2: {trims} trims, {gaps} gaps were counted"));
    }
    let mut equal = |what: &str, counted: u64, true_: u64| {
        if counted != true_ {
            broken.push(format!(
                "I16: {what}: {counted} is not {true_} ({}, {truth:?})",
                theatre.account
            ));
        }
    };
    // What came shortly before the mapping may be read again, and dropped, before its first record is.
    if plan.crashes == 0
        && !plan.deaf()
        && !plan.loss
        && !plan.grows_old()
        && plan.from != From::Latest
    {
        equal("dropped", theatre.dropped, truth.gone_unseen);
    }
    let once = plan.weather() == Weather::Fair && plan.from == From::Horizon && !plan.kpl;
    if !once {
        return;
    }
    let counted = |family: &str| theatre.counted[family];
    equal("gaps", theatre.gaps, 0);
    let beside = theatre.beside.as_ref().map_or(0, Beside::count);
    equal(
        "settled",
        theatre.account.settled,
        truth.put - truth.filtered + beside,
    );
    equal(
        "discarded",
        theatre.account.discarded,
        truth.discarded + truth.gone_unseen,
    );
    // Counters go with the mapping that is taken out.
    let out = |life: &Life| life.settings.presence == Presence::Out;
    if theatre.lives.iter().any(out) {
        return;
    }
    if plan.concurrency.is_none() {
        // Lambda's own refusals are not in the history.
        equal("invoked", counted("events_invoked_total"), truth.invoked);
    }
    equal(
        "told",
        counted("events_on_failure_delivered_total"),
        truth.discarded,
    );
    // What was pushed to a subscription that was given up meanwhile is read once more, and what a read brought that was
    // given up at a reload or at a stop.
    let pushed = plan.kind == Kind::FanOut;
    let in_a_call = theatre.harm.contains_key("StoppedInACall");
    let all_kept = plan.reads.is_none() && !plan.heavy;
    if !pushed && plan.reloads == 0 && !in_a_call && all_kept {
        equal("polled", counted("events_polled_total"), truth.read);
    }
    if plan.restarts + plan.reloads == 0 && !(pushed && plan.heavy) {
        equal("read", counted("events_polled_total"), truth.put);
        equal(
            "filtered",
            counted("events_filtered_out_total"),
            truth.filtered,
        );
    }
}
