//! Checks of what is committed: nothing of the machine it was written on may slip in.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};
use serde_json::Value;

use crate::host;

/// The registry that lock files of the examples may name.
const REGISTRY: &str = "https://registry.npmjs.org/";
/// Home folders that exist in images or stand for anybody's.
const ANYBODY: &[&str] = &["node", "user", "you", "me", "u"];

/// Checks every file that git tracks in `root`.
pub(crate) fn check(root: &Path) -> Result<()> {
    let listed = host::run_quiet(Command::new("git").args(["ls-files", "-z"]).current_dir(root))?;
    let mut findings = Vec::new();
    let mut count = 0;
    for path in listed.split('\0').filter(|path| !path.is_empty()) {
        // A file deleted in the work tree but not yet in git, or a link to a folder.
        let full = root.join(path);
        if !full.is_file() {
            continue;
        }
        count += 1;
        let bytes = fs_err::read(&full)?;
        let Ok(text) = String::from_utf8(bytes) else { continue };
        for (number, line) in text.lines().enumerate() {
            if let Some(found) = home_path(line) {
                findings.push(format!("{path}:{}: `{found}` is a path of one machine", number + 1));
            }
        }
        if path.starts_with("examples/") && path.ends_with("package-lock.json") {
            findings.extend(
                foreign_registries(&text)
                    .into_iter()
                    .map(|url| format!("{path}: `resolved` is `{url}`, not below {REGISTRY}")),
            );
        }
    }
    if !findings.is_empty() {
        bail!("{} places in {count} files\n{}", findings.len(), findings.join("\n"));
    }
    eprintln!("  {count} files");
    Ok(())
}

/// The first path in `line` that lies in a person's home folder.
fn home_path(line: &str) -> Option<&str> {
    let prefixes = [concat!("/ho", "me/"), concat!("/Us", "ers/"), concat!(r"\Us", r"ers\")];
    let is_name = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    for prefix in prefixes {
        for (at, _) in line.match_indices(prefix) {
            let rest = &line[at + prefix.len()..];
            let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
            let name = &rest[..end];
            // `https://example.com/home/page` is an address; `/app/home/x` lies in something else.
            let begins = !line[..at].ends_with(|c: char| is_name(c) || c == '}');
            if begins && !name.is_empty() && !ANYBODY.contains(&name) {
                return Some(&line[at..at + prefix.len() + end]);
            }
        }
    }
    // Images run as root: `/root/.npm` and the like are theirs. Folders without a dot are ours.
    let prefix = concat!("/ro", "ot/");
    line.match_indices(prefix).find_map(|(at, _)| {
        let rest = &line[at + prefix.len()..];
        let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        let begins = !line[..at].ends_with(|c: char| is_name(c) || c == '}' || c == '*');
        (begins && end > 0 && !rest.starts_with('.')).then(|| &line[at..at + prefix.len() + end])
    })
}

/// The `resolved` addresses of a lock file that are on the network but not on the public registry.
fn foreign_registries(text: &str) -> Vec<String> {
    fn walk(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                for (key, member) in members {
                    match member {
                        Value::String(url) if key == "resolved" => {
                            if url.contains("://") && !url.starts_with(REGISTRY) {
                                found.push(url.clone());
                            }
                        }
                        other => walk(other, found),
                    }
                }
            }
            Value::Array(members) => members.iter().for_each(|member| walk(member, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    match serde_json::from_str(text) {
        Ok(lock) => walk(&lock, &mut found),
        Err(error) => found.push(format!("unreadable: {error}")),
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn home_folders_of_people_are_found() {
        let cases = [
            (concat!("root = \"/ho", "me/ana/src\""), Some(concat!("/ho", "me/ana"))),
            (concat!("/Us", "ers/bo/x"), Some(concat!("/Us", "ers/bo"))),
            (concat!(r"C:\Us", r"ers\cy\x"), Some(concat!(r"\Us", r"ers\cy"))),
            (concat!("see /ro", "ot/project"), Some(concat!("/ro", "ot/project"))),
            ("target=/root/.npm", None),
            ("--mount=type=secret,target=/root/.npmrc", None),
            ("WORKDIR /home/node/app", None),
            ("https://example.com/home/page", None),
            ("${prefix}/root/x", None),
        ];
        for (line, expected) in cases {
            assert_eq!(home_path(line), expected, "{line}");
        }
    }

    #[test]
    fn only_the_public_registry_may_be_named() {
        let lock = r#"{"packages": {
            "node_modules/a": {"resolved": "https://registry.npmjs.org/a/-/a-1.0.0.tgz"},
            "node_modules/b": {"resolved": "https://npm.example.com/b/-/b-1.0.0.tgz"},
            "node_modules/c": {"resolved": "packages/c", "link": true},
            "node_modules/d": {"version": "1.0.0"}
        }}"#;
        assert_eq!(foreign_registries(lock), ["https://npm.example.com/b/-/b-1.0.0.tgz"]);
        assert!(foreign_registries("{").first().is_some_and(|found| found.starts_with("unreadable")));
    }
}
