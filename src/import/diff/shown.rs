//! A difference in words, and as JSON.

use serde_json::{Map, Value as Json, json};

use super::{Diff, Setting, text};
use crate::config::error::one_line;

impl Diff {
    /// A mapping a line with what is to be said of it below, and a last line that counts; ends in a line break.
    pub fn text(&self) -> String {
        let [here, there] = &self.names;
        let mut lines = Vec::new();
        for (name, only) in self.names.iter().zip(&self.only) {
            for mapping in only {
                lines.push(format!("only in {name}: {}", heading(mapping)));
            }
        }
        for (origin, reasons) in &self.refused {
            lines.push(format!("only in {there}: {origin}"));
            lines.extend(reasons.iter().map(|reason| format!("    {reason}")));
        }
        for (mapping, settings) in &self.different {
            lines.push(format!("different: {}", heading(mapping)));
            for Setting {
                key,
                values: [left, right],
            } in settings
            {
                let (left, right) = (said(left), said(right));
                lines.push(format!("    {key}: {left} in {here}, {right} in {there}"));
            }
        }
        let [only_here, only_there] = [&self.only[0], &self.only[1]].map(Vec::len);
        lines.push(format!(
            "same: {}, different: {}, only in {here}: {only_here}, only in {there}: {}",
            self.same,
            self.different.len(),
            only_there + self.refused.len()
        ));
        lines.iter().map(|line| one_line(line) + "\n").collect()
    }

    /// One object: `Same` counts, the others are lists.
    pub fn json(&self) -> Json {
        let only = |mappings: &[Json]| mappings.iter().map(key).collect::<Vec<_>>();
        let refused = self.refused.iter();
        let refused = refused.map(|(origin, reasons)| json!({ "Mapping": origin, "Why": reasons }));
        let different = self.different.iter().map(|(mapping, settings)| {
            let mut shown = key(mapping);
            let settings: Map<String, Json> = settings.iter().map(setting).collect();
            shown["Settings"] = Json::Object(settings);
            shown
        });
        json!({
            "Here": self.names[0],
            "There": self.names[1],
            "Same": self.same,
            "OnlyHere": only(&self.only[0]),
            "OnlyThere": only(&self.only[1]),
            "NotServedHere": refused.collect::<Vec<_>>(),
            "Different": different.collect::<Vec<_>>(),
        })
    }
}

fn setting(setting: &Setting) -> (String, Json) {
    let [here, there] = &setting.values;
    (setting.key.clone(), json!({ "Here": here, "There": there }))
}

fn key(mapping: &Json) -> Json {
    let keys = ["Name", "UUID", "EventSourceArn", "FunctionArn"];
    let entries = keys.map(|key| (key.to_owned(), mapping[key].clone()));
    let told = ["DefinedIn", "Paused"].iter();
    let told = told.filter_map(|key| Some(((*key).to_owned(), mapping.get(key)?.clone())));
    Json::Object(entries.into_iter().chain(told).collect())
}

fn heading(mapping: &Json) -> String {
    let [name, source, function] =
        ["Name", "EventSourceArn", "FunctionArn"].map(|key| text(mapping, key));
    let place = match mapping["DefinedIn"].as_str() {
        Some(place) => format!(", there from {place}"),
        None => String::new(),
    };
    let paused = match mapping["Paused"] == true {
        true => ", paused",
        false => "",
    };
    format!("{name}, {source} to {function}{place}{paused}")
}

fn said(value: &Json) -> String {
    match value {
        Json::Null => "not set".to_owned(),
        Json::String(text) => text.clone(),
        value => value.to_string(),
    }
}
