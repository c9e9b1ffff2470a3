//! Why stages ran or did not: what fingerprints foretold, with BuildKit's word on what came from its cache.

use std::collections::BTreeMap;

use drydock_test::Fixture;
use serde_json::Value;

use crate::docker::{Images, docker};
use crate::drydock::{Said, drydock, nonce, run};
use crate::failure::{WORKS, two_services};

/// What a build with `--explain` says.
struct Told {
    lines: Vec<Value>,
}

impl Told {
    /// Of each stage: the verdict and the causes.
    fn stages(&self) -> BTreeMap<&str, String> {
        let explained = self.lines.iter().filter(|line| line["reason"] == "stage-explained");
        explained
            .map(|line| {
                let causes: Vec<&str> = line["causes"]
                    .as_array()
                    .expect("it is told")
                    .iter()
                    .map(|one| one.as_str().expect("it is told"))
                    .collect();
                let verdict = line["verdict"].as_str().expect("it is told");
                let text =
                    if causes.is_empty() { verdict.to_owned() } else { format!("{verdict}: {}", causes.join(", ")) };
                (line["stage"].as_str().expect("it is told"), text)
            })
            .collect()
    }

    fn why(&self, target: &str) -> Vec<&str> {
        let finished = |line: &&Value| line["reason"] == "target-finished" && line["target"] == target;
        let line = self.lines.iter().find(finished).expect("it is told how the target ended");
        line["why"].as_array().expect("it is told").iter().map(|one| one.as_str().expect("it is told")).collect()
    }
}

struct Scene {
    fixture: Fixture,
    tag: String,
    _images: Images,
}

impl Scene {
    fn new(build: &str) -> Self {
        let tag = format!("drydock-test/{{target}}:{}", nonce());
        let tags = ["left", "right"].map(|target| (target.to_owned(), tag.replace("{target}", target)));
        Self { fixture: two_services(&nonce(), build), _images: Images::new(tags.into()), tag }
    }

    fn run(&self, arguments: &[&str], code: i32) -> Said {
        // A memory of its own, outside of the workspace.
        let cache = format!("{}-cache", self.fixture.root());
        let arguments = [&["build", "--tag", &self.tag], arguments].concat();
        let output = drydock(&self.fixture, &arguments).env("DRYDOCK_CACHE_DIR", cache).output();
        Said::of(&output.expect("the binary runs"), &arguments, code)
    }

    fn build(&self, more: &[&str]) -> Told {
        let said = self.run(&[&["--format", "json", "--explain", "--force"], more].concat(), 0);
        Told { lines: said.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect() }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = fs_err::remove_dir_all(format!("{}-cache", self.fixture.root()));
    }
}

