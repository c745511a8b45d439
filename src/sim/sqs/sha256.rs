//! SHA-256, which names a FIFO message by its content. FIPS 180-4, section 6.2; for the embedded AWS only, not for secrets.

use std::sync::LazyLock;

use crate::model::hex::hex;

static CONSTANTS: LazyLock<Constants> = LazyLock::new(Constants::new);

// API: SQS SendMessage, MessageDeduplicationId: SHA-256 of the body, where the queue has content-based deduplication
/// The lower-case hexadecimal SHA-256 of `text`.
pub(super) fn of_text(text: &str) -> String {
    let mut padded = text.as_bytes().to_vec();
    padded.push(0x80);
    while padded.len() % 64 != 56 {
        padded.push(0);
    }
    padded.extend((text.len() as u64 * 8).to_be_bytes());
    let mut hash = CONSTANTS.start;
    for block in padded.chunks_exact(64) {
        compress(&mut hash, block, &CONSTANTS.rounds);
    }
    hex(&hash.map(u32::to_be_bytes).concat())
}

/// The first 32 fractional bits of the square roots (start) and cube roots (rounds) of the first primes.
struct Constants {
    start: [u32; 8],
    rounds: [u32; 64],
}

impl Constants {
    fn new() -> Self {
        let mut primes =
            (2u128..).filter(|n| (2..*n).take_while(|d| d * d <= *n).all(|d| n % d != 0));
        let first: [u128; 64] = std::array::from_fn(|_| primes.next().unwrap_or_default());
        Self {
            start: std::array::from_fn(|i| root_fraction(first[i] << 64, |root| root * root)),
            rounds: std::array::from_fn(|i| {
                root_fraction(first[i] << 96, |root| root * root * root)
            }),
        }
    }
}

/// The low 32 bits of the largest number whose power is at most `target`: with the target scaled up, the root's fraction.
fn root_fraction(target: u128, power: impl Fn(u128) -> u128) -> u32 {
    let mut root = 0;
    for bit in (0..37).rev() {
        let candidate = root | 1 << bit;
        if power(candidate) <= target {
            root = candidate;
        }
    }
    (root & 0xffff_ffff) as u32
}

fn compress(hash: &mut [u32; 8], block: &[u8], rounds: &[u32; 64]) {
    let mut words = [0u32; 64];
    for (word, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
        *word = bytes
            .iter()
            .fold(0, |word, byte| word << 8 | u32::from(*byte));
    }
    for i in 16..64 {
        let (low, high) = (words[i - 15], words[i - 2]);
        let low = low.rotate_right(7) ^ low.rotate_right(18) ^ low >> 3;
        let high = high.rotate_right(17) ^ high.rotate_right(19) ^ high >> 10;
        words[i] = words[i - 16]
            .wrapping_add(low)
            .wrapping_add(words[i - 7])
            .wrapping_add(high);
    }
    let mut v = *hash;
    for (word, round) in words.iter().zip(rounds) {
        let [a, b, c, d, e, f, g, h] = v;
        let mix = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let first = h
            .wrapping_add(mix)
            .wrapping_add(e & f ^ !e & g)
            .wrapping_add(*round)
            .wrapping_add(*word);
        let mix = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let second = mix.wrapping_add(a & b ^ a & c ^ b & c);
        v = [
            first.wrapping_add(second),
            a,
            b,
            c,
            d.wrapping_add(first),
            e,
            f,
            g,
        ];
    }
    for (sum, add) in hash.iter_mut().zip(v) {
        *sum = sum.wrapping_add(add);
    }
}

#[cfg(test)]
mod tests {
    use super::of_text;

    #[test]
    fn the_digests_of_the_standard_come_out() {
        for (text, digest) in [
            (
                "",
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            ),
            (
                "abc",
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            ),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
            ),
        ] {
            assert_eq!(of_text(text), digest, "{text}");
        }
    }

    #[test]
    fn every_length_around_a_block_is_padded_right() {
        // Digests of so many letters a, from an independent implementation.
        for (count, start) in [
            (55, "9f4390f8"),
            (56, "b35439a4"),
            (63, "7d3e74a0"),
            (64, "ffe054fe"),
            (65, "635361c4"),
            (119, "31eba51c"),
            (120, "2f3d3354"),
        ] {
            assert_eq!(of_text(&"a".repeat(count))[..8], *start, "{count}");
        }
    }
}
