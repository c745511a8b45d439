//! Writing to stdout and stderr without a panic when nobody reads: `print!` would, `sluicegate validate | head -1`
//! must not.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

use super::Exit;

/// Writes to stdout, and says how the program ends.
pub fn print(text: &str) -> Exit {
    match say(text) {
        Ok(()) => Exit::Done,
        Err(error) => super::failed(&error),
    }
}

/// Writes to stdout. A reader that went away has all that it wanted: that is no failure, a full disk is one.
///
/// # Errors
/// It can not be written.
pub fn say(text: &str) -> Result<(), Unwritten> {
    write(&mut io::stdout().lock(), text).map_err(Unwritten)
}

/// What was to be said was not.
#[derive(Debug, thiserror::Error)]
#[error("failed to write to stdout: {0}")]
pub struct Unwritten(io::Error);

/// Writes a line to stderr, a broken one to nobody.
pub fn complain(error: &dyn Display) {
    let text = error.to_string();
    writeln!(io::stderr().lock(), "{}", text.trim_end()).ok();
}

fn write(out: &mut impl Write, text: &str) -> io::Result<()> {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Refusing(ErrorKind);

    impl Write for Refusing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure_and_a_full_disk_is_one() {
        assert!(write(&mut Refusing(ErrorKind::BrokenPipe), "text").is_ok());
        let full = write(&mut Refusing(ErrorKind::StorageFull), "text").unwrap_err();
        assert_eq!(full.kind(), ErrorKind::StorageFull);
        let mut out = Vec::new();
        write(&mut out, "text").unwrap();
        assert_eq!(out, b"text");
    }
}
