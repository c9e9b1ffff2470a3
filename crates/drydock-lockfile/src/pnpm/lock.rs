//! The text of a `pnpm-lock.yaml` as an index of importers and snapshots.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use drydock_diagnostics::{Snippet, json};
use indexmap::IndexMap;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::error::LockfileError;
use crate::manifest::DependencyKind;
use crate::path::WorkspacePath;
use crate::pnpm::slice::{blocks, last_document, sections};

/// A parsed lockfile with the places of its entries in the text.
#[derive(Debug, Clone)]
pub(crate) struct PnpmLock {
    pub(crate) path: WorkspacePath,
    pub(crate) text: Arc<str>,
    /// Documents before the lockfile itself, taken as they are.
    pub(crate) preamble: Range<usize>,
    /// Top-level keys other than the three big ones.
    pub(crate) header: Vec<(String, Range<usize>)>,
    pub(crate) catalogs: BTreeMap<String, BTreeMap<String, CatalogEntry>>,
    pub(crate) overrides: BTreeMap<String, String>,
    pub(crate) pnpmfile: bool,
    /// In byte order of the directories, `.` for the root.
    pub(crate) importers: IndexMap<Box<str>, Importer>,
    pub(crate) packages: HashMap<Box<str>, Package>,
    /// In byte order of the keys.
    pub(crate) snapshots: IndexMap<Box<str>, Snapshot>,
    /// Why the text cannot be cut, when it cannot.
    pub(crate) uncut: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct CatalogEntry {
    pub(crate) specifier: String,
}

/// A directory with a manifest.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Importer {
    dependencies: BTreeMap<String, Dependency>,
    dev_dependencies: BTreeMap<String, Dependency>,
    optional_dependencies: BTreeMap<String, Dependency>,
    pub(crate) dependencies_meta: Option<serde_json::Value>,
    pub(crate) publish_directory: Option<String>,
}

impl Importer {
    /// The kinds pnpm writes, in its order.
    pub(crate) const KINDS: [DependencyKind; 3] =
        [DependencyKind::Production, DependencyKind::Development, DependencyKind::Optional];

    pub(crate) fn map(&self, kind: DependencyKind) -> &BTreeMap<String, Dependency> {
        match kind {
            DependencyKind::Development => &self.dev_dependencies,
            DependencyKind::Optional => &self.optional_dependencies,
            DependencyKind::Production | DependencyKind::Peer => &self.dependencies,
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Dependency> {
        Self::KINDS.into_iter().find_map(|kind| self.map(kind).get(name))
    }
}

/// What an importer asks for and what it got.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) specifier: String,
    pub(crate) version: String,
}

/// An entry of `packages`: one for each version, whatever its peers.
#[derive(Debug, Clone)]
pub(crate) struct Package {
    pub(crate) range: Range<usize>,
    pub(crate) resolution: Resolution,
}

/// Where a package comes from; all fields absent for the registry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Resolution {
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    pub(crate) directory: Option<String>,
    pub(crate) tarball: Option<String>,
    pub(crate) integrity: Option<String>,
    /// The git repository.
    pub(crate) repo: Option<String>,
}

/// An entry of `snapshots`: a package with the peers it got.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) range: Range<usize>,
    pub(crate) optional: bool,
    /// Name, where it leads, and whether an install may do without it.
    pub(crate) dependencies: Vec<(Box<str>, Target, bool)>,
}

