//! Reads single TOML values, and remembers what was wrong with each.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use drydock_diagnostics::{Snippet, closest};
use drydock_lockfile::{PackageName, WorkspacePath};
use drydock_plan::TargetName;
use indexmap::IndexMap;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::compose::ComposeSettings;
use super::error::ConfigError;
use super::image::Images;

/// A key of a TOML table with its place.
pub(super) type Key<'i> = Spanned<DeString<'i>>;
/// A TOML value with its place.
pub(super) type Value<'i> = Spanned<DeValue<'i>>;

/// Reads values out of one text. A value that is wrong is recorded and read as absent, so that one run tells of all
/// mistakes.
pub(super) struct Reader {
    /// The file as the user knows it.
    pub(super) path: String,
    /// Its text.
    pub(super) source: Arc<str>,
    /// What was wrong so far.
    pub(super) errors: Vec<ConfigError>,
    /// Packages that were named, and where.
    pub(super) named: Vec<(PackageName, Range<usize>)>,
    /// What becomes of images, as far as it was read.
    pub(super) images: Images,
    /// How services are run by Compose, as far as it was read.
    pub(super) compose: BTreeMap<TargetName, ComposeSettings>,
}

impl Reader {
    #[expect(clippy::unnecessary_box_returns, reason = "errors hold their snippets boxed, to be small")]
    pub(super) fn snippet(&self, span: Range<usize>, label: impl Into<String>) -> Box<Snippet> {
        Box::new(Snippet { path: self.path.clone(), source: self.source.clone(), span, label: label.into() })
    }

