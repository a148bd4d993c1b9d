use serde::Deserialize;

use crate::config::load::Faults;

/// `[log]`: the program's log, on stderr.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `text` or `json` (one object a line).
    pub format: String,
    /// Which levels of which modules, as tracing-subscriber's `EnvFilter` reads it (`info,dispense=debug`).
    pub filter: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: "text".into(), filter: "info".into() }
    }
}

impl Log {
    pub(super) fn check(&self, faults: &mut Faults) {
        if !["text", "json"].contains(&self.format.as_str()) {
            faults.add("log.format", "is `text` or `json`");
        }
        if self.filter.parse::<tracing_subscriber::EnvFilter>().is_err() {
            faults.add("log.filter", "is no list of levels such as `info` or `info,dispense=debug`");
        }
    }
}
