//! `drydock.lock`: everything that plans goes by it. That `pin` writes the right things into it, tests/docker tells.

use drydock_test::Fixture;
use serde_json::Value;

use crate::support::{acme, check, commit_all, drydock, stdout};

const IMAGE: &str = "node:22-bookworm-slim";

fn digest(digit: char) -> String {
    format!("sha256:{}", String::from(digit).repeat(64))
}

fn lock(fixture: &Fixture, pins: &[(&str, &str)]) {
    let lines: Vec<String> = pins.iter().map(|(image, digest)| format!("\"{image}\" = \"{digest}\"\n")).collect();
    fixture.write("drydock.lock", &format!("version = 1\n\n[images]\n{}", lines.concat()));
}

fn pinned() -> Fixture {
    let fixture = acme();
    lock(&fixture, &[(IMAGE, &digest('a'))]);
    fixture
}

#[test]
fn what_is_pinned_is_what_stages_begin_with() {
    let fixture = pinned();
    let dockerfile = stdout(&fixture, &["dockerfile"]);
    assert!(dockerfile.contains(&format!("FROM {IMAGE}@{} AS base\n", digest('a'))), "{dockerfile}");
    // The tag still tells what the image holds.
    assert!(dockerfile.contains("apt-get"), "{dockerfile}");
    let plan: Value = serde_json::from_str(&stdout(&fixture, &["plan", "--format", "json"])).expect("JSON");
    let base = plan["stages"].as_array().expect("stages").iter().find(|stage| stage["name"] == "base").expect("a base");
    assert_eq!(base["image"], format!("{IMAGE}@{}", digest('a')));
    // People read no 64 digits.
    let plan = stdout(&fixture, &["plan"]);
    assert!(plan.contains(&format!("{IMAGE}@{}\n", &digest('a')[..19])), "{plan}");
    let fingerprint = |fixture: &Fixture| {
        let plan: Value = serde_json::from_str(&stdout(fixture, &["plan", "--format", "json"])).expect("JSON");
        plan["targets"][0]["fingerprint"].as_str().expect("a fingerprint").to_owned()
    };
    let before = fingerprint(&fixture);
    lock(&fixture, &[(IMAGE, &digest('b'))]);
    assert_ne!(fingerprint(&fixture), before);
}

