//! A lockfile of any known package manager.

use std::fmt;
use std::sync::Arc;

use crate::error::LockfileError;
use crate::npm::NpmLock;
use crate::path::WorkspacePath;

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
    Npm(NpmLock),
}

impl Lockfile {
    /// Parses the lockfile at `path`; its file name tells the format.
    pub fn parse(path: WorkspacePath, text: &str) -> Result<Self, LockfileError> {
        let text: Arc<str> = text.strip_prefix('\u{feff}').unwrap_or(text).into();
        let content = match path.file_name() {
            "package-lock.json" | "npm-shrinkwrap.json" => Content::Npm(NpmLock::parse(&path, &text)?),
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
        }
    }

    pub(crate) fn npm(&self) -> Option<&NpmLock> {
        match &self.content {
            Content::Npm(lock) => Some(lock),
        }
    }

    /// How many entries it has: placed packages, links and members.
    pub fn len(&self) -> usize {
        match &self.content {
            Content::Npm(lock) => lock.len(),
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
        }
    }
}
