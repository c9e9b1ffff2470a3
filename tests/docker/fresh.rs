//! Images that are there already need no build; whatever decides their bytes, once changed, needs one.

use drydock_test::{Fixture, lockfile};
use serde_json::Value;

use crate::docker::{Images, docker};
use crate::drydock::{Said, drydock, nonce, run};
use crate::failure::{WORKS, two_services};
use crate::registry::Registry;
use crate::relay::Relay;

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
        let base = format!("drydock-test/base:{word}");
        Self::on(word, base)
    }

    /// The same with a base image of this name.
    fn on(word: String, base: String) -> Self {
        let fixture = Fixture::empty();
        let root = r#"{ "name": "acme", "workspaces": ["api"] }"#;
        fixture.write("package.json", root);
        fixture.write("api/package.json", MANIFEST);
        fixture.write("api/server.js", "process.exit(0);\n");
        fixture.write("package-lock.json", &lockfile(root, &[("api", "@acme/api", MANIFEST)]));
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

/// A machine that has never built the target: what was pushed by another is given the tags of a new release, and nothing
/// is pulled, built or pushed.
#[test]
fn an_image_of_a_registry_is_retagged_there() {
    for login in [None, Some(("me", "password"))] {
        let registry = Registry::start(login);
        let scene = Scene::new();
        // me:password
        let auth = serde_json::json!({ "auths": { &registry.host: { "auth": "bWU6cGFzc3dvcmQ=" } } });
        scene.fixture.write("docker/config.json", &auth.to_string());
        let push = |tag: &str| {
            let version = format!("{}/acme/{{target}}:{tag}", registry.host);
            let content = format!("{}/acme/{{target}}:{{fingerprint}}", registry.host);
            let arguments = [
                "build",
                "--push",
                "--format",
                "json",
                "--tag",
                &version,
                "--tag",
                &content,
                "--metadata-file",
                "m.json",
            ];
            let mut command = drydock(&scene.fixture, &arguments);
            command.env("DOCKER_CONFIG", scene.fixture.root().join("docker"));
            let said = Said::of(&command.output().expect("it runs"), &arguments, 0);
            let told: Vec<Value> = said.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
            let finished = told.iter().find(|line| line["reason"] == "target-finished").expect("is told").clone();
            // What was pushed is of no use here any more, as on another machine.
            for tag in finished["tags"].as_array().expect("tags") {
                crate::docker::try_docker(&["image", "rm", "--force", tag.as_str().expect("a tag")]);
            }
            let metadata: Value = serde_json::from_str(&scene.fixture.read("m.json")).expect("JSON");
            assert_eq!(metadata["api"]["drydock.state"], finished["state"]);
            assert_eq!(metadata["api"]["containerimage.digest"], registry.digest("acme/api", tag));
            assert_eq!(finished["digest"], registry.digest("acme/api", tag));
            let pushed = told.iter().filter(|line| line["reason"] == "pushed").count();
            (finished["state"].as_str().expect("a state").to_owned(), pushed)
        };
        assert_eq!(push("1"), ("built".to_owned(), 2));
        let (first, blobs) = (registry.manifest("acme/api", "1"), registry.uploads());
        assert_eq!(push("2"), ("retagged".to_owned(), 1));
        assert_eq!(push("2"), ("fresh".to_owned(), 0));
        assert_eq!(registry.manifest("acme/api", "2"), first);
        assert_eq!(registry.kind("acme/api", "2"), registry.kind("acme/api", "1"));
        assert_eq!(registry.uploads(), blobs, "nothing was uploaded");
        scene.fixture.write("api/server.js", "process.exit(3);\n");
        assert_eq!(push("2"), ("built".to_owned(), 2));
        assert_ne!(registry.manifest("acme/api", "2"), first);
    }
}

/// All or nothing holds for tags, too.
#[test]
fn nothing_is_retagged_when_a_target_fails() {
    let registry = Registry::start(None);
    let fixture = two_services(&nonce(), WORKS);
    let push = |tag: &str, more: &[&str], code: i32| {
        let tags = [tag, "latest"].map(|tag| format!("{}/x/{{target}}:{tag}", registry.host));
        run(&fixture, &[&["build", "--push", "--tag", &tags[0], "--tag", &tags[1]], more].concat(), code);
        for (tag, target) in tags.iter().flat_map(|tag| ["left", "right"].map(|target| (tag, target))) {
            crate::docker::try_docker(&["image", "rm", "--force", &tag.replace("{target}", target)]);
        }
    };
    push("1", &[], 0);
    fixture.edit("left-library/package.json", WORKS, "exit 7");
    push("2", &["--keep-going"], 1);
    assert_eq!(registry.tags(), ["x/left:1", "x/left:latest", "x/right:1", "x/right:latest"]);
    push("2", &["--keep-going", "--no-atomic"], 1);
    assert_eq!(registry.tags(), ["x/left:1", "x/left:latest", "x/right:1", "x/right:2", "x/right:latest"]);
    assert_eq!(registry.digest("x/right", "2"), registry.digest("x/right", "1"));
}

/// A `buildkitd` has no store to look into: the registry answers, for it as for Docker.
#[test]
fn a_registry_answers_for_a_buildkitd() {
    let registry = Registry::start(None);
    let word = nonce();
    let base = format!("{}/base/node:{word}", registry.host);
    let scene = Scene::on(word.clone(), base.clone());
    docker(&["push", "--quiet", &base]);
    let tag = format!("{}/acme/{{target}}:{word}", registry.host);
    let _image = Images::new([("api".to_owned(), tag.replace("{target}", "api"))].into());
    scene.check(&["--push", "--tag", &tag], "built");
    let ask = b"POST /grpc HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    let relay = Relay::start(&scene.fixture, ask);
    let told = scene.build(&["--push", "--tag", &tag, "--builder", &relay]);
    assert_eq!(told["state"], "fresh");
    assert_eq!(told["digest"], registry.digest("acme/api", &word));
    // Without a registry nobody answers.
    let told = scene.build(&["--builder", &relay]);
    assert_eq!(told["state"], "built");
}

/// With several builders, an image is where one of them has it.
#[test]
fn any_of_several_builders_may_have_the_image() {
    let scene = Scene::new();
    let first = scene.check(&[], "built");
    let relay = Relay::start(&scene.fixture, b"");
    let daemon = crate::publish::daemon();
    assert_eq!(scene.check(&["--builder", &relay, "--builder", &daemon], "fresh"), first);
    scene.fixture.write("api/server.js", "process.exit(4);\n");
    scene.check(&["--builder", &relay, "--builder", &daemon], "built");
    scene.check(&[], "fresh");
}

/// Nobody can say what the base image is: what was built on it may be of another.
#[test]
fn nothing_is_fresh_on_a_base_image_that_nobody_knows() {
    let scene = Scene::new();
    let tag = format!("drydock-test/{{target}}:{}", scene.word);
    scene.check(&[], "built");
    // The registry is asked, and is not there.
    let base = format!("localhost:1/base:{}", scene.word);
    let toml = scene.fixture.read("drydock.toml");
    scene.fixture.write("drydock.toml", &toml.replace(&format!("drydock-test/base:{}", scene.word), &base));
    let said = run(&scene.fixture, &["build", "--tag", &tag], 1);
    assert!(said.stderr.contains("warning[base-image-unknown]: nobody can say what"), "{}", said.stderr);
    assert!(said.stderr.contains(&base), "{}", said.stderr);
}
