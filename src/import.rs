//! Managed event source mappings -> a configuration file, and what two lists of mappings differ in.
//!
//! Whoever knows mappings (`listed` those that AWS lists, `template` CloudFormation and SAM, `terraform`) says what it found
//! in AWS's own keys. `settings` sorts out what has a counterpart here, `document` names the mappings and has the file
//! checked by the configuration's own reader before anybody sees it, `write` and `report` put it into words.

pub mod diff;
pub mod document;
pub mod listed;
mod report;
mod settings;
pub mod template;
pub mod terraform;
pub mod text;
pub mod value;
mod write;

use value::Value;

/// A mapping that was found, in AWS's words.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// Where, for people: `Resources.Orders, app.yaml:12`.
    pub origin: String,
    /// How it is called there, where it is called anything.
    pub name: Option<String>,
    /// What its source is, where that is known otherwise than from its ARN.
    pub kind: Option<Kind>,
    /// The keys of an `AWS::Lambda::EventSourceMapping` and those that AWS prints, as far as they are set.
    pub settings: Vec<(String, Value)>,
    /// What is to be said of it.
    pub notes: Vec<Note>,
    /// Why it is not to be taken over, where that was known when it was found.
    pub absent: Option<Absence>,
}

impl Found {
    /// The value of a key, where it is set.
    pub fn get(&self, key: &str) -> Option<&Value> {
        let found = self.settings.iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value)
    }
}

/// Why a mapping that was found is none to take over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Absence {
    /// It is in the text, and with these parameters not in the stack.
    NotMade(String),
    /// It can not be told from what was found.
    Unknown(String),
}

/// A kind of source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An SQS queue.
    Queue,
    /// A Kinesis stream, or a consumer of it.
    Kinesis,
    /// The stream of a DynamoDB table.
    DynamoDb,
    /// None that is served here; how a message calls it, with its article.
    Foreign(&'static str),
}

/// What whoever takes a mapping over should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The text, with the key that it is about where it is about one.
    pub what: String,
    /// Whether something of the mapping has no counterpart here.
    pub lost: bool,
}

impl Note {
    /// Something that has no counterpart.
    pub fn lost(what: impl Into<String>) -> Self {
        let what = what.into();
        Self { what, lost: true }
    }

    /// Something to know.
    pub fn remark(what: impl Into<String>) -> Self {
        let what = what.into();
        Self { what, lost: false }
    }
}
