//! npm itself, and what it is given.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use drydock_lockfile::{PruneInput, PrunedInstall, WorkspacePath};
use serde_json::Value;

/// Whether everything is to be judged, or a sample.
pub(crate) fn all() -> bool {
    std::env::var("DRYDOCK_ORACLE").is_ok_and(|value| value == "all")
}

/// The npm on the PATH, or with `DRYDOCK_ORACLE=all` the newest npm 10 and npm 11.
pub(crate) fn npms() -> Vec<PathBuf> {
    if all() { vec![npm_of("10"), npm_of("11")] } else { vec![npm_on_path()] }
}

/// The whole lockfile beside the real manifests of some members; the root names only the kept ones.
pub(crate) fn write_whole(
    input: PruneInput<'_>,
    install: &PrunedInstall,
    on_disk: &BTreeSet<WorkspacePath>,
    directory: &Path,
) {
    write(&directory.join("package-lock.json"), input.lockfile.text().as_bytes());
    if let Some(npmrc) = input.npmrc {
        write(&directory.join(".npmrc"), npmrc.as_bytes());
    }
    let mut root = input.root.fields().clone();
    // Members that are there for development only stay dependencies for development only; the others' names would
    // be looked for in a registry.
    let names_outside = |kept: &BTreeSet<WorkspacePath>| -> BTreeSet<&str> {
        let outside = input.members.iter().filter(|(directory, _)| !kept.contains(*directory));
        outside.filter_map(|(_, manifest)| manifest.name()).collect()
    };
    for field in ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"] {
        let outside = names_outside(if field == "devDependencies" { on_disk } else { &install.members });
        if let Some(Value::Object(map)) = root.get_mut(field) {
            map.retain(|name, _| !outside.contains(name.as_str()));
        }
    }
    root.insert("workspaces".to_owned(), install.members.iter().map(WorkspacePath::as_str).collect());
    write(&directory.join("package.json"), serde_json::to_string(&root).unwrap().as_bytes());
    for member in on_disk {
        let manifest = input.members[member];
        write(&directory.join(manifest.path().as_str()), manifest.text().as_bytes());
    }
}

pub(crate) fn write(path: &Path, bytes: &[u8]) {
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    fs_err::write(path, bytes).unwrap();
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).stderr(Stdio::inherit()).output();
    let output = output.unwrap_or_else(|error| panic!("{program} does not run: {error}"));
    assert!(output.status.success(), "{program} {} failed", arguments.join(" "));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

pub(crate) fn npm_cache() -> String {
    run("npm", &["config", "get", "cache"])
}

fn npm_on_path() -> PathBuf {
    Path::new(&run("npm", &["root", "--global"])).join("npm")
}

/// The newest npm of a major version, installed once into the target directory.
fn npm_of(major: &str) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("npm-{major}"));
    let npm = folder.join("node_modules/npm");
    if !npm.join("package.json").is_file() {
        fs_err::create_dir_all(&folder).unwrap();
        run(
            "npm",
            &[
                "install",
                "--no-save",
                "--no-audit",
                "--no-fund",
                "--prefix",
                folder.to_str().unwrap(),
                &format!("npm@{major}"),
            ],
        );
    }
    npm
}
