//! A zip archive of stored files: the form in which Lambda takes code.

/// An archive with one uncompressed file.
pub fn archive(name: &str, content: &[u8]) -> Vec<u8> {
    let size = u32::try_from(content.len())
        .expect("a function's source is small")
        .to_le_bytes();
    let name_size = u16::try_from(name.len())
        .expect("a file's name is short")
        .to_le_bytes();

    // Both headers of a file share these: version, flags, method, time, date, checksum, sizes, lengths.
    let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
    common.extend(crc32(content).to_le_bytes());
    common.extend(size);
    common.extend(size);
    common.extend(name_size);
    common.extend([0, 0]);

    let mut archive = b"PK\x03\x04".to_vec();
    archive.extend(&common);
    archive.extend(name.as_bytes());
    archive.extend(content);

    let directory = offset(&archive);
    // Made on Unix; a regular file that everyone may read.
    archive.extend(b"PK\x01\x02\x14\x03");
    archive.extend(&common);
    archive.extend([0; 6]);
    archive.extend((0o100_644_u32 << 16).to_le_bytes());
    archive.extend([0; 4]);
    archive.extend(name.as_bytes());

    let end = offset(&archive);
    archive.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    archive.extend((end - directory).to_le_bytes());
    archive.extend(directory.to_le_bytes());
    archive.extend([0; 2]);
    archive
}

fn offset(archive: &[u8]) -> u32 {
    u32::try_from(archive.len()).expect("an archive of one small file is small")
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            let carry = if crc & 1 == 1 { 0xedb8_8320 } else { 0 };
            (crc >> 1) ^ carry
        })
    })
}

#[cfg(test)]
mod tests {
    use super::{archive, crc32};

    #[test]
    fn the_checksum_is_the_one_of_the_standard() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn the_directory_is_found_from_the_end() {
        let archive = archive("f.py", b"pass");
        let end = archive.len() - 22;
        let word =
            |at: usize| u32::from_le_bytes(archive[at..at + 4].try_into().expect("four bytes"));
        let directory = usize::try_from(word(end + 16)).expect("fits");
        assert_eq!(&archive[end..end + 4], b"PK\x05\x06");
        assert_eq!(&archive[directory..directory + 4], b"PK\x01\x02");
        assert_eq!(directory, 30 + "f.py".len() + "pass".len());
        assert_eq!(
            directory + usize::try_from(word(end + 12)).expect("fits"),
            end
        );
    }
}
