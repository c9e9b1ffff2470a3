//! Imports of other members that no manifest declares, or none for what runs.

use std::collections::BTreeSet;

use drydock_lockfile::{DependencyKind, WorkspacePath};
use rayon::prelude::*;

use super::commands;
use super::javascript::{Import, ImportKind, imports};
use super::{Place, UndeclaredImport};
use crate::error::WorkspaceError;
use crate::sources::{SourceFiles, SourceKind};
use crate::workspace::{Package, Workspace};

/// File name endings of the languages whose imports are read.
const LANGUAGES: [&str; 8] = ["js", "mjs", "cjs", "jsx", "ts", "mts", "cts", "tsx"];

/// From how many members on every file is parsed.
const MANY_MEMBERS: usize = 100;

/// Folders whose code takes no part in what runs.
const ASIDE: [&str; 9] = ["test", "tests", "e2e", "spec", "stories", "examples", "benchmarks", "fixtures", "scripts"];

/// Beginnings of the names of files that only tools for developers read.
const TOOLS: [&str; 8] =
    ["jest.", "vitest.", "eslint.", ".eslintrc", "playwright.", "cypress.", "karma.", ".prettierrc"];

/// Builders whose output loads each import as the sources do. What others build may have it built in.
const COMPILERS: [&str; 8] = ["tsc", "ttsc", "tspc", "swc", "babel", "nest", "tsc-alias", "tsgo"];

/// Builders that may put what is imported into their output.
const BUNDLERS: [&str; 20] = [
    "vite",
    "webpack",
    "rollup",
    "esbuild",
    "tsup",
    "tsdown",
    "unbuild",
    "ncc",
    "parcel",
    "next",
    "nuxt",
    "nuxi",
    "nitro",
    "nitropack",
    "vinxi",
    "astro",
    "remix",
    "react-router",
    "rspack",
    "bun",
];

pub(super) fn undeclared(workspace: &Workspace, package: &Package) -> Result<Vec<UndeclaredImport>, WorkspaceError> {
    let declared = declared(package, &DependencyKind::BY_PRECEDENCE);
    found(workspace, package, &|_, to, by_path| {
        to.name != package.name && (by_path || !declared.contains(to.name.as_str()))
    })
}

pub(super) fn for_development(
    workspace: &Workspace,
    package: &Package,
) -> Result<Vec<UndeclaredImport>, WorkspaceError> {
    let script = commands::build_script_of(package);
    let programs = script.map(|script| commands::programs(package, script)).unwrap_or_default();
    let runs = |names: &[&str]| programs.iter().any(|program| names.contains(&program.as_str()));
    if runs(&BUNDLERS) || (script.is_some() && !runs(&COMPILERS)) {
        return Ok(Vec::new());
    }
    let others = [DependencyKind::Production, DependencyKind::Optional, DependencyKind::Peer];
    let (developed, run) = (declared(package, &[DependencyKind::Development]), declared(package, &others));
    if !developed.iter().any(|name| workspace.package(name).is_some()) {
        return Ok(Vec::new());
    }
    let mut found = found(workspace, package, &|import, to, by_path| {
        let name = to.name.as_str();
        let loads = matches!(import.kind, ImportKind::Static | ImportKind::Dynamic | ImportKind::Require);
        loads && !by_path && to.name != package.name && developed.contains(name) && !run.contains(name)
    })?;
    found.retain(|import| !is_aside(package, &import.place.file));
    Ok(found)
}

/// Whether a package's file is none of what runs: of its tests, its examples, or a tool's.
fn is_aside(package: &Package, file: &WorkspacePath) -> bool {
    let inside = file.strip_prefix(&package.path).unwrap_or(file.as_str());
    inside.split('/').any(|part| ASIDE.contains(&part)) || TOOLS.iter().any(|tool| file.file_name().starts_with(tool))
}

fn declared<'a>(package: &'a Package, kinds: &[DependencyKind]) -> BTreeSet<&'a str> {
    kinds.iter().flat_map(|kind| package.manifest.dependencies(*kind).map(|(name, _)| name)).collect()
}

/// The imports of other members, of which `is_wanted` tells by the import, the member and whether a path names it.
fn found(
    workspace: &Workspace,
    package: &Package,
    is_wanted: &(impl Fn(&Import, &Package, bool) -> bool + Sync),
) -> Result<Vec<UndeclaredImport>, WorkspaceError> {
    let files = SourceFiles::new(workspace)?.package_files(package)?;
    let found: Result<Vec<Vec<UndeclaredImport>>, WorkspaceError> = files
        .files
        .par_iter()
        .filter(|file| matches!(file.kind, SourceKind::File { .. }) && is_scanned(&file.path))
        .map(|file| {
            let Some(bytes) = workspace.tree.read(&file.path)? else { return Ok(Vec::new()) };
            let text = String::from_utf8_lossy(&bytes);
            if !may_leave(&text, package, workspace) {
                return Ok(Vec::new());
            }
            Ok(imports(file.path.as_str(), &text)
                .into_iter()
                .filter_map(|import| {
                    let (to, path) = target(workspace, &file.path, &import)?;
                    is_wanted(&import, to, path.is_some()).then(|| UndeclaredImport {
                        from: package.name.clone(),
                        to: to.name.clone(),
                        place: Place { file: file.path.clone(), line: Some(import.line) },
                        specifier: import.specifier,
                        path,
                    })
                })
                .collect())
        })
        .collect();
    Ok(found?.into_iter().flatten().collect())
}

