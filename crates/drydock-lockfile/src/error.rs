//! What can be wrong with a lockfile.

use drydock_diagnostics::{Category, Diagnose, Snippet};

use crate::lockfile::LockfileFormat;
use crate::path::WorkspacePath;

/// Why a lockfile cannot be used, or not for what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LockfileError {
    /// The lockfile's name is none that a known package manager writes.
    #[error("`{path}` is not a lockfile that drydock knows")]
    UnknownFormat {
        /// The file.
        path: WorkspacePath,
    },
    /// The lockfile is bun's older format, which is not text.
    #[error("`{path}` is a binary lockfile")]
    Binary {
        /// The file.
        path: WorkspacePath,
    },
    /// The lockfile does not parse.
    #[error("`{path}` does not parse: {message}")]
    Syntax {
        /// The file.
        path: WorkspacePath,
        /// What the parser said.
        message: String,
        /// The text holds the markers of an unfinished merge.
        conflict: bool,
        /// Where.
        snippet: Box<Snippet>,
    },
    /// npm 6 or older wrote the lockfile: it does not say where packages are placed.
    #[error("`{path}` has no `packages`: it was written by npm 6 or older (lockfileVersion {version})")]
    TooOld {
        /// The file.
        path: WorkspacePath,
        /// `lockfileVersion`, or `?`.
        version: String,
        /// Where `lockfileVersion` stands.
        snippet: Option<Box<Snippet>>,
    },
    /// The version of the lockfile's format is not one that drydock knows.
    #[error("`{path}` has lockfile version {version}, which drydock does not know")]
    UnsupportedVersion {
        /// The file.
        path: WorkspacePath,
        /// The version it states.
        version: String,
        /// Which package manager's.
        format: LockfileFormat,
        /// Where the version stands.
        snippet: Option<Box<Snippet>>,
    },
    /// Manifests ask for what the lockfile does not hold.
    #[error("`{lockfile}` does not match {}", manifests_named(.mismatches))]
    OutOfSync {
        /// The lockfile.
        lockfile: WorkspacePath,
        /// Its package manager.
        format: LockfileFormat,
        /// Every difference found, in the order of the manifests' paths. Never empty.
        mismatches: Vec<Mismatch>,
    },
    /// An entry that must be installed needs a package the lockfile does not hold.
    #[error("`{lockfile}` has no entry for `{name}`, which `{dependent}` needs")]
    NotInLockfile {
        /// The lockfile.
        lockfile: WorkspacePath,
        /// The missing package.
        name: String,
        /// The lock key of the entry that needs it.
        dependent: String,
        /// It is a peer dependency.
        peer: bool,
        /// Where the entry stands.
        snippet: Option<Box<Snippet>>,
    },
    /// A link in the lockfile leads to a directory for which there is no entry.
    #[error("`{lockfile}` links `{link}` to `{target}`, for which it has no entry")]
    MissingLinkTarget {
        /// The lockfile.
        lockfile: WorkspacePath,
        /// The lock key of the link.
        link: String,
        /// What it leads to.
        target: String,
        /// Where the link stands.
        snippet: Option<Box<Snippet>>,
    },
    /// A link leads out of the workspace, so it cannot be part of a build context.
    #[error("`{name}` is linked to `{target}`, outside the workspace")]
    OutsideWorkspace {
        /// The lockfile.
        lockfile: WorkspacePath,
        /// The dependency.
        name: String,
        /// Where it leads.
        target: String,
        /// Where the entry stands.
        snippet: Option<Box<Snippet>>,
    },
    /// The selection names a directory that is no member.
    #[error("`{directory}` is not a member of the workspace")]
    UnknownMember {
        /// The directory.
        directory: WorkspacePath,
    },
}

/// One difference between a manifest and the lockfile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// The manifest.
    pub manifest: WorkspacePath,
    /// What differs: lowercase, no full stop.
    pub fact: String,
    /// The place in the manifest that says it.
    pub snippet: Snippet,
}

fn manifests_named(mismatches: &[Mismatch]) -> String {
    let mut names: Vec<&WorkspacePath> = mismatches.iter().map(|mismatch| &mismatch.manifest).collect();
    names.dedup();
    match names.as_slice() {
        [one] => format!("`{one}`"),
        [first, second] => format!("`{first}` and `{second}`"),
        _ => format!("`{}` and {} other manifests", names[0], names.len() - 1),
    }
}

