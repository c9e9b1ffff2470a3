//! Scenario × modification × expectation: after an edit, which stages run a step? And is that what fingerprints foretold?
//!
//! The scenario is a copy of `examples/chat` that was built once. Each test edits a fresh copy of it, in another folder,
//! builds that, and names exactly the stages in which BuildKit ran a `RUN` step: all others came from its cache.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::LazyLock;

use drydock_test::Fixture;
use serde_json::{Map, Value, json};

use crate::drydock::{Build, nonce, run};

/// The stages of the server's side.
const SERVER_BUILDS: [&str; 3] = ["build-data-provider", "build-data-schemas", "build-api"];
/// The stages of the front end.
const FRONT_END_BUILDS: [&str; 2] = ["build-ui", "build-client"];

/// Built once. The word makes all its steps new to the daemon, whatever was built there before.
static BUILT: LazyLock<String> = LazyLock::new(|| {
    let first = || {
        let word = nonce();
        let build = Build::of(&tree(&word), &["api"]);
        // What a run that stumbled had done is in the cache; the next word is in none.
        (build.runs == 1).then_some((word, build))
    };
    let (word, build) = (0..3).find_map(|_| first()).expect("one of three builds needs one run");
    let ran = build.stages_run();
    let all = [&["install-api", "install-client", "runtime-deps-api"], &SERVER_BUILDS[..], &FRONT_END_BUILDS].concat();
    assert_eq!(ran, all.into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), "the first build");
    word
});

/// The example, with a word in the environment of its steps, and with a package that nobody depends on.
fn tree(word: &str) -> Fixture {
    let fixture = Fixture::example("chat");
    let settings = fixture.read("drydock.toml");
    fixture.write("drydock.toml", &format!("{settings}\n[workspace]\nenv = {{ DRYDOCK_TEST = \"{word}\" }}\n"));
    add_member(&fixture, "packages/notes", "@chat/notes");
    fixture
}

/// Edits a copy of what was built, builds it, and compares the stages that ran.
#[track_caller]
fn check(edit: impl FnOnce(&Fixture), expected: &[&[&str]]) {
    let fixture = tree(&BUILT);
    for arguments in [&["init", "-q"][..], &["add", "-A"], &["commit", "-q", "-m", "built"]] {
        git(&fixture, arguments);
    }
    edit(&fixture);
    let foretold = foretold(&fixture);
    let ran = Build::of(&fixture, &["api"]).stages_run();
    let expected = expected.concat().into_iter().map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(ran, expected, "the stages that ran, and those that had to");
    for stage in &ran {
        assert!(foretold.iter().any(|foretold| foretold.name == *stage), "{stage} ran, its fingerprint is what it was");
    }
    // What is foretold and does not run has nothing to run after the change, or takes from stages that made the same again.
    let must = foretold.iter().filter(|foretold| foretold.direct && foretold.runs);
    for stage in must {
        assert!(ran.contains(&stage.name), "{} was to run, and came from the cache", stage.name);
    }
}

/// A stage whose fingerprint is not what it was.
struct Foretold {
    name: String,
    /// By something of its own, not only by stages it builds on.
    direct: bool,
    /// A command comes after the change.
    runs: bool,
}

fn foretold(fixture: &Fixture) -> Vec<Foretold> {
    let said = run(fixture, &["affected", "--since", "HEAD", "--format", "json", "-q"], 0);
    let document: Value = serde_json::from_str(&said.stdout).expect("a document");
    let stages = document["stages"].as_array().expect("the states were compared");
    let foretold = stages.iter().map(|stage| Foretold {
        name: stage["name"].as_str().expect("a name").to_owned(),
        direct: stage["direct"] == true,
        runs: stage["runs"] == true,
    });
    foretold.collect()
}

