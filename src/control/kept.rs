//! What the store keeps under a mapping's UUID: what was registered through the API, and whether an operator holds it.
//!
//! One value for both, so that no crash comes between them. A mapping of a file has the hold alone. It outlives the
//! mapping's leave from the files, as its position does: what somebody stopped does not run again because a file was
//! restored.

use serde_json::{Map, Value};

use super::registration::{Registration, Unreadable};

/// What is kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    /// Of a mapping that was made through the API.
    pub registration: Option<Registration>,
    /// An operator holds it: it is not to run until that is taken back.
    pub paused: bool,
}

const PAUSED: &str = "Paused";

impl Kept {
    /// For the store; none where there is nothing to keep.
    ///
    /// # Errors
    /// None that is known: a registration holds nothing that JSON does not.
    pub fn encode(&self) -> Result<Option<Value>, Unreadable> {
        let mut kept = match &self.registration {
            Some(registration) => serde_json::from_slice(&registration.encode()?)?,
            None => Map::new(),
        };
        if self.paused {
            kept.insert(PAUSED.to_owned(), true.into());
        }
        Ok((!kept.is_empty()).then_some(Value::Object(kept)))
    }

    /// What `encode` made.
    ///
    /// # Errors
    /// It is no registration that this program knows.
    pub fn decode(mut kept: Value) -> Result<Self, Unreadable> {
        let entries = kept.as_object_mut();
        let held = entries.and_then(|entries| entries.remove(PAUSED));
        let paused = held == Some(Value::Bool(true));
        let hold_alone = paused && kept.as_object().is_some_and(Map::is_empty);
        let registration = match hold_alone {
            true => None,
            false => Some(Registration::decode(kept.to_string().as_bytes())?),
        };
        Ok(Self {
            registration,
            paused,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_kept_is_read_as_it_was_written() {
        let registration = json!({
            "Version": 1, "UUID": "14e0db71-5d35-4eb5-b481-8945cf9d10c2", "Name": "q-f", "LastModifiedMs": 1,
            "Properties": { "FunctionName": "f" }, "Tags": {},
        });
        let mut paused = registration.clone();
        paused["Paused"] = true.into();
        let read = |text: &Value| Registration::decode(text.to_string().as_bytes()).unwrap();
        for (registered, held, text) in [
            (false, false, None),
            (false, true, Some(json!({ "Paused": true }))),
            (true, false, Some(registration.clone())),
            (true, true, Some(paused)),
        ] {
            let kept = Kept {
                registration: registered.then(|| read(&registration)),
                paused: held,
            };
            assert_eq!(kept.encode().unwrap(), text);
            if let Some(text) = text {
                assert_eq!(Kept::decode(text).unwrap(), kept);
            }
        }
    }

    #[test]
    fn what_was_not_written_here_is_refused() {
        for kept in [
            json!({}),
            json!(1),
            json!({ "Paused": false }),
            json!({ "Paused": true, "Version": 9 }),
            json!({ "Paused": true, "Until": 1 }),
        ] {
            assert!(Kept::decode(kept.clone()).is_err(), "{kept}");
        }
    }
}
