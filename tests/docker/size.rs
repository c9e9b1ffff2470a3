//! `size`: what an image is made of, read through the daemon; and images that are bigger than they may be.

use drydock_test::Fixture;
use serde_json::Value;

use crate::docker::docker;
use crate::drydock::{Build, nonce, run};

fn document(fixture: &Fixture, image: &str, code: i32) -> Value {
    let said = run(fixture, &["size", "api", "--image", image, "--format", "json"], code);
    serde_json::from_str(&said.stdout).expect("a document")
}

#[test]
fn an_image_is_summed_up_by_what_brought_its_files() {
    let fixture = Fixture::example("chat");
    let build = Build::of(&fixture, &["api"]);
    let document = document(&fixture, build.image("api"), 0);
    let told: u64 =
        docker(&["image", "inspect", "--format", "{{.Size}}", build.image("api")]).trim().parse().expect("a number");
    let size = document["size"].as_u64().expect("a number");
    // Docker counts what files take; links and folders take a little too.
    assert!(size <= told && told - size < told / 50, "{size} of {told}");
    let shares = document["shares"].as_array().expect("shares").iter();
    let sum: u64 = shares.map(|share| share["size"].as_u64().expect("a number")).sum();
    assert_eq!(sum + document["hidden"].as_u64().expect("a number"), size);
    assert_eq!(document["leaked"], Value::Array(Vec::new()));
    assert!(document["compared"].as_u64().expect("it was compared") > 0);
    let stages: Vec<&str> =
        document["layers"].as_array().expect("layers").iter().filter_map(|layer| layer["stage"].as_str()).collect();
    assert!(stages.contains(&"api") && stages.iter().any(|stage| stage.starts_with("runtime-deps")), "{stages:?}");
    let packages = document["packages"].as_array().expect("packages");
    let of = |workspace: bool| packages.iter().filter(|package| package["workspace"] == workspace).count();
    assert!(of(true) > 1 && of(false) > 0, "{packages:?}");
}

#[test]
fn a_package_that_production_does_not_need_is_found() {
    let fixture = Fixture::example("chat");
    let build = Build::of(&fixture, &["api"]);
    let place = Fixture::empty();
    let script =
        "mkdir -p node_modules/left node_modules/@s/right && echo 1 | tee node_modules/left/x node_modules/@s/right/x";
    let text = format!("FROM {}\nUSER root\nWORKDIR /app\nRUN {script}\n", build.image("api"));
    place.write("Dockerfile", &text);
    let image = format!("drydock-test/leak:{}", nonce());
    docker(&["build", "--quiet", "--tag", &image, place.root().as_str()]);
    let document = document(&fixture, &image, 1);
    docker(&["image", "rm", "--force", &image]);
    assert_eq!(document["leaked"], serde_json::json!(["node_modules/@s/right", "node_modules/left"]));
}

#[test]
fn an_image_over_its_budget_fails_the_build_and_names_what_is_big() {
    let fixture = Fixture::example("chat");
    let configuration = fixture.read("drydock.toml");
    let with = |size: &str| configuration.replace("[target.api]", &format!("[target.api]\nmax-size = \"{size}\""));
    assert_ne!(with("1 GB"), configuration);
    fixture.write("drydock.toml", &with("10 MB"));
    let tag = format!("drydock-test/budget:{}", nonce());
    let said = run(&fixture, &["build", "api", "--tag", &tag], 1);
    docker(&["image", "rm", "--force", &tag]);
    assert!(said.stderr.contains("error[image-too-large]: the image of target `api` has"), "{}", said.stderr);
    assert!(said.stderr.contains("and may have 10.0 MB"), "{}", said.stderr);
    assert!(said.stderr.contains("its biggest packages: "), "{}", said.stderr);
    fixture.write("drydock.toml", &with("1 GB"));
    run(&fixture, &["build", "api", "--tag", &tag], 0);
    docker(&["image", "rm", "--force", &tag]);
}
