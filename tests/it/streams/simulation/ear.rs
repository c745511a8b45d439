//! I17: listens to what is logged, down to the last level, for what nobody is to hear.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use tracing::subscriber::DefaultGuard;
use tracing_subscriber::EnvFilter;

/// In every record. Of bytes that are all the same, so that it has one form in base64, wherever it begins.
pub const CANARY: &str = "yyyyyyyyyyyyyyyyyyyyyyyy";
const IN_BASE64: &str = "eXl5eXl5eXl5eXl5";

/// Whether it is there, in either form.
pub fn is_secret(text: &[u8]) -> bool {
    let holds = |secret: &str| {
        text.windows(secret.len())
            .any(|part| part == secret.as_bytes())
    };
    // Most texts have no such pair of bytes.
    let may = |secret: &str| text.windows(4).any(|part| part == &secret.as_bytes()[..4]);
    [CANARY, IN_BASE64]
        .into_iter()
        .any(|secret| may(secret) && holds(secret))
}

/// Hears what this thread logs while it lives.
pub struct Ear {
    heard: Arc<AtomicBool>,
    _until_dropped: DefaultGuard,
}

struct Drum(Arc<AtomicBool>);

impl io::Write for Drum {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.fetch_or(is_secret(line), Relaxed);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Ear {
    pub fn open() -> Self {
        let heard = Arc::<AtomicBool>::default();
        let drum = heard.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new("sluicegate=trace,warn"))
            .with_ansi(false)
            .without_time()
            .with_writer(move || Drum(drum.clone()))
            .finish();
        Self {
            heard,
            _until_dropped: tracing::subscriber::set_default(subscriber),
        }
    }

    pub fn heard(&self) -> bool {
        self.heard.load(Relaxed)
    }
}

#[test]
fn a_secret_is_heard_in_either_form_and_nothing_else_is() {
    let ear = Ear::open();
    tracing::info!(target: "sluicegate", "yyyyy eXl5eXl5 {}", "y".repeat(23));
    assert!(!ear.heard());
    for text in [CANARY, &format!("..{IN_BASE64}..")] {
        let ear = Ear::open();
        tracing::trace!(target: "sluicegate", text, "said");
        assert!(ear.heard(), "{text}");
    }
}
