//! What a dependency's text asks for, and whether an entry answers it (`npm-package-arg`, arborist's `dep-valid.js`).

use crate::npm::entry::Entry;
use crate::path::WorkspacePath;
use crate::range::{is_range, satisfies};

/// A dependency's text, classified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spec<'a> {
    /// A version or a range of versions; `*` for the empty text.
    Range(&'a str),
    /// A distribution tag: `latest`.
    Tag,
    /// Another package under this name: `npm:real@^1`.
    Alias { name: &'a str, range: &'a str },
    /// A directory or a tarball of the tree, without `file:`.
    File(&'a str),
    /// A git repository, also as `owner/name` or `github:owner/name`.
    Git,
    /// The address of a tarball.
    Remote(&'a str),
}

impl<'a> Spec<'a> {
    pub(crate) fn classify(text: &'a str) -> Self {
        let text = text.trim();
        let lower = |prefix: &str| text.get(..prefix.len()).filter(|head| head.eq_ignore_ascii_case(prefix));
        if let Some(head) = lower("file:") {
            return Self::File(&text[head.len()..]);
        }
        let drive = matches!(text.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic());
        if text.starts_with(['.', '/']) || text.starts_with("~/") || drive {
            return Self::File(text);
        }
        if let Some(head) = lower("npm:") {
            let rest = &text[head.len()..];
            let at = rest.char_indices().skip(1).find(|(_, letter)| *letter == '@').map(|(at, _)| at);
            let (name, range) = at.map_or((rest, ""), |at| (&rest[..at], &rest[at + 1..]));
            return Self::Alias { name, range };
        }
        if lower("workspace:").is_some() {
            return Self::Range("*"); // npm rejects it, but other managers' manifests have it
        }
        if is_git(text) {
            return Self::Git;
        }
        if text.contains("://") {
            return Self::Remote(text);
        }
        if text.contains('/') || is_tarball(text) {
            return Self::File(text);
        }
        if is_range(text) {
            return Self::Range(text);
        }
        Self::Tag
    }
}

/// Whether a text names a source (a repository, an address, a file) instead of versions.
pub(crate) fn names_source(text: &str) -> bool {
    // Versions, ranges and tags have none of these; most texts are told apart without parsing a range.
    let suspicious = text.contains(['/', ':', '\\']) || text.trim_start().starts_with('.') || is_tarball(text);
    suspicious && matches!(Spec::classify(text), Spec::Git | Spec::Remote(_) | Spec::File(_))
}

fn is_git(text: &str) -> bool {
    let scheme = text.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme.as_deref() {
        Some("git" | "github" | "gitlab" | "bitbucket" | "gist" | "sourcehut" | "ssh") => return true,
        Some(scheme) if scheme.starts_with("git+") => return true,
        Some("http" | "https") => {
            // A hosted repository's page is a repository for npm; an archive below it is a tarball.
            let rest = text.split_once("://").map_or("", |(_, rest)| rest);
            let rest = rest.split(['#', '?']).next().unwrap_or(rest);
            let mut parts = rest.split('/').filter(|part| !part.is_empty());
            let host = parts.next().unwrap_or_default().rsplit('@').next().unwrap_or_default();
            let hosted = matches!(host.trim_start_matches("www."), "github.com" | "gitlab.com" | "bitbucket.org");
            return hosted && (parts.clone().count() == 2 || parts.nth(2) == Some("tree"));
        }
        _ => {}
    }
    let before_hash = text.split('#').next().unwrap_or(text);
    if text.starts_with("git@") || (before_hash.contains('@') && before_hash.contains(':')) {
        return true;
    }
    let shorthand = before_hash.split('/').count() == 2 && !before_hash.ends_with('/');
    shorthand && !before_hash.contains(['@', ':']) && !before_hash.contains(char::is_whitespace)
}

fn is_tarball(text: &str) -> bool {
    [".tgz", ".tar.gz", ".tar"].iter().any(|ending| {
        let tail = text.len().checked_sub(ending.len()).and_then(|at| text.get(at..));
        tail.is_some_and(|tail| tail.eq_ignore_ascii_case(ending))
    })
}

/// Whether a text is one complete version, `1.2.3-pre+build`, as npm's semver demands it.
pub(crate) fn is_version(text: &str) -> bool {
    let (mut numbers, mut digits) = (0, 0);
    let mut bytes = text.bytes().enumerate();
    for (at, byte) in bytes.by_ref() {
        match byte {
            b'0'..=b'9' => digits += 1,
            b'.' if digits > 0 && numbers < 2 => (numbers, digits) = (numbers + 1, 0),
            b'-' | b'+' if digits > 0 && numbers == 2 => {
                let identifier = |part: &str| {
                    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                };
                return text[at + 1..].split(['.', '+']).all(identifier);
            }
            _ => return false,
        }
    }
    numbers == 2 && digits > 0
}

/// What an edge leads to, as far as its validity goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate<'a> {
    /// The entry, and for links the link.
    pub(crate) entry: &'a Entry,
    /// The directory a link leads to.
    pub(crate) linked: Option<&'a str>,
    /// The version: of links, that of the directory's manifest.
    pub(crate) version: Option<&'a str>,
}

/// Whether npm takes a candidate for a spec. `from` is the directory that relative paths start at. Git repositories
/// count as matching when the candidate comes from git: the lockfile alone cannot say more.
pub(crate) fn is_satisfied(spec: &str, candidate: Candidate<'_>, from: &str) -> bool {
    if candidate.version == Some(spec) && is_version(spec) {
        return true;
    }
    let resolved = candidate.entry.resolved.get();
    let from_git = resolved.is_some_and(|resolved| resolved.starts_with("git"));
    match Spec::classify(spec) {
        Spec::Range(range) | Spec::Alias { range, .. } if range.trim().is_empty() || range.trim() == "*" => true,
        Spec::Range(range) | Spec::Alias { range, .. } => match candidate.version {
            Some(version) => range.trim() == version || satisfies(Some(version), range).unwrap_or(true),
            None => false,
        },
        Spec::Tag => candidate.linked.is_none() && !from_git,
        Spec::Git => candidate.linked.is_none() && from_git,
        Spec::Remote(address) => resolved == Some(address),
        Spec::File(path) => {
            let from = WorkspacePath::new(from).and_then(|from| from.join(path));
            match (candidate.linked, from) {
                (Some(linked), Ok(path)) => linked == path.as_str(),
                (Some(_), Err(_)) => false,
                (None, _) => resolved.is_some_and(|resolved| resolved.starts_with("file:")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classifies_as_npm_does() {
        use Spec::{Alias, File, Git, Range, Remote, Tag};
        for (text, expected) in [
            ("", Range("")),
            ("*", Range("*")),
            ("^1.2.3 || >=4 <5", Range("^1.2.3 || >=4 <5")),
            ("1.2.3-beta.1", Range("1.2.3-beta.1")),
            ("v1.2.3", Range("v1.2.3")),
            ("latest", Tag),
            ("next-11", Tag),
            ("npm:@s/real@^1", Alias { name: "@s/real", range: "^1" }),
            ("npm:real", Alias { name: "real", range: "" }),
            ("file:../lib", File("../lib")),
            ("../lib", File("../lib")),
            ("./x.tgz", File("./x.tgz")),
            ("vendor/x-1.0.0.tgz", Git), // npm reads `a/b` as a GitHub repository
            ("file:vendor/x-1.0.0.tgz", File("vendor/x-1.0.0.tgz")),
            ("owner/name", Git),
            ("owner/name#semver:^1", Git),
            ("github:owner/name#v1", Git),
            ("git+ssh://git@example.org/o/n.git#abc", Git),
            ("git@github.com:o/n.git", Git),
            ("https://github.com/o/n", Git),
            ("https://github.com/o/n.git#main", Git),
            ("https://github.com/o/n/archive/x.tar.gz", Remote("https://github.com/o/n/archive/x.tar.gz")),
            ("https://example.org/x.tgz", Remote("https://example.org/x.tgz")),
        ] {
            assert_eq!(Spec::classify(text), expected, "{text}");
        }
    }

    #[test]
    fn a_version_is_complete() {
        for version in ["1.2.3", "0.0.0-alpha.1", "1.2.3+build.5", "1.2.3-rc-1.x+b"] {
            assert!(is_version(version), "{version}");
        }
        for other in ["1.2", "1.2.3.4", "v1.2.3", "^1.2.3", "1.2.x", "", "1.2.3-", "latest"] {
            assert!(!is_version(other), "{other}");
        }
    }
}
