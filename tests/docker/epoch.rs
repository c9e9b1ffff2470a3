//! Two builds of one tree from no cache give one image, as far as what writes it lets them.

use drydock_test::Fixture;
use serde_json::Value;

use crate::docker::{Images, docker};
use crate::drydock::{Said, nonce, run};
use crate::publish::has_containerd_store;

/// 2020-01-01: later than what base images are dated would hide that times are not clamped.
const TIME: &str = "1577836800";

fn build(fixture: &Fixture, more: &[&str]) -> Said {
    run(fixture, &[&["build", "backend", "--force", "--source-date-epoch", TIME], more].concat(), 0)
}

fn sha256(fixture: &Fixture, file: &str) -> String {
    let output = std::process::Command::new("sha256sum")
        .arg(fixture.root().join(file))
        .output()
        .expect("`sha256sum` is on PATH");
    assert!(output.status.success());
    String::from_utf8_lossy(&output.stdout).split(' ').next().expect("a sum").to_owned()
}

#[test]
fn two_builds_from_no_cache_are_the_same() {
    let fixture = Fixture::example("rag");
    if has_containerd_store() {
        let digests = ["one", "two"].map(|name| {
            let (output, metadata) = (format!("type=oci,dest={name}.oci"), format!("{name}.json"));
            build(&fixture, &["--no-cache", "--output", &output, "--metadata-file", &metadata]);
            let document: Value = serde_json::from_str(&fixture.read(&metadata)).expect("JSON");
            document["backend"]["containerimage.digest"].as_str().expect("a digest").to_owned()
        });
        assert_eq!(digests[0], digests[1]);
        return;
    }
    // All files of the image with their modes, owners and times.
    for file in ["one.tar", "two.tar"] {
        build(&fixture, &["--no-cache", "--output", &format!("type=tar,dest={file}")]);
    }
    assert_eq!(sha256(&fixture, "one.tar"), sha256(&fixture, "two.tar"), "the files");
    // Docker's own store keeps the times of files, which is said; the image says the time it was given.
    let tag = format!("drydock-test/epoch:{}", nonce());
    let _images = Images::new([("backend".to_owned(), tag.clone())].into());
    let said = build(&fixture, &["--tag", &tag]);
    assert!(said.stderr.contains("warning[layers-keep-times]"), "{}", said.stderr);
    let created = docker(&["image", "inspect", "--format", "{{.Created}}", &tag]);
    assert_eq!(created.trim(), "2020-01-01T00:00:00Z");
}
