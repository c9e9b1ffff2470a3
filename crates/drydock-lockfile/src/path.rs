//! Paths inside a workspace.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A path relative to the workspace root: UTF-8, `/` between its parts, no `.` or `..` parts, no leading or trailing
/// `/`. The root itself is the empty path. Ordered by bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct WorkspacePath(String);

/// Why a text is not a path inside the workspace.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It starts with `/` or a drive letter.
    #[error("`{0}` is an absolute path")]
    Absolute(String),
    /// It leaves the root by `..`.
    #[error("`{0}` is outside the workspace")]
    Escapes(String),
    /// It holds a NUL byte, which no file system takes.
    #[error("`{0}` holds a NUL byte")]
    Nul(String),
}

impl TryFrom<String> for WorkspacePath {
    type Error = PathError;

    fn try_from(text: String) -> Result<Self, PathError> {
        Self::new(&text)
    }
}

impl WorkspacePath {
    /// The workspace root.
    pub const fn root() -> Self {
        Self(String::new())
    }

    /// Normalises `text`, a path relative to the root: `./` and doubled `/` vanish, `..` is resolved.
    pub fn new(text: &str) -> Result<Self, PathError> {
        Self::root().join(text)
    }

    /// The path `text` relative to this one; `..` may climb, but not out of the workspace.
    pub fn join(&self, text: &str) -> Result<Self, PathError> {
        let drive = matches!(text.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic())
            && text[2..].starts_with(['/', '\\']);
        if text.starts_with('/') || drive {
            return Err(PathError::Absolute(text.to_owned()));
        }
        if text.contains('\0') {
            return Err(PathError::Nul(text.to_owned()));
        }
        let mut parts: Vec<&str> = self.0.split('/').filter(|part| !part.is_empty()).collect();
        for part in text.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    if parts.pop().is_none() {
                        return Err(PathError::Escapes(text.to_owned()));
                    }
                }
                name => parts.push(name),
            }
        }
        Ok(Self(parts.join("/")))
    }

    /// The path of the entry `name` of this directory: one name as a listing gives it, not a path. `None` when it is
    /// none (`.`, `..`, empty, with a `/` or NUL in it). Cheaper than [`Self::join`].
    pub fn child(&self, name: &str) -> Option<Self> {
        if matches!(name, "" | "." | "..") || name.contains(['/', '\0']) {
            return None;
        }
        let mut path = String::with_capacity(self.0.len() + 1 + name.len());
        path.push_str(&self.0);
        if !path.is_empty() {
            path.push('/');
        }
        path.push_str(name);
        Some(Self(path))
    }

    /// The path as text; empty for the root.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path as a person would write it: `.` for the root.
    pub fn display(&self) -> &str {
        if self.0.is_empty() { "." } else { &self.0 }
    }

    /// Whether this is the workspace root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The directory that holds this path; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        Some(Self(self.0.rsplit_once('/').map_or(String::new(), |(parent, _)| parent.to_owned())))
    }

    /// The last part; empty for the root.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// Whether this path is `directory` or lies below it.
    pub fn is_within(&self, directory: &Self) -> bool {
        self.strip_prefix(directory).is_some()
    }

    /// What remains of this path below `directory`: empty when they are equal, `None` when it lies elsewhere.
    pub fn strip_prefix(&self, directory: &Self) -> Option<&str> {
        if directory.is_root() {
            return Some(&self.0);
        }
        let rest = self.0.strip_prefix(&directory.0)?;
        if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
    }

    /// The parts of the path, outermost first; none for the root.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|part| !part.is_empty())
    }
}

impl fmt::Display for WorkspacePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.display())
    }
}

impl fmt::Debug for WorkspacePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalises_and_stays_inside() {
        let path = |text: &str| WorkspacePath::new(text).map(|path| path.as_str().to_owned());
        assert_eq!(path("./packages//a/"), Ok("packages/a".to_owned()));
        assert_eq!(path("packages/a/../b"), Ok("packages/b".to_owned()));
        assert_eq!(path("."), Ok(String::new()));
        assert_eq!(path("../x"), Err(PathError::Escapes("../x".to_owned())));
        assert_eq!(path("a/../../x"), Err(PathError::Escapes("a/../../x".to_owned())));
        assert_eq!(path("/etc"), Err(PathError::Absolute("/etc".to_owned())));
        assert_eq!(path("C:\\x"), Err(PathError::Absolute("C:\\x".to_owned())));
    }

    #[test]
    fn a_child_is_one_name() {
        let path = |text: &str| WorkspacePath::new(text).unwrap();
        assert_eq!(path("a").child("b c"), Some(path("a/b c")));
        assert_eq!(WorkspacePath::root().child("b"), Some(path("b")));
        for name in ["", ".", "..", "b/c", "/", "b\0"] {
            assert_eq!(path("a").child(name), None, "{name:?}");
        }
    }

    #[test]
    fn prefixes_end_at_parts() {
        let path = |text: &str| WorkspacePath::new(text).unwrap();
        assert_eq!(path("packages/ab").strip_prefix(&path("packages/a")), None);
        assert_eq!(path("packages/a/b").strip_prefix(&path("packages/a")), Some("b"));
        assert!(path("x").is_within(&WorkspacePath::root()));
        assert_eq!(path("a/b").parent(), Some(path("a")));
        assert_eq!(path("a").parent(), Some(WorkspacePath::root()));
        assert_eq!(WorkspacePath::root().parent(), None);
    }
}
