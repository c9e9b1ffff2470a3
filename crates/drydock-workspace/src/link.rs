//! Whether a dependency leads to a member: the package manager's own rule for linking.

use std::collections::{BTreeMap, BTreeSet};

use drydock_lockfile::{DependencyKind, PackageName, WorkspacePath, satisfies};

use crate::error::WorkspaceError;
use crate::graph::UnlinkedReason;
use crate::load;
use crate::workspace::{Package, PackageManager, Workspace};

/// What a dependency leads to.
pub(crate) enum Leads {
    /// The member with this index in the workspace's list.
    ToMember(usize),
    /// Elsewhere, though it looks like a member.
    Elsewhere(UnlinkedReason),
    /// To the registry, as any dependency.
    Away,
}

/// What decides where dependencies lead.
pub(crate) struct Linker<'a> {
    workspace: &'a Workspace,
    by_name: BTreeMap<&'a str, usize>,
    by_path: BTreeMap<&'a WorkspacePath, usize>,
    /// Installed copies of members' names that npm's lockfile holds below a folder of the tree.
    copies: BTreeSet<(String, String)>,
    /// What pnpm's lockfile says of each importer's dependency: linked or not.
    pnpm_links: Option<BTreeMap<(String, String), bool>>,
    pnpm_links_ranges: bool,
}

