//! A life that fails is cut down to a short one that still fails: spell by spell, fault by fault, message by message.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::plan::{Moods, Plan};
use super::spell::Spell;
use super::{Suite, run, story};

/// How many lives the search for a shorter one may take.
const TRIES: usize = 60;
/// How many of those that failed are shown, besides the one that was cut down.
const SHOWN: usize = 6;
/// Where the cuts of a replay stand.
const CUTS: &str = "SLUICEGATE_CUTS";

/// One cut, as it is written: `s3` drops the fourth spell, `f0.2` the third fault of the first; the rest has no number, or one.
fn cut(plan: &mut Plan, cut: &str) -> Option<()> {
    let (kind, place) = cut.split_at(1);
    let (index, part) = match place.split_once('.') {
        Some((index, part)) => (index.parse().ok()?, part.parse().ok()?),
        None => (place.parse().unwrap_or(0), 0),
    };
    fn drop_one<T>(list: &mut Vec<T>, at: usize) -> Option<()> {
        (at < list.len()).then(|| drop(list.remove(at)))
    }
    fn less(count: &mut usize, to: usize) -> Option<()> {
        (to < *count).then(|| *count = to)
    }
    let alone = plan.spells.len() == 1;
    if kind == "s" {
        return (!alone)
            .then(|| drop_one(&mut plan.spells, index))
            .flatten();
    }
    if kind == "M" {
        let calm = Moods::default();
        return (plan.moods != calm).then(|| plan.moods = calm);
    }
    if kind == "J" {
        return plan.jam.take().map(drop);
    }
    if kind == "F" {
        return plan.filter.then(|| plan.filter = false);
    }
    let spell: &mut Spell = plan.spells.get_mut(index)?;
    match kind {
        "f" => drop_one(&mut spell.faults, part),
        "w" => drop_one(&mut spell.woes, part),
        "m" => less(&mut spell.messages, part),
        "c" => less(&mut spell.crashes, part),
        "d" => less(&mut spell.drains, part),
        "r" => less(&mut spell.restarts, part),
        "l" => less(&mut spell.reloads, part),
        "t" => {
            let shorter = Duration::from_secs(part as u64);
            (shorter < spell.lasts).then(|| spell.lasts = shorter)
        }
        _ => None,
    }
}

/// Everything that might be cut of a plan, the largest pieces first.
fn possible(plan: &Plan) -> Vec<String> {
    let mut all = Vec::new();
    all.extend((0..plan.spells.len()).rev().map(|at| format!("s{at}")));
    all.extend(["M0", "J0", "F0"].map(str::to_owned));
    for (at, spell) in plan.spells.iter().enumerate() {
        all.extend(
            (0..spell.woes.len())
                .rev()
                .map(|woe| format!("w{at}.{woe}")),
        );
        all.extend(
            (0..spell.faults.len())
                .rev()
                .map(|fault| format!("f{at}.{fault}")),
        );
        for (letter, count) in [
            ("l", spell.reloads),
            ("r", spell.restarts),
            ("d", spell.drains),
            ("c", spell.crashes),
        ] {
            all.extend((count > 0).then(|| format!("{letter}{at}.{}", count / 2)));
        }
        all.extend((spell.messages > 1).then(|| format!("m{at}.{}", spell.messages / 2)));
        let half_s = spell.lasts.as_secs() / 2;
        all.extend((half_s > 30).then(|| format!("t{at}.{half_s}")));
    }
    all
}

/// Makes the cuts that the environment tells of: those of a replay.
pub fn told(plan: &mut Plan) {
    let cuts = std::env::var(CUTS).unwrap_or_default();
    for one in cuts.split_whitespace() {
        cut(plan, one).unwrap_or_else(|| panic!("{CUTS}: {one} cuts nothing"));
    }
}

/// What a life broke; a panic is a promise broken, too.
fn broken(plan: &Plan) -> (Vec<String>, String) {
    match catch_unwind(AssertUnwindSafe(|| run(plan))) {
        Ok(run) => (run.broken, story::tell(&run.story)),
        Err(_) => (vec!["panicked".to_owned()], String::new()),
    }
}

/// Which promise a life broke first.
fn promise(broken: &[String]) -> &str {
    let first = broken.first().map(String::as_str).unwrap_or_default();
    first.split([' ', ':']).next().unwrap_or_default()
}

/// The shortest life that was found to break the same promise, by the cuts that lead to it.
fn shortest(mut plan: Plan, which: &str) -> (Plan, Vec<String>) {
    let mut made = Vec::new();
    let mut tries = 0;
    'again: loop {
        for one in possible(&plan) {
            let mut shorter = plan.clone();
            if cut(&mut shorter, &one).is_none() {
                continue;
            }
            if tries == TRIES {
                return (plan, made);
            }
            tries += 1;
            if promise(&broken(&shorter).0) == which {
                plan = shorter;
                made.push(one);
                continue 'again;
            }
        }
        return (plan, made);
    }
}

/// What is said of a suite that failed: its first failure cut down, and how to live it again.
pub fn report(suite: Suite, failed: &[(u64, Vec<String>)]) -> String {
    let (seed, first) = &failed[0];
    let seed = *seed;
    let mut plan = suite.plan(seed);
    told(&mut plan);
    let (plan, made) = shortest(plan, promise(first));
    let (broke, story) = broken(&plan);
    let cuts = match made.is_empty() {
        true => String::new(),
        false => format!("{CUTS}='{}' ", made.join(" ")),
    };
    let mut text = format!(
        "{} lives failed. The shortest that was found, of seed {seed}:\n{plan:#?}\n{story}\n  {}\nto live it again:\n  {cuts}SLUICEGATE_SEED={seed} cargo test --locked --test it -- engine::simulation::{}\n",
        failed.len(),
        broke[..broke.len().min(SHOWN)].join("\n  "),
        suite.name(),
    );
    for (seed, broken) in failed.iter().skip(1).take(SHOWN) {
        text += &format!("seed {seed}: {}\n", broken[0]);
    }
    text
}

/// A cut that is made changes the plan, and one that finds nothing to cut leaves it alone.
#[test]
fn each_cut_makes_a_life_shorter_and_all_of_them_come_to_an_end() {
    let mut plan = Plan::draw_long(1, false);
    let mut made = 0;
    while let Some(one) = possible(&plan).first().cloned().filter(|_| made < 10_000) {
        let before = format!("{plan:?}");
        let cut = possible(&plan)
            .into_iter()
            .find(|one| cut(&mut plan, one).is_some());
        if cut.is_none() {
            assert_eq!(before, format!("{plan:?}"), "{one}");
            break;
        }
        assert_ne!(before, format!("{plan:?}"), "{one}");
        made += 1;
    }
    assert!((10..1_000).contains(&made), "{made}");
    let spell = &plan.spells[0];
    assert_eq!(
        (
            plan.spells.len(),
            spell.faults.len(),
            spell.woes.len(),
            spell.crashes,
            spell.messages
        ),
        (1, 0, 0, 0, 1)
    );
}
