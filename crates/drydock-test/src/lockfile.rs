//! Lockfiles for fixtures.

use std::fmt::Write as _;

/// The `package-lock.json` (version 3) of a workspace whose members, given as folder and name, need each other and
/// nothing from a registry. `manifests` are the members' own `package.json` texts, from which npm copies what it checks:
/// each entry of the lockfile is the manifest itself.
pub fn lockfile(root: &str, members: &[(&str, &str, &str)]) -> String {
    let mut packages = format!("    \"\": {}", root.trim());
    for (folder, _, manifest) in members {
        write!(packages, ",\n    \"{folder}\": {}", manifest.trim()).expect("writing to a string does not fail");
    }
    for (folder, name, _) in members {
        write!(packages, ",\n    \"node_modules/{name}\": {{ \"resolved\": \"{folder}\", \"link\": true }}")
            .expect("writing to a string does not fail");
    }
    format!("{{\n  \"lockfileVersion\": 3,\n  \"requires\": true,\n  \"packages\": {{\n{packages}\n  }}\n}}\n")
}
