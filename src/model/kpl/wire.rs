//! The wire format of Protocol Buffers, as far as an aggregate needs it: fields one after the other, no schema.

/// A varint has 7 bits a byte, so that 64 bits take this many.
const VARINT_BYTES_MAX: u32 = 10;

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// A varint.
    Number(u64),
    /// A string, bytes or a message.
    Bytes(&'a [u8]),
    /// 4 or 8 bytes of fixed width, which no field of an aggregate has.
    Fixed,
}

/// The fields of a message: their numbers and values. The first thing that is malformed is `None`, and ends it.
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) fn of(message: &'a [u8]) -> Self {
        Fields { rest: message }
    }

    fn field(&mut self) -> Option<(u64, Value<'a>)> {
        let tag = self.varint()?;
        let (number, wire_type) = (tag >> 3, tag & 7);
        let value = match wire_type {
            0 => Value::Number(self.varint()?),
            1 => self.skip(8)?,
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Value::Bytes(self.take(length)?)
            }
            5 => self.skip(4)?,
            // Groups (3 and 4) are older than the library; 6 and 7 do not exist.
            _ => return None,
        };
        (number > 0).then_some((number, value))
    }

    fn skip(&mut self, bytes: usize) -> Option<Value<'a>> {
        self.take(bytes).map(|_| Value::Fixed)
    }

    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(bytes)?;
        self.rest = rest;
        Some(taken)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for place in 0..VARINT_BYTES_MAX {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            let bits = u64::from(byte & 0x7f);
            let shifted = bits << (7 * place);
            // Of the tenth byte one bit is left.
            if shifted >> (7 * place) != bits {
                return None;
            }
            value |= shifted;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Option<(u64, Value<'a>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.rest = &[];
        }
        Some(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(message: &[u8]) -> Vec<Option<(u64, Value<'_>)>> {
        Fields::of(message).collect()
    }

    #[test]
    fn fields_of_every_width_are_read_one_after_the_other() {
        assert_eq!(
            read(b"\x08\x96\x01\x12\x02hi\x1d1234\x2112345678\x2a\x00"),
            [
                Some((1, Value::Number(150))),
                Some((2, Value::Bytes(b"hi"))),
                Some((3, Value::Fixed)),
                Some((4, Value::Fixed)),
                Some((5, Value::Bytes(b""))),
            ]
        );
        assert_eq!(read(b""), []);
    }

    #[test]
    fn a_number_has_64_bits_and_no_more() {
        for (varint, expected) in [
            (&b"\x00"[..], Some(0)),
            (b"\x7f", Some(127)),
            (b"\x80\x01", Some(128)),
            // Longer than it must be, and still the same number.
            (b"\x81\x80\x00", Some(1)),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", Some(u64::MAX)),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", None),
            (b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", None),
            (b"\x80", None),
            (b"", None),
        ] {
            let message = [b"\x08", varint].concat();
            let expected = expected.map(|number| (1, Value::Number(number)));
            assert_eq!(read(&message), [expected], "{}", varint.escape_ascii());
        }
    }

    #[test]
    fn what_is_malformed_ends_the_fields() {
        for message in [
            &b"\x08\x01\x12\x03hi"[..],
            b"\x08\x01\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            b"\x08\x01\x1d123",
            b"\x08\x01\x211234567",
            b"\x08\x01\x0b\x0c",
            b"\x08\x01\x0e\x08\x01",
            b"\x08\x01\x0f\x08\x01",
            b"\x08\x01\x00\x01",
            b"\x08\x01\x80",
        ] {
            assert_eq!(
                read(message),
                [Some((1, Value::Number(1))), None],
                "{}",
                message.escape_ascii()
            );
        }
    }
}
