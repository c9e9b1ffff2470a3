//! Which files of a package may enter a context, with git as the judge of its ignore files.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;
use std::sync::Arc;

use camino::Utf8Path;
use drydock_diagnostics::Diagnose;
use drydock_lockfile::WorkspacePath;
use drydock_workspace::{DiskTree, MemoryTree, SourceFiles, SourceKind, Workspace};
use insta::assert_snapshot;

fn listed(fixture: &str, package: &str) -> String {
    let workspace = Workspace::load(Arc::new(MemoryTree::from_fixture(fixture))).unwrap();
    let sources = SourceFiles::new(&workspace).unwrap();
    let found = sources.package_files(workspace.package(package).unwrap()).unwrap();
    let files = found.files.iter().map(|file| match &file.kind {
        SourceKind::File { executable: true, .. } => format!("{} +x", file.path),
        SourceKind::File { .. } => file.path.to_string(),
        SourceKind::Symlink { target } => format!("{} -> {target}", file.path),
    });
    let withheld = found.withheld.iter().map(|file| format!("withheld {}: {:?}", file.path, file.reason));
    files.chain(withheld).collect::<Vec<_>>().join("\n")
}

const TREE: &str = r#"
//- package.json
{"name":"top","workspaces":["packages/**"]}
//- .gitignore
dist/
*.log
!keep.log
/packages/a/only-here
.env*
//- .dockerignore
**/*.md
!packages/a/NOTES.md
packages/a/secret
//- packages/a/package.json
{"name":"a"}
//- packages/a/.gitignore
generated/*
!generated/kept.ts
//- packages/a/src/index.ts
//- packages/a/src/dist/x.js
//- packages/a/dist/index.js
//- packages/a/debug.log
//- packages/a/keep.log
//- packages/a/only-here/x
//- packages/a/README.md
//- packages/a/NOTES.md
//- packages/a/secret/key
//- packages/a/generated/dropped.ts
//- packages/a/generated/kept.ts
//- packages/a/node_modules/x/index.js
//- packages/a/.env
A=1
//- packages/a/bin/cli.js +x
//- packages/a/link.ts -> src/index.ts
//- packages/a/nested/package.json
{"name":"nested"}
//- packages/a/nested/index.ts
//- packages/b/package.json
{"name":"b"}
//- packages/b/.env.production
TOKEN=x
//- packages/b/.env.example
TOKEN=
//- packages/b/.npmrc
//registry.example/:_authToken=abcdef
//- packages/b/sub/.npmrc
//registry.example/:_authToken=${NPM_TOKEN}
//- packages/b/server.pem
-----BEGIN RSA PRIVATE KEY-----
//- packages/b/ca.pem
-----BEGIN CERTIFICATE-----
//- packages/b/.drydock/Dockerfile
"#;

#[test]
fn ignored_files_and_other_members_stay_out() {
    assert_snapshot!(listed(TREE, "a"), @r"
    packages/a/.gitignore
    packages/a/NOTES.md
    packages/a/bin/cli.js +x
    packages/a/generated/kept.ts
    packages/a/keep.log
    packages/a/link.ts -> src/index.ts
    packages/a/package.json
    packages/a/src/index.ts
    ");
}

#[test]
fn secrets_are_withheld_and_told() {
    let tree = TREE.replace(".env*\n", "");
    assert_snapshot!(listed(&tree, "b"), @r"
    packages/b/.env.example
    packages/b/ca.pem
    packages/b/package.json
    packages/b/sub/.npmrc
    withheld packages/b/.env.production: Environment
    withheld packages/b/.npmrc: Token
    withheld packages/b/server.pem: PrivateKey
    ");
}

#[test]
fn a_link_out_of_the_workspace_is_an_error() {
    for target in ["/etc/passwd", "../../elsewhere"] {
        let fixture =
            format!("//- package.json\n{{\"workspaces\":[\"a\"]}}\n//- a/package.json\n{{}}\n//- a/x -> {target}\n");
        let workspace = Workspace::load(Arc::new(MemoryTree::from_fixture(&fixture))).unwrap();
        let sources = SourceFiles::new(&workspace).unwrap();
        let error = sources.package_files(&workspace.packages[0]).unwrap_err();
        assert_eq!(error.code(), "path-outside-workspace");
        assert!(error.to_string().contains("a/x") && error.notes()[0].contains(target), "{error}");
    }
}

#[test]
fn a_named_path_is_listed_though_it_is_ignored() {
    let workspace = Workspace::load(Arc::new(MemoryTree::from_fixture(TREE))).unwrap();
    let sources = SourceFiles::new(&workspace).unwrap();
    let path = |text: &str| WorkspacePath::new(text).unwrap();
    let at = |text: &str| sources.files_at(&path(text)).unwrap().files.len();
    assert_eq!(at("packages/a/debug.log"), 1);
    assert_eq!(at("packages/a/src"), 1);
    assert_eq!(at("packages/none"), 0);
    assert!(sources.is_ignored(&path("packages/a/dist"), true).unwrap());
    assert!(sources.is_ignored(&path("packages/a/dist/index.js"), false).unwrap());
    assert!(!sources.is_ignored(&path("packages/a/src/index.ts"), false).unwrap());
}

/// Git lists the same files as we do, tracked ones that an ignore file names among them, from a workspace that is not
/// the repository's root.
#[test]
fn git_agrees() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Utf8Path::from_path(folder.path()).unwrap();
    let write = |path: &str, text: &str| {
        let path = repository.join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    };
    let git = |arguments: &[&str]| {
        let output = Command::new("git").arg("-C").arg(repository).args(arguments).output().expect("git is on PATH");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    git(&["init", "-q"]);
    write(".gitignore", "*.d.ts\nbuild/\n/js/packages/a/rooted\n**/tmp\nfoo/**/bar\n\\#hash\ntrail \n");
    write("js/.gitignore", "!vite-env.d.ts\n*.cache\n[Tt]emp?\n");
    write("js/package.json", r#"{"workspaces":["packages/*"]}"#);
    write("js/packages/a/.gitignore", "*\n!*.ts\n!*/\n!package.json\n");
    for path in [
        "types/index.d.ts",
        "vite-env.d.ts",
        "src/index.ts",
        "src/x.js",
        "build/out.ts",
        "rooted/x.ts",
        "tmp/x.ts",
        "foo/x/y/bar/z.ts",
        "foo/bar/z.ts",
        "foo/z.ts",
        "a.cache",
        "Temp1/x.ts",
        "Temp/x.ts",
        "#hash",
        "tracked/deep.js",
        "package.json",
    ] {
        write(&format!("js/packages/a/{path}"), "{}");
    }
    git(&[
        "add",
        "-f",
        "js/packages/a/types/index.d.ts",
        "js/packages/a/tracked/deep.js",
        "js/packages/a/build/out.ts",
    ]);
    let expected = git(&["ls-files", "-co", "--exclude-standard", "js/packages/a"]);
    let mut expected: Vec<&str> = expected.lines().filter_map(|line| line.strip_prefix("js/")).collect();
    expected.sort_unstable();

    let workspace = Workspace::load(Arc::new(DiskTree::new(repository.join("js")))).unwrap();
    let sources = SourceFiles::new(&workspace).unwrap();
    let found = sources.package_files(workspace.package("a").unwrap()).unwrap();
    let actual: Vec<&str> = found.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(actual, expected);
    assert!(actual.contains(&"packages/a/types/index.d.ts"));
}