    /// Records that `key` means nothing in `table`.
    pub(super) fn unknown(&mut self, key: &Key<'_>, table: &str, known: &'static [&'static str]) {
        let name = key.get_ref().to_string();
        let near = closest(&name, known.iter().copied()).map(str::to_owned);
        let snippet = self.snippet(key.span(), "");
        self.errors.push(ConfigError::UnknownKey { key: name, table: table.to_owned(), closest: near, known, snippet });
    }

    pub(super) fn wrong_type(&mut self, key: &str, expected: &str, value: &Value<'_>) {
        let snippet = self.snippet(value.span(), "");
        let found = found(value.get_ref());
        self.errors.push(ConfigError::Type { key: key.to_owned(), found, expected: expected.to_owned(), snippet });
    }

    /// Records a value of the right type that makes no sense.
    pub(super) fn wrong_value(&mut self, span: Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        let snippet = self.snippet(span, "");
        self.errors.push(ConfigError::Value { message: message.into(), help: help.into(), snippet });
    }

    /// The entries of a table.
    pub(super) fn table<'t, 'i>(&mut self, key: &str, value: &'t Value<'i>) -> Option<&'t DeTable<'i>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong_type(key, "a table", value);
        }
        table
    }

    /// A string that is not empty.
    pub(super) fn text(&mut self, key: &str, value: &Value<'_>) -> Option<String> {
        let Some(text) = value.get_ref().as_str() else {
            self.wrong_type(key, "a string", value);
            return None;
        };
        if text.is_empty() {
            self.wrong_value(value.span(), format!("`{key}` is empty"), "write something, or leave it out");
            return None;
        }
        Some(text.to_owned())
    }

    /// A string, or a whole number as text.
    pub(super) fn version(&mut self, key: &str, value: &Value<'_>) -> Option<String> {
        match value.get_ref() {
            DeValue::Integer(number) => Some(number.as_str().to_owned()),
            DeValue::Float(number) => {
                let help = format!("quote it: `{key} = \"{}\"`", number.as_str());
                self.wrong_value(value.span(), format!("`{key}` is a fraction, which drops trailing zeros"), help);
                None
            }
            _ => self.text(key, value),
        }
    }

    pub(super) fn boolean(&mut self, key: &str, value: &Value<'_>) -> Option<bool> {
        let boolean = value.get_ref().as_bool();
        if boolean.is_none() {
            self.wrong_type(key, "`true` or `false`", value);
        }
        boolean
    }

    /// A TCP port.
    pub(super) fn port(&mut self, key: &str, value: &Value<'_>) -> Option<u16> {
        let Some(number) = value.get_ref().as_integer() else {
            self.wrong_type(key, "a whole number from 1 to 65535", value);
            return None;
        };
        let port = u16::from_str_radix(number.as_str(), number.radix()).ok().filter(|port| *port > 0);
        if port.is_none() {
            let message = format!("`{key}` is no port");
            self.wrong_value(value.span(), message, "write a whole number from 1 to 65535");
        }
        port
    }

    /// One of `choices`.
    pub(super) fn choice<T: Copy>(&mut self, key: &str, value: &Value<'_>, choices: &[(&str, T)]) -> Option<T> {
        let words: Vec<String> = choices.iter().map(|(word, _)| format!("`\"{word}\"`")).collect();
        let expected = match words.as_slice() {
            [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
            other => other.join(""),
        };
        let Some(text) = value.get_ref().as_str() else {
            self.wrong_type(key, &expected, value);
            return None;
        };
        if let Some((_, choice)) = choices.iter().find(|(word, _)| *word == text) {
            return Some(*choice);
        }
        let help = match closest(text, choices.iter().map(|(word, _)| *word)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("write {expected}"),
        };
        self.wrong_value(value.span(), format!("`{key}` cannot be `{text}`"), help);
        None
    }

    /// A list of strings, each with its place.
    pub(super) fn spanned_texts(&mut self, key: &str, value: &Value<'_>) -> Vec<(String, Range<usize>)> {
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_type(key, "a list of strings", value);
            return Vec::new();
        };
        let mut texts = Vec::new();
        for item in array {
            if let Some(text) = self.text(&format!("{key}[{}]", texts.len()), item) {
                texts.push((text, item.span()));
            }
        }
        texts
    }

    /// A list of strings.
    pub(super) fn texts(&mut self, key: &str, value: &Value<'_>) -> Vec<String> {
        self.spanned_texts(key, value).into_iter().map(|(text, _)| text).collect()
    }

    /// A path inside the workspace.
    pub(super) fn path(&mut self, key: &str, value: &Value<'_>) -> Option<WorkspacePath> {
        let text = self.text(key, value)?;
        self.workspace_path(&text, value.span())
    }

    /// A list of paths inside the workspace.
    pub(super) fn paths(&mut self, key: &str, value: &Value<'_>) -> Vec<WorkspacePath> {
        let texts = self.spanned_texts(key, value);
        texts.into_iter().filter_map(|(text, span)| self.workspace_path(&text, span)).collect()
    }

    fn workspace_path(&mut self, text: &str, span: Range<usize>) -> Option<WorkspacePath> {
        match WorkspacePath::new(text) {
            Ok(path) => Some(path),
            Err(error) => {
                let snippet = self.snippet(span, "");
                self.errors.push(ConfigError::Path { message: error.to_string(), snippet });
                None
            }
        }
    }

    /// The name of a package, which is looked up later.
    pub(super) fn package(&mut self, key: &str, value: &Value<'_>) -> Option<PackageName> {
        let name = PackageName::new(&self.text(key, value)?);
        self.named.push((name.clone(), value.span()));
        Some(name)
    }

    /// Names of packages, which are looked up later.
    pub(super) fn packages(&mut self, key: &str, value: &Value<'_>) -> Vec<PackageName> {
        let mut names = Vec::new();
        for (text, span) in self.spanned_texts(key, value) {
            let name = PackageName::new(&text);
            self.named.push((name.clone(), span));
            names.push(name);
        }
        names
    }

    /// A table of environment variables: strings, whole numbers and booleans, all of which are text in the end.
    pub(super) fn environment(&mut self, key: &str, value: &Value<'_>) -> IndexMap<String, String> {
        let mut environment = IndexMap::new();
        let Some(table) = self.table(key, value) else { return environment };
        for (name, value) in table {
            if !self.variable_name(name) {
                continue;
            }
            let text = match value.get_ref() {
                DeValue::String(text) => text.to_string(),
                DeValue::Integer(number) => number.as_str().to_owned(),
                DeValue::Boolean(boolean) => boolean.to_string(),
                _ => {
                    self.wrong_type(&format!("{key}.{}", name.get_ref()), "a string", value);
                    continue;
                }
            };
            if let Some(text) = self.without_nul(text, value.span()) {
                environment.insert(name.get_ref().to_string(), text);
            }
        }
        environment
    }

    /// Build arguments: a table of names and defaults, or a list of `NAME` and `NAME=default`.
    pub(super) fn arguments(&mut self, key: &str, value: &Value<'_>) -> IndexMap<String, Option<String>> {
        if value.get_ref().is_table() {
            return self.environment(key, value).into_iter().map(|(name, text)| (name, Some(text))).collect();
        }
        let mut arguments = IndexMap::new();
        for (text, span) in self.spanned_texts(key, value) {
            let (name, default) = match text.split_once('=') {
                Some((name, default)) => (name.to_owned(), Some(default.to_owned())),
                None => (text, None),
            };
            if self.valid_variable_name(&name, span) {
                arguments.insert(name, default);
            }
        }
        arguments
    }

    fn without_nul(&mut self, text: String, span: Range<usize>) -> Option<String> {
        if text.contains('\0') {
            self.wrong_value(span, "an environment variable cannot hold a NUL byte", "leave the NUL byte out");
            return None;
        }
        Some(text)
    }

    fn variable_name(&mut self, name: &Key<'_>) -> bool {
        self.valid_variable_name(name.get_ref(), name.span())
    }

    pub(super) fn valid_variable_name(&mut self, name: &str, span: Range<usize>) -> bool {
        let mut characters = name.chars();
        let starts_well = characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_');
        let valid = starts_well && characters.all(|character| character.is_ascii_alphanumeric() || character == '_');
        if !valid {
            let message = format!("`{name}` is not the name of a variable");
            self.wrong_value(span, message, "use letters, digits and `_`, and begin with no digit");
        }
        valid
    }
}

/// What stands where something else should be.
fn found(value: &DeValue<'_>) -> String {
    let article = if matches!(value, DeValue::Integer(_) | DeValue::Array(_)) { "an" } else { "a" };
    format!("{article} {}", value.type_str())
}
