//! The keys that say how a service is run by Compose.

use super::value::{Reader, Value};

/// The keys of `compose`.
const COMPOSE: &[&str] = &["port", "depends-on", "environment"];

/// How a service is run by Compose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ComposeSettings {
    /// The port of the machine that its own is published on.
    pub(crate) port: Option<u16>,
    /// The targets that are up before it starts.
    pub(crate) depends_on: Vec<String>,
    /// Variables that it gets from the environment of Compose.
    pub(crate) environment: Vec<String>,
}

impl Reader {
    /// `{ port, depends-on, environment }`.
    pub(super) fn compose(&mut self, value: &Value<'_>) -> Option<ComposeSettings> {
        let mut compose = ComposeSettings::default();
        for (key, value) in self.table("compose", value)? {
            match &**key.get_ref() {
                "port" => compose.port = self.port("compose.port", value),
                "depends-on" => compose.depends_on = self.texts("compose.depends-on", value),
                "environment" => {
                    for (name, span) in self.spanned_texts("compose.environment", value) {
                        if self.valid_variable_name(&name, span) {
                            compose.environment.push(name);
                        }
                    }
                }
                _ => self.unknown(key, "`compose`", COMPOSE),
            }
        }
        Some(compose)
    }
}
