//! What can be wrong with the configuration.

use camino::Utf8PathBuf;
use drydock_diagnostics::{Category, Diagnose, Snippet};

/// A mistake in `drydock.toml` or in a Cargo.toml's `workspace.metadata.drydock`.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The TOML of the configuration does not parse.
    #[error("`{path}` is not valid TOML: {message}")]
    Syntax { path: String, message: String, snippet: Box<Snippet> },
    /// The configuration has a key that means nothing.
    #[error("unknown key `{key}` in {table}")]
    UnknownKey {
        key: String,
        table: String,
        closest: Option<String>,
        known: &'static [&'static str],
        snippet: Box<Snippet>,
    },
    /// The configuration has a value of the wrong type.
    #[error("`{key}` is {found}")]
    Type { key: String, found: String, expected: String, snippet: Box<Snippet> },
    /// The configuration has a value of the right type that makes no sense.
    #[error("{message}")]
    Value { message: String, help: String, snippet: Box<Snippet> },
    /// The configuration has a path that is not inside the workspace.
    #[error("{message}")]
    Path { message: String, snippet: Box<Snippet> },
    /// `drydock.lock` does not hold what `drydock pin` writes.
    #[error("{message}")]
    Lock { message: String, help: String, snippet: Box<Snippet> },
    /// The configuration names a package that is not in the workspace.
    #[error("there is no package `{name}` in the workspace")]
    UnknownPackage { name: String, closest: Option<String>, snippet: Box<Snippet> },
    /// There are two configurations.
    #[error("the workspace is configured twice: in `{file}` and in `{manifest}`")]
    Twice { file: Utf8PathBuf, manifest: Utf8PathBuf, snippet: Box<Snippet> },
    /// The file that `--config` names holds no configuration.
    #[error("`{path}` has no table `workspace.metadata.drydock`")]
    NoTable { path: Utf8PathBuf },
    /// The configuration cannot be read.
    #[error("could not read the configuration")]
    Read(#[source] std::io::Error),
    /// Cargo does not say where its workspace is.
    #[error("could not ask Cargo for the workspace of `{manifest}`")]
    Cargo {
        manifest: Utf8PathBuf,
        #[source]
        source: cargo_metadata::Error,
    },
}

impl Diagnose for ConfigError {
    fn code(&self) -> &'static str {
        match self {
            Self::Syntax { .. } => "config-syntax",
            Self::UnknownKey { .. } => "config-unknown-key",
            Self::Type { .. } => "config-type",
            Self::Value { .. } => "config-value",
            Self::Path { .. } => "config-path",
            Self::Lock { .. } => "pins-invalid",
            Self::UnknownPackage { .. } => "config-unknown-package",
            Self::Twice { .. } => "config-twice",
            Self::NoTable { .. } => "config-no-table",
            Self::Read(_) => "config-unreadable",
            Self::Cargo { .. } => "config-cargo-metadata",
        }
    }

    fn category(&self) -> Category {
        Category::Usage
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::Syntax { .. } => "correct the TOML".to_owned(),
            Self::UnknownKey { closest: Some(closest), .. } | Self::UnknownPackage { closest: Some(closest), .. } => {
                format!("did you mean `{closest}`?")
            }
            Self::UnknownKey { closest: None, known, .. } => format!("it takes {}", list(known)),
            Self::Type { expected, .. } => format!("write {expected}"),
            Self::Value { help, .. } | Self::Lock { help, .. } => help.clone(),
            Self::Path { .. } => "write a path inside the workspace, relative to its root".to_owned(),
            Self::UnknownPackage { closest: None, .. } => "`drydock graph` lists the packages".to_owned(),
            Self::Twice { .. } => "keep one of them".to_owned(),
            Self::NoTable { .. } => "add `[workspace.metadata.drydock]`, or name a drydock.toml".to_owned(),
            Self::Read(_) => "check that the file exists and may be read".to_owned(),
            Self::Cargo { .. } => "correct the Cargo.toml, or configure drydock in a drydock.toml".to_owned(),
        })
    }

    fn snippets(&self) -> Vec<Snippet> {
        match self {
            Self::Syntax { snippet, .. }
            | Self::UnknownKey { snippet, .. }
            | Self::Type { snippet, .. }
            | Self::Value { snippet, .. }
            | Self::Path { snippet, .. }
            | Self::Lock { snippet, .. }
            | Self::UnknownPackage { snippet, .. }
            | Self::Twice { snippet, .. } => vec![(**snippet).clone()],
            Self::NoTable { .. } | Self::Read(_) | Self::Cargo { .. } => Vec::new(),
        }
    }
}

/// `` `a`, `b` and `c` ``.
fn list(words: &[&str]) -> String {
    match words {
        [] => "nothing".to_owned(),
        [only] => format!("`{only}`"),
        [first @ .., last] => {
            let first: Vec<String> = first.iter().map(|word| format!("`{word}`")).collect();
            format!("{} and `{last}`", first.join(", "))
        }
    }
}
