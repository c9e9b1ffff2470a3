//! Which targets a command is about: names, or pnpm's filters.

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8Path;
use drydock_diagnostics::{Category, Diagnose, closest};
use drydock_plan::{PackageName, TargetName, Targets, WorkspacePath};
use drydock_workspace::{Filter, Glob};

use super::affected::Affected;
use super::load::Loaded;
use super::reasons::Reason;
use super::state::Base;
use crate::args::ChangedArgs;
use crate::failure::Failure;
use crate::shell::Shell;

/// The targets that a command is about.
pub(super) struct Chosen {
    /// As names that a plan takes, of which none means all.
    pub(super) targets: Vec<String>,
    /// Why they are affected, in sentences, where only affected ones were wanted.
    pub(super) reasons: BTreeMap<String, Vec<String>>,
}

/// Filters that come to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum SelectError {
    /// A filter names what is neither a package nor a target.
    #[error("no package and no target is called `{name}`")]
    Unknown { name: String, closest: Option<String> },
    /// A name without a scope that packages of several scopes have.
    #[error("several packages are called `{name}`: {}", quoted(packages))]
    Ambiguous { name: String, packages: Vec<String> },
    /// All filters together leave nothing.
    #[error("the filters {filters} leave no target")]
    Empty { filters: String, packages: Vec<String> },
    /// All of them together leave no package.
    #[error("the filters {filters} leave no package")]
    NoPackage { filters: String },
}

impl SelectError {
    /// All of `texts` together leave no package.
    pub(super) fn no_package(texts: &[String]) -> Self {
        Self::NoPackage { filters: quoted(texts) }
    }
}

fn quoted(texts: &[String]) -> String {
    texts.iter().map(|text| format!("`{text}`")).collect::<Vec<_>>().join(", ")
}

impl Diagnose for SelectError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "filter-unknown",
            Self::Ambiguous { .. } => "filter-ambiguous",
            Self::Empty { .. } | Self::NoPackage { .. } => "filter-empty",
        }
    }

    fn category(&self) -> Category {
        Category::Usage
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::Unknown { closest: Some(name), .. } => format!("did you mean `{name}`?"),
            Self::Unknown { .. } => "`drydock graph` lists the packages, `drydock targets` the targets".to_owned(),
            Self::Ambiguous { .. } => "write the name with its scope".to_owned(),
            Self::Empty { .. } | Self::NoPackage { .. } => "pass `--allow-empty` where that is fine".to_owned(),
        })
    }

    fn notes(&self) -> Vec<String> {
        match self {
            Self::Empty { packages, .. } if !packages.is_empty() => {
                vec![format!("they choose {}, and no image is made of that alone", packages.join(", "))]
            }
            _ => Vec::new(),
        }
    }
}

/// The targets that `texts` mean, as names that a plan takes: `None` for all, which is also what no text means. Where no
/// text is a filter, they are names, which the plan itself judges.
pub(super) fn targets(
    loaded: &Loaded,
    texts: &[String],
    allow_empty: bool,
    shell: &mut Shell,
) -> Result<Option<Vec<String>>, Failure> {
    if texts.is_empty() {
        return Ok(None);
    }
    if !texts.iter().any(|text| Filter::is_filter(text)) {
        return Ok(Some(texts.to_vec()));
    }
    let found = drydock_plan::targets(&loaded.workspace, &loaded.graph, &loaded.config.settings)?;
    let packages = packages(loaded, &found, texts, shell)?;
    let chosen: Vec<String> = found
        .targets
        .iter()
        .filter(|(_, target)| packages.contains(&target.package))
        .map(|(name, _)| name.to_string())
        .collect();
    if chosen.is_empty() && !allow_empty {
        let filters = quoted(texts);
        let packages = packages.iter().map(|name| format!("`{name}`")).collect();
        return Err(SelectError::Empty { filters, packages }.into());
    }
    Ok(Some(chosen))
}

/// The targets that `texts` and `changed` leave. `None` when there is nothing to do, which is then said.
pub(super) fn chosen(
    loaded: &Loaded,
    texts: &[String],
    changed: &ChangedArgs,
    shell: &mut Shell,
) -> Result<Option<Chosen>, Failure> {
    let selected = targets(loaded, texts, changed.allow_empty, shell)?;
    if selected.as_ref().is_some_and(Vec::is_empty) {
        shell.status("Finished", "no target is chosen");
        return Ok(None);
    }
    if !changed.affected {
        return Ok(Some(Chosen { targets: selected.unwrap_or_default(), reasons: BTreeMap::new() }));
    }
    let mut affected = Affected::find(loaded, changed.since.as_deref(), shell)?;
    if let Some(selected) = selected {
        let selected = names(loaded, &selected)?;
        affected.targets.retain(|target| selected.contains(&target.name));
    }
    let since = affected.revision.clone().unwrap_or_default();
    let mut reasons = BTreeMap::new();
    for target in &affected.targets {
        let sentences: Vec<String> = target.reasons.iter().map(Reason::sentence).collect();
        shell.verbose("Affected", format!("{}: {}", target.name, sentences.join("; ")));
        reasons.insert(target.name.to_string(), sentences);
    }
    if affected.targets.is_empty() {
        shell.status("Finished", format!("no target is affected since {since}"));
        return Ok(None);
    }
    Ok(Some(Chosen { targets: affected.names(), reasons }))
}

