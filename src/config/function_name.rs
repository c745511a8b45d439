//! How a function is named: `name`, `name:alias`, `123456789012:function:name[:alias]`, or a full ARN. // spec: 1.2

use super::arn::{Arn, is_account};
use super::error::quoted;

/// A function's name, split; what the text leaves open is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FunctionName {
    pub partition: Option<String>,
    pub region: Option<String>,
    pub account: Option<String>,
    pub name: String,
    /// A version or an alias; `$LATEST` is not the same as none, as in AWS.
    pub qualifier: Option<String>,
}

const TEXT_CHARS_MAX: usize = 256;
const NAME_CHARS_MAX: usize = 64;
const QUALIFIER_CHARS_MAX: usize = 128;
const FORMS: &str = "expected name, name:alias, 123456789012:function:name or arn:aws:lambda:us-east-1:123456789012:function:name";

impl FunctionName {
    pub fn parse(text: &str) -> Result<FunctionName, String> {
        let length = text.chars().count();
        if length > TEXT_CHARS_MAX {
            return Err(format!(
                "{length} characters; a function name has at most {TEXT_CHARS_MAX}"
            ));
        }
        if text.starts_with("arn:") {
            return FunctionName::parse_arn(text);
        }
        let parts: Vec<&str> = text.split(':').collect();
        let (account, name, qualifier) = match parts.as_slice() {
            [name] => (None, *name, None),
            [name, qualifier] => (None, *name, Some(*qualifier)),
            [account, "function", name] => (Some(*account), *name, None),
            [account, "function", name, qualifier] => (Some(*account), *name, Some(*qualifier)),
            _ => return Err(format!("{} is no function name; {FORMS}", quoted(text))),
        };
        if account.is_some_and(|account| !is_account(account)) {
            return Err(format!("{} is no function name; {FORMS}", quoted(text)));
        }
        Ok(FunctionName {
            partition: None,
            region: None,
            account: account.map(str::to_owned),
            name: checked_name(text, name)?,
            qualifier: checked_qualifier(text, qualifier)?,
        })
    }

    fn parse_arn(text: &str) -> Result<FunctionName, String> {
        let arn: Arn = text.parse().map_err(|error| format!("{error}; {FORMS}"))?;
        let parts: Vec<&str> = arn.resource.split(':').collect();
        let (name, qualifier) = match parts.as_slice() {
            ["function", name] => (*name, None),
            ["function", name, qualifier] => (*name, Some(*qualifier)),
            _ => return Err(format!("{} is no ARN of a function; {FORMS}", quoted(text))),
        };
        if arn.service != "lambda" || arn.region.is_empty() {
            return Err(format!("{} is no ARN of a function; {FORMS}", quoted(text)));
        }
        let name = checked_name(text, name)?;
        let qualifier = checked_qualifier(text, qualifier)?;
        Ok(FunctionName {
            partition: Some(arn.partition),
            region: Some(arn.region),
            account: Some(arn.account),
            name,
            qualifier,
        })
    }

    /// As Invoke takes it, without the qualifier: in the form in which it was given.
    pub fn unqualified(&self) -> String {
        let FunctionName {
            partition,
            region,
            account,
            name,
            qualifier: _,
        } = self;
        match (partition, region, account) {
            (Some(partition), Some(region), Some(account)) => {
                format!("arn:{partition}:lambda:{region}:{account}:function:{name}")
            }
            (_, _, Some(account)) => format!("{account}:function:{name}"),
            (_, _, None) => name.clone(),
        }
    }

    /// What the name leaves open is as in the source: AWS knows no mapping across regions.
    pub fn completed(&self, source: &Arn) -> FunctionName {
        let or = |given: &Option<String>, default: &str| {
            Some(given.clone().unwrap_or_else(|| default.to_owned()))
        };
        FunctionName {
            partition: or(&self.partition, &source.partition),
            region: or(&self.region, &source.region),
            account: or(&self.account, &source.account),
            name: self.name.clone(),
            qualifier: self.qualifier.clone(),
        }
    }

    /// With the qualifier: what AWS shows as `FunctionArn` when the name is complete.
    pub fn qualified(&self) -> String {
        match &self.qualifier {
            Some(qualifier) => format!("{}:{qualifier}", self.unqualified()),
            None => self.unqualified(),
        }
    }

    /// `self`, a key of `Functions`, names the function `wanted`: what the key leaves open is any.
    pub fn covers(&self, wanted: &FunctionName) -> bool {
        let open = |key: &Option<String>, wanted: &Option<String>| key.is_none() || key == wanted;
        self.name == wanted.name
            && open(&self.partition, &wanted.partition)
            && open(&self.region, &wanted.region)
            && open(&self.account, &wanted.account)
    }
}