impl Diagnose for LockfileError {
    fn code(&self) -> &'static str {
        match self {
            Self::UnknownFormat { .. } => "lockfile-unknown-format",
            Self::Binary { .. } => "lockfile-binary",
            Self::Syntax { .. } => "lockfile-syntax",
            Self::TooOld { .. } => "lockfile-too-old",
            Self::UnsupportedVersion { .. } => "lockfile-unsupported-version",
            Self::OutOfSync { .. } => "lockfile-out-of-sync",
            Self::NotInLockfile { .. } => "lockfile-entry-missing",
            Self::MissingLinkTarget { .. } => "lockfile-link-target-missing",
            Self::OutsideWorkspace { .. } => "lockfile-link-outside-workspace",
            Self::UnknownMember { .. } => "lockfile-unknown-member",
        }
    }

    fn category(&self) -> Category {
        Category::Workspace
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::UnknownFormat { .. } => {
                "use `package-lock.json`, `npm-shrinkwrap.json`, `pnpm-lock.yaml`, `yarn.lock` or `bun.lock`".to_owned()
            }
            Self::Binary { .. } => {
                "run `bun install --save-text-lockfile --lockfile-only` and commit bun.lock in its place".to_owned()
            }
            Self::Syntax { conflict: true, .. } => {
                "finish the merge: take one side of the file, then run the package manager's `install`".to_owned()
            }
            Self::Syntax { .. } => {
                "restore the file from version control, or delete it and run the package manager's `install`".to_owned()
            }
            Self::TooOld { .. } => {
                "run `npm install --package-lock-only` with npm 7 or newer, and commit the result".to_owned()
            }
            Self::UnsupportedVersion { format, .. } => match format {
                LockfileFormat::Pnpm => "run `pnpm install --lockfile-only` with pnpm 9, 10 or 11".to_owned(),
                _ => "write the lockfile with npm 7 to 12: `npm install --package-lock-only`".to_owned(),
            },
            Self::OutOfSync { format, .. } => {
                format!("run `{} install` to update the lockfile", format.command())
            }
            Self::NotInLockfile { peer: true, .. } => "run `npm install` to add it; if the lockfile is meant to be \
                without peer dependencies, put `legacy-peer-deps=true` into .npmrc"
                .to_owned(),
            Self::NotInLockfile { lockfile, .. } => {
                let command = if lockfile.file_name() == "pnpm-lock.yaml" { "pnpm" } else { "npm" };
                format!("run `{command} install` to complete the lockfile")
            }
            Self::MissingLinkTarget { .. } => {
                "delete package-lock.json and run `npm install`: npm itself refuses this lockfile".to_owned()
            }
            Self::OutsideWorkspace { .. } => {
                "move the directory into the workspace, or publish the package: a build sees only the workspace"
                    .to_owned()
            }
            Self::UnknownMember { .. } => "name a directory that `workspaces` in package.json covers".to_owned(),
        })
    }

    fn snippets(&self) -> Vec<Snippet> {
        match self {
            Self::Syntax { snippet, .. } => vec![(**snippet).clone()],
            Self::TooOld { snippet, .. }
            | Self::UnsupportedVersion { snippet, .. }
            | Self::NotInLockfile { snippet, .. }
            | Self::MissingLinkTarget { snippet, .. }
            | Self::OutsideWorkspace { snippet, .. } => snippet.iter().map(|snippet| (**snippet).clone()).collect(),
            Self::OutOfSync { mismatches, .. } => {
                mismatches.iter().take(SHOWN).map(|mismatch| mismatch.snippet.clone()).collect()
            }
            Self::UnknownFormat { .. } | Self::Binary { .. } | Self::UnknownMember { .. } => Vec::new(),
        }
    }

    fn notes(&self) -> Vec<String> {
        match self {
            Self::OutOfSync { mismatches, .. } if mismatches.len() > SHOWN => {
                let rest = mismatches.iter().skip(SHOWN);
                rest.map(|mismatch| format!("`{}`: {}", mismatch.manifest, mismatch.fact)).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// Differences shown with their place; the rest are notes.
const SHOWN: usize = 5;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_error_has_a_code_a_message_and_a_way_out() {
        let path = || WorkspacePath::new("package-lock.json").unwrap();
        let snippet = || Snippet { path: "x".to_owned(), source: "x".into(), span: 0..1, label: String::new() };
        let boxed = || Some(Box::new(snippet()));
        let text = || "x".to_owned();
        let mismatch = || Mismatch { manifest: path(), fact: text(), snippet: snippet() };
        let all = [
            LockfileError::UnknownFormat { path: path() },
            LockfileError::Binary { path: path() },
            LockfileError::Syntax { path: path(), message: text(), conflict: false, snippet: boxed().unwrap() },
            LockfileError::TooOld { path: path(), version: text(), snippet: boxed() },
            LockfileError::UnsupportedVersion {
                path: path(),
                version: text(),
                format: LockfileFormat::Npm,
                snippet: boxed(),
            },
            LockfileError::OutOfSync {
                lockfile: path(),
                format: LockfileFormat::Npm,
                mismatches: (0..7).map(|_| mismatch()).collect(),
            },
            LockfileError::NotInLockfile {
                lockfile: path(),
                name: text(),
                dependent: text(),
                peer: false,
                snippet: boxed(),
            },
            LockfileError::MissingLinkTarget { lockfile: path(), link: text(), target: text(), snippet: boxed() },
            LockfileError::OutsideWorkspace { lockfile: path(), name: text(), target: text(), snippet: boxed() },
            LockfileError::UnknownMember { directory: path() },
        ];
        let codes: BTreeSet<&str> = all.iter().map(Diagnose::code).collect();
        assert_eq!(codes.len(), all.len(), "a code stands for one situation");
        for error in &all {
            let message = error.to_string();
            assert!(message.starts_with(|letter: char| letter == '`' || letter.is_lowercase()), "{message}");
            assert!(!message.ends_with('.'), "{message}");
            assert!(error.help().is_some_and(|help| !help.is_empty()), "{message}");
            assert!(error.code().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'));
            assert_eq!(error.category(), Category::Workspace);
        }
        assert_eq!(all[5].snippets().len() + all[5].notes().len(), 7, "no difference is kept back");
    }
}
