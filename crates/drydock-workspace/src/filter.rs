//! pnpm's grammar for choosing packages: `api...`, `...^lib`, `./services/*`, `{services}[origin/main]`, `!name`.
//!
//! One selector is `['!'] ['...' ['^']] [name] ['{' folder '}'] ['[' revision ']'] [['^'] '...']`, where the name is a
//! glob, and may also be a folder that begins with `./` or `../`. Dots after it add what the packages depend on, dots
//! before it what depends on them; a caret leaves the packages themselves out.

use std::collections::BTreeSet;

use drydock_diagnostics::{Category, Diagnose};
use drydock_lockfile::{PackageName, WorkspacePath};
use globset::{GlobBuilder, GlobMatcher};

use crate::graph::{EdgeFilter, PackageGraph};

/// One selector.
#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools, reason = "each is a mark of the grammar")]
pub struct Filter {
    text: String,
    /// Takes away rather than adds.
    pub exclude: bool,
    /// The names it asks for; `None` when it asks for any.
    pub name: Option<Glob>,
    /// The folders it asks for, from the workspace root.
    pub folder: Option<Glob>,
    /// The revision since which a package must have changed.
    pub since: Option<String>,
    /// What depends on the packages comes with them.
    pub dependents: bool,
    /// What the packages depend on comes with them.
    pub dependencies: bool,
    /// The packages themselves are left out.
    pub without_self: bool,
}

/// A pattern of names or of folders. `*` stands for anything in a name and for anything but `/` in a folder; `**` for
/// any folders.
#[derive(Debug, Clone)]
pub struct Glob {
    text: String,
    matcher: GlobMatcher,
}

/// A text that is no selector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// A filter does not follow the grammar.
    #[error("`{text}` is not a filter: {reason}")]
    Grammar {
        /// The text.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Diagnose for FilterError {
    fn code(&self) -> &'static str {
        "filter-invalid"
    }

    fn category(&self) -> Category {
        Category::Usage
    }

    fn help(&self) -> Option<String> {
        Some(
            "write a name (`api`, `@acme/*`), a folder (`./packages/*`, `{packages/api}`), what changed \
             (`[origin/main]`), with `...` after it for what it depends on, before it for what depends on it"
                .to_owned(),
        )
    }
}

impl Filter {
    /// Whether a text is a selector rather than a plain name.
    pub fn is_filter(text: &str) -> bool {
        text.starts_with(['!', '.', '{', '['])
            || text.ends_with("...")
            || text.ends_with([']', '}'])
            || text.contains(['*', '?'])
    }

