//! Cases that real lockfiles hold, one small workspace each.

#![allow(clippy::unwrap_used, reason = "a test may fail")]
#![allow(clippy::too_many_lines, reason = "snapshots are long")]

mod support;

use std::fmt::Write as _;

use drydock_diagnostics::Diagnose as _;
use drydock_lockfile::{
    ClosureKind, Lifecycle, Lockfile, LockfileError, NativeHint, ProductionMode, PrunedInstall, RootDependencies,
    Selection, Shape, WorkspacePath, check_sync, prune,
};
use support::{Workspace, path};

fn build(member: &str) -> Selection {
    Selection::build(vec![path(member)])
}

fn production(member: &str) -> Selection {
    Selection::production(vec![path(member)])
}

fn pruned(workspace: &Workspace, selection: &Selection) -> PrunedInstall {
    let install = workspace.with(|input| prune(&input, selection)).unwrap();
    assert_eq!(install.shape, selection.shape, "{:?}", install.warnings);
    install
}

fn refused(workspace: &Workspace, selection: &Selection) -> LockfileError {
    workspace.with(|input| prune(&input, selection)).unwrap_err()
}

fn keys(install: &PrunedInstall) -> Vec<&str> {
    install.entries.iter().map(String::as_str).collect()
}

fn text(install: &PrunedInstall, file: &str) -> String {
    String::from_utf8(install.files[&path(file)].bytes.clone()).unwrap()
}

fn entry(install: &PrunedInstall, location: &str) -> serde_json::Value {
    let lock: serde_json::Value = serde_json::from_str(&text(install, "package-lock.json")).unwrap();
    lock["packages"][location].clone()
}

/// An error as a person reads it, without the source text.
fn shown(error: &LockfileError) -> String {
    let mut shown = format!("{}: {error}\n", error.code());
    for snippet in error.snippets() {
        let (line, column) = snippet.line_column();
        let marked = &snippet.source[snippet.span.clone()];
        writeln!(shown, "  {}:{line}:{column}: {marked} ({})", snippet.path, snippet.label).unwrap();
    }
    for note in error.notes() {
        writeln!(shown, "  note: {note}").unwrap();
    }
    write!(shown, "  help: {}", error.help().unwrap()).unwrap();
    shown
}

const TWO: &str = r#"
== package.json
{"name": "root", "version": "9.9.9", "workspaces": ["a", "b"], "scripts": {"build": "x"},
 "devDependencies": {"typescript": "^5"}, "overrides": {"dep": "1.0.0"}, "description": "d"}
== a/package.json
{"name": "@s/a", "version": "1.0.0", "scripts": {"build": "tsc"}, "main": "dist/a.js",
 "dependencies": {"dep": "^1", "@s/b": "^1"}, "devDependencies": {"lint": "^3", "peer": "^1"},
 "peerDependencies": {"peer": ">=1"}}
== b/package.json
{"name": "@s/b", "version": "1.4.0", "dependencies": {"dep": "^2"}, "devDependencies": {"test": "^7"}}
== package-lock.json
{"name": "root", "lockfileVersion": 3, "requires": true, "packages": {
 "": {"name": "root", "version": "9.9.9", "workspaces": ["a", "b"], "devDependencies": {"typescript": "^5"}},
 "a": {"name": "@s/a", "version": "1.0.0", "dependencies": {"dep": "^1", "@s/b": "^1"},
       "devDependencies": {"lint": "^3", "peer": "^1"}, "peerDependencies": {"peer": ">=1"}},
 "b": {"name": "@s/b", "version": "1.4.0", "dependencies": {"dep": "^2"}, "devDependencies": {"test": "^7"}},
 "b/node_modules/dep": {"version": "2.1.0", "integrity": "sha512-2", "license": "MIT", "dependencies": {"deep": "~3.0.0"}},
 "node_modules/@s/a": {"resolved": "a", "link": true},
 "node_modules/@s/b": {"resolved": "b", "link": true},
 "node_modules/deep": {"version": "3.0.4", "integrity": "sha512-3", "engines": {"node": ">=10"}, "funding": "x"},
 "node_modules/dep": {"version": "1.0.0", "integrity": "sha512-1", "dev": true},
 "node_modules/junk": {"version": "0.0.1", "extraneous": true},
 "node_modules/lint": {"version": "3.2.1", "dev": true, "peerDependencies": {"typescript": ">=4", "maybe": "*"},
                       "peerDependenciesMeta": {"maybe": {"optional": true}}},
 "node_modules/peer": {"version": "1.5.0", "dev": true},
 "node_modules/test": {"version": "7.0.0", "dev": true, "bin": {"test": "cli.js"}},
 "node_modules/typescript": {"version": "5.6.2", "dev": true, "bin": {"tsc": "bin/tsc"}}
}}
"#;

