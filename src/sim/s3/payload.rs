//! The bytes of an object as a request carries them: plain, or in chunks with a trailer; and the digests that must fit them.

use aws_smithy_types::base64;
use bytes::{Buf, Bytes};
use http::HeaderMap;
use md5::{Digest, Md5};

use super::{S3Error, header, refused};
use crate::sim::wire::Request;

/// What arrived, checked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Payload {
    pub(super) body: Bytes,
    /// Whether it came with a CRC-32.
    pub(super) crc32: bool,
}

const CRC32: &str = "x-amz-checksum-crc32";

// API: S3 PutObject, Content-MD5 and x-amz-checksum-*; Checking object integrity
pub(super) fn read(request: &Request) -> Result<Payload, S3Error> {
    let headers = request.headers();
    let chunked = header(headers, "x-amz-content-sha256")
        .is_some_and(|value| value.starts_with("STREAMING-"));
    let (body, trailer) = if chunked {
        unchunked(request.body().clone()).ok_or_else(incomplete)?
    } else {
        (request.body().clone(), HeaderMap::new())
    };
    let promised = header(headers, "x-amz-decoded-content-length");
    if promised.is_some_and(|promised| promised.parse() != Ok(body.len())) {
        return Err(incomplete());
    }
    let given = |name: &str| header(headers, name).or_else(|| header(&trailer, name));
    let mut names = headers
        .keys()
        .chain(trailer.keys())
        .map(http::HeaderName::as_str);
    let other = names.find(|name| {
        let algorithm = name.strip_prefix("x-amz-checksum-");
        algorithm
            .is_some_and(|algorithm| !matches!(algorithm, "crc32" | "type" | "mode" | "algorithm"))
    });
    if let Some(other) = other {
        let text = format!("{other}: the embedded AWS reads CRC-32 and Content-MD5");
        return Err(refused(501, "NotImplemented", text));
    }
    let crc = given(CRC32);
    if crc.is_some_and(|crc| !says(crc, &crc32(&body).to_be_bytes())) {
        return Err(refused(
            400,
            "BadDigest",
            "The CRC32 you specified did not match the calculated checksum.",
        ));
    }
    let md5 = given("content-md5");
    if md5.is_some_and(|md5| !says(md5, &Md5::digest(&body))) {
        return Err(refused(
            400,
            "BadDigest",
            "The Content-MD5 you specified did not match what we received.",
        ));
    }
    Ok(Payload {
        crc32: crc.is_some(),
        body,
    })
}

/// Whether a base64 text is that of a digest.
fn says(text: &str, digest: &[u8]) -> bool {
    base64::decode(text).is_ok_and(|bytes| bytes == digest)
}

fn incomplete() -> S3Error {
    refused(
        400,
        "IncompleteBody",
        "You did not provide the number of bytes specified by the Content-Length HTTP header",
    )
}

/// Undoes `aws-chunked`: chunks with their sizes in hexadecimal, an empty one, and the trailer's headers. None if it is not well formed.
// API: S3, Signature calculations: transferring payload in multiple chunks, with trailing headers
fn unchunked(mut rest: Bytes) -> Option<(Bytes, HeaderMap)> {
    let mut body = Vec::with_capacity(rest.len());
    loop {
        let head = line(&mut rest)?;
        // A signed chunk adds `;chunk-signature=...`.
        let size = usize::from_str_radix(head.split(';').next()?, 16).ok()?;
        if size == 0 {
            break;
        }
        if rest.len() < size {
            return None;
        }
        body.extend_from_slice(&rest.split_to(size));
        if !line(&mut rest)?.is_empty() {
            return None;
        }
    }
    let mut trailer = HeaderMap::new();
    while !rest.is_empty() {
        let header = line(&mut rest)?;
        let Some((name, value)) = header.split_once(':') else {
            break;
        };
        trailer.insert(
            http::HeaderName::try_from(name.trim()).ok()?,
            http::HeaderValue::try_from(value.trim()).ok()?,
        );
    }
    Some((body.into(), trailer))
}

fn line(rest: &mut Bytes) -> Option<String> {
    let end = rest.windows(2).position(|two| two == b"\r\n")?;
    let line = rest.split_to(end);
    rest.advance(2);
    String::from_utf8(line.into()).ok()
}

/// CRC-32 as in ISO 3309: the polynomial 0x04C11DB7, reflected.
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0xedb8_8320;
    let step = |crc: u32, _| (crc >> 1) ^ if crc & 1 == 1 { POLYNOMIAL } else { 0 };
    let byte = |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), step);
    !bytes.iter().fold(!0, byte)
}

#[cfg(test)]
mod tests {
    use super::{Bytes, crc32, unchunked};

    #[test]
    fn the_check_value_of_crc32_is_met() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn chunks_and_their_trailer_are_taken_apart() {
        for (carried, body, trailers) in [
            (
                "5\r\nhello\r\n6\r\n\r\nyou!\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n",
                "hello\r\nyou!",
                1,
            ),
            (
                "2;chunk-signature=ab\r\nhi\r\n0;chunk-signature=cd\r\n\r\n",
                "hi",
                0,
            ),
            ("0\r\n\r\n", "", 0),
        ] {
            let (read, trailer) = unchunked(Bytes::from_static(carried.as_bytes())).unwrap();
            assert_eq!(
                (&read[..], trailer.len()),
                (body.as_bytes(), trailers),
                "{carried:?}"
            );
        }
    }

    #[test]
    fn broken_chunks_are_refused() {
        for carried in [
            "",
            "5\r\nhell",
            "5\r\nhello",
            "x\r\n",
            "2\r\nhix\r\n0\r\n\r\n",
            "5\r\nhello\r\n",
        ] {
            assert_eq!(
                unchunked(Bytes::from_static(carried.as_bytes())),
                None,
                "{carried:?}"
            );
        }
    }
}
