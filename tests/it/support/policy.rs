//! The policies in `deploy/`: what each allows, and what runs of the service called of it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Actions by their names.
pub type Actions = BTreeSet<&'static str>;

/// Where a policy, or one statement of it, stands: a file, and the statement's `Sid`.
pub type Place = (&'static str, Option<&'static str>);

/// The file with the statements of the on-failure destinations.
pub const DESTINATION: &str = "destination-policy.json";

/// The actions that it allows, each on named resources.
pub fn allowed((file, sid): Place) -> BTreeSet<String> {
    let path = format!("{}/deploy/{file}", env!("CARGO_MANIFEST_DIR"));
    let policy: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(policy["Version"], "2012-10-17");
    let mut actions = BTreeSet::new();
    for statement in policy["Statement"].as_array().unwrap() {
        assert_eq!(statement["Effect"], "Allow");
        let resources = statement["Resource"].to_string();
        assert!(resources.contains("\"arn:aws:"), "{resources}");
        if sid.is_some_and(|sid| statement["Sid"] != sid) {
            continue;
        }
        match &statement["Action"] {
            Value::Array(all) => {
                actions.extend(all.iter().map(|action| action.as_str().unwrap().to_owned()));
            }
            one => drop(actions.insert(one.as_str().unwrap().to_owned())),
        }
    }
    assert!(!actions.is_empty(), "{file} {sid:?}");
    actions
}

/// What many runs called, held against the policies that they had.
#[derive(Debug, Default)]
pub struct Ledger {
    called: BTreeMap<Place, BTreeSet<String>>,
}

impl Ledger {
    /// A run under these policies. What none of them allows.
    pub fn ran(&mut self, under: &[Place], called: &Actions) -> Vec<&'static str> {
        let mut left = called.clone();
        for place in under {
            let allowed = allowed(*place);
            let of_place = self.called.entry(*place).or_default();
            of_place.extend(
                allowed
                    .iter()
                    .filter(|action| called.contains(action.as_str()))
                    .cloned(),
            );
            left.retain(|action| !allowed.contains(*action));
        }
        left.into_iter().collect()
    }

    /// What is allowed, and no run called it.
    pub fn idle(&self) -> Vec<(Place, String)> {
        let idle = |(place, called): (&Place, &BTreeSet<String>)| {
            let place = *place;
            let idle: Vec<_> = allowed(place).difference(called).cloned().collect();
            idle.into_iter().map(move |action| (place, action))
        };
        self.called.iter().flat_map(idle).collect()
    }
}

#[test]
fn what_is_not_allowed_and_what_is_not_used_are_both_told() {
    let sqs = ("sqs-policy.json", None);
    let topic = (DESTINATION, Some("TheTopic"));
    let mut ledger = Ledger::default();
    let called = Actions::from(["sqs:ReceiveMessage", "sqs:PurgeQueue", "sns:Publish"]);
    assert_eq!(
        ledger.ran(&[sqs], &called),
        ["sns:Publish", "sqs:PurgeQueue"]
    );
    assert_eq!(ledger.ran(&[sqs, topic], &called), ["sqs:PurgeQueue"]);
    let idle: Vec<_> = ledger
        .idle()
        .into_iter()
        .map(|(_, action)| action)
        .collect();
    assert!(idle.contains(&"sqs:DeleteMessage".to_owned()));
    assert!(!idle.contains(&"sns:Publish".to_owned()));
}
