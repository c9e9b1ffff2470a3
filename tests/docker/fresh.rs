//! Images that are there already need no build; whatever decides their bytes, once changed, needs one.

use drydock_test::{Fixture, lockfile};
use serde_json::Value;

use crate::docker::{Images, docker};
use crate::drydock::{nonce, run};

/// A service without dependencies, on a base image of its own, with a build argument.
struct Scene {
    fixture: Fixture,
    word: String,
    _images: Images,
}

const MANIFEST: &str = r#"{ "name": "@acme/api", "version": "1.0.0", "scripts": { "start": "node server.js" } }"#;

impl Scene {
    fn new() -> Self {
        let word = nonce();
        let fixture = Fixture::empty();
        let root = r#"{ "name": "acme", "workspaces": ["api"] }"#;
        fixture.write("package.json", root);
        fixture.write("api/package.json", MANIFEST);
        fixture.write("api/server.js", "process.exit(0);\n");
        fixture.write("package-lock.json", &lockfile(root, &[("api", "@acme/api", MANIFEST)]));
        let base = format!("drydock-test/base:{word}");
        docker(&["tag", "node:22-bookworm-slim", &base]);
        fixture.write(
            "drydock.toml",
            &format!("[workspace]\nimage = \"{base}\"\n[target.api]\npackage = \"@acme/api\"\nargs = [\"COMMIT\"]\n"),
        );
        let names = [
            ("base", base),
            ("one", format!("drydock-test/api:{word}")),
            ("two", format!("drydock-test/api:{word}-2")),
        ];
        let images = Images::new(names.into_iter().map(|(name, tag)| (name.to_owned(), tag)).collect());
        Self { fixture, word, _images: images }
    }

    /// Builds with further arguments, and gives what is said of the one target.
    fn build(&self, more: &[&str]) -> Value {
        let tag = format!("drydock-test/{{target}}:{}", self.word);
        let mut arguments = vec!["build", "--format", "json"];
        if !more.contains(&"--tag") {
            arguments.extend(["--tag", &tag]);
        }
        arguments.extend(more);
        let said = run(&self.fixture, &arguments, 0);
        let lines = said.stdout.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        lines.into_iter().find(|line| line["reason"] == "target-finished").expect("it is told how the target ended")
    }

    #[track_caller]
    fn check(&self, more: &[&str], state: &str) -> String {
        let told = self.build(more);
        assert_eq!(told["state"], state, "{told:#}");
        if state != "built" {
            assert_eq!((&told["run_steps"], &told["cached_steps"]), (&0.into(), &0.into()));
        }
        told["image_id"].as_str().expect("an id").to_owned()
    }
}

#[test]
fn an_unchanged_tree_is_fresh() {
    let scene = Scene::new();
    let first = scene.check(&[], "built");
    assert_eq!(scene.check(&[], "fresh"), first);
    // Written again, with another time.
    scene.fixture.write("api/server.js", "process.exit(0);\n");
    assert_eq!(scene.check(&[], "fresh"), first);
    assert_eq!(scene.check(&["--force"], "built"), first, "the same, all of it from the cache");
    scene.check(&["--no-cache"], "built");
}

#[test]
fn an_edit_is_not_fresh_and_its_undoing_is() {
    let scene = Scene::new();
    let first = scene.check(&[], "built");
    scene.fixture.write("api/server.js", "process.exit(1);\n");
    let second = scene.check(&[], "built");
    assert_ne!(first, second);
    scene.fixture.write("README.md", "Read me.\n");
    assert_eq!(scene.check(&[], "fresh"), second);
}

/// The image is there under another name: it gets this one, and everybody is told.
#[test]
fn an_image_under_another_tag_is_retagged() {
    let scene = Scene::new();
    let first = scene.check(&[], "built");
    let other = format!("drydock-test/{{target}}:{}-2", scene.word);
    let file = scene.fixture.root().join("metadata.json");
    assert_eq!(scene.check(&["--tag", &other, "--metadata-file", file.as_str()], "retagged"), first);
    let metadata: Value = serde_json::from_str(&scene.fixture.read("metadata.json")).expect("JSON");
    assert_eq!(metadata["api"]["drydock.state"], "retagged");
    assert_eq!(metadata["api"]["containerimage.config.digest"], first.as_str());
    assert_eq!(metadata["api"]["image.name"], format!("drydock-test/api:{}-2", scene.word));
    let id = docker(&["image", "inspect", "--format", "{{.Id}}", &format!("drydock-test/api:{}-2", scene.word)]);
    assert_eq!(id.trim(), first);
    assert_eq!(scene.check(&["--tag", &other], "fresh"), first);
}

#[test]
fn another_argument_label_or_base_is_not_fresh() {
    let scene = Scene::new();
    scene.check(&["--build-arg", "COMMIT=1"], "built");
    scene.check(&["--build-arg", "COMMIT=1"], "fresh");
    scene.check(&["--build-arg", "COMMIT=2"], "built");
    scene.check(&["--build-arg", "COMMIT=2", "--label", "a=1"], "built");
    scene.check(&["--build-arg", "COMMIT=2", "--label", "a=1"], "fresh");
    let container = docker(&["create", "node:22-bookworm-slim"]).trim().to_owned();
    let base = format!("drydock-test/base:{}", scene.word);
    docker(&["commit", "--change", "ENV NEWER=1", &container, &base]);
    docker(&["rm", &container]);
    scene.check(&["--build-arg", "COMMIT=2", "--label", "a=1"], "built");
    scene.check(&["--build-arg", "COMMIT=2", "--label", "a=1"], "fresh");
}

#[test]
fn a_failure_is_not_remembered() {
    let scene = Scene::new();
    let manifest = r#"{ "name": "@acme/api", "version": "1.0.0", "scripts": { "start": "node server.js", "build": "node build.js" } }"#;
    scene.fixture.write("api/package.json", manifest);
    scene.fixture.write("api/build.js", "process.exit(1);\n");
    let tag = format!("drydock-test/{{target}}:{}", scene.word);
    for _ in 0..2 {
        run(&scene.fixture, &["build", "--tag", &tag], 1);
    }
    scene.fixture.write("api/build.js", "require('fs').mkdirSync('dist', { recursive: true });\n");
    scene.check(&[], "built");
    scene.check(&[], "fresh");
}