#[test]
fn a_new_pin_is_another_base_image() {
    let fixture = pinned();
    commit_all(&fixture, "first");
    lock(&fixture, &[(IMAGE, &digest('b'))]);
    check!(fixture, ["affected", "--since", "HEAD"], @"
    success: true
    exit_code: 0
    ----- stdout -----
    api
      base image: node:22-bookworm-slim@sha256:aaaaaaaaaaaa → node:22-bookworm-slim@sha256:bbbbbbbbbbbb

    ----- stderr -----
    ");
    check!(fixture, ["why", "api"], @"
    success: true
    exit_code: 0
    ----- stdout -----
    api is not what it was at HEAD

    base image: node:22-bookworm-slim@sha256:aaaaaaaaaaaa → node:22-bookworm-slim@sha256:bbbbbbbbbbbb
    └── stage base: FROM node:22-bookworm-slim@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
        └── stage runtime-base: FROM base
            └── stage runtime-deps-api: FROM runtime-base
                └── stage api: FROM runtime-deps-api
                    └── image api

    ----- stderr -----
    ");
    let document = stdout(&fixture, &["affected", "--since", "HEAD", "--format", "json"]);
    let document: Value = serde_json::from_str(&document).expect("JSON");
    let (before, after) = (format!("{IMAGE}@{}", digest('a')), format!("{IMAGE}@{}", digest('b')));
    let reason = serde_json::json!({ "reason": "BaseImageChanged", "before": before, "after": after });
    assert_eq!(document["targets"][0]["reasons"], serde_json::json!([reason]));
    commit_all(&fixture, "second");
    let history = stdout(&fixture, &["replay", "--last", "1", "--format", "json"]);
    let history: Value = serde_json::from_str(&history).expect("JSON");
    assert_eq!(history["commits"][0]["targets"], serde_json::json!(["api"]), "{history}");
}

#[test]
fn a_new_image_that_is_not_pinned_is_told() {
    let fixture = pinned();
    fixture.write(".nvmrc", "24\n");
    check!(fixture, ["targets"], @"
    success: true
    exit_code: 0
    ----- stdout -----
    api  service  @acme/api  node server.js, port 3000

    ----- stderr -----
    ");
    check!(fixture, ["files", "api"], @"
    success: true
    exit_code: 0
    ----- stdout -----
    .drydock/install/install/package-lock.json
    .drydock/install/install/package.json
    .drydock/install/install/packages/lib/package.json
    .drydock/install/runtime-deps-api/api/package.json
    .drydock/install/runtime-deps-api/package-lock.json
    .drydock/install/runtime-deps-api/package.json
    .drydock/install/runtime-deps-api/packages/lib/package.json
    api/package.json
    api/server.js
    package.json
    packages/lib/build.js
    packages/lib/package.json

    ----- stderr -----
    warning[base-image-unpinned]: `node:24-bookworm-slim` is not pinned, as other base images are
      = help: run `drydock pin`
    ");
}

#[test]
fn what_a_person_broke_has_a_place() {
    let fixture = pinned();
    fixture.edit("drydock.lock", &digest('a'), "sha256:abc");
    check!(fixture, ["dockerfile"], @r#"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error[pins-invalid]: what `node:22-bookworm-slim` is pinned to is no digest
     --> drydock.lock:4:27
      |
    4 | "node:22-bookworm-slim" = "sha256:abc"
      |                           ^^^^^^^^^^^^
      |
      = help: write `sha256:` and 64 hexadecimal digits, or delete the line and run `drydock pin`
    "#);
    fixture.write("drydock.lock", "[images]\n<<<<<<< ours\n");
    check!(fixture, ["pin"], @"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error[pins-invalid]: `drydock.lock` is not valid TOML: key with no value, expected `=`
     --> drydock.lock:2:9
      |
    2 | <<<<<<< ours
      |         ^
      |
      = help: settle conflicts of a merge in it, or delete it and run `drydock pin`

    error[pins-invalid]: `drydock.lock` is not valid TOML: invalid unquoted key, expected letters, numbers, `-`, `_`
     --> drydock.lock:2:1
      |
    2 | <<<<<<< ours
      | ^^^^^^^
      |
      = help: settle conflicts of a merge in it, or delete it and run `drydock pin`
    ");
}

/// The root's own package copies its whole folder.
#[test]
fn the_lock_file_is_in_no_context() {
    let fixture = Fixture::empty();
    let root = r#"{ "name": "acme", "version": "1.0.0", "scripts": { "start": "node index.js" } }"#;
    fixture.write("package.json", root);
    fixture.write("package-lock.json", &drydock_test::lockfile(root, &[]));
    fixture.write("index.js", "require('http').createServer().listen(3000);\n");
    fixture.write(".nvmrc", "22\n");
    lock(&fixture, &[(IMAGE, &digest('a'))]);
    let files = stdout(&fixture, &["files", "acme"]);
    assert!(files.contains("index.js") && !files.contains("drydock.lock"), "{files}");
}

/// Nothing has to be asked when all is pinned: no daemon is needed to take away what nothing names.
#[test]
fn what_nothing_names_is_removed() {
    let fixture = pinned();
    lock(&fixture, &[("node:18-alpine", &digest('c')), (IMAGE, &digest('a'))]);
    check!(fixture, ["pin"], @"
    success: true
    exit_code: 0
    ----- stdout -----

    ----- stderr -----
         Removed node:18-alpine, which nothing names any more
           Wrote 1 base image to drydock.lock
    ");
    insta::assert_snapshot!(fixture.read("drydock.lock"), @r#"
    # Written by `cargo drydock pin`: the digests of base images. Commit it; `cargo drydock pin --update` brings newer ones.
    version = 1

    [images]
    "node:22-bookworm-slim" = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "#);
    check!(fixture, ["pin", "--update", "node:23"], @"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error[pin-not-named]: no stage begins with an image `node:23`
      = help: `drydock plan` tells what stages begin with
    ");
    check!(fixture, ["pin"], @"
    success: true
    exit_code: 0
    ----- stdout -----

    ----- stderr -----
         Current 1 base image in drydock.lock
    ");
}

#[test]
fn pins_are_written_in_one_way_and_asked_of_a_daemon() {
    let fixture = acme();
    let mut command = drydock(&fixture, &["pin"]);
    insta_cmd::assert_cmd_snapshot!(command.env("DOCKER_HOST", "unix:///nonexistent/docker.sock"), @"
    success: false
    exit_code: 4
    ----- stdout -----

    ----- stderr -----
    error[docker-unreachable]: no Docker daemon answers
      = note: tried `unix:///nonexistent/docker.sock` (the environment variable `DOCKER_HOST`): No such file or directory (os error 2)
      = help: start the daemon (`sudo systemctl start docker`), or set `DOCKER_HOST` to where it listens
    ");
    assert!(!fixture.root().join("drydock.lock").exists());
    // What names its digest itself has none elsewhere.
    fixture.write("drydock.toml", &format!("[workspace]\nimage = \"{IMAGE}@{}\"\n", digest('d')));
    check!(fixture, ["pin"], @"
    success: true
    exit_code: 0
    ----- stdout -----

    ----- stderr -----
        Finished no base image has a tag to pin
    ");
}
