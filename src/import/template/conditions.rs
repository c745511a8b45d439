//! Conditions of a template, as far as its parameters decide them.

use super::plain;
use super::scope::{Scope, Wrong};
use crate::config::error::quoted;
use crate::config::tree::{self, Node};
use crate::import::text::Text;

/// Whether it holds; `None` where that is not known.
type Holds = Result<Option<bool>, Wrong>;

impl<'a> Scope<'a> {
    /// Whether the condition of this name holds; `whole` asks for it.
    pub fn condition(&mut self, name: &str, whole: &Node) -> Holds {
        let Some(condition) = self.declared("Conditions", name) else {
            let what = format!("the template has no condition {}", quoted(name));
            return Wrong::new(whole, what);
        };
        let visiting = format!("condition {name}");
        self.within(&visiting, whole, |scope| scope.holds(condition))
    }

    fn holds(&mut self, node: &'a Node) -> Holds {
        let tree::Value::Map(entries) = &node.value else {
            return Ok(None);
        };
        let [entry] = entries.as_slice() else {
            return Ok(None);
        };
        match (entry.key.as_str(), &entry.node.value) {
            ("Condition", _) => match plain(&entry.node) {
                Some(name) => self.condition(name, node),
                None => Ok(None),
            },
            ("Fn::Equals", tree::Value::List(sides)) => self.equal(sides),
            ("Fn::Not", tree::Value::List(items)) => match items.as_slice() {
                [item] => Ok(self.holds(item)?.map(|holds| !holds)),
                _ => Ok(None),
            },
            ("Fn::And", tree::Value::List(items)) => self.all(items, true),
            ("Fn::Or", tree::Value::List(items)) => self.all(items, false),
            _ => Ok(None),
        }
    }

    /// Whether all are true, or (`wanted` false) whether one is: one that is not so decides, one that is not known leaves it
    /// open.
    fn all(&mut self, items: &'a [Node], wanted: bool) -> Holds {
        let mut known = true;
        for item in items {
            match self.holds(item)? {
                Some(holds) if holds != wanted => return Ok(Some(!wanted)),
                Some(_) => {}
                None => known = false,
            }
        }
        Ok(known.then_some(wanted))
    }

    fn equal(&mut self, sides: &'a [Node]) -> Holds {
        let [left, right] = sides else {
            return Ok(None);
        };
        let (left, right) = (self.text(left)?, self.text(right)?);
        let known = |side: &Option<Text>| side.as_ref().and_then(Text::known).map(str::to_owned);
        Ok(known(&left)
            .zip(known(&right))
            .map(|(left, right)| left == right))
    }
}
