//! Scenario × modification × expectation on fingerprints: after an edit, which targets are affected, which stages are
//! not what they were, and what is said of it. The daemon judges the same in `tests/docker/scenarios.rs`.

use std::collections::BTreeSet;

use drydock_test::{Fixture, lockfile};
use serde_json::Value;

use crate::support::{acme, check, commit_all, drydock, git, stdout};

/// The service and library of `acme`, and a site of its own; all committed.
fn committed() -> Fixture {
    let fixture = acme();
    let root = fixture.read("package.json");
    let lib = fixture.read("packages/lib/package.json");
    let api = fixture.read("api/package.json");
    let site = r#"{
  "name": "@acme/site",
  "version": "1.0.0",
  "scripts": { "build": "vite build" }
}
"#;
    fixture.write("packages/site/package.json", site);
    fixture.write("packages/site/index.html", "<!doctype html><title>Acme</title>\n");
    fixture.write("packages/site/vite.config.js", "export default { build: { outDir: 'dist' } };\n");
    let members =
        [("api", "@acme/api", &*api), ("packages/lib", "@acme/lib", &*lib), ("packages/site", "@acme/site", site)];
    fixture.write("package-lock.json", &lockfile(&root, &members));
    commit_all(&fixture, "first");
    fixture
}

fn affected(fixture: &Fixture, since: &str) -> Value {
    let text = stdout(fixture, &["affected", "--since", since, "--format", "json", "-q"]);
    serde_json::from_str(&text).expect("a document")
}

/// What an edit of what was committed comes to: targets with their reasons, and stages.
#[track_caller]
fn table(edit: impl FnOnce(&Fixture), targets: &[(&str, &[&str])], stages: &[&str]) {
    let fixture = committed();
    edit(&fixture);
    let document = affected(&fixture, "HEAD");
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let found: Vec<(String, Vec<String>)> = list(&document["targets"])
        .iter()
        .map(|target| {
            let reasons = list(&target["reasons"]);
            let reason = |reason: &Value| {
                let detail =
                    ["path", "package", "after"].iter().map(|key| text(&reason[key])).find(|text| !text.is_empty());
                format!("{} {}", text(&reason["reason"]), detail.unwrap_or_default()).trim_end().to_owned()
            };
            (text(&target["name"]), reasons.iter().map(reason).collect())
        })
        .collect();
    let expected: Vec<(String, Vec<String>)> = targets
        .iter()
        .map(|(name, reasons)| ((*name).to_owned(), reasons.iter().map(|reason| (*reason).to_owned()).collect()))
        .collect();
    assert_eq!(found, expected, "the targets, and why");
    let found: BTreeSet<String> = list(&document["stages"]).iter().map(|stage| text(&stage["name"])).collect();
    assert_eq!(found, stages.iter().map(|name| (*name).to_owned()).collect(), "the stages");
}

#[test]
fn nothing() {
    table(|_| {}, &[], &[]);
}

#[test]
fn a_source_of_the_service() {
    table(
        |tree| tree.edit("api/server.js", "answer.end(greeting)", "answer.end(greeting + '!')"),
        &[("api", &["FileChanged api/server.js"])],
        &["api"],
    );
}

#[test]
fn a_source_of_the_library() {
    table(
        |tree| tree.write("packages/lib/build.js", "1"),
        &[("api", &["DependencyChanged packages/lib/build.js"])],
        &["build-lib", "api"],
    );
}

/// Untracked files count.
#[test]
fn a_new_file_of_the_site() {
    table(
        |tree| tree.write("packages/site/src/new.js", "1"),
        &[("site", &["FileChanged packages/site/src/new.js"])],
        &["build-site", "site"],
    );
}

#[test]
fn a_file_that_is_renamed() {
    table(
        |tree| {
            git(tree, &["mv", "api/server.js", "api/main.js"]);
            tree.edit("api/package.json", "server.js", "main.js");
        },
        &[(
            "api",
            &[
                "FileChanged api/main.js",
                "FileChanged api/package.json",
                "FileChanged api/server.js",
                "PlanChanged CMD [\"node\", \"main.js\"]",
            ],
        )],
        &["api"],
    );
}

#[cfg(unix)]
#[test]
fn a_file_that_becomes_executable() {
    use std::os::unix::fs::PermissionsExt as _;
    table(
        |tree| {
            let file = tree.root().join("api/server.js");
            fs_err::set_permissions(file, std::fs::Permissions::from_mode(0o755)).expect("the file is there");
        },
        &[("api", &["FileChanged api/server.js"])],
        &["api"],
    );
}

