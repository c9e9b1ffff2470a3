//! What images are made on.

#![allow(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

mod support;

use drydock_diagnostics::Diagnose as _;
use drydock_plan::{BaseKind, ImageRef, Settings, StageKind, TargetName, TargetSettings, WorkspacePath};
use support::monorepo::{Member, Monorepo};
use support::{planned, stages};

fn api() -> Monorepo {
    Monorepo::new([
        Member::new("api", "@acme/api").script("start", "node index.js").needs(&["@acme/lib"]),
        Member::library("lib", "@acme/lib"),
    ])
    .file("api/index.js", "")
    .file(".nvmrc", "22.4.1\n")
}

fn with(base: Option<BaseKind>, target: TargetSettings) -> Settings {
    Settings { base, targets: [(TargetName::new("api"), target)].into(), ..Settings::default() }
}

/// The images that stages begin with, by stage.
fn images(settings: &Settings) -> String {
    let plan = planned(&api().load(), settings, &["api"]).unwrap_or_else(|error| panic!("{error}"));
    let images = plan.stages.iter().filter_map(|stage| Some(format!("{}: {}", stage.id, stage.image()?)));
    images.collect::<Vec<_>>().join(", ")
}

#[test]
fn one_word_decides() {
    use BaseKind::{Alpine, Distroless, Slim};
    let of = |all, one| images(&with(all, TargetSettings { base: one, ..TargetSettings::default() }));
    let lines = [None, Some(Slim), Some(Alpine), Some(Distroless)].map(|all| {
        let ones = [None, Some(Slim), Some(Alpine)].map(|one| format!("{all:?}, {one:?}: {}", of(all, one)));
        ones.join("\n")
    });
    insta::assert_snapshot!(lines.join("\n"), @"
    None, None: base: node:22.4.1-bookworm-slim
    None, Some(Slim): base: node:22.4.1-bookworm-slim
    None, Some(Alpine): base: node:22.4.1-bookworm-slim, runtime-base-api: node:22.4.1-alpine
    Some(Slim), None: base: node:22.4.1-bookworm-slim
    Some(Slim), Some(Slim): base: node:22.4.1-bookworm-slim
    Some(Slim), Some(Alpine): base: node:22.4.1-bookworm-slim, runtime-base-api: node:22.4.1-alpine
    Some(Alpine), None: base: node:22.4.1-alpine
    Some(Alpine), Some(Slim): base: node:22.4.1-alpine, runtime-base-api: node:22.4.1-bookworm-slim
    Some(Alpine), Some(Alpine): base: node:22.4.1-alpine
    Some(Distroless), None: base: node:22.4.1-bookworm-slim, runtime-base-api: gcr.io/distroless/nodejs22-debian12
    Some(Distroless), Some(Slim): base: node:22.4.1-bookworm-slim
    Some(Distroless), Some(Alpine): base: node:22.4.1-bookworm-slim, runtime-base-api: node:22.4.1-alpine
    ");
}

#[test]
fn without_a_shell_everything_is_copied() {
    let plan = |target| {
        let plan = planned(&api().load(), &with(Some(BaseKind::Distroless), target), &["api"]);
        plan.unwrap_or_else(|error| panic!("{error}"))
    };
    insta::assert_snapshot!(stages(&plan(TargetSettings::default())), @r#"
    base: base from node:22.4.1-bookworm-slim

    runtime-base: base from base
      system tini

    runtime-base-api: base from gcr.io/distroless/nodejs22-debian12
      copy /usr/bin/tini of runtime-base to /usr/bin/tini

    install: Build install from base
      for @acme/lib
      input .drydock/install/install

    build-lib: build @acme/lib from install
      sources lib
      run npm run build
      writes lib/dist

    runtime-deps-api: Production install from base
      for @acme/api, @acme/lib
      input .drydock/install/runtime-deps-api

    api: service from runtime-base-api
      copy . of runtime-deps-api
      copy lib/package.json package.json
      copy lib/dist of build-lib
      copy api
      env NODE_ENV=production
      path /nodejs/bin
      entrypoint tini -- /nodejs/bin/node
      command in api: ["index.js"]
    "#);
    // What takes commands is done in a stage that can run them.
    let writable = TargetSettings { writable: vec![WorkspacePath::new("data").unwrap()], ..TargetSettings::default() };
    let plan = plan(writable);
    let last: Vec<String> = plan.stages[plan.stages.len() - 2..].iter().map(support::stage).collect();
    insta::assert_snapshot!(last.join("\n"), @r#"
    prepared-api: service from runtime-deps-api
      copy lib/package.json package.json
      copy lib/dist of build-lib
      copy api
      writable data
      env NODE_ENV=production
      command in .: []

    api: service from runtime-base-api
      copy . of prepared-api
      env NODE_ENV=production
      path /nodejs/bin
      entrypoint tini -- /nodejs/bin/node
      command in api: ["index.js"]
    "#);
    let StageKind::Runtime(image) = &plan.stages.last().unwrap().kind else { panic!("a service") };
    assert_eq!(image.user, "65532:65532");
}

#[test]
fn what_cannot_be_had_without_a_shell_is_told() {
    let mistake = |settings: &Settings| {
        let error = planned(&api().load(), settings, &["api"]).expect_err("a mistake");
        format!("{}: {error}\n  {}", error.code(), error.help().unwrap())
    };
    let distroless = |target| with(Some(BaseKind::Distroless), target);
    let one = |base| TargetSettings { base: Some(base), ..TargetSettings::default() };
    let words = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect());
    let mistakes = [
        mistake(&distroless(TargetSettings { system_packages: vec!["ffmpeg".to_owned()], ..Default::default() })),
        mistake(&distroless(TargetSettings { jemalloc: true, ..Default::default() })),
        mistake(&distroless(TargetSettings { command: words(&["npm", "start"]), ..Default::default() })),
        mistake(&distroless(TargetSettings { command: words(&["sh", "-c", "true"]), ..Default::default() })),
        mistake(&with(Some(BaseKind::Alpine), one(BaseKind::Distroless))),
        mistake(&Settings { image: Some(ImageRef::new("gcr.io/distroless/nodejs22-debian12")), ..Settings::default() }),
    ];
    insta::assert_snapshot!(mistakes.join("\n"), @r#"
    distroless-lacks: `gcr.io/distroless/nodejs22-debian12`, which the image of `api` begins with, has no package manager to bring `ffmpeg`
      take another base (`base = "slim"`), or the files alone from another image: `copy-from`
    distroless-lacks: `gcr.io/distroless/nodejs22-debian12`, which the image of `api` begins with, has no package manager to bring `jemalloc`
      take another base (`base = "slim"`), or the files alone from another image: `copy-from`
    distroless-lacks: `gcr.io/distroless/nodejs22-debian12`, which the image of `api` begins with, has no `npm` to run its script
      call the file with Node: `command = ["node", "…"]` under `[target.api]`, or take another base
    distroless-lacks: `gcr.io/distroless/nodejs22-debian12`, which the image of `api` begins with, has no shell or `env` to run `sh`
      call the file with Node: `command = ["node", "…"]` under `[target.api]`, or take another base
    distroless-lacks: `gcr.io/distroless/nodejs22-debian12`, which the image of `api` begins with, has no musl, for which `node:22.4.1-alpine` installs what is native
      install on Debian: `base = "slim"` under `[workspace]`, or take `base = "alpine"` for it, too
    distroless-builds: nothing can be built in `gcr.io/distroless/nodejs22-debian12`, which has no shell
      write `base = "distroless"` instead: what builds and installs then begins with Debian
    "#);
}
