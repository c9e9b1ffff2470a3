//! The crates depend on each other only along the edges that ARCHITECTURE.md allows.

use cargo_metadata::{DependencyKind, MetadataCommand};

/// What each crate may depend on, beside `drydock-diagnostics`, which all may.
const ALLOWED: [(&str, &[&str]); 7] = [
    ("drydock-diagnostics", &[]),
    ("drydock-lockfile", &[]),
    ("drydock-workspace", &["drydock-lockfile"]),
    ("drydock-plan", &["drydock-workspace", "drydock-lockfile"]),
    ("drydock-dockerfile", &["drydock-plan"]),
    ("drydock-build", &[]),
    (
        "cargo-drydock",
        &["drydock-build", "drydock-dockerfile", "drydock-lockfile", "drydock-plan", "drydock-workspace"],
    ),
];

#[test]
fn crates_depend_on_each_other_as_the_architecture_says() {
    let manifest = drydock_test::repository().join("Cargo.toml");
    let metadata = MetadataCommand::new().manifest_path(manifest).no_deps().exec().expect("cargo metadata");
    let mut seen = 0;
    for package in &metadata.packages {
        let name = package.name.as_str();
        let Some((_, allowed)) = ALLOWED.iter().find(|(crate_name, _)| *crate_name == name) else {
            assert!(["drydock-test", "xtask"].contains(&name), "`{name}` has no place in the architecture yet");
            continue;
        };
        seen += 1;
        for dependency in package.dependencies.iter().filter(|dependency| dependency.kind == DependencyKind::Normal) {
            let is_ours = metadata.packages.iter().any(|other| other.name.as_str() == dependency.name);
            let may = dependency.name == "drydock-diagnostics" || allowed.contains(&dependency.name.as_str());
            assert!(!is_ours || may, "`{name}` must not depend on `{}`", dependency.name);
        }
    }
    assert_eq!(seen, ALLOWED.len(), "a crate of the architecture is missing");
}
