//! npm's own `@npmcli/map-workspaces`, from the npm on PATH, judges which folders are members.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;
use std::sync::Arc;

use camino::Utf8Path;
use drydock_diagnostics::Diagnose;
use drydock_workspace::{DiskTree, Workspace};
use serde_json::{Value, json};

/// Folders that get a package.json; `=name` gives one, `-` leaves the folder without.
const FOLDERS: &[&str] = &[
    "packages/a",
    "packages/b",
    "packages/b/nested",
    "packages/b/nested/deeper",
    "packages/empty -",
    "packages/.hidden",
    "packages/node_modules/x",
    "packages/a/node_modules/y",
    "packages/with space",
    "packages/ünï",
    "packages/@scope/c",
    "packages/(paren)",
    "apps/web",
    "apps/web-admin",
    "apps/api",
    "apps/.dot/inner",
    "libs",
    "libs/ui",
    "libs/deep/er/est",
    "tools/a1",
    "tools/a2",
    "tools/b1",
    "node_modules/z",
    "docs -",
];

const PATTERNS: &[&[&str]] = &[
    &["packages/*"],
    &["packages/*/"],
    &["./packages/*"],
    &["/packages/*"],
    &[".//packages/*"],
    &["packages/**"],
    &["packages/**/*"],
    &["**"],
    &["**/*"],
    &["*"],
    &["*/*"],
    &["."],
    &["./"],
    &["packages"],
    &["libs"],
    &["libs/**"],
    &["libs", "libs/*"],
    &["packages/a"],
    &["packages/a/"],
    &["packages/a", "packages/a"],
    &["packages/missing", "packages/a"],
    &["packages/empty", "apps/*"],
    &["packages/*", "!packages/b"],
    &["!packages/b", "packages/*"],
    &["packages/**", "!packages/b"],
    &["packages/**", "!packages/b/**"],
    &["packages/**", "!**/nested"],
    &["packages/**", "!**/nested/**"],
    &["packages/**", "!packages/b/**", "packages/b/nested"],
    &["packages/*", "!packages/*", "packages/a"],
    &["packages/*", "!packages/a", "!packages/b", "packages/a"],
    &["packages/*", "!!packages/b"],
    &["!!packages/b"],
    &["packages/*", "!!!packages/b"],
    &["packages/*", "!./packages/b"],
    &["packages/*", "!/packages/b"],
    &["packages/*", "!packages/b/"],
    &["packages/{a,b}"],
    &["{packages,apps}/*"],
    &["{packages/a,apps/*}"],
    &["apps/web*"],
    &["apps/{web,web-admin}"],
    &["apps/@(web|api)"],
    &["apps/!(web)"],
    &["apps/?(web|api)"],
    &["apps/+(web|-admin)"],
    &["apps/!(web*)"],
    &["tools/a[0-9]"],
    &["tools/[ab]1"],
    &["tools/[!a]*"],
    &["tools/?1"],
    &["tools/a{1..2}"],
    &["packages/.hidden"],
    &["packages/.*"],
    &["apps/.dot/*"],
    &["apps/**/inner"],
    &["packages/with space"],
    &["packages/with*"],
    &["packages/ünï"],
    &["packages/@*/*"],
    &["packages/@scope/*"],
    &["packages/*/node_modules/*"],
    &["packages/node_modules/x", "apps/web"],
    &["node_modules/*", "apps/web"],
    &["packages/./a"],
    &["packages/a/."],
    &["packages/./*", "apps/api"],
    &[".", "apps/api"],
    &["packages//a"],
    &["packages//*"],
    &["packages/b/../a"],
    &["libs/**/est"],
    &["libs/**/er/**"],
    &["**/deep/**"],
    &["**/web"],
    &["apps/**/web"],
    &["packages\\a"],
    &["packages\\*"],
    &["PACKAGES/*", "apps/api"],
    &["packages/*", "!packages/[ab]"],
    &["packages/*", "!**/b"],
    &["packages/*", "!b"],
    &["packages/*", "!packages/.hidden", "apps/*"],
    &["packages/.*", "!packages/*"],
    &["packages/(paren)", "apps/api"],
    &["#comment", "apps/api"],
    &["", "apps/api"],
    &["packages/*", ""],
    &["packages/***"],
    &["packages/a*/**"],
    &["packages/b/**"],
    &["packages/b/*"],
    &["packages/b*"],
    &["apps/*", "!apps/*", "apps/web*", "!apps/web-*"],
    &["apps/*", "!apps/web", "apps/*"],
    &["apps/web", "!apps/*"],
    &["apps/web", "apps/api", "!apps/*", "apps/*-admin"],
];

const SCRIPT: &str = r"
    const fs = require('fs'), path = require('path');
    const npm = fs.realpathSync(require('child_process').execSync('command -v npm').toString().trim());
    const map = require(path.resolve(npm, '../../node_modules/@npmcli/map-workspaces'));
    (async () => {
      const cwd = process.argv[1];
      for (const workspaces of JSON.parse(process.argv[2])) {
        try {
          const found = await map({ cwd, pkg: { workspaces } });
          const list = [...found].map(([name, dir]) => [path.relative(cwd, dir), name]);
          console.log(JSON.stringify(list.sort((a, b) => Buffer.compare(Buffer.from(a[0]), Buffer.from(b[0])))));
        } catch (error) { console.log(JSON.stringify(error.code ?? String(error))); }
      }
    })();";

#[test]
fn npm_agrees_on_every_pattern() {
    let folder = tempfile::tempdir().unwrap();
    let root = Utf8Path::from_path(folder.path()).unwrap();
    for entry in FOLDERS {
        let (path, bare) = entry.strip_suffix(" -").map_or((*entry, false), |path| (path, true));
        fs_err::create_dir_all(root.join(path)).unwrap();
        if !bare {
            fs_err::write(root.join(path).join("package.json"), "{}").unwrap();
        }
    }
    let output = Command::new("node")
        .args(["-e", SCRIPT, root.as_str(), &serde_json::to_string(PATTERNS).unwrap()])
        .output()
        .expect("node is on PATH");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answers = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<Value> = answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), PATTERNS.len());

    let mut wrong = Vec::new();
    for (patterns, expected) in PATTERNS.iter().zip(answers) {
        let manifest = json!({ "workspaces": patterns }).to_string();
        fs_err::write(root.join("package.json"), manifest).unwrap();
        let actual = match Workspace::load(Arc::new(DiskTree::new(root))) {
            Ok(workspace) => workspace
                .packages
                .iter()
                .map(|package| {
                    // npm names the folder of the root itself, which is not the same on two machines.
                    let name = if package.path.is_root() { root.file_name().unwrap() } else { package.name.as_str() };
                    json!([package.path.as_str(), name])
                })
                .collect(),
            Err(error) if error.code() == "no-members" => json!([]),
            Err(error) if error.code() == "duplicate-package-name" => json!("EDUPLICATEWORKSPACE"),
            Err(error) => json!(error.to_string()),
        };
        if actual != expected {
            wrong.push(format!("{patterns:?}\n  npm:     {expected}\n  drydock: {actual}"));
        }
    }
    fs_err::remove_file(root.join("package.json")).unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
