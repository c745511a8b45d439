//! Texts that are short almost always, kept where they are named and not in a place of their own: each record has two, and an
//! allocator that is asked for two places a record takes a sixth of what reading a stream costs.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// A text that does not change. Up to `N` bytes of it, which are 255 at most, are within; a longer one is shared by its clones.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Short<const N: usize>(Place<N>);

/// One for each text: what has room within is within.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Place<const N: usize> {
    Within {
        length: u8,
        /// Behind the text are zeros.
        text: [u8; N],
    },
    Elsewhere(Arc<str>),
}

impl<const N: usize> Short<N> {
    /// The text.
    pub fn as_str(&self) -> &str {
        str::from_utf8(self.as_bytes()).expect("a text was put there")
    }

    /// Its bytes: for who does not need to know that they are a text.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Place::Within { length, text } => &text[..usize::from(*length)],
            Place::Elsewhere(text) => text.as_bytes(),
        }
    }
}

impl<const N: usize> From<&str> for Short<N> {
    fn from(text: &str) -> Self {
        const { assert!(N <= u8::MAX as usize) }
        if N < text.len() {
            return Self(Place::Elsewhere(text.into()));
        }
        let mut within = [0; N];
        within[..text.len()].copy_from_slice(text.as_bytes());
        Self(Place::Within {
            length: text.len() as u8,
            text: within,
        })
    }
}

impl<const N: usize> From<String> for Short<N> {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl<const N: usize> Default for Short<N> {
    fn default() -> Self {
        "".into()
    }
}

impl<const N: usize> Deref for Short<N> {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl<const N: usize> fmt::Debug for Short<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_the_same_within_and_elsewhere() {
        for text in [
            "",
            "a",
            "äöü",
            "12345678",
            "1234567é",
            "123456789",
            "ääääää",
        ] {
            let (short, again) = (Short::<8>::from(text), Short::<8>::from(text.to_owned()));
            assert_eq!((short.as_str(), &*short), (text, text));
            assert_eq!(short.as_bytes(), text.as_bytes());
            assert_eq!((&short, &again), (&again, &short.clone()));
            assert_eq!(format!("{short:?}"), format!("{text:?}"));
            let is_within = matches!(short.0, Place::Within { .. });
            assert_eq!(is_within, text.len() <= 8, "{text}");
        }
        assert_eq!(Short::<8>::default(), "".into());
        // What stands behind a text does not count, but its length does.
        assert_ne!(Short::<8>::from("a"), Short::from("a\0"));
    }
}