#[test]
fn a_build_closure_is_sealed_at_its_paths() {
    let install = pruned(&Workspace::parse(TWO), &build("a"));
    insta::assert_snapshot!(text(&install, "package-lock.json"), @r#"
    {
      "name": "root",
      "lockfileVersion": 3,
      "requires": true,
      "packages": {
        "": {
          "name": "root",
          "workspaces": [
            "a",
            "b"
          ],
          "devDependencies": {
            "typescript": "5.6.2"
          }
        },
        "a": {
          "name": "@s/a",
          "dependencies": {
            "@s/b": "*",
            "dep": "1.0.0"
          },
          "devDependencies": {
            "lint": "3.2.1",
            "peer": "1.5.0"
          }
        },
        "b": {
          "name": "@s/b",
          "dependencies": {
            "dep": "2.1.0"
          },
          "devDependencies": {
            "test": "7.0.0"
          }
        },
        "b/node_modules/dep": {
          "version": "2.1.0",
          "integrity": "sha512-2",
          "dependencies": {
            "deep": "3.0.4"
          }
        },
        "node_modules/@s/a": {
          "resolved": "a",
          "link": true
        },
        "node_modules/@s/b": {
          "resolved": "b",
          "link": true
        },
        "node_modules/deep": {
          "version": "3.0.4",
          "integrity": "sha512-3",
          "engines": {
            "node": ">=10"
          }
        },
        "node_modules/dep": {
          "version": "1.0.0",
          "integrity": "sha512-1"
        },
        "node_modules/lint": {
          "version": "3.2.1",
          "dev": true,
          "peerDependencies": {
            "typescript": "5.6.2"
          }
        },
        "node_modules/peer": {
          "version": "1.5.0",
          "dev": true
        },
        "node_modules/test": {
          "version": "7.0.0",
          "dev": true,
          "bin": {
            "test": "cli.js"
          }
        },
        "node_modules/typescript": {
          "version": "5.6.2",
          "dev": true,
          "bin": {
            "tsc": "bin/tsc"
          }
        }
      }
    }
    "#);
    insta::assert_snapshot!(text(&install, "a/package.json"), @r#"
    {
      "name": "@s/a",
      "private": true,
      "dependencies": {
        "@s/b": "*",
        "dep": "1.0.0"
      },
      "devDependencies": {
        "lint": "3.2.1",
        "peer": "1.5.0"
      }
    }
    "#);
    insta::assert_snapshot!(text(&install, "package.json"), @r#"
    {
      "name": "root",
      "private": true,
      "workspaces": [
        "a",
        "b"
      ],
      "devDependencies": {
        "typescript": "5.6.2"
      }
    }
    "#);
}

#[test]
fn a_production_closure_has_no_development() {
    let workspace = Workspace::parse(TWO);
    let install = pruned(&workspace, &production("a"));
    insta::assert_compact_debug_snapshot!(keys(&install), @r#"["", "a", "b", "b/node_modules/dep", "node_modules/@s/a", "node_modules/@s/b", "node_modules/deep", "node_modules/dep"]"#);
    insta::assert_snapshot!(text(&install, "a/package.json"), @r#"
    {
      "name": "@s/a",
      "private": true,
      "dependencies": {
        "@s/b": "*",
        "dep": "1.0.0"
      }
    }
    "#);
    insta::assert_snapshot!(text(&install, "package.json"), @r#"
    {
      "name": "root",
      "private": true,
      "workspaces": [
        "a",
        "b"
      ]
    }
    "#);
    let install = pruned(&workspace, &production("b"));
    insta::assert_compact_debug_snapshot!(keys(&install), @r#"["", "b", "b/node_modules/dep", "node_modules/@s/b", "node_modules/deep"]"#);
}

/// A workspace of one member `a` with these dependencies and entries.
fn one(manifest: &str, entries: &str) -> Workspace {
    let entries = entries.trim().trim_end_matches(',');
    Workspace::parse(&format!(
        r#"
== package.json
{{"name": "root", "workspaces": ["a"]}}
== a/package.json
{{"name": "a", {manifest}}}
== package-lock.json
{{"lockfileVersion": 3, "packages": {{
 "": {{"name": "root", "workspaces": ["a"]}},
 "a": {{{manifest}}},
 "node_modules/a": {{"resolved": "a", "link": true}},
{entries}
}}}}
"#
    ))
}

#[test]
fn nested_versions_stay_where_they_are() {
    let workspace = one(
        r#""dependencies": {"x": "^1", "y": "^1"}"#,
        r#"
        "a/node_modules/x": {"version": "1.0.0"},
        "node_modules/x": {"version": "2.0.0"},
        "node_modules/y": {"version": "1.0.0", "dependencies": {"x": "^2", "z": "*"}},
        "node_modules/y/node_modules/z": {"version": "3.0.0", "dependencies": {"x": ">=2"}},
        "node_modules/z": {"version": "1.0.0"},
        "#,
    );
    let install = pruned(&workspace, &production("a"));
    insta::assert_compact_debug_snapshot!(keys(&install), @r#"["", "a", "a/node_modules/x", "node_modules/a", "node_modules/x", "node_modules/y", "node_modules/y/node_modules/z"]"#);
    assert_eq!(entry(&install, "node_modules/y")["dependencies"], serde_json::json!({"x": "2.0.0", "z": "3.0.0"}));
    assert_eq!(entry(&install, "a")["dependencies"], serde_json::json!({"x": "1.0.0", "y": "1.0.0"}));
}

#[test]
fn a_directory_dependency_is_kept_with_its_manifest_and_development_dependencies() {
    let workspace = Workspace::parse(
        r#"
== package.json
{"name": "root", "workspaces": ["a"]}
== a/package.json
{"name": "a", "dependencies": {"lib": "file:../vendor/lib"}}
== vendor/lib/package.json
{"name": "lib", "version": "1.0.0", "dependencies": {"x": "^1"}, "devDependencies": {"y": "^1"}, "exports": "./x.js"}
== package-lock.json
{"lockfileVersion": 3, "packages": {
 "": {"name": "root", "workspaces": ["a"]},
 "a": {"dependencies": {"lib": "file:../vendor/lib"}},
 "node_modules/a": {"resolved": "a", "link": true},
 "node_modules/lib": {"resolved": "vendor/lib", "link": true},
 "node_modules/x": {"version": "1.0.0"},
 "vendor/lib": {"version": "1.0.0", "dependencies": {"x": "^1"}, "devDependencies": {"y": "^1"}},
 "vendor/lib/node_modules/y": {"version": "1.0.0", "dev": true}
}}
"#,
    );
    let install = pruned(&workspace, &build("a"));
    insta::assert_compact_debug_snapshot!(keys(&install), @r#"["", "a", "node_modules/a", "node_modules/lib", "node_modules/x", "vendor/lib", "vendor/lib/node_modules/y"]"#);
    insta::assert_snapshot!(text(&install, "vendor/lib/package.json"), @r#"
    {
      "name": "lib",
      "private": true,
      "dependencies": {
        "x": "1.0.0"
      },
      "devDependencies": {
        "y": "1.0.0"
      }
    }
    "#);
    insta::assert_snapshot!(text(&install, "a/package.json"), @r#"
    {
      "name": "a",
      "private": true,
      "dependencies": {
        "lib": "file:../vendor/lib"
      }
    }
    "#);
    let install = pruned(&workspace, &production("a"));
    assert!(!install.entries.contains("vendor/lib/node_modules/y"));
    // Without its manifest the lockfile's word is taken.
    let unread = Workspace { linked: std::collections::BTreeMap::new(), ..workspace };
    insta::assert_snapshot!(text(&pruned(&unread, &build("a")), "vendor/lib/package.json"), @r#"
    {
      "version": "1.0.0",
      "dependencies": {
        "x": "1.0.0"
      },
      "devDependencies": {
        "y": "1.0.0"
      }
    }
    "#);
}

#[test]
fn links_that_lead_out_of_the_workspace_or_nowhere_are_refused() {
    let outside = one(
        r#""dependencies": {"lib": "file:../../lib"}"#,
        r#""../lib": {"version": "1.0.0"}, "node_modules/lib": {"resolved": "../lib", "link": true}"#,
    );
    insta::assert_snapshot!(shown(&refused(&outside, &build("a"))), @r#"
    lockfile-link-outside-workspace: `lib` is linked to `../lib`, outside the workspace
      package-lock.json:5:33: "node_modules/lib": {"resolved": "../lib", "link": true} (a build cannot see it)
      help: move the directory into the workspace, or publish the package: a build sees only the workspace
    "#);
    let nowhere =
        one(r#""dependencies": {"lib": "file:../lib"}"#, r#""node_modules/lib": {"resolved": "lib", "link": true}"#);
    insta::assert_snapshot!(shown(&refused(&nowhere, &build("a"))), @r#"
    lockfile-link-target-missing: `package-lock.json` links `node_modules/lib` to `lib`, for which it has no entry
      package-lock.json:5:1: "node_modules/lib": {"resolved": "lib", "link": true} (leads nowhere)
      help: delete package-lock.json and run `npm install`: npm itself refuses this lockfile
    "#);
}

#[test]
fn a_registry_package_that_depends_on_a_member_brings_it() {
    let workspace = Workspace::parse(
        r#"
== package.json
{"name": "root", "workspaces": ["a", "b"]}
== a/package.json
{"name": "a", "dependencies": {"plugin": "^1"}}
== b/package.json
{"name": "b", "version": "1.2.0", "dependencies": {"x": "^1"}}
== package-lock.json
{"lockfileVersion": 3, "packages": {
 "": {"name": "root", "workspaces": ["a", "b"]},
 "a": {"dependencies": {"plugin": "^1"}},
 "b": {"version": "1.2.0", "dependencies": {"x": "^1"}},
 "node_modules/a": {"resolved": "a", "link": true},
 "node_modules/b": {"resolved": "b", "link": true},
 "node_modules/plugin": {"version": "1.0.0", "peerDependencies": {"b": "^1"}},
 "node_modules/x": {"version": "1.0.0"}
}}
"#,
    );
    let install = pruned(&workspace, &production("a"));
    assert!(install.members.contains(&path("b")));
    assert!(install.entries.contains("node_modules/x"));
    assert_eq!(entry(&install, "node_modules/plugin")["peerDependencies"], serde_json::json!({"b": "*"}));
}

#[test]
fn nested_members_keep_what_stands_above_them() {
    let workspace = Workspace::parse(
        r#"
== package.json
{"name": "root", "workspaces": ["a", "a/inner"]}
== a/package.json
{"name": "a", "dependencies": {"x": "^1"}}
== a/inner/package.json
{"name": "inner", "dependencies": {"x": "^1"}}
== package-lock.json
{"lockfileVersion": 3, "packages": {
 "": {"name": "root", "workspaces": ["a", "a/inner"]},
 "a": {"dependencies": {"x": "^1"}},
 "a/inner": {"dependencies": {"x": "^1"}},
 "a/node_modules/x": {"version": "1.0.0"},
 "node_modules/a": {"resolved": "a", "link": true},
 "node_modules/inner": {"resolved": "a/inner", "link": true},
 "node_modules/x": {"version": "2.0.0"}
}}
"#,
    );
    let install = pruned(&workspace, &build("a/inner"));
    insta::assert_compact_debug_snapshot!(keys(&install), @r#"["", "a", "a/inner", "a/node_modules/x", "node_modules/a", "node_modules/inner"]"#);
}

#[test]
fn aliases_name_the_real_package() {
    let workspace = one(
        r#""dependencies": {"old": "npm:@s/real@^1", "real": "^2"}"#,
        r#""node_modules/old": {"name": "@s/real", "version": "1.9.0"}, "node_modules/real": {"version": "2.0.0"}"#,
    );
    let install = pruned(&workspace, &production("a"));
    assert_eq!(entry(&install, "a")["dependencies"], serde_json::json!({"old": "npm:@s/real@1.9.0", "real": "2.0.0"}));
}

#[test]
fn names_are_found_as_a_file_system_without_case_finds_them() {
    let workspace = one(
        r#""dependencies": {"JSONStream": "^1", "jsonstream-user": "^1"}"#,
        r#"
        "node_modules/jsonstream": {"name": "JSONStream", "version": "1.3.5"},
        "node_modules/jsonstream-user": {"version": "1.0.0", "dependencies": {"JSONStream": "^1.3"}}
        "#,
    );
    let install = pruned(&workspace, &production("a"));
    assert!(install.entries.contains("node_modules/jsonstream"));
}

#[test]
fn bundles_are_taken_whole_and_unchanged() {
    let workspace = one(
        r#""dependencies": {"fat": "^1"}"#,
        r#"
        "node_modules/fat": {"version": "1.0.0", "dependencies": {"in": "^1", "out": "^1"}, "bundleDependencies": ["in"]},
        "node_modules/fat/node_modules/in": {"version": "1.0.0", "inBundle": true, "dependencies": {"deeper": "^1.0.0"},
           "peerDependencies": {"gone": "*"}},
        "node_modules/fat/node_modules/deeper": {"version": "1.0.0", "inBundle": true},
        "node_modules/out": {"version": "1.5.0"}
        "#,
    );
    let install = pruned(&workspace, &production("a"));
    assert_eq!(install.entries.len(), 7);
    let bundled = entry(&install, "node_modules/fat/node_modules/in");
    assert_eq!(bundled["dependencies"], serde_json::json!({"deeper": "^1.0.0"}));
    assert_eq!(bundled["inBundle"], true);
    assert_eq!(entry(&install, "node_modules/fat")["bundleDependencies"], serde_json::json!(["in"]));
    assert_eq!(entry(&install, "node_modules/fat")["dependencies"], serde_json::json!({"in": "1.0.0", "out": "1.5.0"}));
}

#[test]
fn a_bundled_package_may_find_a_namesake_of_an_optional_peer_that_will_do() {
    let with = |range: &str| {
        let workspace = one(
            r#""dependencies": {"fat": "^1", "p": "^2"}"#,
            &format!(
                r#"
        "node_modules/fat": {{"version": "1.0.0", "dependencies": {{"in": "^1"}}, "bundleDependencies": ["in"]}},
        "node_modules/fat/node_modules/in": {{"version": "1.0.0", "inBundle": true, "peerDependencies": {{"p": "{range}"}},
           "peerDependenciesMeta": {{"p": {{"optional": true}}}}}},
        "node_modules/fat/node_modules/p": {{"version": "1.0.0", "optional": true, "peer": true}},
        "node_modules/p": {{"version": "2.0.0"}}
        "#
            ),
        );
        workspace.with(|input| prune(&input, &production("a"))).unwrap()
    };
    assert_eq!(with(">=1").shape, Shape::Sealed);
    assert!(!with(">=1").entries.contains("node_modules/fat/node_modules/p"));
    assert_eq!(with("^1").shape, Shape::Whole);
}

#[test]
fn packages_with_their_own_shrinkwrap_are_taken_whole() {
    let workspace = one(
        r#""dependencies": {"cli": "^1"}"#,
        r#"
        "node_modules/cli": {"version": "1.0.0", "hasShrinkwrap": true, "dependencies": {"x": "^1", "not-listed": "^1"}},
        "node_modules/cli/node_modules/x": {"version": "1.0.0"},
        "node_modules/x": {"version": "2.0.0"}
        "#,
    );
    let install = pruned(&workspace, &production("a"));
    insta::assert_compact_debug_snapshot!(keys(&install), @r#"["", "a", "node_modules/a", "node_modules/cli", "node_modules/cli/node_modules/x"]"#);
    assert_eq!(entry(&install, "node_modules/cli")["dependencies"]["x"], "^1");
}

#[test]
fn optional_peers_hang_on_what_is_kept_anyway() {
    let entries = r#"
        "node_modules/orm": {"version": "1.0.0", "peerDependencies": {"pg": "^8", "mysql": "^3", "left": "*"},
          "peerDependenciesMeta": {"pg": {"optional": true}, "mysql": {"optional": true}, "left": {"optional": true}}},
        "node_modules/pg": {"version": "8.1.0"},
        "node_modules/mysql": {"version": "3.0.0", "dev": true},
        "node_modules/left": {"version": "1.0.0", "peer": true, "optional": true}
    "#;
    let workspace = one(r#""dependencies": {"orm": "^1", "pg": "^8"}, "devDependencies": {"mysql": "^3"}"#, entries);
    let install = pruned(&workspace, &build("a"));
    assert!(!install.entries.contains("node_modules/left"), "only an optional peer leads to it");
    insta::assert_snapshot!(serde_json::to_string_pretty(&entry(&install, "node_modules/orm")).unwrap(), @r#"
    {
      "version": "1.0.0",
      "optionalDependencies": {
        "mysql": "3.0.0",
        "pg": "8.1.0"
      }
    }
    "#);
    // npm keeps a development dependency in production when it is an optional peer of what stays.
    let install = pruned(&workspace, &production("a"));
    assert!(install.entries.contains("node_modules/mysql"));
    assert_eq!(entry(&install, "a")["devDependencies"], serde_json::Value::Null);
    let strict = Selection { production_mode: ProductionMode::Strict, ..production("a") };
    let install = pruned(&workspace, &strict);
    assert!(!install.entries.contains("node_modules/mysql"));
    assert_eq!(entry(&install, "node_modules/orm")["optionalDependencies"], serde_json::json!({"pg": "8.1.0"}));
}

#[test]
fn a_peer_inside_the_package_that_asks_is_pinned_there() {
    let workspace = one(
        r#""dependencies": {"host": "^1", "p": "^1"}"#,
        r#"
        "node_modules/host": {"version": "1.0.0", "peerDependencies": {"p": "^2"}},
        "node_modules/host/node_modules/p": {"version": "2.0.0", "peer": true},
        "node_modules/p": {"version": "1.0.0"}
        "#,
    );
    let install = pruned(&workspace, &production("a"));
    let host = entry(&install, "node_modules/host");
    assert_eq!(host["dependencies"], serde_json::json!({"p": "2.0.0"}));
    assert_eq!(host["peerDependencies"], serde_json::Value::Null);
}

#[test]
fn every_platform_is_kept_and_a_missing_one_is_said() {
    let workspace = one(
        r#""dependencies": {"rollup": "^4"}"#,
        r#"
        "node_modules/rollup": {"version": "4.0.0", "optionalDependencies": {"@rollup/rollup-darwin-arm64": "4.0.0",
          "@rollup/rollup-linux-x64-gnu": "4.0.0", "@rollup/rollup-linux-arm64-gnu": "4.0.0"}},
        "node_modules/@rollup/rollup-darwin-arm64": {"version": "4.0.0", "optional": true, "os": ["darwin"], "cpu": ["arm64"]},
        "node_modules/@rollup/rollup-linux-x64-gnu": {"version": "4.0.0", "optional": true, "os": ["linux"], "libc": ["glibc"]}
        "#,
    );
    let install = pruned(&workspace, &production("a"));
    assert!(install.entries.contains("node_modules/@rollup/rollup-darwin-arm64"));
    assert_eq!(entry(&install, "node_modules/@rollup/rollup-linux-x64-gnu")["libc"], serde_json::json!(["glibc"]));
    let warnings: Vec<&str> = install.warnings.iter().map(|warning| &*warning.message).collect();
    insta::assert_compact_debug_snapshot!(warnings, @r#"["the lockfile has no entry for `@rollup/rollup-linux-arm64-gnu`, which `node_modules/rollup` uses on Linux"]"#);
    let rollup = entry(&install, "node_modules/rollup");
    assert_eq!(rollup["optionalDependencies"]["@rollup/rollup-linux-arm64-gnu"], "4.0.0");
}

#[test]
fn sources_keep_their_words() {
    let workspace = one(
        r#""dependencies": {"g": "github:o/g#v1", "t": "https://example.org/t.tgz", "f": "file:../vendor/f-1.0.0.tgz"}"#,
        r#"
        "node_modules/g": {"version": "1.0.0", "resolved": "git+ssh://git@github.com/o/g.git#0123456789012345678901234567890123456789"},
        "node_modules/t": {"version": "1.0.0", "resolved": "https://example.org/t.tgz", "integrity": "sha512-x"},
        "node_modules/f": {"version": "1.0.0", "resolved": "file:vendor/f-1.0.0.tgz", "integrity": "sha512-y"}
        "#,
    );
    let install = pruned(&workspace, &production("a"));
    assert_eq!(
        entry(&install, "a")["dependencies"],
        serde_json::json!({"f": "file:../vendor/f-1.0.0.tgz", "g": "github:o/g#v1", "t": "https://example.org/t.tgz"})
    );
    assert!(install.needs_git && install.needs_ssh);
    assert_eq!(install.tree_files.iter().map(WorkspacePath::as_str).collect::<Vec<_>>(), ["vendor/f-1.0.0.tgz"]);
}

#[test]
fn without_peer_dependencies_as_configured() {
    let workspace = one(
        r#""dependencies": {"host": "^1"}"#,
        r#""node_modules/host": {"version": "1.0.0", "peerDependencies": {"gone": "^1"}}"#,
    );
    let install = workspace.with(|input| drydock_lockfile::prune(&input, &build("a"))).unwrap();
    assert_eq!(install.shape, Shape::Whole);
    assert_eq!(
        install.warnings[0].message,
        "the whole lockfile is installed: `package-lock.json` has no entry for `gone`, which `node_modules/host` needs"
    );
    let legacy = Workspace { npmrc: Some("legacy-peer-deps=true\n".to_owned()), ..workspace };
    let install = pruned(&legacy, &build("a"));
    assert_eq!(text(&install, ".npmrc"), "legacy-peer-deps=true\n");
    assert_eq!(entry(&install, "node_modules/host")["peerDependencies"], serde_json::Value::Null);
}

#[test]
fn credentials_stay_out() {
    let workspace = one(r#""dependencies": {}"#, r#""node_modules/x": {"version": "1.0.0"}"#);
    let secret = Workspace { npmrc: Some("//r.example/:_authToken=abc\n".to_owned()), ..workspace };
    let install = pruned(&secret, &build("a"));
    assert!(install.npmrc_secret);
    assert!(!install.files.contains_key(&path(".npmrc")));
    let reference = Workspace { npmrc: Some("//r.example/:_authToken=${TOKEN}\n".to_owned()), ..secret };
    let install = pruned(&reference, &build("a"));
    assert!(!install.npmrc_secret);
    assert_eq!(install.npmrc_variables.into_iter().collect::<Vec<_>>(), ["TOKEN"]);
}

#[test]
fn an_entry_that_an_installed_package_lacks_is_told() {
    // `npm ci` of npm 10 and 11 takes such a lockfile as it is (seen on Azure-Samples/contoso-real-estate).
    let workspace = one(
        r#""dependencies": {"x": "^1"}"#,
        r#""node_modules/x": {"version": "1.0.0", "dependencies": {"gone": "^1"}}"#,
    );
    let install = workspace.with(|input| drydock_lockfile::prune(&input, &build("a"))).unwrap();
    assert_eq!(install.shape, Shape::Whole);
    assert_eq!(text(&install, "package-lock.json"), &**workspace.lockfile.text());
    assert_eq!(
        install.warnings[0].message,
        "the whole lockfile is installed: `package-lock.json` has no entry for `gone`, which `node_modules/x` needs"
    );
}

const SHARED_TOOLS: &str = r#"
== package.json
{"name": "root", "workspaces": ["app", "lib", "tools"], "dependencies": {"app": "*", "x": "^1"},
 "devDependencies": {"tools": "*", "tsc": "^5"}, "optionalDependencies": {"o": "^1"}}
== app/package.json
{"name": "app"}
== lib/package.json
{"name": "lib"}
== tools/package.json
{"name": "tools", "dependencies": {"z": "^1"}}
== package-lock.json
{"lockfileVersion": 2, "packages": {
 "": {"name": "root", "workspaces": ["app", "lib", "tools"], "dependencies": {"app": "*", "x": "^1"},
      "devDependencies": {"tools": "*", "tsc": "^5"}, "optionalDependencies": {"o": "^1"}},
 "app": {}, "lib": {}, "tools": {"dependencies": {"z": "^1"}},
 "node_modules/app": {"resolved": "app", "link": true},
 "node_modules/lib": {"resolved": "lib", "link": true},
 "node_modules/o": {"version": "1.0.0", "optional": true},
 "node_modules/tools": {"resolved": "tools", "link": true},
 "node_modules/tsc": {"version": "5.0.0", "dev": true},
 "node_modules/x": {"version": "1.0.0"},
 "node_modules/z": {"version": "1.0.0"}
}, "dependencies": {"x": {"version": "1.0.0"}}}
"#;

#[test]
fn the_root_brings_its_tools_but_not_what_it_ships() {
    use ClosureKind::{Build, Production};

    let workspace = Workspace::parse(SHARED_TOOLS);
    let with = |root_dependencies, kind| {
        let selection = Selection { root_dependencies, kind, ..build("lib") };
        let install = pruned(&workspace, &selection);
        keys(&install).into_iter().map(str::to_owned).filter(|key| key.starts_with("node_modules/")).collect::<Vec<_>>()
    };

    insta::assert_compact_debug_snapshot!(with(RootDependencies::All, Build), @r#"["node_modules/lib", "node_modules/o", "node_modules/tools", "node_modules/tsc", "node_modules/x", "node_modules/z"]"#);
    insta::assert_compact_debug_snapshot!(with(RootDependencies::None, Build), @r#"["node_modules/lib"]"#);
    insta::assert_compact_debug_snapshot!(with(RootDependencies::Only(vec!["tsc".to_owned()]), Build), @r#"["node_modules/lib", "node_modules/tsc"]"#);
    insta::assert_compact_debug_snapshot!(with(RootDependencies::All, Production), @r#"["node_modules/lib", "node_modules/o", "node_modules/x"]"#);
    insta::assert_compact_debug_snapshot!(with(RootDependencies::None, Production), @r#"["node_modules/lib"]"#);
    let install = pruned(&workspace, &build("lib"));
    insta::assert_snapshot!(text(&install, "package.json"), @r#"
    {
      "name": "root",
      "private": true,
      "workspaces": [
        "lib",
        "tools"
      ],
      "dependencies": {
        "x": "1.0.0"
      },
      "devDependencies": {
        "tsc": "5.0.0"
      },
      "optionalDependencies": {
        "o": "1.0.0"
      }
    }
    "#);
    assert!(text(&install, "package-lock.json").contains("\"lockfileVersion\": 3"), "version 2 is written as 3");
}

#[test]
fn the_root_can_be_what_is_installed() {
    let workspace = Workspace::parse(SHARED_TOOLS);
    let root = Selection { root_dependencies: RootDependencies::None, ..production("") };
    insta::assert_compact_debug_snapshot!(keys(&pruned(&workspace, &root)), @r#"["", "node_modules/o", "node_modules/x"]"#);
}

#[test]
fn raw_keeps_ranges_and_the_overrides_that_matter() {
    let workspace = Workspace::parse(
        r#"
== package.json
{"name": "root", "version": "1.0.0", "workspaces": ["a", "b"], "devDependencies": {"pinned": "1.1.0"},
 "overrides": {"x": "$pinned-x", "other": "1", "pinned": "$pinned"}}
== a/package.json
{"name": "a", "version": "2.0.0", "dependencies": {"x": "^1", "pinned": "1.x"}}
== b/package.json
{"name": "b", "version": "2.0.0", "dependencies": {"other": "^1"}}
== package-lock.json
{"lockfileVersion": 3, "packages": {
 "": {"name": "root", "workspaces": ["a", "b"], "devDependencies": {"pinned": "1.1.0"}},
 "a": {"version": "2.0.0", "dependencies": {"x": "^1", "pinned": "1.x"}},
 "b": {"version": "2.0.0", "dependencies": {"other": "^1"}},
 "node_modules/a": {"resolved": "a", "link": true},
 "node_modules/b": {"resolved": "b", "link": true},
 "node_modules/other": {"version": "1.0.0"},
 "node_modules/pinned": {"version": "1.1.0"},
 "node_modules/x": {"version": "1.0.0", "peerDependencies": {"left": "*"}, "peerDependenciesMeta": {"left": {"optional": true}}}
}}
"#,
    );
    let raw = Selection { shape: Shape::Raw, root_dependencies: RootDependencies::None, ..build("a") };
    let install = pruned(&workspace, &raw);
    insta::assert_snapshot!(text(&install, "package.json"), @r#"
    {
      "name": "root",
      "version": "1.0.0",
      "private": true,
      "workspaces": [
        "a"
      ],
      "overrides": {
        "x": "$pinned-x",
        "pinned": "1.1.0"
      }
    }
    "#);
    insta::assert_snapshot!(text(&install, "a/package.json"), @r#"
    {
      "name": "a",
      "version": "2.0.0",
      "private": true,
      "dependencies": {
        "pinned": "1.x",
        "x": "^1"
      }
    }
    "#);
    assert_eq!(entry(&install, "node_modules/x")["peerDependencies"], serde_json::json!({"left": "*"}));
}

#[test]
fn what_is_not_modelled_takes_the_whole_lockfile() {
    let workspace = Workspace { npmrc: Some("install-strategy=linked".to_owned()), ..Workspace::parse(TWO) };
    let install = workspace.with(|input| prune(&input, &production("b"))).unwrap();
    assert_eq!(install.shape, Shape::Whole);
    assert_eq!(text(&install, "package-lock.json"), workspace.lockfile.text().to_string());
    assert_eq!(install.members.len(), 2);
    let warnings: Vec<&str> = install.warnings.iter().map(|warning| &*warning.message).collect();
    insta::assert_compact_debug_snapshot!(warnings, @r#"["the whole lockfile is installed: `.npmrc` sets `install-strategy=linked`"]"#);
    insta::assert_snapshot!(text(&install, "a/package.json"), @r#"
    {
      "name": "@s/a",
      "version": "1.0.0",
      "private": true,
      "dependencies": {
        "@s/b": "^1",
        "dep": "^1"
      },
      "devDependencies": {
        "lint": "^3",
        "peer": "^1"
      }
    }
    "#);
}

#[test]
fn what_cannot_be_proven_takes_the_whole_lockfile() {
    // A version that npm's semver cannot compare: no exact spec would accept it.
    let workspace = one(
        r#""dependencies": {"x": "*"}"#,
        r#""node_modules/x": {"version": "one", "dependencies": {"y": "^1"}}, "node_modules/y": {"version": "2.0.0.0"}"#,
    );
    let install = workspace.with(|input| prune(&input, &production("a"))).unwrap();
    assert_eq!(install.shape, Shape::Whole);
    let warnings: Vec<&str> = install.warnings.iter().map(|warning| &*warning.message).collect();
    insta::assert_compact_debug_snapshot!(warnings, @r#"["the whole lockfile is installed, because of `node_modules/x`: `y` does not satisfy `^1`"]"#);
}

#[test]
fn bins_that_exist_get_stubs_and_bits() {
    let workspace = Workspace::parse(
        r#"
== package.json
{"name": "root", "workspaces": ["a", "b"]}
== a/package.json
{"name": "@s/a", "bin": {"one": "./bin/one.js", "two": "bin/two.js", "built": "dist/cli.js"}}
== b/package.json
{"name": "b", "directories": {"bin": "./scripts"}}
== a/bin/one.js *
== a/bin/two.js -
== b/scripts/run -
== b/scripts/.hidden -
== package-lock.json
{"lockfileVersion": 3, "packages": {
 "": {"name": "root", "workspaces": ["a", "b"]}, "a": {"name": "@s/a"}, "b": {},
 "node_modules/@s/a": {"resolved": "a", "link": true}, "node_modules/b": {"resolved": "b", "link": true}
}}
"#,
    );
    let install = pruned(&workspace, &Selection::build(vec![path("a"), path("b")]));
    insta::assert_snapshot!(text(&install, "a/package.json"), @r#"
    {
      "name": "@s/a",
      "private": true,
      "bin": {
        "one": "bin/one.js",
        "two": "bin/two.js"
      }
    }
    "#);
    assert_eq!(entry(&install, "b")["bin"], serde_json::json!({"run": "scripts/run"}));
    let stubs = install.files.iter().filter(|(_, file)| file.executable && file.bytes.is_empty());
    assert_eq!(
        stubs.map(|(path, _)| path.as_str()).collect::<Vec<_>>(),
        ["a/bin/one.js", "a/bin/two.js", "b/scripts/run"]
    );
    let chmod: Vec<&str> = install.chmod_bins.iter().map(WorkspacePath::as_str).collect();
    assert_eq!(chmod, ["a/bin/two.js", "b/scripts/run"]);
}

const SCRIPTS: &str = r#"
== package.json
{"name": "root", "version": "1.0.0", "workspaces": ["a", "b"],
 "scripts": {"preinstall": "1", "postinstall": "2", "prepare": "husky", "preprepare": "3", "build": "4"}}
== a/package.json
{"name": "a", "version": "2.0.0", "type": "module", "config": {"port": 1}, "dependencies": {"@s/b": "*"},
 "scripts": {"prepare": "tsc", "test": "x"}}
== b/package.json
{"name": "@s/b", "scripts": {"postinstall": "node x.js"}}
== package-lock.json
{"lockfileVersion": 3, "packages": {
 "": {"name": "root", "workspaces": ["a", "b"]}, "a": {"version": "2.0.0", "dependencies": {"@s/b": "*"}}, "b": {"name": "@s/b"},
 "node_modules/a": {"resolved": "a", "link": true},
 "node_modules/@s/b": {"resolved": "b", "link": true}
}}
"#;

#[test]
fn scripts_run_once_the_sources_are_there() {
    let workspace = Workspace::parse(SCRIPTS);
    let commands =
        |install: &PrunedInstall| install.lifecycle.iter().map(|step| step.command.join(" ")).collect::<Vec<_>>();
    let install = pruned(&workspace, &build("a"));
    insta::assert_compact_debug_snapshot!(commands(&install), @r#"["npm rebuild a @s/b", "npm run preinstall", "npm run postinstall", "npm run prepare"]"#);
    assert!(!text(&install, "a/package.json").contains("scripts"));
    assert!(commands(&pruned(&workspace, &production("a"))).is_empty(), "production runs nothing unless told");

    let lifecycle = [(path("a"), Lifecycle::Early), (path("b"), Lifecycle::Skip), (path(""), Lifecycle::Early)];
    let selection = Selection { lifecycle: lifecycle.into_iter().collect(), ..build("a") };
    let install = pruned(&workspace, &selection);
    assert!(commands(&install).is_empty());
    insta::assert_snapshot!(text(&install, "a/package.json"), @r#"
    {
      "name": "a",
      "version": "2.0.0",
      "private": true,
      "type": "module",
      "config": {
        "port": 1
      },
      "scripts": {
        "prepare": "tsc"
      },
      "dependencies": {
        "@s/b": "*"
      }
    }
    "#);
    insta::assert_snapshot!(text(&install, "package.json"), @r#"
    {
      "name": "root",
      "version": "1.0.0",
      "private": true,
      "scripts": {
        "postinstall": "2",
        "preinstall": "1",
        "prepare": "husky",
        "preprepare": "3"
      },
      "workspaces": [
        "a",
        "b"
      ]
    }
    "#);
    assert!(!text(&install, "b/package.json").contains("scripts"));

    let production =
        Selection { lifecycle: [(path("b"), Lifecycle::Deferred)].into_iter().collect(), ..production("a") };
    insta::assert_compact_debug_snapshot!(commands(&pruned(&workspace, &production)), @r#"["npm rebuild @s/b"]"#);
}

#[test]
fn native_code_is_told_from_other_install_scripts() {
    let workspace = one(
        r#""dependencies": {"bcrypt": "^5", "cpu-features": "^0", "esbuild": "^0", "diskusage": "^1", "tree-sitter": "^1"}"#,
        r#"
        "node_modules/bcrypt": {"version": "5.1.1", "hasInstallScript": true, "dependencies": {"@mapbox/node-pre-gyp": "^1", "node-addon-api": "^5"}},
        "node_modules/@mapbox/node-pre-gyp": {"version": "1.0.0"},
        "node_modules/node-addon-api": {"version": "5.0.0"},
        "node_modules/cpu-features": {"version": "0.0.10", "hasInstallScript": true, "dependencies": {"nan": "^2"}},
        "node_modules/nan": {"version": "2.0.0"},
        "node_modules/esbuild": {"version": "0.25.0", "hasInstallScript": true},
        "node_modules/diskusage": {"version": "1.2.0", "dependencies": {"nan": "^2"}},
        "node_modules/tree-sitter": {"version": "1.0.0", "dependencies": {"node-addon-api": "^5", "node-gyp-build": "^4"}},
        "node_modules/node-gyp-build": {"version": "4.0.0"}
        "#,
    );
    let install = pruned(&workspace, &production("a"));
    let found: Vec<_> = install.native_addons.iter().map(|addon| (addon.name.as_str(), addon.hint)).collect();
    assert_eq!(
        found,
        [
            ("bcrypt", NativeHint::PrefersPrebuilt),
            ("cpu-features", NativeHint::Compiles),
            ("diskusage", NativeHint::Compiles),
        ]
    );
    assert!(install.needs_node_gyp());
}

#[test]
fn the_root_manifest_keeps_what_install_scripts_and_npm_read() {
    let workspace = Workspace::parse(
        r#"
== package.json
{"name": "root", "workspaces": ["a"], "engines": {"node": ">=20"}, "packageManager": "npm@11.0.0", "license": "MIT",
 "prisma": {"schema": "db/schema.prisma"}, "custom": 1, "other": 2, "devEngines": {"runtime": {"name": "node"}},
 "allowScripts": {"x": true, "not-kept": true, "github:o/n": false},
 "patchedDependencies": {"x@1.0.0": "patches/x.patch", "gone@1.0.0": "patches/gone.patch"}}
== a/package.json
{"name": "a", "dependencies": {"x": "^1"}}
== package-lock.json
{"lockfileVersion": 4, "packageExtensionsHash": "h", "packages": {
 "": {"name": "root", "workspaces": ["a"]},
 "a": {"dependencies": {"x": "^1"}},
 "node_modules/a": {"resolved": "a", "link": true},
 "node_modules/x": {"version": "1.0.0", "patched": {"path": "patches/x.patch", "integrity": "sha512-p"}}
}}
"#,
    );
    let selection = Selection { keep_manifest_keys: ["custom".to_owned()].into(), ..build("a") };
    let install = pruned(&workspace, &selection);
    insta::assert_snapshot!(text(&install, "package.json"), @r#"
    {
      "name": "root",
      "private": true,
      "workspaces": [
        "a"
      ],
      "engines": {
        "node": ">=20"
      },
      "devEngines": {
        "runtime": {
          "name": "node"
        }
      },
      "prisma": {
        "schema": "db/schema.prisma"
      },
      "custom": 1,
      "allowScripts": {
        "github:o/n": false,
        "x": true
      },
      "patchedDependencies": {
        "x@1.0.0": "patches/x.patch"
      }
    }
    "#);
    assert!(text(&install, "package-lock.json").contains("\"lockfileVersion\": 4"));
    assert_eq!(install.tree_files.iter().map(WorkspacePath::as_str).collect::<Vec<_>>(), ["patches/x.patch"]);
}

#[test]
fn what_is_not_a_lockfile_is_said_with_its_place() {
    let parse = |name: &str, text: &str| shown(&Lockfile::parse(path(name), text).unwrap_err());
    insta::assert_snapshot!(parse("package-lock.json", "{\n  \"lockfileVersion\": 1,\n  \"dependencies\": {}\n}\n"), @r#"
    lockfile-too-old: `package-lock.json` has no `packages`: it was written by npm 6 or older (lockfileVersion 1)
      package-lock.json:2:3: "lockfileVersion": 1 ()
      help: run `npm install --package-lock-only` with npm 7 or newer, and commit the result
    "#);
    insta::assert_snapshot!(parse("package-lock.json", "{\n  \"lockfileVersion\": 9, \"packages\": {}\n}\n"), @r#"
    lockfile-unsupported-version: `package-lock.json` has lockfile version 9, which drydock does not know
      package-lock.json:2:3: "lockfileVersion": 9 ()
      help: write the lockfile with npm 7 to 12: `npm install --package-lock-only`
    "#);
    insta::assert_snapshot!(parse("package-lock.json", "{\n  \"lockfileVersion\": 3,\n  \"packages\": {,}\n}\n"), @r#"
    lockfile-syntax: `package-lock.json` does not parse: key must be a string
      package-lock.json:3:16: , ()
      help: restore the file from version control, or delete it and run the package manager's `install`
    "#);
    insta::assert_snapshot!(parse("package-lock.json", "{\n<<<<<<< HEAD\n  \"a\": 1,\n=======\n}\n"), @r#"
    lockfile-syntax: `package-lock.json` does not parse: it holds the markers of an unfinished merge
      package-lock.json:2:1: <<<<<<< HEAD ()
      help: finish the merge: take one side of the file, then run the package manager's `install`
    "#);
    insta::assert_snapshot!(parse("Gemfile.lock", ""), @r#"
    lockfile-unknown-format: `Gemfile.lock` is not a lockfile that drydock knows
      help: use `package-lock.json`, `npm-shrinkwrap.json`, `pnpm-lock.yaml`, `yarn.lock` or `bun.lock`
    "#);
}

#[test]
fn manifests_ahead_of_the_lockfile_are_named() {
    let ahead = |from: &str, to: &str| {
        let mut workspace = Workspace::parse(&TWO.replacen(from, to, 1));
        workspace.linked.clear();
        workspace.with(|input| check_sync(&input))
    };
    assert_eq!(ahead("", "").unwrap(), []);
    assert_eq!(
        ahead(r#""dep": "^1", "@s/b""#, r#""dep": "1.0.0", "@s/b""#).unwrap(),
        [],
        "what is locked satisfies it"
    );
    assert_eq!(
        ahead(r#""devDependencies": {"lint": "^3", "#, r#""devDependencies": {"#).unwrap(),
        [],
        "one less is fine"
    );
    insta::assert_snapshot!(shown(&ahead(r#""dep": "^1", "@s/b""#, r#""dep": "^3", "@s/b""#).unwrap_err()), @r#"
    lockfile-out-of-sync: `package-lock.json` does not match `a/package.json`
      a/package.json:2:19: "dep": "^3" (asks for `dep` ^3, but the lockfile has 1.0.0)
      help: run `npm install` to update the lockfile
    "#);
    insta::assert_snapshot!(shown(&ahead(r#""dep": "^1", "@s/b""#, r#""new": "^3", "@s/b""#).unwrap_err()), @r#"
    lockfile-out-of-sync: `package-lock.json` does not match `a/package.json`
      a/package.json:2:19: "new": "^3" (`new` is not in the lockfile)
      help: run `npm install` to update the lockfile
    "#);
    insta::assert_snapshot!(shown(&ahead(r#""name": "@s/b", "version""#, r#""name": "@s/c", "version""#).unwrap_err()), @r#"
    lockfile-out-of-sync: `package-lock.json` does not match `b/package.json`
      b/package.json:1:2: "name": "@s/c" (the lockfile knows this member under another name than `@s/c`)
      help: run `npm install` to update the lockfile
    "#);
    insta::assert_snapshot!(shown(&ahead(r#"["a", "b"], "scripts""#, r#"["a"], "scripts""#).unwrap_err()), @r#"
    lockfile-out-of-sync: `package-lock.json` does not match `a/package.json`
      a/package.json:2:32: "@s/b": "^1" (`@s/b` was a member of the workspace and is none now)
      help: run `npm install` to update the lockfile
    "#);
}

#[test]
fn a_lockfile_that_contradicts_its_manifest_is_a_warning() {
    let workspace = one(r#""dependencies": {"x": "^1"}"#, r#""node_modules/x": {"version": "2.0.0"}"#);
    let warnings = workspace.with(|input| check_sync(&input)).unwrap();
    let messages: Vec<&str> = warnings.iter().map(|warning| &*warning.message).collect();
    insta::assert_compact_debug_snapshot!(messages, @r#"["`a/package.json` asks for `x` ^1, the lockfile says the same and has 2.0.0"]"#);
    assert_eq!(entry(&pruned(&workspace, &build("a")), "a")["dependencies"]["x"], "2.0.0");
}

#[test]
fn a_member_that_is_none_is_refused() {
    insta::assert_snapshot!(shown(&refused(&Workspace::parse(TWO), &build("c"))), @r#"
    lockfile-unknown-member: `c` is not a member of the workspace
      help: name a directory that `workspaces` in package.json covers
    "#);
}
