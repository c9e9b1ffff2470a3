//! drydock as a library: the xtask of `examples/embedded`, compiled as its user would, and run.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use drydock_test::Fixture;

use crate::docker::{Container, Images};
use crate::drydock::nonce;

/// Compiles the xtask of a copy of the example. What the repository has compiled already is used.
fn xtask(fixture: &Fixture) -> PathBuf {
    let repository = drydock_test::repository();
    let crates = format!("path = \"{repository}/crates/cargo-drydock\"");
    fixture.edit("xtask/Cargo.toml", "path = \"../../../crates/cargo-drydock\"", &crates);
    fixture.write("Cargo.lock", &fs_err::read_to_string(repository.join("Cargo.lock")).expect("it is committed"));
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it is in the target folder");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--offline", "--config", "profile.dev.package.\"*\".debug=false"])
        .arg("--target-dir")
        .arg(target)
        .current_dir(fixture.root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    target.join("debug").join(format!("acme-xtask{}", std::env::consts::EXE_SUFFIX))
}

#[test]
fn an_xtask_builds_the_images() {
    let fixture = Fixture::example("embedded");
    let program = xtask(&fixture);
    let run = |arguments: &[&str]| -> (Option<i32>, String, String) {
        let Output { status, stdout, stderr } = Command::new(&program)
            .args(arguments)
            .current_dir(fixture.root())
            .env("NO_COLOR", "1")
            .output()
            .expect("it runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        (status.code(), text(stdout), text(stderr))
    };
    let (code, plan, said) = run(&["drydock", "plan", "--format", "json"]);
    assert_eq!(code, Some(0), "{said}");
    let plan: serde_json::Value = serde_json::from_str(&plan).expect("JSON");
    assert_eq!(plan["targets"][0]["port"], 3000, "the settings of Cargo.toml count");

    let tag = format!("acme-test/api:{}", nonce());
    let _images =
        Images::new([("api".to_owned(), tag.clone()), ("own".to_owned(), "acme/api:1.0.0".to_owned())].into());
    let (code, _, said) = run(&["images", "--tag", &tag]);
    assert_eq!(code, Some(0), "{said}");
    let container = Container::start(&tag, 3000);
    assert_eq!(container.ready("/").body, "ahoy\n");

    // How it ended is how drydock ends.
    let (code, _, said) = run(&["images", "nobody"]);
    assert_eq!(code, Some(2), "{said}");
    assert_eq!(run(&["else"]).0, Some(2));
}