#[test]
fn files_that_no_image_holds() {
    table(
        |tree| {
            tree.write("README.md", "# Acme\n");
            tree.write("docs/guide.md", "Guide\n");
            tree.write(".github/workflows/ci.yml", "on: push\n");
        },
        &[],
        &[],
    );
}

/// Times are no content.
#[test]
fn a_file_that_is_written_again() {
    table(|tree| tree.write("api/server.js", &tree.read("api/server.js")), &[], &[]);
}

/// The masked manifest that installs are given does not hold it.
#[test]
fn a_description_in_the_manifest_of_the_library() {
    table(
        |tree| tree.edit("packages/lib/package.json", "\"main\"", "\"description\": \"A library\",\n  \"main\""),
        &[("api", &["DependencyChanged packages/lib/package.json"])],
        &["build-lib", "api"],
    );
}

#[test]
fn the_version_of_node() {
    table(
        |tree| tree.write(".nvmrc", "24\n"),
        &[("api", &["BaseImageChanged node:24-bookworm-slim"]), ("site", &["BaseImageChanged node:24-bookworm-slim"])],
        &[
            "base",
            "runtime-base",
            "install-api",
            "install-site",
            "build-lib",
            "build-site",
            "runtime-deps-api",
            "api",
            "site",
        ],
    );
}

#[test]
fn the_configuration_of_one_target() {
    table(
        |tree| tree.write("drydock.toml", "[target.api]\npackage = \"@acme/api\"\nport = 8080\n"),
        &[("api", &["ConfigChanged ENV NODE_ENV=production PORT=8080", "ConfigChanged EXPOSE 8080"])],
        &["api"],
    );
}

/// One target fewer: the other's install needs no name of its own any more, and has its input in another place.
#[test]
fn a_package_that_is_removed() {
    table(
        |tree| {
            fs_err::remove_dir_all(tree.root().join("packages/site")).expect("the package is there");
            let root = tree.read("package.json");
            let (api, lib) = (tree.read("api/package.json"), tree.read("packages/lib/package.json"));
            let members = [("api", "@acme/api", &*api), ("packages/lib", "@acme/lib", &*lib)];
            tree.write("package-lock.json", &lockfile(&root, &members));
        },
        &[("api", &["PlanChanged"])],
        &["install", "build-lib", "api"],
    );
}

#[test]
fn what_a_branch_changed_counts_and_what_came_on_the_other_does_not() {
    let fixture = committed();
    git(&fixture, &["checkout", "-q", "-b", "topic"]);
    fixture.write("api/server.js", "1");
    commit_all(&fixture, "on the branch");
    git(&fixture, &["checkout", "-q", "main"]);
    fixture.write("packages/site/index.html", "1");
    commit_all(&fixture, "on main");
    git(&fixture, &["checkout", "-q", "topic"]);
    let document = affected(&fixture, "main");
    assert_eq!(document["targets"][0]["name"], "api");
    assert_eq!(document["targets"].as_array().map(Vec::len), Some(1));
    assert_eq!(document["unaffected"], serde_json::json!(["site"]));
}

