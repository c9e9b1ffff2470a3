//! Replays of generated histories. Replay walks with all that commits have in common known already; `affected` plans each of
//! two commits by itself, from a checkout and from git's objects. Both must say the same of every commit.

use drydock_test::{Fixture, lockfile};
use serde_json::{Value, json};

use crate::support::{commit_all, drydock, git, stdout};

/// A workspace that is edited at random.
struct Workspace {
    fixture: Fixture,
    /// The numbers of the libraries; the service needs those that are even.
    libraries: Vec<usize>,
    /// The versions of third-party packages: of one that the service needs, of one that the first library is built with.
    versions: [usize; 2],
    /// Files that came with a step.
    added: Vec<String>,
    random: u64,
}

impl Workspace {
    fn new(seed: u64) -> Self {
        let fixture = Fixture::new(
            r#"
//- .nvmrc
22
//- drydock.toml
[target.api]
package = "@acme/api"
port = 3000
//- tsconfig.base.json
{ "compilerOptions": { "strict": true } }
//- shared/words.ts
export const words = ['one'];
//- api/server.js
require('http').createServer().listen(3000);
//- site/package.json
{ "name": "@acme/site", "version": "1.0.0", "scripts": { "build": "vite build" } }
//- site/index.html
<!doctype html>
//- site/vite.config.js
export default { build: { outDir: 'dist' } };
"#,
        );
        let mut this = Self { fixture, libraries: Vec::new(), versions: [0, 0], added: Vec::new(), random: seed };
        for library in 0..3 {
            this.add_library(library);
        }
        this.write_manifests("");
        this
    }

    fn add_library(&mut self, library: usize) {
        let folder = format!("packages/lib-{library}");
        let tsconfig = r#"{ "extends": "../../tsconfig.base.json", "compilerOptions": { "outDir": "dist" } }"#;
        self.fixture.write(&format!("{folder}/tsconfig.json"), tsconfig);
        self.fixture.write(&format!("{folder}/src/index.ts"), "export const x = 1;\n");
        self.libraries.push(library);
    }

    /// All manifests and the lockfile. `description` is one of the first library.
    fn write_manifests(&self, description: &str) {
        let root = json!({ "name": "acme", "workspaces": ["packages/*", "api", "site"] }).to_string();
        self.fixture.write("package.json", &root);
        let needed = self.libraries.iter().filter(|library| *library % 2 == 0);
        let mut needed: serde_json::Map<String, Value> =
            needed.map(|library| (format!("@acme/lib-{library}"), json!("*"))).collect();
        needed.insert("pad".to_owned(), json!("^1.0.0"));
        let api = json!({
            "name": "@acme/api", "version": "1.0.0", "scripts": { "start": "node server.js" }, "dependencies": needed,
        });
        let mut members = vec![("api".to_owned(), "@acme/api".to_owned(), api.to_string())];
        for (index, library) in self.libraries.iter().enumerate() {
            let mut manifest = json!({
                "name": format!("@acme/lib-{library}"), "version": "1.0.0", "main": "dist/index.js",
                "scripts": { "build": "tsc" },
            });
            if index == 0 {
                manifest["description"] = json!(description);
                manifest["devDependencies"] = json!({ "tool": "^1.0.0" });
            }
            let folder = format!("packages/lib-{library}");
            members.push((folder, format!("@acme/lib-{library}"), manifest.to_string()));
        }
        for (folder, _, manifest) in &members {
            self.fixture.write(&format!("{folder}/package.json"), manifest);
        }
        members.push(("site".to_owned(), "@acme/site".to_owned(), self.fixture.read("site/package.json")));
        let members: Vec<_> =
            members.iter().map(|(folder, name, text)| (folder.as_str(), name.as_str(), text.as_str())).collect();
        let mut lock: Value = serde_json::from_str(&lockfile(&root, &members)).expect("a lockfile is JSON");
        for (name, version, is_for_development) in [("pad", self.versions[0], false), ("tool", self.versions[1], true)]
        {
            let mut entry = json!({ "version": format!("1.0.{version}"), "resolved": format!("https://registry.npmjs.org/{name}/-/{name}-1.0.{version}.tgz") });
            if is_for_development {
                entry["dev"] = json!(true);
            }
            lock["packages"][format!("node_modules/{name}")] = entry;
        }
        self.fixture.write("package-lock.json", &format!("{lock:#}\n"));
    }

