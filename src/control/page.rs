//! Markers of pages: the last that a page held, in a form that nobody takes for something to be made up.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::refusal::Refusal;

/// Behind which the next page begins.
pub(super) fn marker(last: &str) -> String {
    URL_SAFE_NO_PAD.encode(last)
}

/// What a marker was made of.
pub(super) fn unmarked(marker: &str) -> Result<String, Refusal> {
    let bytes = URL_SAFE_NO_PAD.decode(marker).ok();
    let last = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    last.ok_or_else(no_marker)
}

pub(super) fn no_marker() -> Refusal {
    Refusal::invalid("Marker: none that a list has given")
}
