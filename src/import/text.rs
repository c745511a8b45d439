//! Text of a configuration file that may refer to the environment of the service.

use std::collections::{BTreeMap, BTreeSet};

/// Text in which some parts are known when the service starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Variable(Variable),
}

/// A value that whoever takes the file over has to give, as an environment variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Letters in upper case, digits and `_`.
    pub name: String,
    /// What it stands for, and where that is written.
    pub stands_for: String,
    /// A value of the right shape, where it is known which that is: with it the rest of the file is checked.
    pub sample: Option<String>,
}

impl Text {
    /// Text that is known.
    pub fn literal(text: &str) -> Self {
        let pieces = vec![Piece::Literal(text.to_owned())];
        Self { pieces }
    }

    /// Text of which nothing is known.
    pub fn variable(variable: Variable) -> Self {
        let pieces = vec![Piece::Variable(variable)];
        Self { pieces }
    }

    /// Puts `more` behind it.
    pub fn push(&mut self, more: Text) {
        for piece in more.pieces {
            match (self.pieces.last_mut(), piece) {
                (Some(Piece::Literal(text)), Piece::Literal(more)) => text.push_str(&more),
                (Some(Piece::Literal(_) | Piece::Variable(_)) | None, piece) => {
                    self.pieces.push(piece);
                }
            }
        }
    }

    /// All of it, where all is known.
    pub fn known(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// What it begins with, as far as that is known.
    pub fn known_start(&self) -> &str {
        match self.pieces.first() {
            Some(Piece::Literal(text)) => text,
            Some(Piece::Variable(_)) | None => "",
        }
    }

    /// Known letters and bytes of names; what bounds a text that is put together.
    pub fn len(&self) -> usize {
        let length = |piece: &Piece| match piece {
            Piece::Literal(text) => text.len(),
            Piece::Variable(variable) => variable.name.len(),
        };
        self.pieces.iter().map(length).sum()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its variables, in their order.
    pub fn variables(&self) -> impl Iterator<Item = &Variable> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Literal(_) => None,
            Piece::Variable(variable) => Some(variable),
        })
    }

    /// In the grammar of a configuration file: `${NAME}` for a variable, `$${` for the two characters themselves.
    pub fn written(&self) -> String {
        let mut written = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => written.push_str(&text.replace("${", "$${")),
                Piece::Variable(Variable { name, .. }) => {
                    // A `$` before a reference would make the two characters of it: so it comes from a default.
                    if written.ends_with('$') {
                        written.pop();
                        written.push_str("${SLUICEGATE_DOLLAR:-$}");
                    }
                    written.push_str(&format!("${{{name}}}"));
                }
            }
        }
        written
    }

    /// With a value for each variable.
    pub fn filled(&self, value: &dyn Fn(&Variable) -> String) -> String {
        let fill = |piece: &Piece| match piece {
            Piece::Literal(text) => text.clone(),
            Piece::Variable(variable) => value(variable),
        };
        self.pieces.iter().map(fill).collect()
    }
}

/// The names of variables: one for each thing that is not known, however often it occurs.
#[derive(Debug)]
pub struct Names {
    by_expression: BTreeMap<String, String>,
    taken: BTreeSet<String>,
}

/// What every process finds in its environment already, where it would pass for a value that was given.
const OF_EVERY_PROCESS: [&str; 8] = [
    "HOME", "HOSTNAME", "LANG", "PATH", "PWD", "SHELL", "TERM", "USER",
];

impl Default for Names {
    fn default() -> Self {
        Names {
            by_expression: BTreeMap::new(),
            taken: OF_EVERY_PROCESS.map(str::to_owned).into(),
        }
    }
}

impl Names {
    /// The name for `expression`: `suggested` as environment variables are written, with a number where another has it.
    pub fn of(&mut self, suggested: &str, expression: &str) -> String {
        if let Some(name) = self.by_expression.get(expression) {
            return name.clone();
        }
        let plain = upper_snake(suggested);
        let mut name = plain.clone();
        let mut number = 2;
        while !self.taken.insert(name.clone()) {
            name = format!("{plain}_{number}");
            number += 1;
        }
        self.by_expression
            .insert(expression.to_owned(), name.clone());
        name
    }
}

/// `OrdersQueue.Arn` -> `ORDERS_QUEUE_ARN`; `AWS::Region` -> `AWS_REGION`.
fn upper_snake(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut name = String::new();
    for (index, c) in chars.iter().enumerate() {
        let before = index.checked_sub(1).map(|before| chars[before]);
        let after = chars.get(index + 1);
        let begins_word = c.is_ascii_uppercase()
            && before.is_some_and(|before| {
                let ends_acronym =
                    before.is_ascii_uppercase() && after.is_some_and(char::is_ascii_lowercase);
                before.is_ascii_lowercase() || before.is_ascii_digit() || ends_acronym
            });
        if !name.ends_with('_') && !name.is_empty() && (begins_word || !c.is_ascii_alphanumeric()) {
            name.push('_');
        }
        if c.is_ascii_alphanumeric() {
            name.push(c.to_ascii_uppercase());
        }
    }
    let name = name.trim_end_matches('_');
    match name.starts_with(|c: char| c.is_ascii_uppercase()) {
        true => name.to_owned(),
        false => format!("VALUE_{name}").trim_end_matches('_').to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &str) -> Text {
        Text::variable(Variable {
            name: name.to_owned(),
            stands_for: String::new(),
            sample: None,
        })
    }

    #[test]
    fn what_is_written_stands_for_itself_in_a_configuration_file() {
        let mut dollar = Text::literal("5$");
        dollar.push(variable("PRICE"));
        dollar.push(Text::literal("$${x}"));
        let cases = [
            (Text::literal("plain $x {y}"), "plain $x {y}"),
            (Text::literal("${x}"), "$${x}"),
            (variable("QUEUE_ARN"), "${QUEUE_ARN}"),
            (dollar, "5${SLUICEGATE_DOLLAR:-$}${PRICE}$$${x}"),
        ];
        for (text, written) in cases {
            assert_eq!(text.written(), written);
        }
    }

    #[test]
    fn names_are_those_of_environment_variables() {
        let cases = [
            ("OrdersQueue.Arn", "ORDERS_QUEUE_ARN"),
            ("AWS::Region", "AWS_REGION"),
            ("shared-OrdersQueueArn", "SHARED_ORDERS_QUEUE_ARN"),
            ("MyKMSKey", "MY_KMS_KEY"),
            ("queue2Arn", "QUEUE2_ARN"),
            ("/prod/queue/arn", "PROD_QUEUE_ARN"),
            ("2nd", "VALUE_2ND"),
            ("::", "VALUE"),
            ("größe", "GR_E"),
        ];
        for (text, name) in cases {
            assert_eq!(upper_snake(text), name, "{text}");
        }
    }

    #[test]
    fn one_thing_has_one_name_and_two_things_have_two() {
        let mut names = Names::default();
        assert_eq!(names.of("Queue.Arn", "!GetAtt Queue.Arn"), "QUEUE_ARN");
        assert_eq!(names.of("QueueArn", "!Ref QueueArn"), "QUEUE_ARN_2");
        assert_eq!(names.of("Queue.Arn", "!GetAtt Queue.Arn"), "QUEUE_ARN");
        assert_eq!(names.of("Path", "!Ref Path"), "PATH_2");
    }
}
