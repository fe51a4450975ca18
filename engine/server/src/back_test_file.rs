//! A back-test from the command line: over a file of recorded orders, or over the archive of a stopped engine.

use std::fs::File;
use std::io::{BufReader, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;

use serde_json::{Value, json};
use suanpan_model::{PlatformId, TimestampMs};
use suanpan_runtime::codec::decode_order_row;
use suanpan_runtime::store::{Store, StoreFault, StoreOptions};

use crate::back_test::{Scope, Telling};
use crate::config::{Config, ConfigFault};
use crate::rule_names::ChannelsOnly;
use crate::start::{StartFault, world};
use crate::wire::RulesIn;

/// A draft, and the orders that it is tried on.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The platform.
    pub platform: PlatformId,
    /// File of the draft.
    pub rules: PathBuf,
    /// File of recorded orders.
    pub orders: Option<PathBuf>,
    /// Directory of a stopped engine.
    pub data: Option<PathBuf>,
    /// Most changed orders that are told.
    pub changes_max: u64,
}

/// Why a back-test cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum BackTestFault {
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The draft is not what it should be.
    #[error("{}: {what}", path.display())]
    Draft {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The configuration.
    #[error(transparent)]
    Start(#[from] StartFault),
    /// A value of the draft.
    #[error(transparent)]
    Value(#[from] ConfigFault),
    /// The archive.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

/// Prints the back-test, a line of JSON each: warnings, progress, changed orders, summary.
///
/// # Errors
/// The draft, the configuration, the orders.
pub fn run(config: &Config, draft: &Draft) -> Result<(), BackTestFault> {
    let text = std::fs::read_to_string(&draft.rules)
        .map_err(|source| BackTestFault::File { path: draft.rules.clone(), source })?;
    let wrong = |what: String| BackTestFault::Draft { path: draft.rules.clone(), what };
    let written: RulesIn = if text.trim_start().starts_with('{') {
        serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?
    } else {
        toml::from_str(&text).map_err(|error| wrong(error.to_string().trim().to_owned()))?
    };
    // Simulated channels keep books: not those of an engine that may be running.
    let scratch = std::env::temp_dir().join(format!("suanpan-back-test-{}", std::process::id()));
    let world = world(&Config { data_dir: scratch.clone(), ..config.clone() });
    // What is left of it is empty.
    let _ = std::fs::remove_dir_all(&scratch);
    let router = world?.router;
    let rules = written.read("rules", &ChannelsOnly(router.capabilities()))?;
    let (router, warnings) =
        router.with_rules(draft.platform, rules).map_err(|faults| wrong(faults.to_string()))?;
    let mut out = std::io::stdout().lock();
    let mut tell = |line: Value| match writeln!(out, "{line}") {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    };
    let words: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    if tell(json!({ "warnings": words })).is_break() {
        return Ok(());
    }
    let scope = Scope {
        platform: draft.platform,
        from: TimestampMs(0),
        until: TimestampMs::NEVER,
        changes_max: draft.changes_max,
    };
    let mut telling = Telling::new(&router, scope, tell);
    let flow = match (&draft.orders, &draft.data) {
        (Some(path), _) => {
            let file =
                File::open(path).map_err(|source| BackTestFault::File { path: path.clone(), source })?;
            let read = telling.take_lines(BufReader::new(file));
            read.map_err(|what| BackTestFault::Draft { path: path.clone(), what })?
        }
        (None, Some(dir)) => over_archive(dir, &mut telling)?,
        (None, None) => ControlFlow::Continue(()),
    };
    if flow.is_continue() {
        // Whoever reads may have closed the pipe.
        let _ = telling.finish();
    }
    Ok(())
}

fn over_archive<F: FnMut(Value) -> ControlFlow<()>>(
    dir: &std::path::Path,
    telling: &mut Telling<'_, F>,
) -> Result<ControlFlow<()>, BackTestFault> {
    let path = dir.join("store");
    if !path.is_dir() {
        let what = "no data directory: it has no store".to_owned();
        return Err(BackTestFault::Draft { path: dir.to_owned(), what });
    }
    let store = Store::open(&path, StoreOptions::default())?;
    let (mut flow, mut damaged) = (ControlFlow::Continue(()), None);
    store.for_each_order(&mut |_, bytes| {
        flow = match decode_order_row(bytes) {
            Ok((_, order)) => telling.take_order(&order),
            Err(fault) => {
                damaged = Some(fault.to_string());
                ControlFlow::Break(())
            }
        };
        flow
    })?;
    match damaged {
        Some(what) => Err(BackTestFault::Draft { path, what }),
        None => Ok(flow),
    }
}
