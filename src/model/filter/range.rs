//! `numeric`: one bound, or a lower and an upper one; strings and null are never inside. // spec: 7.4

use super::error::Reason;
use super::matcher::open;
use super::number::{Decimal, OwnedDecimal};
use crate::model::json::{Level, Raw};

/// Bounds of `numeric`; at least one is there.
#[derive(Clone, Debug)]
pub(super) struct Range {
    low: Option<Bound>,
    high: Option<Bound>,
}

#[derive(Clone, Debug)]
struct Bound {
    inclusive: bool,
    number: OwnedDecimal,
}

impl Range {
    /// `["=", 5]`, one bound, or a lower and then an upper one.
    pub(super) fn parse(items: &[&Raw]) -> Result<Self, Reason> {
        let levels: Vec<Level<'_>> = items
            .iter()
            .map(|item| open(item))
            .collect::<Result<_, _>>()?;
        let mut levels = levels.into_iter();
        let Some(Level::Text(operator)) = levels.next() else {
            return Err(Reason::NumericMember);
        };
        let mut range = match operator.as_ref() {
            "=" => {
                let bound = Bound::parse(true, levels.next(), "equals")?;
                Range {
                    low: Some(bound.clone()),
                    high: Some(bound),
                }
            }
            "<" => Range {
                low: None,
                high: Some(Bound::parse(false, levels.next(), "<")?),
            },
            "<=" => Range {
                low: None,
                high: Some(Bound::parse(true, levels.next(), "<=")?),
            },
            ">" => Range {
                low: Some(Bound::parse(false, levels.next(), ">")?),
                high: None,
            },
            ">=" => Range {
                low: Some(Bound::parse(true, levels.next(), ">=")?),
                high: None,
            },
            other => return Err(Reason::NumericOperator(other.into())),
        };
        let Some(second) = levels.next() else {
            return Ok(range);
        };
        let Level::Text(second) = second else {
            return Err(Reason::NumericMember);
        };
        if range.high.is_some() {
            return Err(Reason::NumericTooLong);
        }
        range.high = Some(match second.as_ref() {
            "<" => Bound::parse(false, levels.next(), "<")?,
            "<=" => Bound::parse(true, levels.next(), "<=")?,
            other => return Err(Reason::RangeOperator(other.into())),
        });
        if levels.next().is_some() {
            return Err(Reason::NumericTooLong);
        }
        match (&range.low, &range.high) {
            (Some(low), Some(high)) if low.number().compare(high.number()).is_ge() => {
                Err(Reason::EmptyRange)
            }
            (Some(_) | None, Some(_) | None) => Ok(range),
        }
    }

    pub(super) fn holds(&self, number: Decimal<'_>) -> bool {
        let above = self.low.as_ref().is_none_or(|low| {
            let order = number.compare(low.number());
            order.is_gt() || low.inclusive && order.is_eq()
        });
        let below = self.high.as_ref().is_none_or(|high| {
            let order = number.compare(high.number());
            order.is_lt() || high.inclusive && order.is_eq()
        });
        above && below
    }
}

impl Bound {
    fn parse(
        inclusive: bool,
        operand: Option<Level<'_>>,
        operator: &'static str,
    ) -> Result<Self, Reason> {
        match operand {
            Some(Level::Number(text)) => Ok(Bound {
                inclusive,
                number: Decimal::of(text).into(),
            }),
            Some(
                Level::Null | Level::Bool(_) | Level::Text(_) | Level::List(_) | Level::Object(_),
            )
            | None => Err(Reason::NumericOperand(operator)),
        }
    }

    fn number(&self) -> Decimal<'_> {
        self.number.get()
    }
}
