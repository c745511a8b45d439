//! JSON numbers compared as the decimals that their texts say, whatever their size: no rounding, no arithmetic.
//! EventBridge compares doubles between ±5e9; within that both agree, beyond it we stay exact. // spec: 7.4

use std::cmp::Ordering;

/// Exponents are clamped here, so that no text can overflow: beyond it, numbers of the same digits count as equal.
const EXPONENT_MAX: i64 = 1 << 40;

/// `±0.d1d2d3... x 10^magnitude`, borrowed from the text of a JSON number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decimal<'a> {
    negative: bool,
    magnitude: i64,
    /// From the first to the last digit that is not 0, with the point where it was; empty for zero.
    digits: &'a str,
}

/// A decimal of a pattern, read once.
#[derive(Clone, Debug)]
pub(super) struct OwnedDecimal {
    negative: bool,
    magnitude: i64,
    digits: Box<str>,
}

impl From<Decimal<'_>> for OwnedDecimal {
    fn from(number: Decimal<'_>) -> Self {
        OwnedDecimal {
            negative: number.negative,
            magnitude: number.magnitude,
            digits: number.digits.into(),
        }
    }
}

impl OwnedDecimal {
    pub(super) fn get(&self) -> Decimal<'_> {
        Decimal {
            negative: self.negative,
            magnitude: self.magnitude,
            digits: &self.digits,
        }
    }
}

impl<'a> Decimal<'a> {
    /// Reads a number as JSON writes it.
    pub(super) fn of(text: &'a str) -> Self {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, clamped(exponent)),
            None => (text, 0),
        };
        let Some(first) = mantissa.find(|c: char| matches!(c, '1'..='9')) else {
            return Decimal {
                negative: false,
                magnitude: 0,
                digits: "",
            };
        };
        let point = mantissa.find('.').unwrap_or(mantissa.len());
        let places = point.abs_diff(first) as i64;
        let places = if first < point { places } else { 1 - places };
        Decimal {
            negative,
            magnitude: exponent + places,
            digits: mantissa[first..].trim_end_matches(['0', '.']),
        }
    }

    fn sign(self) -> i8 {
        match (self.digits.is_empty(), self.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }

    /// Compares by value: 300, 300.0 and 3.0e2 are equal.
    pub(super) fn compare(self, other: Decimal<'_>) -> Ordering {
        let digits = |number: &'a str| number.bytes().filter(|b| *b != b'.');
        let size = self
            .magnitude
            .cmp(&other.magnitude)
            .then_with(|| digits(self.digits).cmp(other.digits.bytes().filter(|b| *b != b'.')));
        self.sign()
            .cmp(&other.sign())
            .then(if self.negative { size.reverse() } else { size })
    }
}

fn clamped(exponent: &str) -> i64 {
    let (negative, digits) = match exponent.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, exponent.trim_start_matches('+')),
    };
    let size = digits.bytes().fold(0_i64, |sum, digit| {
        (sum * 10 + i64::from(digit - b'0')).min(EXPONENT_MAX)
    });
    if negative { -size } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_by_value_and_not_by_text() {
        let ascending: &[&[&str]] = &[
            &[
                "-1e99999999999999999999999",
                "-1e999999999999999999999999999999",
            ],
            &["-9007199254740993"],
            &["-9007199254740992", "-9007199254740992.0"],
            &["-300", "-3e2"],
            &["-0.0001"],
            &["0", "-0", "0.0", "0e5", "-0.000e-99"],
            &["1e-999999"],
            &["0.05", "5e-2", "0.50E-1", "0.0005e2"],
            &["0.1"],
            &["0.10000000000000000001"],
            &["1", "1.0", "10e-1", "0.1e1", "0.01E+2"],
            &["10", "1e1", "10.0"],
            &["99.9"],
            &["100", "1e2", "1.00e2"],
            &["100.5", "1.005e2"],
            &["300", "300.0", "3.0e2", "3e+2", "0.3e3", "30000e-2"],
            &["9007199254740992"],
            &["9007199254740993"],
            &["18446744073709551615"],
            &["18446744073709551616"],
            &["1e999998"],
            &["1e999999"],
        ];
        for (i, left) in ascending.iter().enumerate() {
            for (j, right) in ascending.iter().enumerate() {
                for (a, b) in left.iter().flat_map(|a| right.iter().map(move |b| (a, b))) {
                    assert_eq!(
                        Decimal::of(a).compare(Decimal::of(b)),
                        i.cmp(&j),
                        "{a} and {b}"
                    );
                }
            }
        }
    }
}
