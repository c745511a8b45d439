//! "Did you mean": the known word that a misspelt one is nearest to.

/// The nearest word, where one is near enough: the same but for case, `_` and `-`, or a third of its letters away at most.
pub(crate) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let wanted = folded(word);
    let ranked = known.iter().filter_map(|candidate| {
        let letters = folded(candidate);
        // So many letters are away at least; most candidates are, and need no more than this look.
        let least = letters.len().abs_diff(wanted.len());
        (least * 3 <= letters.len())
            .then(|| (distance(&wanted, &letters), letters.len(), *candidate))
    });
    let (distance, length, candidate) = ranked.min_by_key(|(distance, _, _)| *distance)?;
    (distance * 3 <= length).then_some(candidate)
}

/// Longer words are not worth the square of their length: no key comes near it.
const WORD_CHARS_MAX: usize = 64;

fn folded(word: &str) -> Vec<char> {
    let letters = word.chars().filter(|c| !matches!(c, '_' | '-' | ' '));
    letters
        .take(WORD_CHARS_MAX)
        .flat_map(char::to_lowercase)
        .collect()
}

/// Insertions, deletions, replacements and swaps of neighbours that make one word the other.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if swapped {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_suggested_and_a_far_one_is_not() {
        let known = [
            "BatchSize",
            "FunctionName",
            "FunctionArn",
            "Enabled",
            "File",
        ];
        let cases = [
            ("BatchSise", Some("BatchSize")),
            ("batch_size", Some("BatchSize")),
            ("batchSize", Some("BatchSize")),
            ("BacthSize", Some("BatchSize")),
            ("Function-Name", Some("FunctionName")),
            ("FunctionAnr", Some("FunctionArn")),
            ("Enable", Some("Enabled")),
            ("Fil", Some("File")),
            ("Bath", None),
            ("Retries", None),
            ("", None),
        ];
        for (word, expected) in cases {
            assert_eq!(nearest(word, &known), expected, "{word:?}");
        }
        assert_eq!(nearest(&"x".repeat(100_000), &known), None);
        assert_eq!(nearest("x", &[]), None);
    }
}
