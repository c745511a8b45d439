//! Names and ARNs of a template's resources: known where a resource has a name of its own.

use super::scope::{Evaluated, Scope, Wrong};
use super::{below, plain};
use crate::config::tree::{self, Node};
use crate::import::document::{SAMPLE_DYNAMODB, SAMPLE_KINESIS, SAMPLE_QUEUE};
use crate::import::text::Text;
use crate::import::value::Value;

/// What `Ref` (no attribute) or `Fn::GetAtt` gives of a type of resource whose name is a property.
struct Known {
    kind: &'static str,
    attribute: Option<&'static str>,
    name: &'static str,
    form: Form,
}

#[derive(Clone, Copy)]
enum Form {
    Name,
    /// Service, and what stands before the name.
    Arn(&'static str, &'static str),
    /// Of what has neither region nor account.
    Bucket,
}

const fn known(
    kind: &'static str,
    attribute: Option<&'static str>,
    name: &'static str,
    form: Form,
) -> Known {
    Known {
        kind,
        attribute,
        name,
        form,
    }
}

const QUEUE: &str = "AWS::SQS::Queue";
const STREAM: &str = "AWS::Kinesis::Stream";
const TABLE: &str = "AWS::DynamoDB::Table";
const FUNCTION: &str = "AWS::Lambda::Function";
const SAM_FUNCTION: &str = "AWS::Serverless::Function";
const TOPIC: &str = "AWS::SNS::Topic";
const BUCKET: &str = "AWS::S3::Bucket";
const ALIAS: &str = "AWS::Lambda::Alias";
const ARN: Option<&str> = Some("Arn");
const OF_FUNCTION: Form = Form::Arn("lambda", "function:");
const OF_TOPIC: Form = Form::Arn("sns", "");

const KNOWN: [Known; 15] = [
    known(QUEUE, ARN, "QueueName", Form::Arn("sqs", "")),
    known(QUEUE, Some("QueueName"), "QueueName", Form::Name),
    known(STREAM, None, "Name", Form::Name),
    known(STREAM, ARN, "Name", Form::Arn("kinesis", "stream/")),
    known(TABLE, None, "TableName", Form::Name),
    known(TABLE, ARN, "TableName", Form::Arn("dynamodb", "table/")),
    known(FUNCTION, None, "FunctionName", Form::Name),
    known(FUNCTION, ARN, "FunctionName", OF_FUNCTION),
    known(SAM_FUNCTION, None, "FunctionName", Form::Name),
    known(SAM_FUNCTION, ARN, "FunctionName", OF_FUNCTION),
    known(TOPIC, None, "TopicName", OF_TOPIC),
    known(TOPIC, Some("TopicArn"), "TopicName", OF_TOPIC),
    known(TOPIC, Some("TopicName"), "TopicName", Form::Name),
    known(BUCKET, None, "BucketName", Form::Name),
    known(BUCKET, ARN, "BucketName", Form::Bucket),
];

impl<'a> Scope<'a> {
    /// What a resource's attribute is, or with none what a reference to it stands for.
    pub fn attribute(
        &mut self,
        logical: &str,
        attribute: Option<&str>,
        resource: &'a Node,
        whole: &'a Node,
    ) -> Evaluated {
        let kind = below(resource, "Type").and_then(plain).unwrap_or_default();
        let found = self.within(logical, whole, |scope| match (kind, attribute) {
            (ALIAS, None | Some("AliasArn")) => scope.alias(resource, whole),
            (kind, attribute) => {
                let same = |known: &&Known| known.kind == kind && known.attribute == attribute;
                match KNOWN.iter().find(same) {
                    Some(known) => scope.formed(known, resource, whole),
                    None => Ok(None),
                }
            }
        })?;
        if let Some(text) = found {
            return Ok(Some(Value::Text(text)));
        }
        let (name, expression) = match attribute {
            Some(attribute) => {
                let name = format!("{logical}.{attribute}");
                let expression = format!("!GetAtt {name}");
                (name, expression)
            }
            None => (logical.to_owned(), format!("!Ref {logical}")),
        };
        let sample = sample(kind, attribute, resource);
        Ok(Some(self.variable(&name, &expression, whole, sample)))
    }

    /// The text that a property comes to, where there is one.
    fn named(&mut self, resource: &'a Node, property: &str) -> Result<Option<Text>, Wrong> {
        let named = below(resource, "Properties").and_then(|node| below(node, property));
        match named {
            Some(node) => self.text(node),
            None => Ok(None),
        }
    }

    fn formed(
        &mut self,
        known: &Known,
        resource: &'a Node,
        whole: &'a Node,
    ) -> Result<Option<Text>, Wrong> {
        let Some(name) = self.named(resource, known.name)? else {
            return Ok(None);
        };
        Ok(Some(match known.form {
            Form::Name => name,
            Form::Arn(service, before) => self.arn(service, before, name, whole)?,
            Form::Bucket => {
                let mut arn = Text::literal(&format!("arn:{}:s3:::", self.partition()));
                arn.push(name);
                arn
            }
        }))
    }

    fn arn(
        &mut self,
        service: &str,
        before: &str,
        name: Text,
        whole: &'a Node,
    ) -> Result<Text, Wrong> {
        let mut arn = Text::literal(&format!("arn:{}:{service}:", self.partition()));
        for pseudo in ["AWS::Region", "AWS::AccountId"] {
            if let Some(Value::Text(text)) = self.reference(pseudo, whole)? {
                arn.push(text);
            }
            arn.push(Text::literal(":"));
        }
        arn.push(Text::literal(before));
        arn.push(name);
        Ok(arn)
    }

    /// The ARN of an alias: its function is given by name or by ARN.
    fn alias(&mut self, resource: &'a Node, whole: &'a Node) -> Result<Option<Text>, Wrong> {
        let function = self.named(resource, "FunctionName")?;
        let (Some(function), Some(alias)) = (function, self.named(resource, "Name")?) else {
            return Ok(None);
        };
        let is_arn = function.known_start().starts_with("arn:");
        let mut arn = match is_arn || function.known().is_none() {
            true => function,
            false => self.arn("lambda", "function:", function, whole)?,
        };
        arn.push(Text::literal(":"));
        arn.push(alias);
        Ok(Some(arn))
    }
}

/// What such a thing looks like, so that what it is used for can be checked.
fn sample(kind: &str, attribute: Option<&str>, resource: &Node) -> Option<String> {
    let fifo = below(resource, "Properties").and_then(|node| below(node, "FifoQueue"));
    let fifo = fifo.is_some_and(|node| node.value == tree::Value::Bool(true));
    Some(match (kind, attribute) {
        (QUEUE, Some("Arn")) if fifo => format!("{SAMPLE_QUEUE}.fifo"),
        (QUEUE, Some("Arn")) => SAMPLE_QUEUE.to_owned(),
        (STREAM, Some("Arn")) => SAMPLE_KINESIS.to_owned(),
        ("AWS::Kinesis::StreamConsumer", None | Some("ConsumerARN")) => {
            format!("{SAMPLE_KINESIS}/consumer/sample:1789650000")
        }
        (TABLE | "AWS::DynamoDB::GlobalTable", Some("StreamArn")) => SAMPLE_DYNAMODB.to_owned(),
        (TOPIC, None | Some("TopicArn")) => "arn:aws:sns:us-east-1:123456789012:sample".to_owned(),
        (BUCKET, Some("Arn")) => "arn:aws:s3:::sample".to_owned(),
        _ => return None,
    })
}
