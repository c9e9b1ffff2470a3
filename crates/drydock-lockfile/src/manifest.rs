//! A `package.json`.

use std::ops::Range;
use std::sync::Arc;

use drydock_diagnostics::{Category, Diagnose, Snippet, json};
use serde_json::{Map, Value};

use crate::path::WorkspacePath;

/// A parsed `package.json` with its text. Fields of a wrong type read as absent, as npm treats them.
#[derive(Debug, Clone)]
pub struct Manifest {
    path: WorkspacePath,
    text: Arc<str>,
    fields: Map<String, Value>,
}

/// The dependency map an edge comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DependencyKind {
    /// `dependencies`.
    Production,
    /// `devDependencies`.
    Development,
    /// `optionalDependencies`.
    Optional,
    /// `peerDependencies`.
    Peer,
}

impl DependencyKind {
    /// All kinds, in npm's order of loading reversed: the first map that has a name decides what npm does with it
    /// for `devDependencies` > `optionalDependencies` > `dependencies` > `peerDependencies` (arborist, `node.js`).
    pub const BY_PRECEDENCE: [Self; 4] = [Self::Development, Self::Optional, Self::Production, Self::Peer];

    /// The key in `package.json`.
    pub fn field(self) -> &'static str {
        match self {
            Self::Production => "dependencies",
            Self::Development => "devDependencies",
            Self::Optional => "optionalDependencies",
            Self::Peer => "peerDependencies",
        }
    }
}

/// Why a text is not a manifest.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ManifestError {
    /// The JSON of a package.json does not parse.
    #[error("`{path}` is not valid JSON: {message}")]
    Syntax {
        /// The file.
        path: WorkspacePath,
        /// What the parser said.
        message: String,
        /// Where.
        snippet: Box<Snippet>,
    },
    /// The JSON of a package.json is not an object.
    #[error("`{path}` is not a JSON object")]
    NotAnObject {
        /// The file.
        path: WorkspacePath,
        /// Where.
        snippet: Box<Snippet>,
    },
}

impl Diagnose for ManifestError {
    fn code(&self) -> &'static str {
        match self {
            Self::Syntax { .. } => "manifest-syntax",
            Self::NotAnObject { .. } => "manifest-not-an-object",
        }
    }

    fn category(&self) -> Category {
        Category::Workspace
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::Syntax { .. } => "correct the JSON; `npm pkg fix` or an editor shows the same place".to_owned(),
            Self::NotAnObject { .. } => "a package.json holds one object: `{ \"name\": … }`".to_owned(),
        })
    }

    fn snippets(&self) -> Vec<Snippet> {
        match self {
            Self::Syntax { snippet, .. } | Self::NotAnObject { snippet, .. } => vec![(**snippet).clone()],
        }
    }
}

