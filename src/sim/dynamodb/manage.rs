//! CreateTable, DescribeTable, UpdateTable, DeleteTable: tables are active and streams enabled at once.

use aws_smithy_types::{DateTime, date_time::Format};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Call,
    error::{Code, DynamoError},
    no_table,
    record::ViewType,
    stream::Stream,
    table::{AttributeDefinition, KeySchemaElement, Schema, Table},
    table_name,
};

/// What is not here is refused: the embedded DynamoDB does not have it. Capacity is taken and means nothing.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct CreateTable {
    pub(super) table_name: String,
    pub(super) key_schema: Vec<KeySchemaElement>,
    pub(super) attribute_definitions: Vec<AttributeDefinition>,
    pub(super) stream_specification: Option<StreamSpecification>,
    #[serde(rename = "BillingMode")]
    pub(super) _billing_mode: Option<String>,
    #[serde(rename = "ProvisionedThroughput")]
    pub(super) _provisioned_throughput: Option<Value>,
    /// Not AWS's: how many partitions the table begins with.
    #[serde(skip)]
    pub(super) partitions: Option<u32>,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct StreamSpecification {
    pub(super) stream_enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stream_view_type: Option<ViewType>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct UpdateTable {
    pub(super) table_name: String,
    pub(super) stream_specification: StreamSpecification,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct NamedTable {
    pub(super) table_name: String,
}

// API: DynamoDB CreateTable
pub(super) fn create(call: &mut Call<'_>, input: CreateTable) -> Result<Value, DynamoError> {
    let name = &input.table_name;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    if !(3..=255).contains(&name.len()) || !name.bytes().all(fits) {
        return Err(Code::Validation.because(
            "TableName must be at least 3 characters long and at most 255 characters long, of a-z, A-Z, 0-9, '_', '-' and '.'",
        ));
    }
    let now_ms = call.now_ms;
    let schema = Schema::new(&input.key_schema, &input.attribute_definitions)?;
    if call.table(name).is_ok() {
        return Err(Code::ResourceInUse.because(format!("Table already exists: {name}")));
    }
    let view = input.stream_specification.map(wanted).transpose()?;
    let table = Table::new(schema, input.partitions.unwrap_or(1), now_ms);
    call.state.dynamodb.tables.insert(name.clone(), table);
    if let Some(view) = view.flatten() {
        begin_stream(call, name, view)?;
    }
    Ok(json!({ "TableDescription": description(call, name)? }))
}

/// The view type of the stream that is asked for; none where none is.
// API: DynamoDB StreamSpecification
fn wanted(specification: StreamSpecification) -> Result<Option<ViewType>, DynamoError> {
    match (
        specification.stream_enabled,
        specification.stream_view_type,
    ) {
        (true, Some(view)) => Ok(Some(view)),
        (false, None) => Ok(None),
        (true, None) => Err(Code::Validation.because(
            "One or more parameter values were invalid: StreamViewType is required when StreamEnabled is true",
        )),
        (false, Some(_)) => Err(Code::Validation.because(
            "One or more parameter values were invalid: StreamViewType cannot be specified when StreamEnabled is false",
        )),
    }
}

/// Gives a table a new stream, with a label of its own.
// API: DynamoDB Streams, Enabling a stream: a new stream has a new descriptor
fn begin_stream(call: &mut Call<'_>, name: &str, view: ViewType) -> Result<(), DynamoError> {
    let (now_ms, settings) = (call.now_ms, call.world.settings().clone());
    let (tables, streams, mut mint) = call.parts();
    let table = tables.get_mut(name).ok_or_else(|| no_table(name))?;
    let mut named_ms = now_ms;
    let (label, arn) = loop {
        let label = label(named_ms);
        let (region, account) = (&settings.region, &settings.account);
        let arn = format!("arn:aws:dynamodb:{region}:{account}:table/{name}/stream/{label}");
        if !streams.contains_key(&arn) {
            break (label, arn);
        }
        named_ms += 1;
    };
    let partitions = table.partitions.iter().copied();
    let schema = table.schema.clone();
    let stream = Stream::new(name, label, view, schema, partitions, now_ms, &mut mint);
    streams.insert(arn.clone(), stream);
    table.stream = Some(arn);
    Ok(())
}

/// A label: the time with three digits of a second and no zone.
// API: DynamoDB Streams, Stream StreamLabel
fn label(at_ms: u64) -> String {
    let at = DateTime::from_secs(i64::try_from(at_ms / 1000).unwrap_or(i64::MAX));
    let seconds = at.fmt(Format::DateTime).unwrap_or_default();
    format!("{}.{:03}", seconds.trim_end_matches('Z'), at_ms % 1000)
}

// API: DynamoDB UpdateTable, StreamSpecification
pub(super) fn update(call: &mut Call<'_>, input: &UpdateTable) -> Result<Value, DynamoError> {
    let name = table_name(&input.table_name);
    let view = wanted(input.stream_specification)?;
    let enabled = enabled_stream(call, name)?;
    match (view, enabled) {
        (Some(view), None) => begin_stream(call, name, view)?,
        (None, Some(arn)) => end_stream(call, &arn),
        (Some(_), Some(_)) => {
            return Err(Code::Validation.because(format!(
                "Table already has an enabled stream: TableName: {name}"
            )));
        }
        (None, None) => {
            return Err(Code::Validation.because(format!(
                "Table is already disabled for streams: TableName: {name}"
            )));
        }
    }
    Ok(json!({ "TableDescription": description(call, name)? }))
}

/// The ARN of the table's stream, unless it has none or a disabled one.
pub(super) fn enabled_stream(
    call: &mut Call<'_>,
    name: &str,
) -> Result<Option<String>, DynamoError> {
    let Some(arn) = call.table(name)?.stream.clone() else {
        return Ok(None);
    };
    let enabled = call
        .stream(&arn)
        .is_ok_and(|stream| stream.disabled_ms.is_none());
    Ok(enabled.then_some(arn))
}

fn end_stream(call: &mut Call<'_>, arn: &str) {
    let now_ms = call.now_ms;
    let (_, streams, mut mint) = call.parts();
    if let Some(stream) = streams.get_mut(arn) {
        stream.disable(now_ms, &mut mint);
    }
}

// API: DynamoDB DeleteTable: its stream goes into the disabled state and can be read for 24 hours
pub(super) fn delete(call: &mut Call<'_>, input: &NamedTable) -> Result<Value, DynamoError> {
    let name = table_name(&input.table_name);
    if let Some(arn) = enabled_stream(call, name)? {
        end_stream(call, &arn);
    }
    let mut description = description(call, name)?;
    description["TableStatus"] = "DELETING".into();
    call.state.dynamodb.tables.remove(name);
    Ok(json!({ "TableDescription": description }))
}

// API: DynamoDB DescribeTable
pub(super) fn describe(call: &mut Call<'_>, input: &NamedTable) -> Result<Value, DynamoError> {
    Ok(json!({ "Table": description(call, table_name(&input.table_name))? }))
}

fn description(call: &mut Call<'_>, name: &str) -> Result<Value, DynamoError> {
    let settings = call.world.settings().clone();
    let enabled = enabled_stream(call, name)?;
    let view = match &enabled {
        Some(arn) => Some(call.stream(arn)?.view),
        None => None,
    };
    let table = call.table(name)?;
    let mut description = json!({
        "TableName": name,
        "TableArn": format!("arn:aws:dynamodb:{}:{}:table/{name}", settings.region, settings.account),
        "TableStatus": "ACTIVE",
        "KeySchema": table.schema.elements(),
        "AttributeDefinitions": table.schema.definitions(),
        "CreationDateTime": table.created_ms / 1000,
        "ItemCount": table.items.len(),
    });
    // It stays when the stream is disabled.
    if let Some(arn) = &table.stream {
        description["LatestStreamArn"] = arn.as_str().into();
        description["LatestStreamLabel"] = arn.rsplit('/').next().into();
    }
    if let Some(view) = view {
        description["StreamSpecification"] =
            json!({ "StreamEnabled": true, "StreamViewType": view });
    }
    Ok(description)
}

#[cfg(test)]
mod tests {
    use super::label;

    #[test]
    fn a_label_is_a_time_with_milliseconds() {
        assert_eq!(label(1_767_225_600_000), "2026-01-01T00:00:00.000");
        assert_eq!(label(1_767_225_600_045), "2026-01-01T00:00:00.045");
    }
}
