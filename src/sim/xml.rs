//! What the XML services have in common: texts put into markup, and answers of that type.

use bytes::Bytes;

use super::wire::response;

/// Makes a text safe between tags.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            c => safe.push(c),
        }
    }
    safe
}

/// An answer in XML.
pub(super) fn document(
    status: u16,
    content_type: &'static str,
    root: &str,
) -> http::Response<Bytes> {
    let text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{root}");
    response(status, content_type, text.into())
}

#[cfg(test)]
mod tests {
    #[test]
    fn markup_in_a_text_stays_text() {
        assert_eq!(
            super::escaped("a<b> & \"c\""),
            "a&lt;b&gt; &amp; &quot;c&quot;"
        );
    }
}