fn git(fixture: &Fixture, arguments: &[&str]) {
    let mut command = Command::new("git");
    command.arg("-C").arg(fixture.root());
    command.args(["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]);
    let output = command.args(arguments).output().expect("git is on PATH");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn nothing() {
    check(|_| {}, &[]);
}

#[test]
fn a_value_in_a_library_that_all_depend_on() {
    check(
        |tree| tree.edit("packages/data-provider/src/index.ts", "maxMessageLength = 2000", "maxMessageLength = 1999"),
        &[&SERVER_BUILDS, &FRONT_END_BUILDS],
    );
}

/// The compiler leaves this comment out: its output is the same, and who depends on it is not built again.
#[test]
fn a_comment_in_a_library_that_all_depend_on() {
    check(
        |tree| {
            tree.edit(
                "packages/data-provider/src/index.ts",
                "export interface Draft {\n",
                "export interface Draft {\n  // What somebody typed.\n",
            );
        },
        &[&["build-data-provider"]],
    );
}

#[test]
fn a_source_of_the_front_end() {
    check(|tree| tree.edit("client/src/main.ts", "form.reset();", "form.reset(), void 0;"), &[&["build-client"]]);
}

/// The front end's Tailwind configuration reads the sources of this package, not only its output.
#[test]
fn a_source_of_a_library_of_the_front_end() {
    check(
        |tree| tree.edit("packages/client/src/index.ts", "rounded-bubble px-4", "rounded-bubble px-5"),
        &[&FRONT_END_BUILDS],
    );
}

#[test]
fn a_source_of_the_server() {
    check(|tree| tree.edit("api/server/index.js", "no such endpoint", "nothing here"), &[]);
}

/// The test lies in the package's folder, so its build sees it; what it makes is the same.
#[test]
fn a_test_of_a_library() {
    check(
        |tree| {
            let path = "packages/api/test/conversation.test.mjs";
            tree.write(path, &format!("{}\n// One more line.\n", tree.read(path)));
        },
        &[&["build-api"]],
    );
}

#[test]
fn a_script_of_the_front_end() {
    check(
        |tree| {
            manifest(tree, "client", |client| {
                client["scripts"]["preview"] = json!("vite preview");
            });
        },
        &[&["build-client"]],
    );
}

#[test]
fn a_script_of_the_server() {
    check(
        |tree| {
            manifest(tree, "api", |api| {
                api["scripts"]["debug"] = json!("node --inspect server/index.js");
            });
        },
        &[],
    );
}

/// Who depends on it may read its version, and is given its manifest; nothing is installed anew.
#[test]
fn the_version_of_a_library() {
    check(
        |tree| {
            manifest(tree, "packages/client", |package| package["version"] = json!("0.2.0"));
            locked(tree, |lock| lock["packages/client"]["version"] = json!("0.2.0"));
        },
        &[&FRONT_END_BUILDS],
    );
}

#[test]
fn the_version_of_the_server() {
    check(
        |tree| {
            manifest(tree, "api", |package| package["version"] = json!("0.5.0"));
            locked(tree, |lock| lock["api"]["version"] = json!("0.5.0"));
        },
        &[],
    );
}

/// `picocolors` is in the lockfile already, for others.
#[test]
fn a_dev_dependency_of_one_library() {
    check(
        |tree| add_dependency(tree, "packages/client", "devDependencies", "picocolors", "^1.1.1"),
        &[&["install-client"], &FRONT_END_BUILDS],
    );
}

/// Nothing is built in the server's own package, so only what its image holds is installed anew.
#[test]
fn a_production_dependency_of_the_server() {
    check(
        |tree| {
            add_dependency(tree, "api", "dependencies", "picocolors", "^1.1.1");
            locked(tree, |lock| {
                lock["node_modules/picocolors"].as_object_mut().expect("an entry").shift_remove("dev");
            });
        },
        &[&["runtime-deps-api"]],
    );
}

/// As above, with a package that the lockfile did not have.
#[test]
fn a_production_dependency_of_the_server_that_is_new_to_the_lockfile() {
    check(
        |tree| {
            add_dependency(tree, "api", "dependencies", "escape-string-regexp", "^5.0.0");
            // Its entry as npm 11 writes it. npm 10 takes `libc` from other entries too, which installs them anew.
            let entry = json!({
                "version": "5.0.0",
                "integrity":
                    "sha512-/veY75JbMK4j1yjvuUxuVsiS/hr/4iHs9FTT6cgTexxdE0Ly/glccBAkloH/DofkjRbZU3bnoj38mOmhkZ0lHw==",
                "license": "MIT",
                "engines": { "node": ">=12" },
            });
            locked(tree, |lock| drop(lock.insert("node_modules/escape-string-regexp".to_owned(), entry)));
        },
        &[&["runtime-deps-api"]],
    );
}

/// The server's libraries are built on the install that changes. What they make is the same, so the front end, which
/// depends on one of them, is not built again.
#[test]
fn a_production_dependency_of_a_library_of_the_server() {
    check(
        |tree| {
            add_dependency(tree, "packages/api", "dependencies", "picocolors", "^1.1.1");
            locked(tree, |lock| {
                lock["node_modules/picocolors"].as_object_mut().expect("an entry").shift_remove("dev");
            });
        },
        &[&["install-api", "runtime-deps-api"], &SERVER_BUILDS],
    );
}

/// Tailwind needs it, four edges away.
#[test]
fn the_locked_version_of_what_only_the_front_end_needs() {
    check(
        |tree| {
            locked(tree, |lock| {
                let entry = lock["node_modules/reusify"].as_object_mut().expect("an entry");
                assert_eq!(entry["version"], "1.1.0");
                entry["version"] = json!("1.0.4");
                entry["integrity"] = json!(
                    "sha512-U9nH88a3fc/ekCF1l0/UP1IosiuIjyTh7hBvXVMHYgVcfGvt897Xguj2UOLDeI5BG2m7/uwyaLVT6fbtCwTyzw=="
                );
                entry.shift_remove("resolved");
            });
        },
        &[&["install-client"], &FRONT_END_BUILDS],
    );
}

/// By default a build may use what the root package depends on: all is built anew. The image holds none of it.
#[test]
fn a_dev_dependency_of_the_root() {
    check(
        |tree| {
            manifest(tree, "", |root| root["devDependencies"]["picocolors"] = json!("^1.1.1"));
            locked(tree, |lock| lock[""]["devDependencies"]["picocolors"] = json!("^1.1.1"));
        },
        &[&["install-api", "install-client"], &SERVER_BUILDS, &FRONT_END_BUILDS],
    );
}

#[test]
fn the_order_of_keys_in_the_manifest_of_the_server() {
    check(|tree| reverse_keys(tree, "api"), &[]);
}

/// The file that its build is given has changed. What is installed has not.
#[test]
fn the_order_of_keys_in_the_manifest_of_the_front_end() {
    check(|tree| reverse_keys(tree, "client"), &[&["build-client"]]);
}

/// `client/vite.config.ts` imports this file.
#[test]
fn the_order_of_keys_in_the_manifest_of_the_root() {
    check(|tree| reverse_keys(tree, ""), &[&["build-client"]]);
}

#[test]
fn the_order_of_entries_in_the_lockfile() {
    check(
        |tree| {
            locked(tree, |lock| {
                // The root's entry stays the first, as everywhere.
                let mut entries: Vec<_> = std::mem::take(lock).into_iter().collect();
                entries[1..].reverse();
                lock.extend(entries);
            });
        },
        &[],
    );
}

#[test]
fn a_new_package_that_nobody_depends_on() {
    check(|tree| add_member(tree, "packages/drafts", "@chat/drafts"), &[]);
}

#[test]
fn a_package_that_nobody_depended_on_is_removed() {
    check(
        |tree| {
            fs_err::remove_dir_all(tree.root().join("packages/notes")).expect("the package is there");
            locked(tree, |lock| {
                lock.shift_remove("packages/notes").expect("an entry");
                lock.shift_remove("node_modules/@chat/notes").expect("a link");
            });
        },
        &[],
    );
}

/// The front end's install links the new package. The server's side is left alone.
#[test]
fn a_new_package_that_the_front_end_depends_on() {
    check(
        |tree| {
            add_member(tree, "packages/drafts", "@chat/drafts");
            add_dependency(tree, "client", "dependencies", "@chat/drafts", "*");
        },
        &[&["install-client", "build-drafts"], &FRONT_END_BUILDS],
    );
}

#[test]
fn a_file_at_the_root_that_no_build_reads() {
    check(
        |tree| {
            tree.write("README.md", "# Another text\n");
            tree.write(".prettierrc.json", "{ \"printWidth\": 80 }\n");
            tree.write("docs/new.md", "New.\n");
        },
        &[],
    );
}

/// Every `tsconfig.json` extends it. The edit changes nothing that is made.
#[test]
fn a_file_at_the_root_that_all_builds_read() {
    check(
        |tree| tree.edit("tsconfig.base.json", "\"strict\": true,", "\"strict\": true,\n    \"allowJs\": false,"),
        &[&SERVER_BUILDS, &FRONT_END_BUILDS],
    );
}

#[test]
fn the_port_of_the_target() {
    check(|tree| tree.edit("drydock.toml", "port = 3080", "port = 3081"), &[]);
}

/// Edits the `package.json` of a folder.
fn manifest(tree: &Fixture, folder: &str, edit: impl FnOnce(&mut Value)) {
    let path = if folder.is_empty() { "package.json".to_owned() } else { format!("{folder}/package.json") };
    let mut value: Value = serde_json::from_str(&tree.read(&path)).expect("a manifest is JSON");
    edit(&mut value);
    tree.write(&path, &(serde_json::to_string_pretty(&value).expect("JSON") + "\n"));
}

/// Edits the entries of the lockfile.
fn locked(tree: &Fixture, edit: impl FnOnce(&mut Map<String, Value>)) {
    let mut value: Value = serde_json::from_str(&tree.read("package-lock.json")).expect("a lockfile is JSON");
    edit(value["packages"].as_object_mut().expect("a lockfile has entries"));
    tree.write("package-lock.json", &(serde_json::to_string_pretty(&value).expect("JSON") + "\n"));
}

/// What `npm install` writes for a dependency that the lockfile has already.
fn add_dependency(tree: &Fixture, folder: &str, kind: &str, name: &str, range: &str) {
    manifest(tree, folder, |manifest| manifest[kind][name] = json!(range));
    locked(tree, |lock| lock[folder][kind][name] = json!(range));
}

/// A package with a build, and what `npm install` writes for it.
fn add_member(tree: &Fixture, folder: &str, name: &str) {
    let value = json!({
        "name": name,
        "version": "1.0.0",
        "main": "dist/index.js",
        "scripts": { "build": "mkdir -p dist && cp index.js dist" },
    });
    tree.write(&format!("{folder}/package.json"), &value.to_string());
    tree.write(&format!("{folder}/index.js"), "export const word = 'word';\n");
    locked(tree, |lock| {
        lock.insert(folder.to_owned(), json!({ "name": name, "version": "1.0.0" }));
        lock.insert(format!("node_modules/{name}"), json!({ "resolved": folder, "link": true }));
    });
}

/// Writes the keys of a manifest, and of the objects in it, backwards.
fn reverse_keys(tree: &Fixture, folder: &str) {
    manifest(tree, folder, reverse);
}

fn reverse(value: &mut Value) {
    let Value::Object(map) = value else { return };
    let entries: Vec<_> = std::mem::take(map).into_iter().rev().collect();
    map.extend(entries);
    map.values_mut().for_each(reverse);
}
