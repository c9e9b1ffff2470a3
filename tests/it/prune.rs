//! What `prune` writes, and what the configuration has to say in it. npm judges it in `tests/docker`.

use drydock_test::Fixture;

use crate::support::stdout;

const PACKAGE: &str = "@chat/data-schemas";

/// Prunes the chat example to one package; the paths of what is written, and the pruned lockfile.
fn pruned(fixture: &Fixture, arguments: &[&str]) -> (Vec<String>, String) {
    let out = fixture.root().join("out");
    stdout(fixture, &[&["prune", PACKAGE, "--out", "out"], arguments].concat());
    let mut paths = Vec::new();
    let mut open = vec![out.clone()];
    while let Some(folder) = open.pop() {
        for entry in folder.read_dir_utf8().expect("what was written can be read") {
            let entry = entry.expect("what was written can be read");
            if entry.file_type().expect("what was written can be read").is_dir() {
                open.push(entry.into_path());
            } else {
                paths.push(entry.path().strip_prefix(&out).expect("what was written can be read").to_string());
            }
        }
    }
    paths.sort();
    (paths, fs_err::read_to_string(out.join("package-lock.json")).expect("what was written can be read"))
}

#[test]
fn a_package_comes_with_its_closure() {
    let (paths, lockfile) = pruned(&Fixture::example("chat"), &[]);
    assert!(paths.iter().any(|path| path == "packages/data-provider/package.json"), "{paths:?}");
    assert!(!paths.iter().any(|path| path.starts_with("packages/client/")), "{paths:?}");
    assert!(!paths.iter().any(|path| path.starts_with("client/")), "{paths:?}");
    assert!(lockfile.contains("\"node_modules/prettier\""), "the root's own dependencies come along");
}

#[test]
fn the_configuration_says_what_comes_with_it_too() {
    let fixture = Fixture::example("chat");
    let configuration = r#"
        [workspace]
        root-dependencies = []
        root-files = ["README.md"]

        [package."@chat/data-schemas"]
        depends-on = ["@chat/ui"]
        root-files = ["client/tailwind.config.cjs"]
    "#;
    fixture.write("drydock.toml", configuration);
    let (paths, lockfile) = pruned(&fixture, &[]);
    for expected in ["README.md", "client/tailwind.config.cjs", "packages/client/package.json"] {
        assert!(paths.iter().any(|path| path == expected), "no {expected} in {paths:?}");
    }
    assert!(!paths.iter().any(|path| path == "client/package.json"), "{paths:?}");
    assert!(!lockfile.contains("\"node_modules/prettier\""), "the configuration wants none of the root's dependencies");
}

#[test]
fn production_leaves_out_what_only_builds_are_said_to_need() {
    let fixture = Fixture::example("chat");
    fixture.write("drydock.toml", "[package.\"@chat/data-schemas\"]\ndepends-on = [\"@chat/ui\"]\n");
    let (paths, _) = pruned(&fixture, &["--production"]);
    assert!(!paths.iter().any(|path| path.starts_with("packages/client/")), "{paths:?}");
}

/// Of what is written for a target: the stages' base images, and what is built.
fn planned(out: &Fixture) -> (Vec<String>, String) {
    let dockerfile = stdout(out, &["dockerfile"]);
    let froms = dockerfile.lines().filter(|line| line.starts_with("FROM ") && line.contains(':')).map(str::to_owned);
    (froms.collect(), stdout(out, &["targets"]))
}

#[test]
fn a_target_comes_with_its_configuration_its_pins_and_what_it_serves() {
    let (fixture, out) = (Fixture::example("chat"), Fixture::empty());
    let more = "healthcheck = \"/health\"\ncompose = { port = 8080, depends-on = [\"site\"] }\nfiles = [\"notes\"]\n\n\
                [target.site]\npackage = \"@chat/client\"\n\n[package.\"@chat/ui\"]\noutputs = []\n";
    fixture.write("drydock.toml", &format!("{}{more}", fixture.read("drydock.toml")));
    fixture.write("notes/operators.md", "# Notes\n");
    fixture
        .write("drydock.lock", &format!("version = 1\n[images]\n\"node:22-bookworm-slim\" = \"sha256:{:064}\"\n", 7));
    // The front end comes for what the server's image serves of it; its own image comes along.
    stdout(&fixture, &["prune", "api", "--out", out.root().as_str()]);
    assert_eq!(out.read("notes/operators.md"), "# Notes\n");
    let froms = planned(&out).0;
    assert_eq!(froms[0], format!("FROM node:22-bookworm-slim@sha256:{:064} AS base", 7));
    assert_eq!(planned(&out), planned(&fixture));
    stdout(&out, &["compose", "--out", "-"]);

    // For the package alone, there is no front end, and nothing that needs one.
    let out = Fixture::empty();
    stdout(&fixture, &["prune", "@chat/api-server", "--out", out.root().as_str()]);
    insta::assert_snapshot!(fs_err::read_to_string(out.root().join("drydock.toml")).unwrap_or_default(), @"");
    assert_eq!(planned(&out).0, froms[..1]);

    // What production installs is not built there.
    let out = Fixture::empty();
    stdout(&fixture, &["prune", "api", "--production", "--out", out.root().as_str()]);
    assert!(!out.root().join("drydock.toml").exists() && !out.root().join("drydock.lock").exists());
    assert!(!out.root().join("client").exists());
}

#[test]
fn the_table_of_a_cargo_manifest_becomes_a_configuration() {
    let (fixture, out) = (Fixture::example("embedded"), Fixture::empty());
    fixture.edit("Cargo.toml", "members = [\"xtask\"]", "members = []");
    stdout(&fixture, &["prune", "api", "--out", out.root().as_str()]);
    insta::assert_snapshot!(out.read("drydock.toml"), @r#"
    # What would stand in a drydock.toml.
    [workspace]
    node = "22"

    [target.api]
    package = "@acme/api"
    port = 3000
    "#);
    assert_eq!(planned(&out), planned(&fixture));
}