    /// Less than `limit`; the same for the same seed on every machine.
    fn below(&mut self, limit: usize) -> usize {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.random >> 40).expect("24 bits fit") % limit
    }

    /// Edits something, and says what.
    fn step(&mut self, number: usize) -> String {
        let at = self.below(self.libraries.len());
        let which = self.below(2);
        let library = self.libraries[at];
        let source = format!("packages/lib-{library}/src/index.ts");
        let kind = self.below(16);
        let append = |path: &str, line: &str| self.fixture.write(path, &(self.fixture.read(path) + line));
        match kind {
            0 | 1 => append(&source, &format!("export const x{number} = {number};\n")),
            2 if self.fixture.read(&source).contains("shared") => {
                self.fixture.write(&source, "export const x = 1;\n");
                return format!("{source} leaves its package no more");
            }
            2 | 3 => {
                append(&source, "export { words } from '../../../shared/words';\n");
                return format!("{source} leaves its package");
            }
            4 => append("shared/words.ts", &format!("words.push('{number}');\n")),
            5 => {
                let path = format!("packages/lib-{library}/src/new-{number}.ts");
                self.fixture.write(&path, "export {};\n");
                self.added.push(path.clone());
                return format!("{path} is new");
            }
            6 if !self.added.is_empty() => {
                let from = self.added.swap_remove(0);
                let to = from.replace("new-", "renamed-");
                git(&self.fixture, &["mv", &from, &to]);
                return format!("{from} is renamed");
            }
            7 if !self.added.is_empty() => {
                let path = self.added.swap_remove(0);
                self.fixture.remove(&path);
                return format!("{path} is gone");
            }
            8 => {
                let next = self.libraries.iter().max().map_or(0, |most| most + 1);
                self.add_library(next);
                self.write_manifests("");
                return format!("library {next} is new");
            }
            9 if self.libraries.len() > 2 => {
                self.libraries.remove(at);
                let folder = format!("packages/lib-{library}");
                self.added.retain(|path| !path.starts_with(&format!("{folder}/")));
                git(&self.fixture, &["rm", "-rqf", &folder]);
                self.write_manifests("");
                return format!("library {library} is gone");
            }
            10 => {
                self.versions[which] += 1;
                self.write_manifests("");
                return format!("third-party package {which} is another");
            }
            11 => append("tsconfig.base.json", "\n"),
            12 => {
                let port = 3000 + number;
                self.fixture.write("drydock.toml", &format!("[target.api]\npackage = \"@acme/api\"\nport = {port}\n"));
            }
            13 => {
                self.write_manifests(&format!("step {number}"));
                return "a description".to_owned();
            }
            14 => append("site/index.html", "<p>more</p>\n"),
            15 => self.fixture.write(".nvmrc", if number.is_multiple_of(2) { "24\n" } else { "22\n" }),
            _ => self.fixture.write("README.md", &number.to_string()),
        }
        format!("step {number}")
    }
}

/// The targets that are not what they were, and the stages in which something runs anew.
fn told(targets: &Value, stages: &Value) -> (Vec<String>, Vec<String>) {
    let names = |list: &Value| {
        let name = |one: &Value| one.as_str().or(one["name"].as_str()).expect("a name").to_owned();
        list.as_array().expect("a list").iter().map(name).collect::<Vec<_>>()
    };
    let running: Vec<Value> =
        stages.as_array().expect("a list").iter().filter(|stage| stage["runs"] != false).cloned().collect();
    let mut stages = names(&Value::from(running));
    stages.sort();
    (names(targets), stages)
}

fn check(seed: u64) {
    const STEPS: usize = 30;
    let mut workspace = Workspace::new(seed);
    commit_all(&workspace.fixture, "first");
    for number in 1..=STEPS {
        if number == STEPS / 2 {
            workspace.fixture.write("api/package.json", "{");
            commit_all(&workspace.fixture, "broken");
            workspace.write_manifests("");
            commit_all(&workspace.fixture, "mended");
        }
        let what = workspace.step(number);
        commit_all(&workspace.fixture, &what);
    }
    let fixture = &workspace.fixture;
    let replayed = stdout(fixture, &["replay", "--format", "json", "-q"]);
    let document: Value = serde_json::from_str(&replayed).expect("a document");
    assert_eq!(document["unfounded_commits"], 0, "{document:#}");
    let commits = document["commits"].as_array().expect("commits");
    assert_eq!(commits.len(), STEPS + 2);
    let mut some = 0;
    for commit in commits {
        let what = format!("seed {seed}, {}", commit["subject"]);
        let name = commit["commit"].as_str().expect("a name");
        git(fixture, &["checkout", "-q", "--detach", name]);
        let output = drydock(fixture, &["affected", "--since", "HEAD~1", "--format", "json", "-q"]).output();
        let output = output.expect("it runs");
        if !output.status.success() {
            assert_eq!(commit["subject"], "broken");
            assert!(commit["unreadable"].as_str().is_some_and(|why| why.contains("api/package.json")), "{commit:#}");
            continue;
        }
        assert_eq!(commit["unreadable"], Value::Null, "{what}");
        let judged: Value = serde_json::from_slice(&output.stdout).expect("a document");
        if judged["certain"] == false {
            assert_eq!(commit["subject"], "mended");
            assert_eq!(commit["targets"], json!([]), "there was nothing to compare with");
            continue;
        }
        let (targets, stages) = told(&commit["targets"], &commit["stages"]);
        assert_eq!((targets, stages), told(&judged["targets"], &judged["stages"]), "{what}");
        some += usize::from(commit["targets"] != json!([]));
    }
    assert!(some > 5, "{some} of {STEPS} steps affect a target");
    git(fixture, &["checkout", "-q", "main"]);
}

#[test]
fn a_replay_says_of_each_commit_what_affected_says() {
    check(1);
}

#[test]
fn and_of_other_commits() {
    check(2);
}
