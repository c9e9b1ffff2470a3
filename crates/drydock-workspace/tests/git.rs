//! Commits and changes, in repositories made for the purpose.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use drydock_diagnostics::Diagnose;
use drydock_lockfile::WorkspacePath;
use drydock_workspace::{DiskTree, GitTree, PackageGraph, Repository, SourceFiles, Tree, Workspace};

struct Scratch {
    _folder: tempfile::TempDir,
    root: Utf8PathBuf,
}

impl Scratch {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(folder.path().canonicalize().unwrap()).unwrap();
        let this = Self { _folder: folder, root };
        this.git(&["init", "-q", "-b", "main"]);
        this
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .arg("-C")
            .arg(&self.root)
            .args(["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"])
            .args(arguments)
            .output()
            .expect("git is on PATH");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }

    fn commit(&self, message: &str) -> String {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    fn at(&self, folder: &str) -> Repository {
        Repository::find(&self.root.join(folder)).unwrap().unwrap()
    }
}

/// A workspace in `js/`, with a file outside it.
fn workspace() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("README.md", "top");
    scratch.write("js/package.json", r#"{"workspaces":["packages/*"]}"#);
    scratch.write("js/packages/a/package.json", r#"{"name":"a","dependencies":{"b":"*"}}"#);
    scratch.write("js/packages/a/src/ünï code.ts", "1");
    scratch.write("js/packages/b/package.json", r#"{"name":"b"}"#);
    scratch.write("js/packages/b/run.sh", "#!/bin/sh");
    scratch.write("js/.gitignore", "dist/\n*.d.ts\n");
    scratch.write("js/packages/b/types/index.d.ts", "declare const x: 1;");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let script = scratch.root.join("js/packages/b/run.sh");
        fs_err::set_permissions(script, std::fs::Permissions::from_mode(0o755)).unwrap();
        fs_err::os::unix::fs::symlink("run.sh", scratch.root.join("js/packages/b/link")).unwrap();
    }
    scratch.git(&["add", "-f", "js/packages/b/types/index.d.ts"]);
    scratch.commit("first");
    scratch
}

#[test]
fn a_commit_reads_as_its_checkout() {
    let scratch = workspace();
    let repository = scratch.at("js");
    let commit = repository.commit("HEAD").unwrap();
    let commit = GitTree::at(&repository, &commit).unwrap();
    let disk = DiskTree::new(repository.root());
    let list = |tree: Arc<dyn Tree>| {
        let workspace = Workspace::load(tree).unwrap();
        let sources = SourceFiles::new(&workspace).unwrap();
        let mut listed = Vec::new();
        for package in &workspace.packages {
            let files = sources.package_files(package).unwrap().files;
            listed.extend(files.into_iter().map(|file| {
                let content = workspace.tree.read(&file.path).unwrap();
                format!("{file:?} {content:?}")
            }));
        }
        (listed, PackageGraph::new(&workspace, &[]).unwrap().edges().to_vec())
    };
    let (files, edges) = list(Arc::new(commit));
    assert_eq!((files.clone(), edges.clone()), list(Arc::new(disk)));
    assert_eq!(edges.len(), 1);
    assert!(files.iter().any(|file| file.contains("index.d.ts")), "{files:?}");
    assert!(files.iter().any(|file| file.contains("ünï code.ts")), "{files:?}");
    #[cfg(unix)]
    assert!(
        files.iter().any(|file| file.contains("Symlink")) && files.iter().any(|file| file.contains("executable: true"))
    );
}

#[test]
fn a_past_commit_is_read_whatever_is_checked_out() {
    let scratch = workspace();
    let first = scratch.at("js").commit("HEAD").unwrap();
    fs_err::remove_dir_all(scratch.root.join("js/packages/a")).unwrap();
    scratch.write("js/packages/b/package.json", "not json");
    scratch.commit("second");
    let tree = GitTree::at(&scratch.at("js"), &first).unwrap();
    assert!(tree.read(&WorkspacePath::new("packages/a").unwrap()).unwrap().is_none());
    assert_eq!(Workspace::load(Arc::new(tree)).unwrap().packages.len(), 2);
}

#[test]
fn changes_are_told_from_the_workspace() {
    let scratch = workspace();
    let repository = scratch.at("js");
    let first = repository.commit("HEAD").unwrap();
    scratch.write("README.md", "outside the workspace");
    scratch.write("js/packages/a/src/ünï code.ts", "2");
    scratch.git(&["mv", "js/packages/b/run.sh", "js/packages/b/start.sh"]);
    scratch.commit("second");
    let second = repository.commit("HEAD").unwrap();
    let shown = |changed: Vec<drydock_workspace::ChangedPath>| {
        changed.iter().map(|changed| format!("{:?} {}", changed.change, changed.path)).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(shown(repository.changed_between(&first, &second).unwrap()), @r"
    Modified packages/a/src/ünï code.ts
    Deleted packages/b/run.sh
    Added packages/b/start.sh
    ");
    assert!(repository.changed_since(&second).unwrap().is_empty());

    scratch.write("js/packages/a/untracked.ts", "");
    scratch.write("js/packages/a/dist/ignored.js", "");
    scratch.write("js/packages/b/package.json", r#"{"name":"b","version":"2.0.0"}"#);
    scratch.write("js/packages/b/staged.ts", "");
    scratch.git(&["add", "js/packages/b/staged.ts"]);
    scratch.git(&["rm", "-q", "--cached", "js/packages/b/start.sh"]);
    insta::assert_snapshot!(shown(repository.changed_since(&second).unwrap()), @r"
    Added packages/a/untracked.ts
    Modified packages/b/package.json
    Added packages/b/staged.ts
    Modified packages/b/start.sh
    ");
    assert!(repository.head().unwrap().dirty);
}

#[test]
fn histories_fork_where_git_says() {
    let scratch = workspace();
    let fork = scratch.git(&["rev-parse", "HEAD"]);
    scratch.git(&["checkout", "-q", "-b", "topic"]);
    scratch.write("js/x", "1");
    scratch.commit("on topic");
    scratch.git(&["checkout", "-q", "main"]);
    scratch.write("js/y", "1");
    let main = scratch.commit("on main");
    scratch.git(&["tag", "v1.0.0"]);
    scratch.git(&["tag", "-a", "-m", "annotated", "release"]);
    let repository = scratch.at("js");
    let (main_commit, topic) = (repository.commit("release").unwrap(), repository.commit("topic").unwrap());
    assert_eq!(main_commit.as_str(), main);
    assert_eq!(repository.merge_base(&main_commit, &topic).unwrap().as_str(), fork);
    let head = repository.head().unwrap();
    assert_eq!((head.branch.as_deref(), head.dirty), (Some("main"), false));
    assert_eq!(head.tags, ["release", "v1.0.0"]);
    assert!(head.time > 1_500_000_000);
    scratch.git(&["checkout", "-q", "--detach"]);
    assert_eq!(repository.head().unwrap().branch, None);
}

#[test]
fn what_git_does_not_have_is_told() {
    let scratch = workspace();
    let repository = scratch.at("js");
    for revision in ["nowhere", "", "--all", "HEAD:js", "HEAD~9"] {
        let error = repository.commit(revision).unwrap_err();
        assert_eq!((error.code(), error.category().exit_code()), ("git-revision-unknown", 2), "{revision}");
        assert!(!error.help().unwrap().contains("unshallow"));
    }
    scratch.git(&["checkout", "-q", "--orphan", "other"]);
    scratch.commit("no common history");
    let (one, other) = (repository.commit("main").unwrap(), repository.commit("other").unwrap());
    assert_eq!(repository.merge_base(&one, &other).unwrap_err().code(), "git-no-merge-base");

    let clone = tempfile::tempdir().unwrap();
    let path = Utf8Path::from_path(clone.path()).unwrap().join("shallow");
    scratch.git(&["checkout", "-q", "main"]);
    scratch.write("js/z", "");
    scratch.commit("second");
    scratch.git(&["clone", "-q", "--depth", "1", &format!("file://{}", scratch.root), path.as_str()]);
    let shallow = Repository::find(&path.join("js")).unwrap().unwrap();
    assert!(shallow.is_shallow().unwrap());
    assert!(shallow.commit("HEAD~1").unwrap_err().help().unwrap().contains("unshallow"));
    assert!(Repository::find(Utf8Path::from_path(clone.path()).unwrap()).unwrap().is_none());
}
