//! What a workspace is read to be, and what is said of one that is wrong.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::sync::Arc;

use drydock_diagnostics::Diagnose;
use drydock_workspace::{DiskTree, MemoryTree, Workspace, WorkspaceError};
use insta::assert_snapshot;

fn load(fixture: &str) -> Result<Workspace, WorkspaceError> {
    Workspace::load(Arc::new(MemoryTree::from_fixture(fixture)))
}

fn shown(fixture: &str) -> String {
    let workspace = match load(fixture) {
        Ok(workspace) => workspace,
        Err(error) => return shown_error(&error),
    };
    let mut shown = String::new();
    for package in &workspace.packages {
        writeln!(shown, "{} in {}", package.name, package.path).unwrap();
    }
    let version = workspace.manager_version.map(|version| format!(" {version}")).unwrap_or_default();
    let lockfile = workspace.lockfile.map_or("no lockfile".to_owned(), |lockfile| lockfile.path.to_string());
    write!(shown, "{}{version}, {lockfile}", workspace.manager).unwrap();
    for warning in workspace.warnings {
        write!(shown, "\nwarning {}: {}", warning.code, warning.message).unwrap();
    }
    shown
}

fn shown_error(error: &WorkspaceError) -> String {
    let mut shown = format!("error {}: {error}", error.code());
    for place in error.snippets() {
        let (line, column) = place.line_column();
        write!(shown, "\n  at {}:{line}:{column}", place.path).unwrap();
    }
    for note in error.notes() {
        write!(shown, "\n  note: {note}").unwrap();
    }
    write!(shown, "\n  help: {}", error.help().expect("every error has a way out")).unwrap();
    assert_eq!(error.category().exit_code(), 3);
    shown
}

