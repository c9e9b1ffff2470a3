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