/// Whether a text may name another member. Parsing costs, and most files tell by their text that they do not; among many
/// members looking for each name would cost more than the parse.
fn may_leave(text: &str, package: &Package, workspace: &Workspace) -> bool {
    workspace.packages.len() > MANY_MEMBERS
        || text.contains("../")
        || workspace.packages.iter().any(|other| other.name != package.name && text.contains(other.name.as_str()))
}

/// The member that an import loads, and the path when it names one rather than the member.
fn target<'a>(
    workspace: &'a Workspace,
    file: &WorkspacePath,
    import: &Import,
) -> Option<(&'a Package, Option<WorkspacePath>)> {
    let specifier = import.specifier.split(['?', '#']).next().unwrap_or_default();
    if specifier.starts_with("./") || specifier.starts_with("../") || specifier == ".." {
        let path = file.parent()?.join(specifier).ok()?;
        let owner = workspace.package_of(&path)?;
        return Some((owner, Some(path)));
    }
    let mut parts = specifier.splitn(3, '/');
    let first = parts.next()?;
    let name = if first.starts_with('@') { format!("{first}/{}", parts.next()?) } else { first.to_owned() };
    workspace.package(&name).map(|member| (member, None))
}

/// Whether a file's imports count: code that is not a test of its own package.
fn is_scanned(path: &WorkspacePath) -> bool {
    let mut parts = path.file_name().rsplit('.');
    let is_code = parts.next().is_some_and(|ending| LANGUAGES.contains(&ending));
    let is_test = parts.next().is_some_and(|part| matches!(part, "test" | "spec"));
    let in_tests = path.parts().any(|part| matches!(part, "__tests__" | "__mocks__" | "node_modules"));
    is_code && !is_test && !in_tests
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::inspect::{for_development, undeclared};
    use crate::tree::MemoryTree;
    use crate::workspace::Workspace;

    #[test]
    fn names_and_paths_of_other_members_are_found_with_their_line() {
        let tree = MemoryTree::from_fixture(
            r#"
//- package.json
{ "name": "root", "private": true, "workspaces": ["packages/*"] }
//- packages/a/package.json
{ "name": "a", "dependencies": { "b": "*" } }
//- packages/a/src/index.ts
import { b } from 'b';
import { c } from '@acme/c/sub';
import { self } from '../lib';
import theme from '../../c/src/theme';
import external from 'external';
//- packages/a/src/index.spec.ts
import { d } from 'd';
//- packages/b/package.json
{ "name": "b" }
//- packages/c/package.json
{ "name": "@acme/c" }
//- packages/d/package.json
{ "name": "d" }
"#,
        );
        let workspace = Workspace::load(Arc::new(tree)).unwrap();
        let found = undeclared(&workspace, workspace.package("a").unwrap()).unwrap();
        let lines: Vec<String> = found
            .iter()
            .map(|import| {
                format!("{}:{} {} -> {}", import.place.file, import.place.line.unwrap(), import.specifier, import.to)
            })
            .collect();
        assert_eq!(
            lines,
            [
                "packages/a/src/index.ts:2 @acme/c/sub -> @acme/c",
                "packages/a/src/index.ts:4 ../../c/src/theme -> @acme/c",
            ]
        );
        assert_eq!(found[1].path.as_ref().unwrap().as_str(), "packages/c/src/theme");
    }

    #[test]
    fn what_is_declared_for_development_is_missed_where_nothing_builds_it_in() {
        let with = |build: &str| {
            let tree = MemoryTree::from_fixture(&format!(
                r#"
//- package.json
{{ "name": "root", "private": true, "workspaces": ["packages/*"] }}
//- packages/a/package.json
{{ "name": "a", "scripts": {{ "build": "{build}" }}, "dependencies": {{ "d": "*" }}, "devDependencies": {{ "b": "*", "c": "*", "d": "*" }} }}
//- packages/a/src/index.ts
import {{ b }} from 'b';
import type {{ C }} from 'c';
import {{ d }} from 'd';
//- packages/a/test/index.ts
import {{ c }} from 'c';
//- packages/a/jest.config.ts
import {{ c }} from 'c';
//- packages/b/package.json
{{ "name": "b" }}
//- packages/c/package.json
{{ "name": "c" }}
//- packages/d/package.json
{{ "name": "d" }}
"#
            ));
            let workspace = Workspace::load(Arc::new(tree)).unwrap();
            let found = for_development(&workspace, workspace.package("a").unwrap()).unwrap();
            found.iter().map(|import| import.specifier.clone()).collect::<Vec<_>>()
        };
        assert_eq!(with("rimraf dist && tsc --build"), ["b"]);
        assert_eq!(with("tsc --noEmit && vite build"), [""; 0]);
        assert_eq!(with("node build.js"), [""; 0]);
    }
}
