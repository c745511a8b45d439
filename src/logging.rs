//! Logs on stderr: text on a terminal, a JSON object a line elsewhere. `RUST_LOG` says what; never a payload, in a panic
//! neither.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt::{self, Write};
use std::io::{self, IsTerminal};
use std::panic::{self, PanicHookInfo};

use tracing::{Dispatch, field};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::debug_fn;

/// Libraries that log requests and bodies below these levels, by the first letters of their names. Whoever names one in
/// `RUST_LOG` gets what he asks for. The chain of credentials warns with the whole answer of whoever it asked, and its
/// error comes back to us anyway.
const NOISY: [(&str, LevelFilter); 6] = [
    ("aws_", LevelFilter::WARN),
    ("aws_conf", LevelFilter::ERROR),
    ("h2", LevelFilter::WARN),
    ("hyper", LevelFilter::WARN),
    ("rustls", LevelFilter::WARN),
    ("tower", LevelFilter::WARN),
];

/// `RUST_LOG` cannot be read.
#[derive(Debug, thiserror::Error)]
#[error(
    "RUST_LOG: {value:?} is no filter: {reason}; write a level, or target=level, separated by commas"
)]
pub struct FilterError {
    value: String,
    reason: String,
}

/// How an event is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Text { colours: bool },
    Json,
}

/// Logs to stderr from now on, `default` where `rust_log` says nothing; the second and later calls of a process change
/// nothing.
pub fn init(rust_log: Option<&str>, default: &str) -> Result<(), FilterError> {
    let colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let style = if io::stderr().is_terminal() {
        Style::Text { colours }
    } else {
        Style::Json
    };
    // Only a second call can fail here.
    tracing::dispatcher::set_global_default(dispatch(
        style,
        filter(rust_log, default)?,
        io::stderr,
    ))
    .ok();
    panic::set_hook(Box::new(panicked));
    Ok(())
}

/// Where it happened, and what is a constant of ours. A text that was put together may hold what somebody sent: the
/// standard library quotes the string that was cut in the middle of a character, and `expect` what it could not read.
fn panicked(info: &PanicHookInfo<'_>) {
    let at = info.location().map(ToString::to_string).unwrap_or_default();
    let why = info.payload().downcast_ref::<&'static str>();
    let why = why
        .copied()
        .unwrap_or("its words may hold what is nobody's business");
    // Names of functions and lines of code; empty unless RUST_BACKTRACE asks for it.
    let trace = Backtrace::capture();
    let trace = match trace.status() {
        BacktraceStatus::Captured => trace.to_string(),
        _ => String::new(),
    };
    tracing::error!(at, why, trace, "panicked: this is a bug");
}

fn dispatch<W>(style: Style, filter: EnvFilter, writer: W) -> Dispatch
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    // A closed stderr is no reason to panic, and there is nobody to tell.
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .log_internal_errors(false);
    match style {
        Style::Text { colours } => Dispatch::new(
            builder
                .with_ansi(colours)
                .fmt_fields(debug_fn(field).delimited(" "))
                .finish(),
        ),
        Style::Json => Dispatch::new(
            builder
                .json()
                .flatten_event(true)
                .with_current_span(false)
                .with_span_list(false)
                .finish(),
        ),
    }
}

/// A field as text. The crate's own formatter lets line breaks through, with which a value could forge a line.
fn field(
    writer: &mut tracing_subscriber::fmt::format::Writer<'_>,
    field: &field::Field,
    value: &dyn fmt::Debug,
) -> fmt::Result {
    if field.name() != "message" {
        write!(writer, "{field}=")?;
    }
    write!(Legible(writer), "{value:?}")
}

/// Passes text on with its control characters escaped.
struct Legible<'a, W>(&'a mut W);

impl<W: Write> Write for Legible<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if c.is_control() {
                write!(self.0, "{}", c.escape_default())?;
            } else {
                self.0.write_char(c)?;
            }
        }
        Ok(())
    }
}

fn filter(rust_log: Option<&str>, default: &str) -> Result<EnvFilter, FilterError> {
    let asked = rust_log
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .unwrap_or(default);
    let directives = directives(asked);
    EnvFilter::builder()
        .parse(&directives)
        .map_err(|error| FilterError {
            value: asked.to_owned(),
            reason: error.to_string(),
        })
}

