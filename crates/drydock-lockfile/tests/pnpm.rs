//! pnpm's lockfile in parts, and pnpm as the judge of them.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail and speak")]
#![allow(clippy::too_many_lines, reason = "snapshots are long")]

mod support;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use drydock_diagnostics::Diagnose as _;
use drydock_lockfile::{
    ClosureKind, InstallGraph, Lifecycle, Lockfile, LockfileError, LockfileFormat, Manifest, PrunedInstall,
    RootDependencies, Selection, Shape, WorkspacePath, check_sync, prune,
};
use support::{Workspace, path};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn fleet() -> Workspace {
    Workspace::load(&fixture("fleet"))
}

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

fn text(install: &PrunedInstall, file: &str) -> String {
    String::from_utf8(install.files[&path(file)].bytes.clone()).unwrap()
}

fn shown(error: &LockfileError) -> String {
    let mut shown = format!("{}: {error}\n", error.code());
    for snippet in error.snippets() {
        let (line, column) = snippet.line_column();
        let marked = &snippet.source[snippet.span.clone()];
        writeln!(shown, "  {}:{line}:{column}: {marked} ({})", snippet.path, snippet.label).unwrap();
    }
    write!(shown, "  help: {}", error.help().unwrap()).unwrap();
    shown
}

#[test]
fn a_production_closure_is_cut_out_and_sealed() {
    let install = pruned(&fleet(), &production("packages/c"));
    insta::assert_snapshot!(text(&install, "pnpm-lock.yaml"), @r#"
    lockfileVersion: '9.0'

    settings:
      autoInstallPeers: true
      excludeLinksFromLockfile: false

    patchedDependencies:
      ms@2.1.3:
        hash: 583c30bbd0cd72314390aeb6b93e15e7b0ce2b8674da972ca6c8820530a13cf3
        path: patches/ms@2.1.3.patch

    importers:

      '.': {}

      packages/b:
        dependencies:
          is-odd:
            specifier: '1.0.0'
            version: '1.0.0'
          ms:
            specifier: '2.1.3'
            version: '2.1.3(patch_hash=583c30bbd0cd72314390aeb6b93e15e7b0ce2b8674da972ca6c8820530a13cf3)'
        optionalDependencies:
          fsevents:
            specifier: '2.3.3'
            version: '2.3.3'

      packages/c:
        dependencies:
          '@fleet/b':
            specifier: 'workspace:*'
            version: 'link:../b'
          chalk:
            specifier: '5.6.2'
            version: '5.6.2'
          react:
            specifier: '17.0.2'
            version: '17.0.2'
          use-sync-external-store:
            specifier: '1.7.0'
            version: '1.7.0(react@17.0.2)'
        optionalDependencies:
          readdirp:
            specifier: '3.6.0'
            version: '3.6.0'

    packages:

      chalk@5.6.2:
        resolution: {integrity: sha512-7NzBL0rN6fMUW+f7A6Io4h40qQlG+xGmtMxfbnH/K7TAtt8JQWVQK+6g0UXKMeVJoyV5EkkNsErQ8pVD3bLHbA==}
        engines: {node: ^12.17.0 || ^14.13 || >=16.0.0}

      fsevents@2.3.3:
        resolution: {integrity: sha512-5xoDfX+fL7faATnagmWPpbFtwh/R77WmMMqqHGS65C3vvB0YHrgF+B1YmZ3441tMj5n63k0212XNoJwzlhffQw==}
        engines: {node: ^8.16.0 || ^10.6.0 || >=11.0.0}
        os: [darwin]

      is-number@6.0.0:
        resolution: {integrity: sha512-Wu1VHeILBK8KAWJUAiSZQX94GmOE45Rg6/538fKwiloUu21KncEkYGPqob2oSZ5mUT73vLGrHQjKw3KMPwfDzg==}
        engines: {node: '>=0.10.0'}

      is-odd@1.0.0:
        resolution: {integrity: sha512-yIhxkKCK7pZnj48WBvaTQ36Or7PymGYqmZrSNqkrhmU3pakkp2TWhuN7hH25bqJgH+Xq4IZ3QNd3+QVshldEHA==}
        engines: {node: '>=0.10.0'}

      js-tokens@4.0.0:
        resolution: {integrity: sha512-RdJUflcE3cUzKiMqQgsCu06FPu9UdIJO0beYbPhHN4k6apgJtifcoCtT9bcxOpYBtpD2kCM6Sbzg4CausW/PKQ==}

      loose-envify@1.4.0:
        resolution: {integrity: sha512-lyuxPGr/Wfhrlem2CL/UcnUc1zcqKAImBDzukY7Y5F/yQiNdko6+fRLevlw1HgMySw7f611UIY408EtxRSoK3Q==}
        hasBin: true

      ms@2.1.3:
        resolution: {integrity: sha512-6FlzubTLZG3J2a/NVCAleEhjzq5oxgHyaCU9yYXvcLsvoVaHJq/s5xXI6/XXP6tz7R9xAOtHnSO/tXtF3WRTlA==}

      object-assign@4.1.1:
        resolution: {integrity: sha512-rJgTQnkUnH1sFw8yT6VSU3zD3sWmu6sZhIseY8VX+GRu3P6F7Fu+JNDoXfklElbLJSnc3FUQHVe4cU5hj+BcUg==}
        engines: {node: '>=0.10.0'}

      picomatch@2.3.2:
        resolution: {integrity: sha512-V7+vQEJ06Z+c5tSye8S+nHUfI51xoXIXjHQ99cQtKUkQqqO1kO/KCJUfZXuB47h/YBlDhah2H3hdUGXn8ie0oA==}
        engines: {node: '>=8.6'}

      react@17.0.2:
        resolution: {integrity: sha512-gnhPt75i/dq/z3/6q/0asP78D0u592D5L1pd7M8P+dck6Fu/jJeL6iVVK23fptSUZj8Vjf++7wXA8UNclGQcbA==}
        engines: {node: '>=0.10.0'}

      readdirp@3.6.0:
        resolution: {integrity: sha512-hOS089on8RduqdbhvQ5Z37A0ESjsqz6qnRcffsMU3495FuTdqSm+7bhJ29JvIOsBDEEnan5DPu9t3To9VRlMzA==}
        engines: {node: '>=8.10.0'}

      use-sync-external-store@1.7.0:
        resolution: {integrity: sha512-6L+EeigHMQhdaIPNIFUKwfWJSwWFQ8gJbJ2DLOs5sDIegTwR9fRxvnM3uciHKjIZhFz+KAv2emhWMRvDmMcY8A==}
        peerDependencies:
          react: ^16.8.0 || ^17.0.0 || ^18.0.0 || ^19.0.0

    snapshots:

      chalk@5.6.2: {}

      fsevents@2.3.3:
        optional: true

      is-number@6.0.0: {}

      is-odd@1.0.0:
        dependencies:
          is-number: 6.0.0

      js-tokens@4.0.0: {}

      loose-envify@1.4.0:
        dependencies:
          js-tokens: 4.0.0

      ms@2.1.3(patch_hash=583c30bbd0cd72314390aeb6b93e15e7b0ce2b8674da972ca6c8820530a13cf3): {}

      object-assign@4.1.1: {}

      picomatch@2.3.2:
        optional: true

      react@17.0.2:
        dependencies:
          loose-envify: 1.4.0
          object-assign: 4.1.1

      readdirp@3.6.0:
        dependencies:
          picomatch: 2.3.2
        optional: true

      use-sync-external-store@1.7.0(react@17.0.2):
        dependencies:
          react: 17.0.2
    "#);
    insta::assert_snapshot!(text(&install, "packages/c/package.json"), @r#"
    {
      "name": "@fleet/c",
      "private": true,
      "dependencies": {
        "@fleet/b": "workspace:*",
        "chalk": "5.6.2",
        "react": "17.0.2",
        "use-sync-external-store": "1.7.0"
      },
      "optionalDependencies": {
        "readdirp": "3.6.0"
      }
    }
    "#);
    insta::assert_snapshot!(text(&install, "pnpm-workspace.yaml"), @r#"
    packages:
      - packages/b
      - packages/c
    onlyBuiltDependencies:
      - esbuild
    patchedDependencies:
      'ms@2.1.3': 'patches/ms@2.1.3.patch'
    "#);
    assert_eq!(install.tree_files.iter().map(WorkspacePath::as_str).collect::<Vec<_>>(), ["patches/ms@2.1.3.patch"]);
    assert_eq!(install.packages, 12);
}

#[test]
fn patches_of_packages_that_are_not_kept_are_left_out() {
    let install = pruned(&fleet(), &production("packages/d"));
    assert!(!text(&install, "pnpm-lock.yaml").contains("patchedDependencies"));
    assert!(!text(&install, "pnpm-workspace.yaml").contains("patchedDependencies"));
    assert!(install.tree_files.is_empty());
}

#[test]
fn raw_says_what_was_written() {
    let raw = Selection { shape: Shape::Raw, ..build("packages/a") };
    let install = pruned(&fleet(), &raw);
    insta::assert_snapshot!(text(&install, "packages/a/package.json"), @r#"
    {
      "name": "@fleet/a",
      "version": "1.0.0",
      "private": true,
      "dependencies": {
        "@fleet/b": "workspace:^",
        "is-odd": "catalog:",
        "left": "npm:left-pad@^1.3.0",
        "react": "^18.0.0",
        "use-sync-external-store": "^1.2.0"
      },
      "devDependencies": {
        "@fleet/d": "workspace:*"
      }
    }
    "#);
    let lock = text(&install, "pnpm-lock.yaml");
    assert!(lock.contains("catalogs:") && lock.contains("overrides:") && lock.contains("packageExtensionsChecksum:"));
    assert!(text(&install, "pnpm-workspace.yaml").contains("catalog:"));
}

#[test]
fn the_root_is_left_out_on_request() {
    let workspace = fleet();
    let with = |root_dependencies| {
        let install = pruned(&workspace, &Selection { root_dependencies, ..build("packages/b") });
        (install.entries.contains("typescript@5.9.3"), text(&install, "package.json").contains("typescript"))
    };
    assert_eq!(with(RootDependencies::All), (true, true));
    assert_eq!(with(RootDependencies::None), (false, false));
    assert_eq!(with(RootDependencies::Only(vec!["typescript".to_owned()])), (true, true));
    let production = pruned(&workspace, &production("packages/b"));
    assert!(!production.entries.contains("typescript@5.9.3"), "it is a development dependency");
}

#[test]
fn scripts_wait_for_the_sources() {
    let workspace = fleet();
    let commands = |install: &PrunedInstall| {
        let steps = install.lifecycle.iter();
        steps.map(|step| format!("{}: {}", step.directory, step.command.join(" "))).collect::<Vec<_>>()
    };
    let install = pruned(&workspace, &build("packages/a"));
    insta::assert_compact_debug_snapshot!(commands(&install), @r#"["packages/b: pnpm run postinstall", "packages/a: pnpm run prepare"]"#);
    assert!(!text(&install, "packages/a/package.json").contains("scripts"));
    let early = Selection {
        lifecycle: [(path("packages/a"), Lifecycle::Early), (path("packages/b"), Lifecycle::Skip)]
            .into_iter()
            .collect(),
        ..build("packages/a")
    };
    let install = pruned(&workspace, &early);
    assert!(commands(&install).is_empty());
    assert!(text(&install, "packages/a/package.json").contains("node prepare.js"));
    assert!(commands(&pruned(&workspace, &production("packages/a"))).is_empty());
}

#[test]
fn other_packages_do_not_show() {
    let before = fleet();
    let mut after = fleet();
    let edited = before.lockfile.text().replace(
        "  packages/d:\n    dependencies:\n",
        "  packages/d:\n    dependencies:\n      added:\n        specifier: ^9.0.0\n        version: 9.0.0\n",
    );
    let edited = edited.replace(
        "\nsnapshots:\n",
        "\n  added@9.0.0:\n    resolution: {integrity: sha512-x}\n\nsnapshots:\n\n  added@9.0.0: {}\n",
    );
    assert_ne!(&*edited, &**before.lockfile.text());
    after.lockfile = Lockfile::parse(path("pnpm-lock.yaml"), &edited).unwrap();
    let manifest = after.members[&path("packages/d")]
        .text()
        .replace("\"dependencies\": {", "\"dependencies\": {\n \"added\": \"^9.0.0\",");
    let manifest = Manifest::parse(path("packages/d/package.json"), &manifest.replace("3.0.0", "4.0.0")).unwrap();
    after.members.insert(path("packages/d"), manifest);
    for selection in [production("packages/a"), build("packages/b"), production("packages/c")] {
        assert_eq!(pruned(&before, &selection).files, pruned(&after, &selection).files);
    }
    assert_ne!(pruned(&before, &build("packages/a")).files, pruned(&after, &build("packages/a")).files, "it uses d");
}

#[test]
fn pruning_twice_changes_nothing() {
    let workspace = fleet();
    for member in workspace.members.keys() {
        let selection = Selection::build(vec![member.clone()]);
        let first = pruned(&workspace, &selection);
        let mut manifests = first
            .files
            .iter()
            .filter(|(file, _)| file.file_name() == "package.json")
            .map(|(file, content)| {
                (
                    file.parent().unwrap(),
                    Manifest::parse(file.clone(), std::str::from_utf8(&content.bytes).unwrap()).unwrap(),
                )
            })
            .collect::<std::collections::BTreeMap<_, _>>();
        let again = Workspace {
            lockfile: Lockfile::parse(path("pnpm-lock.yaml"), &text(&first, "pnpm-lock.yaml")).unwrap(),
            root: manifests.remove(&WorkspacePath::root()).unwrap(),
            members: manifests,
            pnpm_settings: Some(text(&first, "pnpm-workspace.yaml")),
            ..fleet()
        };
        assert_eq!(first.files, pruned(&again, &selection).files, "{member}");
    }
}

#[test]
fn closures_count_what_is_pruned() {
    let workspace = fleet();
    workspace.with(|input| {
        let graph = InstallGraph::new(input).unwrap();
        let all = graph.closure(&Selection::build(input.members.keys().cloned().collect())).unwrap();
        for member in input.members.keys() {
            for selection in [Selection::build(vec![member.clone()]), Selection::production(vec![member.clone()])] {
                let closure = graph.closure(&selection).unwrap();
                let install = graph.prune(&selection).unwrap();
                assert_eq!(closure.len(), install.entries.len());
                assert_eq!(closure.members(), &install.members);
                assert!(closure.is_subset(&all));
            }
        }
        assert_eq!(all.len(), input.lockfile.len());
    });
}

#[test]
fn mistakes_are_said_with_their_place() {
    let parse = |text: &str| shown(&Lockfile::parse(path("pnpm-lock.yaml"), text).unwrap_err());
    insta::assert_snapshot!(parse("lockfileVersion: '12.0'\n"), @r#"
    lockfile-unsupported-version: `pnpm-lock.yaml` has lockfile version 12.0, which drydock does not know
      pnpm-lock.yaml:1:1: lockfileVersion: '12.0' ()
      help: run `pnpm install --lockfile-only` with pnpm 9, 10 or 11
    "#);
    insta::assert_snapshot!(parse("lockfileVersion: '9.0'\nimporters:\n  .: [\n"), @r#"
    lockfile-syntax: `pnpm-lock.yaml` does not parse: expected mapping start
      pnpm-lock.yaml:3:6: [ ()
      help: restore the file from version control, or delete it and run the package manager's `install`
    "#);
    insta::assert_snapshot!(parse("lockfileVersion: '9.0'\n<<<<<<< HEAD\nimporters: {}\n=======\n"), @r#"
    lockfile-syntax: `pnpm-lock.yaml` does not parse: it holds the markers of an unfinished merge
      pnpm-lock.yaml:2:1: <<<<<<< HEAD ()
      help: finish the merge: take one side of the file, then run the package manager's `install`
    "#);
    let edited = |member: &str, from: &str, to: &str| {
        let mut workspace = fleet();
        let file = format!("{member}/package.json");
        let edited = workspace.members[&path(member)].text().replace(from, to);
        workspace.members.insert(path(member), Manifest::parse(path(&file), &edited).unwrap());
        workspace.with(|input| check_sync(&input))
    };
    assert_eq!(edited("packages/b", "", "").unwrap(), []);
    assert_eq!(edited("packages/d", "^7.0.0", ">=7").unwrap(), [], "what is locked satisfies it");
    insta::assert_snapshot!(shown(&edited("packages/d", "^7.0.0", "^6.0.0").unwrap_err()), @r#"
    lockfile-out-of-sync: `pnpm-lock.yaml` does not match `packages/d/package.json`
      packages/d/package.json:6:5: "semver": "^6.0.0" (asks for `semver` ^6.0.0, but the lockfile has 7.8.6)
      help: run `pnpm install` to update the lockfile
    "#);
    insta::assert_snapshot!(shown(&edited("packages/d", "semver", "new").unwrap_err()), @r#"
    lockfile-out-of-sync: `pnpm-lock.yaml` does not match `packages/d/package.json`
      packages/d/package.json:6:5: "new": "^7.0.0" (`new` is not in the lockfile)
      help: run `pnpm install` to update the lockfile
    "#);
    let mut workspace = fleet();
    workspace.members.remove(&path("packages/d"));
    insta::assert_snapshot!(shown(&workspace.with(|input| check_sync(&input)).unwrap_err()), @r#"
    lockfile-out-of-sync: `pnpm-lock.yaml` does not match `packages/a/package.json`
      packages/a/package.json:15:5: "@fleet/d": "workspace:*" (`@fleet/d` was a member of the workspace and is none now)
      help: run `pnpm install` to update the lockfile
    "#);
    let mut workspace = fleet();
    workspace.pnpm_settings = workspace.pnpm_settings.map(|text| text.replace("is-odd: ^3.0.0", "is-odd: ^4.0.0"));
    insta::assert_snapshot!(shown(&workspace.with(|input| check_sync(&input)).unwrap_err()), @r#"
    lockfile-out-of-sync: `pnpm-lock.yaml` does not match `packages/a/package.json`
      packages/a/package.json:10:5: "is-odd": "catalog:" (asks for `is-odd` ^4.0.0, but the lockfile has 3.0.1)
      help: run `pnpm install` to update the lockfile
    "#);
}

#[test]
fn what_is_not_modelled_takes_the_whole_lockfile() {
    let mut workspace = fleet();
    let with_hook = workspace.lockfile.text().replace("\nimporters:", "\npnpmfileChecksum: sha256-x\n\nimporters:");
    workspace.lockfile = Lockfile::parse(path("pnpm-lock.yaml"), &with_hook).unwrap();
    let install = workspace.with(|input| prune(&input, &production("packages/c"))).unwrap();
    assert_eq!(install.shape, Shape::Whole);
    assert_eq!(text(&install, "pnpm-lock.yaml"), with_hook);
    assert!(install.optional_tree_files.contains(&path(".pnpmfile.cjs")));
    assert_eq!(install.warnings.len(), 1);
    assert!(text(&install, "packages/a/package.json").contains("catalog:"));
}

const OTHER: &str = r#"
== package.json
{"name": "root", "private": true, "workspaces": ["a", "b"], "packageManager": "yarn@4.5.0", "license": "MIT",
 "resolutions": {"x": "patch:x@npm%3A1.0.0#~/.yarn/patches/x.patch"}, "patchedDependencies": {"y@1.0.0": "patches/y.patch"}}
== a/package.json
{"name": "a", "version": "1.0.0", "dependencies": {"x": "^1"}, "scripts": {"postinstall": "x", "test": "y"}, "main": "x.js"}
== b/package.json
{"name": "b", "bin": "dist/cli.js", "dependencies": {"a": "workspace:*"}}
"#;

#[test]
fn other_managers_lockfiles_are_taken_whole() {
    for (file, content, format, command) in [
        ("yarn.lock", "# yarn lockfile v1\n\nx@^1:\n  version \"1.0.0\"\n", LockfileFormat::YarnClassic, "yarn"),
        (
            "yarn.lock",
            "\n__metadata:\n  version: 8\n\n\"x@npm:^1\":\n  version: 1.0.0\n",
            LockfileFormat::YarnBerry,
            "yarn",
        ),
        ("bun.lock", "{\n  \"lockfileVersion\": 1,\n}\n", LockfileFormat::Bun, "bun"),
        ("pnpm-lock.yaml", "lockfileVersion: '6.0'\n", LockfileFormat::Pnpm, "pnpm"),
    ] {
        let workspace = Workspace::parse(&format!("{OTHER}== {file}\n{content}"));
        assert_eq!(workspace.lockfile.format(), format);
        let install = workspace.with(|input| prune(&input, &production("b"))).unwrap();
        assert_eq!(install.shape, Shape::Whole);
        assert_eq!(text(&install, file), content);
        assert_eq!(install.members.len(), 2);
        assert_eq!(install.warnings[0].code, "lockfile-not-pruned");
        assert!(install.warnings[0].message.contains(file));
        let build = workspace.with(|input| prune(&input, &build("b"))).unwrap();
        assert_eq!(build.lifecycle[0].command, [command, "run", "postinstall"]);
        workspace.with(|input| {
            let graph = InstallGraph::new(input).unwrap();
            let (left, right) = (graph.closure(&production("a")).unwrap(), graph.closure(&production("b")).unwrap());
            assert_eq!((left.len(), left.overlap(&right)), (2, 2));
        });
    }
    let workspace = Workspace::parse(&format!("{OTHER}== yarn.lock\n__metadata:\n"));
    let install = workspace.with(|input| prune(&input, &production("b"))).unwrap();
    insta::assert_snapshot!(text(&install, "package.json"), @r#"
    {
      "name": "root",
      "packageManager": "yarn@4.5.0",
      "patchedDependencies": {
        "y@1.0.0": "patches/y.patch"
      },
      "private": true,
      "resolutions": {
        "x": "patch:x@npm%3A1.0.0#~/.yarn/patches/x.patch"
      },
      "workspaces": [
        "a",
        "b"
      ]
    }
    "#);
    insta::assert_snapshot!(text(&install, "a/package.json"), @r#"
    {
      "dependencies": {
        "x": "^1"
      },
      "name": "a",
      "version": "1.0.0"
    }
    "#);
    insta::assert_snapshot!(text(&install, "b/package.json"), @r#"
    {
      "dependencies": {
        "a": "workspace:*"
      },
      "name": "b",
      "bin": "dist/cli.js"
    }
    "#);
    assert!(install.tree_files.contains(&path(".yarn/patches/x.patch")));
}

/// pnpm takes the files as up to date, and installs from them the packages that it installs of the whole workspace.
#[test]
fn pnpm_installs_the_same() {
    let scratch = tempfile::tempdir().unwrap();
    let all = std::env::var("DRYDOCK_ORACLE").is_ok_and(|value| value == "all");
    let majors: &[(&str, &str)] = if all { &[("9", "fleet-9"), ("10", "fleet")] } else { &[("10", "fleet")] };
    // The sample: the member with the most variety.
    let sample = if all { 0..4 } else { 2..3 };
    for (major, folder) in majors {
        let source = fixture(folder);
        let workspace = Workspace::load(&source);
        let pnpm = pnpm_of(major);
        let mut judged = 0;
        for member in workspace.members.keys().take(sample.end).skip(sample.start) {
            for kind in [ClosureKind::Build, ClosureKind::Production] {
                for shape in [Shape::Sealed, Shape::Raw] {
                    let selection = Selection { kind, shape, ..Selection::build(vec![member.clone()]) };
                    let install = pruned(&workspace, &selection);
                    let name = format!("{major}-{}-{kind:?}-{shape:?}", member.as_str().replace('/', "-"));
                    let pruned_folder = scratch.path().join(&name);
                    write(&install, &source, &pruned_folder);
                    let installed = installed(&pnpm, &pruned_folder, &["--frozen-lockfile"], kind, &name);
                    let whole_folder = scratch.path().join(format!("{name}-whole"));
                    copy_fleet(&source, &whole_folder);
                    let filters: Vec<String> =
                        install.members.iter().map(|member| format!("--filter=./{member}")).collect();
                    let mut arguments = vec!["--frozen-lockfile", "--filter=."];
                    arguments.extend(filters.iter().map(String::as_str));
                    assert_eq!(installed, self::installed(&pnpm, &whole_folder, &arguments, kind, &name), "{name}");
                    judged += 1;
                }
            }
        }
        println!("pnpm {major}: {judged} of {judged} installs identical");
    }
}

/// Everything in the virtual store, and what each importer's `node_modules` links to.
fn installed(pnpm: &Path, folder: &Path, arguments: &[&str], kind: ClosureKind, name: &str) -> BTreeSet<String> {
    let mut command = Command::new(pnpm);
    command.arg("install").args(arguments).args(["--ignore-scripts", "--prefer-offline"]).current_dir(folder);
    command.env("CI", "true");
    if kind == ClosureKind::Production {
        command.arg("--prod");
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{name}: {said}\n{}", String::from_utf8_lossy(&output.stderr));
    let mut found = BTreeSet::new();
    let store = folder.join("node_modules/.pnpm");
    let entries = |folder: &Path| match fs_err::read_dir(folder) {
        Ok(entries) => entries.map(|entry| entry.unwrap().path()).collect::<Vec<_>>(),
        Err(_) => Vec::new(),
    };
    for entry in entries(&store).into_iter().filter(|entry| entry.join("node_modules").is_dir()) {
        // `.pnpm/node_modules` holds links for packages that ask for what they do not declare.
        if entry.file_name().is_some_and(|name| name != "node_modules") {
            found.insert(format!("store {}", entry.file_name().unwrap().to_string_lossy()));
        }
    }
    let importers = entries(&folder.join("packages")).into_iter().chain([folder.to_path_buf()]);
    for importer in importers {
        for link in entries(&importer.join("node_modules")) {
            let links =
                if link.file_name().unwrap().to_string_lossy().starts_with('@') { entries(&link) } else { vec![link] };
            for link in links.into_iter().filter(|link| link.is_symlink()) {
                let target = fs_err::canonicalize(&link).unwrap();
                let inside = |path: &Path| {
                    path.strip_prefix(fs_err::canonicalize(folder).unwrap()).unwrap().display().to_string()
                };
                found.insert(format!("{} -> {}", link.strip_prefix(folder).unwrap().display(), inside(&target)));
            }
        }
    }
    assert!(!found.is_empty(), "{name}: nothing was installed");
    found
}

fn write(install: &PrunedInstall, source: &Path, folder: &Path) {
    for (path, file) in &install.files {
        let path = folder.join(path.as_str());
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, &file.bytes).unwrap();
    }
    for path in &install.tree_files {
        let target = folder.join(path.as_str());
        fs_err::create_dir_all(target.parent().unwrap()).unwrap();
        fs_err::copy(source.join(path.as_str()), target).unwrap();
    }
}

fn copy_fleet(source: &Path, folder: &Path) {
    let files = ["package.json", "pnpm-lock.yaml", "pnpm-workspace.yaml", "patches/ms@2.1.3.patch"];
    let members = ["a", "b", "c", "d"].map(|member| format!("packages/{member}/package.json"));
    for file in files.into_iter().map(str::to_owned).chain(members) {
        let target = folder.join(&file);
        fs_err::create_dir_all(target.parent().unwrap()).unwrap();
        fs_err::copy(source.join(&file), target).unwrap();
    }
}

/// The newest pnpm of a major version, installed once into the target directory.
fn pnpm_of(major: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("pnpm-{major}"));
    let pnpm = folder.join("node_modules/.bin/pnpm");
    if !pnpm.is_file() {
        fs_err::create_dir_all(&folder).unwrap();
        let arguments = ["install", "--no-save", "--no-audit", "--no-fund", "--prefix"];
        let status = Command::new("npm").args(arguments).arg(&folder).arg(format!("pnpm@{major}")).status().unwrap();
        assert!(status.success(), "npm cannot install pnpm {major}");
    }
    pnpm
}
