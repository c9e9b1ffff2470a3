//! Imports of other members that no manifest declares.

use std::collections::BTreeSet;

use drydock_lockfile::{DependencyKind, WorkspacePath};
use rayon::prelude::*;

use super::javascript::{Import, imports};
use super::{Place, UndeclaredImport};
use crate::error::WorkspaceError;
use crate::sources::{SourceFiles, SourceKind};
use crate::workspace::{Package, Workspace};

/// File name endings of the languages whose imports are read.
const LANGUAGES: [&str; 8] = ["js", "mjs", "cjs", "jsx", "ts", "mts", "cts", "tsx"];

/// From how many members on every file is parsed.
const MANY_MEMBERS: usize = 100;

pub(super) fn undeclared(workspace: &Workspace, package: &Package) -> Result<Vec<UndeclaredImport>, WorkspaceError> {
    let declared: BTreeSet<&str> = DependencyKind::BY_PRECEDENCE
        .into_iter()
        .flat_map(|kind| package.manifest.dependencies(kind).map(|(name, _)| name))
        .collect();
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
                    let known = to.name == package.name || (path.is_none() && declared.contains(to.name.as_str()));
                    (!known).then(|| UndeclaredImport {
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

    use crate::inspect::undeclared;
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
}
