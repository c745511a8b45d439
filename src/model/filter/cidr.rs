//! `cidr`: a block of IPv4 or IPv6 addresses. An address of the other family is never in it.

use std::net::IpAddr;

use super::error::Reason;

/// A block, `address/bits`. Bits of the address beyond the mask do not matter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cidr {
    address: IpAddr,
    bits: u32,
}

impl Cidr {
    pub(super) fn parse(text: &str) -> Result<Self, Reason> {
        let (address, bits) = text.split_once('/').ok_or(Reason::CidrSlash)?;
        if bits.contains('/') {
            return Err(Reason::CidrSlash);
        }
        let bits: u32 = bits.parse().map_err(|_| Reason::CidrBits)?;
        let address: IpAddr = address
            .parse()
            .map_err(|_| Reason::CidrAddress(address.into()))?;
        if width(address) < bits {
            return Err(Reason::CidrBitsRange(width(address)));
        }
        Ok(Cidr { address, bits })
    }

    pub(super) fn holds(&self, text: &str) -> bool {
        let Ok(address) = text.parse::<IpAddr>() else {
            return false;
        };
        let same_family = address.is_ipv4() == self.address.is_ipv4();
        // All bits are shifted out by /0, which a plain shift would refuse.
        let block = |address: IpAddr| {
            number(address)
                .checked_shr(width(address) - self.bits)
                .unwrap_or(0)
        };
        same_family && block(address) == block(self.address)
    }
}

fn width(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_in_a_block_by_its_leading_bits() {
        for (block, address, expected) in [
            ("10.0.0.0/24", "10.0.0.255", true),
            ("10.0.0.0/24", "10.0.1.0", false),
            ("10.0.0.77/24", "10.0.0.1", true),
            ("10.0.0.1/32", "10.0.0.1", true),
            ("10.0.0.1/32", "10.0.0.2", false),
            ("0.0.0.0/0", "255.1.2.3", true),
            ("0.0.0.0/0", "::1", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "10.0.0.1", false),
            ("::1/128", "::1", true),
            ("10.0.0.0/24", "10.0.0", false),
            ("10.0.0.0/24", "010.0.0.1", false),
            ("10.0.0.0/24", "", false),
        ] {
            assert_eq!(
                Cidr::parse(block).unwrap().holds(address),
                expected,
                "{address} in {block}"
            );
        }
    }

    #[test]
    fn a_malformed_block_says_how() {
        for (block, reason) in [
            ("10.0.0.0", Reason::CidrSlash),
            ("10.0.0.0/8/8", Reason::CidrSlash),
            ("10.0.0.0/xx", Reason::CidrBits),
            ("10.0.0.0/-1", Reason::CidrBits),
            ("10.0.0/8", Reason::CidrAddress("10.0.0".into())),
            ("xx.0.0.1/8", Reason::CidrAddress("xx.0.0.1".into())),
            ("10.0.0.0/33", Reason::CidrBitsRange(32)),
            ("::/129", Reason::CidrBitsRange(128)),
        ] {
            assert_eq!(Cidr::parse(block).unwrap_err(), reason, "{block}");
        }
    }
}
