//! What a user is told when there is no plan.

#![allow(
    clippy::unwrap_used,
    clippy::too_many_lines,
    reason = "a test stops at what it does not expect; snapshots are long"
)]

mod support;

use drydock_diagnostics::Diagnose;
use drydock_plan::{PackageName, PackageSettings, Settings, TargetName, TargetSettings, WorkspacePath};
use support::monorepo::{Member, Monorepo};
use support::planned;

fn monorepo() -> Monorepo {
    Monorepo::new([
        Member::new("api", "@acme/api").script("start", "node index.js").needs(&["@acme/lib"]),
        Member::library("lib", "@acme/lib"),
    ])
    .file("api/index.js", "")
}

/// The code, category, key, message and help of the error, and where it points.
fn mistake(monorepo: &Monorepo, settings: &Settings, selection: &[&str]) -> String {
    let error = planned(&monorepo.load(), settings, selection).expect_err("a mistake");
    let places: Vec<String> =
        error.snippets().iter().map(|snippet| format!(" @{}:{:?}", snippet.path, snippet.line_column())).collect();
    format!(
        "{} {:?} {}: {error}\n  {}{}",
        error.code(),
        error.category(),
        error.key().unwrap_or("-"),
        error.help().unwrap(),
        places.concat()
    )
}

fn target(settings: TargetSettings) -> Settings {
    Settings { targets: [(TargetName::new("x"), settings)].into(), ..Settings::default() }
}

fn package(name: &str, settings: PackageSettings) -> Settings {
    Settings { packages: [(PackageName::new(name), settings)].into(), ..Settings::default() }
}

