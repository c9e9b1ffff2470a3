//! What stages get, and from where.

#![allow(
    clippy::unwrap_used,
    clippy::too_many_lines,
    reason = "a test stops at what it does not expect; snapshots are long"
)]

mod support;

use drydock_plan::{
    InstallStrategy, PackageName, PackageSettings, Settings, TargetName, TargetSettings, WorkspacePath,
};
use serde_json::json;
use support::monorepo::{Member, Monorepo};
use support::{context, decisions, planned, stages, warnings};

fn service(path: &str, name: &str) -> Member {
    Member::new(path, name).script("start", "node index.js")
}

fn plan_of(monorepo: &Monorepo) -> String {
    stages(&planned(&monorepo.load(), &Settings::default(), &[]).unwrap())
}

#[test]
fn what_only_builds_need_never_reaches_an_image() {
    let monorepo = Monorepo::new([
        Member::new("api", "api")
            .script("start", "node dist/index.js")
            .script("build", "tsc")
            .field("main", json!("dist/index.js"))
            .needs(&["data"])
            .develops_with(&["tools", "typescript"]),
        Member::library("packages/data", "data").expects(&["schemas"]),
        Member::library("packages/schemas", "schemas"),
        Member::library("packages/tools", "tools").needs(&["chalk"]),
    ])
    .file("api/src/index.ts", "")
    .file("api/views/index.ejs", "")
    .file("api/jest.config.js", "")
    .file("packages/data/src/index.ts", "")
    .file("packages/schemas/src/index.ts", "")
    .file("packages/tools/src/index.ts", "");
    let plan = planned(&monorepo.load(), &Settings::default(), &[]).unwrap();
    insta::assert_snapshot!(stages(&plan), @r#"
    base: base from node:24-bookworm-slim

    runtime-base: base from base
      system tini

    install: Build install from base
      for api, data, schemas, tools
      input .drydock/install/install

    build-schemas: build schemas from install
      sources packages/schemas
      run npm run build
      writes packages/schemas/dist

    build-data: build data from install
      reads packages/schemas/package.json
      takes packages/schemas/dist of build-schemas
      sources packages/data
      run npm run build
      writes packages/data/dist

    build-tools: build tools from install
      sources packages/tools
      run npm run build
      writes packages/tools/dist

    build-api: build api from install
      reads packages/data/package.json packages/schemas/package.json packages/tools/package.json
      takes packages/schemas/dist of build-schemas
      takes packages/data/dist of build-data
      takes packages/tools/dist of build-tools
      sources api
      run npm run build
      writes api/dist

    runtime-deps-api: Production install from runtime-base
      for api, data, schemas
      input .drydock/install/runtime-deps-api

    api: service from runtime-deps-api
      copy api/package.json package.json packages/data/package.json packages/schemas/package.json
      copy packages/schemas/dist of build-schemas
      copy packages/data/dist of build-data
      copy api/views
      copy api/dist of build-api
      env NODE_ENV=production
      entrypoint tini --
      command in api: ["node", "dist/index.js"]
    "#);
    insta::assert_snapshot!(decisions(&plan), @"
    node = node:24-bookworm-slim (nothing in the workspace says which; the line with long-term support)
    install = shared (all that is built serves api)
    target api = service (api/package.json has the script `start`: `node dist/index.js`)
    target api: command = node dist/index.js (api/package.json has the script `start`: `node dist/index.js`)
    target api: port = none (nothing says that it listens)
    target api: files = without jest.config.js, src (its build writes api/dist; these are sources, tests, tools' settings or texts)
    target api: init = tini (signals reach what it runs, with or without a handler, and a container stops at once)
    ");
    insta::assert_snapshot!(context(&plan), @r"
    + .drydock/install/install/api/package.json
    + .drydock/install/install/package-lock.json
    + .drydock/install/install/package.json
    + .drydock/install/install/packages/data/package.json
    + .drydock/install/install/packages/schemas/package.json
    + .drydock/install/install/packages/tools/package.json
    + .drydock/install/runtime-deps-api/api/package.json
    + .drydock/install/runtime-deps-api/package-lock.json
    + .drydock/install/runtime-deps-api/package.json
    + .drydock/install/runtime-deps-api/packages/data/package.json
    + .drydock/install/runtime-deps-api/packages/schemas/package.json
      api/jest.config.js
      api/package.json
      api/src/index.ts
      api/views/index.ejs
      package.json
      packages/data/package.json
      packages/data/src/index.ts
      packages/schemas/package.json
      packages/schemas/src/index.ts
      packages/tools/package.json
      packages/tools/src/index.ts
    ");
}

#[test]
fn what_runs_has_what_it_imports_though_it_is_declared_for_development() {
    let monorepo = Monorepo::new([
        Member::new("api", "api").script("start", "node dist/index.js").script("build", "tsc").develops_with(&[
            "web",
            "types",
            "typescript",
        ]),
        Member::library("web", "web").needs(&["react"]).develops_with(&["vite"]),
        Member::library("packages/types", "types"),
    ])
    .file("api/src/index.ts", "import type { T } from 'types';\n\nimport { render } from 'web';\n")
    .file("web/src/index.ts", "")
    .file("packages/types/src/index.ts", "");
    let plan = planned(&monorepo.load(), &Settings::default(), &[]).unwrap();
    let all = stages(&plan);
    let (_, run) = all.split_once("\n\nruntime-deps-api:").unwrap();
    insta::assert_snapshot!(run, @r#"
     Production install from runtime-base
      for api, web
      input .drydock/install/runtime-deps-api

    api: service from runtime-deps-api
      copy api/package.json package.json web/package.json
      copy web/dist of build-web
      copy api/dist of build-api
      env NODE_ENV=production
      entrypoint tini --
      command in api: ["node", "dist/index.js"]
    "#);
    insta::assert_snapshot!(warnings(&plan), @"
    import-for-development: `api` imports `web` when it runs, which its package.json declares for development
      it is taken along; to declare that, move `web` from `devDependencies` to `dependencies` in api/package.json and run `npm install`
    ");
}

#[test]
fn packages_that_need_each_other_for_tests_see_sources_where_they_are_built_first() {
    let monorepo = Monorepo::new([
        service("api", "api").needs(&["core"]).develops_with(&["harness"]).script("build", "tsc"),
        Member::library("core", "core").develops_with(&["harness"]),
        Member::library("harness", "harness").field("main", json!("src/index.ts")).needs(&["core"]),
    ])
    .file("api/index.js", "")
    .file("core/src/index.test.ts", "import { run } from 'harness';\n")
    .file("harness/src/index.ts", "");
    let plan = planned(&monorepo.load(), &Settings::default(), &[]).unwrap();
    let build = plan.stages.iter().find(|stage| stage.id.as_str() == "build-core").unwrap();
    insta::assert_snapshot!(support::stage(build), @"
    build-core: build core from install
      reads harness
      sources core
      run npm run build
      writes core/dist
    ");
    insta::assert_snapshot!(warnings(&plan), @"
    development-circle: `core` and `harness` need each other; `core` needs `harness` for development, and is built before it
      if that build fails, move what both need into a package of its own
    ");
}

#[test]
fn packages_without_a_build_bring_their_files() {
    let monorepo = Monorepo::new([
        service("api", "api").needs(&["plain"]),
        Member::new("packages/plain", "plain").field("main", json!("index.js")).needs(&["deep"]),
        Member::new("packages/plain/deep", "deep"),
    ])
    .file("api/index.js", "")
    .file("packages/plain/index.js", "")
    .file("packages/plain/lib/x.js", "")
    .file("packages/plain/deep/index.js", "");
    insta::assert_snapshot!(plan_of(&monorepo), @r#"
    base: base from node:24-bookworm-slim

    runtime-base: base from base
      system tini

    runtime-deps-api: Production install from runtime-base
      for api, deep, plain
      input .drydock/install/runtime-deps-api

    api: service from runtime-deps-api
      copy package.json packages/plain/package.json packages/plain/deep packages/plain/index.js packages/plain/lib api
      env NODE_ENV=production
      entrypoint tini --
      command in api: ["node", "index.js"]
    "#);
}

#[test]
fn a_build_that_tells_nothing_is_taken_whole() {
    let monorepo = Monorepo::new([
        Member::new("api", "api").script("start", "node out.js").script("build", "make").needs(&["lib"]),
        Member::new("lib", "lib").script("build", "make"),
    ])
    .file("api/in.js", "")
    .file("lib/in.js", "");
    let plan = planned(&monorepo.load(), &Settings::default(), &[]).unwrap();
    insta::assert_snapshot!(stages(&plan), @r#"
    base: base from node:24-bookworm-slim

    runtime-base: base from base
      system tini

    install: Build install from base
      for api, lib
      input .drydock/install/install

    build-lib: build lib from install
      sources lib
      run npm run build
      writes lib

    build-api: build api from install
      takes lib of build-lib
      sources api
      run npm run build
      writes api

    runtime-deps-api: Production install from runtime-base
      for api, lib
      input .drydock/install/runtime-deps-api

    api: service from runtime-deps-api
      copy package.json
      copy lib of build-lib
      copy api of build-api
      env NODE_ENV=production
      entrypoint tini --
      command in api: ["node", "out.js"]
    "#);
}

#[test]
fn what_manifests_declare_comes_along() {
    let monorepo = Monorepo::new([
        service("api", "api").needs(&["lib"]).script("build", "tsc").field("main", json!("dist/index.js")),
        Member::library("lib", "lib")
            .field("files", json!(["dist", "preset.cjs", "templates/**"]))
            .field("bin", json!({ "lib": "./bin/lib.js" }))
            .field(
                "exports",
                json!({ ".": { "types": "./src/index.ts", "default": "./dist/index.js" }, "./x/*": "./static/*" }),
            ),
    ])
    .file("api/index.js", "")
    .file("lib/src/index.ts", "")
    .file("lib/bin/lib.js", "")
    .file("lib/preset.cjs", "")
    .file("lib/static/a.json", "")
    .file("lib/templates/a/b.html", "")
    .file("lib/notes.md", "");
    insta::assert_snapshot!(plan_of(&monorepo), @r#"
    base: base from node:24-bookworm-slim

    runtime-base: base from base
      system tini

    install: Build install from base
      for api, lib
      input .drydock/install/install

    build-lib: build lib from install
      sources lib
      chmod lib/bin/lib.js
      run npm run build
      writes lib/bin/lib.js lib/dist lib/preset.cjs lib/static lib/templates

    build-api: build api from install
      reads lib/package.json lib/src
      takes lib/bin/lib.js lib/dist lib/preset.cjs lib/static lib/templates of build-lib
      sources api
      run npm run build
      writes api/dist

    runtime-deps-api: Production install from runtime-base
      for api, lib
      input .drydock/install/runtime-deps-api

    api: service from runtime-deps-api
      copy lib/package.json package.json
      copy lib/bin/lib.js lib/dist lib/preset.cjs lib/static lib/templates of build-lib
      copy api
      copy api/dist of build-api
      env NODE_ENV=production
      entrypoint tini --
      command in api: ["node", "index.js"]
    "#);
}

#[test]
fn a_command_that_a_dependency_brings_is_found_through_path() {
    let run = |member: Member| {
        let monorepo = Monorepo::new([member]);
        let plan = planned(&monorepo.load(), &Settings::default(), &[]).unwrap();
        format!("{}{}", stages(&plan), warnings(&plan))
    };
    let api = || Member::new("src/api", "api").script("start", "fastify start app.js");
    insta::assert_snapshot!(run(api().needs(&["fastify-cli", "fastify"])), @r#"
    base: base from node:24-bookworm-slim

    runtime-base: base from base
      system tini

    runtime-deps-api: Production install from runtime-base
      for api
      input .drydock/install/runtime-deps-api

    api: service from runtime-deps-api
      copy package.json src/api
      env NODE_ENV=production FASTIFY_ADDRESS=0.0.0.0
      path /app/src/api/node_modules/.bin:/app/node_modules/.bin
      port 3000
      entrypoint tini --
      command in src/api: ["fastify", "start", "app.js"]
    "#);
    insta::assert_snapshot!(run(api().needs(&["express"]).develops_with(&["fastify-cli"])), @r#"
    base: base from node:24-bookworm-slim

    runtime-base: base from base
      system tini

    runtime-deps-api: Production install from runtime-base
      for api
      input .drydock/install/runtime-deps-api

    api: service from runtime-deps-api
      copy package.json src/api
      env NODE_ENV=production FASTIFY_ADDRESS=0.0.0.0
      path /app/src/api/node_modules/.bin:/app/node_modules/.bin
      port 3000
      entrypoint tini --
      command in src/api: ["fastify", "start", "app.js"]
    command-not-installed: `api` runs `fastify`, which no production dependency of `api` brings
      move the package that brings `fastify` from devDependencies to dependencies, and run `npm install`
    "#);
}

#[test]
fn the_command_of_a_built_package_decides_what_its_image_holds() {
    let api = |start: &str| {
        let monorepo = Monorepo::new([Member::new("api", "api")
            .script("start", start)
            .script("build", "tsc")
            .field("main", json!("dist/index.js"))])
        .file("api/src/index.ts", "")
        .file("api/server.js", "")
        .file("api/tracing.cjs", "");
        let plan = planned(&monorepo.load(), &Settings::default(), &[]).unwrap();
        format!("{}{}", support::stage(plan.stages.last().unwrap()), warnings(&plan))
    };
    insta::assert_snapshot!(api("node -r ./tracing.cjs dist/index.js"), @r#"
    api: service from runtime-deps-api
      copy api/package.json package.json api/server.js api/tracing.cjs
      copy api/dist of build-api
      env NODE_ENV=production
      entrypoint tini --
      command in api: ["node", "-r", "./tracing.cjs", "dist/index.js"]
    "#);
    insta::assert_snapshot!(api("node server.js"), @r#"
    api: service from runtime-deps-api
      copy package.json api
      copy api/dist of build-api
      env NODE_ENV=production
      entrypoint tini --
      command in api: ["node", "server.js"]
    "#);
    insta::assert_snapshot!(api("node build/index.js"), @r#"
    api: service from runtime-deps-api
      copy api/package.json package.json api/server.js api/tracing.cjs
      copy api/build api/dist of build-api
      env NODE_ENV=production
      entrypoint tini --
      command in api: ["node", "build/index.js"]
    "#);
}

/// Two services of one kind, and one of another.
fn many() -> Monorepo {
    let lib = |name: &str| Member::library(&format!("packages/{name}"), name);
    let app = |name: &str| {
        Member::new(&format!("apps/{name}"), name)
            .script("start", "node dist/index.js")
            .script("build", "tsc")
            .field("main", json!("dist/index.js"))
    };
    let web = ["react", "vite", "tailwind", "postcss", "lit", "sass", "d3", "three"];
    let server = ["express", "pg", "redis", "zod", "pino", "undici"];
    Monorepo::new([
        app("one").needs(&server).needs(&["data", "server-kit"]),
        app("two").needs(&server).needs(&["data", "server-kit"]),
        app("web").needs(&web).needs(&["data", "ui"]),
        lib("data").needs(&["zod"]),
        lib("server-kit").needs(&["data", "express"]),
        lib("ui").needs(&["react"]).expects(&["data"]),
    ])
}

#[test]
fn installs_are_grouped_by_the_strategy() {
    let installs = |install: InstallStrategy| {
        let settings = Settings { install, ..Settings::default() };
        let plan = planned(&many().load(), &settings, &[]).unwrap();
        let lines = plan.stages.iter().filter_map(|stage| match &stage.kind {
            drydock_plan::StageKind::Install(install) if install.purpose == drydock_plan::InstallPurpose::Build => {
                let packages: Vec<&str> = install.packages.iter().map(PackageName::as_str).collect();
                Some(format!("{}: {} packages for {}", stage.id, install.entries, packages.join(", ")))
            }
            drydock_plan::StageKind::Build(build) => Some(format!("  {} from {}", stage.id, build.from)),
            _ => None,
        });
        let lines: Vec<String> = lines.collect();
        let why = plan.decisions.iter().find(|one| one.subject == "install");
        format!(
            "{}\n{}",
            lines.join("\n"),
            why.map(|one| format!("{}: {}", one.choice, one.because)).unwrap_or_default()
        )
    };
    insta::assert_snapshot!(installs(InstallStrategy::Shared), @r"
    install: 15 packages for data, one, server-kit, two, ui, web
      build-data from install
      build-server-kit from install
      build-one from install
      build-two from install
      build-ui from install
      build-web from install
    ");
    insta::assert_snapshot!(installs(InstallStrategy::Target), @r"
    install-one: 7 packages for data, one, server-kit
    install-two: 7 packages for data, server-kit, two
    install-web: 10 packages for data, ui, web
      build-data from install-one
      build-server-kit from install-one
      build-one from install-one
      build-two from install-two
      build-ui from install-web
      build-web from install-web
    ");
    insta::assert_snapshot!(installs(InstallStrategy::Package), @r"
    install-data: 2 packages for data
    install-one: 7 packages for data, one, server-kit
    install-server-kit: 3 packages for data, server-kit
    install-two: 7 packages for data, server-kit, two
    install-ui: 3 packages for data, ui
    install-web: 10 packages for data, ui, web
      build-data from install-data
      build-server-kit from install-server-kit
      build-one from install-one
      build-two from install-two
      build-ui from install-ui
      build-web from install-web
    ");
    insta::assert_snapshot!(installs(InstallStrategy::Auto), @r"
    install-one: 7 packages for data, one, server-kit
    install-two: 7 packages for data, server-kit, two
    install-web: 10 packages for data, ui, web
      build-data from install-one
      build-server-kit from install-one
      build-one from install-one
      build-two from install-two
      build-ui from install-web
      build-web from install-web
    target: 3 installs run at once, each smaller than one for all (28 entries): one (14 entries), two (14 entries), web (17 entries)
    ");
}

#[test]
fn settings_reach_their_stages() {
    let monorepo = Monorepo::new([
        Member::new("api", "api").script("start", "node dist/index.js").script("compile", "tsc"),
        Member::new("web", "web").script("build", "make"),
    ])
    .file("api/src/index.ts", "")
    .file("api/src/index.test.ts", "")
    .file("scripts/version.js", "")
    .file("config/x.json", "")
    .file("base.json", "");
    let path = |text: &str| WorkspacePath::new(text).unwrap();
    let api = PackageSettings {
        build: Some(Some("compile".into())),
        outputs: Some(vec!["dist/**".into()]),
        exclude: vec!["**/*.test.ts".into()],
        root_files: vec![path("scripts")],
        ..PackageSettings::default()
    };
    let web = PackageSettings { outputs: Some(vec!["public".into()]), ..PackageSettings::default() };
    let target = TargetSettings {
        assets: vec![PackageName::new("web")],
        files: vec![path("config"), path("web/public")],
        writable: vec![path("logs")],
        system_packages: vec!["tini".into(), "libjemalloc2".into()],
        workdir: Some(path(".")),
        command: Some(["node", "api/dist/index.js"].map(str::to_owned).to_vec()),
        env: [("LOG".to_owned(), "info".to_owned())].into_iter().collect(),
        ..TargetSettings::default()
    };
    let settings = Settings {
        node: Some("24.16.0".into()),
        root_files: vec![path("base.json")],
        env: [("CI".to_owned(), "1".to_owned())].into_iter().collect(),
        packages: [(PackageName::new("api"), api), (PackageName::new("web"), web)].into(),
        targets: [(TargetName::new("api"), target)].into(),
        ..Settings::default()
    };
    let plan = planned(&monorepo.load(), &settings, &[]).unwrap();
    insta::assert_snapshot!(stages(&plan), @r#"
    base: base from node:24.16.0-bookworm-slim

    runtime-base-api: base from base
      system libjemalloc2 tini

    install-api: Build install from base
      for api
      input .drydock/install/install-api

    install-web: Build install from base
      for web
      input .drydock/install/install-web

    build-api: build api from install-api
      reads base.json scripts
      sources api
      run npm run compile
      writes api/dist

    build-web: build web from install-web
      reads base.json
      sources web
      run npm run build
      writes web/public

    runtime-deps-api: Production install from runtime-base-api
      for api
      input .drydock/install/runtime-deps-api

    api: service from runtime-deps-api
      copy api/package.json package.json
      copy web/public of build-web
      copy config
      copy api/dist of build-api
      writable logs
      env NODE_ENV=production LOG=info
      entrypoint tini --
      command in .: ["node", "api/dist/index.js"]
    "#);
    assert!(!context(&plan).contains("index.test.ts"));
}

#[test]
fn lifecycle_scripts_run_once_the_sources_are_there() {
    let monorepo = Monorepo::new([
        Member::new("api", "api")
            .script("start", "node dist/index.js")
            .script("build", "tsc")
            .script("prepare", "npm run build")
            .script("postinstall", "prisma generate")
            .field("main", json!("dist/index.js"))
            .needs(&["prisma", "db"]),
        Member::new("db", "db").script("postinstall", "node generate.js").script("prepare", "husky"),
    ])
    .file("api/prisma/schema.prisma", "");
    insta::assert_snapshot!(plan_of(&monorepo), @r#"
    base: base from node:24-bookworm-slim

    runtime-base: base from base
      system tini

    install: Build install from base
      for api, db
      input .drydock/install/install

    build-api: build api from install
      reads db
      sources api
      first db: npm run postinstall
      first api: npm run postinstall
      run npm run build
      writes api/dist

    runtime-deps-api: Production install from runtime-base
      for api, db
      input .drydock/install/runtime-deps-api

    api: service from runtime-deps-api
      copy api/package.json package.json db api/prisma
      copy api/dist of build-api
      setup api: npm run postinstall
      env NODE_ENV=production
      entrypoint tini --
      command in api: ["node", "dist/index.js"]
    "#);
}

#[test]
fn a_repository_of_one_package_is_planned() {
    let tree = r#"
//- package.json
{ "name": "solo", "scripts": { "start": "node dist/index.js", "build": "tsc" }, "main": "dist/index.js",
  "dependencies": { "express": "*" } }
//- package-lock.json
{ "name": "solo", "lockfileVersion": 3, "requires": true, "packages": {
  "": { "name": "solo", "dependencies": { "express": "*" } },
  "node_modules/express": { "version": "5.0.0", "integrity": "sha512-x" } } }
//- src/index.ts
//- public/x.css
//- tsconfig.json
{ "compilerOptions": { "outDir": "dist" } }
"#;
    let plan = planned(&support::fixture(tree), &Settings::default(), &[]).unwrap();
    insta::assert_snapshot!(stages(&plan), @r#"
    base: base from node:24-bookworm-slim

    runtime-base: base from base
      system tini

    install: Build install from base
      for solo
      input .drydock/install/install

    build-solo: build solo from install
      sources package.json public src tsconfig.json
      run npm run build
      writes dist

    runtime-deps-solo: Production install from runtime-base
      for solo
      input .drydock/install/runtime-deps-solo

    solo: service from runtime-deps-solo
      copy package.json public
      copy dist of build-solo
      env NODE_ENV=production
      port 3000
      entrypoint tini --
      command in .: ["node", "dist/index.js"]
    "#);
}

/// What the build of `lib` does before its own script, and what is said of it.
fn before_build(scripts: serde_json::Value, settings: &Settings) -> String {
    let monorepo = Monorepo::new([
        Member::library("lib", "lib").script("postinstall", "node setup.js"),
        service("api", "api").needs(&["lib"]),
    ])
    .root("scripts", scripts)
    .file("api/index.js", "")
    .file("scripts/setup.js", "const { names } = require('./lib/names');\n")
    .file("scripts/lib/names.js", "")
    .file("scripts/scan.js", "require('./lib/scanner');\n")
    .file("scripts/lib/scanner.js", "for (const name of fs.readdirSync('packages')) {}\n");
    let plan = planned(&monorepo.load(), settings, &["api"]).unwrap();
    let build = plan.stages.iter().find(|stage| stage.id.as_str() == "build-lib").unwrap();
    let lines: Vec<String> = support::stage(build).lines().map(str::to_owned).collect();
    let kept = lines.iter().filter(|line| line.contains("reads") || line.contains("first"));
    format!("{}\n{}", kept.map(|line| line.trim()).collect::<Vec<_>>().join("\n"), warnings(&plan))
}

#[test]
fn scripts_of_the_root_run_after_those_of_members() {
    let default = Settings::default();
    let scripts = json!({
        "preinstall": "npx only-allow npm",
        "postinstall": "node scripts/setup.js && npm run --if-present nothing-more",
        "nothing-more": "echo done",
        "prepare": "husky || true",
    });
    insta::assert_snapshot!(before_build(scripts.clone(), &default), @"
    reads package.json scripts/lib/names.js scripts/setup.js
    first lib: npm run postinstall
    first .: npm run postinstall
    ");
    let skip = Settings { root_lifecycle: Some(drydock_plan::Lifecycle::Skip), ..Settings::default() };
    insta::assert_snapshot!(before_build(scripts, &skip), @"first lib: npm run postinstall");
}

#[test]
fn a_script_of_the_root_that_cannot_run_is_told() {
    let default = Settings::default();
    for script in ["npm run build --workspaces", "prisma generate", "node scripts/gone.js", "node -e \"$X\""] {
        let told = before_build(json!({ "postinstall": script }), &default);
        assert!(
            told.contains("root-script-not-run") && !told.contains("npm run postinstall\nfirst"),
            "{script}: {told}"
        );
    }
    insta::assert_snapshot!(before_build(json!({ "prepare": "turbo run build" }), &default), @r#"
    first lib: npm run postinstall
    root-script-not-run: the root's script `prepare` (`turbo run build`) runs in no build: `turbo run build` runs scripts of members
      if builds need what it does, write `lifecycle = "deferred"` under `[workspace]` and name the files it reads in `root-files`; `"skip"` silences this
    "#);
    insta::assert_snapshot!(before_build(json!({ "postinstall": "node scripts/scan.js" }), &default), @r#"
    first lib: npm run postinstall
    root-script-not-run: the root's script `postinstall` (`node scripts/scan.js`) runs in no build: `scripts/lib/scanner.js` looks for files by itself, and builds hold a part of them
      if builds need what it does, write `lifecycle = "deferred"` under `[workspace]` and name the files it reads in `root-files`; `"skip"` silences this
    "#);
    let generating = json!({
        "prepare": "husky && npm run bundle",
        "bundle": "npm run generate && npm run build --workspace=lib && npm run generate:late",
        "generate": "node scripts/setup.js",
        "generate:late": "node scripts/setup.js",
    });
    insta::assert_snapshot!(before_build(generating, &default), @r#"
    reads package.json scripts/lib/names.js scripts/setup.js
    first lib: npm run postinstall
    first .: npm run generate
    root-script-not-run: the root's script `prepare` (`husky && npm run bundle`) runs in no build but for `generate`: `npm run build --workspace=lib` runs scripts of members
      if builds need what it does, write `lifecycle = "deferred"` under `[workspace]` and name the files it reads in `root-files`; `"skip"` silences this
    "#);
    let deferred = Settings { root_lifecycle: Some(drydock_plan::Lifecycle::Deferred), ..Settings::default() };
    insta::assert_snapshot!(before_build(json!({ "prepare": "prisma generate" }), &deferred), @"
    reads package.json
    first lib: npm run postinstall
    first .: npm run prepare
    ");
}

#[test]
fn a_script_that_fails_is_no_message() {
    let default = Settings::default();
    insta::assert_snapshot!(before_build(json!({ "preinstall": "echo no && exit 1" }), &default), @"
    reads package.json
    first lib: npm run postinstall
    first .: npm run preinstall
    ");
    insta::assert_snapshot!(before_build(json!({ "preinstall": "is-ci || exit 1" }), &default), @"first lib: npm run postinstall");
    insta::assert_snapshot!(before_build(json!({ "preinstall": "exit 0" }), &default), @"first lib: npm run postinstall");
}

#[test]
fn a_dependency_of_the_root_that_there_is_none_of_is_an_error() {
    let monorepo = Monorepo::new([service("api", "api")]).root("devDependencies", json!({ "typescript": "*" }));
    let settings = Settings { root_dependencies: Some(vec!["typescrpt".to_owned()]), ..Settings::default() };
    let error = planned(&monorepo.load(), &settings, &[]).unwrap_err();
    assert_eq!(error.key(), Some("workspace.root-dependencies"));
    let help = drydock_diagnostics::Diagnose::help(&error);
    assert_eq!(help.as_deref(), Some("did you mean `typescript`?"));
}

#[test]
fn patches_are_applied_to_what_is_installed() {
    let monorepo = |map: &str| {
        Monorepo::new([
            service("api", "api").needs(&["express", "lib"]),
            Member::library("lib", "lib"),
            service("other", "other").needs(&["koa"]),
        ])
        .root("scripts", json!({ "postinstall": "patch-package" }))
        .root(map, json!({ "patch-package": "*" }))
        .file("api/index.js", "")
        .file("patches/express+1.0.0.patch", "")
        .file("patches/koa+1.0.0.patch", "")
    };
    let installs = |monorepo: &Monorepo| {
        let plan = planned(&monorepo.load(), &Settings::default(), &["api"]).unwrap();
        let stages = plan.stages.iter().filter(|stage| matches!(stage.kind, drydock_plan::StageKind::Install(_)));
        format!("{}{}", stages.map(support::stage).collect::<String>(), warnings(&plan))
    };
    insta::assert_snapshot!(installs(&monorepo("dependencies")), @"
    install: Build install from base
      for lib
      input .drydock/install/install
    runtime-deps-api: Production install from runtime-base
      for api, lib
      files patches/express+1.0.0.patch
      input .drydock/install/runtime-deps-api
      then ./node_modules/.bin/patch-package
    ");
    insta::assert_snapshot!(installs(&monorepo("devDependencies")), @"
    install: Build install from base
      for lib
      input .drydock/install/install
    runtime-deps-api: Production install from runtime-base
      for api, lib
      input .drydock/install/runtime-deps-api
    patches-not-applied: the stage `runtime-deps-api` installs without patch-package, so it applies no `patches/express+1.0.0.patch`
      move patch-package from the root's devDependencies to its dependencies, and run `npm install`
    ");
}

#[test]
fn a_site_is_served_by_nginx() {
    let monorepo = Monorepo::new([Member::new("web", "web").script("build", "vite build").develops_with(&["vite"])])
        .file("web/index.html", "<!doctype html>")
        .file("web/vite.config.js", "export default { build: { outDir: 'out' } }");
    let plan = planned(&monorepo.load(), &Settings::default(), &[]).unwrap();
    insta::assert_snapshot!(stages(&plan), @r"
    base: base from node:24-bookworm-slim

    install: Build install from base
      for web
      input .drydock/install/install

    build-web: build web from install
      sources web
      run npm run build
      writes web/out

    web: static from nginxinc/nginx-unprivileged:stable-bookworm
      serves web/out of build-web on 8080
    ");
    let target =
        TargetSettings { kind: Some(drydock_plan::TargetKind::Static), port: Some(9090), ..Default::default() };
    let settings = Settings { targets: [(TargetName::new("pages"), target)].into(), ..Settings::default() };
    let unbuilt = Monorepo::new([Member::new("pages", "pages")]).file("pages/public/index.html", "");
    insta::assert_snapshot!(stages(&planned(&unbuilt.load(), &settings, &[]).unwrap()), @r"
    pages: static from nginxinc/nginx-unprivileged:stable-bookworm
      serves pages/public of context on 9090
    ");
}

#[test]
fn native_addons_bring_their_tools_into_their_install_only() {
    let tree = r#"
//- package.json
{ "name": "root", "workspaces": ["api", "web"] }
//- api/package.json
{ "name": "api", "scripts": { "start": "node index.js" }, "dependencies": { "bcrypt": "*" } }
//- api/index.js
//- web/package.json
{ "name": "web", "scripts": { "start": "node index.js" } }
//- web/index.js
//- package-lock.json
{ "name": "root", "lockfileVersion": 3, "requires": true, "packages": {
  "": { "name": "root", "workspaces": ["api", "web"] },
  "api": { "dependencies": { "bcrypt": "*" } },
  "web": {},
  "node_modules/api": { "resolved": "api", "link": true },
  "node_modules/web": { "resolved": "web", "link": true },
  "node_modules/node-addon-api": { "version": "8.0.0", "integrity": "sha512-x" },
  "node_modules/bcrypt": { "version": "6.0.0", "integrity": "sha512-x", "hasInstallScript": true,
    "dependencies": { "node-addon-api": "^8.0.0" } } } }
"#;
    let plan = planned(&support::fixture(tree), &Settings::default(), &[]).unwrap();
    insta::assert_snapshot!(stages(&plan), @r#"
    base: base from node:24-bookworm-slim

    runtime-base: base from base
      system tini

    runtime-deps-api: Production install from runtime-base
      for api
      system g++ make python3
      input .drydock/install/runtime-deps-api

    api: service from runtime-base
      copy . of runtime-deps-api
      copy package.json api
      env NODE_ENV=production
      entrypoint tini --
      command in api: ["node", "index.js"]

    runtime-deps-web: Production install from runtime-base
      for web
      input .drydock/install/runtime-deps-web

    web: service from runtime-deps-web
      copy package.json web
      env NODE_ENV=production
      entrypoint tini --
      command in web: ["node", "index.js"]
    "#);
    insta::assert_snapshot!(decisions(&plan), @"
    node = node:24-bookworm-slim (nothing in the workspace says which; the line with long-term support)
    stage runtime-deps-api = adds python3, make, g++ (the install compiles bcrypt)
    target api = service (api/package.json has the script `start`: `node index.js`)
    target api: command = node index.js (api/package.json has the script `start`: `node index.js`)
    target api: port = none (nothing says that it listens)
    target api: init = tini (signals reach what it runs, with or without a handler, and a container stops at once)
    target web = service (web/package.json has the script `start`: `node index.js`)
    target web: command = node index.js (web/package.json has the script `start`: `node index.js`)
    target web: port = none (nothing says that it listens)
    target web: init = tini (signals reach what it runs, with or without a handler, and a container stops at once)
    ");
}

/// Nothing is installed for production where a build packs what its server reads of its dependencies.
#[test]
fn a_server_that_brings_its_dependencies_begins_with_the_base() {
    let monorepo = Monorepo::new([
        Member::new("apps/web", "web")
            .script("start", "next start")
            .script("build", "next build")
            .needs(&["next", "lib"]),
        Member::new("apps/shop", "shop").script("build", "nuxt build").script("dev", "nuxt dev").needs(&["nuxt"]),
        Member::library("packages/lib", "lib"),
    ])
    .file("apps/web/next.config.js", "module.exports = { output: 'standalone' };")
    .file("apps/web/app/page.js", "")
    .file("apps/web/public/a.svg", "<svg/>")
    .file("apps/shop/app.vue", "")
    .file("packages/lib/src/index.ts", "");
    insta::assert_snapshot!(plan_of(&monorepo), @r#"
    base: base from node:24-bookworm-slim

    runtime-base: base from base
      system tini

    install-shop: Build install from base
      for shop
      input .drydock/install/install-shop

    install-web: Build install from base
      for lib, web
      input .drydock/install/install-web

    build-lib: build lib from install-web
      sources packages/lib
      run npm run build
      writes packages/lib/dist

    build-shop: build shop from install-shop
      sources apps/shop
      run npm run build
      writes apps/shop/.output

    build-web: build web from install-web
      reads packages/lib/package.json
      takes packages/lib/dist of build-lib
      sources apps/web
      run npm run build
      writes apps/web/.next
      trims apps/web/.next/cache

    shop: service from runtime-base
      copy apps/shop/.output of build-shop
      env NODE_ENV=production
      port 3000
      entrypoint tini --
      command in apps/shop: ["node", ".output/server/index.mjs"]

    web: service from runtime-base
      copy apps/web/.next/standalone of build-web to ., owned
      copy apps/web/.next/static of build-web
      copy apps/web/public of build-web
      writable apps/web/.next/cache
      env NODE_ENV=production HOSTNAME=0.0.0.0
      port 3000
      entrypoint tini --
      command in apps/web: ["node", "server.js"]
    "#);
    // In its dev image everything is installed, and Next's own command runs what was built.
    let dev = planned(&monorepo.load(), &Settings::default(), &["web-dev"]).unwrap();
    let dev = stages(&dev);
    insta::assert_snapshot!(dev[dev.find("web-dev:").unwrap()..], @r#"
    web-dev: dev of web from install-web
      copy package.json packages/lib
      copy packages/lib/dist of build-lib
      copy apps/web
      copy apps/web/.next of build-web
      owned . apps/web apps/web/node_modules node_modules
      modules apps/web/node_modules node_modules packages/lib/node_modules
      env NODE_ENV=development HOSTNAME=0.0.0.0 PORT=3000
      port 3000
      command in apps/web: ["next", "start"]
    "#);
    // A command that is configured is taken as it is, and has all it could want.
    let target =
        TargetSettings { command: Some(vec!["next".to_owned(), "start".to_owned()]), ..TargetSettings::default() };
    let settings = Settings { targets: [(TargetName::new("web"), target)].into(), ..Settings::default() };
    let plan = stages(&planned(&monorepo.load(), &settings, &["web"]).unwrap());
    insta::assert_snapshot!(plan[plan.find("runtime-deps-web:").unwrap()..], @r#"
    runtime-deps-web: Production install from runtime-base
      for lib, web
      input .drydock/install/runtime-deps-web

    web: service from runtime-deps-web
      copy apps/web/package.json package.json packages/lib/package.json
      copy packages/lib/dist of build-lib
      copy apps/web/app apps/web/next.config.js apps/web/public
      copy apps/web/.next of build-web
      env NODE_ENV=production
      path /app/apps/web/node_modules/.bin:/app/node_modules/.bin
      port 3000
      entrypoint tini --
      command in apps/web: ["next", "start"]
    "#);
}