#[test]
fn people_are_told_why() {
    let fixture = committed();
    fixture.write("packages/lib/build.js", "1");
    check!(fixture, ["affected", "--since", "HEAD"], @"
    success: true
    exit_code: 0
    ----- stdout -----
    api
      packages/lib/build.js modified, of @acme/lib

    ----- stderr -----
    ");
    check!(fixture, ["why", "api"], @"
    success: true
    exit_code: 0
    ----- stdout -----
    api is not what it was at HEAD

    packages/lib/build.js modified
    └── package @acme/lib
        └── stage build-lib: COPY packages/lib packages/lib
            └── stage api: COPY --from=build-lib /app/packages/lib/dist packages/lib/dist
                └── image api

    ----- stderr -----
    ");
    check!(fixture, ["why", "site"], @"
    success: true
    exit_code: 0
    ----- stdout -----
    site is what it was at HEAD

    ----- stderr -----
    ");
}

#[test]
fn the_exit_code_answers_scripts() {
    let fixture = committed();
    check!(fixture, ["affected", "--since", "HEAD", "--exit-code"], @"
    success: true
    exit_code: 0
    ----- stdout -----

    ----- stderr -----
      Unaffected nothing changes an image since HEAD
    ");
    fixture.write("packages/lib/build.js", "1");
    check!(fixture, ["affected", "--since", "HEAD", "--exit-code"], @"
    success: false
    exit_code: 1
    ----- stdout -----
    api
      packages/lib/build.js modified, of @acme/lib

    ----- stderr -----
    ");
    check!(fixture, ["affected", "--since", "nowhere", "--exit-code"], @"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error[git-revision-unknown]: `nowhere` is no commit of this repository
      = help: give a branch, a tag or a commit; `git fetch` brings those of the remote
    ");
}

#[test]
fn without_anything_to_compare_with() {
    let fixture = acme();
    check!(fixture, ["affected", "--since", "HEAD"], @"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error[no-repository]: `[ROOT]` is not in a git repository, so nothing says what changed
      = help: run `git init`, or build without `--affected`
    ");
    commit_all(&fixture, "first");
    check!(fixture, ["affected"], @"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error[no-revision]: nothing says since when changes count
      = help: pass `--since BRANCH`
    ");
}

/// Too shallow to hold the commit: everything counts, and it is said.
#[test]
fn a_shallow_clone() {
    let origin = committed();
    git(&origin, &["tag", "v1"]);
    origin.write("api/server.js", "1");
    commit_all(&origin, "second");
    let clone = shallow(&origin, 1);
    check!(clone, ["affected", "--since", "v1", "--exit-code"], @"
    success: false
    exit_code: 1
    ----- stdout -----
    api
      the commit to compare with is not in this clone
    site
      the commit to compare with is not in this clone

    ----- stderr -----
    warning[git-ref-not-found]: `v1` is no commit of this repository: every target counts as affected
      = help: fetch more of the history: `fetch-depth: 0` in actions/checkout, or `git fetch --unshallow`
    ");
    let output = drydock(&clone, &["affected", "--since", "v1", "--format", "json"]).output().expect("it runs");
    assert!(output.status.success());
    let document: Value = serde_json::from_slice(&output.stdout).expect("a document");
    assert_eq!(document["certain"], false);
    assert_eq!(document["targets"][0]["reasons"][0]["reason"], "GitRefNotFound");
    check!(clone, ["graph", "[v1]"], @"
    success: true
    exit_code: 0
    ----- stdout -----
    @acme/lib   packages/lib
    @acme/api   api
    └── @acme/lib
    @acme/site  packages/site

    ----- stderr -----
    warning[git-ref-not-found]: `v1` is no commit of this repository: every package counts as affected
      = help: fetch more of the history: `fetch-depth: 0` in actions/checkout, or `git fetch --unshallow`
    ");
    let matrix = drydock(&clone, &["plan", "--affected", "--since", "v1", "--format", "github-matrix"]).output();
    let matrix: Value = serde_json::from_slice(&matrix.expect("it runs").stdout).expect("a matrix");
    assert_eq!(matrix["include"].as_array().map(Vec::len), Some(2));
}

/// Both commits are there, and nothing of where their histories fork.
#[test]
fn a_clone_too_shallow_for_where_histories_fork() {
    let origin = committed();
    git(&origin, &["checkout", "-q", "-b", "topic"]);
    origin.write("api/server.js", "1");
    commit_all(&origin, "on the branch");
    git(&origin, &["checkout", "-q", "main"]);
    for text in ["1", "2"] {
        origin.write("packages/site/index.html", text);
        commit_all(&origin, "on main");
    }
    let clone = shallow(&origin, 2);
    git(&clone, &["fetch", "-q", "--depth", "1", "origin", "topic:topic"]);
    let output = drydock(&clone, &["affected", "--since", "topic", "--exit-code"]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(said.starts_with("warning[git-ref-not-found]: "), "{said}");
    assert!(said.contains("have no common ancestor here: every target counts as affected"), "{said}");
    let told = String::from_utf8(output.stdout).expect("UTF-8");
    let reason = "the commit to compare with is not in this clone";
    assert_eq!(told, format!("api\n  {reason}\nsite\n  {reason}\n"));

    // As soon as the histories join, the answer is exact.
    git(&clone, &["fetch", "-q", "--unshallow", "origin", "main", "topic"]);
    let document = affected(&clone, "topic");
    assert_eq!(document["certain"], true);
    assert_eq!(document["unaffected"], serde_json::json!(["api"]));
}

/// A clone that holds the last `depth` commits of what is checked out.
fn shallow(origin: &Fixture, depth: u32) -> Fixture {
    let clone = Fixture::empty();
    let address = format!("file://{}", origin.root());
    git(&clone, &["clone", "-q", "--depth", &depth.to_string(), "--no-tags", &address, "."]);
    clone
}

#[test]
fn a_commit_that_has_no_plan() {
    let fixture = committed();
    let good = fixture.read("api/package.json");
    fixture.write("api/package.json", "{");
    commit_all(&fixture, "broken");
    fixture.write("api/package.json", &good);
    let output = drydock(&fixture, &["affected", "--since", "HEAD"]).output().expect("it runs");
    assert!(output.status.success());
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(said.starts_with("warning[base-unreadable]: the workspace at "), "{said}");
    let told = String::from_utf8(output.stdout).expect("UTF-8");
    let reason =
        "the state to compare with has no plan: `api/package.json` is not valid JSON: EOF while parsing an object";
    assert_eq!(told, format!("api\n  {reason}\nsite\n  {reason}\n"));
}

#[test]
fn a_plan_of_what_is_affected() {
    let fixture = committed();
    fixture.write("packages/site/index.html", "1");
    let matrix =
        |arguments: &[&str]| -> Value { serde_json::from_str(&stdout(&fixture, arguments)).expect("a matrix is JSON") };
    let all = matrix(&["plan", "--format", "github-matrix"]);
    let targets: Vec<_> = all["include"].as_array().expect("a list").iter().map(|row| row["target"].clone()).collect();
    assert_eq!(targets, ["api", "site"]);
    let some = matrix(&["plan", "--affected", "--since", "HEAD", "--format", "github-matrix"]);
    assert_eq!(some["include"].as_array().map(Vec::len), Some(1));
    assert_eq!(some["include"][0], all["include"][1]);
    fixture.write("packages/site/index.html", "<!doctype html><title>Acme</title>\n");
    check!(fixture, ["plan", "--affected", "--since", "HEAD", "--format", "github-matrix"], @r#"
    success: true
    exit_code: 0
    ----- stdout -----
    {"include":[]}

    ----- stderr -----
        Finished no target is affected since HEAD
    "#);
    check!(fixture, ["plan", "--affected", "--since", "HEAD", "--format", "gitlab"], @r#"
    success: true
    exit_code: 0
    ----- stdout -----
    "nothing to build":
      script: ["true"]

    ----- stderr -----
        Finished no target is affected since HEAD
    "#);
}

#[test]
fn targets_in_groups() {
    let fixture = committed();
    let groups = |arguments: &[&str]| -> Vec<(String, u64)> {
        let arguments = [&["plan", "--format", "github-matrix"], arguments].concat();
        let document: Value = serde_json::from_str(&stdout(&fixture, &arguments)).expect("a matrix is JSON");
        let rows = document["include"].as_array().expect("a list").iter();
        rows.map(|row| (row["target"].as_str().expect("a text").to_owned(), row["seconds"].as_u64().expect("a number")))
            .collect()
    };
    let all = groups(&["--groups", "1"]);
    assert_eq!(all.len(), 1);
    let targets: Vec<&str> = all[0].0.split(' ').collect();
    assert!(targets.len() > 1, "{targets:?}");
    let apart = groups(&["--groups", "9"]);
    assert!(apart.len() > 1 && apart.len() <= targets.len(), "{apart:?}");

    // What took most is a group of its own.
    let heavy = targets[1];
    let times = serde_json::json!({ heavy: { "drydock.seconds": { heavy: 1000.0 } } });
    fixture.write("times.json", &times.to_string());
    let [first, ..] = &groups(&["--groups", "2", "--times", "times.json"])[..] else { panic!("there are two") };
    assert_eq!(first.0, heavy);
    assert!(first.1 >= 1000, "{first:?}");

    fixture.write("times.json", "[]");
    check!(fixture, ["plan", "--format", "gitlab", "--groups", "2", "--times", "times.json"], @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error[times-invalid]: `times.json` is not what `--metadata-file` writes
      = help: pass a file that `drydock build --metadata-file FILE` wrote
    ");
}

/// The same sources have the same fingerprints, wherever they lie and whenever they were written.
#[test]
fn fingerprints_are_of_content_alone() {
    let prints = |fixture: &Fixture| -> Vec<(String, String)> {
        let text = stdout(fixture, &["plan", "--format", "json", "-q"]);
        let document: Value = serde_json::from_str(&text).expect("a document");
        let stages = document["stages"]
            .as_array()
            .expect("stages")
            .iter()
            .chain(document["targets"].as_array().expect("targets"));
        stages
            .map(|stage| (stage["name"].to_string(), stage["fingerprint"].as_str().expect("a fingerprint").to_owned()))
            .collect()
    };
    let (one, other) = (committed(), committed());
    assert_eq!(prints(&one), prints(&other));
    let before = prints(&one);
    one.write("api/server.js", "1");
    let after = prints(&one);
    let changed: Vec<&str> =
        before.iter().zip(&after).filter(|(one, other)| one != other).map(|((name, _), _)| name.as_str()).collect();
    assert_eq!(changed, ["\"api\"", "\"api\""], "the stage and the target");
}

/// A history: what each commit would have rebuilt, and what is to blame.
#[test]
fn a_replay() {
    let fixture = committed();
    fixture.write("README.md", "# Acme\n");
    commit_all(&fixture, "Say what it is");
    fixture.write("packages/lib/build.js", &(fixture.read("packages/lib/build.js") + "// Twice.\n"));
    commit_all(&fixture, "Build the library");
    fixture.write("packages/lib/build.test.js", "1");
    commit_all(&fixture, "Test the library");
    fixture.write("packages/lib/build.test.js", "2");
    commit_all(&fixture, "Test it <b>again</b>");
    let document: Value = serde_json::from_str(&stdout(&fixture, &["replay", "--format", "json"])).expect("a document");
    let commits = document["commits"].as_array().expect("commits");
    let told: Vec<(Value, Value, Value)> = commits
        .iter()
        .map(|commit| (commit["subject"].clone(), commit["targets"].clone(), commit["stages"].clone()))
        .collect();
    let row = |subject: &str, targets: &[&str], stages: &[&str]| {
        (subject.into(), serde_json::json!(targets), serde_json::json!(stages))
    };
    assert_eq!(
        told,
        [
            row("Say what it is", &[], &[]),
            row("Build the library", &["api"], &["build-lib"]),
            row("Test the library", &["api"], &["build-lib"]),
            row("Test it <b>again</b>", &["api"], &["build-lib"]),
        ]
    );
    assert_eq!(document["unfounded_commits"], 0);
    assert_eq!(document["idle_install_commits"], 0);
    assert_eq!(document["causes"][0]["path"], "packages/lib/build.test.js");
    assert_eq!(document["causes"][0]["advice"], "exclude = [\"**/*.test.*\"] under [package.\"@acme/lib\"]");
    let page = stdout(&fixture, &["replay", "--last", "2", "--format", "html"]);
    assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"), "{page}");
    assert!(page.contains("Test it &lt;b&gt;again") && !page.contains("<b>again"), "{page}");
    assert!(!page.contains("Build the library"), "only the last two");
    let text = stdout(&fixture, &["replay"]);
    assert!(text.contains("4 commits, 3 of them affect an image"), "{text}");
}

/// A plan that is kept from commit to commit is the plan that each would have had.
#[test]
fn a_replay_tells_what_affected_tells() {
    let fixture = committed();
    fixture.write("packages/site/index.html", "1");
    commit_all(&fixture, "site");
    fixture.edit("api/package.json", "server.js", "main.js");
    git(&fixture, &["mv", "api/server.js", "api/main.js"]);
    commit_all(&fixture, "rename");
    fixture.write("api/main.js", "1");
    commit_all(&fixture, "api");
    fixture.write(".nvmrc", "24\n");
    commit_all(&fixture, "node");
    let document: Value = serde_json::from_str(&stdout(&fixture, &["replay", "--format", "json"])).expect("a document");
    let commits = document["commits"].as_array().expect("commits").clone();
    assert_eq!(commits.len(), 4);
    for (index, commit) in commits.iter().enumerate() {
        git(&fixture, &["checkout", "-q", "--detach", &format!("main~{}", 3 - index)]);
        let judged = affected(&fixture, "HEAD~1");
        let targets: Vec<Value> =
            judged["targets"].as_array().expect("targets").iter().map(|target| target["name"].clone()).collect();
        assert_eq!(commit["targets"], Value::from(targets), "{}", commit["subject"]);
    }
}
