//! A pattern made ready to be asked: keys are places in the view of a record, and no key is asked twice of one object.
//!
//! What `$or` multiplied shares its parts, so that a level costs what is different in it: without that, alternatives
//! within alternatives would cost their product, which a pattern of a kilobyte can make larger than any machine.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::matcher::{Matcher, Scalar};
use super::pattern::{Branch, Node};
use super::value::{Fields, Value, Wanted};

/// Questions that a pattern may ask of one object, those of the objects within it included; ours. A thousand
/// combinations of a few keys each stay below.
pub(super) const QUESTIONS_MAX: usize = 20_000;

/// What must hold of an object.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    tests: Vec<Test>,
    /// Alternatives: which tests must all hold, in the order in which their keys were written.
    branches: Vec<Vec<usize>>,
    questions: usize,
}

/// What must hold of the value of one key.
#[derive(Clone, Debug)]
pub(super) struct Test {
    pub(super) name: Arc<str>,
    slot: usize,
    pub(super) check: Check,
}

#[derive(Clone, Debug)]
pub(super) enum Check {
    /// Some scalar satisfies some alternative.
    Leaf(Arc<[Matcher]>),
    /// Some object satisfies the plan.
    Inner(Arc<Plan>),
}

/// Plans by the address of what they were made of: parts that branches share are one plan. Never iterated.
type Made = BTreeMap<usize, Arc<Plan>>;

impl Plan {
    /// Makes ready what was compiled, which lives as long as this runs; every key gets its place among the wanted ones.
    pub(super) fn of(branches: &[Branch], wanted: &mut Wanted) -> Self {
        Self::within(branches, wanted, &mut Made::new())
    }

    fn within(branches: &[Branch], wanted: &mut Wanted, made: &mut Made) -> Self {
        let mut plan = Plan::default();
        let mut known = BTreeMap::new();
        for branch in branches {
            let mut together = Vec::with_capacity(branch.len());
            for (name, node) in branch {
                let (slot, below) = wanted.child_mut(name);
                let test = *known.entry((slot, node.address())).or_insert_with(|| {
                    let check = Check::of(node, below, made);
                    plan.questions = plan.questions.saturating_add(1 + check.questions());
                    plan.tests.push(Test {
                        name: name.clone(),
                        slot,
                        check,
                    });
                    plan.tests.len() - 1
                });
                together.push(test);
            }
            plan.questions = plan.questions.saturating_add(together.len());
            plan.branches.push(together);
        }
        plan
    }

    /// Whether asking it costs more than [`QUESTIONS_MAX`].
    pub(super) fn too_complex(&self) -> bool {
        QUESTIONS_MAX < self.questions
    }

    /// What it asks of the keys of the object, each once.
    pub(super) fn tests(&self) -> &[Test] {
        &self.tests
    }

    /// Whether one branch holds of an object; without one, of an object that has no key.
    pub(super) fn holds(&self, fields: Option<&Fields<'_>>) -> bool {
        if let [branch] = self.branches.as_slice() {
            return branch.iter().all(|&test| self.tests[test].holds(fields));
        }
        let mut answers = vec![None; self.tests.len()];
        self.branches.iter().any(|branch| {
            branch
                .iter()
                .all(|&test| *answers[test].get_or_insert_with(|| self.tests[test].holds(fields)))
        })
    }

    /// The first test that refuses an object of which the plan does not hold; none where it has alternatives, of which
    /// every one refused it.
    pub(super) fn refuses(&self, fields: Option<&Fields<'_>>) -> Option<&Test> {
        let [branch] = self.branches.as_slice() else {
            return None;
        };
        let mut tests = branch.iter().map(|&test| &self.tests[test]);
        tests.find(|test| !test.holds(fields))
    }
}

impl Test {
    /// What the object has at the key.
    pub(super) fn value<'f, 'a>(&self, fields: Option<&'f Fields<'a>>) -> Option<&'f Value<'a>> {
        fields.and_then(|fields| fields.get(self.slot))
    }

    fn holds(&self, fields: Option<&Fields<'_>>) -> bool {
        let value = self.value(fields);
        match &self.check {
            Check::Leaf(alternatives) => accepted(alternatives, value),
            Check::Inner(plan) => satisfied(plan, value),
        }
    }
}

