//! Secrets and payloads of which each is known by its letters: whatever the program is put through, none of them is in
//! what it says: its log down to the last level, its pages, its answers, its verbs, its panics.

mod credentials;
mod panics;
mod payloads;
mod wrong;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const CHARS: usize = 24;
/// Fewer may be an accident, or the end of a text that was cut.
const HEARD_CHARS: usize = 12;

/// Things that nobody is to hear, and the letter that each consists of, so often that it may be a key or a token. So it has one
/// form in base64, wherever it begins there, and no two of these letters have the same: none has the bits of another, turned.
const ALL: [(char, &str); 20] = [
    ('A', "the access key"),
    ('B', "the secret key"),
    ('C', "the session token"),
    ('D', "a secret key of the control API"),
    ('E', "the token that may do all"),
    ('F', "the token that may look"),
    ('G', "a wrong token"),
    ('H', "the key in a function's URL"),
    ('I', "the password of an endpoint"),
    ('J', "a cookie"),
    ('K', "a message's body"),
    ('L', "a message's attribute"),
    ('M', "a group of messages"),
    ('N', "a record's data"),
    ('O', "a partition key"),
    ('Z', "a function's reply"),
    ('b', "a function's error message"),
    ('c', "a stack trace"),
    ('f', "the body of an error of HTTP"),
    ('h', "an item"),
];

/// The text of this letter's.
pub fn canary(letter: char) -> String {
    assert!(ALL.iter().any(|(known, _)| *known == letter), "{letter}");
    letter.to_string().repeat(CHARS)
}

/// Which of them are in a text, in the clear or in base64.
pub fn heard(text: &str) -> Vec<&'static str> {
    let holds = |letter: char| {
        let clear = letter.to_string().repeat(HEARD_CHARS);
        let encoded = STANDARD.encode(&clear);
        text.contains(&clear) || text.contains(&encoded)
    };
    let all = ALL.iter();
    all.filter(|(letter, _)| holds(*letter))
        .map(|(_, what)| *what)
        .collect()
}

/// Fails where something is heard in what `place` says.
pub fn quiet(place: &str, text: &str) {
    assert_eq!(heard(text), [""; 0], "in {place}: {text}");
}

#[test]
fn a_canary_is_heard_in_either_form_and_nothing_else_is() {
    assert_eq!(heard("AAAAAAAAAAA BBB"), [""; 0]);
    let text = format!("x{}y {}", canary('K'), STANDARD.encode(canary('N')));
    assert_eq!(heard(&text), ["a message's body", "a record's data"]);
    let inside = STANDARD.encode(format!("..{}..", canary('h')));
    assert_eq!(heard(&inside), ["an item"]);
}
