//! Which images are found, and why.

#![allow(
    clippy::unwrap_used,
    clippy::too_many_lines,
    reason = "a test stops at what it does not expect; snapshots are long"
)]

mod support;

use drydock_plan::{PackageName, Settings, TargetKind, TargetName, TargetSettings, targets};
use drydock_workspace::PackageGraph;
use serde_json::json;
use support::monorepo::{Member, Monorepo};

/// Each target on a line with its reasons below, then what is no target.
fn found(monorepo: &Monorepo, settings: &Settings) -> String {
    let workspace = monorepo.load();
    let graph = PackageGraph::new(&workspace, &[]).unwrap();
    let found = targets(&workspace, &graph, settings).unwrap();
    let mut lines = Vec::new();
    for (name, target) in &found.targets {
        lines.push(format!("{name}: {:?} {}", target.kind, target.package));
        lines.extend(target.decisions.iter().map(|one| format!("  {} = {}: {}", one.subject, one.choice, one.because)));
        if !target.env.is_empty() {
            lines.push(format!("  env {:?}", target.env));
        }
    }
    lines.extend(found.others.iter().map(|(package, why)| format!("- {package}: {why}")));
    lines.join("\n")
}

fn configured(targets: impl IntoIterator<Item = (&'static str, TargetSettings)>) -> Settings {
    let targets = targets.into_iter().map(|(name, target)| (TargetName::new(name), target)).collect();
    Settings { targets, ..Settings::default() }
}

#[test]
fn services_are_what_something_runs() {
    let monorepo = Monorepo::new([
        Member::new("plain", "plain").script("start", "node server.js").needs(&["express"]),
        Member::new("next", "@acme/web")
            .script("start", "next start -p 4000")
            .script("build", "next build")
            .needs(&["next"]),
        Member::new("nest", "nest")
            .script("start", "nest start")
            .script("start:prod", "node dist/main")
            .script("build", "nest build")
            .needs(&["@nestjs/core"])
            .develops_with(&["@nestjs/cli"]),
        Member::new("piped", "piped").script("start", "node server.js | pino-pretty").needs(&["fastify"]),
        Member::new("built", "built").script("start", "npm run build && node dist/app.js").script("build", "tsc"),
        Member::new("migrated", "migrated").script("prestart", "node migrate.js").script("start", "node app.js"),
        Member::new("prebuilt", "prebuilt")
            .script("prestart", "npm run build")
            .script("start", "node dist/app.js")
            .script("build", "tsc"),
        Member::new("tool", "tool").script("start", "tsx watch src/index.ts").needs(&["tsx"]),
        Member::new("runner", "runner").script("start", "tsx src/index.ts").needs(&["tsx"]),
        Member::new("docs", "docs").script("start", "docusaurus start"),
        Member::new("said", "said").script("start", "echo 'run it from the root' && exit 1"),
    ]);
    insta::assert_snapshot!(found(&monorepo, &Settings::default()), @r"
    built: Service built
      target built = service: built/package.json has the script `start`: `npm run build && node dist/app.js`, of which only the last command is left to run in the image
      target built: command = node dist/app.js: built/package.json has the script `start`: `npm run build && node dist/app.js`, of which only the last command is left to run in the image
      target built: port = none: nothing says that it listens
    migrated: Service migrated
      target migrated = service: migrated/package.json has the script `start`: `node app.js`, and `prestart` runs before it, so npm runs it
      target migrated: command = npm start --workspace=migrated: migrated/package.json has the script `start`: `node app.js`, and `prestart` runs before it, so npm runs it
      target migrated: port = none: nothing says that it listens
    nest: Service nest
      target nest = service: nest/package.json has the script `start:prod`: `node dist/main`
      target nest: command = node dist/main: nest/package.json has the script `start:prod`: `node dist/main`
      target nest: port = 3000: nothing names its port, and @nestjs/core is most often given this one
    piped: Service piped
      target piped = service: piped/package.json has the script `start`: `node server.js | pino-pretty`, and it pipes, so npm runs it
      target piped: command = npm start --workspace=piped: piped/package.json has the script `start`: `node server.js | pino-pretty`, and it pipes, so npm runs it
      target piped: port = 3000: nothing names its port, and fastify is most often given this one
    plain: Service plain
      target plain = service: plain/package.json has the script `start`: `node server.js`
      target plain: command = node server.js: plain/package.json has the script `start`: `node server.js`
      target plain: port = 3000: nothing names its port, and express is most often given this one
    prebuilt: Service prebuilt
      target prebuilt = service: prebuilt/package.json has the script `start`: `node dist/app.js`
      target prebuilt: command = node dist/app.js: prebuilt/package.json has the script `start`: `node dist/app.js`
      target prebuilt: port = none: nothing says that it listens
    runner: Service runner
      target runner = service: runner/package.json has the script `start`: `tsx src/index.ts`
      target runner: command = tsx src/index.ts: runner/package.json has the script `start`: `tsx src/index.ts`
      target runner: port = none: nothing says that it listens
    web: Service @acme/web
      target web = service: next/package.json has the script `start`: `next start -p 4000`
      target web: command = next start -p 4000: next/package.json has the script `start`: `next start -p 4000`
      target web: port = 4000: its command says so
    - docs: nothing starts it, and it builds no site
    - said: nothing starts it, and it builds no site
    - tool: nothing starts it, and it builds no site
    ");
}

#[test]
fn a_script_of_the_root_starts_a_member() {
    let monorepo = Monorepo::new([
        Member::new("api", "@librechat/backend")
            .script("start", "echo 'please run this from the root directory'")
            .needs(&["express", "@librechat/api"]),
        Member::library("packages/api", "@librechat/api").expects(&["express"]),
    ])
    .root(
        "scripts",
        json!({
            "backend:dev": "cross-env NODE_ENV=development npx nodemon api/server/index.js",
            "backend:inspect": "cross-env NODE_ENV=production node --inspect api/server/index.js",
            "backend": "cross-env NODE_ENV=production node api/server/index.js",
            "create-user": "node api/create-user.js",
        }),
    )
    .file(
        "api/server/index.js",
        "const { PORT, HOST } = process.env ?? {};\nconst port = isNaN(Number(PORT)) ? 3080 : Number(PORT);\n",
    );
    insta::assert_snapshot!(found(&monorepo, &Settings::default()), @r#"
    backend: Service @librechat/backend
      target backend = service: package.json has the script `backend`: `cross-env NODE_ENV=production node api/server/index.js`
      target backend: command = node api/server/index.js: package.json has the script `backend`: `cross-env NODE_ENV=production node api/server/index.js`
      target backend: port = 3080: api/server/index.js:2 takes it when PORT is not set
      target backend: HOST = 0.0.0.0: api/server/index.js:1 reads the address to listen on from it, and only this address can be reached from outside
      env {"NODE_ENV": "production", "HOST": "0.0.0.0"}
    - @librechat/api: `@librechat/backend` depends on it
    "#);
}

#[test]
fn a_server_is_looked_for_where_its_first_file_leads() {
    let monorepo = Monorepo::new([
        Member::new("api", "api").script("start", "node dist/server.js").script("build", "tsc").needs(&["express"]),
        Member::new("agent", "agent").script("start", "node server.js").needs(&["express"]),
    ])
    .file("api/src/server.ts", "import { main } from './app.js';\n\nmain();\n")
    .file("api/src/app.ts", "export const main = () => express().listen(process.env.PORT ?? 4000);\n")
    .file("agent/server.js", "require('./app');\n")
    .file("agent/app.js", "const port = Number(process.env.AGENT_PORT || 0);\nexpress().listen(port, 'localhost');\n");
    insta::assert_snapshot!(found(&monorepo, &Settings::default()), @"
    agent: Service agent
      target agent = service: agent/package.json has the script `start`: `node server.js`
      target agent: command = node server.js: agent/package.json has the script `start`: `node server.js`
      target agent: port = 3000: nothing names its port, and express is most often given this one
    api: Service api
      target api = service: api/package.json has the script `start`: `node dist/server.js`
      target api: command = node dist/server.js: api/package.json has the script `start`: `node dist/server.js`
      target api: port = 4000: api/src/app.ts:1 takes it when PORT is not set
    ");
    let plan = support::planned(&monorepo.load(), &Settings::default(), &[]).unwrap();
    insta::assert_snapshot!(support::warnings(&plan), @"
    listens-on-loopback: `agent` listens on an address that only what is in its container reaches (agent/app.js:2)
      listen on `0.0.0.0`, or on what an environment variable such as `HOST` says
    ");
}

#[test]
fn a_front_end_that_nobody_serves_is_a_site() {
    let monorepo = Monorepo::new([
        Member::new("api", "api").script("start", "node index.js").needs(&["express"]),
        Member::new("web", "web").script("build", "vite build").script("start", "vite").develops_with(&["vite"]),
    ])
    .file("web/index.html", "<!doctype html>")
    .file("web/vite.config.js", "export default {}");
    insta::assert_snapshot!(found(&monorepo, &Settings::default()), @r"
    api: Service api
      target api = service: api/package.json has the script `start`: `node index.js`
      target api: command = node index.js: api/package.json has the script `start`: `node index.js`
      target api: port = 3000: nothing names its port, and express is most often given this one
    web: Static web
      target web = static: it has web/index.html, and its build is Vite's
    ");
    let assets = TargetSettings { assets: vec![PackageName::new("web")], ..TargetSettings::default() };
    insta::assert_snapshot!(found(&monorepo, &configured([("api", assets)])), @"
    api: Service api
      target api = service: api/package.json has the script `start`: `node index.js`
      target api: command = node index.js: api/package.json has the script `start`: `node index.js`
      target api: port = 3000: nothing names its port, and express is most often given this one
    - web: target `api` serves what it builds
    ");
}

#[test]
fn names_are_short_until_two_would_be_alike() {
    let service = |path: &str, name: &str| Member::new(path, name).script("start", "node index.js");
    let monorepo = Monorepo::new([
        service("a", "@a/api"),
        service("b", "@b/api"),
        service("c", "@c/Web App"),
        service("d", "scratch"),
        service("e", "base"),
    ]);
    let settings =
        configured([("web-app", TargetSettings { package: Some(PackageName::new("base")), ..Default::default() })]);
    insta::assert_snapshot!(found(&monorepo, &settings), @"
    a-api: Service @a/api
      target a-api = service: a/package.json has the script `start`: `node index.js`
      target a-api: command = node index.js: a/package.json has the script `start`: `node index.js`
      target a-api: port = none: nothing says that it listens
    b-api: Service @b/api
      target b-api = service: b/package.json has the script `start`: `node index.js`
      target b-api: command = node index.js: b/package.json has the script `start`: `node index.js`
      target b-api: port = none: nothing says that it listens
    scratch-2: Service scratch
      target scratch-2 = service: d/package.json has the script `start`: `node index.js`
      target scratch-2: command = node index.js: d/package.json has the script `start`: `node index.js`
      target scratch-2: port = none: nothing says that it listens
    web-app: Service base
      target web-app = service: e/package.json has the script `start`: `node index.js`
      target web-app: command = node index.js: e/package.json has the script `start`: `node index.js`
      target web-app: port = none: nothing says that it listens
    web-app-2: Service @c/Web App
      target web-app-2 = service: c/package.json has the script `start`: `node index.js`
      target web-app-2: command = node index.js: c/package.json has the script `start`: `node index.js`
      target web-app-2: port = none: nothing says that it listens
    ");
}

#[test]
fn the_settings_correct_and_add() {
    let monorepo = Monorepo::new([
        Member::new("api", "api").script("start", "node index.js").needs(&["express"]),
        Member::new("worker", "worker").script("start", "node worker.js"),
        Member::new("site", "site").script("build", "make-site"),
    ])
    .file("api/index.js", "listen(process.env.PORT || 8080)");
    let settings = configured([
        ("api", TargetSettings { port: Some(9000), ..TargetSettings::default() }),
        (
            "jobs",
            TargetSettings {
                package: Some(PackageName::new("api")),
                command: Some(["node", "jobs.js"].map(str::to_owned).to_vec()),
                ..TargetSettings::default()
            },
        ),
        ("worker", TargetSettings { skip: true, ..TargetSettings::default() }),
        ("site", TargetSettings { kind: Some(TargetKind::Static), ..TargetSettings::default() }),
    ]);
    insta::assert_snapshot!(found(&monorepo, &settings), @r#"
    api: Service api
      target api = service: api/package.json has the script `start`: `node index.js`
      target api: command = node index.js: api/package.json has the script `start`: `node index.js`
      target api: port = 9000: the configuration says so
      env {"PORT": "9000"}
    jobs: Service api
      target jobs = service: the configuration gives it a command
      target jobs: command = node jobs.js: the configuration says so
      target jobs: port = 3000: nothing names its port, and express is most often given this one
    site: Static site
      target site = static: the configuration says so
    - worker: the configuration skips `worker`
    "#);
    let nothing_inferred = Settings { infer_targets: Some(false), ..Settings::default() };
    insta::assert_snapshot!(found(&monorepo, &nothing_inferred), @"- site: nothing starts it, and it builds no site");
}

#[test]
fn commands_are_targets_where_there_is_nothing_else() {
    let command = |path: &str, name: &str| {
        Member::new(path, name)
            .field("bin", json!({ name: "dist/index.js" }))
            .field("files", json!(["dist"]))
            .script("build", "tsc && shx chmod +x dist/*.js")
    };
    let servers = [command("src/memory", "mcp-memory"), command("src/files", "mcp-files")];
    let monorepo = Monorepo::new(servers.clone())
        .root("dependencies", json!({ "mcp-memory": "*", "mcp-files": "*" }))
        .file("tsconfig.json", "{}")
        .file("src/memory/tsconfig.json", r#"{ "compilerOptions": { "outDir": "dist" } }"#)
        .file("src/files/tsconfig.json", r#"{ "compilerOptions": { "outDir": "dist" } }"#);
    insta::assert_snapshot!(found(&monorepo, &Settings::default()), @"
    mcp-files: Cli mcp-files
      target mcp-files = cli: src/files/package.json has the command `mcp-files`
      target mcp-files: command = node dist/index.js: src/files/package.json has the command `mcp-files`
    mcp-memory: Cli mcp-memory
      target mcp-memory = cli: src/memory/package.json has the command `mcp-memory`
      target mcp-memory: command = node dist/index.js: src/memory/package.json has the command `mcp-memory`
    ");
    let [memory, files] = servers;
    let service = Member::new("api", "api").script("start", "node index.js");
    insta::assert_snapshot!(found(&Monorepo::new([memory, files, service]), &Settings::default()), @r"
    api: Service api
      target api = service: api/package.json has the script `start`: `node index.js`
      target api: command = node index.js: api/package.json has the script `start`: `node index.js`
      target api: port = none: nothing says that it listens
    - mcp-files: nothing starts it; it brings a command
    - mcp-memory: nothing starts it; it brings a command
    ");
}

#[test]
fn a_command_is_one_however_it_is_started() {
    let command = |path: &str, name: &str| {
        Member::new(path, name).field("bin", json!({ name: "dist/index.js" })).script("build", "tsc")
    };
    let monorepo = Monorepo::new([
        command("cli", "started").script("start", "node dist/index.js"),
        command("server", "server").script("start", "node dist/index.js").needs(&["express"]),
        command("stdio", "stdio").needs(&["express"]),
        Member::new("stack", "stack").field("bin", json!({ "stack": "bin/stack.js" })).script("build", "echo none"),
    ])
    .file("cli/src/index.ts", "")
    .file("stdio/src/index.ts", "")
    .file("stack/bin/stack.ts", "");
    insta::assert_snapshot!(found(&monorepo, &Settings::default()), @"
    server: Service server
      target server = service: server/package.json has the script `start`: `node dist/index.js`
      target server: command = node dist/index.js: server/package.json has the script `start`: `node dist/index.js`
      target server: port = 3000: nothing names its port, and express is most often given this one
    started: Cli started
      target started = cli: cli/package.json has the script `start`: `node dist/index.js`
      target started: command = node dist/index.js: cli/package.json has the script `start`: `node dist/index.js`
    stdio: Cli stdio
      target stdio = cli: it depends on express, and stdio/package.json has the command `stdio`
      target stdio: command = node dist/index.js: stdio/package.json has the command `stdio`
    - stack: its command `stack` runs stack/bin/stack.js, which is not there, and nothing builds it
    ");
}

#[test]
fn a_build_by_another_name_is_found_when_something_must_be_built() {
    let api = |start: &str| {
        Member::new("api", "api").script("start", start).script("build:watch", "tsc -w").script("build:ts", "tsc")
    };
    let plan_of = |monorepo: Monorepo| {
        let plan = support::planned(&monorepo.load(), &Settings::default(), &[]).unwrap();
        format!("{}\n{}", support::decisions(&plan), support::warnings(&plan))
    };
    insta::assert_snapshot!(plan_of(Monorepo::new([api("fastify start -a 0.0.0.0 -p 4242 dist/app.js").needs(&["fastify-cli"])])), @"
    node = node:24-bookworm-slim (nothing in the workspace says which; the line with long-term support)
    package api: build = build:ts (it has no script `build`, and `dist/app.js`, which its manifest names, must be built)
    install = shared (all that is built serves api)
    target api = service (api/package.json has the script `start`: `fastify start -a 0.0.0.0 -p 4242 dist/app.js`)
    target api: command = fastify start -a 0.0.0.0 -p 4242 dist/app.js (api/package.json has the script `start`: `fastify start -a 0.0.0.0 -p 4242 dist/app.js`)
    target api: port = 4242 (its command says so)
    target api: init = tini (signals reach what it runs, with or without a handler, and a container stops at once)
    ");
    insta::assert_snapshot!(plan_of(Monorepo::new([api("node server.js")]).file("api/server.js", "")), @"
    node = node:24-bookworm-slim (nothing in the workspace says which; the line with long-term support)
    target api = service (api/package.json has the script `start`: `node server.js`)
    target api: command = node server.js (api/package.json has the script `start`: `node server.js`)
    target api: port = none (nothing says that it listens)
    target api: init = tini (signals reach what it runs, with or without a handler, and a container stops at once)
    ");
    let unbuilt = Member::new("api", "api").script("start", "node dist/app.js");
    insta::assert_snapshot!(plan_of(Monorepo::new([unbuilt])), @r#"
    node = node:24-bookworm-slim (nothing in the workspace says which; the line with long-term support)
    target api = service (api/package.json has the script `start`: `node dist/app.js`)
    target api: command = node dist/app.js (api/package.json has the script `start`: `node dist/app.js`)
    target api: port = none (nothing says that it listens)
    target api: init = tini (signals reach what it runs, with or without a handler, and a container stops at once)
    command-file-missing: the command of `api` runs `api/dist/app.js`, which is not in the tree, and `api` has no build
      name the script that writes it: `build = "…"` under `[package.api]`
    "#);
}

#[test]
fn a_server_is_run_as_the_tool_that_builds_it_means_it() {
    let next = |folder: &str, start: &str| {
        Member::new(folder, folder).script("start", start).script("build", "next build").needs(&["next"])
    };
    let built =
        |folder: &str, build: &str, needs: &[&str]| Member::new(folder, folder).script("build", build).needs(needs);
    let standalone = "export default { output: 'standalone' };";
    let monorepo = Monorepo::new([
        next("alone", "next start --port 4000 -H 127.0.0.1"),
        next("by-file", "node .next/standalone/by-file/server.js"),
        next("custom", "node server.js"),
        next("computed", "next start"),
        next("plain", "next start"),
        next("rooted", "next start"),
        built("nuxt", "nuxt build", &["nuxt"]),
        built("nuxt-pages", "nuxt generate", &["nuxt"]),
        built("nuxt-worker", "nuxt build", &["nuxt"]),
        built("nitro", "nitro build", &["nitropack"])
            .script("start", "node --enable-source-maps .output/server/index.mjs"),
        built("nest", "nest build", &["@nestjs/core"]).script("start", "nest start"),
        built("routes", "react-router build", &["@react-router/serve"]),
        built("routes-spa", "react-router build", &["react-router"]).develops_with(&["@react-router/dev"]),
        built("kit", "vite build", &[]).develops_with(&["@sveltejs/kit", "@sveltejs/adapter-node"]),
        built("stars", "astro build", &["astro", "@astrojs/node"]),
    ])
    .file("alone/next.config.js", standalone)
    .file("alone/public/a.svg", "<svg/>")
    .file("by-file/next.config.js", standalone)
    .file("custom/next.config.js", standalone)
    .file("custom/server.js", "")
    .file("computed/next.config.js", "module.exports = { output: process.env.OUTPUT };")
    .file(
        "rooted/next.config.mjs",
        "import path from 'node:path';\n\
         export default { output: 'standalone', outputFileTracingRoot: path.join(import.meta.dirname, '.') };",
    )
    .file("nuxt-worker/nuxt.config.ts", "export default defineNuxtConfig({ nitro: { preset: 'cloudflare' } });")
    .file("routes-spa/react-router.config.ts", "export default { ssr: false };")
    .file(
        "stars/astro.config.mjs",
        "import node from '@astrojs/node';\nexport default { adapter: node({ mode: 'standalone' }) };",
    );
    insta::assert_snapshot!(found(&monorepo, &Settings::default()), @r#"
    alone: Service alone
      target alone = service: alone/package.json has the script `start`: `next start --port 4000 -H 127.0.0.1`, and `next build` packs its server into alone/.next/standalone
      target alone: command = node server.js: alone/package.json has the script `start`: `next start --port 4000 -H 127.0.0.1`, and `next build` packs its server into alone/.next/standalone
      target alone: port = 4000: its command says so
      target alone: dependencies = none installed: alone/next.config.js:1 has `output: 'standalone'`, so `next build` copies what its server reads of them
      env {"PORT": "4000", "HOSTNAME": "0.0.0.0"}
    by-file: Service by-file
      target by-file = service: by-file/package.json has the script `start`: `node .next/standalone/by-file/server.js`, and `next build` packs its server into by-file/.next/standalone
      target by-file: command = node server.js: by-file/package.json has the script `start`: `node .next/standalone/by-file/server.js`, and `next build` packs its server into by-file/.next/standalone
      target by-file: port = 3000: the server that its build makes listens on it by default
      target by-file: dependencies = none installed: by-file/next.config.js:1 has `output: 'standalone'`, so `next build` copies what its server reads of them
      env {"HOSTNAME": "0.0.0.0"}
    computed: Service computed
      target computed = service: computed/package.json has the script `start`: `next start`
      target computed: command = next start: computed/package.json has the script `start`: `next start`
      target computed: port = 3000: the server that its build makes listens on it by default
      target computed: dependencies = all of production: computed/next.config.js:1 computes `output`
    custom: Service custom
      target custom = service: custom/package.json has the script `start`: `node server.js`
      target custom: command = node server.js: custom/package.json has the script `start`: `node server.js`
      target custom: port = 3000: nothing names its port, and next is most often given this one
    kit: Service kit
      target kit = service: its build is SvelteKit's with the adapter for Node
      target kit: command = node build: its build is SvelteKit's with the adapter for Node
      target kit: port = 3000: the server that its build makes listens on it by default
    nest: Service nest
      target nest = service: `nest build` writes dist/main.js, which `nest start` runs
      target nest: command = node dist/main.js: `nest build` writes dist/main.js, which `nest start` runs
      target nest: port = 3000: nothing names its port, and @nestjs/core is most often given this one
    nitro: Service nitro
      target nitro = service: nitro/package.json has the script `start`: `node --enable-source-maps .output/server/index.mjs`, and `nitro build` writes a server with all that it needs to nitro/.output
      target nitro: command = node --enable-source-maps .output/server/index.mjs: nitro/package.json has the script `start`: `node --enable-source-maps .output/server/index.mjs`, and `nitro build` writes a server with all that it needs to nitro/.output
      target nitro: port = 3000: the server that its build makes listens on it by default
      target nitro: dependencies = none installed: `nitro build` writes a server with all that it needs to nitro/.output
    nuxt: Service nuxt
      target nuxt = service: `nuxt build` writes a server with all that it needs to nuxt/.output
      target nuxt: command = node .output/server/index.mjs: `nuxt build` writes a server with all that it needs to nuxt/.output
      target nuxt: port = 3000: the server that its build makes listens on it by default
      target nuxt: dependencies = none installed: `nuxt build` writes a server with all that it needs to nuxt/.output
    nuxt-pages: Static nuxt-pages
      target nuxt-pages = static: its build is `nuxt generate`
    plain: Service plain
      target plain = service: plain/package.json has the script `start`: `next start`
      target plain: command = next start: plain/package.json has the script `start`: `next start`
      target plain: port = 3000: the server that its build makes listens on it by default
      target plain: dependencies = all of production: with `output: 'standalone'` in its configuration `next build` would copy the few files that its server reads of them, and nothing else would be installed
    rooted: Service rooted
      target rooted = service: rooted/package.json has the script `start`: `next start`, and `next build` packs its server into rooted/.next/standalone
      target rooted: command = node server.js: rooted/package.json has the script `start`: `next start`, and `next build` packs its server into rooted/.next/standalone
      target rooted: port = 3000: the server that its build makes listens on it by default
      target rooted: dependencies = none installed: rooted/next.config.mjs:2 has `output: 'standalone'`, so `next build` copies what its server reads of them
      env {"HOSTNAME": "0.0.0.0"}
    routes: Service routes
      target routes = service: its build is React Router's, and it depends on @react-router/serve
      target routes: command = react-router-serve ./build/server/index.js: its build is React Router's, and it depends on @react-router/serve
      target routes: port = 3000: `react-router-serve` listens on it by default
    routes-spa: Static routes-spa
      target routes-spa = static: its build is React Router's, and routes-spa/react-router.config.ts:1 has `ssr: false`
    stars: Service stars
      target stars = service: its build is Astro's, and stars/astro.config.mjs:2 makes it a server of its own
      target stars: command = node dist/server/entry.mjs: its build is Astro's, and stars/astro.config.mjs:2 makes it a server of its own
      target stars: port = 4321: the server that its build makes listens on it by default
      env {"HOST": "0.0.0.0"}
    - nuxt-worker: nothing starts it, and it builds no site
    "#);
}