impl Manifest {
    /// Parses the text of the `package.json` at `path` (the file, not its folder). A byte-order mark is skipped as npm does.
    pub fn parse(path: WorkspacePath, text: &str) -> Result<Self, ManifestError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let snippet = |span: Range<usize>, label: &str| {
            Box::new(Snippet { path: path.to_string(), source: text.into(), span, label: label.to_owned() })
        };
        match serde_json::from_str(text) {
            Ok(Value::Object(fields)) => Ok(Self { text: text.into(), fields, path }),
            Ok(_) => Err(ManifestError::NotAnObject { snippet: snippet(0..text.trim_end().len(), ""), path }),
            Err(error) => {
                let start = json::offset(text, error.line(), error.column());
                let message = error.to_string();
                let message = message.split(" at line ").next().unwrap_or(&message).to_owned();
                Err(ManifestError::Syntax {
                    snippet: snippet(start..(start + 1).min(text.len()), &message),
                    message,
                    path,
                })
            }
        }
    }

    /// The file this came from, relative to the workspace root.
    pub fn path(&self) -> &WorkspacePath {
        &self.path
    }

    /// The text as read.
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// All top-level fields, in the file's order.
    pub fn fields(&self) -> &Map<String, Value> {
        &self.fields
    }

    /// A top-level field.
    pub fn field(&self, key: &str) -> Option<&Value> {
        self.fields.get(key)
    }

    /// A top-level field that is a string.
    pub fn text_field(&self, key: &str) -> Option<&str> {
        self.field(key).and_then(Value::as_str)
    }

    /// `name`, when it is a non-empty string.
    pub fn name(&self) -> Option<&str> {
        self.text_field("name").filter(|name| !name.is_empty())
    }

    /// `version`.
    pub fn version(&self) -> Option<&str> {
        self.text_field("version")
    }

    /// One script.
    pub fn script(&self, name: &str) -> Option<&str> {
        self.field("scripts")?.get(name)?.as_str()
    }

    /// The names of all scripts, in the file's order.
    pub fn scripts(&self) -> impl Iterator<Item = &str> {
        self.field("scripts").and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name.as_str())
    }

    /// The entries of one dependency map, in the file's order; entries that are not strings are skipped.
    pub fn dependencies(&self, kind: DependencyKind) -> impl Iterator<Item = (&str, &str)> {
        let map = self.field(kind.field()).and_then(Value::as_object);
        map.into_iter().flatten().filter_map(|(name, spec)| Some((name.as_str(), spec.as_str()?)))
    }

    /// Whether `peerDependenciesMeta` marks a peer as optional.
    pub fn peer_is_optional(&self, name: &str) -> bool {
        self.field("peerDependenciesMeta").and_then(|meta| meta.get(name)?.get("optional")?.as_bool()).unwrap_or(false)
    }

    /// The workspace patterns: `workspaces` as an array, or as an object with `packages`. `None` when there is none.
    pub fn workspaces(&self) -> Option<Vec<&str>> {
        let value = self.field("workspaces")?;
        let list = value.as_array().or_else(|| value.get("packages")?.as_array())?;
        Some(list.iter().filter_map(Value::as_str).collect())
    }

    /// `bin` as command name → file, with a single string under the package's unscoped name as npm does.
    pub fn bin(&self) -> Vec<(&str, &str)> {
        match self.field("bin") {
            Some(Value::String(file)) => {
                let name = self.name().unwrap_or_default();
                let command =
                    name.strip_prefix('@').and_then(|rest| rest.split_once('/')).map_or(name, |(_, bare)| bare);
                vec![(command, file.as_str())]
            }
            Some(Value::Object(map)) => {
                map.iter().filter_map(|(name, file)| Some((name.as_str(), file.as_str()?))).collect()
            }
            _ => Vec::new(),
        }
    }

    /// A snippet on the property at `keys`; on the whole file's first byte when there is no such property.
    pub fn snippet(&self, keys: &[&str], label: impl Into<String>) -> Snippet {
        let span = json::locate(&self.text, keys).unwrap_or(0..1.min(self.text.len()));
        Snippet { path: self.path.to_string(), source: self.text.clone(), span, label: label.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_spellings_of_workspaces_and_bin() {
        let parse = |text: &str| Manifest::parse(WorkspacePath::new("package.json").unwrap(), text).unwrap();
        assert_eq!(parse(r#"{"workspaces":["a"]}"#).workspaces(), Some(vec!["a"]));
        assert_eq!(parse(r#"{"workspaces":{"packages":["b"]}}"#).workspaces(), Some(vec!["b"]));
        assert_eq!(parse(r"{}").workspaces(), None);
        assert_eq!(parse(r#"{"name":"@x/tool","bin":"cli.js"}"#).bin(), vec![("tool", "cli.js")]);
    }

    #[test]
    fn a_syntax_error_knows_its_place() {
        let error =
            Manifest::parse(WorkspacePath::new("a/package.json").unwrap(), "{\n  \"name\": \"a\",\n}").unwrap_err();
        assert_eq!(error.code(), "manifest-syntax");
        assert_eq!(error.snippets()[0].line_column(), (3, 1));
    }
}