/// A dependency spec, taken apart as npm's `npm-package-arg` does.
enum Spec<'a> {
    Range(&'a str),
    /// `npm:name@range`.
    Alias {
        name: &'a str,
        range: &'a str,
    },
    /// `workspace:` with what follows.
    Workspace(&'a str),
    /// `file:`, `link:`, `portal:`, or a bare path.
    Path(&'a str),
    /// A git repository, a URL.
    Remote,
}

impl<'a> Linker<'a> {
    pub(crate) fn new(workspace: &'a Workspace) -> Result<Self, WorkspaceError> {
        let by_name = workspace.packages.iter().enumerate().map(|(at, package)| (package.name.as_str(), at)).collect();
        let by_path = workspace.packages.iter().enumerate().map(|(at, package)| (&package.path, at)).collect();
        let mut linker =
            Self { workspace, by_name, by_path, copies: BTreeSet::new(), pnpm_links: None, pnpm_links_ranges: false };
        match (workspace.manager, &workspace.lockfile) {
            (PackageManager::Npm, Some(lockfile)) => linker.copies = linker.npm_copies(&lockfile.text),
            (PackageManager::Pnpm, lockfile) => {
                linker.pnpm_links = lockfile.as_ref().map(|lockfile| pnpm_links(&lockfile.text));
                linker.pnpm_links_ranges = pnpm_links_ranges(workspace)?;
            }
            _ => {}
        }
        Ok(linker)
    }

    /// Where the dependency `name` of `from` with `spec` leads.
    pub(crate) fn lead(
        &self,
        from: &Package,
        kind: DependencyKind,
        name: &str,
        spec: &str,
    ) -> Result<Leads, WorkspaceError> {
        let member = self.by_name.get(name).copied();
        match parse(spec) {
            Spec::Path(path) => self.path(from, kind, name, spec, path),
            Spec::Workspace(rest) => self.workspace_protocol(from, kind, name, spec, rest),
            Spec::Range(range) => Ok(match member {
                Some(member) => self.range(from, kind, name, member, range),
                None => Leads::Away,
            }),
            // Yarn and bun follow an alias to a member; npm resolves it under the alias' own name only.
            Spec::Alias { name: real, range } if member.is_some() && real == name => {
                Ok(self.range(from, kind, name, member.expect("just seen"), range))
            }
            Spec::Alias { .. } | Spec::Remote => Ok(match member {
                Some(member) if self.is_sticky(from) => Leads::ToMember(member),
                Some(_) => Leads::Elsewhere(UnlinkedReason::NotAVersion),
                None => Leads::Away,
            }),
        }
    }

    /// npm never replaces the edges from the root to its workspaces, whatever the root's own maps ask for.
    fn is_sticky(&self, from: &Package) -> bool {
        from.path.is_root() && self.workspace.manager == PackageManager::Npm
    }

    fn range(&self, from: &Package, kind: DependencyKind, name: &str, member: usize, range: &str) -> Leads {
        if self.is_sticky(from) {
            return Leads::ToMember(member);
        }
        if let Some(location) = self.installed_copy(from, name) {
            return Leads::Elsewhere(UnlinkedReason::LockedCopy { location });
        }
        if self.workspace.manager == PackageManager::Pnpm && kind != DependencyKind::Peer {
            let importer = from.path.display().to_owned();
            match self.pnpm_links.as_ref().and_then(|links| links.get(&(importer, name.to_owned()))) {
                Some(true) => return Leads::ToMember(member),
                Some(false) => return Leads::Elsewhere(UnlinkedReason::ManagerDoesNotLink),
                None if !self.pnpm_links_ranges => return Leads::Elsewhere(UnlinkedReason::ManagerDoesNotLink),
                None => {}
            }
        }
        let version = self.workspace.packages[member].manifest.version();
        match satisfies(version, range) {
            Some(true) => Leads::ToMember(member),
            Some(false) => Leads::Elsewhere(UnlinkedReason::VersionOutOfRange { version: version.map(str::to_owned) }),
            None => Leads::Elsewhere(UnlinkedReason::NotAVersion),
        }
    }

    /// `workspace:*`, `workspace:^`, `workspace:^1.2`, `workspace:other@*`, `workspace:../path`.
    fn workspace_protocol(
        &self,
        from: &Package,
        kind: DependencyKind,
        name: &str,
        spec: &str,
        rest: &str,
    ) -> Result<Leads, WorkspaceError> {
        if rest.starts_with('.') {
            return self.path(from, kind, name, spec, rest);
        }
        let (real, range) = match rest.get(1..).and_then(|tail| tail.find('@')) {
            Some(at) => (&rest[..=at], &rest[at + 2..]),
            None => (name, rest),
        };
        let missing = |reason: String| WorkspaceError::LocalPackageMissing {
            from: from.name.clone(),
            name: PackageName::new(name),
            spec: spec.to_owned(),
            reason,
            snippet: Box::new(from.manifest.snippet(&[kind.field(), name], "")),
        };
        // Yarn also takes the path of the member: `workspace:packages/a`.
        let by_path = || WorkspacePath::new(rest).ok().and_then(|path| self.by_path.get(&path).copied());
        let Some(member) = self.by_name.get(real).copied().or_else(by_path) else {
            return Err(missing(format!("no member is named `{real}`")));
        };
        let version = self.workspace.packages[member].manifest.version();
        let met = matches!(range, "" | "*" | "^" | "~")
            || WorkspacePath::new(rest).is_ok_and(|path| path == self.workspace.packages[member].path)
            || satisfies(version, range) == Some(true);
        if met {
            return Ok(Leads::ToMember(member));
        }
        Err(missing(match version {
            Some(version) => format!("the member `{real}` has version {version}"),
            None => format!("the member `{real}` has no version"),
        }))
    }

    /// A folder or packed archive, relative to the package that names it.
    fn path(
        &self,
        from: &Package,
        kind: DependencyKind,
        name: &str,
        spec: &str,
        path: &str,
    ) -> Result<Leads, WorkspaceError> {
        let snippet = || Box::new(from.manifest.snippet(&[kind.field(), name], ""));
        let path = path.split(['#', '?']).next().unwrap_or(path);
        let Ok(place) = from.path.join(path) else {
            return Err(WorkspaceError::Outside {
                path: spec.to_owned(),
                reason: format!("`{}` depends on it, and only the workspace is sent to the builder", from.name),
                snippet: Some(snippet()),
            });
        };
        if let Some(member) = self.by_path.get(&place).copied() {
            return Ok(Leads::ToMember(member));
        }
        let tree = &*self.workspace.tree;
        let archive = [".tgz", ".tar.gz", ".tar"].iter().any(|ending| place.as_str().ends_with(ending));
        if archive && tree.is_file(&place)? {
            return Ok(Leads::Elsewhere(UnlinkedReason::LocalArchive(place)));
        }
        if tree.is_file(&place.join("package.json").expect("a plain name stays inside"))? {
            return Ok(Leads::Elsewhere(UnlinkedReason::LocalFolder(place)));
        }
        let reason = if archive {
            format!("there is no file `{place}`")
        } else if tree.list(&place)?.is_empty() {
            format!("there is no folder `{place}`")
        } else {
            format!("`{place}` has no package.json")
        };
        Err(WorkspaceError::LocalPackageMissing {
            from: from.name.clone(),
            name: PackageName::new(name),
            spec: spec.to_owned(),
            reason,
            snippet: snippet(),
        })
    }

    /// The lockfile's entry of a copy of `name` that `from` would resolve to before the member.
    fn installed_copy(&self, from: &Package, name: &str) -> Option<String> {
        if self.copies.is_empty() {
            return None;
        }
        let mut directory = Some(from.path.clone());
        while let Some(at) = directory.filter(|at| !at.is_root()) {
            if self.copies.contains(&(at.as_str().to_owned(), name.to_owned())) {
                return Some(format!("{at}/node_modules/{name}"));
            }
            directory = at.parent();
        }
        None
    }

    /// Finds keys such as `"packages/a/node_modules/b": {` whose `b` is a member, without parsing the lockfile: one pass
    /// over a text of megabytes takes a millisecond.
    fn npm_copies(&self, text: &str) -> BTreeSet<(String, String)> {
        const MARK: &str = "/node_modules/";
        let mut copies = BTreeSet::new();
        let mut from = 0;
        while let Some(found) = text[from..].find(MARK) {
            let mark = from + found;
            from = mark + MARK.len();
            let Some(start) = text[..mark].rfind(['"', '\n']).map(|quote| quote + 1) else { continue };
            let Some(length) = text[from..].find('"') else { break };
            let (directory, name) = (&text[start..mark], &text[from..from + length]);
            let is_key = text[from + length + 1..].trim_start().starts_with(':');
            if !is_key || directory.contains("node_modules") || !self.by_name.contains_key(name) {
                continue;
            }
            let entry = &text[from + length..];
            let entry = &entry[..entry.find('}').unwrap_or(entry.len())];
            if !entry.contains("\"link\": true") {
                copies.insert((directory.to_owned(), name.to_owned()));
            }
        }
        copies
    }
}

/// Whether pnpm links plain ranges: `linkWorkspacePackages`, off by default since version 9.
fn pnpm_links_ranges(workspace: &Workspace) -> Result<bool, WorkspaceError> {
    let truthy = |value: &str| matches!(value.trim(), "true" | "deep");
    if let Some((settings, _)) = load::pnpm_workspace(&*workspace.tree)?
        && let Some(value) = settings.link_workspace_packages
    {
        return Ok(value.as_bool().unwrap_or_else(|| value.as_str().is_some_and(truthy)));
    }
    let line = workspace.npmrc.as_deref().and_then(|text| {
        text.lines().find_map(|line| line.split_once('=').filter(|(key, _)| key.trim() == "link-workspace-packages"))
    });
    if let Some((_, value)) = line {
        return Ok(truthy(value));
    }
    let major = workspace.manager_version.as_deref().and_then(|version| version.split('.').next()?.parse::<u32>().ok());
    Ok(major.is_some_and(|major| major < 9))
}

/// The `importers` of a pnpm lockfile (v6 and later): `link:` or not, by importer and dependency. pnpm writes the file
/// itself with fixed indentation, so lines are enough.
fn pnpm_links(text: &str) -> BTreeMap<(String, String), bool> {
    let unquoted = |text: &str| text.trim().trim_end_matches(':').trim_matches('\'').to_owned();
    let mut links = BTreeMap::new();
    let (mut importer, mut dependency) = (String::new(), String::new());
    let importers = text.lines().skip_while(|line| *line != "importers:").skip(1);
    for line in importers.take_while(|line| line.is_empty() || line.starts_with(' ')) {
        let indent = line.len() - line.trim_start().len();
        match indent {
            2 => importer = unquoted(line),
            6 => dependency = unquoted(line),
            8 => {
                if let Some(version) = line.trim().strip_prefix("version: ") {
                    links.insert((importer.clone(), dependency.clone()), version.starts_with("link:"));
                }
            }
            _ => {}
        }
    }
    links
}

fn parse(spec: &str) -> Spec<'_> {
    let lower = spec.to_ascii_lowercase();
    if let Some(rest) = spec.strip_prefix("workspace:") {
        return Spec::Workspace(rest);
    }
    for protocol in ["file:", "link:", "portal:"] {
        if lower.starts_with(protocol) {
            let path = &spec[protocol.len()..];
            return Spec::Path(path.strip_prefix("//").filter(|rest| rest.starts_with('.')).unwrap_or(path));
        }
    }
    if spec.starts_with("./") || spec.starts_with("../") || spec.starts_with('/') || matches!(spec, "." | "..") {
        return Spec::Path(spec);
    }
    if lower.starts_with("npm:") {
        let rest = &spec[4..];
        let (name, range) = match rest.get(1..).and_then(|tail| tail.find('@')) {
            Some(at) => (&rest[..=at], &rest[at + 2..]),
            None => (rest, "*"),
        };
        return Spec::Alias { name, range };
    }
    // `catalog:` names a range kept elsewhere; `git+ssh:`, `https:`, `github:` and `owner/repository` are remote.
    if spec.contains(':') || spec.contains('/') { Spec::Remote } else { Spec::Range(spec) }
}
