//! The stream of a run: made, filled, resharded and trimmed, of either kind.

use std::collections::BTreeMap;

use md5::{Digest as _, Md5};
use serde_json::json;
use sluicegate::sim::World;
use sluicegate::sim::dynamodb::ViewType;

use super::ear::CANARY;
use super::plan::{Kind, Plan};

const STREAM: &str = "clicks";
const TABLE: &str = "orders";
/// More would make a run slow, and no failure likelier.
const SHARDS_MAX: usize = 8;
/// The least that Kinesis keeps records.
const DAY_HOURS: u32 = 24;

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
    /// What histories call it, and what they called those before it.
    pub names: Vec<String>,
    shards: u32,
    kept_hours: u32,
    pub lines: BTreeMap<String, Line>,
}

impl Source {
    pub fn new(world: &World, plan: &Plan) -> Self {
        let (arn, name) = match plan.kind {
            Kind::Kinesis | Kind::FanOut => {
                let arn = world.create_stream(STREAM, plan.shards).unwrap();
                world.keep_records(STREAM, plan.kept_hours()).unwrap();
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
            names: vec![name],
            shards: plan.shards,
            kept_hours: plan.kept_hours(),
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
                    "secret": { "S": CANARY },
                });
                let put = self.world.put_item(TABLE, &item);
                put.expect("the table takes it").expect("each item is new")
            }
        }
    }

    /// One shard is split, or two are merged, or all roll over; perhaps several times at once, before anybody can have
    /// noticed the first.
    pub fn reshard(&mut self, rng: &mut fastrand::Rng, harm: &mut BTreeMap<&'static str, u64>) {
        let times = if rng.u32(..3) == 0 {
            rng.usize(2..4)
        } else {
            1
        };
        if times > 1 {
            *harm.entry("NestedReshard").or_default() += 1;
        }
        for _ in 0..times {
            self.reshard_once(rng);
        }
    }

    fn reshard_once(&mut self, rng: &mut fastrand::Rng) {
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

    /// The oldest records of a shard go; of a table's stream a whole shard, whose children are left without a parent.
    pub fn trim(&self, rng: &mut fastrand::Rng, harm: &mut BTreeMap<&'static str, u64>) {
        if self.kind == Kind::Dynamo {
            if self.world.trim_oldest_shard(TABLE).unwrap().is_some() {
                *harm.entry("ParentMissing").or_default() += 1;
            }
            return;
        }
        let view = self.world.stream(STREAM).unwrap();
        let shard = &view.shards[rng.usize(..view.shards.len())];
        let count = rng.usize(..=shard.records.len());
        self.world.trim_shard(STREAM, &shard.id, count).unwrap();
    }

    /// What is a day old goes.
    pub fn keeps_a_day(&self) -> bool {
        self.kind != Kind::Dynamo && self.kept_hours == DAY_HOURS
    }

    /// From now on records are kept for a day, and no longer. False where that is so already.
    pub fn keep_less(&mut self) -> bool {
        let longer = self.kept_hours > DAY_HOURS;
        self.kept_hours = DAY_HOURS;
        self.world.keep_records(STREAM, DAY_HOURS).unwrap();
        longer
    }

    /// It is deleted, and another takes its name, with records in it.
    pub fn make_anew(&self, records: usize) {
        self.world.remake_stream(STREAM, self.shards).unwrap();
        for number in 0..records {
            let data = format!("{{\"foreign\":{number}}}");
            let key = format!("k{number}");
            self.world.put_record(STREAM, &key, data).unwrap();
        }
    }

    /// The table has no stream any more; the one that it had can be read for a day.
    pub fn switch_off(&mut self) {
        self.look();
        self.world.set_table_stream(TABLE, None).unwrap();
        self.look();
    }

    /// It has one again, with another ARN.
    pub fn switch_on(&mut self) {
        let view = Some(ViewType::NewAndOldImages);
        let arn = self.world.set_table_stream(TABLE, view).unwrap();
        self.arn = arn.expect("it is switched on");
        self.names.push(self.arn.clone());
        self.look();
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
        // What is not listed any more was closed a day ago.
        self.lines.values_mut().for_each(|line| line.open = false);
        self.lines.extend(seen);
    }
}

fn body(number: usize, user: &User) -> String {
    let fill = if user.large { 5 << 20 } else { 0 };
    let fill = "x".repeat(fill);
    format!(
        r#"{{"number":{number},"keep":{},"secret":"{CANARY}","fill":"{fill}"}}"#,
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
