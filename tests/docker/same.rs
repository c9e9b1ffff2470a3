//! The written form gives the same images as `build`, and neither depends on where or when it is written.

use std::process::Command;

use drydock_test::{Fixture, repository};

use crate::docker::{Images, docker, shell};
use crate::drydock::{Build, nonce, run};

/// Plain `docker build` and `docker buildx bake` know nothing of drydock.
#[test]
fn dockers_own_client_builds_the_same_images_from_what_is_written() {
    let fixture = Fixture::example("chat");
    let ours = Build::of(&fixture, &["api"]);

    run(&fixture, &["dockerfile", "--out-dir", ".drydock"], 0);
    let references = [format!("drydock-test/plain:{}", nonce()), format!("drydock-test/bake:{}", nonce())];
    let [plain, bake] = &references;
    let theirs = Images::new(references.clone().into_iter().map(|tag| (tag.clone(), tag)).collect());
    // Without the cache, or BuildKit would hand out the image that it has just built.
    client(&fixture, &["build", "--no-cache", "-f", ".drydock/Dockerfile", "--target", "api", "--tag", plain, "."]);
    let tags = format!("*.tags={bake}");
    client(&fixture, &["buildx", "bake", "-f", ".drydock/docker-bake.json", "--load", "--set", &tags]);

    let expected = content(ours.image("api"));
    assert!(expected.contains("node_modules/express/package.json"), "{expected}");
    assert_eq!(content(theirs.of(plain)), expected, "docker build");
    assert_eq!(content(theirs.of(bake)), expected, "docker buildx bake");
    let settings = |image: &str| -> serde_json::Value {
        let text = docker(&["image", "inspect", "--format", "{{json .Config}}", image]);
        let mut settings: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        // The one thing that is no instruction: by it `build` knows its images again. Other labels are the base's.
        let labels = settings["Labels"].as_object_mut();
        let fingerprint = labels.and_then(|labels| labels.remove("dev.drydock.fingerprint"));
        assert_eq!(fingerprint.is_some(), image == ours.image("api"), "{image}");
        if settings["Labels"].as_object().is_none_or(serde_json::Map::is_empty) {
            settings.as_object_mut().expect("an object").remove("Labels");
        }
        settings
    };
    assert_eq!(settings(plain), settings(ours.image("api")));
    assert_eq!(settings(bake), settings(ours.image("api")));
}

/// For CI jobs that guard a committed Dockerfile.
#[test]
fn check_tells_when_what_is_written_is_stale() {
    let fixture = Fixture::example("chat");
    run(&fixture, &["dockerfile", "--check"], 1);
    run(&fixture, &["dockerfile", "--out-dir", ".drydock"], 0);
    run(&fixture, &["dockerfile", "--check"], 0);
    // What a file holds is not in the Dockerfile.
    fixture.edit("api/server/index.js", "no such endpoint", "nothing here");
    run(&fixture, &["dockerfile", "--check"], 0);
    // A new file must be let through, a new dependency installed.
    fixture.write("client/src/extra.ts", "export {};\n");
    let said = run(&fixture, &["dockerfile", "--check"], 1);
    assert!(said.stdout.contains("+!client/src/extra.ts"), "{}", said.stdout);
    run(&fixture, &["dockerfile", "--out-dir", ".drydock"], 0);
    run(&fixture, &["dockerfile", "--check"], 0);
    fixture.edit("drydock.toml", "port = 3080", "port = 3081");
    let said = run(&fixture, &["dockerfile", "--check"], 1);
    assert!(said.stdout.contains("-EXPOSE 3080") && said.stdout.contains("+EXPOSE 3081"), "{}", said.stdout);
    assert!(said.stderr.contains("drydock dockerfile --out-dir .drydock"), "{}", said.stderr);
}

#[test]
fn bytes_depend_on_neither_the_time_nor_the_place() {
    for (example, targets) in [("chat", &["api"] as &[&str]), ("rag", &["backend", "frontend", "ingestion"])] {
        let (here, there) = (Fixture::example(example), Fixture::empty());
        copy_backwards(example, &there);
        let written = everything(&here, targets);
        assert_eq!(everything(&here, targets), written, "{example}, again");
        assert_eq!(everything(&there, targets), written, "{example}, elsewhere");
        assert!(!written.contains(here.root().as_str()), "{example}: a path of this machine in {written}");
    }
}

/// Every text that a workspace comes to: the plan, the Dockerfile, the bake file, the list of the context, and what
/// `--out-dir` writes.
fn everything(fixture: &Fixture, targets: &[&str]) -> String {
    let mut text = String::new();
    for arguments in [&["dockerfile"] as &[&str], &["bake"], &["plan", "--format", "json"]] {
        text += &run(fixture, arguments, 0).stdout;
    }
    for target in targets {
        text += &run(fixture, &["files", target, "--format", "json"], 0).stdout;
    }
    run(fixture, &["dockerfile", "--out-dir", ".drydock"], 0);
    let script = "find .drydock -type f | LC_ALL=C sort | xargs sha256sum";
    let sums = Command::new("sh").args(["-c", script]).current_dir(fixture.root()).output().expect("a shell");
    assert!(sums.status.success(), "{sums:?}");
    fs_err::remove_dir_all(fixture.root().join(".drydock")).expect("the folder was just written");
    text + &String::from_utf8(sums.stdout).expect("UTF-8")
}

/// Copies an example so that folders list their files in another order, where the file system keeps the order.
fn copy_backwards(example: &str, fixture: &Fixture) {
    let from = repository().join("examples").join(example);
    let listed = Fixture::example(example);
    let script = "find . -type f | LC_ALL=C sort -r";
    let output = Command::new("sh").args(["-c", script]).current_dir(listed.root()).output().expect("a shell");
    for path in String::from_utf8(output.stdout).expect("UTF-8").lines() {
        fixture.write(path, &fs_err::read_to_string(from.join(path)).expect("examples are text"));
    }
}

/// Every file, folder and link under `/app`: kind, mode, owner, target, and the digest of its bytes. Times may differ.
fn content(image: &str) -> String {
    let script = r"cd /app && find . -printf '%p %y %m %u:%g %l\n' | LC_ALL=C sort \
        && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum";
    shell(image, script)
}

/// Runs `docker` in the fixture's root. Panics when it fails.
fn client(fixture: &Fixture, arguments: &[&str]) {
    let output =
        Command::new("docker").args(arguments).current_dir(fixture.root()).output().expect("`docker` is on PATH");
    assert!(output.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