#[test]
fn every_mistake_has_a_way_out() {
    let path = |text: &str| WorkspacePath::new(text).unwrap();
    let none = Settings::default();
    let mistakes = [
        mistake(&monorepo(), &none, &["apo"]),
        mistake(&monorepo(), &none, &["zebra"]),
        mistake(&monorepo(), &none, &["@acme/lib"]),
        mistake(&Monorepo::new([Member::library("lib", "lib")]), &none, &[]),
        mistake(
            &monorepo(),
            &target(TargetSettings { package: Some(PackageName::new("@acme/apo")), ..Default::default() }),
            &[],
        ),
        mistake(&monorepo(), &target(TargetSettings::default()), &[]),
        mistake(
            &monorepo(),
            &target(TargetSettings { package: Some(PackageName::new("@acme/lib")), ..Default::default() }),
            &[],
        ),
        mistake(
            &monorepo(),
            &target(TargetSettings {
                package: Some(PackageName::new("@acme/lib")),
                kind: Some(drydock_plan::TargetKind::Service),
                ..Default::default()
            }),
            &[],
        ),
        mistake(
            &monorepo(),
            &target(TargetSettings {
                package: Some(PackageName::new("@acme/api")),
                assets: vec![PackageName::new("@acme/web")],
                ..Default::default()
            }),
            &[],
        ),
        mistake(
            &monorepo(),
            &target(TargetSettings {
                package: Some(PackageName::new("@acme/api")),
                files: vec![path("config")],
                ..Default::default()
            }),
            &[],
        ),
        mistake(&monorepo(), &package("@acme/lob", PackageSettings::default()), &[]),
        mistake(
            &monorepo(),
            &package("@acme/lib", PackageSettings { build: Some(Some("biuld".into())), ..Default::default() }),
            &[],
        ),
        mistake(
            &monorepo(),
            &package("@acme/lib", PackageSettings { exclude: vec!["src/[".into()], ..Default::default() }),
            &[],
        ),
        mistake(
            &monorepo(),
            &package("@acme/lib", PackageSettings { outputs: Some(vec!["../../dist".into()]), ..Default::default() }),
            &[],
        ),
        mistake(
            &monorepo(),
            &package("@acme/lib", PackageSettings { root_files: vec![path("nothing.json")], ..Default::default() }),
            &[],
        ),
        mistake(&monorepo(), &Settings { node: Some("iron".into()), ..Settings::default() }, &[]),
        mistake(
            &Monorepo::new([Member::new("site", "site").script("build", "make")]),
            &Settings {
                targets: [(
                    TargetName::new("site"),
                    TargetSettings { kind: Some(drydock_plan::TargetKind::Static), ..Default::default() },
                )]
                .into(),
                ..Settings::default()
            },
            &[],
        ),
        mistake(
            &Monorepo::new([
                Member::new("api", "api").script("start", "node index.js").needs(&["a"]),
                Member::library("a", "a").needs(&["b"]),
                Member::library("b", "b").needs(&["a"]),
            ]),
            &none,
            &[],
        ),
    ];
    insta::assert_snapshot!(mistakes.join("\n"), @r#"
    unknown-target Usage -: there is no target `apo`
      did you mean `api`?
    unknown-target Usage -: there is no target `zebra`
      the targets are `api`
    package-is-no-target Usage -: no image is made of the package `@acme/lib`
      build `api`, which it is part of
    no-targets Usage -: no target was found in the workspace
      give a package a `start` script, or configure a target in drydock.toml: `[target.NAME]` with `package` and `command`
    unknown-package Usage target.x.package: there is no package `@acme/apo` in the workspace
      did you mean `@acme/api`?
    unknown-package Usage target.x: there is no package `x` in the workspace
      write the package's name as `package` of the target; `drydock graph` lists the packages
    target-kind-unknown Usage -: nothing says whether `x` is a service or a static site
      write `kind = "service"` or `kind = "static"` under `[target.x]` in drydock.toml
    command-missing Usage -: nothing says how the service `x` is started
      give the package a `start` script, or write `command = ["node", "…"]` under `[target.x]` in drydock.toml @lib/package.json:(1, 79)
    unknown-package Usage target.x.assets: there is no package `@acme/web` in the workspace
      did you mean `@acme/lib`?
    file-missing Usage target.x.files: `config` is not among the files of the workspace
      correct the path in `target.x.files`; files that .dockerignore or .gitignore name do not count
    unknown-package Usage package."@acme/lob": there is no package `@acme/lob` in the workspace
      did you mean `@acme/lib`?
    unknown-script Usage package."@acme/lib".build: `@acme/lib` has no script `biuld`
      did you mean `build`? @lib/package.json:(1, 79)
    pattern-invalid Usage package."@acme/lib".exclude: `src/[` is not a pattern of file names: unclosed character class; missing ']'
      write a glob such as `**/*.test.ts`
    path-outside-workspace Usage package."@acme/lib".outputs: `../../dist` is not a path inside the workspace
      correct `package."@acme/lib".outputs`: a build sees only the workspace
    file-missing Usage package."@acme/lib".root-files: `nothing.json` is not among the files of the workspace
      correct the path in `package."@acme/lib".root-files`; files that .dockerignore or .gitignore name do not count
    node-version-invalid Usage -: `iron`, the version of Node in the configuration, is neither a version nor a range
      write a version such as `24` or `24.16.0`, or a range such as `>=22`
    served-folder-missing Usage -: nothing says which folder the static target `site` serves
      write `outputs = ["dist"]` (the folder with its index.html) under `[package."site"]` in drydock.toml @site/package.json:(1, 45)
    dependency-cycle Workspace -: packages depend on each other in a circle: `a` → `b` → `a`
      remove one of these dependencies, or move what they share into a package of its own @a/package.json:(1, 155) @b/package.json:(1, 155)
    "#);
}

#[test]
fn a_workspace_without_a_lockfile_is_told_how_to_get_one() {
    let workspace = support::fixture(
        "//- package.json\n{ \"name\": \"solo\", \"scripts\": { \"start\": \"node index.js\" } }\n//- index.js\n",
    );
    let error = planned(&workspace, &Settings::default(), &[]).unwrap_err();
    assert_eq!(error.code(), "lockfile-missing");
    assert_eq!(error.help().unwrap(), "run `npm install` and commit the lockfile it writes");
}
