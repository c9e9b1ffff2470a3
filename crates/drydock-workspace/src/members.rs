//! Which folders are members of a workspace: npm's `map-workspaces`, and pnpm's `packages`.

use std::collections::{BTreeMap, BTreeSet};

use drydock_lockfile::WorkspacePath;

use crate::error::WorkspaceError;
use crate::pattern::{Part, PathPattern};
use crate::tree::{EntryKind, Tree};

/// The patterns of a workspace, in effect.
#[derive(Debug)]
pub(crate) struct MemberPatterns {
    wanted: Vec<Wanted>,
    ignored: Vec<PathPattern>,
    /// Whether `.` means the root: to pnpm it does, npm ignores it.
    root_is_member: bool,
}

/// A pattern that adds members.
#[derive(Debug)]
struct Wanted {
    /// As written.
    text: String,
    pattern: PathPattern,
}

/// The folders one pattern matches.
#[derive(Debug)]
pub(crate) struct Matched {
    /// The pattern as written.
    pub(crate) pattern: String,
    /// Folders, whether or not they hold a `package.json`.
    pub(crate) folders: BTreeSet<WorkspacePath>,
}

impl MemberPatterns {
    /// npm's reading of `workspaces`: an odd number of `!` negates, a later pattern that a negated one covers takes the
    /// negation back, and a pattern that a negated one covers is dropped (map-workspaces 5, `appendNegatedPatterns`).
    pub(crate) fn npm<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Self {
        let mut wanted: Vec<(&str, String)> = Vec::new();
        let mut negated: Vec<String> = Vec::new();
        for text in patterns {
            let bare = text.trim_start_matches('!');
            let takes_away = (text.len() - bare.len()) % 2 == 1;
            let bare = strip_leading_slash(bare);
            if takes_away {
                negated.push(bare.to_owned());
                continue;
            }
            // npm removes while it walks by index, so the entry after a removed one is not looked at.
            let mut index = 0;
            while index < negated.len() {
                if minimatch(bare, &negated[index]) {
                    negated.remove(index);
                }
                index += 1;
            }
            wanted.push((text, bare.to_owned()));
        }
        for pattern in &negated {
            wanted.retain(|(_, bare)| !minimatch(bare, pattern));
        }
        Self {
            wanted: wanted
                .into_iter()
                .map(|(text, bare)| {
                    let bare = bare.replace('\\', "/");
                    let mut pattern = PathPattern::new(&bare);
                    // npm finds the folder and then drops it again, since its second look keeps the dot.
                    if bare.contains("/./") {
                        pattern.alternatives.clear();
                    }
                    Wanted { text: text.to_owned(), pattern }
                })
                .collect(),
            ignored: negated.iter().map(|text| PathPattern::new(text)).collect(),
            root_is_member: false,
        }
    }

    /// pnpm's reading of `packages`: negated patterns win wherever they stand.
    pub(crate) fn pnpm<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Self {
        let mut this = Self {
            wanted: Vec::new(),
            ignored: vec![PathPattern::new("**/bower_components/**")],
            root_is_member: true,
        };
        for text in patterns {
            match text.strip_prefix('!') {
                Some(bare) => this.ignored.push(PathPattern::new(strip_leading_slash(bare))),
                None => this
                    .wanted
                    .push(Wanted { text: text.to_owned(), pattern: PathPattern::new(strip_leading_slash(text)) }),
            }
        }
        this
    }

    /// The first pattern that leaves the workspace by `..`.
    pub(crate) fn escaping(&self) -> Option<&str> {
        let escapes = |wanted: &&Wanted| {
            wanted.pattern.alternatives.iter().flatten().any(|part| *part == Part::Literal("..".to_owned()))
        };
        self.wanted.iter().find(escapes).map(|wanted| wanted.text.as_str())
    }

    /// Whether a folder at `path` would be a member, its `package.json` aside.
    pub(crate) fn includes(&self, path: &WorkspacePath) -> bool {
        let path = path.display();
        self.wanted.iter().any(|wanted| wanted.pattern.matches_directory(path, false)) && !self.ignores(path)
    }