/// Where a dependency leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// A directory with a manifest.
    Importer(usize),
    /// A directory of the tree that is no importer.
    Directory(String),
    Snapshot(usize),
    /// A key the lockfile does not have.
    Missing(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Document {
    catalogs: BTreeMap<String, BTreeMap<String, CatalogEntry>>,
    overrides: BTreeMap<String, String>,
    pnpmfile_checksum: Option<IgnoredAny>,
    importers: BTreeMap<String, Importer>,
    packages: BTreeMap<String, PackageFields>,
    snapshots: BTreeMap<String, SnapshotFields>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct PackageFields {
    resolution: Resolution,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct SnapshotFields {
    optional: bool,
    dependencies: BTreeMap<String, String>,
    optional_dependencies: BTreeMap<String, String>,
}

/// The value of `lockfileVersion` and its line's range, read without parsing the whole text.
pub(crate) fn version_line(text: &str) -> Option<(&str, Range<usize>)> {
    let document = last_document(text);
    let mut at = document.start;
    for line in text[document].split_inclusive('\n') {
        if let Some(value) = line.strip_prefix("lockfileVersion:") {
            return Some((value.trim().trim_matches(['\'', '"']), at..at + line.trim_end().len()));
        }
        at += line.len();
    }
    None
}

impl PnpmLock {
    pub(crate) fn parse(path: &WorkspacePath, text: &Arc<str>) -> Result<Self, LockfileError> {
        let range = last_document(text);
        let body = &text[range.clone()];
        let options = serde_saphyr::options! { budget: None };
        let document: Document = serde_saphyr::from_str_with_options(body, options)
            .map_err(|error| syntax_error(path, text, &range, &error))?;
        let mut uncut = None;
        let mut cut = |name: &str, keys: Vec<&String>, sections: &[(String, Range<usize>)]| {
            let section = sections.iter().find(|(key, _)| key == name).map(|(_, range)| range.clone());
            let found = section.map(|range| blocks(text, range, 2)).unwrap_or_default();
            let mut slices: HashMap<String, Range<usize>> = found.into_iter().collect();
            if uncut.is_none() && (slices.len() != keys.len() || !keys.iter().all(|key| slices.contains_key(*key))) {
                uncut = Some(format!("`{name}` is not written as pnpm writes it"));
                slices.clear();
            }
            slices
        };
        let sections = sections(text, range.clone());
        let mut packages = cut("packages", document.packages.keys().collect(), &sections);
        let mut snapshots = cut("snapshots", document.snapshots.keys().collect(), &sections);
        let mut lock = Self {
            path: path.clone(),
            text: text.clone(),
            preamble: 0..range.start,
            header: sections
                .into_iter()
                .filter(|(key, _)| !matches!(&**key, "importers" | "packages" | "snapshots"))
                .collect(),
            catalogs: document.catalogs,
            overrides: document.overrides,
            pnpmfile: document.pnpmfile_checksum.is_some(),
            importers: document.importers.into_iter().map(|(key, importer)| (key.into(), importer)).collect(),
            packages: document
                .packages
                .into_iter()
                .map(|(key, fields)| {
                    let range = packages.remove(&key).unwrap_or_default();
                    (key.into(), Package { range, resolution: fields.resolution })
                })
                .collect(),
            snapshots: IndexMap::new(),
            uncut,
        };
        let keys: HashMap<&str, usize> =
            document.snapshots.keys().enumerate().map(|(index, key)| (&**key, index)).collect();
        let fields: Vec<(Box<str>, Snapshot)> = document
            .snapshots
            .iter()
            .map(|(key, fields)| {
                let target = |name: &str, version: &str| lock.target(".", name, version, |key| keys.get(key).copied());
                let required = fields.dependencies.iter().map(|(name, version)| (name, version, false));
                let optional = fields.optional_dependencies.iter().map(|(name, version)| (name, version, true));
                let dependencies = required
                    .chain(optional)
                    .map(|(name, version, optional)| (name.as_str().into(), target(name, version), optional));
                let range = snapshots.remove(key).unwrap_or_default();
                (
                    key.as_str().into(),
                    Snapshot { range, optional: fields.optional, dependencies: dependencies.collect() },
                )
            })
            .collect();
        lock.snapshots = fields.into_iter().collect();
        Ok(lock)
    }

    /// Where a dependency leads whose version is written in the file of directory `from`.
    fn target(&self, from: &str, name: &str, version: &str, snapshot: impl Fn(&str) -> Option<usize>) -> Target {
        if let Some(relative) = version.strip_prefix("link:") {
            let from = if from == "." { "" } else { from };
            let directory = WorkspacePath::new(from).and_then(|from| from.join(relative));
            return match directory {
                Ok(directory) => match self.importers.get_index_of(directory.display()) {
                    Some(index) => Target::Importer(index),
                    None => Target::Directory(directory.display().to_owned()),
                },
                Err(_) => Target::Directory(relative.to_owned()),
            };
        }
        // `version` alone is the key of an alias or a tarball.
        let key = format!("{name}@{version}");
        snapshot(&key).or_else(|| snapshot(version)).map_or(Target::Missing(key), Target::Snapshot)
    }

    /// Where an importer's dependency leads.
    pub(crate) fn target_of(&self, importer: usize, name: &str, version: &str) -> Target {
        let (from, _) = self.importers.get_index(importer).expect("the index is one of this lockfile");
        self.target(from, name, version, |key| self.snapshots.get_index_of(key))
    }

    /// The entry of `packages` that a snapshot is of: its key without the peers.
    pub(crate) fn package_key<'k>(&self, snapshot: &'k str) -> &'k str {
        if self.packages.contains_key(snapshot) {
            return snapshot;
        }
        snapshot.find('(').map_or(snapshot, |at| &snapshot[..at])
    }

    pub(crate) fn len(&self) -> usize {
        self.importers.len() + self.snapshots.len()
    }

    pub(crate) fn linked_directories(&self) -> Vec<WorkspacePath> {
        let mut found: Vec<WorkspacePath> =
            self.importers.keys().filter(|key| &***key != ".").filter_map(|key| WorkspacePath::new(key).ok()).collect();
        found.sort_unstable();
        found
    }

    /// The line of a key.
    pub(crate) fn snippet(&self, range: &Range<usize>, label: &str) -> Option<Box<Snippet>> {
        let line = self.text.get(range.clone())?;
        let start = range.start + (line.len() - line.trim_start().len());
        let end = line.find('\n').map_or(range.end, |length| range.start + length);
        (start < end).then(|| {
            Box::new(Snippet {
                path: self.path.to_string(),
                source: self.text.clone(),
                span: start..end,
                label: label.to_owned(),
            })
        })
    }
}

fn syntax_error(
    path: &WorkspacePath,
    text: &Arc<str>,
    document: &Range<usize>,
    error: &serde_saphyr::Error,
) -> LockfileError {
    let conflict = text.lines().find(|line| line.starts_with("<<<<<<<"));
    let (line, column) = error.location().map_or((1, 1), |location| (location.line(), location.column()));
    let number = |value: u64| usize::try_from(value).unwrap_or(1);
    let start = match conflict {
        Some(line) => line.as_ptr() as usize - text.as_ptr() as usize,
        None => document.start + json::offset(&text[document.clone()], number(line), number(column)),
    };
    let end = text[start..].find('\n').map_or(text.len(), |length| start + length);
    let message = error.to_string();
    let message = message.lines().next().unwrap_or_default().trim_start_matches("error: ");
    let message = message.split_once(": ").map_or(message, |(_, rest)| rest).to_owned();
    LockfileError::Syntax {
        path: path.clone(),
        message: if conflict.is_some() { "it holds the markers of an unfinished merge".to_owned() } else { message },
        conflict: conflict.is_some(),
        snippet: Box::new(Snippet {
            path: path.to_string(),
            source: text.clone(),
            span: start..end,
            label: String::new(),
        }),
    }
}
