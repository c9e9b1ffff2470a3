//! Where the configuration is.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use cargo_metadata::MetadataCommand;
use drydock_diagnostics::Snippet;
use toml::de::DeTable;

use super::error::ConfigError;
use super::{FILE_NAME, cargo_table};

/// A text that holds the configuration.
pub(super) struct Source {
    /// The file.
    pub(super) file: Utf8PathBuf,
    /// The file as the user knows it: relative to the root where it is inside.
    pub(super) shown: String,
    /// Its text.
    pub(super) text: String,
    /// Whether the configuration is a table of a Cargo.toml, rather than the whole file.
    pub(super) is_cargo_manifest: bool,
}

/// The file that the user named.
pub(super) fn explicit(root: &Utf8Path, file: &Utf8Path) -> Result<Source, ConfigError> {
    let is_cargo_manifest = file.file_name() == Some("Cargo.toml");
    let text = fs_err::read_to_string(file).map_err(ConfigError::Read)?;
    Ok(Source { file: file.to_owned(), shown: shown(root, file), text, is_cargo_manifest })
}

/// `drydock.toml` at the root, or the Cargo workspace that holds the root. `None` when neither says anything.
pub(super) fn find(root: &Utf8Path) -> Result<Option<Source>, ConfigError> {
    let own = root.join(FILE_NAME);
    let own_text = read_if_there(&own)?;
    let cargo = find_cargo(root)?;
    match (own_text, cargo) {
        (Some(_), Some(cargo)) => {
            let span = table_span(&cargo.text);
            let label = "and here".to_owned();
            let snippet = Box::new(Snippet { path: cargo.shown, source: cargo.text.as_str().into(), span, label });
            Err(ConfigError::Twice { file: own, manifest: cargo.file, snippet })
        }
        (Some(text), None) => Ok(Some(Source { shown: shown(root, &own), file: own, text, is_cargo_manifest: false })),
        (None, cargo) => Ok(cargo),
    }
}

/// The manifest of the Cargo workspace around `root`, when it configures drydock. Cargo is asked only when a manifest
/// on the way up mentions drydock: starting it takes longer than everything else that `graph` does.
fn find_cargo(root: &Utf8Path) -> Result<Option<Source>, ConfigError> {
    let mut nearest = None;
    let mut mentioned = false;
    for directory in root.ancestors() {
        let manifest = directory.join("Cargo.toml");
        if let Some(text) = read_if_there(&manifest)? {
            mentioned |= text.contains("drydock");
            nearest.get_or_insert(manifest);
        }
    }
    let Some(nearest) = nearest.filter(|_| mentioned) else { return Ok(None) };
    let metadata = MetadataCommand::new().manifest_path(&nearest).no_deps().exec();
    let metadata = metadata.map_err(|source| ConfigError::Cargo { manifest: nearest, source })?;
    let file = metadata.workspace_root.join("Cargo.toml");
    let text = fs_err::read_to_string(&file).map_err(ConfigError::Read)?;
    let configures = DeTable::parse(&text).is_ok_and(|manifest| cargo_table(manifest.get_ref()).is_some());
    Ok(configures.then(|| Source { shown: shown(root, &file), file, text, is_cargo_manifest: true }))
}

/// The header of the table that configures drydock.
fn table_span(text: &str) -> std::ops::Range<usize> {
    let header = "[workspace.metadata.drydock";
    text.find(header).map_or(0..0, |start| start..start + header.len() + 1)
}

pub(super) fn read_if_there(file: &Utf8Path) -> Result<Option<String>, ConfigError> {
    match fs_err::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(ConfigError::Read(error)),
    }
}

pub(super) fn shown(root: &Utf8Path, file: &Utf8Path) -> String {
    file.strip_prefix(root).unwrap_or(file).to_string()
}