#[test]
fn a_repository_without_workspaces_is_one_package() {
    assert_snapshot!(shown("//- package.json\n{\"name\":\"solo\"}\n//- package-lock.json\n{}"), @r"
    solo in .
    npm, package-lock.json
    ");
    assert_snapshot!(shown("//- package.json\n{\"workspaces\":[]}"), @r"
    root in .
    npm, no lockfile
    ");
}

#[test]
fn members_without_name_are_called_after_their_folder() {
    assert_snapshot!(
        shown("//- package.json\n{\"workspaces\":{\"packages\":[\"libs/**\"]}}\n//- libs/a/package.json\n{}\n//- libs/@s/b/package.json\n{}"),
        @r"
    @s/b in libs/@s/b
    a in libs/a
    npm, no lockfile
    "
    );
}

#[test]
fn the_root_is_a_package_when_it_has_work_of_its_own() {
    let check = |scripts: &str, expected: bool| {
        let fixture = format!(
            "//- package.json\n{{\"name\":\"top\",\"workspaces\":[\"a\"],\"scripts\":{{{scripts}}}}}\n//- a/package.json\n{{}}\n"
        );
        let workspace = load(&fixture).unwrap();
        assert_eq!(workspace.package("top").is_some(), expected, "{scripts}");
    };
    check(r#""start":"node server.js""#, true);
    check(r#""build":"tsc -p . && npm run build -ws""#, true);
    check(r#""build":"npm run build:self","build:self":"rollup -c""#, true);
    check(r#""test":"jest""#, false);
    check(r#""build":"turbo run build""#, false);
    check(r#""build":"npx turbo run build --filter=a""#, false);
    check(r#""build":"npm run build --workspaces --if-present","start":"npm start -w a""#, false);
    check(r#""build":"npm run clean && lerna run build","clean":"rimraf dist""#, false);
    check(r#""start":"concurrently \"npm:start:*\" --kill-others","start:a":"npm run dev --workspace=a""#, false);
    check(r#""start":"concurrently \"npm start -w a\" \"npm run dev -w a\"""#, false);
    check(r#""build":"cd a && vite build""#, false);
    check(r#""start":"node a/server.js""#, false);
    check(r#""start":"cross-env NODE_ENV=production node ./a/dist/index.js""#, false);
    check(r#""build":"tsc --build""#, false);
    check(r#""start":"docker compose up""#, false);
    check(r#""start":"echo start a member""#, false);
}

#[test]
fn the_manager_is_the_declared_one_or_the_one_whose_lockfile_is_there() {
    let check = |package: &str, files: &str, expected: &str| {
        let fixture = format!("//- package.json\n{{{package}}}\n{files}");
        let actual = shown(&fixture);
        assert_eq!(actual.strip_prefix("root in .\n").unwrap_or(&actual), expected, "{package} {files}");
    };
    check("", "//- yarn.lock\n# yarn lockfile v1\n", "yarn classic, yarn.lock");
    check("", "//- yarn.lock\n\n__metadata:\n  version: 8\n", "yarn berry, yarn.lock");
    check("", "//- pnpm-lock.yaml\n\n", "pnpm, pnpm-lock.yaml");
    check("", "//- bun.lock\n{}\n", "bun, bun.lock");
    check("", "//- bun.lockb\n\n", "bun, bun.lockb");
    check("", "//- package-lock.json\n{}\n//- npm-shrinkwrap.json\n{}\n", "npm, npm-shrinkwrap.json");
    check(
        r#""packageManager":"npm@11.13.0+sha512.abc""#,
        "//- bun.lock\n{}\n//- package-lock.json\n{}\n",
        "npm 11.13.0, package-lock.json",
    );
    check(r#""packageManager":"yarn@4.1.0""#, "", "yarn berry 4.1.0, no lockfile");
    check(r#""packageManager":"yarn@1.22.22""#, "", "yarn classic 1.22.22, no lockfile");
    check(r#""devEngines":{"packageManager":{"name":"pnpm","version":"^9"}}"#, "", "pnpm, no lockfile");
    check(
        "",
        "//- package-lock.json\n{}\n//- yarn.lock\n\n",
        "npm, package-lock.json\nwarning several-lockfiles: several lockfiles: `package-lock.json` is used, `yarn.lock` is not",
    );
    check(
        r#""packageManager":"npm@10.0.0""#,
        "//- yarn.lock\n\n",
        "npm 10.0.0, no lockfile\nwarning lockfile-of-other-manager: `yarn.lock` is not the lockfile of the package manager \
         that package.json names",
    );
    check(
        r#""packageManager":"vlt@0.1.0""#,
        "",
        "npm, no lockfile\nwarning unknown-package-manager: `packageManager` names `vlt`, which is not known",
    );
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    assert_snapshot!(shown(""), @r"
    error no-manifest: no `package.json` in `.` or above it
      help: run drydock inside a JavaScript workspace, or pass `--root DIR`
    ");
    assert_snapshot!(shown("//- package.json\n{\n  \"name\": \"x\",\n  oops\n}\n"), @r"
    error manifest-syntax: `package.json` is not valid JSON: key must be a string
      at package.json:3:3
      help: correct the JSON; `npm pkg fix` or an editor shows the same place
    ");
    assert_snapshot!(shown("//- package.json\n{ \"workspaces\": \"packages/*\" }"), @r"
    error workspace-settings-invalid: `package.json` is not valid: `workspaces` is neither a list nor an object with `packages`
      at package.json:1:3
      help: correct the file
    ");
    assert_snapshot!(shown("//- package.json\n{\n  \"workspaces\": [\"packages/*\", \"apps/web\"]\n}\n//- packages/a/README.md\n"), @r#"
    error no-members: `workspaces` matches no package
      at package.json:2:3
      note: `packages/*` matches one folder, and it has no package.json
      note: `apps/web` matches no folder
      help: list folders that hold a package.json, for example `"workspaces": ["packages/*"]`
    "#);
    assert_snapshot!(shown("//- package.json\n{\n  \"workspaces\": [\"packages/*\", \"apps/*\"]\n}\n//- packages/a/package.json\n{}"), @r"
    a in packages/a
    npm, no lockfile
    warning pattern-matches-nothing: workspace pattern `apps/*` matches no folder
    ");
    assert_snapshot!(shown("//- package.json\n{ \"workspaces\": [\"../other\"] }"), @r"
    error path-outside-workspace: `../other` leads outside the workspace
      at package.json:1:3
      note: `workspaces` can only name folders below its package.json
      help: move what it names into the workspace, or take the reference away: a build sees only the workspace
    ");
    assert_snapshot!(shown(
        "//- package.json\n{ \"workspaces\": [\"*\"] }\n//- a/package.json\n{\n  \"name\": \"same\"\n}\n//- b/package.json\n{ \"version\": \"1.0.0\", \"name\": \"same\" }"
    ), @r"
    error duplicate-package-name: two packages are named `same`: `a/package.json` and `b/package.json`
      at a/package.json:2:3
      at b/package.json:1:23
      help: give one of them another `name`, or take `b/package.json` out of `workspaces`
    ");
    assert_snapshot!(shown("//- package.json\n{}\n//- pnpm-workspace.yaml\npackages:\n  - 'a\n"), @r"
    error workspace-settings-invalid: `pnpm-workspace.yaml` is not valid: invalid indentation in multiline quoted scalar
      at pnpm-workspace.yaml:3:1
      help: correct the file
    ");
    assert_snapshot!(shown("//- package.json\n{ \"workspaces\": [\"a\"] }\n//- a -> ../elsewhere"), @r"
    error path-outside-workspace: `a` leads outside the workspace
      note: it is a symbolic link to `../elsewhere`
      help: move what it names into the workspace, or take the reference away: a build sees only the workspace
    ");
    assert_snapshot!(shown("//- package.json\n{ \"workspaces\": [\"a\"] }\n//- a/package.json -> /etc/passwd"), @r"
    error path-outside-workspace: `a/package.json` leads outside the workspace
      note: it is a symbolic link to `/etc/passwd`
      help: move what it names into the workspace, or take the reference away: a build sees only the workspace
    ");
}

#[test]
fn a_member_may_be_a_link_inside_the_workspace() {
    assert_snapshot!(shown("//- package.json\n{ \"workspaces\": [\"packages/*\"] }\n//- real/a/package.json\n{\"name\":\"a\"}\n//- packages/a -> ../real/a"), @r"
    a in packages/a
    npm, no lockfile
    ");
}

#[test]
fn disk_and_memory_read_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let root = camino::Utf8Path::from_path(folder.path()).unwrap();
    fs_err::create_dir_all(root.join("packages/a")).unwrap();
    fs_err::write(root.join("package.json"), r#"{"workspaces":["packages/*"]}"#).unwrap();
    fs_err::write(root.join("packages/a/package.json"), r#"{"name":"a"}"#).unwrap();
    #[cfg(unix)]
    {
        fs_err::os::unix::fs::symlink("/etc", root.join("packages/b")).unwrap();
        fs_err::os::unix::fs::symlink("packages/a/package.json", root.join("inside.json")).unwrap();
        fs_err::os::unix::fs::symlink("packages/b/hostname", root.join("outside.json")).unwrap();
    }
    let tree = DiskTree::new(root);
    let workspace = Workspace::load(Arc::new(DiskTree::new(root))).unwrap();
    assert_eq!(workspace.packages.len(), 1, "a link out of the workspace holds no member");
    #[cfg(unix)]
    {
        use drydock_lockfile::WorkspacePath;
        use drydock_workspace::Tree;
        let read = |path: &str| tree.read(&WorkspacePath::new(path).unwrap());
        assert_eq!(&*read("inside.json").unwrap().unwrap(), br#"{"name":"a"}"#);
        for path in ["outside.json", "packages/b/hostname"] {
            assert_eq!(read(path).unwrap_err().code(), "path-outside-workspace", "{path}");
        }
        assert!(read("packages").unwrap().is_none());
        assert!(read("missing/file").unwrap().is_none());
        assert!(tree.list(&WorkspacePath::new("missing").unwrap()).unwrap().is_empty());
    }
}