/// What was asked for, behind the caps of the noisy libraries: a later directive for the same target wins, and so does
/// one for a longer name.
fn directives(asked: &str) -> String {
    let parts: Vec<&str> = asked.split(',').map(str::trim).collect();
    let level = |part: &&str| part.parse::<LevelFilter>().ok();
    let general = parts.iter().filter_map(level).next_back();
    let general = general.unwrap_or(LevelFilter::ERROR);
    let caps: String = NOISY
        .iter()
        .map(|(name, most)| format!("{name}={},", general.min(*most)))
        .collect();
    caps + &parts.join(",")
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(style: Style, rust_log: Option<&str>, events: impl FnOnce()) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let dispatch = dispatch(style, filter(rust_log, "info").unwrap(), move || {
            writer.clone()
        });
        tracing::dispatcher::with_default(&dispatch, events);
        let bytes = sink.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn text_shows_message_and_fields_and_no_control_character() {
        let hostile = "a\nINFO forged\u{1b}[31m\u{9b}2J";
        for colours in [false, true] {
            let text = logged(Style::Text { colours }, None, || {
                tracing::info!(mapping = hostile, shown = %hostile, count = 3, "delivered {hostile}");
            });
            assert_eq!(text.lines().count(), 1, "{text}");
            let tail = r#"delivered a\nINFO forged\u{1b}[31m\u{9b}2J mapping="a\nINFO forged\u{1b}[31m\u{9b}2J" shown=a\nINFO forged\u{1b}[31m\u{9b}2J count=3"#;
            assert!(text.ends_with(&format!("{tail}\n")), "{text}");
            assert_eq!(text.contains('\u{1b}'), colours);
        }
    }

    #[test]
    fn json_is_one_object_a_line_with_the_fields_at_its_top() {
        let text = logged(Style::Json, None, || {
            tracing::warn!(mapping = "a\n\u{1b}", delay_ms = 5, "delivery failed")
        });
        let mut object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&text).unwrap();
        assert!(object.remove("timestamp").is_some());
        let target = "sluicegate::logging::tests";
        let expected = serde_json::json!({
            "level": "WARN", "target": target, "message": "delivery failed", "mapping": "a\n\u{1b}", "delay_ms": 5
        });
        assert_eq!(serde_json::Value::from(object), expected);
        assert_eq!(text.lines().count(), 1);
    }

    /// Which of these events pass: ours and the SDK's, from debug to error.
    fn passing(rust_log: Option<&str>) -> String {
        let events = || {
            tracing::debug!(target: "sluicegate::queue", "a");
            tracing::info!(target: "sluicegate::queue", "b");
            tracing::debug!(target: "aws_smithy_runtime::client", "c");
            tracing::info!(target: "aws_sdk_sqs::operation", "d");
            tracing::warn!(target: "aws_sdk_sqs::operation", "e");
            tracing::info!(target: "hyper_util::client", "f");
            tracing::error!(target: "hyper::proto", "g");
            tracing::warn!(target: "aws_config::meta", "h");
        };
        let text = logged(Style::Json, rust_log, events);
        let name = |line: &str| {
            let object: serde_json::Value = serde_json::from_str(line).unwrap();
            object["message"].as_str().unwrap().to_owned()
        };
        text.lines().map(name).collect()
    }

    #[test]
    fn libraries_that_log_bodies_are_quiet_unless_named() {
        let cases = [
            (None, "beg"),
            (Some(""), "beg"),
            (Some("debug"), "abeg"),
            (Some("trace"), "abeg"),
            (Some("error"), "g"),
            (Some("off"), ""),
            (Some("sluicegate=debug"), "abg"),
            (Some("info,aws_smithy_runtime=debug"), "bceg"),
            (Some("aws_=debug,info"), "bcdeg"),
            (Some("info, hyper=info"), "befg"),
            (Some("info,aws_config=debug"), "begh"),
            (Some("warn,sluicegate::queue=debug"), "abeg"),
        ];
        for (rust_log, expected) in cases {
            assert_eq!(passing(rust_log), expected, "{rust_log:?}");
        }
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_said_to_be_so() {
        let error = filter(Some("sluicegate=loud"), "info")
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("RUST_LOG: \"sluicegate=loud\" is no filter: "),
            "{error}"
        );
        assert_eq!(error.lines().count(), 1);
    }
}