fn checked_name(text: &str, name: &str) -> Result<String, String> {
    let length = name.chars().count();
    if length > NAME_CHARS_MAX {
        return Err(format!(
            "{length} characters; the bare name of a function has at most {NAME_CHARS_MAX}"
        ));
    }
    match !name.is_empty() && name.chars().all(is_name) {
        true => Ok(name.to_owned()),
        false => Err(format!("{} is no function name; {FORMS}", quoted(text))),
    }
}

fn checked_qualifier(text: &str, qualifier: Option<&str>) -> Result<Option<String>, String> {
    let Some(qualifier) = qualifier else {
        return Ok(None);
    };
    let holds = qualifier == "$LATEST"
        || ((1..=QUALIFIER_CHARS_MAX).contains(&qualifier.len()) && qualifier.chars().all(is_name));
    match holds {
        true => Ok(Some(qualifier.to_owned())),
        false => Err(format!(
            "{} in {} is no version or alias; expected $LATEST, or letters, digits, - and _",
            quoted(qualifier),
            quoted(text)
        )),
    }
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_function_name_is_understood() {
        let arn = "arn:aws:lambda:eu-west-1:123456789012:function:f";
        let cases = [
            ("f", "f", None, None),
            ("f:live", "f", Some("live"), None),
            ("f:$LATEST", "f", Some("$LATEST"), None),
            (
                "123456789012:function:f",
                "123456789012:function:f",
                None,
                None,
            ),
            (
                "123456789012:function:f:7",
                "123456789012:function:f",
                Some("7"),
                None,
            ),
            (arn, arn, None, Some("eu-west-1")),
            (&format!("{arn}:live"), arn, Some("live"), Some("eu-west-1")),
        ];
        for (text, unqualified, qualifier, region) in cases {
            let name = FunctionName::parse(text).unwrap();
            assert_eq!(name.unqualified(), unqualified, "{text}");
            assert_eq!(name.qualifier.as_deref(), qualifier, "{text}");
            assert_eq!(name.region.as_deref(), region, "{text}");
            assert_eq!(name.qualified(), text);
        }
    }

    #[test]
    fn a_name_is_completed_from_its_source() {
        let source: Arn = "arn:aws-cn:sqs:cn-north-1:123456789012:q".parse().unwrap();
        let completed = |text: &str| {
            FunctionName::parse(text)
                .unwrap()
                .completed(&source)
                .qualified()
        };
        assert_eq!(
            completed("f:live"),
            "arn:aws-cn:lambda:cn-north-1:123456789012:function:f:live"
        );
        assert_eq!(
            completed("999999999999:function:f"),
            "arn:aws-cn:lambda:cn-north-1:999999999999:function:f"
        );
        let arn = "arn:aws:lambda:eu-west-1:999999999999:function:f";
        assert_eq!(completed(arn), arn);
    }

    #[test]
    fn other_names_are_refused() {
        let forms = FORMS;
        let cases = [
            ("", format!("\"\" is no function name; {forms}")),
            ("my function", format!("\"my function\" is no function name; {forms}")),
            ("a:b:c", format!("\"a:b:c\" is no function name; {forms}")),
            ("12:function:f", format!("\"12:function:f\" is no function name; {forms}")),
            (
                "f:a b",
                "\"a b\" in \"f:a b\" is no version or alias; expected $LATEST, or letters, digits, - and _".to_owned(),
            ),
            (
                "f:",
                "\"\" in \"f:\" is no version or alias; expected $LATEST, or letters, digits, - and _".to_owned(),
            ),
            (
                "arn:aws:sqs:us-east-1:123456789012:q",
                format!("\"arn:aws:sqs:us-east-1:123456789012:q\" is no ARN of a function; {forms}"),
            ),
            (
                "arn:aws:lambda:us-east-1:1:function:f",
                format!("\"arn:aws:lambda:us-east-1:1:function:f\" is no ARN: \"1\" is no account of 12 digits; {forms}"),
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(FunctionName::parse(text).unwrap_err(), expected);
        }
        assert_eq!(
            FunctionName::parse(&"f".repeat(65)).unwrap_err(),
            "65 characters; the bare name of a function has at most 64"
        );
        assert_eq!(
            FunctionName::parse(&"f".repeat(257)).unwrap_err(),
            "257 characters; a function name has at most 256"
        );
    }
}
