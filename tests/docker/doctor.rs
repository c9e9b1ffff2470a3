//! `doctor` asks the daemon what it can do, and each base image of it.

use drydock_test::Fixture;
use serde_json::Value;

use crate::drydock::{nonce, run};

fn workspace() -> Fixture {
    let fixture = Fixture::empty();
    let root = r#"{ "name": "acme", "version": "1.0.0", "scripts": { "start": "node index.js" } }"#;
    fixture.write("package.json", root);
    fixture.write("package-lock.json", &drydock_test::lockfile(root, &[]));
    fixture.write("index.js", "require('http').createServer().listen(3000);\n");
    fixture
}

fn codes(document: &str) -> Vec<String> {
    let document: Value = serde_json::from_str(document).expect("a document");
    // How full the disk is, is the machine's business.
    let findings = document["findings"].as_array().expect("findings").iter().filter(|found| found["check"] != "disk");
    findings.map(|found| format!("{} {}", found["severity"], found["code"]).replace('"', "")).collect()
}

#[test]
fn a_base_image_that_is_there_and_one_that_is_nowhere() {
    let fixture = workspace();
    let there = run(&fixture, &["doctor", "--format", "json"], 0);
    let document: Value = serde_json::from_str(&there.stdout).expect("a document");
    let checks = document["checks"].as_array().expect("checks");
    let state = |name: &str| checks.iter().find(|check| check["name"] == name).map(|check| check["state"].clone());
    assert_eq!(state("daemon"), Some("fine".into()), "{}", there.stdout);
    assert_ne!(state("base images"), Some("error".into()), "{}", there.stdout);

    let image = format!("127.0.0.1:1/{}:1", nonce());
    fixture.write("drydock.toml", &format!("[workspace]\nimage = \"{image}\"\n"));
    let nowhere = run(&fixture, &["doctor", "--format", "json"], 1);
    assert_eq!(codes(&nowhere.stdout), ["error base-image-unreachable"], "{}", nowhere.stdout);
    assert!(nowhere.stdout.contains(&image));
}