/// The names of targets that `texts`, names of targets or packages, stand for.
pub(super) fn names(loaded: &Loaded, texts: &[String]) -> Result<BTreeSet<TargetName>, Failure> {
    if texts.is_empty() {
        return Ok(BTreeSet::new());
    }
    // The plan is the judge of what a name means.
    let plan = drydock_plan::plan(&loaded.workspace, &loaded.graph, &loaded.config.settings, texts)?;
    Ok(plan.targets.into_iter().map(|target| target.name).collect())
}

/// The packages that filters choose: the sum of those that add, all when there are none, without those that the others
/// take away. A name stands for the package of the target that is called so, too; and for the one package that has it
/// behind a scope, when none has it as it is.
pub(super) fn packages(
    loaded: &Loaded,
    found: &Targets,
    texts: &[String],
    shell: &mut Shell,
) -> Result<BTreeSet<PackageName>, Failure> {
    let here = current_folder(&loaded.root);
    let filters = texts.iter().map(|text| Filter::parse(text, &here)).collect::<Result<Vec<_>, _>>()?;
    let is_named = |package: &PackageName, glob: &Glob| {
        let mut of_package = found.targets.iter().filter(|(_, target)| target.package == *package);
        glob.is_match(package.as_str()) || of_package.any(|(name, _)| glob.is_match(name.as_str()))
    };
    let mut added = BTreeSet::new();
    let mut taken = BTreeSet::new();
    for filter in &filters {
        let scoped = filter.name.as_ref().map_or(Ok(None), |name| behind_scope(loaded, found, name, &is_named))?;
        let is_named = |package: &PackageName, glob: &Glob| {
            scoped.as_ref().map_or_else(|| is_named(package, glob), |scoped| scoped == package)
        };
        let changed = filter.since.as_deref().map(|revision| changed(loaded, revision, shell)).transpose()?;
        let chosen = filter.select(&loaded.graph, &is_named, changed.as_ref());
        if filter.exclude { taken.extend(chosen) } else { added.extend(chosen) }
    }
    if filters.iter().all(|filter| filter.exclude) {
        added.extend(loaded.graph.packages().cloned());
    }
    Ok(added.difference(&taken).cloned().collect())
}

/// The one package that a name without a scope means, when no package and no target goes by it as it stands. A name that
/// nothing has is a mistake; a glob may find nothing.
fn behind_scope(
    loaded: &Loaded,
    found: &Targets,
    name: &Glob,
    is_named: &dyn Fn(&PackageName, &Glob) -> bool,
) -> Result<Option<PackageName>, SelectError> {
    if loaded.graph.packages().any(|package| is_named(package, name)) {
        return Ok(None);
    }
    let bare = |package: &PackageName| package.as_str().rsplit_once('/').is_some_and(|(_, bare)| name.is_match(bare));
    let mut scoped = loaded.graph.packages().filter(|package| !name.as_str().contains('/') && bare(package));
    match (scoped.next(), scoped.next()) {
        (Some(one), None) => return Ok(Some(one.clone())),
        (Some(one), Some(other)) if name.is_literal() => {
            let packages = [one, other].into_iter().chain(scoped).map(PackageName::to_string).collect();
            return Err(SelectError::Ambiguous { name: name.as_str().to_owned(), packages });
        }
        _ if !name.is_literal() => return Ok(None),
        _ => {}
    }
    let packages = loaded.graph.packages().map(PackageName::as_str);
    let names = packages.chain(found.targets.keys().map(TargetName::as_str));
    let closest = closest(name.as_str(), names).map(str::to_owned);
    Err(SelectError::Unknown { name: name.as_str().to_owned(), closest })
}

/// The packages with a file in their folders that is not what it was; all, with a warning, when nobody knows.
fn changed(loaded: &Loaded, revision: &str, shell: &mut Shell) -> Result<BTreeSet<PackageName>, Failure> {
    let base = match Base::find(loaded, Some(revision), "every package")? {
        Ok(base) => base,
        Err(warning) => {
            shell.warn(&warning);
            return Ok(loaded.graph.packages().cloned().collect());
        }
    };
    let owners = base.changed.keys().filter_map(|path| loaded.workspace.package_of(path));
    Ok(owners.map(|package| package.name.clone()).collect())
}

/// The folder that the user is in, from the root; the root itself from elsewhere.
fn current_folder(root: &Utf8Path) -> WorkspacePath {
    let here = Utf8Path::new(".").canonicalize_utf8().ok();
    let inside = here.as_deref().and_then(|here| here.strip_prefix(root).ok());
    inside.and_then(|inside| WorkspacePath::new(inside.as_str()).ok()).unwrap_or_default()
}