    /// Reads a selector. Folders are relative to `from`, the folder that the user is in.
    pub fn parse(text: &str, from: &WorkspacePath) -> Result<Self, FilterError> {
        let wrong = |reason: &str| FilterError::Grammar { text: text.to_owned(), reason: reason.to_owned() };
        let (exclude, rest) = text.strip_prefix('!').map_or((false, text), |rest| (true, rest));
        let (dependents, rest) = rest.strip_prefix("...").map_or((false, rest), |rest| (true, rest));
        let (caret_before, rest) =
            rest.strip_prefix('^').filter(|_| dependents).map_or((false, rest), |rest| (true, rest));
        let (dependencies, rest) = rest.strip_suffix("...").map_or((false, rest), |rest| (true, rest));
        let (caret_after, rest) =
            rest.strip_suffix('^').filter(|_| dependencies).map_or((false, rest), |rest| (true, rest));
        let (rest, since) = bracketed(rest, '[', ']').map_err(|()| wrong("a bracket is not closed"))?;
        let (rest, folder) = bracketed(rest, '{', '}').map_err(|()| wrong("a brace is not closed"))?;
        if since.is_some_and(str::is_empty) {
            return Err(wrong("there is no revision between the brackets"));
        }
        let is_folder = rest == "." || rest == ".." || rest.starts_with("./") || rest.starts_with("../");
        if is_folder && folder.is_some() {
            return Err(wrong("it names two folders"));
        }
        let (name, folder) = if is_folder { ("", Some(rest)) } else { (rest, folder) };
        if name.is_empty() && folder.is_none() && since.is_none() {
            return Err(wrong("it names nothing"));
        }
        let folder = folder
            .map(|folder| {
                let path = from.join(folder).map_err(|_| wrong("the folder is outside the workspace"))?;
                Glob::new(path.as_str(), true).map_err(|reason| wrong(&reason))
            })
            .transpose()?;
        let name = (!name.is_empty()).then(|| Glob::new(name, false).map_err(|reason| wrong(&reason))).transpose()?;
        Ok(Self {
            text: text.to_owned(),
            exclude,
            name,
            folder,
            since: since.map(str::to_owned),
            dependents,
            dependencies,
            without_self: caret_before || caret_after,
        })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The packages of `graph` that it asks for. `is_named` tells whether a package goes by one of the names that a glob
    /// asks for; `changed` holds those that are not as they were at [`Self::since`].
    pub fn select(
        &self,
        graph: &PackageGraph,
        is_named: &dyn Fn(&PackageName, &Glob) -> bool,
        changed: Option<&BTreeSet<PackageName>>,
    ) -> BTreeSet<PackageName> {
        let own: BTreeSet<PackageName> = graph
            .packages()
            .filter(|package| self.name.as_ref().is_none_or(|glob| is_named(package, glob)))
            .filter(|package| {
                let inside = |glob: &Glob| graph.path(package.as_str()).is_some_and(|path| glob.holds(path));
                self.folder.as_ref().is_none_or(inside)
            })
            .filter(|package| self.since.is_none() || changed.is_some_and(|changed| changed.contains(*package)))
            .cloned()
            .collect();
        let mut selected = BTreeSet::new();
        if self.dependents {
            selected.extend(graph.reverse_closure(&own, EdgeFilter::ALL));
        }
        if self.dependencies {
            selected.extend(graph.closure(&own, EdgeFilter::ALL));
        }
        if self.without_self {
            selected.retain(|package| !own.contains(package));
        } else {
            selected.extend(own);
        }
        selected
    }
}

impl Glob {
    fn new(text: &str, is_folder: bool) -> Result<Self, String> {
        // In a name, as in pnpm's, a star takes a slash too.
        let glob = GlobBuilder::new(text).literal_separator(is_folder).build();
        let matcher = glob.map_err(|error| error.kind().to_string())?.compile_matcher();
        Ok(Self { text: text.to_owned(), matcher })
    }

    /// Whether a name or folder is one of those.
    pub fn is_match(&self, text: &str) -> bool {
        self.matcher.is_match(text)
    }

