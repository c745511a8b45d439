//! Why a pattern is refused: the sentences of EventBridge's own compiler, which says more than a mapping's API does.

use super::plan::QUESTIONS_MAX;
use super::{NESTING_MAX, OR_COMBINATIONS_MAX, PATTERN_CHARS_MAX};

/// A pattern that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("filter {filter}{}: {reason}", at(.key))]
pub struct FilterError {
    /// Which of the given patterns, from 0.
    pub filter: usize,
    /// The key that is wrong, dotted from the root; empty where it is the pattern as a whole.
    pub key: String,
    /// What is wrong there.
    pub reason: Reason,
}

fn at(key: &str) -> String {
    match key {
        "" => String::new(),
        key => format!(", key {key}"),
    }
}

/// What is wrong with a pattern. A mapping's API at AWS answers all of these with [`super::REFUSED_BY_AWS`].
// spec: 7.4 structural rules
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// More characters than AWS stores.
    #[error("Pattern is longer than {PATTERN_CHARS_MAX} characters")]
    TooLong,
    /// Objects within objects beyond what we descend.
    #[error("Pattern is nested deeper than {NESTING_MAX} levels")]
    TooDeep,
    /// Strings asked of a payload that is only ever matched as JSON.
    #[error("\"{0}\" must be an object: its value is matched as JSON only, never as a string")]
    JsonOnly(&'static str),
    /// `$or` inside `$or` multiplied beyond what we hold.
    #[error("Rule is too complex - $or makes more than {OR_COMBINATIONS_MAX} combinations")]
    TooComplex,
    /// Alternatives within alternatives, beyond what we ask of one record.
    #[error("Rule is too complex - asks more than {QUESTIONS_MAX} questions of one record")]
    TooManyQuestions,
    /// The text is no JSON; the parser says where.
    #[error("Filter is not valid JSON: {0}")]
    NotJson(String),
    /// The root is a scalar or an array.
    #[error("Filter is not an object")]
    NotAnObject,
    /// A bare scalar where a list of alternatives belongs.
    #[error("\"{0}\" must be an object or an array")]
    NeitherObjectNorArray(String),
    /// A list without alternatives.
    #[error("Empty arrays are not allowed")]
    EmptyArray,
    /// An object without keys.
    #[error("Empty objects are not allowed")]
    EmptyObject,
    /// An array among the alternatives.
    #[error("Match value must be String, number, true, false, or null")]
    NotAValue,
    /// `[{}]`.
    #[error("Match expression name not found")]
    NoOperator,
    /// `[{"prefix": "a", "suffix": "b"}]`.
    #[error("Only one key allowed in match expression")]
    TwoOperators,
    /// No such operator; names are case-sensitive.
    #[error("Unrecognized match type {0}")]
    UnknownOperator(String),
    /// The named operator takes a string.
    #[error("{0} match pattern must be a string")]
    NotAString(&'static str),
    /// `exists` takes a boolean.
    #[error("exists match pattern must be either true or false.")]
    NotABoolean,
    /// `numeric` takes a list.
    #[error("Value of numeric must be an array.")]
    NumericNotAList,
    /// A list for `numeric` that does not start with an operator.
    #[error("Invalid member in numeric match")]
    NumericMember,
    /// Not one of `=`, `<`, `<=`, `>`, `>=`.
    #[error("Unrecognized numeric range operator: {0}")]
    NumericOperator(String),
    /// The operator's operand is missing or no number.
    #[error("Value of {0} must be numeric")]
    NumericOperand(&'static str),
    /// The second operator of a range is no upper bound.
    #[error("Bad numeric range operator: {0}")]
    RangeOperator(String),
    /// More than one bound, or one low/high pair.
    #[error("Too many elements in numeric expression")]
    NumericTooLong,
    /// A range that holds no number.
    #[error("Bottom must be less than top")]
    EmptyRange,
    /// `anything-but` around null, a boolean, or an operator's operator.
    #[error("Value of anything-but must be an array or single string/number value.")]
    AnythingBut,
    /// A list for `anything-but` that holds null, a boolean or something nested.
    #[error("Inside anything but list, start|null|boolean is not supported.")]
    AnythingButMember,
    /// Strings and numbers in one list for `anything-but`.
    #[error(
        "Inside anything but list, either all values are number or string, mixed type is not supported"
    )]
    AnythingButMixed,
    /// `anything-but` around an operator that it does not take.
    #[error("Unsupported anything-but pattern: {0}")]
    AnythingButOperator(String),
    /// `anything-but` around an empty prefix or suffix refuses everything.
    #[error("Null prefix/suffix not allowed")]
    EmptyAffix,
    /// `**`; the position counts the opening quote, as EventBridge does.
    #[error("Consecutive wildcard characters at pos {0}")]
    DoubleWildcard(usize),
    /// `\` before anything but `*` and `\`; the position counts the opening quote.
    #[error("Invalid escape character at pos {0}")]
    WildcardEscape(usize),
    /// Not `address/bits`.
    #[error("Malformed CIDR, one '/' required")]
    CidrSlash,
    /// The part after the slash is no number.
    #[error("Malformed CIDR, mask bits must be an integer")]
    CidrBits,
    /// More mask bits than the address has.
    #[error("Malformed CIDR, mask bits must not be more than {0}")]
    CidrBitsRange(u32),
    /// The part before the slash is no address.
    #[error("Nonstandard IP address: {0}")]
    CidrAddress(String),
}
