//! The stream of a run: made, filled, resharded and trimmed, of either kind.

use std::collections::BTreeMap;

use md5::{Digest as _, Md5};
use serde_json::json;
use sluicegate::sim::World;
use sluicegate::sim::dynamodb::ViewType;

use super::plan::{Kind, Plan};

const STREAM: &str = "clicks";
const TABLE: &str = "orders";
/// More would make a run slow, and no failure likelier.
const SHARDS_MAX: usize = 8;

/// A user record: what is to be handled. Several share a sequence number where they are packed into an aggregate.
#[derive(Clone, Debug)]
pub struct User {
    pub name: String,
    /// What decides its lane, of which its name is a part.
    pub key: String,
    pub keep: bool,
    pub poison: bool,
    /// It was there before the mapping, which does not ask for it.
    pub old: bool,
    /// Larger than any event.
    pub large: bool,
}

/// A shard, as far as it was ever seen.
#[derive(Clone, Debug, Default)]
pub struct Line {
    pub parents: Vec<String>,
    pub open: bool,
}

/// The stream.
pub struct Source {
    world: World,
    kind: Kind,
    pub arn: String,
    /// What histories call it.
    pub name: String,
    pub lines: BTreeMap<String, Line>,
}

impl Source {
    pub fn new(world: &World, plan: &Plan) -> Self {
        let (arn, name) = match plan.kind {
            Kind::Kinesis | Kind::FanOut => {
                let arn = world.create_stream(STREAM, plan.shards).unwrap();
                match plan.kind {
                    Kind::FanOut => {
                        let consumer = world.register_consumer(STREAM, "c").unwrap();
                        (consumer, STREAM.to_owned())
                    }
                    Kind::Kinesis | Kind::Dynamo => (arn, STREAM.to_owned()),
                }
            }
            Kind::Dynamo => {
                let view = ViewType::NewAndOldImages;
                let arn = world
                    .create_partitioned_table(TABLE, "id", view, plan.shards)
                    .unwrap();
                (arn.clone(), arn)
            }
        };
        let mut source = Self {
            world: world.clone(),
            kind: plan.kind,
            arn,
            name,
            lines: BTreeMap::new(),
        };
        source.look();
        source
    }

    /// Puts these user records as one record, the first of which has this number; returns its sequence number.
    pub fn put(&self, first: usize, users: &[User]) -> String {
        let user = &users[0];
        match self.kind {
            Kind::Kinesis | Kind::FanOut => {
                let data = match users {
                    [user] => body(first, user).into_bytes(),
                    users => aggregate(first, users),
                };
                let put = self.world.put_record(STREAM, &user.name, data);
                put.expect("the stream takes it").1
            }
            Kind::Dynamo => {
                let item = json!({
                    "id": { "S": user.name },
                    "number": { "N": first.to_string() },
                    "keep": { "BOOL": user.keep },
                });
                let put = self.world.put_item(TABLE, &item);
                put.expect("the table takes it").expect("each item is new")
            }
        }
    }

    /// One shard is split, or two are merged, or all roll over.
    pub fn reshard(&mut self, rng: &mut fastrand::Rng) {
        self.look();
        let open: Vec<String> = self
            .lines
            .iter()
            .filter(|(_, line)| line.open)
            .map(|(id, _)| id.clone())
            .collect();
        let room = open.len() < SHARDS_MAX;
        let one = open[rng.usize(..open.len())].clone();
        let split = room && rng.bool();
        match self.kind {
            Kind::Kinesis | Kind::FanOut if split || open.len() < 2 => {
                drop(self.world.split_shard(STREAM, &one));
            }
            Kind::Kinesis | Kind::FanOut => {
                let view = self.world.stream(STREAM).unwrap();
                let mut open: Vec<_> = view.shards.into_iter().filter(|shard| shard.open).collect();
                open.sort_by_key(|shard| shard.hash_keys.first);
                let index = rng.usize(..open.len() - 1);
                let (one, other) = (&open[index].id, &open[index + 1].id);
                self.world.merge_shards(STREAM, one, other).unwrap();
            }
            Kind::Dynamo if split => {
                drop(self.world.split_partition(TABLE, &one));
            }
            Kind::Dynamo => {
                self.world.roll_shards(TABLE).unwrap();
            }
        }
        self.look();
    }

    /// The oldest records of a shard go.
    pub fn trim(&self, rng: &mut fastrand::Rng) {
        if self.kind != Kind::Dynamo {
            let view = self.world.stream(STREAM).unwrap();
            let shard = &view.shards[rng.usize(..view.shards.len())];
            let count = rng.usize(..=shard.records.len());
            self.world.trim_shard(STREAM, &shard.id, count).unwrap();
        }
    }

    /// Takes note of the shards.
    pub fn look(&mut self) {
        let seen: Vec<(String, Line)> = match self.kind {
            Kind::Kinesis | Kind::FanOut => {
                let shards = self.world.stream(STREAM).unwrap().shards.into_iter();
                let line = |parents, open| Line { parents, open };
                shards
                    .map(|shard| (shard.id, line(shard.parents, shard.open)))
                    .collect()
            }
            Kind::Dynamo => {
                let shards = self.world.table(TABLE).unwrap().shards.into_iter();
                let line = |parent: Option<String>, open| Line {
                    parents: parent.into_iter().collect(),
                    open,
                };
                shards
                    .map(|shard| (shard.id, line(shard.parent, shard.open)))
                    .collect()
            }
        };
        self.lines.extend(seen);
    }
}

fn body(number: usize, user: &User) -> String {
    let fill = if user.large { 5 << 20 } else { 0 };
    let fill = "x".repeat(fill);
    format!(
        r#"{{"number":{number},"keep":{},"fill":"{fill}"}}"#,
        user.keep
    )
}

/// As the Kinesis Producer Library packs them.
fn aggregate(first: usize, users: &[User]) -> Vec<u8> {
    let mut message = field(0x0a, users[0].name.as_bytes());
    for (user, number) in users.iter().zip(first..) {
        let packed = [b"\x08\x00", &*field(0x1a, body(number, user).as_bytes())].concat();
        message.extend(field(0x1a, &packed));
    }
    let magic: &[u8] = b"\xf3\x89\x9a\xc2";
    [magic, &message, &Md5::digest(&message)].concat()
}

fn field(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    let mut length = content.len();
    while length > 0x7f {
        bytes.push(length as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend(content);
    bytes
}
