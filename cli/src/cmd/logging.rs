//! The log of a server: how much, in which form, and where to.

use std::fmt::Debug;
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt, reload};
use vpn_server::management::{LogLine, LogTap};
use vpn_server::stock::LogFile;

use crate::error::CliError;

/// What a server logs.
pub(super) struct LogPlan<'a> {
    /// A level, or a filter as RUST_LOG takes it.
    pub(super) filter: &'a str,
    /// JSON objects instead of text.
    pub(super) is_json: bool,
    /// A file instead of standard error.
    pub(super) file: Option<&'a LogFile>,
}

/// Starts logging, once in a process. Answers with where the log can be listened to.
pub(super) fn start(plan: &LogPlan<'_>) -> Result<Arc<LogTap>, CliError> {
    let filter = EnvFilter::try_new(plan.filter)
        .map_err(|error| CliError::Usage(format!("--log-level {}: {error}", plan.filter)))?;
    let (filter, handle) = reload::Layer::new(filter);
    let (writer, has_colours) = match plan.file {
        Some(file) => (BoxMakeWriter::new(Arc::new(open(file)?)), false),
        None => (BoxMakeWriter::new(io::stderr), io::stderr().is_terminal()),
    };
    let lines = fmt::layer().with_writer(writer).with_target(false).with_ansi(has_colours);
    let lines = if plan.is_json { lines.json().boxed() } else { lines.boxed() };
    let tap = Arc::new(LogTap::default());
    tap.on_verbosity(move |verbosity| {
        // It fails when nothing is logged any longer.
        let _ = handle.reload(EnvFilter::new(level(verbosity)));
    });
    let listener = TapLayer(Arc::clone(&tap));
    let outcome = tracing_subscriber::registry().with(filter).with(lines).with(listener).try_init();
    outcome.map_err(|error| CliError::Usage(format!("logging: {error}")))?;
    Ok(tap)
}

/// What OpenVPN's numbers from 0 to 11 mean in levels.
pub(super) const fn level(verbosity: u8) -> &'static str {
    match verbosity {
        0 => "error",
        1..=3 => "info",
        4 | 5 => "debug",
        _ => "trace",
    }
}

/// Passes the log on to whoever listens.
struct TapLayer(Arc<LogTap>);

impl<S: Subscriber> Layer<S> for TapLayer {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut text = Text::default();
        event.record(&mut text);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.0.push(LogLine {
            unix_time: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
            level: *event.metadata().level(),
            text: text.message + &text.fields,
        });
    }
}

/// An event in one line: its message, then its fields.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.push_str(&format!(" {}={value}", field.name()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            name => self.fields.push_str(&format!(" {name}={value:?}")),
        }
    }
}

fn open(file: &LogFile) -> Result<File, CliError> {
    let mut options = OpenOptions::new();
    options.create(true).mode(0o640);
    if file.is_kept {
        options.append(true);
    } else {
        options.write(true).truncate(true);
    }
    let failed = |cause| CliError::File { operation: "open", path: file.path.clone(), cause };
    options.open(&file.path).map_err(failed)
}