impl Check {
    fn of(node: &Node, wanted: &mut Wanted, made: &mut Made) -> Self {
        match node {
            Node::Leaf(alternatives) => Check::Leaf(alternatives.clone()),
            Node::Inner(branches) => {
                let address = node.address();
                if let Some(plan) = made.get(&address) {
                    return Check::Inner(plan.clone());
                }
                let plan = Arc::new(Plan::within(branches, wanted, made));
                made.insert(address, plan.clone());
                Check::Inner(plan)
            }
        }
    }

    fn questions(&self) -> usize {
        match self {
            Check::Leaf(_) => 0,
            Check::Inner(plan) => plan.questions,
        }
    }
}

/// Whether some scalar satisfies some alternative; `exists` asks whether there is one at all.
fn accepted(alternatives: &[Matcher], value: Option<&Value<'_>>) -> bool {
    let values = match value {
        Some(Value::List(items)) => items.as_slice(),
        Some(single) => std::slice::from_ref(single),
        None => &[],
    };
    let mut present = false;
    for scalar in values.iter().filter_map(Scalar::of) {
        present = true;
        if alternatives.iter().any(|matcher| matcher.accepts(&scalar)) {
            return true;
        }
    }
    !present && alternatives.iter().any(Matcher::accepts_absence)
}

fn satisfied(plan: &Plan, value: Option<&Value<'_>>) -> bool {
    match value {
        Some(Value::Plain(_)) => false,
        Some(Value::Object(fields)) => plan.holds(Some(fields)),
        Some(Value::List(items)) => {
            let mut objects = objects(items).peekable();
            // Without any object it is as if the key were absent: `exists: false` below holds.
            match objects.peek() {
                None => plan.holds(None),
                Some(_) => objects.any(|fields| plan.holds(Some(fields))),
            }
        }
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_)) | None => {
            plan.holds(None)
        }
    }
}

fn objects<'v, 'a>(items: &'v [Value<'a>]) -> impl Iterator<Item = &'v Fields<'a>> {
    items.iter().filter_map(|item| match item {
        Value::Object(fields) => Some(fields),
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::Text(_)
        | Value::Plain(_)
        | Value::List(_) => None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::pattern::compile;
    use super::*;

    fn questions(pattern: &str) -> usize {
        let branches = compile(pattern).unwrap().branches;
        Plan::of(&branches, &mut Wanted::default()).questions
    }

    /// Alternatives within a key, beside alternatives, level by level.
    fn beside(depth: usize) -> String {
        (0..depth).fold(r#"{"z":["no"]}"#.to_owned(), |inner, _| {
            format!(r#"{{"y":{inner},"$or":[{{"a":[1]}},{{"a":[2]}}]}}"#)
        })
    }

    /// Alternatives that demand different things of one key, level by level.
    fn of_one_key(depth: usize) -> String {
        (0..depth).fold(r#"{"x":["no"]}"#.to_owned(), |inner, _| {
            format!(r#"{{"x":{inner},"$or":[{{"x":{{"a":[1]}}}},{{"x":{{"a":[2]}}}}]}}"#)
        })
    }

    #[test]
    fn what_alternatives_share_is_asked_once() {
        for (pattern, expected) in [
            // A test and its place in one branch.
            (r#"{"a":[1]}"#, 2),
            (r#"{"a":[1],"b":[2]}"#, 4),
            // Four tests; `c` and `d` have a place in both branches.
            (r#"{"c":[1],"d":[2],"$or":[{"a":[1]},{"b":[2]}]}"#, 4 + 6),
            (&beside(1), 2 + 3 + 4),
            (&beside(2), 2 + 2 * (3 + 4)),
            (&beside(40), 2 + 40 * (3 + 4)),
        ] {
            assert_eq!(questions(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn demands_on_one_key_multiply_and_are_refused_beyond_the_bound() {
        let few = [2, 4, 6].map(|depth| questions(&of_one_key(depth)));
        assert_eq!(few, [34, 166, 694]);
        let branches = compile(&of_one_key(40)).unwrap().branches;
        assert!(Plan::of(&branches, &mut Wanted::default()).too_complex());
    }
}
