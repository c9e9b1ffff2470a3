//! The configuration: `drydock.toml` at the workspace root, or `[workspace.metadata.drydock]` of a Cargo.toml.
//!
//! A mistake is told with its line and column, all mistakes of a file at once. Everything is optional: what is absent is
//! inferred by the plan.

mod command;
mod commit;
mod compose;
mod cut;
mod error;
mod image;
pub(crate) mod pins;
mod read;
mod service;
mod source;
mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use drydock_diagnostics::{Snippet, closest};
use drydock_lockfile::PackageName;
use drydock_plan::{Settings, TargetName};
use toml::de::{DeTable, DeValue};

pub(crate) use compose::ComposeSettings;
pub(crate) use error::ConfigError;
pub(crate) use image::{ImageSettings, Images, OciLabel};
use source::Source;
use value::Reader;

/// The file that configures a workspace when no other is named.
pub(crate) const FILE_NAME: &str = "drydock.toml";

/// What the configuration says.
#[derive(Debug, Default)]
pub(crate) struct Config {
    /// The settings, resolved.
    pub(crate) settings: Settings,
    /// How images are called and labelled, and where their caches are.
    pub(crate) images: Images,
    /// How services are run by Compose.
    pub(crate) compose: BTreeMap<TargetName, ComposeSettings>,
    /// The file they came from; `None` when there is none.
    pub(crate) file: Option<Utf8PathBuf>,
    text: Option<Text>,
}

/// The text of the configuration, for messages about names that only the workspace can judge.
#[derive(Debug)]
struct Text {
    path: String,
    source: Arc<str>,
    packages: Vec<(PackageName, Range<usize>)>,
}

impl Config {
    /// Reads the configuration of the workspace at `root`: the file `explicit` when one is named, else what is found.
    pub(crate) fn load(root: &Utf8Path, explicit: Option<&Utf8Path>) -> Result<Self, Vec<ConfigError>> {
        let found = match explicit {
            Some(file) => Some(source::explicit(root, file)),
            None => source::find(root).transpose(),
        };
        let mut config = match found {
            None => Self::default(),
            Some(Ok(source)) => Self::parse(&source)?,
            Some(Err(error)) => return Err(vec![error]),
        };
        config.settings.pins = pins::load(root, &config.lock_file(root))?;
        Ok(config)
    }

    /// Where base images are pinned.
    pub(crate) fn lock_file(&self, root: &Utf8Path) -> Utf8PathBuf {
        pins::beside(root, self.file.as_deref())
    }

    /// Reads the settings in `source`.
    fn parse(source: &Source) -> Result<Self, Vec<ConfigError>> {
        let mut reader = Reader {
            path: source.shown.clone(),
            source: source.text.as_str().into(),
            errors: Vec::new(),
            named: Vec::new(),
            images: Images::default(),
            compose: BTreeMap::new(),
        };
        let (document, syntax) = DeTable::parse_recoverable(&source.text);
        for error in syntax {
            let span = error.span().unwrap_or(0..0);
            let message = error.message().lines().collect::<Vec<_>>().join(", ");
            let snippet = reader.snippet(span, "");
            reader.errors.push(ConfigError::Syntax { path: source.shown.clone(), message, snippet });
        }
        if !reader.errors.is_empty() {
            return Err(reader.errors);
        }
        let table = if source.is_cargo_manifest {
            match cargo_table(document.get_ref()) {
                Some(table) => table,
                None => return Err(vec![ConfigError::NoTable { path: source.file.clone() }]),
            }
        } else {
            document.get_ref()
        };
        let settings = reader.settings(table);
        if !reader.errors.is_empty() {
            return Err(reader.errors);
        }
        let text = Text { path: reader.path, source: reader.source, packages: reader.named };
        Ok(Self {
            settings,
            images: reader.images,
            compose: reader.compose,
            file: Some(source.file.clone()),
            text: Some(text),
        })
    }

    /// The text of the configuration of a part of the workspace, as a file of its own: what it says of the whole, of
    /// `packages` and of `targets`, of which none waits for those that are `gone`. `None` when there is nothing to say.
    pub(crate) fn cut(
        &self,
        packages: &BTreeSet<&str>,
        targets: &BTreeSet<TargetName>,
        gone: &BTreeSet<TargetName>,
    ) -> Option<String> {
        let is_cargo = self.file.as_ref()?.file_name() == Some("Cargo.toml");
        cut::cut(&self.text.as_ref()?.source, is_cargo, packages, targets, gone)
    }

    /// Where the configuration says `word`, if it does: the first place where it stands by itself.
    pub(crate) fn place(&self, word: &str) -> Option<Snippet> {
        let text = self.text.as_ref()?;
        let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
        let (start, _) = text.source.match_indices(word).find(|(start, _)| {
            let before = text.source[..*start].chars().next_back();
            let after = text.source[start + word.len()..].chars().next();
            !before.is_some_and(is_part) && !after.is_some_and(is_part)
        })?;
        let (path, source) = (text.path.clone(), text.source.clone());
        Some(Snippet { path, source, span: start..start + word.len(), label: String::new() })
    }

    /// The names in the configuration that are no member of the workspace.
    pub(crate) fn unknown_packages(&self, members: &[&str]) -> Vec<ConfigError> {
        let Some(text) = &self.text else { return Vec::new() };
        let unknown = text.packages.iter().filter(|(name, _)| !members.contains(&name.as_str()));
        unknown
            .map(|(name, span)| ConfigError::UnknownPackage {
                name: name.to_string(),
                closest: closest(name.as_str(), members.iter().copied()).map(str::to_owned),
                snippet: Box::new(Snippet {
                    path: text.path.clone(),
                    source: text.source.clone(),
                    span: span.clone(),
                    label: String::new(),
                }),
            })
            .collect()
    }
}

/// `workspace.metadata.drydock` of a Cargo.toml.
fn cargo_table<'t, 'i>(manifest: &'t DeTable<'i>) -> Option<&'t DeTable<'i>> {
    let mut table = manifest;
    for key in ["workspace", "metadata", "drydock"] {
        table = table.get(key).map(toml::Spanned::get_ref).and_then(DeValue::as_table)?;
    }
    Some(table)
}

#[cfg(test)]
mod tests;
