//! `pin` asks the registry, and builds go by what it wrote.

use drydock_test::{Fixture, lockfile};
use serde_json::Value;

use crate::docker::{Images, config, docker};
use crate::drydock::{Said, nonce, run};
use crate::registry::Registry;

/// A site that nothing has to be built for, on a base image of its own in a registry.
struct Scene {
    fixture: Fixture,
    registry: Registry,
    /// The base image.
    base: String,
    /// The site's.
    tag: String,
    _images: Images,
}

fn workspace(image: &str) -> Fixture {
    let fixture = Fixture::empty();
    let root = r#"{ "name": "acme", "workspaces": ["site"] }"#;
    let site = r#"{ "name": "@acme/site", "version": "1.0.0" }"#;
    fixture.write("package.json", root);
    fixture.write("site/package.json", site);
    fixture.write("site/public/index.html", "<!doctype html><title>Acme</title>\n");
    fixture.write("package-lock.json", &lockfile(root, &[("site", "@acme/site", site)]));
    let target = "[target.site]\npackage = \"@acme/site\"\nkind = \"static\"\ndev = false\n";
    fixture.write("drydock.toml", &format!("[workspace]\nstatic-image = \"{image}\"\n{target}"));
    fixture
}

impl Scene {
    fn new() -> Self {
        let (registry, word) = (Registry::start(None), nonce());
        let base = format!("{}/base:1", registry.host);
        let tag = format!("drydock-test/site:{word}");
        let fixture = workspace(&base);
        let images = [&base, &tag].map(|tag| (tag.clone(), tag.clone()));
        let scene = Self { fixture, registry, base, tag, _images: Images::new(images.into()) };
        scene.release("first");
        scene
    }

    /// Gives the base image's tag to another image, which says `word` of itself.
    fn release(&self, word: &str) {
        let folder = Fixture::empty();
        folder.write("Dockerfile", &format!("FROM scratch\nCOPY Dockerfile /base\nLABEL word={word}\n"));
        docker(&["build", "--quiet", "--tag", &self.base, folder.root().as_str()]);
        docker(&["push", "--quiet", &self.base]);
    }

    fn pin(&self, arguments: &[&str], code: i32) -> Said {
        run(&self.fixture, &[&["pin"], arguments].concat(), code)
    }

    /// The word of the base image that the site is built on.
    fn built_on(&self) -> Value {
        run(&self.fixture, &["build", "--force", "--tag", &self.tag], 0);
        config(&self.tag)["Labels"]["word"].clone()
    }
}

#[test]
fn builds_go_by_what_is_pinned_until_it_is_updated() {
    let scene = Scene::new();
    let (base, first) = (&scene.base, scene.registry.digest("base", "1"));
    let said = scene.pin(&["--check"], 1);
    assert_eq!(said.stdout, format!("{base} is not pinned\n"));
    assert!(!scene.fixture.root().join("drydock.lock").exists());

    let said = scene.pin(&[], 0);
    assert!(said.stderr.contains(&format!("Pinned {base} to {}", &first[..19])), "{}", said.stderr);
    let lock = scene.fixture.read("drydock.lock");
    assert!(lock.contains(&format!("\"{base}\" = \"{first}\"")), "{lock}");
    let dockerfile = run(&scene.fixture, &["dockerfile"], 0).stdout;
    assert!(dockerfile.contains(&format!("FROM {base}@{first} AS site\n")), "{dockerfile}");
    assert_eq!(scene.built_on(), "first");
    scene.pin(&["--check"], 0);

    scene.release("second");
    let second = scene.registry.digest("base", "1");
    let said = scene.pin(&["--check"], 1);
    let told = format!("{base} is pinned to {}, and its registry has {}\n", &first[..19], &second[..19]);
    assert_eq!(said.stdout, told);
    assert!(said.stderr.contains("run `drydock pin --update`"), "{}", said.stderr);
    scene.pin(&[], 0);
    assert_eq!(scene.fixture.read("drydock.lock"), lock, "what is pinned stays");
    assert_eq!(scene.built_on(), "first");

    let said = scene.pin(&["--update", "--format", "json"], 0);
    let document: Value = serde_json::from_str(&said.stdout).expect("JSON");
    let image = serde_json::json!({ "image": base, "digest": second, "state": "updated", "before": first });
    assert_eq!(document["images"], serde_json::json!([image]));
    assert_eq!(scene.built_on(), "second");
}

/// What a daemon alone has is no pin for others; what is nowhere is none either.
#[test]
fn an_image_that_no_registry_has_cannot_be_pinned() {
    let word = nonce();
    let local = format!("drydock-test/local:{word}");
    let _image = Images::new([("local".to_owned(), local.clone())].into());
    docker(&["tag", "node:22-bookworm-slim", &local]);
    for (image, code) in [(local, "pin-local-image"), (format!("127.0.0.1:1/{word}:1"), "pin-unresolved")] {
        let fixture = workspace(&image);
        let said = run(&fixture, &["pin"], 4);
        assert!(said.stderr.contains(&format!("error[{code}]")), "{}", said.stderr);
        assert!(said.stderr.contains(&format!("`{image}`")) && said.stderr.contains("= help: "), "{}", said.stderr);
        assert!(!fixture.root().join("drydock.lock").exists());
    }
}

/// The daemon has had it from there once; now the registry knows nothing of it.
#[test]
fn what_was_pulled_is_pinned_as_it_was_pulled() {
    let scene = Scene::new();
    let (base, digest) = (&scene.base, scene.registry.digest("base", "1"));
    scene.registry.forget("base", "1");
    let said = scene.pin(&[], 0);
    assert!(said.stderr.contains("warning[pin-from-store]"), "{}", said.stderr);
    assert!(scene.fixture.read("drydock.lock").contains(&format!("\"{base}\" = \"{digest}\"")));
    // A pin that cannot be compared with anything is no stale one.
    let said = scene.pin(&["--check"], 0);
    assert!(said.stderr.contains("warning[pin-unverified]"), "{}", said.stderr);
    let said = scene.pin(&["--update"], 4);
    assert!(said.stderr.contains("error[pin-unresolved]"), "{}", said.stderr);
}
