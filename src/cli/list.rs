//! `sluicegate list`: the mappings of a running service and what each is doing.

use std::collections::BTreeMap;

use clap::ValueEnum;
use serde_json::{Value, json};

use super::service::{Args as ServiceArgs, Named, Service, table};
use super::{Exit, failed, output};
use crate::config::arn::Arn;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    service: ServiceArgs,
    /// How to show the mappings
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// One mapping a line
    Table,
    /// One object, as `aws lambda list-event-source-mappings` prints it
    Json,
}

pub fn run(args: &Args) -> Exit {
    let mut service = match Service::of(&args.service) {
        Ok(service) => service,
        Err(exit) => return exit,
    };
    let mut mappings = match service.list() {
        Ok(mappings) => mappings,
        Err(error) => return failed(&error),
    };
    mappings.sort_by(|one, other| name(one).cmp(name(other)));
    match args.format {
        Format::Table => output::print(&rows(&mappings, &service.readiness())),
        Format::Json => {
            let listed = json!({ "EventSourceMappings": mappings });
            output::print(&format!("{listed:#}\n"))
        }
    }
}

fn name(mapping: &Value) -> &str {
    Named::of(mapping).map_or("", |named| named.name)
}

const HEADINGS: [&str; 8] = [
    "NAME",
    "STATE",
    "PAUSED",
    "SOURCE",
    "FUNCTION",
    "LAST RESULT",
    "FROM",
    "REASON",
];

/// What the service's own page says of a state is more than AWS's words: that a mapping fails, and why.
fn rows(mappings: &[Value], readiness: &Value) -> String {
    let page = readiness["mappings"].as_array();
    let told: BTreeMap<&str, &Value> = page
        .into_iter()
        .flatten()
        .filter_map(|told| Some((told["name"].as_str()?, told)))
        .collect();
    let headings = HEADINGS.map(str::to_owned).to_vec();
    let mut rows = vec![headings];
    for mapping in mappings {
        let told = told.get(name(mapping));
        rows.push(row(mapping, told.copied().unwrap_or(&Value::Null)).to_vec());
    }
    table::aligned(&rows)
}

fn row(mapping: &Value, told: &Value) -> [String; 8] {
    let text = |key: &str| mapping[key].as_str();
    let or_none = |text: Option<&str>| text.unwrap_or("-").to_owned();
    let paused = mapping["Paused"] == true;
    // Of one that cannot run, and of one that is paused, the reason stands there; AWS's own are those of every mapping.
    let transition = text("StateTransitionReason");
    let transition = transition.filter(|why| !["USER_INITIATED", "User action"].contains(why));
    [
        name(mapping).to_owned(),
        or_none(told["state"].as_str().or(text("State"))),
        match paused {
            true => "yes".to_owned(),
            false => "-".to_owned(),
        },
        or_none(text("EventSourceArn")),
        function(mapping),
        or_none(text("LastProcessingResult")),
        text("DefinedIn").unwrap_or("the API").to_owned(),
        or_none(told["reason"].as_str().or(transition)),
    ]
}

/// As a configuration would name it: without the region and account that it has in common with the source.
fn function(mapping: &Value) -> String {
    let text = |key: &str| mapping[key].as_str().unwrap_or_default();
    let function = [text("FunctionArn"), text("FunctionName")];
    let Some(function) = function.into_iter().find(|text| !text.is_empty()) else {
        return "-".to_owned();
    };
    let (Ok(own), Ok(source)) = (
        function.parse::<Arn>(),
        text("EventSourceArn").parse::<Arn>(),
    ) else {
        return function.to_owned();
    };
    let near = |arn: &Arn| (arn.region.clone(), arn.account.clone());
    match own.resource.strip_prefix("function:") {
        Some(name) if near(&own) == near(&source) => name.to_owned(),
        Some(_) | None => function.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_what_a_mapping_does_where_it_comes_from_and_what_is_wrong() {
        let mappings = [
            json!({
                "UUID": "1", "Name": "clicks", "State": "Enabled", "LastProcessingResult": "OK",
                "EventSourceArn": "arn:aws:kinesis:us-east-1:123456789012:stream/clicks",
                "FunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:count:live",
                "StateTransitionReason": "User action", "DefinedIn": "mappings.yaml:14",
            }),
            json!({
                "UUID": "2", "State": "Disabled", "Paused": true,
                "EventSourceArn": "arn:aws:sqs:us-east-1:123456789012:orders",
                "FunctionArn": "arn:aws:lambda:eu-west-1:123456789012:function:process",
                "StateTransitionReason": "Paused by the control API",
            }),
            json!({ "UUID": "3", "FunctionName": "held", "StateTransitionReason": "cannot run: no" }),
        ];
        let readiness = json!({ "mappings": [
            { "name": "clicks", "state": "Failing", "reason": "the stream does not exist" },
            { "name": "2", "state": "Disabled", "reason": null },
            { "name": "other", "state": "Enabled", "reason": null },
        ] });
        let expected = "\
NAME    STATE     PAUSED  SOURCE                                                FUNCTION                                               LAST RESULT  FROM              REASON
clicks  Failing   -       arn:aws:kinesis:us-east-1:123456789012:stream/clicks  count:live                                             OK           mappings.yaml:14  the stream does not exist
2       Disabled  yes     arn:aws:sqs:us-east-1:123456789012:orders             arn:aws:lambda:eu-west-1:123456789012:function:process  -            the API           Paused by the control API
3       -         -       -                                                     held                                                   -            the API           cannot run: no
";
        let expected = expected.replace("FUNCTION       ", "FUNCTION        ");
        let expected = expected.replace("count:live     ", "count:live      ");
        let expected = expected.replace("  held     ", "  held      ");
        assert_eq!(rows(&mappings, &readiness), expected);
        let without = rows(&mappings[..1], &Value::Null);
        assert!(without.contains("clicks  Enabled  "), "{without}");
    }
}