#[test]
fn each_stage_is_explained_by_the_last_success() {
    // What is built does not hold `notes.txt`.
    let scene = Scene::new(WORKS);
    let first = scene.build(&["--metadata-file", "meta.json"]);
    let metadata: Value = serde_json::from_str(&scene.fixture.read("meta.json")).expect("JSON");
    let seconds = &metadata["left"]["drydock.seconds"];
    assert!(seconds["install-left"].as_f64() > Some(0.0), "{metadata:#}");
    assert_eq!(seconds["install-right"], Value::Null);
    let matrix =
        run(&scene.fixture, &["plan", "--format", "github-matrix", "--groups", "1", "--times", "meta.json"], 0);
    assert!(matrix.stdout.starts_with(r#"{"include":[{"target":"left right","seconds":"#), "{}", matrix.stdout);
    let stages = first.stages();
    for stage in ["install-left", "build-left-library", "build-right-library"] {
        assert_eq!(stages[stage], "first", "{stages:#?}");
    }
    assert_eq!(first.why("left"), ["nothing is known of an earlier build here"]);

    let again = scene.build(&[]);
    let wrong: Vec<_> =
        again.stages().into_iter().filter(|(_, told)| told != "unchanged" && told != "unasked").collect();
    assert_eq!(wrong, []);
    assert_eq!(again.why("left"), ["nothing changed since it was last built here"]);

    scene.fixture.write("left-library/index.js", "module.exports = 'other';\n");
    let edited = scene.build(&[]);
    let stages = edited.stages();
    assert_eq!(stages["build-left-library"], "changed: left-library/index.js modified", "{stages:#?}");
    assert_eq!(stages["left"], "changed: stage build-left-library is another", "{stages:#?}");
    for stage in ["install-left", "build-right-library", "right"] {
        assert_eq!(stages[stage], "unchanged", "{stages:#?}");
    }
    assert_eq!(edited.why("left"), ["left-library/index.js modified"]);
    assert_eq!(edited.why("right"), ["nothing changed since it was last built here"]);

    scene.fixture.write("left-library/index.js", "module.exports = 'left';\n");
    let undone = scene.build(&[]);
    assert_eq!(undone.stages()["build-left-library"], "known: left-library/index.js modified");

    // It is read, and leaves no trace in what is taken from the stage.
    scene.fixture.write("left-library/notes.txt", "Notes.\n");
    let traceless = scene.build(&[]);
    let stages = traceless.stages();
    assert_eq!(stages["build-left-library"], "changed: left-library/notes.txt added", "{stages:#?}");
    assert_eq!(stages["left"], "same-input: stage build-left-library is another", "{stages:#?}");

    let forced = scene.build(&["--no-cache"]);
    assert_eq!(forced.stages()["build-left-library"], "forced");
}

/// A cache that has lost a stage: it runs again, and is told from one that had to.
#[test]
fn what_the_cache_has_lost_is_told_from_what_changed() {
    // Steps whose texts nobody else has, so that what is taken from the daemon's cache is this test's own.
    let scene = Scene::new(WORKS);
    let word = nonce();
    let script = format!("make-{word}");
    scene.fixture.edit("left-library/package.json", "\"build\"", &format!("\"{script}\""));
    let settings =
        scene.fixture.read("drydock.toml").replace("DRYDOCK_TEST = \"", &format!("DRYDOCK_TEST = \"{word}-"));
    let settings = format!("{settings}[package.\"@acme/left-library\"]\nbuild = \"{script}\"\n");
    scene.fixture.write("drydock.toml", &settings);
    scene.build(&["left"]);
    let unchanged = scene.build(&["left"]);
    assert_eq!(unchanged.stages()["build-left-library"], "unchanged", "{:#?}", unchanged.stages());

    let is_of_build = |record: &&Value| text(record, "Description").ends_with(&format!("npm run {script}"));
    let is_of_production = |record: &&Value| {
        let description = text(record, "Description");
        description.contains(&word) && description.contains("npm ci --omit=dev")
    };
    // As long as what takes from it is cached, BuildKit has no need of a stage.
    let lost = |cached: &[Value]| -> Vec<String> {
        let production = cached.iter().filter(is_of_production);
        let below = production.flat_map(|production| below(cached, id_of(production)));
        let built = cached.iter().filter(is_of_build).map(id_of);
        below.chain(built).map(str::to_owned).collect()
    };
    let mut left = lost(&cached());
    assert!(left.len() > 1, "the build and what takes from it are cached: {left:?}");
    // What BuildKit still holds, as it does for a moment after a build or while it counts sizes for somebody else, it
    // does not prune.
    for _ in 0..20 {
        for id in &left {
            docker(&["builder", "prune", "--force", "--all", "--filter", &format!("id={id}")]);
        }
        left = lost(&cached());
        if left.is_empty() {
            break;
        }
    }
    assert!(left.is_empty(), "BuildKit does not let go of {left:?}: {:#?}", cached());

    let evicted = scene.build(&["left"]);
    let stages = evicted.stages();
    assert_eq!(stages["build-left-library"], "evicted", "{stages:#?}");
    assert_eq!(stages["left"], "evicted", "{stages:#?}");
    for stage in ["install", "install-left", "runtime-deps-left"].into_iter().filter(|stage| stages.contains_key(stage))
    {
        assert_eq!(stages[stage], "unchanged", "{stages:#?}");
    }
    assert_eq!(evicted.why("left"), ["nothing changed since it was last built here"]);
}

/// The records of the daemon's cache.
fn cached() -> Vec<Value> {
    let listed = docker(&["system", "df", "--verbose", "--format", "{{json .BuildCache}}"]);
    serde_json::from_str(&listed).expect("Docker prints JSON")
}

/// The records that are made on the one called `id`, those on others before these.
fn below<'c>(cached: &'c [Value], id: &str) -> Vec<&'c str> {
    let children = cached.iter().filter(|record| text(record, "Parent").contains(id)).map(id_of);
    children.flat_map(|child| below(cached, child).into_iter().chain([child])).collect()
}

/// A record's name; Docker marks those in use with a star behind it.
fn id_of(record: &Value) -> &str {
    text(record, "ID").trim_end_matches('*')
}

fn text<'c>(record: &'c Value, key: &str) -> &'c str {
    record[key].as_str().unwrap_or_default()
}

/// A failure is not remembered: its stages are told from those of a success.
#[test]
fn what_failed_is_no_success() {
    let scene = Scene::new("exit 7");
    scene.run(&["left"], 1);
    scene.fixture.edit("left-library/package.json", "exit 7", WORKS);
    let told = scene.build(&["left"]);
    // What was done before the failure was nobody's success.
    assert_eq!(told.stages()["base"], "elsewhere", "{:#?}", told.stages());
    assert_eq!(told.stages()["build-left-library"], "first");
}

#[test]
fn people_and_pages_are_told_too() {
    let scene = Scene::new(WORKS);
    scene.run(&[], 0);
    scene.fixture.write("left-library/index.js", "module.exports = 'other';\n");
    let said = scene.run(&["--explain", "--summary", "summary.md"], 0);
    assert!(said.stderr.contains("Explained build-left-library ran from `COPY "), "{}", said.stderr);
    assert!(said.stderr.contains(": left-library/index.js modified"), "{}", said.stderr);
    let page = scene.fixture.read("summary.md");
    let row =
        |target: &str| page.lines().find(|line| line.starts_with(&format!("| {target} |"))).unwrap_or(&page).to_owned();
    assert!(row("left").contains("| left-library/index.js modified |"), "{page}");
    assert!(row("right").contains("| an image with its fingerprint was there |"), "{page}");

    // A build of what is affected tells the reasons of that.
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"];
        let mut command = std::process::Command::new("git");
        let status = command.arg("-C").arg(scene.fixture.root()).args(identity).args(arguments).status();
        assert!(status.expect("git is on PATH").success(), "{arguments:?}");
    };
    git(&["init", "-q"]);
    git(&["add", "-A"]);
    git(&["commit", "-q", "-m", "one"]);
    scene.fixture.write("right-library/index.js", "module.exports = 'another';\n");
    scene.run(&["--affected", "--since", "HEAD", "--summary", "affected.md"], 0);
    let page = scene.fixture.read("affected.md");
    assert!(page.contains("| right-library/index.js modified, of @acme/right-library |"), "{page}");
    assert!(!page.contains("| left |"), "{page}");
    run(&scene.fixture, &["build", "--affected", "--since", "HEAD", "left", "--tag", &scene.tag], 0);
}