    /// The folders each pattern matches, in the patterns' order. `node_modules` is never entered.
    pub(crate) fn folders(&self, tree: &dyn Tree) -> Result<Vec<Matched>, WorkspaceError> {
        let mut walk = Walk { tree, listed: BTreeMap::new(), found: BTreeSet::new() };
        self.wanted
            .iter()
            .map(|wanted| {
                for parts in &wanted.pattern.alternatives {
                    if !parts.is_empty() {
                        walk.visit(&WorkspacePath::root(), parts)?;
                    }
                }
                if self.root_is_member && wanted.pattern.alternatives.iter().any(Vec::is_empty) {
                    walk.found.insert(WorkspacePath::root());
                }
                let mut folders = std::mem::take(&mut walk.found);
                folders.retain(|path| !self.ignores(path.display()));
                Ok(Matched { pattern: wanted.text.clone(), folders })
            })
            .collect()
    }

    fn ignores(&self, path: &str) -> bool {
        path.split('/').any(|part| part == "node_modules")
            || self.ignored.iter().any(|pattern| pattern.matches_directory(path, true))
    }
}

/// Walks only where a pattern may match.
struct Walk<'a> {
    tree: &'a dyn Tree,
    listed: BTreeMap<WorkspacePath, Vec<(String, bool)>>,
    found: BTreeSet<WorkspacePath>,
}

impl Walk<'_> {
    fn visit(&mut self, directory: &WorkspacePath, parts: &[Part]) -> Result<(), WorkspaceError> {
        let Some((part, after)) = parts.split_first() else {
            self.found.insert(directory.clone());
            return Ok(());
        };
        match part {
            Part::Literal(name) => {
                if let Ok(next) = directory.join(name) {
                    self.visit(&next, after)?;
                }
            }
            Part::Glob(_) => {
                for (name, _) in self.folders_in(directory)? {
                    if part.matches(&name, false) {
                        self.visit(&directory.join(&name).expect("a listed name stays inside"), after)?;
                    }
                }
            }
            Part::Globstar => {
                // A trailing `**` matches the folder itself too, but never the workspace root.
                if !(after.is_empty() && directory.is_root()) {
                    self.visit(directory, after)?;
                }
                for (name, link) in self.folders_in(directory)? {
                    if part.matches(&name, false) && name != "node_modules" {
                        let next = directory.join(&name).expect("a listed name stays inside");
                        // `**` does not walk through links, though it matches one.
                        self.visit(&next, if link { after } else { parts })?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The folders in a directory, links to folders included and marked.
    fn folders_in(&mut self, directory: &WorkspacePath) -> Result<Vec<(String, bool)>, WorkspaceError> {
        if let Some(listed) = self.listed.get(directory) {
            return Ok(listed.clone());
        }
        let mut folders = Vec::new();
        for entry in self.tree.list(directory)?.iter() {
            match entry.kind {
                EntryKind::Directory => folders.push((entry.name.clone(), false)),
                EntryKind::Symlink { .. } => {
                    let path = directory.join(&entry.name).expect("a listed name stays inside");
                    // A link out of the workspace, or to nothing, holds no member.
                    if self
                        .tree
                        .read(&path.join("package.json").expect("a plain name"))
                        .is_ok_and(|file| file.is_some())
                    {
                        folders.push((entry.name.clone(), true));
                    }
                }
                EntryKind::File { .. } => {}
            }
        }
        self.listed.insert(directory.clone(), folders.clone());
        Ok(folders)
    }
}

/// `./` and `/` at the start mean nothing to npm.
fn strip_leading_slash(pattern: &str) -> &str {
    let rest = pattern.strip_prefix('.').unwrap_or(pattern);
    if rest.starts_with('/') { rest.trim_start_matches('/') } else { pattern }
}

/// minimatch of two patterns, the first taken as a path; a `#` begins a comment there.
fn minimatch(path: &str, pattern: &str) -> bool {
    !pattern.starts_with('#') && PathPattern::new(pattern).matches(path, false)
}
