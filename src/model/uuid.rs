//! UUIDs of RFC 9562 from what the caller drew or derived.

/// Version 4, of these random bits.
pub fn random(bits: u128) -> String {
    written(bits, 4)
}

/// Version 3, of the MD5 of a name.
pub fn named(digest: [u8; 16]) -> String {
    written(u128::from_be_bytes(digest), 3)
}

/// With the version and the variant in their places: 36 characters.
fn written(bits: u128, version: u128) -> String {
    let bits = bits & !(0xf << 76) & !(0x3 << 62) | version << 76 | 0x2 << 62;
    let hex = format!("{bits:032x}");
    let groups = [0..8, 8..12, 12..16, 16..20, 20..32];
    groups.map(|group| &hex[group]).join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_and_variant_are_in_their_places() {
        assert_eq!(random(0), "00000000-0000-4000-8000-000000000000");
        assert_eq!(random(u128::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        let digest = 0x0123_4567_89ab_cdef_fedc_ba98_7654_3210_u128.to_be_bytes();
        assert_eq!(named(digest), "01234567-89ab-3def-bedc-ba9876543210");
    }
}
