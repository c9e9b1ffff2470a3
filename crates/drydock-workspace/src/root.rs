//! Finding the workspace root.

use camino::{Utf8Path, Utf8PathBuf};
use drydock_lockfile::WorkspacePath;

use crate::error::WorkspaceError;
use crate::load::{PNPM_WORKSPACE, npm_patterns, read_manifest};
use crate::tree::DiskTree;

/// The workspace root for the directory `start`: the nearest ancestor (or `start` itself) whose `package.json` lists
/// the package around `start` among its `workspaces`, or that has a `pnpm-workspace.yaml`; else the nearest folder with
/// a `package.json`. A relative `start` is taken from the current directory; the answer is absolute.
pub fn find_root(start: &Utf8Path) -> Result<Utf8PathBuf, WorkspaceError> {
    // `.` has no ancestors to walk.
    let absolute = camino::absolute_utf8(start).unwrap_or_else(|_| start.to_owned());
    let mut nearest: Option<&Utf8Path> = None;
    for directory in absolute.ancestors() {
        if directory.join(PNPM_WORKSPACE).is_file() {
            return Ok(directory.to_owned());
        }
        if !directory.join("package.json").is_file() {
            continue;
        }
        let Some(package) = nearest else {
            nearest = Some(directory);
            // A folder with `workspaces` of its own is a root, whatever lies above it.
            if let Ok(Some(manifest)) = read_manifest(&DiskTree::new(directory), &WorkspacePath::root())
                && manifest.workspaces().is_some_and(|patterns| !patterns.is_empty())
            {
                return Ok(directory.to_owned());
            }
            continue;
        };
        // A broken package.json somewhere above is not this workspace's matter.
        let Ok(Some(manifest)) = read_manifest(&DiskTree::new(directory), &WorkspacePath::root()) else { continue };
        let Ok(Some(patterns)) = npm_patterns(&manifest) else { continue };
        let below = package.strip_prefix(directory).ok().and_then(|path| WorkspacePath::new(path.as_str()).ok());
        if below.is_some_and(|path| patterns.includes(&path)) {
            return Ok(directory.to_owned());
        }
    }
    nearest.map(Utf8Path::to_owned).ok_or_else(|| WorkspaceError::NoManifest { start: start.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_root_that_lists_the_package() {
        let folder = tempfile::tempdir().unwrap();
        let top = Utf8Path::from_path(folder.path()).unwrap();
        for (path, text) in [
            ("repo/package.json", r#"{"workspaces":["packages/*"]}"#),
            ("repo/packages/a/package.json", "{}"),
            ("repo/packages/a/src/deep/x.js", ""),
            ("repo/tools/lone/package.json", "{}"),
            ("repo/docs/x.md", ""),
            ("pnpm/pnpm-workspace.yaml", ""),
            ("pnpm/package.json", "{}"),
            ("pnpm/a/package.json", "{}"),
        ] {
            fs_err::create_dir_all(top.join(path).parent().unwrap()).unwrap();
            fs_err::write(top.join(path), text).unwrap();
        }
        let check = |start: &str, expected: &str| {
            assert_eq!(find_root(&top.join(start)).unwrap(), top.join(expected), "{start}");
        };
        check("repo", "repo");
        check("repo/packages/a/src/deep", "repo");
        check("repo/packages", "repo");
        check("repo/docs", "repo");
        check("repo/tools/lone", "repo/tools/lone");
        check("pnpm/a", "pnpm");
        assert!(matches!(find_root(top), Err(WorkspaceError::NoManifest { .. })));
    }
}
