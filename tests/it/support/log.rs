//! What the service logs, for tests that read it as an operator does.

use std::io;
use std::sync::{Arc, Mutex};

use tracing::subscriber::DefaultGuard;
use tracing_subscriber::EnvFilter;

/// The lines that this thread logs while it lives: from `info` on, without times.
pub struct Log {
    written: Arc<Mutex<Vec<u8>>>,
    _until_dropped: DefaultGuard,
}

struct Paper(Arc<Mutex<Vec<u8>>>);

impl io::Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    pub fn begin() -> Self {
        let written = Arc::<Mutex<Vec<u8>>>::default();
        let paper = written.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new("sluicegate=info"))
            .with_ansi(false)
            .without_time()
            .with_writer(move || Paper(paper.clone()))
            .finish();
        Self {
            written,
            _until_dropped: tracing::subscriber::set_default(subscriber),
        }
    }

    /// The lines so far that hold this.
    pub fn lines(&self, text: &str) -> Vec<String> {
        let written = self.written.lock().unwrap();
        let written = String::from_utf8_lossy(&written);
        let held = written.lines().filter(|line| line.contains(text));
        held.map(str::to_owned).collect()
    }

    /// Whether one does.
    pub fn has(&self, text: &str) -> bool {
        !self.lines(text).is_empty()
    }
}
