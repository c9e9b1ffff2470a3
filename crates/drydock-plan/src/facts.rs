//! What the plan knows of a member that takes part: its files, what its build writes, what its build reads elsewhere.

use std::collections::BTreeSet;
use std::ops::Index;

use drydock_lockfile::WorkspacePath;
use drydock_workspace::inspect::{self, ConfigReads, Output, Outputs};
use drydock_workspace::{SourceFile, SourceFiles, Workspace};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::context::outermost;
use crate::declared::{Reader, declared};
use crate::error::PlanError;
use crate::members::{Member, Members, key_part};

/// Files of the root that no build of the root's own package reads.
const NOT_SOURCES: [&str; 7] =
    ["drydock.toml", "drydock.lock", ".dockerignore", ".gitignore", ".npmrc", ".nvmrc", ".node-version"];

/// One member that takes part in a plan.
#[derive(Debug)]
pub(crate) struct Facts {
    /// Its files that stages may see, sorted by path.
    pub(crate) files: Vec<SourceFile>,
    /// What its build writes; `None` when it has none.
    pub(crate) outputs: Option<Outputs>,
    /// What its build reads outside its folder.
    pub(crate) reads: ConfigReads,
    /// What of its own files a build that depends on it reads beside what its build writes: its manifest, and what that
    /// declares.
    pub(crate) handed_on: Vec<WorkspacePath>,
}

/// The facts of the members that take part in a plan.
#[derive(Debug)]
pub(crate) struct AllFacts(Vec<Option<Facts>>);

impl AllFacts {
    /// The facts of some of `count` members.
    pub(crate) fn new(count: usize, facts: Vec<(Member, Facts)>) -> Self {
        let mut all: Vec<Option<Facts>> = std::iter::repeat_with(|| None).take(count).collect();
        for (member, facts) in facts {
            all[member] = Some(facts);
        }
        Self(all)
    }

    /// The facts of a member, if it takes part.
    pub(crate) fn get(&self, member: Member) -> Option<&Facts> {
        self.0[member].as_ref()
    }
}

impl Index<&Member> for AllFacts {
    type Output = Facts;

    fn index(&self, member: &Member) -> &Facts {
        self.get(*member).expect("only members that take part are asked about")
    }
}

impl Facts {
    /// Reads what there is to know of a member.
    pub(crate) fn read(
        workspace: &Workspace,
        sources: &SourceFiles<'_>,
        members: &Members<'_>,
        member: Member,
    ) -> Result<Self, PlanError> {
        let package = members.package(member);
        let mut files = sources.package_files(package)?.files;
        // The root's own: what installs came from, and what only drydock reads, would make every edit of them a build.
        let lockfile = workspace.lockfile.as_ref().map(|lockfile| &lockfile.path);
        files.retain(|file| Some(&file.path) != lockfile && !NOT_SOURCES.contains(&file.path.as_str()));
        if let Some(excluded) = excluded(members, member)? {
            files.retain(|file| !file.path.strip_prefix(&package.path).is_some_and(|inside| excluded.is_match(inside)));
        }
        let Some(script) = members.build_script(member) else {
            return Ok(Self { files, outputs: None, reads: ConfigReads::default(), handed_on: Vec::new() });
        };
        let outputs = match members.settings(member).and_then(|settings| settings.outputs.as_ref()) {
            Some(configured) => configured_outputs(members, member, configured)?,
            None => inspect::outputs_of_script(workspace, package, script)?,
        };
        let reads = inspect::config_reads_of_script(workspace, package, script)?;
        let mut facts = Self { files, outputs: Some(outputs), reads, handed_on: Vec::new() };
        facts.handed_on = declared(package, &facts, Reader::Build);
        facts.handed_on.push(package.manifest.path().clone());
        Ok(facts)
    }

    /// Whether the tree has a planned file at `path`.
    pub(crate) fn has_file(&self, path: &WorkspacePath) -> bool {
        self.files.binary_search_by(|file| file.path.cmp(path)).is_ok()
    }

    /// The planned files at or below `path`.
    pub(crate) fn files_within<'s>(&'s self, path: &'s WorkspacePath) -> impl Iterator<Item = &'s SourceFile> {
        // Not a range: `a-b` sorts between `a` and `a/b`.
        let start = self.files.partition_point(|file| file.path < *path);
        self.files[start..]
            .iter()
            .take_while(move |file| path.is_root() || file.path.as_str().starts_with(path.as_str()))
            .filter(move |file| file.path.is_within(path))
    }

    /// Whether `path` is or lies inside something the build writes.
    pub(crate) fn writes(&self, path: &WorkspacePath) -> bool {
        self.outputs.iter().flat_map(|outputs| &outputs.paths).any(|output| path.is_within(&output.path))
    }
}

fn excluded(members: &Members<'_>, member: Member) -> Result<Option<GlobSet>, PlanError> {
    let Some(settings) = members.settings(member).filter(|settings| !settings.exclude.is_empty()) else {
        return Ok(None);
    };
    let mut set = GlobSetBuilder::new();
    for pattern in &settings.exclude {
        let invalid = |error: globset::Error| PlanError::Pattern {
            key: format!("package.{}.exclude", key_part(members.name(member).as_str())),
            pattern: pattern.clone(),
            message: error.kind().to_string(),
        };
        let bare = pattern.strip_prefix("./").unwrap_or(pattern).trim_end_matches('/');
        // A folder's name leaves out all that is in it.
        for glob in [bare.to_owned(), format!("{bare}/**")] {
            set.add(GlobBuilder::new(&glob).literal_separator(true).build().map_err(invalid)?);
        }
    }
    let set = set.build().map_err(|error| PlanError::Pattern {
        key: format!("package.{}.exclude", key_part(members.name(member).as_str())),
        pattern: settings.exclude.join(", "),
        message: error.kind().to_string(),
    })?;
    Ok(Some(set))
}

fn configured_outputs(members: &Members<'_>, member: Member, configured: &[String]) -> Result<Outputs, PlanError> {
    let package = members.package(member);
    let key = || format!("package.{}.outputs", key_part(package.name.as_str()));
    let mut outputs = Outputs::default();
    for written in configured {
        let (list, text) = match written.strip_prefix('!') {
            Some(text) => (None, text),
            None => (Some(&mut outputs.paths), written.as_str()),
        };
        let path = package
            .path
            .join(without_glob(text))
            .map_err(|_| PlanError::OutsideWorkspace { key: key(), path: written.clone() })?;
        match list {
            None => outputs.excluded.push(path),
            Some(list) => list.push(Output { path, why: format!("`{}` in the configuration", key()), place: None }),
        }
    }
    let outer: BTreeSet<WorkspacePath> =
        outermost(outputs.paths.iter().map(|output| output.path.clone())).into_iter().collect();
    outputs.paths.retain(|output| outer.contains(&output.path));
    outputs.paths.sort_by(|left, right| left.path.cmp(&right.path));
    outputs.paths.dedup_by(|left, right| left.path == right.path);
    outputs.excluded.sort();
    outputs.whole_package = outputs.paths.iter().any(|output| output.path == package.path);
    Ok(outputs)
}

/// The folder that a pattern such as `dist/**` is about.
fn without_glob(pattern: &str) -> &str {
    match pattern.find(['*', '?', '[', '{']) {
        Some(at) => pattern[..at].rsplit_once('/').map_or("", |(folder, _)| folder),
        None => pattern,
    }
}