    /// Whether a folder is one of those, or lies below one.
    fn holds(&self, path: &WorkspacePath) -> bool {
        std::iter::successors(Some(path.clone()), WorkspacePath::parent).any(|folder| self.is_match(folder.as_str()))
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it stands for one name only.
    pub fn is_literal(&self) -> bool {
        !self.text.contains(['*', '?', '[', '{'])
    }
}

/// The last part of a text when it is in brackets, and what stands before it.
fn bracketed(text: &str, open: char, close: char) -> Result<(&str, Option<&str>), ()> {
    let Some(inside) = text.strip_suffix(close) else {
        // A bracket elsewhere is one of a glob's.
        return if text.starts_with(open) { Err(()) } else { Ok((text, None)) };
    };
    let (before, inside) = inside.rsplit_once(open).ok_or(())?;
    Ok((before, Some(inside)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::tree::MemoryTree;
    use crate::workspace::Workspace;

    /// web → ui → core, api → core, tools; web and api in `services`.
    fn graph() -> PackageGraph {
        let mut tree = MemoryTree::new();
        let mut write = |path: &str, text: &str| {
            tree.insert(WorkspacePath::new(path).expect("inside"), text.as_bytes().to_vec(), false);
        };
        write("package.json", r#"{"workspaces":["services/*","packages/*"]}"#);
        write("services/web/package.json", r#"{"name":"web","dependencies":{"@acme/ui":"*"}}"#);
        write("services/api/package.json", r#"{"name":"api","devDependencies":{"@acme/core":"*"}}"#);
        write(
            "packages/ui/package.json",
            r#"{"name":"@acme/ui","version":"1.0.0","peerDependencies":{"@acme/core":"*"}}"#,
        );
        write("packages/core/package.json", r#"{"name":"@acme/core","version":"1.0.0"}"#);
        write("packages/tools/package.json", r#"{"name":"tools"}"#);
        let workspace = Workspace::load(Arc::new(tree)).expect("a workspace");
        PackageGraph::new(&workspace, &[]).expect("a graph")
    }

    #[track_caller]
    fn check(text: &str, from: &str, expected: &str) {
        let filter = Filter::parse(text, &WorkspacePath::new(from).expect("inside")).expect("a filter");
        let changed = BTreeSet::from([PackageName::new("@acme/core"), PackageName::new("api")]);
        let named = |package: &PackageName, glob: &Glob| glob.is_match(package.as_str());
        let found = filter.select(&graph(), &named, Some(&changed));
        let found: Vec<&str> = found.iter().map(PackageName::as_str).collect();
        assert_eq!(found.join(" "), expected, "{text}");
    }

    #[test]
    fn names_and_globs() {
        check("api", "", "api");
        check("@acme/*", "", "@acme/core @acme/ui");
        check("*", "", "@acme/core @acme/ui api tools web");
        check("*i", "", "@acme/ui api");
        check("nothing", "", "");
    }

    #[test]
    fn what_they_need_and_what_needs_them() {
        check("web...", "", "@acme/core @acme/ui web");
        check("web^...", "", "@acme/core @acme/ui");
        check("...@acme/core", "", "@acme/core @acme/ui api web");
        check("...^@acme/core", "", "@acme/ui api web");
        check("...@acme/ui...", "", "@acme/core @acme/ui web");
    }

    #[test]
    fn folders_from_where_the_user_is() {
        check("./services/*", "", "api web");
        check("{services}", "", "api web");
        check("./*", "packages", "@acme/core @acme/ui tools");
        check("../services", "packages", "api web");
        check(".", "services/web", "web");
        check("...{packages/ui}", "", "@acme/ui web");
        check("./packages/*...", "", "@acme/core @acme/ui tools");
    }

    #[test]
    fn what_changed() {
        check("[main]", "", "@acme/core api");
        check("{services}[main]", "", "api");
        check("...[main]", "", "@acme/core @acme/ui api web");
        check("@acme/*[main]", "", "@acme/core");
        check("web[main]", "", "");
    }

    #[test]
    fn exclusion_is_told() {
        let filter = Filter::parse("!...^tools", &WorkspacePath::root()).expect("a filter");
        assert!(filter.exclude && filter.dependents && filter.without_self && !filter.dependencies);
        for (text, is) in [("api", false), ("@acme/api", false), ("!api", true), ("api...", true), ("./x", true)] {
            assert_eq!(Filter::is_filter(text), is, "{text}");
        }
    }

    #[test]
    fn mistakes() {
        let error = |text: &str| Filter::parse(text, &WorkspacePath::root()).expect_err("no filter").to_string();
        assert_eq!(error("!"), "`!` is not a filter: it names nothing");
        assert_eq!(error("..."), "`...` is not a filter: it names nothing");
        assert_eq!(error("a[]"), "`a[]` is not a filter: there is no revision between the brackets");
        assert_eq!(error("{a"), "`{a` is not a filter: a brace is not closed");
        assert_eq!(error("../x"), "`../x` is not a filter: the folder is outside the workspace");
        assert_eq!(error("./a{b}"), "`./a{b}` is not a filter: it names two folders");
    }
}
