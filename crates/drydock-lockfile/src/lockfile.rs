//! A lockfile of any known package manager.

use std::fmt;
use std::sync::Arc;

use drydock_diagnostics::Snippet;

use crate::error::LockfileError;
use crate::npm::NpmLock;
use crate::path::WorkspacePath;
use crate::pnpm::{PnpmLock, version_line};

/// Who wrote a lockfile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LockfileFormat {
    /// `package-lock.json` or `npm-shrinkwrap.json`.
    Npm,
    /// `pnpm-lock.yaml`.
    Pnpm,
    /// `yarn.lock` of yarn 1.
    YarnClassic,
    /// `yarn.lock` of yarn 2 and newer.
    YarnBerry,
    /// `bun.lock`.
    Bun,
}

impl LockfileFormat {
    /// The package manager's command.
    pub fn command(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Pnpm => "pnpm",
            Self::YarnClassic | Self::YarnBerry => "yarn",
            Self::Bun => "bun",
        }
    }
}

impl fmt::Display for LockfileFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Npm => "npm",
            Self::Pnpm => "pnpm",
            Self::YarnClassic => "yarn classic",
            Self::YarnBerry => "yarn berry",
            Self::Bun => "bun",
        })
    }
}

/// A parsed and indexed lockfile, with its text.
#[derive(Debug, Clone)]
pub struct Lockfile {
    path: WorkspacePath,
    text: Arc<str>,
    pub(crate) content: Content,
}

#[derive(Debug, Clone)]
pub(crate) enum Content {
    Npm(Box<NpmLock>),
    Pnpm(Box<PnpmLock>),
    /// Recognised, but taken whole.
    Whole(LockfileFormat),
}

impl Lockfile {
    /// Parses the lockfile at `path`; its file name tells the format.
    pub fn parse(path: WorkspacePath, text: &str) -> Result<Self, LockfileError> {
        let text: Arc<str> = text.strip_prefix('\u{feff}').unwrap_or(text).into();
        let content = match path.file_name() {
            "package-lock.json" | "npm-shrinkwrap.json" => Content::Npm(Box::new(NpmLock::parse(&path, &text)?)),
            "pnpm-lock.yaml" => pnpm(&path, &text)?,
            "yarn.lock" if text.contains("\n__metadata:") => Content::Whole(LockfileFormat::YarnBerry),
            "yarn.lock" => Content::Whole(LockfileFormat::YarnClassic),
            "bun.lock" => Content::Whole(LockfileFormat::Bun),
            "bun.lockb" => return Err(LockfileError::Binary { path }),
            _ => return Err(LockfileError::UnknownFormat { path }),
        };
        Ok(Self { path, text, content })
    }

    /// Where it lies in the workspace.
    pub fn path(&self) -> &WorkspacePath {
        &self.path
    }

    /// The text as read.
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// Who wrote it.
    pub fn format(&self) -> LockfileFormat {
        match &self.content {
            Content::Npm(_) => LockfileFormat::Npm,
            Content::Pnpm(_) => LockfileFormat::Pnpm,
            Content::Whole(format) => *format,
        }
    }

    pub(crate) fn npm(&self) -> Option<&NpmLock> {
        match &self.content {
            Content::Npm(lock) => Some(lock),
            Content::Pnpm(_) | Content::Whole(_) => None,
        }
    }

    /// How many entries it has: packages, links and members; 0 for formats that are not looked into.
    pub fn len(&self) -> usize {
        match &self.content {
            Content::Npm(lock) => lock.len(),
            Content::Pnpm(lock) => lock.len(),
            Content::Whole(_) => 0,
        }
    }

    /// Whether it has no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The directories inside the workspace that its entries link to, members included, in order.
    pub fn linked_directories(&self) -> Vec<WorkspacePath> {
        match &self.content {
            Content::Npm(lock) => lock.linked_directories(),
            Content::Pnpm(lock) => lock.linked_directories(),
            Content::Whole(_) => Vec::new(),
        }
    }
}

/// pnpm 9 and later write version 9; older ones are taken whole by older pnpms, which still read them.
fn pnpm(path: &WorkspacePath, text: &Arc<str>) -> Result<Content, LockfileError> {
    let (version, line) = version_line(text).unwrap_or(("?", 0..0));
    let major = version.split('.').next().unwrap_or(version).parse::<u32>();
    match major {
        Ok(9) => Ok(Content::Pnpm(Box::new(PnpmLock::parse(path, text)?))),
        Ok(5..=8) => Ok(Content::Whole(LockfileFormat::Pnpm)),
        _ => Err(LockfileError::UnsupportedVersion {
            path: path.clone(),
            version: version.to_owned(),
            format: LockfileFormat::Pnpm,
            snippet: (!line.is_empty()).then(|| {
                let (source, label) = (text.clone(), String::new());
                Box::new(Snippet { path: path.to_string(), source, span: line, label })
            }),
        }),
    }
}
